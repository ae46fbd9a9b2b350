"""What a file is, by its content: pictures are measured, nothing is believed, nothing is decoded."""

from __future__ import annotations

import io
import struct
import zlib
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation.file_kind import HEAD_BYTES, MOST_SEGMENTS, PICTURES, FileKind, kind_of
from conversation.file_name import MOST_CHARS, safe_name


def png(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x00" * 8


def jpeg(width: int, height: int, before: int = 1) -> bytes:
    segment = b"\xff\xe1" + struct.pack(">H", 60_002) + b"\xff" * 60_000
    frame = b"\xff\xc0" + struct.pack(">HBHH", 17, 8, height, width) + b"\x00" * 10
    return (
        b"\xff\xd8"
        b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\x00" + b"\x00" * 9 + segment * before + frame
    )


def webp(kind: bytes, body: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


LOSSY = b"\x00" * 3 + b"\x9d\x01\x2a" + struct.pack("<HH", 640, 480)
LOSSLESS = b"\x2f" + ((639) | (479 << 14)).to_bytes(4, "little") + b"\x00" * 8
EXTENDED = b"\x00" * 4 + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (png(640, 480), "image/png"),
        (gif(640, 480), "image/gif"),
        (jpeg(640, 480), "image/jpeg"),
        (jpeg(640, 480, before=40), "image/jpeg"),
        (webp(b"VP8 ", LOSSY), "image/webp"),
        (webp(b"VP8L", LOSSLESS), "image/webp"),
        (webp(b"VP8X", EXTENDED), "image/webp"),
    ],
    ids=["png", "gif", "jpeg", "jpeg after much else", "lossy", "lossless", "extended"],
)
def test_a_picture_is_measured_by_its_header(content: bytes, content_type: str) -> None:
    assert kind_of(io.BytesIO(content)) == FileKind(content_type, 640, 480)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ("Grüße,\tworld\r\n".encode(), "text/plain"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "text/plain"),
        (b"<!doctype html><script>alert(1)</script>", "text/plain"),
        (b"<?php system($_GET['x']); ?>", "text/plain"),
        (b"%PDF-1.7\n%\xe2\xe3", "application/pdf"),
        (b"PK\x03\x04" + b"\x00" * 60, "application/zip"),
        (b"MZ" + b"\x00" * 60, "application/x-msdownload"),
        (b"a\x00b", "application/octet-stream"),
        (b"\xff\xfe\x00", "application/octet-stream"),
        (b"caf\xe9", "application/octet-stream"),
    ],
    ids=["text", "svg", "html", "php", "pdf", "zip", "exe", "nul", "odd", "latin1"],
)
def test_every_other_file_is_what_its_content_says(content: bytes, content_type: str) -> None:
    assert kind_of(io.BytesIO(content)) == FileKind(content_type)


def test_a_character_cut_by_the_end_of_the_head_is_still_text() -> None:
    assert kind_of(io.BytesIO(b"x" * (HEAD_BYTES - 1) + "é".encode())).content_type == "text/plain"
    assert kind_of(io.BytesIO(b"x" + "é".encode()[:1])).content_type == "application/octet-stream"


@pytest.mark.parametrize(
    "content",
    [png(60_000, 60_000), png(0, 5), png(5, 5)[:20], gif(0, 0), jpeg(5, 5)[:400], jpeg(5, 5, 2 * MOST_SEGMENTS)],
    ids=["bomb", "empty", "cut", "flat", "cut too", "endless"],
)  # fmt: skip
def test_a_picture_that_is_absurd_is_a_file_without_size(content: bytes) -> None:
    kind = kind_of(io.BytesIO(content))

    assert kind.content_type in PICTURES
    assert (kind.width, kind.height) == (None, None)


class Counting(io.BytesIO):
    """Counts what is read of it."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        part = super().read(size)
        self.count += len(part)
        return part


def test_however_large_a_file_is_little_of_it_is_read() -> None:
    for content in (jpeg(5, 5, 300), b"a" * 1_000_000, png(5, 5) + b"\x00" * 1_000_000):
        file = Counting(content)
        kind_of(file)
        assert file.count < HEAD_BYTES + 4 * 300 + 100


@given(
    st.binary(max_size=64),
    st.sampled_from([png(9, 9), gif(9, 9), jpeg(9, 9, 0), webp(b"VP8 ", LOSSY), b""]),
)
def test_no_file_is_too_odd(rest: bytes, start: bytes) -> None:
    def look(file: BinaryIO) -> FileKind:
        return kind_of(file)

    for cut in range(0, len(start) + 1, 3):
        kind = look(io.BytesIO(start[:cut] + rest))
        assert kind.content_type.isascii()
        assert (kind.width is None) == (kind.height is None)


# --- Names ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("notes.txt", "notes.txt"),
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\ada\\plan.pdf", "plan.pdf"),
        ("../../x", "x"),
        ("..", "file"),
        ("", "file"),
        (" .hidden ", "hidden"),
        ('a"b<c>.txt', "a_b_c_.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("line\r\nbreak.txt", "linebreak.txt"),
        ("Zu\u0308rich.jpg", "Z\u00fcrich.jpg"),
        ("\ud800x", "x"),
        ("x" * 300 + ".tar.gz", "x" * 197 + ".gz"),
        ("y" * 300, "y" * 200),
    ],
    ids=range(14),
)
def test_names_are_made_safe(given_name: str, name: str) -> None:
    assert safe_name(given_name) == name
    assert len(name) <= MOST_CHARS


@given(st.text(max_size=300))
def test_a_safe_name_stays_as_it_is(given_name: str) -> None:
    name = safe_name(given_name)

    assert safe_name(name) == name
    assert name
    assert not set(name) & set('/\\"<>\r\n\x00')

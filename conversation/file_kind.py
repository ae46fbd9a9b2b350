"""What a file is, by what is in it: nobody's word is taken for it. Reads a few kilobytes of any file.

Pictures are measured by their headers alone. Nothing is ever decoded here, so a picture that would
fill the memory of whoever unpacks it costs nothing; one of absurd size is no picture for us.
"""

import codecs
import os
import struct
from collections.abc import Callable
from typing import BinaryIO, Final, NamedTuple

import filetype

HEAD_BYTES: Final = 8_192
MOST_PIXELS: Final = 100_000_000
MOST_SEGMENTS: Final = 512
TEXT: Final = "text/plain"
UNKNOWN: Final = "application/octet-stream"

_CONTROLS: Final = bytes(sorted({*range(32), 127} - set(b"\t\n\r\f\x1b\b")))
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH: Final = frozenset((0x01, *range(0xD0, 0xD9)))

Size = tuple[int, int]


class FileKind(NamedTuple):
    """The media type; width and height of a picture that any browser may show, else None."""

    content_type: str
    width: int | None = None
    height: int | None = None


def kind_of(file: BinaryIO) -> FileKind:
    """What the file is. SVG and HTML are text: they are programs for whoever opens them."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    found = filetype.guess(head)
    if found is None:
        return FileKind(TEXT if _is_text(head) else UNKNOWN)
    content_type = str(found.mime)
    measure = _MEASURES.get(content_type)
    size = None if measure is None else _measured(measure, file)
    return FileKind(content_type, *size) if size else FileKind(content_type)


def _is_text(head: bytes) -> bool:
    """UTF-8 without control characters; the last character may be cut off."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError:
        return False
    return not head.translate(None, delete=bytes(set(range(256)) - set(_CONTROLS)))


# --- Pictures ------------------------------------------------------------------------------------
def _measured(measure: Callable[[BinaryIO], Size | None], file: BinaryIO) -> Size | None:
    file.seek(0)
    try:
        size = measure(file)
    except struct.error:  # it ends too early
        return None
    if size is None or min(size) < 1 or size[0] * size[1] > MOST_PIXELS:
        return None
    return size


def _png(file: BinaryIO) -> Size:
    file.seek(16)
    width, height = struct.unpack(">II", file.read(8))
    return width, height


def _gif(file: BinaryIO) -> Size:
    file.seek(6)
    width, height = struct.unpack("<HH", file.read(4))
    return width, height


def _webp(file: BinaryIO) -> Size | None:
    file.seek(12)
    kind, _, body = struct.unpack("<4sI10s", file.read(18))
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(file: BinaryIO) -> Size | None:
    """Walks from segment to segment to the start of the frame (ITU T.81, B.1.1.4, B.2.2)."""
    file.seek(2)
    for _ in range(MOST_SEGMENTS):
        mark, marker = struct.unpack(">BB", file.read(2))
        if mark != 0xFF:
            return None
        if marker == 0xFF:  # filled up
            file.seek(-1, os.SEEK_CUR)
        elif marker not in _WITHOUT_LENGTH:
            (length,) = struct.unpack(">H", file.read(2))
            if marker in _START_OF_FRAME:
                _, height, width = struct.unpack(">BHH", file.read(5))
                return width, height
            file.seek(max(0, length - 2), os.SEEK_CUR)
    return None


_MEASURES: Final[dict[str, Callable[[BinaryIO], Size | None]]] = {
    "image/png": _png,
    "image/apng": _png,
    "image/gif": _gif,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
}
PICTURES: Final = frozenset(_MEASURES)
"""Media types that a page may show: the formats of all browsers that cannot hold a program."""

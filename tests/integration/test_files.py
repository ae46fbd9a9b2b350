"""Files on real servers: large ones in and out without filling the memory, too large ones not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.account import Account
from tests.support.deadline import PATIENCE_S
from tests.support.people import ADA, GRACE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.conftest import Sites
    from tests.support.server import ServerKind, Site

MEGABYTE = 1 << 20
SIZE = 64 * MEGABYTE
HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n'
END = b"\r\n--x--\r\n"
FRAME = len(HEAD) + len(END)
KINDS: tuple[ServerKind, ...] = ("uvicorn", "daphne")


def peak_memory(site: Site) -> int:
    """The most that the server's process has had in memory, in bytes."""
    for line in Path(f"/proc/{site.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError("VmHWM")


async def parts(size: int) -> AsyncIterator[bytes]:
    """A form with one file of so many bytes, a megabyte at a time."""
    yield HEAD
    for number in range(size // MEGABYTE):
        yield bytes([number]) * MEGABYTE
    yield END


async def store(account: Account, address: str, size: int) -> httpx.Response:
    """Uploads a file of so many bytes."""
    form = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(size + FRAME)}
    async with httpx.AsyncClient(headers=form | bearer(account), timeout=PATIENCE_S) as http:
        return await http.post(account.url + address, content=parts(size))


def bearer(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.access}"}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_large_file_goes_in_and_out(sites: Sites, kind: ServerKind, tmp_path: Path) -> None:
    environment = {
        "COMMSITE_ATTACHMENT_BYTES": str(SIZE),
        "COMMSITE_MEDIA_ROOT": str(tmp_path / "media"),
    }
    site = sites(kind, environment=environment)
    ada, grace = await Account.log_in(ADA, site), await Account.log_in(GRACE, site)
    room = (await ada.open_conversation("grace")).partition(":")[2]
    address = f"/api/v1/conversations/{room}/attachments/"
    await store(ada, address, MEGABYTE)
    before = peak_memory(site)

    posted = await store(ada, address, SIZE)
    file = posted.json()
    said = {"body": "", "client_id": "f1", "attachment_ids": [file["id"]]}
    await ada.call("POST", f"conversations/{room}/messages/", **said)
    received = 0
    async with httpx.AsyncClient(headers=bearer(grace), timeout=PATIENCE_S) as http:
        async with http.stream("GET", site.url + file["url"]) as answer:
            async for part in answer.aiter_bytes():
                numbers = {received // MEGABYTE, (received + len(part) - 1) // MEGABYTE}
                assert set(part) <= numbers
                received += len(part)
        tail = await http.get(site.url + file["url"], headers={"Range": "bytes=-5"})

    assert posted.status_code == 201
    assert (file["size"], received) == (SIZE, SIZE)
    assert (tail.status_code, tail.content) == (206, bytes([SIZE // MEGABYTE - 1]) * 5)
    if kind == "uvicorn":  # daphne itself holds every request in memory
        assert peak_memory(site) - before < SIZE // 2


async def test_a_file_that_says_it_is_too_large_is_refused_before_it_is_sent(sites: Sites) -> None:
    site = sites()
    ada = await Account.log_in(ADA, site)
    room = (await ada.open_conversation("grace")).partition(":")[2]
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)

    writer.write(
        f"POST /api/v1/conversations/{room}/attachments/ HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{site.port}\r\nAuthorization: Bearer {ada.access}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 30000000\r\n\r\n".encode()
    )
    answer = await reader.readline()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("kind", KINDS)
async def test_no_other_address_takes_so_much(sites: Sites, kind: ServerKind) -> None:
    site = sites(kind)
    ada = await Account.log_in(ADA, site)
    room = (await ada.open_conversation("grace")).partition(":")[2]

    here = await store(ada, f"/api/v1/conversations/{room}/attachments/", 26 * MEGABYTE)
    there = await store(ada, f"/api/v1/conversations/{room}/messages/", 4 * MEGABYTE)

    assert [(answer.status_code, answer.json()["reason"]) for answer in (here, there)] == [
        (413, "too_large"),
        (413, "too_large"),
    ]

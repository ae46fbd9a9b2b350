"""Files over HTTP, as a browser sends and fetches them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as site
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from conversation import uploads
from conversation.models import Attachment
from tests.support.rest import rest

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from conversation.models import Conversation

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("media", "fresh_throttles", "ear"),
]
CONTENT = bytes(range(256)) * 1024


@pytest.fixture
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def address(room: Conversation) -> str:
    return f"/api/v1/conversations/{room.id}/attachments/"


def post(user: User, address: str, content: bytes = CONTENT, name: str = "a.bin") -> Any:
    file = SimpleUploadedFile(name, content, content_type="text/html")
    return rest(user).post(address, {"file": file}, format="multipart")


def body(response: Any) -> bytes:
    """What a streamed answer holds; its file is closed afterwards."""

    async def read() -> bytes:
        return b"".join([part async for part in response])

    content = async_to_sync(read)() if response.streaming else response.content
    response.close()
    return bytes(content)


def get(user: User, url: str, **headers: str) -> Any:
    return rest(user).get(
        url, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


# --- In ------------------------------------------------------------------------------------------
def test_a_file_is_uploaded_and_fetched_again(ada: User, address: str) -> None:
    posted = post(ada, address)

    assert posted.status_code == 201
    file = posted.json()
    assert (file["name"], file["size"]) == ("a.bin", len(CONTENT))
    fetched = get(ada, file["url"])
    assert fetched.status_code == 200
    assert int(fetched["Content-Length"]) == len(CONTENT)
    assert body(fetched) == CONTENT


def test_a_browser_needs_the_token_against_forgery(ada: User, address: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    file = SimpleUploadedFile("a.txt", b"hello")

    forged = client.post(address, {"file": file})
    client.get("/account/")
    file.seek(0)
    token = client.cookies["csrftoken"].value
    meant = client.post(address, {"file": file}, headers={"X-CSRFToken": token})

    assert (forged.status_code, meant.status_code) == (403, 201)
    assert body(client.get(meant.json()["url"])) == b"hello"


@pytest.mark.parametrize(
    ("form", "reason"),
    [({}, "invalid_payload"), ({"file": "text"}, "invalid_payload")],
    ids=["nothing", "a field"],
)
def test_a_request_without_a_file_is_refused(
    ada: User, address: str, form: Any, reason: str
) -> None:
    answer = rest(ada).post(address, form, format="multipart")

    assert (answer.status_code, answer.json()["reason"]) == (400, reason)


def test_two_files_in_one_request_are_refused(ada: User, address: str, media: Path) -> None:
    form = {name: SimpleUploadedFile(name, b"x") for name in ("file", "other")}

    answer = rest(ada).post(address, form, format="multipart")

    assert (answer.status_code, answer.json()["reason"]) == (400, "invalid_payload")
    assert not media.exists()


def test_json_is_no_upload(ada: User, address: str) -> None:
    answer = rest(ada).post(address, {"file": "x"}, format="json")

    assert (answer.status_code, answer.json()["reason"]) == (415, "unsupported_media_type")


def test_a_file_that_grows_too_large_is_refused_while_it_comes(
    ada: User, address: str, settings: Settings, media: Path
) -> None:
    settings.REALTIME = site.REALTIME | {"ATTACHMENT_BYTES": 100_000}

    answer = post(ada, address)

    assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")
    assert not media.exists()


def test_strangers_neither_upload_nor_fetch(
    ada: User, grace: User, linus: User, address: str
) -> None:
    url = post(ada, address).json()["url"]

    refused = [post(linus, address), get(linus, url), get(grace, url), rest(linus).delete(url)]

    assert {(answer.status_code, answer.json()["reason"]) for answer in refused} == {
        (404, "not_found")
    }
    assert APIClient().get(url).status_code == APIClient().post(address).status_code == 401


def test_an_upload_of_mine_can_be_removed(ada: User, address: str, media: Path) -> None:
    url = post(ada, address).json()["url"]

    assert rest(ada).delete(url).status_code == 204
    assert rest(ada).get(url).status_code == 404
    assert not Attachment.objects.exists()
    assert [path for path in media.rglob("*") if path.is_file()] == []


def test_more_than_usual_may_be_sent_to_this_address_only(address: str) -> None:
    allowed = uploads.allowance({"method": "POST", "path": address})

    assert allowed is not None
    assert allowed.body_bytes > site.REALTIME["ATTACHMENT_BYTES"]
    for scope in (
        {"method": "PUT", "path": address},
        {"method": "POST", "path": address + "x/"},
        {"method": "POST", "path": "/x" + address},
        {"method": "POST", "path": address.removesuffix("attachments/")},
    ):
        assert uploads.allowance(scope) is None


# --- Out -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "name", "content_type", "disposition"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01", "a.png", "image/png", "inline"),
        (b"hello", "a.txt", "text/plain; charset=utf-8", "inline"),
        (b"<script>alert(1)</script>", "a.html", "text/plain; charset=utf-8", "inline"),
        (b"<svg onload='alert(1)'/>", "a.svg", "text/plain; charset=utf-8", "inline"),
        (b"%PDF-1.7", "a.pdf", "application/pdf", "attachment"),
        (b"\x00\x01", "Gr\u00fc\u00dfe; x.bin", "application/octet-stream", "attachment"),
    ],
    ids=["png", "text", "html", "svg", "pdf", "unknown"],
)  # fmt: skip
def test_a_file_can_do_no_harm_in_a_browser(
    ada: User, address: str, content: bytes, name: str, content_type: str, disposition: str
) -> None:
    answer = get(ada, post(ada, address, content, name).json()["url"])

    body(answer)
    assert answer["Content-Type"] == content_type
    assert answer["Content-Disposition"].startswith(f"{disposition}; filename")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"].endswith("; sandbox")
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer["Cache-Control"].startswith("private")


def test_a_name_beyond_ascii_is_sent_as_rfc_5987_says(ada: User, address: str) -> None:
    answer = get(ada, post(ada, address, b"\x00", "Gr\u00fc\u00dfe; x.bin").json()["url"])

    body(answer)
    assert (
        answer["Content-Disposition"] == "attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe%3B%20x.bin"
    )


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-", slice(0, None)),
        ("bytes=10-19", slice(10, 20)),
        ("bytes=-5", slice(-5, None)),
        ("bytes=262143-999999999", slice(262_143, None)),
        ("bytes=65530-65545", slice(65_530, 65_546)),
        ("bytes=-999999999", slice(0, None)),
    ],
)
def test_a_range_is_fetched(ada: User, address: str, asked: str, span: slice) -> None:
    answer = get(ada, post(ada, address).json()["url"], range=asked)

    wanted = CONTENT[span]
    assert body(answer) == wanted
    assert answer.status_code == 206
    start = len(CONTENT) - len(wanted) if span.stop is None else span.start
    assert answer["Content-Range"] == f"bytes {start}-{start + len(wanted) - 1}/{len(CONTENT)}"


@pytest.mark.parametrize(
    "asked", ["bytes=5-4", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=-"]
)
def test_a_range_that_makes_no_sense_is_ignored(ada: User, address: str, asked: str) -> None:
    answer = get(ada, post(ada, address).json()["url"], range=asked)

    assert answer.status_code == 200
    assert body(answer) == CONTENT


@pytest.mark.parametrize("asked", ["bytes=262144-", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused(ada: User, address: str, asked: str) -> None:
    answer = get(ada, post(ada, address).json()["url"], range=asked)

    assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")
    assert answer.json()["reason"] == "range_not_satisfiable"


def test_who_has_the_file_does_not_fetch_it_again(ada: User, address: str) -> None:
    url = post(ada, address).json()["url"]
    first = get(ada, url)
    body(first)

    again = get(ada, url, if_none_match=first["ETag"])
    stale = get(ada, url, range="bytes=0-1", if_range='"other"')

    assert (again.status_code, again.content) == (304, b"")
    assert (stale.status_code, len(body(stale))) == (200, len(CONTENT))
    other = get(ada, url, if_none_match='"other"')
    assert (other.status_code, len(body(other))) == (200, len(CONTENT))

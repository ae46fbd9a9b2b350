"""How a file goes out over HTTP: in parts from disk, harmless in a browser, resumable."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, Final

from django.core.files import File
from django.http import HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from rest_framework.request import Request

from commsite.realtime.errors import PushError
from conversation.file_kind import PICTURES, TEXT
from conversation.models import Attachment

PART_BYTES: Final = 65_536
# A file is somebody else's work: whatever it is, it runs nothing, loads nothing, knows no cookie.
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
SHOWN: Final = PICTURES | {TEXT}
"""Media types that a browser shows when the address is opened; it saves the others. No SVG, no PDF:
the one runs scripts, the other's viewer does not run in a sandbox."""
CACHE: Final = "private, max-age=600"

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")


def answer(attachment: Attachment, request: Request) -> HttpResponseBase:
    """The file: 200, 206 for a range, 304 for whoever has it, 416 for a range beyond its end."""
    etag = f'"{attachment.pk.hex}"'
    if etag in request.headers.get("If-None-Match", "").replace("W/", ""):
        return _headed(HttpResponse(status=304), attachment, etag)
    span = None
    if request.headers.get("If-Range", etag) == etag:
        span = _span(request.headers.get("Range", ""), attachment.size)
    if span is not None and not span:
        error = PushError("range_not_satisfiable")
        beyond = JsonResponse(error.as_response(), status=error.http_status)
        beyond.headers["Content-Range"] = f"bytes */{attachment.size}"
        return beyond
    return _headed(_streamed(attachment, span), attachment, etag)


def _streamed(attachment: Attachment, span: range | None) -> StreamingHttpResponse:
    wanted = range(attachment.size) if span is None else span
    file = attachment.file.storage.open(str(attachment.file.name))
    response = StreamingHttpResponse(_Parts(file, wanted), status=200 if span is None else 206)
    response.headers["Content-Length"] = str(len(wanted))
    if span is not None:
        response.headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{attachment.size}"
    return response


def _span(asked: str, size: int) -> range | None:
    """The bytes asked for, none when it ends before them; None when that makes no sense."""
    match = _RANGE.match(asked)
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)


def _headed(response: HttpResponseBase, attachment: Attachment, etag: str) -> HttpResponseBase:
    content_type = attachment.content_type
    is_shown = content_type in SHOWN
    response.headers["Content-Type"] = (
        f"{TEXT}; charset=utf-8" if content_type == TEXT else content_type
    )
    disposition = content_disposition_header(not is_shown, attachment.name)
    response.headers["Content-Disposition"] = disposition or "attachment"
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = CACHE
    response.headers["Vary"] = "Authorization, Cookie"
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["ETag"] = etag
    return response


class _Parts:
    """A stretch of an open file, read in a thread when the client takes it."""

    def __init__(self, file: File[Any], span: range) -> None:
        self._file = file
        self._span = span

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            await asyncio.to_thread(self._file.seek, self._span.start)
            left = len(self._span)
            while left:
                part = await asyncio.to_thread(self._file.read, min(left, PART_BYTES))
                if not part:
                    return
                left -= len(part)
                yield part
        finally:  # a client that goes away closes this, but not always the response
            self.close()

    def close(self) -> None:
        """Closes the file; called by the response too, sent to its end or not."""
        self._file.close()

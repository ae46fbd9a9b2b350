"""How a file comes in over HTTP: where more than usual may be sent, and one file at a time to disk."""

import re
from typing import Any, Final, NoReturn

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler

from commsite.intake import Allowance
from commsite.realtime.errors import PushError

ENVELOPE_BYTES: Final = 16_384
"""What multipart/form-data adds to one file: boundaries, its headers, a token against forgery."""

_ADDRESS: Final = re.compile(r"/api/v1/conversations/[0-9a-f-]{36}/attachments/\Z")


def allowance(scope: dict[str, Any]) -> Allowance | None:
    """What may be sent to the address of attachments; None anywhere else."""
    if scope["method"] != "POST" or not _ADDRESS.match(scope["path"]):
        return None
    limits = settings.REALTIME
    return Allowance(
        limits["ATTACHMENT_BYTES"] + ENVELOPE_BYTES,
        limits["ATTACHMENT_UPLOAD_S"],
        limits["ATTACHMENT_UPLOADS"],
    )


class OneFileToDisk(TemporaryFileUploadHandler):
    """Writes the one file of a request to disk as it is read, and stops when it is too large."""

    _files = _bytes = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begins the file. Raises PushError for a second one."""
        self._files += 1
        if self._files > 1:
            self._refuse(PushError("invalid_payload", "Expected one file."))
        super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Writes a part. Raises PushError("too_large")."""
        self._bytes += len(raw_data)
        most = settings.REALTIME["ATTACHMENT_BYTES"]
        if self._bytes > most:
            self._refuse(PushError("too_large", f"A file may have {most} bytes at most."))
        super().receive_data_chunk(raw_data, start)

    def _refuse(self, error: PushError) -> NoReturn:
        # Django closes only files that have come to their end.
        self.upload_interrupted()
        raise error

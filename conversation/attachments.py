"""Files of conversations: taken in, bound to a message, read, let go.

An upload belongs to nobody's message at first and only its uploader can fetch it; `send_message`
binds it. What is not bound within a day, or was let go, is purged: first marked, then the file
deleted, then the row, so that wherever a process dies the next purge goes on.
"""

import logging
import uuid
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Sum, Value, When
from django.utils import timezone

from commsite.realtime.errors import PushError
from commsite.realtime.telemetry import count
from conversation import one_person, queries
from conversation.file_kind import kind_of
from conversation.file_name import safe_name
from conversation.message_parts import AS_LISTED
from conversation.message_shape import AttachmentShape, attachment_shape
from conversation.models import Attachment, Message

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

PURGE_BATCH: Final = 20
PURGE_MARGIN: Final = timedelta(hours=1)
"""Clocks of processes differ: what one purges, none may bind any more."""
_LET_GO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_SUCH_FILE: Final = "There is no such file, or you are not in its conversation."


# --- Taking in -----------------------------------------------------------------------------------
def receive(
    conversation_id: uuid.UUID, user_id: int, upload: "UploadedFile[Any]"
) -> AttachmentShape:
    """Stores an upload of a member; nobody else sees it before a message has it.

    Raises PushError: "not_found" for strangers, "too_large", "invalid_payload" for an empty file,
    "quota_exceeded" while too much of this person's waits to be sent.
    """
    queries.membership(conversation_id, user_id)
    purge(timezone.now())
    attachment = _described(conversation_id, user_id, upload)
    with transaction.atomic():
        # Two uploads at once, in whichever conversations, cannot both take the last place.
        one_person.hold(user_id)
        queries.sender(conversation_id, user_id)  # may have been removed while the file was read
        _check_quota(user_id, attachment.size)
        attachment.save(force_insert=True)
    storage = attachment.file.storage
    try:
        stored = storage.save(_path(attachment), upload)
    except BaseException:
        attachment.delete()
        raise
    if stored != attachment.file.name:
        Attachment.objects.filter(pk=attachment.pk).update(file=stored)
    count("attachments_stored_total")
    count("attachments_stored_bytes_total", attachment.size)
    return attachment_shape(attachment)


def _described(conversation_id: uuid.UUID, user_id: int, upload: "UploadedFile[Any]") -> Attachment:
    size, most = upload.size or 0, settings.REALTIME["ATTACHMENT_BYTES"]
    if size > most:
        raise PushError("too_large", f"A file may have {most} bytes at most.")
    if size == 0:
        raise PushError("invalid_payload", "The file is empty.")
    file = cast("BinaryIO", upload.file)
    kind = kind_of(file)
    file.seek(0)
    attachment = Attachment(
        conversation_id=conversation_id,
        uploader_id=user_id,
        name=safe_name(upload.name or ""),
        size=size,
        content_type=kind.content_type,
        width=kind.width,
        height=kind.height,
        created_at=timezone.now(),
    )
    attachment.file.name = _path(attachment)
    return attachment


def _path(attachment: Attachment) -> str:
    """Random and without an ending: a storage that is served by mistake serves no program."""
    name = attachment.id.hex
    return f"attachments/{name[:2]}/{name}"


def _check_quota(user_id: int, size: int) -> None:
    waiting = _unsent().filter(uploader_id=user_id)
    if waiting.count() >= settings.REALTIME["ATTACHMENTS_UNSENT"]:
        raise PushError("quota_exceeded", "Send or remove the files that wait first.")
    total = waiting.aggregate(total=Sum("size"))["total"] or 0
    if total + size > settings.REALTIME["ATTACHMENTS_UNSENT_BYTES"]:
        raise PushError("quota_exceeded", "The files that wait to be sent are too large together.")


def _unsent() -> "QuerySet[Attachment]":
    return Attachment.objects.filter(message=None, created_at__gte=_horizon(timezone.now()))


def _horizon(now: datetime) -> datetime:
    return now - timedelta(seconds=settings.REALTIME["ATTACHMENT_UNSENT_S"])


# --- Bound to a message --------------------------------------------------------------------------
def bind(message: Message, ids: Sequence[uuid.UUID], user_id: int) -> list[AttachmentShape]:
    """Gives the user's own waiting uploads to their new message, in this order; inside its transaction.

    Raises PushError("invalid_payload") for too many, and for any that is not theirs, not of this
    conversation, sent already or too old.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return []
    most = settings.REALTIME["ATTACHMENTS_PER_MESSAGE"]
    if len(wanted) > most:
        raise PushError("invalid_payload", f"A message may have {most} files at most.")
    places = [When(pk=pk, then=Value(place)) for place, pk in enumerate(wanted)]
    bound = (
        _unsent()
        .filter(pk__in=wanted, conversation_id=message.conversation_id, uploader_id=user_id)
        .update(message=message, position=Case(*places))
    )
    if bound != len(wanted):
        raise PushError("invalid_payload", "attachment_ids names a file that cannot be sent.")
    files = Attachment.objects.filter(message=message).order_by(*AS_LISTED)
    return [attachment_shape(row) for row in files]


def discard(message: Message) -> None:
    """Lets go of a deleted message's files; inside its transaction. They are gone once it is committed."""
    _let_go(Attachment.objects.filter(message=message))


def withdraw(conversation_id: uuid.UUID, user_id: int, attachment_id: uuid.UUID) -> None:
    """Removes one's own upload that was not sent. Raises PushError("not_found") for any other."""
    mine = Attachment.objects.filter(
        pk=attachment_id, conversation_id=conversation_id, uploader_id=user_id, message=None
    ).exclude(created_at=_LET_GO)
    with transaction.atomic():
        if not _let_go(mine):
            raise PushError("not_found", _NO_SUCH_FILE)


def _let_go(files: "QuerySet[Attachment]") -> int:
    ids = list(files.select_for_update().values_list("id", flat=True))
    if ids:
        Attachment.objects.filter(pk__in=ids).update(message=None, created_at=_LET_GO)
        transaction.on_commit(partial(_remove, ids), robust=True)
    return len(ids)


# --- Reading -------------------------------------------------------------------------------------
def readable(conversation_id: uuid.UUID, user_id: int, attachment_id: uuid.UUID) -> Attachment:
    """The file, for a member; before it is sent, for its uploader. Raises PushError("not_found")."""
    queries.sender(conversation_id, user_id)
    found = Attachment.objects.filter(pk=attachment_id, conversation_id=conversation_id).first()
    if found is None or found.created_at == _LET_GO:
        raise PushError("not_found", _NO_SUCH_FILE)
    if found.message_id is None and found.uploader_id != user_id:
        raise PushError("not_found", _NO_SUCH_FILE)
    return found


# --- Letting go ----------------------------------------------------------------------------------
def purge(now: datetime, most: int = PURGE_BATCH) -> int:
    """Removes uploads that were not sent in time and files let go; how many. The rest next time."""
    old = Attachment.objects.filter(message=None, created_at__lt=_horizon(now) - PURGE_MARGIN)
    return _remove(list(old.order_by("created_at").values_list("id", flat=True)[:most]))


def _remove(ids: Collection[uuid.UUID]) -> int:
    removed = 0
    for attachment in Attachment.objects.filter(pk__in=ids, message=None):
        try:
            attachment.file.storage.delete(str(attachment.file.name))
        except OSError:
            logger.exception("could not delete the file of attachment %s", attachment.pk)
            continue
        attachment.delete()
        removed += 1
    if removed:
        count("attachments_removed_total", removed)
    return removed

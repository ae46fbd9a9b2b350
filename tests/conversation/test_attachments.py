"""Files of a conversation: who may have them, when they belong to a message, when they are gone."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.conf import settings as site
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.utils import timezone

from commsite.realtime.errors import PushError
from conversation import actions, attachments, queries
from conversation.models import Attachment, Conversation, Member, Message
from conversation.schema import NameMessage, SendMessage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from conversation.message_shape import AttachmentShape, MessageShape
    from tests.conversation.conftest import Ear, Say


pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("media", "ear")]


@pytest.fixture
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def stored(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]


def upload(
    room: Conversation, user: User, content: bytes = b"hello", name: str = "a.txt"
) -> AttachmentShape:
    return attachments.receive(room.id, user.pk, SimpleUploadedFile(name, content))


def send(
    room: Conversation, user: User, *files: AttachmentShape, body: str = "", client_id: str = "c1"
) -> MessageShape:
    command = SendMessage(
        body=body, client_id=client_id, attachment_ids=[uuid.UUID(file["id"]) for file in files]
    )
    return actions.send_message(room.id, user.pk, command).message


def reads(room: Conversation, user: User, file: AttachmentShape) -> bool:
    try:
        attachments.readable(room.id, user.pk, uuid.UUID(file["id"]))
    except PushError:
        return False
    return True


# --- Taking in -----------------------------------------------------------------------------------
def test_an_upload_is_described_by_its_content(room: Conversation, ada: User, media: Path) -> None:
    file = upload(room, ada, b"<svg onload='x'/>", "../Pic.PNG")

    assert {**file, "id": "", "url": ""} == {
        "id": "", "name": "Pic.PNG", "size": 17, "content_type": "text/plain",
        "is_image": False, "width": None, "height": None, "url": "",
    }  # fmt: skip
    assert stored(media) == [b"<svg onload='x'/>"]
    assert "png" not in str(Attachment.objects.get().file.name).lower()


def test_only_members_upload(room: Conversation, linus: User, media: Path) -> None:
    with pytest.raises(PushError, match="not_found"):
        upload(room, linus)

    assert stored(media) == []


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "invalid_payload"), (b"x" * 11, "too_large")]
)
def test_a_file_without_content_or_with_too_much_is_refused(
    room: Conversation, ada: User, settings: Settings, content: bytes, reason: str
) -> None:
    settings.REALTIME = site.REALTIME | {"ATTACHMENT_BYTES": 10}

    with pytest.raises(PushError, match=reason):
        upload(room, ada, content)

    assert not Attachment.objects.exists()


@pytest.mark.parametrize("limit", ["ATTACHMENTS_UNSENT", "ATTACHMENTS_UNSENT_BYTES"])
def test_what_waits_to_be_sent_has_a_limit_per_person(
    room: Conversation, ada: User, grace: User, settings: Settings, media: Path, limit: str
) -> None:
    settings.REALTIME = site.REALTIME | {limit: 12 if limit.endswith("BYTES") else 2}
    first = [upload(room, ada) for _ in range(2)]

    with pytest.raises(PushError, match="quota_exceeded"):
        upload(room, ada)
    upload(room, grace)
    send(room, ada, *first)
    upload(room, ada)

    assert len(stored(media)) == 4


def test_of_uploads_at_once_only_one_takes_the_last_place_in_whichever_conversation(
    room: Conversation, ada: User, settings: Settings, media: Path
) -> None:
    settings.REALTIME = site.REALTIME | {"ATTACHMENTS_UNSENT": 1}
    rooms = [room, *(Conversation.objects.create(title=f"{number}") for number in range(3))]
    Member.objects.bulk_create(Member(conversation=each, user=ada) for each in rooms[1:])

    def one(number: int) -> bool:
        try:
            upload(rooms[number % 4], ada)
        except PushError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(one, range(8))) == 1
    assert len(stored(media)) == Attachment.objects.count() == 1


def test_whoever_is_removed_while_a_file_is_read_has_not_uploaded_it(
    room: Conversation, ada: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(now: object) -> None:
        Member.objects.filter(conversation=room, user=ada).delete()

    monkeypatch.setattr(attachments, "purge", meanwhile)

    with pytest.raises(PushError) as refused:
        upload(room, ada)

    assert refused.value.reason == "not_found"
    assert stored(media) == []


def test_a_storage_that_fails_leaves_no_row(room: Conversation, ada: User, media: Path) -> None:
    media.write_text("a file where the folder should be")

    with pytest.raises(OSError, match="media"):
        upload(room, ada)

    assert not Attachment.objects.exists()


# --- Sending -------------------------------------------------------------------------------------
def test_a_message_shows_its_files_to_everybody(
    room: Conversation, ada: User, grace: User, ear: Ear
) -> None:
    files = [upload(room, ada, name=name) for name in ("b.txt", "a.txt")]
    assert [reads(room, user, files[0]) for user in (ada, grace)] == [True, False]

    message = send(room, ada, *files)

    assert message["attachments"] == files
    assert message["body"] == message["html"] == ""
    assert ear.on(room.id)[0].payload["message"]["attachments"] == files
    assert [reads(room, user, files[0]) for user in (ada, grace)] == [True, True]


def test_files_stand_in_the_order_in_which_their_author_listed_them(
    room: Conversation, ada: User, ear: Ear
) -> None:
    first, second, third = (upload(room, ada, name=name) for name in "abc")

    message = send(room, ada, third, first, third, second)

    listed = [third, first, second]
    assert message["attachments"] == listed
    assert ear.on(room.id)[0].payload["message"]["attachments"] == listed
    assert queries.newest(room.id, 1)[0]["attachments"] == listed


def test_files_of_messages_that_listed_none_stand_as_they_were_uploaded(
    room: Conversation, ada: User
) -> None:
    files = [upload(room, ada, name=name) for name in "ba"]
    send(room, ada, *reversed(files))
    Attachment.objects.update(position=0)

    assert queries.newest(room.id, 1)[0]["attachments"] == files


def test_a_repeated_send_is_the_same_message_with_its_files(room: Conversation, ada: User) -> None:
    file = upload(room, ada)

    assert send(room, ada, file) == send(room, ada, file)
    assert Message.objects.count() == 1


def test_a_message_needs_text_or_files(room: Conversation, ada: User) -> None:
    with pytest.raises(PushError, match="invalid_payload"):
        send(room, ada)


def test_only_ones_own_waiting_files_of_this_conversation_can_be_sent(
    room: Conversation, ada: User, grace: User
) -> None:
    other = Conversation.objects.create(title="Other")
    other.members.create(user=ada)
    sent, hers, elsewhere, old = (
        upload(room, ada),
        upload(room, grace),
        upload(other, ada),
        upload(room, ada),
    )
    send(room, ada, sent)
    Attachment.objects.filter(pk=old["id"]).update(created_at=timezone.now() - timedelta(days=2))

    for number, file in enumerate((sent, hers, elsewhere, old, {**sent, "id": str(uuid.uuid4())})):
        with pytest.raises(PushError, match="attachment_ids"):
            send(room, ada, file, client_id=f"again {number}")  # type: ignore[arg-type]

    assert Message.objects.count() == 1
    room.refresh_from_db()
    assert room.last_seq == 1


def test_a_message_has_so_many_files_at_most(
    room: Conversation, ada: User, settings: Settings
) -> None:
    settings.REALTIME = site.REALTIME | {"ATTACHMENTS_PER_MESSAGE": 2}
    files = [upload(room, ada) for _ in range(3)]

    with pytest.raises(PushError, match="2 files"):
        send(room, ada, *files)


def test_a_send_that_is_undone_leaves_the_files_waiting(room: Conversation, ada: User) -> None:
    file = upload(room, ada)
    with transaction.atomic():
        send(room, ada, file)
        transaction.set_rollback(True)

    assert send(room, ada, file)["attachments"] == [file]


# --- Letting go ----------------------------------------------------------------------------------
def test_the_files_of_a_deleted_message_are_gone(
    room: Conversation, ada: User, grace: User, media: Path
) -> None:
    file = upload(room, ada)
    message = send(room, ada, file)

    actions.delete_message(room.id, ada.pk, NameMessage(message_id=uuid.UUID(message["id"])))

    assert [reads(room, user, file) for user in (ada, grace)] == [False, False]
    assert stored(media) == []
    assert not Attachment.objects.exists()


def test_a_deletion_that_is_undone_keeps_the_files(
    room: Conversation, ada: User, grace: User, media: Path
) -> None:
    file = upload(room, ada)
    message = send(room, ada, file)

    with transaction.atomic():
        actions.delete_message(room.id, ada.pk, NameMessage(message_id=uuid.UUID(message["id"])))
        transaction.set_rollback(True)

    assert reads(room, grace, file)
    assert stored(media) == [b"hello"]


def test_what_a_dying_process_left_is_removed_by_the_next_purge(
    room: Conversation, ada: User, grace: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = upload(room, ada)
    message = send(room, ada, file)
    with monkeypatch.context() as dying:
        dying.setattr(attachments, "_remove", lambda _ids: None)
        actions.delete_message(room.id, ada.pk, NameMessage(message_id=uuid.UUID(message["id"])))
    assert stored(media) == [b"hello"]
    assert not reads(room, ada, file)

    assert attachments.purge(timezone.now()) == 1
    assert stored(media) == []


def test_an_upload_can_be_withdrawn_until_it_is_sent(
    room: Conversation, ada: User, grace: User, media: Path
) -> None:
    mine, sent = upload(room, ada), upload(room, ada)
    send(room, ada, sent)

    def withdraw(user: User, file: AttachmentShape) -> None:
        attachments.withdraw(room.id, user.pk, uuid.UUID(file["id"]))

    for user, file in ((grace, mine), (ada, sent)):
        with pytest.raises(PushError, match="not_found"):
            withdraw(user, file)
    withdraw(ada, mine)
    with pytest.raises(PushError, match="not_found"):
        withdraw(ada, mine)

    assert len(stored(media)) == 1


def test_what_was_not_sent_within_a_day_is_purged_and_nothing_else(
    room: Conversation, ada: User, media: Path
) -> None:
    waiting, sent, old = (upload(room, ada, name.encode()) for name in ("waiting", "sent", "old"))
    send(room, ada, sent)
    now = timezone.now()
    Attachment.objects.filter(pk__in=[sent["id"], old["id"]]).update(
        created_at=now - timedelta(hours=25, minutes=1)
    )

    assert attachments.purge(now) == 1
    assert sorted(stored(media)) == [b"sent", b"waiting"]
    assert reads(room, ada, waiting)


def test_a_purge_does_no_more_at_once_than_it_is_told(room: Conversation, ada: User) -> None:
    for _ in range(3):
        upload(room, ada)
    later = timezone.now() + timedelta(days=2)

    assert [attachments.purge(later, 2), attachments.purge(later, 2), attachments.purge(later)] == [
        2,
        1,
        0,
    ]


def test_uploading_purges_what_others_left(
    room: Conversation, ada: User, grace: User, media: Path
) -> None:
    upload(room, grace, b"left")
    Attachment.objects.update(created_at=timezone.now() - timedelta(days=2))

    upload(room, ada, b"new")

    assert stored(media) == [b"new"]


# --- Together ------------------------------------------------------------------------------------
def test_sending_and_deleting_files_converges(
    room: Conversation, converges: Callable[..., None], ada: User, say: Say
) -> None:
    say(ada, "first")
    files = [upload(room, ada, name=f"{number}.txt") for number in range(3)]
    sent: list[MessageShape] = []

    def delete() -> None:
        command = NameMessage(message_id=uuid.UUID(sent[0]["id"]))
        actions.delete_message(room.id, ada.pk, command)

    converges(lambda: sent.append(send(room, ada, *files)), lambda: send(room, ada, *files), delete)


@pytest.mark.parametrize("content", [b"hello", b"x" * 200_000], ids=["small", "large"])
def test_any_storage_of_djangos_will_do(
    room: Conversation, ada: User, settings: Settings, content: bytes
) -> None:
    settings.STORAGES = site.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    }
    file = upload(room, ada, content)
    row = Attachment.objects.get(pk=file["id"])
    storage, path = row.file.storage, str(row.file.name)

    with storage.open(path) as opened:
        assert opened.read() == content
    attachments.withdraw(room.id, ada.pk, row.pk)

    assert not storage.exists(path)

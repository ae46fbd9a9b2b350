"""What writers of conversations do, each in one process with several threads (`tests.support.writers`).

`open` opens a conversation of ada and grace: its id. `rooms <how many>` opens so many: their ids.
`send <id> <username> <client id> ...` sends a message each: [[client id, seq, message id, is new], ...].
`rule <id> <times>` lets ada rename it, add linus and remove him again so often: null.
`react <id> <username> <message id> <times>` adds and removes three emoji, over and over: null.
`edit <id> <username> <message id> <body> ...` each body against revision 1: [body, ...] that were taken.
`message <id> <message id>` the message as it is now.
`mark <id> <username> <first> <last>` every other mark up to the last, in disorder: what was read after each.
`marks <id>` how far people have got: [{username: [delivered, read]}, number of rows].
`upload <username> <how many> <id> ...` a file each, to the conversations in turn: the number of those taken.
`ask <username> <how many> <id> ...` asks the assistant in the conversations in turn: how often it began at once.
`begin <times> <id> ...` claims what waits there, over and over: the most that ran at a time.
`facts <id>` reads what everybody was told: [[seq, event, payload], ...].
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - models exist only after setup()
from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: E402
from django.db import connection  # noqa: E402

from commsite.realtime.errors import PushError  # noqa: E402
from conversation import actions, attachments, attention, queries  # noqa: E402
from conversation.assistant import actions as run_actions  # noqa: E402
from conversation.assistant import runs  # noqa: E402
from conversation.assistant.models import Run  # noqa: E402
from conversation.assistant.schema import StartRun  # noqa: E402
from conversation.attention_schema import MarkRead  # noqa: E402
from conversation.models import ReadMark  # noqa: E402
from conversation.schema import (  # noqa: E402
    AddMember,
    CreateConversation,
    EditMessage,
    React,
    RemoveMember,
    RenameConversation,
    SendMessage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conversation.message_shape import MessageShape

THREADS = 6


def person(username: str) -> int:
    return User.objects.get(username=username).pk


def open_room() -> str:
    command = CreateConversation(title="Race", members=["grace"])
    return actions.create_conversation(person("ada"), command)["id"]


def rooms(number: str) -> list[str]:
    return [open_room() for _ in range(int(number))]


def send(room: str, username: str, *client_ids: str) -> list[list[object]]:
    author = person(username)

    def send_one(client_id: str) -> list[object]:
        command = SendMessage(body=f"{username} says {client_id}", client_id=client_id)
        try:
            message, is_new = actions.send_message(uuid.UUID(room), author, command)
        finally:
            connection.close()
        return [client_id, message["seq"], message["id"], is_new]

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(send_one, client_ids))


def rule(room: str, times: str) -> None:
    here, ada, linus = uuid.UUID(room), person("ada"), person("linus")
    for number in range(int(times)):
        actions.rename_conversation(here, ada, RenameConversation(title=f"Race {number}"))
        actions.add_member(here, ada, AddMember(username="linus"))
        actions.remove_member(here, ada, RemoveMember(user_id=linus))


def react(room: str, username: str, message_id: str, times: str) -> None:
    here, who = uuid.UUID(room), person(username)

    def toggle(number: int) -> None:
        reaction = React(message_id=uuid.UUID(message_id), emoji="❤🐎👍"[number % 3])
        deed = actions.remove_reaction if number % 5 == 4 else actions.add_reaction
        try:
            deed(here, who, reaction)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(toggle, range(int(times))))


def edit(room: str, username: str, message_id: str, *bodies: str) -> list[str]:
    here, who = uuid.UUID(room), person(username)

    def edit_one(body: str) -> bool:
        command = EditMessage(message_id=uuid.UUID(message_id), revision=1, body=body)
        try:
            actions.edit_message(here, who, command)
        except PushError as error:
            if error.reason != "conflict":
                raise
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        return [
            body for body, taken in zip(bodies, pool.map(edit_one, bodies), strict=True) if taken
        ]


def mark(room: str, username: str, first: str, last: str) -> list[int]:
    here, who = uuid.UUID(room), person(username)
    seqs = range(int(last), int(first), -2) if int(first) else range(0, int(last) + 1, 2)
    return [attention.mark(here, who, MarkRead(seq=seq))["read_seq"] for seq in seqs]


def marks(room: str) -> list[object]:
    rows = ReadMark.objects.filter(conversation=uuid.UUID(room)).select_related("user")
    found = {row.user.get_username(): [row.delivered_seq, row.read_seq] for row in rows}
    return [found, len(rows)]


def upload(username: str, number: str, *rooms: str) -> int:
    who = person(username)

    def upload_one(at: int) -> bool:
        file = SimpleUploadedFile(f"{at}.txt", b"hello")
        try:
            attachments.receive(uuid.UUID(rooms[at % len(rooms)]), who, file)
        except PushError as error:
            if error.reason != "quota_exceeded":
                raise
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(upload_one, range(int(number))))


def ask(username: str, number: str, *rooms: str) -> int:
    who = person(username)
    runs.run_here(runs.Host(lambda: "here", lambda claim: None))

    def ask_one(at: int) -> bool:
        command = StartRun(body="Why?", client_id=str(uuid.uuid4()), queue=True)
        try:
            started = run_actions.start_run(uuid.UUID(rooms[at % len(rooms)]), who, command)
        finally:
            connection.close()
        return started.run["status"] == "running"

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(ask_one, range(int(number))))


def begin(times: str, *rooms: str) -> int:
    here, most = Run.objects.filter(conversation__in=[uuid.UUID(room) for room in rooms]), 0

    def claim(_: int) -> None:
        try:
            runs.claim_queued("here")
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(int(times)):
            here.update(status=Run.Status.QUEUED)
            list(pool.map(claim, range(THREADS)))
            most = max(most, here.filter(status=Run.Status.RUNNING).count())
    return most


def message(room: str, message_id: str) -> MessageShape:
    return queries.message(uuid.UUID(room), person("ada"), uuid.UUID(message_id))


def facts(room: str) -> list[list[object]]:
    return [
        [fact.seq, fact.event, fact.payload] for fact in queries.facts(uuid.UUID(room), 0, 1 << 40)
    ]


VERBS: dict[str, Callable[..., object]] = {
    "open": open_room,
    "rooms": rooms,
    "send": send,
    "rule": rule,
    "react": react,
    "edit": edit,
    "mark": mark,
    "marks": marks,
    "upload": upload,
    "ask": ask,
    "begin": begin,
    "message": message,
    "facts": facts,
}

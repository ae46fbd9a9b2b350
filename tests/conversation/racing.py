"""A writer of its own: several threads that send to one conversation. Started by test_race, often at once.

`python -m tests.conversation.racing open` opens a conversation of ada and grace and prints its id.
`python -m tests.conversation.racing send <id> <username> <threads> <client id> ...` sends one message per
client id and prints [[client id, seq, message id, is new], ...].
"""

from __future__ import annotations

import json
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

import django
from django.db import connection


def open_room() -> str:
    from django.contrib.auth.models import User  # noqa: PLC0415 - models exist only after setup()

    from conversation import actions  # noqa: PLC0415
    from conversation.schema import CreateConversation  # noqa: PLC0415

    ada = User.objects.get(username="ada")
    command = CreateConversation(title="Race", members=["grace"])
    return actions.create_conversation(ada.pk, command)["id"]


def send(room: str, username: str, threads: int, client_ids: list[str]) -> list[list[object]]:
    from django.contrib.auth.models import User  # noqa: PLC0415

    from conversation import actions  # noqa: PLC0415
    from conversation.schema import SendMessage  # noqa: PLC0415

    author = User.objects.get(username=username).pk

    def send_one(client_id: str) -> list[object]:
        command = SendMessage(body=f"{username} says {client_id}", client_id=client_id)
        try:
            message, is_new = actions.send_message(uuid.UUID(room), author, command)
        finally:
            connection.close()
        return [client_id, message["seq"], message["id"], is_new]

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(send_one, client_ids))


def main(verb: str, *arguments: str) -> None:
    django.setup()
    if verb == "open":
        answer: object = open_room()
    else:
        room, username, threads, *client_ids = arguments
        answer = send(room, username, int(threads), client_ids)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])

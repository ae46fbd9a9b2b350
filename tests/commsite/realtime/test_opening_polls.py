"""Polls that open a session are handshakes: an address may have only so many under way."""

from __future__ import annotations

import json
from typing import Any

from commsite.realtime.hub import hub
from commsite.realtime.limits import limits
from commsite.realtime.longpoll import OpeningPolls


def scope(query: bytes = b"vsn=2.0.0") -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": "/socket/longpoll",
        "query_string": query,
        "headers": [],
        "client": ("192.0.2.7", 1),
    }


class Served:
    def __init__(self) -> None:
        self.calls = 0
        self.bodies: list[Any] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.calls += 1

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            self.bodies.append(json.loads(message["body"]))


async def test_an_opening_poll_is_counted_while_it_is_served() -> None:
    served = Served()

    await OpeningPolls(served)(scope(), None, served.send)  # type: ignore[arg-type]

    assert (served.calls, hub.admission.handshakes) == (1, 0)


async def test_too_many_of_one_address_are_refused_in_the_body() -> None:
    await hub.start()
    served = Served()
    most = limits().sockets_per_address_anonymous
    under_way = [hub.admission.begin_handshake("192.0.2.7") for _ in range(most)]

    await OpeningPolls(served)(scope(), None, served.send)  # type: ignore[arg-type]
    await OpeningPolls(served)(scope(b"token=poll.x"), None, served.send)  # type: ignore[arg-type]
    for handshake in under_way:
        handshake.end()

    assert [body["status"] for body in served.bodies] == [403]
    assert served.calls == 1, "a poll with its session's token opens nothing and passes"

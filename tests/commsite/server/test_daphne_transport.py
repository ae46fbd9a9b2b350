"""daphne's side of the transport, on a protocol that keeps what it is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from commsite.realtime.envelope import wire
from commsite.realtime.limits import limits
from commsite.realtime.outbox import Outbox
from commsite.server.daphne_transport import (
    CLOSE_TIMEOUT_S,
    DaphneTransport,
    TransportFactory,
    TransportProtocol,
)
from commsite.server.uvicorn_transport import YJS_MESSAGE_BYTES


class Tcp:
    """A Twisted transport that is a list of writes."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.dataBuffer = b""
        self.offset = 0
        self._tempDataLen = 0
        self.is_aborted = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def abortConnection(self) -> None:  # noqa: N802  Twisted's name
        self.is_aborted = True


class Queue(list[Any]):
    """The application's queue."""

    put_nowait = list.append


def made() -> tuple[Any, DaphneTransport, Tcp]:
    protocol: Any = TransportProtocol.__new__(TransportProtocol)
    tcp = Tcp()
    later: list[tuple[float, Any]] = []
    reactor = SimpleNamespace(callLater=lambda delay, call: later.append((delay, call)))
    protocol.transport = tcp
    protocol.factory = SimpleNamespace(reactor=reactor)
    protocol.state = TransportProtocol.STATE_OPEN
    protocol.application_queue = Queue()
    protocol.closes = []
    protocol.later = later
    protocol.sendCloseFrame = lambda **frame: protocol.closes.append(frame)
    protocol.extension = DaphneTransport(protocol)
    return protocol, protocol.extension, tcp


def test_frames_are_written_as_they_are_while_the_connection_is_open() -> None:
    protocol, transport, tcp = made()
    frame = wire(b"x")
    transport.send(frame)
    protocol.state = TransportProtocol.STATE_CLOSING
    transport.write(frame.framed)
    assert tcp.writes == [frame.framed]


def test_bytes_waiting_are_those_twisted_holds_below_tls_too() -> None:
    protocol, transport, tcp = made()
    tcp.dataBuffer, tcp.offset, tcp._tempDataLen = b"x" * 10, 4, 100
    assert transport.waiting() == 106
    protocol.transport = SimpleNamespace(transport=tcp)
    assert transport.waiting() == 106


def test_the_outbox_hears_when_the_network_is_full_and_when_it_is_not() -> None:
    _, transport, tcp = made()
    outbox = Outbox(transport, 1000, lambda: None)
    transport.pauseProducing()
    outbox.put(wire(b"waits"))
    assert tcp.writes == []
    transport.resumeProducing()
    assert tcp.writes == [wire(b"waits").framed]


def test_our_close_is_sent_once_with_its_reason_and_told_to_the_application() -> None:
    protocol, transport, tcp = made()
    transport.close(4008, "too slow")
    protocol.state = TransportProtocol.STATE_CLOSING
    transport.close(1011, "again")
    assert protocol.closes == [{"code": 4008, "reasonUtf8": b"too slow", "isReply": False}]
    assert protocol.application_queue == [{"type": "websocket.disconnect", "code": 4008}]
    ((delay, call),) = protocol.later
    assert delay == CLOSE_TIMEOUT_S
    call()
    assert tcp.is_aborted


def test_a_close_that_was_answered_in_time_cuts_nothing() -> None:
    protocol, transport, tcp = made()
    transport.close(1001, "bye")
    protocol.state = TransportProtocol.STATE_CLOSED
    protocol.later[0][1]()
    assert not tcp.is_aborted


def test_a_close_of_the_application_carries_its_reason() -> None:
    protocol, _, _ = made()
    protocol.handle_reply({"type": "websocket.close", "code": 4401, "reason": "expired"})
    assert protocol.closes[0]["code"] == 4401
    assert protocol.closes[0]["reasonUtf8"] == b"expired"


def test_a_listener_gets_messages_at_once_and_its_failure_closes_1011() -> None:
    protocol, transport, _ = made()
    heard: list[tuple[bytes, bool]] = []
    transport.listen(lambda data, is_binary: heard.append((data, is_binary)))
    protocol.onMessage(b"x", False)
    assert heard == [(b"x", False)]

    def fail(data: bytes, is_binary: bool) -> None:
        raise RuntimeError("listener")

    transport.listen(fail)
    protocol.onMessage(b"x", False)
    assert protocol.closes[0]["code"] == 1011


@pytest.mark.parametrize(
    ("path", "size"), [("/socket/websocket", None), ("/yjs/x", YJS_MESSAGE_BYTES)]
)
def test_the_limit_of_a_message_depends_on_the_path(
    monkeypatch: pytest.MonkeyPatch, path: str, size: int | None
) -> None:
    protocol, _, _ = made()
    monkeypatch.setattr(
        "daphne.ws_protocol.WebSocketProtocol.onConnect", lambda self, request: None
    )
    protocol.onConnect(SimpleNamespace(path=path))
    assert protocol.maxMessagePayloadSize == (size or limits().frame_bytes)


def test_a_protocol_fault_is_answered_with_a_close_and_no_client_is_pinged_to_death(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(
        "daphne.ws_protocol.WebSocketFactory.setProtocolOptions",
        lambda self, **options: given.update(options),
    )
    TransportFactory.__new__(TransportFactory).setProtocolOptions(autoPingInterval=20)
    assert given["failByDrop"] is False
    assert given["autoPingInterval"] == 0
    assert given["closeHandshakeTimeout"] == CLOSE_TIMEOUT_S

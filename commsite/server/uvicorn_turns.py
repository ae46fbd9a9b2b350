"""uvicorn's WebSocket protocol, fair: what one client sends keeps the others waiting for milliseconds at most.

A read holds up to 256 KiB and libuv makes many in a row: of the smallest frames that is seconds of work.
"""

import time
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

SLICE_BYTES = 4 * 1024
TURN_S = 0.005
"""How long one connection may be served in a row; looked at after each slice."""
MANY_FRAGMENTS = 1024


class TurnTakingProtocol(WebSocketsSansIOProtocol):
    """Serves a connection for a turn, and reads no more of it until what it has sent was served."""

    backlog: bytes = b""
    """Received, and waiting for this connection's next turn."""

    def data_received(self, data: bytes) -> None:
        """Takes frames, in their order, for no longer than a turn."""
        if self.backlog:  # somebody else has resumed reading
            self.backlog += data
            self.transport.pause_reading()
        elif len(data) <= SLICE_BYTES:
            super().data_received(data)
        else:
            self._take_turn(data)

    def _take_turn(self, data: bytes) -> None:
        ends_at = time.perf_counter() + TURN_S
        for start in range(0, len(data), SLICE_BYTES):
            end = start + SLICE_BYTES
            super().data_received(data[start:end])
            if self._is_over():
                return
            if end < len(data) and time.perf_counter() >= ends_at:
                self.backlog = data[end:]
                self.transport.pause_reading()
                self.loop.call_soon(self._next_turn)
                return

    def _next_turn(self) -> None:
        data, self.backlog = self.backlog, b""
        if not self._is_over():
            self._take_turn(data)
        if not (self.backlog or self.read_paused or self.disconnected):
            self.transport.resume_reading()

    def _is_over(self) -> bool:
        return self.disconnected or self.conn.parser_exc is not None or self.transport.is_closing()

    def handle_ping(self) -> None:
        """Answers; but not a client that does not read: its pongs would pile up here."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)

    def handle_cont(self, event: Any) -> None:
        """As uvicorn does; very many fragments become one, for each costs more than its bytes."""
        super().handle_cont(event)
        if len(self.frames) >= MANY_FRAGMENTS:
            self.frames = [b"".join(self.frames)]

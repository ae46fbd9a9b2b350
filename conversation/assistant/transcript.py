"""What a run has said so far, folded from its events. Pure: the same fold everywhere.

The writer folds what it stores, a joiner's snapshot and a dead process's run are folded from the
database, each process's mirror folds what is told: so all of them come to the same text.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def units(text: str) -> int:
    """The length in UTF-16 units, which is how JavaScript counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def storable(text: str) -> str:
    """The text with a replacement character for what no database or no client can hold."""
    return _UNSTORABLE.sub("\ufffd", text)


class Transcript:
    """Text and parts up to event `seq`; `offset` is the text's length in UTF-16 units."""

    __slots__ = ("_chunks", "_raw", "offset", "parts", "seq")

    def __init__(self, text: str = "", parts: Iterable[Mapping[str, Any]] = (), seq: int = 0):
        self._chunks = [text] if text else []
        self._raw: dict[str, str] = {}  # arguments of tool calls while they come in pieces
        self.offset = units(text)
        self.parts: list[dict[str, Any]] = [dict(part) for part in parts]
        self.seq = seq

    @property
    def text(self) -> str:
        """All of it."""
        if len(self._chunks) > 1:
            self._chunks = ["".join(self._chunks)]
        return self._chunks[0] if self._chunks else ""

    def apply(self, event: Mapping[str, Any]) -> None:
        """Takes the next event; types that change neither text nor parts only count."""
        self.seq = event["seq"]
        fold = _FOLDS.get(event["type"])
        if fold is not None:
            fold(self, event)

    def part(self, tool_call_id: str) -> dict[str, Any] | None:
        """The tool call of that id."""
        return next((part for part in reversed(self.parts) if part["id"] == tool_call_id), None)

    # -- one method for each type

    def _content(self, event: Mapping[str, Any]) -> None:
        delta = event["delta"]
        self._chunks.append(delta)
        self.offset += units(delta)

    def _tool_started(self, event: Mapping[str, Any]) -> None:
        self.parts.append(
            {
                "type": "tool",
                "id": event["toolCallId"],
                "name": event["toolCallName"],
                "title": event.get("title", ""),
                "offset": self.offset,
                "arguments": {},
                "status": "running",
                "result": None,
                "approval": None,
            }
        )

    def _tool_arguments(self, event: Mapping[str, Any]) -> None:
        call_id = event["toolCallId"]
        self._raw[call_id] = self._raw.get(call_id, "") + event["delta"]
        part = self.part(call_id)
        arguments = _object(self._raw[call_id])
        if part is not None and arguments is not None:
            part["arguments"] = arguments

    def _tool_result(self, event: Mapping[str, Any]) -> None:
        part = self.part(event["toolCallId"])
        if part is not None:
            part["status"] = event.get("status", "done")
            part["result"] = event["content"]

    def _custom(self, event: Mapping[str, Any]) -> None:
        value = event["value"]
        part = self.part(value["tool_call_id"])
        if part is None:
            return
        part["approval"] = value["approval"]
        is_waiting = value["approval"]["state"] == "waiting"
        part["status"] = "waiting_approval" if is_waiting else "running"


_FOLDS = {
    "TEXT_MESSAGE_CONTENT": Transcript._content,  # noqa: SLF001  its own methods
    "TOOL_CALL_START": Transcript._tool_started,  # noqa: SLF001
    "TOOL_CALL_ARGS": Transcript._tool_arguments,  # noqa: SLF001
    "TOOL_CALL_RESULT": Transcript._tool_result,  # noqa: SLF001
    "CUSTOM": Transcript._custom,  # noqa: SLF001
}


def _object(raw: str) -> dict[str, Any] | None:
    """What the pieces so far mean; None until they are all there."""
    try:
        found = msgspec.json.decode(raw.replace("\\u0000", "\\ufffd"))
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None

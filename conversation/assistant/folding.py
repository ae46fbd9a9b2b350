"""How the events of a run add up to the snapshot that stands for them. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from conversation.assistant.transcript import Transcript

ENDS = frozenset({"RUN_FINISHED", "RUN_ERROR"})


class Told(NamedTuple):
    """A run as it was when it was read or began, and what was said up to now."""

    run: Mapping[str, Any]
    said: Transcript


class RunFolding:
    """For the mirror that each process keeps of the runs that it tells."""

    def begin(self, piece: bytes) -> Told | None:
        """What the first event of a run begins: RUN_STARTED has all of it."""
        event = msgspec.json.decode(piece)
        return _told(event["run"], event["seq"]) if event["type"] == "RUN_STARTED" else None

    def load(self, snapshot: bytes) -> Told:
        """The run in a MESSAGES_SNAPSHOT."""
        run = msgspec.json.decode(snapshot)["run"]
        return _told(run, run["seq"])

    def fold(self, state: Told, piece: bytes) -> Told | None:
        """One more event; None after the last one: who comes late then finds a message."""
        event = msgspec.json.decode(piece)
        if event["type"] in ENDS:
            return None
        if event["type"] == "RUN_STARTED":
            return _told(event["run"], event["seq"])
        state.said.apply(event)
        return state

    def dump(self, state: Told) -> bytes:
        """The MESSAGES_SNAPSHOT that stands for all events so far."""
        return msgspec.json.encode(snapshot_event(state.run, state.said))


def snapshot_event(run: Mapping[str, Any], said: Transcript) -> dict[str, Any]:
    """MESSAGES_SNAPSHOT: the run with everything that was said up to `seq`, also in the words of AG-UI."""
    now = {"seq": said.seq, "offset": said.offset, "text": said.text, "parts": said.parts}
    whole = {**run, **now}
    return {**snapshot_of(whole), "messages": [_answer(whole), *_results(whole)]}


def snapshot_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """The run as a mirror takes it, from one that was read with its text."""
    return {
        "run_id": run["id"],
        "message_id": run["message_id"],
        "seq": run["seq"],
        "offset": run["offset"],
        "type": "MESSAGES_SNAPSHOT",
        "run": run,
    }


def _answer(run: Mapping[str, Any]) -> dict[str, Any]:
    """An AssistantMessage of AG-UI."""
    answer = {"id": run["message_id"], "role": "assistant", "content": run["text"]}
    calls = [
        {
            "id": part["id"],
            "type": "function",
            "function": {
                "name": part["name"],
                "arguments": msgspec.json.encode(part["arguments"]).decode(),
            },
        }
        for part in run["parts"]
    ]
    return {**answer, "toolCalls": calls} if calls else answer


def _results(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its ToolMessages."""
    return [
        {
            "id": f"{run['message_id']}.{part['id']}",
            "role": "tool",
            "content": part["result"],
            "toolCallId": part["id"],
        }
        for part in run["parts"]
        if part["result"] is not None
    ]


def _told(run: Mapping[str, Any], seq: int) -> Told:
    return Told(run, Transcript(run["text"], run["parts"], seq))

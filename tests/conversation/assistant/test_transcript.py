"""The one fold from events to text and parts: wherever it is done, the same comes out."""

from __future__ import annotations

from typing import Any

import msgspec
from ag_ui.core import Event as AgUiEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from commsite.realtime.mirror import Mirror
from conversation.assistant.folding import RunFolding, snapshot_of
from conversation.assistant.transcript import Transcript, storable, units
from tests.support.scripted_backend import tool_call, tool_result

AG_UI: TypeAdapter[Any] = TypeAdapter(AgUiEvent)
TEXTS = st.text(max_size=12)
RUN = {"id": "r1", "message_id": "m1", "seq": 0, "offset": 0, "text": "", "parts": []}


def content(delta: str) -> dict[str, Any]:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": delta}


@st.composite
def stories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events of a run, numbered from 2: the first is RUN_STARTED."""
    events: list[dict[str, Any]] = []
    for number, text in enumerate(draw(st.lists(TEXTS, max_size=8))):
        events.append(content(storable(text)))
        if draw(st.booleans()):
            call = tool_call(f"t{number}", "search", '{"query": "x"}')
            cut = draw(st.integers(0, len(call)))
            events += call[:cut] if draw(st.booleans()) else [*call, tool_result(f"t{number}", "y")]
    return [{**event, "seq": seq} for seq, event in enumerate(events, 2)]


def folded(run: dict[str, Any], events: list[dict[str, Any]]) -> Transcript:
    said = Transcript(run["text"], run["parts"], run["seq"])
    for event in events:
        said.apply(event)
    return said


def state(said: Transcript) -> tuple[Any, ...]:
    return said.seq, said.text, said.offset, said.parts


@given(stories())
def test_the_offset_counts_as_javascript_does(events: list[dict[str, Any]]) -> None:
    said = folded(RUN, events)

    assert said.offset == units(said.text) == len(said.text.encode("utf-16-le")) // 2


@given(stories(), st.data())
def test_a_checkpoint_and_the_events_after_it_are_all_of_it(
    events: list[dict[str, Any]], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(events)))
    # A tool call's arguments may come in pieces; a checkpoint does not keep half of them.
    before = folded(RUN, events[:cut])

    point = {**RUN, "text": before.text, "parts": before.parts, "seq": before.seq}
    after = folded(msgspec.json.decode(msgspec.json.encode(point)), events[cut:])

    assert state(after) == state(folded(RUN, events))


@given(stories(), st.data())
def test_a_mirror_that_saw_the_beginning_and_one_that_was_primed_tell_the_same(
    events: list[dict[str, Any]], data: st.DataObject
) -> None:
    started = {"type": "RUN_STARTED", "seq": 1, "run": {**RUN, "seq": 1}}
    pieces = [msgspec.json.encode(event) for event in (started, *events)]
    cut = data.draw(st.integers(0, len(events)))
    early, late = Mirror(RunFolding()), Mirror(RunFolding())
    read = folded({**RUN, "seq": 1}, events[:cut])

    for version, piece in enumerate(pieces, 1):
        early.accept("r1", version, piece)
        if version == cut + 1:
            now = {"seq": read.seq, "offset": read.offset, "text": read.text, "parts": read.parts}
            late.prime("r1", max(version, read.seq), msgspec.json.encode(snapshot_of(RUN | now)))
        elif version > cut + 1:
            late.accept("r1", version, piece)

    shown = [msgspec.json.decode(mirror.snapshot("r1") or b"{}") for mirror in (early, late)]
    said = folded({**RUN, "seq": 1}, events)
    for snapshot in shown:
        assert (snapshot["type"], snapshot["run"]["text"]) == ("MESSAGES_SNAPSHOT", said.text)
        assert (snapshot["seq"], snapshot["run"]["parts"]) == (said.seq, said.parts)
        answer, *results = AG_UI.validate_python(snapshot).messages
        assert answer.content == said.text
        assert [call.id for call in answer.tool_calls or ()] == [part["id"] for part in said.parts]
        assert [each.content for each in results] == [
            part["result"] for part in said.parts if part["result"] is not None
        ]


def test_a_mirror_forgets_a_run_that_has_ended() -> None:
    mirror = Mirror(RunFolding())
    mirror.accept("r1", 1, msgspec.json.encode({"type": "RUN_STARTED", "seq": 1, "run": RUN}))
    mirror.accept("r1", 2, msgspec.json.encode({"type": "RUN_FINISHED", "seq": 2}))

    assert mirror.snapshot("r1") is None


def test_what_no_database_or_client_can_hold_is_replaced() -> None:
    assert storable("a\x00b\ud800c🕰️") == "a\ufffdb\ufffdc🕰️"


def test_a_nul_in_a_tools_arguments_is_replaced_too() -> None:
    said = Transcript()
    for seq, event in enumerate(tool_call("t1", "search", '{"query": "a\\u0000b"}'), 1):
        said.apply({**event, "seq": seq})

    assert said.parts[0]["arguments"] == {"query": "a\ufffdb"}

"""docs/protocol.md shows frames; they are vectors, and the codecs read and write them byte for byte."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commsite.realtime.codec import for_version
from commsite.realtime.envelope import EMPTY, encode_payload

HERE = Path(__file__).parents[3]
STORY: list[dict[str, Any]] = json.loads((HERE / "tests/vectors/story.json").read_text())
ids = [f"{number}-{each['means']['event']}" for number, each in enumerate(STORY)]


def shown() -> list[tuple[str, str]]:
    page = (HERE / "docs/protocol.md").read_text()
    fences = re.findall(r"```frames(?: v1)?\n(.*?)```", page, re.DOTALL)
    sides = {"→": "client", "←": "server"}
    return [(sides[line[0]], line[2:]) for fence in fences for line in fence.strip().splitlines()]


def test_the_page_shows_the_story_of_the_vectors_and_nothing_else() -> None:
    assert shown() == [(each["from"], each["frame"]) for each in STORY]


def raw(value: Any) -> bytes:
    return msgspec.json.encode(value)


@pytest.mark.parametrize("told", STORY, ids=ids)
def test_a_codec_agrees_with_each_frame(told: dict[str, Any]) -> None:
    codec, means = for_version(told["vsn"]), told["means"]
    assert codec is not None
    refs = (raw(means["join_ref"]), raw(means["ref"]))
    payload = encode_payload(means["payload"])
    topic, event, frame = means["topic"], means["event"], told["frame"].encode()

    if told["from"] == "client":
        push = codec.decode(frame, is_binary=False)
        assert (push.join_ref, push.ref, push.topic, push.event) == (*refs, topic, event)
        assert push.payload == payload
        return

    if event == "phx_reply":
        status, response = means["payload"]["status"], means["payload"]["response"]
        made = codec.reply(refs, topic, status, encode_payload(response) if response else EMPTY)
    else:
        made = codec.push(refs, topic, event, payload)
    assert made is not None
    assert made.body == frame

"""One completion from its chunks, as different servers cut it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conversation.assistant.completion import Asked, Completion
from conversation.assistant.job import BackendError
from tests.support.model_server import call, content, finish, usage


def read(*chunks: Any) -> tuple[str, Completion]:
    completion = Completion()
    return "".join(completion.read([json.dumps(chunk).encode()]) for chunk in chunks), completion


def test_text_is_joined_and_the_end_known() -> None:
    text, completion = read(content("Hel"), content("lo"), finish(), usage(3, 2))

    assert text == completion.text == "Hello"
    assert completion.is_done
    assert completion.finish_reason == "stop"
    assert completion.usage == (3, 2)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("eos", "other"),
    ],
)
def test_reasons_to_finish_are_five(said: str, meant: str) -> None:
    assert read(finish(said))[1].finish_reason == meant


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": []},
        {"choices": None},
        {"usage": None, "choices": [{"delta": None}]},
        {"choices": [{"delta": {"role": "assistant", "content": None}}]},
        {"choices": [{"index": 1, "delta": {"content": "another choice"}}]},
        {"unknown": {"deep": [1]}},
    ],
    ids=["none", "null", "no delta", "role", "second choice", "unknown"],
)
def test_chunks_without_text_add_none(chunk: dict[str, Any]) -> None:
    assert read(chunk)[0] == ""


def test_numbers_as_lax_servers_write_them_cost_no_answer() -> None:
    completion = Completion()
    chunk = {
        "choices": [{"index": None, "delta": {"content": "hi"}}],
        "usage": {"prompt_tokens": 5.0, "completion_tokens": None},
    }

    assert completion.read([json.dumps(chunk).encode()]) == "hi"
    assert completion.usage == (5, 0)


def test_content_may_come_in_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]

    assert read({"choices": [{"delta": {"content": parts}}]})[0] == "ab"


def test_a_refusal_is_text_too() -> None:
    assert read({"choices": [{"delta": {"refusal": "I may not."}}]})[0] == "I may not."


def test_a_character_cut_into_two_chunks_arrives_whole() -> None:
    halves = [
        b'{"choices":[{"delta":{"content":"a\\ud83d"}}]}',
        b'{"choices":[{"delta":{"content":"\\ude42b"}}]}',
    ]
    completion = Completion()

    assert [completion.read([half]) for half in halves] == ["a", "🙂b"]


def test_half_a_character_that_stays_alone_is_marked() -> None:
    completion = Completion()
    completion.read([b'{"choices":[{"delta":{"content":"a\\ud83d"}}]}'])

    assert completion.read([json.dumps(content("b")).encode()]) == "\ufffdb"


def test_a_null_character_is_replaced_because_no_database_takes_it() -> None:
    assert read(content("a\x00b"))[0] == "a\ufffdb"


# ---- Tool calls ----------------------------------------------------------------------------------


def calls(*chunks: Any) -> list[Asked]:
    return read(*chunks)[1].calls


def test_a_call_in_pieces_is_put_together_by_its_index() -> None:
    found = calls(
        call(0, id="a", name="look", arguments=""),
        call(0, arguments='{"que'),
        call(1, id="b", name="who", arguments="{}"),
        call(0, arguments='ry": "x"}'),
    )

    assert found == [Asked("a", "look", '{"query": "x"}'), Asked("b", "who", "{}")]


def test_a_whole_call_needs_no_pieces() -> None:
    assert calls(call(0, id="a", name="look", arguments='{"q": 1}')) == [
        Asked("a", "look", '{"q": 1}')
    ]


def test_arguments_may_be_an_object() -> None:
    (found,) = calls(call(0, id="a", name="look", arguments={"query": "x"}))

    assert json.loads(found.arguments) == {"query": "x"}


def test_whole_calls_that_are_all_number_zero_are_different_calls() -> None:
    found = calls(
        call(0, id="a", name="look", arguments="{}"), call(0, id="b", name="look", arguments="[]")
    )

    assert [each.id for each in found] == ["a", "b"]


def test_pieces_after_a_second_number_zero_belong_to_that() -> None:
    found = calls(
        call(0, id="a", name="look", arguments="{}"),
        call(0, id="b", name="who", arguments="{"),
        call(0, arguments="}"),
    )

    assert [each.arguments for each in found] == ["{}", "{}"]


def test_calls_without_any_index_are_told_apart_by_id() -> None:
    found = calls(
        call(None, id="a", name="look", arguments='{"a"'),
        call(None, arguments=": 1}"),
        call(None, id="b", name="look", arguments="{}"),
    )

    assert found == [Asked("a", "look", '{"a": 1}'), Asked("b", "look", "{}")]


def test_calls_without_index_and_id_are_told_apart_by_name() -> None:
    found = calls(call(None, name="look", arguments="{}"), call(None, name="who", arguments="{}"))

    assert [(each.id, each.name) for each in found] == [("", "look"), ("", "who")]


def test_a_name_that_is_repeated_in_every_piece_counts_once() -> None:
    found = calls(
        call(0, id="a", name="look", arguments="{"), call(0, id="a", name="look", arguments="}")
    )

    assert found == [Asked("a", "look", "{}")]


def test_a_whole_message_is_read_like_a_stream() -> None:
    message = {
        "content": "Let me see.",
        "tool_calls": [
            {"id": "a", "function": {"name": "look", "arguments": "{}"}},
            {"id": "b", "function": {"name": "who", "arguments": "{}"}},
        ],
    }
    text, completion = read({"choices": [{"message": message, "finish_reason": "tool_calls"}]})

    assert text == "Let me see."
    assert [each.name for each in completion.calls] == ["look", "who"]


# ---- What is no chunk -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"choices": 7}',
        b'{"choices": [{"delta": {"content": 7}}]}',
        b'{"choices": [{"delta": {"content": "\xff"}}]}',
    ],
)
def test_what_is_no_chunk_is_a_bad_response(event: bytes) -> None:
    with pytest.raises(BackendError) as caught:
        Completion().read([event])

    assert caught.value.code == "bad_response"


@pytest.mark.parametrize(
    "error",
    [
        "it broke",
        {"message": "it broke"},
        {"error": {"message": "it\n broke"}},
        {"detail": "it broke"},
    ],
)
def test_an_error_in_the_stream_is_told_in_its_words(error: Any) -> None:
    with pytest.raises(BackendError) as caught:
        read({"error": error})

    assert caught.value.code == "model_error"
    assert caught.value.message.endswith("it broke")


@pytest.mark.parametrize("code", [429, "429", "rate_limit_exceeded"])
def test_too_many_requests_may_come_as_an_event_too(code: Any) -> None:
    with pytest.raises(BackendError) as caught:
        read({"error": {"code": code, "message": "slow down"}})

    assert caught.value.code == "rate_limited"


def test_an_error_without_words_is_still_an_error() -> None:
    with pytest.raises(BackendError):
        read({"error": {"code": 500}})

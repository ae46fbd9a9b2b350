"""A message in one line: its words, not its source."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation.markdown import render
from conversation.plain_words import all_words, plain_words, with_what_is_behind


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("**No model** is _configured_", "No model is configured"),
        ("one\ntwo\n\n- a\n- b", "one two a b"),
        ("`x < 1 && y` [here](https://example.org/?a=1&b=2)", "x < 1 && y here"),
        ("```python\nif x:\n    y()\n```", "if x: y()"),
        ("<b>not bold</b>", "<b>not bold</b>"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a b 1 2"),
        ("[a](https://example.org/?q=%22%3E%22)b", "ab"),
        ("```a>b\nc\n```\nd", "c d"),
        ("", ""),
    ],
)
def test_markdown_is_not_shown_as_source(source: str, line: str) -> None:
    assert plain_words(render(source)) == line


def test_a_long_message_is_cut_and_no_tag_is_cut_in_two() -> None:
    html = render("**word** & " * 2_000)
    line = plain_words(html, most=50)

    assert 40 < len(line) <= 50
    assert line.startswith("word & word")
    assert line.endswith("…")
    assert "<" not in plain_words(html, most=10_000)


def test_all_words_of_a_long_message_are_there() -> None:
    assert all_words(render("**word** & " * 2_000)) == " ".join(["word &"] * 2_000)


def test_what_is_behind_the_words_can_be_had_with_them() -> None:
    source = (
        "[the _plan_](https://example.org/a?b=1&c=2), https://example.org/\n\n```python\nx = 1\n```"
    )
    html = render(source)

    assert all_words(html) == "the plan, https://example.org/ x = 1"
    assert with_what_is_behind(html) == (
        "the plan (https://example.org/a?b=1&c=2), https://example.org/ python: x = 1"
    )


@given(st.text(alphabet="ab<>\"'&`*_[]()|-~#\n :/.", max_size=80))
def test_no_tag_is_ever_shown(source: str) -> None:
    """What stands in angle brackets was typed so: the renderer makes no such words."""
    html = render(source)

    for words in (all_words(html), with_what_is_behind(html)):
        assert not set(re.findall(r"</?(?:a|p|em|strong|code|pre|li|br)\b[^>]*>", words)) - set(
            re.findall(r"</?(?:a|p|em|strong|code|pre|li|br)\b[^>]*>", source)
        )

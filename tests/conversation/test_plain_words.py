"""A message in one line: its words, not its source."""

from __future__ import annotations

import pytest

from conversation.markdown import render
from conversation.plain_words import plain_words


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("**No model** is _configured_", "No model is configured"),
        ("one\ntwo\n\n- a\n- b", "one two a b"),
        ("`x < 1 && y` [here](https://example.org/?a=1&b=2)", "x < 1 && y here"),
        ("```python\nif x:\n    y()\n```", "if x: y()"),
        ("<b>not bold</b>", "<b>not bold</b>"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a b 1 2"),
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

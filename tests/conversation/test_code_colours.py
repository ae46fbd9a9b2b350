"""Code in colours: the text stays as it is, and nothing in it gets out of hand."""

from __future__ import annotations

from html import unescape
from re import sub

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation import code_colours
from conversation.code_colours import coloured

NAMES = sorted(name for names in code_colours.LANGUAGES.values() for name in names)
SNIPPETS = (
    "def f(x):", "\n", "    ", "/* a", "*/", '"', "'", "<", "&amp;", "#", "// b", "{", "}", "(", ")",
    "$x", "`", "--", "<?php ", "<script>", "a = 1;", "\\", "\r\n", "\t", "é", "\U0001f600", "%",
)  # fmt: skip


def text_of(html: str) -> str:
    return unescape(sub(r'</span>|<span class="\w+">', "", html))


@pytest.mark.parametrize("language", NAMES)
def test_every_language_of_the_list_is_coloured(language: str) -> None:
    assert code_colours.knows(language)
    assert text_of(coloured('x = "a" # b\n', language)) == 'x = "a" # b\n'


@given(st.sampled_from(NAMES), st.lists(st.sampled_from(SNIPPETS), max_size=40).map("".join))
def test_colours_change_no_character(language: str, code: str) -> None:
    html = coloured(code, language)

    assert text_of(html) == code


def test_long_code_is_coloured_in_pieces_that_begin_at_the_margin() -> None:
    function = 'def f():\n    """Says\n\n    more."""\n    return 1\n\n'
    code = function * 200

    html = coloured(code, "python")

    assert text_of(html) == code
    assert html == coloured(function, "python") * 200


def test_a_line_of_data_keeps_the_code_plain() -> None:
    code = f"x = '{'a' * 400}'\n"

    assert "<span" not in coloured(code, "python")


def test_no_answer_has_more_marks_than_it_may() -> None:
    code = "1 a\n" * 4_000

    html = coloured(code, "js")

    assert code_colours.MOST_SPANS - 2 < html.count("<span") <= code_colours.MOST_SPANS
    assert text_of(html) == code


def test_what_is_too_long_or_unknown_stays_plain() -> None:
    assert coloured("a < b", "befunge") == "a &lt; b"
    assert "<span" not in coloured("1\n" * code_colours.MOST_CHARS, "js")

"""Code in colours: the text stays as it is, and nothing in it gets out of hand."""

from __future__ import annotations

from html import unescape
from re import findall, sub
from runpy import run_path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation import code_colours
from conversation.code_colours import coloured
from tests.support.server import ROOT

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


@pytest.mark.parametrize("data", ["a" * 400, "\n" * 200])
def test_a_line_of_data_or_a_stretch_of_nothing_keeps_the_code_plain(data: str) -> None:
    assert "<span" not in coloured(f"x = '{data}'\n", "python")


def test_no_answer_has_more_marks_than_it_may() -> None:
    code = "1 a\n" * 4_000

    html = coloured(code, "js")

    assert code_colours.MOST_SPANS - 2 < html.count("<span") <= code_colours.MOST_SPANS
    assert text_of(html) == code


def test_what_is_too_long_or_unknown_stays_plain() -> None:
    assert coloured("a < b", "befunge") == "a &lt; b"
    assert "<span" not in coloured("1\n" * code_colours.MOST_CHARS, "js")


# --- The style sheet -----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def maker() -> dict[str, Any]:
    return run_path(str(ROOT / "scripts" / "code_css.py"))


def test_the_style_sheet_is_what_its_script_makes(maker: dict[str, Any]) -> None:
    assert maker["TARGET"].read_text() == maker["css"]()


def test_every_colour_of_code_can_be_read_on_its_ground(maker: dict[str, Any]) -> None:
    pairs = findall(r"light-dark\(#(\w{6}), #(\w{6})\)", maker["TARGET"].read_text())

    assert pairs
    for light, dark in pairs:
        assert maker["contrast"](tuple(bytes.fromhex(light)), maker["LIGHT_GROUND"]) >= 4.5
        assert maker["contrast"](tuple(bytes.fromhex(dark)), maker["DARK_GROUND"]) >= 4.5


@pytest.mark.parametrize("language", ["c", "cpp", "java", "csharp"])
def test_no_lexer_guesses_where_a_function_begins(language: str) -> None:
    lexer = code_colours._lexer(code_colours._LEXER_OF[language])
    patterns = [code_colours._pattern(rule) for rules in _states(lexer.tokens) for rule in rules]

    assert len(patterns) > 40
    assert not [text for text in patterns for guess in code_colours._GUESSES if guess in text]


def _states(tokens: dict[str, Any]) -> list[list[Any]]:
    levels = tokens.values() if isinstance(next(iter(tokens.values())), dict) else [tokens]
    return [rules for level in levels for rules in level.values()]

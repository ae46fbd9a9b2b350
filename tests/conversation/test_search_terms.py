"""What somebody looks for, and where a text has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation.search_terms import MOST_TERMS, SNIPPET_CHARS, Term, snippet, terms_of


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("tea", [Term(("tea",), True)]),
        ("tea ", [Term(("tea",))]),
        ("green tea", [Term(("green",)), Term(("tea",), True)]),
        ('"green tea"', [Term(("green", "tea"))]),
        ('"green tea', [Term(("green", "tea"))]),
        ('pot "green tea" c', [Term(("pot",)), Term(("green", "tea")), Term(("c",), True)]),
        ("read_body", [Term(("read", "body"), True)]),
        ("a.b(c) ", [Term(("a", "b", "c"))]),
        ("\u0939\u093f\u0928\u094d\u0926\u0940 ", [Term(("\u0939\u093f\u0928\u094d\u0926\u0940",))]),
        ("*:& | !( -", []),
        ("", []),
    ],
    ids=range(11),
)  # fmt: skip
def test_a_query_is_words(query: str, terms: list[Term]) -> None:
    assert terms_of(query) == terms


@given(st.text(max_size=200))
def test_no_query_is_wrong_and_no_term_holds_a_sign(query: str) -> None:
    terms = terms_of(query)

    assert len(terms) <= MOST_TERMS
    assert all(
        word and not set(word) & set("'\"\\*:&|!()<>-_ ") for term in terms for word in term.words
    )


def shown(body: str, query: str) -> tuple[str, list[str]]:
    """The snippet and, of its UTF-16 units, what is highlighted."""
    found = snippet(body, terms_of(query))
    units = found["text"].encode("utf-16-le")
    marks = [units[2 * start : 2 * end].decode("utf-16-le") for start, end in found["highlights"]]
    return found["text"], marks


@pytest.mark.parametrize(
    ("body", "query", "marks"),
    [
        ("Green tea, no teapot", "tea ", ["tea"]),
        ("Green TEA, no teapot", "tea", ["TEA", "teapot"]),
        ("the green\n  tea and tea", '"green tea"', ["green\n  tea".replace("\n", " ")]),
        ("call read_body(x)", "read_body", ["read_body"]),
        ("\U0001f375 tea \U0001f375 tea", "tea", ["tea", "tea"]),
        ("\u65e5\u672c\u8a9e\u306e\u672c", "\u672c", ["\u672c", "\u672c"]),
        ("nothing here", "elsewhere", []),
        ("a Café, \U0001f375 a cafe", "cafe ", ["Café", "cafe"]),
        ("a cafe", "CAFÉ ", ["cafe"]),
        ("a cafe", "\u0301", []),
    ],
    ids=range(10),
)  # fmt: skip
def test_what_was_found_is_highlighted(body: str, query: str, marks: list[str]) -> None:
    assert shown(body, query)[1] == marks


def test_a_snippet_is_a_line_around_the_first_thing_found() -> None:
    text, marks = shown("one two " * 50 + "needle\nin " + "hay " * 100, "needle")

    assert text.startswith("…")
    assert text.endswith("…")
    assert "needle in hay" in text
    assert len(text) <= SNIPPET_CHARS + 2
    assert marks == ["needle"]


@given(st.text(max_size=400), st.text(max_size=30))
def test_every_highlight_lies_in_its_snippet(body: str, query: str) -> None:
    found = snippet(body, terms_of(query))

    units = len(found["text"].encode("utf-16-le", "surrogatepass")) // 2
    assert all(0 <= start < end <= units for start, end in found["highlights"])

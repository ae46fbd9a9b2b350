"""What somebody looks for, and where a text has it. Pure; the same words for every database.

A word is a run of letters, digits and marks. "Words in quotes" stand side by side, so do the parts of
`snake_case` and `a.b`; the last word may be the beginning of one. Whatever else is typed is no
syntax, so that no query is wrong.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple, TypedDict

MOST_TERMS: Final = 10
SNIPPET_CHARS: Final = 200
BEFORE_CHARS: Final = 40

_QUOTED: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')
# Scripts that put no spaces between words: there a term is found anywhere in the text.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


class Term(NamedTuple):
    """Words that stand side by side; of a prefix the last one may go on."""

    words: tuple[str, ...]
    is_prefix: bool = False

    @property
    def text(self) -> str:
        """The words with a space between them."""
        return " ".join(self.words)

    @property
    def is_unspaced(self) -> bool:
        """Whether it is of a script without spaces, and to be found inside of words."""
        return _UNSPACED.search(self.text) is not None


class Snippet(TypedDict):
    """A stretch of a message's text; `highlights` are [start, end) of what was found, in UTF-16 units."""

    text: str
    highlights: list[list[int]]


def terms_of(query: str) -> list[Term]:
    """The terms of a query, at most ten; none where it has no word."""
    terms = []
    for match in _QUOTED.finditer(query):
        words = tuple(_words(match[1] if match[1] is not None else match[2]))
        if words:
            is_prefix = match[1] is None and match.end() == len(query)
            terms.append(Term(words, is_prefix))
    return terms[-MOST_TERMS:]


def _words(text: str) -> Iterator[str]:
    kept = "".join(character if _is_of_word(character) else " " for character in text)
    yield from kept.split()


def _is_of_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")


# --- Letters without their marks: "cafe" finds "café" ---------------------------------------------
_MARKS: Final = re.compile("[\u0300-\u036f]")


def bare(text: str) -> str:
    """The text without the accents, umlauts and other marks of its letters, as SQLite's index has it too."""
    if text.isascii():
        return text
    without = _MARKS.sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", without) or text


class _Bare(dict[int, str]):
    """Each character bare, where that is one character: so places in a text stay what they are."""

    def __missing__(self, code: int) -> str:
        character = bare(chr(code))
        self[code] = character if len(character) == 1 else chr(code)
        return self[code]


_BARE: Final = _Bare()


# --- Where it is ---------------------------------------------------------------------------------
def snippet(body: str, terms: list[Term]) -> Snippet:
    """The text around the first thing found, on one line; its beginning where nothing can be shown."""
    plain = body.translate(_BARE)
    found = [match.span() for match in _pattern(terms).finditer(plain)] if terms else []
    begin = _beginning(body, found[0][0]) if found else 0
    end = min(len(body), begin + SNIPPET_CHARS)
    before, after = "…" if begin else "", "…" if end < len(body) else ""
    text = before + re.sub(r"\s", " ", body[begin:end]) + after
    shift = len(before) - begin
    return {
        "text": text,
        "highlights": [
            [_utf16(text[: start + shift]), _utf16(text[: stop + shift])]
            for start, stop in found
            if start >= begin and stop <= end
        ],
    }


def _pattern(terms: list[Term]) -> re.Pattern[str]:
    return re.compile("|".join(_expression(term) for term in terms), re.IGNORECASE)


def _expression(term: Term) -> str:
    if term.is_unspaced:
        return re.escape(bare(term.text))
    words = r"[\W_]+".join(re.escape(bare(word)) for word in term.words)
    rest = r"[^\W_]*" if term.is_prefix else ""
    return r"(?<![^\W_])" + words + rest + r"(?![^\W_])"


def _beginning(body: str, at: int) -> int:
    """Some way before what was found, where a word begins."""
    if at <= BEFORE_CHARS:
        return 0
    begin = at - BEFORE_CHARS
    space = body.find(" ", begin, at)
    return space + 1 if space >= 0 else begin


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2

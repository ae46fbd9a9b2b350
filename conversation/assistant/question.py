"""What a question asks to be looked for: quoted phrases, names as programs have them, words that carry meaning. Pure.

This is grammar, not understanding, and nobody is told otherwise.
"""

import re
from typing import NamedTuple

MOST_EXACT = 3
MOST_WORDS = 6
SHORTEST_WORD = 3

_ADDRESSED = re.compile(r"(?<![\w@])@assistant\b[:,]?", re.IGNORECASE)
_COMMAND = re.compile(r"/([A-Za-z][\w-]*)(?:\s+(.*))?$", re.DOTALL)
# No pair holds another beginning of its kind: thousands of beginnings would otherwise each be read to the end.
_QUOTED = re.compile(
    r"\"([^\"\n]+)\"|“([^“”\n]+)”|„([^„“”\n]+)[“”]|«([^«»\n]+)»|`([^`\n]+)`|(?<!\w)'([^'\n]+)'(?!\w)"
)
# snake_case, a.b, a/b, a::b, kebab-with-2, CamelCase, E501, v2: what no sentence has by chance.
_IDENTIFIER = re.compile(
    r"(?<!\w)(?:\w+(?:[._/\\:-]+\w+)+|[a-z]+[A-Z]\w*|[A-Z]\w*[a-z][A-Z]\w*|[A-Za-z]+\d\w*|\d+[A-Za-z]\w*)(?!\w)"
)
_WORD = re.compile(r"\w+(?:['\u2019]\w+)?")
_WITHOUT_MEANING = frozenset(
    """
    about above after again all also and another any are ask asked because been before being below between both but can
    could did does doing done down each ever every find for from get give had has have having her here him his how into
    its itself just know last let like look made make many may mean might more most much must new not now off one only
    other our out over own please said same say search see shall she should show some still such tell than that the
    their them then there these they thing this those through today too under until very want was were what when where
    whether which while who whom whose why will with would yes yet you your
    """.split()  # noqa: SIM905  one word a line would be a page
)


class Command(NamedTuple):
    """A slash command and the words after it."""

    name: str
    words: str


class Wanted(NamedTuple):
    """What to look for: `exact` one by one; `words` together, then one by one."""

    exact: list[str]
    words: list[str]


def without_address(text: str) -> str:
    """The text without `@assistant`."""
    return _ADDRESSED.sub(" ", text).strip()


def command_of(text: str) -> Command | None:
    """The slash command that the text is, if it is one. A path such as `/etc/hosts` is none."""
    found = _COMMAND.match(text)
    return None if found is None else Command(found[1].lower(), (found[2] or "").strip())


def wanted(text: str) -> Wanted:
    """What a question in free text asks for, the first named first, each once."""
    quoted = ["".join(part or "" for part in found.groups()) for found in _QUOTED.finditer(text)]
    rest = _QUOTED.sub(" ", text)
    identifiers = [found[0] for found in _IDENTIFIER.finditer(rest)]
    rest = _IDENTIFIER.sub(" ", rest)
    words = [
        word
        for word in _WORD.findall(rest)
        if len(word) >= SHORTEST_WORD and word.lower() not in _WITHOUT_MEANING
    ]
    exact = [
        f'"{phrase.strip()}"' if " " in phrase.strip() else phrase.strip() for phrase in quoted
    ]
    return Wanted(
        _once([*filter(None, exact), *identifiers])[:MOST_EXACT], _once(words)[:MOST_WORDS]
    )


def _once(words: list[str]) -> list[str]:
    return list({word.lower(): word for word in reversed(words)}.values())[::-1]

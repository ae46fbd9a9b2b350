"""Source code as HTML with one class for each kind of token. Pure, and bounded before it starts.

Only languages of this list are coloured. A lexer is a pile of regular expressions written for people
who mean well, and some take time with the square of what they get, or worse: they get little at
once, nothing that looks like data, and their worst expressions are taken out. Those of this list
were then tried with some two hundred kinds of hostile code; the slowest are not among them. Their
short names of tokens are Pygments' own, so that its styles fit.
"""

import re
from collections.abc import Iterator
from functools import cache
from html import escape
from itertools import chain
from typing import Any, Final

import pygments.lexers
from pygments.lexer import Lexer
from pygments.token import STANDARD_TYPES

MOST_CHARS: Final = 16_384
"""Of one message; code beyond it stays plain."""
MOST_OF_A_LINE: Final = 400
"""With a longer line, or a long stretch of nothing, it is data or hostile: it stays plain."""
PIECE_CHARS: Final = 4_096
"""What a lexer gets at once, for some take time with the square of it."""
MOST_SPANS: Final = 4_000
"""Of one block; what follows stays plain, so that no answer is many times its source."""

_GAP: Final = re.compile(r"\s{200}")
_MARGIN: Final = re.compile(r"\n\n(?=\S)")
# What a reader's eye does not need: they would double the HTML.
_UNMARKED: Final = frozenset(("", "n", "p", "w", "x", "l", "esc", "err", "pm"))
CLASSES: Final = frozenset(STANDARD_TYPES.values()) - _UNMARKED

LANGUAGES: Final = {
    "Bash": ("bash", "sh", "shell", "zsh"),
    "C": ("c", "h"),
    "CMake": ("cmake",),
    "CSharp": ("csharp", "c#", "cs"),
    "Clojure": ("clojure", "clj"),
    "Cpp": ("cpp", "c++", "cc", "hpp"),
    "Css": ("css",),
    "Dart": ("dart",),
    "Diff": ("diff", "patch", "udiff"),
    "Docker": ("docker", "dockerfile"),
    "Elixir": ("elixir", "ex", "exs"),
    "Erlang": ("erlang", "erl"),
    "Go": ("go", "golang"),
    "GraphQL": ("graphql", "gql"),
    "Haskell": ("haskell", "hs"),
    "Html": ("html", "htm"),
    "Ini": ("ini", "cfg", "conf"),
    "Java": ("java",),
    "Javascript": ("javascript", "js", "mjs", "cjs", "jsx"),
    "Json": ("json", "jsonc", "json5"),
    "Julia": ("julia", "jl"),
    "Kotlin": ("kotlin", "kt"),
    "Lua": ("lua",),
    "Makefile": ("makefile", "make", "mk"),
    "NginxConf": ("nginx",),
    "Ocaml": ("ocaml", "ml"),
    "Perl": ("perl", "pl"),
    "Php": ("php",),
    "PowerShell": ("powershell", "ps1", "pwsh"),
    "Python": ("python", "py", "python3", "pyi"),
    "S": ("r", "rscript"),
    "Ruby": ("ruby", "rb"),
    "Rust": ("rust", "rs"),
    "Scss": ("scss", "sass"),
    "Sql": ("sql", "sqlite", "postgresql", "mysql"),
    "Swift": ("swift",),
    "TOML": ("toml",),
    "Tex": ("tex", "latex"),
    "TypeScript": ("typescript", "ts", "tsx"),
    "Xml": ("xml", "svg", "xsl"),
    "Yaml": ("yaml", "yml"),
    "Zig": ("zig",),
}
_LEXER_OF: Final = {name: lexer for lexer, names in LANGUAGES.items() for name in names}


def knows(language: str) -> bool:
    """Whether code of this language is coloured; the name as in a fence, in lower case."""
    return language in _LEXER_OF


def coloured(code: str, language: str) -> str:
    """The code as HTML text with `<span class="…">`, escaped; its text is the code, unchanged."""
    if not knows(language) or len(code) > MOST_CHARS or not _looks_written(code):
        return escape(code)
    lexer = _lexer(_LEXER_OF[language])
    parts: list[str] = []
    position = 0
    for css, text in chain.from_iterable(_runs(piece, lexer) for piece in _pieces(code)):
        if len(parts) >= 2 * MOST_SPANS:
            break
        position += len(text)
        parts.append(f'<span class="{css}">{escape(text)}</span>' if css else escape(text))
    return "".join(parts) + escape(code[position:])


def _looks_written(code: str) -> bool:
    return not _GAP.search(code) and all(len(line) <= MOST_OF_A_LINE for line in code.split("\n"))


def _pieces(code: str) -> Iterator[str]:
    """The code in pieces that end with a line, before one that begins at the margin if there is."""
    start = 0
    while len(code) - start > PIECE_CHARS:
        end = code.rfind("\n", start, start + PIECE_CHARS) + 1
        margin = max((match.end() for match in _MARGIN.finditer(code, start, end)), default=start)
        end = margin if margin - start > PIECE_CHARS // 2 else end
        yield code[start:end]
        start = end
    yield code[start:]


def _runs(code: str, lexer: Lexer) -> Iterator[tuple[str, str]]:
    """(class or "", text): neighbours of one class are one run."""
    last, texts = "", [""]
    for _, kind, text in lexer.get_tokens_unprocessed(code):
        css = STANDARD_TYPES.get(kind, "")
        css = css if css in CLASSES else ""
        if css != last:
            yield last, "".join(texts)
            last, texts = css, []
        texts.append(text)
    yield last, "".join(texts)


# --- Lexers without their guesses at signatures --------------------------------------------------
# "Any words, then a name, then a bracket is a function": tried at every word, each time to the end.
_GUESSING: Final = frozenset(("C", "Cpp", "CSharp", "Java"))
_GUESSES: Final = (r"\s+)+?)", r"(?:[&*\s])+)")


@cache
def _lexer(name: str) -> Lexer:
    lexer: type[Lexer] = getattr(pygments.lexers, f"{name}Lexer")
    if name in _GUESSING:
        states = lexer.tokens if hasattr(lexer, "token_variants") else lexer.get_tokendefs()
        lexer = type(name, (lexer,), {"tokens": _without_guesses(states)})
    return lexer()


def _without_guesses(node: Any) -> Any:
    """The states of a lexer (or, below them, a list of rules) without those rules."""
    if isinstance(node, dict):
        return {key: _without_guesses(value) for key, value in node.items()}
    return [rule for rule in node if not any(guess in _pattern(rule) for guess in _GUESSES)]


def _pattern(rule: Any) -> str:
    return rule[0] if type(rule) is tuple and isinstance(rule[0], str) else ""

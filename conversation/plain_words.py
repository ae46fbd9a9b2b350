"""The words of a rendered message: in one line for lists and quotes, as a whole for a search. Pure.

Its source would show the reader Markdown: `**No model**` where the message says **No model**.
"""

import re
from html import unescape
from typing import Final

LINE_CHARS: Final = 200
_MOST_HTML: Final = 2_000
"""More than any line needs: a list of a hundred messages must not read a hundred long answers."""

# In what has been rendered `<` begins a tag and nothing else, and what stands in quotes ends none.
_REST: Final = r"""[^>"]*(?:"[^"]*"[^>"]*)*>"""
_WITHIN_A_LINE: Final = re.compile(rf"</?(?:a|code|em|s|span|strong)(?=[\s>]){_REST}")
_TAG: Final = re.compile(rf"<{_REST}")
_LINK: Final = re.compile(rf'<a href="([^"]*)"{_REST}(.*?)</a>', re.DOTALL)
_LANGUAGE: Final = re.compile(rf'<pre\b[^>"]*(?:"[^"]*"[^>"]*)*?data-language="([^"]*)"{_REST}')


def all_words(html: str) -> str:
    """The words of what `markdown.render` made, those in code too, with single spaces."""
    said = _TAG.sub(" ", _WITHIN_A_LINE.sub("", html))
    return " ".join(unescape(said).split())


def with_what_is_behind(html: str) -> str:
    """The same with what is not said in words: where links lead, in brackets, and the language of code before it."""
    return all_words(_LANGUAGE.sub(r" \1: ", _LINK.sub(_with_address, html)))


def _with_address(link: re.Match[str]) -> str:
    address, text = link.groups()
    return text if address in (text, f"mailto:{text}") else f"{text} ({address})"


def plain_words(html: str, most: int = LINE_CHARS) -> str:
    """The first words of what `markdown.render` made, cut with an ellipsis."""
    # No tag is cut in two.
    line = all_words(html if len(html) <= _MOST_HTML else html[:_MOST_HTML].rpartition("<")[0])
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"

"""A rendered message in one line of plain words, for lists and quotes. Pure.

Its source would show the reader Markdown: `**No model**` where the message says **No model**.
"""

from html.parser import HTMLParser
from typing import Final

LINE_CHARS: Final = 200
_MOST_HTML: Final = 2_000
"""More than any line needs: a list of a hundred messages must not read a hundred long answers."""
_WITHIN_A_LINE: Final = frozenset(("a", "code", "em", "s", "span", "strong"))


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _WITHIN_A_LINE:
            self.said.append(" ")

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def plain_words(html: str, most: int = LINE_CHARS) -> str:
    """The words of what `markdown.render` made, with single spaces, cut with an ellipsis."""
    words = _Words()
    # In what has been rendered `<` begins a tag and nothing else: none is cut in two.
    words.feed(html if len(html) <= _MOST_HTML else html[:_MOST_HTML].rpartition("<")[0])
    words.close()
    line = " ".join("".join(words.said).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"

"""Markdown as safe HTML, rendered once by the server. Pure; its work grows in proportion to its input.

CommonMark with tables, ~~strike~~ and bare http(s) addresses; a line break is a line break. There
is no raw HTML, no image (a picture of another site would tell that site who reads what: it becomes
a link) and no address but http, https, mailto and messages of this site. What comes out has passed an
allow-list too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import zip_longest
from typing import Any, Final
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from conversation import code_colours

RENDERER_VERSION: Final = 2
"""Raise it when the same source comes out differently: `manage.py render_messages` does the rest."""

MOST_CHARS: Final = 200_000
"""Longer text (answers may be) is shown as it is."""
MOST_CELLS: Final = 5_000
"""Columns times lines: beyond, a table is not laid out. Missing cells cost as much as written ones."""
MOST_NESTING: Final = 20
MOST_NAMES: Final = 50
NAME_CHARS: Final = 150

_SCHEMES: Final = frozenset(("http", "https", "mailto"))
_TAGS: Final = frozenset(
    ("a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
     "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul")
)  # fmt: skip
_ALIGNED: Final = {f"text-align:{side}": f"align-{side}" for side in ("left", "center", "right")}
_CLASSES: Final = {
    "span": {*code_colours.CLASSES, "mention"},
    "pre": {"code"},
    "td": {*_ALIGNED.values()},
    "th": {*_ALIGNED.values()},
}
_ATTRIBUTES: Final = {
    "*": set(),  # otherwise the library's own: title, lang
    "a": {"href"},
    "ol": {"start"},
    "pre": {"data-language"},
    "span": {"data-user"},
}
_PLACE: Final = re.compile(r"/conversations/[0-9a-f-]{36}/#message-[1-9][0-9]{0,15}")
"""A message of this site, as the assistant links to what it found."""
_PLACE_LINK: Final = re.compile(rf'(<a href="{_PLACE.pattern}")[^>]*>')


def _only_places(tag: str, attribute: str, value: str) -> str | None:
    """What the allow-list keeps of an attribute: no address of this site but a message's."""
    if attribute != "href" or _is_allowed_link(value):
        return value
    return None


def _is_allowed_link(address: str) -> bool:
    scheme, colon, _ = address.partition(":")
    if colon and "/" not in scheme:
        return scheme.lower() in _SCHEMES
    return _PLACE.fullmatch(address) is not None


_CLEANER: Final = nh3.Cleaner(
    tags=set(_TAGS),
    attributes=_ATTRIBUTES,
    allowed_classes=_CLASSES,
    url_schemes=set(_SCHEMES),
    url_relative="pass_through",
    attribute_filter=_only_places,
    link_rel="noopener nofollow ugc",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)

# One line that begins with a letter and has no character that could mean anything: most messages.
_PLAIN: Final = re.compile(r"[^\W\d_](?:[^\W_]|[ ,.;?'])*(?<! )\Z")
_ADDRESS: Final = re.compile(r"(?<!\w)https?://[^\s<>\"'`\x00-\x1f\x7f]+", re.IGNORECASE)
_NAME: Final = re.compile(rf"(?<![\w@./+:-])@([\w.@+-]{{1,{NAME_CHARS}}})(?![\w@])")
_AFTER_A_NAME: Final = ".@+-"
_AFTER_AN_ADDRESS: Final = frozenset(".,;:!?…*_~")
_BRACKETS: Final = {")": "(", "]": "["}
_FENCED: Final = re.compile(r"[^\s{]*")


def render(body: str, mentions: Mapping[str, int] | None = None) -> str:
    """The body as HTML that may stand in a page.

    `mentions` gives the user id of each name of `mention_names(body)` that is somebody's; these
    become `<span class="mention" data-user="7">@ada</span>`, other names stay text.
    """
    if _PLAIN.match(body):
        return f"<p>{escape(body, quote=False)}</p>\n"
    if len(body) > MOST_CHARS:
        return as_it_is(body)
    env: dict[str, Any] = {"names": _Names(mentions or {}), "code_left": code_colours.MOST_CHARS}
    parser = _parser_for(body)
    html = _CLEANER.clean(parser.renderer.render(parser.parse(body, env), parser.options, env))
    return _PLACE_LINK.sub(r"\1>", html)  # within this site, in the same tab


def mention_names(body: str) -> set[str]:
    """The names that follow an @ outside of code, links and addresses; each as it could be meant.

    A full stop may end the name or the sentence: of `@ada.` both `ada.` and `ada` are given, and
    `render` takes the longest that is somebody's. At most some fifty names.
    """
    if "@" not in body or len(body) > MOST_CHARS:
        return set()
    names = _Names({})
    _parser_for(body).parse(body, {"names": names})
    return names.seen


def as_it_is(body: str) -> str:
    """The body as HTML that shows it character for character."""
    lines = escape(body, quote=False).splitlines()
    return f"<p>{'<br>'.join(lines)}</p>\n"


class _Names:
    """Which names a message has, and which of them are somebody's."""

    def __init__(self, mentions: Mapping[str, int]) -> None:
        self.mentions = mentions
        self.seen: set[str] = set()

    def meant(self, written: str) -> str | None:
        """The longest form of the name that is somebody's; remembers all forms."""
        bare = written.rstrip(_AFTER_A_NAME)
        forms = [form for form in (written, written[:-1], bare) if len(form) >= len(bare) > 0]
        if len(self.seen) < MOST_NAMES:
            self.seen.update(forms)
        return next((form for form in forms if form in self.mentions), None)


# --- What a parsed message still needs -----------------------------------------------------------
def _finish(state: StateCore) -> None:
    """Makes links of addresses and marks of names; runs before escaped signs become text again."""
    names = state.env["names"]
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = list(_finished(token.children, names))
        elif token.type in {"td_open", "th_open"}:
            style = str(token.attrs.pop("style", ""))
            if style in _ALIGNED:
                token.attrs["class"] = _ALIGNED[style]


def _finished(tokens: Sequence[Token], names: _Names) -> Iterator[Token]:
    links = 0
    for token, following in zip_longest(tokens, tokens[1:]):
        links += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if _is_image_sign(token, following):
            token.content = token.content[:-1]
        if token.type == "text" and links == 0:
            yield from _text_with_links(token, names)
        else:
            yield token


def _is_image_sign(token: Token, following: Token | None) -> bool:
    """Whether it ends with the `!` of `![text](address)`: the picture is a link, without it."""
    if following is None or following.type != "link_open" or following.markup == "autolink":
        return False
    return token.type == "text" and token.content.endswith("!")


def _text_with_links(token: Token, names: _Names) -> Iterator[Token]:
    end = 0
    for match in _ADDRESS.finditer(token.content):
        address = _trimmed(match[0])
        if not _has_host(address):
            continue
        yield from _text_with_names(token.content[end : match.start()], names)
        yield from _linked(_text(address), _PARSER.normalizeLink(address))
        end = match.start() + len(address)
    yield from _text_with_names(token.content[end:], names)


def _text_with_names(text: str, names: _Names) -> Iterator[Token]:
    end = 0
    for match in _NAME.finditer(text):
        name = names.meant(match[1])
        if name is None:
            continue
        yield _text(text[end : match.start()])
        yield Token("mention", "span", 0, content=name, meta={"user": names.mentions[name]})
        end = match.start(1) + len(name)
    if end < len(text):
        yield _text(text[end:])


def _trimmed(address: str) -> str:
    """The address without what ends a sentence, or closes a bracket that it did not open."""
    surplus = {end: address.count(end) - address.count(begin) for end, begin in _BRACKETS.items()}
    end = len(address)
    while end:
        last = address[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last not in _AFTER_AN_ADDRESS:
            break
        end -= 1
    return address[:end]


def _has_host(address: str) -> bool:
    try:
        return bool(urlsplit(address).hostname)
    except ValueError:
        return False


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _linked(text: Token, address: str) -> Iterator[Token]:
    yield Token("link_open", "a", 1, attrs={"href": address})
    yield text
    yield Token("link_close", "a", -1)


# --- The parser ----------------------------------------------------------------------------------
class _Renderer(RendererHTML):
    """Code with classes of ours; everything else as the library writes it."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A block of code, coloured when its language is known and it is not too long."""
        code, language = tokens[idx].content, _language(tokens[idx].info)
        left = env["code_left"]
        if code_colours.knows(language) and len(code) <= left:
            env["code_left"] = left - len(code)
            inner = code_colours.coloured(code, language)
        else:
            inner = escape(code, quote=False)
        named = f' data-language="{escape(language)}"' if language else ""
        return f'<pre class="code"{named}><code>{inner}</code></pre>\n'

    def code_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """A block made by indentation: plain."""
        return f'<pre class="code"><code>{escape(tokens[idx].content, quote=False)}</code></pre>\n'

    def mention(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A member's name."""
        token = tokens[idx]
        name = escape(token.content)
        return f'<span class="mention" data-user="{int(token.meta["user"])}">@{name}</span>'


def _language(info: str) -> str:
    match = _FENCED.match(info.strip())
    return match[0][:40].lower() if match else ""


def _parser(*, has_tables: bool) -> MarkdownIt:
    options = {"html": False, "breaks": True, "maxNesting": MOST_NESTING, "xhtmlOut": False}
    parser = MarkdownIt("commonmark", options, renderer_cls=_Renderer)
    parser.enable(["strikethrough", *(["table"] if has_tables else [])])
    parser.disable(["html_block", "html_inline", "image"])
    parser.core.ruler.after("inline", "finish", _finish)
    parser.validateLink = _is_allowed_link  # type: ignore[method-assign,assignment]
    return parser


_PARSER: Final = _parser(has_tables=True)
_PARSER_WITHOUT_TABLES: Final = _parser(has_tables=False)


def _parser_for(body: str) -> MarkdownIt:
    lines = body.split("\n")
    columns = max(line.count("|") for line in lines) + 1
    return _PARSER if columns * len(lines) <= MOST_CELLS else _PARSER_WITHOUT_TABLES

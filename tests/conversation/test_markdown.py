"""Markdown: what people write becomes what they meant, and nothing that harms whoever reads it."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation import code_colours, markdown
from conversation.markdown import mention_names, render

if TYPE_CHECKING:
    from types import FrameType

PEOPLE = {"ada": 7, "grace.h": 8}
VOID = {"br", "hr"}


class Dom(HTMLParser):
    """Reads HTML as a page would: every element with its attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "the tags are nested"

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


PLACE = re.compile(r"/conversations/[0-9a-f-]{36}/#message-\d+")
ALLOWED: dict[str, set[str]] = {
    **{
        tag: set()
        for tag in ("blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr")
    },
    **{tag: set() for tag in ("li", "p", "s", "strong", "table", "tbody", "thead", "tr", "ul")},
    "a": {"href", "rel", "target"},
    "ol": {"start"},
    "pre": {"class", "data-language"},
    "span": {"class", "data-user"},
    "td": {"class"},
    "th": {"class"},
}


def assert_harmless(html: str) -> Dom:
    """Only our tags and attributes, only addresses that may be followed, all of it nested."""
    dom = Dom(html)
    assert dom.open == []
    for tag, attributes in dom.elements:
        assert attributes.keys() <= ALLOWED[tag]
        if tag == "a" and not attributes.keys() - {"href"}:
            assert PLACE.fullmatch(attributes["href"] or "")
        elif tag == "a":
            assert urlsplit(attributes.get("href") or "http:").scheme in {"http", "https", "mailto"}
            assert attributes["rel"] == "noopener nofollow ugc"
        if tag == "span":
            assert attributes["class"] in {*code_colours.CLASSES, "mention"}
            assert attributes.get("data-user", "0").isdecimal()  # type: ignore[union-attr]
    return dom


# --- What people write ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("Hello, it's me", "<p>Hello, it's me</p>\n"),
        ("a < b & c", "<p>a &lt; b &amp; c</p>\n"),
        ("one\ntwo", "<p>one<br>\ntwo</p>\n"),
        ("**a** *b* ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <s>c</s> <code>d</code></p>\n"),
        ("> said", "<blockquote>\n<p>said</p>\n</blockquote>\n"),
        ("3. c\n4. d", '<ol start="3">\n<li>c</li>\n<li>d</li>\n</ol>\n'),
        ("<b>raw</b>", "<p>&lt;b&gt;raw&lt;/b&gt;</p>\n"),
        ("```\na < b\n```", '<pre class="code"><code>a &lt; b\n</code></pre>\n'),
        ("    x", '<pre class="code"><code>x\n</code></pre>\n'),
    ],
)  # fmt: skip
def test_markdown_becomes_html(body: str, html: str) -> None:
    assert render(body) == html


def test_a_table_says_by_classes_how_its_columns_are_aligned() -> None:
    html = render("| a | b |\n|:-:|--:|\n| 1 | 2 |")

    assert [attributes for tag, attributes in Dom(html).elements if tag == "td"] == [
        {"class": "align-center"},
        {"class": "align-right"},
    ]


@pytest.mark.parametrize(
    ("body", "address"),
    [
        ("see https://example.org/a_b?c=d#e.", "https://example.org/a_b?c=d#e"),
        ("(https://example.org/x_(y))", "https://example.org/x_(y)"),
        ("[site](https://example.org)", "https://example.org"),
        ("<mailto:ada@example.org>", "mailto:ada@example.org"),
        ("![cat](https://example.org/cat.png)", "https://example.org/cat.png"),
        ("HTTPS://EXAMPLE.ORG", "HTTPS://EXAMPLE.ORG"),
    ],
)
def test_addresses_can_be_followed(body: str, address: str) -> None:
    links = [attributes for tag, attributes in Dom(render(body)).elements if tag == "a"]

    assert [link["href"] for link in links] == [address]
    assert links[0]["rel"] == "noopener nofollow ugc"


def test_a_message_of_this_site_can_be_followed_in_the_same_tab() -> None:
    place = "/conversations/0b6e7f3a-3f0e-4c55-9a53-0d2f5b1f7c11/#message-12"

    assert render(f"[ada]({place})") == f'<p><a href="{place}">ada</a></p>\n'


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example/conversations/0b6e7f3a-3f0e-4c55-9a53-0d2f5b1f7c11/#message-1",
        "/conversations/0b6e7f3a-3f0e-4c55-9a53-0d2f5b1f7c11/#message-1\\%22x",
        "/conversations/0b6e7f3a-3f0e-4c55-9a53-0d2f5b1f7c11/leave/",
        "/admin/logout/",
        "#message-1",
        "x",
        "",
    ],
)
def test_no_other_address_of_this_site_can_be_followed(address: str) -> None:
    assert "href" not in render(f"[ada]({address})")


@pytest.mark.parametrize("body", [r"http\://x.org", "`http://x.org`", "http://", "xhttp://x.org"])
def test_what_is_not_meant_as_an_address_is_none(body: str) -> None:
    assert "<a" not in render(body)


def test_a_picture_of_another_site_is_a_link_with_its_text() -> None:
    dom = Dom(render("Look: ![a cat](https://example.org/cat.png)!"))

    assert dom.text == "Look: a cat!\n"
    assert [tag for tag, _ in dom.elements] == ["p", "a"]


# --- Code ----------------------------------------------------------------------------------------
def test_code_is_coloured_by_classes() -> None:
    html = render("```Python title=x\ndef f():\n    return '<'\n```")

    assert html.startswith('<pre class="code" data-language="python"><code><span class="k">def<')
    assert "<span class=\"s1\">'&lt;'</span>" in html


def test_code_of_an_unknown_language_stays_plain() -> None:
    html = render("```befunge\n<v>\n```")

    assert html == (
        '<pre class="code" data-language="befunge"><code>&lt;v&gt;\n</code></pre>\n'
    )  # fmt: skip


def test_code_beyond_what_a_message_may_have_coloured_stays_plain() -> None:
    block = "```py\n" + "x = 'a'\n" * 900 + "```\n"

    blocks = render(block * 4).split("</pre>")

    assert ["<span" in code for code in blocks] == [True, True, False, False, False]


# --- Names ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "marked"),
    [
        ("@ada", ["@ada"]),
        ("(@ada), *@grace.h*: @ada's", ["@ada", "@grace.h", "@ada"]),
        ("@grace.h. @ada- @ada...", ["@grace.h", "@ada", "@ada"]),
        ("@adam @linus x@ada a.@ada @ada@x", []),
        ("`@ada` [@ada](http://x.org) https://x.org/?q=@ada \\@ada", []),
        ("```\n@ada\n```\n\n    @ada", []),
    ],
)
def test_names_that_are_somebodys_are_marked_outside_of_code_and_links(
    body: str, marked: list[str]
) -> None:
    dom = Dom(render(body, PEOPLE))
    spans = [attributes for tag, attributes in dom.elements if tag == "span"]

    assert [span["class"] for span in spans] == ["mention"] * len(marked)
    assert [span["data-user"] for span in spans] == [str(PEOPLE[name[1:]]) for name in marked]
    assert {name[1:] for name in marked} == mention_names(body) & PEOPLE.keys()
    assert dom.text == Dom(render(body)).text


def test_the_names_looked_up_are_few_however_many_are_written() -> None:
    assert len(mention_names(" ".join(f"@u{n}..." for n in range(2_000)))) < markdown.MOST_NAMES + 3


@given(st.text(alphabet="@ada. -+grceh`*[]()\n\\", max_size=60))
def test_whoever_is_marked_was_among_the_names_looked_up(body: str) -> None:
    names = mention_names(body)

    marked = render(body, dict.fromkeys(names, 1)).count('class="mention"')
    assert render(body, {"ada": 1}).count('class="mention"') <= marked


# --- Harm ----------------------------------------------------------------------------------------
VECTORS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<!--><script>alert(1)</script-->",
    "<math><mtext><table><mglyph><style><!--</style><img title='--><img src=1 onerror=alert(1)>'>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A&#x61)",
    "[x](\x01javascript:alert(1))",
    "[x]( javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:msgbox(1))",
    "[x](file:///etc/passwd)",
    "[x](//evil.example)",
    "[x](/logout)",
    "[x](http:javascript:alert(1))",
    "[x][y]\n\n[y]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "<data:text/html,<script>alert(1)</script>>",
    "![x](javascript:alert(1))",
    "![x\" onerror=\"alert(1)](https://x.org/\"onerror=alert(1))",
    "[x](https://x.org \"onmouseover=alert(1)\")",
    "[x](https://x.org/\"onmouseover=\"alert(1))",
    "https://x.org/\"onmouseover=alert(1)",
    "https://x.org/'><script>alert(1)</script>",
    "http://x.org/<script>",
    "```<script>alert(1)</script>\nx\n```",
    "```\"onload=alert(1)\nx\n```",
    "```html\n<script>alert(1)</script>\n```",
    "```python\n'</code></pre><script>alert(1)</script>'\n```",
    "`<script>alert(1)</script>`",
    "| <script>x</script> |\n|:-\" onload=x:|\n| a |",
    "@<script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\x00<script>",
    "\u202e<script>",
    "<style>@import 'x'</style>",
    "<details open ontoggle=alert(1)>",
    "[a](http://x.org\\\"onclick=x)",
    "*<img src=x*onerror=alert(1)>",
]  # fmt: skip


@pytest.mark.parametrize("body", VECTORS, ids=range(len(VECTORS)))
def test_nothing_that_is_known_to_harm_gets_into_a_page(body: str) -> None:
    for wrapped in (body, f"**{body}**", f"> - {body}", f"| {body} |\n|-|\n| {body} |"):
        assert_harmless(render(wrapped, PEOPLE))


MARKS = st.sampled_from(
    [*VECTORS, "**", "_", "~~", "`", "```", "\n", "\n\n", "> ", "- ", "1. ", "    ", "[", "](", ")",
     "![", "<", ">", "&", "&#60;", '"', "'", "\\", "|", "|-|-|\n", "@ada", "https://", "x", " "]
)  # fmt: skip


@given(st.lists(MARKS | st.text(max_size=8), max_size=24).map("".join))
def test_nothing_that_can_be_thought_of_gets_into_a_page(body: str) -> None:
    assert_harmless(render(body, PEOPLE))


@given(st.text(alphabet=st.characters(categories=["L", "N", "Zs", "P"]), max_size=20))
def test_the_short_way_for_plain_text_gives_what_the_long_way_gives(body: str) -> None:
    parser = markdown._parser_for(body)
    env = {"names": markdown._Names({}), "code_left": 0}

    html = markdown._CLEANER.clean(
        parser.renderer.render(parser.parse(body, env), parser.options, env)
    )

    assert render(body) == html


# --- Cost ----------------------------------------------------------------------------------------
UNITS = [
    "> ", ">", "[", "![", "[a](", "[a][", "[a]: x\n", "`", "`a", "``a`", "*a ", "**", "_a", "~~a ",
    "- ", "1. ", "# a\n", "|", "| a ", "|\n", "a|b\n-|-\n", "<", "<a@b", "<http://", "&", "\\", "\n",
    "    a\n", "```\n", "===\n", "http://a", "https://a) ", "http://(", "@a", "@ada ", "@a.", "a*b_",
    "*_~`[", "](", "[](", '](a "', "[x]: <", "> - ", "- > ", "[[a]", "a\n> ", "**a*", "[`", "- a\n\n",
    " - a\n  - b\n", "\U0001f600",
]  # fmt: skip


def steps(body: str) -> int:
    """How many lines of Python it takes to render this."""
    count = 0

    def trace(_frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    earlier = sys.gettrace()
    sys.settrace(trace)
    try:
        render(body, PEOPLE)
    finally:
        sys.settrace(earlier)
    return count


@pytest.mark.timeout(120)
@pytest.mark.parametrize("unit", UNITS, ids=range(len(UNITS)))
def test_hostile_text_costs_in_proportion_to_its_length(unit: str) -> None:
    steps(unit)  # what is done once is not counted
    short, long = (steps((unit * size)[:size]) for size in (400, 1200))

    assert long <= 3.5 * short
    assert long <= 1_000 * 1200


@pytest.mark.parametrize("unit", ["> ", "[", "- ", "`", "*a", "|", "<a "])
def test_the_deepest_nesting_there_is_comes_out_whole(unit: str) -> None:
    dom = assert_harmless(render(unit * 10_000))

    assert len(dom.elements) < 25_000


def test_a_table_of_too_many_cells_is_text() -> None:
    wide = "|".join("a" * 200) + "\n" + "|".join("-" * 200) + "\n" + "a|\n" * 200

    assert "<table" not in render(wide)


def test_text_too_long_for_markdown_is_shown_as_it_is() -> None:
    html = render("**a**\n<b>" + "x" * markdown.MOST_CHARS)

    assert html.startswith("<p>**a**<br>&lt;b&gt;xxx")

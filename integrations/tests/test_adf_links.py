"""Addresses in a text become links that end where the address ends."""

import random
import re

import ada_url
import pytest

from integrations.jira.text.adf import Node, text_to_adf
from integrations.tests.test_adf import assert_blocks, link, paragraph, text
from integrations.tests.test_adf_properties import FRAGMENTS, nodes

URL = "https://example.com/docs"
# RFC 3986, appendix A, with the characters that RFC 3987 adds.
IRI = re.compile(
    r"(?:[\w!$&'()*+,;=:@/?.~-]|[^\x00-\xa0\ue000-\uf8ff]|%[0-9A-Fa-f]{2})*"
    r"(?:#(?:[\w!$&'()*+,;=:@/?.~-]|[^\x00-\xa0\ue000-\uf8ff]|%[0-9A-Fa-f]{2})*)?",
    re.ASCII,
)


def assert_link(typed: str, before: str, shown: str, href: str, after: str) -> None:
    parts = [text(before), text(shown, link(href)), text(after)]
    assert_blocks(typed, paragraph(*(part for part in parts if part["text"])))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("详见 ", "，谢谢。"),
        ("详见", "。谢谢"),
        ("参照（", "）を参照"),
        ("「", "」を参照"),
        ("【", "】"),
        ("見よ", "！"),
        ("“see ", "” now"),
        ("‘", "’s"),
        ("„", "“"),
        ("« ", "»"),
        ("see ", "…"),
        ("see ", "—it works"),
        ("انظر ", "، شكرا"),
        ("انظر ", "؟"),
        ("देखें ", "। धन्यवाद"),
        ("տես ", "։"),
        ("ดู ", "๚"),
        ("see ", "፡፡"),
        ("see ", "～"),
        ("see ", "｜x"),
        ("see ", "＜x＞"),
        ("see ", "\u200bx"),
        ("see ", "\ufeff"),
        ("see ", "\u200f, ok"),
        ("see ", "\u200d"),
        ("see ", "|x"),
        ("see ", "…)."),
        ("(see ", ")."),
        ("[", "] x"),
        ("[", "]，x"),
        ("see ", ".)"),
        ("see ", "(x"),
        ("see ", "[x"),
        ("see ", "?!"),
    ],
)
def test_link_ends_before_punctuation_of_any_script(before: str, after: str) -> None:
    assert_link(f"{before}{URL}{after}", before, URL, URL, after)


@pytest.mark.parametrize(
    "url",
    [
        "https://ja.wikipedia.org/wiki/東京",
        "https://hi.wikipedia.org/wiki/हिन्दी",
        "https://fa.wikipedia.org/wiki/می\u200cخواهم",
        "https://हिन्दी.भारत/पथ",
        "https://example.com/ＡＢＣ/１２",
        "https://ｅｘａｍｐｌｅ.com/x",
        "https://example.com/👩‍👧",
        "https://en.wikipedia.org/wiki/Bar_(unit)",
        "https://example.com/a_(b_(c))/d",
        "http://user:secret@127.0.0.1:8080/x?y=z#top",
        "http://localhost:3000",
        "https://xn--mller-kva.de/",
        "https://example.com/?a=b,c;d=e:f!g*h~i'j",
    ],
)
def test_address_in_any_script_is_one_link(url: str) -> None:
    assert_link(f"a {url}, b", "a ", url, url, ", b")


@pytest.mark.parametrize(
    ("typed", "href"),
    [
        ("https://a.example/?f[x]=1", "https://a.example/?f%5Bx%5D=1"),
        ("https://a.example/{id}", "https://a.example/%7Bid%7D"),
        ("https://a.example/100%/x", "https://a.example/100%25/x"),
        ("https://a.example/%E4%BB%8A", "https://a.example/%E4%BB%8A"),
        ("https://a.example/#a#b", "https://a.example/#a%23b"),
    ],
)
def test_href_escapes_what_an_address_cannot_hold(typed: str, href: str) -> None:
    assert_link(f"a {typed} b", "a ", typed, href, " b")


@pytest.mark.parametrize(
    ("typed", "shown", "after"),
    [
        ("https://example.com,then/x", "https://example.com", ",then/x"),
        ("http://a.example:port", "http://a.example", ":port"),
        ("http://a.example:99999/x", "http://a.example", ":99999/x"),
        (r"http://a.example/b\c", "http://a.example/b", r"\c"),
    ],
)
def test_link_ends_where_the_address_stops_being_one(
    typed: str, shown: str, after: str
) -> None:
    assert_link(typed, "", shown, shown, after)


@pytest.mark.parametrize(
    "typed",
    [
        "http://256.1.1.1/x",
        "http://1.2.3/",
        "http://a..b/",
        "http://xn--a/",
        "http://-a.example",
        "[a](http://1.2.3/)",
        "[a](http://[::g]/)",
        "[a](http://[fe80::1%25a]/)",
        "[a](http://%zz/)",
        "<http://1.2.3>",
        "http://a@b@c.example",
        "http://a:1@b..c/",
        "gopherhttp://a.example",
    ],
)
def test_invalid_address_stays_text(typed: str) -> None:
    assert_blocks(typed, paragraph(typed))


def test_address_of_an_ipv6_host_may_be_a_link() -> None:
    assert_link("[a](http://[::1]:80/b)", "", "a", "http://[::1]:80/b", "")


@pytest.mark.parametrize(
    ("typed", "shown", "href"),
    [
        (f"[{URL}|{URL}|smart-link]", URL, URL),
        (f"[{URL}|{URL}|smart-card]", URL, URL),
        (f"[{URL}|{URL}|smart-embed]", URL, URL),
        (f"[{URL}|{URL}|block-card]", URL, URL),
        (f"[the page|{URL}]", "the page", URL),
        (f"[the **page**|{URL}]", "the **page**", URL),
        ("[write us|mailto:a@b.example]", "write us", "mailto:a@b.example"),
        (f"<{URL}|the page>", "the page", URL),
        (f"<{URL}|{URL}>", URL, URL),
        (f"<{URL}|*the* page>", "*the* page", URL),
        (f"<{URL}|>", URL, URL),
        (f"<{URL}>", URL, URL),
        (f"<{URL}?a=1&amp;b=2|page>", "page", f"{URL}?a=1&b=2"),
        (f"<{URL}?a=1&amp;b=2>", f"{URL}?a=1&b=2", f"{URL}?a=1&b=2"),
        (f"<{URL}|a &lt;b&gt; &amp;amp; c>", "a <b> &amp; c", URL),
        (f"[a &amp; b|{URL}]", "a &amp; b", URL),
        ("<mailto:a@b.example|a@b.example>", "a@b.example", "mailto:a@b.example"),
        ("<mailto:a@b.example>", "mailto:a@b.example", "mailto:a@b.example"),
    ],
)
@pytest.mark.parametrize(("before", "after"), [("see ", ", ok"), ("", "")])
def test_links_of_jira_and_slack_are_links(
    before: str, typed: str, shown: str, href: str, after: str
) -> None:
    assert_link(before + typed + after, before, shown, href, after)


@pytest.mark.parametrize(
    "typed",
    [
        "<@U123>",
        "<@U123|ada>",
        "<#C123|general>",
        "<#C123>",
        "<!here>",
        "<!subteam^S123|@support>",
        "<tel:+4912345|+49 123 45>",
        "[text|/relative]",
        "[text|javascript:alert]",
        "<javascript:alert|text>",
        "<http://a:port|text>",
        "[~accountid:5b10a2844c20165700ede21g]",
        "[text|#anchor]",
    ],
)
def test_other_forms_of_jira_and_slack_stay_as_typed(typed: str) -> None:
    shown = text_to_adf(typed)["content"][0]["content"]

    assert "".join(node["text"] for node in shown) == typed


def test_jira_link_with_a_tooltip_stays_text_with_a_link() -> None:
    assert_link(f"[page|{URL}|Read me]", "[page|", URL, URL, "|Read me]")


def hrefs(document: Node) -> list[str]:
    marks = [mark for node in nodes(document) for mark in node.get("marks", [])]
    return [mark["attrs"]["href"] for mark in marks if mark["type"] == "link"]


PARTS = [
    *("http://", "https://", "HTTPS://", "mailto:", "](", "[a](http", "<http://", "|"),
    *("a", "b.c", "1", "256", "0x", "xn--", "-", "_", ".", ":", ":80", "@", "/", "?"),
    *("#", "%", "%4", "%41", "&", "=", "(", ")", "[", "]", "{", "}", "^", "`", "\\"),
    *(
        " ",
        "\n",
        ">",
        "，",
        "。",
        "“",
        "”",
        "…",
        "é",
        "ß",
        "ü",
        "東京",
        "हिन्दी",
        "שלום",
    ),
    *(
        "مرحبا",
        "１",
        "ａ",
        "⒈",
        "℀",
        "㏕",
        "👩‍👧",
        "\u200c",
        "\u200d",
        "\u200b",
        "\u202e",
    ),
    *("\ufeff", "\xad", "\u0301", "\ue000", "\ufdd0", "\U000e0041", "\x7f", "\x00"),
]


def test_every_href_is_a_valid_address() -> None:
    """Ten thousand texts; WHATWG's rules by ada, RFC 3987's characters by `IRI`."""
    chance = random.Random(20)  # noqa: S311 (chance, no secret)
    pieces = PARTS + FRAGMENTS
    found: list[str] = []
    for _ in range(10_000):
        typed = "".join(chance.choices(pieces, k=chance.randint(1, 12)))
        found += hrefs(text_to_adf(f"http://a.b/{typed} https://{typed}"))

    assert len(found) > 10_000
    for href in set(found):
        assert ada_url.check_url(href), ascii(href)
        without_host = re.sub(r"//[^/?#]*", "", href, count=1)
        assert IRI.fullmatch(without_host), ascii(href)

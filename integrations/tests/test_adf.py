"""Text from a person as an Atlassian Document."""

import json
from importlib.resources import files
from typing import Any

import fastjsonschema
import pytest

from integrations.jira.text.adf import Node, text_to_adf
from integrations.jira.text.adf_html import render_adf

valid = fastjsonschema.compile(
    json.loads(files("adf_bridge").joinpath("data/adf-schema.json").read_text())
)

MODAL_TEXT = """👤 User Story:
• As a **user** I want **dark mode** in order to **reduce eye strain**.

✅ Acceptance Criteria:
• Investigate
• Test the fix

💡 Additional Info:
• Original issue: <script>alert(1)</script> & https://example.com/x?a=1"""


def node(kind: str, *content: Node, **attrs: Any) -> Node:
    return {"type": kind, **({"attrs": attrs} if attrs else {}), "content": [*content]}


def text(words: str, *marks: str | Node) -> Node:
    shown = [{"type": mark} if isinstance(mark, str) else mark for mark in marks]
    return {"type": "text", "text": words, **({"marks": shown} if shown else {})}


def link(href: str, **attrs: str) -> Node:
    return {"type": "link", "attrs": {"href": href, **attrs}}


def paragraph(*nodes: Node | str) -> Node:
    return node("paragraph", *(text(n) if isinstance(n, str) else n for n in nodes))


def bullets(*items: Node | str) -> Node:
    return node("bulletList", *(item(i) if isinstance(i, str) else i for i in items))


def item(words: str, *more: Node) -> Node:
    return node("listItem", paragraph(words), *more)


def task(local_id: str, state: str, words: str) -> Node:
    return node("taskItem", text(words), localId=local_id, state=state)


def code(words: str, **attrs: str) -> Node:
    return node("codeBlock", text(words), **attrs)


def row(kind: str, *cells: str) -> Node:
    contents = [paragraph(cell) if cell else paragraph() for cell in cells]
    return node("tableRow", *(node(kind, content) for content in contents))


BREAK = {"type": "hardBreak"}
RULE = {"type": "rule"}
URL = "https://example.com/x?a=1"


def assert_blocks(typed: str, *content: Node) -> None:
    document = text_to_adf(typed)

    assert document == {"type": "doc", "version": 1, "content": [*content]}
    valid(document)


@pytest.mark.parametrize(
    ("typed", "content"),
    [
        ("One line.", [paragraph("One line.")]),
        ("a\nb", [paragraph("a", BREAK, "b")]),
        ("a\r\nb\u2028c", [paragraph("a", BREAK, "b", BREAK, "c")]),
        ("a  \nb\\\nc", [paragraph("a", BREAK, "b", BREAK, "c")]),
        ("a\n\nb", [paragraph("a"), paragraph("b")]),
        ("a\n \t\n\n\nb", [paragraph("a"), paragraph("b")]),
        ("\n\na\n", [paragraph("a")]),
        ("    an indented line", [paragraph("an indented line")]),
        ("<b>&amp;</b> 🌙", [paragraph("<b>&amp;</b> 🌙")]),
        ("", [paragraph()]),
    ],
)
def test_plain_text_stays_as_it_was_typed(typed: str, content: list[Node]) -> None:
    assert_blocks(typed, *content)


@pytest.mark.parametrize(
    ("typed", "content"),
    [
        ("## Why", [node("heading", text("Why"), level=2)]),
        ("Why\n===", [node("heading", text("Why"), level=1)]),
        ("a\n\n---\n\nb", [paragraph("a"), RULE, paragraph("b")]),
        ("> a\n> b", [node("blockquote", paragraph("a", BREAK, "b"))]),
        ("- a\n- b", [bullets("a", "b")]),
        ("• a\n• b", [bullets("a", "b")]),
        ("– a\n–\xa0b", [bullets("a", "b")]),
        ("a\n• b\n  – c", [paragraph("a"), bullets(item("b", bullets("c")))]),
        ("> • a", [node("blockquote", bullets("a"))]),
        ("1. a\n2. b", [node("orderedList", item("a"), item("b"))]),
        ("7) a", [node("orderedList", item("a"), order=7)]),
        ("```py\n• x\n\ny\n```", [code("• x\n\ny", language="py")]),
        ("```py a title\nx\n```", [paragraph("a title"), code("x", language="py")]),
        ("```", [node("codeBlock")]),
    ],
)
def test_markdown_makes_blocks(typed: str, content: list[Node]) -> None:
    assert_blocks(typed, *content)


@pytest.mark.parametrize(
    ("typed", "content"),
    [
        ("**a** *b* ~~c~~", [("a", "strong"), " ", ("b", "em"), " ", ("c", "strike")]),
        ("***a***", [("a", "em", "strong")]),
        ("**a\nb**", [("a", "strong"), BREAK, ("b", "strong")]),
        ("`<a> *b*`", [("<a> *b*", "code")]),
        ("**`a`**", [("a", "code")]),
        (r"\*a\*", ["*a*"]),
        ("[a](http://b 'c')", [("a", link("http://b", title="c"))]),
        ("[`a`](mailto:b@c)", [("a", "code", link("mailto:b@c"))]),
        ("![a](http://b)", [("a", link("http://b"))]),
        ("<http://b>", [("http://b", link("http://b"))]),
        ("[](http://b)", [("http://b", link("http://b"))]),
        ("[a]()", ["a"]),
        (
            "[![a](http://b)](http://c)",
            [("a", link("http://b")), (" http://c", link("http://c"))],
        ),
    ],
)
def test_markdown_marks_text(typed: str, content: list[Any]) -> None:
    shown = [text(*part) if isinstance(part, tuple) else part for part in content]
    assert_blocks(typed, paragraph(*shown))


@pytest.mark.parametrize(
    "typed",
    [
        "[a](javascript:alert)",
        "![a](data:image/png;base64,b)",
        "[a](/relative)",
        "[a](file:///etc/passwd 'b')",
        "<javascript:alert>",
        "javascript://a",
        "<script>alert(1)</script>",
        "xhttp://a",
        "http://",
    ],
)
def test_other_address_than_web_or_mail_stays_text(typed: str) -> None:
    assert_blocks(typed, paragraph(typed))


@pytest.mark.parametrize(
    ("before", "url", "after"),
    [
        ("see ", URL, ""),
        ("(see ", URL, ")."),
        ("[a]: ", URL, ' "b"'),
        ("", "HTTP://A.B/c", ", d"),
        ("", "http://a/(b)", "!"),
        ("", "http://a/__init__.py", " b"),
        ("é ", "https://müller.de/*a*b", '"'),
    ],
)
def test_bare_url_is_a_link(before: str, url: str, after: str) -> None:
    parts: list[Node | str] = [before, text(url, link(url)), after]
    assert_blocks(before + url + after, paragraph(*(part for part in parts if part)))


def test_bare_url_may_be_bold() -> None:
    assert_blocks(f"**{URL}**", paragraph(text(URL, "strong", link(URL))))


def test_boxes_make_a_task_list() -> None:
    inner = node("taskList", task("1", "DONE", "b"), localId="2")
    outer = [task("3", "TODO", "a"), inner, task("4", "DONE", "c")]

    assert_blocks("- [ ] a\n  - [x] b\n- [X] c", node("taskList", *outer, localId="5"))


@pytest.mark.parametrize(
    ("typed", "content"),
    [
        ("- [ ] a\n- b", [bullets(node("listItem", paragraph("[ ] ", "a")), "b")]),
        (
            "1. [x] a",
            [node("orderedList", node("listItem", paragraph("[x] ", "a")))],
        ),
        (
            "> - [ ] a",
            [node("blockquote", bullets(node("listItem", paragraph("[ ] ", "a"))))],
        ),
        (
            "- [ ] ```\n  a\n  ```",
            [bullets(node("listItem", paragraph("[ ] "), code("a")))],
        ),
    ],
)
def test_box_outside_a_task_list_stays_text(typed: str, content: list[Node]) -> None:
    assert_blocks(typed, *content)


@pytest.mark.parametrize(
    ("typed", "content"),
    [
        ("> # a", [node("blockquote", paragraph("a"))]),
        ("> a\n> > b", [node("blockquote", paragraph("a"), paragraph("b"))]),
        ("> ---", [node("blockquote", paragraph("---"))]),
        ("- # a", [bullets("a")]),
        ("- > a", [bullets("a")]),
        (
            "- a\n\n  |b|c|\n  |-|-|\n  |d|e|",
            [
                bullets(
                    item("a", paragraph("b", " | ", "c"), paragraph("d", " | ", "e"))
                )
            ],
        ),
        (">", [node("blockquote", paragraph())]),
        ("-", [bullets(node("listItem", paragraph()))]),
    ],
)
def test_block_that_adf_cannot_nest_becomes_a_simpler_one(
    typed: str, content: list[Node]
) -> None:
    assert_blocks(typed, *content)


def test_table_keeps_the_cells_beyond_its_header() -> None:
    header, *rows = (
        row("tableHeader", "a", "b"),
        row("tableCell", "c", "d | e|f | g"),
        row("tableCell", "h", ""),
    )

    assert_blocks("|a|b|\n|-|-|\n|c|d|e\\|f|g|\nh", node("table", header, *rows))


@pytest.mark.parametrize("tables", [1, 20])
def test_number_of_cells_in_a_text_is_limited(tables: int) -> None:
    table = "|a" * 100 + "\n" + "|-" * 100 + "\n" + "x\n" * 1_000 + "\n"

    document = json.dumps(text_to_adf(table * tables))

    assert document.count("tableCell") < 5_000
    assert document.count('"x"') == tables * 1_000


@pytest.mark.parametrize("marker", ["> ", "- ", "1. "])
def test_markup_that_is_nested_too_deep_stays_as_typed(marker: str) -> None:
    shown = json.dumps(text_to_adf(marker * 50 + "a"))

    assert f"{marker * 30}a" in shown


def test_generated_description_becomes_paragraphs_and_lists() -> None:
    story = [
        *(text("As a "), text("user", "strong"), text(" I want ")),
        *(text("dark mode", "strong"), text(" in order to ")),
        *(text("reduce eye strain", "strong"), text(".")),
    ]
    original = text("Original issue: <script>alert(1)</script> & ")

    assert_blocks(
        MODAL_TEXT,
        paragraph("👤 User Story:"),
        bullets(node("listItem", paragraph(*story))),
        paragraph("✅ Acceptance Criteria:"),
        bullets("Investigate", "Test the fix"),
        paragraph("💡 Additional Info:"),
        bullets(node("listItem", paragraph(original, text(URL, link(URL))))),
    )


def test_sandbox_shows_the_number_that_a_list_starts_with() -> None:
    assert render_adf(text_to_adf("7. a")) == '<ol start="7"><li><p>a</p></li></ol>'

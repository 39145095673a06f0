"""A document shows what was typed: it loses no word and adds no character."""

import pytest

from integrations.jira.text.adf import Node, text_to_adf
from integrations.tests.test_adf import (
    BREAK,
    assert_blocks,
    bullets,
    code,
    item,
    node,
    paragraph,
    row,
    text,
)
from killthenoise.api.text import clean_text


def numbered(*items: str, **attrs: int) -> Node:
    return node("orderedList", *(item(words) for words in items), **attrs)


def heading(words: str, level: int) -> Node:
    return node("heading", text(words), level=level)


@pytest.mark.parametrize(
    ("typed", "content"),
    [
        (
            "Intro:\n   • one\n    • two",
            [
                paragraph("Intro:"),
                bullets(node("listItem", paragraph("one", BREAK, "• two"))),
            ],
        ),
        (
            "# a\n   – one\n    – two",
            [
                heading("a", 1),
                bullets(node("listItem", paragraph("one", BREAK, "– two"))),
            ],
        ),
        ("• one\n– two", [bullets("one"), bullets("two")]),
        ("- one\n• two", [bullets("one"), bullets("two")]),
        ("1. one\n• two", [numbered("one"), bullets("two")]),
        ("a\n•\n• ", [paragraph("a", BREAK, "•", BREAK, "•")]),
        ("•a", [paragraph("•a")]),
        ("• a\n  • b\n• c", [bullets(item("a", bullets("b")), "c")]),
        ("> • a\n• b", [node("blockquote", bullets("a")), bullets("b")]),
        ("• [X] a\n• b", [bullets(node("listItem", paragraph("[X] ", "a")), "b")]),
    ],
)
def test_bullet_that_starts_no_item_stays_as_typed(
    typed: str, content: list[Node]
) -> None:
    assert_blocks(typed, *content)


@pytest.mark.parametrize("depth", [5, 6, 7, 12, 20])
def test_bullet_that_is_too_deep_stays_as_typed(depth: int) -> None:
    shown = str(text_to_adf("• " * depth + "a\n" + "> " * depth + "• b"))

    assert "+" not in shown


@pytest.mark.parametrize(
    ("typed", "content"),
    [
        ("3. a\n4. b", [numbered("a", "b", order=3)]),
        ("1. a\n1. b\n1. c", [numbered("a", "b", "c")]),
        ("1. a\n3. b\n4. c", [numbered("a"), numbered("b", "c", order=3)]),
        (
            "3) a\n2) b\n1) c",
            [numbered("a", order=3), numbered("b", order=2), numbered("c")],
        ),
        ("2. a\n2. b", [numbered("a", order=2), numbered("b", order=2)]),
        ("0. a\n1. b", [numbered("a", "b", order=0)]),
        ("007. a", [paragraph("007. a")]),
        ("01. a\n02. b", [paragraph("01. a", BREAK, "02. b")]),
        ("a\n2. b", [paragraph("a", BREAK, "2. b")]),
        ("1.a", [paragraph("1.a")]),
        ("1234567890. a", [paragraph("1234567890. a")]),
        (
            "- 1. a\n  3. b",
            [bullets(node("listItem", numbered("a"), numbered("b", order=3)))],
        ),
    ],
)
def test_items_have_the_numbers_that_were_typed(
    typed: str, content: list[Node]
) -> None:
    assert_blocks(typed, *content)


@pytest.mark.parametrize(
    ("typed", "content"),
    [
        ("1. [X] a", [node("orderedList", node("listItem", paragraph("[X] ", "a")))]),
        ("> * * *", [node("blockquote", paragraph("* * *"))]),
        ("- * * *", [bullets("* * *")]),
        ("- a\n\n  ___", [bullets(item("a", paragraph("___")))]),
        (
            "- |a|b|c|\n  |-|-|-|\n  d",
            [
                bullets(
                    node(
                        "listItem",
                        paragraph("a", " | ", "b", " | ", "c"),
                        paragraph("d"),
                    )
                )
            ],
        ),
        (
            "|a|b|\n|-|-|\nc",
            [node("table", row("tableHeader", "a", "b"), row("tableCell", "c", ""))],
        ),
    ],
)
def test_simpler_form_shows_what_was_typed(typed: str, content: list[Node]) -> None:
    assert_blocks(typed, *content)


ERROR = "Error: boom\n  at main()"


@pytest.mark.parametrize(
    ("typed", "content"),
    [
        (
            f"```{ERROR}```\nThanks **all**",
            [code(ERROR), paragraph("Thanks ", text("all", "strong"))],
        ),
        (f"```{ERROR}``` thanks", [code(ERROR), paragraph("thanks")]),
        (f"```{ERROR}```. Then\n- a", [code(ERROR), paragraph(". Then"), bullets("a")]),
        (f"```{ERROR}\n```\nThanks", [code(ERROR), paragraph("Thanks")]),
        (f"```\n{ERROR}```\nThanks", [code(ERROR), paragraph("Thanks")]),
        (
            f"```py\n{ERROR}```\nThanks",
            [code(ERROR, language="py"), paragraph("Thanks")],
        ),
        (f"```py {ERROR}```", [code(f"py {ERROR}")]),
        ("```Error\nboom\n```", [code("Error\nboom")]),
        ("```word\nmore```", [code("word\nmore")]),
        ("```Error: boom", [code("Error: boom")]),
        ("~~~ Error: boom\na\n~~~", [code(" Error: boom\na")]),
        ("```Error: boom\n```", [code("Error: boom")]),
        (
            "```a\nb```\nc\n```x d\ne```\nf",
            [code("a\nb"), paragraph("c"), code("x d\ne"), paragraph("f")],
        ),
        ("```a\nb``` ```x\nd```", [code("a\nb"), code("x\nd")]),
        (
            "Look:\n```a\n\nb```\nc",
            [paragraph("Look:"), code("a\n\nb"), paragraph("c")],
        ),
        ("> ```a\n> b```\n> c", [node("blockquote", code("a\nb"), paragraph("c"))]),
        (
            "- ```a\n  b```\n  c",
            [bullets(node("listItem", code("a\nb"), paragraph("c")))],
        ),
        (
            "- ```a\n  b\nc```",
            [bullets(node("listItem", code("a\nb"))), paragraph("c```")],
        ),
        ("```a b``` c", [paragraph(text("a b", "code"), " c")]),
        (f"It says ```{ERROR}```", [paragraph("It says"), code(ERROR)]),
        (
            f"Now\nit says ```\n{ERROR}\n```\nThanks",
            [paragraph("Now"), paragraph("it says"), code(ERROR), paragraph("Thanks")],
        ),
        (
            "Got ```a``` and ```b\nc``` and ```d e\nf```. Bye",
            [
                paragraph("Got ", text("a", "code"), " and"),
                code("b\nc"),
                paragraph("and"),
                code("d e\nf"),
                paragraph(". Bye"),
            ],
        ),
        (
            "- got ```a\n  b```\n- c",
            [bullets(node("listItem", paragraph("got"), code("a\nb")), "c")],
        ),
        (
            "> got ```a\n> b``` c",
            [node("blockquote", paragraph("got"), code("a\nb"), paragraph("c"))],
        ),
        ("- a ```b\n- c```", [bullets("a ```b", "c```")]),
        ("a ```b\nc", [paragraph("a ```b", BREAK, "c")]),
        (r"a \```b" + "\nc```", [paragraph("a ```b", BREAK, "c```")]),
        ("a ```b`c\nd```", [paragraph("a ", text("b`c d", "code"))]),
        (
            "Use ``` for code:\n```\na\n```\nb",
            [paragraph("Use ``` for code:"), code("a"), paragraph("b")],
        ),
        (
            "Use ```x:\n```\na\n```\nb",
            [paragraph("Use ```x:"), code("a"), paragraph("b")],
        ),
        (f"```{ERROR}```，谢谢", [code(ERROR), paragraph("，谢谢")]),
        (f"```{ERROR}```谢谢", [code(ERROR), paragraph("谢谢")]),
        (f"```{ERROR}```…", [code(ERROR), paragraph("…")]),
        ("```\na```b\n```\nc", [code("a```b"), paragraph("c")]),
        ("```\na\n```js\nb", [code("a\n```js\nb")]),
        ('```\nx("```");\n```\nc', [code('x("```");'), paragraph("c")]),
        ("````\n```\na```\n````\nb", [code("```\na```"), paragraph("b")]),
        ("```java\na\n```", [code("a", language="java")]),
        ("```C++ main.cpp\na\n```", [paragraph("main.cpp"), code("a", language="C++")]),
        ("```js {1,3}\na\n```", [paragraph("{1,3}"), code("a", language="js")]),
    ],
)
def test_code_ends_where_slack_ends_it_and_keeps_its_first_line(
    typed: str, content: list[Node]
) -> None:
    assert_blocks(typed, *content)


@pytest.mark.parametrize(
    ("typed", "content"),
    [
        ("h2. Steps", [heading("Steps", 2)]),
        (
            "Intro\nh6. Steps\nmore",
            [paragraph("Intro"), heading("Steps", 6), paragraph("more")],
        ),
        ("h7. Steps", [paragraph("h7. Steps")]),
        ("h2.Steps", [paragraph("h2.Steps")]),
        ("see h2. Steps", [paragraph("see h2. Steps")]),
        ("h2. ", [paragraph("h2.")]),
        ("{code}\na *b*\n{code}", [code("a *b*")]),
        (
            "{code:java}\na\n\n  b\n{code}\nc",
            [code("a\n\n  b", language="java"), paragraph("c")],
        ),
        ("{noformat}a{noformat}", [code("a")]),
        (
            "x\n{noformat}\na\nb{noformat} c",
            [paragraph("x"), code("a\nb"), paragraph("c")],
        ),
        ("{code}\na", [paragraph("{code}", BREAK, "a")]),
        ("{code}{code}", [node("codeBlock")]),
        (
            "{code}\na\n{noformat}",
            [paragraph("{code}", BREAK, "a", BREAK, "{noformat}")],
        ),
        ("{code:title=a.py}\nb", [paragraph("{code:title=a.py}", BREAK, "b")]),
        ("see {code}a{code}", [paragraph("see {code}a{code}")]),
        ("{code}a{code} b", [paragraph("{code}a{code} b")]),
        ("> {code}\n> a\n> {code}", [node("blockquote", code("a"))]),
        (
            "> {code}\n\na {code}",
            [node("blockquote", paragraph("{code}")), paragraph("a {code}")],
        ),
        ("- {code}\n  a\n  {code}", [bullets(node("listItem", code("a")))]),
        ("{quote}a{quote}", [paragraph("{quote}a{quote}")]),
    ],
)
def test_wiki_headings_and_code_become_blocks_if_unambiguous(
    typed: str, content: list[Node]
) -> None:
    assert_blocks(typed, *content)


@pytest.mark.parametrize(
    "typed", ["[~accountid:5b10a2844c20165700ede21g]", "[~ada]", "@ada", "<@U123>"]
)
def test_mention_stays_as_typed(typed: str) -> None:
    assert_blocks(f"{typed}, look", paragraph(f"{typed}, look"))


@pytest.mark.parametrize("typed", ["a\x00b", "\x00"])
def test_nul_is_not_replaced(typed: str) -> None:
    assert_blocks(typed, paragraph(typed))


@pytest.mark.parametrize(
    "lines",
    [
        ["  - a", "  - b", "  - c"],
        ["   1. a", "   2. b"],
        ["    • a", "    • b"],
        ["\t- a", "\t- b"],
        ["\xa0\xa0- a", "\xa0\xa0- b"],
        ["\u3000- a", "\u3000- b"],
        ["\ufeff  - a", "  - b", "  - c"],
    ],
)
def test_items_of_one_indent_are_siblings(lines: list[str]) -> None:
    [listed] = text_to_adf(clean_text("\n\n" + "\n".join(lines) + "\n "))["content"]

    assert len(listed["content"]) == len(lines)

"""Properties of the documents of all texts."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.jira.text.adf import Node, text_to_adf
from integrations.jira.text.code_blocks import LANGUAGES
from integrations.tests.test_adf import valid

# Markup that looks like words: an entity in an address (elsewhere it stays as typed),
# the number of a list item, the x of a task, and the macros of Jira's wiki.
SYNTAX = re.compile(
    r"&#?\w+;|\b\d{1,9}[.)](?=\s|$)|\[[xX]\](?=\s)|\bh[1-6]\.(?=\s)"
    r"|\{(?:code|noformat)(?::java)?\}|\|smart-link\]"
)
BLOCKS = [
    *("\n", "\n", "\n\n", "  \n", "\\\n", " ", "    ", "\t", "\xa0", "\u2028", "\x85"),
    *("\n- ", "\n* ", "\n+ ", "\n• ", "\n– ", "\n1. ", "\n7) ", "\n  - ", "\n    • "),
    *("- [ ] ", "- [x] ", "\n- [ ] ", "\n- [X] ", "\n1. [X] ", "\n3. ", "\n007. "),
    *("> ", "\n> ", "\n>> ", "\n> - ", "# ", "\n## ", "\n#", "\n---\n", "\n* * *\n"),
    *("\n===\n", "\n-\n", "|", " | ", "\\|", "\n|-|\n", "\n|-|-|\n", "\n-|-\n"),
    "| a | b |\n|---|---|\n| c | d | e |\n",
    *("\n```", "~~~", "\n```Error: ", "```\n", "``` ", "\n```py\n", "\n```py at "),
    *("\nit says ```Error: ", "a ```\n", "b```谢谢", "c```，", "d```e", " ```f`"),
    *("\nh2. ", "\n{code}", "{code}\n", "\n{code:java}\n", "{noformat}", "{code:a=b}"),
]
INLINES = [
    *("*", "**", "***", "_", "__", "~~", "`", "``", "```", "\\", "[", "]", "(", ")"),
    *(
        "](",
        "![",
        "!",
        "<",
        ">",
        '"',
        "'",
        ":",
        "://",
        "&",
        "&amp;",
        "&copy;",
        "•",
        "–",
    ),
    *("http://a.b/c_d_e", "https://x.y/?a=1&b=(2)", "mailto:a@b.c", "javascript:z"),
    *(
        "[a](http://b 'c')",
        "[a](javascript:b)",
        "![a](https://b/c.png)",
        "[a]: http://b",
    ),
    *("<https://a.b>", "<b>", "</b>", "<script>", "<!-- ", " -->", "<a@b.c>", "[a]()"),
    *(
        "[![a](http://b)](http://c)",
        "[](http://a)",
        "[](http://b/|^)",
        "<http://b|c d>",
    ),
    *(
        "[d|http://b]",
        "[http://b|http://b|smart-link]",
        "<@U1>",
        "<#C1|e>",
        "|http://a",
    ),
    *(
        "，",
        "。",
        "”",
        "…",
        "،",
        "।",
        "👤",
        "é",
        "東京",
        "हिन्दी",
        "مرحبا",
        "می\u200cشود",
    ),
    *("a", "word", "10", "\u200b", "\ufeff", "\x00"),
]
FRAGMENTS = BLOCKS + INLINES

anything = st.text(st.characters(exclude_categories=["Cs"]))
markdown = st.lists(st.sampled_from(FRAGMENTS) | st.text("ab1 \n", max_size=4)).map(
    "".join
)
nested = st.builds(
    lambda markers, times, text: "".join(markers) * times + text,
    st.lists(
        st.sampled_from(["> ", "- ", "1. ", "• ", "* [ ] ", "![", "[", "*", "**"])
    ),
    st.integers(1, 200),
    markdown,
)
texts = st.one_of(anything, markdown, nested)

UNIT_OF_A_PATHOLOGICAL_TEXT = [
    *(
        "[",
        "![",
        "[a](",
        "![[]()",
        "*a",
        "*a_",
        "~~a",
        "`a",
        "> ",
        "- ",
        "• a\n",
        "a\n",
    ),
    *(
        "|a",
        "<a",
        "ahttp://a",
        "http://a(",
        "- - a\n",
        "> - > a\n",
        "- ```\n",
        "a|b\n-|-\n",
        "\\",
    ),
    *("a ```b\n", "a ````b\nc ```d\n", "- a ```b\n", "```a\nb```c\n"),
    *("```a\nb```\n", "```js\na ``` b\n", "```a\n", "{code}\n", "{code:java}\n"),
    *("{noformat}{code}", "- {code}\n", "> ```a\nb", "h1. a\n", "1. a\n", "1. a\n3. "),
    *(
        "[a|",
        "[a|http://b",
        "<http://b|",
        "http://a，",
        "http://a[",
        "http://a.é",
        "• ",
    ),
    *(
        "http://é",
        "http://(",
        "http://a,",
        "https://a@",
        "http://a:1",
        "- [x] ",
        "•\xa0",
    ),
]
PATHOLOGICAL_TEXTS = [
    *((unit * 32_000)[:32_000] for unit in UNIT_OF_A_PATHOLOGICAL_TEXT),
    "*" * 16_000 + "a" + "*" * 16_000,
    "*a _b " * 2_700 + "a* b_ " * 2_700,
    "> " * 16 + "a\n" * 16_000,
    "|".join("a" * 181) + "\n" + "|".join("-" * 181) + "\n" + "x\n" * 15_700,
    "[![" * 3_000 + "a" + "](http://b)" * 2_000,
    "\n".join("  " * depth + "- a" for depth in range(175)),
    "- a\n" + "  {code:java}\n" * 2_500 + "\n{code}",
    "http://" + "(" * 16_000 + ")" * 16_000,
    "http://" + "é." * 16_000,
    "http://" + "é東" * 15_000,
    "http://a/" + "，http://a/" * 3_000,
    "\n".join(" " * 16_000 + "a" for _ in range(2)),
]


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("content", []):
        yield from nodes(child)


def words(text: str) -> Counter[str]:
    """Count words; an address begins one, even after a letter of another script."""
    parted = re.sub(r"(?<![A-Za-z0-9])(?=https?://)", " ", text, flags=re.IGNORECASE)
    return Counter(re.findall(r"[^\W_]+", parted))


def shown_text(document: Node) -> str:
    return " ".join(node.get("text", "") for node in nodes(document))


def kept_words(document: Node) -> Counter[str]:
    """Count the words that a person can read: text, links, and languages of code.

    Jira shows a language only if it knows it. Other attributes are not shown.
    """
    kept = words(shown_text(document))
    for node in nodes(document):
        for mark in node.get("marks", []):
            kept += words(" ".join(mark.get("attrs", {}).values()))
        language = node.get("attrs", {}).get("language", "")
        assert not language or language.lower() in LANGUAGES
        kept += words(language)
    return kept


def check(text: str) -> None:
    """Fail unless the document is valid, loses no word and makes no character up."""
    document = text_to_adf(text)

    valid(document)
    for node in nodes(document):
        for child in node.get("content", []):
            if child["type"] == "text" and node["type"] != "codeBlock":
                assert child["text"].splitlines() == [child["text"]]
    assert words(SYNTAX.sub(" ", text)) - kept_words(document) == Counter()
    typed = Counter(unescape(text)) + Counter(text)
    made_up = Counter("".join(shown_text(document).split())) - typed
    assert made_up == Counter()


@settings(max_examples=300, deadline=None)
@given(texts)
def test_document_is_valid_and_has_the_words_and_characters_of_its_text(
    text: str,
) -> None:
    check(text)


@settings(max_examples=50, deadline=None)
@given(texts)
def test_same_text_makes_the_same_document(text: str) -> None:
    assert text_to_adf(text) == text_to_adf(text)


@pytest.mark.parametrize("text", PATHOLOGICAL_TEXTS, ids=lambda text: repr(text[:9]))
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    text_to_adf(text)

    assert time.process_time() - started < 5  # under 1 s on a quiet machine

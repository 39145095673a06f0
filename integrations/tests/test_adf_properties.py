"""What holds of every document, whatever text it is made of."""

import re
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.jira.adf import Node, text_to_adf
from integrations.tests.test_adf import valid

# What markdown reads as syntax although it looks like words: an entity in an address
# (anywhere else it stays as typed), the number of a list item, the x of a task.
SYNTAX = re.compile(r"&#?\w+;|\b\d{1,9}[.)](?=\s|$)|\[[xX]\](?=\s)")
FRAGMENTS = [
    *("*", "**", "***", "_", "__", "~~", "`", "``", "```", "\n```", "~~~", "\\"),
    *("\n", "\n", "\n\n", "  \n", "\\\n", " ", "    ", "\t", "\xa0", "\u2028", "\x85"),
    *("\n- ", "\n* ", "\n+ ", "\n• ", "\n– ", "\n1. ", "\n7) ", "\n  - ", "\n    • "),
    *("- [ ] ", "- [x] ", "\n- [ ] ", "\n- [X] ", "> ", "\n> ", "\n>> ", "\n> - "),
    *(
        "# ",
        "\n## ",
        "\n#",
        "\n---\n",
        "\n***\n",
        "\n===\n",
        "\n-\n",
        "|",
        " | ",
        "\\|",
    ),
    *("\n|-|\n", "\n|-|-|\n", "\n-|-\n", "| a | b |\n|---|---|\n| c | d | e |\n"),
    *(
        "[",
        "]",
        "(",
        ")",
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
    ),
    *("http://a.b/c_d_e", "https://x.y/?a=1&b=(2)", "mailto:a@b.c", "javascript:z"),
    *(
        "[a](http://b 'c')",
        "[a](javascript:b)",
        "![a](https://b/c.png)",
        "[a]: http://b",
    ),
    *("<https://a.b>", "<b>", "</b>", "<script>", "<!-- ", " -->", "&copy;", "<a@b.c>"),
    *(
        "[![a](http://b)](http://c)",
        "[](http://a)",
        "[a]()",
        "👤",
        "é",
        "a",
        "word",
        "10",
    ),
]

anything = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), include_characters="\n\t")
)
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
]
PATHOLOGICAL_TEXTS = [
    *((unit * 32_000)[:32_000] for unit in UNIT_OF_A_PATHOLOGICAL_TEXT),
    "*" * 16_000 + "a" + "*" * 16_000,
    "*a _b " * 2_700 + "a* b_ " * 2_700,
    "> " * 16 + "a\n" * 16_000,
    "|".join("a" * 181) + "\n" + "|".join("-" * 181) + "\n" + "x\n" * 15_700,
    "[![" * 3_000 + "a" + "](http://b)" * 2_000,
    "\n".join("  " * depth + "- a" for depth in range(175)),
]


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("content", []):
        yield from nodes(child)


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W_]+", text))


def kept_words(document: Node) -> Counter[str]:
    """Count what a person can read, and what a link, a list or a code block holds."""
    kept: Counter[str] = Counter()
    for node in nodes(document):
        holders = [node, *node.get("marks", [])]
        attrs = [
            attr for holder in holders for attr in holder.get("attrs", {}).values()
        ]
        for text in [node.get("text", ""), *attrs]:
            kept += words(str(text))
    return kept


def check(text: str) -> None:
    """Fail unless the text's document is valid, tidy and complete."""
    document = text_to_adf(text)

    valid(document)
    for node in nodes(document):
        for child in node.get("content", []):
            if child["type"] == "text" and node["type"] != "codeBlock":
                assert child["text"].splitlines() == [child["text"]]
    assert words(SYNTAX.sub(" ", text)) - kept_words(document) == Counter()


@settings(max_examples=300, deadline=None)
@given(texts)
def test_any_text_makes_a_valid_document_without_losing_a_word(text: str) -> None:
    check(text)


@settings(max_examples=50, deadline=None)
@given(texts)
def test_the_same_text_makes_the_same_document(text: str) -> None:
    assert text_to_adf(text) == text_to_adf(text)


@pytest.mark.parametrize("text", PATHOLOGICAL_TEXTS, ids=lambda text: repr(text[:9]))
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    text_to_adf(text)

    assert time.process_time() - started < 5  # under 1 s on a quiet machine

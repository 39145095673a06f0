"""A document that is too long for Jira is cut, and ends with a note about it."""

import json
from importlib.resources import files
from typing import Any

import fastjsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.jira.text.adf import Node, text_to_adf
from integrations.jira.text.truncation import LIMIT, NOTICE, truncate

SCHEMA = files("adf_bridge").joinpath("data/adf-schema.json").read_text()
is_valid = fastjsonschema.compile(json.loads(SCHEMA))
PARAGRAPH = "One sentence of a paragraph, forty letters."
LONG: list[tuple[str, str]] = [
    ("paragraphs", "\n\n".join([PARAGRAPH] * 700)),
    ("bulletList", "\n".join(f"- {PARAGRAPH}" for _ in range(700))),
    ("orderedList", "\n".join(f"1. {PARAGRAPH}" for _ in range(700))),
    ("taskList", "\n".join(f"- [ ] {PARAGRAPH}" for _ in range(700))),
    ("blockquote", "\n>\n".join([f"> {PARAGRAPH}"] * 700)),
    ("table", "|a|b|\n|-|-|\n" + "\n".join([f"|{PARAGRAPH}|x|"] * 700)),
    ("codeBlock", "```\n" + "\n".join([PARAGRAPH] * 700) + "\n```"),
    ("one paragraph", f"{PARAGRAPH} " * 740),
    ("lines", "\n".join([PARAGRAPH] * 700)),
    ("quotes", '"' * 32_000),
    ("no spaces", "語" * 32_000),
]


def size(document: Node) -> int:
    return len(json.dumps(document, ensure_ascii=False).encode())


def words(node: Any) -> str:
    own = str(node.get("text", ""))
    return own + " ".join(words(child) for child in node.get("content", []))


@pytest.mark.parametrize(("kind", "text"), LONG, ids=[kind for kind, _ in LONG])
def test_long_document_keeps_its_start_and_ends_with_the_notice(
    kind: str, text: str
) -> None:
    document = text_to_adf("# First\n\n" + text)

    shorter = truncate(document)

    is_valid(shorter)
    assert LIMIT * 0.4 < size(shorter) <= LIMIT
    first, *_, last = shorter["content"]
    assert first == document["content"][0]
    assert last["type"] == "paragraph"
    assert words(last) == NOTICE


def test_document_is_cut_between_paragraphs() -> None:
    document = text_to_adf("\n\n".join([PARAGRAPH] * 700))

    *kept, _ = truncate(document)["content"]

    assert kept == document["content"][: len(kept)]


def test_list_is_cut_between_items() -> None:
    [listed, _] = truncate(text_to_adf(LONG[1][1]))["content"]

    assert {words(item) for item in listed["content"]} == {PARAGRAPH}


def test_long_paragraph_is_cut_between_words() -> None:
    [paragraph, _] = truncate(text_to_adf(f"{PARAGRAPH} " * 740))["content"]

    assert words(paragraph).split()[-1] in PARAGRAPH.split()


def test_document_within_the_limit_is_cut_to_half_its_size() -> None:
    document = text_to_adf("\n\n".join([PARAGRAPH] * 100))

    assert size(truncate(document)) <= size(document) / 2


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.sampled_from([text for _, text in LONG]).map(lambda text: text[:3_000])
        | st.text(max_size=50),
        max_size=12,
    ).map("\n\n".join)
)
def test_cut_document_is_valid(text: str) -> None:
    shorter = truncate(text_to_adf(text))

    is_valid(shorter)
    assert words(shorter).endswith(NOTICE)

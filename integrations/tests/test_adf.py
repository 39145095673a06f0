"""Plain text as an Atlassian Document."""

import json
from importlib.resources import files

import fastjsonschema
import pytest

from integrations.jira.adf import Node, text_to_adf

valid = fastjsonschema.compile(
    json.loads(files("adf_bridge").joinpath("data/adf-schema.json").read_text())
)


def text(words: str) -> Node:
    return {"type": "text", "text": words}


def paragraph(*nodes: Node) -> Node:
    return {"type": "paragraph", "content": list(nodes)}


BREAK = {"type": "hardBreak"}


@pytest.mark.parametrize(
    ("typed", "content"),
    [
        ("One line.", [paragraph(text("One line."))]),
        ("a\nb", [paragraph(text("a"), BREAK, text("b"))]),
        ("a\n\nb", [paragraph(text("a")), paragraph(text("b"))]),
        ("a\n \t\n\n\nb", [paragraph(text("a")), paragraph(text("b"))]),
        ("\n\na\n", [paragraph(text("a"))]),
        ("<b>&amp;</b> 🌙", [paragraph(text("<b>&amp;</b> 🌙"))]),
    ],
)
def test_text_becomes_paragraphs_and_breaks(typed: str, content: list[Node]) -> None:
    document = text_to_adf(typed)

    assert document == {"type": "doc", "version": 1, "content": content}
    valid(document)

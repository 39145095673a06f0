"""Shortens a document that is too long for Jira, and says so in it."""

import json
import re
from bisect import bisect_right

from integrations.jira.text.adf import Node

LIMIT = 32_767
"""Bytes of a document as JSON. Jira states this limit in characters of text and does
not say what it counts in a document. It cannot count more than the JSON in bytes."""

NOTICE = (
    "The description is cut here because it is too long for Jira. The full text is in "
    "KillTheNoise."
)
_LONG = 2_000
"""Bytes. A longer block of text is cut between words; a shorter one is left out."""

_CONTAINERS = {
    "blockquote",
    "bulletList",
    "listItem",
    "orderedList",
    "table",
    "taskList",
}


def truncate(document: Node) -> Node:
    """Return the start of an ADF `doc` and a paragraph that says that it is cut.

    The cut is between blocks, list items or table rows, or between words if a block of
    text is long. A document that Jira rejected although it is within LIMIT is cut to
    half its size.
    """
    notice = {"type": "text", "text": NOTICE, "marks": [{"type": "em"}]}
    last = {"type": "paragraph", "content": [notice]}
    room = min(LIMIT, _size(document) // 2) - _size({**document, "content": [last]})
    return {**document, "content": [*_cut(document["content"], room), last]}


def _cut(nodes: list[Node], room: int) -> list[Node]:
    """Return the nodes that fit into the bytes. The last one may be cut to fit."""
    kept: list[Node] = []
    for node in nodes:
        size = _size(node)
        if size > room:
            return [*kept, *_cut_node(node, room)]
        kept.append(node)
        room -= size
    return kept


def _cut_node(node: Node, room: int) -> list[Node]:
    """Return the node cut to fit, or nothing if no part fits or it may not be cut."""
    if node["type"] == "text":
        text = _cut_text(node["text"], room - _size({**node, "text": ""}))
        return [{**node, "text": text}] if text else []
    if "content" not in node or not _may_be_cut(node):
        return []
    content = _cut(node["content"], room - _size({**node, "content": []}))
    return [{**node, "content": content}] if content else []


def _may_be_cut(node: Node) -> bool:
    is_long = node["type"] != "tableRow" and _size(node) > _LONG
    return node["type"] in _CONTAINERS or is_long


def _cut_text(text: str, room: int) -> str:
    """Return the words that fit, or the characters that fit if no whole word does."""
    end = bisect_right(range(len(text)), room, key=lambda end: _size(text[:end])) - 1
    fitting = text[: max(0, end)]
    words = re.match(r"(.*\S)\s", fitting, re.DOTALL)
    return words[1] if words else fitting


def _size(value: object) -> int:
    """Return the bytes of a value as JSON, with the separator after it."""
    return len(json.dumps(value, ensure_ascii=False).encode()) + 2

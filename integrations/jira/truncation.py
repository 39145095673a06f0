"""A document that is too long for Jira, cut so that readers see it."""

import json
import re
from bisect import bisect_right

from integrations.jira.adf import Node

LIMIT = 32_767
"""Bytes of a document as JSON. What Jira counts is not documented, so the most that it
could count is held to the limit that it states for text."""

NOTICE = (
    "The description was cut here, because it is longer than Jira takes. The full text "
    "is in KillTheNoise."
)
_LONG = 2_000
"""Bytes from which a block of text is cut between words and not left out."""

_OF_BLOCKS = {
    "blockquote",
    "bulletList",
    "listItem",
    "orderedList",
    "table",
    "taskList",
}


def truncate(document: Node) -> Node:
    """Return the start of an ADF `doc` and a last paragraph that says that it was cut.

    It ends where a block ends, a list item or a table row too; only in a long block of
    text it ends between words. A document within LIMIT, which Jira refused all the
    same, is cut to half.
    """
    notice = {"type": "text", "text": NOTICE, "marks": [{"type": "em"}]}
    last = {"type": "paragraph", "content": [notice]}
    room = min(LIMIT, _size(document) // 2) - _size({**document, "content": [last]})
    return {**document, "content": [*_start(document["content"], room), last]}


def _start(nodes: list[Node], room: int) -> list[Node]:
    """Return the nodes that fit, and the part that fits of the next one."""
    kept: list[Node] = []
    for node in nodes:
        size = _size(node)
        if size > room:
            return [*kept, *_part(node, room)]
        kept.append(node)
        room -= size
    return kept


def _part(node: Node, room: int) -> list[Node]:
    if node["type"] == "text":
        text = _words(node["text"], room - _size({**node, "text": ""}))
        return [{**node, "text": text}] if text else []
    if "content" not in node or not (
        node["type"] in _OF_BLOCKS or _holds_long_text(node)
    ):
        return []
    content = _start(node["content"], room - _size({**node, "content": []}))
    return [{**node, "content": content}] if content else []


def _holds_long_text(node: Node) -> bool:
    return node["type"] != "tableRow" and _size(node) > _LONG


def _words(text: str, room: int) -> str:
    """Return the words that fit; where there are none, the characters."""
    end = bisect_right(range(len(text)), room, key=lambda end: _size(text[:end])) - 1
    fitting = text[: max(0, end)]
    words = re.match(r"(.*\S)\s", fitting, re.DOTALL)
    return words[1] if words else fitting


def _size(value: object) -> int:
    """Return the bytes of a value as JSON, with the comma after it."""
    return len(json.dumps(value, ensure_ascii=False).encode()) + 2

"""Plain text as an Atlassian Document.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

import re
from typing import Any

Node = dict[str, Any]


def text_to_adf(text: str) -> Node:
    """Return an ADF `doc`: blank lines part paragraphs, other newlines are breaks.

    One line of text gives one paragraph with one text node. No text node is empty or
    holds a newline, which the schema or Jira would refuse.
    """
    blocks = re.split(r"\n(?:[^\S\n]*\n)+", text.strip("\n"))
    return {"type": "doc", "version": 1, "content": [_paragraph(b) for b in blocks]}


def _paragraph(block: str) -> Node:
    nodes: list[Node] = []
    for number, line in enumerate(block.split("\n")):
        if number:
            nodes.append({"type": "hardBreak"})
        if line:
            nodes.append({"type": "text", "text": line})
    return {"type": "paragraph", "content": nodes}

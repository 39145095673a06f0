"""Renders an Atlassian Document as HTML, much as Jira shows it. All text is escaped."""

from collections.abc import Mapping
from html import escape
from typing import Any

Node = Mapping[str, Any]

# The tags around the content of each kind of node. Other kinds get no tags.
_BLOCKS = {
    "paragraph": ("<p>", "</p>"),
    "bulletList": ("<ul>", "</ul>"),
    "listItem": ("<li>", "</li>"),
    "taskList": ('<ul class="tasks">', "</ul>"),
    "blockquote": ("<blockquote>", "</blockquote>"),
    "codeBlock": ("<pre><code>", "</code></pre>"),
    "panel": ('<div class="panel">', "</div>"),
    "table": ('<div class="scroll"><table>', "</table></div>"),
    "tableRow": ("<tr>", "</tr>"),
    "tableHeader": ("<th>", "</th>"),
    "tableCell": ("<td>", "</td>"),
    "expand": ("<details open>", "</details>"),
    "rule": ("<hr>", ""),
    "hardBreak": ("<br>", ""),
    "mediaSingle": ('<p class="media">', "</p>"),
    "media": ("[media]", ""),
}
_MARKS = {
    "strong": "strong",
    "em": "em",
    "strike": "s",
    "underline": "u",
    "code": "code",
}


def render_adf(node: Node) -> str:
    """Return a node and its content as HTML."""
    kind, attrs = node.get("type"), node.get("attrs") or {}
    inner = "".join(render_adf(child) for child in node.get("content") or [])
    match kind:
        case "text":
            return _render_text(node)
        case "heading":
            level = min(max(int(attrs.get("level", 1)), 1), 6)
            return f"<h{level}>{inner}</h{level}>"
        case "orderedList":
            return f'<ol start="{int(attrs.get("order", 1))}">{inner}</ol>'
        case "taskItem":
            checkbox = "☑" if attrs.get("state") == "DONE" else "☐"
            return f"<li>{checkbox} {inner}</li>"
        case "emoji" | "mention" | "status" | "date":
            text = attrs.get("text") or attrs.get("shortName") or attrs.get("timestamp")
            return escape(str(text or ""))
        case "inlineCard" | "blockCard":
            return render_link(
                str(attrs.get("url", "")), escape(str(attrs.get("url", "")))
            )
    opening, closing = _BLOCKS.get(str(kind), ("", ""))
    return opening + inner + closing


def _render_text(node: Node) -> str:
    html = escape(str(node.get("text", "")))
    for mark in node.get("marks") or []:
        if mark.get("type") == "link":
            html = render_link(str((mark.get("attrs") or {}).get("href", "")), html)
        elif tag := _MARKS.get(mark.get("type")):
            html = f"<{tag}>{html}</{tag}>"
    return html


def render_link(url: str, html: str) -> str:
    """Return `html` as a link, or without one if the address could be a script."""
    if not url.lower().startswith(("https://", "http://", "mailto:")):
        return html
    return f'<a href="{escape(url)}" rel="noreferrer">{html}</a>'

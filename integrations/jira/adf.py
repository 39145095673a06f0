"""A person's text as an Atlassian Document.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any

from markdown_it.token import Token

from integrations.jira.markdown import parse

Node = dict[str, Any]

_STYLES = {"strong": "strong", "em": "em", "s": "strike"}
# What the schema takes inside; a document takes every block that is made here.
_IN_QUOTE = {"paragraph", "bulletList", "orderedList", "codeBlock"}
_IN_ITEM = _IN_QUOTE | {"taskList"}


def text_to_adf(text: str) -> Node:
    """Return an ADF `doc` of markdown or plain text; any text gives a valid one.

    Blank lines part paragraphs, other newlines are breaks. One line of plain text gives
    one paragraph with one text node. No text node is empty or, except in a code block,
    holds a newline. Where ADF cannot nest what markdown can, the content stays in a
    simpler form: a heading in a quote is a paragraph there.
    """
    tokens = parse("\n".join(text.splitlines()))
    return {"type": "doc", "version": 1, "content": _Blocks(tokens).until_close()}


class _Blocks:
    """Walks the block tokens once; each opening token takes all up to its closing."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens = iter(tokens)
        self._local_ids = count(1)

    def until_close(self, allowed: set[str] | None = None) -> list[Node]:
        """Return the blocks in the open container, at least an empty paragraph."""
        blocks: list[Node] = []
        for token in self._inside():
            for block in self._block(token, allowed):
                fits = allowed is None or block["type"] in allowed
                blocks += [block] if fits else _simpler(block)
        return blocks or [_node("paragraph", [])]

    def _inside(self) -> Iterator[Token]:
        for token in self._tokens:
            if token.nesting < 0:
                return
            yield token

    def _block(self, token: Token, allowed: set[str] | None) -> list[Node]:
        match token.type:
            case "paragraph_open":
                return [_node("paragraph", self._line())]
            case "heading_open":
                return [_node("heading", self._line(), level=int(token.tag[1:]))]
            case "fence":
                return _code(token)
            case "blockquote_open":
                return [_node("blockquote", self.until_close(_IN_QUOTE))]
            case "bullet_list_open" | "ordered_list_open":
                return [self._list(token, tasks=allowed is not _IN_QUOTE)]
            case "table_open":
                return [self._table()]
            case _:
                return [{"type": "rule"}]

    def _line(self) -> list[Node]:
        return [node for token in self._inside() for node in _inline(token)]

    def _list(self, token: Token, *, tasks: bool) -> Node:
        items = [
            (item.meta.get("checked"), self.until_close(_IN_ITEM))
            for item in self._inside()
        ]
        if token.type == "ordered_list_open":
            start = token.attrs.get("start")
            attrs = {} if start is None else {"order": start}
            return _node("orderedList", [_item(*item) for item in items], **attrs)
        if tasks and all(_is_task(*item) for item in items):
            return self._task_list(items)
        return _node("bulletList", [_item(*item) for item in items])

    def _task_list(self, items: list[tuple[bool | None, list[Node]]]) -> Node:
        """Return a `taskList`, in which a nested one follows the item it belongs to."""
        content: list[Node] = []
        for checked, (paragraph, *nested) in items:
            attrs = {
                "localId": self._local_id(),
                "state": "DONE" if checked else "TODO",
            }
            content += [_node("taskItem", paragraph["content"], **attrs), *nested]
        return _node("taskList", content, localId=self._local_id())

    def _local_id(self) -> str:
        """Return an id that is unique in the document and the same each time."""
        return str(next(self._local_ids))

    def _table(self) -> Node:
        rows: list[Node] = []
        for token in self._tokens:
            if token.type == "table_close":
                break
            if token.type == "tr_open":
                rows.append(_node("tableRow", []))
            elif token.type == "inline":
                kind = "tableHeader" if len(rows) == 1 else "tableCell"
                cell = _node(kind, [_node("paragraph", _inline(token))])
                rows[-1]["content"].append(cell)
        return _node("table", rows)


def _node(kind: str, content: list[Node], **attrs: Any) -> Node:
    return {"type": kind, **({"attrs": attrs} if attrs else {}), "content": content}


def _text(text: str, *marks: Node) -> Node:
    node: Node = {"type": "text", "text": text}
    return node | {"marks": list(marks)} if marks else node


def _code(token: Token) -> list[Node]:
    """Return a `codeBlock`, after a paragraph of what followed the language."""
    language, _, rest = token.info.strip().partition(" ")
    code = token.content.removesuffix("\n")
    attrs = {"language": language} if language else {}
    block = _node("codeBlock", [_text(code)] if code else [], **attrs)
    return [_node("paragraph", [_text(rest)]), block] if rest else [block]


def _is_task(checked: bool | None, blocks: list[Node]) -> bool:
    """Tell if ADF has the item: a `taskItem` is one line, tasks alone nest in it."""
    first, *others = [block["type"] for block in blocks]
    return checked is not None and first == "paragraph" and set(others) <= {"taskList"}


def _item(checked: bool | None, blocks: list[Node]) -> Node:
    """Return a `listItem`; a box that cannot be a `taskItem` stays as it was typed."""
    if checked is None:
        return _node("listItem", blocks)
    box = _text("[x] " if checked else "[ ] ")
    if blocks[0]["type"] != "paragraph":
        return _node("listItem", [_node("paragraph", [box]), *blocks])
    first = _node("paragraph", [box, *blocks[0]["content"]])
    return _node("listItem", [first, *blocks[1:]])


def _simpler(block: Node) -> list[Node]:
    """Return a block that the schema refuses in its container as ones that it takes."""
    match block["type"]:
        case "heading":
            return [_node("paragraph", block["content"])]
        case "blockquote":
            return list(block["content"])
        case "table":
            return [_row(row["content"]) for row in block["content"]]
        case _:
            return [_node("paragraph", [_text("---")])]


def _row(cells: list[Node]) -> Node:
    content: list[Node] = []
    for cell in cells:
        content += [_text(" | ")] if content else []
        content += cell["content"][0]["content"]
    return _node("paragraph", content)


def _inline(token: Token) -> list[Node]:
    line = _Line()
    line.add(token.children or [])
    return line.nodes


class _Line:
    """Collects the inline nodes; `_styles` and `_links` are those open at the point."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._styles: Counter[str] = Counter()
        self._links: list[tuple[Node | None, int]] = []

    def add(self, tokens: Sequence[Token]) -> None:
        """Append tokens; an image is a link to its source, named by its text."""
        for token in tokens:
            match token.type:
                case "text":
                    self._write(token.content)
                case "code_inline":
                    self._write(token.content, code=True)
                case "softbreak" | "hardbreak":
                    self.nodes.append({"type": "hardBreak"})
                case "image":
                    self._open_link(token)
                    self.add(token.children or [])
                    self._close_link()
                case "link_open":
                    self._open_link(token)
                case "link_close":
                    self._close_link()
                case _:
                    self._styles[_STYLES[token.tag]] += token.nesting

    def _write(self, text: str, *, code: bool = False) -> None:
        """Append a text node; the schema takes no style but a link on code."""
        styles = ["code"] if code else +self._styles
        marks: list[Node] = [{"type": style} for style in styles]
        if self._links and (link := self._links[-1][0]):
            marks.append(link)
        if text:
            self.nodes.append(_text(text, *marks))

    def _open_link(self, token: Token) -> None:
        attrs = {"href": token.attrs.get("href") or token.attrs.get("src")}
        if title := token.attrs.get("title"):
            attrs["title"] = title
        link = {"type": "link", "attrs": attrs} if attrs["href"] else None
        self._links.append((link, len(self.nodes)))

    def _close_link(self) -> None:
        """End a link; one that no text shows, as ADF nests none, shows its address."""
        link, start = self._links.pop()
        inside = self.nodes[start:]
        if link and not any(link in node.get("marks", ()) for node in inside):
            address = link["attrs"]["href"]
            self.nodes.append(_text(f" {address}" if inside else address, link))

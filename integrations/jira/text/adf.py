"""Text from a person as an Atlassian Document (ADF).

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, takewhile
from typing import Any

from markdown_it.token import Token

from integrations.jira.text.markdown import parse
from integrations.jira.text.web_addresses import to_href

Node = dict[str, Any]

_STYLES = {"strong": "strong", "em": "em", "s": "strike"}
# The blocks that the schema allows in a quote and in a list item; a document has all.
_IN_QUOTE = {"paragraph", "bulletList", "orderedList", "codeBlock"}
_IN_ITEM = _IN_QUOTE | {"taskList"}
_BYTE_ORDER_MARKS = "\ufeff\u200b\u2060"
"""Plus similar invisible spaces. Before the first line, they would hide a list."""


def text_to_adf(text: str) -> Node:
    """Return a valid ADF `doc` for any text, whether it is Markdown or plain.

    Blank lines separate paragraphs; other newlines are hard breaks. One line of plain
    text makes one paragraph with one text node. No text node is empty, and only code
    blocks hold newlines. Where ADF cannot nest a block, a simpler one takes its place:
    a heading in a quote becomes a paragraph. The document shows all words of the text
    except its markup, and no character that is not in the text.
    """
    tokens = parse(_dedent(text.lstrip(_BYTE_ORDER_MARKS)))
    return {"type": "doc", "version": 1, "content": _Blocks(tokens).until_close()}


def _dedent(text: str) -> str:
    """Return the lines without the spaces, of any kind, that all of them begin with."""
    lines = text.splitlines()
    indents = [line[: -len(line.lstrip())] for line in lines if line.strip()]
    # The prefix that the first and last line in sorted order share is common to all.
    pairs = zip(min(indents, default=""), max(indents, default=""), strict=False)
    width = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    return "\n".join(line[width:] if line.strip() else "" for line in lines)


class _Blocks:
    """Converts tokens to blocks in a single pass."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens = iter(tokens)
        self._local_ids = count(1)

    def until_close(self, allowed: set[str] | None = None) -> list[Node]:
        """Return the blocks up to the end of the container, or an empty paragraph.

        `allowed` are the types that the container takes, None for all.
        """
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
            case "bullet_list_open":
                return [self._list(tasks=allowed is not _IN_QUOTE)]
            case "ordered_list_open":
                return self._numbered_lists()
            case "table_open":
                return [self._table()]
            case _:
                as_typed = _node("paragraph", [_text(token.content)])
                return [as_typed if allowed else {"type": "rule"}]

    def _line(self) -> list[Node]:
        return [node for token in self._inside() for node in _inline(token)]

    def _list(self, *, tasks: bool) -> Node:
        items = [
            (item.meta.get("checked"), self.until_close(_IN_ITEM))
            for item in self._inside()
        ]
        if tasks and all(_is_task(*item) for item in items):
            return self._task_list(items)
        return _node("bulletList", [_item(*item) for item in items])

    def _numbered_lists(self) -> list[Node]:
        """Return a list for each run of consecutive numbers: Jira numbers items itself.

        If every number is 1, return one list: Markdown numbers those itself.
        """
        items: list[tuple[int, Node]] = []
        for token in self._inside():
            box, blocks = token.meta.get("checked"), self.until_close(_IN_ITEM)
            items.append((int(token.info), _item(box, blocks)))
        if {number for number, _ in items} == {1}:
            return [_node("orderedList", [item for _, item in items])]
        lists: list[Node] = []
        following = None
        for number, item in items:
            if number != following:
                attrs = {} if number == 1 else {"order": number}
                lists.append(_node("orderedList", [], **attrs))
            lists[-1]["content"].append(item)
            following = number + 1
        return lists

    def _task_list(self, items: list[tuple[str | None, list[Node]]]) -> Node:
        """Return a `taskList`; a nested one follows the item that it belongs to."""
        content: list[Node] = []
        for box, (paragraph, *nested) in items:
            attrs = {
                "localId": self._local_id(),
                "state": "TODO" if box == "[ ]" else "DONE",
            }
            content += [_node("taskItem", paragraph["content"], **attrs), *nested]
        return _node("taskList", content, localId=self._local_id())

    def _local_id(self) -> str:
        """Return an id unique in the document; the same text has the same ids."""
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
    """Return a `codeBlock`, after a paragraph with the text after the language."""
    code, title = token.content.removesuffix("\n"), token.meta.get("title")
    attrs = {"language": token.info} if token.info else {}
    block = _node("codeBlock", [_text(code)] if code else [], **attrs)
    return [_node("paragraph", [_text(title)]), block] if title else [block]


def _is_task(box: str | None, blocks: list[Node]) -> bool:
    """Whether it can be a `taskItem`: a paragraph, followed only by tasks."""
    first, *others = [block["type"] for block in blocks]
    return box is not None and first == "paragraph" and set(others) <= {"taskList"}


def _item(box: str | None, blocks: list[Node]) -> Node:
    """Return a `listItem`, with the box as text if the item has one."""
    if box is None:
        return _node("listItem", blocks)
    shown = _text(f"{box} ")
    if blocks[0]["type"] != "paragraph":
        return _node("listItem", [_node("paragraph", [shown]), *blocks])
    first = _node("paragraph", [shown, *blocks[0]["content"]])
    return _node("listItem", [first, *blocks[1:]])


def _simpler(block: Node) -> list[Node]:
    """Return simpler blocks for a block that the schema forbids in its container."""
    match block["type"]:
        case "heading":
            return [_node("paragraph", block["content"])]
        case "blockquote":
            return list(block["content"])
        case _:
            return [_row(row["content"]) for row in block["content"]]


def _row(cells: list[Node]) -> Node:
    """Return a table row as a paragraph, without the padding cells."""
    contents = [cell["content"][0]["content"] for cell in cells]
    while contents and not contents[-1]:
        contents.pop()
    content: list[Node] = []
    for position, shown in enumerate(contents):
        content += [_text(" | "), *shown] if position else shown
    return _node("paragraph", content)


def _inline(token: Token) -> list[Node]:
    line = _Line()
    line.add(token.children or [])
    return line.nodes


class _Line:
    """Collects inline nodes. `_styles` and `_links` are the marks that are open."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._styles: Counter[str] = Counter()
        self._links: list[tuple[Node | None, str, int]] = []

    def add(self, tokens: Sequence[Token]) -> None:
        """Append tokens. An image becomes a link to its source, with its text."""
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
        """Append a text node. Code may have a link but no other mark."""
        styles = ["code"] if code else +self._styles
        marks: list[Node] = [{"type": style} for style in styles]
        if self._links and (link := self._links[-1][0]):
            marks.append(link)
        if text:
            self.nodes.append(_text(text, *marks))

    def _open_link(self, token: Token) -> None:
        address = str(token.attrs.get("href") or token.attrs.get("src") or "")
        attrs = {"href": to_href(address)} if address else {}
        if title := token.attrs.get("title"):
            attrs["title"] = str(title)
        link = {"type": "link", "attrs": attrs} if address else None
        self._links.append((link, address, len(self.nodes)))

    def _close_link(self) -> None:
        """End a link. Show its address if no text node carries the link."""
        link, address, start = self._links.pop()
        inside = self.nodes[start:]
        if link and not any(link in node.get("marks", ()) for node in inside):
            self.nodes.append(_text(f" {address}" if inside else address, link))

"""Markdown as people type it into a form, read so that no word is lost.

CommonMark with tables, strikethrough, task lists and bare URLs. Only what is enabled
here is markdown: HTML, entities, link references and indented code stay as typed.
https://markdown-it-py.readthedocs.io/en/latest/architecture.html
"""

import re

from markdown_it import MarkdownIt
from markdown_it.common.utils import mdTrim
from markdown_it.rules_block import StateBlock, paragraph, table
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

_RULES = [
    *("heading", "lheading", "fence", "blockquote", "hr", "list", "table"),
    *("emphasis", "strikethrough", "backticks", "escape", "newline"),
    *("link", "image", "autolink"),
]
# Quotes count one and lists two; what is deeper is a paragraph as it was typed.
_DEEPEST = 12
# Where markdown-it drops text: a list in the last level opens two more. Brackets in
# brackets are tried to the same depth, so it is also a factor of the longest time.
_MAX_NESTING = _DEEPEST + 2
# Short rows are filled up to the header, so few characters could ask for any number.
_MAX_CELLS = 5_000

_LINKABLE = re.compile(r"(?:https?://|mailto:)\S+", re.IGNORECASE)
_BULLET = re.compile(r"[•–][ \t\xa0](?=[ \t\xa0]*[^\s])")
_SCHEME = re.compile(r"(?<![^\W_])https?$", re.IGNORECASE)
_AFTER_SCHEME = re.compile(r"""://\w(?:[^\s<>()"`]|\([^\s<>()"`]*\))*""")


def parse(text: str) -> list[Token]:
    """Return the block tokens of a text; those of type `inline` have children."""
    return _parser.parse(text, {"cells": _MAX_CELLS})


class _Parser(MarkdownIt):
    """Leaves addresses as typed and links only what a browser may safely open."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 (markdown-it's name)
        return bool(_LINKABLE.fullmatch(url))

    def normalizeLink(self, url: str) -> str:  # noqa: N802
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        return link


def _too_deep(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    return state.level >= _DEEPEST and paragraph(state, line, end, silent)


def _bullet(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Let the rules that follow read a typed bullet as `+`; not a block by itself.

    A `+`, because a `-` could make the line a rule or the one above it a heading. Here
    and not in the text beforehand, because code must keep its characters.
    """
    start = state.bMarks[line] + state.tShift[line]
    if _BULLET.match(state.src, start):
        state.src = f"{state.src[:start]}+ {state.src[start + 2 :]}"
    return False


def _whole_table(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """A table of which no cell is dropped, and no longer than the cells left to use.

    What follows is text, as it is after the limit that markdown-it has itself.
    """
    columns = len(_cells(state, line))
    end = min(end, line + state.env["cells"] // columns)
    first = len(state.tokens)
    if not table(state, line, end, silent):
        return False
    if not silent:
        state.env["cells"] -= columns * (state.line - line)
        _keep_surplus_cells(state, state.tokens[first:], columns)
    return True


def _keep_surplus_cells(state: StateBlock, tokens: list[Token], columns: int) -> None:
    """Append the cells beyond the header's, which GFM drops, to the last of the row."""
    for cell, close in zip(tokens, tokens[2:], strict=False):
        if cell.type == "inline" and cell.map and close.type == "tr_close":
            surplus = _cells(state, cell.map[0])[columns:]
            cell.content = " | ".join([cell.content, *surplus])


def _cells(state: StateBlock, line: int) -> list[str]:
    """Split a row as markdown-it does: at each `|` that has no backslash before it."""
    start = state.bMarks[line] + state.tShift[line]
    row = mdTrim(state.src[start : state.eMarks[line]])
    cells = re.split(r"(?<!\\)\|", row)
    if cells[0] == "" and len(cells) > 1:
        del cells[0]
    if cells[-1] == "" and len(cells) > 1:
        del cells[-1]
    return [mdTrim(cell).replace(r"\|", "|") for cell in cells]


def _bare_url(state: StateInline, silent: bool) -> bool:
    """Link http and https addresses; as a rule, so that `_` in them is no emphasis.

    It is tried at the colon, which ends a run of plain text; the scheme is behind it.
    """
    if silent or state.linkLevel or state.src[state.pos] != ":":
        return False
    scheme = _SCHEME.search(state.src, max(0, state.pos - 6), state.pos)
    if not scheme or not state.pending.endswith(scheme[0]):
        return False
    rest = _AFTER_SCHEME.match(state.src, state.pos, state.posMax)
    if not rest:
        return False
    address = rest[0].rstrip(".,:;!?'*_~]")
    state.pending = state.pending.removesuffix(scheme[0])
    state.push("link_open", "a", 1).attrs = {"href": scheme[0] + address}
    state.push("text", "", 0).content = scheme[0] + address
    state.push("link_close", "a", -1)
    state.pos += len(address)
    return True


def _make_parser() -> MarkdownIt:
    """Return the parser; it holds no state between texts, so one serves all."""
    parser = _Parser("zero", {"maxNesting": _MAX_NESTING, "tasklists": True})
    parser.enable(_RULES)
    block = parser.block.ruler
    block.at("table", _whole_table, {"alt": ["paragraph"]})
    block.before("table", "too_deep", _too_deep)
    block.before(
        "list", "bullet", _bullet, {"alt": ["paragraph", "blockquote", "list"]}
    )
    parser.inline.ruler.push("bare_url", _bare_url)
    return parser


_parser = _make_parser()

"""Parses tables of GitHub's Markdown, without losing a cell."""

import re

from markdown_it.common.utils import mdTrim
from markdown_it.rules_block import StateBlock, table
from markdown_it.token import Token

MAX_CELLS = 5_000
"""The most cells in a text. Short rows are padded to the header's length, so without
this limit a few characters could make any number of cells."""


def whole_table(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Read a table without dropping cells, within the limit for the whole text.

    Rows beyond the limit stay text, as with markdown-it's own limit.
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
    """Append cells beyond the header to the row's last cell; GFM drops them."""
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

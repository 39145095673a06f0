"""Tables as GitHub's Markdown has them, without losing a cell."""

import re

from markdown_it.common.utils import mdTrim
from markdown_it.rules_block import StateBlock, table
from markdown_it.token import Token

MAX_CELLS = 5_000
"""Cells of one text. Short rows are filled up to the header, so without a limit a few
characters could make any number of cells."""


def whole_table(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Read a table without dropping cells, up to the cells that the text has left.

    The rows after that are text, as they are after markdown-it's own limit.
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
    """Append the cells beyond the header's to the row's last one; GFM drops them."""
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

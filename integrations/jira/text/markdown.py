"""Parses Markdown as people type it into a form, without losing a word.

CommonMark with tables, strikethrough, task lists and bare URLs. Only what is enabled
here is markup: HTML, entities, link references and indented code stay as typed.
https://markdown-it-py.readthedocs.io/en/latest/architecture.html

People also paste from Slack and type Jira's wiki markup. Forms that nobody types by
accident are read too: code and links of Slack, `<https://example.com|text>`, and of the
wiki `h2. Heading`, `{code}`, `{noformat}` and `[text|https://example.com]`, also with
`|smart-link`. Other wiki markup stays as typed, because plain text may look like it.

Slack's API escapes `&`, `<` and `>` in all of a message. They are decoded only in its
links, because elsewhere a person may have typed them.

Mentions such as `[~accountid:5b10]` or `<@U123>` stay as typed too. A mention node
needs an account that Jira knows. Nothing here can check that, and Jira might reject the
ticket for an unknown one.
"""

import re
from types import FunctionType

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock, heading, hr, list_block, paragraph
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from integrations.jira.text.code_blocks import code_block, text_before_code
from integrations.jira.text.tables import MAX_CELLS, whole_table
from integrations.jira.text.web_addresses import find_end, is_valid

_RULES = [
    *("heading", "lheading", "fence", "blockquote", "hr", "list", "table"),
    *("emphasis", "strikethrough", "backticks", "escape", "newline"),
    *("link", "image", "autolink"),
]
# A quote adds one level and a list two; deeper text is a paragraph as it was typed.
_DEEPEST = 12
# markdown-it drops text at this level, and a list in the last level adds two. Brackets
# may nest as deep, so a larger number also makes the slowest texts slower.
_MAX_NESTING = _DEEPEST + 2

_BULLET = re.compile(r"[•–](?=[ \t\xa0]+[^\s])")
_TASK_BOX = re.compile(r"\[[ xX]\](?=[ \t])")
_WIKI_HEADING = re.compile(r"h([1-6])\.[ \t]+(?=\S)")
_SCHEME = re.compile(r"(?<![A-Za-z0-9])https?$", re.IGNORECASE)
_NAMED_LINKS = {
    "<": re.compile(r"<(?P<url>[^\s|<>]+)(?:\|(?P<text>[^|<>\n]*))?>"),
    "[": re.compile(
        r"\[(?P<text>[^\[\]|\n]+)\|(?P<url>[^\s\[\]|<>]+)"
        r"(?:\|(?:smart-(?:link|card|embed)|block-card))?\]"
    ),
}


def parse(text: str) -> list[Token]:
    """Return the block tokens of a text; those of type `inline` have children."""
    return _parser.parse(text, {"cells": MAX_CELLS})


class _Parser(MarkdownIt):
    """Keeps addresses as typed, and links only those that a browser can safely open."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 (markdown-it's name)
        return is_valid(url)

    def normalizeLink(self, url: str) -> str:  # noqa: N802
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        return link


def _too_deep(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Read any block as a paragraph where markdown-it would soon drop text."""
    return state.level >= _DEEPEST and paragraph(state, line, end, silent)


def _skip_bullet(state: StateBlock, line: int) -> int:
    """Return where the bullet of a list item ends, or -1 if there is none."""
    bullet = _BULLET.match(state.src, state.bMarks[line] + state.tShift[line])
    return bullet.end() if bullet else int(_LIST["skipBulletListMarker"](state, line))


def _skip_number(state: StateBlock, line: int) -> int:
    """Return where the number of a list item ends, or -1 if there is none.

    "007." is text, because Jira would show "7.".
    """
    end = int(_LIST["skipOrderedListMarker"](state, line))
    start = state.bMarks[line] + state.tShift[line]
    return -1 if end - start > 2 and state.src[start] == "0" else end


def _read_task_box(text: str, start: int, end: int) -> str | None:
    """Return the box of a task as typed; it becomes the item's `checked`."""
    box = _TASK_BOX.match(text, start, end)
    return box[0] if box else None


_LIST = list_block.__globals__
# markdown-it's rule for lists, with the functions above instead of its own. Its markers
# cannot be configured, and replacing markers in the text would change code.
_list = FunctionType(
    list_block.__code__,
    _LIST
    | {
        "skipBulletListMarker": _skip_bullet,
        "skipOrderedListMarker": _skip_number,
        "_detect_task_checkbox": _read_task_box,
    },
)


def _rule(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Read a horizontal rule, and keep its source text."""
    if not hr(state, line, end, silent):
        return False
    if not silent:
        start = state.bMarks[line] + state.tShift[line]
        state.tokens[-1].content = state.src[start : state.eMarks[line]].strip()
    return True


def _heading(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Read a heading of markdown or of the wiki."""
    start, stop = state.bMarks[line] + state.tShift[line], state.eMarks[line]
    marker = _WIKI_HEADING.match(state.src, start, stop)
    if not marker:
        return heading(state, line, end, silent)
    if not silent:
        state.line = line + 1
        state.push("heading_open", f"h{marker[1]}", 1)
        inline = state.push("inline", "", 0)
        inline.content = state.src[marker.end() : stop].strip()
        inline.children = []
        state.push("heading_close", f"h{marker[1]}", -1)
    return True


def _bare_url(state: StateInline, silent: bool) -> bool:
    """Link an http or https address, before `_` in it is taken for emphasis.

    The parser stops at the colon, so the scheme has been read as text already.
    """
    if silent or state.linkLevel or not state.src.startswith("://", state.pos):
        return False
    scheme = _SCHEME.search(state.src, max(0, state.pos - 6), state.pos)
    if not scheme or not state.pending.endswith(scheme[0]):
        return False
    end = find_end(state.src, scheme.start(), state.pos + 3, state.posMax)
    if end is None:
        return False
    state.pending = state.pending.removesuffix(scheme[0])
    _push_link(state, state.src[scheme.start() : end])
    state.pos = end
    return True


def _named_link(state: StateInline, silent: bool) -> bool:
    """Read Slack's and Jira's form of a link, with Slack's escapes undone."""
    opening = state.src[state.pos]
    pattern = _NAMED_LINKS.get(opening)
    found = pattern.match(state.src, state.pos, state.posMax) if pattern else None
    if not found or not is_valid(url := _unescape(found["url"])):
        return False
    if not silent:
        text = found["text"] or ""
        _push_link(state, url, _unescape(text) if opening == "<" else text)
    state.pos = found.end()
    return True


def _unescape(text: str) -> str:
    """Undo the three escapes of Slack's API.

    https://docs.slack.dev/messaging/formatting-message-text/
    """
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _push_link(state: StateInline, url: str, text: str = "") -> None:
    state.push("link_open", "a", 1).attrs = {"href": url}
    state.push("text", "", 0).content = text or url
    state.push("link_close", "a", -1)


def _make_parser() -> MarkdownIt:
    """Return a parser. It keeps no state between texts, so one is enough."""
    parser = _Parser("zero", {"maxNesting": _MAX_NESTING, "tasklists": True})
    parser.enable(_RULES)
    parser.disable("normalize")  # it replaces NUL; the API normalizes line ends
    block, inline = parser.block.ruler, parser.inline.ruler
    anywhere: RuleOptionsType = {"alt": ["paragraph", "blockquote", "list"]}
    in_paragraph: RuleOptionsType = {"alt": ["paragraph"]}
    block.at("table", whole_table, in_paragraph)
    block.before("table", "too_deep", _too_deep)
    block.at("fence", code_block, anywhere)
    block.at("hr", _rule, anywhere)
    block.at("list", _list, {"alt": ["paragraph", "blockquote"]})
    block.before("lheading", "text_before_code", text_before_code, in_paragraph)
    block.at("heading", _heading, {"alt": ["paragraph", "blockquote"]})
    inline.before("link", "named_link", _named_link)
    inline.push("bare_url", _bare_url)
    return parser


_parser = _make_parser()

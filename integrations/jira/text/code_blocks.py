"""Code blocks as people type them in Markdown, in Slack and in Jira's wiki markup.

Slack allows code on the line of the opening fence, the closing fence after code, and
text before and after both:

    It says ```Error: boom
      at main()``` and text goes on

Each becomes a `fence` token, whose `info` is a language that Jira can highlight, or "".
Any other text in the place of the language is kept as text.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from unicodedata import category

from markdown_it.rules_block import StateBlock, fence
from markdown_it.token import Token

LANGUAGES = frozenset(
    """
    abap actionscript ada applescript arduino autoit awk bash bat batch c c# c++
    ceylon clike clj clojure cmake cobol coffee coffeescript coldfusion console cpp
    cs csharp css csv cuda d dart delphi diff docker dockerfile dos elixir elm erl
    erlang f# fortran foxpro fsharp gherkin go golang gql gradle graphql groovy
    handlebars haskell haxe hcl hs html http ini java javafx javascript jinja js
    json json5 jsonc jsx julia kotlin kt latex less lisp livescript log lua makefile
    markdown mathematica matlab md mermaid nginx nim nix objc objective-c objectivec
    ocaml octave pascal perl php plain plaintext powershell prolog properties proto
    protobuf ps1 puppet py python python3 qml r racket rb restructuredtext rs rst
    ruby rust sass scala scheme scss sh shell smalltalk solidity sql standardml
    svelte swift tcl terraform tex text tf toml ts tsx txt typescript vala vb vb.net
    vbnet verilog vhdl vim visualbasic vue wasm xml xquery yaml yml zig zsh
    """.split()  # noqa: SIM905 (a list would take a line for each)
)
"""Common names of the languages of Jira's code blocks, and of some others."""

_OPENING = re.compile(r"(`{3,})[^`]*$")
_TICKS = re.compile(r"`{3,}")
_PUNCTUATION = ".,:;!?)"  # ASCII punctuation, after backticks that end the code
_WIKI_OPENING = re.compile(r"\{(code|noformat)(?::([\w#.+-]+))?\}")
_WIKI_MACRO = {
    name: re.compile(rf"\{{{name}(?::[^}}\n]*)?\}}") for name in ("code", "noformat")
}


def code_block(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Read a code block of any of the three kinds."""
    is_wiki = state.src.startswith("{", _start(state, line))
    return (_wiki_code if is_wiki else _fenced_code)(state, line, end, silent)


def text_before_code(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Read a line where Slack's code begins after text, and the code itself.

    "Use ``` for code" is text, and so are backticks that are followed by pairs of them.
    """
    start, stop = _start(state, line), state.eMarks[line]
    ticks = list(_TICKS.finditer(state.src, start, stop))
    if len(ticks) % 2 == 0 or state.src[ticks[-1].start() - 1] == "\\":
        return False
    opening = ticks[-1]
    rest = state.src[opening.end() : stop].rstrip()
    if "`" in rest or rest[:1].isspace() or not _are_ticks_odd(state, stop):
        return False
    if not _is_closed(state, line, end, opening[0]):
        return False
    if not silent:
        _push_paragraph(state, line, state.src[start : opening.start()].strip())
        state.bMarks[line], state.tShift[line] = opening.start(), 0
        state.sCount[line] = state.blkIndent
        _fenced_code(state, line, end, False)
    return True


def _fenced_code(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Read a fence as CommonMark does, but end it as Slack does."""
    closing = None if silent else _find_slack_closing(state, line, end)
    if closing is None:
        is_fence = fence(state, line, end, silent)
        if is_fence and not silent:
            _keep_info(state.tokens[-1])
        return is_fence
    last, ticks = closing
    fence(state, line, last, False)
    token = state.tokens[-1]
    token.content += _start_of_line(state, last, state.sCount[line], ticks.start())
    _keep_info(token, with_title=False)
    _go_on_after(state, last, ticks.end())
    return True


def _wiki_code(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Read `{code}`, `{code:java}` or `{noformat}` up to the next of that name.

    A document can hold only the language parameter. A block with other parameters stays
    as typed, and so does one that is not closed or has text around it.
    """
    opening = _WIKI_OPENING.match(state.src, _start(state, line), state.eMarks[line])
    if not opening or (opening[2] and opening[2].lower() not in LANGUAGES):
        return False
    macro = _WIKI_MACRO[opening[1]]
    closing = macro.search(state.src, opening.end(), state.eMarks[end - 1])
    if not closing or ":" in closing[0]:
        return False
    last = _find_line(state, line, end, closing.start())
    if last is None or (last == line and _has_text(state, line, closing.end())):
        return False
    if not silent:
        token = state.push("fence", "code", 0)
        token.info = opening[2] or ""
        token.content = _between(state, line, opening.end(), last, closing.start())
        token.map = [line, last + 1]
        _go_on_after(state, last, closing.end())
    return True


def _find_slack_closing(
    state: StateBlock, line: int, end: int
) -> tuple[int, re.Match[str]] | None:
    """Return the line and the backticks that end the code, if text is beside them."""
    opening = _OPENING.match(state.src, _start(state, line), state.eMarks[line])
    if not opening:
        return None
    for number in _lines_of_container(state, line + 1, end):
        start, stop = _start(state, number), state.eMarks[number]
        ticks = _TICKS.search(state.src, start, stop)
        if not ticks or len(ticks[0]) < len(opening[1]):
            continue
        if ticks.start() == start and not _has_text(state, number, ticks.end()):
            return None
        if _ends_code(state, ticks, start, stop):
            return number, ticks
    return None


def _ends_code(state: StateBlock, ticks: re.Match[str], start: int, stop: int) -> bool:
    """Whether code ends at the backticks in a line from `start` to `stop`.

    It continues after x("```"), and in foo```bar if the backticks after it are not in
    pairs.
    """
    following = state.src[ticks.end() : min(stop, ticks.end() + 1)]
    if not following or following.isspace():
        return True
    kind = category(following)[0]
    if kind == "P":
        return following > "\x7f" or following in _PUNCTUATION
    is_after_code = ticks.start() > start
    return kind in "LN" and is_after_code and not _are_ticks_odd(state, ticks.end())


def _are_ticks_odd(state: StateBlock, position: int) -> bool:
    """Whether an odd number of ``` is left in the text, so one more is missing."""
    if "ticks" not in state.env:
        state.env["ticks"] = [found.start() for found in _TICKS.finditer(state.src)]
    starts = state.env["ticks"]
    return (len(starts) - bisect_left(starts, position)) % 2 == 1


def _is_closed(state: StateBlock, line: int, end: int, opening: str) -> bool:
    """Whether a later line of the container has backticks that can close the code."""
    return any(
        opening in state.src[_start(state, number) : state.eMarks[number]]
        for number in _lines_of_container(state, line + 1, end)
    )


def _push_paragraph(state: StateBlock, line: int, text: str) -> None:
    state.push("paragraph_open", "p", 1)
    inline = state.push("inline", "", 0)
    inline.content, inline.children, inline.map = text, [], [line, line + 1]
    state.push("paragraph_close", "p", -1)


def _keep_info(token: Token, *, with_title: bool = True) -> None:
    """Put a language in `info` and the text after it in `meta`. Other text is code.

    Without `with_title`, a language with text after it is code too.
    """
    language, _, title = token.info.strip().partition(" ")
    if language.lower() in LANGUAGES and (with_title or not title):
        token.info, token.meta = language, {"title": title.strip()}
        return
    if language:
        token.content = f"{token.info.rstrip()}\n{token.content}"
    token.info = ""


def _between(state: StateBlock, line: int, start: int, last: int, stop: int) -> str:
    """Return the code from a position in a line to another one in the last line."""
    if last == line:
        return state.src[start:stop]
    indent = state.sCount[line]
    first = state.src[start : state.eMarks[line]].rstrip()
    middle = state.getLines(line + 1, last, indent, True)
    return f"{first}\n{middle}".lstrip("\n") + _start_of_line(state, last, indent, stop)


def _start_of_line(state: StateBlock, line: int, indent: int, stop: int) -> str:
    whole = state.getLines(line, line + 1, indent, False)
    return whole[: len(whole) - (state.eMarks[line] - stop)]


def _go_on_after(state: StateBlock, line: int, position: int) -> None:
    """Make the parser read the text after the position as a separate line."""
    state.line = line + 1
    if _has_text(state, line, position):
        state.line = line
        state.bMarks[line] = state.skipSpaces(position)
        state.tShift[line], state.sCount[line] = 0, state.blkIndent


def _find_line(state: StateBlock, line: int, end: int, position: int) -> int | None:
    lines = _lines_of_container(state, line, end)
    return next((one for one in lines if position <= state.eMarks[one]), None)


def _lines_of_container(state: StateBlock, line: int, end: int) -> Iterator[int]:
    """Yield the lines up to one that is outside of the list item or the quote."""
    for number in range(line, end):
        if state.sCount[number] < state.blkIndent and not state.isEmpty(number):
            return
        yield number


def _has_text(state: StateBlock, line: int, position: int) -> bool:
    return state.skipSpaces(position) < state.eMarks[line]


def _start(state: StateBlock, line: int) -> int:
    return state.bMarks[line] + state.tShift[line]

"""Cleans text from people so that it can be stored and sent. HTML stays as typed."""

import re

# Control characters except newline and tab, lone surrogates, and the bidirectional
# controls that can make text look different from what it is.
_unwanted = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]"
)
_line_ends = re.compile("\r\n?")
_title_breaks = re.compile("[\n\t\u2028\u2029]")


def clean_text(text: str) -> str:
    """Return `text` trimmed, with LF line ends and without unwanted characters."""
    return _unwanted.sub("", _line_ends.sub("\n", text)).strip()


def clean_url(text: str) -> str:
    """Return a cleaned http(s) URL, "" for any other text."""
    url = clean_title(text)
    return url if url.lower().startswith(("https://", "http://")) else ""


def clean_title(text: str) -> str:
    """Return `text` cleaned and on one line: each line break becomes one space.

    It splits instead of matching the spaces around a break, which would take quadratic
    time.
    """
    parts = (part.strip() for part in _title_breaks.split(clean_text(text)))
    return " ".join(filter(None, parts))

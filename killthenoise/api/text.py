"""Text of people, made fit to store and to send. HTML in it is text and stays."""

import re

# Control characters but newline and tab, lone surrogates, and the bidirectional
# embeddings, overrides and isolates that can make a text read as another one.
_unwanted = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]"
)
_line_ends = re.compile("\r\n?")
_title_breaks = re.compile("[\n\t\u2028\u2029]")


def clean_text(text: str) -> str:
    """Return `text` trimmed, with LF line ends and without unwanted characters."""
    return _unwanted.sub("", _line_ends.sub("\n", text)).strip()


def clean_url(text: str) -> str:
    """Return a web address on one line, "" for any other address."""
    url = clean_title(text)
    return url if url.lower().startswith(("https://", "http://")) else ""


def clean_title(text: str) -> str:
    """Return `text` cleaned, on one line: each break becomes one space.

    Split, since a pattern with the spaces around a break takes the square of the time.
    """
    parts = (part.strip() for part in _title_breaks.split(clean_text(text)))
    return " ".join(filter(None, parts))

"""Cleans text from people so that it can be stored and sent. HTML stays as typed."""

import re
from unicodedata import category

# Control characters except newline and tab, lone surrogates, and bidirectional
# controls, which can make text look different from what it is.
_unwanted = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]"
)
_line_ends = re.compile("\r\n?")
# Invisible letters and symbols, such as Hangul fillers and the empty braille pattern,
# and code points that Unicode reserves for invisible characters.
_blank = re.compile(
    "[\u115f\u1160\u2065\u2800\u3164\ufdd0-\ufdef\uffa0\ufff0-\ufff8"
    "\U00013441\U00013442\U0001d159\U000e0000-\U000e0fff]"
)
_leading_blank_lines = re.compile("\\A\\s*[\n\u2028\u2029]")
_title_breaks = re.compile("[\n\t\u2028\u2029]")


def clean_text(text: str) -> str:
    """Return `text` with LF line ends and without unwanted characters.

    Blank lines around it and spaces after it are removed. The indent of its first line
    stays if more lines follow, because markup compares their indents. A text without a
    visible character becomes "".
    """
    text = _unwanted.sub("", _line_ends.sub("\n", text)).rstrip()
    text = _leading_blank_lines.sub("", text)
    if not any(map(_is_visible, set(text))):
        return ""
    return text if "\n" in text else text.strip()


def _is_visible(char: str) -> bool:
    """Whether a character is visible by itself. Private and unassigned ones may be."""
    kind = category(char)
    return kind[0] not in "ZM" and kind not in ("Cc", "Cf") and not _blank.match(char)


def clean_url(text: str) -> str:
    """Return a cleaned http(s) URL, or "" for any other text."""
    url = clean_title(text)
    return url if url.lower().startswith(("https://", "http://")) else ""


def clean_title(text: str) -> str:
    """Return `text` cleaned and on one line: each line break becomes one space."""
    # A pattern that also matches the spaces around a break takes quadratic time.
    parts = (part.strip() for part in _title_breaks.split(clean_text(text)))
    return " ".join(filter(None, parts))

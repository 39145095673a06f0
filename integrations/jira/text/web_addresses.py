"""Web addresses in a text: where one ends, whether it is valid, and its href.

An address may hold letters of any script (RFC 3987). The rules are stricter than those
of browsers (https://url.spec.whatwg.org), so that every reader agrees on an address.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from unicodedata import category, normalize
from urllib.parse import quote

import idna

_WEB = re.compile(r"(https?://)([^/?#\s]*)(\S*)", re.IGNORECASE)
_MAIL = re.compile(r"(mailto:)()([^\s|]+)", re.IGNORECASE)
_AUTHORITY = re.compile(
    r"(?:[\w.~!$&'()*+,;=:-]*@)?(?:\[(?P<ipv6>[^\]]*)\]|(?P<host>[^:@\[\]]+))"
    r"(?::(?P<port>[0-9]{0,5}))?"
)
_PORT = re.compile(r":[0-9]{1,5}(?![0-9])")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_NOT_IN_HREF = re.compile(r"%(?![0-9A-Fa-f]{2})|[^\w!$&'()*+,;=:@/?.~%-]", re.ASCII)

_MAX_HOST = 253
_CLOSING = {"(": ")", "[": "]"}
_NEVER_LAST = ".,:;!?'*_~\u200c\u200d"
_JOINERS = "\u200c\u200d"
"""Invisible, but needed in Persian words and in emoji."""


def is_valid(address: str) -> bool:
    """Whether it is an http, https or mailto address that a browser can open."""
    web = _WEB.fullmatch(address)
    return _is_valid_authority(web[2]) if web else bool(_MAIL.fullmatch(address))


def to_href(address: str) -> str:
    """Return a valid address with escapes for characters that it cannot contain."""
    parts = _WEB.fullmatch(address) or _MAIL.fullmatch(address)
    scheme, authority, rest = parts.groups() if parts else ("", "", "")
    path, hash_sign, fragment = rest.partition("#")
    return scheme + authority + _escape(path) + hash_sign + _escape(fragment)


def find_end(text: str, start: int, host: int, limit: int) -> int | None:
    """Return the end of a bare address, or None if the address is not valid.

    Its scheme begins at `start` and its host at `host`. It ends before punctuation of
    any script. ASCII punctuation may be inside the address, but not at its end.
    Brackets are part of it if they are balanced. If the host is not valid, its start
    may be, as in "https://example.com,then".
    """
    slash = _authority_end(text, host, limit)
    if _is_valid_authority(text[host:slash]):
        ends = [_path_end(text, slash, limit)]
    elif "@" in text[host:slash]:
        return None
    else:
        ends = _host_ends(text, host, slash)
    trimmed = (host + len(text[host:end].rstrip(_NEVER_LAST)) for end in ends)
    return next((end for end in trimmed if is_valid(text[start:end])), None)


def _authority_end(text: str, start: int, limit: int) -> int:
    end = start
    while end < limit and text[end] not in "/?#" and not _ends_address(text[end]):
        end += 1
    return end


def _host_ends(text: str, start: int, limit: int) -> list[int]:
    """Return the end of the host with its port, if there is one, and of the host."""
    end = start
    while end < limit and (text[end] in "-_." or category(text[end])[0] in "LMN"):
        end += 1
    port = _PORT.match(text, end, limit)
    return [port.end(), end] if port else [end]


def _path_end(text: str, start: int, limit: int) -> int:
    """Return where the rest ends. Another address in brackets is not part of it."""
    open_brackets: list[int] = []
    end = start
    while end < limit and not _ends_address(char := text[end]):
        if char in _CLOSING:
            open_brackets.append(end)
        elif char in _CLOSING.values():
            if not open_brackets or _CLOSING[text[open_brackets[-1]]] != char:
                break
            open_brackets.pop()
        elif open_brackets and text.startswith("://", end):
            break
        end += 1
    return open_brackets[0] if open_brackets else end


def _ends_address(char: str) -> bool:
    """Whether it is a space, invisible, or punctuation that an address cannot contain.

    In ASCII, only quotes, angle brackets, bars and backslashes end an address.

    The full-width forms of ASCII's signs, such as "~" and "<", are punctuation too.
    """
    if char < "\x80":
        return char <= " " or char in '"<>`|\\\x7f'
    kind = category(char)[0]
    is_wide_sign = kind == "S" and normalize("NFKC", char) < "\x80"
    return (kind in "PZC" and char not in _JOINERS) or is_wide_sign


def _is_valid_authority(authority: str) -> bool:
    parts = _AUTHORITY.fullmatch(authority)
    if not parts or int(parts["port"] or 0) > 65_535:
        return False
    try:
        if parts["ipv6"] is not None:
            return not IPv6Address(parts["ipv6"]).scope_id
        return _is_valid_host(parts["host"])
    except (AddressValueError, UnicodeError):  # the base class of idna's errors
        return False


def _is_valid_host(host: str) -> bool:
    """Raises AddressValueError or UnicodeError for some hosts that are not valid."""
    if len(host) > _MAX_HOST:
        return False
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode()
    labels = host.removesuffix(".").split(".")
    for label in labels:
        if not _LABEL.fullmatch(label):
            return False
        if label.lower().startswith("xn--"):
            idna.ulabel(label)
    if _NUMBER.fullmatch(labels[-1]):
        IPv4Address(host)
    return True


def _escape(part: str) -> str:
    return _NOT_IN_HREF.sub(lambda found: _escape_character(found[0]), part)


def _escape_character(char: str) -> str:
    is_letter = char > "\x9f" and (category(char)[0] != "C" or char in _JOINERS)
    return char if is_letter else quote(char, safe="", errors="replace")

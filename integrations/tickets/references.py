"""Finds the ticket that a text names by key, number, or the address of its page.

People copy keys with punctuation and invisible characters, and addresses of any page in
Jira that shows the ticket.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from unicodedata import category, normalize
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from integrations.jira.issue_lookup import is_issue_key

OPENING, CLOSING = "([{<\"'„“”‚‘’«‹»›*_`#", ")]}>\"'“”‘’»›«‹*_`.,;:!?…、。，；：！？"
DEFAULT_PORTS = {None, 80, 443}

_url = re.compile(r"https?://[^\s<>|\"'()\[\]{}«»“”„]+", re.IGNORECASE)
_bare_url = re.compile(r"[\w-]+(\.[\w-]+)+(:[0-9]+)?/\S+")
_not_key = re.compile(r"[^\w-]")  # may follow a key, as in SCRUM-3;jsessionid=1
_dashes = re.compile("[\u2010-\u2015\u2212\ufe63\uff0d]")


@dataclass(frozen=True)
class TicketReference:
    """The ticket that a text names. Without a `key`, it names none or several.

    `other_site` is the host of the address if that is not on the given site.
    """

    key: str = ""
    other_site: str = ""


def parse_ticket_reference(
    text: str, *, site: str, project_keys: Sequence[str]
) -> TicketReference:
    """Parse a text.

    `site` is the origin of the Jira site, such as https://x.example. A number names a
    ticket of the first project. A key of any of the projects may stand among other
    words.
    """
    shown = _clean(text)
    urls = list(_find_urls(shown))
    named = {_key_in_url(url): url for url in urls}
    named.pop("", None)
    ours = [key for key, url in named.items() if _host(url) == _host(urlsplit(site))]
    if len(ours) == 1:
        return TicketReference(ours[0])
    if len(named) == 1 and not ours:
        [(key, url)] = named.items()
        return TicketReference(key, other_site=url.netloc.rpartition("@")[2])
    if urls:
        return TicketReference()
    return TicketReference(_key_in_words(shown.split(), project_keys))


def _key_in_words(words: list[str], project_keys: Sequence[str]) -> str:
    keys = {_strip(word).upper() for word in words}
    if len(words) == 1:
        [key] = keys
        key = f"{project_keys[0]}-{key}" if key.isdecimal() else key
        return key if is_issue_key(key) else ""
    ours = tuple(f"{project_key}-" for project_key in project_keys)
    keys = {key for key in keys if key.startswith(ours) and is_issue_key(key)}
    return keys.pop() if len(keys) == 1 else ""


def _clean(text: str) -> str:
    """Return the text without invisible characters, in ordinary letters and dashes."""
    plain = _dashes.sub("-", normalize("NFKC", text))
    return "".join(char for char in plain if category(char) != "Cf").strip()


def _strip(word: str) -> str:
    """Remove the punctuation around a word."""
    return word.lstrip(OPENING).rstrip(CLOSING)


def _find_urls(text: str) -> Iterator[SplitResult]:
    """Yield the addresses in the text, even if the scheme is missing."""
    found = _url.findall(text)
    if not found and _bare_url.fullmatch(_strip(text)):
        found = [f"https://{_strip(text)}"]
    for url in found:
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 (raises ValueError if it is no number)
        except ValueError:
            continue
        yield parts


def _key_in_url(url: SplitResult) -> str:
    """Return the key of the ticket that the page shows, or "" if it shows none.

    On a board or in a list, that is the selected ticket; otherwise the last key in the
    path.
    """
    selected = parse_qs(url.query).get("selectedIssue", [])
    segments = [unquote(segment) for segment in reversed(url.path.split("/"))]
    shown = (_strip(_clean(one)) for one in [*selected, *segments])
    keys = (_not_key.split(one, maxsplit=1)[0].upper() for one in shown)
    return next(filter(is_issue_key, keys), "")


def _host(url: SplitResult) -> tuple[str | None, int | None]:
    """Return host and port; the default ports of http and https are the same."""
    return url.hostname, None if url.port in DEFAULT_PORTS else url.port

"""The address of a Jira site: what is accepted, and the one form that is stored."""

import re
from ipaddress import IPv6Address

import idna
from django.conf import settings
from django.core.exceptions import ValidationError

INVALID = "invalid_site"
NOT_A_SITE = (
    "Enter the https address of the Jira site alone, with its name and no IP address, "
    "for example https://example.atlassian.net, with nothing after it."
)
NOT_ALLOWED = (
    "%(host)s is not a site that this server connects to (%(allowed)s). Enter the "
    "address of your Jira site, or have its host added to JIRA_ALLOWED_HOSTS."
)
MAX_LENGTH = 255
"""Characters of a stored site."""
PORTS = {"https": 443, "http": 80}

_site = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[^\s/\\?#@:%\[\]]{1,253}|\[[0-9a-f:.]+\])"
    r"(:(?P<port>[0-9]{1,5}))?/?",
    re.ASCII | re.IGNORECASE,
)
# No top level domain begins with a digit, while every part of an IPv4 address does,
# in each of the ways to write one: 127.0.0.1, 2130706433, 0x7f.1, 0177.1.
_name = re.compile(r"([a-z0-9-]+\.)+[a-z][a-z0-9-]+")


def normalize_site(text: str) -> str:
    """Return the origin to store, such as https://example.atlassian.net.

    Where JIRA_ALLOW_INSECURE is on, any http or https origin will do. Raises
    ValidationError "invalid_site", whose sentence says what to do.
    """
    try:
        scheme, host, port = _split(text)
    except ValueError as exc:
        raise ValidationError(NOT_A_SITE, code=INVALID) from exc
    if not settings.JIRA_ALLOW_INSECURE:
        _require_allowed(scheme, host, port)
    site = f"{scheme}://{host}" + (f":{port}" if port != PORTS[scheme] else "")
    if len(site) > MAX_LENGTH:
        raise ValidationError(NOT_A_SITE, code=INVALID)
    return site


def _split(text: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an origin. Raises ValueError if it is none.

    Not by `urlsplit`, which drops tabs and newlines, and forgives much.
    """
    found = _site.fullmatch(text)
    if not found or not text.isprintable():
        raise ValueError
    scheme = found["scheme"].lower()
    port = int(found["port"] or PORTS[scheme])
    if not 0 < port < 65536:
        raise ValueError
    return scheme, _ascii(found["host"]), port


def _ascii(host: str) -> str:
    """Return a host in lower case and ASCII. Raises ValueError."""
    if host.startswith("["):
        return f"[{IPv6Address(host[1:-1])}]"
    return idna.encode(host, uts46=True).decode("ascii").removesuffix(".")


def _require_allowed(scheme: str, host: str, port: int) -> None:
    if scheme != "https" or port != PORTS[scheme] or not _name.fullmatch(host):
        raise ValidationError(NOT_A_SITE, code=INVALID)
    allowed: list[str] = settings.JIRA_ALLOWED_HOSTS
    if not any(_matches(host, pattern) for pattern in allowed):
        shown = {"host": host, "allowed": ", ".join(allowed)}
        raise ValidationError(NOT_ALLOWED, code=INVALID, params=shown)


def _matches(host: str, pattern: str) -> bool:
    """Whether `*.x` or `x` fits: a star stands for one or more whole labels."""
    if pattern.startswith("*."):
        return host.endswith(pattern.removeprefix("*"))
    return host == pattern

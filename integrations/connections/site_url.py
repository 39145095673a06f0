"""Validates the address of a Jira site, and returns the one form that is stored."""

import re
from functools import lru_cache
from ipaddress import IPv6Address

import idna
from django.conf import settings
from django.core.exceptions import ValidationError

INVALID = "invalid_site"
NOT_A_SITE = (
    "Enter the address of your Jira site, such as https://example.atlassian.net: "
    "https, and nothing after the name."
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
# No top-level domain begins with a digit, but the last part of an IPv4 address does,
# however it is written: 127.0.0.1, 2130706433, 0x7f.1, 0177.1.
_name = re.compile(r"([a-z0-9-]+\.)+[a-z][a-z0-9-]+")


def normalize_site_url(text: str) -> str:
    """Return the origin to store, such as https://example.atlassian.net.

    With JIRA_ALLOW_INSECURE, any http or https origin is accepted. Raises
    ValidationError with the code "invalid_site"; its sentence says what to do.
    """
    try:
        scheme, host, port = parse_origin(text)
    except ValueError as exc:
        raise ValidationError(NOT_A_SITE, code=INVALID) from exc
    if not settings.JIRA_ALLOW_INSECURE:
        _require_allowed(scheme, host, port)
    site = f"{scheme}://{host}" + (f":{port}" if port != PORTS[scheme] else "")
    if len(site) > MAX_LENGTH:
        raise ValidationError(NOT_A_SITE, code=INVALID)
    return site


def parse_origin(text: str) -> tuple[str, str, int]:
    """Return scheme, host and port. Raises ValueError if the text is not an origin.

    `urlsplit` is too lenient for this: it drops tabs and newlines, for example.
    """
    found = _site.fullmatch(text)
    if not found or not text.isprintable():
        raise ValueError
    scheme = found["scheme"].lower()
    port = int(found["port"] or PORTS[scheme])
    if not 0 < port < 65536:
        raise ValueError
    return scheme, _to_ascii(found["host"]), port


def is_host_name(host: str) -> bool:
    """Whether the host is a name and not an IP address in any notation."""
    return bool(_name.fullmatch(host))


@lru_cache(maxsize=1024)
def _to_ascii(host: str) -> str:
    """Return the host in lower-case ASCII. Raises ValueError if it is invalid."""
    if host.startswith("["):
        return f"[{IPv6Address(host[1:-1])}]"
    return idna.encode(host, uts46=True).decode("ascii").removesuffix(".")


def _require_allowed(scheme: str, host: str, port: int) -> None:
    if scheme != "https" or port != PORTS[scheme] or not is_host_name(host):
        raise ValidationError(NOT_A_SITE, code=INVALID)
    allowed: list[str] = settings.JIRA_ALLOWED_HOSTS
    if not any(_matches(host, pattern) for pattern in allowed):
        shown = {"host": host, "allowed": ", ".join(allowed)}
        raise ValidationError(NOT_ALLOWED, code=INVALID, params=shown)


def _matches(host: str, pattern: str) -> bool:
    """Whether the host matches `x` or `*.x`; a star is one or more whole labels."""
    if pattern.startswith("*."):
        return host.endswith(pattern.removeprefix("*"))
    return host == pattern

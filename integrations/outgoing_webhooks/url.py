"""Validates the address of an endpoint, and returns the one form that is stored."""

import re

from django.conf import settings
from django.core.exceptions import ValidationError

from integrations.connections.site_url import is_host_name, parse_origin
from integrations.outgoing_webhooks.models import MAX_URL

NOT_AN_ADDRESS = (
    "Enter an https address with a host name, such as https://example.com/webhook, of "
    f"at most {MAX_URL} ASCII characters."
)
_url = re.compile(r"(?P<origin>[a-z]+://[^/?#]+)(?P<rest>[/?][!-~]*)?", re.IGNORECASE)


def normalize_webhook_url(text: str) -> str:
    """Return the address to store. The IP address is checked at each connection.

    With JIRA_ALLOW_INSECURE, http and IP addresses are accepted too. Raises
    ValidationError, whose sentence says what to do.
    """
    found = _url.fullmatch(text)
    if not found or "#" in text:
        raise ValidationError(NOT_AN_ADDRESS)
    try:
        scheme, host, port = parse_origin(found["origin"])
    except ValueError as exc:
        raise ValidationError(NOT_AN_ADDRESS) from exc
    if not settings.JIRA_ALLOW_INSECURE and (scheme, is_host_name(host)) != (
        "https",
        True,
    ):
        raise ValidationError(NOT_AN_ADDRESS)
    default = {"https": 443, "http": 80}[scheme]
    url = f"{scheme}://{host}" + (f":{port}" if port != default else "")
    url += found["rest"] or "/"
    if len(url) > MAX_URL:
        raise ValidationError(NOT_AN_ADDRESS)
    return url

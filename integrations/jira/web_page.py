"""Detects web pages and redirects in place of responses from Jira's API."""

import re
from html import unescape
from urllib.parse import urlsplit

from integrations.jira.errors import JiraBadResponse
from integrations.jira.response import JiraResponse, clean_line

_ADVICE = (
    "Check that the address in the Jira integration is your Jira Cloud site. If it "
    "is, ask a Jira administrator to let requests with an API token bypass the "
    "single sign-on or proxy in front of it."
)
_title = re.compile(rb"<title[^>]{0,100}>(.{1,300}?)</title", re.IGNORECASE | re.DOTALL)


def reject_web_page(response: JiraResponse, site: str) -> None:
    """Raise JiraBadResponse if a success is an HTML page, such as a login page."""
    if is_web_page(response):
        raise JiraBadResponse(
            f"{site} responded with a web page{_quote_title(response)} instead of "
            f"Jira's API. {_ADVICE}",
            jira_status=response.status,
            trace_id=response.trace_id,
        )


def redirect_error(response: JiraResponse, site: str) -> JiraBadResponse:
    """Return the error for a site that redirects API requests."""
    return JiraBadResponse(
        f"{site} responded with status {response.status}, a redirect to "
        f"{_redirect_target(response)}, instead of Jira's API. {_ADVICE}"
    )


def is_web_page(response: JiraResponse) -> bool:
    """Whether the body is HTML, whatever its content type says."""
    html = "html" in response.headers.get("Content-Type", "").lower()
    start = response.body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return start == b"<" or (html and start not in (b"{", b"["))


def _quote_title(response: JiraResponse) -> str:
    found = _title.search(response.body[:65536])
    text = clean_line(found[1].decode(errors="replace")) if found else ""
    title = clean_line(unescape(text))
    return f" (“{title}”)" if title else ""


def _redirect_target(response: JiraResponse) -> str:
    try:
        host = urlsplit(response.headers.get("Location", "")).hostname
    except ValueError:
        host = None
    return clean_line(host or "") or "another address"

"""HTTP to one Jira site as one account."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from json import dumps, loads

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from integrations.jira import metrics
from integrations.jira.credentials import ANONYMOUS, Credentials
from integrations.jira.error_mapping.failed_request import FailedRequest
from integrations.jira.error_mapping.rules import map_error
from integrations.jira.errors import JiraError, JiraUnreachable
from integrations.jira.response import JiraResponse, is_too_complex
from integrations.jira.secret import Secret, clear_frames_on_error
from integrations.jira.session import OutgoingRequest, track
from integrations.jira.web_page import reject_web_page

logger = logging.getLogger(__name__)

USER_AGENT = "KillTheNoise/1.0"
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": USER_AGENT,
}
ENGLISH = {"Accept-Language": "en", "X-Force-Accept-Language": "true"}
"""Without the second header, Jira responds in the language of the account."""
MAX_RESPONSE_BYTES = 1024 * 1024

_RETRY = "Try again in a moment; if it happens again, check the site's address."


class NoResponse(Exception):
    """No response came. The OutgoingRequest knows whether the request was sent."""


@dataclass(frozen=True, kw_only=True)
class JiraHttp:
    """Sends requests as the account.

    `base_url` is the site's origin. `api_url` is set if the API is elsewhere, as for
    scoped tokens. `api_root` comes before the path of each request. `session` is the
    process's pooled session; timeouts are in seconds. `before_wait` runs before each
    request, to release resources while it waits. The constructor sends nothing.
    """

    base_url: str
    credentials: Credentials = ANONYMOUS
    api_url: str = ""
    api_root: str = "/rest/api/3"
    session: requests.Session = field(repr=False)
    connect_timeout: float
    read_timeout: float
    before_wait: Callable[[], None] = field(default=lambda: None, repr=False)

    def browse_url(self, key: str) -> str:
        """Return the address of a ticket's page."""
        return f"{self.base_url}/browse/{key}"

    def send(
        self,
        outgoing: OutgoingRequest,
        method: str,
        path: str,
        json: object = None,
        *,
        english: bool = True,
    ) -> JiraResponse:
        """Send one request and read its response. Raises NoResponse."""
        self.before_wait()
        began, status = time.monotonic(), 0
        try:
            with clear_frames_on_error():
                response = self._send(outgoing, method, path, json, english)
            status = response.status
        except JiraError:  # raised before anything was sent
            raise
        except requests.ConnectTimeout as exc:
            outgoing.sent = False
            raise NoResponse from exc
        except (requests.RequestException, HTTPError, OSError) as exc:
            raise NoResponse from exc
        except Exception as exc:  # a site must not break the caller
            logger.exception("%s %s failed in an unexpected way", method, self.base_url)
            raise NoResponse from exc
        finally:
            seconds = time.monotonic() - began
            metrics.observe(method, self.api_root + path, status, seconds)
        return self._without_secrets(response)

    def read(
        self,
        path: str,
        purpose: str,
        *,
        deadline: float,
        method: str = "",
        json: object = None,
        permission: str = "for access",
        searched_projects: Sequence[str] = (),
        english: bool = True,
        before_send: Callable[[], None] = lambda: None,
    ) -> JiraResponse:
        """Send a request that is safe to repeat, and return its successful response.

        Without a `method` it is a GET, or a POST if there is `json` to send. `deadline`
        is a reading of `time.monotonic()`. `purpose`, `permission` and
        `searched_projects` are for the error's sentence; see FailedRequest. With
        `english` unset, Jira responds in the account's language. Raises JiraErrors.
        """
        method = method or ("GET" if json is None else "POST")
        outgoing = OutgoingRequest(deadline, before_send)
        try:
            response = self.send(outgoing, method, path, json, english=english)
        except NoResponse as exc:
            raise JiraUnreachable(f"{self.base_url} did not respond. {_RETRY}") from exc
        if response.status in (200, 201, 204) and not response.credentials_refused:
            reject_web_page(response, self.base_url)
            return response
        if response.status >= 500:
            raise JiraUnreachable(
                f"{self.base_url} responded with status {response.status}. {_RETRY}",
                jira_status=response.status,
                retry_after=response.retry_after,
            )
        raise map_error(
            FailedRequest(
                response=response,
                site=self.base_url,
                purpose=purpose,
                permission=permission,
                searched_projects=searched_projects,
            )
        )

    def anonymous(self) -> "JiraHttp":
        """Return a copy for paths of the site itself, without credentials."""
        return replace(self, credentials=ANONYMOUS, api_url="", api_root="")

    def _send(
        self,
        outgoing: OutgoingRequest,
        method: str,
        path: str,
        json: object,
        english: bool,
    ) -> JiraResponse:
        url = (self.api_url or self.base_url) + self.api_root + path
        headers = self._headers(english)
        request = requests.Request(method, url, json=json, headers=headers).prepare()
        left = outgoing.remaining()
        outgoing.sent = True
        with (
            track(outgoing),
            self.session.send(
                request,
                timeout=(min(self.connect_timeout, left), min(self.read_timeout, left)),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            body = response.raw.read(MAX_RESPONSE_BYTES + 1, decode_content=True)
            return JiraResponse(
                status=response.status_code,
                headers=response.headers,
                body=body[:MAX_RESPONSE_BYTES],
                truncated=len(body) > MAX_RESPONSE_BYTES,
            )

    def _headers(self, english: bool) -> dict[str, str]:
        headers = HEADERS | (ENGLISH if english else {})
        if authorization := self.credentials.authorization:
            headers["Authorization"] = authorization
        return headers

    def _without_secrets(self, response: JiraResponse) -> JiraResponse:
        """Remove our credentials from a response that echoes the request.

        Errors show only two of its headers: the trace id and the target of a redirect.
        """
        secrets = self.credentials.secrets
        headers = {
            name: _hide(secrets, text.encode("latin-1", "replace")).decode("latin-1")
            for name, text in response.headers.items()
        }
        return replace(
            response,
            headers=CaseInsensitiveDict(headers),
            body=_hide(secrets, _normalize_json(response.body)),
        )


def _hide(secrets: Sequence[Secret], text: bytes) -> bytes:
    for secret in secrets:
        text = text.replace(secret.encode(), b"***")
    return text


def _normalize_json(body: bytes) -> bytes:
    """Undo escapes in JSON, where `=` may be written `\\u003d`; keep other bodies."""
    if b"\\" not in body or is_too_complex(body):
        return body
    try:
        return dumps(loads(body)).encode()
    except (ValueError, RecursionError):
        return body

"""One account on one Jira site: requests out, answers in, whatever they are for."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from json import dumps, loads

import requests
from urllib3.exceptions import HTTPError

from integrations.jira.error_mapping import Refusal
from integrations.jira.errors import JiraUnreachable
from integrations.jira.response import JiraResponse
from integrations.jira.secret import Secret, forgetting_variables
from integrations.jira.transport import Exchange, watching

USER_AGENT = "KillTheNoise/1.0"
MAX_ANSWER_BYTES = 1024 * 1024
SHORTEST_SECRET = 8
"""Characters; what is shorter is no token of Atlassian's, and may be any word."""


_AGAIN = (
    "Try again in a moment; if it happens again, check the address of the Jira site."
)


class NoResponse(Exception):
    """No response came; the exchange knows whether the request left."""


@dataclass(frozen=True, kw_only=True)
class JiraHttp:
    """Sends requests as the account; without one, as nobody. Making it does no network.

    `base_url` is the site's origin. `api_url` is where its API is if not there itself,
    as for scoped tokens. `session` is the process's pooled session, timeouts are in
    seconds.
    """

    base_url: str
    email: str = ""
    api_token: str = field(default="", repr=False)
    api_url: str = ""
    session: requests.Session = field(repr=False)
    connect_timeout: float
    read_timeout: float

    def browse_url(self, key: str) -> str:
        """Return the address of a ticket's page."""
        return f"{self.base_url}/browse/{key}"

    def send(
        self, exchange: Exchange, method: str, path: str, json: object = None
    ) -> JiraResponse:
        """Send one request and read its response. Raises NoResponse."""
        try:
            with forgetting_variables():
                status, headers, body = self._exchanged(exchange, method, path, json)
        except requests.ConnectTimeout as exc:
            exchange.sent = False
            raise NoResponse from exc
        except (requests.RequestException, HTTPError, OSError) as exc:
            raise NoResponse from exc
        return JiraResponse(
            status=status,
            headers=headers,
            body=self._without_secrets(body[:MAX_ANSWER_BYTES]),
            truncated=len(body) > MAX_ANSWER_BYTES,
        )

    def read(
        self, method: str, path: str, *, deadline: float, json: object = None
    ) -> JiraResponse:
        """Ask for something that may be asked twice.

        Raises a JiraError unless the response is a success and ours.

        `deadline` is a reading of `time.monotonic()`.
        """
        try:
            response = self.send(Exchange(deadline), method, path, json)
        except NoResponse as exc:
            raise JiraUnreachable(f"{self.base_url} did not respond. {_AGAIN}") from exc
        if response.status in (200, 201) and not response.credentials_refused:
            return response
        if response.status >= 500:
            raise JiraUnreachable(
                f"{self.base_url} answered {response.status}. {_AGAIN}",
                jira_status=response.status,
                retry_after=response.retry_after,
            )
        raise Refusal(response=response, site=self.base_url).as_error()

    def read_openly(self, path: str, *, deadline: float) -> JiraResponse:
        """As `read`, of the site itself, which is told nothing of the account."""
        stranger = JiraHttp(
            base_url=self.base_url,
            session=self.session,
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
        )
        return stranger.read("GET", path, deadline=deadline)

    def _exchanged(
        self, exchange: Exchange, method: str, path: str, json: object
    ) -> tuple[int, Mapping[str, str], bytes]:
        with watching(exchange), self._request(exchange, method, path, json) as got:
            body: bytes = got.raw.read(MAX_ANSWER_BYTES + 1, decode_content=True)
            return got.status_code, got.headers, body

    def _request(
        self, exchange: Exchange, method: str, path: str, json: object
    ) -> requests.Response:
        left = exchange.remaining()
        exchange.sent = True
        return self.session.request(
            method,
            (self.api_url or self.base_url) + path,
            json=json,
            headers={
                "Accept": "application/json",
                "User-Agent": USER_AGENT,
                **({"Authorization": self._authorization} if self.email else {}),
            },
            timeout=(min(self.connect_timeout, left), min(self.read_timeout, left)),
            allow_redirects=False,
            stream=True,
        )

    def _without_secrets(self, body: bytes) -> bytes:
        """Drop our credentials from an response that repeats what it was sent."""
        basic = Secret(self._authorization.split()[1])
        body = _plainly_written(body)
        for secret in (Secret(self.api_token), basic):
            if len(secret) >= SHORTEST_SECRET:
                body = body.replace(secret.encode(), b"***")
        return body

    @property
    def _authorization(self) -> Secret:
        pair = Secret(f"{self.email}:{self.api_token}")
        return Secret("Basic " + b64encode(pair.encode()).decode("ascii"))


def _plainly_written(body: bytes) -> bytes:
    """Return JSON in one spelling, since `=` may come as `\\u003d`; else the body."""
    if b"\\" not in body:
        return body
    try:
        return dumps(loads(body)).encode()
    except (ValueError, RecursionError):
        return body

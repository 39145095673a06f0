"""A client for the operations of Jira Cloud that KillTheNoise uses.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import requests
from urllib3.exceptions import HTTPError

from integrations.jira.answers import Answer
from integrations.jira.errors import (
    JiraBadResponse,
    JiraError,
    JiraOutcomeUnknown,
    JiraUnreachable,
)
from integrations.jira.refusals import Refusal
from integrations.jira.transport import Exchange, watching

USER_AGENT = "KillTheNoise/1.0"
MAX_ANSWER_BYTES = 1024 * 1024
SEARCH_PAGE = 1000
BROWSE = "BROWSE_PROJECTS"
_issue_key = re.compile(r"[A-Z][A-Z0-9_]*-[1-9][0-9]*")


@dataclass(frozen=True, kw_only=True)
class NewIssue:
    """A ticket to create. `description` is an ADF doc, `properties` by key."""

    project_key: str
    issue_type: str
    summary: str
    description: dict[str, Any]
    properties: dict[str, Any]

    def payload(self) -> dict[str, Any]:
        """Return the JSON body of the creation."""
        return {
            "fields": {
                "project": {"key": self.project_key},
                "summary": self.summary,
                "description": self.description,
                "issuetype": {"name": self.issue_type},
            },
            "properties": [
                {"key": key, "value": value} for key, value in self.properties.items()
            ],
        }


@dataclass(frozen=True, kw_only=True)
class MarkedIssue:
    """A ticket found by a property of its own; `value` is the property's."""

    id: str
    key: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class CreatedIssue:
    """What Jira said of the new ticket; `id` is immutable, `key` may change."""

    id: str
    key: str
    status: int
    trace_id: str


class JiraClient:
    """One Jira site and one account on it. The constructor does no network.

    `base_url` is the site's origin, `session` the process's pooled session, timeouts
    are in seconds. Not to be shared between tenants; cheap to make.
    """

    def __init__(
        self,
        *,
        base_url: str,
        email: str,
        api_token: str,
        session: requests.Session,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._authorization = _basic(email, api_token)
        self._session = session
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout

    def __repr__(self) -> str:
        return f"<JiraClient {self.base_url}>"

    def browse_url(self, key: str) -> str:
        """Return the address of a ticket's page."""
        return f"{self.base_url}/browse/{key}"

    def create_issue(
        self,
        issue: NewIssue,
        *,
        deadline: float,
        before_send: Callable[[], None] = lambda: None,
    ) -> CreatedIssue:
        """Create a ticket with one POST, never repeated here.

        `deadline` is a reading of `time.monotonic()`. `before_send` runs just before
        the first byte leaves; what it raises is raised, and nothing was sent.

        Raises JiraUnreachable (nothing was sent), a NothingCreated (Jira said no) or
        JiraOutcomeUnknown (the ticket may exist).

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
        """
        exchange = Exchange(deadline, before_send)
        path = "/rest/api/3/issue"
        try:
            answer = self._send(exchange, "POST", path, json=issue.payload())
        except _NoAnswer as exc:
            raise self._no_answer(exchange) from exc
        if answer.status == 201:
            return self._created(answer)
        if 300 <= answer.status < 500:
            raise self._refused(answer, issue, deadline)
        raise self._unconfirmed(answer)

    def marked_issues(
        self, property_key: str, *, project_key: str, minutes: int, deadline: float
    ) -> Iterator[MarkedIssue]:
        """Yield the tickets of the last `minutes` that have the property, all pages.

        An empty `project_key` searches the whole site. Tickets appear in Jira's search
        some seconds to minutes after their creation.

        Raises JiraAuthFailed and other JiraErrors if Jira does not answer with tickets.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
        """
        where = f'project = "{project_key}" AND ' if project_key else ""
        asked: dict[str, Any] = {
            "jql": f'{where}created >= "-{minutes}m" ORDER BY created DESC',
            "maxResults": SEARCH_PAGE,
            "fields": ["created"],
            "properties": [property_key],
        }
        while True:
            path = "/rest/api/3/search/jql"
            page = self._read("POST", path, json=asked, deadline=deadline).json
            issues = page.get("issues")
            if not isinstance(issues, list):  # which is not to say that there are none
                raise JiraBadResponse(f"{self.base_url} answered without tickets.")
            yield from _marked(issues, property_key)
            token = page.get("nextPageToken")
            if page.get("isLast") or not token:
                return
            asked["nextPageToken"] = token

    def can_browse(self, project_key: str, *, deadline: float) -> bool:
        """Whether the account sees the project's tickets: if not, none are found.

        Raises JiraAuthFailed and other JiraErrors; JiraProjectInvalid if there is no
        such project.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-permissions/#api-rest-api-3-mypermissions-get
        """
        query = urlencode({"projectKey": project_key, "permissions": BROWSE})
        path = f"/rest/api/3/mypermissions?{query}"
        found = self._read("GET", path, deadline=deadline).json.get("permissions")
        answer = found.get(BROWSE) if isinstance(found, dict) else None
        return isinstance(answer, dict) and answer.get("havePermission") is True

    def is_signed_in(self, *, deadline: float) -> bool:
        """Whether Jira knows us; true if it cannot say. Has no anonymous access.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-myself/#api-rest-api-3-myself-get
        """
        try:
            answer = self._send(Exchange(deadline), "GET", "/rest/api/3/myself")
        except _NoAnswer:
            return True
        return not answer.credentials_refused

    def _read(
        self, method: str, path: str, *, deadline: float, json: object = None
    ) -> Answer:
        """Ask for something. Raises a JiraError unless the answer is 200 and ours."""
        try:
            answer = self._send(Exchange(deadline), method, path, json)
        except _NoAnswer as exc:
            raise JiraUnreachable(f"{self.base_url} did not answer.") from exc
        if answer.status == 200 and not answer.credentials_refused:
            return answer
        if answer.status >= 500:
            raise JiraUnreachable(
                f"{self.base_url} answered {answer.status}.",
                jira_status=answer.status,
                retry_after=answer.retry_after,
            )
        raise Refusal(answer=answer, site=self.base_url).as_error()

    def _send(
        self, exchange: Exchange, method: str, path: str, json: object = None
    ) -> Answer:
        """Send one request and read its answer. Raises _NoAnswer."""
        try:
            with watching(exchange), self._request(exchange, method, path, json) as got:
                body = got.raw.read(MAX_ANSWER_BYTES, decode_content=True)
        except requests.ConnectTimeout as exc:
            exchange.sent = False
            raise _NoAnswer from exc
        except (requests.RequestException, HTTPError, OSError) as exc:
            raise _NoAnswer from exc
        return Answer(status=got.status_code, headers=got.headers, body=body)

    def _request(
        self, exchange: Exchange, method: str, path: str, json: object
    ) -> requests.Response:
        left = exchange.remaining()
        exchange.sent = True
        return self._session.request(
            method,
            self.base_url + path,
            json=json,
            headers={
                "Accept": "application/json",
                "Authorization": self._authorization,
                "User-Agent": USER_AGENT,
            },
            timeout=(min(self._connect_timeout, left), min(self._read_timeout, left)),
            allow_redirects=False,
            stream=True,
        )

    def _created(self, answer: Answer) -> CreatedIssue:
        key, issue_id = answer.json.get("key"), answer.json.get("id")
        if not (isinstance(key, str) and _issue_key.fullmatch(key) and issue_id):
            raise self._unconfirmed(answer)
        return CreatedIssue(
            id=str(issue_id), key=key, status=answer.status, trace_id=answer.trace_id
        )

    def _refused(self, answer: Answer, issue: NewIssue, deadline: float) -> JiraError:
        return Refusal(
            answer=answer,
            site=self.base_url,
            project_key=issue.project_key,
            issue_type=issue.issue_type,
            signed_in=lambda: self.is_signed_in(deadline=deadline),
        ).as_error()

    def _no_answer(self, exchange: Exchange) -> JiraError:
        if exchange.sent:
            return JiraOutcomeUnknown(_unknown(f"{self.base_url} did not answer"))
        return JiraUnreachable(
            f"{self.base_url} could not be reached, so nothing was sent and no ticket "
            "was created. Try again in a moment; if it happens again, check the site's "
            "address in the Jira integration."
        )

    def _unconfirmed(self, answer: Answer) -> JiraOutcomeUnknown:
        return JiraOutcomeUnknown(
            _unknown(f"{self.base_url} answered {answer.status} without a ticket key"),
            jira_status=answer.status,
            trace_id=answer.trace_id,
            retry_after=answer.retry_after,
        )


class _NoAnswer(Exception):
    """No answer came; the exchange knows whether the request left."""


def _marked(issues: list[Any], property_key: str) -> Iterator[MarkedIssue]:
    for issue in issues:
        value = (issue.get("properties") or {}).get(property_key)
        if value is not None and _issue_key.fullmatch(str(issue.get("key"))):
            yield MarkedIssue(id=str(issue.get("id")), key=issue["key"], value=value)


def _basic(email: str, api_token: str) -> str:
    return "Basic " + b64encode(f"{email}:{api_token}".encode()).decode("ascii")


def _unknown(what_happened: str) -> str:
    return (
        f"{what_happened}, so the ticket may exist. Do not create it by hand: send the "
        "same request again, which finds the ticket if it is there."
    )

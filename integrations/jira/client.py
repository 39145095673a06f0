"""A client for the operations of Jira Cloud that KillTheNoise uses.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from integrations.jira.error_mapping import Refusal
from integrations.jira.errors import (
    JiraError,
    JiraOutcomeUnknown,
    JiraUnreachable,
)
from integrations.jira.http import JiraHttp, NoResponse
from integrations.jira.issue_lookup import IssueLookup, is_issue_id, is_issue_key
from integrations.jira.metadata import Metadata
from integrations.jira.response import JiraResponse
from integrations.jira.transport import Exchange

CORE_FIELDS = ("project", "summary", "description", "issuetype")
"""The fields of every ticket."""
BROWSE = "BROWSE_PROJECTS"


@dataclass(frozen=True, kw_only=True)
class NewIssue:
    """A ticket to create. `description` is an ADF doc, `properties` by key.

    `extra_fields` are more of Jira's fields by id; they never replace the CORE_FIELDS.
    """

    project_key: str
    issue_type: str
    summary: str
    description: dict[str, Any]
    properties: dict[str, Any]
    extra_fields: Mapping[str, Any] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Return the JSON body of the creation."""
        specified = {
            "project": {"key": self.project_key},
            "summary": self.summary,
            "description": self.description,
            "issuetype": {"name": self.issue_type},
        }
        return {
            "fields": {**specified, **self.extra_fields, **specified},
            "properties": [
                {"key": key, "value": value} for key, value in self.properties.items()
            ],
        }


@dataclass(frozen=True, kw_only=True)
class CreatedIssue:
    """The new ticket as Jira confirmed it. `id` is immutable, `key` may change."""

    id: str
    key: str
    url: str
    status: int
    trace_id: str


class JiraClient:
    """One Jira site and one account on it. The constructor does no network.

    Not to be shared between tenants; cheap to make.
    """

    def __init__(self, site: JiraHttp) -> None:
        self._site = site
        self.base_url = site.base_url
        self.metadata = Metadata(site)
        self.lookup = IssueLookup(site)

    def __repr__(self) -> str:
        return f"<JiraClient {self.base_url}>"

    def browse_url(self, key: str) -> str:
        """Return the address of a ticket's page."""
        return self._site.browse_url(key)

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
            response = self._site.send(exchange, "POST", path, json=issue.payload())
        except NoResponse as exc:
            raise self._no_answer(exchange) from exc
        if response.status == 201:
            return self._created(response)
        if 300 <= response.status < 500:
            raise self._refused(response, issue, deadline)
        raise self._unconfirmed(response)

    def link_issue(
        self, issue_id: str, *, global_id: str, url: str, title: str, deadline: float
    ) -> None:
        """Give a ticket a link, or change the one that has this `global_id`.

        Raises JiraAuthFailed and other JiraErrors.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-remote-links/#api-rest-api-3-issue-issueidorkey-remotelink-post
        """
        link = {"globalId": global_id, "object": {"url": url, "title": title}}
        path = f"/rest/api/3/issue/{quote(issue_id, safe='')}/remotelink"
        self._site.read("POST", path, json=link, deadline=deadline)

    def can_browse(self, project_key: str, *, deadline: float) -> bool:
        """Whether the account sees the project's tickets: if not, none are found.

        Raises JiraAuthFailed and other JiraErrors; JiraProjectInvalid if there is no
        such project.
        """
        return self.metadata.has_permission(BROWSE, project_key, deadline=deadline)

    def is_signed_in(self, *, deadline: float) -> bool:
        """Whether Jira knows us; true if it cannot say. Has no anonymous access.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-myself/#api-rest-api-3-myself-get
        """
        try:
            response = self._site.send(Exchange(deadline), "GET", "/rest/api/3/myself")
        except (NoResponse, JiraUnreachable):
            return True
        return not response.credentials_refused

    def _created(self, response: JiraResponse) -> CreatedIssue:
        key, issue_id = str(response.json.get("key")), str(response.json.get("id"))
        if not (is_issue_key(key) and is_issue_id(issue_id)):
            raise self._unconfirmed(response)
        return CreatedIssue(
            id=issue_id,
            key=key,
            url=self.browse_url(key),
            status=response.status,
            trace_id=response.trace_id,
        )

    def _refused(
        self, response: JiraResponse, issue: NewIssue, deadline: float
    ) -> JiraError:
        return Refusal(
            response=response,
            site=self.base_url,
            project_key=issue.project_key,
            issue_type=issue.issue_type,
            signed_in=lambda: self.is_signed_in(deadline=deadline),
            field_names=lambda: self._field_names(issue, deadline),
        ).as_error()

    def _field_names(self, issue: NewIssue, deadline: float) -> Mapping[str, str]:
        """Return the names of the fields by id; none if Jira does not tell them."""
        try:
            return self.metadata.field_names(
                issue.project_key, issue.issue_type, deadline=deadline
            )
        except JiraError:
            return {}

    def _no_answer(self, exchange: Exchange) -> JiraError:
        if exchange.sent:
            return JiraOutcomeUnknown(_unknown(f"{self.base_url} did not response"))
        return JiraUnreachable(
            f"{self.base_url} could not be reached, so nothing was sent and no ticket "
            "was created. Try again in a moment; if it happens again, check the site's "
            "address in the Jira integration."
        )

    def _unconfirmed(self, response: JiraResponse) -> JiraOutcomeUnknown:
        return JiraOutcomeUnknown(
            _unknown(
                f"{self.base_url} answered {response.status} without a ticket key"
            ),
            jira_status=response.status,
            trace_id=response.trace_id,
            retry_after=response.retry_after,
        )


def _unknown(what_happened: str) -> str:
    return (
        f"{what_happened}, so the ticket may exist. Do not create it by hand: send the "
        "same request again, which finds the ticket if it is there."
    )

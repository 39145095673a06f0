"""A client for the operations of Jira Cloud that KillTheNoise uses.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from integrations.jira.bulk_fetch import IssueStates, bulk_fetch
from integrations.jira.error_mapping.failed_request import FailedRequest
from integrations.jira.error_mapping.rules import map_error
from integrations.jira.errors import (
    JiraError,
    JiraOutcomeUnknown,
    JiraProjectInvalid,
    JiraUnreachable,
)
from integrations.jira.http import JiraHttp, NoResponse
from integrations.jira.issue_details import IssueDetailsLookup
from integrations.jira.issue_lookup import IssueLookup, identify
from integrations.jira.issue_updates import IssueUpdates
from integrations.jira.metadata import Metadata
from integrations.jira.response import JiraResponse, as_object
from integrations.jira.session import OutgoingRequest
from integrations.jira.text.adf import Node, text_to_adf
from integrations.jira.text.truncation import truncate

LINK_PERMISSION = "for the permission ‘Link issues’ (or ‘Edit issues’)"
CORE_FIELDS = ("project", "summary", "description", "issuetype")
"""The fields that every ticket has."""


@dataclass(frozen=True, kw_only=True)
class NewIssue:
    """A ticket to create.

    `description` comes from `to_jira_text`; with None, the ticket gets none. With an
    `issue_type_id`, the issue type is sent by its id and not by its name. `properties`
    maps keys to values, `extra_fields` field ids to values. Extra fields never replace
    the CORE_FIELDS.
    """

    project_key: str
    issue_type: str
    issue_type_id: str = ""
    summary: str
    description: Node | None
    properties: dict[str, Any]
    extra_fields: Mapping[str, Any] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Return the JSON body of the request."""
        by_id = {"id": self.issue_type_id}
        core = {
            "project": {"key": self.project_key},
            "summary": self.summary,
            **({"description": self.description} if self.description else {}),
            "issuetype": by_id if self.issue_type_id else {"name": self.issue_type},
        }
        properties = [{"key": k, "value": v} for k, v in self.properties.items()]
        return {
            "fields": {**core, **self.extra_fields, **core},
            "properties": properties,
        }


def get_parent(extra_fields: Mapping[str, Any]) -> str:
    """Return the key or id of the parent, or "" without one."""
    parent = as_object(extra_fields.get("parent"))
    return str(parent.get("key") or parent.get("id") or "")


@dataclass(frozen=True, kw_only=True)
class WebLink:
    """A link from a ticket to a page; `global_id` identifies it on the ticket.

    `issue_id` names the ticket for Jira, `ticket_key` for people.
    """

    issue_id: str
    ticket_key: str
    global_id: str
    url: str
    title: str
    resolved: bool = False

    def payload(self) -> dict[str, Any]:
        """Return the JSON body. Jira strikes through the title of a resolved link."""
        icon = {"title": "Resolved" if self.resolved else "Open"}
        status = {"resolved": self.resolved, "icon": icon}
        shown = {"url": self.url, "title": self.title, "status": status}
        return {"globalId": self.global_id, "object": shown}


@dataclass(frozen=True, kw_only=True)
class CreatedIssue:
    """The new ticket. Its `id` is immutable, its `key` may change."""

    id: str
    key: str
    url: str
    status: int
    trace_id: str


class JiraClient:
    """One account on one Jira site. The constructor sends nothing.

    A client is cheap to create and must not be shared between tenants.
    """

    def __init__(self, http: JiraHttp) -> None:
        self._http = http
        self.base_url = http.base_url

    @property
    def metadata(self) -> Metadata:
        """What the account sees: itself, projects, issue types, create screens."""
        return Metadata(self._http)

    @property
    def lookup(self) -> IssueLookup:
        """The tickets that the account sees."""
        return IssueLookup(self._http)

    @property
    def details(self) -> IssueDetailsLookup:
        """The tickets that the account sees, with the details for a list."""
        return IssueDetailsLookup(self._http)

    def fetch_issues(self, ids: Sequence[str], *, deadline: float) -> IssueStates:
        """Return the present state of at most 100 tickets. Raises JiraErrors."""
        return bulk_fetch(self._http, ids, deadline=deadline)

    @property
    def updates(self) -> IssueUpdates:
        """Changes to existing tickets."""
        return IssueUpdates(self._http)

    def __repr__(self) -> str:
        return f"<JiraClient {self.base_url}>"

    def to_jira_text(self, text: str) -> Node:
        """Return what people typed in the form that this API takes: an ADF document."""
        return text_to_adf(text)

    def truncate(self, text: Node) -> Node:
        """Return the beginning of such a text, for a Jira that finds it too long."""
        return truncate(text)

    def create_issue(
        self,
        issue: NewIssue,
        *,
        deadline: float,
        before_send: Callable[[], None] = lambda: None,
    ) -> CreatedIssue:
        """Create a ticket with one POST, which is never repeated here.

        `deadline` is a reading of `time.monotonic()`. `before_send` runs just before
        the first byte is sent; if it raises, nothing is sent.

        Raises JiraUnreachable (nothing was sent), a NothingCreated (Jira rejected it)
        or JiraOutcomeUnknown (the ticket may exist).

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
        """
        outgoing = OutgoingRequest(deadline, before_send)
        try:
            response = self._http.send(outgoing, "POST", "/issue", json=issue.payload())
        except NoResponse as exc:
            if outgoing.sent:
                raise _outcome_unknown("no response") from exc
            raise JiraUnreachable(
                f"{self.base_url} could not be reached, so nothing was sent and no "
                "ticket was created. Try again in a moment; if it happens again, check "
                "the site's address in the Jira integration."
            ) from exc
        if response.status == 201:
            return _parse_created(response, self._http)
        # A proxy may respond 408 although Jira creates the ticket.
        if 300 <= response.status < 500 and response.status != 408:
            raise self._map_rejection(response, issue, deadline)
        raise _unconfirmed(response)

    def link_issue(self, link: WebLink, *, deadline: float) -> None:
        """Add the link, or update the one with the same `global_id`.

        Raises JiraErrors.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-remote-links/#api-rest-api-3-issue-issueidorkey-remotelink-post
        """
        self._http.read(
            _remote_link_path(link.issue_id),
            f"add a web link to {link.ticket_key}",
            json=link.payload(),
            deadline=deadline,
            permission=LINK_PERMISSION,
        )

    def unlink_issue(
        self, issue_id: str, ticket_key: str, global_id: str, *, deadline: float
    ) -> None:
        """Remove the link that has the `global_id`, if the ticket has it.

        Jira's 404 says that the ticket or its link is gone. Raises JiraErrors.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-remote-links/#api-rest-api-3-issue-issueidorkey-remotelink-delete
        """
        with suppress(JiraProjectInvalid):  # what Jira's 404 becomes
            self._http.read(
                f"{_remote_link_path(issue_id)}?globalId={quote(global_id, safe='')}",
                f"remove a web link from {ticket_key}",
                method="DELETE",
                deadline=deadline,
                permission=LINK_PERMISSION,
            )

    def is_signed_in(self, *, deadline: float) -> bool:
        """Whether Jira accepts the credentials; true if it does not respond.

        `/myself` has no anonymous access.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-myself/#api-rest-api-3-myself-get
        """
        try:
            outgoing = OutgoingRequest(deadline)
            response = self._http.send(outgoing, "GET", "/myself")
        except (NoResponse, JiraUnreachable):
            return True
        return not response.credentials_refused

    def _map_rejection(
        self, response: JiraResponse, issue: NewIssue, deadline: float
    ) -> JiraError:
        failed = FailedRequest(
            response=response,
            site=self.base_url,
            purpose=f"create tickets in project {issue.project_key}",
            permission="to give it the permission Create issues there",
            project_key=issue.project_key,
            issue_type=issue.issue_type,
            parent=get_parent(issue.extra_fields),
            is_signed_in=lambda: self.is_signed_in(deadline=deadline),
            get_field_names=lambda: self.metadata.field_names(
                issue.project_key, issue.issue_type, deadline=deadline
            ),
        )
        return map_error(failed)


def _remote_link_path(issue_id: str) -> str:
    return f"/issue/{quote(issue_id, safe='')}/remotelink"


def _parse_created(response: JiraResponse, http: JiraHttp) -> CreatedIssue:
    ticket = identify(response.json, http)
    if not ticket:
        raise _unconfirmed(response)
    return CreatedIssue(**ticket, status=response.status, trace_id=response.trace_id)


def _unconfirmed(response: JiraResponse) -> JiraOutcomeUnknown:
    return _outcome_unknown(
        str(response.status),
        jira_status=response.status,
        trace_id=response.trace_id,
        retry_after=response.retry_after,
    )


def _outcome_unknown(reason: str, **details: Any) -> JiraOutcomeUnknown:
    return JiraOutcomeUnknown(
        f"Jira did not confirm the ticket ({reason}). It may exist: do not create it "
        "by hand. Press Create again in a few seconds; that finds it.",
        **details,
    )

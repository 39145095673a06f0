"""Reads the present state of tickets by their ids, many in one request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from integrations.jira.errors import JiraBadResponse
from integrations.jira.http import JiraHttp
from integrations.jira.issue_lookup import MAX_TEXT, identify, parse_time
from integrations.jira.response import as_object

MAX_IDS = 100
"""Tickets in one request; Jira's limit."""
FIELDS = ["summary", "status", "assignee", "statuscategorychangedate"]
CATEGORIES = ("new", "indeterminate", "done")
"""The keys of Jira's status categories. Sites name their statuses as they like."""
PATH = "/rest/api/3/issue/bulkfetch"


@dataclass(frozen=True, kw_only=True)
class IssueState:
    """A ticket as Jira shows it now.

    `status_category` is one of CATEGORIES, or "" for a status without one. It last
    changed at `category_since`, by Jira's clock. `assignee` is a display name.
    """

    id: str
    key: str
    url: str
    summary: str
    status: str
    status_category: str
    category_since: datetime | None
    assignee: str


@dataclass(frozen=True, kw_only=True)
class IssueStates:
    """The tickets that Jira shows, and the ids of those that it does not show.

    An id for which Jira returned a temporary error or nonsense is in neither. If a
    response names anything but the requested ids, it proves no ticket missing.
    """

    found: Mapping[str, IssueState] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()


def bulk_fetch(http: JiraHttp, ids: Sequence[str], *, deadline: float) -> IssueStates:
    """Return the state of at most MAX_IDS tickets, even if they were moved.

    A ticket that the account may not see counts as missing. `deadline` is a reading of
    `time.monotonic()`. Raises JiraErrors.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-bulkfetch-post
    """
    body = {"issueIdsOrKeys": list(ids), "fields": FIELDS}
    response = http.read(PATH, "read tickets", json=body, deadline=deadline)
    issues = response.json.get("issues")
    if not isinstance(issues, list):
        raise JiraBadResponse(f"{http.base_url} responded without a list of tickets.")
    errors = response.json.get("issueErrors")
    named = [*issues, *(errors if isinstance(errors, list) else [])]
    known = {str(as_object(one).get("id")) for one in named}
    states = (_parse(as_object(issue), http) for issue in issues)
    wanted = frozenset(ids)
    return IssueStates(
        found={state.id: state for state in states if state and state.id in wanted},
        missing=wanted - known if known <= wanted else frozenset(),
    )


def _parse(issue: Mapping[str, Any], http: JiraHttp) -> IssueState | None:
    """Parse an issue leniently: only its id, key and status are required."""
    fields, ticket = as_object(issue.get("fields")), identify(issue, http)
    status = as_object(fields.get("status"))
    if not (ticket and status.get("name")):
        return None
    category = as_object(status.get("statusCategory")).get("key")
    return IssueState(
        **ticket,
        summary=_text(fields.get("summary")),
        status=_text(status.get("name")),
        status_category=category if category in CATEGORIES else "",
        category_since=parse_time(fields.get("statuscategorychangedate")),
        assignee=_text(as_object(fields.get("assignee")).get("displayName")),
    )


def _text(value: object) -> str:
    return str(value or "")[:MAX_TEXT]

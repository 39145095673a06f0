"""Reads tickets with the details that a list of tickets shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from integrations.jira.errors import JiraBadResponse, JiraProjectInvalid
from integrations.jira.http import JiraHttp
from integrations.jira.issue_lookup import MAX_TEXT, SEARCH, identify, parse_time
from integrations.jira.response import as_object

FIELDS = ["summary", "status", "priority", "assignee", "issuetype", "project"]
FIELDS += ["created", "updated"]


@dataclass(frozen=True, kw_only=True)
class IssueDetails:
    """A ticket as Jira shows it. A text is "" and a time is None if Jira has none."""

    id: str
    key: str
    url: str
    summary: str
    status: str
    priority: str
    assignee: str
    issue_type: str
    project: str
    created: datetime | None
    updated: datetime | None


@dataclass(frozen=True, kw_only=True)
class IssueFilter:
    """Which tickets of a project to list; "" matches every status or assignee."""

    project_key: str
    status: str = ""
    assignee: str = ""

    @property
    def jql(self) -> str:
        """The query. Its texts are quoted, so they cannot change what it means."""
        wanted = {"status": self.status, "assignee": self.assignee}
        clauses = [f"project = {quote_jql(self.project_key)}"]
        clauses += [f"{k} = {quote_jql(text)}" for k, text in wanted.items() if text]
        return f"{' AND '.join(clauses)} ORDER BY created DESC"


def quote_jql(text: str) -> str:
    """Return the text as a JQL string.

    https://support.atlassian.com/jira-software-cloud/docs/use-advanced-search-with-jira-query-language-jql/
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class IssueDetailsLookup:
    """Reads the tickets that one account sees. Each method raises JiraErrors.

    `deadline` is a reading of `time.monotonic()`.
    """

    def __init__(self, http: JiraHttp) -> None:
        self._http = http

    def list(
        self, wanted: IssueFilter, *, limit: int, deadline: float
    ) -> list[IssueDetails]:
        """Return at most `limit` tickets, the newest first.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
        """
        page = self._http.read(
            SEARCH,
            f"search project {wanted.project_key}",
            json={"jql": wanted.jql, "maxResults": limit, "fields": FIELDS},
            deadline=deadline,
            searched_projects=[wanted.project_key],
        )
        issues = page.json.get("issues")
        if not isinstance(issues, list):
            raise JiraBadResponse(
                f"{self._http.base_url} responded without a list of tickets."
            )
        found = (self._parse(as_object(issue)) for issue in issues[:limit])
        return [issue for issue in found if issue]

    def find(self, key: str, *, deadline: float) -> IssueDetails | None:
        """Return the ticket, or None if the account sees none.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-get
        """
        path = f"/issue/{quote(key, safe='')}?fields={','.join(FIELDS)}"
        try:
            found = self._http.read(path, "read the ticket", deadline=deadline)
        except JiraProjectInvalid:  # what Jira's 404 becomes
            return None
        if issue := self._parse(found.json):
            return issue
        raise JiraBadResponse(f"{self._http.base_url} responded without a ticket.")

    def _parse(self, issue: Mapping[str, Any]) -> IssueDetails | None:
        """Parse an issue leniently: only its id and its key are required."""
        fields, ticket = as_object(issue.get("fields")), identify(issue, self._http)
        if not ticket:
            return None
        project = _get_text(fields.get("project"), "key")
        return IssueDetails(
            **ticket,
            summary=str(fields.get("summary") or "")[:MAX_TEXT],
            status=_get_text(fields.get("status"), "name"),
            priority=_get_text(fields.get("priority"), "name"),
            assignee=_get_text(fields.get("assignee"), "displayName"),
            issue_type=_get_text(fields.get("issuetype"), "name"),
            project=project or ticket["key"].rpartition("-")[0],
            created=parse_time(fields.get("created")),
            updated=parse_time(fields.get("updated")),
        )


def _get_text(field: object, name: str) -> str:
    return str(as_object(field).get(name) or "")[:MAX_TEXT]

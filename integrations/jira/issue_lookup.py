"""Finds tickets: one by its key, or several by words of their summary."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from integrations.jira.errors import JiraBadResponse, JiraProjectInvalid
from integrations.jira.http import JiraHttp
from integrations.jira.response import as_object

FIELDS = ["summary", "status", "project", "issuetype"]
MAX_FOUND = 20
MAX_TEXT = 255
"""Characters of a summary; Jira's limit."""
MAX_WORDS = 10
SEARCH_PAGE = 1000

_issue_key = re.compile(r"[A-Z][A-Z0-9_]{0,99}-[1-9][0-9]{0,18}")
_issue_id = re.compile(r"[0-9]{1,20}")


def is_issue_key(text: str) -> bool:
    """Whether the text has the form of a ticket's key, such as SCRUM-7."""
    return bool(_issue_key.fullmatch(text))


def is_issue_id(text: str) -> bool:
    """Whether the text has the form of a ticket's immutable id, such as 10000."""
    return bool(_issue_id.fullmatch(text))


@dataclass(frozen=True, kw_only=True)
class MarkedIssue:
    """A ticket that has our property; `created` is by Jira's clock.

    `marker` holds the strings in the property's value.
    """

    id: str
    key: str
    url: str
    summary: str
    created: datetime
    marker: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class FoundTicket:
    """A ticket as Jira shows it. `project_key` is the project it is in now.

    `marked` is the same ticket with its marker, if it was asked for and has one.
    """

    id: str
    key: str
    url: str
    summary: str
    status: str
    project_key: str
    is_subtask: bool
    marked: MarkedIssue | None


class IssueLookup:
    """Reads the tickets that one account sees. Each method raises JiraErrors.

    `deadline` is a reading of `time.monotonic()`.
    """

    def __init__(self, http: JiraHttp) -> None:
        self._http = http

    def find(
        self, key: str, *, property_key: str = "", deadline: float
    ) -> FoundTicket | None:
        """Return the ticket, or None if the account sees none.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-get
        """
        path = f"/rest/api/3/issue/{quote(key, safe='')}?fields={','.join(FIELDS)}"
        if property_key:
            path += f",created&properties={quote(property_key, safe='')}"
        try:
            found = self._http.read("GET", path, "read the ticket", deadline=deadline)
        except JiraProjectInvalid:  # what Jira's 404 becomes
            return None
        ticket = self._parse(found.json, property_key)
        if ticket is None:
            raise JiraBadResponse(f"{self._http.base_url} responded without a ticket.")
        return ticket

    def search(
        self, project_key: str, words: str, *, deadline: float
    ) -> list[FoundTicket]:
        """Return at most MAX_FOUND tickets of the project that have all the words.

        The most recently updated come first. Without words, any ticket matches.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
        """
        query = {
            "jql": build_jql(project_key, words),
            "maxResults": MAX_FOUND,
            "fields": FIELDS,
        }
        path, purpose = "/rest/api/3/search/jql", f"search project {project_key}"
        page = self._http.read(
            "POST",
            path,
            purpose,
            json=query,
            deadline=deadline,
            searched_project=project_key,
        )
        issues = page.json.get("issues")
        if not isinstance(issues, list):
            raise self._no_list()
        found = map(self._parse, map(as_object, issues[:MAX_FOUND]))
        return [ticket for ticket in found if ticket]

    def search_marked(
        self,
        property_key: str,
        *,
        created_after: timedelta,
        created_before: timedelta,
        project_key: str,
        own: bool,
        deadline: float,
    ) -> Iterator[list[MarkedIssue]]:
        """Yield the tickets that have the property, the oldest first, page by page.

        Jira's search shows a ticket seconds to minutes after its creation, or hours
        after it during an incident. `created_after` and `created_before` are ages,
        rounded outwards to minutes: JQL reads absolute times in the account's time
        zone. `own` restricts to tickets that the account created; an empty
        `project_key` searches the whole site.

        Raises JiraErrors if Jira does not return a list of tickets.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
        """
        body: dict[str, Any] = {
            "jql": _marked_jql(created_after, created_before, project_key, own=own),
            "maxResults": SEARCH_PAGE,
            "fields": ["created", "summary"],
            "properties": [property_key],
        }
        while True:
            page = self._search_page(body, project_key, deadline)
            issues = map(as_object, page["issues"])
            marked = (self._parse_marked(issue, property_key) for issue in issues)
            yield [issue for issue in marked if issue]
            token = page.get("nextPageToken")
            if page.get("isLast") is False and not token:
                raise JiraBadResponse(
                    f"{self._http.base_url} listed only some tickets."
                )
            if page.get("isLast") or not token:
                return
            body["nextPageToken"] = token

    def _search_page(
        self, body: dict[str, Any], project_key: str, deadline: float
    ) -> Mapping[str, Any]:
        """Return a page; halve `maxResults` in `body` while the response is too big.

        A property may have 32 KB, so a page of tickets may have more than we read.
        """
        path = "/rest/api/3/search/jql"
        while True:
            response = self._http.read(
                "POST",
                path,
                "search for tickets",
                json=body,
                deadline=deadline,
                searched_project=project_key,
            )
            is_too_big = response.truncated or response.is_too_complex
            if is_too_big and body["maxResults"] > 1:
                body["maxResults"] //= 2
                continue
            page = response.json
            if not isinstance(page.get("issues"), list):  # malformed, not empty
                raise self._no_list()
            return page

    def _no_list(self) -> JiraBadResponse:
        return JiraBadResponse(
            f"{self._http.base_url} responded without a list of tickets."
        )

    def _parse(
        self, issue: Mapping[str, Any], property_key: str = ""
    ) -> FoundTicket | None:
        """Parse an issue leniently: only its id and its key are required."""
        fields = as_object(issue.get("fields"))
        issue_id, key = str(issue.get("id")), str(issue.get("key"))
        if not (is_issue_id(issue_id) and is_issue_key(key)):
            return None
        project = as_object(fields.get("project")).get("key")
        return FoundTicket(
            id=issue_id,
            key=key,
            url=self._http.browse_url(key),
            summary=str(fields.get("summary") or "")[:MAX_TEXT],
            status=str(as_object(fields.get("status")).get("name") or "")[:MAX_TEXT],
            project_key=str(project or key.rpartition("-")[0]),
            is_subtask=as_object(fields.get("issuetype")).get("subtask") is True,
            marked=self._parse_marked(issue, property_key),
        )

    def _parse_marked(
        self, issue: Mapping[str, Any], property_key: str
    ) -> MarkedIssue | None:
        """Parse an issue strictly; None if it lacks the property or another value."""
        value = as_object(issue.get("properties")).get(property_key)
        issue_id, key = str(issue.get("id")), str(issue.get("key"))
        fields = as_object(issue.get("fields"))
        created = _parse_time(fields.get("created"))
        if not (value and created and is_issue_id(issue_id) and is_issue_key(key)):
            return None
        return MarkedIssue(
            id=issue_id,
            key=key,
            url=self._http.browse_url(key),
            summary=str(fields.get("summary") or ""),
            created=created,
            marker={k: v for k, v in as_object(value).items() if isinstance(v, str)},
        )


def _marked_jql(
    created_after: timedelta, created_before: timedelta, project_key: str, *, own: bool
) -> str:
    oldest = math.ceil(created_after / timedelta(minutes=1))
    newest = math.floor(created_before / timedelta(minutes=1))
    clauses = ["creator = currentUser()"] if own else []
    clauses += [f'project = "{project_key}"'] if project_key else []
    clauses += [f'created >= "-{oldest}m"']
    clauses += [f'created <= "-{newest}m"'] if newest > 0 else []
    return f"{' AND '.join(clauses)} ORDER BY created ASC"


def build_jql(project_key: str, words: str) -> str:
    """Return the query. Only the letters and digits of `words` are used.

    So no character with a meaning in JQL or in its text search is ever sent. Each word
    matches itself, its other forms, and words that begin with it.
    """
    clauses = [f'project = "{project_key}"']
    clauses += [
        f'(summary ~ "{word}" OR summary ~ "{word}*")'
        for word in re.findall(r"[^\W_]+", words)[:MAX_WORDS]
    ]
    return f"{' AND '.join(clauses)} ORDER BY updated DESC"


def _parse_time(value: object) -> datetime | None:
    """Read a time such as 2026-01-31T12:00:00.000+0000, None for anything else."""
    try:
        moment = datetime.fromisoformat(str(value)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if 2000 <= moment.year < 2200 else None

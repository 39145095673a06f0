"""Finds tickets: one by its key, or several by words of their summary."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from integrations.jira.errors import JiraBadResponse, JiraProjectInvalid
from integrations.jira.http import JiraHttp
from integrations.jira.response import JiraResponse, as_object

FIELDS = ["summary", "status", "project", "issuetype"]
MAX_FOUND = 20
MAX_TEXT = 255
"""Characters of a summary; Jira's limit."""
MAX_WORDS = 10
SEARCH = "/search/jql"
SEARCH_PAGE = 1000

_issue_key = re.compile(r"[A-Z][A-Z0-9_]{0,99}-[1-9][0-9]{0,18}")
_issue_id = re.compile(r"[0-9]{1,20}")


def is_issue_key(text: str) -> bool:
    """Whether the text has the form of a ticket's key, such as SCRUM-7."""
    return bool(_issue_key.fullmatch(text))


def identify(issue: Mapping[str, Any], http: JiraHttp) -> dict[str, str]:
    """Return the id, key and url of an issue; {} if Jira's id or key is malformed."""
    issue_id, key = str(issue.get("id")), str(issue.get("key"))
    if not (_issue_id.fullmatch(issue_id) and is_issue_key(key)):
        return {}
    return {"id": issue_id, "key": key, "url": http.browse_url(key)}


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


@dataclass(frozen=True, kw_only=True)
class MarkedSearch:
    """Which tickets to search for, among those that have a property.

    `created_after` and `created_before` are ages, rounded outwards to minutes: JQL
    reads absolute times in the account's time zone. `own` limits the search to tickets
    that the account created. An empty `project_key` searches the whole site.
    """

    created_after: timedelta
    created_before: timedelta = timedelta(0)
    project_key: str = ""
    own: bool = True

    @property
    def jql(self) -> str:
        """The query."""
        oldest = math.ceil(self.created_after / timedelta(minutes=1))
        newest = math.floor(self.created_before / timedelta(minutes=1))
        clauses = ["creator = currentUser()"] if self.own else []
        clauses += [f'project = "{self.project_key}"'] if self.project_key else []
        clauses += [f'created >= "-{oldest}m"']
        clauses += [f'created <= "-{newest}m"'] if newest > 0 else []
        return f"{' AND '.join(clauses)} ORDER BY created ASC"


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
        marker = f",created&properties={quote(property_key)}" if property_key else ""
        shown = ",".join(FIELDS) + marker
        path = f"/issue/{quote(key, safe='')}?fields={shown}"
        try:
            found = self._http.read(path, "read the ticket", deadline=deadline)
        except JiraProjectInvalid:  # what Jira's 404 becomes
            return None
        if ticket := self._parse(found.json, property_key):
            return ticket
        raise self._bad_response("responded without a ticket")

    def search(
        self, project_keys: Sequence[str], words: str, *, deadline: float
    ) -> list[FoundTicket]:
        """Return at most MAX_FOUND tickets of the projects that have all the words.

        The most recently updated come first. Without words, any ticket matches.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
        """
        jql = build_jql(project_keys, words)
        purpose = f"search project {', '.join(project_keys)}"
        body = {"jql": jql, "maxResults": MAX_FOUND, "fields": FIELDS}
        page = self._post_query(body, purpose, project_keys, deadline)
        found = map(self._parse, self._read_issues(page)[:MAX_FOUND])
        return [ticket for ticket in found if ticket]

    def search_marked(
        self, property_key: str, search: MarkedSearch, *, deadline: float
    ) -> Iterator[list[MarkedIssue]]:
        """Yield the tickets that have the property, the oldest first, page by page.

        Jira's search shows a ticket seconds to minutes after its creation, or hours
        after it during an incident. Raises JiraErrors if Jira does not return a list of
        tickets.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
        """
        body: dict[str, Any] = {
            "jql": search.jql,
            "maxResults": SEARCH_PAGE,
            "fields": ["created", "summary"],
            "properties": [property_key],
        }
        while True:
            page = self._search_page(body, search.project_key, deadline)
            issues = self._read_issues(page)
            marked = (self._parse_marked(issue, property_key) for issue in issues)
            yield [issue for issue in marked if issue]
            token = page.json.get("nextPageToken")
            if page.json.get("isLast") is False and not token:
                raise self._bad_response("listed only some tickets")
            if page.json.get("isLast") or not token:
                return
            body["nextPageToken"] = token

    def _search_page(
        self, body: dict[str, Any], project_key: str, deadline: float
    ) -> JiraResponse:
        """Return a page; halve `maxResults` in `body` while the response is too large.

        A property may have 32 KB, so a page of tickets may exceed what we read.
        """
        projects = [project_key] if project_key else []
        while True:
            page = self._post_query(body, "search for tickets", projects, deadline)
            is_too_big = page.truncated or page.is_too_complex
            if not is_too_big or body["maxResults"] == 1:
                return page
            body["maxResults"] //= 2

    def _post_query(
        self,
        body: dict[str, Any],
        purpose: str,
        project_keys: Sequence[str],
        deadline: float,
    ) -> JiraResponse:
        return self._http.read(
            SEARCH,
            purpose,
            json=body,
            deadline=deadline,
            searched_projects=project_keys,
        )

    def _read_issues(self, page: JiraResponse) -> list[Mapping[str, Any]]:
        """Return the issues of a page. A malformed page is not an empty one."""
        issues = page.json.get("issues")
        if not isinstance(issues, list):
            raise self._bad_response("responded without a list of tickets")
        return [as_object(issue) for issue in issues]

    def _bad_response(self, problem: str) -> JiraBadResponse:
        return JiraBadResponse(f"{self._http.base_url} {problem}.")

    def _parse(
        self, issue: Mapping[str, Any], property_key: str = ""
    ) -> FoundTicket | None:
        """Parse an issue leniently: only its id and its key are required."""
        fields, ticket = as_object(issue.get("fields")), identify(issue, self._http)
        if not ticket:
            return None
        project = as_object(fields.get("project")).get("key")
        return FoundTicket(
            **ticket,
            summary=str(fields.get("summary") or "")[:MAX_TEXT],
            status=str(as_object(fields.get("status")).get("name") or "")[:MAX_TEXT],
            project_key=str(project or ticket["key"].rpartition("-")[0]),
            is_subtask=as_object(fields.get("issuetype")).get("subtask") is True,
            marked=self._parse_marked(issue, property_key),
        )

    def _parse_marked(
        self, issue: Mapping[str, Any], property_key: str
    ) -> MarkedIssue | None:
        """Parse an issue strictly; None if it lacks the property or another value."""
        value = as_object(issue.get("properties")).get(property_key)
        fields, ticket = as_object(issue.get("fields")), identify(issue, self._http)
        created = parse_time(fields.get("created"))
        if not (value and created and ticket):
            return None
        return MarkedIssue(
            **ticket,
            summary=str(fields.get("summary") or ""),
            created=created,
            marker={k: v for k, v in as_object(value).items() if isinstance(v, str)},
        )


def build_jql(project_keys: Sequence[str], words: str) -> str:
    """Return the query.

    It uses only the letters and digits of `words`, so it never contains a special
    character of JQL or of its text search. Each word matches itself, its other forms,
    and words that begin with it.
    """
    keys = ", ".join(f'"{key}"' for key in project_keys)
    clauses = [f"project IN ({keys})"]
    clauses += [
        f'(summary ~ "{word}" OR summary ~ "{word}*")'
        for word in re.findall(r"[^\W_]+", words)[:MAX_WORDS]
    ]
    return f"{' AND '.join(clauses)} ORDER BY updated DESC"


def parse_time(value: object) -> datetime | None:
    """Read a time such as 2026-01-31T12:00:00.000+0000, None for anything else."""
    try:
        moment = datetime.fromisoformat(str(value)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if 2000 <= moment.year < 2200 else None

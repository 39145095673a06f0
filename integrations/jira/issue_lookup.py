"""Finds tickets: one by its key, or several by words of their summary."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from integrations.jira.errors import JiraBadResponse, JiraProjectInvalid
from integrations.jira.http import JiraHttp
from integrations.jira.response import as_object

FIELDS = ["summary", "status", "project"]
MAX_FOUND = 20
MAX_WORDS = 10
ISSUE_KEY = re.compile(r"[A-Z][A-Z0-9_]*-[1-9][0-9]*")


@dataclass(frozen=True, kw_only=True)
class FoundTicket:
    """A ticket as Jira shows it. `project_key` is the project it is in now."""

    key: str
    url: str
    summary: str
    status: str
    project_key: str


class IssueLookup:
    """Reads the tickets that one account sees. Each method raises JiraErrors.

    `deadline` is a reading of `time.monotonic()`.
    """

    def __init__(self, http: JiraHttp) -> None:
        self._http = http

    def find(self, key: str, *, deadline: float) -> FoundTicket | None:
        """Return the ticket, or None if the account sees none.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-get
        """
        path = f"/rest/api/3/issue/{quote(key, safe='')}?fields={','.join(FIELDS)}"
        try:
            found = self._http.read("GET", path, "read the ticket", deadline=deadline)
        except JiraProjectInvalid:  # what Jira's 404 becomes
            return None
        return self._parse(found.json)

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
        page = self._http.read("POST", path, purpose, json=query, deadline=deadline)
        issues = page.json.get("issues")
        if not isinstance(issues, list):
            raise JiraBadResponse(f"{self._http.base_url} responded without tickets.")
        return [self._parse(issue) for issue in issues if isinstance(issue, dict)]

    def _parse(self, issue: Mapping[str, Any]) -> FoundTicket:
        """Parse an issue leniently: a value that is missing becomes empty."""
        fields = as_object(issue.get("fields"))
        key = str(issue.get("key") or "")
        project = as_object(fields.get("project")).get("key")
        return FoundTicket(
            key=key,
            url=self._http.browse_url(key),
            summary=str(fields.get("summary") or ""),
            status=str(as_object(fields.get("status")).get("name") or ""),
            project_key=str(project or key.rpartition("-")[0]),
        )


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

"""The tickets that are there: one by its key, some by their words."""

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
    """A ticket as Jira shows it; `project_key` of where it is now."""

    key: str
    url: str
    summary: str
    status: str
    project_key: str


class IssueLookup:
    """Reads the tickets that one account sees. Each method raises JiraErrors.

    `deadline` is a reading of `time.monotonic()`.
    """

    def __init__(self, site: JiraHttp) -> None:
        self._site = site

    def find(self, key: str, *, deadline: float) -> FoundTicket | None:
        """Return the ticket, None if there is none that the account sees.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-get
        """
        path = f"/rest/api/3/issue/{quote(key, safe='')}?fields={','.join(FIELDS)}"
        try:
            response = self._site.read("GET", path, deadline=deadline)
        except JiraProjectInvalid:  # so Jira answers where it shows no such thing
            return None
        return self._found(response.json)

    def search(
        self, project_key: str, words: str, *, deadline: float
    ) -> list[FoundTicket]:
        """Return tickets of the project with all the words, the newest changes first.

        Without words, those changed last. At most MAX_FOUND.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
        """
        asked = {
            "jql": build_jql(project_key, words),
            "maxResults": MAX_FOUND,
            "fields": FIELDS,
        }
        path = "/rest/api/3/search/jql"
        page = self._site.read("POST", path, deadline=deadline, json=asked).json
        issues = page.get("issues")
        if not isinstance(issues, list):
            raise JiraBadResponse(f"{self._site.base_url} answered without tickets.")
        return [self._found(issue) for issue in issues if isinstance(issue, dict)]

    def _found(self, issue: Mapping[str, Any]) -> FoundTicket:
        """Read an issue with tolerance: what it lacks is empty."""
        fields = as_object(issue.get("fields"))
        key = str(issue.get("key") or "")
        project = as_object(fields.get("project")).get("key")
        return FoundTicket(
            key=key,
            url=self._site.browse_url(key),
            summary=str(fields.get("summary") or ""),
            status=str(as_object(fields.get("status")).get("name") or ""),
            project_key=str(project or key.rpartition("-")[0]),
        )


def build_jql(project_key: str, words: str) -> str:
    """Return the query. Of `words`, whatever they hold, only letters and digits stay.

    So none of the signs that have a meaning in JQL or in its text search is ever sent.
    Each word counts as it stands, in its other forms, and as the beginning of one.
    """
    clauses = [f'project = "{project_key}"']
    clauses += [
        f'(summary ~ "{word}" OR summary ~ "{word}*")' for word in _words(words)
    ]
    return f"{' AND '.join(clauses)} ORDER BY updated DESC"


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)[:MAX_WORDS]

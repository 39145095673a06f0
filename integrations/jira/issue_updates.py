"""Changes an existing ticket: adds a comment, makes a transition."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from integrations.jira.http import JiraHttp
from integrations.jira.response import as_object
from integrations.jira.text.adf import Node

MAX_COMMENTS = 100
"""How many of the newest comments are searched for our own comment."""


@dataclass(frozen=True, kw_only=True)
class Transition:
    """A change of status that the account may make. `category` is that of `status`."""

    id: str
    name: str
    status: str
    category: str


class IssueUpdates:
    """Changes tickets, by their id. Each method raises JiraErrors.

    `deadline` is a reading of `time.monotonic()`.
    """

    def __init__(self, http: JiraHttp) -> None:
        self._http = http

    def has_comment(self, issue_id: str, marker: str, *, deadline: float) -> bool:
        """Whether one of the newest comments contains the marker.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/#api-rest-api-3-issue-issueidorkey-comment-get
        """
        path = f"{_path(issue_id)}/comment?orderBy=-created&maxResults={MAX_COMMENTS}"
        page = self._http.read(path, "read the ticket's comments", deadline=deadline)
        found = page.json.get("comments")
        comments = found if isinstance(found, list) else []
        return any(marker in json.dumps(as_object(one).get("body")) for one in comments)

    def add_comment(
        self,
        issue_id: str,
        document: Node,
        *,
        deadline: float,
        before_send: Callable[[], None],
    ) -> None:
        """Add a comment. `before_send` runs just before the request.

        `document` comes from `JiraClient.to_jira_text`.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/#api-rest-api-3-issue-issueidorkey-comment-post
        """
        self._http.read(
            f"{_path(issue_id)}/comment",
            "comment on the ticket",
            json={"body": document},
            deadline=deadline,
            permission="for the permission Add comments",
            before_send=before_send,
        )

    def list_transitions(self, issue_id: str, *, deadline: float) -> list[Transition]:
        """Return the transitions of the ticket in its present status.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-transitions-get
        """
        path, purpose = (
            f"{_path(issue_id)}/transitions",
            "read the ticket's transitions",
        )
        found = self._http.read(path, purpose, deadline=deadline).json
        listed = found.get("transitions")
        return list(map(_parse, listed if isinstance(listed, list) else []))

    def make_transition(
        self, issue_id: str, transition: Transition, *, deadline: float
    ) -> None:
        """Change the ticket's status.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-transitions-post
        """
        self._http.read(
            f"{_path(issue_id)}/transitions",
            "reopen the ticket",
            json={"transition": {"id": transition.id}},
            deadline=deadline,
            permission="for the permission Transition issues",
        )


def find_reopening(transitions: Iterable[Transition], wanted: str) -> Transition | None:
    """Return the transition to a status that is not done, or None if there is none.

    If there are several, choose the one with the wanted name or target status. Without
    a wanted name, choose the first that leads to a new status, or else the first.
    """
    opening = [one for one in transitions if one.category != "done"]
    named = [
        one
        for one in opening
        if wanted.casefold() in (one.name.casefold(), one.status.casefold())
    ]
    if wanted:
        return next(iter(named), None)
    return min(opening, key=lambda one: one.category != "new", default=None)


def _path(issue_id: str) -> str:
    return f"/issue/{quote(issue_id, safe='')}"


def _parse(found: Mapping[str, Any]) -> Transition:
    status = as_object(as_object(found).get("to"))
    return Transition(
        id=str(as_object(found).get("id")),
        name=str(as_object(found).get("name") or ""),
        status=str(status.get("name") or ""),
        category=str(as_object(status.get("statusCategory")).get("key") or ""),
    )

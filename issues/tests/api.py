"""An API client that can create tickets."""

from typing import Any

import requests

from issues.models import AIIssueGroup
from killthenoise.tests.api import Api as BaseApi
from killthenoise.tests.api import assert_error

__all__ = ["CONTENT", "Api", "assert_error"]

CONTENT = {"title": "Export fails", "description": "The file is empty."}


class Api(BaseApi):
    """Sends requests to a server as one tenant."""

    def create(
        self, group: AIIssueGroup | str, body: Any = None, **kw: Any
    ) -> requests.Response:
        """POST create-jira-ticket with `body`, by default CONTENT."""
        path = f"/api/issues/ai/{_get_id(group)}/create-jira-ticket"
        return self.request("POST", path, json=CONTENT if body is None else body, **kw)

    def link(
        self, group: AIIssueGroup | str, body: Any, **options: Any
    ) -> requests.Response:
        """POST link-jira-ticket; a string is the ticket's key."""
        body = {"ticket_key": body} if isinstance(body, str) else body
        path = f"/api/issues/ai/{_get_id(group)}/link-jira-ticket"
        return self.request("POST", path, json=body, **options)

    def unlink(self, group: AIIssueGroup | str, key: str) -> requests.Response:
        """DELETE the ticket of the group."""
        return self.request(
            "DELETE", f"/api/issues/ai/{_get_id(group)}/jira-tickets/{key}"
        )


def _get_id(group: AIIssueGroup | str) -> str:
    return group if isinstance(group, str) else str(group.pk)

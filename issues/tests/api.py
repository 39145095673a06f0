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
        group_id = group if isinstance(group, str) else group.pk
        path = f"/api/issues/ai/{group_id}/create-jira-ticket"
        return self.request("POST", path, json=CONTENT if body is None else body, **kw)

"""What a Jira site tells of itself: account, projects, issue types, their fields.

Read with tolerance: what an response lacks is empty here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from integrations.jira.errors import JiraBadResponse
from integrations.jira.http import JiraHttp

PAGE = 100
MAX_PAGES = 20


@dataclass(frozen=True, kw_only=True)
class Account:
    """Who Jira says that we are; `email` is empty if the account hides it."""

    account_id: str
    display_name: str
    email: str


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project that the account sees, and the issue types that are no subtasks."""

    id: str
    key: str
    name: str
    issue_types: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class IssueType:
    """An issue type of a project."""

    id: str
    name: str
    subtask: bool


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a create screen.

    `allowed` holds the values to choose from, as Jira shows them; None if any value
    of the field's type will do.
    """

    id: str
    name: str
    required: bool
    has_default: bool
    allowed: tuple[Mapping[str, Any], ...] | None


class Metadata:
    """Reads what one account sees of a site. Each method raises JiraErrors.

    `deadline` is a reading of `time.monotonic()`.
    """

    def __init__(self, site: JiraHttp) -> None:
        self._site = site

    def myself(self, *, deadline: float) -> Account:
        """Return the account. Jira answers this to no anonymous request.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-myself/#api-rest-api-3-myself-get
        """
        response = self._site.read("GET", "/rest/api/3/myself", deadline=deadline).json
        if not response.get("accountId"):
            raise JiraBadResponse(f"{self._site.base_url} answered without an account.")
        return Account(
            account_id=str(response["accountId"]),
            display_name=str(response.get("displayName") or ""),
            email=str(response.get("emailAddress") or ""),
        )

    def cloud_id(self, *, deadline: float) -> UUID:
        """Return Atlassian's id of the site, which it tells anybody.

        https://support.atlassian.com/jira/kb/retrieve-my-atlassian-sites-cloud-id/
        """
        response = self._site.read_openly("/_edge/tenant_info", deadline=deadline)
        try:
            return UUID(str(response.json.get("cloudId")))
        except ValueError as exc:
            site = self._site.base_url
            raise JiraBadResponse(f"{site} answered without its cloud id.") from exc

    def projects(
        self, *, deadline: float, query: str = "", action: str = "view"
    ) -> list[Project]:
        """Return the projects in whose key or name `query` is.

        `action` is what the account can do there: view, browse, edit or create.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-projects/#api-rest-api-3-project-search-get
        """
        path = "/rest/api/3/project/search"
        asked = {"query": query, "action": action, "expand": "issueTypes"}
        return [_project(one) for one in self._pages(path, "values", deadline, **asked)]

    def has_permission(
        self, permission: str, project_key: str, *, deadline: float
    ) -> bool:
        """Whether the account has a permission, such as CREATE_ISSUES, in a project.

        Raises JiraProjectInvalid if there is no such project.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-permissions/#api-rest-api-3-mypermissions-get
        """
        query = urlencode({"projectKey": project_key, "permissions": permission})
        path = f"/rest/api/3/mypermissions?{query}"
        found = self._site.read("GET", path, deadline=deadline).json.get("permissions")
        response = found.get(permission) if isinstance(found, dict) else None
        return isinstance(response, dict) and response.get("havePermission") is True

    def issue_types(self, project_key: str, *, deadline: float) -> list[IssueType]:
        """Return the issue types that the account can create in the project.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-createmeta-projectidorkey-issuetypes-get
        """
        path = f"/rest/api/3/issue/createmeta/{quote(project_key, safe='')}/issuetypes"
        return [
            IssueType(
                id=str(one.get("id")),
                name=_name(one),
                subtask=one.get("subtask") is True,
            )
            for one in self._pages(path, "issueTypes", deadline)
        ]

    def fields(
        self, project_key: str, issue_type_id: str, *, deadline: float
    ) -> list[Field]:
        """Return the fields of the create screen of an issue type.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-createmeta-projectidorkey-issuetypes-issuetypeid-get
        """
        path = (
            f"/rest/api/3/issue/createmeta/{quote(project_key, safe='')}/issuetypes/"
            f"{quote(issue_type_id, safe='')}"
        )
        return [_field(one) for one in self._pages(path, "fields", deadline)]

    def field_names(
        self, project_key: str, issue_type: str, *, deadline: float
    ) -> dict[str, str]:
        """Return the display names of the create screen's fields by their id."""
        types = self.issue_types(project_key, deadline=deadline)
        type_id = next((one.id for one in types if one.name == issue_type), None)
        if type_id is None:
            return {}
        fields = self.fields(project_key, type_id, deadline=deadline)
        return {field.id: field.name for field in fields}

    def _pages(
        self, path: str, name: str, deadline: float, **query: str
    ) -> Iterator[dict[str, Any]]:
        """Yield the objects in the list called `name`, of all pages."""
        start = 0
        for _ in range(MAX_PAGES):
            asked = urlencode({**query, "startAt": start, "maxResults": PAGE})
            page = self._site.read("GET", f"{path}?{asked}", deadline=deadline).json
            found = page.get(name)
            if not isinstance(found, list):
                raise JiraBadResponse(f"{self._site.base_url} answered without {name}.")
            yield from (one for one in found if isinstance(one, dict))
            start += len(found)
            total = page.get("total")
            more = isinstance(total, int) and start < total
            if page.get("isLast", not more) or not found:
                return


def _name(one: Mapping[str, Any]) -> str:
    return str(one.get("name") or "")


def _project(one: Mapping[str, Any]) -> Project:
    types = one.get("issueTypes")
    usable = [
        _name(kind)
        for kind in _objects(types if isinstance(types, list) else [])
        if kind.get("subtask") is not True
    ]
    return Project(
        id=str(one.get("id")),
        key=str(one.get("key")),
        name=_name(one),
        issue_types=tuple(usable),
    )


def _field(one: Mapping[str, Any]) -> Field:
    allowed = one.get("allowedValues")
    return Field(
        id=str(one.get("fieldId") or one.get("key")),
        name=_name(one),
        required=one.get("required") is True,
        has_default=one.get("hasDefaultValue") is True,
        allowed=_objects(allowed) if isinstance(allowed, list) else None,
    )


def _objects(found: list[Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(one for one in found if isinstance(one, dict))

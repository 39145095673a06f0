"""Reads the account, projects, issue types and create screens of a Jira site.

Responses are parsed leniently: a value that is missing becomes empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize
from urllib.parse import quote, urlencode
from uuid import UUID

from integrations.jira.errors import JiraBadResponse, JiraError
from integrations.jira.http import JiraHttp
from integrations.jira.response import as_object

PAGE = 100
MAX_PAGES = 20
MAX_ITEMS = PAGE * MAX_PAGES
"""The largest number of objects that are read from a list, on all its pages."""
MAX_TYPES = 100
"""Issue types of one project in a list of projects."""
MAX_ALLOWED = 1000
"""The largest number of choices of a field."""
MAX_NAME = 255
"""Characters; Jira's names are shorter."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """The account that is logged in. `email` is empty if the account hides it."""

    account_id: str
    display_name: str
    email: str


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project that the account sees, and its issue types except subtasks."""

    id: str
    key: str
    name: str
    issue_types: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class IssueType:
    """An issue type of a project.

    `name` is in the language of the response. `untranslated_name` is in English, or ""
    if Jira does not return it.
    """

    id: str
    name: str
    subtask: bool
    untranslated_name: str = ""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a create screen.

    `allowed` holds the choices as Jira shows them. It is None if the field takes any
    value of its type, or has more than MAX_ALLOWED choices. `kind` is Jira's type of
    the value, such as string, number, option, or array for a list.
    """

    id: str
    name: str
    required: bool
    has_default: bool
    allowed: tuple[Mapping[str, Any], ...] | None
    kind: str = ""


class Metadata:
    """Reads what one account sees on a site. The methods raise JiraErrors.

    `deadline` is a reading of `time.monotonic()`.
    """

    def __init__(self, http: JiraHttp) -> None:
        self._http = http

    def myself(self, *, deadline: float) -> Account:
        """Return the account. Jira rejects this request if it is anonymous.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-myself/#api-rest-api-3-myself-get
        """
        user = self._http.read("/myself", "log in", deadline=deadline).json
        if not user.get("accountId"):
            raise self._missing("an account")
        return Account(
            account_id=str(user["accountId"])[:MAX_NAME],
            display_name=str(user.get("displayName") or "")[:MAX_NAME],
            email=str(user.get("emailAddress") or "")[:MAX_NAME],
        )

    def cloud_id(self, *, deadline: float) -> UUID:
        """Return Atlassian's id of the site. It is public.

        https://support.atlassian.com/jira/kb/retrieve-my-atlassian-sites-cloud-id/
        """
        path, purpose = "/_edge/tenant_info", "read the site's cloud id"
        site = self._http.anonymous()
        response = site.read(path, purpose, deadline=deadline)
        try:
            return UUID(str(response.json.get("cloudId")))
        except ValueError as exc:
            raise self._missing("its cloud id") from exc

    def projects(
        self, *, deadline: float, query: str = "", action: str = "view"
    ) -> list[Project]:
        """Return the projects whose key or name contains `query`.

        `action` is what the account may do there: view, browse, edit or create.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-projects/#api-rest-api-3-project-search-get
        """
        path, purpose = "/project/search", "list the projects"
        asked = {"query": query, "action": action, "expand": "issueTypes"}
        pages = self._read_pages(path, purpose, "values", deadline, asked)
        return [_parse_project(one) for one in pages]

    def has_permission(
        self, permission: str, project_key: str, *, deadline: float
    ) -> bool:
        """Whether the account has a permission, such as CREATE_ISSUES, in a project.

        Raises JiraProjectInvalid if there is no such project.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-permissions/#api-rest-api-3-mypermissions-get
        """
        query = urlencode({"projectKey": project_key, "permissions": permission})
        path = f"/mypermissions?{query}"
        purpose = f"read its permissions in project {project_key}"
        response = self._http.read(path, purpose, deadline=deadline)
        permissions = as_object(response.json.get("permissions"))
        return as_object(permissions.get(permission)).get("havePermission") is True

    def issue_types(
        self, project_key: str, *, deadline: float, english: bool = True
    ) -> list[IssueType]:
        """Return the issue types that the account may create in the project.

        Their names are in the language of the account if `english` is unset.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-createmeta-projectidorkey-issuetypes-get
        """
        path = f"/issue/createmeta/{quote(project_key, safe='')}/issuetypes"
        purpose = f"list the issue types of project {project_key}"
        types = self._read_pages(path, purpose, "issueTypes", deadline, english=english)
        return [_parse_type(one) for one in types]

    def fields(
        self, project_key: str, issue_type_id: str, *, deadline: float
    ) -> list[Field]:
        """Return the fields of the create screen of an issue type.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-createmeta-projectidorkey-issuetypes-issuetypeid-get
        """
        path = (
            f"/issue/createmeta/{quote(project_key, safe='')}/issuetypes/"
            f"{quote(issue_type_id, safe='')}"
        )
        purpose = f"read the create screen of project {project_key}"
        pages = self._read_pages(path, purpose, "fields", deadline)
        return [_parse_field(one) for one in pages]

    def field_names(
        self, project_key: str, issue_type: str, *, deadline: float
    ) -> dict[str, str]:
        """Return the names of the create screen's fields by id; {} if unreadable."""
        try:
            types = self.issue_types(project_key, deadline=deadline)
            if found := find_issue_type(types, issue_type):
                fields = self.fields(project_key, found.id, deadline=deadline)
                return {field.id: field.name for field in fields}
        except JiraError:
            pass
        return {}

    def _read_pages(
        self,
        path: str,
        purpose: str,
        name: str,
        deadline: float,
        query: Mapping[str, str] | None = None,
        *,
        english: bool = True,
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the first MAX_ITEMS objects of the list `name`, from all pages."""
        start = 0
        for _ in range(MAX_PAGES):
            asked = urlencode({**(query or {}), "startAt": start, "maxResults": PAGE})
            url = f"{path}?{asked}"
            page = self._http.read(
                url, purpose, deadline=deadline, english=english
            ).json
            found = page.get(name)
            if not isinstance(found, list):
                raise self._missing(name)
            yield from _objects(found[: MAX_ITEMS - start])
            start += len(found)
            total = page.get("total")
            more = isinstance(total, int) and start < total
            if page.get("isLast", not more) or not found or start >= MAX_ITEMS:
                return

    def _missing(self, name: str) -> JiraBadResponse:
        return JiraBadResponse(
            f"{self._http.base_url} responded without {name}. Check that the address "
            "in the Jira integration is your Jira site."
        )


def find_issue_type(types: Sequence[IssueType], name: str) -> IssueType | None:
    """Return the type with this name, or else with this English name.

    Otherwise ignore case, if only one type then matches.
    """
    if not name:
        return None
    named = [one for one in types if one.name == name]
    if exact := named or [one for one in types if one.untranslated_name == name]:
        return min(exact, key=lambda one: one.subtask)
    folded = [
        one
        for one in types
        if _fold(name) in (_fold(one.name), _fold(one.untranslated_name))
    ]
    return folded[0] if len(folded) == 1 else None


def _fold(name: str) -> str:
    return normalize("NFKC", name).casefold().strip()


def _name(one: Mapping[str, Any]) -> str:
    return str(one.get("name") or "")[:MAX_NAME]


def _parse_project(one: Mapping[str, Any]) -> Project:
    types = one.get("issueTypes")
    usable = [
        _name(kind)
        for kind in _objects(types[:MAX_TYPES] if isinstance(types, list) else [])
        if kind.get("subtask") is not True
    ]
    return Project(
        id=str(one.get("id"))[:MAX_NAME],
        key=str(one.get("key"))[:MAX_NAME],
        name=_name(one),
        issue_types=tuple(usable),
    )


def _parse_type(one: Mapping[str, Any]) -> IssueType:
    return IssueType(
        id=str(one.get("id"))[:MAX_NAME],
        name=_name(one),
        subtask=one.get("subtask") is True,
        untranslated_name=str(one.get("untranslatedName") or "")[:MAX_NAME],
    )


def _parse_field(one: Mapping[str, Any]) -> Field:
    allowed = one.get("allowedValues")
    is_choice = isinstance(allowed, list) and len(allowed) <= MAX_ALLOWED
    return Field(
        id=str(one.get("fieldId") or one.get("key"))[:MAX_NAME],
        name=_name(one),
        required=one.get("required") is True,
        has_default=one.get("hasDefaultValue") is True,
        allowed=_objects(allowed) if allowed and is_choice else None,
        kind=str(as_object(one.get("schema")).get("type") or "")[:MAX_NAME],
    )


def _objects(found: list[Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(one for one in found if isinstance(one, dict))

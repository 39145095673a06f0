"""Chooses the fields of a Jira issue: project, issue type, labels, priority and others.

The request's values come first, then those of the first route that matches the group,
then the integration's own.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from integrations.errors import NoProjectChosen
from integrations.models import Integration


@dataclass(frozen=True, kw_only=True)
class GroupFacts:
    """The facts about a group that routes can test."""

    severity: int | None
    team_id: str
    type: str
    tags: Collection[str]
    sources: Collection[str]


@dataclass(frozen=True, kw_only=True)
class AskedTarget:
    """The project and issue type that a request names; "" for what it does not name.

    A new value goes to the end, because the hash of a request depends on the order.
    """

    project_key: str = ""
    issue_type: str = ""

    @classmethod
    def of(cls, row: object) -> Self:
        """Return what a stored row names, in columns with the same names."""
        return cls(**{one.name: getattr(row, one.name) for one in fields(cls)})

    def as_data(self) -> dict[str, Any]:
        """Return the values that the request names."""
        return {name: value for name, value in vars(self).items() if value}


@dataclass(frozen=True, kw_only=True)
class TicketTarget:
    """Where a ticket goes, and the settings that add fields to it.

    `route` is the number of the route in the settings, from 1, or 0 without one.
    `project_key` is empty if nothing names a project.
    """

    project_key: str
    issue_type: str
    settings: Mapping[str, Any]
    route: int = 0


NOTHING_ASKED = AskedTarget()
_NAMED_BY = {
    "components": "name",
    "assignee": "id",
    "parent": "key",
    "priority": "name",
}
"""Fields whose values may be strings in the settings and are objects in Jira."""


def has_routes(integration: Integration) -> bool:
    """Whether the target of a ticket depends on its group."""
    return bool(integration.settings.get("routes"))


def choose_target(
    integration: Integration, asked: AskedTarget, facts: GroupFacts | None
) -> TicketTarget:
    """Return where the ticket goes. `facts` may be None if there are no routes."""
    matching = _find_route_target(integration, facts) if facts else None
    return replace(matching or get_own_target(integration), **asked.as_data())


def _find_route_target(
    integration: Integration, facts: GroupFacts
) -> TicketTarget | None:
    for target in list_route_targets(integration):
        when = integration.settings["routes"][target.route - 1].get("when", {})
        if is_match(when, facts):
            return target
    return None


def get_own_target(integration: Integration) -> TicketTarget:
    """Return the target of a group that no route matches."""
    return TicketTarget(
        project_key=integration.project_key,
        issue_type=integration.issue_type,
        settings=integration.settings,
    )


def list_route_targets(integration: Integration) -> Iterator[TicketTarget]:
    """Yield the target of each route, in their order."""
    for number, route in enumerate(integration.settings.get("routes", []), start=1):
        yield TicketTarget(
            project_key=route.get("project_key") or integration.project_key,
            issue_type=route.get("issue_type") or integration.issue_type,
            settings=_merge(integration.settings, route),
            route=number,
        )


def list_project_keys(integration: Integration) -> Sequence[str]:
    """Return the projects that tickets go to, the integration's own first.

    Raises NoProjectChosen if there is none.
    """
    targets = [get_own_target(integration), *list_route_targets(integration)]
    keys = dict.fromkeys(target.project_key for target in targets)
    keys.pop("", None)
    if not keys:
        raise NoProjectChosen
    return list(keys)


def is_match(when: Mapping[str, Any], facts: GroupFacts) -> bool:
    """Whether all conditions hold. Case does not matter."""
    named = {
        "team_id": [facts.team_id],
        "type": [facts.type],
        "tag": facts.tags,
        "source": facts.sources,
    }
    least = when.get("severity_min")
    if least is not None and (facts.severity is None or facts.severity < least):
        return False
    return all(
        when[name].casefold() in (str(value).casefold() for value in values)
        for name, values in named.items()
        if name in when
    )


def _merge(settings: Mapping[str, Any], route: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings plus the labels and fields of a route."""
    labels = [*settings.get("labels", []), *route.get("labels", [])]
    fields = {**settings.get("fields", {}), **route.get("fields", {})}
    return {**settings, "labels": list(dict.fromkeys(labels)), "fields": fields}


def extra_fields(
    settings: Mapping[str, Any], *, severity: int | None = None
) -> dict[str, Any]:
    """Return the fields that valid settings add, by id, in the form that Jira expects.

    The priority for the severity overrides a priority in `fields`.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
    """
    given = settings.get("fields", {}).items()
    fields = {name: _value(name, value) for name, value in given}
    if labels := settings.get("labels"):
        fields["labels"] = labels
    if priority := settings.get("priority_by_severity", {}).get(str(severity)):
        fields["priority"] = {"name": priority}
    return fields


def _value(name: str, value: Any) -> Any:
    key = _NAMED_BY.get(name)
    if key is None:
        return value
    if isinstance(value, list):
        return [_value(name, one) for one in value]
    if not isinstance(value, str):
        return value
    if key == "key":
        value = value.strip().upper()  # Jira's keys are upper case
    return {key: value}

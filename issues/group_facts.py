"""Reads the facts about a group that routes test."""

import json
from typing import Any
from uuid import UUID

from integrations.errors import NoProjectChosen
from integrations.models import Integration
from integrations.services import GroupFacts, TicketTarget, has_routes
from issues.models import AIIssueGroup, Report


def read_facts(integration: Integration, group_id: UUID) -> GroupFacts | None:
    """Return the facts of a group, or None if the integration has no routes."""
    if not has_routes(integration):
        return None
    groups = AIIssueGroup.objects.filter(pk=group_id)
    values = groups.values("severity", "team_id", "type", "tags").get()
    return GroupFacts(**values, sources=_read_sources(integration, group_id))


def make_facts(account: Any, group_id: UUID) -> GroupFacts | None:
    """Return the facts from the columns that `creation_sql.look` read."""
    if not has_routes(account):
        return None
    return GroupFacts(
        severity=account.group_severity,
        team_id=account.group_team_id,
        type=account.group_type,
        tags=json.loads(account.group_tags),
        sources=_read_sources(account, group_id),
    )


def _read_sources(integration: Integration, group_id: UUID) -> list[str]:
    """Return the sources of the group's reports, if a route tests them."""
    if not any("source" in route["when"] for route in integration.settings["routes"]):
        return []
    reports = Report.objects.filter(group=group_id)
    return list(reports.values_list("source", flat=True).distinct())


def require_project(target: TicketTarget) -> None:
    """Raise NoProjectChosen if nothing names a project."""
    if not target.project_key:
        raise NoProjectChosen

"""The facts of a group that the routes of an integration may look at."""

import json
from typing import Any
from uuid import UUID

from integrations.errors import NoProjectChosen
from integrations.models import Integration
from integrations.routes import GroupFacts, TicketTarget, has_routes
from issues.models import AIIssueGroup, Report


def read_facts(integration: Integration, group_id: UUID) -> GroupFacts | None:
    """Return the facts of a group; None if the integration has no routes."""
    if not has_routes(integration):
        return None
    groups = AIIssueGroup.objects.filter(pk=group_id)
    values = groups.values("severity", "team_id", "type", "tags").get()
    reports = Report.objects.filter(group=group_id)
    sources = reports.values_list("source", flat=True).distinct()
    return GroupFacts(**values, sources=list(sources))


def facts_of(account: Any) -> GroupFacts | None:
    """Return the facts that `creation_sql.look` has read with the account."""
    facts = account.route_facts
    return GroupFacts(**json.loads(facts)) if facts else None


def require_project(target: TicketTarget) -> None:
    """Raise NoProjectChosen if nothing names a project."""
    if not target.project_key:
        raise NoProjectChosen

"""Finds the groups that match a rule and have no ticket."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Now

from integrations.jira.errors import JiraRateLimited, JiraTicketLost, JiraUnreachable
from integrations.models import Integration
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.models.groups import GroupQuerySet

ACTOR = "rule:"
"""This prefix and the rule's name are the actor of tickets that the rule creates."""
DAY = timedelta(hours=24)
MAX_MATCHES = 20_000
"""The most matching groups that one evaluation reads."""
TEMPORARY = [JiraRateLimited.code, JiraUnreachable.code, JiraTicketLost.code]

Rule = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Match:
    """A group that matches a rule, and the values that the conditions test."""

    group_id: UUID
    title: str
    severity: int | None
    reports: int


def list_rules(integration: Integration) -> Sequence[Rule]:
    """Return the rules of the integration, in their order."""
    rules: Sequence[Rule] = integration.settings.get("rules", [])
    return rules


def name_actor(rule: Rule) -> str:
    """Return the actor of the tickets that the rule creates."""
    return f"{ACTOR}{rule['name']}"


def count_left(integration: Integration, rule: Rule) -> int:
    """Return how many tickets the rule may create now: the cap minus the last 24 hours.

    Tickets of rules that have since been renamed or removed count for every rule, so
    that no change of a rule creates more tickets than its cap.
    """
    others = [name_actor(one) for one in list_rules(integration) if one != rule]
    of_tenant = TicketRequest.objects.for_tenant(integration.tenant_id).live()
    by_rules = of_tenant.filter(actor__startswith=ACTOR, created_at__gt=Now() - DAY)
    cap: int = rule["daily_cap"]
    return max(0, cap - by_rules.exclude(actor__in=others).count())


def find_matches(integration: Integration, rule: Rule) -> list[Match]:
    """Return the groups that match and have no ticket, the most severe first."""
    when = rule["when"]
    groups = _without_ticket(integration)
    if "severity_min" in when:
        groups = groups.filter(severity__gte=when["severity_min"])
    for name in ("type", "team_id"):
        if name in when:
            groups = groups.filter(**{f"{name}__iexact": when[name]})
    counted = groups.annotate(n=Count("reports", filter=_counted_reports(when)))
    enough = counted.filter(n__gte=_get_reports_min(when))
    ordered = enough.order_by(F("severity").desc(nulls_last=True), "created_at", "pk")
    values = ordered.values_list("pk", "title", "severity", "n", "tags")
    rows: Any = values.iterator()
    # In a transaction, because the cursor on the server must not outlive it.
    with transaction.atomic(), closing(rows):
        matches = (
            Match(group_id=pk, title=title, severity=severity, reports=reports)
            for pk, title, severity, reports, tags in rows
            if "tag" not in when or _has_tag(tags, when["tag"])
        )
        return list(islice(matches, MAX_MATCHES))


def explain(rule: Rule, match: Match) -> str:
    """Say how the group meets the conditions of the rule."""
    when = rule["when"]
    reasons = [
        f"{name} {when[name]}"
        for name in ("type", "tag", "team_id", "source")
        if name in when
    ]
    if "severity_min" in when:
        reasons.append(f"severity {match.severity}, at least {when['severity_min']}")
    if _get_reports_min(when):
        window = f" in {when['window_hours']} hours" if "window_hours" in when else ""
        reasons.append(f"{match.reports} reports{window}")
    return ", ".join(reasons)


def _without_ticket(integration: Integration) -> GroupQuerySet:
    """Return the groups that have no ticket, and had none that was unlinked.

    A group for which a rule failed today is left out too, unless Jira was only busy or
    the integration has changed since.
    """
    tenant_id = integration.tenant_id
    requests = TicketRequest.objects.for_tenant(tenant_id).filter(group=OuterRef("pk"))
    by_rules = requests.filter(
        actor__startswith=ACTOR, created_at__gt=integration.updated_at
    )
    today = by_rules.filter(created_at__gt=Now() - DAY)
    failed = today.filter(state=TicketRequest.State.FAILED)
    return AIIssueGroup.objects.for_tenant(tenant_id).filter(
        ~Exists(requests.live()),
        ~Exists(failed.exclude(error_code__in=TEMPORARY)),
        ~Exists(Report.objects.jira().filter(group=OuterRef("pk"))),
    )


def _counted_reports(when: Mapping[str, Any]) -> Q:
    """Return which reports count: not tickets, and of the given source and hours."""
    counted = ~Q(reports__source=Report.JIRA)
    if "source" in when:
        counted &= Q(reports__source__iexact=when["source"])
    if "window_hours" in when:
        window = timedelta(hours=when["window_hours"])
        counted &= Q(reports__created_at__gt=Now() - window)
    return counted


def _get_reports_min(when: Mapping[str, Any]) -> int:
    """Return how many reports are needed. A source or a window needs at least one."""
    least = 1 if {"source", "window_hours"} & when.keys() else 0
    return int(when.get("reports_min", least))


def _has_tag(tags: Any, wanted: str) -> bool:
    return wanted.casefold() in (str(tag).casefold() for tag in tags)

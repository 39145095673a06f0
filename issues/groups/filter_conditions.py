"""The conditions of the filters of groups, for querysets.

`derive_condition` reads reports and tickets, on any database. `stored_condition` reads
what triggers on PostgreSQL have stored of them; list_sql does so in its SQL.
"""

from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from issues.groups.list_query import GONE
from issues.groups.search import TICKET_KEY
from issues.models import GroupSource, Report

_REPORTS = Report.objects.filter(group=OuterRef("pk"))


def get_condition(name: str, value: Any) -> Any:
    """Return the condition that this database tests fastest."""
    is_postgresql = connection.vendor == "postgresql"
    return (stored_condition if is_postgresql else derive_condition)(name, value)


def stored_condition(name: str, value: Any) -> Any:
    """Return a condition on GroupStatistics or GroupSource, if they have the filter."""
    match name:
        case "source":
            sources = GroupSource.objects.filter(source=value)
            return Q(pk__in=sources.values("group"))
        case "has_ticket" | "recurred":
            flag = f"has_{name.removeprefix('has_')}"
            return Q((f"statistics__{flag}", value))
        case "ticket_status":
            return Q((f"statistics__has_{value}", True))
    return derive_condition(name, value)


def derive_condition(name: str, value: Any) -> Any:
    """Return a condition on the groups, their reports and their tickets."""
    tickets: Any = _REPORTS.jira()
    match name:
        case "q":
            text = Q(title__icontains=value) | Q(summary__icontains=value)
            of_key = Exists(tickets.filter(external_id__iexact=value))
            return text | of_key if TICKET_KEY.fullmatch(value) else text
        case "severity_min":
            return Q(severity__gte=value)
        case "source":
            return Exists(_REPORTS.filter(source=value))
        case "has_ticket":
            return Exists(tickets) if value else ~Exists(tickets)
        case "ticket_status":
            is_gone = value == GONE
            status = {} if is_gone else {"ticket__status_category": value}
            gone = {"ticket__gone_at__isnull": not is_gone}
            return Exists(tickets.filter(ticket__isnull=False, **gone, **status))
        case "recurred":
            recurred = Exists(tickets.with_recurrence().filter(has_recurred=True))
            return recurred if value else ~recurred
    return Q((name, value))  # a column of the group

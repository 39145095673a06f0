"""The conditions of the admin's search boxes."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Upper

from issues.admin import search_sql
from issues.admin.search_sql import GROUPS, REQUESTS, Matches, query_id, query_words
from issues.groups.search import TICKET_KEY
from issues.models import Report
from killthenoise.api.authentication import parse_uuid

MAX_GROUPS = 10_000
"""The most groups, of all tenants, whose external id is compared with a search."""


def search_requests(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Find a ticket's key, words of a title, or a whole id.

    The ids are those of the request, its group, tenant, integration, ticket and HTTP
    request, Jira's trace id, and the actor.
    """
    if found := parse_uuid(text):
        same = Q(pk=found) | Q(group=found) | has_id(text)
        exact = rows.filter(same)
        return exact if exact.exists() else rows.filter(tenant_id=found)
    if TICKET_KEY.fullmatch(text):
        return rows.filter(has_id(text) | has_id(text.upper()))
    words = query_words(text)
    if words and search_sql.is_usable():
        return rows.filter(Matches(REQUESTS, f"{query_id(text)} | {words}"))
    return rows.filter(has_id(text) | _has_words(REQUESTS, text))


def has_id(text: str) -> Q:
    """Return the condition that one of the ids, or the actor, is the text."""
    if search_sql.is_usable():
        return Q(Matches(REQUESTS, query_id(text)))
    names = ("ticket_key", "request_id", "jira_issue_id", "jira_trace_id", "actor")
    same = Q(*((name, text) for name in names), _connector=Q.OR)
    return same | Q(integration=found) if (found := parse_uuid(text)) else same


def _has_words(table: str, text: str) -> Q:
    words = query_words(text)
    if not words:
        return Q(pk=None)
    if search_sql.is_usable():
        return Q(Matches(table, words))
    return Q(*(Q(title__icontains=word) for word in text.split()))


def search_groups(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Find words of a title, an id of the group or its tenant, or a report's id."""
    if found := parse_uuid(text):
        exact = rows.filter(pk=found)
        return exact if exact.exists() else rows.filter(tenant_id=found)
    of_reports = rows.filter(pk__in=_groups_of_report(text))
    if of_reports.exists():
        return of_reports
    return rows.filter(_has_words(GROUPS, text))


def _groups_of_report(text: str) -> list[UUID]:
    """Return the groups with a report of this external id; a ticket has its key.

    These are of all tenants: joined with one tenant's groups, PostgreSQL reads all of
    that tenant's reports.
    """
    same = _with_external_id(Report.objects.all(), text)
    return list(same.values_list("group_id", flat=True)[:MAX_GROUPS])


def _with_external_id(reports: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Find the tickets of a key, and the feedback of an id: each has an index."""
    is_ticket = Q(source=Report.JIRA)
    same = is_ticket & Q(key=text.upper()) | ~is_ticket & Q(external_id=text)
    named: QuerySet[Any] = reports.alias(key=Upper("external_id"))
    return named.filter(same)


def search_reports(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Find an external id, or the id of the report or its group."""
    if found := parse_uuid(text):
        return rows.filter(Q(pk=found) | Q(group=found))
    return _with_external_id(rows, text)

"""Finds the ticket requests that need attention."""

from collections import Counter
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from integrations.jira.errors import JiraAuthFailed
from integrations.models import Integration, IntegrationQuerySet
from issues.models import TicketRequest
from killthenoise.audit.models import AuditEvent
from killthenoise.staff.models import Tenants

MAX_EVENTS = 200
"""How many of the newest reports of duplicates are checked."""
FAILED_SINCE = timedelta(days=7)


def needs_attention(tenants: Tenants) -> Q:
    """Return the condition: unknown, a duplicate, or failed and its Jira is paused."""
    wanted = Q(state=TicketRequest.State.UNKNOWN)
    wanted |= Q(state=TicketRequest.State.PENDING, lease_until__lte=Now())
    if doubled := find_doubled_groups(tenants):
        wanted |= Q(group__in=doubled, state="created", unlinked_at=None)
    if paused := list(paused_integrations(tenants).values_list("pk", flat=True)[:100]):
        wanted |= Q(
            error_code=JiraAuthFailed.code,
            integration__in=paused,
            created_at__gte=Now() - FAILED_SINCE,
        )
    return wanted


def paused_integrations(tenants: Tenants) -> IntegrationQuerySet:
    """Return the active integrations that are paused."""
    paused = Integration.objects.filter(
        is_active=True, auth_failures__gte=settings.JIRA_AUTH_FAILURES_MAX
    )
    return paused if tenants is None else paused.filter(tenant_id__in=tenants)


def find_doubled_groups(tenants: Tenants) -> list[UUID]:
    """Return the groups that were reported as duplicates and still have two tickets.

    A ticket that is gone from Jira does not count.
    """
    events = AuditEvent.objects.filter(action=AuditEvent.Action.TICKET_DUPLICATE)
    if tenants is not None:
        events = events.filter(tenant_id__in=tenants)
    newest = events.order_by("-created_at").values_list("object_id", flat=True)
    groups = {UUID(one) for one in newest[:MAX_EVENTS]}
    linked = TicketRequest.objects.created().filter(
        group__in=groups, unlinked_at=None, report__ticket__gone_at=None
    )
    tickets = Counter(linked.values_list("group_id", flat=True))
    return [group for group, count in tickets.items() if count > 1]

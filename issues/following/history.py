"""The changes of a ticket's status in Jira, as audit events."""

from typing import Any

from django.db.models import Q

from issues.models import AIIssueGroup, Ticket, TicketRequest
from killthenoise.audit.events import Action, record_in_transaction

ACTOR = "Jira"
GONE = "gone from Jira"
"""What stands for the status of a ticket that Jira does not show any more."""


def record_status_change(before: Ticket, after: Ticket) -> None:
    """Record the change in the transaction under way, if the status did change.

    The first reading is no change. The event is about the request that created the
    ticket; about a group if the ticket was only linked.
    """
    was, now = _name_status(before), _name_status(after)
    if was == now or not (before.checked_at or after.gone_at):
        return
    record_in_transaction(
        Action.TICKET_STATUS,
        actor=ACTOR,
        created_at=after.changed_at,
        tenant_id=after.tenant_id,
        detail={"ticket_key": after.key, "from": was, "to": now},
        **_find_object(after),
    )


def _name_status(ticket: Ticket) -> str:
    return GONE if ticket.gone_at else ticket.status


def _find_object(ticket: Ticket) -> dict[str, Any]:
    links = ticket.reports.order_by("created_at").values_list("pk", "group_id")
    reports, groups = [list(pks) for pks in zip(*links, strict=True)] or ([], [])
    same = Q(base_url=ticket.base_url, jira_issue_id=ticket.jira_issue_id)
    requests = TicketRequest.objects.for_tenant(ticket.tenant_id).created()
    found = requests.filter(same | Q(report__in=reports)).order_by("created_at")
    if pk := found.values_list("pk", flat=True).first():
        return _describe(TicketRequest, pk)
    return _describe(AIIssueGroup, groups[0]) if groups else {}


def _describe(model: Any, pk: object) -> dict[str, Any]:
    return {"object_type": model._meta.label_lower, "object_id": str(pk)}

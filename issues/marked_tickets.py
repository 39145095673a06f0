"""Links tickets that carry our marker to the groups that the markers name."""

import logging
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db.models import Q

from integrations.models import Integration
from integrations.services import MarkedIssue
from issues.internal_keys import internal_key
from issues.jira_ticket import JiraTicket
from issues.models import MAX_TITLE, AIIssueGroup, TicketRequest
from issues.outcomes import record_created
from killthenoise.api.authentication import parse_uuid
from killthenoise.api.text import clean_title

REBUILT_BY = "reconcile_tickets"
"""The actor of a rebuilt request: it is not known who asked for its ticket."""

logger = logging.getLogger(__name__)


def link_marked(account: Integration, issues: Sequence[MarkedIssue], actor: str) -> int:
    """Link the tickets that are not recorded, and return how many.

    A ticket is linked only to a group of the tenant whose account found it. Its request
    is rebuilt if the row is gone. `actor` is who found the tickets.

    Raises TicketNotRecorded if the database fails.
    """
    missing = _get_unrecorded(account, issues)
    rows = TicketRequest.objects.in_bulk(_get_ids(missing, "request_id"))
    of_tenant = AIIssueGroup.objects.for_tenant(account.tenant_id)
    groups = of_tenant.in_bulk(_get_ids(missing, "group_id"))
    linked = 0
    for issue in missing:
        request_id = _get_id(issue, "request_id")
        request = request_id and (
            rows.get(request_id) or _rebuild_request(account, issue, request_id, groups)
        )
        if not request or not _is_ours(request, account, issue):
            logger.info("%s belongs to no group of %s", issue.key, account)
        elif not _is_clone(request, issue):
            ticket = JiraTicket.found(issue, base_url=request.base_url)
            linked += record_created(request, ticket, actor=actor)
    return linked


def _get_unrecorded(
    account: Integration, issues: Sequence[MarkedIssue]
) -> list[MarkedIssue]:
    of_site = TicketRequest.objects.for_tenant(account.tenant_id).created()
    ids = [issue.id for issue in issues]
    known = of_site.filter(base_url=account.base_url, jira_issue_id__in=ids)
    known = known.exclude(report=None, unlinked_at=None)
    recorded = set(known.values_list("jira_issue_id", flat=True))
    return [issue for issue in issues if issue.id not in recorded]


def _get_id(issue: MarkedIssue, name: str) -> UUID | None:
    return parse_uuid(issue.marker.get(name, ""))


def _get_ids(issues: Sequence[MarkedIssue], name: str) -> list[UUID]:
    return [found for issue in issues if (found := _get_id(issue, name))]


def _rebuild_request(
    account: Integration,
    issue: MarkedIssue,
    request_id: UUID,
    groups: Mapping[UUID, AIIssueGroup],
) -> TicketRequest | None:
    """Rebuild the lost request, unsaved. None if its group is not the tenant's."""
    group_id = _get_id(issue, "group_id")
    if group_id is None or group_id not in groups:
        return None
    return TicketRequest(
        pk=request_id,
        tenant_id=account.tenant_id,
        group=groups[group_id],
        integration=account,
        idempotency_key=internal_key("sweep", request_id),
        title=clean_title(issue.summary)[:MAX_TITLE],
        base_url=account.base_url,
        project_key=issue.key.rpartition("-")[0],
        actor=REBUILT_BY,
        attempts=1,
        created_at=issue.created,
        lease_until=issue.created,
    )


def _is_ours(request: TicketRequest, account: Integration, issue: MarkedIssue) -> bool:
    """Whether the request is the tenant's and the marker names its group."""
    same_group = _get_id(issue, "group_id") == request.group_id
    return same_group and request.tenant_id == account.tenant_id


def _is_clone(request: TicketRequest, issue: MarkedIssue) -> bool:
    """Whether the ticket has only a copy of the marker of an older ticket.

    A person may name a ticket other than the one with the marker.
    """
    created = TicketRequest.objects.for_tenant(request.tenant_id).created()
    ours = created.filter(Q(pk=request.pk, settled_by="") | Q(late_for=request.pk))
    known = ours.values_list("jira_issue_id", flat=True)
    return any(int(issue.id) > int(one) for one in known)

"""A test ticket: what tickets of an integration look like in Jira."""

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html

from integrations.connections.accounts import require_usable
from integrations.errors import NoProjectChosen
from integrations.models import Integration
from integrations.services import create_issue, record_integration_works
from integrations.tickets.creation import TicketContent
from integrations.tickets.issue_fields import get_own_target
from killthenoise.admin.base import get_event_fields
from killthenoise.admin.formats import external_link
from killthenoise.admin.operations import recording_row
from killthenoise.api.authentication import parse_uuid
from killthenoise.api.request_budget import request_deadline
from killthenoise.api.slots import outgoing_slot
from killthenoise.audit.events import Action, record_in_transaction
from killthenoise.errors import ServiceError

TITLE = "Test ticket of KillTheNoise"
DESCRIPTION = (
    "This ticket shows what tickets of KillTheNoise look like.\n\n"
    "✅ It has the **labels, priority and fields** of the integration.\n\n"
    "Nobody needs to work on it: close or delete it."
)
CHANGE = "admin:integrations_integration_change"
STARTED = "started"


def send_test_ticket_view(self: Any, request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what would be sent, and send it after a confirmation."""
    integration = self.get_changeable(request, pk)
    if request.method == "POST":
        nonce = parse_uuid(request.POST.get("nonce", ""))
        if nonce and _is_first(request, integration, nonce):
            _send(request, integration)
        else:
            messages.warning(request, "This test ticket was already requested.")
        return redirect(CHANGE, pk)
    values = {"integration": integration, "nonce": uuid4()}
    values |= {"ticket_title": TITLE, "description": DESCRIPTION}
    return self.show_page(request, "test_ticket.html", "Send a test ticket", values)  # type: ignore[no-any-return]


def _is_first(request: HttpRequest, integration: Integration, nonce: UUID) -> bool:
    """Record the start under the form's id, so that a second click does nothing."""
    facts = get_event_fields(request, integration) | {"id": nonce, "outcome": STARTED}
    try:
        with transaction.atomic():
            record_in_transaction(Action.JIRA_TEST_TICKET, **facts)
    except IntegrityError:
        return False
    return True


def _send(request: HttpRequest, integration: Integration) -> None:
    content = TicketContent(
        target=get_own_target(integration),
        title=TITLE,
        description=DESCRIPTION,
        severity=None,
        marker={"test_ticket": "true"},  # it names no request, so the sweep ignores it
    )
    try:
        with recording_row(request, Action.JIRA_TEST_TICKET, integration) as event:
            require_usable(integration)
            if not integration.project_key:
                raise NoProjectChosen
            with outgoing_slot(integration.tenant_id):
                issue = create_issue(
                    integration,
                    content,
                    deadline=request_deadline(),
                    before_send=lambda: None,
                )
            event.detail = {"ticket_key": issue.key}
    except ServiceError as exc:
        messages.error(request, f"The test ticket was not confirmed. {exc}")
        return
    record_integration_works(integration)
    link = external_link(issue.url, issue.key)
    messages.success(request, format_html("The test ticket is {}.", link))

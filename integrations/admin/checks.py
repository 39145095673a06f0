"""Checks of integrations that a member of the staff asks for."""

from django.http import HttpRequest

from integrations.checks.preflight import check_integration
from integrations.models import Integration
from killthenoise.admin.operations import Outcome, recording_row
from killthenoise.api.request_budget import request_deadline
from killthenoise.audit.events import Action


def check(request: HttpRequest, integration: Integration) -> Outcome:
    """Check whether the integration could create tickets now, and record the result.

    Raises TenantBusy.
    """
    with recording_row(request, Action.JIRA_CHECK, integration) as event:
        result = check_integration(integration=integration, deadline=request_deadline())
        failed = [one for one in result.checks if not one.ok]
        if failed:
            event.outcome = failed[0].code
    tenant = f"tenant {integration.tenant_id}"
    if failed:
        return Outcome(False, f"{tenant} cannot create tickets. {result.problem}")
    return Outcome(True, f"{tenant} can create tickets.")

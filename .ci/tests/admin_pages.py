"""Fixtures: a tenant's week of requests, and the address of every page of the admin."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from axes.models import AccessLog
from django.contrib.auth.models import Group, User
from django.utils import timezone

from integrations.models import Integration
from integrations.tests.factories import DeliveryFactory, IntegrationFactory
from issues.models import RuleRun, TicketRequest
from issues.tests.factories import (
    GroupFactory,
    JobItemFactory,
    RemoteLinkFactory,
    ReportFactory,
    TicketFactory,
    TicketRequestFactory,
)
from killthenoise.audit.models import AuditEvent

RULE = {"name": "severe", "when": {"severity_min": 3}, "daily_cap": 3, "dry_run": False}
NO_ACCOUNT = "Jira rejected the API token of jira@example.com. Replace the token."


@pytest.fixture
def history(transactional_db: None, integration: Integration) -> list[TicketRequest]:
    """Requests of a week, as a tenant has them."""
    now = timezone.now()
    made = []
    titles = ["CSV export drops rows", "Login loops with Okta", "Dark mode is missing"]
    categories: list[dict[str, Any]] = [
        {"done": True, "changed_at": now, "done_at": now},
        {"status": "In Progress", "status_category": "indeterminate"},
        {},
    ]
    for number in range(40):
        moment = now - timedelta(hours=4 * number + 1)
        failed = number % 7 == 3
        group = GroupFactory.create(
            tenant_id=integration.tenant_id, title=titles[number % 3], updated_at=moment
        )
        facts: dict[str, Any] = {
            "title": group.title,
            "created_at": moment,
            "finished_at": moment + timedelta(milliseconds=700 + 40 * number),
            "duration_ms": 400 + 37 * (number * 7 % 20),
            "actor": ["jane@example.com", f"tenant:{group.tenant_id}"][number % 2],
            "integration": integration,
            "attempts": 1,
            "client_ip": "203.0.113.7",
            "request_id": uuid4().hex,
            "jira_trace_id": uuid4().hex,
        }
        if failed:
            facts |= {
                "failed": True,
                "jira_status": 400,
                "error_message": "No such field.",
            }
            facts["error_code"] = ["jira_field_rejected", "jira_auth_failed"][
                number % 2
            ]
        else:
            key = f"SCRUM-{100 + number}"
            seen = {"key": key, "jira_issue_id": str(10_100 + number)}
            seen |= {"tenant_id": group.tenant_id} | categories[number % 3]
            ticket = TicketFactory.create(**seen)
            report = ReportFactory.create(
                group=group, source="jira", external_id=key, ticket=ticket
            )
            facts |= {"created": True, "jira_status": 201, "report": report}
            facts |= {"ticket_key": key, "jira_issue_id": ticket.jira_issue_id}
        made.append(TicketRequestFactory.create(group=group, **facts))
    return made


@pytest.fixture
def pages(
    admin_user: Any,
    integration: Integration,
    unknown_request: TicketRequest,
    history: list[TicketRequest],
) -> dict[str, str]:
    """The path of each page by a name, on a database that has something on each."""
    integration.settings = {"rules": [RULE]}
    integration.save()
    return (
        list_request_pages(history, unknown_request)
        | list_group_pages(history[6])
        | list_integration_pages(integration)
        | list_staff_pages(admin_user)
        | {
            "overview": "?since=7d",
            "events": "audit/auditevent/",
            "event": f"audit/auditevent/{AuditEvent.objects.all()[0].pk}/change/",
            "not found": f"issues/ticketrequest/{uuid4()}/change/",
            "not permitted": f"issues/ticketrequest/{history[0].pk}/act/retry/",
            "bad request": "?q=%00",
        }
    )


def list_request_pages(
    history: list[TicketRequest], unknown: TicketRequest
) -> dict[str, str]:
    failed = next(one for one in history if one.error_code)
    requests = "issues/ticketrequest/"
    return {
        "requests": requests,
        "requests of a filter": f"{requests}?attention=1&state__exact=unknown&q=lost",
        "nothing found": f"{requests}?q=nothing",
        "story": f"{requests}{history[0].pk}/change/",
        "failed": f"{requests}{failed.pk}/change/",
        "unknown": f"{requests}{unknown.pk}/change/",
        "settle": f"{requests}{unknown.pk}/settle/",
        "settle many": f"{requests}settle/?pk={unknown.pk}",
    }


def list_group_pages(request: TicketRequest) -> dict[str, str]:
    """Return the pages of groups, reports, jobs and remote links. A report recurs."""
    group, tenant_id = request.group, request.tenant_id
    report = ReportFactory.create(group=group)
    item = JobItemFactory.create(job__tenant_id=tenant_id, group_id=group.pk)
    failure = {"ok": False, "ticket_key": "", "message": "Jira said no."}
    JobItemFactory.create(job=item.job, **failure)
    failed = {"attempts": 2, "error_message": "Jira said no."}
    link = RemoteLinkFactory.create(tenant_id=tenant_id, **failed)
    alone = GroupFactory.create(tenant_id=tenant_id)
    groups = "issues/aiissuegroup/"
    return {
        "groups": groups,
        "group": f"{groups}{group.pk}/change/",
        "add a group": f"{groups}add/",
        "delete a group": f"{groups}{alone.pk}/delete/",
        "create": f"{groups}{group.pk}/create/",
        "link": f"{groups}{group.pk}/link/?q=",
        "reports": "issues/report/",
        "report": f"issues/report/{report.pk}/change/",
        "remote links": "issues/remotelink/",
        "remote link": f"issues/remotelink/{link.pk}/change/",
        "jobs": "issues/ticketjob/",
        "job": f"issues/ticketjob/{item.job.pk}/change/",
    }


def list_integration_pages(integration: Integration) -> dict[str, str]:
    """Return the pages of integrations, rules and webhooks."""
    IntegrationFactory.create(
        base_url="https://a-customer-with-a-long-name.atlassian.net",
        last_sync_status="error",
        sync_error_message=NO_ACCOUNT,
        auth_failures=99,
    )
    outcomes = [{"name": "severe", "created": 2, "waiting": 7, "message": ""}]
    RuleRun.objects.create(integration=integration, outcomes=outcomes)
    endpoint = {"endpoint__tenant_id": integration.tenant_id}
    delivery = DeliveryFactory.create(state="failed", response_status=500, **endpoint)
    row = f"integrations/integration/{integration.pk}"
    return {
        "integrations": "integrations/integration/",
        "add an integration": "integrations/integration/add/",
        "integration": f"{row}/change/",
        "settings": f"{row}/settings/",
        "test ticket": f"{row}/test-ticket/",
        "delete an integration": f"{row}/delete/",
        "all rules": "issues/rulerun/",
        "rules": f"issues/rulerun/{integration.pk}/change/",
        "webhooks": "webhooks/webhookendpoint/",
        "add a webhook": "webhooks/webhookendpoint/add/",
        "webhook": f"webhooks/webhookendpoint/{delivery.endpoint.pk}/change/",
        "deliveries": "webhooks/webhookdelivery/",
        "delivery": f"webhooks/webhookdelivery/{delivery.pk}/change/",
    }


def list_staff_pages(user: User) -> dict[str, str]:
    """Return the pages of users, roles and logins."""
    role = Group.objects.get_or_create(name="operator")[0]
    facts = {"username": "admin", "ip_address": "203.0.113.7"}
    AccessLog.objects.create(path_info="/admin/login/", **facts)
    return {
        "history of a user": f"auth/user/{user.pk}/history/",
        "users": "auth/user/",
        "add a user": "auth/user/add/",
        "user": f"auth/user/{user.pk}/change/",
        "password of a user": f"auth/user/{user.pk}/password/",
        "delete a user": f"auth/user/{user.pk}/delete/",
        "roles": "staff/role/",
        "role": f"staff/role/{role.pk}/change/",
        "own password": "password_change/",
        "own password changed": "password_change/done/",
        "login attempts": "axes/accessattempt/",
        "logins": "axes/accesslog/",
    }

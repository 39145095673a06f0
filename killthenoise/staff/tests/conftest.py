"""Fixtures: a user who is limited to a tenant, and rows of another tenant."""

from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from integrations.tests.factories import DeliveryFactory, IntegrationFactory
from issues.models import RuleRun
from issues.tests.factories import (
    GroupFactory,
    JobItemFactory,
    RemoteLinkFactory,
    ReportFactory,
    TicketRequestFactory,
)
from killthenoise.audit.models import AuditEvent
from killthenoise.staff.models import TenantLimit

FOREIGN = "A foreign secret"
RULE = {"name": FOREIGN, "when": {}, "daily_cap": 9, "dry_run": False}


@pytest.fixture
def limited(db: None, client: Client, tenant_id: UUID) -> Client:
    """The client of a user with every permission, for one tenant only."""
    user = User.objects.create_user("limited", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    TenantLimit.objects.create(user=user, tenant_ids=[str(tenant_id)])
    client.force_login(user)
    return client


@pytest.fixture
def foreign(db: None) -> dict[str, str]:
    """The ids of another tenant's rows by model."""
    group = GroupFactory.create(title=FOREIGN, summary=FOREIGN, tenant_id=uuid4())
    report = ReportFactory.create(
        group=group, title=FOREIGN, source="jira", external_id="SECRET-7"
    )
    request = TicketRequestFactory.create(
        group=group, title=FOREIGN, created=True, ticket_key="SECRET-7", report=report
    )
    TicketRequestFactory.create(group=group, title=FOREIGN, unknown=True)
    link = RemoteLinkFactory.create(
        tenant_id=group.tenant_id, ticket_key="SECRET-7", error_message=FOREIGN
    )
    delivery = DeliveryFactory.create(
        endpoint__tenant_id=group.tenant_id,
        endpoint__url=f"https://example.com/{FOREIGN}",
        error_message=FOREIGN,
    )
    integration = IntegrationFactory.create(
        tenant_id=group.tenant_id,
        sync_error_message=FOREIGN,
        last_sync_status="error",
        auth_failures=99,
    )
    integration.settings = {"rules": [RULE]}
    integration.save()
    GroupFactory.create(title=FOREIGN, tenant_id=group.tenant_id)  # the rule matches
    RuleRun.objects.create(
        integration=integration,
        outcomes=[{"name": FOREIGN, "created": 0, "waiting": 1, "message": FOREIGN}],
    )
    item = JobItemFactory.create(
        job__tenant_id=group.tenant_id, group_id=group.pk, message=FOREIGN
    )
    event = AuditEvent.objects.create(
        action="ticket.link",
        actor=FOREIGN,
        tenant_id=group.tenant_id,
        detail={"ticket_key": "SECRET-7"},
    )
    return {
        "issues_aiissuegroup": str(group.pk),
        "issues_report": str(report.pk),
        "issues_ticketrequest": str(request.pk),
        "issues_remotelink": str(link.pk),
        "issues_ticketjob": str(item.job_id),
        "issues_rulerun": str(integration.pk),
        "integrations_integration": str(integration.pk),
        "audit_auditevent": str(event.pk),
        "webhooks_webhookendpoint": str(delivery.endpoint_id),
        "webhooks_webhookdelivery": str(delivery.pk),
        "tenant": str(group.tenant_id),
    }

"""The search boxes of the admin on PostgreSQL."""

from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from issues.admin.search import search_groups, search_requests
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.factories import TicketRequestFactory

pytestmark = pytest.mark.django_db


@pytest.mark.skipif(connection.vendor != "postgresql", reason="an index of PostgreSQL")
def test_words_are_found_by_the_indexes_of_the_migration() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    groups = search_groups(AIIssueGroup.objects.order_by(), "login loop").explain()
    requests = search_requests(TicketRequest.objects.order_by(), "login loop").explain()
    assert "aiissuegroup_search" in groups
    assert "ticketrequest_search" in requests


def test_reports_of_some_tenants_are_counted_without_an_order(
    admin_client: Client, tenant_id: UUID
) -> None:
    """No index has a tenant's reports by time: in order, the count reads the others."""
    path = reverse("admin:issues_report_changelist")
    of_all = admin_client.get(path).context["cl"]
    of_one = admin_client.get(path, {"tenant": str(tenant_id)}).context["cl"]

    assert (of_all.paginator.is_search, of_one.paginator.is_search) == (False, True)


def test_requests_of_a_tenant_as_the_actor_are_found_by_the_tenant(
    admin_client: Client, tenant_id: UUID
) -> None:
    actor = f"tenant:{tenant_id}"
    mine = TicketRequestFactory.create(group__tenant_id=tenant_id, actor=actor)
    TicketRequestFactory.create(actor=actor)
    path = reverse("admin:issues_ticketrequest_changelist")

    found = admin_client.get(path, {"actor": actor}).context["cl"].queryset

    assert list(found) == [mine]

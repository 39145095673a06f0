"""The search boxes of the admin on PostgreSQL."""

import pytest
from django.db import connection

from issues.admin.search import search_groups, search_requests
from issues.models import AIIssueGroup, TicketRequest

pytestmark = pytest.mark.django_db


@pytest.mark.skipif(connection.vendor != "postgresql", reason="an index of PostgreSQL")
def test_words_are_found_by_the_indexes_of_the_migration() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    groups = search_groups(AIIssueGroup.objects.order_by(), "login loop").explain()
    requests = search_requests(TicketRequest.objects.order_by(), "login loop").explain()
    assert "aiissuegroup_search" in groups
    assert "ticketrequest_search" in requests

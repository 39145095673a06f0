"""Staff who may see some tenants: every page of the admin shows those alone."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from integrations.models import Integration
from issues.models import AIIssueGroup, TicketJob
from issues.tests.factories import (
    GroupFactory,
)
from killthenoise.staff.models import TenantLimit
from killthenoise.staff.tests.conftest import FOREIGN

SITE_PAGES = {"index", "app_list", "jsi18n", "autocomplete", "view_on_site"}
LOGIN_PAGES = {"login", "logout", "password_change", "password_change_done"}
FILTERED = ["issues_ticketrequest", "issues_aiissuegroup", "issues_report"]
FILTERED += ["issues_ticketjob", "issues_rulerun"]
OWN = {"auth_user", "staff_role", "axes_accessattempt", "axes_accesslog"}
"""Models whose rows are of no tenant."""


def admin_patterns() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name and the parameters of each page of the admin."""

    def walk(patterns: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns)
            elif isinstance(pattern, URLPattern) and pattern.name:
                yield pattern.name, tuple(pattern.pattern.regex.groupindex)

    for resolver in get_resolver().url_patterns:
        if isinstance(resolver, URLResolver) and resolver.namespace == "admin":
            yield from walk(resolver.url_patterns)


def build_urls(
    name: str, parameters: tuple[str, ...], ids: dict[str, str]
) -> list[str]:
    model = "_".join(name.split("_")[:2])
    values = {
        "object_id": ids.get(model, "1"),
        "pk": ids.get(model, "1"),
        "id": "1",
        "app_label": "issues",
        "kind": "csv",
        "content_type_id": "1",
    }
    verbs = ["recover", "retry", "unlink", "check"] if "name" in parameters else [""]
    return [
        reverse(
            f"admin:{name}",
            kwargs={one: {**values, "name": verb}[one] for one in parameters},
        )
        for verb in verbs
    ]


@pytest.mark.django_db
def test_no_page_shows_or_changes_a_row_of_another_tenant(
    limited: Client, foreign: dict[str, str]
) -> None:
    limited.raise_request_exception = False
    before = list(AIIssueGroup.objects.values()) + list(Integration.objects.values())
    seen = set()
    for name, parameters in admin_patterns():
        if name in LOGIN_PAGES:
            continue
        seen.add(name)
        for url in build_urls(name, parameters, foreign):
            for query in ("", "?q=SECRET-7", "?attention=1", "?e=1"):
                got = limited.get(url + query)
                page = b"".join(got) if got.streaming else got.content
                assert got.status_code < 500, url
                assert FOREIGN not in page.decode(), url
                assert foreign["tenant"] not in page.decode(), url
            form = {"ticket_key": "SECRET-7", "post": "yes", "title": "x"}
            form |= {"description": "x", "outcome": "none", "reason": "x"}
            posted = limited.post(url, form)
            assert posted.status_code in (200, 302, 403, 404, 405), url
            page = b"".join(posted) if posted.streaming else posted.content
            assert FOREIGN not in page.decode(), url
            has_row = {"object_id", "pk"} & set(parameters)
            if has_row and not any(name.startswith(one) for one in OWN):
                assert posted.status_code in (302, 403, 404), url
    assert seen > SITE_PAGES | {"issues_ticketrequest_act", "issues_report_change"}
    after = list(AIIssueGroup.objects.values()) + list(Integration.objects.values())
    assert after == before


def test_filters_by_another_tenant_find_nothing(
    limited: Client, foreign: dict[str, str]
) -> None:
    for query in (f"q={foreign['tenant']}", f"tenant={foreign['tenant']}"):
        for model in FILTERED:
            page = limited.get(reverse(f"admin:{model}_changelist") + "?" + query)
            assert page.context["cl"].result_count == 0

    overview = limited.get(reverse("admin:index") + f"?tenant={foreign['tenant']}")
    numbers = overview.context["numbers"]
    assert (numbers.created, numbers.unknown, numbers.troubles) == (0, 0, [])


def test_selected_rows_of_another_tenant_are_left_alone(
    limited: Client, foreign: dict[str, str]
) -> None:
    request_id = foreign["issues_ticketrequest"]
    action = {"action": "unlink_selected", "_selected_action": [request_id], "index": 0}

    limited.post(reverse("admin:issues_ticketrequest_changelist"), action)

    group = AIIssueGroup.objects.get(pk=foreign["issues_aiissuegroup"])
    assert group.reports.count() == 1


def test_no_job_is_started_for_groups_of_another_tenant(
    limited: Client, foreign: dict[str, str], tenant_id: UUID
) -> None:
    own = str(GroupFactory.create(tenant_id=tenant_id).pk)
    selected = [own, foreign["issues_aiissuegroup"]]
    action = {"action": "create_tickets", "_selected_action": selected, "index": 0}

    limited.post(reverse("admin:issues_aiissuegroup_changelist"), action)

    job = TicketJob.objects.get(tenant_id=tenant_id)
    assert list(job.items.values_list("group_id", flat=True)) == [own]
    assert TicketJob.objects.count() == 2  # with the fixture's


def test_own_rows_are_shown(limited: Client, tenant_id: UUID) -> None:
    group = GroupFactory.create(tenant_id=tenant_id, title="Our group")

    page = limited.get(reverse("admin:issues_aiissuegroup_changelist"))

    assert list(page.context["cl"].queryset) == [group]


@pytest.mark.parametrize("model", ["issues_aiissuegroup", "integrations_integration"])
def test_no_row_is_added_to_another_tenant(limited: Client, model: str) -> None:
    form = {"tenant_id": uuid4(), "title": "x", "status": "open", "new_api_token": "x"}

    page = limited.post(reverse(f"admin:{model}_add"), form).content.decode()

    assert "You may not see this tenant." in page


def test_empty_limit_shows_no_tenant(limited: Client, tenant_id: UUID) -> None:
    TenantLimit.objects.update(tenant_ids=[])
    GroupFactory.create(tenant_id=tenant_id)

    page = limited.get(reverse("admin:issues_aiissuegroup_changelist"))
    overviews = [limited.get(f"/admin/?since={span}") for span in ("24h", "30d")]

    assert page.context["cl"].result_count == 0
    assert [one.context["numbers"].created for one in overviews] == [0, 0]


def test_superuser_limits_a_user(admin_client: Client, tenant_id: UUID) -> None:
    user = User.objects.create_user("jane", is_staff=True)
    url = reverse("admin:auth_user_change", args=[user.pk])
    form = {"username": "jane", "tenant_limit-TOTAL_FORMS": "1"}
    form |= {
        "tenant_limit-INITIAL_FORMS": "0",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }

    refused = admin_client.post(url, form | {"tenant_limit-0-tenant_ids": "no-uuid"})
    admin_client.post(url, form | {"tenant_limit-0-tenant_ids": f" {tenant_id}\n"})

    assert "Enter the UUIDs of the tenants" in refused.content.decode()
    assert TenantLimit.objects.get().tenant_ids == [str(tenant_id)]

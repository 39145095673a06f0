"""Jobs in the admin: started in the list of groups, and watched until they end."""

from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from integrations.models import Integration
from issues.jobs.workers import run_due_jobs
from issues.models import AIIssueGroup, JobItem, TicketJob, TicketRequest
from issues.tests.factories import GroupFactory, JobItemFactory
from killthenoise.staff.roles import create_roles

GROUPS = "admin:issues_aiissuegroup_changelist"
REFRESH = '<meta http-equiv="refresh"'


def log_in(client: Client, role: str) -> Client:
    create_roles(apps)
    user = User.objects.create_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


@pytest.fixture
def operator(transactional_db: None, client: Client) -> Client:
    return log_in(client, "operator")


def start(client: Client, *groups: AIIssueGroup) -> Any:
    chosen = [group.pk for group in groups]
    form = {"action": "create_tickets", "_selected_action": chosen}
    return client.post(reverse(GROUPS), form, follow=True)


def test_selected_groups_get_tickets_and_the_page_follows_the_job(
    operator: Client, group: AIIssueGroup, integration: Integration
) -> None:
    gone = GroupFactory.create(tenant_id=group.tenant_id)

    page = start(operator, group, gone)
    waiting = page.content.decode()
    url = page.redirect_chain[-1][0]
    gone.delete()
    run_due_jobs()
    done = operator.get(url).content.decode()

    job = TicketJob.objects.get()
    assert url == reverse("admin:issues_ticketjob_change", args=[job.pk])
    assert job.tenant_id == group.tenant_id
    assert REFRESH in waiting
    assert "0 of 2 groups are done" in waiting
    assert REFRESH not in operator.get(f"{url}?still").content.decode()
    assert REFRESH not in done
    assert "2 of 2 groups are done, 1 have their ticket" in done
    ticket = JobItem.objects.get(ok=True)
    assert f'<a href="{ticket.ticket_url}"' in done
    assert JobItem.objects.get(ok=False).message in done
    assert TicketRequest.objects.get().actor == "admin:olga"


def test_same_selection_again_is_the_same_job(
    operator: Client, group: AIIssueGroup
) -> None:
    start(operator, group)
    start(operator, group)

    assert TicketJob.objects.count() == 1


def test_same_selection_by_somebody_else_is_another_job(
    operator: Client, group: AIIssueGroup
) -> None:
    start(operator, group)
    User.objects.filter(username="olga").update(username="otto")
    start(operator, group)

    actors = TicketJob.objects.values_list("actor", flat=True)
    assert set(actors) == {"admin:olga", "admin:otto"}


def test_groups_of_two_tenants_are_two_jobs(
    operator: Client, group: AIIssueGroup
) -> None:
    other = GroupFactory.create(tenant_id=uuid4())

    page = start(operator, group, other)

    jobs = dict(TicketJob.objects.values_list("tenant_id", "items__group_id"))
    assert jobs == {one.tenant_id: str(one.pk) for one in (group, other)}
    assert page.redirect_chain[-1][0] == reverse("admin:issues_ticketjob_changelist")
    assert page.content.decode().count("0 of 1") == 2


def test_more_groups_than_a_job_may_have_are_refused(
    operator: Client, group: AIIssueGroup
) -> None:
    groups = [AIIssueGroup(tenant_id=group.tenant_id, title="x") for _ in range(100)]
    AIIssueGroup.objects.bulk_create(groups)

    page = start(operator, group, *groups)

    assert "Select at most 100 groups." in page.content.decode()
    assert not TicketJob.objects.exists()


@pytest.mark.django_db
def test_auditor_watches_jobs_and_starts_none(client: Client) -> None:
    log_in(client, "auditor")
    item = JobItemFactory.create(is_done=False, ok=False, message="Jira is <busy>.")

    start(client, GroupFactory.create())
    url = reverse("admin:issues_ticketjob_change", args=[item.job_id])

    assert TicketJob.objects.get() == item.job
    assert "Jira is &lt;busy&gt;. The next try" in client.get(url).content.decode()
    assert client.post(url).status_code == 403

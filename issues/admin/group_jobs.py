"""The action that starts jobs for the selected groups."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html

from issues.jobs.services import MAX_ITEMS, start_job
from issues.models import TicketJob
from killthenoise.admin.base import make_caller
from killthenoise.admin.formats import counted, page_link

TOO_MANY = f"Select at most {MAX_ITEMS} groups. Nothing was started."


@admin.action(description="Create Jira tickets", permissions=["operate"])
def create_tickets(
    self: Any, request: HttpRequest, groups: QuerySet[Any]
) -> HttpResponse | None:
    """Start a job for each tenant of the groups, and show its progress."""
    found = list(groups.values_list("tenant_id", "pk")[: MAX_ITEMS + 1])
    if len(found) > MAX_ITEMS:
        self.message_user(request, TOO_MANY, messages.ERROR)
        return None
    of_tenants: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for tenant_id, pk in found:
        of_tenants[tenant_id].append(pk)
    jobs = [_start(request, *of_tenant) for of_tenant in of_tenants.items()]
    if len(jobs) == 1:
        return redirect("admin:issues_ticketjob_change", jobs[0].pk)
    return redirect("admin:issues_ticketjob_changelist")


def _start(request: HttpRequest, tenant_id: UUID, groups: list[UUID]) -> TicketJob:
    """Start the job, or continue the job of the same groups, in any order."""
    items = [{"group_id": str(pk)} for pk in sorted(groups)]
    caller = make_caller(request, tenant_id)
    job = start_job(items=items, caller=caller, by_actor=True)
    link = page_link("issues_ticketjob_change", job.pk, counted(len(items), "group"))
    text = format_html("The job for {} of tenant {} has started.", link, tenant_id)
    messages.success(request, text)
    return job

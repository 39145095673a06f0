"""Jobs that create many tickets: the list, and the progress of each."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from issues.admin.filters import ActorFilter
from issues.jobs.services import name_state
from issues.models import AIIssueGroup, JobItem, TicketJob
from killthenoise.admin.base import ReadOnlyAdmin
from killthenoise.admin.filters import SinceFilter, TenantFilter
from killthenoise.admin.formats import actor_name, badge, short_id, time_tag
from killthenoise.admin.paging import BoundedChangeList
from killthenoise.api.authentication import parse_uuid

TEMPLATE = "admin/issues/ticketjob/progress.html"
REFRESH_S = 3
KINDS = {"done": "good", "running": "warn", "queued": "quiet"}


class JobActorFilter(ActorFilter):
    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(actor=value)


class JobChangeList(BoundedChangeList):
    """Counts the items of the page's jobs, in one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        items = JobItem.objects.filter(job__in=[row.pk for row in self.result_list])
        counted = items.order_by().values_list("job_id")
        counted = counted.annotate(
            total=Count("pk"),
            done=Count("pk", filter=Q(is_done=True)),
            created=Count("pk", filter=Q(ok=True)),
        )
        counts = {row[0]: row[1:] for row in counted}
        for row in self.result_list:
            row.counts = counts.get(row.pk, (0, 0, 0))


@admin.register(TicketJob)
class TicketJobAdmin(ReadOnlyAdmin):
    list_display = ["time", "done", "created", "who", "tenant"]
    list_display_links = ["time"]
    list_filter = [SinceFilter, TenantFilter, JobActorFilter]
    search_fields = ["pk"]
    search_help_text = "Job ID"
    ordering = ["-created_at", "-pk"]
    empty_text = (
        "No job. One starts with POST /api/issues/ai/create-jira-tickets, or with the "
        "action “Create Jira tickets” in the list of groups."
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return JobChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not (text := search_term.strip()):
            return queryset, False
        found = parse_uuid(text)
        return (queryset.filter(pk=found) if found else queryset.none()), False

    @admin.display(description="Started")
    def time(self, job: TicketJob) -> str:
        return time_tag(job.created_at)

    @admin.display(description="Done")
    def done(self, job: Any) -> SafeString:
        total, done, _ = job.counts
        return badge("good" if done == total else "warn", f"{done} of {total}")

    @admin.display(description="With a ticket")
    def created(self, job: Any) -> int:
        return int(job.counts[2])

    @admin.display(description="Actor")
    def who(self, job: TicketJob) -> str:
        return actor_name(job.actor)

    @admin.display(description="Tenant")
    def tenant(self, job: TicketJob) -> str:
        return short_id(job.tenant_id)

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """Show the progress. The page reloads itself until the job is done."""
        if request.method != "GET" or not self.has_view_permission(request):
            raise PermissionDenied
        job = self.get_object(request, unquote(object_id))
        if job is None:
            raise Http404
        shared = self.admin_site.each_context(request)
        context = shared | {"title": "Create Jira tickets", "opts": self.opts}
        context |= _describe(job)
        if context["state"] != "done" and "still" not in request.GET:
            context["refresh_s"] = REFRESH_S
        return TemplateResponse(request, TEMPLATE, context)


def _describe(job: TicketJob) -> dict[str, Any]:
    items = list(job.items.defer("description").order_by("position"))
    state, titles = name_state(items), _read_titles(job, items)
    return {
        "job": job,
        "state": state,
        "badge": badge(KINDS[state], state),
        "total": len(items),
        "done": sum(item.is_done for item in items),
        "created": sum(item.ok for item in items),
        "rows": [_describe_item(item, titles) for item in items],
    }


def _read_titles(job: TicketJob, items: Sequence[JobItem]) -> dict[UUID, str]:
    """Return the titles of the groups by id. A deleted group has none."""
    ids = [found for item in items if (found := parse_uuid(item.group_id))]
    groups = AIIssueGroup.objects.for_tenant(job.tenant_id).filter(pk__in=ids)
    return dict(groups.values_list("pk", "title"))


def _describe_item(item: JobItem, titles: Mapping[UUID, str]) -> dict[str, Any]:
    group_id = parse_uuid(item.group_id)
    title = titles.get(group_id) if group_id else None
    return {
        "item": item,
        "group_id": group_id if title is not None else None,
        "title": title or item.title or item.group_id,
        "state": _name_item_state(item),
    }


def _name_item_state(item: JobItem) -> SafeString:
    if item.is_done:
        return badge("good", "created") if item.ok else badge("bad", "failed")
    if item.taken_until and item.taken_until > timezone.now():
        return badge("warn", "at work")
    return badge("warn" if item.code else "quiet", "waits")

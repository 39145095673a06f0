"""Reports, read-only. A group's page shows those of the group."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from issues.admin.search import search_reports
from issues.models import Report
from killthenoise.admin.base import ReadOnlyAdmin
from killthenoise.admin.filters import SinceFilter, TenantFilter
from killthenoise.admin.formats import external_link, page_link, short_id, time_tag
from killthenoise.staff.models import get_tenants


class ReportTenantFilter(TenantFilter):
    field = "group__tenant_id"


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    tenant_path = "group__tenant_id"
    list_display = ["title_or_id", "source", "external_id_link", "group_link", "time"]
    list_display += ["tenant"]
    list_filter = [SinceFilter, ReportTenantFilter]
    list_select_related = ["group"]
    search_fields = ["external_id"]
    search_help_text = "External ID such as a ticket key, or the ID of a group, in full"
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-pk"]
    sortable_by = ["time"]
    empty_text = "No report. The pipeline sends reports with their groups."
    fields = ["title", "source", "external_id_link", "group_link", "time", "tenant_id"]
    readonly_fields = ["external_id_link", "group_link", "time", "tenant_id"]

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Count the reports of some tenants in any order: no index has them by time."""
        paginator: Any = super().get_paginator(request, *args, **kwargs)
        is_limited = get_tenants(request.user) is not None
        paginator.is_search |= (
            is_limited or ReportTenantFilter.parameter_name in request.GET
        )
        return paginator

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        return (search_reports(queryset, text) if text else queryset), False

    @admin.display(description="Title")
    def title_or_id(self, report: Report) -> str:
        return report.title[:120] or report.external_id or str(report.pk)

    @admin.display(description="External ID")
    def external_id_link(self, report: Report) -> str:
        return external_link(report.url, report.external_id or report.url)

    @admin.display(description="Group")
    def group_link(self, report: Report) -> SafeString:
        title = report.group.title[:60]
        return page_link("issues_aiissuegroup_change", report.group_id, title)

    @admin.display(description="Time", ordering="created_at")
    def time(self, report: Report) -> str:
        return time_tag(report.created_at)

    @admin.display(description="Tenant ID")
    def tenant_id(self, report: Report) -> str:
        return str(report.group.tenant_id)

    @admin.display(description="Tenant")
    def tenant(self, report: Report) -> str:
        return short_id(report.group.tenant_id)

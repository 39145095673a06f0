"""The actions of operators on ticket requests, in the list and on a page."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import urlencode

from integrations.admin.checks import check
from integrations.models import Integration
from issues.admin import operations
from issues.models import TicketRequest
from killthenoise.admin.operations import run_each

OPERATE = "issues.change_ticketrequest"
"""The permission of the role operator."""
ON_PAGE = {
    "recover": operations.recover_now,
    "retry": operations.retry,
    "unlink": operations.unlink,
}


class RequestActions(admin.ModelAdmin):
    """Adds the actions to the admin of ticket requests."""

    actions = ["recover_selected", "retry_selected", "check_selected"]
    actions += ["settle_selected", "unlink_selected"]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(OPERATE)

    @admin.action(
        description="Recover now: look them up in Jira", permissions=["operate"]
    )
    def recover_selected(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        run_each(request, operations.recover_now, rows)

    @admin.action(description="Retry those that failed", permissions=["operate"])
    def retry_selected(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        run_each(request, operations.retry, rows)

    @admin.action(description="Check their integrations", permissions=["operate"])
    def check_selected(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        run_each(request, check, _get_integrations(rows))

    @admin.action(description="Settle by hand …", permissions=["operate"])
    def settle_selected(
        self, request: HttpRequest, rows: QuerySet[Any]
    ) -> HttpResponse:
        query = urlencode([("pk", row.pk) for row in rows])
        return redirect(f"{reverse('admin:issues_ticketrequest_settle_many')}?{query}")

    @admin.action(description="Unlink their tickets", permissions=["operate"])
    def unlink_selected(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        run_each(request, operations.unlink, rows)

    def act_view(self, request: HttpRequest, pk: Any, name: str) -> HttpResponse:
        """Run the action of a button on the request's page."""
        if request.method != "POST" or not self.has_operate_permission(request):
            raise PermissionDenied
        row = get_object_or_404(self.get_queryset(request), pk=pk)
        if name == "check":
            run_each(request, check, _get_integrations([row]))
        elif name in ON_PAGE:
            run_each(request, ON_PAGE[name], [row])
        else:
            raise Http404
        return redirect("admin:issues_ticketrequest_change", pk)


def _get_integrations(rows: Iterable[TicketRequest]) -> QuerySet[Integration]:
    """Return the integrations of the requests, but for one of another tenant now."""
    used = {(row.integration_id, row.tenant_id) for row in rows}
    pks, tenants = {pk for pk, _ in used}, {tenant for _, tenant in used}
    found = Integration.objects.filter(pk__in=pks, tenant_id__in=tenants)
    return found.newest_first()

"""The rules of integrations: what each would create now, which groups wait, and why."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from integrations.models import Integration
from integrations.services import get_active_jira
from issues.models import RuleRun
from issues.rules.evaluation import plan_rules
from issues.rules.matching import count_left, list_rules
from killthenoise.admin.base import ReadOnlyAdmin
from killthenoise.admin.filters import TenantFilter
from killthenoise.admin.formats import badge, short_id, time_tag
from killthenoise.api.authentication import parse_uuid
from killthenoise.errors import ServiceError
from killthenoise.staff.models import get_tenants

TEMPLATE = "admin/issues/rulerun/rules.html"
MAX_SHOWN = 20
"""The most groups of a rule that the page shows."""


class RuleTenantFilter(TenantFilter):
    field = "integration__tenant_id"


@admin.register(RuleRun)
class RuleRunAdmin(ReadOnlyAdmin):
    tenant_path = "integration__tenant_id"
    list_display = ["site", "created", "waiting", "evaluated", "tenant"]
    list_display_links = ["site"]
    list_filter = [RuleTenantFilter]
    list_select_related = ["integration"]
    ordering = ["integration__base_url", "pk"]
    empty_text = (
        "No rules. Rules are in the settings of an integration, and are listed here "
        "after their first evaluation in the background."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).defer("integration__api_token")
        return rows.filter(integration__is_active=True)

    @admin.display(description="Jira site")
    def site(self, run: RuleRun) -> str:
        return run.integration.base_url

    @admin.display(description="Created last time")
    def created(self, run: RuleRun) -> int:
        return sum(outcome["created"] for outcome in run.outcomes)

    @admin.display(description="Groups that wait")
    def waiting(self, run: RuleRun) -> SafeString:
        number = sum(outcome["waiting"] for outcome in run.outcomes)
        return badge("warn" if number else "good", f"{number:,}")

    @admin.display(description="Evaluated")
    def evaluated(self, run: RuleRun) -> str:
        return time_tag(run.evaluated_at)

    @admin.display(description="Tenant")
    def tenant(self, run: RuleRun) -> str:
        return short_id(run.integration.tenant_id)

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """Show the rules of an integration, even before their first evaluation."""
        if request.method != "GET" or not self.has_view_permission(request):
            raise PermissionDenied
        integration = _get_integration(request, unquote(object_id))
        run = RuleRun.objects.filter(pk=integration.pk).first()
        context = self.admin_site.each_context(request) | {
            "title": f"Rules of {integration.base_url}",
            "opts": self.opts,
            "integration": integration,
            "run": run,
            "problem": _find_problem(integration),
            "rules": _describe_rules(integration, run),
            "max_shown": MAX_SHOWN,
        }
        return TemplateResponse(request, TEMPLATE, context)


def _get_integration(request: HttpRequest, pk: str) -> Integration:
    tenants, found = get_tenants(request.user), parse_uuid(pk)
    active = Integration.objects.active_jira().defer("api_token")
    if tenants is not None:
        active = active.filter(tenant_id__in=tenants)
    if found is None:
        raise Http404
    integration: Integration = get_object_or_404(active, pk=found)
    return integration


def _find_problem(integration: Integration) -> str:
    """Return why rules create nothing now, or "" if they may."""
    try:
        get_active_jira(tenant_id=integration.tenant_id)
    except ServiceError as error:
        return str(error)
    return ""


def _describe_rules(
    integration: Integration, run: RuleRun | None
) -> list[dict[str, Any]]:
    outcomes = {one["name"]: one for one in run.outcomes} if run else {}
    rules, plans = list_rules(integration), plan_rules(integration)
    return [
        {
            "name": rule["name"],
            "conditions": _describe_conditions(rule["when"]),
            "daily_cap": rule["daily_cap"],
            "left": count_left(integration, rule),
            "plan": plan,
            "shown": plan.tickets[:MAX_SHOWN],
            "outcome": outcomes.get(rule["name"]),
        }
        for rule, plan in zip(rules, plans, strict=True)
    ]


def _describe_conditions(when: Mapping[str, Any]) -> str:
    return ", ".join(f"{_name(name)} {value}" for name, value in when.items()) or "none"


def _name(condition: str) -> str:
    """Return a condition in words: `severity_min` is “severity at least”."""
    words = condition.removesuffix("_min").replace("_id", " ID").replace("_", " ")
    return f"{words} at least" if condition.endswith("_min") else words

"""The overview at the top of the admin."""

from typing import Any

from django import template

from issues.admin.overview import SPANS, choose_tenants, read_overview
from killthenoise.admin.charts import bars, lines, stacked_bars
from killthenoise.api.authentication import parse_uuid
from killthenoise.staff.models import get_tenants

register = template.Library()

MAX_CODES = 6
"""The most codes in the chart. The table shows all."""


@register.inclusion_tag("admin/issues/overview.html", takes_context=True)
def overview(context: Any) -> dict[str, Any]:
    """Return the numbers and pictures, for those who may see ticket requests."""
    request = context["request"]
    user = request.user
    if not user.has_perm("issues.view_ticketrequest"):
        return {"numbers": None}
    span = request.GET.get("since", "")
    span = span if span in SPANS else "7d"
    allowed = get_tenants(user)
    tenant_id = parse_uuid(request.GET.get("tenant", ""))
    numbers = read_overview(choose_tenants(allowed, tenant_id), span)
    labels = [period.label for period in numbers.periods]
    return {
        "numbers": numbers,
        "span": span,
        "spans": [("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")],
        "tenant": tenant_id or "",
        "tenants": sorted(map(str, allowed or ())),
        "perms": context["perms"],
        "settled_chart": stacked_bars(
            "Requests created and failed, over time",
            labels,
            {
                "created": [period.created for period in numbers.periods],
                "failed": [period.failed for period in numbers.periods],
            },
        ),
        "latency_chart": lines(
            "Latency in milliseconds, median and 95th percentile, over time",
            labels,
            {
                "p50": [period.p50 for period in numbers.periods],
                "p95": [period.p95 for period in numbers.periods],
            },
        ),
        "code_chart": bars("Failures by code", numbers.codes[:MAX_CODES]),
    }

"""Shows the audit in the admin, read-only."""

from typing import Any

from django.contrib import admin
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.fields.json import KT
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from killthenoise.admin.export import ExportAdmin
from killthenoise.admin.filters import SinceFilter, TenantFilter, TextFilter
from killthenoise.admin.formats import (
    NONE,
    actor_name,
    list_url,
    outcome_badge,
    short_id,
    time_tag,
)
from killthenoise.api.authentication import parse_uuid
from killthenoise.audit.models import AuditEvent


class OutcomeFilter(TextFilter):
    title = "outcome"
    parameter_name = "outcome"


class ActorFilter(TextFilter):
    title = "actor"
    parameter_name = "actor"


@admin.register(AuditEvent)
class AuditEventAdmin(ExportAdmin):
    list_display = ["time", "action", "result", "who", "about", "facts", "tenant"]
    list_filter = ["action", OutcomeFilter, ActorFilter, TenantFilter, SinceFilter]
    search_fields = ["object_id"]
    search_help_text = "Object ID, request ID, ticket key, tenant ID or actor, in full"
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    sortable_by = ["time"]
    empty_text = "No event. Each creation, change and login is recorded here."
    export_fields = (
        "id",
        "created_at",
        "tenant_id",
        "actor",
        "action",
        "outcome",
        "object_type",
        "object_id",
        "detail",
        "request_id",
        "client_ip",
    )
    fields = ["time", "action", "result", "actor", "about", "facts", "tenant_id"]
    fields += ["of_request", "object_id", "client_ip", "id"]
    readonly_fields = ["time", "result", "about", "facts", "of_request", "id"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Compare whole values. Each has an index."""
        text = search_term.strip()
        if not text:
            return queryset, False
        events = queryset.alias(ticket=KT("detail__ticket_key"))
        has_index = connection.vendor == "postgresql"
        ticket = "ticket" if has_index else "detail__ticket_key"
        same = Q(object_id=text) | Q(request_id=text) | Q(actor=text)
        same |= Q((ticket, text.upper()))
        if tenant_id := parse_uuid(text):
            same |= Q(tenant_id=tenant_id)
        return events.filter(same), False

    @admin.display(description="Time", ordering="created_at")
    def time(self, event: AuditEvent) -> str:
        return time_tag(event.created_at)

    @admin.display(description="Outcome")
    def result(self, event: AuditEvent) -> SafeString:
        return outcome_badge(event.outcome)

    @admin.display(description="Actor")
    def who(self, event: AuditEvent) -> str:
        return actor_name(event.actor)

    @admin.display(description="Object")
    def about(self, event: AuditEvent) -> str:
        """A link to the page of the object, if the admin has one."""
        app, _, model = event.object_type.partition(".")
        kind = {"aiissuegroup": "group", "ticketrequest": "ticket request"}.get(model)
        text = format_html("{} {}", kind or model or "–", event.object_id[:8])
        try:
            url = reverse(f"admin:{app}_{model}_change", args=[event.object_id])
        except NoReverseMatch:
            return text
        return format_html('<a href="{}" title="{}">{}</a>', url, event.object_id, text)

    @admin.display(description="Details")
    def facts(self, event: AuditEvent) -> str:
        return _describe(event.detail) or NONE

    @admin.display(description="Request ID")
    def of_request(self, event: AuditEvent) -> str:
        """A link to what else the same HTTP request did."""
        if not event.request_id:
            return NONE
        url = list_url("audit_auditevent", q=event.request_id)
        return format_html('<a href="{}">{}</a>', url, event.request_id)

    @admin.display(description="Tenant")
    def tenant(self, event: AuditEvent) -> str:
        return short_id(event.tenant_id)


def _describe(detail: dict[str, Any]) -> str:
    """Return the values that there are, each after its name; a ticket has its key."""
    keys = [detail[name] for name in ("ticket_key",) if detail.get(name)]
    named = sorted(name for name in detail if detail[name] and name != "ticket_key")
    pairs = [f"{_name(name)}: {_text(detail[name])}" for name in named]
    return "; ".join([*keys, *pairs])


def _name(name: str) -> str:
    """Return the name of a detail, or of a filter's parameter, in words."""
    return name.removesuffix("__exact").replace("__", " ").replace("_", " ")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_name(name)} {value[name]}" for name in sorted(value))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

"""Admin pages of groups, and read-only pages of reports, ticket requests and links."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from issues.group_import import GROUP_FIELDS
from issues.models import AIIssueGroup, RemoteLink, Report, TicketRequest
from issues.serializers import PutGroupSerializer
from issues.settlement import CannotSettle, settle_ticket_request
from killthenoise.admin_forms import JSONField
from killthenoise.audit.admin import AuditAdmin, AuditedAdmin
from killthenoise.errors import ServiceError

SETTLE_TEMPLATE = "admin/issues/ticketrequest/settle.html"
CANNOT_DELETE = (
    "This group cannot be deleted, because its reports, including links to Jira "
    "tickets, would be deleted with it."
)


def external_link(url: str, text: str) -> str | SafeString:
    """Return a link to another system, or only the text if `url` is no web address."""
    if not url.startswith(("https://", "http://")):
        return text
    return format_html('<a href="{}" rel="noopener noreferrer">{}</a>', url, text)


class GroupForm(forms.ModelForm):
    """Accepts and cleans the same values as the API's PUT."""

    class Meta:
        model = AIIssueGroup
        exclude: list[str] = []
        field_classes = {"tags": JSONField}
        labels = {
            "ai_type_confidence": "AI type confidence",
            "ai_type_reasoning": "AI type reasoning",
            "team_id": "Team ID",
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        given = {name: cleaned[name] for name in GROUP_FIELDS if name in cleaned}
        serializer = PutGroupSerializer(data=given)
        if serializer.is_valid():
            return cleaned | {name: serializer.validated_data[name] for name in given}
        for name in serializer.errors.keys() & given.keys():
            self.add_error(name, _sentences(serializer.errors[name]))
        return cleaned


def _sentences(errors: Any) -> list[str]:
    """Return the errors of a field; a list has them by the index of its items."""
    found = errors.values() if isinstance(errors, dict) else [errors]
    return list(dict.fromkeys(str(text) for texts in found for text in texts))


@admin.register(AIIssueGroup)
class AIIssueGroupAdmin(AuditedAdmin):
    form = GroupForm
    list_display = ["title", "type", "severity", "status", "frequency", "updated_at"]
    list_filter = ["status", "type", "severity", "updated_at"]
    search_fields = ["title", "summary", "id", "tenant_id", "reports__external_id"]
    search_help_text = "Title, summary, ID, tenant ID, ticket key, external ID"
    ordering = ["-updated_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AIIssueGroup]:
        groups: QuerySet[AIIssueGroup] = super().get_queryset(request)
        return groups.annotate(frequency=Count("reports"))

    def save_model(
        self, request: HttpRequest, obj: AIIssueGroup, form: Any, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        RemoteLink.objects.filter(group=obj).touch()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow it for a single group without reports, which it would delete too."""
        if obj is None or obj.reports.exists():
            return False
        return super().has_delete_permission(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Say why Delete is missing."""
        reason = CANNOT_DELETE if obj and obj.reports.exists() else ""
        fields = self.get_fields(request, obj)
        return [(None, {"fields": fields, "description": reason})]

    @admin.display(ordering="frequency")
    def frequency(self, group: Any) -> int:
        return int(group.frequency)


@admin.register(Report)
class ReportAdmin(AuditAdmin):
    list_display = ["title", "source", "external_id_link", "group", "created_at"]
    list_filter = ["source", "created_at"]
    list_select_related = ["group"]
    search_fields = ["title", "external_id", "group__title", "group__tenant_id"]
    search_help_text = "Title, external ID, title of the group, tenant ID"
    ordering = ["-created_at"]

    @admin.display(description="External ID", ordering="external_id")
    def external_id_link(self, report: Report) -> str:
        return external_link(report.url, report.external_id or report.url)


class SettleForm(forms.Form):
    """The ticket of an open request, or that it has none, and why."""

    outcome = forms.ChoiceField(
        choices=[("ticket", "Its ticket exists"), ("none", "No ticket was created")]
    )
    ticket_key = forms.CharField(
        required=False, max_length=255, help_text="For example SCRUM-7."
    )
    reason = forms.CharField(
        max_length=500, help_text="How you know. It is kept in the audit."
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("outcome") == "ticket" and not cleaned.get("ticket_key"):
            self.add_error("ticket_key", "Enter the key of the ticket.")
        return cleaned

    def settle(self, request_id: UUID, username: str) -> bool:
        """Settle the request; return False, with an error in the form, if it fails."""
        has_ticket = self.cleaned_data["outcome"] == "ticket"
        try:
            settle_ticket_request(
                request_id=request_id,
                ticket_key=self.cleaned_data["ticket_key"].upper()
                if has_ticket
                else "",
                actor=f"admin:{username}",
                reason=self.cleaned_data["reason"],
            )
        except (CannotSettle, ServiceError) as exc:
            self.add_error(None, str(exc))
        return not self.errors


@admin.register(TicketRequest)
class TicketRequestAdmin(AuditAdmin):
    list_display = ["created_at", "state", "ticket", "title", "error_code", "actor"]
    list_display += ["duration_ms", "tenant_id"]
    list_filter = ["state", "error_code", "created_at"]
    search_fields = ["ticket_key", "title", "id", "group__id", "tenant_id"]
    search_fields += ["request_id"]
    search_help_text = "Ticket key, title, ID, group ID, tenant ID, request ID"
    date_hierarchy = "created_at"
    ordering = ["-created_at"]

    @admin.display(ordering="ticket_key")
    def ticket(self, request: TicketRequest) -> str:
        return external_link(request.ticket_url, request.ticket_key)

    def get_urls(self) -> list[URLPattern]:
        settle = self.admin_site.admin_view(self.settle_view)
        name = "issues_ticketrequest_settle"
        return [path("<uuid:pk>/settle/", settle, name=name), *super().get_urls()]

    def settle_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Settle an open request by hand, as `manage.py settle_ticket_request` does."""
        if not request.user.has_perm("issues.change_ticketrequest"):
            raise PermissionDenied
        ticket_request = get_object_or_404(TicketRequest, pk=pk)
        if request.method == "GET" and not ticket_request.is_open:
            text = f"The ticket request is settled already: {ticket_request.state}."
            self.message_user(request, text, messages.WARNING)
            return redirect("admin:issues_ticketrequest_change", pk)
        form = SettleForm(request.POST or None)
        if form.is_valid() and form.settle(pk, request.user.get_username()):
            self.message_user(request, "The ticket request is settled.")
            return redirect("admin:issues_ticketrequest_change", pk)
        context = self.admin_site.each_context(request) | {"title": "Settle by hand"}
        context |= {"form": form, "ticket_request": ticket_request, "opts": self.opts}
        return TemplateResponse(request, SETTLE_TEMPLATE, context)


@admin.register(RemoteLink)
class RemoteLinkAdmin(AuditAdmin):
    """Links from tickets to groups; one with attempts is not yet in Jira as it should.

    An empty title says that Jira has no link.
    """

    list_display = ["ticket", "title", "resolved", "attempts", "due_at"]
    list_display += ["error_message", "tenant_id"]
    list_filter = ["attempts", "resolved"]
    search_fields = ["ticket_key", "title", "tenant_id", "group__id"]
    search_help_text = "Ticket key, title, tenant ID, group ID"
    ordering = ["due_at"]

    @admin.display(ordering="ticket_key")
    def ticket(self, link: RemoteLink) -> str:
        return external_link(link.ticket_url, link.ticket_key)

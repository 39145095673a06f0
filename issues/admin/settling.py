"""Settles open requests by hand, like `manage.py settle_ticket_request`."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse

from issues.admin import operations
from issues.models import TicketRequest
from killthenoise.admin.formats import list_url
from killthenoise.admin.operations import Outcome, run_each
from killthenoise.api.authentication import parse_uuid
from killthenoise.errors import ServiceError

TEMPLATE = "admin/issues/ticketrequest/settle.html"
MANY_TEMPLATE = "admin/issues/ticketrequest/settle_many.html"
MAX_MANY = 50


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=500,
        help_text="How you know this. It is stored in the audit.",
        widget=forms.TextInput(attrs={"class": "vLargeTextField"}),
    )


class SettleForm(ReasonForm):
    """The ticket of an open request, or that there is none, and the reason."""

    outcome = forms.ChoiceField(
        choices=[("ticket", "Its ticket exists"), ("none", "No ticket was created")]
    )
    ticket_key = forms.CharField(
        required=False, max_length=255, help_text="For example SCRUM-7."
    )
    field_order = ["outcome", "ticket_key", "reason"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("outcome") == "ticket" and not cleaned.get("ticket_key"):
            self.add_error("ticket_key", "Enter the key of the ticket.")
        return cleaned

    def settle(self, request: HttpRequest, row: TicketRequest) -> bool:
        """Settle the request; return False, with an error in the form, if it fails."""
        values = self.cleaned_data
        key = values["ticket_key"] if values["outcome"] == "ticket" else ""
        try:
            outcome = operations.settle(
                request, row, ticket_key=key, reason=values["reason"]
            )
        except ServiceError as exc:
            outcome = Outcome(False, str(exc))
        if not outcome.ok:
            self.add_error(None, outcome.text)
        return outcome.ok


def settle_view(self: Any, request: HttpRequest, pk: UUID) -> HttpResponse:
    """Settle an open request."""
    if not self.has_operate_permission(request):
        raise PermissionDenied
    row = get_object_or_404(self.get_queryset(request), pk=pk)
    if request.method == "GET" and not row.is_open:
        text = f"The ticket request is already settled: {row.state}."
        self.message_user(request, text, messages.WARNING)
        return redirect("admin:issues_ticketrequest_change", pk)
    form = SettleForm(request.POST or None)
    if form.is_valid() and form.settle(request, row):
        self.message_user(request, "The ticket request is settled.")
        return redirect("admin:issues_ticketrequest_change", pk)
    return _page(self, request, TEMPLATE, {"form": form, "ticket_request": row})


def settle_many_view(self: Any, request: HttpRequest) -> HttpResponse:
    """Settle the open requests that `?pk=` names, each with its ticket or none."""
    if not self.has_operate_permission(request):
        raise PermissionDenied
    pks = [found for one in request.GET.getlist("pk") if (found := parse_uuid(one))]
    rows = list(self.get_queryset(request).open().filter(pk__in=pks)[:MAX_MANY])
    if not rows:
        text = "None of these ticket requests is open, so there is nothing to settle."
        self.message_user(request, text, messages.WARNING)
        return redirect(list_url("issues_ticketrequest"))
    form = ReasonForm(request.POST or None)
    if form.is_valid():
        reason = form.cleaned_data["reason"]

        def settle(request: HttpRequest, row: TicketRequest) -> Outcome:
            key = request.POST.get(f"key-{row.pk}", "")[:255]
            return operations.settle(request, row, ticket_key=key, reason=reason)

        run_each(request, settle, rows)
        return redirect(list_url("issues_ticketrequest"))
    return _page(self, request, MANY_TEMPLATE, {"form": form, "rows": rows})


def _page(
    self: Any, request: HttpRequest, template: str, values: dict[str, Any]
) -> HttpResponse:
    shared = self.admin_site.each_context(request) | {"title": "Settle by hand"}
    return TemplateResponse(request, template, shared | {"opts": self.opts} | values)

"""The pages that create, link and unlink the tickets of a group."""

from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from integrations.models import Integration
from integrations.services import NOTHING_ASKED, choose_target, search_tickets
from issues.admin import group_jobs, operations
from issues.admin.request_actions import OPERATE
from issues.admin.story import render_as_jira
from issues.group_facts import read_facts
from issues.groups.ticket_drafts import generate_description
from issues.internal_keys import internal_key
from issues.models import MAX_TITLE, AIIssueGroup, Report
from issues.serializers import MAX_DESCRIPTION, CreateJiraTicketSerializer
from killthenoise.admin.operations import run_each
from killthenoise.api.authentication import parse_uuid
from killthenoise.api.text import clean_title
from killthenoise.errors import ServiceError

TEMPLATES = "admin/issues/aiissuegroup"
MAX_QUERY = 255
CHANGE = "admin:issues_aiissuegroup_change"


class GroupTickets(admin.ModelAdmin):
    """Adds the pages, and an action for many groups, to the admin of groups."""

    actions = ["create_tickets"]
    create_tickets = group_jobs.create_tickets

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(OPERATE)

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "issues_aiissuegroup"
        views = {
            "create": self.create_view,
            "link": self.link_view,
            "unlink": self.unlink_view,
        }
        return [
            path(f"<uuid:pk>/{verb}/", wrap(view), name=f"{name}_{verb}")
            for verb, view in views.items()
        ] + super().get_urls()

    def create_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Show the ticket as it would be created; create it after a confirmation."""
        group = self._get_group(request, pk)
        tickets = list(Report.objects.jira().filter(group=group)[:5])
        if request.method == "POST":
            values = request.POST.dict()
            errors = _validate(values)
            is_sent = not errors and "_preview" not in values
            if is_sent and _create(request, group, values):
                return redirect(CHANGE, pk)
        else:
            values, errors = _draft(request, group), {}
        context = {
            "values": {"key": uuid4()} | values,
            "errors": errors,
            "tickets": tickets,
            **_get_target(group),
            "rendered": render_as_jira(values.get("description", "")),
            "max_title": MAX_TITLE,
            "max_description": MAX_DESCRIPTION,
        }
        return self._page(request, "create.html", "Create Jira ticket", group, context)

    def link_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Find a ticket by its key or words, and link it."""
        group = self._get_group(request, pk)
        if request.method == "POST":
            key = clean_title(request.POST.get("ticket_key", ""))[:MAX_QUERY]
            link = partial(operations.link, ticket_key=key)
            [outcome] = run_each(request, link, [group])
            if outcome.ok:
                return redirect(CHANGE, pk)
            return redirect(request.get_full_path())
        context = _find(group, request.GET.get("q"))
        if "results" in request.GET:
            return TemplateResponse(request, f"{TEMPLATES}/found.html", context)
        return self._page(request, "link.html", "Link existing ticket", group, context)

    def unlink_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Unlink a ticket from the group."""
        group = self._get_group(request, pk)
        if request.method != "POST":
            raise PermissionDenied
        key = request.POST.get("ticket_key", "")[:MAX_QUERY]
        run_each(request, partial(operations.unlink_key, ticket_key=key), [group])
        return redirect(CHANGE, pk)

    def _get_group(self, request: HttpRequest, pk: UUID) -> AIIssueGroup:
        if not self.has_operate_permission(request):
            raise PermissionDenied
        group: AIIssueGroup = get_object_or_404(self.get_queryset(request), pk=pk)
        return group

    def _page(
        self,
        request: HttpRequest,
        template: str,
        title: str,
        group: AIIssueGroup,
        values: dict[str, Any],
    ) -> HttpResponse:
        shared = self.admin_site.each_context(request)
        context = shared | {"title": title, "opts": self.opts, "group": group} | values
        return TemplateResponse(request, f"{TEMPLATES}/{template}", context)


def _get_target(group: AIIssueGroup) -> dict[str, Any]:
    """Return where the ticket goes; no integration if Jira is not connected."""
    jira = Integration.objects.for_tenant(group.tenant_id).active_jira()
    integration = jira.defer("api_token").first()
    if integration is None:
        return {"integration": None}
    facts = read_facts(integration, group.pk)
    target = choose_target(integration, NOTHING_ASKED, facts)
    problem = integration.sync_error_message if integration.is_paused else ""
    return {"integration": integration, "target": target, "problem": problem}


def _draft(request: HttpRequest, group: AIIssueGroup) -> dict[str, Any]:
    """Return the title and description that the front end would suggest."""
    title = group.title[:MAX_TITLE]
    try:
        drafted = generate_description(
            tenant_id=group.tenant_id, title=title, summary=group.summary
        )
    except ServiceError as exc:
        messages.warning(request, f"There is no draft: {exc}")
        return {"title": title, "description": group.summary}
    return {"title": title, "description": drafted.description}


def _validate(values: dict[str, Any]) -> dict[str, list[str]]:
    """Clean the values as the API does, in place; return the errors by field."""
    sent = {name: values.get(name, "") for name in ("title", "description")}
    serializer = CreateJiraTicketSerializer(data=sent)
    if serializer.is_valid():
        values |= {name: serializer.validated_data[name] for name in sent}
        return {}
    return {
        name: [str(one) for one in texts] for name, texts in serializer.errors.items()
    }


def _create(request: HttpRequest, group: AIIssueGroup, values: dict[str, Any]) -> bool:
    """Create the ticket and show a message. A further ticket has the form's key."""
    another = "allow_another" in values
    page = parse_uuid(values.get("key", "")) if another else None
    create = partial(
        operations.create,
        title=values["title"],
        description=values["description"],
        allow_another=another,
        idempotency_key=internal_key("admin", page) if page else "",
    )
    [outcome] = run_each(request, create, [group])
    return outcome.ok


def _find(group: AIIssueGroup, query: str | None) -> dict[str, Any]:
    """Return the tickets to choose from; none before anything is typed."""
    if query is None:
        return {"query": "", "found": None, "problem": ""}
    words = clean_title(query)[:MAX_QUERY]
    try:
        found = search_tickets(tenant_id=group.tenant_id, words=words)
    except ServiceError as exc:
        return {"query": query, "found": [], "problem": str(exc)}
    return {"query": query, "found": found, "problem": ""}

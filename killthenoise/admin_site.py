"""The admin's site: audited logins, and limits on guessing passwords."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import unquote

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse

from killthenoise.api.text import clean_title
from killthenoise.audit.events import Action, record

View = TypeVar("View", bound=Callable[..., Any])

MAX_USERNAME = 150
"""Characters; Django's limit."""
UNKNOWN_USER = "admin:unknown user"
"""The actor of a failed login with an unknown name, which may be a password."""


SECTIONS = ["TicketRequest", "AIIssueGroup", "Report", "TicketJob", "RuleRun"]
SECTIONS += ["RemoteLink", "AuditEvent", "Integration", "WebhookEndpoint"]
SECTIONS += ["WebhookDelivery", "User", "Role"]
"""The order of the models, the most used first. Others come last."""


def _place(model: str) -> int:
    return SECTIONS.index(model) if model in SECTIONS else len(SECTIONS)


class AdminSite(admin.AdminSite):
    """Django's admin, with an audit of logins and of users' own password changes."""

    enable_nav_sidebar = False  # the lists need the width, and the header has the links

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """Return the apps in the order of SECTIONS, and so their models."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda model: _place(model["object_name"]))
        return sorted(apps, key=lambda app: _place(app["models"][0]["object_name"]))

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Refuse NUL in the query string: PostgreSQL cannot store it."""

        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if "\0" in unquote(request.META.get("QUERY_STRING", "")):
                raise BadRequest("The query contains NUL.")
            return view(request, *args, **kwargs)

        return super().admin_view(cast(View, checked), cacheable)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Record each attempt. While logging in is locked, axes logs them instead."""
        name = request.POST.get("username", "")
        if "\0" in name or len(name) > MAX_USERNAME:
            raise BadRequest("There is no such username.")  # axes could not store it
        is_attempt = request.method == "POST" and AxesProxyHandler.is_allowed(request)
        response = super().login(request, extra_context)
        if is_attempt:
            logged_in = response.status_code == 302
            _record(request, Action.ADMIN_LOGIN, "ok" if logged_in else "login_failed")
        return response

    def password_change(
        self, request: HttpRequest, extra_context: Any = None
    ) -> TemplateResponse:
        """Record that the user changed their own password."""
        response = super().password_change(request, extra_context)
        if request.method == "POST" and response.status_code == 302:
            _record(request, Action.ADMIN_PASSWORD, "ok")
        return response


def _record(request: HttpRequest, action: Action, outcome: str) -> None:
    name = clean_title(request.POST.get("username", "")) or request.user.get_username()
    user = User.objects.filter(username=name).first()
    record(
        action,
        actor=f"admin:{user.get_username()}" if user else UNKNOWN_USER,
        outcome=outcome,
        object_type=User._meta.label_lower,
        object_id=str(user.pk) if user else "",
        client_ip=request.META.get("REMOTE_ADDR") or None,
    )


class LoginLimits(AxesDatabaseHandler):  # type: ignore[misc] # axes has no types
    """Also locks an address that guessed passwords of many users.

    https://django-axes.readthedocs.io/en/latest/8_reference.html
    """

    def is_locked(self, request: Any, credentials: Any = None) -> bool:
        return super().is_locked(request, credentials) or (
            _failures_from(request) >= settings.LOGIN_FAILURES_PER_ADDRESS
        )


def _failures_from(request: Any) -> int:
    address, since = request.axes_ip_address, get_cool_off_threshold(request)
    recent = AccessAttempt.objects.filter(ip_address=address, attempt_time__gt=since)
    failures = Sum("failures_since_start", default=0)
    return int(recent.aggregate(failures=failures)["failures"])


def show_locked_out(
    request: HttpRequest, response: HttpResponse, credentials: Any
) -> HttpResponse:
    """Return the page of a locked login, in the admin's style."""
    context = admin.site.each_context(request) | {"title": "Account locked"}
    return render(request, "admin/locked_out.html", context, status=429)

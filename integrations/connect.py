"""Connect, change and disconnect a tenant's Jira. Jira is asked before all that.

One Jira is active per tenant. Connecting another site leaves the one of before inactive
with its token, since tickets may have to be looked for there; disconnecting erases it.
"""

from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from integrations.accounts import get_integration, jira_client, request_deadline
from integrations.auth_failures import record_auth_failure, record_login
from integrations.errors import IntegrationRefused
from integrations.models import Integration
from integrations.preflight import Preflight, ask_jira

INPUTS = {
    "site": "base_url",
    "login": "access_token",
    "project": "project_key",
    "permission": "project_key",
    "issue_type": "issue_type",
    "fields": "settings",
    "required_fields": "settings",
}
"""What a failed check is about: the input to correct."""
CREDENTIALS = ("base_url", "access_token")
NOTHING_ASKED = Preflight(account=None, checks=())


class _ChangedMeanwhile(Exception):
    """What Jira said was of an integration that is another by now."""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A stored integration, and what Jira said of it."""

    integration: Integration
    preflight: Preflight

    @property
    def message(self) -> str:
        """What a person should know of it."""
        if not self.integration.is_active:
            return "Jira is not used any more until it is activated or connected again"
        if problem := self.preflight.problem:
            return f"Jira is connected, but cannot take tickets yet. {problem}"
        return f"Jira is connected; tickets go to {self.integration.project_key}"


def connect_jira(
    *,
    tenant_id: UUID,
    base_url: str,
    email: str,
    access_token: str,
    **target: Any,
) -> Connection:
    """Verify the credentials with Jira and store them as the tenant's active Jira.

    `target` are project_key, issue_type and settings; what is not among them stays as
    it was on this site. Without a project that the account sees, the configured default
    is chosen if it is there, else the only project.

    Raises IntegrationRefused if Jira does not take the credentials or a wish; what is
    amiss otherwise, such as that no project is chosen, stands in the preflight.
    """
    changes = {"email": email, "api_token": access_token, **target}
    candidate = _change(_on_site(tenant_id, base_url), changes)
    deadline = request_deadline()
    preflight = ask_jira(candidate, deadline=deadline)
    if preflight.account and "project_key" not in target:
        preflight = _with_some_project(candidate, preflight, deadline)
        changes["project_key"] = candidate.project_key
    changes["cloud_id"] = candidate.cloud_id
    _refuse(preflight, {*CREDENTIALS, *target})
    stored = _as_the_active(
        tenant_id, lambda: _change(_on_site(tenant_id, base_url), changes)
    )
    return _noted(stored, preflight)


def update_integration(
    *, integration: Integration, changes: Mapping[str, Any]
) -> Connection:
    """Change project_key, issue_type, settings, is_active; Jira is asked first.

    To deactivate, it is not. If the integration is changed in the meantime, or
    disconnected, that stands, and Jira is asked about the new one.

    Raises IntegrationNotFound and IntegrationRefused.
    """
    return _update(integration, changes, request_deadline())


def _update(
    integration: Integration, changes: Mapping[str, Any], deadline: float
) -> Connection:
    tenant_id, pk = integration.tenant_id, str(integration.pk)
    candidate = _with(copy(integration), changes)
    if not candidate.is_active:
        candidate.save(update_fields=[*changes, "updated_at"])
        return Connection(integration=candidate, preflight=NOTHING_ASKED)
    preflight = ask_jira(candidate, deadline=deadline)
    if preflight.login_error:
        record_auth_failure(integration, preflight.login_error)
    _refuse(preflight, {*CREDENTIALS, *changes})
    verified = {**changes, "cloud_id": candidate.cloud_id}
    try:
        stored = _as_the_active(
            tenant_id, lambda: _with(_same_still(integration), verified)
        )
    except _ChangedMeanwhile:
        changed = get_integration(tenant_id=tenant_id, integration_id=pk)
        return _update(changed, changes, deadline)
    return _noted(stored, preflight)


def _noted(stored: Integration, preflight: Preflight) -> Connection:
    """Note in the stored row what Jira said of it."""
    record_login(stored, problem=preflight.problem)
    stored.refresh_from_db()
    return Connection(integration=stored, preflight=preflight)


def disconnect(*, integration: Integration) -> None:
    """Deactivate it and erase its token. What was done with it stays on record."""
    integration.is_active = False
    integration.api_token = ""  # nosec B105
    integration.save(update_fields=["is_active", "api_token", "updated_at"])


def _change(row: Integration, changes: Mapping[str, Any]) -> Integration:
    """Give the row new credentials and more; it is not saved."""
    row.forget_failures()
    return _with(row, changes)


def _with(row: Integration, changes: Mapping[str, Any]) -> Integration:
    """Give the row the values; it is not saved."""
    for name, value in changes.items():
        setattr(row, name, value)
    row.updated_at = timezone.now()
    return row


def _same_still(integration: Integration) -> Integration:
    """Return the row, locked. Raises _ChangedMeanwhile if it is another by now."""
    same = Integration.objects.filter(
        pk=integration.pk, updated_at=integration.updated_at
    )
    row = same.select_for_update(no_key=True).first()
    if row is None:
        raise _ChangedMeanwhile
    return row


def _on_site(tenant_id: UUID, base_url: str) -> Integration:
    """Return the tenant's integration with the site, a new one if there is none."""
    rows = Integration.objects.for_tenant(tenant_id).jira().filter(base_url=base_url)
    known = rows.newest_first().first()
    return known or Integration(tenant_id=tenant_id, base_url=base_url)


def _with_some_project(
    candidate: Integration, preflight: Preflight, deadline: float
) -> Preflight:
    """Choose a project if there is none that the account sees; ask again if so."""
    failed = {check.name for check in preflight.checks if not check.ok}
    if "project" not in failed:
        return preflight
    candidate.project_key = _default_project(candidate, deadline)
    if not candidate.project_key:
        return preflight
    return ask_jira(candidate, deadline=deadline)


def _default_project(candidate: Integration, deadline: float) -> str:
    """Return the configured project if it is there, else the only one, else ""."""
    jira = jira_client(candidate).metadata
    projects = jira.projects(action="create", deadline=deadline)
    keys = [project.key for project in projects]
    if settings.JIRA_DEFAULT_PROJECT_KEY in keys:
        return str(settings.JIRA_DEFAULT_PROJECT_KEY)
    return keys[0] if len(keys) == 1 else ""


def _refuse(preflight: Preflight, asked_for: Collection[str]) -> None:
    """Raise IntegrationRefused if a check failed on what was asked for."""
    for check in preflight.checks:
        field = INPUTS[check.name]
        if not check.ok and field in asked_for:
            fields = [field, "email"] if check.name == "login" else [field]
            raise IntegrationRefused(check.message, code=check.code, fields=fields)


def _as_the_active(tenant_id: UUID, row: Callable[[], Integration]) -> Integration:
    """Save what `row` returns, as the one active Jira of the tenant.

    Of connections made at the same time the last one stays active.
    """
    with transaction.atomic():
        _lock(tenant_id)
        integration = row()
        integration.is_active = True
        active = Integration.objects.for_tenant(tenant_id).active_jira()
        others = active.exclude(pk=integration.pk)
        others.update(is_active=False, updated_at=timezone.now())
        integration.save()
    return integration


def _lock(tenant_id: UUID) -> None:
    """Let no other transaction connect this tenant's Jira until ours ends.

    There may be no row yet that could be locked. SQLite has one writer at a time.

    https://www.postgresql.org/docs/18/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [tenant_id.int >> 65])

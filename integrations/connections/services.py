"""Connects, updates and disconnects a tenant's Jira.

Credentials and settings are verified with Jira before they are stored. A tenant has
one active Jira. Connecting another site deactivates the previous integration but keeps
its token, because recovery may still need to search that site for tickets.
Disconnecting erases the token.
"""

from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from integrations.checks.preflight import Preflight, run_preflight
from integrations.connections.accounts import get_integration, jira_client
from integrations.connections.auth_failures import record_auth_failure, record_login
from integrations.connections.webhook_secrets import erase_webhook_secrets
from integrations.errors import REFUSALS
from integrations.models import Integration
from killthenoise.api.request_budget import request_deadline
from killthenoise.api.slots import outgoing_slot

INPUT_FIELDS = {
    "site": "base_url",
    "login": "access_token",
    "project": "project_key",
    "permission": "project_key",
    "issue_type": "issue_type",
    "fields": "settings",
    "required_fields": "settings",
    "routes": "settings",
}
"""The input field to correct, by the name of the check that failed."""
CREDENTIALS = ("base_url", "access_token")
NOT_CHECKED = Preflight(account=None, checks=())


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A stored integration and the result of its preflight."""

    integration: Integration
    preflight: Preflight

    @property
    def message(self) -> str:
        """The sentence that the API shows."""
        if not self.integration.is_active:
            return "Jira is disabled until you reactivate or reconnect it"
        if problem := self.preflight.problem:
            return f"Jira is connected, but cannot take tickets yet. {problem}"
        return f"Jira is connected; tickets go to {self.integration.project_key}"


def connect_jira(
    *, tenant_id: UUID, base_url: str, email: str, access_token: str, **target: Any
) -> Connection:
    """Verify the credentials with Jira and store them as the tenant's active Jira.

    `target` holds project_key, issue_type, settings and token_expires_at. A value that
    is left out keeps the one stored for this site, except the expiry date of the old
    token. Without a usable project, the configured default is used if the account sees
    it, or else the only project that it sees.

    Raises TenantBusy, and IntegrationRefused if Jira rejects the credentials or a value
    of `target`. Other problems, such as a missing project, are in the returned
    preflight.
    """
    deadline = request_deadline()
    credentials = {"email": email, "api_token": access_token}
    changes = {**credentials, "token_expires_at": None, **target}

    candidate = _get_or_build(tenant_id, base_url)
    candidate.reset_status()
    _assign(candidate, changes)
    with outgoing_slot(tenant_id):
        preflight = run_preflight(candidate, deadline=deadline)
        if "project_key" not in target:
            if preflight.has_failed("project"):
                candidate.project_key = _choose_project(candidate, deadline)
                if candidate.project_key:
                    preflight = run_preflight(candidate, deadline=deadline)
            changes["project_key"] = candidate.project_key
    _raise_for_failed_check(preflight, {*CREDENTIALS, *target})

    with transaction.atomic():
        _lock_tenant(tenant_id)
        # Read again: another request may have stored this site in the meantime.
        stored = _get_or_build(tenant_id, base_url)
        stored.reset_status()
        _assign(stored, {**changes, **_get_site(candidate)})
        _save_as_active(stored)
    return _record_preflight(stored, preflight)


def update_integration(
    *, integration: Integration, changes: Mapping[str, Any]
) -> Connection:
    """Change some values of an integration, verified with Jira first.

    Deactivation does not ask Jira. If another request changes or disconnects the
    integration during the verification, that change is kept, and this one is verified
    again on top of it.

    Raises IntegrationNotFound, IntegrationRefused and TenantBusy.
    """
    tenant_id, integration_id = integration.tenant_id, str(integration.pk)
    deadline = request_deadline()
    while True:  # ends at the deadline, when the preflight fails
        candidate = copy(integration)
        _assign(candidate, changes)
        if not candidate.is_active:
            candidate.save(update_fields=[*changes, "updated_at"])
            return Connection(integration=candidate, preflight=NOT_CHECKED)

        with outgoing_slot(tenant_id):
            preflight = run_preflight(candidate, deadline=deadline)
        if preflight.login_error:
            record_auth_failure(integration, preflight.login_error)
        _raise_for_failed_check(preflight, {*CREDENTIALS, *changes})

        with transaction.atomic():
            _lock_tenant(tenant_id)
            if stored := _get_unchanged(integration):
                _assign(stored, {**changes, **_get_site(candidate)})
                _save_as_active(stored)
        if stored:
            return _record_preflight(stored, preflight)
        integration = get_integration(
            tenant_id=tenant_id, integration_id=integration_id
        )


def disconnect_jira(*, integration: Integration) -> None:
    """Deactivate the integration and erase its secrets. Its history is kept."""
    integration.is_active = False
    integration.api_token = ""  # nosec B105
    integration.save(update_fields=["is_active", "api_token", "updated_at"])
    erase_webhook_secrets(integration)


def _get_or_build(tenant_id: UUID, base_url: str) -> Integration:
    """Return the tenant's integration with this site, or a new unsaved one."""
    rows = Integration.objects.for_tenant(tenant_id).jira().filter(base_url=base_url)
    existing = rows.newest_first().first()
    return existing or Integration(tenant_id=tenant_id, base_url=base_url)


def _get_unchanged(integration: Integration) -> Integration | None:
    """Return the locked row; None if it was changed since `integration` was read."""
    unchanged = Integration.objects.filter(
        pk=integration.pk, updated_at=integration.updated_at
    )
    return unchanged.select_for_update(no_key=True).first()


def _assign(integration: Integration, values: Mapping[str, Any]) -> None:
    """Set the values, and updated_at, so that the preflight bypasses its cache."""
    for name, value in values.items():
        setattr(integration, name, value)
    integration.updated_at = timezone.now()


def _choose_project(candidate: Integration, deadline: float) -> str:
    """Return the default project if the account sees it, else the only one, else ""."""
    metadata = jira_client(candidate).metadata
    projects = metadata.projects(action="create", deadline=deadline)
    keys = [project.key for project in projects]
    if settings.JIRA_DEFAULT_PROJECT_KEY in keys:
        return str(settings.JIRA_DEFAULT_PROJECT_KEY)
    return keys[0] if len(keys) == 1 else ""


def _raise_for_failed_check(preflight: Preflight, requested: Collection[str]) -> None:
    """Raise IntegrationRefused if a check failed because of a `requested` field."""
    for check in preflight.checks:
        field = INPUT_FIELDS[check.name]
        if not check.ok and field in requested:
            fields = [field, "email"] if check.name == "login" else [field]
            raise REFUSALS[check.code](check.message, fields=fields)


def _lock_tenant(tenant_id: UUID) -> None:
    """Let no other transaction connect this tenant's Jira until this one ends.

    An advisory lock, because there may be no row to lock yet. SQLite needs none: it
    has a single writer.

    https://www.postgresql.org/docs/18/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [tenant_id.int >> 65])


def _save_as_active(integration: Integration) -> None:
    """Save the integration and deactivate the tenant's other ones.

    Of simultaneous connections, the last one stays active.
    """
    active = Integration.objects.for_tenant(integration.tenant_id).active_jira()
    others = active.exclude(pk=integration.pk)
    others.update(is_active=False, updated_at=timezone.now())
    integration.is_active = True
    integration.save()


def _get_site(candidate: Integration) -> dict[str, Any]:
    """Return what the login revealed about the site."""
    return {"cloud_id": candidate.cloud_id, "uses_gateway": candidate.uses_gateway}


def _record_preflight(stored: Integration, preflight: Preflight) -> Connection:
    """Record the result in the stored row."""
    record_login(stored, problem=preflight.problem)
    stored.refresh_from_db()
    return Connection(integration=stored, preflight=preflight)

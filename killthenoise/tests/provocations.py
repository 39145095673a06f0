"""One way to provoke each documented error, by its code."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from django.core.cache import caches
from django.http.response import HttpResponseBase
from django.utils import timezone
from pytest_django import Settings
from rest_framework.views import APIView

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup
from issues.tests.database_failures import database_down
from issues.tests.factories import TicketRequestFactory
from killthenoise.api.parsers import MAX_BODY_BYTES
from killthenoise.api.slots import import_slot, outgoing_slot
from killthenoise.api.throttling import OpenThrottle
from killthenoise.tests.issuer import Issuer
from killthenoise.tests.operations import (
    GROUP,
    INTEGRATION,
    JOB,
    NEW_GROUP,
    Operation,
)

NOWHERE = str(uuid4())
EVERYWHERE = {"method": "*", "path": "*"}


@dataclass(frozen=True)
class Scene:
    """An operation and everything around it that can fail.

    The group has no ticket, and the integration works.
    """

    name: str
    operation: Operation
    group: AIIssueGroup
    integration: Integration
    jira: Sandbox
    settings: Settings
    monkeypatch: pytest.MonkeyPatch
    issuer: Callable[[], Issuer]

    @property
    def call(self) -> Callable[..., HttpResponseBase]:
        return self.operation.call

    @property
    def creates(self) -> bool:
        return self.name == "createJiraTicket"

    def change(self, **values: Any) -> HttpResponseBase:
        """Change the stored integration, then send the request."""
        for name, value in values.items():
            setattr(self.integration, name, value)
        self.integration.save()
        return self.call()

    def fail(self, kind: str, **parameters: Any) -> HttpResponseBase:
        """Make Jira fail at the first request that the operation sends it."""
        self.jira.inject(kind, **EVERYWHERE | parameters)
        return self.call()

    def respond(self, status: int, body: Any) -> HttpResponseBase:
        """Make Jira respond to everything in this way."""
        return self.fail("response", status=status, body=body, times=None)

    def send(self, **changes: Any) -> HttpResponseBase:
        """Send the request with another body."""
        return self.call(body=self.operation.body | changes)


def throttled(scene: Scene) -> HttpResponseBase:
    rates = {"tenant": "1/min", "address": None, "connect": None}
    framework = scene.settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    scene.settings.REST_FRAMEWORK = framework
    scene.monkeypatch.setattr(OpenThrottle, "timer", lambda self: 1_000_000.0)
    caches["throttles"].clear()
    scene.call()
    return scene.call()


def internal_error(scene: Scene) -> HttpResponseBase:
    def break_down(*args: Any) -> None:
        raise RuntimeError("broken")

    scene.monkeypatch.setattr(APIView, "check_permissions", break_down)
    return scene.call()


def database_error(scene: Scene) -> HttpResponseBase:
    with database_down(""):
        return scene.call()


def ticket_not_recorded(scene: Scene) -> HttpResponseBase:
    with database_down('INSERT INTO "issues_report"'):
        return scene.call()


def auth_unavailable(scene: Scene) -> HttpResponseBase:
    issuer = scene.issuer()
    issuer.status = 500
    return scene.call(Authorization=f"Bearer {issuer.token('')}")


def with_token(scene: Scene, tenant: str, **claims: Any) -> HttpResponseBase:
    token = scene.issuer().token(tenant, **claims)
    return scene.call(Authorization=f"Bearer {token}")


def not_authenticated(scene: Scene) -> HttpResponseBase:
    scene.issuer()
    return scene.call()


def validation_error(scene: Scene) -> HttpResponseBase:
    if scene.operation.body is None:
        path = scene.operation.path.partition("?")[0]
        return scene.call(path=path, query=scene.operation.invalid)
    return scene.call(body=scene.operation.invalid)


def group_not_found(scene: Scene) -> HttpResponseBase:
    path = scene.operation.path.replace(GROUP, NOWHERE).replace(NEW_GROUP, "none")
    return scene.call(path=path)


def tenant_missing(scene: Scene) -> HttpResponseBase:
    """Behind a gateway the header is required, even if the path names the tenant."""
    secret = scene.settings.GATEWAY_SECRET = "known to the gateway and to us alone"
    return scene.call(X_Tenant_ID=None, X_Gateway_Secret=secret)


def ticket_not_in_jira(scene: Scene) -> HttpResponseBase:
    """A ticket that does not exist, or the address of a ticket of another site."""
    if scene.operation.body is not None:
        return scene.call()
    path = scene.operation.path.partition("?")[0]
    return scene.call(
        path=path, query={"q": "https://other.example.com/browse/SCRUM-1"}
    )


def site_not_allowed(scene: Scene) -> HttpResponseBase:
    """The sandbox is on plain http, which only development allows."""
    scene.settings.JIRA_ALLOW_INSECURE = False
    return scene.call()


def tenant_busy(scene: Scene) -> HttpResponseBase:
    scene.settings.JIRA_THREADS_PER_TENANT = 1
    scene.settings.LLM_BASE_URL = "http://127.0.0.1:9"
    scene.monkeypatch.setattr("issues.views.QUICK_REPORTS", 0)
    tenant_id = scene.group.tenant_id
    with outgoing_slot(tenant_id), import_slot(tenant_id):
        return scene.call()


def ticket_in_progress(scene: Scene) -> HttpResponseBase:
    TicketRequestFactory.create(group=scene.group, integration=scene.integration)
    scene.settings.TWIN_WAIT_S = 0
    return scene.call()


def jira_account_gone(scene: Scene) -> HttpResponseBase:
    TicketRequestFactory.create(
        group=scene.group,
        integration=scene.integration,
        base_url="https://before.atlassian.net",
        lease_until=timezone.now() - timedelta(minutes=1),
    )
    return scene.call()


def ticket_exists(scene: Scene) -> HttpResponseBase:
    scene.call()
    return scene.send(title="Light mode")


def idempotency_key_reused(scene: Scene) -> HttpResponseBase:
    scene.call(Idempotency_Key="click-1")
    body = scene.operation.body | {"title": "Light mode", "items": [{}]}
    return scene.call(body=body, Idempotency_Key="click-1")


def secret_unreadable(scene: Scene) -> HttpResponseBase:
    scene.settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    return scene.call()


def jira_auth_failed(scene: Scene) -> HttpResponseBase:
    if scene.name == "connectJira":
        return scene.send(access_token="an-expired-token")
    return scene.change(api_token="an-expired-token")


def jira_permission_denied(scene: Scene) -> HttpResponseBase:
    if scene.name in ("connectJira", "updateIntegration"):
        return scene.send(project_key="LOCKED")
    return scene.fail("forbidden")


def jira_project_invalid(scene: Scene) -> HttpResponseBase:
    if scene.name in ("connectJira", "updateIntegration"):
        return scene.send(project_key="NOPE")
    if scene.creates:
        return scene.change(project_key="NOPE")
    scene.jira.inject("response", **EVERYWHERE, status=404, body=NO_PROJECT)
    return scene.call()


def jira_issue_type_invalid(scene: Scene) -> HttpResponseBase:
    if scene.creates:
        return scene.change(issue_type="Storyy")
    return scene.send(issue_type="Storyy")


def jira_field_rejected(scene: Scene) -> HttpResponseBase:
    settings = {"fields": {"components": ["Nope"]}}
    if scene.name in ("connectJira", "updateIntegration"):
        return scene.send(settings=settings)
    if scene.creates:
        return scene.change(settings=settings)
    return scene.respond(400, NOT_KNOWN)


def jira_content_too_long(scene: Scene) -> HttpResponseBase:
    scene.jira.state.max_document = 10
    return scene.call()


def jira_unreachable(scene: Scene) -> HttpResponseBase:
    if scene.name == "connectJira":
        return scene.send(base_url="http://127.0.0.1:9")
    return scene.change(base_url="http://127.0.0.1:9")


def fail_listing(scene: Scene, code: str) -> HttpResponseBase:
    """Make Jira fail when a project is to be chosen for a new connection."""
    kind, parameters = FAULTS[code]
    path = "/rest/api/3/project/search"
    scene.jira.inject(kind, method="GET", path=path, **parameters)
    scene.integration.delete()  # or its project would stay
    form = {k: v for k, v in scene.operation.body.items() if k != "project_key"}
    return scene.call(body=form)


NO_PROJECT = {"errorMessages": ["No project could be found with key 'SCRUM'."]}
NOT_KNOWN = {"errors": {"fields": "The field is not known"}}
FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "jira_auth_failed": ("unauthorized", {}),
    "jira_bad_response": ("redirect", {"location": "https://example.com/"}),
    "jira_field_rejected": ("response", {"status": 400, "body": NOT_KNOWN}),
    "jira_permission_denied": ("forbidden", {}),
    "jira_project_invalid": ("response", {"status": 404, "body": NO_PROJECT}),
    "jira_rate_limited": ("rate_limited", {"retry_after": 30}),
    "jira_unreachable": ("server_error", {"status": 503}),
}


def provoke(scene: Scene, status: int, code: str) -> HttpResponseBase:
    """Send the operation's request in such a way that it fails with the code."""
    if scene.name == "connectJira" and status == 500 and code in FAULTS:
        return fail_listing(scene, code)
    return PROVOCATIONS[code](scene)


PROVOCATIONS: dict[str, Callable[[Scene], HttpResponseBase]] = {
    "auth_unavailable": auth_unavailable,
    "bad_request": lambda scene: scene.call(Host="another.example"),
    "database_error": database_error,
    "group_not_found": group_not_found,
    "idempotency_key_reused": idempotency_key_reused,
    "integration_disconnected": lambda scene: scene.change(api_token=""),
    "integration_not_found": lambda scene: scene.call(
        path=scene.operation.path.replace(INTEGRATION, NOWHERE)
    ),
    "integration_paused": lambda scene: scene.change(auth_failures=5),
    "internal_error": internal_error,
    "jira_account_gone": jira_account_gone,
    "jira_auth_failed": jira_auth_failed,
    "jira_bad_response": lambda scene: scene.fail(
        "redirect", location="https://example.com/"
    ),
    "jira_content_too_long": jira_content_too_long,
    "jira_field_rejected": jira_field_rejected,
    "jira_issue_type_invalid": jira_issue_type_invalid,
    "jira_outcome_unknown": lambda scene: scene.fail("server_error", status=503),
    "jira_permission_denied": jira_permission_denied,
    "jira_project_invalid": jira_project_invalid,
    "jira_rate_limited": lambda scene: scene.fail("rate_limited", retry_after=30),
    "jira_unreachable": jira_unreachable,
    "job_not_found": lambda scene: scene.call(
        path=scene.operation.path.replace(JOB, NOWHERE)
    ),
    "malformed_json": lambda scene: scene.call(body="{"),
    "no_active_integration": lambda scene: scene.change(is_active=False),
    "no_project_chosen": lambda scene: scene.change(project_key=""),
    "not_acceptable": lambda scene: scene.call(Accept="application/xml"),
    "not_an_object": lambda scene: scene.call(body="[]"),
    "not_authenticated": not_authenticated,
    "not_found": lambda scene: scene.call(query={"tenant_id": NOWHERE}),
    "payload_too_large": lambda scene: scene.call(body="x" * (MAX_BODY_BYTES + 1)),
    "secret_unreadable": secret_unreadable,
    "site_not_allowed": site_not_allowed,
    "tenant_busy": tenant_busy,
    "tenant_forbidden": lambda scene: with_token(scene, NOWHERE),
    "tenant_malformed": lambda scene: scene.call(X_Tenant_ID="acme"),
    "tenant_missing": tenant_missing,
    "throttled": throttled,
    "ticket_exists": ticket_exists,
    "ticket_in_progress": ticket_in_progress,
    "ticket_not_in_jira": ticket_not_in_jira,
    "ticket_not_linked": lambda scene: scene.call(),
    "ticket_not_recorded": ticket_not_recorded,
    "token_expired": lambda scene: with_token(scene, NOWHERE, exp=-300),
    "token_invalid": lambda scene: with_token(scene, NOWHERE, aud="another"),
    "unsupported_media_type": lambda scene: scene.call(Content_Type="text/plain"),
    "validation_error": validation_error,
}

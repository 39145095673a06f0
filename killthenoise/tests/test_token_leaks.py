"""An API token is sent to Jira and leaks nowhere else.

The token of these tests, the canary, is searched in all output.
"""

import logging
import sys
from base64 import b64encode
from collections.abc import Iterator
from io import StringIO
from types import TracebackType
from typing import Any
from uuid import UUID

import pytest
import requests
import sentry_sdk
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views.debug import ExceptionReporter
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from development.sandbox import Sandbox
from development.sandbox.faults import KINDS
from integrations.models import Integration
from issues.models import AIIssueGroup
from issues.recovery import recover_due
from issues.tests.factories import GroupFactory
from killthenoise import telemetry
from killthenoise.tests.api import Api

CANARY = "ATATT-canary-0123456789"
EMAIL = "owner@example.com"
BASIC = b64encode(f"{EMAIL}:{CANARY}".encode()).decode()


class Seen:
    """Collects all output as text."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, *things: object) -> None:
        self.texts += [str(thing) for thing in things]

    def add_response(self, response: requests.Response) -> None:
        self.add(response.text, dict(response.headers))

    def add_error(self, exc: BaseException) -> None:
        """Add Django's error reports, and the variables of each frame."""
        request = RequestFactory().get("/")
        reporter = ExceptionReporter(request, type(exc), exc, exc.__traceback__)
        self.add(reporter.get_traceback_text(), reporter.get_traceback_html())
        for one in chain_of(exc):
            self.add(one, repr(one), *variables(one.__traceback__))

    @property
    def everything(self) -> str:
        return "\n".join(self.texts)


def chain_of(exc: BaseException | None) -> Iterator[BaseException]:
    while exc:
        yield exc
        exc = exc.__cause__ or exc.__context__


def variables(traceback: TracebackType | None) -> Iterator[str]:
    """Yield the variables of our frames as an error report shows them."""
    while traceback:
        frame = traceback.tb_frame
        if "/tests/" not in frame.f_code.co_filename:
            yield from (f"{name}={value!r}" for name, value in frame.f_locals.items())
        traceback = traceback.tb_next


class Listener(logging.Handler):
    """Collects every log record and the error reports of its exception."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(logging.DEBUG)
        self.seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.add(self.format(record), record.__dict__)
        if record.exc_info and record.exc_info[1]:
            self.seen.add_error(record.exc_info[1])


@pytest.fixture
def seen() -> Iterator[Seen]:
    seen = Seen()
    root, listener = logging.getLogger(), Listener(seen)
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    yield seen
    root.removeHandler(listener)
    root.setLevel(level)


@pytest.fixture
def jira(jira: Sandbox) -> Iterator[Sandbox]:
    """A sandbox that accepts the canary as its token."""
    account = jira.state.account
    kept = account.email, account.api_token
    account.email, account.api_token = EMAIL, CANARY
    yield jira
    account.email, account.api_token = kept


@pytest.fixture
def api(transactional_db: None, live_server: LiveServer, tenant_id: UUID) -> Api:
    return Api(live_server.url, tenant_id)


def connect(api: Api, tenant_id: UUID, **form: Any) -> requests.Response:
    form = {"access_token": CANARY, "email": EMAIL, "project_key": "SCRUM"} | form
    return api.request("POST", f"/api/jira/integrations/{tenant_id}", json=form)


def create(api: Api, group: AIIssueGroup, **more: Any) -> requests.Response:
    path = f"/api/issues/ai/{group.pk}/create-jira-ticket"
    body = {"title": "A", "description": "B", **more}
    return api.request("POST", path, json=body)


def assert_unseen(seen: Seen) -> None:
    everything = seen.everything
    assert len(everything) > 1000
    for secret in (CANARY, BASIC):
        at = everything.find(secret)
        assert at < 0, everything[max(0, at - 500) : at + 100]


def test_token_does_not_leak_when_jira_is_connected(
    api: Api, tenant_id: UUID, jira: Sandbox, seen: Seen
) -> None:
    for form in (
        {"base_url": jira.url},
        {"base_url": jira.url, "email": "other@example.com"},
        {"base_url": "http://127.0.0.1:9"},
        {"base_url": f"http://{CANARY.lower()}"},
        {"base_url": jira.url, "access_token": f"{CANARY} x"},
        {"base_url": jira.url, "access_token": [CANARY]},
        {"base_url": jira.url, "project_key": "NOPE"},
        {"base_url": jira.url, "settings": {"labels": ["a b"]}},
    ):
        seen.add_response(connect(api, tenant_id, **form))
    row = Integration.objects.get()
    for path in (
        f"integrations/{tenant_id}?check=1",
        f"status/{tenant_id}/{row.pk}",
        f"projects/{tenant_id}/{row.pk}",
        f"search/{tenant_id}?q=x",
    ):
        seen.add_response(api.request("GET", f"/api/jira/{path}"))
    seen.add(repr(row), vars(row))

    assert_unseen(seen)


@pytest.mark.parametrize("fault", sorted(KINDS))
def test_token_does_not_leak_when_a_ticket_fails(
    api: Api,
    tenant_id: UUID,
    jira: Sandbox,
    seen: Seen,
    settings: Settings,
    fault: str,
) -> None:
    settings.JIRA_READ_TIMEOUT_S, settings.RECONCILE_HORIZON_S = 0.5, 0
    group = GroupFactory.create(tenant_id=tenant_id)
    connect(api, tenant_id, base_url=jira.url)
    jira.inject(fault, **({"interval": 0.01} if fault == "slow_body" else {}))

    seen.add_response(create(api, group))
    recover_due()

    assert_unseen(seen)


def test_token_does_not_leak_when_our_code_raises(
    api: Api,
    tenant_id: UUID,
    jira: Sandbox,
    seen: Seen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = GroupFactory.create(tenant_id=tenant_id)
    connect(api, tenant_id, base_url=jira.url)

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("integrations.jira.session._TrackedConnection.send", broken)
    responses = [create(api, group), connect(api, tenant_id, base_url=jira.url)]

    assert [response.status_code for response in responses] == [500, 400]
    assert "RuntimeError" in seen.everything
    assert_unseen(seen)


def test_token_does_not_leak_when_jira_repeats_it(
    api: Api, tenant_id: UUID, jira: Sandbox, seen: Seen
) -> None:
    group = GroupFactory.create(tenant_id=tenant_id)
    connect(api, tenant_id, base_url=jira.url)
    said = f"No such account: {EMAIL}:{CANARY}, {BASIC}"
    jira.inject("response", status=400, body={"errorMessages": [said]})

    response = create(api, group)

    assert "No such account" in response.text
    seen.add_response(response)
    assert_unseen(seen)


def test_token_does_not_leak_into_admin_database_or_commands(
    api: Api, tenant_id: UUID, jira: Sandbox, seen: Seen, admin_client: Client
) -> None:
    connect(api, tenant_id, base_url=jira.url)
    row = Integration.objects.get()
    group = GroupFactory.create(tenant_id=tenant_id)
    create(api, group)
    change = reverse("admin:integrations_integration_change", args=[row.pk])
    lists = [
        reverse(f"admin:{name}_changelist")
        for name in (
            "integrations_integration",
            "issues_ticketrequest",
            "issues_report",
        )
    ]
    for path in (change, *lists):
        seen.add(admin_client.get(path).content.decode())
    refused = admin_client.post(change, {"new_api_token": CANARY, "base_url": "x"})
    assert refused.status_code == 200
    seen.add(refused.content.decode())
    for command in (["dumpdata"], ["check_jira"], ["rotate_keys"]):
        out = StringIO()
        try:
            call_command(*command, stdout=out, stderr=out)
        except CommandError as exc:
            seen.add(exc)
        seen.add(out.getvalue())
    seen.add(*database())

    assert_unseen(seen)
    assert EMAIL in seen.everything


def database() -> Iterator[str]:
    """Yield every row of every table."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 (our own tables)
            yield from map(str, cursor.fetchall())


def fail_in_every_way(
    api: Api, tenant_id: UUID, jira: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Create a ticket; fail to create one as Jira and as our own code can fail."""
    connect(api, tenant_id, base_url=jira.url)
    assert create(api, GroupFactory.create(tenant_id=tenant_id)).status_code == 200
    jira.inject("reset_after_create")
    create(api, GroupFactory.create(tenant_id=tenant_id))

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError(f"broken: https://{EMAIL}:{CANARY}@example.com")

    monkeypatch.setattr("integrations.jira.session._TrackedConnection.send", broken)
    create(api, GroupFactory.create(tenant_id=tenant_id))


def test_token_does_not_leak_to_sentry(
    api: Api,
    tenant_id: UUID,
    jira: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Seen()

    class Capture(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope: Any) -> None:
            seen.add(envelope.serialize().decode())

    telemetry.start_sentry("https://key@sentry.example.com/1", transport=Capture)
    api.headers["X-Gateway-Secret"] = "known-to-the-gateway-alone"
    fail_in_every_way(api, tenant_id, jira, monkeypatch)
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)

    assert "RuntimeError" in seen.everything
    assert "known-to-the-gateway-alone" not in seen.everything
    assert_unseen(seen)


def test_leak_into_a_log_record_is_detected(seen: Seen) -> None:
    try:
        token = CANARY  # a variable of a frame outside the tests
        exec(compile("[][0]", "ours.py", "exec"), {}, {"token": token})  # noqa: S102
    except IndexError:
        logging.getLogger("x").debug("failed", exc_info=sys.exc_info())

    assert CANARY in seen.everything

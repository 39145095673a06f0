"""Metrics: what they count, and who can read them."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import requests
from django.conf import settings
from django.test import Client
from django.utils import timezone
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from development.processes import Processes, free_port
from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import RemoteLink
from issues.tests.api import Api
from issues.tests.database_failures import database_down
from issues.tests.factories import (
    GroupFactory,
    RemoteLinkFactory,
    TicketRequestFactory,
)
from issues.tests.test_server_killed import database_url
from killthenoise.api.metrics import make_registry
from killthenoise.metrics_endpoint import MetricsEndpoint

DEPLOY = settings.BASE_DIR / "deploy"
Samples = dict[tuple[str, str], float]


def read(text: str) -> Samples:
    """Return each sample by its name and its labels, which are sorted."""
    return {
        (one.name, ",".join(f"{k}={v}" for k, v in sorted(one.labels.items()))): (
            one.value
        )
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def now() -> Samples:
    return read(generate_latest(make_registry()).decode())


class Server:
    """A real gunicorn with two processes and metrics."""

    def __init__(self, running: ExitStack, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port(0)}"
        self.metrics = f"127.0.0.1:{free_port(0)}"
        variables = {"METRICS_BIND": self.metrics, "DATABASE_URL": database_url()}
        variables |= {"WEB_CONCURRENCY": "2"}
        Processes(running, folder, variables).start_server(self.url)

    def read(self) -> Samples:
        return read(self.ask("/metrics").text)

    def ask(self, path: str) -> requests.Response:
        return requests.get(f"http://{self.metrics}{path}", timeout=10)


@pytest.fixture
def server(transactional_db: None, tmp_path: Path) -> Iterator[Server]:
    with ExitStack() as running:
        yield Server(running, tmp_path)


def test_metrics_of_all_processes_are_served_on_their_own_address_only(
    server: Server,
    tenant_id: UUID,
    integration: Integration,
    jira: Sandbox,
) -> None:
    api = Api(server.url, tenant_id)
    groups = [GroupFactory.create(tenant_id=tenant_id) for _ in range(4)]
    for group in groups:
        assert api.create(group).status_code == 200
    assert api.create(groups[0]).status_code == 200
    jira.inject("response", status=400, body={"errorMessages": ["No."]})
    refused = api.create(GroupFactory.create(tenant_id=tenant_id))
    assert refused.status_code == 500

    seen = server.read()

    creations = {
        labels.removeprefix("action=ticket.create,outcome="): value
        for (name, labels), value in seen.items()
        if name == "killthenoise_events_total" and "ticket.create" in labels
    }
    assert creations == {"ok": 4, "replayed": 1, refused.json()["code"]: 1}
    route = "method=POST,route=create-jira-ticket,status="
    assert seen["killthenoise_http_requests_total", f"{route}200"] == 5
    assert seen["killthenoise_http_requests_total", f"{route}500"] == 1
    counted = "killthenoise_jira_request_seconds_count"
    assert seen[counted, "method=POST,resource=issue,status=2xx"] == 4
    assert seen["killthenoise_jira_slots", ""] == 0
    assert seen["killthenoise_database_up", ""] == 1
    for path in ("/", "/api/issues/ai", "/admin/login/"):
        assert server.ask(path).status_code == 404
    assert server.ask("/healthz").status_code == 200


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_address_of_the_api_serves_no_metrics_in_production(
    settings: Settings, family: int
) -> None:
    settings.DEBUG, settings.METRICS_BIND = False, "0.0.0.0:9100"
    endpoint = MetricsEndpoint(lambda environ, start: [b"from Django"])
    environ = {"PATH_INFO": "/metrics", "SERVER_PORT": "9100"}  # from the Host header

    with socket.socket(family) as connection:
        answer = endpoint({**environ, "gunicorn.socket": connection}, None)

    assert list(answer) == [b"from Django"]


@pytest.mark.django_db
def test_database_gives_open_requests_remote_links_and_sweeps() -> None:
    created_at = timezone.now() - timedelta(hours=1)
    TicketRequestFactory.create(unknown=True, created_at=created_at)
    TicketRequestFactory.create()
    RemoteLinkFactory.create(attempts=RemoteLink.MAX_ATTEMPTS)

    seen = now()

    number = "killthenoise_open_ticket_requests"
    assert (seen[number, "state=unknown"], seen[number, "state=pending"]) == (1, 1)
    oldest = "killthenoise_oldest_open_ticket_request_seconds"
    assert 3600 <= seen[oldest, "state=unknown"] < 4000
    assert seen["killthenoise_remote_links", "state=given_up"] == 1
    assert seen["killthenoise_remote_links", "state=waiting"] == 0
    assert seen["killthenoise_oldest_sweep_seconds", ""] == 0


@pytest.mark.django_db
def test_metrics_without_a_database_say_that_it_is_down() -> None:
    with database_down("issues_"):
        seen = now()

    assert seen["killthenoise_database_up", ""] == 0


@pytest.mark.django_db
def test_no_label_has_what_a_caller_chose(client: Client, tenant_id: UUID) -> None:
    chosen = f"x{uuid4().hex}"
    client.generic(chosen, f"/api/{chosen}")
    for path in (f"/{chosen}", f"/api/issues/ai/{chosen}/reports?q={chosen}"):
        client.get(path, headers={"X-Tenant-ID": str(tenant_id)})

    text = generate_latest(make_registry()).decode()

    assert not re.search(f"{chosen}|{tenant_id}", text, re.IGNORECASE)
    assert 'method="other",route="other",status="404"' in text


@pytest.mark.django_db
def test_dashboard_and_alerts_use_metrics_that_exist() -> None:
    families = [family.name for family in make_registry().collect()]
    families.append("killthenoise_queue_messages")  # there is no broker here
    suffixes = ("", "_total", "_count", "_bucket")
    known = {name + suffix for name in families for suffix in suffixes}
    files = ["grafana/dashboard.json", "prometheus/alerts.yml"]
    text = "".join((DEPLOY / name).read_text() for name in files)

    assert set(re.findall(r"killthenoise_\w+", text)) <= known


@pytest.mark.django_db
def test_first_duplicate_is_a_rise() -> None:
    """An alert would not see a counter that appears with the value 1."""
    labels = "action=ticket.duplicate,outcome=ok"

    assert ("killthenoise_events_total", labels) in now()

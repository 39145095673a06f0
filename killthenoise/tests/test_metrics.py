"""Metrics: what they count, and who can read them."""

import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import requests
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from psutil import Process
from pytest_django import Settings

from development.processes import Processes, free_port
from development.sandbox import Sandbox
from integrations.jira.metrics import observe
from integrations.models import Integration
from integrations.tests.factories import DeliveryFactory, EndpointFactory
from issues.models import RemoteLink
from issues.tests.api import Api
from issues.tests.database_failures import database_down
from issues.tests.factories import (
    FollowedSiteFactory,
    GroupFactory,
    JobItemFactory,
    RemoteLinkFactory,
    TicketFactory,
    TicketRequestFactory,
)
from issues.tests.test_server_killed import database_url, wait_until
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


def hours_ago(hours: int) -> datetime:
    return timezone.now() - timedelta(hours=hours)


def now() -> Samples:
    return read(generate_latest(make_registry()).decode())


class Server:
    """A real gunicorn with two processes and metrics."""

    def __init__(self, running: ExitStack, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port(0)}"
        self.metrics = f"127.0.0.1:{free_port(0)}"
        variables = {"METRICS_BIND": self.metrics, "DATABASE_URL": database_url()}
        variables |= {"WEB_CONCURRENCY": "2"}
        processes = Processes(running, folder, variables)
        self.process = processes.start_server(self.url)

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


def test_reloaded_server_answers_every_connection_and_serves_metrics(
    server: Server,
) -> None:
    """A listener that nobody accepts from would get some of the connections."""
    before = server.read()["killthenoise_database_up", ""]
    master = Process(server.process.pid)
    old = {child.pid for child in master.children()}
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not old & {child.pid for child in master.children()})

    for _ in range(20):
        assert requests.get(f"{server.url}/healthz", timeout=10).ok
        assert server.ask("/metrics").ok
    assert before == 1


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
def test_database_gives_followed_tickets_and_how_late_their_reading_is() -> None:
    """Tickets of a site that fails are late for a reason, so they do not count."""
    site = FollowedSiteFactory.create()
    of_site = {"tenant_id": site.tenant_id, "base_url": site.base_url}
    TicketFactory.create(**of_site, due_at=hours_ago(1))
    TicketFactory.create(**of_site, gone=True)
    failing = FollowedSiteFactory.create(error_message="Jira did not answer.")
    TicketFactory.create(tenant_id=failing.tenant_id, due_at=hours_ago(2))

    seen = now()

    number, sites = "killthenoise_tickets", "killthenoise_followed_sites"
    assert (seen[number, "state=followed"], seen[number, "state=gone"]) == (3, 1)
    assert (seen[sites, "state=ok"], seen[sites, "state=failing"]) == (1, 1)
    assert 3600 <= seen["killthenoise_oldest_ticket_due_seconds", ""] < 4000


@pytest.mark.django_db
def test_many_tickets_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("issues.following.metrics.COUNTED", 1)
    TicketFactory.create_batch(5)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    assert now()["killthenoise_tickets", "state=followed"] == 5


@pytest.mark.django_db
def test_database_gives_webhooks_that_wait_and_those_that_failed() -> None:
    endpoint = EndpointFactory.create()
    given_up = EndpointFactory.create(is_active=False, given_up_at=timezone.now())
    failing = EndpointFactory.create(failures=1, failing_since=timezone.now())
    DeliveryFactory.create(endpoint=endpoint, created_at=hours_ago(1))
    DeliveryFactory.create(endpoint=failing, created_at=hours_ago(2))
    DeliveryFactory.create(endpoint=given_up, state="failed")

    seen = now()

    number = "killthenoise_webhook_deliveries"
    endpoints = "killthenoise_webhook_endpoints"
    assert (seen[number, "state=waiting"], seen[number, "state=failed"]) == (2, 1)
    assert seen[endpoints, "state=failing"] == seen[endpoints, "state=given_up"] == 1
    assert 3600 <= seen["killthenoise_oldest_webhook_delivery_seconds", ""] < 4000


@pytest.mark.django_db
def test_database_gives_the_age_of_the_oldest_unannounced_ticket() -> None:
    TicketRequestFactory.create(created=True, finished_at=hours_ago(2), announced=True)
    TicketRequestFactory.create(created=True, finished_at=hours_ago(1))

    seen = now()

    assert 3600 <= seen["killthenoise_oldest_unannounced_ticket_seconds", ""] < 4000


@pytest.mark.django_db
def test_database_gives_the_items_of_jobs_that_wait() -> None:
    JobItemFactory.create(due_at=hours_ago(3))
    JobItemFactory.create(is_done=False, due_at=hours_ago(1))
    JobItemFactory.create(is_done=False, due_at=hours_ago(-1))

    seen = now()

    assert seen["killthenoise_job_items", ""] == 2
    assert 3600 <= seen["killthenoise_oldest_job_item_seconds", ""] < 4000


@pytest.mark.django_db
def test_nothing_that_waits_is_late_on_an_empty_server() -> None:
    JobItemFactory.create(is_done=False, due_at=hours_ago(-1))

    late = {value for (name, _), value in now().items() if "_oldest_" in name}

    assert late == {0}


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


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("issue", "issue"),
        ("issue/10001?fields=status", "issue"),
        ("issue/10001/remotelink", "remotelink"),
        ("issue/bulkfetch", "bulkfetch"),
        ("issue/createmeta/TRANSITIONS/issuetypes", "createmeta"),
        ("search/jql", "search"),
        ("", ""),
    ],
)
def test_requests_to_jira_are_counted_by_resource(path: str, resource: str) -> None:
    labels = {"method": "POST", "resource": resource, "status": "5xx"}
    name = "killthenoise_jira_request_seconds_count"
    before = REGISTRY.get_sample_value(name, labels) or 0

    observe("POST", f"/rest/api/3/{path}", 503, 0.1)

    assert REGISTRY.get_sample_value(name, labels) == before + 1

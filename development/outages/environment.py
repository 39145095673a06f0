"""All processes of a production: two servers behind nginx, workers, and what they need.

PostgreSQL is behind PgBouncer, and Redis is both the broker and the cache. Each process
has a log of its own, and serves metrics on a port of its own.
"""

import shutil
import socket
import subprocess  # nosec B404
import time
from contextlib import ExitStack
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import requests
from django.core.management import call_command

from development.outages.supervisor import Supervisor
from development.pgbouncer import start_pgbouncer
from development.postgres import Postgres
from development.processes import STARTUP_S, Process, Processes, free_port
from development.sandbox.receiver import DEFAULT_WEBHOOK_SECRET, PATH
from integrations.models import Integration
from integrations.outgoing_webhooks.models import EVENTS, WebhookEndpoint
from issues.models import AIIssueGroup, Report

TENANTS = 3
WEB = ("web-1", "web-2")
WORKERS = ("worker-1", "worker-2")
CELERY = ("-m", "celery", "-A", "killthenoise")
FIRST_METRICS_PORT = 9101
NGINX = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream killthenoise {{ {servers} keepalive 32; }}
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 2m;
    proxy_read_timeout 40s;
    location / {{
      proxy_pass http://killthenoise;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Request-ID $request_id;
      proxy_next_upstream error timeout;
    }}
  }}
}}
"""
"""As deploy/nginx/killthenoise.conf, for two servers and without TLS."""


class Environment:
    """Closing the ExitStack `running` stops all processes.

    `variables` are those that all processes of the product have.
    """

    def __init__(
        self,
        running: ExitStack,
        folder: Path,
        postgres: Postgres,
        variables: dict[str, str],
    ) -> None:
        self.running, self.folder, self.postgres = running, folder, postgres
        self.redis_port = free_port(0)
        redis = f"redis://127.0.0.1:{self.redis_port}"
        pgbouncer = start_pgbouncer(running, folder / "pgbouncer", postgres.url)
        self.variables = variables | {
            "DATABASE_URL": pgbouncer,
            "DATABASE_POOLER": "transaction",
            "REDIS_URL": f"{redis}/1",
            "CELERY_BROKER_URL": f"{redis}/0",
            "TRUSTED_PROXIES": "1",
        }
        self.supervisor = Supervisor()
        self.metrics: dict[str, str] = {}
        self.tenants = [uuid4() for _ in range(TENANTS)]
        self.jira = f"http://127.0.0.1:{free_port(0)}"

    def start(self) -> None:
        """Create the tables and the tenants, and start all processes."""
        call_command("migrate", verbosity=0)
        self._start_sandbox()
        for tenant_id in self.tenants:
            self._add_tenant(tenant_id)
        self.supervisor.add("redis", self._start_redis)
        urls = {name: f"http://127.0.0.1:{free_port(0)}" for name in WEB}
        for name, url in urls.items():
            self.supervisor.add(name, partial(self._make(name).start_server, url))
        for name in WORKERS:
            options = ("worker", "--concurrency=2", "--hostname", f"{name}@%h")
            self.supervisor.add(
                name, partial(self._make(name).start, *CELERY, *options)
            )
        beat = (*CELERY, "beat", "--schedule", str(self.folder / "schedule"))
        self.supervisor.add("beat", partial(self._make("beat").start, *beat))
        self.url = self._start_nginx(list(urls.values()))

    def call_sandbox(self, method: str, call: str, body: Any = None) -> Any:
        """Send a request to the sandbox's control API; return the response's body."""
        url = f"{self.jira}/_sandbox/{call}"
        response = requests.request(method, url, json=body, timeout=60)
        response.raise_for_status()
        return response.json() if response.content else None

    def add_groups(self, number: int, *tenants: UUID) -> list[AIIssueGroup]:
        """Add groups of these tenants in turn, by default all; each has two reports."""
        owners = cycle(tenants or self.tenants)
        groups = [
            AIIssueGroup(tenant_id=owner, title=f"Export fails {n}", severity=3)
            for n, owner in zip(range(number), owners, strict=False)
        ]
        AIIssueGroup.objects.bulk_create(groups, batch_size=1000)
        reports = [
            Report(group=group, source=source, title="No file", external_id="1")
            for group in groups
            for source in ("slack", "hubspot")
        ]
        Report.objects.bulk_create(reports, batch_size=1000)
        return groups

    def add_links(self, number: int) -> list[tuple[AIIssueGroup, str]]:
        """Add tickets in Jira; return each one's key with a new group to link it to."""
        self.call_sandbox("POST", "tickets", {"count": number})
        keys = [ticket["key"] for ticket in self.call_sandbox("GET", "tickets")]
        return list(zip(self.add_groups(number), keys, strict=True))

    def add_jobs(self, number: int, items: int) -> list[list[AIIssueGroup]]:
        """Add groups for jobs, each with the groups of one tenant."""
        owners = zip(range(number), cycle(self.tenants), strict=False)
        return [self.add_groups(items, owner) for _, owner in owners]

    def _make(self, name: str) -> Processes:
        """Return what starts the process of this name."""
        folder = self.folder / name
        folder.mkdir()
        address = f"127.0.0.1:{free_port(FIRST_METRICS_PORT + len(self.metrics))}"
        self.metrics[name] = address
        variables = self.variables | {"METRICS_BIND": address}
        return Processes(self.running, folder, variables)

    def _start_sandbox(self) -> None:
        folder = self.folder / "jira"
        folder.mkdir()
        as_in_development = {
            "DJANGO_DEBUG": "true",
            "DJANGO_SETTINGS_MODULE": "killthenoise.settings",
        }
        processes = Processes(self.running, folder, as_in_development)
        processes.start_sandbox(self.jira)

    def _start_redis(self) -> Process:
        program = shutil.which("redis-server") or "redis-server"
        options = ["--port", str(self.redis_port), "--save", ""]
        return self._run([program, *options])

    def _start_nginx(self, urls: list[str]) -> str:
        """Start nginx in front of the servers, and return its URL."""
        folder, port = self.folder / "nginx", free_port(0)
        folder.mkdir()
        servers = " ".join(
            f"server {url.removeprefix('http://')} max_fails=0;" for url in urls
        )
        file = folder / "nginx.conf"
        file.write_text(NGINX.format(folder=folder, servers=servers, port=port))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self._run([program, "-c", str(file), "-e", str(folder / "error.log")])
        deadline = time.monotonic() + STARTUP_S
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < deadline, "nginx did not start"  # noqa: S101
            time.sleep(0.05)
        return f"http://127.0.0.1:{port}"

    def _run(self, command: list[str]) -> Process:
        process = subprocess.Popen(  # noqa: S603 # nosec B603
            command,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.running.callback(process.wait)
        self.running.callback(process.terminate)
        return process

    def _add_tenant(self, tenant_id: UUID) -> None:
        """Add a tenant with a Jira account and an endpoint of webhooks."""
        email = f"{tenant_id}@killthenoise.example"
        account = {"email": email, "api_token": f"token-of-{email}"}
        self.call_sandbox("POST", "accounts", account | {"display_name": "Jira"})
        Integration.objects.create(
            tenant_id=tenant_id, base_url=self.jira, project_key="SCRUM", **account
        )
        WebhookEndpoint.objects.create(
            tenant_id=tenant_id,
            url=self.jira + PATH,
            secret=DEFAULT_WEBHOOK_SECRET,
            events=EVENTS,
        )

"""Measures a sweep: `python -m development.sweep_benchmark`.

The sandbox has 100,000 marked tickets of one account, created during a week. All but 10
are recorded. `manage.py reconcile_tickets --since 8d` must link those 10. It prints how
long that takes, how many pages are requested, and the peak memory of the process,
compared with the same command when nothing is due.
"""

import os
import sys
import tempfile
import time
from argparse import ArgumentParser
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import django
import requests

from development.packages import CHAOS_PACKAGES, require_packages
from development.processes import Processes, free_port
from development.sandbox.state import DEFAULT_API_TOKEN, DEFAULT_EMAIL, FIRST_ID

BATCH = 1000
WEEK_S = 7 * 24 * 3600


def main() -> None:
    """Prepare the data, sweep, and print the figures."""
    parser = ArgumentParser(prog="python -m development.sweep_benchmark")
    parser.add_argument("--tickets", type=int, default=100_000, metavar="N")
    parser.add_argument("--unlinked", type=int, default=10, metavar="N")
    options = parser.parse_args()
    require_packages("sweep_benchmark", CHAOS_PACKAGES)
    from development.postgres import Postgres

    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        os.environ.update(
            DATABASE_URL=Postgres(running, folder).url,
            DJANGO_SETTINGS_MODULE="killthenoise.settings",
            DJANGO_DEBUG="true",
            JIRA_ALLOW_INSECURE="true",
            LOG_LEVEL="CRITICAL",
        )
        django.setup()
        measure(Processes(running, folder, {}), options.tickets, options.unlinked)


def measure(processes: Processes, tickets: int, unlinked: int) -> None:
    """Print the figures. Needs Django to be set up."""
    from issues.models import Report, Sweep

    jira = f"http://127.0.0.1:{free_port(8081)}"
    processes.manage("migrate")
    processes.start_sandbox(jira)
    add_tickets(jira, tickets, unlinked)
    Sweep.objects.all().delete()
    seconds, peak = run(processes, "--since=8d")
    counts = requests.get(f"{jira}/_sandbox/requests", timeout=60).json()
    pages = sum(row["count"] for row in counts if row["path"].endswith("/search/jql"))
    _, idle_peak = run(processes)
    figures = {
        "linked": Report.objects.jira().count() - tickets + unlinked,
        "seconds": round(seconds, 1),
        "search pages": pages,
        "peak memory, MB": round(peak),
        "the same with nothing due, MB": round(idle_peak),
    }
    lines = [f"{tickets} tickets, of which {unlinked} are not linked"]
    lines += [f"  {name:<30}{figure:>8}" for name, figure in figures.items()]
    sys.stdout.write("\n".join([*lines, ""]))


def add_tickets(jira: str, tickets: int, unlinked: int) -> None:
    """Add the tickets to the sandbox, and a request for each that is recorded.

    The tickets of a batch share a marker: the sweep knows recorded ones by their id.
    """
    from integrations.models import Integration
    from issues.models import AIIssueGroup, Report, TicketRequest

    tenant_id = uuid4()
    integration = Integration.objects.create(
        tenant_id=tenant_id,
        base_url=jira,
        email=DEFAULT_EMAIL,
        api_token=DEFAULT_API_TOKEN,
        project_key="SCRUM",
    )
    groups = [AIIssueGroup(tenant_id=tenant_id) for _ in range(unlinked + 1)]
    AIIssueGroup.objects.bulk_create(groups)
    recorded = groups.pop()  # the group of all tickets that are recorded
    every = max(1, tickets // max(1, unlinked))
    number = 0
    while number < tickets:
        is_unlinked = number % every == 0 and number // every < unlinked
        count = 1 if is_unlinked else min(BATCH, every - number % every)
        count = min(count, tickets - number)
        group_id = groups[number // every].pk if is_unlinked else recorded.pk
        create(jira, count, group_id, age_s=WEEK_S * (1 - number / tickets))
        if not is_unlinked:
            requests_of_batch = [
                make_request(integration, recorded, number + n) for n in range(count)
            ]
            Report.objects.bulk_create(row.report for row in requests_of_batch)
            TicketRequest.objects.bulk_create(requests_of_batch)
        number += count


def create(jira: str, count: int, group_id: UUID, *, age_s: float) -> None:
    """Create tickets in the sandbox that have a marker of this group."""
    marker = {"request_id": str(uuid4()), "group_id": str(group_id)}
    tickets = {"count": count, "age_s": age_s, "properties": {"killthenoise": marker}}
    url = f"{jira}/_sandbox/tickets"
    requests.post(url, json=tickets, timeout=60).raise_for_status()


def make_request(integration: Any, group: Any, number: int) -> Any:
    """Return the request of the ticket with this number, and its report, unsaved."""
    from django.utils import timezone

    from issues.models import Report, TicketRequest

    key, issue_id = f"SCRUM-{number + 1}", str(FIRST_ID + number)
    report = Report(
        group=group,
        source=Report.JIRA,
        external_id=key,
        base_url=integration.base_url,
        jira_issue_id=issue_id,
        linked=True,
    )
    return TicketRequest(
        tenant_id=integration.tenant_id,
        group=group,
        integration=integration,
        idempotency_key=key,
        title=key,
        base_url=integration.base_url,
        project_key="SCRUM",
        state="created",
        ticket_key=key,
        ticket_url=f"{integration.base_url}/browse/{key}",
        jira_issue_id=issue_id,
        report=report,
        lease_until=timezone.now(),
        finished_at=timezone.now(),
    )


def run(processes: Processes, *options: str) -> tuple[float, float]:
    """Run reconcile_tickets; return its seconds and its peak memory in MB."""
    import psutil

    started, peak = time.monotonic(), 0
    process = processes.start("manage.py", "reconcile_tickets", *options)
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            peak = max(peak, psutil.Process(process.pid).memory_info().rss)
        time.sleep(0.02)
    if process.returncode:
        raise processes.error("reconcile_tickets failed.")
    return time.monotonic() - started, peak / 2**20


if __name__ == "__main__":
    main()

"""Measures how tickets are followed: `python -m development.follow_benchmark`.

First it measures the delay: it sets a ticket to Done on its page in the sandbox, and
reads the list of groups until it says so, with a webhook and without. Then it measures
the load: 20 sites with 500 tickets each. One of them never responds, and one responds
429 to every other request. Two loops share the work. The table has the requests of each
site by minute, and when all its tickets were read for the first time.
"""

import os
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import django
import requests

from development.packages import CHAOS_PACKAGES, require_packages
from development.processes import Processes, free_port
from development.sandbox import Sandbox

BULK = "/rest/api/3/issue/bulkfetch"
SITES, OF_SITE, MINUTES = 20, 500, 3
HANGING, LIMITED = 0, 1
TRIES = 20
POLL_S = 0.05
LONGEST_S = 120


def main() -> None:
    """Prepare the data, run the loops, and print the figures."""
    parser = ArgumentParser(prog="python -m development.follow_benchmark")
    parser.add_argument("--minutes", type=int, default=MINUTES, metavar="N")
    options = parser.parse_args()
    require_packages("follow_benchmark", CHAOS_PACKAGES)
    from development.postgres import Postgres

    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        os.environ.update(
            DATABASE_URL=Postgres(running, folder).url,
            DJANGO_SETTINGS_MODULE="killthenoise.settings",
            DJANGO_DEBUG="true",
            JIRA_ALLOW_INSECURE="true",
            LOG_LEVEL="ERROR",
        )
        django.setup()
        processes = Processes(running, folder, {})
        processes.manage("migrate", "--verbosity=0")
        sandboxes = [running.enter_context(Sandbox()) for _ in range(SITES)]
        tenants = [connect(jira) for jira in sandboxes]
        measure_delay(processes, sandboxes[-1], tenants[-1])
        measure_load(processes, sandboxes, tenants, options.minutes)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def connect(jira: Sandbox) -> UUID:
    """Connect a new tenant to the sandbox, and return the tenant's id."""
    from integrations.models import Integration

    account = Integration.objects.create(
        tenant_id=uuid4(),
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
        project_key="SCRUM",
    )
    return account.tenant_id


def measure_delay(processes: Processes, jira: Sandbox, tenant_id: UUID) -> None:
    """Print the seconds from Done on the page until the list says so."""
    server = f"http://127.0.0.1:{free_port(8000)}"
    processes.start_server(server)
    loop = processes.start("manage.py", "reconcile_tickets", "--every=30")
    session = requests.Session()
    session.headers["X-Tenant-ID"] = str(tenant_id)
    page = create_ticket(session, server, tenant_id)
    say("Seconds from a change on the ticket's page until the list shows it")
    say(f"  polling          {wait_for_change(session, server, page, 'Done'):6.2f}")
    integrations = f"{server}/api/jira/integrations/{tenant_id}"
    [row] = session.get(integrations, timeout=30).json()["data"]
    secret = session.post(f"{integrations}/{row['id']}/webhook-secret", timeout=30)
    hook = secret.json()["data"]
    requests.post(f"{jira.url}/_sandbox/webhooks", json=hook, timeout=30)
    delays = [
        wait_for_change(session, server, page, ("To Do", "Done")[number % 2])
        for number in range(TRIES)
    ]
    middle, most = statistics.median(delays), max(delays)
    say(f"  webhook, {TRIES} times {middle:6.2f} in the middle, {most:.2f} at most")
    loop.terminate()
    loop.wait()


def create_ticket(session: requests.Session, server: str, tenant_id: UUID) -> str:
    """Create a ticket, wait until it was read, and return the address of its page."""
    group = f"{server}/api/issues/ai/{uuid4()}"
    session.put(group, json={"title": "The export fails"}, timeout=30)
    content = {"title": "The export fails", "description": "The file is empty."}
    made = session.post(f"{group}/create-jira-ticket", json=content, timeout=30)
    while read_status(session, server) is None:
        time.sleep(POLL_S)
    return str(made.json()["data"]["ticket_url"])


def wait_for_change(
    session: requests.Session, server: str, page: str, status: str
) -> float:
    """Set the status on the ticket's page; return the seconds until the list has it."""
    requests.post(page, data={"status": status}, timeout=30)
    began = time.monotonic()
    while read_status(session, server) != status:
        if time.monotonic() - began > LONGEST_S:
            raise SystemExit(f"The list does not say {status}.")
        time.sleep(POLL_S)
    return time.monotonic() - began


def read_status(session: requests.Session, server: str) -> Any:
    """Return the status of the tenant's only ticket."""
    [group] = session.get(f"{server}/api/issues/ai", timeout=30).json()["data"]
    [ticket] = group["jira_tickets"]
    return ticket["status"]


def measure_load(
    processes: Processes, sandboxes: list[Sandbox], tenants: list[UUID], minutes: int
) -> None:
    """Print the requests of each site by minute, and when its tickets were read."""
    for jira, tenant_id in zip(sandboxes, tenants, strict=True):
        add_tickets(jira, tenant_id)
    sandboxes[HANGING].inject("no_response", path=BULK, times=None)
    sandboxes[LIMITED].inject(
        "rate_limited", path=BULK, times=None, probability=0.5, retry_after=5
    )
    for _ in range(2):
        processes.start("manage.py", "reconcile_tickets", "--every=30")
    began = time.monotonic()
    fresh_after: list[float | None] = [None] * SITES
    before = [jira.count("POST", BULK) for jira in sandboxes]
    by_minute: list[list[int]] = []
    for minute in range(1, minutes + 1):
        while time.monotonic() < began + 60 * minute:
            note_fresh(tenants, fresh_after, began)
            time.sleep(0.5)
        counts = [jira.count("POST", BULK) for jira in sandboxes]
        by_minute.append([now - old for now, old in zip(counts, before, strict=True)])
        before = counts
    report(by_minute, fresh_after)


def add_tickets(jira: Sandbox, tenant_id: UUID) -> None:
    """Create tickets in the sandbox, each linked to a group of the tenant."""
    from issues.models import AIIssueGroup, Report

    tickets = jira.state.add_many(OF_SITE, "SCRUM", {"summary": "A ticket"}, {})
    groups = [AIIssueGroup(tenant_id=tenant_id, title="A group") for _ in tickets]
    AIIssueGroup.objects.bulk_create(groups)
    Report.objects.bulk_create(
        Report(
            group=group,
            source=Report.JIRA,
            external_id=ticket.key,
            base_url=jira.url,
            jira_issue_id=ticket.id,
            linked=True,
        )
        for group, ticket in zip(groups, tickets, strict=True)
    )


def note_fresh(
    tenants: list[UUID], fresh_after: list[float | None], began: float
) -> None:
    """Note for each site when all its tickets were read."""
    from django.db.models import Count

    from issues.models import Ticket

    read = Ticket.objects.exclude(checked_at=None).values_list("tenant_id")
    counts = dict(read.annotate(n=Count("pk")))
    for number, tenant_id in enumerate(tenants):
        is_fresh = counts.get(tenant_id, 0) >= OF_SITE
        if is_fresh and fresh_after[number] is None:
            fresh_after[number] = time.monotonic() - began


def report(by_minute: list[list[int]], fresh_after: list[float | None]) -> None:
    """Print the table."""
    say(f"\n{SITES} sites, {OF_SITE} tickets each, two loops")
    say("Site                 all read after   requests in each minute")
    names = {HANGING: "never responds", LIMITED: "429 half the time"}
    for site in range(SITES):
        counts = "  ".join(f"{minute[site]:4}" for minute in by_minute)
        name = names.get(site, f"healthy {site - len(names) + 1}")
        after = fresh_after[site]
        shown = "never" if after is None else f"{after:.1f} s"
        say(f"{name:20} {shown:>14}  {counts}")


if __name__ == "__main__":
    main()

"""The admin in a real Chromium: what each role does, and axe-core on every page."""

import csv
import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from browser_fixtures import browser, log_in, page  # noqa: F401 (fixtures)
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import TicketRequest
from issues.tests.conftest import api, group, unknown_request  # noqa: F401 (fixtures)
from issues.tests.factories import (
    GroupFactory,
    JobItemFactory,
    ReportFactory,
    TicketFactory,
    TicketRequestFactory,
)
from killthenoise.audit.models import AuditEvent
from killthenoise.staff.models import TenantLimit
from killthenoise.staff.roles import create_roles

IMAGES = settings.BASE_DIR / "docs" / "images"
RULE = {"name": "severe", "when": {"severity_min": 3}, "daily_cap": 3, "dry_run": False}
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
SERIOUS = """async () => (await axe.run()).violations
  .filter(found => ["serious", "critical"].includes(found.impact))
  .map(found => `${found.id}: ${found.nodes[0].html}`)"""


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, which npm installs."""
    if not shutil.which("npm"):
        pytest.skip("left out: axe-core needs npm, which is not installed")
    folder = Path(__file__).parent / "accessibility"
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("npm") / "axe")
    install = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(install, cwd=copy, check=True)  # noqa: S603 # nosec B603
    return (copy / "node_modules" / "axe-core" / "axe.min.js").read_text()


def add_user(role: str, tenant_ids: list[str] | None = None) -> None:
    """Add a user of this name and role, with the password of `log_in`."""
    create_roles(apps)
    user = User.objects.create_user(role, password="password", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    if tenant_ids is not None:
        TenantLimit.objects.create(user=user, tenant_ids=tenant_ids)


@pytest.fixture
def admin_url(live_server: LiveServer) -> str:
    return f"{live_server.url}/admin/"


@pytest.fixture
def history(transactional_db: None, integration: Integration) -> list[TicketRequest]:
    """Requests of a week, as a tenant has them."""
    now = timezone.now()
    made = []
    titles = ["CSV export drops rows", "Login loops with Okta", "Dark mode is missing"]
    categories: list[dict[str, Any]] = [
        {"done": True},
        {"status": "In Progress", "status_category": "indeterminate"},
        {},
    ]
    for number in range(40):
        moment = now - timedelta(hours=4 * number + 1)
        failed = number % 7 == 3
        group = GroupFactory.create(
            tenant_id=integration.tenant_id, title=titles[number % 3], updated_at=moment
        )
        facts: dict[str, Any] = {
            "title": group.title,
            "created_at": moment,
            "finished_at": moment + timedelta(milliseconds=700 + 40 * number),
            "duration_ms": 400 + 37 * (number * 7 % 20),
            "actor": ["jane@example.com", f"tenant:{group.tenant_id}"][number % 2],
            "integration": integration,
            "attempts": 1,
        }
        if failed:
            facts |= {
                "failed": True,
                "jira_status": 400,
                "error_message": "No such field.",
            }
            facts["error_code"] = ["jira_field_rejected", "jira_auth_failed"][
                number % 2
            ]
        else:
            key = f"SCRUM-{100 + number}"
            seen: dict[str, Any] = categories[number % 3]
            ticket = TicketFactory.create(tenant_id=group.tenant_id, key=key, **seen)
            report = ReportFactory.create(
                group=group, source="jira", external_id=key, ticket=ticket
            )
            facts |= {"created": True, "jira_status": 201, "report": report}
            facts |= {"ticket_key": key, "jira_issue_id": ticket.jira_issue_id}
        made.append(TicketRequestFactory.create(group=group, **facts))
    return made


def test_auditor_answers_questions_and_changes_nothing(
    page: Page,
    admin_url: str,
    history: list[TicketRequest],
    tmp_path: Path,
) -> None:
    add_user("auditor")
    log_in(page, admin_url, "auditor")
    expect(page.get_by_role("img", name="Failures by code")).to_be_visible()

    page.get_by_role("link", name="Ticket requests").first.click()
    page.get_by_label("Search", exact=True).fill("SCRUM-101")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.locator("#result_list .field-title a").click()
    for text in ("What happened", "As Jira shows it", "Recorded", "SCRUM-101"):
        expect(page.get_by_text(text).first).to_be_visible()
    time = page.locator(".timeline time").first
    expect(time).to_have_attribute("title", f"{history[1].created_at:%F %T} UTC")
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)

    page.goto(f"{admin_url}issues/ticketrequest/")
    page.get_by_role("link", name="Failed", exact=True).click()
    page.get_by_role("link", name="jira_field_rejected").click()
    failed = [one for one in history if one.error_code == "jira_field_rejected"]
    expect(page.locator("#result_list tbody tr")).to_have_count(len(failed))
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    target = tmp_path / "export.csv"
    download.value.save_as(target)
    with target.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["id"] for row in rows} == {str(one.pk) for one in failed}

    path = f"{admin_url}issues/ticketrequest/{failed[0].pk}/"
    changed = page.request.post(f"{path}change/", form={"title": "Other"})
    deleted = page.request.post(f"{path}delete/", form={"post": "yes"})
    assert (changed.status, deleted.status) == (403, 403)
    assert AuditEvent.objects.get(action="admin.export").actor == "admin:auditor"


def test_operator_recovers_settles_creates_and_links(
    page: Page,
    admin_url: str,
    integration: Integration,
    unknown_request: TicketRequest,
    jira: Sandbox,
) -> None:
    stuck = TicketRequestFactory.create(
        unknown=True, title="Lost", base_url="https://gone.atlassian.net"
    )
    other = GroupFactory.create(tenant_id=integration.tenant_id, title="Dark mode")
    linked = GroupFactory.create(tenant_id=integration.tenant_id, title="Old one")
    add_user("operator")

    log_in(page, f"{admin_url}issues/ticketrequest/?attention=1", "operator")
    page.get_by_role("link", name=unknown_request.title).click()
    page.get_by_role("button", name="Recover now").click()
    expect(page.get_by_text("its ticket is SCRUM-1")).to_be_visible()

    page.goto(f"{admin_url}issues/ticketrequest/{stuck.pk}/change/")
    page.get_by_role("link", name="Settle by hand").click()
    page.get_by_label("Outcome:").select_option("No ticket was created")
    page.get_by_label("Reason:").fill("Looked on the old site")
    page.get_by_role("button", name="Settle").click()
    expect(page.get_by_text("The ticket request is settled.")).to_be_visible()

    page.goto(f"{admin_url}issues/aiissuegroup/{other.pk}/change/")
    page.get_by_role("link", name="Create Jira ticket").click()
    expect(page.get_by_label("Title")).to_have_value("Dark mode")
    page.get_by_label("Description").fill("As a **user** I want it dark.")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".as-jira strong")).to_have_text("user")
    page.get_by_role("button", name="Create Jira ticket").dblclick()
    expect(page.get_by_text("the ticket SCRUM-2 is created")).to_be_visible()
    assert len(jira.tickets) == 2

    page.goto(f"{admin_url}issues/aiissuegroup/{linked.pk}/change/")
    page.get_by_role("link", name="Link existing").click()
    page.get_by_label("Key, number, address or words").press_sequentially("dark")
    page.get_by_role("button", name="Link SCRUM-2").click()
    expect(page.get_by_text("SCRUM-2 is linked")).to_be_visible()
    actors = AuditEvent.objects.filter(action__startswith="ticket.").exclude(
        actor__startswith="tenant:"
    )
    assert set(actors.values_list("actor", flat=True)) == {"admin:operator"}


def test_integrator_checks_sets_and_tries_an_integration(
    page: Page, admin_url: str, integration: Integration, jira: Sandbox
) -> None:
    add_user("integrator")
    log_in(page, f"{admin_url}integrations/integration/", "integrator")
    expect(page.get_by_role("link", name="Ticket requests")).to_have_count(0)
    page.get_by_role("link", name=integration.base_url).click()
    expect(page.get_by_label("Replace the API token")).to_have_value("")
    page.get_by_role("button", name="Check against Jira").click()
    expect(page.get_by_text(f"tenant {integration.tenant_id} can")).to_be_visible()

    page.get_by_role("link", name="Settings as a form").click()
    page.get_by_label("Labels").fill("noise")
    page.get_by_label("Components").select_option("Backend")
    page.get_by_role("button", name="Save the settings").click()
    expect(page.get_by_text("The settings are stored")).to_be_visible()

    page.get_by_role("link", name="Send a test ticket").click()
    page.get_by_role("button", name="Send a test ticket").click()
    expect(page.get_by_role("link", name="SCRUM-1")).to_be_visible()
    assert jira.tickets[0].fields["labels"] == ["noise"]


def test_limited_operator_sees_their_tenant_alone(
    page: Page, admin_url: str, history: list[TicketRequest]
) -> None:
    foreign = TicketRequestFactory.create(failed=True, title="A foreign secret")
    add_user("operator", [str(history[0].tenant_id)])
    log_in(page, f"{admin_url}issues/ticketrequest/", "operator")

    expect(page.get_by_text(f"{len(history)} ticket requests")).to_be_visible()
    expect(page.get_by_text("A foreign secret")).to_have_count(0)
    missing = page.request.get(f"{admin_url}issues/ticketrequest/{foreign.pk}/change/")
    assert missing.status == 404


@pytest.fixture
def pages(
    admin_user: Any,
    integration: Integration,
    unknown_request: TicketRequest,
    history: list[TicketRequest],
) -> dict[str, str]:
    """The path of each page by a name, on a database that has something on each."""
    request, group = history[0].pk, history[0].group_id
    event = AuditEvent.objects.latest("created_at").pk
    job = JobItemFactory.create(
        job__tenant_id=integration.tenant_id, group_id=group
    ).job
    JobItemFactory.create(job=job, ok=False, ticket_key="", message="Jira said no.")
    integration.settings = {"rules": [RULE]}
    integration.save()
    groups, requests = "issues/aiissuegroup/", "issues/ticketrequest/"
    integrations = f"integrations/integration/{integration.pk}"
    return {
        "overview": "?since=7d",
        "requests": requests,
        "nothing found": f"{requests}?q=nothing",
        "story": f"{requests}{request}/change/",
        "unknown": f"{requests}{unknown_request.pk}/change/",
        "settle": f"{requests}{unknown_request.pk}/settle/",
        "settle many": f"{requests}settle/?pk={unknown_request.pk}",
        "groups": groups,
        "group": f"{groups}{group}/change/",
        "create": f"{groups}{group}/create/",
        "link": f"{groups}{group}/link/?q=",
        "reports": "issues/report/",
        "remote links": "issues/remotelink/",
        "jobs": "issues/ticketjob/",
        "job": f"issues/ticketjob/{job.pk}/change/",
        "all rules": "issues/rulerun/",
        "rules": f"issues/rulerun/{integration.pk}/change/",
        "events": "audit/auditevent/",
        "event": f"audit/auditevent/{event}/change/",
        "integrations": "integrations/integration/",
        "integration": f"{integrations}/change/",
        "settings": f"{integrations}/settings/",
        "test ticket": f"{integrations}/test-ticket/",
        "users": "auth/user/",
        "roles": "staff/role/",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_pages_fit_and_have_no_serious_accessibility_problem(
    browser: Any,
    admin_url: str,
    axe: str,
    pages: dict[str, str],
    scheme: str,
    size: str,
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        bypass_csp=True,  # for axe-core
    )
    page = context.new_page()
    log_in(page, admin_url)
    problems = {}
    for name, path in pages.items():
        page.goto(admin_url + path)
        page.evaluate(axe)
        found = page.evaluate(SERIOUS)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append("wider than the screen")
        if found:
            problems[name] = found
    context.close()
    assert problems == {}


@pytest.mark.skipif("RECORD_SCREENSHOTS" not in os.environ, reason="they are recorded")
def test_screenshots_of_the_readme(
    browser: Any, admin_url: str, pages: dict[str, str]
) -> None:
    context = browser.new_context(
        viewport={"width": 1280, "height": 720}, color_scheme="light"
    )
    page = context.new_page()
    log_in(page, admin_url)
    IMAGES.mkdir(exist_ok=True)
    for name in ("overview", "story"):
        page.goto(admin_url + pages[name])
        page.screenshot(path=IMAGES / f"{name}.png")
    context.close()

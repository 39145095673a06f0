"""The admin in a real Chromium: what each role does, and axe-core on every page."""

import csv
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from admin_pages import history, pages  # noqa: F401 (fixtures)
from browser_fixtures import browser, log_in, page  # noqa: F401 (fixtures)
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, User
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import TicketRequest
from issues.tests.conftest import api, group, unknown_request  # noqa: F401 (fixtures)
from issues.tests.factories import GroupFactory, TicketRequestFactory
from killthenoise.audit.models import AuditEvent
from killthenoise.staff.models import TenantLimit
from killthenoise.staff.roles import create_roles

IMAGES = settings.BASE_DIR / "docs" / "images"
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
    page.goto(admin_url)
    problems = {"log in": find_problems(page, axe)}
    log_in(page, admin_url)
    for name, path in pages.items():
        page.goto(admin_url + path)
        problems[name] = find_problems(page, axe)
    page.goto(admin_url)
    page.get_by_role("button", name="Log out").click()
    problems["logged out"] = find_problems(page, axe)
    context.close()
    assert {name: found for name, found in problems.items() if found} == {}


def find_problems(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    found: list[str] = page.evaluate(SERIOUS)
    is_wide = page.evaluate("document.scrollingElement.scrollWidth > innerWidth")
    return [*found, "wider than the screen"] if is_wide else found


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

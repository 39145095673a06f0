"""Clicks the paths of docs/audit.md in a real Chromium, with the names it gives."""

import pytest
from admin_pages import NO_ACCOUNT, history, pages  # noqa: F401 (fixtures)
from browser_fixtures import browser, log_in, page  # noqa: F401 (fixtures)
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer
from test_admin_browser import add_user

from integrations.models import Integration
from issues.models import TicketRequest
from issues.tests.conftest import api, group, unknown_request  # noqa: F401 (fixtures)
from issues.tests.factories import TicketRequestFactory
from killthenoise.audit.events import Action, record

ROWS = "#result_list tbody tr"


@pytest.fixture
def admin_url(live_server: LiveServer, pages: dict[str, str]) -> str:
    """The address of the admin, whose pages all have rows."""
    record(Action.ADMIN_EXPORT, actor="admin:jane")
    return f"{live_server.url}/admin/"


def open_section(page: Page, name: str) -> None:
    page.get_by_label("Sections").get_by_role("link", name=name, exact=True).click()


def choose(page: Page, title: str, value: str) -> None:
    """Choose a value of a filter, which must leave rows."""
    filters = page.locator(f"[data-filter-title='{title}']")
    filters.get_by_role("link", name=value).click()
    expect(page.locator(ROWS).first).to_be_visible()


def show_story(page: Page, key: str) -> None:
    open_section(page, "Ticket requests")
    page.get_by_label("Search", exact=True).fill(key)
    page.get_by_role("button", name="Search").click()
    page.locator(".field-title a").click()


def test_auditor_finds_each_answer(
    page: Page, admin_url: str, history: list[TicketRequest]
) -> None:
    add_user("auditor")
    log_in(page, admin_url, "auditor")
    for span, figure in (("7 days", "failed"), ("24 hours", "unknown now")):
        page.get_by_role("link", name=span, exact=True).click()
        page.locator(".figures").get_by_role("link", name=figure).click()
        expect(page.locator(ROWS).first).to_be_visible()
        page.goto(admin_url)
    page.get_by_text("The figures in the charts").click()
    page.get_by_role("link", name="jira_auth_failed").click()
    expect(page.locator(ROWS).first).to_be_visible()
    page.goto(admin_url)
    page.locator(".figures").get_by_role("link", name="duplicated now").click()
    page.goto(admin_url)
    expect(page.get_by_text(NO_ACCOUNT)).to_be_visible()
    page.get_by_role("link", name="30 days", exact=True).click()
    page.get_by_label("Tenant ID").fill(str(history[0].tenant_id))
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".figures")).to_contain_text("34 created")

    show_story(page, "SCRUM-100")
    for heading in (
        "What happened",
        "What Jira said",
        "As Jira shows it",
        "The text that was sent",
        "The ticket now",
        "Audit events",
    ):
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text("later")

    open_section(page, "Ticket requests")
    choose(page, "needs attention", "Yes")
    open_section(page, "AI issue groups")
    choose(page, "ticket status", "Done")
    choose(page, "recurred", "Yes")
    page.locator(".field-title a").first.click()
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("heading", name="Audit events")).to_be_visible()

    open_section(page, "Audit events")
    choose(page, "action", "Export a list of the admin")
    open_section(page, "Ticket jobs")
    page.locator(".field-time a").click()
    expect(page.get_by_text("1 have their ticket")).to_be_visible()
    open_section(page, "Rules")
    page.locator(".field-site a").click()
    expect(page.get_by_role("heading", name="severe")).to_be_visible()
    open_section(page, "Remote links")
    choose(page, "state", "Failed")


def test_operator_finds_each_action(
    page: Page, admin_url: str, unknown_request: TicketRequest
) -> None:
    add_user("operator")
    log_in(page, admin_url, "operator")
    open_section(page, "Ticket requests")
    actions = page.get_by_label("Action:")
    for action in ("Recover now", "Settle by hand", "Retry", "Unlink", "Check"):
        expect(actions).to_contain_text(action)
    page.get_by_role("link", name=unknown_request.title).click()
    expect(page.get_by_role("button", name="Recover now")).to_be_visible()
    expect(page.get_by_role("button", name="Check the integration")).to_be_visible()
    expect(page.get_by_role("link", name="Settle by hand")).to_be_visible()
    show_story(page, "SCRUM-100")
    expect(page.get_by_role("button", name="Unlink")).to_be_visible()
    open_section(page, "Ticket requests")
    choose(page, "state", "Failed")
    page.locator(".field-title a").first.click()
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    open_section(page, "AI issue groups")
    expect(page.get_by_label("Action:")).to_contain_text("Create Jira tickets")
    page.locator(".field-title a").first.click()
    expect(page.get_by_role("link", name="Create Jira ticket")).to_be_visible()
    expect(page.get_by_role("link", name="Link existing")).to_be_visible()


def test_integrator_and_superuser_find_their_pages(
    page: Page, admin_url: str, integration: Integration
) -> None:
    add_user("integrator")
    log_in(page, admin_url, "integrator")
    open_section(page, "Integrations")
    choose(page, "health", "Paused")
    open_section(page, "Integrations")
    page.get_by_role("link", name=integration.base_url).click()
    expect(page.get_by_role("button", name="Check against Jira")).to_be_visible()
    expect(page.get_by_role("link", name="Send a test ticket")).to_be_visible()
    page.locator(".object-tools").get_by_role("link", name="Rules").click()
    expect(page.get_by_role("heading", name="severe")).to_be_visible()
    page.get_by_role("button", name="Log out").click()

    log_in(page, admin_url)
    open_section(page, "Integrations")
    page.get_by_role("link", name=integration.base_url).click()
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("heading", name="Audit events")).to_be_visible()
    open_section(page, "Users")
    page.get_by_role("link", name="integrator", exact=True).click()
    expect(page.get_by_label("Available roles Choose")).to_be_visible()
    page.get_by_role("button", name="Add another Limit to some tenants").click()
    page.get_by_role("textbox", name="Tenant IDs").fill(str(integration.tenant_id))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def test_limited_auditor_finds_one_tenant(
    page: Page, admin_url: str, history: list[TicketRequest]
) -> None:
    foreign = TicketRequestFactory.create(failed=True, title="Elsewhere")
    add_user("auditor", [str(history[0].tenant_id)])
    log_in(page, f"{admin_url}?since=30d", "auditor")
    expect(page.locator(".figures")).to_contain_text("6 failed")
    expect(page.get_by_text(NO_ACCOUNT)).to_have_count(0)
    open_section(page, "Ticket requests")
    choose(page, "state", "Failed")
    expect(page.locator(ROWS)).to_have_count(6)
    page.get_by_label("Search", exact=True).fill(str(foreign.pk))
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("No rows found.")).to_be_visible()

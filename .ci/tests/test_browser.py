"""The pages that people use, in a real Chromium."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from browser_fixtures import browser, log_in, page  # noqa: F401 (fixtures)
from django.utils import timezone
from playwright.sync_api import Dialog, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.following.loop import follow_due
from issues.models import AIIssueGroup, FollowedSite
from issues.tests.api import Api
from issues.tests.conftest import api, group  # noqa: F401 (fixtures)
from issues.tests.factories import (
    GroupFactory,
    ReportFactory,
    TicketRequestFactory,
)
from issues.tests.following_helpers import HOUR, read_after


def test_admin_finds_the_ticket_request_and_links_to_the_ticket(
    page: Page,
    live_server: LiveServer,
    admin_user: Any,
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
) -> None:
    text = "As a user I want <script>alert(1)</script> to stay text."
    assert api.create(group, {"title": "No <b>", "description": text}).ok

    log_in(page, f"{live_server.url}/admin/issues/ticketrequest/?q=SCRUM-1")
    page.get_by_role("link", name="SCRUM-1").click()

    expect(page).to_have_url(f"{jira.url}/browse/SCRUM-1")
    expect(page.get_by_role("heading", name="No <b>")).to_be_visible()
    expect(page.get_by_text(text)).to_be_visible()


def test_ticket_page_of_the_sandbox_fits_a_phone(page: Page, jira: Sandbox) -> None:
    description = {
        "type": "doc",
        "content": [
            {"type": "paragraph", "content": [{"type": "text", "text": "x" * 300}]},
            *(
                {
                    "type": "heading",
                    "attrs": {"level": level},
                    "content": [{"type": "text", "text": f"Level {level}"}],
                }
                for level in range(1, 7)
            ),
        ],
    }
    fields = {"summary": "A" * 255, "description": description, "labels": ["b" * 255]}
    jira.state.add("SCRUM", fields, {"killthenoise": {"request_id": "c" * 100}})
    page.set_viewport_size({"width": 390, "height": 844})

    for path in ("/", "/browse/SCRUM-1", "/_sandbox/"):
        page.goto(jira.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") == 390

    page.goto(f"{jira.url}/browse/SCRUM-1")
    sizes = [
        page.get_by_role("heading", name=f"Level {level}").evaluate(
            "heading => parseFloat(getComputedStyle(heading).fontSize)"
        )
        for level in range(1, 7)
    ]
    assert sizes == sorted(set(sizes), reverse=True)


@pytest.fixture
def front_end(settings: Settings) -> Iterator[str]:
    """A page that works like the front end, served from another origin."""
    handler = partial(QuietHandler, directory=Path(__file__).parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        origin = f"http://localhost:{server.server_port}"
        settings.CORS_ALLOWED_ORIGINS = [origin]
        yield f"{origin}/front_end.html"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *args: Any) -> None:
        pass


def test_front_end_connects_jira_and_creates_a_ticket(
    page: Page,
    front_end: str,
    live_server: LiveServer,
    group: AIIssueGroup,
    jira: Sandbox,
    settings: Settings,
) -> None:
    settings.JIRA_DEFAULT_PROJECT_KEY = "SCRUM"
    newer = GroupFactory.create(tenant_id=group.tenant_id, title="A newer group")
    ReportFactory.create(group=group, external_id="C01-1")

    page.goto(f"{front_end}?api={live_server.url}&tenant={group.tenant_id}")
    rows = page.locator("#groups tr")
    expect(rows.nth(0)).to_contain_text(newer.title)
    expect(rows.nth(1)).to_contain_text("slack 1")

    page.get_by_label("Site").fill(jira.url + "/")
    page.get_by_label("E-mail").fill(jira.email)
    page.get_by_label("API token").fill(jira.api_token)
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("status")).to_have_text("Connected")

    rows.nth(1).get_by_role("button", name="No Ticket").click()
    expect(page.get_by_label("Description")).to_have_value(re.compile("User Story"))
    page.get_by_label("Title").fill("From the front end")
    page.get_by_role("button", name="Create").click()

    expect(rows.nth(1).get_by_role("link", name="SCRUM-1")).to_be_visible()
    expect(rows.nth(1)).to_contain_text("jira 1")
    expect(page.locator("#reports li")).to_have_text(["jira SCRUM-1", "slack C01-1"])
    page.get_by_role("link", name="SCRUM-1").click()
    expect(page.get_by_role("heading", name="From the front end")).to_be_visible()


def test_front_end_shows_what_becomes_of_the_ticket(
    page: Page,
    front_end: str,
    live_server: LiveServer,
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
) -> None:
    """Its ticket is done, has new reports, is moved, and is deleted in Jira."""
    let_jira_send_webhooks(api, integration, jira)
    ReportFactory.create(group=group)
    page.goto(f"{front_end}?api={live_server.url}&tenant={group.tenant_id}")
    page.get_by_role("button", name="No Ticket").click()
    page.get_by_label("Description").fill("It is empty.")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("link", name="SCRUM-1")).to_be_visible()
    follow_due()
    page.reload()
    shown = page.locator("#groups tr td").last
    expect(shown).to_have_text("SCRUM-1 To Do")

    with changed_in_jira(page, jira):
        page.get_by_role("button", name="Done").click()
    expect(shown).to_have_text("SCRUM-1 Done")

    ReportFactory.create(group=group, created_at=timezone.now())
    page.reload()
    expect(shown).to_have_text("SCRUM-1 Done, recurred")

    with changed_in_jira(page, jira):
        page.get_by_label("Project").select_option("OPS")
        page.get_by_role("button", name="Move").click()
    expect(shown).to_have_text("OPS-1 Done, recurred")

    with changed_in_jira(page, jira):
        page.get_by_role("button", name="Delete").click()
    expect(shown).to_have_text("OPS-1 Done, recurred")  # it may only be hidden

    read_after(HOUR)
    page.reload()
    expect(shown).to_have_text("OPS-1 Done, gone, recurred")


def let_jira_send_webhooks(api: Api, integration: Integration, jira: Sandbox) -> None:
    path = f"/api/jira/integrations/{integration.tenant_id}/{integration.pk}"
    webhook = api.request("POST", f"{path}/webhook-secret").json()["data"]
    url = f"{jira.url}/_sandbox/webhooks"
    requests.post(url, json=webhook, timeout=30).raise_for_status()


@contextmanager
def changed_in_jira(page: Page, jira: Sandbox) -> Iterator[None]:
    """Change the ticket on its page, come back, and show what the webhook led to."""
    list_url = page.url
    page.locator("#groups a").click()
    with page.expect_navigation():
        yield
    jira.state.webhooks.wait()
    FollowedSite.objects.update(due_at=timezone.now())
    follow_due()
    page.goto(list_url)


def test_docs_run_an_operation_as_the_tenant_that_was_entered_once(
    page: Page, live_server: LiveServer, group: AIIssueGroup, settings: Settings
) -> None:
    other = GroupFactory.create()
    page.goto(f"{live_server.url}/api/docs")
    document = (settings.BASE_DIR / "docs" / "openapi.yaml").read_text()
    operations = document.count("\n      operationId: ")
    expect(page.locator(".opblock")).to_have_count(operations)
    assert str(group.pk) in list_groups_in_docs(page)  # the demo's tenant is prefilled

    page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".modal-ux-content .auth-container", has_text="X-Tenant-ID")
    dialog.get_by_role("button", name="Remove authorization").click()
    dialog.get_by_role("textbox").fill(str(other.tenant_id))
    dialog.get_by_role("button", name="Apply credentials").click()
    page.reload()

    assert str(other.pk) in list_groups_in_docs(page)


def list_groups_in_docs(page: Page) -> str:
    """Run the operation listGroups and return its response."""
    operation = page.locator("#operations-Issue_groups-listGroups")
    if not operation.get_by_role("button", name="Try it out").is_visible():
        operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    table = operation.locator(".live-responses-table")
    table.wait_for()
    return str(table.inner_text())


def test_admin_saves_an_integration_and_switches_the_theme(
    page: Page, live_server: LiveServer, admin_user: Any, integration: Integration
) -> None:
    log_in(page, f"{live_server.url}/admin/integrations/integration/")
    page.get_by_role("link", name=integration.base_url).click()
    page.get_by_label("Project key:").fill("OPS")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.get_by_text("was saved.")).to_be_visible()
    page.wait_for_load_state()  # Only then Django's script listens to the button.
    page.get_by_role("button", name="Toggle theme").first.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.usefixtures("transactional_db")
def test_admin_runs_no_script_from_texts_or_urls(
    page: Page, live_server: LiveServer, admin_user: Any
) -> None:
    dialogs: list[str] = []

    def record(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", record)
    text = "<svg onload=alert(1)><script>alert(2)</script>"
    script_url = "javascript:alert(3)"
    group = GroupFactory.create(title=text, summary=text, tags=[text], status=text)
    report = ReportFactory.create(
        group=group, title=text, external_id=text, source=text, url=script_url
    )
    texts = dict.fromkeys(["title", "description", "actor", "ticket_key"], text)
    request = TicketRequestFactory.create(
        group=group, created=True, ticket_url=script_url, error_message=text, **texts
    )

    log_in(page, f"{live_server.url}/admin/")
    for row in (group, report, request):
        list_url = f"{live_server.url}/admin/issues/{row._meta.model_name}/"
        for url in (list_url, f"{list_url}{row.pk}/change/", f"{list_url}?q={text}"):
            page.goto(url)
            expect(page.locator("#content")).to_contain_text("onload")
            for link in page.locator("a[href^=javascript]").all():
                link.click()
    assert not dialogs


def test_content_security_policy_blocks_an_injected_script(
    browser: Any, live_server: LiveServer
) -> None:
    page = browser.new_page()
    for path in ("/admin/login/", "/api/docs"):
        page.goto(live_server.url + path)
        page.evaluate(
            "document.body.append(Object.assign("
            "document.createElement('script'), {text: 'window.ran = true'}))"
        )
        assert page.evaluate("window.ran") is None
    page.close()

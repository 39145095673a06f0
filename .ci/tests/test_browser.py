"""What people see, in a real Chromium."""

import os
import re
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from integrations.jira.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup
from issues.tests.api import Api
from issues.tests.conftest import api, group, integration  # noqa: F401 (fixtures)
from issues.tests.factories import GroupFactory, ReportFactory

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
OFFLINE = ["--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium. Playwright's event loop lives in this thread, which Django minds."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=FLAGS + OFFLINE
        )


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    """A page on which any error fails the test."""
    problems: list[str] = []
    page = browser.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    yield page
    page.close()
    assert not problems


def test_creation_is_found_in_the_admin_and_leads_to_the_ticket(
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

    page.goto(f"{live_server.url}/admin/issues/ticketrequest/?q=SCRUM-1")
    page.get_by_label("Username:").fill("admin")
    page.get_by_label("Password:").fill("password")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="SCRUM-1").click()

    expect(page).to_have_url(f"{jira.url}/browse/SCRUM-1")
    expect(page.get_by_role("heading", name="No <b>")).to_be_visible()
    expect(page.get_by_text(text)).to_be_visible()


@pytest.fixture
def front_end(settings: Settings) -> Iterator[str]:
    """A page that does what the front end does, on an origin of its own."""
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


def test_front_end_connects_creates_and_shows_the_ticket(
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

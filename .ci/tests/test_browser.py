"""What people see, in a real Chromium."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from integrations.jira.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup
from issues.tests.api import Api
from issues.tests.conftest import api, group, integration  # noqa: F401 (fixtures)

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

"""Fixtures of the browser tests."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
OFFLINE = ["--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium. Playwright runs an event loop in this thread, which Django refuses."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=FLAGS + OFFLINE
        )


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    """A page. Any error in its console fails the test."""
    problems: list[str] = []
    page = browser.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    yield page
    page.close()
    assert not problems


def log_in(page: Page, url: str, username: str = "admin") -> None:
    """Open a page of the admin and log in."""
    page.goto(url)
    page.get_by_label("Username:").fill(username)
    page.get_by_label("Password:").fill("password")
    page.get_by_role("button", name="Log in").click()

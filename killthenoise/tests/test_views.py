"""The start page."""

import pytest
from django.test import Client
from pytest_django import Settings


@pytest.mark.parametrize(
    ("admin_path", "debug", "is_linked"),
    [("admin/", False, True), ("secret/", False, False), ("secret/", True, True)],
)
def test_start_page_links_to_the_docs_and_to_an_admin_at_a_known_path(
    client: Client, settings: Settings, admin_path: str, debug: bool, is_linked: bool
) -> None:
    settings.ADMIN_PATH, settings.DEBUG = admin_path, debug

    page = client.get("/")

    assert page.status_code == 200
    assert "/api/docs" in page.text
    assert ("/admin/" in page.text) is is_linked

"""The start page, liveness and readiness."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import Settings

from issues.tests.database_failures import database_down


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


def test_process_is_alive_without_a_database(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
def test_migrated_database_is_ready(client: Client) -> None:
    response = client.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ready"})


@pytest.mark.django_db
def test_database_without_its_migrations_is_not_ready(client: Client) -> None:
    MigrationRecorder(connection).migration_qs.filter(app="issues").delete()

    response = client.get("/readyz")

    assert response.status_code == 503
    assert "migrate" in response.json()["reason"]


@pytest.mark.django_db
def test_database_that_does_not_answer_is_not_ready(client: Client) -> None:
    with database_down("django_migrations"):
        response = client.get("/readyz")

    assert response.status_code == 503
    assert "database" in response.json()["reason"]

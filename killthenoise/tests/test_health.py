"""Liveness and readiness."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from issues.tests.database_failures import database_down


def test_process_is_alive_without_a_database(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
def test_migrated_database_is_ready(client: Client) -> None:
    response = client.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ready"})


@pytest.mark.django_db
def test_waiting_migration_is_not_ready(client: Client) -> None:
    MigrationRecorder(connection).record_unapplied("issues", "0001_initial")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert "migrate" in response.json()["reason"]


@pytest.mark.django_db
def test_database_that_does_not_answer_is_not_ready(client: Client) -> None:
    with database_down("django_migrations"):
        response = client.get("/readyz")

    assert response.status_code == 503
    assert "database" in response.json()["reason"]

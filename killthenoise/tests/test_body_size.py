"""A body that is too large is refused on every path, before anything reads it."""

from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.test import Client
from pytest_django import Settings

from killthenoise.api.parsers import MAX_BODY_BYTES

pytestmark = pytest.mark.django_db
PATHS = ["/admin/login/", "/favicon.ico", "/", "/nowhere", "/api/nowhere", "/api/docs"]
TOKEN = "a" * 32
"""With it in a cookie, Django reads the form to look for the same token."""


@pytest.fixture(autouse=True)
def written(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The files that are written to the disk."""
    made: list[Any] = []
    new_file = TemporaryFileUploadHandler.new_file

    def note(handler: Any, *args: Any, **kwargs: Any) -> None:
        made.append(args)
        new_file(handler, *args, **kwargs)

    monkeypatch.setattr(TemporaryFileUploadHandler, "new_file", note)
    return made


def upload(path: str, size: int, settings: Settings) -> Any:
    client = Client(enforce_csrf_checks=True)
    client.cookies[settings.CSRF_COOKIE_NAME] = TOKEN
    return client.post(path, {"file": BytesIO(b"x" * size)})


@pytest.mark.parametrize("path", PATHS)
def test_large_upload_is_refused_and_not_written(
    path: str, written: list[Any], settings: Settings
) -> None:
    response = upload(path, 3 * MAX_BODY_BYTES, settings)

    assert response.status_code == 413
    assert written == []
    is_json = response.headers["Content-Type"] == "application/json"
    assert is_json == path.startswith("/api/")


def test_small_upload_is_read(settings: Settings) -> None:
    assert upload("/", 1000, settings).status_code == 403  # no token in the form

"""The debug page shows no credentials inside URLs."""

import pytest
from django.conf import settings as project_settings
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from killthenoise.error_reports import hide_credentials


def fail(request: HttpRequest) -> HttpResponse:
    url = project_settings.REDIS_URL
    request.META["DATABASE_URL"] = url.replace("redis", "postgres")
    raise RuntimeError(f"cannot connect to {url}")


urlpatterns = [path("fail", fail)]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
def test_debug_page_hides_the_credentials_of_urls(
    client: Client, settings: Settings, accept: str
) -> None:
    settings.DEBUG = True
    settings.REDIS_URL = "redis://:p@ss'word&<1>@redis.example.com"
    client.raise_request_exception = False

    page = client.get("/fail", headers={"Accept": accept}).text

    for name in (
        "redis.example.com",
        "postgres.example.com",
        "REDIS_URL",
        "DATABASE_URL",
    ):
        assert name in page
    for part in ("ss'word", "word&amp;", "word&<"):
        assert part not in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://me:secret@db/name", "postgres://********@db/name"),
        ("https://token@host", "https://********@host"),
        ("https://host/path?mail=me@host", "https://host/path?mail=me@host"),
        ("https://a https://b:c@d", "https://a https://********@d"),
        ("me@example.com", "me@example.com"),
    ],
)
def test_only_what_is_before_the_host_is_hidden(text: str, shown: str) -> None:
    assert hide_credentials(text) == shown

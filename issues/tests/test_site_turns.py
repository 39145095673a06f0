"""A site for which a worker is busy is left to it; the other sites are worked on."""

from contextlib import suppress
from uuid import uuid4

import pytest
from pytest_django import Settings

from issues.sites import for_each_site
from killthenoise.background import Work, do
from killthenoise.site_turns import turn

pytestmark = pytest.mark.django_db(transaction=True)
SITES = [f"https://{name}.atlassian.net" for name in ("slow", "quick")]


@pytest.fixture
def name() -> str:
    return f"work {uuid4()}"


def work(name: str) -> list[str]:
    """Do this work for both sites, and return those for which it was done."""
    done: list[str] = []

    def function() -> None:
        for_each_site(done.append, SITES, url_of=str)

    do(Work(name, function, every_s=1))
    return sorted(done)


def test_site_of_a_busy_worker_is_left_out_and_the_other_is_not(name: str) -> None:
    with turn(name, SITES[0]) as ours:
        assert ours
        assert work(name) == [SITES[1]]

    assert work(name) == sorted(SITES)


def test_turn_of_a_worker_that_fails_ends(name: str) -> None:
    with suppress(RuntimeError), turn(name, SITES[0]):
        raise RuntimeError

    assert work(name) == sorted(SITES)


def test_turn_of_other_work_and_of_no_repeated_work_does_not_matter(name: str) -> None:
    done: list[str] = []
    with turn("other work", SITES[0]), turn(name, SITES[0]):
        for_each_site(done.append, SITES, url_of=str)  # as in a command that runs once

    assert sorted(done) == sorted(SITES)


def test_work_goes_on_without_the_cache(name: str, settings: Settings) -> None:
    broken = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:1",
    }
    settings.CACHES = settings.CACHES | {"throttles": broken}

    assert work(name) == sorted(SITES)

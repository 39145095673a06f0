"""Works on many Jira sites at once, so that a slow or broken site delays no other."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

from killthenoise.api.connection_pool import release_connection
from killthenoise.background import current_work
from killthenoise.site_turns import turn

MAX_SITES_AT_ONCE = 8
"""Each takes a thread and a database connection."""

Site = TypeVar("Site")
T = TypeVar("T")

logger = logging.getLogger(__name__)


def for_each_site(
    work: Callable[[Site], T],
    sites: Iterable[Site],
    *,
    url_of: Callable[[Site], str] | None = None,
) -> list[T]:
    """Return what `work` returns for each site, except the sites where it failed.

    A failure of any kind is logged and does not stop the others. With `url_of`,
    repeated work skips a site on which another worker does the same now. A single site
    needs no thread.
    """
    todo, name = list(sites), current_work()

    def guarded(site: Site) -> list[T]:
        if not (name and url_of):
            return _guarded(work, site)
        with turn(name, url_of(site)) as is_ours:
            return _guarded(work, site) if is_ours else []

    if len(todo) < 2:
        return [result for site in todo for result in guarded(site)]
    release_connection()
    with ThreadPoolExecutor(min(len(todo), MAX_SITES_AT_ONCE)) as pool:
        results = pool.map(lambda site: _in_thread(guarded, site), todo)
        return [result for of_site in results for result in of_site]


def _in_thread(guarded: Callable[[Site], list[T]], site: Site) -> list[T]:
    try:
        return guarded(site)
    finally:
        connections.close_all()


def _guarded(work: Callable[[Site], T], site: Site) -> list[T]:
    """Return the result in a list, or an empty list if the work failed."""
    try:
        return [work(site)]
    except Exception:
        logger.exception("the work for %s failed", site)
        return []

"""One worker at a time for each site, so that no slow site occupies all workers.

The turns are stored in the cache that processes share through Redis. Without Redis,
each process has its own cache, and there is only one process. If the cache fails, all
workers get a turn. Rows are reserved anyway, so turns only save time.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256

from django.core.cache import caches

TURN_S = 60
"""Seconds after which another worker may start: the first one may have been killed."""

logger = logging.getLogger(__name__)


@contextmanager
def turn(work: str, site: str) -> Iterator[bool]:
    """Whether it is our turn to do this work for the site, and not another worker's."""
    cache = caches["throttles"]
    key = f"turn:{sha256(f'{work} {site}'.encode()).hexdigest()}"
    try:
        ours = cache.add(key, 1, TURN_S)
    except Exception as exc:  # any error of the Redis client
        logger.warning("%s for %s takes no turns: %s", work, site, exc)
        ours = True
    try:
        yield ours
    finally:
        if ours:
            with suppress(Exception):
                cache.delete(key)

"""One worker at a time for each site, so that no slow site keeps all workers busy.

The turns are in the cache that processes share through Redis. Without it each process
has its own, and then there is one process only. If the cache fails, everybody has a
turn: rows are reserved anyway, so this is about time only.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256

from django.core.cache import caches

TURN_S = 60
"""Seconds after which another worker may join: the first one may have been killed."""

logger = logging.getLogger(__name__)


@contextmanager
def turn(work: str, site: str) -> Iterator[bool]:
    """Whether it is our turn to do this work for the site; False if another has it."""
    cache = caches["throttles"]
    key = f"turn:{sha256(f'{work} {site}'.encode()).hexdigest()}"
    try:
        ours = cache.add(key, 1, TURN_S)
    except Exception as exc:  # whatever the client of Redis raises
        logger.warning("%s for %s takes no turns: %s", work, site, exc)
        ours = True
    try:
        yield ours
    finally:
        if ours:
            with suppress(Exception):
                cache.delete(key)

"""The index of the search in titles and summaries, on PostgreSQL with pg_trgm.

The owner of a database can create the extension, because PostgreSQL trusts it. If the
server lacks it, the search reads only the tenant's most recent groups.
https://www.postgresql.org/docs/18/pgtrgm.html
"""

import re
from functools import cache

from django.db import connection

TEXT = "(title || E'\\n' || summary)"
"""The searched text. A query has no newline, so it never matches across both parts."""
ASCII_TEXT = f'{TEXT} COLLATE "C"'
"""The same. Comparing it takes half the time, but knows capitals of a to z only."""
RECENT = 10_000
"""The number of groups that are searched where there is no index."""
RECENT_FOR_SHORT = 500
"""The number of groups that are searched for a text that is too short for the index."""
TRIGRAM = re.compile(r"[^\W_]{3}|[^\W_]{2}[\W_]|[\W_][^\W_]{2}")
"""Letters or digits, or the end or the start of a word, by which the index finds."""
TICKET_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[0-9]+")
"""A text that may be the key of a ticket. Looking up all others costs planning."""
SPECIAL = re.compile(r"[\\%_]")
INDEX = "aiissuegroup_text"
"""Migration 0013 creates it if it can."""


@cache
def has_index() -> bool:
    """Whether the search has its index. Asked once in each process."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [INDEX])
        return bool(cursor.fetchone()[0])


def get_bound(q: str | None) -> int | None:
    """Return how many of the most recent groups are searched, None for all of them."""
    if q is None or (has_index() and TRIGRAM.search(q)):
        return None
    return RECENT_FOR_SHORT if has_index() else RECENT


def get_condition(q: str) -> str:
    """Return the condition on a group's text, whose pattern is the parameter `q`.

    The faster comparison comes first. The coalesce hides it from the planner, which
    would take the two for independent, and so for met by very few groups.
    """
    if not q.isascii():
        return f"{TEXT} ILIKE %(q)s"
    if get_bound(q):
        return f"{ASCII_TEXT} ILIKE %(q)s"
    return f"coalesce({ASCII_TEXT} ILIKE %(q)s, false) AND {TEXT} ILIKE %(q)s"


def to_pattern(q: str) -> str:
    """Return the pattern of LIKE for texts that contain `q`."""
    escaped = SPECIAL.sub(r"\\\g<0>", q)
    return f"%{escaped}%"

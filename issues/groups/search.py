"""The index of the search in titles and summaries, on PostgreSQL with pg_trgm.

The owner of a database can create the extension, because PostgreSQL trusts it; where
the server lacks it, the search reads the tenant's most recent groups only.
https://www.postgresql.org/docs/18/pgtrgm.html
"""

import re
from functools import cache

from django.db import connection

TEXT = "(title || E'\\n' || summary)"
"""What is searched. A query has no newline, so it never matches both at once."""
RECENT = 10_000
"""The groups that are searched without the index."""
TRIGRAM = re.compile(r"[^\W_]{3}|[^\W_]{2}[\W_]|[\W_][^\W_]{2}")
"""Letters or digits, or the end or the start of a word, by which the index finds."""
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


def is_bounded(q: str | None) -> bool:
    """Whether a search reads the most recent groups only, because no index finds it."""
    return q is not None and not (TRIGRAM.search(q) and has_index())


def to_pattern(q: str) -> str:
    """Return the pattern of LIKE for texts that contain `q`."""
    escaped = SPECIAL.sub(r"\\\g<0>", q)
    return f"%{escaped}%"

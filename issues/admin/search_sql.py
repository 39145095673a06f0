"""Full-text search on PostgreSQL. SQLite compares without an index.

The words of a title, and whole ids, are lexemes of one index, in the manner of
https://www.postgresql.org/docs/18/textsearch-tables.html
"""

import re
import string
from typing import Any

from django.db import connection
from django.db.models import BooleanField, F, Func, Value

_MARKS = string.punctuation.replace("'", "''")
_MARKS = _MARKS.replace("{", "{{").replace("}", "}}")
_WORDS = f"to_tsvector('simple', translate({{0}}, '{_MARKS}', repeat(' ', 32)))"
"""The words of a title, split at punctuation: PostgreSQL would keep addresses whole."""
_IDS = "array_to_tsvector(array_remove(ARRAY[{1}, {2}, {3}, {4}, {5}, {6}::text], ''))"
GROUPS, REQUESTS = "issues_aiissuegroup", "issues_ticketrequest"
COLUMNS = {
    GROUPS: ["title"],
    REQUESTS: [
        "title",
        "ticket_key",
        "request_id",
        "jira_issue_id",
        "jira_trace_id",
        "actor",
        "integration_id",
    ],
}
DOCUMENTS = {GROUPS: f"({_WORDS})", REQUESTS: f"({_WORDS} || {_IDS})"}
"""The expression of each table's index, of its columns. Migration 0014 creates them."""
MIN_PREFIX = 3
"""Characters of a word that also stands for the words that begin with it."""
MAX_WORDS = 10
MAX_LEXEME = 255
"""Characters, as in the longest column."""


class Matches(Func):
    """Whether a row matches a query in PostgreSQL's syntax."""

    output_field = BooleanField()

    def __init__(self, table: str, query: str) -> None:
        super().__init__(*map(F, COLUMNS[table]), Value(query))
        self.document = DOCUMENTS[table]

    def as_sql(self, compiler: Any, *args: Any, **kwargs: Any) -> Any:
        """Write the expression of the index, with this statement's names of columns."""
        *columns, query = map(compiler.compile, self.source_expressions)
        document = self.document.format(*(sql for sql, _ in columns))
        sql, parameters = query
        return f"{document.replace('%', '%%')} @@ {sql}::tsquery", parameters


def query_words(text: str) -> str:
    """Return the query for rows that have all the words; "" if there are none."""
    words = re.findall(r"[^\W_]+", text.lower())[:MAX_WORDS]
    return " & ".join(
        query_id(word) + (":*" if len(word) >= MIN_PREFIX else "") for word in words
    )


def query_id(identifier: str) -> str:
    """Return the query for rows that have exactly this id."""
    escaped = identifier[:MAX_LEXEME].replace("\\", r"\\").replace("'", "''")
    return f"'{escaped}'"


def is_usable() -> bool:
    """Whether the database has the indexes."""
    return connection.vendor == "postgresql"

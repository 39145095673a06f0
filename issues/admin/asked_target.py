"""Which project and issue type a stored request named, for its repetition.

The row keeps where the ticket went, however that was chosen. Its hash covers what the
request named, so it tells which of the two the request named.
"""

from itertools import product

from integrations.routes import AskedTarget
from issues.claims import hash_content
from issues.models import TicketRequest


def find_asked(row: TicketRequest) -> AskedTarget | None:
    """Return what the request named; None if its hash does not tell.

    That is so for rows that recovery or a sweep has made anew.
    """
    named = product({"", row.project_key}, {"", row.issue_type})
    for project_key, issue_type in named:
        asked = AskedTarget(project_key=project_key, issue_type=issue_type)
        if hash_content(row, asked) == row.request_hash:
            return asked
    return None

"""Finds the project and issue type that a stored request named, for a retry.

The row stores where the ticket went, however that was chosen. Its hash covers the
values that the request named, so it shows which of the two the request named.
"""

from itertools import product

from integrations.services import AskedTarget
from issues.claims import hash_content
from issues.models import TicketRequest


def find_asked(row: TicketRequest) -> AskedTarget | None:
    """Return what the request named, or None if its hash does not match.

    This happens for rows that recovery or a sweep has recreated, and for requests that
    named anything that the row does not store.
    """
    named = product({"", row.project_key}, {"", row.issue_type})
    for project_key, issue_type in named:
        asked = AskedTarget(project_key=project_key, issue_type=issue_type)
        if hash_content(row, asked) == row.request_hash:
            return asked
    return None

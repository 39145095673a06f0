"""The title and description that a ticket gets if nobody has written any."""

from typing import NamedTuple

from issues.groups.descriptions import generate_description
from issues.models import MAX_TITLE, AIIssueGroup
from killthenoise.api.text import clean_title

UNTITLED = "Untitled group of reports"


class Draft(NamedTuple):
    """A title and a description that are clean and within Jira's limits."""

    title: str
    description: str


def draft_title(group: AIIssueGroup) -> str:
    """Return the group's title as one line."""
    return clean_title(group.title)[:MAX_TITLE].strip() or UNTITLED


def draft_ticket(
    group: AIIssueGroup, *, title: str = "", description: str = ""
) -> Draft:
    """Fill in what is missing. Raises TenantBusy."""
    title = title or draft_title(group)
    if description:
        return Draft(title, description)
    generated = generate_description(
        tenant_id=group.tenant_id, title=title, summary=group.summary
    )
    return Draft(title, generated.description)

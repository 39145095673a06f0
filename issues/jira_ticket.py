"""A ticket in Jira, whether it was created, found or recorded."""

from dataclasses import dataclass
from typing import Self

from integrations.services import CreatedIssue, FoundTicket, MarkedIssue
from issues.models import TicketRequest


@dataclass(frozen=True, kw_only=True)
class JiraTicket:
    """A ticket on a site. `issue_id` never changes, `key` changes after a move."""

    base_url: str
    issue_id: str
    key: str
    url: str

    @classmethod
    def found(
        cls, issue: CreatedIssue | FoundTicket | MarkedIssue, *, base_url: str
    ) -> Self:
        """Return a ticket that Jira created or showed."""
        return cls(base_url=base_url, issue_id=issue.id, key=issue.key, url=issue.url)

    @classmethod
    def of(cls, request: TicketRequest) -> Self:
        """Return the ticket of a created request."""
        return cls(
            base_url=request.base_url,
            issue_id=request.jira_issue_id,
            key=request.ticket_key,
            url=request.ticket_url,
        )

    def as_data(self) -> dict[str, str]:
        """Return the `data` of the API's response."""
        return {"ticket_key": self.key, "ticket_url": self.url}

"""Groups of customer feedback, the reports in them, and the requests for tickets."""

from issues.models.background import RemoteLink, Sweep
from issues.models.groups import MAX_TITLE, AIIssueGroup
from issues.models.jobs import JobItem, TicketJob
from issues.models.reports import Report
from issues.models.rule_runs import RuleRun
from issues.models.ticket_requests import (
    MAX_DURATION_MS,
    TicketRequest,
    TicketRequestQuerySet,
)
from issues.models.tickets import FollowedSite, Ticket

__all__ = [
    "MAX_DURATION_MS",
    "MAX_TITLE",
    "AIIssueGroup",
    "FollowedSite",
    "JobItem",
    "RemoteLink",
    "Report",
    "RuleRun",
    "Sweep",
    "Ticket",
    "TicketJob",
    "TicketRequest",
    "TicketRequestQuerySet",
]

"""The admin pages of groups, reports, ticket requests, jobs, rules and links."""

from issues.admin import groups, jobs, remote_links, reports, rules, ticket_requests

__all__ = ["groups", "jobs", "remote_links", "reports", "rules", "ticket_requests"]

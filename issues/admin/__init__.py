"""The admin pages of groups, reports, ticket requests and remote links."""

from issues.admin import groups, remote_links, reports, ticket_requests

__all__ = ["groups", "remote_links", "reports", "ticket_requests"]

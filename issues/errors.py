"""The errors of the services of groups and tickets."""

from killthenoise.errors import ServiceError


class GroupNotFound(ServiceError):
    code = "group_not_found"
    title = "Issue group not found"
    http_status = 404
    default_message = "This tenant has no issue group with that id. Reload the list."


class TicketInProgress(ServiceError):
    """Another request of the group is open: it is running, or its outcome is unknown.

    `seconds_left` is the time until an unknown outcome can be settled.
    """

    code = "ticket_in_progress"
    title = "A ticket is being created"
    http_status = 409
    retryable = True
    retry_after = 2

    default_message = (
        "A ticket for this group is being created right now. Press Create again in a "
        "moment to see its key."
    )

    def __init__(self, *, seconds_left: int | None = None) -> None:
        if seconds_left is None:
            super().__init__()
            return
        self.retry_after = max(seconds_left, 5) if seconds_left > 0 else 60
        then = f"This is clear within {_duration(self.retry_after)}: try again then."
        if seconds_left <= 0:
            then = "Look for it in Jira, and link it to this group if it is there."
        super().__init__(
            "An earlier try for this group is not settled yet: its ticket may exist in "
            f"Jira. {then}"
        )


class TicketExists(ServiceError):
    """The group has a ticket already, and this request has other content."""

    code = "ticket_exists"
    title = "The group has a ticket already"
    http_status = 409

    def __init__(self, *, ticket_key: str, ticket_url: str, done: bool = False) -> None:
        which = ", which is done" if done else ""
        super().__init__(
            f"This group already has the ticket {ticket_key}{which}. Open it, or "
            "choose ‘Create another’."
        )
        self.data = {"ticket_key": ticket_key, "ticket_url": ticket_url}
        if done:
            self.data["done"] = True


class IdempotencyKeyReused(ServiceError):
    code = "idempotency_key_reused"
    title = "Idempotency key used before"
    http_status = 409
    default_message = (
        "This Idempotency-Key was used before with another group, title or "
        "description. Send a new key with each new request."
    )


class JobNotFound(ServiceError):
    code = "job_not_found"
    title = "Job not found"
    http_status = 404
    default_message = "This tenant has no job with that id. Send the request again."


class TicketNotRecorded(ServiceError):
    """Jira created the ticket, but the database failed to record it."""

    code = "ticket_not_recorded"
    title = "Ticket created, not yet linked"
    http_status = 500
    retryable = True

    def __init__(self, *, ticket_key: str, ticket_url: str) -> None:
        super().__init__(
            f"Jira created {ticket_key}, but our database failed to record it. The "
            "ticket is safe and will be linked automatically. Do not create another."
        )
        self.data = {"ticket_key": ticket_key, "ticket_url": ticket_url}


class TicketNotLinked(ServiceError):
    """The group has no such ticket to unlink."""

    code = "ticket_not_linked"
    title = "Ticket not linked"
    http_status = 404

    def __init__(self, *, key: str) -> None:
        super().__init__(f"This group has no ticket {key}. Reload the list.")


def _duration(seconds: int) -> str:
    """Return a time for people, rounded up: `45 seconds`, `3 minutes`."""
    if seconds < 90:
        return f"{seconds} seconds"
    return f"{-(-seconds // 60)} minutes"

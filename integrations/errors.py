"""What integrations refuse, whatever the other system."""

from collections.abc import Sequence

from integrations.jira.error_mapping import TOKENS
from killthenoise.errors import ServiceError


class NoActiveIntegration(ServiceError):
    code = "no_active_integration"
    title = "Jira is not connected"
    http_status = 400

    def __init__(self) -> None:
        super().__init__(
            "This tenant has no active Jira integration. Connect Jira, then try again."
        )


class NoProjectChosen(ServiceError):
    code = "no_project_chosen"
    title = "No Jira project chosen"
    http_status = 400

    def __init__(self) -> None:
        super().__init__(
            "The Jira integration has no project to create tickets in. Choose one in "
            "its settings, then try again."
        )


class IntegrationPaused(ServiceError):
    """Jira refused the credentials too often in a row."""

    code = "integration_paused"
    title = "Jira integration paused"
    http_status = 400

    def __init__(self) -> None:
        super().__init__(
            "Jira refused the stored e-mail and API token too often, so the "
            f"integration is paused and nothing is sent. Make a new API token at "
            f"{TOKENS} and reconnect Jira with it."
        )


class SecretUnreadable(ServiceError):
    """No key of FIELD_ENCRYPTION_KEYS decrypts a stored secret."""

    code = "secret_unreadable"
    title = "Stored credentials unreadable"
    http_status = 500

    def __init__(self) -> None:
        super().__init__(
            "The stored Jira token cannot be decrypted, so nothing was sent. Reconnect "
            "Jira, or give the server the FIELD_ENCRYPTION_KEYS it was stored with."
        )


class IntegrationNotFound(ServiceError):
    code = "integration_not_found"
    title = "Jira integration not found"
    http_status = 404

    def __init__(self) -> None:
        super().__init__(
            "This tenant has no Jira integration with that id. Reload the list."
        )


class IntegrationDisconnected(ServiceError):
    """The token was erased, so there is nothing to ask Jira with."""

    code = "integration_disconnected"
    title = "Jira integration disconnected"
    http_status = 400

    def __init__(self) -> None:
        super().__init__(
            "This Jira integration is disconnected and its token erased. Connect Jira "
            "again with an API token."
        )


class JiraAccountGone(ServiceError):
    """A request was sent with an account that is no longer connected."""

    code = "jira_account_gone"
    title = "Jira account no longer connected"
    http_status = 500
    ticket_may_exist = True

    def __init__(self, base_url: str) -> None:
        super().__init__(
            f"A ticket for this group may exist at {base_url}, but no account is "
            "connected there any more, so it cannot be looked up. Reconnect that site, "
            "or link the ticket to the group if you find it there."
        )


class IntegrationRefused(ServiceError):
    """Jira does not take what was asked for, so nothing was stored.

    `fields` name the inputs at fault; `code` is that of the JiraError which a ticket
    would meet, if there is one.
    """

    code = "integration_refused"
    title = "Jira does not take this"
    http_status = 400

    def __init__(self, message: str, *, code: str, fields: Sequence[str]) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = code in ("jira_unreachable", "jira_rate_limited")
        self.fields = {field: [message] for field in fields}

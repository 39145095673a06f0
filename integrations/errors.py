"""The errors of integrations that do not come from Jira's API itself."""

from collections.abc import Sequence

from integrations.jira.error_mapping.account import TOKENS
from integrations.jira.errors import READ_ERRORS, JiraIssueTypeInvalid
from killthenoise.errors import ServiceError


class NoActiveIntegration(ServiceError):
    code = "no_active_integration"
    title = "Jira is not connected"
    http_status = 400
    default_message = (
        "This tenant has no active Jira integration. Connect Jira, then try again."
    )


class NoProjectChosen(ServiceError):
    code = "no_project_chosen"
    title = "No Jira project chosen"
    http_status = 400
    default_message = (
        "The Jira integration has no project to create tickets in. Choose one in "
        "its settings, then try again."
    )


class AccountUnusable(ServiceError):
    """The account exists, but nothing may be sent with it."""


class IntegrationPaused(AccountUnusable):
    """Jira rejected the credentials too often in a row."""

    code = "integration_paused"
    title = "Jira integration paused"
    http_status = 400
    default_message = (
        "Jira rejected the stored e-mail and API token too often, so the "
        "integration is paused and nothing is sent. Make a new API token at "
        f"{TOKENS} and reconnect Jira with it."
    )


class SecretUnreadable(AccountUnusable):
    """No key of FIELD_ENCRYPTION_KEYS decrypts it, or it belongs to another row."""

    code = "secret_unreadable"
    title = "Stored credentials unreadable"
    http_status = 500
    default_message = (
        "The stored Jira token cannot be decrypted, so nothing was sent. Reconnect "
        "Jira, or add the key it was encrypted with to FIELD_ENCRYPTION_KEYS."
    )


class SiteNotAllowed(AccountUnusable):
    """JIRA_ALLOWED_HOSTS no longer allows the stored site."""

    code = "site_not_allowed"
    title = "Jira site not allowed"
    http_status = 400

    def __init__(self, base_url: str) -> None:
        super().__init__(
            f"This server no longer connects to {base_url}, so nothing was sent. "
            "Connect another Jira site, or have this one's host added to "
            "JIRA_ALLOWED_HOSTS."
        )


class IntegrationNotFound(ServiceError):
    code = "integration_not_found"
    title = "Jira integration not found"
    http_status = 404
    default_message = (
        "This tenant has no Jira integration with that id. Reload the list."
    )


class IntegrationDisconnected(ServiceError):
    """The token was erased, so there are no credentials to send to Jira."""

    code = "integration_disconnected"
    title = "Jira integration disconnected"
    http_status = 400
    default_message = (
        "This Jira integration is disconnected and its token is erased. Connect "
        "Jira again with an API token."
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
            "connected to that site any more, so it cannot be looked up. Reconnect "
            "the site, or link the ticket to the group if you find it there."
        )


class TicketNotInJira(ServiceError):
    """There is no such ticket, or none that the account sees.

    `field` is the input that names the ticket.
    """

    code = "ticket_not_in_jira"
    title = "No such ticket"
    http_status = 400

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.fields = {field: [message]}


class JiraIssueNotFound(ServiceError):
    """There is no such ticket, or none that the account sees."""

    code = "jira_issue_not_found"
    title = "No such ticket"
    http_status = 404
    default_message = (
        "Jira has no ticket with this key that the connected account can see. Check "
        "the key."
    )


class FilterNotInJira(ServiceError):
    """Jira does not know the status, assignee or project to filter by."""

    code = "filter_not_in_jira"
    title = "No such status, assignee or project"
    http_status = 400

    def __init__(self, **filters: str) -> None:
        given = {name: text for name, text in filters.items() if text}
        shown = " or the ".join(f"{name} “{text}”" for name, text in given.items())
        message = f"Jira does not know the {shown}. Choose another one."
        super().__init__(message)
        self.fields = {name: [message] for name in given}


class IntegrationRefused(ServiceError):
    """A check of the credentials or settings failed, so nothing was stored.

    `fields` names the inputs to correct. Only the subclasses in REFUSALS are raised;
    each has the code of the error that a ticket would raise.
    """

    title = "Rejected by Jira"
    http_status = 400

    def __init__(self, message: str, *, fields: Sequence[str]) -> None:
        super().__init__(message)
        self.fields = {field: [message] for field in fields}


def _refusal(cause: type[ServiceError]) -> type[IntegrationRefused]:
    attributes = {"code": cause.code, "retryable": cause.retryable}
    name = f"{cause.__name__}Refusal"
    return type(name, (IntegrationRefused,), attributes | {"__doc__": cause.__doc__})


_UNUSABLE = (
    IntegrationPaused,
    IntegrationDisconnected,
    SecretUnreadable,
    SiteNotAllowed,
)
CONNECT_REFUSALS = {
    cause.code: _refusal(cause) for cause in (*READ_ERRORS, JiraIssueTypeInvalid)
}
REFUSALS = CONNECT_REFUSALS | {cause.code: _refusal(cause) for cause in _UNUSABLE}
"""The subclasses of IntegrationRefused by their code."""

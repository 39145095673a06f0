"""What integrations refuse, whatever the other system."""

from integrations.jira.refusals import TOKENS
from killthenoise.api.errors import ServiceError


class NoActiveIntegration(ServiceError):
    code = "no_active_integration"
    title = "Jira is not connected"

    def __init__(self) -> None:
        super().__init__(
            "This tenant has no active Jira integration. Connect Jira, then try again."
        )


class NoProjectChosen(ServiceError):
    code = "no_project_chosen"
    title = "No Jira project chosen"

    def __init__(self) -> None:
        super().__init__(
            "The Jira integration has no project to create tickets in. Choose one in "
            "its settings, then try again."
        )


class IntegrationPaused(ServiceError):
    """Jira refused the credentials too often in a row."""

    code = "integration_paused"
    title = "Jira integration paused"

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

    def __init__(self) -> None:
        super().__init__(
            "The stored Jira token cannot be decrypted, so nothing was sent. Reconnect "
            "Jira, or give the server the FIELD_ENCRYPTION_KEYS it was stored with."
        )

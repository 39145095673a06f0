"""The rules for responses about the account: its credentials and its permission."""

from integrations.jira.error_mapping.failed_request import FailedRequest
from integrations.jira.errors import (
    JiraAuthFailed,
    JiraError,
    JiraPermissionDenied,
    JiraScopesMissing,
)

TOKENS = "https://id.atlassian.com/manage-profile/security/api-tokens"
_RENEW = f"Make a new API token at {TOKENS} and reconnect Jira with it."
UNUSABLE_TOKENS: tuple[tuple[str, type[JiraAuthFailed], str], ...] = (
    (
        "scope does not match",
        JiraScopesMissing,
        (
            "The stored API token lacks scopes that Jira requires. Make one at "
            f"{TOKENS} with the scopes read:jira-work, write:jira-work and "
            "read:jira-user, and reconnect Jira with it."
        ),
    ),
    (
        "authentication with passwords",
        JiraAuthFailed,
        f"Jira accepts an API token, not a password. {_RENEW}",
    ),
    (
        "Connect Session Auth Token",
        JiraAuthFailed,
        (
            f"Jira at {{site}} could not read the e-mail and API token. {_RENEW} If "
            "that does not help, ask who runs the network whether it changes the "
            "Authorization header."
        ),
    ),
)
"""What Jira says about a token that it rejects, the error, and its sentence."""


def _captcha(failed: FailedRequest) -> JiraError | None:
    if not failed.response.captcha:
        return None
    return JiraAuthFailed(
        f"Jira requires a person to log in at {failed.site} once, because too many "
        "logins failed. Log in there with a browser as the connected account, then "
        "reconnect Jira."
    )


def _unusable_token(failed: FailedRequest) -> JiraError | None:
    if failed.response.status not in (401, 403):
        return None
    for phrase, error, sentence in UNUSABLE_TOKENS:
        if failed.response.says(phrase):
            return error(sentence.format(site=failed.site))
    return None


def _rejected_credentials(failed: FailedRequest) -> JiraError | None:
    anonymous = ("not logged in", "anonymous user", "logging in first")
    if failed.response.credentials_refused or _mentions_account(failed, anonymous):
        return auth_failed(failed)
    return None


def missing_permission(failed: FailedRequest) -> JiraError | None:
    cannot_create = ("permission to create", "cannot create issues")
    if failed.response.status != 403 and not _mentions_account(failed, cannot_create):
        return None
    if not failed.is_signed_in():
        return auth_failed(failed)
    if not failed.response.json:
        return JiraPermissionDenied(
            f"Something in front of Jira at {failed.site} blocked the request. Ask a "
            "Jira administrator whether an IP allowlist or a firewall blocks "
            "KillTheNoise."
        )
    return JiraPermissionDenied(
        f"The connected Jira account may not {failed.purpose}. Ask a Jira "
        f"administrator {failed.permission}. {failed.quote}".strip()
    )


def auth_failed(failed: FailedRequest) -> JiraAuthFailed:
    return JiraAuthFailed(
        f"Jira at {failed.site} does not accept the e-mail and API token; a token "
        f"lasts a year at most. {_RENEW}"
    )


def _mentions_account(failed: FailedRequest, phrases: tuple[str, ...]) -> bool:
    """Whether Jira says this about the account and not about a field."""
    # The errors of other fields may quote what a person wrote.
    response = failed.response
    texts = [*response.messages, response.errors.get("project", "")]
    return any(phrase in text.lower() for phrase in phrases for text in texts)


LOGIN_RULES = (_captcha, _unusable_token, _rejected_credentials)

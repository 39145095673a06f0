"""Map a response of Jira that is not a success to one of our errors.

Atlassian documents the shape of error responses but not their texts. The phrases that
the rules look for come from responses recorded in public issue trackers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from integrations.jira.errors import (
    JiraAuthFailed,
    JiraBadResponse,
    JiraContentTooLong,
    JiraError,
    JiraFieldRejected,
    JiraIssueTypeInvalid,
    JiraPermissionDenied,
    JiraProjectInvalid,
    JiraRateLimited,
)
from integrations.jira.response import JiraResponse

OUR_FIELDS = {"summary": "title", "description": "description"}
TOKENS = "https://id.atlassian.com/manage-profile/security/api-tokens"
_RENEW = f"Make a new API token at {TOKENS} and reconnect Jira with it."
_REPORT = "Try again; if it happens again, tell us the request id."


@dataclass(frozen=True)
class FailedRequest:
    """What Jira was asked to do, and its response.

    `purpose` completes "The account may not …" and "Jira rejected the request to …";
    `permission` completes "Ask a Jira administrator …".

    The other values are given for the creation of a ticket. With an expired token Jira
    may blame the project, so `is_signed_in` asks whether it accepts the credentials.
    `get_field_names` reads the names of Jira's fields by their id.
    """

    response: JiraResponse
    site: str
    purpose: str
    permission: str = "for access"
    project_key: str = ""
    issue_type: str = ""
    is_signed_in: Callable[[], bool] = lambda: True
    get_field_names: Callable[[], Mapping[str, str]] = dict

    @property
    def result(self) -> str:
        """What Jira did instead."""
        if self.project_key:
            return "created no ticket"
        return f"rejected the request to {self.purpose}"


def map_error(failed: FailedRequest) -> JiraError:
    """Return the error of the first rule that recognizes the response."""
    rules = CREATION_RULES if failed.project_key else READ_RULES
    errors = (rule(failed) for rule in rules)
    error = next(filter(None, errors), None) or _unexpected_response(failed)
    error.jira_status = failed.response.status
    error.trace_id = failed.response.trace_id
    return error


def _captcha(failed: FailedRequest) -> JiraError | None:
    if not failed.response.captcha:
        return None
    return JiraAuthFailed(
        f"Jira requires a person to log in at {failed.site} once, because too many "
        "logins failed. Log in there with a browser as the connected account, then "
        "reconnect Jira."
    )


def _unusable_token(failed: FailedRequest) -> JiraError | None:
    response = failed.response
    if response.status not in (401, 403):
        return None
    if response.says("scope does not match"):
        return JiraAuthFailed(
            "The stored API token lacks scopes that Jira requires. Make one at "
            f"{TOKENS} with the scopes read:jira-work, write:jira-work and "
            "read:jira-user, and reconnect Jira with it.",
            misses_scopes=True,
        )
    if response.says("authentication with passwords"):
        return JiraAuthFailed(f"Jira accepts an API token and no password. {_RENEW}")
    if response.says("Connect Session Auth Token"):
        return JiraAuthFailed(
            f"Jira at {failed.site} could not read the e-mail and API token. {_RENEW} "
            "If that does not help, ask who runs the network whether it changes the "
            "Authorization header."
        )
    return None


def _rejected_credentials(failed: FailedRequest) -> JiraError | None:
    anonymous = ("not logged in", "anonymous user", "logging in first")
    if failed.response.credentials_refused or _mentions_account(failed, anonymous):
        return _auth_failed(failed)
    return None


def _rate_limit(failed: FailedRequest) -> JiraError | None:
    if failed.response.status != 429:
        return None
    seconds = failed.response.retry_after
    unit = "second" if seconds == 1 else "seconds"
    wait = f"{seconds} {unit}" if seconds else "a moment"
    return JiraRateLimited(
        f"Jira is receiving too many requests and {failed.result}. Try again in "
        f"{wait}.",
        retry_after=seconds,
    )


def _missing_permission(failed: FailedRequest) -> JiraError | None:
    cannot_create = ("permission to create", "cannot create issues")
    if failed.response.status != 403 and not _mentions_account(failed, cannot_create):
        return None
    if not failed.is_signed_in():
        return _auth_failed(failed)
    if not failed.response.json:
        return JiraPermissionDenied(
            f"Something in front of Jira at {failed.site} blocked the request. Ask a "
            "Jira administrator whether an IP allowlist or a firewall keeps "
            "KillTheNoise out."
        )
    return JiraPermissionDenied(
        f"The connected Jira account may not {failed.purpose}. Ask a Jira "
        f"administrator {failed.permission}. {_quote(failed)}".strip()
    )


def _too_long_description(failed: FailedRequest) -> JiraError | None:
    description = failed.response.errors.get("description", "")
    if "CONTENT_LIMIT_EXCEEDED" in _quote(failed) or "too long" in description:
        sentence = "The description is longer than Jira accepts. Shorten it."
        return JiraContentTooLong(sentence, fields={"description": [sentence]})
    return None


def _unknown_project(failed: FailedRequest) -> JiraError | None:
    response = failed.response
    not_found = response.status == 404 and response.messages
    if not not_found and "project" not in response.errors:
        return None
    if not failed.is_signed_in():
        return _auth_failed(failed)
    project = failed.project_key and f"project {failed.project_key}"
    return JiraProjectInvalid(
        f"Jira {project or failed.result + ': it'} does not exist, or the connected "
        "account cannot see it. Choose another one in the Jira integration, or ask a "
        "Jira administrator for access."
    )


def _unknown_issue_type(failed: FailedRequest) -> JiraError | None:
    if "issuetype" not in failed.response.errors:
        return None
    return JiraIssueTypeInvalid(
        f"Jira project {failed.project_key} has no issue type “{failed.issue_type}” to "
        "create. Choose another one in the Jira integration."
    )


def _rejected_fields(failed: FailedRequest) -> JiraError | None:
    errors = failed.response.errors
    if not errors:
        return None
    names = failed.get_field_names() if errors.keys() - OUR_FIELDS.keys() else {}
    names = {**names, **OUR_FIELDS}
    fields = {names.get(field, field): text for field, text in errors.items()}
    texts = [f"{name}: {text}" for name, text in fields.items()]
    reasons = _join([*failed.response.messages, *texts])
    if "appropriate screen" in reasons:
        advice = (
            "Ask a Jira administrator to put it on the create screen of "
            f"{failed.project_key}, or remove it from the integration's settings."
        )
    elif errors.keys() <= OUR_FIELDS.keys():
        advice = "Change the text, then try again."
    else:
        advice = (
            "Correct it in the settings of the Jira integration, or ask a Jira "
            "administrator."
        )
    return JiraFieldRejected(
        f"Jira rejected the ticket. {reasons} {advice}",
        fields={name: [text] for name, text in fields.items()},
    )


def _unreadable_description(failed: FailedRequest) -> JiraError | None:
    quote = _quote(failed)
    if "INVALID_INPUT" not in quote and "unsupported content" not in quote:
        return None
    sentence = (
        "Jira could not read the formatting of the description. Simplify lists, tables "
        "and links in it, then try again."
    )
    return JiraFieldRejected(sentence, fields={"description": [sentence]})


def _too_large_ticket(failed: FailedRequest) -> JiraError | None:
    if failed.response.status != 413:
        return None
    return JiraBadResponse(
        "Jira found the ticket too large (413). Shorten the description."
    )


def _rejected_read(failed: FailedRequest) -> JiraError | None:
    errors = failed.response.errors
    if not errors:
        return None
    return JiraFieldRejected(
        f"Jira {failed.result}. {_quote(failed)} {_REPORT}",
        fields={name: [text] for name, text in errors.items()},
    )


def _unexpected_response(failed: FailedRequest) -> JiraError:
    status = failed.response.status
    if failed.response.messages:  # only a Jira that knows the address sends these
        return JiraBadResponse(
            f"Jira at {failed.site} {failed.result} (status {status}). "
            f"{_quote(failed)} {_REPORT}"
        )
    return JiraBadResponse(
        f"{failed.site} responded with status {status} and no reason that we "
        "understand. Check that the address in the Jira integration is your Jira site."
    )


def _auth_failed(failed: FailedRequest) -> JiraAuthFailed:
    return JiraAuthFailed(
        f"Jira at {failed.site} does not accept the e-mail and API token; a token "
        f"lasts a year at most. {_RENEW}"
    )


def _mentions_account(failed: FailedRequest, phrases: tuple[str, ...]) -> bool:
    """Whether Jira says this of the account.

    Only these texts count: the errors of other fields may quote what a person wrote.
    """
    response = failed.response
    texts = [*response.messages, response.errors.get("project", "")]
    return any(phrase in text.lower() for phrase in phrases for text in texts)


def _quote(failed: FailedRequest) -> str:
    texts = _join([*failed.response.messages, *failed.response.errors.values()])
    return f"Jira says: {texts}" if texts else ""


def _join(texts: list[str]) -> str:
    return " ".join(text.rstrip(".") + "." for text in texts)


_ACCESS_RULES = (
    _captcha,
    _unusable_token,
    _rejected_credentials,
    _rate_limit,
    _missing_permission,
)
CREATION_RULES = (
    *_ACCESS_RULES,
    _too_long_description,
    _unknown_project,
    _unknown_issue_type,
    _rejected_fields,
    _unreadable_description,
    _too_large_ticket,
)
READ_RULES = (*_ACCESS_RULES, _unknown_project, _rejected_read)

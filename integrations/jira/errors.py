"""The errors of requests to Jira, grouped by consequence.

`NothingCreated`: Jira rejected the request. `NothingSent`: no byte of it was sent.
`MayExist`: it was sent and no usable response came, so the ticket may exist.

`str()` is a sentence that is safe to show: no token, no markup, no raw response body.
"""

from collections.abc import Mapping, Sequence

from killthenoise.errors import ServiceError


class JiraError(ServiceError):
    """A failed call to Jira.

    `jira_status` is the HTTP status of Jira's response, or None without one. `trace_id`
    is its `Atl-Traceid`, which Atlassian's support asks for. `retry_after` is in
    seconds. `fields` holds Jira's sentences by our field (title, description) or by the
    name of Jira's field.
    """

    http_status = 500

    def __init__(
        self,
        message: str,
        *,
        jira_status: int | None = None,
        trace_id: str = "",
        retry_after: int | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.jira_status = jira_status
        self.trace_id = trace_id
        if retry_after is not None:
            self.retry_after = retry_after
        self.fields = fields


class NothingCreated(JiraError):
    """Jira responded that it did not create the ticket, and will not."""


class NothingSent(JiraError):
    """The request was not sent: nothing was created, and trying again is safe."""

    retryable = True


class MayExist(JiraError):
    """The request was sent and no usable response came."""

    retryable = True
    ticket_may_exist = True


class JiraAuthFailed(NothingCreated):
    """The token is wrong, expired or revoked, or Jira requires a captcha first."""

    code = "jira_auth_failed"
    title = "Jira rejected the credentials"


class JiraScopesMissing(JiraAuthFailed):
    """Jira accepts the token, but it lacks a scope."""


class JiraPermissionDenied(NothingCreated):
    """The account is logged in and lacks a permission."""

    code = "jira_permission_denied"
    title = "Jira denied permission"


class JiraProjectInvalid(NothingCreated):
    """The configured project does not exist, or the account cannot see it."""

    code = "jira_project_invalid"
    title = "Jira project not usable"


class JiraIssueTypeInvalid(NothingCreated):
    """The configured issue type does not exist in the project."""

    code = "jira_issue_type_invalid"
    title = "Jira issue type not usable"


class JiraFieldRejected(NothingCreated):
    """Jira rejected the value of a field; `fields` says which and why."""

    code = "jira_field_rejected"
    title = "Jira rejected a field"


class JiraContentTooLong(NothingCreated):
    """The description is longer than Jira accepts."""

    code = "jira_content_too_long"
    title = "Too long for Jira"


class JiraRateLimited(NothingCreated):
    """Jira is rate limiting us. `retry_after` is set if Jira says for how long."""

    code = "jira_rate_limited"
    title = "Jira is rate limiting"
    retryable = True


class JiraBadResponse(NothingCreated):
    """An unsuccessful response whose reason we do not recognize."""

    code = "jira_bad_response"
    title = "Unexpected response from Jira"


class JiraUnreachable(NothingSent):
    """DNS, connection or TLS failed, or our deadline passed before sending."""

    code = "jira_unreachable"
    title = "Jira could not be reached"


class JiraOutcomeUnknown(MayExist):
    """Bytes were sent and no usable response came back: the ticket may exist."""

    code = "jira_outcome_unknown"
    title = "Jira did not confirm the ticket"
    retry_after = 5


class JiraTicketLost(NothingCreated):
    """The request may have been sent, but Jira has no such ticket.

    Recovery records it; the API never sends it.
    """

    code = "jira_ticket_lost"
    title = "Jira did not create the ticket"
    retryable = True


READ_ERRORS = (
    JiraAuthFailed,
    JiraPermissionDenied,
    JiraProjectInvalid,
    JiraFieldRejected,
    JiraRateLimited,
    JiraUnreachable,
    JiraBadResponse,
)
CREATION_ERRORS = (
    *READ_ERRORS,
    JiraIssueTypeInvalid,
    JiraContentTooLong,
    JiraOutcomeUnknown,
)


def error_from_code(code: str, message: str) -> JiraError:
    """Return the error that a ticket request recorded as a code and a sentence."""
    classes = {error.code: error for error in (*CREATION_ERRORS, JiraTicketLost)}
    return classes.get(code, JiraBadResponse)(message)

"""Every error that a view can raise, and the HTTP status of its answer."""

import logging
from typing import Any

from django.db import Error as AnyDatabaseError
from rest_framework.response import Response

from integrations import errors as integrations
from integrations.jira import errors as jira
from issues import errors as issues
from killthenoise.api.envelope import ErrorAnswer
from killthenoise.api.errors import ServiceError, framework_answer

logger = logging.getLogger(__name__)

HTTP_STATUS: dict[type[ServiceError | jira.JiraError], int] = {
    issues.GroupNotFound: 404,
    issues.TicketInProgress: 409,
    issues.TicketExists: 409,
    issues.IdempotencyKeyReused: 409,
    issues.TicketNotRecorded: 500,
    issues.TicketNotInJira: 400,
    issues.TicketNotLinked: 404,
    integrations.IntegrationNotFound: 404,
    integrations.IntegrationRefused: 400,
    integrations.IntegrationDisconnected: 400,
    integrations.NoActiveIntegration: 400,
    integrations.NoProjectChosen: 400,
    integrations.IntegrationPaused: 400,
    integrations.SecretUnreadable: 500,
    jira.JiraAuthFailed: 500,
    jira.JiraPermissionDenied: 500,
    jira.JiraProjectInvalid: 500,
    jira.JiraIssueTypeInvalid: 500,
    jira.JiraFieldRejected: 500,
    jira.JiraContentTooLong: 500,
    jira.JiraRateLimited: 500,
    jira.JiraBadResponse: 500,
    jira.JiraUnreachable: 500,
    jira.JiraOutcomeUnknown: 500,
    jira.JiraTicketLost: 500,
}

DATABASE_DOWN = ErrorAnswer(
    status=500,
    title="Database error",
    message="Our database did not answer. Send the same request again in a moment, "
    "which is safe.",
    code="database_error",
    retryable=True,
)
BUG = ErrorAnswer(
    status=500,
    title="Internal error",
    message="Something broke on our side. Try the same request again, which is safe; "
    "if it fails again, tell us the request id.",
    code="internal_error",
    retryable=True,
)


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """Answer any exception of a view in the envelope; DRF calls this."""
    if isinstance(exc, ServiceError | jira.JiraError):
        return _service_answer(exc).response()
    if answer := framework_answer(exc):
        return answer.response()
    logger.error("unhandled %s", type(exc).__name__, exc_info=exc)
    return (DATABASE_DOWN if isinstance(exc, AnyDatabaseError) else BUG).response()


def _service_answer(exc: ServiceError | jira.JiraError) -> ErrorAnswer:
    return ErrorAnswer(
        status=HTTP_STATUS[type(exc)],
        title=exc.title,
        message=str(exc),
        code=exc.code,
        retryable=exc.retryable,
        retry_after=exc.retry_after,
        fields=exc.fields,
        ticket_may_exist=exc.ticket_may_exist,
        data=getattr(exc, "data", None),
    )

"""The rule for a 429."""

from integrations.jira.error_mapping.failed_request import FailedRequest
from integrations.jira.errors import JiraRateLimited


def rate_limit(failed: FailedRequest) -> JiraRateLimited | None:
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

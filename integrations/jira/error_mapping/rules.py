"""Maps an unsuccessful response of Jira to one of our errors.

Atlassian documents the shape of error responses but not their texts. We ask for
English, and the phrases that the rules look for come from responses recorded in public
issue trackers. A site may still respond in another language, so a rule uses the status
and the keys of `errors` where they are enough.
"""

import re

from integrations.jira.error_mapping.account import LOGIN_RULES, missing_permission
from integrations.jira.error_mapping.creation import CREATION_RULES
from integrations.jira.error_mapping.failed_request import FailedRequest
from integrations.jira.error_mapping.project import project_invalid, unknown_project
from integrations.jira.error_mapping.rate_limit import rate_limit
from integrations.jira.errors import (
    JiraBadResponse,
    JiraError,
    JiraFieldRejected,
    JiraProjectInvalid,
)
from integrations.jira.web_page import redirect_error

_REPORT = "Please tell us the request id."


def map_error(failed: FailedRequest) -> JiraError:
    """Return the error of the first rule that recognizes the response."""
    rules = CREATION_RULES if failed.project_key else READ_RULES
    all_rules = (*LOGIN_RULES, rate_limit, missing_permission, *rules)
    errors = (rule(failed) for rule in all_rules)
    error = next(filter(None, errors), None) or _unexpected_response(failed)
    error.jira_status = failed.response.status
    error.trace_id = failed.response.trace_id
    return error


def _unknown_searched_project(failed: FailedRequest) -> JiraProjectInvalid | None:
    """Recognize, in any language, that a search names a project that does not exist.

    Nothing else in our queries can be wrong, and Jira repeats the project's key.
    """
    if failed.response.status != 400:
        return None
    for project in failed.searched_projects:
        named = re.compile(rf"(?<!\w){re.escape(project)}(?![\w-])", re.IGNORECASE)
        if any(named.search(text) for text in failed.response.messages):
            return project_invalid(f"project {project}")
    return None


def _rejected_read(failed: FailedRequest) -> JiraFieldRejected | None:
    errors = failed.response.errors
    if not errors:
        return None
    return JiraFieldRejected(
        f"Jira {failed.result}. {failed.quote} {_REPORT}",
        fields={name: [text] for name, text in errors.items()},
    )


def _unexpected_response(failed: FailedRequest) -> JiraBadResponse:
    response = failed.response
    quote = failed.quote
    if not quote and response.status in (400, 422) and response.other_reason:
        quote = f"Jira says: {response.other_reason.rstrip('.')}."
    if quote:  # only Jira itself gives a reason
        return JiraBadResponse(
            f"Jira at {failed.site} {failed.result} (status {response.status}). "
            f"{quote} {_REPORT}"
        )
    if 300 <= response.status < 400:
        return redirect_error(response, failed.site)
    return JiraBadResponse(
        f"{failed.site} responded with status {response.status} and without a known "
        "reason. Check that the address in the Jira integration is your Jira site."
    )


READ_RULES = (_unknown_searched_project, unknown_project, _rejected_read)

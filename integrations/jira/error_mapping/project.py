"""The rule for a project that does not exist, used for reads and for new tickets."""

from integrations.jira.error_mapping.account import auth_failed
from integrations.jira.error_mapping.failed_request import FailedRequest
from integrations.jira.errors import JiraError, JiraProjectInvalid


def unknown_project(failed: FailedRequest) -> JiraError | None:
    response = failed.response
    not_found = response.status == 404 and response.messages
    # With a parent, `pid` says that the parent is in another project.
    keys = {"project"} if failed.parent else {"project", "pid"}
    if not not_found and not keys & response.errors.keys():
        return None
    if not failed.is_signed_in():
        return auth_failed(failed)
    project = failed.project_key and f"project {failed.project_key}"
    return project_invalid(project or failed.result + ": it")


def project_invalid(subject: str) -> JiraProjectInvalid:
    return JiraProjectInvalid(
        f"Jira {subject} does not exist, or the connected account cannot see it. "
        "Choose another one in the Jira integration, or ask a Jira administrator for "
        "access."
    )

"""Why Jira did not create a ticket: its answer as one of our errors.

Sources of the sentences looked for: the answers recorded in public trackers, since
Atlassian documents the shape of errors and not their texts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from integrations.jira.answers import Answer
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

OUR_FIELDS = {"summary": "title", "description": "description"}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An answer that is no success, and what was asked for.

    `signed_in` asks Jira whether it knows us: with an expired token it blames the
    project instead.
    """

    answer: Answer
    site: str
    project_key: str = ""
    issue_type: str = ""
    signed_in: Callable[[], bool] = lambda: True

    def as_error(self) -> JiraError:
        """Return the error to raise."""
        return (
            self._of_credentials()
            or self._of_rights()
            or self._of_content()
            or self._of_place()
            or self._of_fields()
            or self._error(
                JiraBadResponse,
                f"{self.site} answered with status {self.answer.status} and no reason "
                "that we understand, so no ticket was created. Check that the address "
                f"is your Jira site. {self._said}".strip(),
            )
        )

    def _of_credentials(self) -> JiraError | None:
        if self.answer.captcha:
            return self._error(
                JiraAuthFailed,
                f"Jira wants a person to log in at {self.site} once, because too many "
                "logins failed. Log in there with a browser, then reconnect Jira.",
            )
        if self.answer.credentials_refused:
            return self._expired()
        return None

    def _expired(self) -> JiraError:
        return self._error(
            JiraAuthFailed,
            f"Jira at {self.site} no longer accepts the stored e-mail and API token. "
            "Make a new token at https://id.atlassian.com/manage-profile/security/"
            "api-tokens and reconnect Jira, then try again.",
        )

    def _of_rights(self) -> JiraError | None:
        if self.answer.status == 429:
            return self._error(
                JiraRateLimited,
                "Jira is receiving too many requests and created no ticket. Try again "
                "in a moment.",
                retry_after=self.answer.retry_after,
            )
        if self.answer.status == 403 or "permission to create" in self._said.lower():
            return self._error(
                JiraPermissionDenied,
                f"The connected Jira account may not create tickets in project "
                f"{self.project_key}. Ask a Jira administrator for the permission "
                f"Create issues. {self._said}".strip(),
            )
        return None

    def _of_content(self) -> JiraError | None:
        description = self.answer.errors.get("description", "")
        if "CONTENT_LIMIT_EXCEEDED" in self._said or "too long" in description:
            sentence = "The description is longer than Jira takes. Shorten it."
            return self._error(
                JiraContentTooLong, sentence, fields={"description": [sentence]}
            )
        return None

    def _of_place(self) -> JiraError | None:
        errors = self.answer.errors
        if "project" in errors or (self.answer.status == 404 and self.answer.messages):
            if not self.signed_in():
                return self._expired()
            return self._error(
                JiraProjectInvalid,
                f"Jira project {self.project_key} does not exist, or the connected "
                "account cannot see it. Choose another one in the Jira integration.",
            )
        if "issuetype" in errors:
            return self._error(
                JiraIssueTypeInvalid,
                f"Jira project {self.project_key} has no issue type "
                f"“{self.issue_type}”. Choose another one in the Jira integration.",
            )
        return None

    def _of_fields(self) -> JiraError | None:
        errors = self.answer.errors
        if not errors and "INVALID_INPUT" not in self._said:
            return None
        return self._error(
            JiraFieldRejected,
            f"Jira rejected the ticket: {self._said}",
            fields={
                OUR_FIELDS.get(name, name): [said] for name, said in errors.items()
            },
        )

    @property
    def _said(self) -> str:
        said = [*self.answer.messages, *self.answer.errors.values()]
        return " ".join(text.rstrip(".") + "." for text in said)

    def _error(self, kind: type[JiraError], message: str, **details: Any) -> JiraError:
        return kind(
            message,
            jira_status=self.answer.status,
            trace_id=self.answer.trace_id,
            **details,
        )

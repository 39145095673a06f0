"""Why Jira did not create a ticket: its response as one of our errors.

Sources of the sentences looked for: the answers recorded in public trackers, since
Atlassian documents the shape of errors and not their texts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
_UNREADABLE = ("INVALID_INPUT", "unsupported content")
_NO_ISSUE_CREATION = ("permission to create", "cannot create issues")
_ANONYMOUS = ("not logged in", "anonymous user", "logging in first")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An response that is no success, and what was asked for: a ticket in a project.

    Without `project_key` something was to be read.
    `signed_in` asks Jira whether it knows us: with an expired token it blames the
    project instead. `field_names` asks for the names of the fields by their id.
    """

    response: JiraResponse
    site: str
    project_key: str = ""
    issue_type: str = ""
    signed_in: Callable[[], bool] = lambda: True
    field_names: Callable[[], Mapping[str, str]] = dict

    def as_error(self) -> JiraError:
        """Return the error to raise."""
        return (
            self._of_credentials()
            or self._of_rate()
            or self._of_rights()
            or self._of_content()
            or self._of_place()
            or self._of_fields()
            or self._of_surprise()
        )

    def _of_credentials(self) -> JiraError | None:
        if self.response.captcha:
            return self._error(
                JiraAuthFailed,
                f"Jira wants a person to log in at {self.site} once, because too many "
                "logins failed. Log in there with a browser as the connected account, "
                "then reconnect Jira.",
            )
        if self.response.status in (401, 403) and (error := self._of_token()):
            return error
        if self.response.credentials_refused or self._says_of_us(_ANONYMOUS):
            return self._expired()
        return None

    def _of_token(self) -> JiraError | None:
        if self.response.says("scope does not match"):
            return self._error(
                JiraAuthFailed,
                f"The stored API token lacks scopes that Jira asks for. Make one at "
                f"{TOKENS} with the scopes read:jira-work, write:jira-work and "
                "read:jira-user, and reconnect Jira with it.",
                misses_scopes=True,
            )
        if self.response.says("authentication with passwords"):
            return self._error(
                JiraAuthFailed, f"Jira takes an API token and no password. {_RENEW}"
            )
        if self.response.says("Connect Session Auth Token"):
            return self._error(
                JiraAuthFailed,
                f"Jira at {self.site} did not read the e-mail and API token as "
                f"such. {_RENEW} If that does not help, ask who runs the network "
                "whether it changes the Authorization header.",
            )
        return None

    def _expired(self) -> JiraError:
        return self._error(
            JiraAuthFailed,
            f"Jira at {self.site} does not accept the e-mail and API token; a "
            f"token lasts a year at most. {_RENEW}",
        )

    def _of_rate(self) -> JiraError | None:
        if self.response.status != 429:
            return None
        return self._error(
            JiraRateLimited,
            "Jira is receiving too many requests and created no ticket. Try again in a "
            "moment.",
            retry_after=self.response.retry_after,
        )

    def _of_rights(self) -> JiraError | None:
        if self.response.status != 403 and not self._says_of_us(_NO_ISSUE_CREATION):
            return None
        if not self.signed_in():
            return self._expired()
        if not self.response.json:
            return self._error(
                JiraPermissionDenied,
                f"The request was turned away in front of Jira at {self.site}, before "
                "it saw the ticket. Ask a Jira administrator whether an IP allowlist "
                "or a firewall keeps KillTheNoise out.",
            )
        if not self.project_key:
            return self._error(
                JiraPermissionDenied,
                "The connected Jira account may not see what was asked for. Ask a Jira "
                f"administrator for access. {self._quote}".strip(),
            )
        return self._error(
            JiraPermissionDenied,
            f"The connected Jira account may not create tickets in project "
            f"{self.project_key}. Ask a Jira administrator to give it the permission "
            f"Create issues there. {self._quote}".strip(),
        )

    def _of_content(self) -> JiraError | None:
        description = self.response.errors.get("description", "")
        if "CONTENT_LIMIT_EXCEEDED" in self._said or "too long" in description:
            sentence = "The description is longer than Jira takes. Shorten it."
            return self._error(
                JiraContentTooLong, sentence, fields={"description": [sentence]}
            )
        return None

    def _of_place(self) -> JiraError | None:
        errors = self.response.errors
        if "project" in errors or (
            self.response.status == 404 and self.response.messages
        ):
            if not self.signed_in():
                return self._expired()
            project = self.project_key and f"Jira project {self.project_key}"
            return self._error(
                JiraProjectInvalid,
                f"{project or 'What was asked of Jira'} does not exist, or the "
                "connected account cannot see it. Choose another one in the Jira "
                "integration, or ask a Jira administrator for access.",
            )
        if "issuetype" in errors:
            return self._error(
                JiraIssueTypeInvalid,
                f"Jira project {self.project_key} has no issue type "
                f"“{self.issue_type}” to create. Choose another one in the Jira "
                "integration.",
            )
        return None

    def _of_fields(self) -> JiraError | None:
        if errors := self.response.errors:
            fields = self._our_names(errors)
            said = [f"{name}: {_ended(text)}" for name, text in fields.items()]
            words = [*map(_ended, self.response.messages), *said, self._advice]
            return self._error(
                JiraFieldRejected,
                f"Jira rejected the ticket. {' '.join(words)}",
                fields={name: [text] for name, text in fields.items()},
            )
        if any(words in self._said for words in _UNREADABLE):
            sentence = (
                "Jira could not take the description as it is formatted. Simplify "
                "lists, tables and links in it, then try again."
            )
            return self._error(
                JiraFieldRejected, sentence, fields={"description": [sentence]}
            )
        return None

    def _our_names(self, errors: Mapping[str, str]) -> dict[str, str]:
        """Return the sentences by our fields, others by their display name."""
        foreign = errors.keys() - OUR_FIELDS.keys()
        names = {**(self.field_names() if foreign else {}), **OUR_FIELDS}
        return {names.get(field, field): text for field, text in errors.items()}

    @property
    def _advice(self) -> str:
        if "appropriate screen" in self._said:
            return (
                f"Ask a Jira administrator to put it on the create screen of "
                f"{self.project_key}, or take it out of the integration's settings."
            )
        if self.response.errors.keys() <= OUR_FIELDS.keys():
            return "Change the text, then try again."
        return (
            "Correct it in the settings of the Jira integration, or ask a Jira "
            "administrator."
        )

    def _of_surprise(self) -> JiraError:
        if self.response.messages:  # so it is a Jira, and it understood the address
            return self._error(
                JiraBadResponse,
                f"Jira at {self.site} did not take the request (status "
                f"{self.response.status}). {self._quote} Try "
                "again; if it happens again, tell us the request id.",
            )
        return self._error(
            JiraBadResponse,
            f"{self.site} answered with status {self.response.status} and no reason "
            "that we understand. Check that the address in the Jira integration is "
            "your Jira site.",
        )

    def _says_of_us(self, words: tuple[str, ...]) -> bool:
        """Whether Jira speaks of the account; what it says of other fields may quote
        anything that a person wrote.
        """
        said = [*self.response.messages, self.response.errors.get("project", "")]
        return any(word in text.lower() for word in words for text in said)

    @property
    def _said(self) -> str:
        return " ".join(
            _ended(text)
            for text in [*self.response.messages, *self.response.errors.values()]
        )

    @property
    def _quote(self) -> str:
        return f"Jira says: {self._said}" if self._said else ""

    def _error(self, kind: type[JiraError], message: str, **details: Any) -> JiraError:
        return kind(
            message,
            jira_status=self.response.status,
            trace_id=self.response.trace_id,
            **details,
        )


def _ended(text: str) -> str:
    return text.rstrip(".") + "."

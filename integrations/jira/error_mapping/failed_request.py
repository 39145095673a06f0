"""A request that Jira rejected, as input for the rules that map it to an error."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from integrations.jira.response import JiraResponse


@dataclass(frozen=True, kw_only=True)
class FailedRequest:
    """What Jira was asked to do, and its response.

    `purpose` completes "The account may not …" and "Jira rejected the request to …";
    `permission` completes "Ask a Jira administrator …". `searched_projects` holds the
    project keys of a search. The other values are set when a ticket is created. With an
    expired token Jira may report a problem with the project, so `is_signed_in` checks
    whether it accepts the credentials. `get_field_names` reads the names of the create
    screen's fields by id; it returns none if they cannot be read. `parent` is the
    parent in the settings.
    """

    response: JiraResponse
    site: str
    purpose: str
    permission: str = "for access"
    searched_projects: Sequence[str] = ()
    project_key: str = ""
    issue_type: str = ""
    parent: str = ""
    is_signed_in: Callable[[], bool] = lambda: True
    get_field_names: Callable[[], Mapping[str, str]] = dict

    @property
    def result(self) -> str:
        """What Jira did instead."""
        if self.project_key:
            return "created no ticket"
        return f"rejected the request to {self.purpose}"

    @property
    def quote(self) -> str:
        """What Jira says, as sentences; "" if it says nothing."""
        response = self.response
        texts = join_sentences([*response.messages, *response.errors.values()])
        return f"Jira says: {texts}" if texts else ""


def join_sentences(texts: Sequence[str]) -> str:
    """Return the different texts as sentences."""
    return " ".join(text.rstrip(".") + "." for text in dict.fromkeys(texts))

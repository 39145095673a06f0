"""A request that Jira did not fulfil, as the rules that map it to an error see it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from integrations.jira.response import JiraResponse


@dataclass(frozen=True, kw_only=True)
class FailedRequest:
    """What Jira was asked to do, and its response.

    `purpose` completes "The account may not …" and "Jira rejected the request to …";
    `permission` completes "Ask a Jira administrator …". `searched_projects` has the
    keys of the projects that a search asks for.

    The other values are given for the creation of a ticket. With an expired token Jira
    may blame the project, so `is_signed_in` asks whether it accepts the credentials.
    `get_field_names` reads the names of the create screen's fields by their id; it
    returns none if they cannot be read. `parent` is the parent in the settings.
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

"""The rules for responses that reject a new ticket because of what it contains."""

import re
from collections.abc import Collection, Mapping, Sequence

from integrations.jira.error_mapping.account import auth_failed
from integrations.jira.error_mapping.failed_request import FailedRequest, join_sentences
from integrations.jira.error_mapping.project import unknown_project
from integrations.jira.errors import (
    JiraContentTooLong,
    JiraError,
    JiraFieldRejected,
    JiraIssueTypeInvalid,
)

OUR_FIELDS = {"summary": "title", "description": "description"}
PARENT_FIELDS = {"parent", "parentId", "pid"}
"""The keys with which Jira blames the parent; `pid` is the project of both tickets."""
MAX_NAMED = 20
"""Issue types or fields that a sentence names."""
NOT_ON_SCREEN = "appropriate screen"
MALFORMED = ("payload", "parsing json", "jql", "page token")
"""Words that Jira uses when the form of a request is wrong, not its content."""


def _too_long_description(failed: FailedRequest) -> JiraContentTooLong | None:
    if failed.response.status == 413:
        sentence = "Jira found the ticket too large (413). Shorten the description."
    elif _says_too_long(failed):
        sentence = "The description is longer than Jira accepts. Shorten it."
    else:
        return None
    return JiraContentTooLong(sentence, fields={"description": [sentence]})


def _says_too_long(failed: FailedRequest) -> bool:
    """Whether Jira says that a text is too long, by code, words or limit."""
    text = failed.response.errors.get("description", "")
    states_limit = "32767" in re.sub(r"\W", "", text)
    coded = "CONTENT_LIMIT_EXCEEDED" in failed.quote
    return coded or "too long" in text or states_limit


def _unusable_parent(failed: FailedRequest) -> JiraFieldRejected | None:
    errors = failed.response.errors
    named = PARENT_FIELDS & errors.keys()
    if not named and "parent" not in errors.get("issuetype", ""):
        return None
    if errors.keys() - PARENT_FIELDS - {"issuetype"}:
        return None
    return parent_rejected(failed.issue_type, failed.parent, failed.quote)


def parent_rejected(issue_type: str, parent: str, quote: str = "") -> JiraFieldRejected:
    """Return the error for the parent in the settings, or for a missing one."""
    if parent:
        sentence = (
            f"Jira rejected {parent} as the parent of the ticket. {quote} Choose "
            "another parent in the settings of the Jira integration."
        )
    else:
        sentence = (
            f"Jira requires a parent for the issue type “{issue_type}”, and the "
            f"settings of the Jira integration name none. {quote} Give its key there, "
            'for example {"fields": {"parent": "SCRUM-7"}}, or choose another issue '
            "type."
        )
    sentence = " ".join(sentence.split())
    return JiraFieldRejected(sentence, fields={"Parent": [sentence]})


def _unknown_issue_type(failed: FailedRequest) -> JiraIssueTypeInvalid | None:
    if "issuetype" not in failed.response.errors:
        return None
    return issue_type_invalid(failed.project_key, failed.issue_type)


def issue_type_invalid(
    project_key: str, issue_type: str, choice: Sequence[str] = ()
) -> JiraIssueTypeInvalid:
    """Return the error for an issue type; `choice` names the existing ones."""
    named = ", ".join(choice[:MAX_NAMED])
    advice = f"Choose one of {named}" if choice else "Choose another one"
    return JiraIssueTypeInvalid(
        f"Jira project {project_key} has no issue type “{issue_type}” to create. "
        f"{advice} in the Jira integration."
    )


def _rejected_fields(failed: FailedRequest) -> JiraFieldRejected | None:
    errors = failed.response.errors
    if not errors:
        return None
    on_screen = failed.get_field_names() if errors.keys() != {"summary"} else {}
    names = {**on_screen, **OUR_FIELDS}
    fields = {names.get(field, field): text for field, text in errors.items()}
    texts = [f"{name}: {text}" for name, text in fields.items()]
    reasons = join_sentences([*failed.response.messages, *texts])
    advice = _advise(errors, _find_hidden(errors, on_screen), failed.project_key)
    return JiraFieldRejected(
        f"Jira rejected the ticket. {reasons} {advice}",
        fields={name: [text] for name, text in fields.items()},
    )


def _find_hidden(errors: Mapping[str, str], on_screen: Collection[str]) -> set[str]:
    """Return the fields that are not on the create screen, in any language of Jira."""
    return {
        field
        for field, text in errors.items()
        if NOT_ON_SCREEN in text
        or (on_screen and field not in on_screen and field not in PARENT_FIELDS)
    }


def _advise(errors: Mapping[str, str], hidden: set[str], project_key: str) -> str:
    others = errors.keys() - hidden
    advice = _advise_on_hidden(hidden, project_key) if hidden else ""
    if others and others <= OUR_FIELDS.keys():
        advice += " Change the text, then press Create again."
    elif others:
        advice += (
            " Correct it in the settings of the Jira integration, or ask a Jira "
            "administrator."
        )
    return advice.strip()


def _advise_on_hidden(hidden: set[str], project_key: str) -> str:
    ways = [f"Ask a Jira administrator to put it on the create screen of {project_key}"]
    if hidden - OUR_FIELDS.keys():
        ways.append("remove it from the integration's settings")
    if "description" in hidden:
        ways.append('set "description": false in the integration\'s settings')
    return ", or ".join(ways) + "."


def _unreadable_description(failed: FailedRequest) -> JiraFieldRejected | None:
    quote = failed.quote
    if "INVALID_INPUT" not in quote and "unsupported content" not in quote:
        return None
    sentence = (
        "Jira could not read the formatting of the description. Simplify lists, tables "
        "and links in it, then press Create again."
    )
    return JiraFieldRejected(sentence, fields={"description": [sentence]})


def _rejected_content(failed: FailedRequest) -> JiraError | None:
    """Recognize, in any language, a rejection that names no field."""
    response = failed.response
    if response.status not in (400, 422) or not response.messages:
        return None
    if any(words in failed.quote.lower() for words in MALFORMED):
        return None
    if not failed.is_signed_in():
        return auth_failed(failed)
    return JiraFieldRejected(
        f"Jira rejected the ticket and does not name the field. {failed.quote} Change "
        "the title or the description, or ask a Jira administrator what project "
        f"{failed.project_key} requires."
    )


CREATION_RULES = (
    _too_long_description,
    unknown_project,
    _unusable_parent,
    _unknown_issue_type,
    _rejected_fields,
    _unreadable_description,
    _rejected_content,
)

"""The base class of every expected error, for Django code and for the Jira client.

This module imports neither Django nor an app. `killthenoise.api.errors` turns errors
into HTTP responses.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class ServiceError(Exception):
    """A service rejected a request or could not complete it.

    `str()` is a sentence for a person: what happened and what to do. It is safe to
    show: no token, no markup. The other attributes are the keys of the API's error
    response: `code` is a stable slug, `retry_after` is in whole seconds, `fields` has
    the sentences by input field, and `data` names a ticket that exists. An error with a
    constant sentence sets `default_message`.
    """

    code: str
    title: ClassVar[str]
    http_status: int
    retryable: bool = False
    retry_after: int | None = None
    fields: Mapping[str, Sequence[str]] | None = None
    ticket_may_exist: ClassVar[bool] = False
    data: Any = None
    default_message: ClassVar[str] = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.default_message)

"""The table of errors is whole."""

from collections.abc import Iterator

import pytest

from integrations.jira.errors import JiraError
from killthenoise.api.errors import ServiceError
from killthenoise.errors import HTTP_STATUS


def leaves(kind: type[Exception]) -> Iterator[type[Exception]]:
    """Walk to the classes that nothing inherits from: those that are raised."""
    if not kind.__subclasses__():
        yield kind
    for child in kind.__subclasses__():
        yield from leaves(child)


RAISED = [*leaves(ServiceError), *leaves(JiraError)]


@pytest.mark.parametrize("kind", RAISED)
def test_every_error_has_a_status_a_code_and_a_title(kind: type[JiraError]) -> None:
    assert kind in HTTP_STATUS
    assert kind.code
    assert kind.title


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in HTTP_STATUS]

    assert len(set(codes)) == len(codes)

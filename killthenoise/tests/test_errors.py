"""Each error class has what a response needs."""

from collections.abc import Iterator

import pytest

from integrations.errors import IntegrationRefused
from killthenoise.errors import ServiceError


def leaves(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    """Yield the classes without subclasses, which are those that are raised."""
    if not kind.__subclasses__():
        yield kind
    for child in kind.__subclasses__():
        yield from leaves(child)


RAISED = list(leaves(ServiceError))


@pytest.mark.parametrize("kind", RAISED)
def test_every_error_has_a_status_a_code_and_a_title(kind: type[ServiceError]) -> None:
    assert kind.http_status
    assert kind.code
    assert kind.title


def test_codes_are_unique() -> None:
    # A refusal has the code of the error that caused it.
    codes = [kind.code for kind in RAISED if not issubclass(kind, IntegrationRefused)]

    assert len(set(codes)) == len(codes)

"""Keeps secrets out of error reports."""

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import clear_frames


class Secret(str):
    """A string whose repr hides its value.

    Error reports show the variables of every frame by their repr, alone or inside
    other objects.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@contextmanager
def clear_frames_on_error() -> Iterator[None]:
    """Clear the local variables of all frames below if the block raises.

    The frames of HTTP libraries hold the request as it was sent, with credentials.
    """
    try:
        yield
    except BaseException as exc:
        raised: BaseException | None = exc
        while raised:
            clear_frames(raised.__traceback__)
            raised = raised.__cause__ or raised.__context__
        raise

"""A secret on its way through the code, and through reports of errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import clear_frames


class Secret(str):
    """Text whose repr is not the text.

    Reports of errors show the variables of every frame by their repr, alone or inside
    of others. To use it, use it as the text that it is.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@contextmanager
def forgetting_variables() -> Iterator[None]:
    """Clear the variables of all frames below, if anything is raised inside.

    Those of the HTTP libraries hold the request as it goes over the wire.
    """
    try:
        yield
    except BaseException as exc:
        raised: BaseException | None = exc
        while raised:
            clear_frames(raised.__traceback__)
            raised = raised.__cause__ or raised.__context__
        raise

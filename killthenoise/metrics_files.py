"""The files in which the processes of one server keep their metrics."""

import os
import tempfile


def use_files() -> str:
    """Let prometheus_client keep metrics in files, unless the variable says where.

    Call this before it is imported. Returns the folder if it was made here, else "".
    """
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        return ""
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(
        prefix="metrics-"
    )
    return folder


def forget(pid: int) -> None:
    """Forget what only a living process has, such as its open requests."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]

"""The files in which the processes of one server keep their metrics."""

import os
import tempfile


def use_files() -> str:
    """Let prometheus_client keep metrics in files, unless the variable is already set.

    Call this before importing it. Returns the folder if this created it, or else "".
    """
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        return ""
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(
        prefix="metrics-"
    )
    return folder


def forget(pid: int) -> None:
    """Remove the metrics of an exited process that count only while it lives."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]

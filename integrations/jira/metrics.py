"""How long Jira takes, for Prometheus."""

from prometheus_client import Histogram

OF_ISSUES = {"bulkfetch", "comment", "createmeta", "remotelink", "transitions"}
"""Resources under `issue`, which is otherwise a ticket that is created or read."""
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)

_requests = Histogram(
    "killthenoise_jira_request_seconds",
    "Seconds of a request to Jira. The status is 0xx if no response came.",
    ["method", "resource", "status"],
    buckets=SECONDS,
)


def observe(method: str, path: str, status: int, seconds: float) -> None:
    """Count a request.

    `path` includes the API's root, such as `/rest/api/3`; the resource is what follows
    it, such as `issue`. Only the first digit of the status is kept, so the number of
    metrics stays small.
    """
    resource, *more = path.partition("?")[0].split("/")[4:] or ["other"]
    if resource == "issue":
        resource = next((name for name in more if name in OF_ISSUES), resource)
    _requests.labels(method, resource, f"{status // 100}xx").observe(seconds)

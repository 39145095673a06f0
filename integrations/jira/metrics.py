"""How long Jira takes, for Prometheus."""

from prometheus_client import Histogram

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)

_requests = Histogram(
    "killthenoise_jira_request_seconds",
    "Seconds of a request to Jira. The status is 0xx if no response came.",
    ["method", "resource", "status"],
    buckets=SECONDS,
)


def observe(method: str, path: str, status: int, seconds: float) -> None:
    """Count a request.

    Its resource is what follows `/rest/api/3/`, such as `issue`. Only the first digit
    of the status is kept, so the number of metrics stays small.
    """
    parts = path.partition("?")[0].split("/")
    resource = parts[4] if len(parts) > 4 else "other"
    _requests.labels(method, resource, f"{status // 100}xx").observe(seconds)

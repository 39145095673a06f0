"""The webhooks that the sandbox sends, like Jira's webhooks of administrators.

https://developer.atlassian.com/cloud/jira/platform/webhooks/
"""

import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from queue import Queue
from typing import Any

TIMEOUT_S = 10
MAX_DELIVERIES = 100


@dataclass(frozen=True)
class Webhook:
    """Where to send events; the secret signs each body."""

    url: str
    secret: str = ""


@dataclass(frozen=True)
class Delivery:
    """An event that was sent. `status` is None if no response came."""

    url: str
    event: str
    key: str
    status: int | None


class Webhooks:
    """Sends events in a thread of its own, one after the other, each once."""

    def __init__(self) -> None:
        self.registered: list[Webhook] = []
        self.deliveries: deque[Delivery] = deque(maxlen=MAX_DELIVERIES)
        self._queue: Queue[tuple[Webhook, dict[str, Any]]] = Queue()
        self._thread: threading.Thread | None = None

    def reset(self) -> None:
        """Forget all webhooks and deliveries."""
        self.registered.clear()
        self.deliveries.clear()

    def as_json(self) -> dict[str, Any]:
        """Return the webhooks and the latest deliveries, without the secrets."""
        urls = [webhook.url for webhook in self.registered]
        deliveries = [asdict(delivery) for delivery in self.deliveries]
        return {"webhooks": urls, "deliveries": deliveries}

    def send(
        self, event: str, issue: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> None:
        """Send an event about an issue; `changes` are the new values by field."""
        items = [{"field": name, "toString": str(to)} for name, to in changes.items()]
        body = {
            "timestamp": int(time.time() * 1000),
            "webhookEvent": event,
            "issue": issue,
            "changelog": {"items": items},
        }
        for webhook in self.registered:
            self._queue.put((webhook, body))
        if self.registered and self._thread is None:
            self._thread = threading.Thread(target=self._deliver_all, daemon=True)
            self._thread.name = "jira-sandbox"
            self._thread.start()

    def wait(self) -> None:
        """Wait until everything is delivered."""
        self._queue.join()

    def _deliver_all(self) -> None:
        while True:
            webhook, body = self._queue.get()
            status = _post(webhook, json.dumps(body).encode())
            event, key = body["webhookEvent"], body["issue"]["key"]
            self.deliveries.append(Delivery(webhook.url, event, key, status))
            self._queue.task_done()


def sign(secret: str, body: bytes) -> str:
    """Return the value of the header X-Hub-Signature."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def _post(webhook: Webhook, body: bytes) -> int | None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if webhook.secret:
        headers["X-Hub-Signature"] = sign(webhook.secret, body)
    request = urllib.request.Request(webhook.url, body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 # nosec B310
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None

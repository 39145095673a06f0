"""Sends one delivery over HTTP, if the network guard allows it."""

import json
from datetime import UTC, datetime
from functools import cache
from time import monotonic
from typing import NamedTuple

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

from integrations.errors import SecretUnreadable
from integrations.jira.errors import JiraUnreachable
from integrations.jira.http import USER_AGENT
from integrations.jira.network_guard import Network
from integrations.jira.secret import Secret
from integrations.jira.session import OutgoingRequest, make_session, track
from integrations.outgoing_webhooks.models import WebhookDelivery, WebhookEndpoint
from integrations.outgoing_webhooks.signing import HEADER, sign
from killthenoise.api.connection_pool import release_connection

SEND_S = 10
"""Seconds for one request, from the resolution of the name to the response."""
THREADS = 16
"""The largest number of endpoints that are served at the same time."""
MAX_RESPONSE_BYTES = 4096
"""Bytes of a response that are read and discarded, so the connection can be reused."""

NOT_PUBLIC = (
    "The address is not a public internet address with https, so nothing was sent."
)
UNREADABLE = "The secret cannot be decrypted, so nothing was sent. Make a new one."


class Outcome(NamedTuple):
    """The status of the response, and the problem, or "" if it was accepted."""

    status: int | None
    problem: str


def send(endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> Outcome:
    """Send the delivery. Any 2xx accepts it; a redirect is not followed."""
    body = build_body(endpoint, delivery)
    try:
        secret = endpoint.secret
    except SecretUnreadable:
        return Outcome(None, UNREADABLE)
    release_connection()
    try:
        status = _post(endpoint.url, body, _make_headers(delivery, secret, body))
    except JiraUnreachable:
        return Outcome(None, NOT_PUBLIC)
    except (TimeoutError, requests.Timeout):
        return Outcome(None, f"The endpoint did not respond within {SEND_S} seconds.")
    except (requests.RequestException, HTTPError, OSError, ValueError) as exc:
        return Outcome(None, f"The request failed ({type(exc).__name__}).")
    if 200 <= status < 300:
        return Outcome(status, "")
    redirect = " Redirects are not followed." if 300 <= status < 400 else ""
    return Outcome(status, f"The endpoint responded with status {status}.{redirect}")


def build_body(endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> bytes:
    """Return the JSON of an attempt. The signature covers its id and times too."""
    content = {
        "id": str(delivery.pk),
        "event": delivery.event,
        "tenant_id": str(endpoint.tenant_id),
        "occurred_at": _in_utc(delivery.occurred_at),
        "sent_at": _in_utc(datetime.now(UTC)),
        "data": delivery.data,
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _make_headers(
    delivery: WebhookDelivery, secret: Secret, body: bytes
) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-KillTheNoise-Event": delivery.event,
        "X-KillTheNoise-Delivery": str(delivery.pk),
        HEADER: sign(secret, body),
    }


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Return the status of the response."""
    with (
        track(OutgoingRequest(monotonic() + SEND_S)),
        _session(allow_insecure=settings.JIRA_ALLOW_INSECURE).post(
            url,
            data=body,
            headers=headers,
            timeout=SEND_S,
            allow_redirects=False,
            stream=True,
        ) as response,
    ):
        response.raw.read(MAX_RESPONSE_BYTES)
        return response.status_code


@cache
def _session(*, allow_insecure: bool) -> requests.Session:
    network = Network(allow_insecure=allow_insecure)
    return make_session(threads=THREADS, network=network)


def _in_utc(moment: datetime) -> str:
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")

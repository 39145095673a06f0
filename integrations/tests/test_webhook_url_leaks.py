"""The address of a webhook may hold a token, which no log and no trace shows."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from integrations.outgoing_webhooks.sending import send
from integrations.tests.factories import DeliveryFactory, EndpointFactory
from killthenoise import telemetry

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = "t0ken-in-the-path"
GOOD = b"HTTP/1.1 204 No Content\r\n\r\n"


@contextmanager
def responding(response: bytes) -> Iterator[str]:
    """Respond to one request; yield the address of an endpoint."""
    server = socket.create_server(("127.0.0.1", 0))

    def respond() -> None:
        with server.accept()[0] as client:
            client.recv(65536)
            client.sendall(response)

    thread = threading.Thread(target=respond)
    thread.start()
    with server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/{TOKEN}?key={TOKEN}"
        thread.join()


def deliver(response: bytes) -> str:
    """Send a delivery, and return what was wrong."""
    with responding(response) as url:
        endpoint = EndpointFactory.create(url=url)
        return send(endpoint, DeliveryFactory.create(endpoint=endpoint)).problem


@pytest.mark.parametrize(
    "response",
    [
        GOOD,
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed\r\n\r\n",
        b"HTTP/1.1 nonsense\r\n\r\n",
    ],
)
def test_no_response_brings_the_address_into_the_log(
    response: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    problem = deliver(response)

    assert TOKEN not in caplog.text
    assert TOKEN not in problem


def test_traces_show_only_the_origin() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = RequestsInstrumentor()
    instrumentor.instrument(
        tracer_provider=provider, request_hook=telemetry.hide_webhook_url
    )
    try:
        assert deliver(GOOD) == ""
    finally:
        instrumentor.uninstrument()

    [span] = exporter.get_finished_spans()
    assert str((span.attributes or {})["http.url"]).startswith("http://127.0.0.1:")
    assert TOKEN not in span.to_json()


def test_error_reports_show_only_the_origin() -> None:
    sent: list[str] = []

    class Capture(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope: Any) -> None:
            sent.append(envelope.serialize().decode())

    telemetry.start_sentry("https://key@sentry.example.com/1", transport=Capture)
    try:
        assert deliver(GOOD) == ""
        logging.getLogger("test").error("An error that is reported")
    finally:
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)

    [report] = sent
    assert '"url":"http://127.0.0.1:' in report
    assert TOKEN not in report

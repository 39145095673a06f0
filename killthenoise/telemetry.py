"""Traces by OpenTelemetry and error reports by Sentry, each only if configured.

Their packages are imported only then. Each process calls `start` once, after it was
forked, because both send from a thread.
"""

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings

from killthenoise import __version__
from killthenoise.error_reports import hide_in

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from requests import PreparedRequest

NOTHING: Any = {"mode": "off"}
HEADERS: Any = {
    "mode": "allowlist",
    "terms": ["content-type", "content-length", "user-agent", "x-request-id"],
}
WEBHOOK_HEADER = "X-KillTheNoise-Delivery"
URL_ATTRIBUTES = {"http.url", "url.full"}
"""The former name and the present one."""


def start() -> None:
    """Start what is configured, before Django loads its middleware."""
    if settings.SENTRY_DSN:
        start_sentry(settings.SENTRY_DSN)
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        start_tracing(BatchSpanProcessor(OTLPSpanExporter()))


def start_sentry(dsn: str, **options: Any) -> None:
    """Report errors. No variable of a frame, body, cookie or address is sent."""
    import sentry_sdk

    sentry_sdk.init(
        dsn,
        release=__version__,
        data_collection={
            "user_info": False,
            "cookies": NOTHING,
            "http_headers": {"request": HEADERS},
            "http_bodies": [],
            "url_query_params": NOTHING,
            "database_query_data": False,
            "stack_frame_variables": False,
        },
        before_send=lambda event, hint: hide_in(event),
        before_breadcrumb=hide_path,
        trace_propagation_targets=[],  # Sentry adds no headers to requests to Jira
        **options,
    )


def hide_path(breadcrumb: Any, hint: Any) -> Any:
    """Keep only the origin of a requested address: a webhook's may hold a token."""
    if url := (breadcrumb.get("data") or {}).pop("url", ""):
        breadcrumb["data"] |= {"url": get_origin(url), "http.query": ""}
    return breadcrumb


def get_origin(url: str) -> str:
    """Return the URL without its path, query and user."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"


def start_tracing(processor: "SpanProcessor") -> None:
    """Trace requests, statements and calls of Jira.

    The OTEL_ variables say how. The W3C trace context of a caller is continued and
    passed on to Jira. Its baggage, which could be anything, is not.
    """
    from opentelemetry import trace
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor
    from opentelemetry.instrumentation.requests import RequestsInstrumentor
    from opentelemetry.propagate import set_global_textmap
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace.propagation.tracecontext import (
        TraceContextTextMapPropagator,
    )

    os.environ.setdefault("OTEL_SERVICE_NAME", "killthenoise")
    resource = Resource.create({"service.version": __version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    set_global_textmap(TraceContextTextMapPropagator())
    RequestsInstrumentor().instrument(request_hook=hide_webhook_url)
    for instrumentor in (DjangoInstrumentor, Psycopg2Instrumentor, CeleryInstrumentor):
        instrumentor().instrument()


def hide_webhook_url(span: Any, request: "PreparedRequest") -> None:
    """Keep only the origin of a webhook's address, which may hold a token."""
    if WEBHOOK_HEADER in request.headers:
        for name in URL_ATTRIBUTES & span.attributes.keys():
            span.set_attribute(name, get_origin(str(request.url)))

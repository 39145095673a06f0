"""Formats times, ids, links and outcomes for the admin."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

NONE = "–"


def time_tag(moment: datetime | None) -> str | SafeString:
    """Return a time with seconds and zone; a script shows it in the reader's zone.

    UTC stays in the title, which browsers show on hover.
    """
    if moment is None:
        return NONE
    utc = moment.astimezone(UTC)
    text = f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', utc.isoformat(), text, text
    )


def duration(milliseconds: float | None) -> str:
    """Return a duration for people: `340 ms`, `2.1 s`, `4 min 5 s`."""
    if milliseconds is None:
        return NONE
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"


def since(earlier: datetime, later: datetime) -> str:
    """Return the time between two moments."""
    return duration((later - earlier) / timedelta(milliseconds=1))


def short_id(identifier: UUID | str | None) -> str | SafeString:
    """Return the first part of a UUID; the title has all of it."""
    if not identifier:
        return NONE
    text = str(identifier)
    return format_html('<span class="id" title="{}">{}…</span>', text, text[:8])


def actor_name(actor: str) -> str:
    """Return who acted, without a tenant's UUID, which another column shows."""
    return "the tenant" if actor.startswith("tenant:") else actor or NONE


def external_link(url: str, text: str) -> str | SafeString:
    """Return a link to another system, or the text if `url` is not a web address."""
    if not url.startswith(("https://", "http://")):
        return text
    return format_html('<a href="{}" rel="noopener noreferrer">{}</a>', url, text)


def page_link(name: str, pk: Any, text: str) -> SafeString:
    """Return a link to the page of a row. `name`: e.g. issues_report_change."""
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{name}", args=[pk]), text)


def list_url(name: str, **filters: object) -> str:
    """Return the address of a filtered list. `name`: e.g. issues_report."""
    query = f"?{urlencode(filters)}" if filters else ""
    return reverse(f"admin:{name}_changelist") + query


def badge(kind: str, text: str) -> SafeString:
    """Return a coloured word; `kind` is good, bad, warn or quiet."""
    return format_html('<span class="badge badge-{}">{}</span>', kind, text)


def counted(number: int, noun: str) -> str:
    """Return a number and its noun: `1 report`, `2 reports`."""
    return f"{number:,} {noun}{pluralize(number)}"


def outcome_badge(outcome: str) -> SafeString:
    """Return the outcome of an audit event as a coloured word."""
    return badge("good" if outcome in ("ok", "replayed") else "bad", outcome)

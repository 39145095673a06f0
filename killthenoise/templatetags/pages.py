"""Template tags of the admin's pages."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django import template

from killthenoise.admin import formats

register = template.Library()
register.filter("time_tag", formats.time_tag)
register.filter("took", formats.duration)
register.filter("short_id", formats.short_id)
register.filter("actor_name", formats.actor_name)
register.filter("outcome_badge", formats.outcome_badge)


@register.filter
def thousands(number: int) -> str:
    """Return a number with commas: `1,000`."""
    return f"{number:,}"


@register.simple_tag
def external_link(url: str, text: str) -> str:
    """Return a link to another system, or the text if it is not a web address."""
    return formats.external_link(url, text)


@register.inclusion_tag("admin/dates.html")
def date_links(changelist: Any) -> dict[str, Any]:
    """Return links to the parts of the chosen time. It reads at most one row.

    Django's own tag reads all rows of a year to leave out empty months.
    """
    field = changelist.date_hierarchy
    names = {part: f"{field}__{part}" for part in ("year", "month", "day")}
    chosen = {
        part: int(value)
        for part, name in names.items()
        if (value := changelist.params.get(name, "")).isdigit()
    }
    if "year" not in chosen:
        chosen = {}
    links = [
        {"text": text, "url": changelist.get_query_string(_named(names, parts))}
        for text, parts in _get_parts(changelist, field, chosen)
    ]
    back = [
        {"text": text, "url": changelist.get_query_string(_named(names, parts))}
        for text, parts in _get_wider(chosen)
    ]
    return {"links": links, "back": back}


def _named(names: dict[str, str], parts: dict[str, int]) -> dict[str, Any]:
    """Return the parameters for the parts; None removes a parameter."""
    return {name: parts.get(part) for part, name in names.items()}


def _get_wider(chosen: dict[str, int]) -> Iterator[tuple[str, dict[str, int]]]:
    if not chosen.get("year"):
        return
    yield "All dates", {}
    if "month" in chosen:
        yield str(chosen["year"]), {"year": chosen["year"]}
    if "day" in chosen:
        month = {name: chosen[name] for name in ("year", "month")}
        yield f"{datetime(2000, chosen['month'], 1, tzinfo=UTC):%B}", month


def _get_parts(
    changelist: Any, field: str, chosen: dict[str, int]
) -> Iterator[tuple[str, dict[str, int]]]:
    if "day" in chosen:
        return
    if "month" in chosen:
        for day in range(1, 32):
            if _is_day(chosen, day):
                yield str(day), chosen | {"day": day}
    elif "year" in chosen:
        for month in range(1, 13):
            name = f"{datetime(2000, month, 1, tzinfo=UTC):%B}"
            yield name, chosen | {"month": month}
    else:
        for year in _get_years(changelist, field):
            yield str(year), {"year": year}


def _get_years(changelist: Any, field: str) -> range:
    oldest = changelist.root_queryset.order_by(field).values_list(field, flat=True)
    first, now = next(iter(oldest[:1]), None), datetime.now(UTC).year
    return range(first.year if first else now, now + 1)


def _is_day(chosen: dict[str, int], day: int) -> bool:
    try:
        datetime(chosen["year"], chosen["month"], day, tzinfo=UTC)
    except ValueError:
        return False
    return True

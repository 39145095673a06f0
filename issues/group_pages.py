"""Pages of a tenant's groups, as the API shows them."""

from typing import Any
from uuid import UUID

from django.db import connection

from issues import postgresql
from issues.models import AIIssueGroup
from issues.serializers import GroupSerializer, get_sources_and_tickets
from killthenoise.api.pagination import Cursor, paginate

Page = tuple[list[dict[str, Any]], str | None]


def read_page(tenant_id: UUID, *, limit: int, cursor: Cursor | None) -> Page:
    """Return the page after `cursor`, and the cursor of the next page."""
    if connection.vendor == "postgresql":
        return _read_quickly(tenant_id, limit=limit, cursor=cursor)
    return _read_usually(tenant_id, limit=limit, cursor=cursor)


def _read_usually(tenant_id: UUID, *, limit: int, cursor: Cursor | None) -> Page:
    groups = AIIssueGroup.objects.for_tenant(tenant_id)
    page, next_cursor = paginate(groups, "updated_at", limit=limit, cursor=cursor)
    context = get_sources_and_tickets(page)
    return list(GroupSerializer(page, many=True, context=context).data), next_cursor


def _read_quickly(tenant_id: UUID, *, limit: int, cursor: Cursor | None) -> Page:
    after = (cursor.moment, cursor.pk) if cursor else None
    found = postgresql.read_groups(tenant_id=tenant_id, limit=limit + 1, after=after)
    page = found[:limit]
    if len(found) <= limit:
        return page, None
    return page, str(Cursor(page[-1]["updated_at"], UUID(page[-1]["id"])))

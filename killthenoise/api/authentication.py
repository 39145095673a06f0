"""Who calls: the tenant that a request names, and what the audit notes of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request

from killthenoise.api.request_id import current_request_id

UUID_PATTERN = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


@dataclass(frozen=True)
class Caller:
    """Who asks, for which tenant, from where: `request.user` of every API view."""

    tenant_id: UUID
    actor: str
    client_ip: str | None
    request_id: str
    is_authenticated: bool = True


class TenantMissing(APIException):
    status_code = 400
    default_detail = (
        "The request names no tenant. Send the header X-Tenant-ID with your tenant's "
        "UUID, for example 550e8400-e29b-41d4-a716-446655440000."
    )
    default_code = "tenant_missing"


class TenantMalformed(APIException):
    status_code = 400
    default_detail = (
        "X-Tenant-ID is not a UUID. Send it in the form "
        "550e8400-e29b-41d4-a716-446655440000."
    )
    default_code = "tenant_malformed"


class TenantHeaderAuthentication(BaseAuthentication):
    """Trust the header `X-Tenant-ID`, as set by a gateway or in development.

    Where the path names the tenant, the header may be absent.

    Raises TenantMissing and TenantMalformed (400), and NotFound (404) where header,
    path and query do not name the same tenant.
    """

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        tenant_id = self._tenant_id(request)
        return Caller(
            tenant_id=tenant_id,
            actor=f"tenant:{tenant_id}",
            client_ip=request.META.get("REMOTE_ADDR") or None,
            request_id=current_request_id(),
        ), None

    def _tenant_id(self, request: Request) -> UUID:
        path: Mapping[str, str] = request.parser_context["kwargs"]
        header = request.headers.get("X-Tenant-ID", "").strip()
        if not header and "tenant" not in path:
            raise TenantMissing
        if header and parse_uuid(header) is None:
            raise TenantMalformed
        query = request.query_params.get("tenant_id")
        named = {
            parse_uuid(text) for text in (header, path.get("tenant"), query) if text
        }
        if len(named) > 1 or None in named:
            raise NotFound
        return cast(UUID, named.pop())


def parse_uuid(text: str) -> UUID | None:
    """Read a UUID in its canonical form; None for anything else."""
    return UUID(text) if re.fullmatch(UUID_PATTERN, text) else None

"""Who calls: the tenant that a request names, and what the audit notes of it."""

import re
from dataclasses import dataclass
from uuid import UUID

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request

from killthenoise.api.request_id import current_request_id

_uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


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

    Raises TenantMissing and TenantMalformed (400), and NotFound (404) where the query
    names another tenant than the header.
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
        named = request.headers.get("X-Tenant-ID", "").strip()
        if not named:
            raise TenantMissing
        tenant_id = parse_uuid(named)
        if tenant_id is None:
            raise TenantMalformed
        if parse_uuid(request.query_params.get("tenant_id", named)) != tenant_id:
            raise NotFound
        return tenant_id


def parse_uuid(text: str) -> UUID | None:
    """Read a UUID in its canonical form; None for anything else."""
    return UUID(text) if _uuid.fullmatch(text) else None

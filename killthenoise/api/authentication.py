"""Who calls: the tenant that a request names, and what the audit notes of it."""

import re
from dataclasses import dataclass
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
    """Trust the tenant that is named, as by a gateway or in development."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        tenant_id = named_tenant(request)
        return Caller(
            tenant_id=tenant_id,
            actor=f"tenant:{tenant_id}",
            client_ip=request.META.get("REMOTE_ADDR") or None,
            request_id=current_request_id(),
        ), None


def named_tenant(request: Request) -> UUID:
    """Return the one tenant of the header X-Tenant-ID, the path and the query.

    The path names it in the kwarg `tenant`, and then the header may be absent. Raises
    TenantMissing and TenantMalformed (400) about the header, and NotFound (404) where
    the path is no tenant's or two names differ.
    """
    header = request.headers.get("X-Tenant-ID", "").strip()
    path = request.parser_context["kwargs"].get("tenant", "")
    if not (header or path):
        raise TenantMissing
    if header and not parse_uuid(header):
        raise TenantMalformed
    query = request.query_params.getlist("tenant_id")
    named = {parse_uuid(name) for name in (header, path, *query) if name}
    tenant_id = named.pop()
    if named or tenant_id is None:
        raise NotFound
    return tenant_id


def parse_uuid(text: str) -> UUID | None:
    """Read a UUID in its canonical form; None for anything else."""
    return UUID(text) if re.fullmatch(UUID_PATTERN, text) else None

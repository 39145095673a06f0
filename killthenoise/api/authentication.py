"""Authenticates the caller and the tenant of a request.

TENANT_AUTH decides what proves the tenant: a gateway's header, or a token.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import (
    APIException,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
)
from rest_framework.request import Request

from killthenoise.api import log_context
from killthenoise.api.request_id import current_request_id
from killthenoise.api.text import clean_title
from killthenoise.api.tokens import bearer_token, verified_claims

MAX_ACTOR = 255  # characters

UUID_PATTERN = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


@dataclass(frozen=True)
class Caller:
    """The caller of a request: `request.user` in every API view."""

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


class NotFromGateway(NotAuthenticated):
    """A wrong and a missing secret get the same error, so guessing reveals nothing."""

    default_detail = (
        "The request did not come through the gateway. Send it to the gateway's "
        "address; if you are the gateway, send this API's GATEWAY_SECRET in the header "
        "X-Gateway-Secret."
    )


class TenantForbidden(PermissionDenied):
    default_detail = (
        "Your access token is not for this tenant. Choose a tenant that you belong to, "
        "or ask its administrator for access and sign in again."
    )
    default_code = "tenant_forbidden"


class TenantHeaderAuthentication(BaseAuthentication):
    """Trusts X-Tenant-ID. If GATEWAY_SECRET is set, the request must contain it."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        sent = request.headers.get("X-Gateway-Secret", "")
        secret = settings.GATEWAY_SECRET
        if secret and not constant_time_compare(sent, secret):
            raise NotFromGateway
        tenant_id = named_tenant(request)
        return _caller(request, tenant_id, actor=f"tenant:{tenant_id}"), None

    def authenticate_header(self, request: Request) -> str:
        return "Gateway-Secret"  # a 401 must name a scheme; none is registered


class TenantTokenAuthentication(BaseAuthentication):
    """Accepts a verified bearer token for the tenants that it lists."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        claims = verified_claims(bearer_token(request))
        tenant_id = named_tenant(request)
        if tenant_id not in _tenants(claims):
            raise TenantForbidden
        return _caller(request, tenant_id, actor=_actor(claims)), None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _caller(request: Request, tenant_id: UUID, *, actor: str) -> Caller:
    log_context.add(tenant_id=tenant_id)
    return Caller(
        tenant_id=tenant_id,
        actor=actor,
        client_ip=request.META.get("REMOTE_ADDR") or None,
        request_id=current_request_id(),
    )


def _tenants(claims: Mapping[str, Any]) -> set[UUID | None]:
    """Return the tenants of the claim, which is one UUID or a list."""
    value = claims.get(settings.JWT_TENANT_CLAIM)
    listed = value if isinstance(value, list) else [value]
    return {parse_uuid(item) for item in listed if isinstance(item, str)}


def _actor(claims: Mapping[str, Any]) -> str:
    """Return the actor for the audit: the e-mail address, else the subject, else "".

    An address that the issuer has not verified may belong to another person.
    """
    verified = claims.get("email_verified", True) in (True, "true")
    names = [claims.get("email") if verified else None, claims.get("sub")]
    fit = [clean_title(name)[:MAX_ACTOR] for name in names if isinstance(name, str)]
    return next(filter(None, fit), "")


def named_tenant(request: Request) -> UUID:
    """Return the tenant that the header X-Tenant-ID, the path and the query name.

    The header may be absent if the path has the kwarg `tenant`, but not behind a
    gateway, which proves only the header. Raises TenantMissing and TenantMalformed
    (400) for the header, and NotFound (404) if the path has no UUID or if the names
    differ.
    """
    header = request.headers.get("X-Tenant-ID", "").strip()
    path = request.parser_context["kwargs"].get("tenant", "")
    if not header and (settings.GATEWAY_SECRET or not path):
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
    """Return the UUID of a text in canonical form, or None for any other text."""
    return UUID(text) if re.fullmatch(UUID_PATTERN, text) else None

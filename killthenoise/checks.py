"""System checks: what is allowed in development and must not be deployed."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

E001 = Error(
    "Anybody may name any tenant: TENANT_AUTH is 'header' and there is no "
    "GATEWAY_SECRET.",
    hint="Set TENANT_AUTH=jwt and the JWT_ variables; or, behind a gateway that sets "
    "X-Tenant-ID, set GATEWAY_SECRET and let the gateway send it in X-Gateway-Secret.",
    id="killthenoise.E001",
)


@register(Tags.security, deploy=True)
def check_tenant_auth(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """A deployment must not take a tenant on trust."""
    trusting = settings.TENANT_AUTH == "header" and not settings.GATEWAY_SECRET
    return [E001] if trusting and not settings.DEBUG else []

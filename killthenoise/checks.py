"""System checks for settings that are fine in development but not in production."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

E001 = Error(
    "Any caller can claim any tenant: TENANT_AUTH is 'header' and GATEWAY_SECRET is "
    "not set.",
    hint="Set TENANT_AUTH=jwt and the JWT_ variables; or, behind a gateway that sets "
    "X-Tenant-ID, set GATEWAY_SECRET, which the gateway sends in X-Gateway-Secret.",
    id="killthenoise.E001",
)


@register(Tags.security, deploy=True)
def check_tenant_auth(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Report a deployment in which any caller can claim any tenant."""
    trusting = settings.TENANT_AUTH == "header" and not settings.GATEWAY_SECRET
    return [E001] if trusting else []

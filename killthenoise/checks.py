"""System checks for settings that are fine in development but not in production."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from whitenoise.storage import CompressedManifestStaticFilesStorage

E001 = Error(
    "Any caller can claim any tenant: TENANT_AUTH is 'header' and GATEWAY_SECRET is "
    "not set.",
    hint="Set TENANT_AUTH=jwt and the JWT_ variables; or, behind a gateway that sets "
    "X-Tenant-ID, set GATEWAY_SECRET, which the gateway sends in X-Gateway-Secret.",
    id="killthenoise.E001",
)

W001 = checks.Warning(
    "The admin and /api/docs cannot be shown: their static files were not collected.",
    hint="Run manage.py collectstatic.",
    id="killthenoise.W001",
)


@register(Tags.staticfiles, deploy=True)
def check_static_files(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Report a deployment whose pages would be errors."""
    manifest = CompressedManifestStaticFilesStorage.manifest_name
    collected = (settings.STATIC_ROOT / manifest).exists()
    return [] if settings.DEBUG or collected else [W001]


@register(Tags.security, deploy=True)
def check_tenant_auth(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Report a deployment in which any caller can claim any tenant."""
    trusting = settings.TENANT_AUTH == "header" and not settings.GATEWAY_SECRET
    return [E001] if trusting else []

"""System checks for settings that are fine in development but not in production."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection
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

W002 = checks.Warning(
    "A statement may wait for a lock forever: PostgreSQL's lock_timeout is 0.",
    hint="DATABASE_POOLER is set, so the role must have the parameters that "
    "docs/operating.md lists: ALTER ROLE … SET lock_timeout = '10s'.",
    id="killthenoise.W002",
)


@register(Tags.database)
def check_role(
    app_configs: Sequence[AppConfig] | None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """Report a role that lacks the parameters that it needs with a pooler."""
    if settings.DATABASE_POOLER == "none" or not databases:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        return [W002] if cursor.fetchone() == ("0",) else []


@register(Tags.staticfiles, deploy=True)
def check_static_files(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Report a deployment without collected static files."""
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

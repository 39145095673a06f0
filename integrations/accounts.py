"""The stored accounts, and the client that each of them uses."""

import time
from functools import cache
from uuid import UUID

import requests
from django.conf import settings
from django.core.exceptions import ValidationError

from integrations.errors import (
    IntegrationDisconnected,
    IntegrationNotFound,
    IntegrationPaused,
    SiteNotAllowed,
)
from integrations.jira.client import JiraClient
from integrations.jira.http import JiraHttp
from integrations.jira.network import Network
from integrations.jira.transport import make_session
from integrations.models import Integration
from integrations.site_url import normalize_site_url
from killthenoise.api.authentication import parse_uuid
from killthenoise.api.database import release_connection


def request_deadline() -> float:
    """Return when a request that starts now must end, in `time.monotonic()` seconds."""
    return time.monotonic() + settings.REQUEST_BUDGET_S


def require_usable(integration: Integration) -> None:
    """Raise if nothing may be sent with the account.

    Raises IntegrationPaused, IntegrationDisconnected, SecretUnreadable, SiteNotAllowed.
    """
    if integration.is_paused:
        raise IntegrationPaused
    if not integration.api_token:
        raise IntegrationDisconnected
    require_allowed_site(integration)


def require_allowed_site(integration: Integration) -> None:
    """Raise SiteNotAllowed if a site that is stored could not be stored now."""
    try:
        normalize_site_url(integration.base_url)
    except ValidationError as exc:
        raise SiteNotAllowed(integration.base_url) from exc


def get_integration(*, tenant_id: UUID, integration_id: str) -> Integration:
    """Return the tenant's Jira integration; its token is read when it is needed.

    Raises IntegrationNotFound for an unknown id, another tenant's and a malformed one.
    """
    pk = parse_uuid(integration_id)
    jira = Integration.objects.for_tenant(tenant_id).jira().defer("api_token")
    integration = jira.filter(pk=pk).first() if pk else None
    if integration is None:
        raise IntegrationNotFound
    return integration


def jira_client(integration: Integration) -> JiraClient:
    """Return a client for the integration's site and account. Raises SiteNotAllowed.

    https://developer.atlassian.com/cloud/jira/platform/basic-auth-for-rest-apis/
    """
    require_allowed_site(integration)
    gateway = f"{settings.JIRA_GATEWAY_URL}/ex/jira/{integration.cloud_id}"
    site = JiraHttp(
        base_url=integration.base_url,
        email=integration.email,
        api_token=integration.api_token,
        api_url=gateway if integration.uses_gateway else "",
        session=_session(allow_insecure=settings.JIRA_ALLOW_INSECURE),
        connect_timeout=settings.JIRA_CONNECT_TIMEOUT_S,
        read_timeout=settings.JIRA_READ_TIMEOUT_S,
        before_wait=release_connection,
    )
    return JiraClient(site)


@cache
def _session(*, allow_insecure: bool) -> requests.Session:
    """Return the session of this process, with a pooled connection per thread."""
    network = Network(allow_insecure=allow_insecure)
    return make_session(threads=settings.WEB_THREADS, network=network)

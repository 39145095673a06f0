"""The stored Jira accounts: find the one to use, and build its client."""

from functools import cache
from uuid import UUID

import requests
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q

from integrations.connections.site_url import normalize_site_url
from integrations.errors import (
    AccountUnusable,
    IntegrationDisconnected,
    IntegrationNotFound,
    IntegrationPaused,
    JiraAccountGone,
    NoActiveIntegration,
    SiteNotAllowed,
)
from integrations.jira.client import JiraClient
from integrations.jira.credentials import Credentials
from integrations.jira.http import JiraHttp
from integrations.jira.network_guard import Network
from integrations.jira.session import make_session
from integrations.models import Integration
from killthenoise.api.authentication import parse_uuid
from killthenoise.api.connection_pool import release_connection


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
    """Raise SiteNotAllowed if JIRA_ALLOWED_HOSTS no longer allows the stored site."""
    try:
        normalize_site_url(integration.base_url)
    except ValidationError as exc:
        raise SiteNotAllowed(integration.base_url) from exc


def get_integration(*, tenant_id: UUID, integration_id: str) -> Integration:
    """Return the tenant's Jira integration. Its token is loaded on first use.

    Raises IntegrationNotFound for an unknown id, another tenant's id and a malformed
    id.
    """
    pk = parse_uuid(integration_id)
    jira = Integration.objects.for_tenant(tenant_id).jira().defer("api_token")
    integration = jira.filter(pk=pk).first() if pk else None
    if integration is None:
        raise IntegrationNotFound
    return integration


def get_active_jira(*, tenant_id: UUID) -> Integration:
    """Return the tenant's Jira integration, ready to be used.

    Raises NoActiveIntegration, and what require_usable raises.
    """
    integration = Integration.objects.for_tenant(tenant_id).active_jira().first()
    if integration is None:
        raise NoActiveIntegration
    require_usable(integration)
    return integration


def is_ready(integration: Integration) -> bool:
    """Whether get_active_jira would return this active integration."""
    try:
        require_usable(integration)
    except (AccountUnusable, IntegrationDisconnected):
        return False
    return True


def get_jira_account(
    *, tenant_id: UUID, base_url: str, cloud_id: UUID | None = None
) -> Integration:
    """Return an account of the tenant on a site it has used, the active one first.

    A ticket request may be older than the active integration, so an inactive one may be
    used. A site that was renamed is recognized by its `cloud_id`. Raises
    JiraAccountGone if no account has a token, and AccountUnusable if none with a token
    can be used.
    """
    jira = Integration.objects.for_tenant(tenant_id).jira()
    problem: Exception = JiraAccountGone(base_url)
    same_site = Q(base_url=base_url) | Q(cloud_id=cloud_id, cloud_id__isnull=False)
    for account in jira.filter(same_site).newest_first():
        try:
            require_usable(account)
            return account
        except IntegrationDisconnected:
            continue
        except AccountUnusable as exc:
            problem = exc
    raise problem


def jira_client(integration: Integration) -> JiraClient:
    """Return a client for the integration's site and account. Raises SiteNotAllowed."""
    require_allowed_site(integration)
    gateway = f"{settings.JIRA_GATEWAY_URL}/ex/jira/{integration.cloud_id}"
    site = JiraHttp(
        base_url=integration.base_url,
        credentials=Credentials(
            email=integration.email, api_token=integration.api_token
        ),
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

"""How often one tenant, and one address, may ask. README.md names the rates.

The counts are DRF's, in the cache `throttles`: one for all processes with REDIS_URL,
else each process counts for itself.
"""

import logging
from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, cast

from django.core.cache import caches
from django.utils.connection import ConnectionProxy
from redis import RedisError
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle

from killthenoise.api.request_data import get_caller

if TYPE_CHECKING:  # its module imports the throttles of the settings, which are these
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)


class OpenThrottle(SimpleRateThrottle):
    """DRF's, which lets everybody through while the cache is down: tickets matter more.

    A rate of None switches it off.
    """

    cache: Any = ConnectionProxy(caches, "throttles")

    def get_rate(self) -> str | None:
        """Read the setting when it is needed; DRF does so once, at import."""
        rates = cast(dict[str, str | None], api_settings.DEFAULT_THROTTLE_RATES)
        return rates[self.scope or ""]

    def allow_request(self, request: Request, view: "APIView") -> bool:
        try:
            return super().allow_request(request, view)
        except RedisError as exc:
            logger.warning("throttle %s is open: the cache failed: %s", self.scope, exc)
            return True

    def key_of(self, ident: str) -> str:
        """Return the key under which DRF counts for a tenant or an address."""
        return self.cache_format % {"scope": self.scope, "ident": ident}


class TenantThrottle(OpenThrottle):
    scope = "tenant"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        if request.user is None:  # where anybody may ask
            return None
        return self.key_of(str(get_caller(request).tenant_id))


class AddressThrottle(OpenThrottle):
    """Counts what one client has at its command: an IPv4 address, or an IPv6 /64."""

    scope = "address"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        text = request.META.get("REMOTE_ADDR")
        if not text:  # from a Unix socket, which does not tell the clients apart
            return None
        address = ip_address(text)
        address = getattr(address, "ipv4_mapped", None) or address
        prefix = 32 if isinstance(address, IPv4Address) else 64
        return self.key_of(str(ip_network((address, prefix), strict=False)))


class ConnectTenantThrottle(TenantThrottle):
    scope = "connect"


class ConnectAddressThrottle(AddressThrottle):
    scope = "connect"

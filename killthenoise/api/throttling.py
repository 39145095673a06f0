"""Limits the requests per tenant and per address. README.md lists the rates.

DRF counts in the cache `throttles`. With REDIS_URL all processes share it; otherwise
each process counts on its own.
"""

import logging
import sys
from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, cast

from django.core.cache import caches
from django.utils.connection import ConnectionProxy
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle

from killthenoise.api.request_data import get_caller

if TYPE_CHECKING:  # importing it here would be circular
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)


def describe_limit(seconds: int | None) -> str:
    """Return the sentence of a 429. `seconds` is None if DRF does not know them."""
    plural = "" if seconds == 1 else "s"
    time = "a moment" if seconds is None else f"{seconds} second{plural}"
    return f"Too many requests. Try again in {time}."


def _is_of_redis(exc: Exception) -> bool:
    """Whether Redis failed. Its import takes 0.2 s, and not every server uses it."""
    redis: Any = sys.modules.get("redis")
    return redis is not None and isinstance(exc, redis.RedisError)


class OpenThrottle(SimpleRateThrottle):
    """DRF's throttle, except that requests pass while the cache is down.

    A rate of None means no limit.
    """

    cache: Any = ConnectionProxy(caches, "throttles")

    def get_rate(self) -> str | None:
        """Return the rate in the settings. DRF would read it only once, at import."""
        rates = cast(dict[str, str | None], api_settings.DEFAULT_THROTTLE_RATES)
        return rates[self.scope or ""]

    def allow_request(self, request: Request, view: "APIView") -> bool:
        try:
            return super().allow_request(request, view)
        except Exception as exc:
            if not _is_of_redis(exc):
                raise
            logger.warning("throttle %s is open: the cache failed: %s", self.scope, exc)
            return True

    def make_key(self, ident: str) -> str:
        """Return the cache key for a tenant or an address."""
        return self.cache_format % {"scope": self.scope, "ident": ident}


class TenantThrottle(OpenThrottle):
    scope = "tenant"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        if request.user is None:  # a view without authentication
            return None
        return self.make_key(str(get_caller(request).tenant_id))


class AddressThrottle(OpenThrottle):
    """Counts by IPv4 address or by IPv6 /64, which one client usually controls."""

    scope = "address"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        text = request.META.get("REMOTE_ADDR")
        if not text:  # a Unix socket, where all clients look the same
            return None
        address = ip_address(text)
        address = getattr(address, "ipv4_mapped", None) or address
        prefix = 32 if isinstance(address, IPv4Address) else 64
        return self.make_key(str(ip_network((address, prefix), strict=False)))


class WebhookThrottle(OpenThrottle):
    """Counts the signed webhooks of an integration."""

    scope = "webhook"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        return self.make_key(str(view.kwargs["integration_id"]).lower())


class ConnectTenantThrottle(TenantThrottle):
    scope = "connect"


class ConnectAddressThrottle(AddressThrottle):
    scope = "connect"

"""Throttles, which let requests pass while their cache is down."""

import socket
import time
from collections.abc import Iterator
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.test import Client
from fakeredis import TcpFakeServer
from pytest_django import Settings
from redis import Redis

from killthenoise.api.throttling import OpenThrottle
from killthenoise.tests.api import assert_error

pytestmark = pytest.mark.django_db
HOME = "192.0.2.1"


class Rates:
    """The rates of the throttles; each is off until it is set."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def set(self, **rates: str) -> None:
        off = dict.fromkeys(["tenant", "address", "connect", "webhook"])
        framework = {"DEFAULT_THROTTLE_RATES": off | rates}
        self.settings.REST_FRAMEWORK = self.settings.REST_FRAMEWORK | framework


@pytest.fixture
def rates(settings: Settings) -> Rates:
    caches["throttles"].clear()
    return Rates(settings)


def ask(tenant: object, address: str = HOME, **headers: str) -> Any:
    return Client(REMOTE_ADDR=address).get(
        "/api/issues/ai", headers={"X-Tenant-ID": str(tenant), **headers}
    )


def connect(tenant: object, address: str = HOME) -> Any:
    return Client(REMOTE_ADDR=address).post(
        f"/api/jira/integrations/{tenant}", {}, content_type="application/json"
    )


def test_throttled_tenant_learns_how_long_to_wait(rates: Rates) -> None:
    rates.set(tenant="2/min")
    tenant, other = uuid4(), uuid4()

    responses = [ask(tenant, address) for address in (HOME, "192.0.2.2", "192.0.2.3")]

    assert [response.status_code for response in responses] == [200, 200, 429]
    assert assert_error(responses[2], 429, "throttled")["retryable"] is True
    assert 1 <= int(responses[2]["Retry-After"]) <= 60
    assert ask(other).status_code == 200


def test_request_after_the_wait_is_served(
    rates: Rates, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates.set(tenant="1/min")
    tenant, now = uuid4(), 1_000_000.0
    monkeypatch.setattr(OpenThrottle, "timer", lambda self: now)
    assert ask(tenant).status_code == 200
    now += 20
    wait = int(ask(tenant)["Retry-After"])
    assert wait == 40

    now += wait

    assert ask(tenant).status_code == 200


def test_address_is_counted_across_tenants(rates: Rates) -> None:
    rates.set(address="2/min")

    responses = [ask(uuid4()) for _ in range(3)]

    assert [response.status_code for response in responses] == [200, 200, 429]
    assert ask(uuid4(), "192.0.2.2").status_code == 200


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [
        ("2001:db8::1", "2001:db8::2:3:4:5", 429),
        ("2001:db8::1", "2001:db8:0:1::1", 200),
        ("::ffff:192.0.2.1", "192.0.2.1", 429),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", 200),
        ("", "", 200),  # Unix sockets
    ],
)
def test_ipv6_addresses_are_counted_by_network(
    rates: Rates, one: str, other: str, status: int
) -> None:
    rates.set(address="1/min")

    assert ask(uuid4(), one).status_code == 200
    assert ask(uuid4(), other).status_code == status


def test_forged_x_forwarded_for_does_not_change_the_address(rates: Rates) -> None:
    rates.set(address="1/min")

    responses = [ask(uuid4(), **{"X-Forwarded-For": f"192.0.2.{n}"}) for n in (7, 8)]

    assert [response.status_code for response in responses] == [200, 429]


def test_connecting_is_counted_by_tenant_and_by_address(rates: Rates) -> None:
    rates.set(connect="2/min")
    tenant = uuid4()

    attempts = [connect(tenant, f"198.51.100.{n}") for n in range(3)]
    spread = [connect(uuid4()) for _ in range(3)]

    for responses in (attempts, spread):
        assert [response.status_code for response in responses] == [400, 400, 429]
    assert connect(uuid4(), "203.0.113.1").status_code == 400
    looked = Client().get(f"/api/jira/integrations/{tenant}")
    assert looked.status_code == 200


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    """A Redis server in which the throttles count."""
    with TcpFakeServer(("127.0.0.1", 0)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"redis://127.0.0.1:{server.server_address[1]}"
        use_redis(settings, url)
        with Redis.from_url(url) as client:
            yield client
        caches["throttles"].close()
        server.shutdown()
        thread.join()


def use_redis(settings: Settings, url: str) -> None:
    throttles = settings.REDIS_CACHE | {"LOCATION": url}
    settings.CACHES = settings.CACHES | {"throttles": throttles}


def test_counts_are_stored_in_redis(redis: Redis, rates: Rates) -> None:
    rates.set(tenant="1/min")
    tenant = uuid4()

    assert [ask(tenant).status_code for _ in range(2)] == [200, 429]
    redis.flushall()
    assert ask(tenant).status_code == 200


def test_api_serves_while_redis_is_down_or_silent(
    rates: Rates, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    rates.set(tenant="1/min", address="1/min")
    tenant, began = uuid4(), time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        use_redis(settings, f"redis://user:canary@127.0.0.1:{port}")
        assert [ask(tenant).status_code for _ in range(2)] == [200, 200]
    assert [ask(tenant).status_code for _ in range(2)] == [200, 200]

    assert time.monotonic() - began < 5
    assert "throttle tenant is open" in caplog.text
    assert "canary" not in caplog.text

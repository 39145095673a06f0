"""A resolver that hangs delays no request past its deadline, nor other names."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from development.sandbox import Sandbox
from integrations.jira import dns
from integrations.jira.dns import resolve
from integrations.jira.errors import JiraUnreachable
from integrations.tests.fake_jira import ISSUE, FakeDns, MakeClient, deadline_in

SOON = 0.05
"""Seconds after which a test gives up a name that hangs."""


class HangingDns:
    """Resolves names as FakeDns does, but those that begin with "hangs" wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.released = threading.Event()
        self.dns = FakeDns(monkeypatch)
        self.dns.responses = [["127.0.0.1"]]
        look_up = socket.getaddrinfo

        def hang(host: str, *args: Any, **kwargs: Any) -> list[Any]:
            found = look_up(host, *args, **kwargs)
            if host.startswith("hangs"):
                self.released.wait(30)
            return found

        monkeypatch.setattr(socket, "getaddrinfo", hang)

    @property
    def queries(self) -> list[str]:
        return self.dns.queries

    def release(self) -> None:
        """Let all lookups end, and wait until they have."""
        self.released.set()
        while dns._running:
            time.sleep(0.001)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingDns]:
    found = HangingDns(monkeypatch)
    yield found
    found.release()


def test_name_that_hangs_fails_at_the_deadline_and_nothing_is_sent(
    make_client: MakeClient, hanging: HangingDns, connected: list[str]
) -> None:
    started = time.monotonic()
    sent: list[bool] = []

    with pytest.raises(JiraUnreachable, match="could not be reached"):
        make_client(base_url="http://hangs.example").create_issue(
            ISSUE, deadline=deadline_in(0.2), before_send=lambda: sent.append(True)
        )

    assert time.monotonic() - started < 5
    assert (sent, connected) == ([], [])


def test_requests_for_a_name_that_hangs_share_one_lookup(hanging: HangingDns) -> None:
    with ThreadPoolExecutor(dns.MAX_LOOKUPS + 1) as pool:
        for request in [
            pool.submit(resolve, "hangs.example", 443, seconds=SOON)
            for _ in range(dns.MAX_LOOKUPS + 1)
        ]:
            assert isinstance(request.exception(), OSError)

    assert hanging.queries == ["hangs.example"]
    assert resolve("works.example", 443, seconds=10)


def test_name_is_refused_at_once_while_too_many_lookups_hang(
    hanging: HangingDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "MAX_LOOKUPS", 2)
    for number in range(2):
        with pytest.raises(OSError, match="not resolved within"):
            resolve(f"hangs{number}.example", 443, seconds=SOON)

    with pytest.raises(OSError, match="too many names"):
        resolve("works.example", 443, seconds=10)
    hanging.release()
    assert resolve("works.example", 443, seconds=10)


def test_late_response_is_discarded(
    make_client: MakeClient, hanging: HangingDns, jira: Sandbox, connected: list[str]
) -> None:
    """The connection goes to an address that its own lookup found."""
    hanging.dns.responses = [["10.1.2.3"], ["127.0.0.1"]]
    client = make_client(base_url=jira.url.replace("127.0.0.1", "hangs.example"))
    with pytest.raises(JiraUnreachable):
        client.create_issue(ISSUE, deadline=deadline_in(SOON))
    hanging.release()

    client.create_issue(ISSUE, deadline=deadline_in())

    assert len(hanging.queries) == 2
    assert connected == ["127.0.0.1"]


def raise_unicode_error(*args: Any, **kwargs: Any) -> None:
    raise UnicodeError("label too long")


def raise_no_such_name(*args: Any, **kwargs: Any) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


@pytest.mark.parametrize("fail", [raise_unicode_error, raise_no_such_name])
def test_failed_lookup_raises_os_error_and_ends(
    monkeypatch: pytest.MonkeyPatch, fail: Callable[..., None]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", fail)

    for _ in range(2):
        with pytest.raises(OSError, match=r"not a valid host name|no such name"):
            resolve("broken.example", 443, seconds=10)

    assert not dns._running

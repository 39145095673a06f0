"""The API, Jira clients, and servers and DNS that respond as a test says."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from pytest_django.live_server_helper import LiveServer

from development.sandbox import Sandbox
from integrations.jira.client import JiraClient
from integrations.jira.credentials import Credentials
from integrations.jira.http import JiraHttp
from integrations.jira.network_guard import Network
from integrations.jira.session import make_session
from integrations.tests.fake_jira import FakeDns, MakeClient, Serve
from killthenoise.tests.api import Api


@pytest.fixture
def api(transactional_db: None, live_server: LiveServer, tenant_id: UUID) -> Api:
    """The API over real HTTP, as the tenant."""
    return Api(live_server.url, tenant_id)


@pytest.fixture
def make_client(jira: Sandbox) -> Iterator[MakeClient]:
    """Makes clients that share a session, which may connect to this machine."""
    with make_session(threads=4, network=Network(allow_insecure=True)) as session:

        def make(**changes: Any) -> JiraClient:
            given: dict[str, Any] = {
                "base_url": jira.url,
                "credentials": Credentials(email=jira.email, api_token=jira.api_token),
                "session": session,
                "connect_timeout": 5,
                "read_timeout": 5,
            }
            return JiraClient(JiraHttp(**given | changes))

        yield make


@pytest.fixture
def server() -> Iterator[Serve]:
    """Sends the given bytes to one connection, then one byte at a time forever."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(10)  # the client may give up before it connects

        def respond(reply: bytes) -> str:
            def serve() -> None:
                with suppress(OSError):
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(reply)
                        while True:
                            time.sleep(0.01)
                            connection.sendall(b"x")

            thread = threading.Thread(target=serve)
            thread.start()
            threads.append(thread)
            return f"http://127.0.0.1:{listening.getsockname()[1]}"

        threads: list[threading.Thread] = []
        yield respond
        for thread in threads:
            thread.join()


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> FakeDns:
    """The addresses of `*.example` names."""
    return FakeDns(monkeypatch)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that sockets connected to. Only this machine can be reached."""
    made: list[str] = []
    connect = socket.socket.connect

    def connect_here(sock: socket.socket, address: tuple[Any, ...]) -> None:
        made.append(address[0])
        if address[0] not in ("127.0.0.1", "::1"):
            raise ConnectionRefusedError
        connect(sock, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    return made

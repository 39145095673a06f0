"""A request that is given up never arrives whole later."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from integrations.jira.errors import JiraOutcomeUnknown
from integrations.tests.fake_jira import ISSUE, MakeClient, deadline_in

LARGE = replace(ISSUE, properties={"text": "x" * 3_000_000})


def receive_all(peer: socket.socket) -> None:
    while peer.recv(65536):
        pass


@pytest.fixture
def stalled() -> Iterator[socket.socket]:
    """A peer that accepts a connection and reads nothing."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


def test_abandoned_connection_is_reset_so_that_nothing_queued_leaves_later(
    make_client: MakeClient, stalled: socket.socket
) -> None:
    port = stalled.getsockname()[1]
    client = make_client(base_url=f"http://127.0.0.1:{port}")
    accepted: list[socket.socket] = []
    accepting = threading.Thread(target=lambda: accepted.append(stalled.accept()[0]))
    accepting.start()

    with pytest.raises(JiraOutcomeUnknown):
        client.create_issue(LARGE, deadline=deadline_in(0.5))

    accepting.join()
    [peer] = accepted
    with peer, pytest.raises(ConnectionResetError):
        receive_all(peer)  # what the client's kernel held is gone

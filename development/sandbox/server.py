"""The sandbox on the wire: a threading HTTP server that can also misbehave."""

import contextlib
import select
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from development.sandbox import control, pages, rest
from development.sandbox.faults import Fault, Faults
from development.sandbox.http import Answer, Request
from development.sandbox.state import (
    DEFAULT_API_TOKEN,
    DEFAULT_EMAIL,
    DEFAULT_SCOPED_TOKEN,
    RecordedRequest,
    State,
    Ticket,
)

RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: close() sends RST


class Sandbox:
    """A small Jira over real HTTP, for demo, development and tests.

    ```
    with Sandbox() as jira:
        jira.inject("reset_after_create", times=1)
        requests.post(f"{jira.url}/rest/api/3/issue", …)
        assert len(jira.tickets) == 1
    ```
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        email: str = DEFAULT_EMAIL,
        api_token: str = DEFAULT_API_TOKEN,
        scoped_token: str = DEFAULT_SCOPED_TOKEN,
    ) -> None:
        self.email, self.api_token = email, api_token
        self.scoped_token = scoped_token
        self.state = State(email=email, api_token=api_token, scoped_token=scoped_token)
        self.faults = Faults()
        self.released = threading.Event()  # ends every wait of a fault
        self._server = _Server((host, port), self)
        self.url = f"http://{host}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self.close()

    def serve_forever(self) -> None:
        """Serve in this thread until it is interrupted or the server shut down."""
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Close every connection."""
        self.released.set()
        self._server.server_close()

    @property
    def tickets(self) -> list[Ticket]:
        """The tickets, oldest first."""
        with self.state.lock:
            return list(self.state.tickets.values())

    @property
    def requests(self) -> list[RecordedRequest]:
        """The latest requests that were read whole and dealt with."""
        with self.state.lock:
            return list(self.state.requests)

    def count(self, method: str, path: str) -> int:
        """Return how many requests arrived, faulted ones too."""
        return self.state.arrived[method, path]

    def inject(self, kind: str, **parameters: Any) -> Fault:
        """Add a fault; `faults.KINDS` lists them. Raises ValueError."""
        return self.faults.inject(kind, **parameters)

    def reset(self) -> None:
        """Forget tickets, requests, faults and settings; release what waits."""
        self.released.set()
        self.released = threading.Event()
        self.faults.clear()
        self.state.reset()

    def deal_with(self, request: Request, faults: list[Fault]) -> Answer | None:
        """Return the answer, None where a fault leaves the request without one."""
        if request.path.startswith("/_sandbox"):
            return control.answer(self, request)
        kinds = {fault.kind for fault in faults}
        real = None
        if all(fault.creates for fault in faults):
            real = self._really(request, trapped="anonymous_trap" in kinds)
        if kinds & {"reset_after_create", "no_answer"}:
            return None
        instead = [fault.answer for fault in faults if fault.answer]
        return instead[0] if instead else real

    def _really(self, request: Request, *, trapped: bool) -> Answer:
        page = pages.answer(self.state, request)
        return page or rest.answer(self.state, request, trapped=trapped)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: the tests make them go."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        threading.current_thread().name = "jira-sandbox"  # not one of another server
        super().setup()

    def handle_one_request(self) -> None:
        faults = self.server.sandbox.faults
        select.select([self.connection], [], [])
        if faults.resets_unread():
            self._reset()
        else:
            super().handle_one_request()

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def log_message(self, *args: Any) -> None:
        """Say nothing: the control API lists the requests."""

    def _serve(self) -> None:
        sandbox = self.server.sandbox
        released = sandbox.released
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, self.headers, body)
        sandbox.state.arrive(request.method, request.path)
        faults = sandbox.faults.take(request.method, request.operation)
        for fault in faults:
            if fault.kind == "latency":
                released.wait(fault.parameters["seconds"])
        answer = sandbox.deal_with(request, faults)
        self._record(request, answer)
        self._send(answer, faults, released)

    def _record(self, request: Request, answer: Answer | None) -> None:
        if request.path.startswith("/_sandbox"):
            return
        headers = dict(request.headers.items())
        status = answer.status if answer else None
        recorded = RecordedRequest(
            request.method, request.path, headers, request.body, status
        )
        self.server.sandbox.state.requests.append(recorded)

    def _send(
        self, answer: Answer | None, faults: list[Fault], released: threading.Event
    ) -> None:
        by_kind = {fault.kind: fault.parameters for fault in faults}
        if answer is None:
            if "no_answer" in by_kind:
                released.wait(by_kind["no_answer"]["seconds"])
            self._reset()
            return
        head, body = answer.encode()
        if "truncated" in by_kind:
            self.wfile.write(head + body[: len(body) // 2])
            self.close_connection = True
        elif "slow_body" in by_kind:
            self._drip(head, body, by_kind["slow_body"]["interval"], released)
        else:
            self.wfile.write(head + body)

    def _drip(
        self, head: bytes, body: bytes, interval: float, released: threading.Event
    ) -> None:
        self.wfile.write(head)
        for byte in body:
            self.wfile.write(bytes([byte]))
            released.wait(interval)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.close_connection = True
        self.connection.close()

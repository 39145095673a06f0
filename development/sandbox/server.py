"""The HTTP server of the sandbox, which also injects faults."""

import contextlib
import select
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from development.sandbox import control, pages, rest
from development.sandbox.faults import Fault, Faults
from development.sandbox.http import Request, Response
from development.sandbox.receiver import Receiver
from development.sandbox.state import (
    DEFAULT_ACCOUNT_ID,
    DEFAULT_API_TOKEN,
    DEFAULT_EMAIL,
    DEFAULT_SCOPED_TOKEN,
    Account,
    RecordedRequest,
    State,
    Ticket,
)

RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: close() sends RST


class Sandbox:
    """A small Jira over real HTTP, for the demo, for development and for tests.

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
    ) -> None:
        self.email, self.api_token = email, api_token
        account = Account(email, api_token, DEFAULT_ACCOUNT_ID)
        self.scoped_token = account.scoped_token = DEFAULT_SCOPED_TOKEN
        self.state = State(account)
        self.faults = Faults()
        self.receiver = Receiver()
        self.released = threading.Event()  # ends the waits of faults
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
            return list(self.state.by_creation)

    @property
    def requests(self) -> list[RecordedRequest]:
        """The latest requests that were read to their end and handled."""
        with self.state.lock:
            return list(self.state.requests)

    def count(self, method: str, path: str) -> int:
        """Return how many requests arrived, including those that a fault affected."""
        return self.state.arrived[method, path]

    def inject(self, kind: str = "", **parameters: Any) -> Fault:
        """Add a fault; `faults.KINDS` lists the kinds. Raises ValueError."""
        return self.faults.inject(kind, **parameters)

    def reset(self) -> None:
        """Forget tickets, requests, faults and settings.

        Requests that wait because of a fault are dropped.
        """
        self.released.set()
        self.released = threading.Event()
        self.faults.clear()
        self.receiver.received.clear()
        self.state.reset()

    def handle(self, request: Request, faults: list[Fault]) -> Response | None:
        """Return the response, None if a fault leaves the request without one."""
        if request.is_for_sandbox:
            return control.handle(self, request)
        kinds = {fault.kind for fault in faults}
        real = None
        if all(fault.takes_effect for fault in faults):
            real = self._handle_as_jira(request, as_anonymous="anonymous_trap" in kinds)
        if kinds & {"reset_after_create", "no_response"}:
            return None
        instead = [fault.response for fault in faults if fault.response]
        return instead[0] if instead else real

    def _handle_as_jira(self, request: Request, *, as_anonymous: bool) -> Response:
        page = self.receiver.handle(request) or pages.handle(self.state, request)
        return page or rest.handle(self.state, request, as_anonymous=as_anonymous)


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
        """Log nothing: clients that disconnect are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        threading.current_thread().name = "jira-sandbox"  # tells it from other servers
        super().setup()

    def handle_one_request(self) -> None:
        released = self.server.sandbox.released
        fault = self._take_fault_before_read()
        if fault and (
            fault.kind == "reset_before_read"
            or released.wait(fault.parameters["seconds"])
        ):
            self._reset()
        else:
            super().handle_one_request()

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def log_message(self, *args: Any) -> None:
        """Log nothing: the control API lists the requests."""

    def _take_fault_before_read(self) -> Fault | None:
        """Wait for a request and look at its first line, which stays unread."""
        select.select([self.connection], [], [])
        line = self.connection.recv(8192, socket.MSG_PEEK).decode("latin-1")
        method, _, rest_of_line = line.partition(" ")
        if not method:  # the client closed the connection
            return None
        request = Request(method, rest_of_line.split(" ")[0])
        if request.is_for_sandbox:
            return None
        return self.server.sandbox.faults.take_before_read(request)

    def _serve(self) -> None:
        sandbox = self.server.sandbox
        released = sandbox.released
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, self.headers, body)
        sandbox.state.count_arrival(request.method, request.path)
        faults = [] if request.is_for_sandbox else sandbox.faults.take(request)
        for fault in faults:
            if fault.kind == "latency" and released.wait(fault.parameters["seconds"]):
                self._reset()  # the sandbox was reset in the meantime
                return
        response = sandbox.handle(request, faults)
        self._record(request, response)
        self._send(response, faults, released)

    def _record(self, request: Request, response: Response | None) -> None:
        if request.is_for_sandbox:
            return
        headers = dict(request.headers.items())
        status = response.status if response else None
        recorded = RecordedRequest(
            request.method, request.path, headers, request.body, status
        )
        self.server.sandbox.state.requests.append(recorded)

    def _send(
        self, response: Response | None, faults: list[Fault], released: threading.Event
    ) -> None:
        by_kind = {fault.kind: fault.parameters for fault in faults}
        if response is None:
            if "no_response" in by_kind:
                released.wait(by_kind["no_response"]["seconds"])
            self._reset()
            return
        head, body = response.encode()
        if "truncated" in by_kind:
            self.wfile.write(head + body[: len(body) // 2])
            self.close_connection = True
        elif "slow_body" in by_kind:
            self._send_slowly(head, body, by_kind["slow_body"]["interval"], released)
        else:
            self.wfile.write(head + body)

    def _send_slowly(
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

"""Responses that are small on the wire and huge in memory, with any status."""

import gzip
import zlib
from itertools import product

STATUSES = (200, 201, 301, 302, 303, 307, 308, 400, 401, 404, 413, 429, 500, 503)
UNPACKED_BYTES = 64 * 1024 * 1024
_zeros = bytes(UNPACKED_BYTES)
_bodies = {
    "gzip": gzip.compress(_zeros),
    "gzip, gzip": gzip.compress(gzip.compress(_zeros)),
    "deflate": zlib.compress(_zeros),
    "br": bytes(1024 * 1024),  # no decoder is installed
    "identity": _zeros,
}
KINDS = list(product(STATUSES, _bodies, ["length", "chunked"]))


def head(status: int, *headers: str) -> bytes:
    """Return a status line and headers; a redirect leads to a closed port."""
    lines = [f"HTTP/1.1 {status} X", "Connection: close", *headers]
    lines.append("Location: http://127.0.0.1:1/")
    return "\r\n".join([*lines, "", ""]).encode()


def bomb(status: int, encoding: str, framing: str) -> bytes:
    """Return a whole response."""
    body = _bodies[encoding]
    length = f"Content-Length: {len(body)}"
    if framing == "chunked":
        length = "Transfer-Encoding: chunked"
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return head(status, length, f"Content-Encoding: {encoding}") + body

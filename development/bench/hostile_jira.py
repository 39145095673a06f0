"""A Jira whose responses try to exhaust their reader.

Each request gets the next bomb: 200 KiB on the wire that unpack to 200 MiB, with many
statuses and as redirects; bodies and heads that never end; bytes that drip; JSON that
is expensive to parse.
"""

import asyncio
import contextlib
import re
import zlib
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, repeat
from typing import NamedTuple

MIB = 2**20
UNPACKED_MIB = 200
ENDLESS_MIB = 256
"""The size at which an endless response does end, to spare the machine."""
STATUSES = (200, 201, 400, 404, 429, 500, 503)
REDIRECTS = (301, 302, 303, 307, 308)
CLOSING_S = 30
"""How long a client may take to read what was sent."""
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

Chunks = Callable[[], Iterable[bytes]]


class Bomb(NamedTuple):
    """A response in chunks, and the pause after each in seconds."""

    chunks: Chunks
    pause_s: float = 0


def pack(layers: int = 1) -> bytes:
    """Return zeros, gzipped as often as there are layers."""
    body = _gzip(repeat(bytes(MIB), UNPACKED_MIB))
    for _ in range(layers - 1):
        body = _gzip(iter([body]))
    return body


def _gzip(chunks: Iterator[bytes]) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)  # 31: the format of gzip
    return b"".join([packer.compress(chunk) for chunk in chunks]) + packer.flush()


def head(status: int, *headers: str) -> bytes:
    """Return a status line and headers."""
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def whole(status: int, body: bytes, *headers: str) -> Chunks:
    """Return a response that ends."""
    response = head(status, f"Content-Length: {len(body)}", *headers) + body
    return lambda: [response]


def endless_body() -> Iterator[bytes]:
    """Yield a response whose body goes on and on."""
    yield head(200, "Transfer-Encoding: chunked")
    yield from repeat(b"%x\r\n%s\r\n" % (MIB, b" " * MIB), ENDLESS_MIB)


def endless_head() -> Iterator[bytes]:
    """Yield a response whose headers go on and on."""
    yield b"HTTP/1.1 200 X\r\n"
    yield from repeat(b"X-Header: value\r\n" * 1000, 10_000)


def dripping() -> Iterator[bytes]:
    """Yield a response of single bytes; `send` waits after each."""
    yield head(201, "Content-Length: 100000")
    yield from repeat(b" ", 100_000)


def many_errors() -> bytes:
    """Return JSON in which Jira complains of 30,000 fields."""
    errors = ",".join(f'"customfield_{n}":"<b>no</b>"' for n in range(30_000))
    return f'{{"errorMessages":[],"errors":{{{errors}}}}}'.encode()


def bombs() -> list[Bomb]:
    """Return all bombs."""
    gzipped, encoding = pack(), "Content-Encoding: gzip"
    location = "Location: http://127.0.0.1:1/"
    twice = "Content-Encoding: gzip, gzip"
    return [
        *(Bomb(whole(status, gzipped, encoding)) for status in STATUSES),
        *(Bomb(whole(status, gzipped, encoding, location)) for status in REDIRECTS),
        Bomb(whole(200, pack(layers=2), twice)),
        Bomb(whole(200, b"[" * MIB)),
        Bomb(whole(400, many_errors())),
        Bomb(whole(201, b'{"id": ' + b"9" * 900_000 + b"}")),
        Bomb(endless_body),
        Bomb(endless_head),
        Bomb(dripping, pause_s=0.5),
    ]


class HostileJira:
    """Sends one bomb after the other."""

    def __init__(self) -> None:
        self.bombs = cycle(bombs())

    async def handle(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Read one request, send one bomb, and close the connection."""
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            await read_request(reader)
            bomb = next(self.bombs)
            for chunk in bomb.chunks():
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(bomb.pause_s)
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), CLOSING_S)
        writer.transport.abort()


async def read_request(reader: asyncio.StreamReader) -> None:
    """Read a request to its end."""
    received = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(received)
    await reader.readexactly(int(length[1] if length else 0))


async def serve(port: int) -> None:
    """Serve until the process is terminated."""
    server = await asyncio.start_server(HostileJira().handle, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Serve on the port of the command line."""
    parser = ArgumentParser(prog="python -m development.bench.hostile_jira")
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()

"""A load generator on bare sockets, for machines without ``wrk`` and for TLS: bench/load.py starts it.

It does the least that keeps an HTTP connection going: it knows an answer by its Content-Length. Over TLS it shows a
certificate, and may begin a connection of its own for each request, with a whole handshake.
"""

import asyncio
import itertools
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bench.contexts import context_of

SEPARATOR = b"\0"
"""Between the documents of a file; no document holds it."""


class _Connection(asyncio.Protocol):
    """Sends a request, waits for the answer, and sends the next one."""

    def __init__(self, requests: Iterator[bytes], until: float, most: float) -> None:
        self._requests = requests
        self._until = until
        self._most = most
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._awaits = False
        self.right = 0
        self.wrong = 0
        self.failed = 0
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        self._awaits = time.monotonic() < self._until and self.right + self.wrong < self._most
        if self._awaits:
            self._transport.write(next(self._requests))
        else:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer."""
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(head):
            return
        self._received = b""
        if head.startswith(b"HTTP/1.1 200 ") and b"oadrResponse" in body and b"responseCode>200<" in body:
            self.right += 1
        else:
            self.wrong += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it so
        """End; too early where an answer is awaited."""
        self.failed += self._awaits
        if not self.over.done():
            self.over.set_result(None)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0


class _Load(msgspec.Struct, kw_only=True):
    """What is asked for.

    :param url: where to post.
    :param file: holds the documents.
    :param seconds: for how long.
    :param connections: how many at a time.
    :param folder: holds the certificates for TLS, see :mod:`bench.contexts`; empty without TLS.
    :param version: the version of TLS.
    :param each: whether each request has a connection of its own.
    """

    url: str
    file: str
    seconds: float
    connections: int
    folder: str = ""
    version: str = "1.2"
    each: bool = False


async def main(asked: _Load, documents: Sequence[bytes]) -> None:
    """Put the load on, and tell what came of it."""
    to = urlsplit(asked.url)
    head = f"POST {to.path} HTTP/1.1\r\nHost: {to.netloc}\r\nContent-Type: application/xml\r\n"
    requests = itertools.cycle(f"{head}Content-Length: {len(one)}\r\n\r\n".encode() + one for one in documents)
    context = context_of(Path(asked.folder), asked.version, serving=False) if asked.folder else None
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    over: list[_Connection] = []

    async def keep_busy() -> None:
        """Have a connection, and again one where it ends before the time."""
        while time.monotonic() < began + asked.seconds:
            _, connection = await loop.create_connection(
                lambda: _Connection(requests, began + asked.seconds, 1 if asked.each else math.inf),
                to.hostname or "",
                to.port or 80,
                ssl=context,
            )
            await connection.over
            over.append(connection)
            if not connection.right:
                return

    async with asyncio.timeout(asked.seconds + 10):
        await asyncio.gather(*(keep_busy() for _ in range(asked.connections)))
    took = time.monotonic() - began
    counts = {name: sum(getattr(one, name) for one in over) for name in ("right", "wrong", "failed")}
    print(json.dumps({**counts, "seconds": took}))


if __name__ == "__main__":
    load = msgspec.json.decode(sys.argv[1], type=_Load)
    asyncio.run(main(load, Path(load.file).read_bytes().split(SEPARATOR)))

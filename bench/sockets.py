"""A load generator on bare sockets, for machines without ``wrk``: bench/load.py starts it.

It does the least that keeps an HTTP connection going: it knows an answer by its Content-Length.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

SEPARATOR = b"\0"
"""Between the documents of a file; no document holds it."""


class _Connection(asyncio.Protocol):
    """Sends a request, waits for the answer, and sends the next one."""

    def __init__(self, requests: Iterator[bytes], until: float) -> None:
        self._requests = requests
        self._until = until
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
        self._awaits = time.monotonic() < self._until
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


async def main(url: str, body: bytes, seconds: float, connections: int) -> None:
    """Put the load on, and tell what came of it."""
    to = urlsplit(url)
    head = f"POST {to.path} HTTP/1.1\r\nHost: {to.netloc}\r\nContent-Type: application/xml\r\n"
    requests = itertools.cycle(
        f"{head}Content-Length: {len(one)}\r\n\r\n".encode() + one for one in body.split(SEPARATOR)
    )
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    opened: list[_Connection] = []
    for _ in range(connections):
        made = await loop.create_connection(
            lambda: _Connection(requests, began + seconds), to.hostname or "", to.port or 80
        )
        opened.append(made[1])
    async with asyncio.timeout(seconds + 10):
        await asyncio.gather(*(one.over for one in opened))
    took = time.monotonic() - began
    counts = {name: sum(getattr(one, name) for one in opened) for name in ("right", "wrong", "failed")}
    print(json.dumps({**counts, "seconds": took}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes(), float(sys.argv[3]), int(sys.argv[4])))

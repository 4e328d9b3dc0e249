"""What stands behind the endpoints in tests, and connections on which a test says exactly what it wants."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import anyio
import anyio.abc

from oadr_core import Failure, Peer, ProfileName, Service
from oadr_http import PREFIX, Endpoints, Server, ServerLimits

POLL: Final = f"{PREFIX}/OadrPoll"
"""The path that most tests post to."""


class Desk:
    """Takes requests as a driver would.

    :ivar taken: what came, in order.
    :ivar refusal: why to refuse them.
    :ivar content: the answer.
    :ivar error: what to raise instead.
    :ivar arrived: set when a request has come.
    :ivar open: answers wait until this is set.
    """

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, Peer, Service | None]] = []
        self.refusal: Failure | None = None
        self.content = b"<answer/>"
        self.error: Exception | None = None
        self.arrived = anyio.Event()
        self.open = anyio.Event()
        self.open.set()

    async def receive(
        self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName = ProfileName.V20B
    ) -> tuple[Failure | None, bytes]:
        """Take a request."""
        self.taken.append((body, peer, service))
        self.arrived.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return self.refusal, self.content

    @property
    def bodies(self) -> list[bytes]:
        """The bodies that came."""
        return [body for body, _, _ in self.taken]


@dataclass
class Answered:
    """An HTTP response, as it came."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Line:
    """A connection to a server, byte by byte.

    :ivar rest: what has come and was not asked for yet.
    """

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self.stream: Final = stream
        self.rest = b""

    async def say(self, *pieces: bytes) -> None:
        """Send bytes."""
        for piece in pieces:
            await self.stream.send(piece)

    async def answer(self, *, head_only: bool = False) -> Answered:
        """Read one response."""
        while b"\r\n\r\n" not in self.rest:
            self.rest += await self.stream.receive()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs}
        assert len(headers) == len(pairs), "no header comes twice"
        if status == "100":
            return Answered(100, headers)
        assert "transfer-encoding" not in headers, "section 9.1.9.4"
        length = int(headers["content-length"])
        while len(self.rest) < length and not head_only:
            self.rest += await self.stream.receive()
        body, self.rest = self.rest[:length], self.rest[length:]
        return Answered(int(status), headers, body)

    async def hears(self) -> bool:
        """Wait for anything that the server says, or does."""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            self.rest += await self.stream.receive()
        return True

    async def ends(self) -> bool:
        """Wait until the server closes; tell whether it said nothing more."""
        try:
            while True:
                self.rest += await self.stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return self.rest == b""


def request(
    body: bytes = b"<poll/>",
    *more: str,
    method: str = "POST",
    path: str = POLL,
    version: str = "1.1",
    host: str | None = "vtn.example",
    media_type: str | None = "application/xml",
    length: int | str | None = None,
) -> bytes:
    """Make the bytes of a request.

    :param body: its body.
    :param more: further header lines.
    :param length: its Content-Length, where that is not the truth.
    """
    lines = [f"{method} {path} HTTP/{version}"]
    lines += [] if host is None else [f"Host: {host}"]
    lines += [] if media_type is None else [f"Content-Type: {media_type}"]
    lines += [f"Content-Length: {len(body) if length is None else length}"] if length != "" else []
    return "\r\n".join([*lines, *more, "", ""]).encode("latin-1") + body


class Office:
    """A server with a desk behind it."""

    def __init__(self, desk: Desk, server: Server, port: int) -> None:
        self.desk: Final = desk
        self.server: Final = server
        self.port: Final = port

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        """Connect to it."""
        async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
            yield Line(stream)

    async def ask(self, *pieces: bytes) -> Answered:
        """Send bytes on a new connection, and read one response."""
        async with self.line() as line:
            await line.say(*pieces)
            return await line.answer()


@asynccontextmanager
async def office(limits: ServerLimits | None = None, *, prefix: str = PREFIX) -> AsyncIterator[Office]:
    """Run a server."""
    desk = Desk()
    server = Server(Endpoints(desk, prefix=prefix), limits)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with server.serving(listener):
        yield Office(desk, server, port)


@asynccontextmanager
async def ending_office(limits: ServerLimits | None = None) -> AsyncIterator[tuple[Office, anyio.Event]]:
    """Run a server that ends when the event is set; at the end it must have ended."""
    end = anyio.Event()

    async def serve(*, task_status: anyio.abc.TaskStatus[Office]) -> None:
        async with office(limits) as opened:
            task_status.started(opened)
            await end.wait()

    async with anyio.create_task_group() as group:
        yield await group.start(serve), end


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds that nobody tells of."""
    while not condition():  # noqa: ASYNC110 - the code that makes it hold knows nothing of tests
        await anyio.sleep(0.001)

"""A small HTTP/1.1 server for the endpoints: limits and timeouts on everything, and a graceful end.

The request parser is llhttp, by way of httptools. Servers that speak ASGI hide the client's certificate, which is the
identity of a VEN; this one will hand it on.
"""

import math
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

import anyio
import anyio.abc
import httptools

from oadr_core import Peer
from oadr_http.endpoints import Answer
from oadr_http.groups import alone


@dataclass(frozen=True)
class ServerLimits:
    """What the server puts up with.

    :param connections: open at a time; further ones are told to come back later.
    :param head: bytes of request line and headers.
    :param body: bytes of a body.
    :param head_timeout: seconds for a head to arrive, once it has begun.
    :param body_timeout: seconds for a body to arrive.
    :param idle_timeout: seconds that a connection may be silent between requests.
    :param write_timeout: seconds for a response to leave.
    :param grace: seconds that requests under way are given when the server stops.
    """

    connections: int = 10_000
    head: int = 16 * 1024
    body: int = 2 * 1024 * 1024
    head_timeout: float = 10.0
    body_timeout: float = 30.0
    idle_timeout: float = 75.0
    write_timeout: float = 30.0
    grace: float = 10.0


class Application(Protocol):
    """What takes requests."""

    def refuse(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> Answer | None:
        """Refuse a request by its head, or say that its body may come."""
        ...

    async def answer(self, path: str, headers: Mapping[bytes, bytes], body: bytes, peer: Peer) -> Answer:
        """Take a request that :meth:`refuse` has let in."""
        ...


_STATUS_LINES: Final = {one: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode() for one in HTTPStatus}
_CHUNK: Final = 64 * 1024


class _Refused(Exception):
    """A request that cannot be read on; the connection ends with this answer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.answer: Final = Answer(status)


@dataclass
class _Request:
    """A request as it arrives."""

    method: str = ""
    target: bytes = b""
    body: bytes = b""
    keep_alive: bool = True
    complete: bool = False
    refused: Answer | None = None


class _Parser:
    """Collects what httptools finds; one for each connection."""

    def __init__(self, application: Application, limits: ServerLimits) -> None:
        self._application = application
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._size = 0
        self._body: list[bytes] = []
        self.headers: dict[bytes, bytes] = {}
        self.request = _Request()
        self.complete: deque[tuple[_Request, dict[bytes, bytes]]] = deque()
        self.expects = False  # the peer waits for "100 Continue"

    @property
    def begun(self) -> bool:
        """Whether a request has begun and is not complete."""
        return self._size > 0

    @property
    def in_body(self) -> bool:
        """Whether the head is complete, and the body is not."""
        return self.begun and bool(self.request.method)

    def feed(self, data: bytes) -> None:
        """Take bytes from the connection.

        :raises _Refused: they are no HTTP request, or too large a one.
        """
        if not self.in_body:
            self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            if isinstance(error.__context__, _Refused):
                raise error.__context__ from None
            raise
        except httptools.HttpParserUpgrade:
            raise _Refused(HTTPStatus.NOT_IMPLEMENTED) from None
        except httptools.HttpParserError:
            raise _Refused(HTTPStatus.BAD_REQUEST) from None
        if self.begun and not self.in_body and self._size > self._limits.head:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    # --- callbacks of httptools --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.request = _Request()
        self.headers = {}
        self._body = []
        self._size = max(self._size, 1)

    def on_url(self, url: bytes) -> None:
        """Take the request target, or a piece of it."""
        self.request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a repeated one counts as a list."""
        name = name.lower()
        known = self.headers.get(name)
        if known is not None and name in (b"content-length", b"host", b"content-type"):
            raise _Refused(HTTPStatus.BAD_REQUEST)
        self.headers[name] = value if known is None else known + b", " + value

    def on_headers_complete(self) -> None:
        """Judge a request by its head."""
        request, headers = self.request, self.headers
        request.method = self._parser.get_method().decode("latin-1")
        request.keep_alive = self._parser.should_keep_alive()
        if sum(len(name) + len(value) for name, value in headers.items()) + len(request.target) > self._limits.head:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if b"transfer-encoding" in headers:  # forbidden both ways (section 9.1.9.4 of the profile)
            raise _Refused(HTTPStatus.LENGTH_REQUIRED)
        request.refused = self._application.refuse(request.method, request.target.decode("latin-1"), headers)
        length = headers.get(b"content-length")
        if length is None and request.refused is None:
            raise _Refused(HTTPStatus.LENGTH_REQUIRED)
        if int(length or 0) > self._limits.body:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self.expects = headers.get(b"expect", b"").lower() == b"100-continue"

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """A request is complete."""
        self.request.body = b"".join(self._body)
        self.complete.append((self.request, self.headers))
        self.request = _Request()
        self._body = []
        self._size = 0
        self.expects = False


class _Connection:
    """An open connection.

    :ivar scope: ends it.
    :ivar expires: when it is ended, unless something happens before; looked at every :data:`_WATCH` seconds, which
        costs less than a timeout of its own for every read and write.
    :ivar idle: whether it waits for a request.
    """

    __slots__ = ("expired", "expires", "idle", "scope", "stream")

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self.stream: Final = stream
        self.scope: Final = anyio.CancelScope()
        self.expires = math.inf
        self.expired = False
        self.idle = False


_WATCH: Final = 1.0


class Server:
    """Serves an application on a listener.

    :param application: takes the requests; :class:`~oadr_http.endpoints.Endpoints` for OpenADR.
    :param limits: what it puts up with.
    """

    def __init__(self, application: Application, limits: ServerLimits | None = None) -> None:
        self._application = application
        self._limits = limits or ServerLimits()
        self._connections: set[_Connection] = set()
        self._stopping = False
        self._empty = anyio.Event()

    @asynccontextmanager
    async def serving(self, listener: anyio.abc.Listener[anyio.abc.ByteStream]) -> AsyncIterator[None]:
        """Serve while the body runs; then stop listening, finish what is under way, and close.

        :param listener: where connections come from; it is closed at the end.
        """
        with alone():
            async with anyio.create_task_group() as connections:
                connections.start_soon(self._watch)
                try:
                    async with anyio.create_task_group() as accepting:
                        accepting.start_soon(listener.serve, self._connection, connections)
                        try:
                            yield
                        finally:
                            accepting.cancel_scope.cancel()
                finally:
                    with anyio.CancelScope(shield=True):
                        await listener.aclose()
                        await self._drain()
                    connections.cancel_scope.cancel()

    async def _drain(self) -> None:
        """Close idle connections, and give the others a while."""
        self._stopping = True
        for connection in self._connections:
            if connection.idle:
                connection.scope.cancel()
        if self._connections:
            with anyio.move_on_after(self._limits.grace):
                await self._empty.wait()

    async def _watch(self) -> None:
        """End connections on which nothing has happened for too long."""
        while True:
            await anyio.sleep(_WATCH)
            now = anyio.current_time()
            for connection in self._connections:
                if now >= connection.expires:
                    connection.expired = True
                    connection.scope.cancel()

    # --- one connection ----------------------------------------------------------------------------------------------

    async def _connection(self, stream: anyio.abc.ByteStream) -> None:
        connection = _Connection(stream)
        self._connections.add(connection)
        try:
            async with stream:
                if len(self._connections) > self._limits.connections:
                    with anyio.move_on_after(self._limits.write_timeout):
                        await stream.send(_rendered(Answer(HTTPStatus.SERVICE_UNAVAILABLE), keep_alive=False))
                else:
                    await self._serve(connection)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError):
            pass  # the peer has gone
        finally:
            self._connections.discard(connection)
            if self._stopping and not self._connections:
                self._empty.set()

    async def _serve(self, connection: _Connection) -> None:
        """Serve requests until the connection ends; refuse one that is wrong or stalls, and end the connection."""
        parser = _Parser(self._application, self._limits)
        refused: Answer | None = None
        with connection.scope:
            try:
                await self._requests(connection, parser)
            except _Refused as error:
                refused = error.answer
        if connection.expired and parser.begun:
            refused = Answer(HTTPStatus.REQUEST_TIMEOUT)
        if refused is not None:
            with anyio.move_on_after(self._limits.write_timeout):
                await connection.stream.send(_rendered(refused, keep_alive=False))
                await _linger(connection.stream)

    async def _requests(self, connection: _Connection, parser: _Parser) -> None:
        stream, limits, peer = connection.stream, self._limits, peer_of(connection.stream)
        while not self._stopping:
            if parser.complete:
                if not await self._request(connection, *parser.complete.popleft(), peer):
                    return
                continue
            patience = limits.idle_timeout
            if parser.begun:
                patience = limits.body_timeout if parser.in_body else limits.head_timeout
            connection.idle = not parser.begun
            connection.expires = anyio.current_time() + patience
            parser.feed(await stream.receive(_CHUNK))
            connection.idle = False
            if parser.expects and parser.in_body and parser.request.refused is None:
                parser.expects = False
                await stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def _request(
        self, connection: _Connection, request: _Request, headers: dict[bytes, bytes], peer: Peer
    ) -> bool:
        """Answer a request; returns whether the connection stays open."""
        answer = request.refused
        if answer is None:
            connection.expires = math.inf  # the core answers in its own time
            target = request.target.decode("latin-1")
            answer = await self._application.answer(target, headers, request.body, peer)
        keep_alive = request.keep_alive and not self._stopping
        connection.expires = anyio.current_time() + self._limits.write_timeout
        await connection.stream.send(_rendered(answer, keep_alive=keep_alive))
        return keep_alive


def _rendered(answer: Answer, *, keep_alive: bool) -> bytes:
    """The bytes of a response."""
    head = b"".join([b"%b: %b\r\n" % one for one in answer.headers])
    tail = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
    return b"".join((_STATUS_LINES[answer.status], head, tail, answer.body))


async def _linger(stream: anyio.abc.ByteStream) -> None:
    """Read what the peer is still sending, for a moment: closing at once would destroy the answer on its way."""
    with suppress(anyio.EndOfStream), anyio.move_on_after(2.0):
        if isinstance(stream, anyio.abc.SocketStream):
            await stream.send_eof()
        for _ in range(64):
            await stream.receive(_CHUNK)


def peer_of(stream: anyio.abc.ByteStream) -> Peer:
    """Who is at the other end, as far as the connection tells."""
    address = stream.extra(anyio.abc.SocketAttribute.remote_address, "")
    text = address if isinstance(address, str) else f"{address[0]}:{address[1]}"
    return Peer("simpleHttp", None, text)

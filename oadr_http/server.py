"""A small HTTP/1.1 server for the endpoints: limits and timeouts on everything, and a graceful end.

The request parser is llhttp, by way of httptools. Servers that speak ASGI hide the client's certificate, which is the
identity of a VEN; this one will hand it on.
"""


from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import anyio
import anyio.abc
import httptools

from oadr_core import Peer
from oadr_http.endpoints import Answer, Endpoints


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


_REASONS: Final = {one: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode() for one in HTTPStatus}
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

    def __init__(self, endpoints: Endpoints, limits: ServerLimits) -> None:
        self._endpoints = endpoints
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
        request.refused = self._endpoints.refuse(request.method, request.target.decode("latin-1"), headers)
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


class Server:
    """Serves endpoints on a listener.

    :param endpoints: takes the requests.
    :param limits: what it puts up with.
    """

    def __init__(self, endpoints: Endpoints, limits: ServerLimits | None = None) -> None:
        self._endpoints = endpoints
        self._limits = limits or ServerLimits()
        self._open = 0
        self._busy = 0
        self._idle: set[anyio.CancelScope] = set()
        self._stopping = False
        self._quiet = anyio.Event()

    @asynccontextmanager
    async def serving(self, listener: anyio.abc.Listener[anyio.abc.ByteStream]) -> AsyncIterator[None]:
        """Serve while the body runs; then stop listening, finish what is under way, and close.

        :param listener: where connections come from; it is closed at the end.
        """
        async with anyio.create_task_group() as connections:
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
        self._stopping = True
        for idle in list(self._idle):
            idle.cancel()
        if self._busy:
            with anyio.move_on_after(self._limits.grace):
                await self._quiet.wait()

    # --- one connection ----------------------------------------------------------------------------------------------

    async def _connection(self, stream: anyio.abc.ByteStream) -> None:
        self._open += 1
        try:
            async with stream:
                if self._open > self._limits.connections:
                    await self._send(stream, Answer(HTTPStatus.SERVICE_UNAVAILABLE), keep_alive=False)
                else:
                    await self._requests(stream)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError):
            pass  # the peer has gone
        finally:
            self._open -= 1

    async def _requests(self, stream: anyio.abc.ByteStream) -> None:
        parser = _Parser(self._endpoints, self._limits)
        peer = peer_of(stream)
        keep_alive = True
        while keep_alive and not self._stopping:
            if parser.complete:
                keep_alive = await self._request(stream, *parser.complete.popleft(), peer)
                continue
            try:
                data = await self._receive(stream, parser)
                if not data:
                    return
                parser.feed(data)
                if parser.expects and parser.in_body and parser.request.refused is None:
                    parser.expects = False
                    await stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            except _Refused as refused:
                await self._send(stream, refused.answer, keep_alive=False)
                await self._linger(stream)
                return

    async def _receive(self, stream: anyio.abc.ByteStream, parser: _Parser) -> bytes:
        """Wait for bytes, as long as it is reasonable in this state of the request.

        :returns: nothing where the connection ends, or has been silent for long enough.
        :raises _Refused: a request has begun, and does not go on.
        """
        limits = self._limits
        timeout = limits.body_timeout if parser.in_body else limits.head_timeout if parser.begun else limits.idle_timeout
        with anyio.move_on_after(timeout) as scope:
            if not parser.begun:
                self._idle.add(scope)
            try:
                return await stream.receive(_CHUNK)
            except anyio.EndOfStream:
                return b""
            finally:
                self._idle.discard(scope)
        if parser.begun:
            raise _Refused(HTTPStatus.REQUEST_TIMEOUT)
        return b""

    async def _request(
        self, stream: anyio.abc.ByteStream, request: _Request, headers: dict[bytes, bytes], peer: Peer
    ) -> bool:
        """Answer a request; returns whether the connection stays open."""
        self._busy += 1
        try:
            answer = request.refused
            if answer is None:
                target = request.target.decode("latin-1")
                answer = await self._endpoints.answer(target, headers, request.body, peer)
            keep_alive = request.keep_alive and not self._stopping
            await self._send(stream, answer, keep_alive=keep_alive)
            return keep_alive
        finally:
            self._busy -= 1
            if not self._busy and self._stopping:
                self._quiet.set()

    async def _send(self, stream: anyio.abc.ByteStream, answer: Answer, *, keep_alive: bool) -> None:
        head = b"".join((_REASONS[answer.status], *(b"%b: %b\r\n" % one for one in answer.headers)))
        tail = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
        with anyio.move_on_after(self._limits.write_timeout) as scope:
            await stream.send(head + tail + answer.body)
        if scope.cancelled_caught:
            raise anyio.BrokenResourceError

    async def _linger(self, stream: anyio.abc.ByteStream) -> None:
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



"""A small HTTP/1.1 server for the endpoints: limits and timeouts on everything, and a graceful end.

Servers that speak ASGI hide the client's certificate, which is the identity of a VEN; this one hands it on.
"""

import asyncio
import math
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, Protocol

import anyio
import anyio.abc

from oadr_core import Peer
from oadr_driver.damping import Damper
from oadr_driver.groups import alone
from oadr_driver.logs import logger
from oadr_driver.tls_errors import reason
from oadr_http.endpoints import COME_BACK, Answer
from oadr_http.parser import Headers, Parser, Request, Stage
from oadr_http.tls_stream import TlsStream

_LOG: Final = logger("oadr.http")


@dataclass(frozen=True)
class ServerLimits:
    """What the server puts up with.

    :param connections: open at a time; further ones are told to come back later.
    :param connections_per_address: of these from one address; where a proxy stands in front, all come from there.
    :param requests_per_ven: requests a second of a VEN, by its certificate, over all its connections; further ones are
        told to come back later. After a while without any ten seconds' worth may come at once. ``math.inf`` is any
        number.
    :param requests_per_address: the same for all from one address that show no certificate.
    :param handshakes: connections on which TLS is being agreed on at a time; where there are more, the oldest of them
        is closed, as peers that are in earnest take less than a second for it.
    :param head: bytes of request line and headers.
    :param headers: how many headers there may be.
    :param body: bytes of a body, and so of a document.
    :param tags: opening and closing tags of a document.
    :param bodies: bytes of all bodies that are arriving or being answered; further ones are told to come back later.
    :param handshake_timeout: seconds for TLS to be agreed on.
    :param head_timeout: seconds for the whole of a head to arrive, once it has begun.
    :param body_timeout: seconds for the whole of a body to arrive, once its head is there.
    :param idle_timeout: seconds that a connection may be silent between requests.
    :param write_timeout: seconds for a response to leave.
    :param grace: seconds that requests under way are given when the server stops.
    :param vens: how many VENs may be registered; further ones are refused with 469.
    :param new_vens: how many that show no certificate may register from one address at once, and again in the course of
        an hour; further ones are refused with 469.
    :param undecided: how many requests of a VEN may wait for the handlers of the application; further ones are told to
        come back later.
    :param untold: how much of a VEN may wait to be told to the application; whatever brings more of it is told to come
        back later.
    :param offered: bytes that the reports that a VEN offers may take up; more are refused with 469.
    :param opts: bytes that the opts of a VEN may take up; more are refused with 469.
    :param requested: bytes that the report requests of a VEN may take up; more are refused with 469.
    :param report_requests: how many report requests of a VEN are served at a time; more are refused with 469.
    :param unsent: how many reports for a VEN are kept until it has them; the oldest are dropped beyond.
    :param queued: how many operations may wait for a VEN; the application can ask it for no more.
    """

    connections: int = 10_000
    connections_per_address: int = 1000
    requests_per_ven: float = 50.0
    requests_per_address: float = 1000.0
    handshakes: int = 1000
    head: int = 16 * 1024
    headers: int = 100
    body: int = 2 * 1024 * 1024
    tags: int = 150_000
    bodies: int = 256 * 1024 * 1024
    handshake_timeout: float = 10.0
    head_timeout: float = 10.0
    body_timeout: float = 60.0
    idle_timeout: float = 75.0
    write_timeout: float = 30.0
    grace: float = 10.0
    vens: int = 100_000
    new_vens: int = 1000
    undecided: int = 32
    untold: int = 1000
    offered: int = 1024 * 1024
    opts: int = 256 * 1024
    requested: int = 2 * 1024 * 1024
    report_requests: int = 16
    unsent: int = 100
    queued: int = 1000


class Application(Protocol):
    """What takes requests."""

    def refuse(self, method: str, path: str, headers: Mapping[bytes, bytes], peer: Peer) -> Answer | None:
        """Refuse a request by its head, or say that its body may come."""
        ...

    async def answer(self, path: str, headers: Mapping[bytes, bytes], body: bytes, peer: Peer) -> Answer:
        """Take a request that :meth:`refuse` has let in."""
        ...


_STATUS_LINES: Final = {one: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode() for one in HTTPStatus}
_CHUNK: Final = 64 * 1024

_LONGEST_WATCH: Final = 1.0
"""Seconds between looks at the connections at most; a timeout is noticed so much later."""

_ACCEPT_PAUSE: Final = 0.5
"""Seconds before connections are accepted again, where the system has no means for more."""

_LINGER: Final = 2.0
"""Seconds to wait until a peer that is refused stops sending."""


class _Connection:
    """An open connection.

    :ivar stream: the bytes, out of TLS where that is spoken.
    :ivar identity: the fingerprint of the certificate that the peer has shown, if it has.
    :ivar scope: ends it.
    :ivar stage: what it is at.
    :ivar patience: how many seconds it may be at that.
    :ivar expires: when it is ended, unless it has come to another stage before; None until somebody has looked at it
        there, which happens now and then. That costs less than a timeout of its own for every read and write, and less
        than a look at the clock.
    :ivar expired: whether it was ended for that.
    :ivar reserved: bytes that it may take up, of those that all may take up together.
    """

    __slots__ = ("expired", "expires", "identity", "patience", "reserved", "scope", "stage", "stream")

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self.stream = stream
        self.identity: str | None = None
        self.scope = anyio.CancelScope()
        self.stage: Stage | None = None
        self.patience = math.inf
        self.expires: float | None = None
        self.expired = False
        self.reserved = 0

    def enter(self, stage: Stage, patience: float) -> None:
        """Come to a stage, or stay at it: a peer that sends a byte now and then gains no time."""
        if stage is not self.stage:
            self.stage, self.patience, self.expires = stage, patience, None

    def is_over(self, now: float) -> bool:
        """Look at it: whether it has been at its stage for too long since it was first seen there."""
        if self.expires is None:
            self.expires = now + self.patience
        return now >= self.expires


class Server:
    """Serves an application on a listener.

    :param application: takes the requests; :class:`~oadr_http.endpoints.Endpoints` for OpenADR.
    :param limits: what it puts up with.
    :param tls: how TLS is spoken, asked for each connection; plain HTTP is spoken if None.
    :param knows: tells the certificates, in DER, of those who may be there; who shows another one has shown none. Any
        that the CAs vouch for if None.
    """

    def __init__(
        self,
        application: Application,
        limits: ServerLimits | None = None,
        *,
        tls: Callable[[], ssl.SSLContext] | None = None,
        knows: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._application = application
        self._limits = limits or ServerLimits()
        self._tls = tls
        self._knows = knows
        self._handshakes: dict[_Connection, None] = {}  # the oldest first
        self._damper = Damper()
        self._connections: set[_Connection] = set()
        self._of_address: Counter[str] = Counter()  # how many of these come from each
        self._reserved = 0
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
                        accepting.start_soon(self._accept, listener, connections)
                        try:
                            yield
                        finally:
                            accepting.cancel_scope.cancel()
                finally:
                    with anyio.CancelScope(shield=True):
                        await listener.aclose()
                        await self._drain()
                    connections.cancel_scope.cancel()

    async def _accept(
        self, listener: anyio.abc.Listener[anyio.abc.ByteStream], connections: anyio.abc.TaskGroup
    ) -> None:
        """Accept connections; where the system has no means for one more, try again when others may have ended."""
        while True:
            try:
                await listener.serve(self._connection, connections)
            except* (OSError, anyio.BrokenResourceError) as errors:
                _LOG.error("no connection can be accepted at present: %s", errors.exceptions[0])
            await anyio.sleep(_ACCEPT_PAUSE)

    async def _drain(self) -> None:
        """Close idle connections, and give the others a while."""
        self._stopping = True
        for connection in self._connections:
            if connection.stage in (Stage.IDLE, Stage.HANDSHAKE):
                connection.scope.cancel()
        if self._connections:
            with anyio.move_on_after(self._limits.grace):
                await self._empty.wait()

    async def _watch(self) -> None:
        """End connections that have been at one thing for too long."""
        limits = self._limits
        shortest = min(
            limits.handshake_timeout,
            limits.head_timeout,
            limits.body_timeout,
            limits.idle_timeout,
            limits.write_timeout,
        )
        while True:
            await anyio.sleep(min(_LONGEST_WATCH, shortest / 4))
            now = anyio.current_time()
            for connection in self._connections:
                if connection.is_over(now):
                    connection.expired = True
                    connection.scope.cancel()

    # --- one connection ----------------------------------------------------------------------------------------------

    async def _connection(self, stream: anyio.abc.ByteStream) -> None:
        _read_on_demand(stream)
        connection = _Connection(stream)
        address = peer_of(stream).host
        self._connections.add(connection)
        self._of_address[address] += 1
        try:
            async with stream:
                if self._is_within(address):
                    await self._secure_and_serve(connection)
                elif self._tls is None and self._is_within(address, beyond=True):
                    await self._refuse(stream, Answer(HTTPStatus.SERVICE_UNAVAILABLE, headers=COME_BACK))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError):
            pass  # the peer has gone
        except Exception:  # what ends one connection must not end the others
            _LOG.exception("a connection has failed")
        finally:
            self._connections.discard(connection)
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]
            self._reserved -= connection.reserved
            if self._stopping and not self._connections:
                self._empty.set()

    def _is_within(self, address: str, *, beyond: bool = False) -> bool:
        """Whether there are not too many connections, in all and from an address; or a few more, to be refused."""
        most, most_of_address = self._limits.connections, self._limits.connections_per_address
        if beyond:
            most, most_of_address = most * 9 // 8 + 8, most_of_address * 9 // 8 + 8
        return len(self._connections) <= most and self._of_address[address] <= most_of_address

    async def _secure_and_serve(self, connection: _Connection) -> None:
        """Agree on TLS, where it is spoken, and serve the connection."""
        if self._tls is None:
            await self._serve(connection)
            return
        stream = TlsStream(connection.stream, self._tls())
        with connection.scope:
            if await self._handshake(connection, stream):
                connection.stream, connection.identity = stream, self._identity(stream)
        if connection.stream is stream:
            connection.scope, connection.stage = anyio.CancelScope(), None
            async with stream:
                await self._serve(connection)
        elif connection.expired:
            self._tell_no_tls(stream, "the handshake takes too long")

    def _identity(self, stream: TlsStream) -> str | None:
        """The fingerprint of the certificate that the peer has shown, if it is one of those that may be."""
        certificate = stream.certificate
        if certificate is None or self._knows is None or self._knows(certificate):
            return stream.fingerprint
        self._tell_no_tls(stream, f"its certificate, {stream.fingerprint}, is not one of those that are expected here")
        return None

    async def _handshake(self, connection: _Connection, stream: TlsStream) -> bool:
        """Agree on TLS; of too many that try, the oldest goes."""
        self._handshakes[connection] = None
        if len(self._handshakes) > self._limits.handshakes:
            next(iter(self._handshakes)).scope.cancel()
        connection.enter(Stage.HANDSHAKE, self._limits.handshake_timeout)
        try:
            await stream.handshake()
        except ssl.SSLError as error:
            self._tell_no_tls(stream, reason(error) or str(error))
        except (anyio.BrokenResourceError, anyio.EndOfStream):
            self._tell_no_tls(stream, "it went away during the handshake; perhaps it does not take our certificate")
            return False
        else:
            return True
        finally:
            del self._handshakes[connection]
        connection.expires = math.inf
        await _linger(connection.stream)  # until the peer has the alert
        return False

    def _tell_no_tls(self, stream: anyio.abc.ByteStream, why: str) -> None:
        """Tell the operator why a peer cannot come in; not each time, as anybody can cause it."""
        address = peer_of(stream).host
        if self._damper.lets((address, why)):
            _LOG.warning("no TLS with %s: %s", address, why)

    async def _serve(self, connection: _Connection) -> None:
        """Serve requests until the connection ends; refuse one that is wrong or stalls, and end the connection."""
        refused: Answer | None = None
        with connection.scope:
            refused = await self._requests(connection)
        if connection.expired and connection.stage in (Stage.HEAD, Stage.BODY):
            refused = Answer(HTTPStatus.REQUEST_TIMEOUT)
        if refused is not None:
            connection.stage, connection.expires = Stage.WRITE, math.inf
            await self._refuse(connection.stream, refused)

    async def _requests(self, connection: _Connection) -> Answer | None:
        """Serve requests until no more can be served; returns what is to be said at last, if anything."""
        stream, peer = connection.stream, peer_of(connection.stream, connection.identity)
        parser = self._parser(peer)
        patience = {
            Stage.IDLE: self._limits.idle_timeout,
            Stage.HEAD: self._limits.head_timeout,
            Stage.BODY: self._limits.body_timeout,
        }
        while True:
            if parser.complete:
                if not await self._request(connection, *parser.complete.popleft(), peer):
                    return None
                continue
            if parser.wrong is not None:
                return parser.wrong
            if self._stopping and parser.stage is Stage.IDLE:
                return None
            if not self._reserve(connection, parser.awaited):
                return Answer(HTTPStatus.SERVICE_UNAVAILABLE, headers=COME_BACK)
            connection.enter(parser.stage, patience[parser.stage])
            if parser.expects:
                parser.expects = False
                await stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            parser.feed(await stream.receive(_CHUNK))

    def _reserve(self, connection: _Connection, size: int) -> bool:
        """Give a connection memory for a body, or take it back; tell whether there is enough."""
        more = size - connection.reserved
        if more > 0 and self._reserved + more > self._limits.bodies:
            return False
        self._reserved += more
        connection.reserved = size
        return True

    def _parser(self, peer: Peer) -> Parser:
        limits, refuse = self._limits, self._application.refuse
        return Parser(
            lambda method, path, headers: refuse(method, path, headers, peer),
            longest_head=limits.head,
            longest_body=limits.body,
            most_headers=limits.headers,
        )

    async def _request(self, connection: _Connection, request: Request, headers: Headers, peer: Peer) -> bool:
        """Answer a request; returns whether the connection stays open."""
        answer = request.refused
        if answer is None:
            connection.enter(Stage.ANSWER, math.inf)  # the core answers in its own time
            target = request.target.decode("latin-1")
            answer = await self._application.answer(target, headers, request.body, peer)
        keep_alive = request.keep_alive and not self._stopping
        connection.enter(Stage.WRITE, self._limits.write_timeout)
        await connection.stream.send(_rendered(answer, keep_alive=keep_alive, version=request.version))
        connection.stage = None
        return keep_alive

    async def _refuse(self, stream: anyio.abc.ByteStream, answer: Answer) -> None:
        """Send the last answer of a connection, and see that it arrives."""
        with anyio.move_on_after(self._limits.write_timeout):
            await stream.send(_rendered(answer, keep_alive=False))
            await _linger(stream)


def _read_on_demand(stream: anyio.abc.ByteStream) -> None:
    """Have a connection read no further than is asked for, so that what a peer sends ahead waits in the system.

    With asyncio, anyio reads from the beginning, and stops once somebody has waited for more than is there: a peer that
    sends faster than it is heard would have the process buffer all of it. With trio it reads on demand by itself.
    """
    transport = getattr(stream, "_transport", None)
    if isinstance(transport, asyncio.ReadTransport):
        with suppress(RuntimeError):  # it is closing
            transport.pause_reading()


_date = (0, b"")  # the second it was made for, and the line


def _date_line() -> bytes:
    """The Date header, which a server with a clock sends (RFC 9110, section 6.6.1); made once a second."""
    global _date
    second = int(time.time())
    if _date[0] != second:
        _date = (second, f"date: {formatdate(second, usegmt=True)}\r\n".encode())
    return _date[1]


def _rendered(answer: Answer, *, keep_alive: bool, version: str = "1.1") -> bytes:
    """The bytes of a response."""
    head = b"".join([b"%b: %b\r\n" % one for one in answer.headers])
    tail = b"\r\n"
    if not keep_alive:
        tail = b"connection: close\r\n\r\n"
    elif version == "1.0":
        tail = b"connection: keep-alive\r\n\r\n"
    return b"".join((_STATUS_LINES[answer.status], _date_line(), head, tail, answer.body))


async def _linger(stream: anyio.abc.ByteStream) -> None:
    """Read what the peer is still sending, for a moment: closing at once would destroy the answer on its way."""
    with suppress(anyio.EndOfStream), anyio.move_on_after(_LINGER):
        if isinstance(stream, anyio.abc.SocketStream | TlsStream):
            await stream.send_eof()
        for _ in range(64):
            await stream.receive(_CHUNK)


def peer_of(stream: anyio.abc.ByteStream, identity: str | None = None) -> Peer:
    """Who is at the other end.

    :param stream: the connection.
    :param identity: the fingerprint of the certificate that was shown there, if one was.
    """
    address = stream.extra(anyio.abc.SocketAttribute.remote_address, "")
    text = address if isinstance(address, str) else f"{address[0]}:{address[1]}"
    return Peer("simpleHttp", identity, text)

"""A connection to an XMPP server that is made again whenever it breaks (sections 9.3.4.5 to 9.3.4.7 of the profile)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import anyio
from slixmpp.exceptions import IqError, IqTimeout

from oadr_core import Failure, printable
from oadr_driver.damping import Damper
from oadr_driver.groups import alone
from oadr_driver.logs import logger
from oadr_driver.tls_errors import reason
from oadr_xmpp.exchanges import Exchanges
from oadr_xmpp.limits import XmppLimits
from oadr_xmpp.places import Place, places
from oadr_xmpp.stream import NO_TLS, UNREACHABLE, RawStream

_LOG: Final = logger("oadr.xmpp")

_SHORTEST_WAIT: Final = 1.0
"""Seconds before the first try to connect again; twice as long each time."""

_MANY: Final = 20
"""So many setbacks that it takes longest to try again."""

_TO_CONNECT: Final = 5.0
"""Seconds that a place is given to take a connection while there are others to try."""

_TO_LEAVE: Final = 2.0
"""Seconds that the server is given to confirm the end of a stream."""


class Session:
    """Keeps one stream connected while it is open.

    :param stream: the stream; it is used again after each break, so that its session can be resumed.
    :param address: host and port of the server; None to look it up by the domain before each try to connect.
    :param limits: how patient it is.
    :param present: whether others are told that we are there, by presence (section 9.3.4.5).
    :param entropy: the source of jitter.
    :param exchanges: what is under way over the stream, and perhaps over others; what is ours is given up when its
        session ends.
    :param before: is called before each try to connect.
    """

    def __init__(
        self,
        stream: RawStream,
        address: tuple[str, int] | None,
        *,
        limits: XmppLimits,
        present: bool,
        entropy: Random,
        exchanges: Exchanges,
        before: Callable[[], None] | None = None,
    ) -> None:
        self._exchanges = exchanges
        self._stream = stream
        self._given = None if address is None else Place(*address)
        self._place: Place | None = self._given
        self._limits = limits
        self._present = present
        self._entropy = entropy
        self._before = before
        self._damper = Damper()
        self._online = False
        self._leaving = False
        self._displaced = False  # by somebody who has logged in with our JID
        self._connected = asyncio.Event()  # set when a connection is made, before anything is said
        self._reached = asyncio.Event()  # set while we are online
        self._over = asyncio.Event()  # set when a try to connect, or a connection, is over
        self._on_start: list[Callable[[], None]] = []
        self._on_online: list[Callable[[], None]] = []
        for name, handler in (
            ("connected", lambda _: self._connected.set()),
            ("session_start", self._started),
            ("session_resumed", self._resumed),
            ("session_end", self._ended),
            ("disconnected", self._disconnected),
            ("connection_failed", self._not_connected),
            (UNREACHABLE, self._unreachable),
            ("failed_all_auth", self._refused),
            ("ssl_invalid_chain", self._no_tls),
            (NO_TLS, self._no_tls_offered),
            ("stream_error", self._stream_error),
        ):
            stream.add_event_handler(name, handler)

    @property
    def online(self) -> bool:
        """Whether stanzas can be sent at present."""
        return self._online

    @property
    def jid(self) -> str:
        """Our JID, as the server has bound it."""
        return str(self._stream.boundjid)

    def on_start(self, told: Callable[[], None]) -> None:
        """Have something told whenever a session begins; at once where one has."""
        self._on_start.append(told)
        if self._online:
            told()

    def on_online(self, told: Callable[[], None]) -> None:
        """Have something told whenever we are online, by a new session or the one of before; at once where we are."""
        self._on_online.append(told)
        if self._online:
            told()

    async def reached(self) -> None:
        """Wait until we are online."""
        await self._reached.wait()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Be connected while the body runs, or try to be."""
        with alone():
            async with anyio.create_task_group() as group:
                group.start_soon(self._stay_connected)
                group.start_soon(self._ping)
                try:
                    yield
                finally:
                    group.cancel_scope.cancel()
                    with anyio.CancelScope(shield=True):
                        await self._leave()

    # --- staying connected -------------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        setbacks = 0
        while True:
            if await self._connect() > self._limits.longest_wait:
                setbacks = 0  # what breaks at once, time and again, is not tried again at once for ever
            setbacks = _MANY if self._displaced else setbacks + 1
            self._displaced = False
            longest = min(self._limits.longest_wait, _SHORTEST_WAIT * 2.0 ** min(setbacks - 1, _MANY))
            await anyio.sleep(longest * self._entropy.uniform(0.5, 1.0))

    async def _connect(self) -> float:
        """Be connected to the first place that lets us in; returns how many seconds that has lasted."""
        domain = self._stream.default_domain
        found = [self._given] if self._given is not None else await places(domain, self._entropy)
        if not found and self._damper.lets("nowhere"):
            _LOG.error("%s has no XMPP server: the DNS says so, by an SRV record without a target", domain)
        for number, place in enumerate(found, 1):
            lasted = await self._stay_at(place, others=number < len(found))
            if lasted is not None:
                return lasted
        return 0.0

    async def _stay_at(self, place: Place, *, others: bool) -> float | None:
        """Be connected to a place; returns how many seconds that has lasted, or None if we were not let in.

        :param place: where the server may be.
        :param others: whether there are others to try, so that it has to take the connection soon.
        """
        self._place = place
        self._over.clear()
        self._connected.clear()
        if self._before is not None:
            self._before()
        self._stream.reach(place)
        with anyio.move_on_after(self._limits.login_timeout):
            with anyio.move_on_after(_TO_CONNECT if others else None):
                await self._first_of(self._connected, self._over)
            if self._connected.is_set():
                await self._first_of(self._reached, self._over)
        lasted = None
        if self._online:
            began = anyio.current_time()
            await self._over.wait()
            lasted = anyio.current_time() - began
        elif not self._over.is_set():
            what = "let us in" if self._connected.is_set() else "take a connection"
            _LOG.warning("%s does not %s in time", place, what)
        await self._stream.hang_up()
        return lasted

    @staticmethod
    async def _first_of(*events: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(one.wait()) for one in events]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def _ping(self) -> None:
        """Find out whether the connection still works (XEP-0199)."""
        while True:
            await anyio.sleep(self._limits.ping)
            await self.works()

    async def works(self) -> bool:
        """Whether the connection works; one that does not is made again."""
        if not self._online:
            return False
        stream = self._stream
        connection = stream.transport
        try:
            await stream.ping_server(self._limits.answer_timeout)
        except IqTimeout:
            if stream.transport is connection:  # and not one that was made meanwhile
                _LOG.warning("the connection to %s is dead, and is made again", self._server)
                stream.abort()
            return False
        except IqError:
            pass  # an answer all the same
        return True

    async def _leave(self) -> None:
        """Say that we go, and go."""
        self._leaving = True
        await self._exchanges.close()
        if self._online:
            if self._present:
                self._stream.send_presence(ptype="unavailable")
            await self._stream.disconnect(_TO_LEAVE)
        await self._stream.end()

    # --- what the stream tells ---------------------------------------------------------------------------------------

    @property
    def _server(self) -> str:
        return str(self._place or self._stream.default_domain)

    def _started(self, _: Any) -> None:
        self._be_online()
        if self._present:
            self._stream.send_presence()
        _LOG.info("connected to %s as %s", self._server, self.jid)
        for told in self._on_start:
            told()

    def _resumed(self, _: Any) -> None:
        self._be_online()
        _LOG.info("connected to %s again, and the session goes on", self._server)

    def _be_online(self) -> None:
        self._online = True
        self._reached.set()
        for told in self._on_online:
            told()

    def _ended(self, _: Any) -> None:
        self._exchanges.fail_all(Failure.BROKEN)

    def _disconnected(self, why: object) -> None:
        if self._online and not self._leaving:
            _LOG.warning("the connection to %s is lost%s", self._server, f": {why}" if why else "")
        self._online = False
        self._reached.clear()
        self._over.set()

    def _stream_error(self, error: Any) -> None:
        """The server ends the stream, and says why: a stanza that is too large, or the JID that is in use elsewhere."""
        condition, text = str(error["condition"]), str(error["text"])
        self._displaced = condition == "conflict"
        if self._damper.lets(("stream", condition)):
            _LOG.error("%s ends the stream of %s: %s %s", self._server, self.jid, condition, printable(text))

    def _not_connected(self, error: object) -> None:
        if isinstance(error, ssl.SSLError):  # where TLS begins at once
            self._no_tls(error)

    def _unreachable(self, _: Any) -> None:
        if not self._over.is_set() and self._damper.lets(("unreachable", self._place)):
            _LOG.warning("%s cannot be reached", self._server)
        self._over.set()

    def _refused(self, _: Any) -> None:
        if self._damper.lets(("refused", self._place)):
            _LOG.error("%s does not let %s log in", self._server, self._stream.requested_jid.bare)

    def _no_tls_offered(self, _: Any) -> None:
        if self._damper.lets(("tls", self._place)):
            _LOG.error("%s offers no TLS, and nothing is said to it without", self._server)

    def _no_tls(self, error: Exception) -> None:
        if self._damper.lets(("tls", self._place)):
            _LOG.error("no TLS with %s: %s", self._server, reason(error) or error)
        self._over.set()

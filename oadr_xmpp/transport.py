"""XMPP as a way to the VTN, and to VENs."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeAlias

import anyio
import sniffio
from slixmpp import JID, InvalidJID

from oadr_core import Failure, LocalProtocolError, Peer, Service, Transmit, TransportName, printable
from oadr_driver.damping import Damper
from oadr_driver.logs import logger
from oadr_driver.transport import Carrier, ExchangeFailed, LooseCarrier, Receiver, VenReceiver
from oadr_xmpp.discovery import announce, find_services, is_there, list_services
from oadr_xmpp.limits import XmppLimits
from oadr_xmpp.link import Link, Serve
from oadr_xmpp.login import XmppClient, XmppComponent, checked_jid
from oadr_xmpp.session import Session
from oadr_xmpp.stream import RawStream

_LOG: Final = logger("oadr.xmpp")

_GRACE: Final = 10.0
"""Seconds that requests under way are given at the end."""

_MOST_REMEMBERED: Final = 100_000
"""How many VENs it is remembered of where they were last heard from."""

Login: TypeAlias = XmppClient | XmppComponent
"""How one gets onto a server."""


class _Connected:
    """What is there while a transport is open.

    :param login: how to get onto the server.
    :param limits: what it puts up with.
    :param present: whether others are told that we are there.
    """

    def __init__(self, login: Login, limits: XmppLimits, *, present: bool) -> None:
        if sniffio.current_async_library() != "asyncio":
            raise LocalProtocolError(
                "XMPP runs on asyncio, as slixmpp does: use asyncio.run, or anyio.run(…, backend='asyncio')"
            )
        self.stream: Final[RawStream] = login.stream(limits)
        self.session: Final = Session(
            self.stream,
            login.address,
            limits=limits,
            present=present,
            entropy=random.SystemRandom(),
            before=lambda: login.renew(self.stream),
        )
        self.link: Final[Link] = self.session.link

    async def reached(self, patience: float) -> None:
        """Wait for a connection.

        :raises ExchangeFailed: there is none in time.
        """
        if self.session.online:
            return
        with anyio.move_on_after(patience):
            await self.session.reached()
            return
        raise ExchangeFailed(Failure.UNREACHABLE)

    @asynccontextmanager
    async def serving(self, serve: Serve) -> AsyncIterator[None]:
        """Have requests taken while the body runs; then take no more, and finish what is under way."""
        self.link.serve(serve)
        try:
            yield
        finally:
            self.link.serve(None)
            with anyio.move_on_after(_GRACE, shield=True):
                await self.link.finished()


class _Way:
    """A way to somebody that is there while it is open.

    :param limits: what it puts up with; as :class:`XmppLimits` comes if None.
    """

    def __init__(self, limits: XmppLimits | None) -> None:
        self._limits = limits or XmppLimits()
        self._connected: _Connected | None = None
        self._damper = Damper()

    @asynccontextmanager
    async def _open(self, connected: _Connected) -> AsyncIterator[None]:
        announce(connected.stream)
        async with connected.session.open():
            self._connected = connected
            try:
                yield
            finally:
                self._connected = None

    def _while_open(self) -> _Connected:
        assert self._connected is not None, "serving is for while it is open"
        return self._connected


class XmppToVtn(_Way):
    """The way of a VEN to its VTN, and of the VTN to it.

    :param login: the client that the VEN is.
    :param vtn: where the services of the VTN are found: its domain or its JID. The domain that is logged in to if None.
    :param limits: what it puts up with; as :class:`XmppLimits` comes if None.
    :raises LocalProtocolError: ``vtn`` is no address.
    """

    def __init__(self, login: XmppClient, *, vtn: str | None = None, limits: XmppLimits | None = None) -> None:
        super().__init__(limits)
        self._login = login
        self._vtn = None if vtn is None else checked_jid(vtn, "vtn.oadr.example")
        self._services: Mapping[Service, Any] = {}
        self._looked = False  # whether they were looked for in this session
        self._looking = asyncio.Lock()

    def by_hand(self) -> LooseCarrier:
        """A carrier for single requests.

        :raises LocalProtocolError: always: a VEN has to be there all the time, as it is pushed to.
        """
        raise LocalProtocolError("over XMPP, where there are no polls, a VEN runs by itself: leave auto_polling on")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Carrier]:
        """Be connected while the body runs; see :class:`~oadr_driver.transport.Transport`."""
        connected = _Connected(self._login, self._limits, present=True)
        connected.session.on_start(self._look_again)
        async with self._open(connected):
            yield self

    @asynccontextmanager
    async def serving(self, receiver: VenReceiver) -> AsyncIterator[None]:
        """Take what the VTN pushes; see :class:`~oadr_driver.transport.VenTransport`."""

        async def take(body: bytes, sender: Any) -> tuple[Failure | None, bytes]:
            if sender.bare not in self._vtn_addresses():
                if not self._looked:  # it may be the VTN, and what we refused it would not send again
                    return Failure.BUSY, b""
                if self._damper.lets(("stranger", sender.bare)):
                    _LOG.warning("%s is not the VTN, and is not listened to", printable(str(sender)))
                return Failure.FORBIDDEN, b""
            return await receiver.receive(body, _peer(sender), None)

        connected = self._while_open()
        async with connected.serving(take):
            connected.session.on_start(receiver.reached_at)
            yield

    def _vtn_addresses(self) -> set[str]:
        """The bare addresses that the VTN pushes from: those of its services, and its own."""
        known = {jid.bare for jid in self._services.values()}
        return known if self._vtn is None else known | {self._vtn.bare}

    # --- our requests ------------------------------------------------------------------------------------------------

    async def exchange(self, transmit: Transmit, body: bytes) -> bytes:
        """Send a request to the VTN; see :class:`~oadr_driver.transport.Carrier`."""
        connected = self._connected
        if connected is None:
            raise ExchangeFailed(Failure.UNREACHABLE)
        with _patience(transmit.timeout):
            return await self._ask(connected, transmit, body)

    async def _ask(self, connected: _Connected, transmit: Transmit, body: bytes) -> bytes:
        timeout = min(transmit.timeout, self._limits.answer_timeout)
        await connected.reached(timeout)
        to = await self._address(transmit.service, connected)
        try:
            return await connected.link.request(to, body, timeout)
        except ExchangeFailed as error:
            # some servers forbid what they cannot deliver, and only the VTN may refuse us for good
            if error.why is Failure.FORBIDDEN and not await is_there(connected.stream, to, timeout):
                raise ExchangeFailed(Failure.UNREACHABLE) from None
            if error.why is Failure.UNREACHABLE:
                self._looked = False  # it may be somewhere else by now
            raise

    def _look_again(self, _: str) -> None:
        self._looked = False

    async def _address(self, service: Service, connected: _Connected) -> Any:
        """Where a service is (rule 515)."""
        async with self._looking:
            if not self._looked:
                domain = self._login.domain if self._vtn is None else str(self._vtn)
                found = await find_services(connected.stream, domain, self._limits.answer_timeout)
                if found:
                    self._services, self._looked = found, True
                elif self._vtn is None and not self._services:  # else it is perhaps away just now
                    self._tell_nothing_found(domain)
                    raise ExchangeFailed(Failure.UNREACHABLE)
        if not self._services:
            return self._vtn
        jid = self._services.get(service)
        if jid is None:
            raise ExchangeFailed(Failure.UNSUPPORTED)
        return jid

    def _tell_nothing_found(self, domain: str) -> None:
        if self._damper.lets("nothing found"):
            _LOG.error("%s lists no services of OpenADR; say where the VTN is, with vtn_address=", domain)


class XmppToVens(_Way):
    """The way of a VTN to its VENs.

    :param login: the client or the component that the VTN is.
    :param limits: what it puts up with; as :class:`XmppLimits` comes if None.
    """

    def __init__(self, login: Login, *, limits: XmppLimits | None = None) -> None:
        super().__init__(limits)
        self._login = login
        self._heard_at: OrderedDict[str, Any] = OrderedDict()  # where VENs were last heard from, by their bare JIDs

    def refuse_address(self, address: str) -> str | None:
        """Say why nothing is pushed to an address; see :class:`~oadr_driver.transport.VtnTransport`."""
        try:
            jid = JID(address)
        except InvalidJID:
            jid = None
        return None if jid is not None and jid.domain else f"{printable(address)} is no JID; it must be one"

    @property
    def jid(self) -> str | None:
        """Where VENs find the VTN; None while it is not connected."""
        connected = self._connected
        return connected.session.jid if connected is not None and connected.session.online else None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Carrier]:
        """Be connected while the body runs, or try to be; see :class:`~oadr_driver.transport.Transport`."""
        connected = _Connected(self._login, self._limits, present=False)
        list_services(connected.stream)
        async with self._open(connected):
            yield self

    @asynccontextmanager
    async def serving(self, receiver: Receiver) -> AsyncIterator[None]:
        """Take requests of VENs; see :class:`~oadr_driver.transport.Transport`."""

        async def take(body: bytes, sender: Any) -> tuple[Failure | None, bytes]:
            self._remember(sender)
            return await receiver.receive(body, _peer(sender), None)

        async with self._while_open().serving(take):
            yield

    def _remember(self, sender: Any) -> None:
        self._heard_at[sender.bare] = sender
        self._heard_at.move_to_end(sender.bare)
        if len(self._heard_at) > _MOST_REMEMBERED:
            self._heard_at.popitem(last=False)

    async def exchange(self, transmit: Transmit, body: bytes) -> bytes:
        """Push something to a VEN; see :class:`~oadr_driver.transport.Carrier`.

        One that is not where it has registered is looked for where it was last heard from.
        """
        connected, address = self._connected, transmit.to
        try:
            to = JID(address.base)
        except InvalidJID:
            raise ExchangeFailed(Failure.UNREACHABLE) from None
        if to.bare != address.identity:
            if self._damper.lets(("stranger", address.base)):
                _LOG.warning(
                    "%s has registered to be reached at %s, which is not its own address, and is not pushed to",
                    *(printable(address.identity or "a VEN"), printable(address.base)),
                )
            raise ExchangeFailed(Failure.UNREACHABLE)
        if connected is None or not connected.session.online:
            raise ExchangeFailed(Failure.UNREACHABLE)
        timeout = min(transmit.timeout, self._limits.answer_timeout)
        with _patience(transmit.timeout):
            try:
                return await connected.link.request(to, body, timeout)
            except ExchangeFailed as error:
                elsewhere = self._heard_at.get(to.bare, to)
                if error.why is not Failure.UNREACHABLE or elsewhere == to:
                    raise
                return await connected.link.request(elsewhere, body, timeout)


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Bound the whole of an exchange: whoever waits for it sends the same again then, and it must not go out twice.

    :raises ExchangeFailed: the body takes longer.
    """
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise ExchangeFailed(Failure.SILENCE) from None


def _peer(sender: Any) -> Peer:
    """Who has sent a request: whoever the server says, as it has stamped the address."""
    return Peer(TransportName.XMPP, sender.bare, str(sender))

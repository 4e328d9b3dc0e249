"""XMPP as a way to the VTN, and to VENs."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import anyio
import msgspec
import sniffio
from slixmpp import JID, InvalidJID

from oadr_core import (
    Address,
    Failure,
    LocalProtocolError,
    Peer,
    Role,
    Service,
    Transmit,
    TransportName,
    decode,
    printable,
    service_of,
)
from oadr_driver.damping import Damper
from oadr_driver.logs import logger
from oadr_driver.transport import Carrier, ExchangeFailed, LooseCarrier, VenReceiver, VtnReceiver
from oadr_xmpp.apart import AnswersApart
from oadr_xmpp.conversation import Side
from oadr_xmpp.dialects import XmppDialect
from oadr_xmpp.discovery import SERVICES, announce, find_services, is_there, list_services
from oadr_xmpp.exchanges import Exchanges, Serve
from oadr_xmpp.letters import Letters
from oadr_xmpp.limits import XmppLimits
from oadr_xmpp.link import Link
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


_AVOB_DOMAIN: Final = "xmpp."
"""What stands before the domain of a server of avob's, where the services of its VTN are."""

_UPLINK: Final = "uplink"
"""The resource from which a VTN of avob's sends all that it sends; it hears of each service at another one."""


class _Connected:
    """What is there while a transport is open.

    :param login: how to get onto the server.
    :param limits: what it puts up with.
    :param way: whose it is.
    :param present: whether others are told that we are there.
    :param resource: the resource that is asked for; that of the login if None.
    """

    def __init__(
        self, login: Login, limits: XmppLimits, way: "_Way", *, present: bool, resource: str | None = None
    ) -> None:
        if sniffio.current_async_library() != "asyncio":
            raise LocalProtocolError(
                "XMPP runs on asyncio, as slixmpp does: use asyncio.run, or anyio.run(…, backend='asyncio')"
            )
        if XmppDialect.AVOB in way.dialects:  # whose messages are a part of the stanza as any other
            limits = msgspec.structs.replace(limits, rest=limits.rest + limits.payload)
        self.stream: Final[RawStream] = login.stream(limits, resource)
        self.session: Final = Session(
            self.stream,
            login.address,
            limits=limits,
            present=present,
            entropy=random.SystemRandom(),
            exchanges=way.exchanges,
            before=lambda: login.renew(self.stream),
        )
        exchanges, apart = way.exchanges, way.apart
        self._link = Link(self.stream, limits, exchanges, way, apart if XmppDialect.ENERNOC in way.dialects else None)
        self._letters: Letters | None = None
        if XmppDialect.AVOB in way.dialects:
            self._letters = Letters(self.stream, limits, exchanges, way, apart)

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

    async def request(self, dialect: XmppDialect, to: Any, whose: str, body: bytes, patience: float) -> bytes:
        """Send a request and bring back the answer; see :meth:`Link.request` and :meth:`Letters.request`."""
        if dialect is not XmppDialect.AVOB:
            return await self._link.request(to, whose, body, patience, dialect)
        assert self._letters is not None, "nobody speaks a dialect that is not spoken here"
        return await self._letters.request(to, whose, body, patience)


class _Way(Side):
    """A way to somebody that is there while it is open.

    :param limits: what it puts up with; as :class:`XmppLimits` comes if None.
    :param dialects: what is spoken beside what the profile has.
    :ivar exchanges: what is under way, over however many streams: they are bounded together, and an answer that came
        over one of them is read before a request that came over another one later.
    :ivar apart: knows which answers of others are to what, where the stanzas do not tell.
    """

    def __init__(self, limits: XmppLimits | None, dialects: Collection[XmppDialect]) -> None:
        self._limits = limits or XmppLimits()
        self.dialects: Final = frozenset(dialects)
        self.exchanges: Final = Exchanges(self._limits)
        self.apart: Final = AnswersApart()
        self._connections: list[_Connected] = []
        self._damper = Damper()

    @property
    def _connected(self) -> _Connected | None:
        """By what is sent."""
        return self._connections[-1] if self._connections else None

    @asynccontextmanager
    async def _open(self, connections: Sequence[_Connected]) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            for one in connections:
                announce(one.stream)
                await opened.enter_async_context(one.session.open())
            self._connections = list(connections)
            try:
                yield
            finally:
                self._connections = []

    @asynccontextmanager
    async def _served(self, serve: Serve) -> AsyncIterator[None]:
        """Have requests taken while the body runs; then take no more, and finish what is under way."""
        assert self._connections, "serving is for while it is open"
        self.exchanges.serve(serve)
        try:
            yield
        finally:
            self.exchanges.serve(None)
            with anyio.move_on_after(_GRACE, shield=True):
                await self.exchanges.finished()


_THE_VTN: Final = ""
"""By what the answers of the VTN are known, which has many addresses."""


class XmppToVtn(_Way):
    """The way of a VEN to its VTN, and of the VTN to it.

    :param login: the client that the VEN is.
    :param vtn: where the services of the VTN are found: its domain or its JID. If None, the domain that is logged in
        to, or what avob has in its place.
    :param dialect: how the VTN is spoken to.
    :param speaks_as: bare JIDs that the VTN speaks from beside those of its services.
    :param limits: what it puts up with; as :class:`XmppLimits` comes if None.
    :raises LocalProtocolError: ``vtn`` is no address, or nothing says from where the VTN speaks at a server of avob's.
    """

    asking = Role.VTN

    def __init__(
        self,
        login: XmppClient,
        *,
        vtn: str | None = None,
        dialect: XmppDialect = XmppDialect.PROFILE,
        speaks_as: Collection[str] = (),
        limits: XmppLimits | None = None,
    ) -> None:
        super().__init__(limits, {dialect})
        if login.anonymous and dialect is XmppDialect.AVOB and not speaks_as:
            raise LocalProtocolError(
                "a server of avob's knows the VTN by the fingerprint of its certificate: give vtn_fingerprint"
            )
        self._login = login
        self._dialect = dialect
        self._speaks_as = frozenset(speaks_as)
        self._vtn = None if vtn is None else checked_jid(vtn, "vtn.oadr.example")
        if self._vtn is None and dialect is XmppDialect.AVOB:
            self._vtn = JID(_AVOB_DOMAIN + login.domain)
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
        connected = _Connected(self._login, self._limits, self, present=True)
        connected.session.on_start(self._look_again)
        async with self._open([connected]):
            yield self

    @asynccontextmanager
    async def serving(self, receiver: VenReceiver) -> AsyncIterator[None]:
        """Take what the VTN pushes; see :class:`~oadr_driver.transport.VenTransport`."""

        async def take(body: bytes, sender: Any, _: XmppDialect) -> tuple[Failure | None, bytes]:
            if sender.bare not in self._vtn_addresses():
                if not self._looked:  # it may be the VTN, and what we refused it would not send again
                    return Failure.BUSY, b""
                if self._damper.lets(("stranger", sender.bare)):
                    _LOG.warning("%s is not the VTN, and is not listened to", printable(str(sender)))
                return Failure.FORBIDDEN, b""
            return await receiver.receive(body, _peer(sender), None)

        async with self._served(take):
            for one in self._connections:
                one.session.on_online(partial(_tell_address, one.session, receiver))
            yield

    def _vtn_addresses(self) -> set[str]:
        """The bare addresses that the VTN speaks from: those of its services, and its own."""
        known = {jid.bare for jid in self._services.values()} | self._speaks_as
        return known if self._vtn is None else known | {self._vtn.bare}

    def whose(self, sender: Any) -> str:
        """By what the answers of a sender are known; see :class:`~oadr_xmpp.conversation.Side`."""
        return _THE_VTN if sender.bare in self._vtn_addresses() else str(sender.bare)

    def reply_to(self, sender: Any, answer: bytes | None) -> Any:
        """Where the VTN is answered, which is not where it speaks from; see :class:`~oadr_xmpp.conversation.Side`."""
        if answer is None:
            return sender
        return self._services.get(service_of(decode(answer, strict=False)), self._vtn or sender)

    def reply_by(self, stream: RawStream) -> RawStream:
        """Over which stream the VTN is answered: there is but one; see :class:`~oadr_xmpp.conversation.Side`."""
        return stream

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
            return await connected.request(self._dialect, to, _THE_VTN, body, timeout)
        except ExchangeFailed as error:
            # some servers forbid what they cannot deliver, and only the VTN may refuse us for good
            if error.why is Failure.FORBIDDEN and not await is_there(connected.stream, to, timeout):
                raise ExchangeFailed(Failure.UNREACHABLE) from None
            if error.why is Failure.UNREACHABLE:
                self._looked = False  # it may be somewhere else by now
            raise

    def _look_again(self) -> None:
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


class _Heard(NamedTuple):
    """Where a VEN was last heard from, and how it spoke."""

    jid: Any
    dialect: XmppDialect


class XmppToVens(_Way):
    """The way of a VTN to its VENs.

    :param login: the client or the component that the VTN is.
    :param dialects: what VENs may speak beside what the profile has; each is spoken to as it speaks.
    :param limits: what it puts up with; as :class:`XmppLimits` comes if None.
    :raises LocalProtocolError: ``login`` is anonymous, and VENs may not speak as avob has it.
    """

    asking = Role.VEN

    def __init__(
        self, login: Login, *, dialects: Collection[XmppDialect] = (), limits: XmppLimits | None = None
    ) -> None:
        super().__init__(limits, dialects)
        if login.anonymous and XmppDialect.AVOB not in self.dialects:
            raise LocalProtocolError(
                'who logs in as nobody is at a server of avob\'s, where all speak its dialect: give dialects=["avob"]'
            )
        self._login = login
        self._heard: OrderedDict[str, _Heard] = OrderedDict()  # by their bare JIDs

    def refuse_address(self, address: str) -> str | None:
        """Say why nothing is pushed to an address; see :class:`~oadr_driver.transport.VtnTransport`."""
        try:
            jid = JID(address)
        except InvalidJID:
            jid = None
        return None if jid is not None and jid.domain else f"{printable(address)} is no JID; it must be one"

    @property
    def largest(self) -> int:
        """What fits into a stanza."""
        return self._limits.stanza

    @property
    def own_addresses(self) -> bool:
        """Whether VENs are reached at what they are known by; not where everybody has logged in as nobody."""
        return not self._login.anonymous

    @property
    def jid(self) -> str | None:
        """Where VENs find the VTN, which at a server of avob's is not where it is; None while it is not connected."""
        sessions = [one.session for one in self._connections]
        if not sessions or not all(one.online for one in sessions):
            return None
        return _AVOB_DOMAIN + self._login.domain if self._login.anonymous else sessions[0].jid

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Carrier]:
        """Be connected while the body runs, or try to be; see :class:`~oadr_driver.transport.Transport`."""
        resources = (*map(str, SERVICES), _UPLINK) if self._login.anonymous else (None,)
        connections = [_Connected(self._login, self._limits, self, present=False, resource=one) for one in resources]
        for one in connections:
            list_services(one.stream)
        async with self._open(connections):
            yield self

    @asynccontextmanager
    async def serving(self, receiver: VtnReceiver) -> AsyncIterator[None]:
        """Take requests of VENs; see :class:`~oadr_driver.transport.Transport`."""

        async def take(body: bytes, sender: Any, dialect: XmppDialect) -> tuple[Failure | None, bytes]:
            if self._login.anonymous and dialect is not XmppDialect.AVOB:
                return Failure.FORBIDDEN, b""  # only of texts avob's server tells by which certificate they come
            before = self._heard.get(sender.bare)
            self._remember(sender, dialect)
            refusal, answer = await receiver.receive(body, _peer(sender), None)
            if refusal is Failure.NOT_ACCEPTABLE:  # what is no message tells nothing of how messages are sent
                self._restore(sender, before)
            return refusal, answer

        async with self._served(take):
            if self._connected is not None:
                self._connected.session.on_online(lambda: receiver.link_is_back(TransportName.XMPP))
            yield

    def _remember(self, sender: Any, dialect: XmppDialect) -> None:
        self._heard[sender.bare] = _Heard(sender, dialect)
        self._heard.move_to_end(sender.bare)
        if len(self._heard) > _MOST_REMEMBERED:
            self._heard.popitem(last=False)

    def _restore(self, sender: Any, before: _Heard | None) -> None:
        if before is None:
            self._heard.pop(sender.bare, None)
        else:
            self._heard[sender.bare] = before

    def whose(self, sender: Any) -> str:
        """By what the answers of a sender are known; see :class:`~oadr_xmpp.conversation.Side`."""
        return str(sender.bare)

    def reply_to(self, sender: Any, answer: bytes | None) -> Any:
        """Where a VEN is answered; see :class:`~oadr_xmpp.conversation.Side`.

        Where everybody has logged in as nobody, avob's server puts who a VEN is in the place of its user name, which is
        the same as its resource. Errors go to the resource, as servers drop those that do not.
        """
        if not self._login.anonymous:
            return sender
        try:
            there = JID(f"{sender.resource}@{sender.domain}")
        except InvalidJID:  # it is somebody else, such as the server itself
            return sender
        if answer is None:
            there.resource = sender.resource
        return there

    def reply_by(self, stream: RawStream) -> RawStream | None:
        """Over which stream a VEN is answered: that by which all is sent; see :class:`~oadr_xmpp.conversation.Side`."""
        if not self._login.anonymous:
            return stream
        connected = self._connected
        return connected.stream if connected is not None and connected.session.online else None

    # --- our requests ------------------------------------------------------------------------------------------------

    async def exchange(self, transmit: Transmit, body: bytes) -> bytes:
        """Push something to a VEN; see :class:`~oadr_driver.transport.Carrier`.

        One that is not where it has registered is looked for where it was last heard from.
        """
        connected, to = self._connected, self._address(transmit.to)
        if connected is None or not connected.session.online:
            raise ExchangeFailed(Failure.CUT_OFF)
        whose, timeout = transmit.to.identity or "", min(transmit.timeout, self._limits.answer_timeout)
        with _patience(transmit.timeout):
            for place, dialect in self._ways(whose, to):
                try:
                    return await connected.request(dialect, place, whose, body, timeout)
                except ExchangeFailed as error:
                    if not await _is_about_the_ven(error.why, connected.session):
                        raise ExchangeFailed(Failure.CUT_OFF) from None
                    if error.why not in (Failure.UNREACHABLE, Failure.UNSUPPORTED):
                        raise
                    failed = error
            raise failed

    def _ways(self, whose: str, to: Any) -> Iterator[tuple[Any, XmppDialect]]:
        """Where a VEN may be, and what it may speak, as long as it sends back what it does not understand."""
        heard = self._heard.get(whose)
        known = {XmppDialect.PROFILE, *self.dialects} if heard is None else {heard.dialect}
        yield from ((to, one) for one in XmppDialect if one in known)
        if heard is not None and heard.jid != to and self.own_addresses:
            yield heard

    def _address(self, address: Address) -> Any:
        """Where a VEN has registered to be reached, if that is its own address: the one that its server stamps.

        :raises ExchangeFailed: it is not.
        """
        try:
            to = JID(address.base)
        except InvalidJID:
            raise ExchangeFailed(Failure.UNREACHABLE) from None
        if self.own_addresses:
            is_own = to.bare == address.identity
        else:
            heard = self._heard.get(address.identity or "")
            is_own = heard is not None and self.reply_to(heard.jid, None).bare == to.bare
        if is_own:
            return to if self.own_addresses else JID(to.bare)
        if self._damper.lets(("stranger", address.base)):
            _LOG.warning(
                "%s has registered to be reached at %s, which is not its own address, and is not pushed to",
                *(printable(address.identity or "a VEN"), printable(address.base)),
            )
        raise ExchangeFailed(Failure.UNREACHABLE)


def _tell_address(session: Session, receiver: VenReceiver) -> None:
    receiver.reached_at(session.jid)


async def _is_about_the_ven(why: Failure, session: Session) -> bool:
    """Whether a failure says anything of a VEN; not where it is our own connection that is gone, or dead."""
    if why is Failure.SILENCE:  # a server tells at once that nobody is there, so this is seldom
        return await session.works()
    return why is not Failure.BROKEN


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

"""What is done with the texts of messages, as avob has them, over one stream and over several; without a server."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from slixmpp import JID
from slixmpp.xmlstream.tostring import escape

from oadr_app.authority import Authority, Kind
from oadr_core import (
    Address,
    DistributeEvent,
    EiResponse,
    ExchangeId,
    Failure,
    LocalProtocolError,
    Payload,
    Peer,
    PlainSealer,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    Service,
    Transmit,
    TransportName,
    encode,
)
from oadr_driver.transport import ExchangeFailed
from oadr_xmpp import XmppClient, XmppComponent, XmppDialect, XmppLimits
from oadr_xmpp.dialects import without_declaration
from oadr_xmpp.framing import OADR
from oadr_xmpp.transport import XmppToVens, XmppToVtn, _Connected
from tests.core.kit import created
from tests.xmpp.talker import bare

pytestmark = pytest.mark.anyio

VEN = "00112233445566778899@a.example"
"""What avob's server puts in the place of the bare address of a VEN."""
ADDRESS = "x7k2@a.example"
"""What it has given that VEN."""
ASKED = QueryRegistration(request_id="q")


@pytest.fixture
def nobody(tmp_path: Path) -> XmppClient:
    """How a VTN logs in as nobody."""
    made = Authority.made(Kind.EC).ven("ven")
    (tmp_path / "ven.pem").write_bytes(made.pem + made.key_pem())
    return XmppClient("a.example", anonymous=True, cert=tmp_path / "ven.pem")


class Vtn:
    """A VTN as far as its streams go, which a test writes into; it answers nothing, or what it is told to.

    :param login: what it is.
    :param streams: how many streams it has.
    :ivar took: what it was asked, and by whom.
    :ivar sent: what it has sent.
    """

    def __init__(
        self, login: XmppClient | XmppComponent, *, streams: int = 1, limits: XmppLimits | None = None
    ) -> None:
        self.way = XmppToVens(login, dialects=list(XmppDialect), limits=limits)
        self.took: list[tuple[bytes, str | None]] = []
        self.sent: list[str] = []
        self.connections = [_Connected(login, limits or XmppLimits(), self.way, present=False) for _ in range(streams)]
        self.way._connections = self.connections
        for one in self.connections:
            one.session._online = True
            one.stream.send = self._note  # type: ignore[method-assign]
            one.stream.init_parser()
            head = f"<s:stream xmlns='{one.stream.default_ns}' xmlns:s='http://etherx.jabber.org/streams'>"
            one.stream.data_received(head)
        self.sent.clear()  # a component has introduced itself

    def _note(self, stanza: Any, *_: object) -> None:
        self.sent.append(str(getattr(stanza, "octets", "") or stanza))

    def link_is_back(self, transport: TransportName) -> None:
        """Be told that there is a connection."""

    async def receive(self, body: bytes, peer: Peer, *_: object) -> tuple[Failure | None, bytes]:
        """Take a request."""
        self.took.append((body, peer.identity))
        return (Failure.NOT_ACCEPTABLE, b"") if b"hello" in body else (None, encode(ASKED))

    async def hears(self, *stanzas: str, stream: int = -1) -> None:
        """Read stanzas, and do what is to be done about them."""
        self.connections[stream].stream.data_received("".join(stanzas))
        for _ in range(5):
            await asyncio.sleep(0)

    async def asks(self, message: Payload, identity: str) -> bytes:
        """Ask a VEN something, in texts."""
        connected = self.connections[-1]
        return await connected.request(XmppDialect.AVOB, JID(ADDRESS), identity, encode(message), 30)


def letter(content: Payload | str, sender: str = f"{VEN}/x7k2", kind: str = "normal") -> str:
    """A message with a text, as the server hands it over."""
    text = content if isinstance(content, str) else bare(content)
    return f"<message from='{sender}' to='vtn.a.example' id='1' type='{kind}'><body>{escape(text)}</body></message>"


async def test_what_a_text_becomes_in_a_stanza_counts_for_how_long_it_is() -> None:
    limits = XmppLimits(stanza=5000)
    vtn = Vtn(XmppComponent("vtn.a.example", "secret"), limits=limits)
    with pytest.raises(ExchangeFailed) as failed:
        await vtn.asks(QueryRegistration(request_id='"' * 2000), VEN)
    assert failed.value.why is Failure.TOO_LARGE
    assert vtn.sent == []


async def test_a_text_may_be_as_long_as_the_limits_say() -> None:
    limits = XmppLimits(stanza=8_000_000, payload=8_000_000)
    vtn = Vtn(XmppComponent("vtn.a.example", "secret"), limits=limits)
    number = "x" * 3_000_000
    answer = msgspec.structs.replace(created("ven", "registration"), response=EiResponse(request_id=number))
    asked = asyncio.ensure_future(vtn.asks(QueryRegistration(request_id=number), VEN))
    await asyncio.sleep(0)
    await vtn.hears(letter(answer))
    assert number.encode() in await asked


async def test_only_what_is_said_to_the_vtn_alone_is_a_letter() -> None:
    vtn = Vtn(XmppComponent("vtn.a.example", "secret"))
    async with vtn.way.serving(vtn):  # type: ignore[arg-type]
        await vtn.hears(*(letter(ASKED, kind=kind) for kind in ("groupchat", "error")), letter(" \n"))
        assert (vtn.took, vtn.sent) == ([], [])
        await vtn.hears(letter(ASKED))
        assert [identity for _, identity in vtn.took] == [VEN]


async def test_a_ven_that_says_hello_does_not_speak_in_texts_for_that() -> None:
    vtn = Vtn(XmppComponent("vtn.a.example", "secret"))
    address = Address(TransportName.XMPP, f"{VEN}/x7k2", identity=VEN)
    push = Transmit(ExchangeId(1), address, Service.EI_EVENT, ASKED, 30.0, PlainSealer())
    payload = without_declaration(encode(ASKED)).decode()
    query = f"<iq type='set' id='1' from='{VEN}/x7k2' to='vtn.a.example'>{payload}</iq>"
    async with vtn.way.serving(vtn):  # type: ignore[arg-type]
        await vtn.hears(query)
        await vtn.hears(letter("hello"))
        pushed = asyncio.ensure_future(vtn.way.exchange(push, encode(ASKED)))
        await asyncio.sleep(0)
        assert "<iq" in vtn.sent[-1]
        vtn.way.exchanges.fail_all(Failure.BROKEN)
        with pytest.raises(ExchangeFailed):
            await pushed


async def test_nobody_waits_for_the_pong_of_a_server_that_has_gone() -> None:
    vtn = Vtn(XmppComponent("vtn.a.example", "secret"))
    asked = asyncio.ensure_future(vtn.asks(DistributeEvent(vtn_id="VTN", request_id="1", events=()), VEN))
    while len(vtn.sent) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    vtn.way.exchanges.fail_all(Failure.BROKEN)
    with pytest.raises(ExchangeFailed) as failed:
        await asyncio.wait_for(asked, 5)
    assert failed.value.why is Failure.BROKEN


# --- behind a server of avob's ---------------------------------------------------------------------------------------


async def test_a_peer_may_say_no_more_over_several_streams_than_over_one(nobody: XmppClient) -> None:
    vtn = Vtn(nobody, streams=5, limits=XmppLimits(requests_per_peer=0.5))
    async with vtn.way.serving(vtn):  # type: ignore[arg-type]
        for stream in range(5):
            await vtn.hears(*[letter(ASKED)] * 5, stream=stream)
        assert len(vtn.took) == 5


async def test_an_answer_that_came_over_one_stream_is_read_before_what_came_over_another_one_later(
    nobody: XmppClient,
) -> None:
    vtn = Vtn(nobody, streams=2)
    order: list[str] = []

    async def asks() -> None:
        with vtn.way.exchanges.pending() as pending, vtn.way.apart.awaited(VEN, encode(offer), pending):
            await pending.wait(30)
            for _ in range(3):  # as long as it takes until whoever has asked has read it
                await asyncio.sleep(0)
            order.append("answer")

    async def receive(*_: object) -> tuple[Failure | None, bytes]:
        order.append("request")
        return None, b""

    offer = RegisterReport(request_id="r")
    vtn.receive = receive  # type: ignore[method-assign]
    async with vtn.way.serving(vtn):  # type: ignore[arg-type]
        asked = asyncio.ensure_future(asks())
        await asyncio.sleep(0)
        answer = RegisteredReport(response=EiResponse(request_id="r"), ven_id="ven")
        await vtn.hears(letter(answer), letter(ASKED), stream=0)
        await asked
        await vtn.way.exchanges.finished()
    assert order == ["answer", "request"]


@pytest.mark.rule(515, 517)
async def test_who_does_not_send_a_text_is_nobody(nobody: XmppClient) -> None:
    vtn = Vtn(nobody)
    payload = f"<oadrPayload xmlns='{OADR}'/>"
    async with vtn.way.serving(vtn):  # type: ignore[arg-type]
        await vtn.hears(f"<iq type='set' id='1' from='{ADDRESS}/x7k2' to='vtn@a.example'>{payload}</iq>")
        await vtn.hears(f"<message from='{VEN}/x7k2' to='vtn@a.example'>{payload}</message>")
    assert vtn.took == []
    (refused,) = vtn.sent
    assert "forbidden" in refused


@pytest.mark.parametrize("sender", ["a.example", f"{VEN}/a b@c"])
async def test_who_has_no_address_to_be_answered_at_is_answered_where_he_is(nobody: XmppClient, sender: str) -> None:
    vtn = Vtn(nobody)
    async with vtn.way.serving(vtn):  # type: ignore[arg-type]
        await vtn.hears(letter(ASKED, sender=sender))
    (answer,) = vtn.sent
    assert f'to="{sender}"' in answer


async def test_nothing_is_kept_for_a_stream_that_is_not_there(nobody: XmppClient) -> None:
    vtn = Vtn(nobody, streams=5, limits=XmppLimits(requests_per_peer=0.5))
    vtn.connections[-1].session._online = False
    async with vtn.way.serving(vtn):  # type: ignore[arg-type]
        await vtn.hears(*[letter(ASKED)] * 10, stream=0)
    assert (vtn.took, vtn.sent) == ([], [])


def test_a_vtn_that_nobody_could_be_told_by_and_a_ven_that_would_hear_nothing_are_refused(nobody: XmppClient) -> None:
    with pytest.raises(LocalProtocolError, match=r'give dialects=\["avob"\]'):
        XmppToVens(nobody)
    with pytest.raises(LocalProtocolError, match="give vtn_fingerprint"):
        XmppToVtn(nobody, dialect=XmppDialect.AVOB)

"""slixmpp as it comes, as the peer of a VTN and of VENs of ours: who is heard, what is answered, how much at once."""

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree import ElementTree

import anyio
import pytest
from slixmpp import ClientXMPP, Iq
from slixmpp.exceptions import IqError
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from oadr_core import (
    CreatedEvent,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    DistributeEvent,
    EiResponse,
    EventDecided,
    Payload,
    PeerMisbehaved,
    Poll,
    ProfileName,
    QueryRegistration,
    Registered,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
    TransportName,
    decode,
    encode,
    make_event,
)
from oadr_xmpp import OpenADRServer, XmppLimits
from oadr_xmpp.discovery import SERVICES_NODE
from oadr_xmpp.framing import OADR
from tests.core.kit import created
from tests.xmpp.foreign import client
from tests.xmpp.pair import as_client, soon, ven, vtn
from tests.xmpp.servers import COMPONENT, VTN, Account, XmppServer

pytestmark = pytest.mark.anyio


PAYLOAD: Final = f"{{{OADR}}}oadrPayload"


def foreign(
    server: XmppServer, account: Account | None = None, resource: str = "client"
) -> AbstractAsyncContextManager[ClientXMPP]:
    """A client of slixmpp."""
    return client(server, account or server.account(), resource)


def hears(stream: ClientXMPP, take: Callable[[Iq], None]) -> None:
    """Have a client take what is pushed to it."""
    stream.register_handler(Callback("pushed", MatchXPath(f"{{jabber:client}}iq/{PAYLOAD}"), take))


def element(content: bytes | Payload) -> ElementTree.Element:
    """What stands in a stanza."""
    return ElementTree.fromstring(encode(content) if isinstance(content, Payload) else content)


def message_in(stanza: Any) -> Payload:
    """What a stanza carries."""
    return decode(ElementTree.tostring(stanza.xml.find(PAYLOAD)), strict=False)


def request(stream: ClientXMPP, to: str, content: bytes | Payload) -> Iq:
    """An IQ that carries something."""
    iq = stream.make_iq_set(ito=to)
    iq.append(element(content))
    return iq


async def asked(stream: ClientXMPP, to: str, content: bytes | Payload) -> Payload | None:
    """What answers a request; None for an empty answer."""
    answer = await request(stream, to, content).send(timeout=30)
    return message_in(answer) if len(answer.xml) else None


async def refused(stream: ClientXMPP, to: str, content: bytes | Payload) -> tuple[str, str]:
    """The condition and the type of the error that answers a request."""
    with pytest.raises(IqError) as caught:
        await request(stream, to, content).send(timeout=30)
    return str(caught.value.condition), str(caught.value.etype)


def registration(stream: ClientXMPP, **more: Any) -> CreatePartyRegistration:
    given = {
        "request_id": "1",
        "profile_name": ProfileName.V20B,
        "transport_name": TransportName.XMPP,
        "transport_address": stream.boundjid.full,
        "report_only": False,
        "xml_signature": False,
        "ven_name": "foreign",
    }
    return CreatePartyRegistration(**{**given, **more})


# --- a foreign VEN ---------------------------------------------------------------------------------------------------


@pytest.mark.rule(402, 500, 507)
@pytest.mark.decision(25, 26)
async def test_a_foreign_ven_registers_is_pushed_to_and_may_not_poll(server: XmppServer) -> None:
    pushed: asyncio.Queue[Iq] = asyncio.Queue()
    async with vtn(server, strict=False) as grid, foreign(server) as site:
        hears(site, pushed.put_nowait)
        assert isinstance(await asked(site, COMPONENT, QueryRegistration(request_id="0")), CreatedPartyRegistration)
        answer = await asked(site, COMPONENT, registration(site))
        assert isinstance(answer, CreatedPartyRegistration)
        assert answer.response.ok
        ven_id = answer.ven_id or ""
        assert grid.one.vens[ven_id].address == site.boundjid.full
        first = await pushed.get()  # the metadata of the VTN
        assert first["from"] == COMPONENT
        first.reply().send()
        poll = await asked(site, COMPONENT, Poll(ven_id=ven_id))
        assert isinstance(poll, Response)
        assert poll.response.response_code == 459


@pytest.mark.rule(515, 517)
@pytest.mark.decision(28)
async def test_nobody_is_taken_for_somebody_else(server: XmppServer) -> None:
    async with vtn(server, strict=False) as grid, ven(server) as site, foreign(server) as other:
        await site.watch.sees(Registered)
        theirs = grid.one.vens[site.one.ven_id].address
        answer = await asked(other, COMPONENT, registration(other, transport_address=theirs))
        assert isinstance(answer, CreatedPartyRegistration)
        assert answer.response.response_code == 454
        poll = await asked(other, COMPONENT, Poll(ven_id=site.one.ven_id))
        assert isinstance(poll, Response)
        assert poll.response.response_code == 463
        assert list(grid.one.vens) == [site.one.ven_id]


@pytest.mark.parametrize(
    "content",
    [
        f'<oadrPayload xmlns="{OADR}"/>'.encode(),
        f'<oadrPayload xmlns="{OADR}"><oadrSignedObject><oadrPoll/></oadrSignedObject></oadrPayload>'.encode(),
        f'<nothing xmlns="{OADR}">&amp;</nothing>'.encode(),
    ],
)
async def test_what_breaks_the_schema_is_a_bad_request(server: XmppServer, content: bytes) -> None:
    async with vtn(server) as grid, foreign(server) as other:
        assert await refused(other, COMPONENT, content) == ("bad-request", "modify")
        await grid.watch.sees(PeerMisbehaved)


@pytest.mark.decision(23, 42)
@pytest.mark.parametrize("strict", [False, True])
async def test_a_signed_object_or_a_bare_message_in_a_stanza_is_taken_by_a_vtn_that_is_lenient(
    server: XmppServer, strict: bool
) -> None:
    async with vtn(server, strict=strict), foreign(server) as other:
        payload = element(QueryRegistration(request_id="0"))
        for content in (payload[0], payload[0][0]):
            data = ElementTree.tostring(content)
            if strict:
                assert await refused(other, COMPONENT, data) == ("bad-request", "modify")
            else:
                assert isinstance(await asked(other, COMPONENT, data), CreatedPartyRegistration)


async def test_a_payload_that_is_too_long_is_a_bad_request_and_the_stream_goes_on(server: XmppServer) -> None:
    async with vtn(server, strict=False, limits=XmppLimits(payload=2000)), foreign(server) as other:
        long = QueryRegistration(request_id="x" * 2000)
        assert await refused(other, COMPONENT, long) == ("bad-request", "modify")
        assert isinstance(await asked(other, COMPONENT, QueryRegistration(request_id="0")), CreatedPartyRegistration)


async def test_two_payloads_are_a_bad_request_and_other_requests_are_not_implemented(server: XmppServer) -> None:
    async with vtn(server, strict=False), foreign(server) as other:
        twice = request(other, COMPONENT, QueryRegistration(request_id="0"))
        twice.append(ElementTree.fromstring(encode(QueryRegistration(request_id="1"))))
        with pytest.raises(IqError, match="bad-request"):
            await twice.send(timeout=30)
        assert (await refused(other, COMPONENT, b'<q xmlns="urn:other"/>'))[0] == "feature-not-implemented"


async def test_what_comes_too_often_is_told_to_come_again_later(server: XmppServer) -> None:
    limits = XmppLimits(requests_per_peer=0.5)
    async with vtn(server, strict=False, limits=limits), foreign(server) as flood, foreign(server) as other:
        flooding = [request(flood, COMPONENT, QueryRegistration(request_id=str(n))).send(timeout=30) for n in range(40)]
        outcomes = await asyncio.gather(*flooding, return_exceptions=True)
        errors = [one for one in outcomes if isinstance(one, IqError)]
        assert {(one.condition, one.etype) for one in errors} == {("resource-constraint", "wait")}
        assert len(errors) == 35, "ten seconds' worth may come at once"
        assert isinstance(await asked(other, COMPONENT, QueryRegistration(request_id="0")), CreatedPartyRegistration)


async def test_who_waits_for_many_answers_gets_no_more_until_there_are_fewer(server: XmppServer) -> None:
    let_go = anyio.Event()

    async def on_query_registration(payload: object) -> None:
        await let_go.wait()

    limits = XmppLimits(in_flight_per_peer=3)

    def prepare(made: OpenADRServer) -> None:
        made.add_handler("on_query_registration", on_query_registration)

    async with vtn(server, strict=False, limits=limits, prepare=prepare), foreign(server) as flood:
        flooding = [
            asyncio.ensure_future(request(flood, COMPONENT, QueryRegistration(request_id=str(n))).send(timeout=30))
            for n in range(5)
        ]
        done, waiting = await asyncio.wait(flooding, return_when=asyncio.FIRST_EXCEPTION)
        while len(done) < 2:
            more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            done |= more
        assert len(waiting) == 3
        let_go.set()
        await asyncio.gather(*waiting)
        for one in done:
            assert isinstance(one.exception(), IqError)


# --- a foreign VTN ---------------------------------------------------------------------------------------------------


class ForeignVtn:
    """A VTN that does as little as one can, and says what it says by slixmpp as it comes.

    :param stream: the client that it is.
    :ivar heard: what it is told.
    """

    def __init__(self, stream: ClientXMPP) -> None:
        self.heard: asyncio.Queue[Payload] = asyncio.Queue()
        hears(stream, self._answer)

    def _answer(self, iq: Iq) -> None:
        message = message_in(iq)
        self.heard.put_nowait(message)
        usual = EiResponse(request_id=getattr(message, "request_id", ""))
        answer: Payload = Response(response=usual, ven_id="ven")
        if isinstance(message, CreatePartyRegistration):
            answer = created("ven", "registration")
        elif isinstance(message, RegisterReport):
            answer = RegisteredReport(response=usual, ven_id="ven")
        elif isinstance(message, RequestEvent):
            answer = event_list()
        reply = iq.reply()
        reply.append(element(answer))
        reply.send()

    async def hears_of(self, kind: type[Payload]) -> Payload:
        """Wait until it is told something of a kind."""
        while not isinstance(message := await self.heard.get(), kind):
            pass
        return message


def event_list(*event_ids: str) -> DistributeEvent:
    """A list of events."""
    now, chance = datetime.now(UTC), random.Random(0)
    events = [
        make_event(chance, now, signal_name="SIMPLE", signal_type="level", intervals=soon(), event_id=one)
        for one in event_ids
    ]
    return DistributeEvent(response=EiResponse(), request_id="list", vtn_id="Grid", events=tuple(events))


@pytest.mark.rule(507)
async def test_a_ven_gets_on_with_a_foreign_vtn_that_lists_no_services(server: XmppServer) -> None:
    async with foreign(server, server.account(VTN), "grid") as stream:
        grid, account = ForeignVtn(stream), server.account()
        async with ven(server, account, at=stream.boundjid.full) as site:
            await site.watch.sees(Registered)
            await grid.hears_of(RequestEvent)
            assert await asked(stream, f"{account.address}/client", event_list("shed")) is None
            await site.watch.sees(EventDecided, event_id="shed")
            answer = await grid.hears_of(CreatedEvent)
            assert isinstance(answer, CreatedEvent)
            assert [one.opt_type for one in answer.event_responses] == ["optIn"]


@pytest.mark.decision(24)
async def test_a_message_that_carries_a_list_is_taken_and_not_answered(server: XmppServer) -> None:
    async with foreign(server, server.account(VTN), "grid") as stream:
        grid, account = ForeignVtn(stream), server.account()
        async with ven(server, account, at=stream.boundjid.full) as site:
            await site.watch.sees(Registered)
            await grid.hears_of(RequestEvent)
            message = stream.make_message(mto=f"{account.address}/client", mtype="normal")
            message.append(element(event_list("shed")))
            message.send()
            await site.watch.sees(EventDecided, event_id="shed")


@pytest.mark.rule(515)
async def test_only_the_vtn_is_listened_to(server: XmppServer) -> None:
    account = server.account()
    async with (
        vtn(server),
        ven(server, account) as site,
        foreign(server, server.account(VTN), "other") as other,
    ):
        await site.watch.sees(Registered)
        content = RequestReregistration(ven_id=site.one.ven_id)
        assert await refused(other, f"{account.address}/client", content) == ("forbidden", "auth")


# --- discovery, ping, presence ---------------------------------------------------------------------------------------


@pytest.mark.rule(515)
@pytest.mark.decision(6, 18)
@pytest.mark.parametrize("node", [SERVICES_NODE, "http://openadr.org/OpenADR2#services"])
async def test_the_services_of_the_vtn_are_listed_in_both_spellings(server: XmppServer, node: str) -> None:
    async with vtn(server), foreign(server) as other:
        answer = await other.plugin["xep_0030"].get_items(jid=COMPONENT, node=node)
        assert answer["disco_items"]["node"] == node
        listed = {(str(jid), its_node) for jid, its_node, _ in answer["disco_items"]["items"]}
        services = ("EiEvent", "EiReport", "EiOpt", "EiRegisterParty")
        bases = ("http://openadr.org/openadr2", "http://openadr.org/OpenADR2")
        assert listed == {(COMPONENT, f"{base}/{service}") for base in bases for service in services}
        info = await other.plugin["xep_0030"].get_info(jid=COMPONENT)
        assert "http://openadr.org/openadr2" in info["disco_info"]["features"]


@pytest.mark.rule(515)
async def test_a_ven_shows_that_it_speaks_openadr_answers_pings_and_tells_that_it_is_there(server: XmppServer) -> None:
    account = server.account()
    async with vtn(server), foreign(server, server.account(VTN), "other") as other, ven(server, account) as site:
        await site.watch.sees(Registered)
        address = f"{account.address}/client"
        info = await other.plugin["xep_0030"].get_info(jid=address)
        assert "http://openadr.org/openadr2" in info["disco_info"]["features"]
        assert await other.plugin["xep_0199"].ping(address) < 30


@pytest.mark.rule(515)
async def test_a_ven_says_that_it_comes_and_that_it_goes_and_a_vtn_does_not(
    server: XmppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str | None]] = []
    send = ClientXMPP.send_presence

    def noted(self: ClientXMPP, **more: Any) -> None:
        told.append((self.boundjid.full, more.get("ptype")))
        send(self, **more)

    monkeypatch.setattr(ClientXMPP, "send_presence", noted)
    account = server.account()
    async with vtn(server, as_client(server)), ven(server, account, at=f"{server.account(VTN).address}/vtn") as site:
        await site.watch.sees(Registered)
    assert told == [(f"{account.address}/client", None), (f"{account.address}/client", "unavailable")]

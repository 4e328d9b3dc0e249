"""VENs that speak as the profile has it, as EnerNOC and as avob, at servers as they usually are."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from xml.etree import ElementTree

import anyio
import pytest
from slixmpp import ClientXMPP, Iq
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from oadr_core import (
    CreatedEvent,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    DistributeEvent,
    EiResponse,
    EventDecided,
    ExchangeSetBack,
    Failure,
    OptReceived,
    Payload,
    QueryRegistration,
    Registered,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    Response,
    decode,
    encode,
)
from oadr_driver.store import MemoryStore
from oadr_xmpp import XmppDialect, XmppLimits
from oadr_xmpp.framing import OADR
from tests.core.kit import created
from tests.xmpp.pair import add_event, signed, soon, until_up, ven, vtn
from tests.xmpp.servers import COMPONENT, VTN, XmppServer
from tests.xmpp.talker import talker
from tests.xmpp.test_foreign import event_list, foreign, registration

pytestmark = pytest.mark.anyio

OTHERS = [XmppDialect.AVOB, XmppDialect.ENERNOC]
OBJECT = f"{{{OADR}}}oadrSignedObject"


def no_reports(offer: Any) -> RegisteredReport:
    """The answer of somebody who wants none of the reports that are offered."""
    return RegisteredReport(response=EiResponse(request_id=offer.request_id), ven_id=offer.ven_id or "ven")


@pytest.mark.parametrize("signing", [False, True])
@pytest.mark.parametrize("dialect", OTHERS)
async def test_a_ven_and_a_vtn_speak_another_dialect(server: XmppServer, dialect: XmppDialect, signing: bool) -> None:
    more: dict[str, Any] = signed(server) if signing else {}
    async with (
        vtn(server, dialects=[dialect], **more) as grid,
        ven(server, dialect=dialect, signing=signing) as site,
    ):
        await site.watch.sees(Registered)
        event_id = add_event(grid, site)
        await site.watch.sees(EventDecided, event_id=event_id)
        await grid.watch.sees(OptReceived, event_id=event_id)


async def test_each_ven_is_spoken_to_as_it_speaks(server: XmppServer) -> None:
    async with vtn(server, dialects=OTHERS, strict=True) as grid, AsyncExitStack() as stack:
        sites = [await stack.enter_async_context(ven(server, dialect=one)) for one in XmppDialect]
        for site in sites:
            await site.watch.sees(Registered)
            event_id = add_event(grid, site)
            await site.watch.sees(EventDecided, event_id=event_id)
            await grid.watch.sees(OptReceived, event_id=event_id)


async def test_a_dialect_that_a_vtn_does_not_speak_is_not_answered(server: XmppServer) -> None:
    async with vtn(server, strict=True), talker(server, server.account()) as site:
        site.say(COMPONENT, QueryRegistration(request_id="0"))
        pong = await site.stream.plugin["xep_0199"].ping(COMPONENT)
        assert pong < 30
        assert site.heard.empty()


# --- avob ------------------------------------------------------------------------------------------------------------


async def test_what_a_ven_that_is_away_was_sent_comes_back(server: XmppServer) -> None:
    async with vtn(server, dialects=["avob"], limits=XmppLimits(answer_timeout=30.0)) as grid:
        async with ven(server, dialect="avob") as site:
            await site.watch.sees(Registered)
            await until_up(site)
        with anyio.fail_after(20):
            add_event(grid, site)
            set_back = await grid.watch.sees(ExchangeSetBack)
        assert set_back.why is Failure.UNREACHABLE


async def test_two_who_answer_nothing_that_was_asked_do_not_go_on_for_ever(server: XmppServer) -> None:
    async with vtn(server, dialects=["avob"]), talker(server, server.account()) as site:
        answer = await site.asks(COMPONENT, QueryRegistration(request_id="0"), CreatedPartyRegistration)
        assert answer.sender == COMPONENT
        for message in (created("ven", "registration"), Response(response=EiResponse(request_id="0"), ven_id="ven")):
            site.say(COMPONENT, message)
        await site.asks(COMPONENT, QueryRegistration(request_id="1"), CreatedPartyRegistration)
        assert site.heard.empty()
        assert site.returned.empty()


async def test_what_comes_too_often_comes_back_for_now(server: XmppServer) -> None:
    limits = XmppLimits(requests_per_peer=0.5)
    async with vtn(server, dialects=["avob"], limits=limits), talker(server, server.account()) as flood:
        for number in range(10):
            flood.say(COMPONENT, QueryRegistration(request_id=str(number)))
        assert [await flood.returned.get() for _ in range(5)] == ["resource-constraint"] * 5
        for _ in range(5):
            await flood.hears(CreatedPartyRegistration)


async def test_a_text_may_be_as_long_as_a_payload_and_no_longer(server: XmppServer) -> None:
    limits = XmppLimits(rest=1000, payload=10_000)
    async with vtn(server, dialects=["avob"], limits=limits), talker(server, server.account()) as site:
        site.say(COMPONENT, QueryRegistration(request_id="x" * 15_000))
        query = QueryRegistration(request_id="x" * 5000)
        answer = (await site.asks(COMPONENT, query, CreatedPartyRegistration)).message
        assert isinstance(answer, CreatedPartyRegistration)
        assert answer.response.request_id == "x" * 5000


async def test_a_vtn_that_has_started_again_finds_out_that_a_ven_takes_texts(server: XmppServer) -> None:
    store = MemoryStore()
    async with talker(server, server.account()) as site:
        async with vtn(server, dialects=OTHERS, store=store):
            answer = (await site.asks(COMPONENT, registration(site.stream), CreatedPartyRegistration)).message
            assert isinstance(answer, CreatedPartyRegistration)
            site.say(COMPONENT, no_reports((await site.hears(RegisterReport)).message))
            await site.stream.plugin["xep_0199"].ping(COMPONENT)
        async with vtn(server, dialects=OTHERS, store=store) as again:
            again.one.add_event(answer.ven_id, "SIMPLE", "level", soon(), event_id="shed")
            await site.hears(DistributeEvent)


# --- EnerNOC ---------------------------------------------------------------------------------------------------------


class EnerNoc:
    """Somebody whose answers are IQs of their own, and have no payload around the object.

    :param stream: the client.
    """

    def __init__(self, stream: ClientXMPP) -> None:
        self.heard: asyncio.Queue[tuple[Payload, str]] = asyncio.Queue()
        self._stream = stream
        stream.register_handler(Callback("objects", MatchXPath(f"{{jabber:client}}iq/{OBJECT}"), self._hear))

    def _hear(self, iq: Iq) -> None:
        document = ElementTree.tostring(iq.xml.find(OBJECT))  # type: ignore[arg-type]
        if iq["type"] == "set":
            iq.reply().send()  # which says that it has come, and nothing else
        self.heard.put_nowait((decode(document, strict=False), str(iq["from"])))

    def say(self, to: str, message: Payload) -> None:
        """Say something, without waiting for what comes back."""
        iq = self._stream.make_iq_set(ito=to)
        iq.append(ElementTree.fromstring(encode(message))[0])
        asyncio.ensure_future(iq.send(timeout=30)).add_done_callback(lambda one: one.exception())

    async def hears(self, kind: type[Payload]) -> tuple[Any, str]:
        """Wait for something of a kind."""
        while not isinstance((heard := await self.heard.get())[0], kind):
            pass
        return heard


async def test_a_ven_that_answers_by_an_iq_of_its_own_is_heard(server: XmppServer) -> None:
    async with vtn(server, dialects=["enernoc"], strict=True) as grid, foreign(server) as stream:
        site = EnerNoc(stream)
        site.say(COMPONENT, registration(stream))
        answer, _ = await site.hears(CreatedPartyRegistration)
        metadata, sender = await site.hears(RegisterReport)
        site.say(sender, no_reports(metadata))
        grid.one.add_event(answer.ven_id, "SIMPLE", "level", soon(), event_id="shed")
        pushed, _ = await site.hears(DistributeEvent)
        assert [one.event_descriptor.event_id for one in pushed.events] == ["shed"]
        assert grid.one.vens[answer.ven_id].queue == (), "what was asked before is answered"


async def test_a_vtn_that_answers_by_an_iq_of_its_own_is_heard(server: XmppServer) -> None:
    async with foreign(server, server.account(VTN), "vtn") as stream:
        grid, account = EnerNoc(stream), server.account()
        async with ven(server, account, at=stream.boundjid.full, dialect="enernoc") as site:
            for kind in (QueryRegistration, CreatePartyRegistration, RegisterReport, RequestEvent):
                asked, sender = await grid.hears(kind)
                if kind is RegisterReport:
                    grid.say(sender, no_reports(asked))
                elif kind is RequestEvent:
                    grid.say(sender, event_list())
                else:
                    grid.say(sender, created("ven", "registration"))
            await site.watch.sees(Registered)
            grid.say(sender, event_list("shed"))
            await site.watch.sees(EventDecided, event_id="shed")
            answer, _ = await grid.hears(CreatedEvent)
            assert [one.opt_type for one in answer.event_responses] == ["optIn"]


async def test_a_vtn_that_has_started_again_finds_out_that_a_ven_takes_objects(server: XmppServer) -> None:
    store = MemoryStore()
    async with foreign(server) as stream:
        site = EnerNoc(stream)
        async with vtn(server, dialects=OTHERS, store=store):
            site.say(COMPONENT, registration(stream))
            answer, _ = await site.hears(CreatedPartyRegistration)
            metadata, _ = await site.hears(RegisterReport)
            site.say(COMPONENT, no_reports(metadata))
            await stream.plugin["xep_0199"].ping(COMPONENT)
        async with vtn(server, dialects=OTHERS, store=store) as again:
            again.one.add_event(answer.ven_id, "SIMPLE", "level", soon(), event_id="shed")
            await site.hears(DistributeEvent)

"""The dialect of avob: texts of messages instead of IQs, behind a server that says who everybody is."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import anyio
import msgspec
import pytest

from oadr_core import (
    CreatedEvent,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    DistributeEvent,
    EiResponse,
    EventDecided,
    EventResponse,
    LocalProtocolError,
    OptReceived,
    OptType,
    Payload,
    ProfileName,
    QueryRegistration,
    Registered,
    RegisteredReport,
    RegisterReport,
    ReportsReceived,
    RequestEvent,
    Response,
    TransportName,
)
from oadr_xmpp import OpenADRClient, OpenADRServer, XmppClient, XmppDialect
from tests.core.kit import created
from tests.http.watch import Watch
from tests.xmpp import pair
from tests.xmpp.avob_server import AvobServer, avob_server, digits
from tests.xmpp.pair import Running, add_event, signed
from tests.xmpp.servers import DOMAIN, VTN, Account
from tests.xmpp.talker import Talker, bare, talker
from tests.xmpp.test_foreign import event_list

pytestmark = pytest.mark.anyio

REGISTER_PARTY: Final = f"registerparty@xmpp.{DOMAIN}"
EVENT: Final = f"event@xmpp.{DOMAIN}"
HOUR: Final = timedelta(hours=1)
REPORT: Final = f"report@xmpp.{DOMAIN}"


@pytest.fixture(scope="module")
def avob(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AvobServer]:
    """A server of avob's."""
    yield from avob_server(tmp_path_factory.mktemp)


def vtn(
    server: AvobServer, prepare: Callable[[OpenADRServer], None] = lambda made: None, **more: Any
) -> AbstractAsyncContextManager[Running]:
    """A VTN of ours behind such a server."""
    return pair.vtn(server, server.vtn_login(), prepare, dialects=["avob"], **more)


@asynccontextmanager
async def ven(
    server: AvobServer, account: Account, prepare: Callable[[OpenADRClient], None] = lambda made: None, **more: Any
) -> AsyncIterator[Running]:
    """A VEN of ours behind such a server."""
    watch = Watch()
    arguments = {"disable_signature": True, **server.credentials(account), **more}
    made = OpenADRClient(
        account.name,
        DOMAIN,
        dialect=XmppDialect.AVOB,
        vtn_fingerprint=digits(server.of_vtn),
        observe=watch,
        **arguments,
    )
    made.add_handler("on_event", lambda event: "optIn")
    prepare(made)
    async with made.running():
        yield Running(made, watch)


# --- both of ours ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signing", [False, True])
async def test_a_ven_and_a_vtn_of_ours_get_on_behind_a_server_of_avob(avob: AvobServer, signing: bool) -> None:
    account, readings = avob.vens[0], anyio.Event()

    def offers(made: OpenADRClient) -> None:
        made.add_report(callback=lambda: 21.5, report_specifier_id="meter", r_id="load")

    def asks_for_reports(made: OpenADRServer) -> None:
        made.add_handler("on_update_report", lambda report: readings.set())

    more: dict[str, Any] = {"request_reports": True, **(signed(avob) if signing else {})}
    async with (
        vtn(avob, asks_for_reports, **more) as grid,
        ven(avob, account, offers, disable_signature=not signing) as site,
    ):
        await site.watch.sees(Registered)
        (record,) = grid.one.vens.values()
        assert record.identity == avob.known_as(account)
        assert record.address.partition("/")[0] != record.identity, "it is reached at what the server has given it"
        event_id = add_event(grid, site)
        await site.watch.sees(EventDecided, event_id=event_id)
        opt = await grid.watch.sees(OptReceived)
        assert (opt.event_id, opt.opt_type) == (event_id, OptType.OPT_IN)
        await grid.watch.sees(ReportsReceived)


async def test_vens_behind_one_server_are_told_apart_by_their_certificates(avob: AvobServer) -> None:
    accounts = avob.vens[:3]
    async with vtn(avob) as grid, AsyncExitStack() as stack:
        assert grid.one.jid == f"xmpp.{DOMAIN}"
        sites = [await stack.enter_async_context(ven(avob, account)) for account in accounts]
        for site in sites:
            await site.watch.sees(Registered)
        event_id = add_event(grid, sites[1])
        await sites[1].watch.sees(EventDecided, event_id=event_id)
        identities = {one.identity for one in grid.one.vens.values()}
        assert identities == {avob.known_as(account) for account in accounts}
        assert not any(isinstance(one, EventDecided) for site in (sites[0], sites[2]) for one in site.watch.events)


async def test_a_ven_that_comes_back_under_another_address_is_the_same(avob: AvobServer) -> None:
    account = avob.vens[0]
    async with vtn(avob) as grid:
        for _ in range(2):
            async with ven(avob, account) as site:
                await site.watch.sees(Registered)
                event_id = add_event(grid, site)
                await site.watch.sees(EventDecided, event_id=event_id)
        assert [one.identity for one in grid.one.vens.values()] == [avob.known_as(account)]


# --- a VEN of avob's -------------------------------------------------------------------------------------------------


def registration(talker: Talker, **more: Any) -> CreatePartyRegistration:
    """How a VEN of avob's registers: without a query before, and always with the same requestID."""
    given = {
        "request_id": "0",
        "profile_name": ProfileName.V20B,
        "transport_name": TransportName.XMPP,
        "transport_address": talker.stream.boundjid.full,
        "report_only": False,
        "xml_signature": False,
        "ven_name": "avob",
    }
    return CreatePartyRegistration(**{**given, **more})


async def registered(talker: Talker) -> str:
    """Register; returns the id of the VEN."""
    answer = (await talker.asks(REGISTER_PARTY, registration(talker), CreatedPartyRegistration)).message
    assert isinstance(answer, CreatedPartyRegistration)
    assert answer.response.ok
    assert answer.response.request_id == "0"
    return answer.ven_id or ""


@pytest.mark.decision(24, 42)
async def test_a_ven_of_avob_is_answered_and_pushed_to_by_texts_without_an_envelope(avob: AvobServer) -> None:
    async with vtn(avob, strict=True) as grid, talker(avob, avob.vens[0], address=DOMAIN) as site:
        ven_id = await registered(site)
        metadata = await site.hears(RegisterReport)
        assert metadata.text.startswith("<"), "there is no XML declaration in a text"
        assert "oadrPayload" not in metadata.text
        assert metadata.sender == f"{avob.known_as(avob.account(VTN))}/uplink"
        told = RegisteredReport(response=EiResponse(request_id=metadata.message.request_id), ven_id=ven_id)  # type: ignore[attr-defined]
        site.say(REPORT, told)
        grid.one.add_event(ven_id, "SIMPLE", "level", [{"duration": HOUR, "signal_payload": 1.0}], event_id="shed")
        pushed = (await site.hears(DistributeEvent)).message
        assert isinstance(pushed, DistributeEvent)
        (event,) = pushed.events
        opt = EventResponse(event_id="shed", modification_number=0, opt_type=OptType.OPT_IN, request_id="1")
        answer = CreatedEvent(response=EiResponse(), ven_id=ven_id, event_responses=(opt,))
        assert event.event_descriptor.event_id == "shed"
        assert isinstance((await site.asks(EVENT, answer, Response)).message, Response)
        assert grid.one.vens[ven_id].standings[0].opt_type is OptType.OPT_IN


@pytest.mark.decision(27)
async def test_a_ven_of_avob_may_call_its_profile_by_its_transport_and_itself_by_its_certificate(
    avob: AvobServer,
) -> None:
    account = avob.vens[0]
    async with vtn(avob, strict=False) as grid, talker(avob, account, address=DOMAIN) as site:
        first = registration(site, ven_id=digits(account.certificate), ven_name=None)
        site.say(REGISTER_PARTY, bare(first).replace(">2.0b</", ">xmpp</"))
        answer = (await site.hears(CreatedPartyRegistration)).message
        assert isinstance(answer, CreatedPartyRegistration)
        assert answer.response.ok
        assert list(grid.one.vens) == [answer.ven_id]


async def test_what_is_no_message_comes_back_and_what_answers_nothing_is_passed_over(avob: AvobServer) -> None:
    async with vtn(avob, strict=True), talker(avob, avob.vens[0], address=DOMAIN) as site:
        site.say(REGISTER_PARTY, "hello")
        assert await site.returned.get() == "bad-request"
        site.say(REGISTER_PARTY, Response(response=EiResponse(request_id="0"), ven_id="ven"))
        site.say(REGISTER_PARTY, created("ven", "registration"))
        ven_id = await registered(site)
        assert ven_id
        assert site.heard.empty() or not isinstance(site.heard.get_nowait().message, Response)


@pytest.mark.rule(515, 517)
async def test_nobody_is_pushed_to_where_somebody_else_is(avob: AvobServer) -> None:
    async with (
        vtn(avob) as grid,
        talker(avob, avob.vens[0], address=DOMAIN) as victim,
        talker(avob, avob.vens[1], address=DOMAIN) as other,
    ):
        await registered(victim)
        await victim.hears(RegisterReport)
        theirs = victim.stream.boundjid.full
        answer = await other.asks(
            REGISTER_PARTY, registration(other, transport_address=theirs), CreatedPartyRegistration
        )
        assert isinstance(answer.message, CreatedPartyRegistration)
        ven_id = answer.message.ven_id or ""
        grid.one.add_event(ven_id, "SIMPLE", "level", [{"duration": HOUR, "signal_payload": 1.0}])
        victim.say(REGISTER_PARTY, QueryRegistration(request_id="q"))
        assert isinstance((await victim.heard.get()).message, CreatedPartyRegistration)
        assert victim.heard.empty(), "the list of another's events would end the victim's own (rule 61)"


# --- a VTN of avob's -------------------------------------------------------------------------------------------------


class AvobVtn:
    """A VTN that does as little as one can, as avob's does: it hears of each service at an address of its own."""

    def __init__(self, uplink: Talker, services: list[Talker]) -> None:
        self._uplink = uplink
        self.heard: list[Payload] = []
        self._more = anyio.Event()
        for one in services:
            one.stream.add_event_handler("message", self._answer_at(one))

    def _answer_at(self, talker: Talker) -> Callable[[Any], None]:
        def answer(stanza: Any) -> None:
            heard = talker.heard.get_nowait()
            self.heard.append(heard.message)
            self._more.set()
            self._more = anyio.Event()
            reply_to = f"{heard.sender.resource}@{heard.sender.domain}"
            if (said := self._answer_to(heard.message)) is not None:
                self._uplink.say(reply_to, said)

        return answer

    @staticmethod
    def _answer_to(message: Payload) -> Payload | None:
        usual = EiResponse(request_id=getattr(message, "request_id", ""))
        match message:
            case QueryRegistration() | CreatePartyRegistration():
                return msgspec.structs.replace(created("ven", "registration"), response=usual)
            case RegisterReport():
                return RegisteredReport(response=usual, ven_id="ven")
            case RequestEvent():
                return event_list()
            case CreatedEvent():
                return Response(response=usual, ven_id="ven")
            case _:
                return None

    async def hears(self, kind: type[Payload]) -> Payload:
        """Wait until it is told something of a kind."""
        while True:
            found = [one for one in self.heard if isinstance(one, kind)]
            if found:
                return found[0]
            await self._more.wait()

    def push(self, to: str, message: Payload) -> None:
        """Tell a VEN something."""
        self._uplink.say(to, message)


@asynccontextmanager
async def avob_vtn(server: AvobServer) -> AsyncIterator[AvobVtn]:
    """Such a VTN."""
    account = server.account(VTN)
    async with AsyncExitStack() as stack:
        talkers = [
            await stack.enter_async_context(talker(server, account, resource, address=DOMAIN))
            for resource in ("EiEvent", "EiReport", "EiRegisterParty", "EiOpt", "uplink")
        ]
        yield AvobVtn(talkers[-1], talkers[:-1])


async def test_a_ven_of_ours_gets_on_with_a_vtn_of_avob(avob: AvobServer) -> None:
    async with avob_vtn(avob) as grid, ven(avob, avob.vens[0]) as site:
        await site.watch.sees(Registered)
        asked = await grid.hears(CreatePartyRegistration)
        assert isinstance(asked, CreatePartyRegistration)
        await grid.hears(RequestEvent)
        grid.push(asked.transport_address or "", event_list("shed"))
        await site.watch.sees(EventDecided, event_id="shed")
        answer = await grid.hears(CreatedEvent)
        assert isinstance(answer, CreatedEvent)
        assert [one.opt_type for one in answer.event_responses] == ["optIn"]


async def test_a_ven_listens_to_nobody_but_the_vtn(avob: AvobServer) -> None:
    async with (
        avob_vtn(avob) as grid,
        ven(avob, avob.vens[0]) as site,
        talker(avob, avob.vens[1], address=DOMAIN) as other,
    ):
        await site.watch.sees(Registered)
        asked = await grid.hears(CreatePartyRegistration)
        assert isinstance(asked, CreatePartyRegistration)
        await grid.hears(RequestEvent)
        other.say(asked.transport_address or "", event_list("forged"))
        grid.push(asked.transport_address or "", event_list("shed"))
        await site.watch.sees(EventDecided, event_id="shed")
        assert not any(isinstance(one, EventDecided) and one.event_id == "forged" for one in site.watch.events)


# --- what cannot be --------------------------------------------------------------------------------------------------


def test_nobody_has_a_name_and_somebody_needs_one(avob: AvobServer) -> None:
    credentials = avob.credentials(avob.vens[0])
    with pytest.raises(LocalProtocolError, match=r"give the domain alone, oadr.example"):
        XmppClient(f"ven@{DOMAIN}", **credentials)
    with pytest.raises(LocalProtocolError, match="neither a user name nor a password"):
        XmppClient(DOMAIN, password="secret", **credentials)
    with pytest.raises(LocalProtocolError, match="a client has a user name"):
        XmppClient(DOMAIN, **{**credentials, "anonymous": False})

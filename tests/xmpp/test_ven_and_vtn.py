"""A VEN and a VTN of ours, on real servers: registration, events, reports, opts, signatures, and what goes wrong."""

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import pytest

from oadr_core import (
    EventDecided,
    ExchangeAbandoned,
    Failure,
    LocalProtocolError,
    OptCancelled,
    OptReceived,
    OptTaken,
    Registered,
    RegistrationEnded,
    RegistrationRefused,
    ReportRule,
    TransportName,
    VenDeregistered,
    VenPolicy,
    VenRegistered,
)
from oadr_driver import MemoryStore
from oadr_xmpp import OpenADRClient, OpenADRServer, XmppComponent, XmppLimits
from tests.http.watch import Told
from tests.xmpp.pair import ABSENCE, add_event, as_client, as_component, signed, soon, ven, vtn
from tests.xmpp.servers import COMPONENT, DOMAIN, XmppServer

pytestmark = pytest.mark.anyio

SECOND: Final = timedelta(seconds=1)


@pytest.mark.rule(38, 402, 507, 515)
async def test_a_ven_finds_the_vtn_registers_and_answers_an_event_that_is_pushed(server: XmppServer) -> None:
    account = server.account()
    async with vtn(server) as grid, ven(server, account) as site:
        await site.watch.sees(Registered)
        record = grid.one.vens[site.one.ven_id]
        assert (record.transport, record.pull) == (TransportName.XMPP, False)
        assert (record.identity, record.address) == (account.address, f"{account.address}/client")
        event_id = add_event(grid, site)
        await site.watch.sees(EventDecided, event_id=event_id)
        await grid.watch.sees(OptReceived, event_id=event_id, opt_type="optIn")


@pytest.mark.rule(507, 515)
async def test_a_vtn_may_be_a_client_and_log_in_with_passwords(password_server: XmppServer) -> None:
    login = as_client(password_server)
    async with vtn(password_server, login) as grid:
        at = f"{password_server.account('vtn.example').address}/vtn"
        async with ven(password_server, at=at) as site:
            await site.watch.sees(Registered)
            await grid.watch.sees(OptReceived, event_id=add_event(grid, site))


@pytest.mark.rule(514)
@pytest.mark.parametrize("component", [True, False])
async def test_what_both_sign_passes_the_server_unbroken(server: XmppServer, component: bool) -> None:
    login = as_component(server) if component else as_client(server)
    at = COMPONENT if component else f"{server.account('vtn.example').address}/vtn"
    fingerprint = server.account("vtn.example").identity.fingerprint
    more = {"vtn_fingerprint": fingerprint, "verify_message_signatures": True}
    async with vtn(server, login, **signed(server)) as grid, ven(server, at=at, signing=True, **more) as site:
        await grid.watch.sees(VenRegistered)
        await site.watch.sees(Registered)
        assert grid.one.vens[site.one.ven_id].signer is not None
        await grid.watch.sees(OptReceived, event_id=add_event(grid, site))


@pytest.mark.rule(301, 507)
async def test_both_report_to_each_other(server: XmppServer) -> None:
    told = Told()

    def offer_prices(grid: OpenADRServer) -> None:
        grid.add_report(lambda: 0.25, report_name="x-prices", measurement="currency", unit="EUR", sampling_rate=SECOND)
        grid.add_handler("on_update_report", lambda report: told.note("usage", report))

    def offer_usage(site: OpenADRClient) -> None:
        site.add_report(lambda: 3.5, "meter", sampling_rate=SECOND)
        site.add_handler("on_report", lambda report: told.note("prices", report))

    asks = {"request_reports": True, "shortest_sampling": SECOND}
    policy = VenPolicy(report_rules=(ReportRule(names=("x-prices",), sampling=SECOND),))
    async with vtn(server, prepare=offer_prices, **asks), ven(server, prepare=offer_usage, policy=policy):
        (usage, *_) = await told.hears("usage")
        (prices, *_) = await told.hears("prices")
    assert usage["intervals"][0]["report_payload"]["value"] == 3.5
    assert prices["intervals"][0]["report_payload"]["value"] == 0.25


async def test_a_ven_says_when_it_is_not_available_and_takes_it_back(server: XmppServer) -> None:
    async with vtn(server) as grid, ven(server) as site:
        await site.watch.sees(Registered)
        opt_id = await site.one.create_opt("optOut", "economic", [{"resource_id": "pump"}], {"components": ABSENCE})
        await grid.watch.sees(OptTaken)
        await site.one.cancel_opt(opt_id)
        await grid.watch.sees(OptCancelled, opt_id=opt_id)


@pytest.mark.rule(407)
async def test_a_registration_is_cancelled_from_either_side(server: XmppServer) -> None:
    async with vtn(server) as grid, ven(server) as site:
        await site.watch.sees(Registered)
        grid.one.cancel_party_registration(site.one.ven_id)
        await site.watch.sees(RegistrationEnded, by_peer=True)
        await grid.watch.sees(VenDeregistered)


@pytest.mark.rule(515)
async def test_a_ven_that_logs_in_under_another_resource_registers_that(server: XmppServer) -> None:
    account, store = server.account(), MemoryStore()
    async with vtn(server) as grid:
        async with ven(server, account, store=store) as site:
            await site.watch.sees(Registered)
            ven_id = site.one.ven_id
        async with ven(server, account, jid=f"{account.address}/elsewhere", store=store) as site:
            await site.watch.sees(Registered)
            assert site.one.ven_id == ven_id
            assert grid.one.vens[ven_id].address == f"{account.address}/elsewhere"
            await grid.watch.sees(OptReceived, event_id=add_event(grid, site))


async def test_events_reach_thirty_vens_over_one_connection(server: XmppServer) -> None:
    async with AsyncExitStack() as stack:
        grid = await stack.enter_async_context(vtn(server))
        sites = [await stack.enter_async_context(ven(server)) for _ in range(30)]
        for site in sites:
            await site.watch.sees(Registered)
        event_id = grid.one.add_event([one.one.ven_id for one in sites], "SIMPLE", "level", soon())
        for site in sites:
            await grid.watch.sees(OptReceived, event_id=event_id, ven_id=site.one.ven_id)


@pytest.mark.rule(517)
async def test_what_is_not_signed_is_refused_where_it_has_to_be(server: XmppServer) -> None:
    async with vtn(server, **signed(server)) as grid, ven(server) as site:
        abandoned = await site.watch.sees(ExchangeAbandoned)
        assert abandoned.why is Failure.FORBIDDEN
        assert not grid.one.vens


@pytest.mark.rule(514, 517)
async def test_only_vens_whose_certificates_are_known_register_and_the_application_is_told_who_they_are(
    server: XmppServer,
) -> None:
    known, stranger, told = server.account(), server.account(), Told()
    fingerprints = {"known": known.identity.fingerprint}

    def prepare(made: OpenADRServer) -> None:
        made.add_handler(
            "on_create_party_registration",
            lambda registration_info, fingerprint, jid: told.note("asked", {jid: fingerprint}) or True,
        )

    async with (
        vtn(server, fingerprint_lookup=fingerprints.get, prepare=prepare, **signed(server)) as grid,
        ven(server, known, ven_id="known", signing=True) as site,
        ven(server, stranger, ven_id="known", signing=True) as other,
    ):
        await site.watch.sees(Registered)
        await other.watch.sees(RegistrationRefused)
        assert grid.one.vens["known"].identity == known.address
    asked = {jid: fingerprint for one in told.of("asked") for jid, fingerprint in one.items()}
    assert asked[known.address] == known.identity.fingerprint


# --- sizes -----------------------------------------------------------------------------------------------------------


async def test_what_is_too_large_for_a_stanza_is_not_sent_told_to_the_user_and_given_up(
    server: XmppServer, caplog: pytest.LogCaptureFixture
) -> None:
    limits = XmppLimits(stanza=4000)
    async with vtn(server) as grid, ven(server, limits=limits) as site:
        await site.watch.sees(Registered)
        await site.one.create_opt(
            "optOut", "economic", [{"resource_id": f"pump {n}"} for n in range(200)], {"components": ABSENCE}
        )
        assert (await site.watch.sees(ExchangeAbandoned)).why is Failure.TOO_LARGE
        assert "is not sent: stanzas of more than 4000 bytes" in caplog.text
        await grid.watch.sees(OptReceived, event_id=add_event(grid, site))  # the stream is as it was


# --- users' mistakes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jid", "more", "text"),
    [
        ("@@", {"password": "x"}, "no address of XMPP"),
        ("oadr.example", {"password": "x"}, "address of a server"),
        ("ven@oadr.example", {}, "nothing says how to log in"),
        ("ven@oadr.example", {"password": "x", "vtn_address": "/"}, "no address of XMPP"),
        ("ven@oadr.example", {"password": "x", "longest_wait": timedelta(0)}, "longest_wait"),
    ],
)
async def test_mistakes_are_told_at_once(jid: str, more: dict[str, Any], text: str) -> None:
    with pytest.raises(LocalProtocolError, match=text):
        OpenADRClient("ven", jid, **more)


async def test_a_component_has_a_domain_and_a_secret() -> None:
    with pytest.raises(LocalProtocolError, match="no domain"):
        XmppComponent("vtn@oadr.example", "secret")
    with pytest.raises(LocalProtocolError, match="secret"):
        XmppComponent("vtn.oadr.example", "")


@pytest.mark.rule(515)
async def test_a_vtn_is_found_among_what_the_domain_lists(server: XmppServer) -> None:
    async with vtn(server) as grid, ven(server, at=DOMAIN) as site:
        await site.watch.sees(Registered)
        await grid.watch.sees(OptReceived, event_id=add_event(grid, site))

"""A VEN and a VTN of ours, on real servers: registration, events, reports, opts, signatures, and what goes wrong."""

import pytest

from oadr_core import EventDecided, OptReceived, Registered, TransportName, VenRegistered
from tests.xmpp.pair import add_event, as_client, as_component, signed, ven, vtn
from tests.xmpp.servers import COMPONENT, DOMAIN, XmppServer

pytestmark = pytest.mark.anyio


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


@pytest.mark.rule(515)
async def test_a_vtn_is_found_among_what_the_domain_lists(server: XmppServer) -> None:
    async with vtn(server) as grid, ven(server, at=DOMAIN) as site:
        await site.watch.sees(Registered)
        await grid.watch.sees(OptReceived, event_id=add_event(grid, site))

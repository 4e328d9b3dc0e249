"""Links that break, servers that start again, VTNs that come later: all goes on by itself, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from oadr_app.authority import Authority, Kind, Side, pem
from oadr_core import (
    EventDecided,
    ExchangeAbandoned,
    ExchangeSetBack,
    Failure,
    LocalProtocolError,
    OptReceived,
    Registered,
    VenOffline,
)
from oadr_driver import MemoryStore
from oadr_xmpp import OpenADRClient, OpenADRServer, XmppComponent, XmppLimits
from tests.xmpp.cable import Cable
from tests.xmpp.pair import ABSENCE, Running, add_event, as_client, ven, vtn
from tests.xmpp.servers import COMPONENT, SECRET, VTN, Login, XmppServer

pytestmark = pytest.mark.anyio

QUICK = XmppLimits(longest_wait=0.2, answer_timeout=2.0)


async def test_a_session_outlives_a_link_that_breaks_and_what_is_said_meanwhile_arrives(
    server: XmppServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "oadr.xmpp")
    async with (
        Cable(server.port).laid() as cable,
        vtn(server) as grid,
        ven(server, limits=QUICK, port=cable.port) as site,
    ):
        await site.watch.sees(Registered)
        await grid.watch.sees(OptReceived, event_id=add_event(grid, site))
        cable.cut()
        event_id = add_event(grid, site)
        cable.plug_in()
        await grid.watch.sees(OptReceived, event_id=event_id)
        assert "the session goes on" in caplog.text
        assert len([one for one in site.watch.events if isinstance(one, Registered)]) == 1


async def test_a_link_that_breaks_again_and_again_loses_nothing(server: XmppServer) -> None:
    async with (
        Cable(server.port).laid() as cable,
        vtn(server) as grid,
        ven(server, limits=QUICK, port=cable.port) as site,
    ):
        await site.watch.sees(Registered)
        for _ in range(3):
            event_id = add_event(grid, site)
            await site.watch.sees(EventDecided, event_id=event_id)
            cable.cut()
            cable.plug_in()
            await grid.watch.sees(OptReceived, event_id=event_id)


@pytest.mark.parametrize("component", [True, False])
async def test_all_come_back_when_the_server_has_started_again(
    own_server: Callable[[Login], XmppServer], component: bool
) -> None:
    server = own_server(Login.CERTIFICATE)
    login = None if component else as_client(server)
    at = {} if component else {"at": f"{server.account(VTN).address}/vtn"}
    async with vtn(server, login, limits=QUICK) as grid, ven(server, limits=QUICK, **at) as site:
        await site.watch.sees(Registered)
        await asyncio.to_thread(server.kill)
        event_id = add_event(grid, site)
        await asyncio.to_thread(server.start)
        await grid.watch.sees(OptReceived, event_id=event_id)
        assert len([one for one in site.watch.events if isinstance(one, Registered)]) == 1


async def test_a_ven_waits_for_a_vtn_that_is_not_there_yet(server: XmppServer) -> None:
    async with ven(server) as site, vtn(server) as grid:
        await site.watch.sees(Registered)
        await grid.watch.sees(OptReceived, event_id=add_event(grid, site))


async def test_a_ven_that_is_away_gets_its_events_when_it_comes_back(server: XmppServer) -> None:
    account, store = server.account(), MemoryStore()
    async with vtn(server) as grid:
        async with ven(server, account, store=store) as site:
            await site.watch.sees(Registered)
        event_id = add_event(grid, site)
        async with ven(server, account, store=store):
            await grid.watch.sees(OptReceived, event_id=event_id)


async def test_a_vtn_that_starts_again_goes_on_with_its_vens(server: XmppServer) -> None:
    store = MemoryStore()
    async with ven(server, limits=QUICK) as site:
        async with vtn(server, store=store):
            await site.watch.sees(Registered)
        assert site.one.registered
        async with vtn(server, store=store) as grid:
            await grid.watch.sees(OptReceived, event_id=add_event(grid, site))


async def test_a_wrong_password_is_told_and_nothing_is_left_behind(
    password_server: XmppServer, caplog: pytest.LogCaptureFixture
) -> None:
    account = password_server.account()._replace(password="guessed")
    async with ven(password_server, account, limits=QUICK) as site:
        while "does not let" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not site.one.registered


async def test_nothing_is_said_to_a_server_without_tls(caplog: pytest.LogCaptureFixture, server: XmppServer) -> None:
    heard = bytearray()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readuntil(b">"))
        writer.write(
            b"<stream:stream from='oadr.example' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
            b"version='1.0' id='1'><stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
            b"<mechanism>EXTERNAL</mechanism><mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>"
        )
        while data := await reader.read(1000):
            heard.extend(data)
        writer.close()

    fake = await asyncio.start_server(plain, "127.0.0.1", 0)
    port = fake.sockets[0].getsockname()[1]
    async with ven(server, limits=QUICK, port=port):
        while "offers no TLS" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    fake.close()
    await fake.wait_closed()
    assert b"<auth" not in heard


async def test_a_server_of_somebody_else_is_not_talked_to(
    caplog: pytest.LogCaptureFixture, server: XmppServer, tmp_path: Path
) -> None:
    strange = tmp_path / "ca.crt"
    strange.write_bytes(pem(Authority.made(Kind.EC).issuers[Side.VTN].certificate))
    async with ven(server, limits=QUICK, ca_file=strange) as site:
        while "no TLS with" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not site.one.registered


async def test_nothing_is_given_up_because_the_vtn_is_away_whatever_the_server_says_then(server: XmppServer) -> None:
    async with ven(server, limits=QUICK) as site:
        async with vtn(server):
            await site.watch.sees(Registered)
        await site.one.create_opt("optOut", "economic", [{"resource_id": "pump"}], {"components": ABSENCE})
        await site.watch.sees(ExchangeSetBack, why=Failure.UNREACHABLE)
        assert not [one for one in site.watch.events if isinstance(one, ExchangeAbandoned)]


@pytest.mark.rule(515)
async def test_a_connection_that_is_dead_is_found_out_by_pings_and_made_again(
    server: XmppServer, caplog: pytest.LogCaptureFixture
) -> None:
    limits = XmppLimits(longest_wait=0.2, answer_timeout=2.0, ping=0.5)
    async with (
        Cable(server.port).laid() as cable,
        vtn(server) as grid,
        ven(server, limits=limits, port=cable.port) as site,
    ):
        await site.watch.sees(Registered)
        await grid.watch.sees(OptReceived, event_id=add_event(grid, site))
        cable.freeze()
        await grid.watch.sees(OptReceived, event_id=add_event(grid, site))
        assert "is dead, and is made again" in caplog.text


@asynccontextmanager
async def a_vtn_on_a_cable(server: XmppServer, **more: Any) -> AsyncIterator[tuple[Cable, Running, Running]]:
    """A VTN whose connection can be cut, and a VEN that has answered an event of it.

    :param more: what else the VTN is made with.
    """
    async with (
        Cable(server.component_port).laid() as cable,
        vtn(
            server,
            XmppComponent(COMPONENT, SECRET, host=server.host, port=cable.port),
            limits=XmppLimits(longest_wait=0.1, answer_timeout=0.5),
            **more,
        ) as grid,
        ven(server, limits=QUICK) as site,
    ):
        await site.watch.sees(Registered)
        await grid.watch.sees(OptReceived, event_id=add_event(grid, site))
        yield cable, grid, site


async def test_a_vtn_that_is_cut_off_itself_takes_no_ven_for_silent(server: XmppServer) -> None:
    async with a_vtn_on_a_cable(server, longest_wait=timedelta(milliseconds=100)) as (cable, grid, site):
        cable.freeze()
        event_id = add_event(grid, site)
        await grid.watch.sees(ExchangeSetBack, why=Failure.CUT_OFF)  # no answer has come, and none to a ping either
        cable.cut()
        await grid.watch.sees(ExchangeSetBack, 6, why=Failure.CUT_OFF)
        cable.plug_in()
        await grid.watch.sees(OptReceived, event_id=event_id)
        assert not [one for one in grid.watch.events if isinstance(one, VenOffline)]


async def test_what_waits_for_the_connection_of_the_vtn_is_pushed_as_soon_as_that_is_back(server: XmppServer) -> None:
    def waits_for_long(made: OpenADRServer) -> None:
        turns = made._core.vtn._pushing
        turns.config = msgspec.structs.replace(turns.config, first_wait=3600.0, longest_wait=3600.0)

    async with a_vtn_on_a_cable(server, prepare=waits_for_long) as (cable, grid, site):
        cable.cut()
        event_id = add_event(grid, site)
        await grid.watch.sees(ExchangeSetBack, why=Failure.CUT_OFF)
        cable.plug_in()
        await grid.watch.sees(OptReceived, event_id=event_id)


async def test_what_a_ven_has_to_say_leaves_as_soon_as_its_session_goes_on(
    server: XmppServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "oadr.xmpp")
    limits = XmppLimits(longest_wait=0.2, answer_timeout=0.5)
    async with (
        Cable(server.port).laid() as cable,
        vtn(server) as grid,
        ven(server, limits=limits, port=cable.port) as site,
    ):
        await site.watch.sees(Registered)
        await grid.watch.sees(OptReceived, event_id=add_event(grid, site))
        sender = site.one._by_itself().ven._sender
        sender.config = msgspec.structs.replace(sender.config, first_wait=3600.0, longest_wait=3600.0)
        cable.cut()
        await site.one.create_opt("optOut", "economic", [{"resource_id": "pump"}], {"components": ABSENCE})
        await site.watch.sees(ExchangeSetBack)
        cable.plug_in()
        with anyio.fail_after(20):
            while site.one._by_itself().ven.state.unanswered_opts:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        assert "the session goes on" in caplog.text


@pytest.mark.rule(515)
async def test_who_logs_in_twice_with_one_address_is_told_and_does_not_fight(
    server: XmppServer, caplog: pytest.LogCaptureFixture
) -> None:
    account = server.account()
    async with vtn(server), ven(server, account) as first:
        await first.watch.sees(Registered)
        async with ven(server, account) as second:
            await second.watch.sees(Registered)
            while "conflict" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


def test_on_trio_it_says_that_it_runs_on_asyncio() -> None:
    async def run() -> None:
        async with OpenADRClient("ven", "ven@oadr.example", password="x").running():
            pass

    with pytest.raises(LocalProtocolError, match="asyncio"):
        anyio.run(run, backend="trio")

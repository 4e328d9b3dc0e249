"""Prosody and ejabberd, configured as docs/xmpp.md says: who gets in, who reaches whom, how much is said at once."""

import asyncio
from collections.abc import Callable

import pytest

from oadr_app.authority import Authority, Kind
from tests.xmpp.foreign import Refused, answers, asks, client, component
from tests.xmpp.servers import COMPONENT, DOMAIN, STANZA_LIMIT, VTN, Login, XmppServer

pytestmark = pytest.mark.anyio


@pytest.mark.rule(515)
async def test_a_certificate_logs_in_under_its_own_name(server: XmppServer) -> None:
    async with client(server, server.account("0013A20040F1"), "meter") as ven:
        assert ven.boundjid.full == f"0013a20040f1@{DOMAIN}/meter"


@pytest.mark.rule(67)
async def test_the_suite_of_the_profile_is_spoken(server: XmppServer) -> None:
    async with client(server, server.account(), ciphers="ECDHE-ECDSA-AES128-SHA256") as ven:
        assert ven.is_connected()


@pytest.mark.rule(515)
async def test_a_certificate_logs_in_under_no_other_name(server: XmppServer) -> None:
    account, other = server.account(), server.account()
    async with client(server, account, files=(other.certificate, other.key)) as ven:
        assert ven.boundjid.bare == other.address


@pytest.mark.rule(515, 517)
async def test_a_certificate_of_another_ca_or_without_an_address_does_not_log_in(server: XmppServer) -> None:
    account = server.account()
    foreign = server.put("foreign", Authority.made(Kind.EC).ven(account.name, xmpp_domain=DOMAIN))
    without = server.put("without", server.authority.ven(account.name))
    for files in (foreign, without):
        with pytest.raises(Refused):
            async with client(server, account, files=files):
                pass


async def test_a_password_logs_in_and_a_wrong_one_does_not(password_server: XmppServer) -> None:
    account = password_server.account()
    async with client(password_server, account) as ven:
        assert ven.boundjid.bare == account.address
    with pytest.raises(Refused):
        async with client(password_server, account._replace(password="guessed")):
            pass


@pytest.mark.rule(515)
async def test_a_component_and_its_vens_reach_each_other(server: XmppServer) -> None:
    async with component(server) as vtn, client(server, server.account()) as ven:
        answers(vtn)
        answers(ven)
        assert await asks(ven, COMPONENT) == "hello"
        assert await asks(ven, f"events@{COMPONENT}/all") == "hello"
        assert await asks(vtn, ven.boundjid.full) == "hello"


@pytest.mark.rule(515)
async def test_a_vtn_that_is_a_client_and_its_vens_reach_each_other(server: XmppServer) -> None:
    async with client(server, server.account(VTN), "EiEvent") as vtn, client(server, server.account()) as ven:
        answers(vtn)
        answers(ven)
        assert await asks(ven, vtn.boundjid.full) == "hello"
        assert await asks(vtn, ven.boundjid.full) == "hello"


@pytest.mark.rule(515)
async def test_vens_do_not_reach_each_other(server: XmppServer) -> None:
    async with client(server, server.account()) as one, client(server, server.account()) as other:
        answers(other)
        heard: list[object] = []
        for what in ("message", "presence_subscribe", "presence_available"):
            other.add_event_handler(what, heard.append)
        one.send_message(other.boundjid.full, "hello")
        one.send_presence(pto=other.boundjid.full)
        one.send_presence_subscription(other.boundjid.bare)
        assert await asks(one, other.boundjid.full) == "forbidden"
        assert await asks(one, other.boundjid.bare) == "forbidden"
        assert [one for one in heard if one["from"].bare != other.boundjid.bare] == []  # type: ignore[index]
        for reached in (DOMAIN, one.boundjid.bare, one.boundjid.full):
            await one.plugin["xep_0199"].ping(reached)


async def test_what_is_too_large_ends_the_stream(server: XmppServer) -> None:
    async with component(server) as vtn, client(server, server.account()) as ven:
        answers(vtn)
        fits = "x" * (STANZA_LIMIT - 1000)
        assert await asks(ven, COMPONENT, fits) == fits
        ended = asyncio.get_running_loop().create_future()
        ven.add_event_handler("disconnected", lambda _: ended.done() or ended.set_result(None))
        asking = asyncio.ensure_future(asks(ven, COMPONENT, "x" * 2 * STANZA_LIMIT))
        await ended
        asking.cancel()


async def test_a_server_that_starts_again_is_where_it_was(own_server: Callable[[Login], XmppServer]) -> None:
    server = own_server(Login.PASSWORD)
    account = server.account()
    await asyncio.to_thread(server.restart)
    async with client(server, account) as ven:
        assert ven.boundjid.bare == account.address

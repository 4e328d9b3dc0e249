"""A VTN serves its VENs by several transports at once, from one state; a transport is whatever carries messages."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from oadr_core import (
    Address,
    EventDecided,
    ExchangeId,
    ExchangeSetBack,
    Failure,
    OptType,
    PlainSealer,
    Poll,
    RegistrationRefused,
    Service,
    Transmit,
    VenRegistered,
)
from oadr_driver import ExchangeFailed, MemoryStore
from oadr_driver.transport import Carriers
from oadr_http import OpenADRServer
from tests.driver.post import Post, ven
from tests.http.watch import Running, Told, Watch, intervals
from tests.http.watch import ven as http_ven
from tests.http.watch import vtn as http_vtn

pytestmark = pytest.mark.anyio


def vtn(post: Post, **more: Any) -> OpenADRServer:
    """A VTN that serves VENs over HTTP and by post."""
    return http_vtn(transports={"xmpp": post.at("vtn")}, **more)


def says_yes(told: Told) -> Callable[..., str]:
    """An ``on_event`` that takes part in everything."""

    async def on_event(event: dict[str, Any]) -> str:
        told.note("on_event", event)
        return "optIn"

    return on_event  # type: ignore[return-value]


@pytest.mark.rule(38, 51, 507)
async def test_one_event_reaches_vens_on_different_transports() -> None:
    post, answers, running = Post(), Told(), Running()
    there = vtn(post)
    written, polling = Told(), Told()
    async with running:
        await running.start(there)
        by_post, by_http = ven(post, "ven@example/client"), http_ven(there.url, "polls")
        by_post.add_handler("on_event", says_yes(written))
        by_http.add_handler("on_event", says_yes(polling))
        watch = Watch()
        there._observe = watch
        await running.start(by_post, by_http)
        await watch.sees(VenRegistered, 2)
        event_id = there.add_event(
            list(there.vens), "SIMPLE", "level", intervals(1), callback=lambda ven_id: answers.note("answer", {})
        )
        await answers.hears("answer", 2)
        assert {(one.ven_id, one.opt_type) for one in there.answers(event_id)} == {
            (ven_id, OptType.OPT_IN) for ven_id in there.vens
        }
        assert {record.transport for record in there.vens.values()} == {"simpleHttp", "xmpp"}
    assert len(written.of("on_event")) == len(polling.of("on_event")) == 1


async def test_who_brings_an_http_server_of_his_own_serves_the_other_transports_as_well() -> None:
    post, running, written, watch = Post(), Running(), Told(), Watch()
    there = vtn(post, observe=watch)
    by_post = ven(post, "ven@example/client")
    by_post.add_handler("on_event", says_yes(written))
    async with there.driving(), running:
        await running.start(by_post)
        await watch.sees(VenRegistered)
        there.add_event(list(there.vens), "SIMPLE", "level", intervals(1))
        await written.hears("on_event")


@pytest.mark.rule(402)
async def test_a_transport_that_is_not_served_cannot_be_registered_with() -> None:
    post, watch = Post(), Watch()
    there = http_vtn()
    async with there.running():
        post.boxes["vtn"] = there
        here = ven(post, "ven@example/client")
        here._observe = watch
        async with here.running():
            refused = await watch.sees(RegistrationRefused)
    assert "xmpp is not served" in refused.description


async def test_a_ven_whose_transport_is_gone_is_reached_once_it_is_back() -> None:
    post, store, watch, decided = Post(), MemoryStore(), Watch(), Watch()
    here = ven(post, "ven@example/client")
    here.add_handler("on_event", says_yes(Told()))
    here._observe = decided
    async with here.running():
        async with vtn(post, store=store, observe=watch).running():
            await watch.sees(VenRegistered)
        async with http_vtn(store=store, observe=(without := Watch())).running() as there:
            there.add_event(list(there.vens), "SIMPLE", "level", intervals(1), event_id="shed")
            assert (await without.sees(ExchangeSetBack)).why is Failure.UNREACHABLE
        async with vtn(post, store=store).running():
            assert (await decided.sees(EventDecided)).event_id == "shed"


async def test_a_request_is_carried_by_the_transport_that_its_address_names() -> None:
    class Echo:
        def __init__(self, answer: bytes) -> None:
            self.answer = answer

        async def exchange(self, transmit: Transmit, body: bytes) -> bytes:
            return self.answer

    carriers = Carriers({"simpleHttp": Echo(b"http"), "xmpp": Echo(b"xmpp")})

    def to(transport: str) -> Transmit:
        message = Poll(ven_id="ven")
        return Transmit(ExchangeId(1), Address(transport), Service.OADR_POLL, message, 5.0, PlainSealer())

    with anyio.fail_after(5):
        assert await carriers.exchange(to("xmpp"), b"") == b"xmpp"
        assert await carriers.exchange(to("simpleHttp"), b"") == b"http"
        with pytest.raises(ExchangeFailed) as caught:
            await carriers.exchange(to("pigeon"), b"")
    assert caught.value.why is Failure.UNREACHABLE

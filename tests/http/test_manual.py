"""A VEN that the application steers, message by message."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.abc
import pytest

from oadr_core import (
    ExchangeDone,
    Failure,
    LocalProtocolError,
    OptReceived,
    Poll,
    RecordedExchange,
    ReportsReceived,
    Startup,
    data_point,
    make_offer,
    part_to_dict,
)
from oadr_http import ExchangeFailed, MemoryStore, OpenADRClient, RegistrationFailed
from tests.http.test_carrier import response, stranger
from tests.http.watch import Told, Watch, intervals, ven, vtn

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def by_hand(url: str, **more: Any) -> AsyncIterator[OpenADRClient]:
    """A VEN that does nothing by itself."""
    here = ven(url, auto_polling=False, **more)
    try:
        yield here
    finally:
        await here.stop()


_OK = {"response": {"response_code": 200, "request_id": "1"}}


async def registered(here: OpenADRClient) -> None:
    """Register, and take the first thing that a VTN says then: what it can report."""
    await here.create_party_registration()
    assert (await here.poll())[0] == "oadrRegisterReport"
    await here.send("oadrRegisteredReport", {**_OK, "ven_id": here.ven_id})


async def test_register_once_then_poll() -> None:
    there, watch = vtn(), Watch()
    async with there.running(), by_hand(there.url, observe=watch) as here:
        name, content = await here.create_party_registration()
        assert name == "oadrCreatedPartyRegistration"
        assert (content["vtn_id"], content["ven_id"]) == ("VTN", here.ven_id)
        assert (here.registered, here.phase) == (True, Startup.OFF)
        assert (await here.poll())[0] == "oadrRegisterReport", "the VTN says what it can report: nothing"
        await here.send("oadrRegisteredReport", {**_OK, "ven_id": here.ven_id})
        name, content = await here.poll()
        assert (name, content["ven_id"]) == ("oadrResponse", here.ven_id)
        assert content["response"]["response_code"] == 200  # type: ignore[index]
        there.add_event(here.ven_id, "SIMPLE", "level", intervals(1), event_id="shed")
        name, content = await here.poll()
        assert name == "oadrDistributeEvent"
        assert content["events"][0]["event_descriptor"]["event_id"] == "shed"  # type: ignore[index]
        assert isinstance((await watch.sees(ExchangeDone, 4)).request, Poll)


async def test_every_request_can_be_made() -> None:
    told, theirs = Told(), Watch()
    there = vtn(observe=theirs)
    there.add_handler("on_register_report", lambda report: told.note("offer", report) or [])
    async with there.running(), by_hand(there.url) as here:
        assert (await here.query_registration())[0] == "oadrCreatedPartyRegistration"
        await here.create_party_registration()
        offer = make_offer("meter", [data_point(lambda: 1, r_id="power", resource_id="boiler")], datetime.now(UTC))
        for form in (offer, part_to_dict(offer)):
            assert (await here.register_reports([form]))[0] == "oadrRegisteredReport"
            assert (await told.hears("offer"))[-1]["report_specifier_id"] == "meter"
        assert (await here.register_reports([]))[0] == "oadrRegisteredReport"
        there.add_event(here.ven_id, "SIMPLE", "level", intervals(1), event_id="shed")
        name, content = await here.request_event(reply_limit=1)
        assert name == "oadrDistributeEvent"
        request_id = str(content["request_id"])
        assert (await here.created_event(request_id, "shed", "optOut"))[0] == "oadrResponse"
        assert (await theirs.sees(OptReceived)).opt_type == "optOut"
        report = {"request_id": "1", "ven_id": here.ven_id, "reports": []}
        assert (await here.send("oadrUpdateReport", report))[0] == "oadrUpdatedReport"
        await here.cancel_party_registration()
        assert (here.registered, there.vens) == (False, {})
    assert not [one for one in theirs.events if isinstance(one, ReportsReceived) and one.message.reports]


async def test_a_registration_is_kept_and_made_again() -> None:
    there, store = vtn(), MemoryStore()
    async with there.running():
        async with by_hand(there.url, store=store) as first:
            await registered(first)
        async with by_hand(there.url, store=store) as second:
            assert (second.ven_id, second.registered) == (first.ven_id, True)
            assert (await second.poll())[0] == "oadrResponse"
            await second.create_party_registration()
            assert (second.ven_id, second.registration_id) == (first.ven_id, first.registration_id)
            await second.create_party_registration(anew=True)
            assert second.registration_id != first.registration_id


async def test_a_refusal_is_an_error_that_says_why() -> None:
    there = vtn()
    there.add_handler("on_create_party_registration", lambda: False)
    async with there.running(), by_hand(there.url) as here:
        with pytest.raises(RegistrationFailed, match="463"):
            await here.create_party_registration()
        assert not here.registered
        with pytest.raises(LocalProtocolError, match="register"):
            await here.poll()


async def test_what_is_not_reached_is_an_error_and_the_next_request_succeeds() -> None:
    answers = [response(b"", status="503 Busy"), response(b"", status="404 No"), response(b"no XML")]
    async with stranger(*answers) as busy, by_hand(busy.url) as here:
        for why in (Failure.BUSY, Failure.UNSUPPORTED, Failure.BAD_ANSWER):  # after the first it leaves the VTN alone
            with pytest.raises(ExchangeFailed) as caught:
                await here.query_registration()
            assert caught.value.why is why


async def test_an_empty_success_is_an_answer() -> None:
    there = vtn()
    async with there.running(), by_hand(there.url) as here:
        await here.create_party_registration()
        ok = {"response": {"response_code": 200, "request_id": ""}, "ven_id": here.ven_id}
        assert await here.send("oadrResponse", ok) == ("", {})


async def test_requests_of_several_tasks_go_one_after_the_other() -> None:
    there = vtn()
    names: list[str] = []
    async with there.running(), by_hand(there.url) as here:
        await registered(here)

        async def poll() -> None:
            names.append((await here.poll())[0])

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(poll)
    assert names == ["oadrResponse"] * 5


async def test_a_request_that_is_cancelled_leaves_no_trace() -> None:
    arrived = anyio.Event()

    async def silence(stream: anyio.abc.SocketStream) -> None:
        arrived.set()
        await stream.receive()

    async with stranger(silence, silence) as there, by_hand(there.url) as here:
        for begin in (here.create_party_registration, here.query_registration):
            arrived = anyio.Event()
            async with anyio.create_task_group() as group:
                group.start_soon(begin)
                await arrived.wait()
                group.cancel_scope.cancel()
        assert len(there.asked) == 2


async def test_exchanges_are_recorded() -> None:
    recorded: list[RecordedExchange] = []
    async with stranger(response(b"", status="404 No")) as there, by_hand(there.url, trace=recorded.append) as here:
        with pytest.raises(ExchangeFailed):
            await here.query_registration()
    assert [one.failure for one in recorded] == [Failure.UNSUPPORTED.value]


async def test_one_way_of_running_excludes_the_other() -> None:
    steered, by_itself = ven("http://127.0.0.1:1", auto_polling=False), ven("http://127.0.0.1:1")
    for forbidden in (
        lambda: steered.add_handler("on_event", lambda: "optIn"),
        lambda: steered.add_report(lambda: 1, "boiler"),
    ):
        with pytest.raises(LocalProtocolError, match="auto_polling=False"):
            forbidden()
    with pytest.raises(LocalProtocolError, match="auto_polling=False"):
        async with steered.running():
            pass
    with pytest.raises(LocalProtocolError, match="is not started"):
        await by_itself.create_party_registration()
    for request in (by_itself.poll, by_itself.query_registration):
        with pytest.raises(LocalProtocolError, match="auto_polling=False"):
            await request()
    with pytest.raises(LocalProtocolError, match="auto_polling=False"):
        await by_itself.send("oadrPoll", {"ven_id": "V"})
    await steered.stop()


async def test_what_a_ven_does_not_send_is_a_local_mistake() -> None:
    there = vtn()
    async with there.running(), by_hand(there.url) as here:
        await registered(here)
        with pytest.raises(LocalProtocolError):
            await here.send("oadrDistributeEvent", {"request_id": "1", "vtn_id": "VTN", "events": []})
        with pytest.raises(LocalProtocolError):
            await here.send("oadrNothing", {})
        with pytest.raises(ValueError, match="maybe"):
            await here.created_event("1", "shed", "maybe")
        assert (await here.poll())[0] == "oadrResponse"

"""Opts over HTTP: a client says when it is available, a server takes it and can be asked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oadr_core import (
    LocalProtocolError,
    OptCancelled,
    OptConfirmed,
    OptRefused,
    OptTaken,
    Registered,
    Target,
    VenRegistered,
    Why,
)
from oadr_http import OptFailed
from tests.http.test_manual import by_hand, registered
from tests.http.watch import Told, Watch, intervals, ven, vtn

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


def afternoon() -> tuple[datetime, list[dict[str, Any]]]:
    """A stretch of time, and the schedule of it."""
    begin = datetime.now(UTC) + HOUR
    return begin, [{"dtstart": begin, "duration": HOUR}]


async def test_a_ven_says_when_it_is_not_available_and_takes_it_back() -> None:
    told, theirs, ours = Told(), Watch(), Watch()
    there = vtn(observe=theirs)

    async def on_create_opt(ven_id: str, payload: dict[str, Any]) -> None:
        told.note("on_create_opt", payload)

    there.add_handler("on_create_opt", on_create_opt)
    begin, schedule = afternoon()
    async with there.running():
        here = ven(there.url, observe=ours)
        async with here.running():
            await ours.sees(Registered)
            opt_id = await here.create_opt(
                "optOut", "x-maintenance", [{"resource_id": "pump"}], {"components": schedule}, request_id="42"
            )
            message = (await theirs.sees(OptTaken)).message
            assert (message.opt_id, message.request_id) == (opt_id, "42")
            assert message.target == Target(resource_id=("pump",), ven_id=(here.ven_id,))
            await ours.sees(OptConfirmed, opt_id=opt_id)
            at = begin + timedelta(minutes=1)
            said = there.availability(here.ven_id, at, "pump")
            assert (said.available, said.why) == (False, Why.SCHEDULE)
            assert there.availability(here.ven_id, at, "fan").why is Why.NOTHING
            assert there.availability(here.ven_id, resource="pump").available, "it is about later"
            await here.cancel_opt(opt_id)
            await theirs.sees(OptCancelled, opt_id=opt_id)
            await ours.sees(OptConfirmed, opt_id=opt_id, cancelled=True)
            assert there.availability(here.ven_id, at, "pump").available
    (seen,) = told.of("on_create_opt")
    assert (seen["opt_id"], seen["opt_reason"]) == (opt_id, "x-maintenance")


async def test_a_ven_opts_out_of_an_event_that_it_had_agreed_to() -> None:
    told, theirs, ours = Told(), Watch(), Watch()
    there = vtn(observe=theirs)

    async def answered(opt_type: str) -> None:
        told.note("answered", {"opt": opt_type})

    async with there.running():
        here = ven(there.url, observe=ours)
        here.add_handler("on_event", lambda event: "optIn")
        async with here.running():
            ven_id = (await theirs.sees(VenRegistered)).ven_id
            there.add_event(ven_id, "SIMPLE", "level", intervals(1), answered, None, "shed")
            await told.hears("answered")
            await here.create_opt("optOut", "overrideStatus", event_id="shed")
            assert await told.hears("answered", 2) == [{"opt": "optIn"}, {"opt": "optOut"}]
            assert there.availability(ven_id, event_id="shed").why is Why.EVENT_OPT
            with pytest.raises(LocalProtocolError, match="there is no event"):
                there.availability(ven_id, event_id="unknown")
            with pytest.raises(LocalProtocolError, match="there is no VEN"):
                there.availability("unknown")
            with pytest.raises(LocalProtocolError, match="there is no event"):
                await here.create_opt("optOut", "economic", event_id="unknown")


async def test_a_server_refuses_an_opt() -> None:
    ours = Watch()
    there = vtn()
    there.add_handler("on_create_opt", lambda payload: (451, "not in this program"))
    _, schedule = afternoon()
    async with there.running():
        here = ven(there.url, observe=ours)
        async with here.running():
            await ours.sees(Registered)
            opt_id = await here.create_opt("optIn", "participating", vavailability=schedule)
            refused = await ours.sees(OptRefused, opt_id=opt_id)
            assert (refused.code, refused.description) == (451, "not in this program")
        async with by_hand(there.url) as by:
            await registered(by)
            with pytest.raises(OptFailed, match="451 not in this program"):
                await by.create_opt("optIn", "participating", vavailability=schedule)


async def test_opts_are_made_and_cancelled_by_hand() -> None:
    there = vtn()
    begin, schedule = afternoon()
    async with there.running(), by_hand(there.url) as here:
        await registered(here)
        assert await here.create_opt("optOut", "economic", vavailability=schedule, opt_id="mine") == "mine"
        assert not there.availability(here.ven_id, begin + timedelta(minutes=1)).available
        await here.cancel_opt("mine")
        assert there.availability(here.ven_id, begin + timedelta(minutes=1)).available
        with pytest.raises(OptFailed, match="452"):
            await here.cancel_opt("never made")
        there.add_event(here.ven_id, "SIMPLE", "level", intervals(1), event_id="shed")
        with pytest.raises(LocalProtocolError, match="which modification of the event 'shed'"):
            await here.create_opt("optOut", "economic", event_id="shed")
        await here.create_opt("optOut", "economic", event_id="shed", modification_number=0)
        assert there.availability(here.ven_id, event_id="shed").why is Why.EVENT_OPT
        with pytest.raises(OptFailed, match="450"):
            await here.create_opt("optIn", "economic", event_id="shed", modification_number=1)
        name, content = await here.send("oadrCancelOpt", {"opt_id": "mine", "ven_id": here.ven_id})
        assert (name, content["opt_id"]) == ("oadrCanceledOpt", "mine")


async def test_an_application_changes_its_mind_about_an_event_and_sees_where_it_stands() -> None:
    told, there_told, theirs = Told(), Told(), Watch()
    there = vtn(observe=theirs)

    async def answered(opt_type: str) -> None:
        there_told.note("answered", {"opt": opt_type})

    async with there.running():
        here = ven(there.url)
        here.add_handler("on_event", lambda event: "optIn")

        async def follow(status: str, phase: object, until: object, signals: list[dict[str, Any]]) -> None:
            told.note(status, {"phase": phase, "until": until, "values": [one["value"] for one in signals]})

        here.add_handler("on_event_status", follow)
        assert (here.events(), here.active_events()) == ((), ())
        async with here.running():
            ven_id = (await theirs.sees(VenRegistered)).ven_id
            there.add_event(ven_id, "SIMPLE", "level", intervals(1, 2), answered, None, "shed")
            await there_told.hears("answered")
            (begun,) = await told.hears("active")
            (view,) = here.active_events()
            assert (view.event_id, view.status, view.opt_type, view.interval) == ("shed", "active", "optIn", 0)
            assert begun == {"phase": "steady", "until": view.start + timedelta(minutes=5), "values": [1.0]}
            assert view.end == view.start + timedelta(minutes=10)
            here.change_opt("shed", ("optOut", 200, "the owner has come home"))
            assert here.active_events() == ()
            assert await there_told.hears("answered", 2) == [{"opt": "optIn"}, {"opt": "optOut"}]
            await told.hears("cancelled")
            (standing,) = there.vens[ven_id].standings
            assert (standing.opt_type, standing.description) == ("optOut", "the owner has come home")
            with pytest.raises(LocalProtocolError, match="there is no event 'unknown'"):
                here.change_opt("unknown", "optIn")
            with pytest.raises(LocalProtocolError, match="'optIn' or 'optOut' is expected"):
                here.change_opt("shed", "perhaps")
    with pytest.raises(LocalProtocolError, match="auto_polling=False"):
        ven(there.url, auto_polling=False).change_opt("shed", "optIn")


async def test_what_becomes_of_an_opt_is_told_to_the_handler() -> None:
    told, there = Told(), vtn()
    there.add_handler("on_create_opt", lambda payload: (451, "not in this program"))
    _, schedule = afternoon()

    async def on_created_opt(opt_id: str, response_code: int, response_description: str) -> None:
        told.note("told", {"opt_id": opt_id, "answer": (response_code, response_description)})

    async with there.running():
        ours = Watch()
        here = ven(there.url, observe=ours)
        here.add_handler("on_created_opt", on_created_opt)
        async with here.running():
            await ours.sees(Registered)
            opt_id = await here.create_opt("optIn", "participating", vavailability=schedule)
            assert await told.hears("told") == [{"opt_id": opt_id, "answer": (451, "not in this program")}]

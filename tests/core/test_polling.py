"""Polling: how often, until when at once, and what a VTN does with a VEN that never answers."""

from datetime import timedelta
from itertools import pairwise

import pytest

from oadr_core import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    DistributeEvent,
    EiResponse,
    Payload,
    Poll,
    PollsTooSeldom,
    RegisteredReport,
    RegisterReport,
    Reply,
    Response,
    VenOffline,
    VenOnline,
    VenPolicy,
    VtnConfig,
)
from tests.core.kit import MINUTE, Grid, asked, event, one, request
from tests.core.test_registration import registered


def gaps(grid: Grid) -> list[float]:
    """The seconds between polls."""
    return [after - before for before, after in pairwise(grid.times(Poll))]


# --- how often -------------------------------------------------------------------------------------------------------


@pytest.mark.rule(500)
@pytest.mark.parametrize(("length", "wish", "seldom"), [(5, 60, False), (5, 61, True), (0, 3600, False)])
def test_both_sides_tell_if_more_than_a_fifth_of_an_event_passes_between_polls(
    length: int, wish: int, seldom: bool
) -> None:
    interval = timedelta(seconds=wish)
    grid = Grid(VtnConfig(vtn_id="Grid", poll_freq=interval))
    host = grid.add_ven()
    grid.run(30)
    made = event(length=MINUTE * length, begin=timedelta(hours=5))
    grid.vtn.vtn.add_event(made, [grid.ven_id()], grid.now)
    grid.run(wish * 2)
    expected = [PollsTooSeldom(event_id="event", interval=interval)] if seldom else []
    assert grid.told(PollsTooSeldom) == expected
    assert grid.told(PollsTooSeldom, host) == expected
    grid.vtn.vtn.cancel_event("event", grid.now)
    grid.run(wish * 2)
    assert grid.told(PollsTooSeldom) == expected, "what is cancelled does not change any more"


def test_who_is_pushed_to_hears_in_time() -> None:
    grid = Grid(VtnConfig(vtn_id="Grid", poll_freq=timedelta(hours=1)))
    host = grid.add_ven(pull=False)
    grid.run(30)
    grid.vtn.vtn.add_event(event(length=MINUTE), [grid.ven_id()], grid.now)
    grid.run(30)
    assert grid.told(PollsTooSeldom, host) == []
    assert grid.told(PollsTooSeldom) == []


@pytest.mark.rule(500)
@pytest.mark.parametrize("wish", [2, 10, 60])
def test_a_ven_polls_as_often_as_its_vtn_wishes_or_a_little_later(wish: int) -> None:
    grid = Grid(VtnConfig(vtn_id="Grid", poll_freq=timedelta(seconds=wish)))
    grid.add_ven()
    grid.run(5)
    grid.log.clear()
    grid.run(wish * 50)
    found = gaps(grid)
    assert len(found) > 40
    assert min(found) >= wish, "never more often"
    assert max(found) <= wish * 1.1 + 0.001
    assert len({round(gap, 3) for gap in found}) > 20, "with jitter, so that not all VENs poll at once"


@pytest.mark.rule(500)
def test_the_interval_can_be_set_to_the_millisecond() -> None:
    grid = Grid()
    grid.add_ven(policy=VenPolicy(poll_interval=1.234, poll_jitter=0.0))
    grid.run(5)
    grid.log.clear()
    grid.run(60)
    assert {round(gap, 6) for gap in gaps(grid)} == {1.234}


def test_a_wish_that_would_flood_the_vtn_is_not_followed() -> None:
    grid = Grid(VtnConfig(vtn_id="Grid", poll_freq=timedelta(0)))
    grid.add_ven(policy=VenPolicy(shortest_poll_interval=1.0))
    grid.run(60)
    assert len(grid.times(Poll)) <= 65


def test_two_vens_do_not_poll_in_step() -> None:
    grid = Grid()
    grid.add_ven("one")
    grid.add_ven("two")
    grid.run(300)
    times = {
        name: [round(at, 6) for who, what, _, at in grid.log if (who, what) == (name, "oadrPoll") and at > 60]
        for name in ("one", "two")
    }
    assert not set(times["one"]) & set(times["two"])


# --- draining --------------------------------------------------------------------------------------------------------


@pytest.mark.rule(500, 501)
def test_a_ven_polls_at_once_until_there_is_nothing() -> None:
    grid = Grid()
    grid.add_ven()
    grid.run(30)
    for number in range(5):
        grid.vtn.vtn.cancel_report(grid.ven_id(), [str(number)], grid.now)
    grid.log.clear()
    due = grid.ven().next_timeout()
    assert due is not None
    grid.run(due.at - grid.now.mono)
    assert len(grid.messages(CanceledReport)) == 5
    assert len(set(grid.times(Poll))) == 1, "all at one moment"
    assert isinstance(grid.log[-1][2], Response)
    assert not grid.vtn.vtn.vens[grid.ven_id()].queue


def test_a_vtn_that_never_runs_out_is_not_polled_without_end() -> None:
    grid = Grid(
        vtn_handlers={"on_poll": lambda ven_id: CancelReport(request_id="1", report_request_id=("x",), ven_id=ven_id)}
    )
    grid.add_ven()
    grid.wire.settle(grid.now)
    for _ in range(2000):
        moving = [flight for flight in grid.wire.flights if flight.inbound is None or flight.answered]
        if not moving and not grid.host.calls:
            due = grid.wire.next_timeout()
            if due is None or due > grid.now.mono:
                break
            grid.wire.wake(grid.now)
        for call in list(grid.host.calls):
            assert call.function is not None
            grid.wire.run(grid.host, call, call.function(**call.arguments), grid.now)
        grid.wire.settle(grid.now)
    else:
        pytest.fail("the VEN polls for ever at one moment")
    assert 10 < len(grid.times(Poll)) < 200


# --- what the VTN hands out ------------------------------------------------------------------------------------------


def poll(grid: Grid, ven_id: str) -> Payload | None:
    """Poll by hand."""
    return one(Reply, asked(grid.vtn, Poll(ven_id=ven_id), grid.now)).message


def polling(grid: Grid) -> str:
    """Register a VEN that will poll by hand, and take the VTN's metadata."""
    ven_id, _ = registered(grid)
    assert isinstance(poll(grid, ven_id), RegisterReport), "the VTN's metadata come first (rules 301 and 309)"
    asked(grid.vtn, RegisteredReport(response=EiResponse(), ven_id=ven_id), grid.now)
    return ven_id


@pytest.mark.rule(500, 501)
def test_an_empty_queue_is_a_plain_response() -> None:
    grid = Grid()
    answer = poll(grid, polling(grid))
    assert isinstance(answer, Response)
    assert answer.response.ok


@pytest.mark.rule(500)
def test_while_an_answer_is_outstanding_there_is_nothing_else_and_after_its_time_it_is_there_again() -> None:
    grid = Grid(VtnConfig(vtn_id="Grid", answer_timeout=timedelta(seconds=60)))
    ven_id = polling(grid)
    grid.vtn.vtn.create_report(ven_id, [request()], grid.now)
    grid.vtn.vtn.cancel_report(ven_id, ["other"], grid.now)
    first = poll(grid, ven_id)
    assert isinstance(first, CreateReport)
    for _ in range(3):
        assert isinstance(poll(grid, ven_id), Response), "decision D19"
        grid.clock.advance(19)
    grid.clock.advance(3)
    assert poll(grid, ven_id) == first, "the unanswered one first"
    asked(grid.vtn, CreatedReport(response=EiResponse(), pending_reports=("request",), ven_id=ven_id), grid.now)
    assert isinstance(poll(grid, ven_id), CancelReport)


@pytest.mark.rule(500)
def test_control_of_the_registration_goes_before_everything_else() -> None:
    grid = Grid()
    ven_id = polling(grid)
    grid.vtn.vtn.create_report(ven_id, [request()], grid.now)
    assert isinstance(poll(grid, ven_id), CreateReport)
    grid.vtn.vtn.request_reregistration(ven_id, grid.now)
    answer = poll(grid, ven_id)
    assert answer is not None
    assert answer.message_type() == "oadrRequestReregistration", "decision D20, also while an answer is outstanding"


@pytest.mark.rule(50, 52, 500)
def test_a_ven_that_never_answers_is_told_again_and_again() -> None:
    grid = Grid(VtnConfig(vtn_id="Grid", answer_timeout=timedelta(seconds=60)))
    ven_id = polling(grid)
    grid.vtn.vtn.add_event(event(length=timedelta(hours=4)), [ven_id], grid.now)
    lists = 0
    for _ in range(60):
        lists += isinstance(poll(grid, ven_id), DistributeEvent)
        grid.clock.advance(10)
    assert lists == 10, "once a minute"


@pytest.mark.rule(500)
def test_a_late_answer_is_an_answer() -> None:
    grid = Grid(VtnConfig(vtn_id="Grid", answer_timeout=timedelta(seconds=60)))
    ven_id = polling(grid)
    grid.vtn.vtn.create_report(ven_id, [request()], grid.now)
    assert isinstance(poll(grid, ven_id), CreateReport)
    grid.clock.advance(1000)
    created = CreatedReport(response=EiResponse(), pending_reports=("request",), ven_id=ven_id)
    answer = one(Reply, asked(grid.vtn, created, grid.now)).message
    assert isinstance(answer, Response)
    assert answer.response.ok
    assert isinstance(poll(grid, ven_id), Response)


@pytest.mark.rule(40, 500)
def test_only_a_list_of_events_says_that_it_answers_a_poll() -> None:
    grid = Grid()
    ven_id = polling(grid)
    grid.vtn.vtn.add_event(event(), [ven_id], grid.now)
    answer = poll(grid, ven_id)
    assert isinstance(answer, DistributeEvent)
    assert answer.response is not None
    assert answer.response.ok


def test_a_clock_that_was_set_back_blocks_nothing() -> None:
    grid = Grid(VtnConfig(vtn_id="Grid", answer_timeout=timedelta(seconds=60)))
    ven_id = polling(grid)
    grid.vtn.vtn.create_report(ven_id, [request()], grid.now)
    first = poll(grid, ven_id)
    grid.clock.set_utc(grid.now.utc - timedelta(days=30))
    grid.clock.advance(61)
    assert poll(grid, ven_id) == first


# --- who is there ----------------------------------------------------------------------------------------------------


def test_a_ven_that_misses_three_polls_is_offline_until_it_comes_back() -> None:
    told = []
    grid = Grid(
        VtnConfig(vtn_id="Grid", poll_freq=timedelta(seconds=10)),
        vtn_handlers={
            "on_ven_offline": lambda ven_id: told.append("off"),
            "on_ven_online": lambda ven_id: told.append("on"),
        },
    )
    ven_id = polling(grid)
    for _ in range(10):
        poll(grid, ven_id)
        grid.run(12)
    assert not grid.told(VenOffline)
    grid.run(29)
    assert grid.told(VenOffline) == [VenOffline(ven_id=ven_id)]
    assert not grid.vtn.vtn.vens[ven_id].online
    grid.run(600)
    assert len(grid.told(VenOffline)) == 1, "it is told once"
    outputs = asked(grid.vtn, Poll(ven_id=ven_id), grid.now)
    assert one(VenOnline, outputs).ven_id == ven_id
    assert grid.vtn.vtn.vens[ven_id].online
    assert told[:1] == ["off"]


def test_a_ven_that_was_offline_is_not_taken_for_online_because_its_vtn_restarts() -> None:
    grid = Grid()
    ven_id = polling(grid)
    grid.run(600)
    grid.vtn.vtn.create_report(ven_id, [request()], grid.now)  # which saves the record
    grid.drain()
    grid.wire.boot(grid.host, grid.now)
    grid.settle()
    assert not grid.vtn.vtn.vens[ven_id].online
    assert not grid.told(VenOnline)
    assert one(VenOnline, asked(grid.vtn, Poll(ven_id=ven_id), grid.now)).ven_id == ven_id

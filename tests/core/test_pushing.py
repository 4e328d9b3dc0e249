"""A VTN that pushes: one thing at a time, again after a failure, and never again what the VEN will not have."""

import random
from datetime import timedelta
from itertools import pairwise

import pytest

from oadr_core import (
    CancelPartyRegistration,
    CreatedPartyRegistration,
    CreateReport,
    DistributeEvent,
    ExchangeAbandoned,
    ExchangeSetBack,
    Failure,
    OptReceived,
    Output,
    PlainSealer,
    RegisteredReport,
    RegisterReport,
    Reply,
    Response,
    ResponseRequired,
    SenderConfig,
    Transmit,
    VenRecord,
    Vtn,
    VtnConfig,
    encode,
)
from oadr_core.machines.exchange import REMEDY, Remedy
from oadr_core.machines.report import ReportAtRequester
from oadr_core.messages import EiResponse
from oadr_core.testing import ManualClock
from tests.core.desk import Desk, answer_to
from tests.core.kit import HOUR, NOON, Grid, asked, drained, event, one, request
from tests.core.test_registration import create


class Bench:
    """A VTN with one push VEN."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        record = VenRecord(ven_id="ven", registration_id="r", pull=False, address="https://ven.example/")
        self.vtn = Vtn(
            VtnConfig(vtn_id="Grid", answer_timeout=timedelta(seconds=60)),
            sealer=PlainSealer(),
            entropy=random.Random(0),
            saved={record.key: record.dump()},
            push=SenderConfig(timeout=30.0, first_wait=1.0, longest_wait=60.0),
        )
        self.vtn.start(self.clock.now)

    def outputs(self) -> list[Output]:
        return drained(self.vtn, self.clock.now)

    def transmits(self) -> list[Transmit]:
        return [output for output in self.outputs() if isinstance(output, Transmit)]

    def wait(self) -> None:
        due = self.vtn.next_timeout()
        assert due is not None
        self.clock.advance_to(due.at)
        self.vtn.handle_timeout(self.clock.now)


@pytest.mark.rule(38, 51)
def test_an_event_is_pushed_at_once_to_where_the_ven_is_reached() -> None:
    bench = Bench()
    bench.vtn.add_event(event(), ["ven"], bench.clock.now)
    (transmit,) = bench.transmits()
    assert (transmit.to.transport, transmit.to.base) == ("simpleHttp", "https://ven.example/")
    assert (transmit.service, transmit.timeout) == ("EiEvent", 30.0)
    assert isinstance(transmit.message, DistributeEvent)
    assert transmit.message.response is None


def test_one_thing_is_under_way_at_a_time() -> None:
    bench = Bench()
    bench.vtn.create_report("ven", [request()], bench.clock.now)
    (first,) = bench.transmits()
    bench.vtn.add_event(event(), ["ven"], bench.clock.now)
    assert isinstance(first.message, CreateReport)
    assert bench.transmits() == []
    bench.vtn.receive_response(first.exchange, b"", now=bench.clock.now)
    (second,) = bench.transmits()
    assert isinstance(second.message, DistributeEvent)


@pytest.mark.parametrize("why", [one for one in Failure if REMEDY[one] is not Remedy.GIVE_UP])
def test_a_push_that_fails_is_tried_again_with_growing_pauses(why: Failure) -> None:
    bench = Bench()
    bench.vtn.add_event(event(length=HOUR * 9), ["ven"], bench.clock.now)
    times = []
    for _ in range(9):
        while not (transmits := bench.transmits()):
            bench.wait()
        (transmit,) = transmits
        times.append(bench.clock.now.mono)
        bench.vtn.exchange_failed(transmit.exchange, why, now=bench.clock.now)
        told = one(ExchangeSetBack, bench.outputs())
        assert (told.why, told.service) == (why, "EiEvent")
    waits = [after - before for before, after in pairwise(times)]
    for wait, nominal in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60], strict=True):
        assert nominal * 0.9 <= wait <= nominal * 1.1


def test_silence_is_a_failure() -> None:
    bench = Bench()
    bench.vtn.add_event(event(), ["ven"], bench.clock.now)
    (first,) = bench.transmits()
    bench.wait()
    assert bench.clock.now.mono == 30.0
    assert one(ExchangeSetBack, bench.outputs()).why is Failure.SILENCE
    bench.wait()
    (second,) = bench.transmits()
    assert second.exchange != first.exchange
    bench.vtn.receive_response(first.exchange, b"", now=bench.clock.now)
    assert bench.outputs() == [], "the answer to the first comes too late"


@pytest.mark.parametrize("why", [one for one in Failure if REMEDY[one] is Remedy.GIVE_UP])
def test_what_the_ven_will_not_have_is_not_pushed_again(why: Failure) -> None:
    bench = Bench()
    bench.vtn.create_report("ven", [request()], bench.clock.now)
    (transmit,) = bench.transmits()
    bench.vtn.exchange_failed(transmit.exchange, why, now=bench.clock.now)
    told = one(ExchangeAbandoned, bench.outputs())
    assert (told.request, told.why) == (transmit.message, why)
    record = bench.vtn.vens["ven"]
    assert (record.queue, record.requests) == ((), ()), "and no report is expected of it"
    bench.clock.advance(600)
    bench.vtn.handle_timeout(bench.clock.now)
    assert bench.transmits() == []


def test_a_ven_that_cannot_be_read_or_names_another_is_a_failure() -> None:
    wrong = RegisteredReport(response=EiResponse(), ven_id="other")
    for body in (b"<html/>", encode(wrong)):
        bench = Bench()
        bench.vtn.create_report("ven", [request()], bench.clock.now)
        (transmit,) = bench.transmits()
        bench.vtn.receive_response(transmit.exchange, body, now=bench.clock.now)
        assert one(ExchangeSetBack, bench.outputs()).why is Failure.BAD_ANSWER
        assert len(bench.vtn.vens["ven"].queue) == 1


@pytest.mark.rule(52)
def test_a_ven_that_took_an_event_and_never_answers_is_told_again() -> None:
    bench = Bench()
    bench.vtn.add_event(event(length=HOUR * 9), ["ven"], bench.clock.now)
    pushed = 0
    while bench.clock.now.mono < 600:
        for transmit in bench.transmits():
            pushed += 1
            bench.vtn.receive_response(transmit.exchange, b"", now=bench.clock.now)
        bench.wait()
    assert 9 <= pushed <= 11, "once a minute"


def first_push_after(bench: Bench, seconds: int) -> Transmit:
    """Let every push break for some time; gives the next one."""
    while True:
        for transmit in bench.transmits():
            if bench.clock.now.mono >= seconds:
                return transmit
            bench.vtn.exchange_failed(transmit.exchange, Failure.BROKEN, now=bench.clock.now)
        bench.wait()


@pytest.mark.rule(50)
def test_an_event_that_is_not_answered_is_pushed_until_it_arrives_and_then_no_more() -> None:
    bench = Bench()
    bench.vtn.add_event(event(length=HOUR * 9, required=ResponseRequired.NEVER), ["ven"], bench.clock.now)
    arriving = first_push_after(bench, 600)
    assert isinstance(arriving.message, DistributeEvent)
    bench.vtn.receive_response(arriving.exchange, b"", now=bench.clock.now)
    bench.vtn.request_reregistration("ven", bench.clock.now)  # what becomes of that does not matter to the event
    bench.vtn.exchange_failed(bench.transmits()[0].exchange, Failure.BROKEN, now=bench.clock.now)
    while bench.clock.now.mono < 1800:
        for transmit in bench.transmits():
            assert not isinstance(transmit.message, DistributeEvent)
            bench.vtn.receive_response(transmit.exchange, b"", now=bench.clock.now)
        bench.wait()


@pytest.mark.rule(50, 61)
@pytest.mark.parametrize("leaves", [False, True])
def test_what_no_answer_confirms_is_pushed_again_after_every_crash_until_it_has_arrived(leaves: bool) -> None:
    desk = Desk("ven", pushed=["ven"])
    desk.vtn.add_event(event(required=ResponseRequired.NEVER), ["ven"], desk.now)
    if leaves:
        arriving = one(Transmit, desk.outputs())
        desk.vtn.receive_response(arriving.exchange, b"", now=desk.now)
        desk.vtn.modify_event(event(required=ResponseRequired.NEVER), desk.now, ["another"])
    for number in range(4):
        pushed = one(Transmit, desk.outputs()).message
        assert isinstance(pushed, DistributeEvent)
        assert len(pushed.events) == (not leaves)
        desk.vtn.create_report("ven", [request(f"request {number}")], desk.now)  # for which all about the VEN is saved
        desk.outputs()
        desk.restart()
    arriving = one(Transmit, desk.outputs())
    desk.vtn.receive_response(arriving.exchange, b"", now=desk.now)
    assert isinstance(one(Transmit, desk.outputs()).message, CreateReport), "then other things have their turn"


def test_the_answer_of_a_ven_that_could_not_be_reached_before_is_not_late() -> None:
    bench = Bench()
    bench.vtn.add_event(event(begin=HOUR), ["ven"], bench.clock.now)
    arriving = first_push_after(bench, 600)
    bench.vtn.receive_response(arriving.exchange, b"", now=bench.clock.now)
    assert isinstance(arriving.message, DistributeEvent)
    outputs = asked(bench.vtn, answer_to("ven", arriving.message), bench.clock.now)
    assert not one(OptReceived, outputs).late
    (answer,) = bench.vtn.answers("event", bench.clock.now)
    assert (answer.told_at, answer.times) == (bench.clock.now.utc, 1)


@pytest.mark.rule(50)
def test_a_push_ven_that_is_away_for_an_hour_gets_everything_when_it_is_back() -> None:
    grid = Grid()
    host = grid.add_ven(pull=False)
    grid.run(60)
    grid.vtn.vtn.add_event(event(length=HOUR * 9), [grid.ven_id()], grid.now)
    grid.wire.drain(grid.host, grid.now)
    grid.log.clear()
    grid.run_without(host, 3600)
    assert 50 <= len(grid.times(DistributeEvent)) <= 80
    grid.run(120)
    assert len(grid.told(OptReceived)) == 1


@pytest.mark.rule(51, 301)
def test_the_metadata_of_the_vtn_are_pushed_once_a_ven_has_registered() -> None:
    bench = Bench()
    message = create(http_pull_model=False, transport_address="https://new.example", ven_name="new")
    outputs = asked(bench.vtn, message, bench.clock.now)
    reply, transmit = one(Reply, outputs), one(Transmit, outputs)
    assert isinstance(reply.message, CreatedPartyRegistration)
    assert reply.message.requested_oadr_poll_freq is not None
    assert isinstance(transmit.message, RegisterReport)
    assert transmit.message.reports == ()
    assert outputs.index(reply) < outputs.index(transmit)


@pytest.mark.parametrize("answer", [b"", encode(Response(response=EiResponse(), ven_id="ven"))], ids=["empty", "plain"])
def test_a_plain_answer_stands_for_the_one_that_fits(answer: bytes) -> None:
    bench = Bench()
    bench.vtn.create_report("ven", [request()], bench.clock.now)
    (first,) = bench.transmits()
    bench.vtn.receive_response(first.exchange, answer, now=bench.clock.now)
    assert bench.transmits() == []
    record = bench.vtn.vens["ven"]
    assert record.queue == ()
    assert [requested.state for requested in record.requests] == [ReportAtRequester.RUNNING]


@pytest.mark.rule(517)
def test_a_plain_refusal_stands_for_the_one_that_fits() -> None:
    bench = Bench()
    bench.vtn.create_report("ven", [request()], bench.clock.now)
    (first,) = bench.transmits()
    refusal = Response(response=EiResponse(response_code=461), ven_id="ven")
    bench.vtn.receive_response(first.exchange, encode(refusal), now=bench.clock.now)
    assert bench.transmits() == []
    assert bench.vtn.vens["ven"].queue == ()
    assert bench.vtn.vens["ven"].requests == ()


def test_a_plain_answer_ends_a_registration_that_was_cancelled() -> None:
    bench = Bench()
    bench.vtn.cancel_party_registration("ven", bench.clock.now)
    (first,) = bench.transmits()
    bench.vtn.receive_response(first.exchange, b"", now=bench.clock.now)
    assert not bench.vtn.vens


def test_an_empty_answer_to_events_leaves_what_waits() -> None:
    bench = Bench()
    bench.vtn.add_event(event(), ["ven"], bench.clock.now)
    (first,) = bench.transmits()
    bench.vtn.create_report("ven", [request()], bench.clock.now)
    bench.vtn.receive_response(first.exchange, b"", now=bench.clock.now)
    assert len(bench.vtn.vens["ven"].queue) == 1


@pytest.mark.rule(407)
def test_an_answer_that_comes_after_the_end_of_the_registration_is_about_nothing_in_the_next() -> None:
    bench = Bench()
    bench.vtn.create_report("ven", [request()], bench.clock.now)
    (old,) = bench.transmits()
    cancel = CancelPartyRegistration(request_id="1", registration_id="r", ven_id="ven")
    asked(bench.vtn, cancel, bench.clock.now)
    anew = create(http_pull_model=False, transport_address="https://ven.example", ven_id="ven")
    metadata = one(Transmit, asked(bench.vtn, anew, bench.clock.now))
    bench.vtn.receive_response(old.exchange, b"", now=bench.clock.now)
    bench.vtn.exchange_failed(old.exchange, Failure.SILENCE, now=bench.clock.now)
    assert bench.outputs() == []
    assert len(bench.vtn.vens["ven"].queue) == 1, "the metadata still wait for their answer"
    bench.vtn.receive_response(metadata.exchange, b"", now=bench.clock.now)
    assert bench.vtn.vens["ven"].queue == ()

"""Serving report requests: every reading on its boundary, taken once, and reports in their order."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    VEN_HANDLERS,
    Call,
    CallId,
    HandlerFailed,
    Handlers,
    LocalProtocolError,
    Now,
    Output,
    PlainSealer,
    RegisterReport,
    Report,
    ReportEnded,
    Transmit,
    UpdateReport,
    Ven,
    VenConfig,
    VenState,
    encode,
)
from oadr_core.auto.reporter import Reporter
from oadr_core.auto.sampling import schedule
from oadr_core.auto.serving import Offer, Serving
from oadr_core.auto.ven import _VenParty
from oadr_core.machines.report import ReportAtSource
from oadr_core.offers import METADATA
from oadr_core.state.reports import AcceptedRequest
from oadr_core.testing import ManualClock
from tests.core.kit import HOUR, MINUTE, NONE, NOON, drained, offer, request

SECOND = timedelta(seconds=1)
EVERY_10_S = {"granularity": SECOND * 10, "back": SECOND * 10}
THREE_A_REPORT = {"granularity": SECOND * 10, "back": SECOND * 30}


class Bench:
    """A reporter with one request, whose data points show the seconds since noon."""

    def __init__(self, *, resumed_after: float | None = None, r_ids: tuple[str, ...] = ("load",), **asked: Any) -> None:
        self.clock = ManualClock(NOON)
        self.r_ids = r_ids
        self.emitted: list[Output] = []
        self.reports: list[Report] = []
        self.calls: list[Call] = []
        accepted = AcceptedRequest(request=request(r_ids=r_ids, **asked), accepted_at=NOON)
        state = VenState(registered=True, ven_id="ven", registration_id="r", report_requests=(accepted,))
        if resumed_after is not None:
            self.clock.advance(resumed_after)
        self.ven = Ven(VenConfig(), sealer=PlainSealer(), entropy=random.Random(0), state=state)
        handlers = Handlers(VEN_HANDLERS)
        party = _VenParty(
            self.ven, handlers, lambda report, *_: self.reports.append(report), lambda now: self.reporter.metadata(now)
        )
        self.reporter = Reporter(party, self.emitted.append)
        self.reporter.offer(offer(r_ids=r_ids), dict.fromkeys(r_ids, self.read))
        self.reporter.begin("", "request", self.now, resumed=resumed_after is not None)

    @property
    def now(self) -> Now:
        return self.clock.now

    def read(self) -> float:
        return (self.now.utc - NOON).total_seconds()

    def wake(self) -> None:
        """Do what is due, and put the calls aside."""
        self.reporter.handle_timeout(self.now)
        self.calls += [one for one in self.emitted if isinstance(one, Call)]
        self.emitted[:] = [one for one in self.emitted if not isinstance(one, Call)]

    def run(self, seconds: float, read: Callable[[Call], object] | None = None) -> None:
        """Let time pass; every callback returns at once."""
        end = self.now.mono + seconds
        while (due := self.reporter.next_timeout(self.now)) is not None and due.at <= end:
            self.clock.advance_to(due.at)
            self.wake()
            self.answer(read)
        self.clock.advance_to(end)

    def answer(self, read: Callable[[Call], object] | None = None) -> None:
        while self.calls:
            call = self.calls.pop(0)
            self.reporter.returned(call.call, self.read() if read is None else read(call), self.now)

    def readings(self) -> list[list[tuple[float, float]]]:
        """For each report its readings: when they were due, in seconds after noon, and what was read."""
        return [
            [
                ((one.dtstart - NOON).total_seconds(), payload.value)
                for one in report.intervals
                for payload in one.payloads
            ]
            for report in self.reports
        ]

    @property
    def is_served(self) -> bool:
        """Whether reports are still to be made; one that is made is pending until the VTN has it."""
        return any(one.state is not ReportAtSource.MADE for one in self.ven.state.report_requests)


# --- periods ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule(317, 341)
def test_a_report_leaves_when_its_readings_are_there() -> None:
    bench = Bench(**THREE_A_REPORT)
    bench.run(19.9)
    assert bench.readings() == []
    bench.run(0.1)
    assert bench.readings() == [[(0, 0), (10, 10), (20, 20)]]
    bench.run(30)
    assert bench.readings()[1:] == [[(30, 30), (40, 40), (50, 50)]]


@pytest.mark.rule(313, 314, 331)
def test_a_report_is_one_that_may_be_sent() -> None:
    bench = Bench(r_ids=("load", "sun"), **THREE_A_REPORT)
    bench.run(20)
    (report,) = bench.reports
    assert (report.report_request_id, report.report_specifier_id) == ("request", "usage")
    assert report.report_name == "TELEMETRY_USAGE"
    assert report.dtstart == NOON == report.intervals[0].dtstart
    assert report.report_descriptions == ()
    assert [one.dtstart for one in report.intervals] == sorted(one.dtstart for one in report.intervals)
    encode(UpdateReport(request_id="1", reports=(report,), ven_id="ven"))


@pytest.mark.rule(325)
def test_the_last_report_holds_what_there_is_when_the_time_is_over() -> None:
    bench = Bench(length=SECOND * 50, **THREE_A_REPORT)
    bench.run(1000)
    assert bench.readings() == [[(0, 0), (10, 10), (20, 20)], [(30, 30), (40, 40)]]
    assert not bench.is_served
    assert bench.reporter.next_timeout(bench.now) is None


@pytest.mark.rule(324)
def test_a_report_that_is_asked_for_once_is_made_once() -> None:
    bench = Bench(back=NONE, begin=None)
    bench.run(1000)
    assert bench.readings() == [[(0, 0)]]
    assert not bench.is_served
    assert not any(isinstance(one, ReportEnded) for one in drained(bench.ven, bench.now)), "it is pending (rule 329)"
    bench.ven.note_delivered(["request"], bench.now)
    assert any(isinstance(one, ReportEnded) for one in drained(bench.ven, bench.now))


@pytest.mark.rule(345)
def test_with_one_report_to_follow_there_is_one_more() -> None:
    bench = Bench(**EVERY_10_S)
    (accepted,) = bench.ven.state.report_requests
    last = AcceptedRequest(request=accepted.request, accepted_at=NOON, state=ReportAtSource.LAST)
    bench.ven._state = VenState(registered=True, ven_id="ven", report_requests=(last,))
    bench.run(5)
    assert len(bench.reports) == 1
    assert not bench.is_served


@pytest.mark.rule(308, 311, 327)
def test_a_request_for_metadata_is_answered_with_the_offers() -> None:
    bench = Bench(specifier_id=METADATA, granularity=NONE, back=NONE)
    (transmit,) = (one for one in drained(bench.ven, bench.now) if isinstance(one, Transmit))
    message = transmit.message
    assert isinstance(message, RegisterReport)
    assert (message.report_request_id, len(message.reports)) == ("request", 1)
    assert not bench.is_served


# --- restarts and clocks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [30.0, 30.4, 34.0])
def test_after_a_restart_readings_go_on_at_the_next_boundary(after: float) -> None:
    bench = Bench(resumed_after=after, **EVERY_10_S)
    bench.run(20)
    assert bench.readings() == [[(40, 40)], [(50, 50)]]


def test_after_a_restart_past_its_end_a_request_is_over() -> None:
    bench = Bench(resumed_after=3600.0, length=SECOND * 30, **EVERY_10_S)
    bench.run(1000)
    assert bench.reports == []
    assert not bench.is_served


def test_a_single_report_that_was_not_made_before_a_restart_is_made() -> None:
    bench = Bench(resumed_after=5.25, back=NONE, begin=None)
    bench.run(1)
    (report,) = bench.reports
    encode(UpdateReport(request_id="1", reports=(report,), ven_id="ven"))
    assert len(bench.readings()) == 1


def test_a_machine_that_slept_labels_nothing_with_a_time_at_which_it_did_not_look() -> None:
    bench = Bench(**THREE_A_REPORT)
    bench.run(15)
    bench.clock.advance(3600)
    bench.run(60)
    for due, value in (pair for report in bench.readings() for pair in report):
        assert 0 <= value - due < 10
    assert bench.readings()[0] == [(0, 0), (10, 10)], "what was read before leaves all the same"


def test_a_clock_that_is_set_forward_leaves_out_and_one_that_is_set_back_goes_on_but_not_twice() -> None:
    bench = Bench(**EVERY_10_S)
    bench.run(15)
    bench.clock.set_utc(NOON + MINUTE * 10 + SECOND * 3)
    bench.run(60)
    forward = [due for report in bench.readings() for due, _ in report]
    assert forward[:4] == [0, 10, 600, 610]
    bench.clock.set_utc(NOON + MINUTE)
    bench.run(705)
    again = [due for report in bench.readings() for due, _ in report][len(forward) :]
    beyond = range(int(forward[-1]) + 10, 770, 10)
    assert again == [*range(60, 600, 10), *beyond], "at the next boundary, and no instant is read twice"


def test_after_a_restart_a_clock_that_was_set_back_goes_on_but_not_twice() -> None:
    fast = AcceptedRequest(
        request=request(**EVERY_10_S),
        accepted_at=NOON,
        made_until=NOON + MINUTE * 11,
        made=((NOON, NOON + MINUTE), (NOON + MINUTE * 10, NOON + MINUTE * 11)),
    )
    for now, then in ((30, 60), (59, 60), (305, 310), (615, 660)):
        due = schedule(fast, NOON + SECOND * now)
        serving = Serving(("", "request"), Offer(offer(), {}), due, ("load",), (), made=fast.told)
        assert serving.next_due() == NOON + SECOND * then
    old = msgspec.structs.replace(fast, made=())
    serving = Serving(("", "request"), Offer(offer(), {}), due, ("load",), (), made=old.told)
    assert serving.next_due() == NOON + MINUTE * 11, "an older blob says no more than that"


STEPS = st.lists(
    st.tuples(st.sampled_from(["pass", "sleep", "set"]), st.integers(-200_000, 200_000)), min_size=1, max_size=12
)


@given(STEPS, st.integers(1, 4), st.none() | st.integers(1, 600), st.integers(0, 9_999))
def test_whatever_the_clocks_do_every_instant_is_read_once_and_about_when_it_says(
    steps: list[tuple[str, int]], together: int, length: int | None, fraction: int
) -> None:
    bench = Bench(
        granularity=SECOND * 10,
        back=SECOND * 10 * together,
        begin=timedelta(milliseconds=fraction),
        length=NONE if length is None else SECOND * length,
    )
    for what, milliseconds in steps:
        if what == "set":
            bench.clock.set_utc(bench.now.utc + timedelta(milliseconds=milliseconds))
        elif what == "sleep":
            bench.clock.advance(abs(milliseconds) / 1000)
        else:
            bench.run(abs(milliseconds) / 1000)
    bench.run(3600)
    told = [[due for due, _ in report] for report in bench.readings()]
    assert told == [sorted(report) for report in told], "in order"
    pairs = [pair for report in bench.readings() for pair in report]
    assert len(pairs) == len({due for due, _ in pairs}), "none twice"
    for due, value in pairs:
        assert -0.001 < value - due < 10.001
        assert (round(due * 1000) - fraction) % 10_000 == 0, "on a boundary"
        assert length is None or due < length + fraction / 1000
    for report in bench.reports:
        assert 1 <= len(report.intervals) <= together
    assert bench.is_served == (length is None or bench.now.utc < NOON + SECOND * length)


# --- callbacks -------------------------------------------------------------------------------------------------------


def test_every_data_point_is_read_at_every_boundary_and_told_when_it_was_due() -> None:
    bench = Bench(r_ids=("load", "sun"), **EVERY_10_S)
    told = []

    def callback(r_id: str, due: object) -> float:
        return 0.0

    bench.reporter.offer(offer(r_ids=("load", "sun")), {"load": callback, "sun": callback})
    bench.reporter.begin("", "request", bench.now)

    def read(call: Call) -> float:
        told.append((call.arguments["r_id"], call.arguments["due"]))
        return 0.0

    bench.run(10, read)
    assert told == [("load", NOON), ("sun", NOON), ("load", NOON + SECOND * 10), ("sun", NOON + SECOND * 10)]


@pytest.mark.rule(318)
@pytest.mark.parametrize("how", ["raises", "returns nonsense", "takes too long"])
def test_a_callback_that_fails_gives_no_value_and_does_not_stop_the_others(how: str) -> None:
    bench = Bench(r_ids=("load", "sun"), **EVERY_10_S)
    bench.wake()
    broken, good = bench.calls
    bench.reporter.returned(good.call, 7.0, bench.now)
    if how == "raises":
        bench.reporter.raised(broken.call, OSError("no meter"), bench.now)
    elif how == "returns nonsense":
        bench.reporter.returned(broken.call, "much", bench.now)
    else:
        bench.calls.clear()
        bench.clock.advance_to(broken.deadline.at)
        bench.wake()
    report = bench.reports[0]
    values = {
        payload.r_id: (payload.value, payload.data_quality) for one in report.intervals for payload in one.payloads
    }
    assert values == {"load": (0.0, "Quality Bad - Non Specific"), "sun": (7.0, None)}
    (failed,) = (one for one in bench.emitted if isinstance(one, HandlerFailed))
    assert failed.handler == "report load"
    assert not bench.reporter.owns(broken.call)


def test_a_slow_callback_holds_its_report_and_those_after_it_but_no_reading() -> None:
    bench = Bench(**EVERY_10_S)
    bench.wake()
    (slow,) = bench.calls
    bench.calls.clear()
    bench.run(20)
    assert bench.reports == [], "reports keep their order"
    bench.reporter.returned(slow.call, -1.0, bench.now)
    assert bench.readings() == [[(0, -1)], [(10, 10)], [(20, 20)]]


def test_what_comes_after_a_request_has_ended_is_for_nobody() -> None:
    bench = Bench(**EVERY_10_S)
    bench.wake()
    (call,) = bench.calls
    bench.reporter.end("", "request")
    bench.reporter.returned(call.call, 1.0, bench.now)
    bench.run(100)
    assert bench.reports == []


def test_a_reporter_that_was_stopped_reads_no_more() -> None:
    bench = Bench(**EVERY_10_S)
    bench.reporter.stop()
    assert bench.reporter.next_timeout(bench.now) is None
    assert not bench.reporter.owns(CallId(1))


def test_an_offer_needs_a_callback_for_each_data_point() -> None:
    bench = Bench(**EVERY_10_S)
    with pytest.raises(LocalProtocolError, match="the data points sun have no callback"):
        bench.reporter.offer(offer(r_ids=("load", "sun")), {"load": bench.read})
    assert len(bench.reporter.metadata(bench.now)) == 1
    assert bench.reporter.metadata(Now(0, NOON + HOUR))[0].created_date_time == NOON + HOUR

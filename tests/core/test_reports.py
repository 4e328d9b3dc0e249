"""Reports from end to end: offered, asked for, sampled, delivered, cancelled, and what goes wrong on the way."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from oadr_core import (
    Call,
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    EiResponse,
    HandlerFailed,
    Interval,
    LocalProtocolError,
    Poll,
    RegisteredReport,
    RegisterReport,
    Reply,
    Report,
    ReportDropped,
    ReportEnded,
    ReportGap,
    ReportPayload,
    ReportRequested,
    ReportsReceived,
    ReportWish,
    UpdatedReport,
    UpdateReport,
    VenLimits,
    VtnPolicy,
    encode,
)
from oadr_core.offers import METADATA
from tests.core.kit import HOUR, MINUTE, NONE, NOON, Grid, asked, drained, offer, one, request
from tests.core.test_registration import create, registered

both = pytest.mark.parametrize("pull", [True, False], ids=["pull", "push"])
SECOND = timedelta(seconds=1)


class Meter:
    """A VTN that wants the load of a VEN, and what it has stored."""

    def __init__(self, *, pull: bool = True, sampling: int = 10, reporting: int = 30, **rest: Any) -> None:
        self.stored: list[tuple[float, float]] = []
        wish = ReportWish(r_id="load", sampling=SECOND * sampling, reporting=SECOND * reporting, callback=self.store)
        handlers: dict[str, Callable[..., object]] = {"on_register_report": lambda report: [wish]}
        self.grid = Grid(vtn_handlers={**handlers, **rest})
        self.grid.add_ven(pull=pull, offers={"load": self.read})

    def read(self) -> float:
        return self.grid.now.mono

    def store(self, data: list[tuple[datetime, float]]) -> None:
        self.stored += [((at - NOON).total_seconds(), value) for at, value in data]


# --- the straight path -----------------------------------------------------------------------------------------------


@both
@pytest.mark.rule(301, 306, 344, 317)
def test_what_is_offered_is_asked_for_sampled_and_delivered(pull: bool) -> None:
    meter = Meter(pull=pull)
    meter.grid.run(125)
    assert meter.stored == [(at, pytest.approx(at)) for at in range(0, 120, 10)]
    assert len(meter.grid.messages(UpdateReport)) == 4
    (registered_report,) = (one for one in meter.grid.messages(RegisteredReport) if one.report_requests)
    (wanted,) = registered_report.report_requests
    assert meter.grid.messages(CreatedReport)[0].pending_reports == (wanted.report_request_id,)
    assert meter.grid.ven().unsent == 0


@pytest.mark.rule(301, 305)
def test_a_ven_with_nothing_to_offer_says_so() -> None:
    grid = Grid()
    grid.add_ven()
    grid.run(5)
    mine = [message for who, _, message, _ in grid.log if who == "ven" and isinstance(message, RegisterReport)]
    assert [one.reports for one in mine] == [()]


def test_a_vtn_without_a_handler_may_ask_for_all_usage_by_itself() -> None:
    grid = Grid(vtn_policy=VtnPolicy(request_reports=True, shortest_sampling=SECOND * 20))
    grid.add_ven(offers={"load": lambda: 1.0, "sun": lambda: 2.0})
    grid.run(100)
    received = grid.told(ReportsReceived)
    assert len(received) == 6, "at once, and then every 20 seconds"
    values = {
        payload.r_id for one in received for r in one.message.reports for i in r.intervals for payload in i.payloads
    }
    assert values == {"load", "sun"}


def test_the_compact_handler_is_asked_about_each_data_point() -> None:
    told = []

    def on_register_report(resource_id: object, unit: object, min_sampling_interval: object, r_id: object) -> object:
        told.append((resource_id, unit, min_sampling_interval, r_id))
        return (None, SECOND * 10) if r_id == "load" else None

    grid = Grid(vtn_handlers={"on_register_report": on_register_report})
    grid.add_ven(offers={"load": lambda: 1.0, "sun": lambda: 2.0})
    grid.run(20)
    assert told == [("boiler", "W", SECOND, "load"), ("boiler", "W", SECOND, "sun")]
    payloads = [
        p.r_id
        for one in grid.told(ReportsReceived)
        for r in one.message.reports
        for i in r.intervals
        for p in i.payloads
    ]
    assert set(payloads) == {"load"}


def test_callbacks_are_forgotten_with_the_registration() -> None:
    meter = Meter()
    meter.grid.run(70)
    assert meter.grid.vtn._asker._callbacks
    meter.grid.ven().cancel_party_registration(meter.grid.now)
    meter.grid.drain()
    assert not meter.grid.vtn.vtn.vens
    assert not meter.grid.vtn._asker._callbacks
    assert not meter.grid.vtn._asker._bound


def test_reports_go_to_their_callbacks_and_to_the_handler() -> None:
    whole: list[Report] = []
    meter = Meter(on_update_report=whole.append)
    meter.grid.run(70)
    assert len(whole) == 2
    assert len(meter.stored) == 6


# --- offers that change ----------------------------------------------------------------------------------------------


@pytest.mark.rule(306)
def test_new_offers_end_what_was_asked_for_and_the_vtn_asks_again() -> None:
    meter = Meter()
    grid = meter.grid
    grid.run(65)
    host = grid.hosts["ven"]
    before = grid.ven().ven.state.report_requests
    grid.ven().offer(offer("more", ("load",)), {"load": lambda: 5.0}, grid.now)
    grid.run(65)
    assert len(grid.told(ReportEnded, host)) == 1
    after = grid.ven().ven.state.report_requests
    assert len(after) == 2
    assert not {one.request.report_request_id for one in before} & {one.request.report_request_id for one in after}
    record = grid.vtn.vtn.vens[grid.ven_id()]
    assert {one.request.report_request_id for one in record.requests} == {
        one.request.report_request_id for one in after
    }


# --- requests by the operator ----------------------------------------------------------------------------------------


def grid_with_offer(*, pull: bool = True) -> Grid:
    grid = Grid()
    grid.add_ven(pull=pull, offers={"load": lambda: 1.0})
    grid.run(30)
    grid.log.clear()
    return grid


@both
@pytest.mark.rule(329)
def test_a_report_can_be_asked_for_and_cancelled_at_any_time(pull: bool) -> None:
    grid = grid_with_offer(pull=pull)
    host, ven_id = grid.hosts["ven"], grid.ven_id()
    grid.vtn.vtn.create_report(ven_id, [request()], grid.now)
    grid.run(65)
    assert [one.report_request_id for one in grid.told(ReportRequested, host)] == ["request"]
    assert grid.messages(CreatedReport)[-1].pending_reports == ("request",)
    assert len(grid.messages(UpdateReport)) >= 1
    grid.vtn.vtn.cancel_report(ven_id, ["request"], grid.now)
    grid.run(15)
    assert grid.messages(CanceledReport)[-1].pending_reports == ()
    assert [one.report_request_id for one in grid.told(ReportEnded, host)] == ["request"]
    assert not grid.vtn.vtn.vens[ven_id].requests
    grid.log.clear()
    grid.run(120)
    assert grid.messages(UpdateReport) == []


@pytest.mark.rule(329, 345)
def test_with_a_report_to_follow_there_is_one_more_and_it_is_pending_until_then() -> None:
    grid = grid_with_offer()
    grid.vtn.vtn.create_report(grid.ven_id(), [request()], grid.now)
    grid.run(50)
    grid.vtn.vtn.cancel_report(grid.ven_id(), ["request"], grid.now, report_to_follow=True)
    while not grid.messages(CanceledReport):
        grid.run(1)
    assert grid.messages(CanceledReport)[-1].pending_reports == ("request",)
    grid.log.clear()
    grid.run(300)
    assert len(grid.messages(UpdateReport)) == 1


@pytest.mark.rule(336)
def test_unknown_ids_are_told_and_the_known_ones_are_cancelled() -> None:
    grid = grid_with_offer()
    grid.vtn.vtn.create_report(grid.ven_id(), [request()], grid.now)
    grid.run(30)
    grid.vtn.vtn.cancel_report(grid.ven_id(), ["request", "unknown"], grid.now)
    grid.run(15)
    (answer,) = grid.messages(CanceledReport)
    assert (answer.response.response_code, answer.pending_reports) == (452, ()), "decision D38"


@pytest.mark.rule(304, 340)
@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (request(specifier_id="unknown"), 452),
        (request(r_ids=("unknown",)), 452),
        (request(granularity=HOUR, back=HOUR), 454),
        (request(granularity=NONE, back=MINUTE), 454),
    ],
)
def test_what_was_not_offered_is_refused_and_the_vtn_expects_nothing(wanted: Any, code: int) -> None:
    grid = grid_with_offer()
    grid.vtn.vtn.create_report(grid.ven_id(), [wanted], grid.now)
    grid.run(15)
    (answer,) = grid.messages(CreatedReport)
    assert (answer.response.response_code, answer.pending_reports) == (code, ())
    assert grid.ven().ven.state.report_requests == ()
    assert not grid.vtn.vtn.vens[grid.ven_id()].requests


def test_the_same_request_again_is_a_retry_and_another_of_the_same_id_is_a_mistake() -> None:
    grid = grid_with_offer(pull=False)
    for wanted, code in ((request(), 200), (request(), 200), (request(back=MINUTE), 452)):
        message = CreateReport(request_id="1", report_requests=(wanted,), ven_id=grid.ven_id())
        answer = one(Reply, asked(grid.ven(), message, grid.now)).message
        assert isinstance(answer, CreatedReport)
        assert (answer.response.response_code, answer.pending_reports) == (code, ("request",)), "decision D37"
    assert len(grid.ven().ven.state.report_requests) == 1


def test_a_ven_serves_no_more_requests_than_it_wants_to() -> None:
    grid = Grid()
    grid.add_ven(pull=False, offers={"load": lambda: 1.0}, limits=VenLimits(report_requests=2))
    grid.run(30)
    wanted = tuple(request(f"request{number}") for number in range(3))
    message = CreateReport(request_id="1", report_requests=wanted, ven_id=grid.ven_id())
    answer = one(Reply, asked(grid.ven(), message, grid.now)).message
    assert isinstance(answer, CreatedReport)
    assert (answer.response.response_code, answer.pending_reports) == (469, ("request0", "request1"))


@both
@pytest.mark.rule(301, 311, 324)
def test_metadata_can_be_asked_for(pull: bool) -> None:
    grid = grid_with_offer(pull=pull)
    wanted = request("again", specifier_id=METADATA, r_ids=("0",), granularity=NONE, back=NONE, begin=None)
    grid.vtn.vtn.create_report(grid.ven_id(), [wanted], grid.now)
    grid.run(30)
    (answer,) = (message for who, _, message, _ in grid.log if who == "ven" and isinstance(message, RegisterReport))
    assert answer.report_request_id == "again"
    assert len(answer.reports) == 1
    assert grid.ven().ven.state.report_requests == ()
    assert not grid.vtn.vtn.vens[grid.ven_id()].requests


# --- deliveries ------------------------------------------------------------------------------------------------------


def interval(minutes: int, r_id: str = "load") -> Interval:
    """A value some minutes after noon."""
    return Interval(dtstart=NOON + MINUTE * minutes, payloads=(ReportPayload(r_id=r_id, value=1.0),))


def data_report(request_id: str) -> Report:
    """A report with one reading."""
    return Report(
        dtstart=NOON,
        intervals=(Interval(dtstart=NOON, payloads=(ReportPayload(r_id="load", value=1.0),)),),
        report_request_id=request_id,
        report_specifier_id="usage",
        report_name="TELEMETRY_USAGE",
        created_date_time=NOON,
    )


def delivered(grid: Grid, ven_id: str, *request_ids: str, message_id: str = "1") -> UpdatedReport:
    """Deliver reports by hand."""
    reports = tuple(data_report(one) for one in request_ids)
    message = UpdateReport(request_id=message_id, reports=reports, ven_id=ven_id)
    outputs = asked(grid.vtn, message, grid.now)
    grid.host.events += [output for output in outputs if isinstance(output, ReportsReceived)]
    answer = one(Reply, outputs).message
    assert isinstance(answer, UpdatedReport)
    return answer


@pytest.mark.rule(304)
def test_a_report_that_nobody_asked_for_is_refused() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    grid.vtn.vtn.create_report(ven_id, [request("known")], grid.now)
    assert delivered(grid, ven_id, "unknown").response.response_code == 452
    assert delivered(grid, ven_id, "known", message_id="2").response.response_code == 200
    answer = delivered(grid, ven_id, "known", "unknown", message_id="3")
    assert answer.response.response_code == 452
    assert len(grid.told(ReportsReceived)) == 2, "the known part is taken all the same"


@pytest.mark.rule(339)
def test_the_report_id_of_data_means_nothing() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    grid.vtn.vtn.create_report(ven_id, [request("known")], grid.now)
    data = Report(
        dtstart=NOON,
        intervals=(Interval(dtstart=NOON, payloads=(ReportPayload(r_id="load", value=1.0),)),),
        report_id="of another report",
        report_request_id="known",
        report_specifier_id="usage",
        report_name="TELEMETRY_USAGE",
        created_date_time=NOON,
    )
    message = UpdateReport(request_id="1", reports=(data,), ven_id=ven_id)
    answer = one(Reply, asked(grid.vtn, message, grid.now)).message
    assert isinstance(answer, UpdatedReport)
    assert answer.response.ok


@pytest.mark.rule(300, 304, 314, 315, 342)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 200),
        ({"report_specifier_id": "other"}, 452),
        ({"intervals": (interval(0), interval(0, "moon"))}, 452),
        ({"intervals": (interval(0, "moon"),)}, 452),
        ({"intervals": ()}, 454),
        ({"intervals": (interval(0, "sun"),)}, 454),
        ({"intervals": (interval(1), interval(0), interval(0, "sun"))}, 454),
        ({"intervals": (interval(0), msgspec.structs.replace(interval(1, "sun"), duration=MINUTE))}, 454),
        ({"intervals": (interval(0), msgspec.structs.replace(interval(1, "sun"), dtstart=None))}, 454),
    ],
    ids=[
        *("as it was asked for", "another report", "another point as well", "another point", "no values"),
        *("a point missing", "out of order", "some with a length", "some with a start"),
    ],
)
def test_a_report_that_is_not_what_was_asked_for_is_refused(changes: dict[str, Any], code: int) -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    grid.vtn.vtn.create_report(ven_id, [request("known", r_ids=("load", "sun"))], grid.now)
    data = Report(
        dtstart=NOON,
        intervals=(interval(0), interval(0, "sun"), interval(1), interval(1, "sun")),
        report_request_id="known",
        report_specifier_id="usage",
        report_name="TELEMETRY_USAGE",
        created_date_time=NOON,
    )
    message = UpdateReport(request_id="1", reports=(msgspec.structs.replace(data, **changes),), ven_id=ven_id)
    outputs = asked(grid.vtn, message, grid.now)
    answer = one(Reply, outputs).message
    assert isinstance(answer, UpdatedReport)
    assert answer.response.response_code == code
    assert any(isinstance(output, ReportsReceived) for output in outputs) == (code == 200)


def test_a_gap_between_reports_is_told() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    grid.vtn.vtn.create_report(ven_id, [request("known")], grid.now)
    told = []
    for number, minutes in enumerate((0, 5, 2)):
        data = Report(
            dtstart=NOON + MINUTE * minutes,
            intervals=(interval(minutes),),
            report_request_id="known",
            report_specifier_id="usage",
            created_date_time=NOON,
        )
        message = UpdateReport(request_id=str(number), reports=(data,), ven_id=ven_id)
        told += [output for output in asked(grid.vtn, message, grid.now) if isinstance(output, ReportGap)]
    (gap,) = told
    assert (gap.ven_id, gap.since, gap.until) == (ven_id, NOON, NOON + MINUTE * 5), "a correction leaves none"


@pytest.mark.rule(306, 346)
def test_a_report_that_outlives_its_registration_is_refused_each_time_and_not_forgotten() -> None:
    grid = Grid(vtn_handlers={"on_update_report": lambda report: None})
    ven_id, _ = registered(grid)
    grid.vtn.vtn.create_report(ven_id, [request("known")], grid.now)
    grid.wire.drain(grid.host, grid.now)
    report = data_report("known")
    message = UpdateReport(request_id="1", reports=(report,), ven_id=ven_id)
    call = one(Call, asked(grid.vtn, message, grid.now))
    asked(grid.vtn, create(request_id="2", ven_id=ven_id), grid.now)
    grid.vtn.call_returned(call.call, None, now=grid.now)
    outputs = drained(grid.vtn, grid.now) + asked(grid.vtn, message, grid.now)
    answers = [output.message for output in outputs if isinstance(output, Reply)]
    assert [one.response.response_code for one in answers if isinstance(one, UpdatedReport)] == [452, 452]
    assert not [output for output in outputs if isinstance(output, ReportsReceived)]


@pytest.mark.rule(346)
def test_the_same_delivery_again_is_confirmed_and_not_taken_twice() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    grid.vtn.vtn.create_report(ven_id, [request("known")], grid.now)
    first = delivered(grid, ven_id, "known")
    assert delivered(grid, ven_id, "known") == first
    assert len(grid.told(ReportsReceived)) == 1


def test_what_was_under_way_when_a_report_was_cancelled_is_still_taken() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    grid.vtn.vtn.create_report(ven_id, [request("known")], grid.now)
    grid.vtn.vtn.cancel_report(ven_id, ["known"], grid.now)
    (cancel,) = (one.message for one in grid.vtn.vtn.vens[ven_id].queue if isinstance(one.message, CancelReport))
    response = EiResponse(request_id=cancel.request_id)
    asked(grid.vtn, CanceledReport(response=response, ven_id=ven_id), grid.now)
    assert not grid.vtn.vtn.vens[ven_id].requests
    assert delivered(grid, ven_id, "known").response.response_code == 200


def test_a_report_that_the_application_cannot_store_is_kept_and_sent_again() -> None:
    full = True

    def on_update_report(report: Report) -> None:
        if full:
            raise OSError("no space")

    meter = Meter(on_update_report=on_update_report)
    grid = meter.grid
    grid.settle = lambda: settle_with_errors(grid)
    grid.run(125)
    assert grid.ven().unsent >= 3
    assert grid.told(HandlerFailed)
    full = False
    grid.run(120)
    assert grid.ven().unsent == 0
    assert not grid.told(ReportDropped, grid.hosts["ven"])
    assert {at for at, _ in meter.stored} == set(range(0, 240, 10)), "nothing is lost"


def test_a_report_that_the_application_refuses_for_now_is_kept_and_sent_again() -> None:
    """Saying so is as good as raising: what was refused must not be confirmed."""
    full, whole = True, list[Report]()

    def on_update_report(report: Report) -> tuple[int, str] | None:
        if full:
            return 500, "no space"
        whole.append(report)
        return None

    meter = Meter(on_update_report=on_update_report)
    grid = meter.grid
    grid.run(125)
    assert grid.ven().unsent >= 3
    full = False
    grid.run(120)
    assert grid.ven().unsent == 0
    assert not grid.told(ReportDropped, grid.hosts["ven"])
    assert sum(len(report.intervals) for report in whole) == len({at for at, _ in meter.stored}), "nothing is lost"


def settle_with_errors(grid: Grid) -> None:
    """As :meth:`Grid.settle`, with handlers that may raise."""
    while True:
        grid.wire.settle(grid.now)
        waiting = [(host, call) for host in grid.wire.hosts.values() for call in host.calls]
        if not waiting:
            return
        for host, call in waiting:
            assert call.function is not None
            try:
                value = call.function(**call.arguments)
            except OSError as error:
                host.calls.remove(call)
                host.core.call_raised(call.call, error, now=grid.now)
                grid.wire.drain(host, grid.now)
            else:
                grid.wire.run(host, call, value, grid.now)


def step(grid: Grid) -> None:
    """Let the next thing on the wire happen, or time pass until there is one; handlers return at once."""
    for host in grid.wire.hosts.values():
        for call in list(host.calls):
            assert call.function is not None
            grid.wire.run(host, call, call.function(**call.arguments), grid.now)
    moving = [flight for flight in grid.wire.flights if flight.inbound is None or flight.answered]
    if moving and moving[0].answered:
        grid.wire.answer(moving[0], grid.now)
    elif moving:
        grid.wire.deliver(moving[0], grid.now)
    else:
        due = grid.wire.next_timeout()
        assert due is not None
        grid.clock.advance_to(due)
        grid.wire.wake(grid.now)


@pytest.mark.rule(328, 335)
def test_a_cancel_in_the_confirmation_is_obeyed_and_not_confirmed() -> None:
    grid = grid_with_offer()
    grid.vtn.vtn.create_report(grid.ven_id(), [request()], grid.now)
    while not (updates := [flight for flight in grid.wire.flights if b"oadrUpdateReport" in flight.body]):
        step(grid)
    (flight,) = updates
    grid.wire.flights.remove(flight)
    cancel = CancelReport(request_id="9", report_request_id=("request",), ven_id=grid.ven_id())
    answer = UpdatedReport(response=EiResponse(), cancel_report=cancel, ven_id=grid.ven_id())
    grid.log.clear()
    grid.ven().receive_response(flight.exchange, encode(answer), now=grid.now)
    grid.run(120)
    assert grid.ven().ven.state.report_requests == ()
    assert grid.messages(CanceledReport) == []
    assert grid.messages(UpdateReport) == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_report_with_numbers_that_mean_nothing_is_refused(value: float) -> None:
    meter = Meter()
    meter.grid.run(15)
    ven_id = meter.grid.ven_id()
    wanted = meter.grid.vtn.vtn.vens[ven_id].requests[0].request
    payload = ReportPayload(r_id="load", value=value)
    report = Report(
        dtstart=NOON,
        intervals=(Interval(dtstart=NOON, payloads=(payload,)),),
        report_request_id=wanted.report_request_id,
        report_specifier_id="usage",
        report_name="TELEMETRY_USAGE",
        created_date_time=NOON,
    )
    outputs = asked(meter.grid.vtn, UpdateReport(request_id="1", reports=(report,), ven_id=ven_id), meter.grid.now)
    answer = one(Reply, outputs).message
    assert isinstance(answer, UpdatedReport)
    assert answer.response.response_code == 454
    assert not [output for output in outputs if isinstance(output, ReportsReceived)]


# --- the VTN as a source ---------------------------------------------------------------------------------------------


@pytest.mark.rule(303, 500)
def test_an_answer_that_comes_again_does_not_count_for_the_report_that_waits() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    metadata = one(Reply, asked(grid.vtn, Poll(ven_id=ven_id), grid.now)).message
    assert isinstance(metadata, RegisterReport)
    registered_report = RegisteredReport(response=EiResponse(request_id=metadata.request_id), ven_id=ven_id)
    asked(grid.vtn, registered_report, grid.now)
    taken: list[str] = []
    for number in range(2):
        grid.vtn.vtn.update_report(ven_id, [data_report(f"mine {number}")], grid.now)
        for first in taken:  # its answer was lost
            answer = UpdatedReport(response=EiResponse(request_id=first), ven_id=ven_id)
            asked(grid.vtn, answer, grid.now)
        brought = one(Reply, asked(grid.vtn, Poll(ven_id=ven_id), grid.now)).message
        assert isinstance(brought, UpdateReport)
        assert [report.report_request_id for report in brought.reports] == [f"mine {number}"]
        taken.append(brought.request_id)
        asked(grid.vtn, UpdatedReport(response=EiResponse(request_id=brought.request_id), ven_id=ven_id), grid.now)
    assert not grid.vtn.vtn.vens[ven_id].queue


@pytest.mark.rule(308, 510)
def test_a_vtn_that_is_asked_for_metadata_gives_them_and_for_other_reports_refuses() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    wanted = request("mine", specifier_id=METADATA, r_ids=("0",))
    answer = one(
        Reply, asked(grid.vtn, CreateReport(request_id="1", report_requests=(wanted,), ven_id=ven_id), grid.now)
    ).message
    assert isinstance(answer, CreatedReport)
    assert (answer.response.response_code, answer.pending_reports) == (200, ("mine",))
    other = CreateReport(request_id="2", report_requests=(request(),), ven_id=ven_id)
    refused = one(Reply, asked(grid.vtn, other, grid.now)).message
    assert isinstance(refused, CreatedReport)
    assert refused.response.response_code == 452


@pytest.mark.rule(329)
def test_a_request_for_metadata_that_comes_again_is_answered_again_and_served_once() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    before = len(grid.vtn.vtn.vens[ven_id].queue)
    for number, names in enumerate([("a", "b"), ("a", "b"), ("c",)]):
        wanted = tuple(request(name, specifier_id=METADATA, r_ids=("0",)) for name in names)
        message = CreateReport(request_id=str(number), report_requests=wanted, ven_id=ven_id)
        answer = one(Reply, asked(grid.vtn, message, grid.now)).message
    assert isinstance(answer, CreatedReport)
    assert (answer.response.response_code, answer.pending_reports) == (200, ("a", "b", "c"))
    assert len(grid.vtn.vtn.vens[ven_id].queue) == before + 3


def test_a_ven_cannot_make_its_vtn_remember_any_number_of_requests_for_metadata() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    codes = []
    for number in range(100):
        wanted = request(f"mine {number}", specifier_id=METADATA, r_ids=("0",))
        message = CreateReport(request_id=str(number), report_requests=(wanted,), ven_id=ven_id)
        answer = one(Reply, asked(grid.vtn, message, grid.now)).message
        assert isinstance(answer, CreatedReport)
        codes.append(answer.response.response_code)
    assert set(codes) == {200, 469}
    assert len(grid.vtn.vtn.vens[ven_id].queue) < 20


# --- mistakes of the application -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "returned",
    [
        "everything",
        [("load",)],
        [("load", None, "often")],
        [("moon", None, SECOND)],
        [5],
    ],
)
def test_a_wish_that_means_nothing_is_told_and_the_offers_wait(returned: object) -> None:
    grid = Grid(vtn_handlers={"on_register_report": lambda report: returned})
    grid.add_ven(offers={"load": lambda: 1.0})
    grid.run(5)
    failed = grid.told(HandlerFailed)
    assert failed
    assert failed[0].handler == "on_register_report"
    assert not grid.vtn.vtn.vens[grid.ven_id()].requests


def test_an_offer_that_breaks_a_rule_is_refused() -> None:
    grid = Grid()
    grid.add_ven()
    bad = msgspec.structs.replace(offer(), report_request_id="7")
    with pytest.raises(LocalProtocolError):
        grid.ven().offer(bad, {"load": lambda: 1.0})

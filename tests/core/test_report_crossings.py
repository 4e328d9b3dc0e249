"""What crosses on its way: requests and new metadata, decisions about reports and the end of a registration."""

import itertools
from datetime import timedelta
from typing import Final

import pytest

from oadr_core import (
    AutoVen,
    AutoVtn,
    CreatedReport,
    CreatePartyRegistration,
    CreateReport,
    EiResponse,
    RegisterReport,
    Report,
    ReportRequest,
    ReportsReceived,
    ReportWish,
    RequestEvent,
    RequestReregistration,
    Save,
    UpdateReport,
    data_point,
    encode,
    make_offer,
    read,
)
from oadr_core.decisions import EndReports
from oadr_core.machines.report import ReportAtRequester
from oadr_core.reports.requester import Requester
from oadr_core.state.ven import VenState
from oadr_core.testing import Flight
from tests.core.kit import HOUR, MINUTE, NONE, NOON, Grid, request

SECOND = timedelta(seconds=1)
RATE = {"min_period": SECOND * 10, "max_period": MINUTE * 5}


def flight_of(grid: Grid, kind: type) -> Flight:
    """The message of a kind that is on its way."""
    (found,) = [one for one in grid.wire.flights if isinstance(read(one.body).message, kind)]
    return found


def offer(core: AutoVen | AutoVtn, grid: Grid) -> None:
    """Offer a meter, or offer it anew."""
    point = data_point(lambda: 5, r_id="load", sampling_rate=RATE)
    core.offer(make_offer("meter", [point], NOON), {"load": point}, grid.now)


def asking(source: str) -> tuple[Grid, AutoVen | AutoVtn, list[ReportRequest]]:
    """A push VEN and its VTN, of which one has offered a meter, and the other is about to ask for it.

    :param source: which of them offers.
    :returns: both, the one that offers, and what the other wants.
    """
    grid = Grid()
    grid.add_ven(pull=False, handlers={})
    core: AutoVen | AutoVtn = grid.ven() if source == "ven" else grid.vtn
    offer(core, grid)
    grid.drain()
    wanted = [request("crossing", specifier_id="meter")]
    if source == "ven":
        grid.vtn.vtn.create_report(grid.ven_id(), wanted, grid.now)
    else:
        grid.ven().ven.create_report(wanted, grid.now)
    return grid, core, wanted


@pytest.mark.parametrize("source", ["ven", "vtn"])
@pytest.mark.rule(306, 329)
def test_a_request_that_crosses_new_metadata_stands_on_both_sides(source: str) -> None:
    grid, core, wanted = asking(source)
    offer(core, grid)
    grid.wire.drain(grid.host, grid.now)
    grid.wire.drain(grid.hosts["ven"], grid.now)
    asked, offered = flight_of(grid, CreateReport), flight_of(grid, RegisterReport)
    grid.wire.deliver(offered, grid.now)
    grid.wire.answer(offered, grid.now)
    grid.wire.deliver(asked, grid.now)
    grid.settle()
    state, record = grid.ven().ven.state, grid.vtn.vtn.vens[grid.ven_id()]
    served, expected = (state, record) if source == "ven" else (record, state)
    assert [one.request for one in served.report_requests] == [one.request for one in expected.requests] == wanted
    assert expected.requests[0].state is ReportAtRequester.RUNNING


ORDERS: Final = [
    order
    for order in itertools.permutations(("offer", "asked", "asked answered", "offered", "offered answered"))
    if order.index("asked") < order.index("asked answered")
    and order.index("offer") < order.index("offered") < order.index("offered answered")
]
"""In which orders a request and new metadata may leave, arrive and be answered."""


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
@pytest.mark.parametrize("source", ["ven", "vtn"])
@pytest.mark.rule(306, 329, 335)
def test_however_a_request_and_new_metadata_cross_both_sides_agree_in_the_end(
    source: str, order: tuple[str, ...]
) -> None:
    grid, core, _ = asking(source)
    flights = {}
    for step in ("ask", *order):
        match step:
            case "offer" | "ask":
                if step == "offer":
                    offer(core, grid)
                grid.wire.drain(grid.host, grid.now)
                grid.wire.drain(grid.hosts["ven"], grid.now)
                kind = RegisterReport if step == "offer" else CreateReport
                flights["offered" if step == "offer" else "asked"] = flight_of(grid, kind)
            case "asked" | "offered":
                grid.wire.deliver(flights[step], grid.now)
            case _:
                grid.wire.answer(flights[step.split()[0]], grid.now)
    grid.run(300)
    state, record = grid.ven().ven.state, grid.vtn.vtn.vens[grid.ven_id()]
    served, expected = (state, record) if source == "ven" else (record, state)
    assert [one.request for one in served.report_requests] == [one.request for one in expected.requests]
    assert {one.state for one in expected.requests} <= {ReportAtRequester.RUNNING}


@pytest.mark.parametrize("source", ["ven", "vtn"])
@pytest.mark.rule(324)
def test_a_request_for_one_report_that_comes_again_after_its_report_is_not_answered_by_another(source: str) -> None:
    grid = Grid()
    host = grid.add_ven(pull=False, handlers={})
    core: AutoVen | AutoVtn = grid.ven() if source == "ven" else grid.vtn
    offer(core, grid)
    grid.drain()
    wanted = [request("once", specifier_id="meter", back=NONE, granularity=NONE, begin=None)]
    if source == "ven":
        grid.vtn.vtn.create_report(grid.ven_id(), wanted, grid.now)
    else:
        grid.ven().ven.create_report(wanted, grid.now)
    grid.wire.drain(grid.host, grid.now)
    grid.wire.drain(host, grid.now)
    asked = flight_of(grid, CreateReport)
    again = Flight(asked.source, asked.exchange, asked.to, asked.service, asked.body)
    grid.run(60)
    assert len(grid.messages(UpdateReport)) == 1
    grid.wire.flights.append(again)
    grid.run(60)
    assert len(grid.messages(UpdateReport)) == 1


def test_what_is_wanted_of_offers_counts_no_more_once_the_registration_is_to_end() -> None:
    grid = Grid()
    host = grid.add_ven(pull=False, handlers={"on_register_report": lambda report: None})
    grid.drain()
    offer(grid.vtn, grid)
    grid.wire.drain(grid.host, grid.now)
    grid.wire.settle(grid.now)
    (call,) = host.calls
    grid.ven().cancel_party_registration(grid.now)
    grid.log.clear()
    grid.wire.run(host, call, [ReportWish(r_id="load", sampling=SECOND * 10)], grid.now)
    grid.drain()
    assert grid.messages(CreateReport) == []


def test_what_is_wanted_of_offers_counts_no_more_once_there_are_others() -> None:
    grid = Grid()
    host = grid.add_ven(pull=False, handlers={"on_register_report": lambda report: None})
    grid.drain()
    for seconds in (0, 1):
        grid.clock.advance(seconds)
        offer(grid.vtn, grid)
        grid.wire.drain(grid.host, grid.now)
        grid.wire.settle(grid.now)
    grid.log.clear()
    first, second = host.calls
    for call in (first, second):
        grid.wire.run(host, call, [ReportWish(r_id="load", sampling=SECOND * 10)], grid.now)
    grid.drain()
    assert len(grid.messages(CreateReport)) == 1
    assert len(grid.ven().ven.state.requests) == 1


def test_a_ven_tells_that_reports_were_received_once_that_is_saved() -> None:
    def take(report: Report) -> None:
        """Take it."""

    grid = Grid()
    host = grid.add_ven(pull=False, handlers={"on_report": take})
    offer(grid.vtn, grid)
    grid.drain()
    grid.ven().ven.create_report([request("load", specifier_id="meter")], grid.now)
    grid.drain()
    while not [one for one in grid.wire.flights if isinstance(read(one.body).message, UpdateReport)]:
        due = grid.wire.next_timeout()
        assert due is not None
        grid.clock.advance_to(due)
        grid.host.core.handle_timeout(grid.now)
        grid.wire.drain(grid.host, grid.now)
        for call in list(grid.host.calls):
            grid.wire.run(grid.host, call, 5, grid.now)
    grid.wire.deliver(flight_of(grid, UpdateReport), grid.now)
    (call,) = host.calls
    grid.ven().call_returned(call.call, None, now=grid.now)
    outputs = iter(lambda: grid.ven().next_output(grid.now), None)
    kinds = [type(one) for one in outputs if isinstance(one, Save | ReportsReceived)]
    assert kinds.index(Save) < kinds.index(ReportsReceived)


@pytest.mark.rule(304)
def test_a_report_that_the_application_takes_after_the_registration_has_changed_is_answered_as_that_is_then() -> None:
    def take(report: Report) -> None:
        """Take it."""

    grid = Grid()
    host = grid.add_ven(pull=False, handlers={"on_report": take})
    offer(grid.vtn, grid)
    grid.drain()
    grid.ven().ven.create_report([request("load", specifier_id="meter")], grid.now)
    grid.drain()
    while not host.calls:
        due = grid.wire.next_timeout()
        assert due is not None
        grid.clock.advance_to(due)
        grid.wire.wake(grid.now)
        for call in list(grid.host.calls):
            grid.wire.run(grid.host, call, 5, grid.now)
        grid.wire.settle(grid.now)
    (call,) = host.calls
    grid.ven().cancel_party_registration(grid.now)
    grid.wire.drain(host, grid.now)
    grid.wire.settle(grid.now)
    assert not grid.ven().ven.state.registered
    grid.ven().ven.create_party_registration(grid.now)
    grid.wire.drain(host, grid.now)
    grid.wire.settle(grid.now)
    assert grid.ven().ven.state.registered
    host.events.clear()
    grid.wire.run(host, call, None, grid.now)
    assert not any(isinstance(one, ReportsReceived) for one in host.events), "another registration asked for it"


@pytest.mark.rule(306, 344)
def test_an_answer_to_requests_by_the_way_is_none_to_a_request_that_waits() -> None:
    grid = Grid(vtn_handlers={"on_register_report": lambda report: [ReportWish(r_id="load", sampling=SECOND * 10)]})
    grid.add_ven(handlers={})
    grid.drain()
    offer(grid.ven(), grid)
    metadata = request("metadata", specifier_id="METADATA", r_ids=("0",), granularity=NONE, back=NONE, begin=None)
    grid.vtn.vtn.create_report(grid.ven_id(), [metadata], grid.now)
    grid.drain()
    grid.log.clear()
    grid.run(30)
    assert [one.report_requests for one in grid.messages(CreateReport)] == [(metadata,)]
    assert [one.report_request_id for one in grid.messages(RegisterReport)] == [None, "metadata"]
    assert "metadata" not in {one.request_id for one in grid.vtn.vtn.vens[grid.ven_id()].requests}


ONCE: Final = request("once", specifier_id="meter", granularity=NONE, back=NONE, begin=None)


def unanswered(*wanted: ReportRequest, said: EndReports | None = None) -> tuple[Grid, Flight]:
    """A push VEN that has asked its VTN for reports, and whose request has arrived; the answer does not.

    :param wanted: what it has asked for.
    :param said: what its application says to each report.
    :returns: both, and the request.
    """
    grid = Grid()
    host = grid.add_ven(pull=False, handlers={"on_report": lambda report: said})
    offer(grid.vtn, grid)
    grid.drain()
    grid.ven().ven.create_report(wanted, grid.now)
    grid.wire.drain(host, grid.now)
    asked = flight_of(grid, CreateReport)
    grid.wire.deliver(asked, grid.now)
    grid.wire.flights.remove(asked)
    return grid, asked


@pytest.mark.rule(329)
def test_an_answer_that_is_repeated_lists_what_has_become_pending_since() -> None:
    grid = Grid(vtn_handlers={"on_register_report": lambda report: None})
    host = grid.add_ven(pull=False, handlers={})
    grid.drain()
    offer(grid.ven(), grid)
    grid.wire.drain(host, grid.now)
    offered = flight_of(grid, RegisterReport)
    grid.wire.deliver(offered, grid.now)
    (call,) = grid.host.calls
    grid.wire.run(grid.host, call, [ReportWish(r_id="load", sampling=MINUTE * 5)], grid.now)
    grid.wire.answer(offered, grid.now)
    grid.wire.lose(flight_of(grid, CreatedReport), grid.now, told=False)
    grid.vtn.vtn.create_report(grid.ven_id(), [request("since then", specifier_id="meter", begin=HOUR)], grid.now)
    grid.drain()
    grid.log.clear()
    grid.run(60)
    (repeated,) = grid.messages(CreatedReport)
    assert "since then" in repeated.pending_reports


def test_a_request_that_its_report_has_overtaken_is_waited_for_and_not_repeated() -> None:
    grid, _ = unanswered(ONCE)
    grid.log.clear()
    grid.ven().ven.request_event(grid.now)
    grid.run(5)
    assert grid.ven().ven.state.requests == (), "its report is here"
    assert grid.messages(RequestEvent) == [], "one request at a time"
    grid.log.clear()
    grid.run(120)
    assert grid.messages(RequestEvent), "the answer was given up"
    assert grid.messages(CreateReport) == [], "a source that has crashed would make it once more"


def test_a_request_that_its_report_has_overtaken_is_not_repeated_after_a_new_registration_either() -> None:
    grid, asked = unanswered(ONCE)
    grid.run(5)
    grid.log.clear()
    postponed = RequestReregistration(ven_id=grid.ven_id())
    grid.ven().receive_response(asked.exchange, encode(postponed), now=grid.now)
    grid.run(60)
    assert len(grid.messages(CreatePartyRegistration)) == 1
    assert grid.messages(CreateReport) == []


@pytest.mark.rule(328, 335)
def test_what_was_cancelled_in_an_answer_is_not_asked_for_again_when_its_request_is_repeated() -> None:
    wanted = [request("enough", specifier_id="meter"), request("later", specifier_id="meter", begin=HOUR)]
    grid, _ = unanswered(*wanted, said=EndReports(report_request_ids=("enough",)))
    grid.log.clear()
    grid.run(120)
    repeated = [[one.report_request_id for one in message.report_requests] for message in grid.messages(CreateReport)]
    assert repeated == [["later"]]


@pytest.mark.rule(329, 344)
def test_what_confirms_requests_by_the_way_confirms_none_that_is_under_way() -> None:
    grid = Grid(vtn_handlers={"on_register_report": lambda report: [ReportWish(r_id="load", sampling=SECOND * 10)]})
    grid.add_ven(pull=False, handlers={})
    grid.drain()
    wanted = request("under way", specifier_id="meter", granularity=NONE, back=NONE, begin=None)
    grid.vtn.vtn.create_report(grid.ven_id(), [wanted], grid.now)
    grid.wire.drain(grid.host, grid.now)
    under_way = flight_of(grid, CreateReport)
    grid.wire.flights.remove(under_way)
    offer(grid.ven(), grid)
    grid.drain()
    states = {one.request_id: one.state for one in grid.vtn.vtn.vens[grid.ven_id()].requests}
    assert states.pop("under way") is ReportAtRequester.ASKED
    assert list(states.values()) == [ReportAtRequester.RUNNING]
    grid.wire.flights.append(under_way)
    grid.run(30)
    assert "under way" not in {one.request_id for one in grid.vtn.vtn.vens[grid.ven_id()].requests}, "it was answered"


@pytest.mark.parametrize("step", [SECOND * 10, NONE])
@pytest.mark.rule(325)
def test_a_request_with_an_end_is_over_for_both_sides_once_its_last_report_is_there(step: timedelta) -> None:
    grid = Grid()
    grid.add_ven(handlers={})
    point = data_point(lambda: 5, r_id="load", sampling_rate={**RATE, "on_change": True})
    grid.ven().offer(make_offer("meter", [point], NOON), {"load": point}, grid.now)
    grid.drain()
    wanted = request("bounded", specifier_id="meter", granularity=step, length=SECOND * 75)
    grid.vtn.vtn.create_report(grid.ven_id(), [wanted], grid.now)
    grid.run(60)
    assert [one.request_id for one in grid.vtn.vtn.vens[grid.ven_id()].requests] == ["bounded"]
    grid.run(180)
    state, record = grid.ven().ven.state, grid.vtn.vtn.vens[grid.ven_id()]
    assert (state.report_requests, record.requests) == ((), ())


@pytest.mark.rule(508)
def test_an_answer_that_comes_after_the_registration_has_ended_names_no_ven() -> None:
    message = UpdateReport(request_id="late", reports=(), ven_id="ven")
    answer = Requester(VenState()).updated(message, EiResponse(response_code=463), "")
    assert answer.ven_id is None

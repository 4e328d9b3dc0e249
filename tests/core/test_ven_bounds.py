"""What a VTN can pile up at a VEN, and where that ends: each collection has a bound, and a policy beyond it."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from oadr_core import (
    VEN_HANDLERS,
    Call,
    CreatedEvent,
    CreatedReport,
    CreateReport,
    DistributeEvent,
    EiResponse,
    Failure,
    HandlerFailed,
    LocalProtocolError,
    Now,
    OptType,
    Output,
    Payload,
    Peer,
    PeerMisbehaved,
    PlainSealer,
    Poll,
    RegisteredReport,
    RegisterReport,
    Reply,
    ReportDropped,
    RequestEvent,
    Response,
    SpecifierPayload,
    Transmit,
    UpdateReport,
    VenConfig,
    VenLimits,
    VenState,
    VtnLimits,
    encode,
)
from oadr_core.offers import METADATA
from oadr_core.ven import Ven
from tests.core.kit import HOUR, MINUTE, NONE, NOON, Grid, create_opt, created, drained, event, offer, one, request
from tests.rules.samples import USAGE, but

NOW: Final = Now(0.0, NOON)


class Line:
    """A VEN that is registered, and a VTN that says what it likes.

    :param asks: the handlers of the application, none of which ever returns by itself.
    :param pull: whether the VEN polls.
    :param config: what else the VEN is.
    """

    def __init__(self, *asks: str, pull: bool = False, **config: Any) -> None:
        state = VenState(registered=True, ven_id="ven", registration_id="registration", vtn_id="Grid")
        address = None if pull else "here"
        settings = VenConfig(ven_name="ven", pull=pull, address=address, **config)
        self.ven = Ven(settings, sealer=PlainSealer(), entropy=random.Random(0), state=state, asks=asks)
        self.now = NOW
        self.sent: list[Payload] = []
        self.told: list[Output] = []
        self.under_way: Transmit | None = None
        self.ven.create_party_registration(NOW)
        self.drain()
        self.answer(created("ven", "registration"))

    def drain(self) -> list[Output]:
        """Take what the VEN has to do."""
        outputs = drained(self.ven, self.now)
        for each in outputs:
            if isinstance(each, Transmit):
                self.under_way = each
                self.sent.append(each.message)
        self.told += outputs
        return outputs

    def push(self, message: Payload) -> list[Output]:
        """Push something to it."""
        self.ven.receive_request(encode(message), peer=Peer(), service=None, now=self.now)
        return self.drain()

    def answer(self, message: Payload) -> list[Output]:
        """Answer what it has sent last."""
        assert self.under_way is not None
        exchange, self.under_way = self.under_way.exchange, None
        self.ven.receive_response(exchange, encode(message), now=self.now)
        return self.drain()

    def settle(self, until: type[Payload] | None = None) -> None:
        """Say yes to all that it sends, until it sends something of a kind."""
        while self.under_way is not None and not (until and isinstance(self.under_way.message, until)):
            self.answer(Response(response=EiResponse(), ven_id="ven"))

    def polled(self, message: Payload) -> None:
        """Have it poll, and answer that."""
        self.ven.poll(self.now)
        self.drain()
        self.settle(Poll)
        self.answer(message)

    def fail(self) -> None:
        """Fail at all that it sends."""
        while self.under_way is not None:
            exchange, self.under_way = self.under_way.exchange, None
            self.ven.exchange_failed(exchange, Failure.PEER_ERROR, now=self.now)
            self.drain()

    def misbehaviour(self) -> list[str]:
        """What is told of the VTN."""
        return [each.what for each in self.told if isinstance(each, PeerMisbehaved)]


def events(*names: str, request_id: str = "1", **details: Any) -> DistributeEvent:
    """A list of events."""
    return DistributeEvent(request_id=request_id, vtn_id="Grid", events=tuple(event(name, **details) for name in names))


def asking(number: int, **details: Any) -> CreateReport:
    """A request for a report."""
    return CreateReport(request_id=f"c{number}", report_requests=(request(f"r{number}", **details),), ven_id="ven")


def offering(number: int, *names: str) -> RegisterReport:
    """Offers of a VTN."""
    return RegisterReport(request_id=f"o{number}", reports=(offer("usage", names or ("load",)),), ven_id="ven")


# --- what the application has not decided or heard -------------------------------------------------------------------

PILES: Final[dict[str, Callable[[int], Payload]]] = {
    "events": lambda number: events(f"event {number}", request_id=f"list {number}"),
    "requests": asking,
    "offers": offering,
    "deliveries": lambda number: UpdateReport(
        request_id=f"u{number}", reports=(but(USAGE, report_request_id="asked"),), ven_id="ven"
    ),
}
"""What a VTN may send again and again, and what the application is asked about each time."""


def a_line(what: str, **config: Any) -> Line:
    """A VEN whose application is asked about something, and says nothing."""
    handlers = {"events": "on_update_event", "requests": "on_create_report", "offers": "on_register_report"}
    line = Line("on_event", handlers.get(what, "on_update_report"), **config)
    if what == "deliveries":
        line.push(offering(0, *{payload.r_id for one in USAGE.intervals for payload in one.payloads}))  # type: ignore[union-attr]
        for call in [each for each in line.told if isinstance(each, Call)]:
            line.ven.call_returned(call.call, None, now=line.now)
        points = tuple(SpecifierPayload(r_id=payload.r_id) for payload in USAGE.intervals[0].payloads)  # type: ignore[union-attr]
        asked = but(
            request("asked", specifier_id=USAGE.report_specifier_id), report_specifier__specifier_payloads=points
        )
        line.ven.create_report((asked,), line.now)
        line.drain()
    return line


@pytest.mark.parametrize("what", sorted(PILES))
def test_of_what_a_vtn_pushes_only_so_much_waits_for_the_application_and_the_rest_comes_back_later(what: str) -> None:
    line = a_line(what, limits=VenLimits(undecided=20))
    outputs = [line.push(PILES[what](number)) for number in range(1, 60)]
    refused = [any(isinstance(each, Reply) and each.refusal is Failure.BUSY for each in given) for given in outputs]
    assert (refused[0], refused[-30:]) == (False, [True] * 30)
    calls = [each for given in outputs for each in given if isinstance(each, Call)]
    assert 20 <= len(calls) <= 30
    for call in calls:
        line.ven.call_raised(call.call, ValueError("no"), now=line.now)
    line.drain()
    later = line.push(PILES[what](99))
    assert not [each for each in later if isinstance(each, Reply) and each.refusal], "there is room again"


@pytest.mark.parametrize("what", ["requests", "offers"])
def test_of_what_a_ven_polls_the_same_goes_and_it_gives_no_answer_so_that_the_vtn_asks_again(what: str) -> None:
    line = a_line(what, limits=VenLimits(undecided=20), pull=True)
    for number in range(1, 60):
        line.polled(PILES[what](number))
        line.settle()
    assert len([each for each in line.told if isinstance(each, Call)]) == 20
    assert sum("while 20 questions wait" in text for text in line.misbehaviour()) == 39


# --- events ----------------------------------------------------------------------------------------------------------


def test_lists_that_cancel_nothing_add_up_to_so_many_events_and_no_more() -> None:
    line = Line(limits=VenLimits(events=50))
    for number in range(10):
        line.ven.request_event(line.now, reply_limit=10)
        line.drain()
        line.settle(RequestEvent)
        line.answer(events(*(f"event {number}.{place}" for place in range(10)), request_id=str(number)))
    line.settle()
    assert len(line.ven.state.events) == 50
    refusals = [each for each in line.sent if isinstance(each, CreatedEvent) and not each.response.ok]
    assert {each.response.response_code for each in refusals} == {469}


def test_cancelled_events_that_end_at_random_are_so_many_and_others_end_at_once() -> None:
    line = Line(limits=VenLimits(ending=10), default_opt=OptType.OPT_IN, pull=True)
    for number in range(5):
        names = [f"event {number}.{place}" for place in range(4)]
        line.polled(events(*names, begin=-HOUR, length=HOUR * 9, startafter=HOUR / 2))
        line.polled(events())
    assert len(line.ven.state.ending) == 10
    assert not line.ven.state.events


# --- reports ---------------------------------------------------------------------------------------------------------


def test_offers_of_the_vtn_beyond_their_bound_are_refused_and_those_of_before_stay() -> None:
    line = Line(limits=VenLimits(offered=2000))
    codes = []
    for number, points in ((1, 2), (2, 50)):
        answer = one(Reply, line.push(offering(number, *(f"point {place}" for place in range(points))))).message
        assert isinstance(answer, RegisteredReport)
        codes.append(answer.response.response_code)
    assert codes == [200, 469]
    assert len(line.ven.state.offered()[0].report_descriptions or ()) == 2


def test_requests_of_the_vtn_have_a_number_and_a_size_beyond_which_they_are_refused() -> None:
    for bound in (VenLimits(report_requests=20), VenLimits(requested=2000)):
        line = Line(limits=bound)
        line.ven.register_report((offer(),), line.now)
        line.drain()
        answers = [one(Reply, line.push(asking(number))).message for number in range(40)]
        codes = [each.response.response_code for each in answers if isinstance(each, CreatedReport)]
        assert (codes[0], codes[-1]) == (200, 469)
        assert len(line.ven.state.report_requests) <= 20


def test_offers_that_come_again_and_again_make_a_ven_ask_for_so_many_reports_and_no_more() -> None:
    line = Line("on_register_report", limits=VenLimits(asked=10))
    for number in range(30):
        call = one(Call, line.push(offering(number)))
        line.ven.call_returned(call.call, [request(f"asked {number}")], now=line.now)
        line.drain()
        line.fail()
    assert len(line.ven.state.requests) == 10
    assert len([each for each in line.told if isinstance(each, HandlerFailed)]) == 20


# --- answers that do not get through ---------------------------------------------------------------------------------


def answers_waiting(line: Line, kind: type[Payload]) -> int:
    """How many answers of a kind a VEN keeps."""
    return len(list(line.ven._sender.messages(kind)))


def test_a_vtn_that_fails_at_every_answer_piles_up_so_many_of_them_and_no_more() -> None:
    line = Line(limits=VenLimits(answers=10), pull=True)
    for number in range(50):
        line.polled(asking(number))
        line.fail()
    assert answers_waiting(line, CreatedReport) == 10
    assert any("takes no answers" in text for text in line.misbehaviour())


def test_a_vtn_that_fails_at_answers_to_events_piles_up_so_many_of_them_and_no_more() -> None:
    line = Line(limits=VenLimits(answers=10))
    for number in range(50):
        line.push(events(f"event {number}", request_id=str(number)))
        line.fail()
    assert answers_waiting(line, CreatedEvent) <= 10


def test_a_vtn_that_asks_for_metadata_and_fails_at_them_piles_up_so_many_of_them_and_no_more() -> None:
    line = Line(limits=VenLimits(answers=10))
    once = {"specifier_id": METADATA, "granularity": NONE, "back": NONE, "begin": None}
    for number in range(50):
        line.push(asking(number, **once))
        line.ven.register_report((offer(),), line.now, report_request_id=f"r{number}")
        line.drain()
        line.fail()
    assert answers_waiting(line, RegisterReport) == 10


# --- what the application has said -----------------------------------------------------------------------------------


def test_opts_that_a_vtn_does_not_take_are_so_many_and_the_application_is_refused_more() -> None:
    line = Line(limits=VenLimits(opts=3))
    for number in range(3):
        line.ven.create_opt(create_opt(f"opt {number}"), line.now)
    with pytest.raises(LocalProtocolError, match="3 opts wait for the VTN already"):
        line.ven.create_opt(create_opt("one too many"), line.now)
    assert len(line.ven.state.unanswered_opts) == 3


def test_reports_that_a_vtn_does_not_take_are_so_many_and_the_oldest_are_dropped() -> None:
    grid = Grid()
    grid.add_ven(offers={"load": lambda: 1.0}, limits=VenLimits(unsent=3))
    grid.run(30)
    grid.vtn.vtn.create_report(grid.ven_id(), (request("asked", granularity=MINUTE, back=MINUTE),), grid.now)
    grid.run(60)
    assert not grid.told(ReportDropped, grid.hosts["ven"])
    grid.run_without(grid.host, 600)
    assert len(grid.told(ReportDropped, grid.hosts["ven"])) >= 5


# --- what is no bound ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, -1, 1.5, "1000", None, True])
@pytest.mark.parametrize("kind", [VenLimits, VtnLimits])
def test_a_bound_that_bounds_nothing_is_refused_by_its_name(kind: Any, value: object) -> None:
    for name in kind.__struct_fields__:
        assert getattr(kind(**{name: 1}), name) == 1
        with pytest.raises(LocalProtocolError, match=f"{kind.__name__}: {name} is .*; it must be a whole number"):
            kind(**{name: value})


# --- all of it -------------------------------------------------------------------------------------------------------


def test_whatever_a_vtn_repeats_for_long_the_state_of_a_ven_stays_small() -> None:
    line = Line(*VEN_HANDLERS, limits=VenLimits(undecided=50, events=100))
    sizes = []
    for number in range(400):
        for what in PILES.values():
            line.push(what(number))
        for call in [each for each in line.told if isinstance(each, Call)]:
            line.ven.call_raised(call.call, ValueError("no"), now=line.now)
        line.told.clear()
        line.drain()
        line.fail()
        line.now = Now(line.now.mono + 0.1, NOON + timedelta(seconds=number / 10))
        sizes.append(len(line.ven.state.dump()))
    assert max(sizes[200:]) <= max(sizes[:200]) * 1.2

"""What a push VEN does not take holds up nothing else, and is given up where the VEN takes other things."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count

import pytest

from oadr_core import (
    CancelReport,
    CreateReport,
    DistributeEvent,
    ExchangeAbandoned,
    ExchangeSetBack,
    Failure,
    Output,
    Payload,
    Poll,
    RegisterReport,
    ReportDropped,
    RequestReregistration,
    Transmit,
    TransportName,
    UpdateReport,
    VenOffline,
)
from oadr_core.machines.exchange import REMEDY, Remedy
from oadr_core.testing import ManualClock
from tests.core.desk import Desk, answer_to
from tests.core.kit import HOUR, asked, event, one, request
from tests.core.test_made_reports import report

PASSING = [why for why in Failure if REMEDY[why] is not Remedy.GIVE_UP]
"""Failures that a later try may mend."""

Fails = Callable[[Payload], Failure | None]
"""Says how a push fails; None where the VEN takes it."""


class Line:
    """A VTN with one push VEN, and what becomes of its pushes."""

    def __init__(self, fails: Fails) -> None:
        self.desk = Desk("ven", pushed=["ven"])
        self.fails = fails
        self.pushed: list[Payload] = []
        self.told: list[Output] = []

    @property
    def clock(self) -> ManualClock:
        return self.desk.clock

    @property
    def queue(self) -> list[Payload]:
        return [operation.message for operation in self.desk.vtn.vens["ven"].queue]

    def ask(self, *names: str) -> None:
        """Ask the VEN for reports, each by a request of its own."""
        for name in names:
            self.desk.vtn.create_report("ven", [request(name)], self.desk.now)

    def run(self, seconds: float) -> None:
        """Let the VEN take what it is pushed, or not, for some time."""
        until = self.clock.now.mono + seconds
        while True:
            while pushes := self._pushes(self.desk.outputs()):
                while pushes:
                    pushes += self._carry(pushes.pop(0))
            due = self.desk.vtn.next_timeout()
            if due is None or due.at > until:
                break
            self.clock.advance_to(due.at)
            self.desk.vtn.handle_timeout(self.clock.now)
        self.clock.advance_to(until)

    def _pushes(self, outputs: list[Output]) -> list[Transmit]:
        self.told += outputs
        return [output for output in outputs if isinstance(output, Transmit)]

    def _carry(self, push: Transmit) -> list[Transmit]:
        self.pushed.append(push.message)
        why = self.fails(push.message)
        if why is not None:
            self.desk.vtn.exchange_failed(push.exchange, why, now=self.clock.now)
            return []
        self.desk.vtn.receive_response(push.exchange, b"", now=self.clock.now)
        if isinstance(push.message, DistributeEvent) and push.message.events:
            return self._pushes(asked(self.desk.vtn, answer_to("ven", push.message), self.clock.now))
        return []

    def abandoned(self) -> list[ExchangeAbandoned]:
        return [output for output in self.told if isinstance(output, ExchangeAbandoned)]


def wants(message: Payload, name: str) -> bool:
    """Whether a message asks for a certain report."""
    return isinstance(message, CreateReport) and message.report_requests[0].report_request_id == name


@pytest.mark.parametrize("why", [why for why in PASSING if why is not Failure.CUT_OFF])
def test_what_the_ven_never_takes_holds_up_nothing_else_and_is_given_up_at_last(why: Failure) -> None:
    line = Line(lambda message: why if wants(message, "bad") else None)
    line.ask("bad", "good")
    line.desk.vtn.add_event(event(length=HOUR * 9), ["ven"], line.desk.now)
    line.run(10)
    assert {type(message) for message in line.queue} == {CreateReport}, "the event and the other request are through"
    numbers = count()
    while not line.abandoned():
        assert wants(line.queue[0], "bad")
        line.ask(f"good {next(numbers)}")
        line.run(120)
    (given_up,) = line.abandoned()
    assert (given_up.why, given_up.ven_id, wants(given_up.request, "bad")) == (why, "ven", True)
    tries = [message for message in line.pushed if wants(message, "bad")]
    assert 8 <= len(tries) <= 32
    record = line.desk.vtn.vens["ven"]
    assert record.queue == ()
    assert "bad" not in {one.request_id for one in record.requests}, "and the report is expected no more"


@pytest.mark.parametrize("why", PASSING)
def test_nothing_is_given_up_while_nothing_gets_through(why: Failure) -> None:
    away = True
    line = Line(lambda message: why if away else None)
    names = [f"report {number}" for number in range(5)]
    line.ask(*names)
    line.desk.vtn.cancel_report("ven", ["report 0"], line.desk.now)
    line.desk.vtn.add_event(event(length=HOUR * 9), ["ven"], line.desk.now)
    line.run(4 * 3600)
    assert line.abandoned() == []
    assert len(line.queue) == 6
    assert one(ExchangeSetBack, line.told[-1:]).ven_id == "ven"
    away, line.pushed = False, []
    line.run(120)
    assert line.queue == []
    assert line.abandoned() == []
    assert len(line.pushed) == 7, "and once is enough"
    assert isinstance(line.pushed[1] if isinstance(line.pushed[0], CreateReport) else line.pushed[0], DistributeEvent)


def test_what_is_about_the_same_report_stays_in_order() -> None:
    line = Line(lambda message: Failure.SILENCE if wants(message, "slow") and len(line.pushed) < 9 else None)
    line.ask("slow")
    line.desk.vtn.cancel_report("ven", ["slow"], line.desk.now)
    line.ask("other", "another", "third")
    line.run(600)
    kinds = [type(message) for message in line.pushed if isinstance(message, CancelReport) or wants(message, "slow")]
    assert kinds[-2:] == [CreateReport, CancelReport]
    assert kinds.count(CancelReport) == 1
    assert line.queue == []


def test_a_list_of_events_that_fails_each_time_is_tried_for_ever_and_holds_up_nothing() -> None:
    line = Line(lambda message: Failure.PEER_ERROR if isinstance(message, DistributeEvent) else None)
    line.desk.vtn.add_event(event(length=HOUR * 90), ["ven"], line.desk.now)
    line.run(10)
    line.ask("report")
    line.run(2)
    assert line.queue == []
    for number in range(30):
        line.ask(f"report {number}")
        line.run(120)
    assert line.queue == []
    assert line.abandoned() == []
    lists = [message for message in line.pushed if isinstance(message, DistributeEvent)]
    assert len(lists) >= 30
    line.fails = lambda message: None
    line.run(70)
    assert line.desk.standing("ven").opt_type is not None


@pytest.mark.rule(50, 61)
def test_a_list_that_is_too_large_is_tried_again_only_when_it_has_changed_and_that_is_told_once() -> None:
    line = Line(lambda message: Failure.TOO_LARGE if isinstance(message, DistributeEvent) else None)
    line.desk.vtn.add_event(event("one", length=HOUR * 9), ["ven"], line.desk.now)
    line.run(3600)
    line.ask("report")
    line.run(3600)
    assert [type(message) for message in line.pushed] == [DistributeEvent, CreateReport]
    (told,) = line.abandoned()
    assert (told.why, told.ven_id) == (Failure.TOO_LARGE, "ven")
    (answer,) = line.desk.vtn.answers("one", line.desk.now)
    assert answer.times == 0, "nobody has been told"
    line.desk.vtn.add_event(event("two", length=HOUR * 9), ["ven"], line.desk.now)
    line.run(3600)
    assert len(line.abandoned()) == 2
    line.fails = lambda message: None
    line.run(600)
    assert len(line.pushed) == 3, "it is as large as it was"
    line.desk.vtn.cancel_event("two", line.desk.now)
    line.run(60)
    assert isinstance(line.pushed[-1], DistributeEvent)
    assert {answer.times for answer in line.desk.vtn.answers("one", line.desk.now)} == {1}


def test_a_ven_that_registers_again_may_take_larger_lists() -> None:
    line = Line(lambda message: Failure.TOO_LARGE if isinstance(message, DistributeEvent) else None)
    line.desk.vtn.add_event(event(length=HOUR * 9), ["ven"], line.desk.now)
    line.run(600)
    line.fails = lambda message: None
    line.desk.restart()
    line.run(60)
    assert isinstance(line.pushed[-1], DistributeEvent)
    assert line.desk.standing("ven").opt_type is not None


@pytest.mark.parametrize("why", [Failure.NOT_ACCEPTABLE, Failure.UNSUPPORTED, Failure.FORBIDDEN])
def test_a_list_that_is_refused_is_tried_once_a_minute_and_holds_up_nothing(why: Failure) -> None:
    line = Line(lambda message: why if isinstance(message, DistributeEvent) else None)
    line.desk.vtn.add_event(event(length=HOUR * 9), ["ven"], line.desk.now)
    line.ask("report")
    line.run(599)
    assert line.queue == []
    assert len([message for message in line.pushed if isinstance(message, DistributeEvent)]) == 10


@pytest.mark.parametrize("push", [False, True])
def test_events_that_the_ven_never_answers_hold_up_nothing(push: bool) -> None:
    desk = Desk("ven", pushed=["ven"] if push else [])
    desk.vtn.add_event(event(length=HOUR * 9), ["ven"], desk.now)
    handed: list[Payload] = []
    for second in range(600):
        if second == 200:
            desk.vtn.create_report("ven", [request()], desk.now)
        for output in desk.outputs() if push else ():
            if isinstance(output, Transmit):
                handed.append(output.message)
                desk.vtn.receive_response(output.exchange, b"", now=desk.now)
        if not push:
            handed.append(desk.ask(Poll(ven_id="ven")))
        desk.clock.advance(1)
        desk.vtn.handle_timeout(desk.now)
    kinds = [type(message) for message in handed if isinstance(message, DistributeEvent | CreateReport)]
    assert kinds.count(CreateReport) >= 1
    assert 4 <= kinds.count(DistributeEvent) <= 10, "and they are told again all the same"


@pytest.mark.rule(500)
def test_what_a_pull_ven_never_answers_holds_up_nothing_for_ever() -> None:
    desk = Desk("ven")
    desk.vtn.offer_to("ven", desk.now)
    desk.vtn.create_report("ven", [request("first")], desk.now)
    desk.vtn.create_report("ven", [request("second")], desk.now)
    desk.vtn.add_event(event(length=HOUR * 9), ["ven"], desk.now)
    handed: list[Payload] = []
    given_up = []
    for _ in range(360):
        outputs = asked(desk.vtn, Poll(ven_id="ven"), desk.now)
        given_up += [output.request for output in outputs if isinstance(output, ExchangeAbandoned)]
        handed += [output.message for output in outputs if hasattr(output, "inbound") and output.message is not None]
        if isinstance(handed[-1], DistributeEvent):
            desk.answer("ven", handed[-1])
        desk.wait(timedelta(seconds=10))
    kinds = [type(message) for message in handed]
    assert kinds[0] is RegisterReport
    assert DistributeEvent in kinds[: kinds.index(CreateReport)], "the events come first, once the metadata had a try"
    assert [type(message) for message in given_up] == [RegisterReport, CreateReport, CreateReport]
    assert desk.vtn.vens["ven"].queue == ()
    assert kinds.count(RegisterReport) == 8


def test_a_request_to_register_again_that_a_pull_ven_never_answers_ends() -> None:
    desk = Desk("ven")
    desk.vtn.request_reregistration("ven", desk.now)
    answers = []
    for _ in range(60):
        answers.append(desk.ask(Poll(ven_id="ven")))
        desk.wait(timedelta(seconds=61))
    assert len([one for one in answers if isinstance(one, RequestReregistration)]) == 8


def test_a_report_of_ours_that_is_given_up_is_told_as_dropped() -> None:
    line = Line(lambda message: Failure.NOT_ACCEPTABLE if isinstance(message, UpdateReport) else None)
    line.desk.vtn.update_report("ven", [report(1, "wanted")], line.desk.now)
    line.run(60)
    assert (line.queue, len(line.abandoned())) == ([], 1)
    assert one(ReportDropped, line.told).report_request_id == "wanted"


def test_that_we_are_cut_off_ourselves_says_nothing_of_a_ven() -> None:
    why = Failure.CUT_OFF
    line = Line(lambda message: why)
    line.ask("report")
    line.run(3600)
    assert line.desk.vtn.vens["ven"].online
    assert not [told for told in line.told if isinstance(told, VenOffline)]
    why = Failure.UNREACHABLE
    line.run(300)
    assert one(VenOffline, line.told).ven_id == "ven"


def test_what_waits_for_a_connection_of_our_own_is_pushed_as_soon_as_there_is_one() -> None:
    why: Failure | None = Failure.CUT_OFF
    line = Line(lambda message: why)
    line.ask("report")
    line.run(3600)
    why = None
    line.desk.vtn.link_is_back(TransportName.XMPP, line.desk.now)
    line.run(0)
    assert len(line.queue) == 1, "that is another transport"
    line.desk.vtn.link_is_back(TransportName.SIMPLE_HTTP, line.desk.now)
    line.run(0)
    assert line.queue == []


def test_that_our_connection_is_back_brings_back_no_ven() -> None:
    line = Line(lambda message: Failure.UNREACHABLE)
    line.ask("report")
    line.run(600)
    before = len(line.pushed)
    line.desk.vtn.link_is_back(TransportName.SIMPLE_HTTP, line.desk.now)
    line.run(0)
    assert len(line.pushed) == before


def test_that_we_are_cut_off_in_between_does_not_begin_the_count_anew() -> None:
    failures = [Failure.UNREACHABLE, Failure.CUT_OFF, Failure.UNREACHABLE, *[Failure.CUT_OFF] * 50]
    line = Line(lambda message: failures.pop(0))
    line.ask("report")
    line.run(600)
    assert line.desk.vtn.vens["ven"].online, "twice in vain"
    failures[:] = [Failure.UNREACHABLE] * 50
    line.run(70)
    assert not line.desk.vtn.vens["ven"].online

"""How a VEN answers lists of events: no later than it must, no more than it must, and saved before it is sent."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    Call,
    CreatedEvent,
    DistributeEvent,
    EiEvent,
    EiResponse,
    Event,
    EventDecision,
    EventResponse,
    EventStatus,
    Failure,
    HandlerFailed,
    OptType,
    Peer,
    PeerMisbehaved,
    PlainSealer,
    ResponseRequired,
    Save,
    Service,
    SignalPayload,
    Target,
    Transmit,
    Ven,
    VenConfig,
    VenState,
    encode,
)
from oadr_core.messages.durations import CalendarDuration
from oadr_core.testing import ManualClock
from tests.core.kit import HOUR, MINUTE, NONE, NOON, created, drained, event

IN, OUT = OptType.OPT_IN, OptType.OPT_OUT

Answer = tuple[str, int, OptType]
"""An answer to an event: the event, the code, the opt."""


class Desk:
    """A push VEN, and a test in the place of its VTN and of its application.

    :ivar calls: the handlers that have not returned, by event.
    :ivar events: what the VEN has told.
    :ivar saves: how often it has saved its state, and the last state.
    """

    def __init__(self, **config: object) -> None:
        self.clock = ManualClock(NOON)
        settings = VenConfig(pull=False, address="ven", **config)  # type: ignore[arg-type]
        self.ven = Ven(settings, sealer=PlainSealer(), entropy=random.Random(0), asks=("on_event",))
        self.calls: dict[str, Call] = {}
        self.events: list[Event] = []
        self.saves = 0
        self.saved = VenState()
        self._sent: list[Transmit] = []
        self._lists = 0
        self.ven.create_party_registration(self.clock.now)
        self.work()
        self.ven.receive_response(
            self._sent.pop(0).exchange, encode(created("ven", "registration")), now=self.clock.now
        )
        self.work()
        self.saves = 0

    def work(self) -> None:
        for output in drained(self.ven, self.clock.now):
            if isinstance(output, Call):
                told = output.arguments["event"]
                assert isinstance(told, EiEvent)
                self.calls[told.event_descriptor.event_id] = output
            elif isinstance(output, Transmit):
                assert self.is_saved, "nothing is said that is not saved"
                self._sent.append(output)
            elif isinstance(output, Save):
                self.saves += 1
                assert output.blob is not None
                self.saved = VenState.load(output.blob)
            elif isinstance(output, Event):
                self.events.append(output)

    @property
    def is_saved(self) -> bool:
        """Whether what the VEN remembers is saved."""
        return self.ven.state.dump() == self.saved.dump()

    def push(self, *listed: EiEvent, response: EiResponse | None = None, vtn_id: str = "Grid") -> str:
        """Push a list."""
        self._lists += 1
        name = f"list {self._lists}"
        message = DistributeEvent(response=response, request_id=name, vtn_id=vtn_id, events=listed)
        peer = Peer(identity=None)
        self.ven.receive_request(encode(message), peer=peer, service=Service.EI_EVENT, now=self.clock.now)
        self.work()
        return name

    def decide(self, event_id: str, value: object) -> None:
        self.ven.call_returned(self.calls.pop(event_id).call, value, now=self.clock.now)
        self.work()

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.ven.handle_timeout(self.clock.now)
        self.work()

    def answers(self) -> list[list[Answer]]:
        """What arrives at the VTN, one list for each message."""
        found = []
        while self._sent:
            found.append(self.arrives())
        return found

    def arrives(self) -> list[Answer]:
        """The next message arrives, and is confirmed."""
        transmit = self._sent.pop(0)
        message = transmit.message
        assert isinstance(message, CreatedEvent)
        self.ven.receive_response(transmit.exchange, b"", now=self.clock.now)
        self.work()
        return [(one.event_id, one.response_code, one.opt_type) for one in message.event_responses or ()]

    def fails(self) -> None:
        """The next message does not get through."""
        self.ven.exchange_failed(self._sent.pop(0).exchange, Failure.UNREACHABLE, now=self.clock.now)
        self.work()


# --- in time ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule(12)
def test_events_that_are_decided_soon_are_answered_in_one_message() -> None:
    desk = Desk()
    desk.push(event("one"), event("two"), event("three"))
    for name in ("two", "three", "one"):
        assert desk.answers() == []
        desk.wait(2)
        desk.decide(name, "optIn")
    assert desk.answers() == [[("two", 200, IN), ("three", 200, IN), ("one", 200, IN)]]


@pytest.mark.rule(12, 19)
def test_an_application_that_is_slow_with_one_event_keeps_no_other_from_being_answered() -> None:
    desk = Desk(answer_patience=10.0, call_timeout=60.0, group_ids=("ours",))
    desk.push(event("slow"), event("quick"), event("slower"), event("foreign", target=Target(group_id=("theirs",))))
    desk.decide("quick", ("optOut", 469, "broken"))
    assert desk.answers() == []
    desk.wait(10)
    assert desk.answers() == [[("foreign", 462, OUT), ("quick", 469, OUT)]]
    desk.wait(1)
    desk.decide("slow", "optIn")
    assert desk.answers() == [], "the last one may come any moment"
    desk.wait(10)
    assert desk.answers() == [[("slow", 200, IN)]]
    desk.wait(39)
    assert desk.answers() == [[("slower", 200, OUT)]], "policy has decided"
    assert [one.handler for one in desk.events if isinstance(one, HandlerFailed)] == ["on_event"]
    desk.wait(600)
    assert desk.answers() == []


def test_lists_that_come_again_and_again_do_not_put_the_answers_off() -> None:
    desk = Desk(answer_patience=10.0)
    listed = event("slow"), event("quick")
    desk.push(*listed)
    desk.decide("quick", "optIn")
    desk.wait(6)
    desk.push(*listed)
    assert desk.answers() == []
    desk.wait(4)
    assert desk.answers() == [[("quick", 200, IN)]]


def test_a_handler_that_fails_touches_no_other_event() -> None:
    desk = Desk()
    desk.push(event("good"), event("bad"))
    desk.ven.call_raised(desk.calls["bad"].call, LookupError("mine"), now=desk.clock.now)
    desk.decide("good", "optIn")
    assert desk.answers() == [[("bad", 200, OUT), ("good", 200, IN)]]


# --- not more than it must -------------------------------------------------------------------------------------------


def test_of_many_answers_that_could_not_be_sent_only_the_latest_to_each_event_is_sent() -> None:
    desk = Desk()
    desk.push(event("event"))
    desk.decide("event", "optIn")
    desk.fails()
    for number in range(1, 200):
        other = event("other", status=EventStatus.CANCELLED if number > 100 else EventStatus.FAR)
        desk.push(event("event", number=number), other)
        desk.decide("event", "optIn" if number % 2 else "optOut")
        if "other" in desk.calls:
            desk.decide("other", "optIn")
    desk.wait(60)
    assert desk.answers() == [[("other", 200, IN), ("event", 200, IN)]]


def test_what_only_an_earlier_message_answers_is_still_sent() -> None:
    desk = Desk()
    desk.push(event("first"))
    desk.decide("first", "optIn")
    desk.fails()
    desk.push(event("first"), event("second"))
    desk.decide("second", "optIn")
    desk.push(event("second"), event("third"))
    desk.decide("third", "optIn")
    desk.wait(60)
    assert desk.answers() == [[("first", 200, IN)], [("second", 200, IN), ("third", 200, IN)]]


def test_one_under_way_is_sent_again_before_what_replaces_it() -> None:
    desk = Desk()
    desk.push(event())
    desk.decide("event", "optIn")
    desk.ven.change_opt("event", EventDecision(opt_type=OUT), desk.clock.now)
    desk.work()
    desk.fails()
    desk.wait(60)
    assert desk.answers() == [[("event", 200, IN)], [("event", 200, OUT)]]


@pytest.mark.rule(21, 512)
def test_lists_of_another_vtn_are_refused_once_however_many_come_while_it_is_away() -> None:
    desk = Desk()
    desk.push(vtn_id="grid")
    desk.fails()
    for _ in range(10):
        desk.push(vtn_id="grid")
    desk.wait(60)
    assert desk.answers() == [[]]


# --- saved, but not for each decision ----------------------------------------------------------------------------


@pytest.mark.parametrize("required", ResponseRequired)
def test_what_is_decided_about_many_events_is_saved_together(required: ResponseRequired) -> None:
    desk = Desk()
    names = [f"event {number}" for number in range(50)]
    desk.push(*(event(name, required=required) for name in names))
    assert desk.saves == 1
    for name in names:
        desk.decide(name, "optIn")
    assert desk.saves == 2
    assert [one.opt_type for one in desk.saved.events] == [IN] * 50
    assert len(desk.answers()) == (1 if required is ResponseRequired.ALWAYS else 0)


@pytest.mark.rule(42)
def test_an_answer_names_the_list_that_brought_the_event_although_a_shorter_one_came_meanwhile() -> None:
    desk = Desk()
    brought = desk.push(event("first"), event("second"))
    desk.decide("second", "optOut")
    desk.ven.request_event(desk.clock.now, reply_limit=1)
    desk.work()
    short = DistributeEvent(
        response=EiResponse(), request_id="short", vtn_id="Grid", events=(event("urgent", begin=NONE),)
    )
    desk.ven.receive_response(desk._sent.pop(0).exchange, encode(short), now=desk.clock.now)
    desk.work()
    desk.decide("urgent", "optIn")
    desk.decide("first", "optIn")
    message = desk._sent[0].message
    assert isinstance(message, CreatedEvent)
    told = {one.event_id: one.request_id for one in message.event_responses or ()}
    assert told == {"first": brought, "second": brought, "urgent": "short"}


@given(st.lists(st.sampled_from(["decide", "wait", "arrive", "push"]), max_size=30))
def test_nothing_is_said_that_is_not_saved(steps: list[str]) -> None:
    desk = Desk(answer_patience=3.0)
    number = 0
    for step in ["push", *steps]:
        if step == "decide" and desk.calls:
            desk.decide(next(iter(desk.calls)), number % 2 == 0)
        elif step == "wait":
            desk.wait(1)
        elif step == "arrive" and desk._sent:
            desk.arrives()
        elif step == "push":
            number += 1
            desk.push(*(event(name, number=number if name == "a" else 0) for name in "abc"))
    while desk.calls:
        desk.decide(next(iter(desk.calls)), "optIn")
    assert desk.is_saved
    desk.answers()
    assert desk.ven.idle


# --- what cannot be meant ----------------------------------------------------------------------------------------


def with_interval(made: EiEvent, **changes: object) -> EiEvent:
    """The event with its only interval changed."""
    (signal,) = made.event_signals
    interval = msgspec.structs.replace(signal.intervals[0], **changes)
    return msgspec.structs.replace(made, event_signals=(msgspec.structs.replace(signal, intervals=(interval,)),))


@pytest.mark.rule(33, 48)
@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (with_interval(event(), duration=MINUTE), (454, OUT)),
        (with_interval(event(), duration=None), (459, OUT)),
        (with_interval(event(), payloads=(SignalPayload(value=1.0), SignalPayload(value=2.0))), (459, OUT)),
        (with_interval(event(length=NONE), duration=MINUTE), (200, IN)),  # decision D32
        (event(begin=-HOUR * 2), (454, OUT)),
    ],
    ids=["durations that do not add up", "no duration", "two payloads", "the last interval is endless", "an old date"],
)
def test_an_event_that_contradicts_itself_is_refused_and_the_others_are_not(
    made: EiEvent, expected: tuple[int, OptType]
) -> None:
    desk = Desk()
    desk.push(made, event("good"))
    for name in list(desk.calls):
        desk.decide(name, "optIn")
    (answers,) = desk.answers()
    assert sorted(answers) == [("event", *expected), ("good", 200, IN)]


def test_months_where_minutes_are_likely_are_taken_as_they_are_with_a_warning() -> None:
    """Decision D44."""
    made = event()
    period = msgspec.structs.replace(made.active_period, ramp_up=CalendarDuration(months=5))
    desk = Desk()
    for _ in range(2):
        desk.push(msgspec.structs.replace(made, active_period=period))
    warned = [one.what for one in desk.events if isinstance(one, PeerMisbehaved)]
    assert warned == [
        "event event, active_period.ramp_up: a duration of 5 months; it is much shorter; PT5M is five minutes"
    ]
    desk.decide("event", "optIn")
    assert desk.answers() == [[("event", 200, IN)]]


@pytest.mark.rule(61)
def test_a_list_that_says_of_itself_that_it_is_an_error_cancels_nothing() -> None:
    desk = Desk()
    desk.push(event())
    desk.decide("event", "optIn")
    desk.answers()
    desk.push(response=EiResponse(response_code=454, response_description="no list today"))
    assert [one.event_id for one in desk.ven.state.events] == ["event"]
    assert [one.code for one in desk.events if isinstance(one, PeerMisbehaved)] == [454]
    assert desk.answers() == []
    desk.push(event("another"), response=EiResponse(response_code=200))
    assert [one.event_id for one in desk.ven.state.events] == ["another"], "a list without it is a list"


@pytest.mark.rule(42, 43)
def test_each_answer_repeats_the_request_id_of_its_list_however_often_that_was_used() -> None:
    desk = Desk()
    first = desk.push(event("first"))
    desk.decide("first", "optIn")
    desk._lists -= 1
    again = desk.push(event("first"), event("second"))
    desk.decide("second", "optIn")
    assert first == again
    responses: list[EventResponse] = []
    while desk._sent:
        message = desk._sent[0].message
        assert isinstance(message, CreatedEvent)
        responses += message.event_responses or ()
        desk.arrives()
    assert {one.request_id for one in responses} == {first}
    assert [one.event_id for one in responses] == ["first", "first", "second"]

"""A VEN by itself: what it saves and when, and what it forgets when it registers anew."""

import math
import random

import pytest

from oadr_core import (
    Call,
    CreatedEvent,
    DistributeEvent,
    EiEvent,
    EiResponse,
    EventStatus,
    HandlerFailed,
    Now,
    OptType,
    Output,
    Payload,
    Peer,
    PlainSealer,
    Reply,
    Save,
    Transmit,
    Ven,
    VenConfig,
    VenState,
    encode,
)
from tests.core.kit import NOON, created, drained, event, one

NOW = Now(0.0, NOON)


def a_ven(asks: tuple[str, ...] = ()) -> Ven:
    """A VEN that has just registered."""
    ven = Ven(VenConfig(ven_name="ven"), sealer=PlainSealer(), entropy=random.Random(0), asks=asks)
    ven.create_party_registration(NOW)
    answered(ven, created("ven", "first"))
    return ven


def answered(ven: Ven, answer: Payload) -> list[Output]:
    """Everything that comes of the answer to what the VEN sends next."""
    ven.receive_response(one(Transmit, drained(ven, NOW)).exchange, encode(answer), now=NOW)
    return drained(ven, NOW)


def listed(*events: EiEvent) -> DistributeEvent:
    """A list of events."""
    return DistributeEvent(response=EiResponse(), request_id="list", vtn_id="Grid", events=events)


def test_what_one_answer_changes_is_saved_once_however_much_it_is() -> None:
    ven = a_ven()
    ven.poll(NOW)
    outputs = answered(ven, listed(*(event(f"event {number}") for number in range(100))))
    saved = VenState.load(one(Save, outputs).blob or b"")
    assert saved == VenState.load(ven.state.dump())
    assert {known.opt_type for known in saved.events} == {OptType.OPT_OUT}
    answer = one(Transmit, outputs)
    assert isinstance(answer.message, CreatedEvent)
    assert len(answer.message.event_responses or ()) == 100
    assert outputs.index(one(Save, outputs)) < outputs.index(answer)


def test_pushed_events_are_saved_before_they_are_confirmed() -> None:
    ven = a_ven(asks=("on_event",))
    ven.receive_request(encode(listed(event())), peer=Peer(), service=None, now=NOW)
    outputs = drained(ven, NOW)
    assert outputs.index(one(Save, outputs)) < outputs.index(one(Reply, outputs))


@pytest.mark.rule(406)
def test_a_registration_anew_ends_the_events_of_the_old_one_and_what_is_decided_about_them() -> None:
    ven = a_ven(asks=("on_event", "on_update_event"))
    ven.poll(NOW)
    asked = one(Call, answered(ven, listed(event())))
    ven.create_party_registration(NOW, anew=True)
    told = one(Call, answered(ven, created("ven", "second")))
    assert told.handler == "on_update_event"
    ended = told.arguments["event"]
    assert isinstance(ended, EiEvent)
    assert ended.event_descriptor.event_status is EventStatus.CANCELLED
    ven.call_returned(asked.call, "optIn", now=NOW)
    assert drained(ven, NOW) == [], "the decision comes too late to be about anything"
    assert ven.state.events == ()
    assert ven.state.registration_id == "second"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_event_makes_a_state_that_cannot_be_loaded(value: float) -> None:
    ven = a_ven()
    ven.poll(NOW)
    answered(ven, listed(event("good"), event("bad", value=value)))
    assert VenState.load(ven.state.dump()).events == ven.state.events
    assert [known.event.event_descriptor.event_id for known in ven.state.events] == ["good"]


class Unspeakable:
    """A value that cannot even be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError("no words")


@pytest.mark.parametrize(
    "value", [Unspeakable(), {"opt_type": Unspeakable()}, 10**5000], ids=["no words", "none inside", "too many digits"]
)
def test_whatever_a_handler_returns_the_core_goes_on(value: object) -> None:
    ven = a_ven(asks=("on_event",))
    ven.poll(NOW)
    call = one(Call, answered(ven, listed(event())))
    ven.call_returned(call.call, value, now=NOW)
    outputs = drained(ven, NOW)
    assert one(HandlerFailed, outputs).handler == "on_event"
    assert isinstance(one(Transmit, outputs).message, CreatedEvent)

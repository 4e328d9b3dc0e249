"""A VEN takes all of its events in one document, so no event is made that is one too many for that (rule 50)."""

import random
from typing import Any

import msgspec
import pytest

from oadr_core import (
    Audience,
    Call,
    EiEvent,
    Enrolment,
    HandlerFailed,
    LocalProtocolError,
    PlainSealer,
    RequestEvent,
    TransportName,
    Vtn,
    decode,
    encode,
)
from tests.core.desk import Desk
from tests.core.kit import asked, one
from tests.core.test_event_making import with_intervals


def large(event_id: str, number: int = 4_000) -> EiEvent:
    """An event that takes nearly half of what a list may have."""
    return with_intervals(event_id, number)


def refused(desk: Desk, event_id: str, audience: Any) -> str:
    with pytest.raises(LocalProtocolError) as caught:
        desk.vtn.add_event(large(event_id), audience, desk.now)
    assert event_id not in desk.vtn.events
    return str(caught.value)


def test_one_event_too_many_for_a_ven_is_refused_and_the_text_says_how_many_it_has() -> None:
    desk = Desk("ven", "other")
    for event_id in ("first", "second"):
        desk.vtn.add_event(large(event_id), ["ven"], desk.now)
    assert "the VEN 'ven' would have 3 events with" in refused(desk, "third", ["ven"])
    assert decode(encode(desk.given("ven")))
    assert desk.list_of("ven") == {"first", "second"}
    desk.vtn.add_event(large("third"), ["other"], desk.now)


def test_events_that_are_many_together_and_few_for_each_ven_are_made() -> None:
    """The one for everyone has all others beside it, and each VEN has but one of those."""
    desk = Desk("one", "two", "three")
    for ven_id in ("one", "two", "three"):
        desk.vtn.add_event(large(f"of {ven_id}"), [ven_id], desk.now)
    desk.vtn.add_event(large("all"), Audience(everyone=True), desk.now)
    assert "would have 3 events" in refused(desk, "more", Audience(everyone=True))
    assert desk.list_of("two") == {"of two", "all"}


def test_a_ven_that_is_enrolled_and_not_registered_counts_too() -> None:
    desk = Desk("ven")
    desk.vtn.enrol("absent", Enrolment(group_ids=("east",)), desk.now)
    desk.vtn.add_event(large("first"), Audience(group_ids=("east",)), desk.now)
    desk.vtn.add_event(large("second"), ["absent"], desk.now)
    assert "the VEN 'absent' would have 3 events" in refused(desk, "third", Audience(everyone=True))


def test_a_ven_is_not_enrolled_to_what_would_be_too_many_and_stays_what_it_was() -> None:
    desk = Desk("ven")
    east, both = Enrolment(group_ids=("east",)), Enrolment(group_ids=("east", "west"))
    desk.vtn.enrol("ven", east, desk.now)
    desk.vtn.add_event(large("first"), Audience(group_ids=("east",)), desk.now)
    for event_id in ("second", "third"):
        desk.vtn.add_event(large(event_id), Audience(group_ids=("west",)), desk.now)
    with pytest.raises(LocalProtocolError, match="the VEN 'ven' would have 3 events"):
        desk.vtn.enrol("ven", both, desk.now)
    assert desk.vtn.enrolments == {"ven": east}
    assert desk.list_of("ven") == {"first"}


def test_a_modification_that_makes_an_event_one_too_many_is_refused_and_a_cancellation_is_not() -> None:
    desk = Desk("ven")
    for event_id in ("first", "second"):
        desk.vtn.add_event(large(event_id), ["ven"], desk.now)
    desk.vtn.add_event(large("third", number=10), ["ven"], desk.now)
    with pytest.raises(LocalProtocolError, match="would have 3 events"):
        desk.vtn.modify_event(large("third"), desk.now)
    assert len(desk.vtn.events["third"].event.event_signals[0].intervals) == 10
    desk.vtn.cancel_event("first", desk.now)
    desk.vtn.modify_event(large("third", number=20), desk.now)


class Returning(Desk):
    """A VTN whose application returns three events for whoever asks, of which two fit into a list."""

    def restart(self) -> None:
        asks = ["on_request_event"]
        self.vtn = Vtn(self.config, sealer=PlainSealer(), entropy=random.Random(0), saved=self.saved, asks=asks)
        self.vtn.start(self.now)


def test_what_a_handler_returns_is_told_to_be_too_much_and_the_rest_is_handed_over() -> None:
    desk = Returning("ven")
    call = one(Call, asked(desk.vtn, RequestEvent(request_id="r", ven_id="ven"), desk.now))
    desk.vtn.call_returned(call.call, [large("first"), large("second"), large("third")], now=desk.now)
    outputs = desk.outputs()
    assert "the VEN 'ven' would have 3 events" in one(HandlerFailed, outputs).error
    answer = next(output.message for output in outputs if hasattr(output, "inbound"))
    assert {event.event_descriptor.event_id for event in answer.events} == {"first", "second"}
    assert "third" not in desk.vtn.events


def test_what_a_ven_takes_depends_on_the_way_that_it_has_chosen() -> None:
    """A stanza holds less than a document over HTTP, and that is said before an event is made."""
    desk = Desk("at home", "away", pushed=["at home", "away"], largest={TransportName.XMPP: 250_000})
    away = msgspec.structs.replace(desk.vtn.vens["away"], transport=TransportName.XMPP)
    desk.saved[away.key] = away.dump()
    desk.restart()
    half = with_intervals("half", 600)
    desk.vtn.add_event(half, ["at home", "away"], desk.now)
    with pytest.raises(LocalProtocolError, match=r"'away' would have 2 events .* 234375 bytes .* over xmpp: cancel"):
        desk.vtn.add_event(with_intervals("more", 600), Audience(everyone=True), desk.now)
    with pytest.raises(LocalProtocolError, match="'away' would have 1 events"):
        desk.vtn.modify_event(with_intervals("half", 1100), desk.now)
    desk.vtn.add_event(with_intervals("more", 600), ["at home"], desk.now)
    desk.vtn.modify_event(with_intervals("half", 1100), desk.now, ["at home", "unknown"])
    assert desk.list_of("at home") == {"half", "more"}


def test_lists_that_are_made_fit_into_a_stanza_with_all_that_is_filled_in() -> None:
    desk = Desk("ven", largest={TransportName.XMPP: 250_000})
    (record,) = desk.vtn.vens.values()
    desk.saved = {record.key: msgspec.structs.replace(record, transport=TransportName.XMPP).dump()}
    desk.restart()
    with pytest.raises(LocalProtocolError, match="would have"):  # noqa: PT012 - it is some one of them
        for number in range(1000):
            desk.vtn.add_event(with_intervals(f"event {number}", 3), ["ven"], desk.now)
    desk.clock.advance(90)
    assert 150_000 < len(encode(desk.given("ven"))) < 245_000, "with some room for a signature"

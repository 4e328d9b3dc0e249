"""Events that overlap for some VEN: the operator is told, and nothing is refused (rule 18, decision D16)."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oadr_core import (
    ActivePeriod,
    Audience,
    CalendarDuration,
    Enrolment,
    EventsOverlap,
    LocalProtocolError,
    Tolerance,
    Tolerate,
)
from oadr_core.vtn.overlaps import do_overlap
from tests.core.desk import Desk
from tests.core.kit import HOUR, MINUTE, NONE, NOON, event
from tests.core.test_audience import audiences, enrolments, meets


def told(desk: Desk) -> list[EventsOverlap]:
    return [output for output in desk.outputs() if isinstance(output, EventsOverlap)]


def period(begin: float, length: float, window: float) -> ActivePeriod:
    """From and for some minutes; without an end where its length is zero."""
    tolerance = Tolerance(tolerate=Tolerate(startafter=MINUTE * window))
    return ActivePeriod(dtstart=NOON + MINUTE * begin, duration=MINUTE * length, notification=NONE, tolerance=tolerance)


@pytest.mark.rule(18)
@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ((0, 10, 0), (10, 10, 0), False),
        ((0, 10, 0), (9, 10, 0), True),
        ((0, 10, 5), (10, 10, 0), True),
        ((0, 10, 5), (15, 10, 0), False),
        ((0, 10, 0), (2, 3, 0), True),
        ((0, 0, 0), (1000, 10, 0), True),
        ((0, 0, 0), (-10, 10, 0), False),
        ((0, 0, 0), (5, 0, 0), True),
        ((0, 10, 0), (0, 10, 0), True),
    ],
    ids=str,
)
def test_touching_is_no_overlap_and_the_window_belongs_to_the_event(one: Any, other: Any, overlap: bool) -> None:
    assert do_overlap(period(*one), period(*other)) is overlap
    assert do_overlap(period(*other), period(*one)) is overlap


minutes = st.tuples(*[st.integers(0, 20)] * 3)


@pytest.mark.rule(18)
@given(minutes, minutes)
def test_events_overlap_where_a_minute_belongs_to_both(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    def taken(begin: int, length: int, window: int) -> set[int]:
        return set(range(begin, begin + length + window if length else 1000))

    assert do_overlap(period(*one), period(*other)) == bool(taken(*one) & taken(*other))


@pytest.mark.rule(18)
def test_who_makes_or_changes_an_event_is_told_what_it_overlaps() -> None:
    desk = Desk("ven")
    desk.vtn.add_event(event("a", begin=HOUR), ["ven"], desk.now)
    desk.vtn.add_event(event("b", begin=HOUR * 2), ["ven"], desk.now)
    assert told(desk) == []
    desk.vtn.add_event(event("c", begin=HOUR * 1.5), Audience(everyone=True), desk.now)
    assert told(desk) == [EventsOverlap(event_id="c", others=("a", "b"))]
    assert (desk.vtn.overlaps("a"), desk.vtn.overlaps("c")) == (("c",), ("a", "b"))
    desk.vtn.modify_event(event("c", begin=HOUR * 3), desk.now)
    assert told(desk) == []
    assert desk.vtn.overlaps("a") == ()
    desk.vtn.modify_event(event("c", begin=HOUR * 2.5), desk.now)
    assert told(desk) == [EventsOverlap(event_id="c", others=("b",))]
    with pytest.raises(LocalProtocolError, match="no event 'd'"):
        desk.vtn.overlaps("d")


@pytest.mark.rule(18)
def test_who_enrols_a_ven_where_it_gets_events_that_overlap_is_told() -> None:
    desk = Desk("ven")
    for event_id, begin, group in (("a", 0.5, "east"), ("b", 1, "west"), ("c", 1, "north"), ("d", 9, "west")):
        desk.vtn.add_event(event(event_id, begin=HOUR * begin), Audience(group_ids=(group,)), desk.now)
    desk.vtn.enrol("ven", Enrolment(group_ids=("east",)), desk.now)
    assert told(desk) == []
    desk.vtn.enrol("ven", Enrolment(group_ids=("east", "west", "north")), desk.now)
    assert told(desk) == [
        EventsOverlap(event_id="b", others=("a", "c")),
        EventsOverlap(event_id="c", others=("a",)),
    ], "of two that overlap one another once"
    desk.vtn.enrol("ven", Enrolment(group_ids=("east", "west", "north"), party_ids=("p",)), desk.now)
    assert told(desk) == [], "what it has had already is known"


@pytest.mark.rule(18, 512)
def test_events_of_other_programs_cancelled_ones_and_those_that_are_over_overlap_nothing() -> None:
    desk = Desk("ven")
    desk.vtn.add_event(event("a", length=HOUR), ["ven"], desk.now)
    made = event("b", length=HOUR)
    for context, overlaps in (("urn:another", ()), ("HTTP://Market.Example/", ("a",))):
        descriptor = msgspec.structs.replace(made.event_descriptor, market_context=context)
        other = msgspec.structs.replace(made, event_descriptor=descriptor)
        if "b" in desk.vtn.events:
            desk.vtn.modify_event(other, desk.now)
        else:
            desk.vtn.add_event(other, ["ven"], desk.now)
        assert desk.vtn.overlaps("b") == overlaps
    desk.vtn.cancel_event("a", desk.now)
    assert (desk.vtn.overlaps("a"), desk.vtn.overlaps("b")) == ((), ())
    desk.wait(timedelta(hours=5))
    desk.vtn.add_event(event("c", begin=HOUR * 4, length=HOUR * 9), ["ven"], desk.now)
    assert desk.vtn.overlaps("c") == ()


def test_months_overlap_as_well() -> None:
    long = msgspec.structs.replace(period(0, 10, 0), duration=CalendarDuration(months=1))
    assert do_overlap(long, period(60 * 24 * 29, 10, 0))
    assert not do_overlap(long, period(60 * 24 * 30, 10, 0))


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["ven a", "ven b", "ven c"]), enrolments), st.lists(audiences, max_size=4))
def test_events_overlap_for_vens_that_get_both_or_will_once_they_are_enrolled(
    said: dict[str, Enrolment], wanted: list[Audience]
) -> None:
    desk = Desk("ven a", "ven b", "ven c")
    for ven_id, enrolment in said.items():
        desk.vtn.enrol(ven_id, enrolment, desk.now)
    for number, audience in enumerate(wanted):
        desk.vtn.add_event(event(str(number)), audience, desk.now)
    for number, one in enumerate(wanted):
        expected = set()
        for index, other in enumerate(wanted):
            both = any(
                all(meets(ven_id, said.get(ven_id, Enrolment()), each) for each in (one, other))
                for ven_id in desk.vtn.vens
            )
            shared = one.everyone or other.everyone or not set(one.marks()).isdisjoint(other.marks())
            if index != number and (both or shared):
                expected.add(str(index))
        assert set(desk.vtn.overlaps(str(number))) == expected

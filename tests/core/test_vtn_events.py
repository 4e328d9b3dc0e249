"""Events as a VTN hands them out: status, order, lists, times and values (rules 3, 13 to 15, 29, 47, 50, 63, 66)."""

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    AnswerState,
    Audience,
    CalendarDuration,
    EiEvent,
    EventRecord,
    EventSignal,
    EventStatus,
    FeatureCollection,
    OptType,
    ResponseRequired,
    SignalType,
    Standing,
    Target,
    decode,
    encode,
    event_status,
    latest_end,
    signal_interval,
)
from oadr_core.machines.event import EventAtVtn
from oadr_core.vtn.event_lists import (
    TELLINGS,
    as_made,
    by_event,
    has_to_be_told,
    is_awaited,
    is_listed,
    ordered,
    remembered_until,
    rendered,
)
from oadr_core.vtn.standings import present_standing
from tests.core.desk import Desk
from tests.core.kit import HOUR, MINUTE, NONE, NOON, event

TICK = timedelta(microseconds=1)


def record(one: EiEvent, *, created: timedelta = NONE, changed: timedelta = NONE) -> EventRecord:
    return EventRecord(
        event=one, audience=Audience(ven_ids=("ven",)), created_at=NOON + created, changed_at=NOON + changed
    )


def standing(
    state: EventAtVtn, *, number: int = 0, until: timedelta | None = None, times: int = 1, event_id: str = "event"
) -> Standing:
    return Standing(
        event_id=event_id,
        modification_number=number,
        state=state,
        until=None if until is None else NOON + until,
        times=times,
    )


lengths = st.integers(0, 7200).map(lambda seconds: timedelta(seconds=seconds))
events = st.builds(
    event,
    st.uuids().map(str),
    begin=st.integers(-7200, 7200).map(lambda seconds: timedelta(seconds=seconds)),
    length=lengths,
    ramp_up=st.none() | st.integers(-3600, 3600).map(lambda seconds: timedelta(seconds=seconds)),
    startafter=st.none() | lengths,
    priority=st.sampled_from([None, 0, 1, 2, 3]),
    status=st.sampled_from([EventStatus.FAR, EventStatus.FAR, EventStatus.CANCELLED]),
)

# --- status ----------------------------------------------------------------------------------------------------------


def status_by_rule_13(one: EiEvent, now: datetime) -> str:
    """The same in the words of the rule, with every quantity in seconds after the start."""
    if one.event_descriptor.event_status == "cancelled":
        return "cancelled"
    period = one.active_period
    assert isinstance(period.duration, timedelta)
    ramp_up = period.ramp_up if isinstance(period.ramp_up, timedelta) else NONE
    after_start = (now - period.dtstart).total_seconds()
    if after_start >= 0:
        length = period.duration.total_seconds()
        return "active" if length == 0 or after_start < length else "completed"
    return "near" if ramp_up.total_seconds() > 0 and after_start >= -ramp_up.total_seconds() else "far"


@pytest.mark.rule(13, 47, 10)
@given(events, st.integers(-10_000, 10_000))
def test_the_status_is_what_the_clock_says(one: EiEvent, seconds: int) -> None:
    now = NOON + timedelta(seconds=seconds)
    assert event_status(one, now).value == status_by_rule_13(one, now)


@pytest.mark.rule(13)
@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (-MINUTE * 5 - TICK, "far"),
        (-MINUTE * 5, "near"),
        (-TICK, "near"),
        (NONE, "active"),
        (HOUR - TICK, "active"),
        (HOUR, "completed"),
    ],
)
def test_each_status_begins_at_its_very_instant(at: timedelta, expected: str) -> None:
    assert event_status(event(begin=NONE, ramp_up=MINUTE * 5), NOON + at).value == expected


@pytest.mark.rule(13)
@pytest.mark.parametrize("ramp_up", [None, NONE, -MINUTE, CalendarDuration(months=-1)])
def test_an_event_without_a_ramp_up_before_its_start_goes_from_far_to_active(ramp_up: Any) -> None:
    one = event(begin=NONE)
    one = msgspec.structs.replace(one, active_period=msgspec.structs.replace(one.active_period, ramp_up=ramp_up))
    assert event_status(one, NOON - TICK) is EventStatus.FAR
    assert event_status(one, NOON) is EventStatus.ACTIVE


@pytest.mark.rule(13, 31)
@pytest.mark.parametrize(
    ("ramp_up", "begins"),
    [
        (CalendarDuration(months=1), datetime(2026, 10, 20, 12, tzinfo=UTC)),
        (CalendarDuration(months=12, rest=HOUR), datetime(2025, 11, 20, 11, tzinfo=UTC)),
        (CalendarDuration(months=9), datetime(2026, 2, 20, 12, tzinfo=UTC)),
    ],
)
def test_a_ramp_up_of_months_goes_back_by_the_calendar(ramp_up: CalendarDuration, begins: datetime) -> None:
    one = event(begin=NONE)
    one = msgspec.structs.replace(one, active_period=msgspec.structs.replace(one.active_period, ramp_up=ramp_up))
    assert event_status(one, begins - TICK) is EventStatus.FAR
    assert event_status(one, begins) is EventStatus.NEAR
    assert event_status(one, NOON - TICK) is EventStatus.NEAR
    assert event_status(one, NOON) is EventStatus.ACTIVE


@pytest.mark.rule(47)
def test_an_open_ended_event_is_active_until_it_is_cancelled() -> None:
    assert event_status(event(begin=NONE, length=NONE), NOON + HOUR * 100_000) is EventStatus.ACTIVE
    assert event_status(event(status=EventStatus.CANCELLED, length=NONE), NOON) is EventStatus.CANCELLED


@pytest.mark.rule(13)
@given(events.filter(lambda one: one.event_descriptor.event_status is not EventStatus.CANCELLED))
def test_the_status_never_goes_back(one: EiEvent) -> None:
    order = [EventStatus.FAR, EventStatus.NEAR, EventStatus.ACTIVE, EventStatus.COMPLETED]
    places = [order.index(event_status(one, NOON + timedelta(seconds=at))) for at in range(-12_000, 16_000, 61)]
    assert places == sorted(places)


# --- order -----------------------------------------------------------------------------------------------------------


@pytest.mark.rule(15, 3)
@given(st.lists(events, max_size=6), st.integers(-4000, 4000))
def test_the_order_is_that_of_rule_15(made: list[EiEvent], seconds: int) -> None:
    now = NOON + timedelta(seconds=seconds)
    found = ordered([record(one) for one in made], now)
    assert sorted(one.event_id for one in found) == sorted(one.event_descriptor.event_id for one in made)
    for before, after in itertools.pairwise(found):
        first, second = before.event, after.event
        plain = EventStatus.FAR  # a cancelled event stays where it would be otherwise
        stands = [
            status_by_rule_13(
                msgspec.structs.replace(
                    one, event_descriptor=msgspec.structs.replace(one.event_descriptor, event_status=plain)
                ),
                now,
            )
            for one in (first, second)
        ]
        groups = [{"active": 1, "far": 2, "near": 2, "completed": 3}[one] for one in stands]
        assert groups[0] <= groups[1], "active before pending (rule 15), completed last (decision D34)"
        if groups == [1, 1]:
            urgency = [one.event_descriptor.priority or 99 for one in (first, second)]
            assert urgency[0] <= urgency[1], "the more urgent first; 0 and none are the least (rule 3)"
            if urgency[0] == urgency[1]:
                assert first.active_period.dtstart <= second.active_period.dtstart
        elif groups == [2, 2]:
            assert first.active_period.dtstart <= second.active_period.dtstart, "priority plays no part"


@pytest.mark.rule(15)
@given(st.lists(events, max_size=6), st.integers(-4000, 4000), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_where_events_come_from(
    made: list[EiEvent], seconds: int, chance: random.Random
) -> None:
    now = NOON + timedelta(seconds=seconds)
    records = [record(one) for one in made]
    shuffled = chance.sample(records, len(records))
    assert ordered(shuffled, now) == ordered(records, now)


@pytest.mark.rule(15)
def test_events_that_are_alike_keep_the_order_in_which_they_were_made() -> None:
    made = [record(event(name), created=MINUTE * minute) for minute, name in enumerate("cab")]
    assert [one.event_id for one in ordered(reversed(made), NOON)] == ["c", "a", "b"]


# --- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.rule(50, 66)
@given(events, st.integers(-10_000, 20_000))
def test_an_event_is_listed_until_its_last_possible_end(one: EiEvent, seconds: int) -> None:
    now = NOON + timedelta(seconds=seconds)
    period = one.active_period
    assert isinstance(period.duration, timedelta)
    window = NONE
    if period.tolerance is not None and isinstance(period.tolerance.tolerate.startafter, timedelta):
        window = period.tolerance.tolerate.startafter
    expected = period.duration == NONE or now < period.dtstart + period.duration + window
    assert is_listed(record(one), None, now) == expected
    until = latest_end(one.active_period)
    assert (until is None) == (period.duration == NONE)
    assert until is None or (now < until) == expected


@pytest.mark.rule(50, 52)
def test_a_cancelled_event_is_listed_until_its_cancellation_is_acknowledged() -> None:
    one = record(event(number=1, status=EventStatus.CANCELLED))
    for state in (EventAtVtn.UNTOLD, EventAtVtn.TOLD, EventAtVtn.SETTLED):
        assert is_listed(one, standing(state, number=1), NOON)
    assert not is_listed(one, standing(EventAtVtn.GONE, number=1), NOON)
    assert not is_listed(one, standing(EventAtVtn.TOLD, number=1), NOON + HOUR * 2), "nor once its time is over"


@pytest.mark.rule(50)
def test_a_cancelled_event_that_is_not_acknowledged_is_listed_until_it_was_told() -> None:
    desk = Desk("ven")
    desk.vtn.add_event(event(length=NONE, required=ResponseRequired.NEVER), ["ven"], desk.now)
    assert [desk.list_of("ven") for _ in range(4)] == [{"event"}] * 4
    desk.vtn.cancel_event("event", desk.now)
    assert [desk.list_of("ven") for _ in range(4)] == [{"event"}] * TELLINGS + [set()] * (4 - TELLINGS)
    assert desk.polled("ven") is None
    (answer,) = desk.vtn.answers("event", desk.now)
    assert answer.state is AnswerState.INFORMED


@pytest.mark.rule(50)
def test_what_a_ven_has_opted_out_of_stays_in_its_list() -> None:
    out = msgspec.structs.replace(standing(EventAtVtn.SETTLED), opt_type=OptType.OPT_OUT)
    assert is_listed(record(event()), out, NOON)


def test_an_event_that_takes_a_forgotten_ones_id_is_new() -> None:
    gone = standing(EventAtVtn.GONE, number=3)
    assert is_listed(record(event()), gone, NOON)
    assert has_to_be_told(record(event()), gone, NOON, MINUTE)
    assert present_standing(record(event()), gone).state is EventAtVtn.UNTOLD


@pytest.mark.parametrize(
    ("stands", "told"),
    [
        (None, True),
        (standing(EventAtVtn.UNTOLD), True),
        (standing(EventAtVtn.TOLD, until=MINUTE), False),
        (standing(EventAtVtn.TOLD, until=NONE), True),
        (standing(EventAtVtn.TOLD, until=HOUR), True),
        (standing(EventAtVtn.TOLD, until=-MINUTE), True),
        (standing(EventAtVtn.TOLD), True),
        (standing(EventAtVtn.SETTLED), False),
    ],
    ids=[
        "never told",
        "untold",
        "awaited",
        "overdue now",
        "told before the clock was set back",
        "long overdue",
        "told before a restart",
        "answered",
    ],
)
def test_a_ven_has_to_be_told_until_it_answers(stands: Standing | None, told: bool) -> None:
    assert has_to_be_told(record(event()), stands, NOON, MINUTE) == told
    changed = record(event(number=1))
    assert has_to_be_told(changed, stands, NOON, MINUTE), "and again of every change"
    assert not is_awaited(changed, stands, NOON, MINUTE)


@pytest.mark.rule(52)
def test_only_an_answer_that_is_not_overdue_is_awaited() -> None:
    assert is_awaited(record(event()), standing(EventAtVtn.TOLD, until=MINUTE), NOON, MINUTE)
    assert not is_awaited(record(event()), standing(EventAtVtn.TOLD, until=MINUTE), NOON + MINUTE, MINUTE)
    assert not is_awaited(record(event()), standing(EventAtVtn.SETTLED, until=MINUTE), NOON, MINUTE)
    assert not is_awaited(record(event()), None, NOON, MINUTE)
    never = record(event(required=ResponseRequired.NEVER))
    assert not is_awaited(never, standing(EventAtVtn.TOLD, until=MINUTE), NOON, MINUTE), "no answer may come"


def test_an_event_that_must_not_be_answered_is_told_a_few_times() -> None:
    never = record(event(required=ResponseRequired.NEVER))
    told = [has_to_be_told(never, standing(EventAtVtn.TOLD, times=times), NOON, MINUTE) for times in range(4)]
    assert told == [times < TELLINGS for times in range(4)]


def test_a_change_makes_what_was_told_void_and_nothing_else_does() -> None:
    settled = standing(EventAtVtn.SETTLED)
    assert present_standing(record(event()), settled) is settled
    changed = present_standing(record(event(number=1)), settled)
    assert (changed.modification_number, changed.state, changed.times) == (1, EventAtVtn.UNTOLD, 0)
    assert present_standing(record(event()), None).state is EventAtVtn.UNTOLD


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (record(event(begin=NONE, length=HOUR)), HOUR * 25),
        (record(event(begin=NONE, length=HOUR, startafter=MINUTE)), HOUR * 25 + MINUTE),
        (record(event(length=NONE)), None),
        (record(event(length=NONE, status=EventStatus.CANCELLED), changed=MINUTE), HOUR * 24 + MINUTE),
    ],
    ids=["after its end", "after its window", "open-ended", "open-ended and cancelled"],
)
def test_an_event_is_remembered_for_a_while_after_its_end(one: EventRecord, expected: timedelta | None) -> None:
    assert remembered_until(one, HOUR * 24) == (None if expected is None else NOON + expected)


@pytest.mark.parametrize("begin", [datetime.min, NOON, datetime.max.replace(microsecond=0)], ids=["1", "2026", "9999"])
@pytest.mark.parametrize("length", [NONE, HOUR, timedelta.max], ids=["open", "hour", "ages"])
def test_an_event_at_the_end_of_time_is_an_event_like_any_other(begin: datetime, length: timedelta) -> None:
    begin = begin.replace(tzinfo=NOON.tzinfo)
    one = event(length=length, ramp_up=length, startafter=length)
    one = msgspec.structs.replace(one, active_period=msgspec.structs.replace(one.active_period, dtstart=begin))
    for now in (NOON, begin):
        assert event_status(one, now) in EventStatus
        assert is_listed(record(one), None, now) in (True, False)
        assert rendered(record(one), "ven", now).active_period == one.active_period
    until = remembered_until(record(one), HOUR * 24)
    assert until is None if length == NONE else until is not None and until >= begin


# --- rendering -------------------------------------------------------------------------------------------------------


def with_signals(one: EiEvent, *names: str) -> EiEvent:
    """The event with a signal of two halves for each name: 1 and 2 of the first, 11 and 12 of the second, and so on."""
    half = one.active_period.duration
    assert isinstance(half, timedelta)
    return msgspec.structs.replace(
        one,
        event_signals=tuple(
            EventSignal(
                intervals=tuple(signal_interval(step, half / 2, 10.0 * number + step + 1) for step in range(2)),
                signal_name=name,
                signal_type=SignalType.LEVEL,
                signal_id=str(number),
            )
            for number, name in enumerate(names)
        ),
    )


@pytest.mark.rule(115)
def test_status_and_creation_time_are_those_of_the_moment_of_handing_out() -> None:
    one = record(event(begin=NONE))
    for at, expected in ((-MINUTE, "far"), (MINUTE, "active"), (HOUR, "completed")):
        now = NOON + at + timedelta(milliseconds=500)
        descriptor = rendered(one, "ven", now).event_descriptor
        assert descriptor.event_status.value == expected
        assert descriptor.created_date_time == NOON + at, "without the fraction (rule 1)"


@pytest.mark.rule(14, 29, 110)
@pytest.mark.parametrize(
    ("at", "simple", "price"),
    [
        (-MINUTE, 0.0, None),
        (NONE, 1.0, 11.0),
        (HOUR / 2 - TICK, 1.0, 11.0),
        (HOUR / 2, 2.0, 12.0),
        (HOUR - TICK, 2.0, 12.0),
        (HOUR, 0.0, None),
    ],
)
@pytest.mark.parametrize("name", ["SIMPLE", "simple"])
def test_the_current_value_is_that_of_the_running_interval(
    name: str, at: timedelta, simple: float, price: float | None
) -> None:
    one = record(with_signals(event(begin=NONE), name, "ELECTRICITY_PRICE"))
    values = [signal.current_value for signal in rendered(one, "ven", NOON + at).event_signals]
    assert values == [simple, price]


@pytest.mark.rule(14)
def test_the_current_value_of_a_cancelled_event_is_zero() -> None:
    one = record(with_signals(event(begin=NONE, status=EventStatus.CANCELLED), "SIMPLE"))
    (signal,) = rendered(one, "ven", NOON + MINUTE).event_signals
    assert signal.current_value == 0.0


@pytest.mark.rule(47, 29)
def test_the_value_of_an_open_ended_event_holds_on() -> None:
    one = record(event(begin=NONE, length=NONE, value=3.0))
    (signal,) = rendered(one, "ven", NOON + HOUR * 1000).event_signals
    assert signal.current_value == 3.0


@pytest.mark.rule(63)
def test_a_ven_sees_no_other_ven_in_a_target() -> None:
    named = record(event(target=Target(ven_id=("this", "that"), group_id=("all",))))
    assert rendered(named, "that", NOON).target == Target(ven_id=("that",), group_id=("all",))
    assert rendered(record(event()), "that", NOON).target == Target(), "and none where none was named"


def test_two_events_about_the_same_area_are_one_valid_list() -> None:
    desk = Desk("ven")
    area = FeatureCollection(id="coast", polygon_id="coastline", positions="1 2 3 4 5 6 1 2")
    for event_id, target in (("a", Target(service_area=(area,))), ("b", Target(service_location=(area,)))):
        desk.vtn.add_event(event(event_id, target=target), ["ven"], desk.now)
    handed = desk.given("ven")
    assert decode(encode(handed)) == handed
    plain = FeatureCollection(positions=area.positions)
    assert [one.target for one in handed.events] == [Target(service_area=(plain,)), Target(service_location=(plain,))]


@given(events, st.integers(-10_000, 10_000))
def test_handing_out_changes_nothing_that_the_operator_made(one: EiEvent, seconds: int) -> None:
    handed = rendered(record(one), "ven", NOON + timedelta(seconds=seconds))
    assert as_made(handed) == as_made(one)
    assert handed.event_descriptor.modification_number == one.event_descriptor.modification_number


def test_two_forms_of_an_event_differ_when_what_was_made_differs() -> None:
    assert as_made(event(value=1.0)) != as_made(event(value=2.0))
    assert as_made(event(number=1)) == as_made(event(number=2))


def test_standings_are_found_by_their_event() -> None:
    mine, other = standing(EventAtVtn.TOLD), standing(EventAtVtn.TOLD, event_id="other")
    assert by_event([mine, other]) == {"event": mine, "other": other}

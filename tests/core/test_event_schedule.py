"""When an event takes place by the VEN's own clock, and what it asks for then (rules 13, 30, 31, 47 and 114)."""

from datetime import datetime, timedelta
from time import perf_counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import EiEvent, EventPhase, EventStatus, event_status, signal_interval, value_at
from oadr_core.messages.durations import CalendarDuration, Duration, add_duration
from oadr_core.testing.strategies import parts
from oadr_core.ven.event_schedule import EventSchedule
from tests.core.kit import HOUR, MINUTE, NONE, NOON, event

FAR, NEAR, ACTIVE = EventStatus.FAR, EventStatus.NEAR, EventStatus.ACTIVE
COMPLETED, CANCELLED = EventStatus.COMPLETED, EventStatus.CANCELLED
RAMP_UP, STEADY, RECOVERY = EventPhase.RAMP_UP, EventPhase.STEADY, EventPhase.RECOVERY
TICK = timedelta(microseconds=1)


def with_intervals(*signals: list[Duration], length: Duration = HOUR) -> EiEvent:
    """An event with several signals, of intervals of these lengths, whose values are their numbers."""
    made = event(begin=NONE)
    return msgspec.structs.replace(
        made,
        active_period=msgspec.structs.replace(made.active_period, duration=length),
        event_signals=tuple(
            msgspec.structs.replace(
                made.event_signals[0],
                signal_id=str(number),
                intervals=tuple(signal_interval(uid, one, float(uid)) for uid, one in enumerate(intervals)),
            )
            for number, intervals in enumerate(signals)
        ),
    )


def running(schedule: EventSchedule, now: datetime) -> list[tuple[int | None, float | None]]:
    """The interval and the value of each signal."""
    return [(one.interval, one.value) for one in schedule.signals(now)]


@pytest.mark.rule(13, 31, 114)
@pytest.mark.parametrize("offset", [NONE, MINUTE * 3])
@pytest.mark.parametrize("sent", [FAR, ACTIVE, COMPLETED])
def test_the_status_follows_from_the_own_clock_whatever_the_vtn_sent(offset: timedelta, sent: EventStatus) -> None:
    schedule = EventSchedule(event(begin=HOUR, ramp_up=MINUTE * 5, status=sent), offset)
    for moment, before, after in [
        (HOUR - MINUTE * 5, FAR, NEAR),
        (HOUR, NEAR, ACTIVE),
        (HOUR * 2, ACTIVE, COMPLETED),
    ]:
        assert schedule.status(NOON + offset + moment - TICK) is before
        assert schedule.status(NOON + offset + moment) is after


@pytest.mark.rule(13, 31)
@pytest.mark.parametrize("ramp_up", [None, NONE, -MINUTE])
def test_without_a_ramp_up_before_the_start_it_is_never_near(ramp_up: timedelta | None) -> None:
    schedule = EventSchedule(event(begin=HOUR, ramp_up=ramp_up))
    assert schedule.status(NOON + HOUR - TICK) is FAR
    assert (schedule.moments[0], schedule.moments[-1]) == (NOON + HOUR, NOON + HOUR * 2)


Course = list[tuple[int, EventPhase | None, int | None]]


@pytest.mark.rule(31)
@pytest.mark.parametrize(
    ("ramp_up", "recovery", "expected"),
    [
        (NONE, NONE, [(0, STEADY, 60), (60, None, None)]),
        (MINUTE * 5, MINUTE * 9, [(-5, RAMP_UP, 0), (0, STEADY, 60), (60, RECOVERY, 69), (69, None, None)]),
        (-MINUTE * 5, -MINUTE * 9, [(0, RAMP_UP, 5), (5, STEADY, 51), (51, RECOVERY, 60), (60, None, None)]),
        (-HOUR * 2, NONE, [(0, RAMP_UP, 60), (60, None, None)]),
        (NONE, -HOUR * 2, [(0, RECOVERY, 60), (60, None, None)]),
        (CalendarDuration(months=-5), NONE, [(0, RAMP_UP, 60), (60, None, None)]),
    ],
)
@pytest.mark.parametrize("offset", [NONE, MINUTE * 3])
def test_a_load_ramps_up_and_recovers_before_or_after_the_edges_of_an_event(
    ramp_up: Duration, recovery: Duration, expected: Course, offset: timedelta
) -> None:
    made = event(begin=NONE)
    period = msgspec.structs.replace(made.active_period, ramp_up=ramp_up, recovery=recovery)
    schedule = EventSchedule(msgspec.structs.replace(made, active_period=period), offset)
    course: list[tuple[EventPhase | None, datetime | None]] = []
    for tick in range(-100, 200):
        now = NOON + offset + MINUTE * tick / 2
        here = schedule.phase(now), schedule.until(now)
        assert here[0] is not None or schedule.status(now) is not ACTIVE
        if here not in course:
            course.append(here)
    begins = (expected[0][0] * MINUTE) + NOON + offset
    assert course[0] == (None, begins)
    minutes = [(phase, None if then is None else NOON + offset + MINUTE * then) for _, phase, then in expected]
    assert course[1:] == minutes
    for begin, phase, _ in expected:
        at = NOON + offset + MINUTE * begin
        assert schedule.phase(at) is phase
        assert schedule.phase(at - TICK) is not phase


@pytest.mark.rule(31)
def test_a_ramp_up_of_months_is_taken_by_the_calendar() -> None:
    made = event(begin=NONE)
    months = CalendarDuration(months=1)
    period = msgspec.structs.replace(made.active_period, ramp_up=months, recovery=months)
    schedule = EventSchedule(msgspec.structs.replace(made, active_period=period))
    assert schedule.moments[0] == NOON.replace(month=NOON.month - 1)
    assert schedule.phase(NOON - TICK) is RAMP_UP
    assert schedule.until(NOON + HOUR) == add_duration(NOON + HOUR, months)


@pytest.mark.rule(31, 47)
def test_an_event_without_end_has_no_recovery_and_a_cancelled_one_neither() -> None:
    made = event(begin=NONE, length=NONE)
    period = msgspec.structs.replace(made.active_period, recovery=-MINUTE)
    endless = EventSchedule(msgspec.structs.replace(made, active_period=period))
    assert (endless.phase(NOON + HOUR * 1000), endless.until(NOON)) == (STEADY, None)
    period = msgspec.structs.replace(event(begin=NONE).active_period, recovery=-HOUR)
    ending = EventSchedule(msgspec.structs.replace(made, active_period=period), ends_at=NOON + MINUTE)
    assert (ending.phase(NOON), ending.until(NOON)) == (STEADY, NOON + MINUTE)
    assert (ending.phase(NOON + MINUTE), ending.until(NOON + MINUTE)) == (None, None)


@given(parts(EiEvent), st.timedeltas(-HOUR, HOUR * 48))
def test_without_an_offset_it_stands_where_the_vtn_says(made: EiEvent, after: timedelta) -> None:
    descriptor = msgspec.structs.replace(made.event_descriptor, event_status=EventStatus.NONE)
    made = msgspec.structs.replace(made, event_descriptor=descriptor)
    try:
        now = made.active_period.dtstart + after
    except OverflowError:
        return
    schedule = EventSchedule(made)
    if schedule.end is None or schedule.end > schedule.start:  # a duration that is negative breaks the rules
        assert schedule.status(now) is event_status(made, now)


@pytest.mark.rule(30, 32)
@given(
    st.lists(st.integers(1, 90).map(lambda number: MINUTE * number), min_size=1, max_size=6),
    st.timedeltas(NONE, HOUR),
    st.timedeltas(-HOUR, HOUR * 12),
)
def test_the_intervals_shift_along_with_the_start(
    lengths: list[timedelta], offset: timedelta, after: timedelta
) -> None:
    made = with_intervals(lengths, length=sum(lengths, NONE))
    found = EventSchedule(made, offset).signals(NOON + offset + after)
    expected = value_at(made.event_signals[0], made.active_period, NOON + after)
    assert [one.value for one in found] == ([] if expected is None else [expected])
    assert [one.interval for one in found] == ([] if expected is None else [int(expected)])


@pytest.mark.rule(47)
@pytest.mark.parametrize("lengths", [[MINUTE, NONE], [MINUTE, MINUTE], [MINUTE, CalendarDuration(months=0)]])
def test_the_last_interval_of_an_event_without_end_has_none_either(lengths: list[Duration]) -> None:
    """Decision D32."""
    schedule = EventSchedule(with_intervals(lengths, length=NONE))
    assert running(schedule, NOON) == [(0, 0.0)]
    assert running(schedule, NOON + HOUR * 100_000) == [(1, 1.0)]
    assert (schedule.end, schedule.moments) == (None, [NOON, NOON + MINUTE])


def test_a_signal_that_is_over_before_its_event_asks_for_nothing() -> None:
    schedule = EventSchedule(with_intervals([MINUTE], [HOUR]))
    assert running(schedule, NOON + MINUTE - TICK) == [(0, 0.0), (0, 0.0)]
    assert running(schedule, NOON + MINUTE) == [(None, None), (0, 0.0)]


def test_the_moments_are_those_at_which_something_changes() -> None:
    made = with_intervals([MINUTE * 20] * 3, [MINUTE * 30, MINUTE * 30])
    schedule = EventSchedule(made)
    assert schedule.moments == [NOON + MINUTE * number for number in (0, 20, 30, 40, 60)]
    assert schedule.last_moment(NOON - TICK) is None
    assert schedule.next_moment(NOON - TICK) == NOON
    assert (schedule.last_moment(NOON), schedule.next_moment(NOON)) == (NOON, NOON + MINUTE * 20)
    assert schedule.next_moment(NOON + HOUR) is None
    months = EventSchedule(with_intervals([CalendarDuration(months=1)], length=CalendarDuration(months=1)))
    assert months.moments == [NOON, NOON.replace(month=12)]


@pytest.mark.rule(65)
def test_one_that_is_cancelled_goes_on_until_it_ends() -> None:
    schedule = EventSchedule(with_intervals([MINUTE] * 60), ends_at=NOON + MINUTE * 2)
    assert schedule.status(NOON + MINUTE * 2 - TICK) is ACTIVE
    assert schedule.status(NOON + MINUTE * 2) is CANCELLED
    assert schedule.moments == [NOON, NOON + MINUTE, NOON + MINUTE * 2]


@given(parts(EiEvent), st.timedeltas(), st.none() | st.datetimes().map(lambda one: one.replace(tzinfo=NOON.tzinfo)))
def test_any_event_has_a_schedule(made: EiEvent, offset: timedelta, ends_at: datetime | None) -> None:
    schedule = EventSchedule(made, offset, ends_at)
    assert schedule.moments == sorted(set(schedule.moments))
    for moment in schedule.moments:
        assert schedule.last_moment(moment) == moment
        schedule.signals(moment)


def test_where_an_event_of_many_intervals_stands_is_found_at_once() -> None:
    schedule = EventSchedule(with_intervals([MINUTE] * 20_000, length=MINUTE * 20_000))
    moments = schedule.moments
    began = perf_counter()
    for moment in moments:
        schedule.signals(moment)
        schedule.next_moment(moment)
    assert perf_counter() - began < 10, "one that looks at every interval takes minutes"

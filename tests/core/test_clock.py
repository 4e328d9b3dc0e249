"""Deadlines on two clocks, and being woken for them."""

from collections.abc import Hashable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import Deadline, Now
from oadr_core.clock import LONGEST_SLEEP, Timers, seconds, whole_seconds
from oadr_core.testing import ManualClock

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class NaiveTimers:
    """The same as :class:`Timers`, in the most obvious way: two dicts that are searched and sorted each time."""

    def __init__(self) -> None:
        self.mono: dict[Hashable, tuple[float, int]] = {}
        self.utc: dict[Hashable, tuple[datetime, int]] = {}
        self.count = 0

    def after(self, key: Hashable, at: float) -> None:
        self.stop(key)
        self.count += 1
        self.mono[key] = (at, self.count)

    def at(self, key: Hashable, at: datetime) -> None:
        self.stop(key)
        self.count += 1
        self.utc[key] = (at, self.count)

    def stop(self, key: Hashable) -> None:
        self.mono.pop(key, None)
        self.utc.pop(key, None)

    def next(self, now: Now) -> float | None:
        waits = [at for at, _ in self.mono.values()]
        for when, _ in self.utc.values():
            wait = (when - now.utc).total_seconds()
            waits.append(now.mono + min(max(wait, 0.0), LONGEST_SLEEP))
        return min(waits, default=None)

    def expired(self, now: Now) -> list[Hashable]:
        mono = sorted((at, number, key) for key, (at, number) in self.mono.items() if at <= now.mono)
        utc = sorted((at, number, key) for key, (at, number) in self.utc.items() if at <= now.utc)
        due = [key for _, _, key in mono] + [key for _, _, key in utc]
        for key in due:
            self.stop(key)
        return due


KEYS = st.sampled_from("abcd")
OFFSETS = st.integers(-20, 200)
STEPS = st.one_of(
    st.tuples(st.just("after"), KEYS, OFFSETS),
    st.tuples(st.just("at"), KEYS, OFFSETS),
    st.tuples(st.just("stop"), KEYS, st.none()),
    st.tuples(st.just("pass"), st.none(), st.integers(0, 100)),
    st.tuples(st.just("set the clock"), st.none(), st.integers(-100, 100)),
)


@given(st.lists(STEPS, max_size=40))
def test_timers_do_what_the_obvious_ones_do(steps: list[tuple[str, str, int]]) -> None:
    clock, timers, naive = ManualClock(NOON), Timers[str](), NaiveTimers()
    for what, key, amount in steps:
        now = clock.now
        if what == "after":
            timers.after(key, now.mono + amount)
            naive.after(key, now.mono + amount)
        elif what == "at":
            timers.at(key, now.utc + timedelta(seconds=amount))
            naive.at(key, now.utc + timedelta(seconds=amount))
        elif what == "stop":
            timers.stop(key)
            naive.stop(key)
        elif what == "pass":
            clock.advance(amount)
            assert list(timers.expired(clock.now)) == naive.expired(clock.now)
        else:
            clock.set_utc(now.utc + timedelta(seconds=amount))
        found = timers.next(clock.now)
        assert (None if found is None else found.at) == naive.next(clock.now)
        for one in "abcd":
            assert timers.is_set(one) == (one in naive.mono or one in naive.utc)


def test_setting_a_deadline_again_moves_it_to_the_other_clock_too() -> None:
    clock, timers = ManualClock(NOON), Timers[str]()
    timers.after("poll", 5.0)
    timers.at("poll", NOON + timedelta(seconds=30))
    assert list(timers.expired(clock.advance(10))) == []
    assert list(timers.expired(clock.advance(20))) == ["poll"]
    assert not timers.is_set("poll")


def test_a_deadline_that_was_moved_back_and_forth_expires_once() -> None:
    clock, timers = ManualClock(NOON), Timers[str]()
    for at in (5.0, 9.0, 5.0):
        timers.after("poll", at)
    assert list(timers.expired(clock.advance(20))) == ["poll"]
    assert list(timers.expired(clock.now)) == []


def test_what_is_set_while_deadlines_are_served_waits_for_the_next_time() -> None:
    clock, timers = ManualClock(NOON), Timers[str]()
    timers.after("first", 1.0)
    for key in timers.expired(clock.advance(1)):
        timers.after("second", 0.5)
        assert key == "first"
    assert list(timers.expired(clock.now)) == ["second"]


def test_deadlines_on_the_wall_clock_follow_it_when_it_is_set() -> None:
    clock, timers = ManualClock(NOON), Timers[str]()
    timers.at("event", NOON + timedelta(hours=1))
    clock.set_utc(NOON + timedelta(hours=2))
    assert timers.next(clock.now) == Deadline(0.0, "event")
    clock.set_utc(NOON - timedelta(hours=2))
    assert list(timers.expired(clock.now)) == []


def test_nobody_sleeps_long_for_a_wall_clock_that_may_be_set_meanwhile() -> None:
    clock, timers = ManualClock(NOON), Timers[str]()
    timers.at("event", NOON + timedelta(days=30))
    assert timers.next(clock.now) == Deadline(LONGEST_SLEEP, "event")
    timers.after("poll", 3.0)
    assert timers.next(clock.now) == Deadline(3.0, "poll")


def test_deadlines_that_are_moved_over_and_over_do_not_pile_up_once_they_come_up() -> None:
    clock, timers = ManualClock(NOON), Timers[str]()
    for number in range(1000):
        timers.after("poll", float(number))
    assert list(timers.expired(clock.advance(2000))) == ["poll"]
    assert timers.next(clock.now) is None


@pytest.mark.rule(1)
def test_instants_are_sent_in_whole_seconds() -> None:
    assert whole_seconds(NOON.replace(microsecond=999_999)) == NOON
    assert seconds(timedelta(minutes=1, milliseconds=500)) == 60.5


def test_the_manual_clock_moves_both_clocks_and_goes_no_way_back() -> None:
    clock = ManualClock(NOON)
    assert clock.advance(90) == Now(90.0, NOON + timedelta(seconds=90))
    assert clock.advance_to(60) == clock.now
    assert clock.advance_to(100) == Now(100.0, NOON + timedelta(seconds=100))
    clock.set_utc(NOON)
    assert clock.now == Now(100.0, NOON)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


def test_a_deadline_that_is_moved_again_and_again_takes_no_more_room() -> None:
    timers = Timers[str]()
    for number in range(10_000):
        timers.after("poll", 1000.0 + number)
        timers.at("event", NOON + timedelta(seconds=number))
    assert len(timers._mono._heap) <= 100
    assert len(timers._utc._heap) <= 100
    timers.after("call", 1.0)
    assert list(timers.expired(Now(2.0, NOON))) == ["call"]

"""Beginning and ending at random: uniform within the window, and the same whatever happens (rules 30 and 65)."""

import random
from datetime import timedelta
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import EiEvent, EventStatus, OptType
from oadr_core.state.ven import EndingEvent, KnownEvent, VenState
from oadr_core.ven.event_schedule import schedule_of
from oadr_core.ven.randomisation import ending, randomised
from tests.core.kit import HOUR, MINUTE, NONE, NOON, Grid, event
from tests.core.test_events import add, grid_with_ven

WINDOW = MINUTE * 20
IN = OptType.OPT_IN


def known(made: EiEvent, opt_type: OptType | None = IN, offset: timedelta = NONE) -> KnownEvent:
    """An event that the VEN knows."""
    return KnownEvent(event=made, request_id="list", opt_type=opt_type, offset=offset)


def drawn(made: EiEvent, seed: int, *before: KnownEvent) -> timedelta:
    """The offset of an event."""
    (found,) = randomised([known(made)], before, random.Random(seed))
    return found.offset


# --- the start -------------------------------------------------------------------------------------------------------


@pytest.mark.rule(30)
def test_the_start_is_uniform_within_the_window() -> None:
    offsets = [drawn(event(startafter=WINDOW), seed) / WINDOW for seed in range(2000)]
    assert all(0 <= one <= 1 for one in offsets)
    for tenth in range(10):
        share = mean(tenth / 10 <= one < (tenth + 1) / 10 for one in offsets)
        assert share == pytest.approx(0.1, abs=0.03)


@pytest.mark.rule(30)
@pytest.mark.parametrize("startafter", [None, NONE, -MINUTE])
def test_without_a_window_the_start_is_the_given_one(startafter: timedelta | None) -> None:
    assert drawn(event(startafter=startafter), 1) == NONE


@pytest.mark.rule(30)
@given(st.timedeltas(MINUTE, HOUR), st.integers(0, 100))
def test_a_modification_keeps_the_offset_unless_the_window_changes(window: timedelta, seed: int) -> None:
    before = known(event(startafter=window), offset=MINUTE)
    assert drawn(event(number=1, begin=HOUR, length=MINUTE, startafter=window), seed, before) == MINUTE
    assert drawn(event(number=1, startafter=window * 2), seed, before) != MINUTE
    assert drawn(event(number=1), seed, before) == NONE


@pytest.mark.rule(30)
def test_the_offset_survives_lists_modifications_and_restarts() -> None:
    grid = grid_with_ven()
    add(grid, event(startafter=WINDOW))
    (first,) = grid.ven().ven.state.events
    assert NONE < first.offset <= WINDOW
    for number in range(3):
        grid.vtn.vtn.modify_event(event(number=number, startafter=WINDOW, value=float(number)), grid.now)
        grid.wire.boot(grid.hosts["ven"], grid.now)
        grid.run(30)
        (now,) = grid.ven().ven.state.events
        assert now.offset == first.offset
    schedule = schedule_of(now)
    assert schedule.start == NOON + MINUTE * 10 + first.offset
    assert schedule.end == schedule.start + HOUR


def test_what_an_earlier_version_saved_begins_when_the_vtn_says() -> None:
    state = VenState(events=(known(event(startafter=WINDOW)),))
    saved = state.dump().replace(b',"offset":"P0D"', b"")
    assert b"offset" not in saved
    assert VenState.load(saved).events == state.events


# --- the end of one that is cancelled --------------------------------------------------------------------------------


@pytest.mark.rule(65)
def test_one_that_runs_ends_at_a_random_moment_of_its_window() -> None:
    running, now = known(event(startafter=WINDOW)), NOON + MINUTE * 15
    waits = []
    for seed in range(1000):
        ends = ending(running, now, random.Random(seed))
        assert ends is not None
        waits.append((ends.ends_at - now) / WINDOW)
    assert all(0 <= one <= 1 for one in waits)
    assert mean(waits) == pytest.approx(0.5, abs=0.05)
    assert min(waits) < 0.05 < 0.95 < max(waits)


@pytest.mark.rule(65)
def test_it_does_not_end_later_than_it_would_have_anyway() -> None:
    ends = ending(known(event(startafter=HOUR)), NOON + MINUTE * 69, random.Random(1))
    assert ends is not None
    assert ends.ends_at == NOON + MINUTE * 70


@pytest.mark.rule(59)
@pytest.mark.parametrize("made", [event(), event(begin=MINUTE * 20, ramp_up=MINUTE * 10, startafter=WINDOW)])
def test_it_ends_at_once_without_a_window_or_where_only_its_ramp_up_has_begun(made: EiEvent) -> None:
    now = NOON + MINUTE * 15
    assert ending(known(made), now, random.Random(1)) == EndingEvent(event=made, ends_at=now)


@pytest.mark.rule(65)
@pytest.mark.parametrize("minutes", [0, 9, 70, 80])
def test_one_that_has_not_begun_is_dropped_and_one_that_is_over_too(minutes: int) -> None:
    """Decision D31."""
    assert ending(known(event(startafter=WINDOW)), NOON + MINUTE * minutes, random.Random(1)) is None


@pytest.mark.parametrize(
    ("opt", "earlier", "ends"),
    [(OptType.OPT_OUT, None, False), (None, None, False), (None, OptType.OPT_OUT, False), (None, IN, True)],
)
def test_only_one_that_we_take_part_in_has_to_end(opt: OptType | None, earlier: OptType | None, ends: bool) -> None:
    running = KnownEvent(event=event(), request_id="list", opt_type=opt, earlier_opt=earlier)
    assert (ending(running, NOON + MINUTE * 15, random.Random(1)) is not None) == ends


def running_grid() -> Grid:
    """A VTN and a VEN that carries out an event."""
    grid = grid_with_ven()
    add(grid, event(startafter=MINUTE, length=HOUR * 2))
    grid.run(900)
    return grid


@pytest.mark.rule(65, 36)
def test_what_ends_later_is_remembered_and_known_no_more() -> None:
    grid = running_grid()
    grid.vtn.vtn.cancel_event("event", grid.now)
    cancelled_at = grid.now.utc
    grid.run(15)
    grid.wire.boot(grid.hosts["ven"], grid.now)
    state = grid.ven().ven.state
    (ends,) = state.ending
    assert state.events == ()
    assert ends.event.event_descriptor.event_status is not EventStatus.CANCELLED
    assert cancelled_at <= ends.ends_at <= cancelled_at + MINUTE + timedelta(seconds=15)


@pytest.mark.rule(65, 407)
def test_a_registration_that_ends_ends_what_runs_like_a_cancel() -> None:
    """Decision D36."""
    grid = running_grid()
    grid.ven().cancel_party_registration(grid.now)
    grid.drain()
    state = grid.ven().ven.state
    assert (state.registered, state.events, len(state.ending)) == (False, (), 1)


def test_an_event_that_is_listed_anew_takes_the_place_of_the_cancelled_one() -> None:
    grid = running_grid()
    ven = grid.ven().ven
    running = ven.state.events[0]
    ends = EndingEvent(event=running.event, ends_at=grid.now.utc + HOUR)
    assert ven._ending([running.event], (), grid.now) != ()
    ven._change(grid.now, ending=(ends,))
    assert ven._ending((), (), grid.now) == (ends,)
    assert ven._ending((), ("event",), grid.now) == ()

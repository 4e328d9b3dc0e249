"""Simulated loads: they shed what an event asks for while it asks, also after the VEN was started again."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev
from typing import Final

import anyio
import pytest

from oadr_app.config import Load, Profile, VenFile
from oadr_app.file_store import FileStore
from oadr_app.loads import SimulatedLoad, hourly
from oadr_app.ven import VenProgram
from oadr_core import LocalProtocolError, OptType, VenState
from oadr_core.state.ven import KnownEvent
from tests.core.kit import MINUTE, NOON, event

STEADY: Final = Load(kilowatt=100.0, responds=0.3, profile=Profile.FLAT, noise=0.0)
MONDAY: Final = datetime(2026, 11, 23).astimezone()


class Clock:
    """A clock on the wall that is set by hand."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time

    def passes(self, seconds: float) -> datetime:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)
        return self.time


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def load(clock: Clock) -> SimulatedLoad:
    """A load of 100 kW that sheds 30 % at each level."""
    return SimulatedLoad(STEADY, clock)


@pytest.mark.rule(9)
@pytest.mark.parametrize(("value", "share"), [(0.0, 1.0), (1.0, 0.7), (2.0, 0.4), (3.0, 0.1)])
def test_a_load_sheds_while_an_event_asks_for_it(load: SimulatedLoad, clock: Clock, value: float, share: float) -> None:
    for level in (0.0, value, 0.0):
        load.follow("event", level)
        assert load.level == level
        assert load.read(clock.passes(60)) == pytest.approx(100 * (share if level else 1.0), abs=0.01)


def test_it_takes_its_time_to_get_where_it_is_asked_to_be(load: SimulatedLoad, clock: Clock) -> None:
    load.follow("event", 1.0)
    taken = [load.read(clock.passes(1)) for _ in range(30)]
    assert taken == sorted(taken, reverse=True)
    assert taken[0] > 90
    assert taken[4] == pytest.approx(100 - 30 * 0.632, abs=0.1)
    before = load.read(clock.time)
    load.follow("event", 0.0)
    assert load.read(clock.time) == before, "nothing jumps"


def test_of_several_events_the_one_that_asks_for_most_counts(load: SimulatedLoad) -> None:
    load.follow("a", 1.0)
    load.follow("b", 2.0)
    assert load.level == 2.0
    load.follow("b", 0.0)
    assert load.level == 1.0
    load.follow("a", 0.0)
    load.follow("never seen", 0.0)
    assert load.level == 0.0


def test_it_never_sheds_more_than_it_takes(clock: Clock) -> None:
    load = SimulatedLoad(Load(kilowatt=100.0, responds=1.0, profile=Profile.FLAT), clock)
    load.follow("event", 3.0)
    assert load.read(clock.passes(3600)) == 0.0


@pytest.mark.parametrize("profile", list(Profile))
def test_over_a_working_day_it_takes_its_mean(profile: Profile) -> None:
    day = [hourly(profile, MONDAY + timedelta(minutes=minute)) for minute in range(0, 1440, 5)]
    assert mean(day) == pytest.approx(1.0)
    assert max(abs(later - earlier) for earlier, later in pairwise(day)) < 0.1, "nothing jumps"
    if profile is not Profile.FLAT:
        assert max(day) > 3 * min(day)


def test_an_office_sleeps_at_the_weekend() -> None:
    monday, sunday = MONDAY + timedelta(hours=12), MONDAY - timedelta(hours=12)
    assert hourly(Profile.OFFICE, sunday) < 0.6 * hourly(Profile.OFFICE, monday)


def test_loads_of_one_seed_wander_alike_and_others_do_not() -> None:
    def taken(resource: str, seed: int | None) -> list[float]:
        load = SimulatedLoad(Load(resource=resource, profile=Profile.FLAT, seed=seed))
        return [load.read(NOON + timedelta(seconds=second)) for second in range(600)]

    same = taken("oven", 7)
    assert same == taken("oven", 7)
    assert same != taken("oven", 8)
    assert same != taken("mill", 7)
    assert taken("oven", None) != taken("oven", None)
    assert mean(same) == pytest.approx(10.0, rel=0.05)
    assert 0.05 < stdev(same) < 0.6
    assert max(abs(later - earlier) for earlier, later in pairwise(same)) < 0.6, "it wanders, and does not jump"


@pytest.mark.parametrize(("opt", "level"), [(OptType.OPT_IN, 2.0), (OptType.OPT_OUT, 0.0), (None, 0.0)])
def test_a_ven_that_is_started_again_goes_on_with_the_events_that_it_takes_part_in(
    tmp_path: Path, opt: OptType | None, level: float
) -> None:
    running = event(value=2.0, begin=datetime.now(UTC) - NOON - MINUTE)
    known = KnownEvent(event=running, request_id="request", opt_type=opt)
    state = VenState(registered=True, ven_id="ven", registration_id="registration", vtn_id="vtn", events=(known,))
    store = FileStore(tmp_path / "ven.state")
    anyio.run(store.save, [("ven", state.dump())])
    store.close()
    program = VenProgram(VenFile(state=tmp_path / "ven.state"))
    (load,) = program.loads
    assert load.level == level
    anyio.run(lambda: program._follow("event", ()))
    assert load.level == 0.0
    program.close()


def test_a_state_that_is_damaged_is_named(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "ven.state")
    anyio.run(store.save, [("ven", b"{}")])
    store.close()
    for _ in range(2):  # and it is not held after that
        with pytest.raises(OSError, match=r"ven\.state: VenState: "):
            VenProgram(VenFile(state=tmp_path / "ven.state"))


def test_two_loads_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError):
        VenProgram(VenFile(state=tmp_path / "ven.state", loads=[Load(), Load()]))
    FileStore(tmp_path / "ven.state").close()

"""Simulated loads: they shed what an event asks for while it asks, also after the VEN was started again."""

from datetime import datetime, timedelta
from pathlib import Path
from statistics import mean

import anyio
import pytest

from oadr_app.config import Load, VenFile
from oadr_app.file_store import FileStore
from oadr_app.loads import SimulatedLoad
from oadr_app.ven import VenProgram
from oadr_core import LocalProtocolError, OptType, VenState
from oadr_core.state.ven import KnownEvent
from tests.core.kit import HOUR, MINUTE, NONE, NOON, event

BEFORE, DURING, AFTER = NOON, NOON + 30 * MINUTE, NOON + 2 * HOUR


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = BEFORE

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock."""
    return Clock()


@pytest.fixture
def load(clock: Clock) -> SimulatedLoad:
    """A load of 100 kW that sheds 30 % at each level."""
    return SimulatedLoad(Load(kilowatt=100.0, responds=0.3), clock)


def power(load: SimulatedLoad) -> float:
    """What it takes, without its noise."""
    return mean(load.read() for _ in range(100))


@pytest.mark.rule(9)
@pytest.mark.parametrize(("value", "share"), [(0.0, 1.0), (1.0, 0.7), (2.0, 0.4), (3.0, 0.1)])
def test_a_load_sheds_while_an_event_that_it_takes_part_in_asks_for_it(
    load: SimulatedLoad, clock: Clock, value: float, share: float
) -> None:
    load.accept(event(value=value))
    levels = []
    for clock.now in (BEFORE, DURING, AFTER):
        levels.append(load.level)
        assert power(load) == pytest.approx(100 * (share if clock.now is DURING else 1.0), rel=0.08)
    assert levels == [0.0, value, 0.0]


def test_of_several_events_the_one_that_asks_for_most_counts(load: SimulatedLoad, clock: Clock) -> None:
    load.accept(event("a", value=1.0))
    load.accept(event("b", value=2.0, begin=20 * MINUTE))
    clock.now = DURING
    assert load.level == 2.0
    load.decline(event("b"))
    assert load.level == 1.0
    load.decline(event("a"))
    load.decline(event("never accepted"))
    assert load.level == 0.0


def test_an_event_without_end_does_not_end(load: SimulatedLoad, clock: Clock) -> None:
    load.accept(event(length=NONE, value=1.0))
    clock.now = NOON + timedelta(days=1000)
    assert load.level == 1.0


def test_it_never_sheds_more_than_it_takes(clock: Clock) -> None:
    load = SimulatedLoad(Load(kilowatt=100.0, responds=1.0), clock)
    load.accept(event(value=3.0))
    clock.now = DURING
    assert load.read() == 0.0


@pytest.mark.parametrize(("opt", "level"), [(OptType.OPT_IN, 2.0), (OptType.OPT_OUT, 0.0), (None, 0.0)])
def test_a_ven_that_is_started_again_goes_on_with_the_events_that_it_takes_part_in(
    tmp_path: Path, clock: Clock, opt: OptType | None, level: float
) -> None:
    known = KnownEvent(event=event(value=2.0), request_id="request", opt_type=opt)
    state = VenState(registered=True, ven_id="ven", registration_id="registration", vtn_id="vtn", events=(known,))
    store = FileStore(tmp_path / "ven.state")
    anyio.run(store.save, [("ven", state.dump())])
    store.close()
    program = VenProgram(VenFile(state=tmp_path / "ven.state"))
    (load,) = program.loads
    load._now, clock.now = clock, DURING
    assert load.level == level
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

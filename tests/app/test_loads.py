"""Simulated loads: they shed what an event asks for while it asks, also after the VEN was started again."""

from datetime import UTC, datetime
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
from tests.core.kit import MINUTE, NOON, event


@pytest.fixture
def load() -> SimulatedLoad:
    """A load of 100 kW that sheds 30 % at each level."""
    return SimulatedLoad(Load(kilowatt=100.0, responds=0.3), lambda: NOON)


def power(load: SimulatedLoad) -> float:
    """What it takes, without its noise."""
    return mean(load.read() for _ in range(100))


@pytest.mark.rule(9)
@pytest.mark.parametrize(("value", "share"), [(0.0, 1.0), (1.0, 0.7), (2.0, 0.4), (3.0, 0.1)])
def test_a_load_sheds_while_an_event_asks_for_it(load: SimulatedLoad, value: float, share: float) -> None:
    for level in (0.0, value, 0.0):
        load.follow("event", level)
        assert load.level == level
        assert power(load) == pytest.approx(100 * (share if level else 1.0), rel=0.08)


def test_of_several_events_the_one_that_asks_for_most_counts(load: SimulatedLoad) -> None:
    load.follow("a", 1.0)
    load.follow("b", 2.0)
    assert load.level == 2.0
    load.follow("b", 0.0)
    assert load.level == 1.0
    load.follow("a", 0.0)
    load.follow("never seen", 0.0)
    assert load.level == 0.0


def test_it_never_sheds_more_than_it_takes() -> None:
    load = SimulatedLoad(Load(kilowatt=100.0, responds=1.0), lambda: NOON)
    load.follow("event", 3.0)
    assert load.read() == 0.0


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

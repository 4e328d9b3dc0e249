"""When the time of an event is over it leaves the lists: not before, not for ever where its time comes again."""

from datetime import timedelta

import msgspec
import pytest

from oadr_core import LocalProtocolError
from oadr_core.machines.event import EventAtVtn
from tests.core.kit import HOUR, MINUTE, NONE, Grid, event


def grid_with_event(*, pull: bool = True) -> Grid:
    """A VTN and a VEN, which has answered an event of an hour."""
    grid = Grid()
    grid.add_ven(pull=pull)
    grid.run(60)
    grid.vtn.vtn.add_event(event(begin=MINUTE), [grid.ven_id()], grid.now)
    grid.run(60)
    return grid


def known(grid: Grid) -> list[int]:
    """The modifications of the events that the VEN knows."""
    return [one.event.event_descriptor.modification_number for one in grid.ven().ven.state.events]


def settled(grid: Grid) -> bool:
    """Whether the VTN has the VEN's answer to the present modification."""
    (standing,) = grid.vtn.vtn.vens[grid.ven_id()].standings
    number = grid.vtn.vtn.events["event"].modification_number
    return (standing.state, standing.modification_number, standing.left_out) == (EventAtVtn.SETTLED, number, False)


@pytest.mark.rule(47)
def test_an_event_that_is_made_open_ended_outlives_its_former_end() -> None:
    grid = grid_with_event()
    endless = event(begin=MINUTE, length=NONE)
    grid.vtn.vtn.modify_event(endless, grid.now)
    grid.run(3 * HOUR.total_seconds())
    grid.ven().ven.request_event(grid.now)
    grid.run(60)
    assert known(grid) == [1]


@pytest.mark.rule(20)
def test_an_event_that_is_over_cannot_be_given_another_time() -> None:
    grid = grid_with_event()
    grid.run(3 * HOUR.total_seconds())
    later = grid.vtn.vtn.events["event"].event
    period = msgspec.structs.replace(later.active_period, dtstart=grid.now.utc + MINUTE)
    with pytest.raises(LocalProtocolError, match="cannot be changed so: it is over since"):
        grid.vtn.vtn.modify_event(msgspec.structs.replace(later, active_period=period), grid.now)
    assert grid.vtn.vtn.events["event"].event == later


@pytest.mark.rule(50)
@pytest.mark.parametrize("pull", [True, False])
@pytest.mark.parametrize("restarts", [True, False])
def test_a_clock_that_is_put_right_brings_events_back(*, pull: bool, restarts: bool) -> None:
    grid = grid_with_event(pull=pull)
    grid.host.clock_error = timedelta(days=1)
    grid.run(120)
    grid.vtn.vtn.add_event(event("another", begin=timedelta(days=2)), [grid.ven_id()], grid.host.reads(grid.now))
    grid.run(60)
    assert [one.event_id for one in grid.ven().ven.state.events] == ["another"], "its list was handed out without"
    grid.host.clock_error = NONE
    if restarts:
        grid.wire.boot(grid.host, grid.now)
    grid.run(120)
    assert sorted(one.event_id for one in grid.ven().ven.state.events) == ["another", "event"]
    standings = grid.vtn.vtn.vens[grid.ven_id()].standings
    assert {one.event_id for one in standings if one.state is EventAtVtn.SETTLED and not one.left_out} == {
        "another",
        "event",
    }

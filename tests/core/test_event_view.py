"""The events of a VEN as they stand, at any time."""

from datetime import timedelta

import pytest

from oadr_core import EventPhase, EventStatus, OptType, ResponseRequired
from oadr_core.state.ven import EndingEvent, KnownEvent, VenState
from oadr_core.ven.event_view import EventView, event_views
from tests.core.kit import HOUR, MINUTE, NONE, NOON, event
from tests.core.test_events import add, grid_with_ven

IN, OUT = OptType.OPT_IN, OptType.OPT_OUT


def views(*known: KnownEvent, ending: tuple[EndingEvent, ...] = (), after: timedelta = NONE) -> list[EventView]:
    return list(event_views(VenState(events=known, ending=ending), NOON + after))


def known(event_id: str, opt_type: OptType | None = IN, offset: timedelta = NONE, **rest: object) -> KnownEvent:
    made = event(event_id, **rest)  # type: ignore[arg-type]
    return KnownEvent(event=made, request_id="list", opt_type=opt_type, offset=offset)


@pytest.mark.rule(3, 15)
def test_active_events_come_first_by_priority_then_pending_ones_by_their_start_then_those_that_are_over() -> None:
    found = views(
        known("over", begin=-HOUR * 3, priority=1),
        known("soon", begin=MINUTE, priority=9),
        known("later", begin=HOUR, priority=1),
        known("unhurried", begin=-MINUTE * 3, priority=0),
        known("unhurried too", begin=-MINUTE * 2),
        known("hurried", begin=-MINUTE, priority=2),
        known("urgent", begin=-MINUTE, priority=1),
    )
    order = ["urgent", "hurried", "unhurried", "unhurried too", "soon", "later", "over"]
    assert [one.event_id for one in found] == order


@pytest.mark.rule(30, 31, 114)
def test_a_view_tells_when_the_event_begins_and_ends_for_this_ven_and_what_it_asks_for_now() -> None:
    mine = known("event", offset=MINUTE * 3, ramp_up=MINUTE * 5, startafter=MINUTE * 5, value=2.0)
    for minutes, status, phase, values in [
        (7, EventStatus.FAR, None, []),
        (8, EventStatus.NEAR, EventPhase.RAMP_UP, []),
        (13, EventStatus.ACTIVE, EventPhase.STEADY, [2.0]),
        (73, EventStatus.COMPLETED, None, []),
    ]:
        (view,) = views(mine, after=MINUTE * minutes)
        assert (view.start, view.end) == (NOON + MINUTE * 13, NOON + MINUTE * 73)
        assert (view.status, view.phase) == (status, phase)
        assert [one.value for one in view.signals] == values
        assert view.interval == (0 if values else None)
        assert (view.opt_type, view.modification_number, view.cancelled) == (IN, 0, False)


@pytest.mark.rule(65)
def test_one_that_is_cancelled_and_runs_on_is_there_until_its_random_end() -> None:
    made = event(begin=-MINUTE)
    (view,) = views(ending=(EndingEvent(event=made, ends_at=NOON + MINUTE),))
    assert (view.status, view.cancelled, view.end, view.until) == (
        EventStatus.ACTIVE,
        True,
        NOON + MINUTE,
        NOON + MINUTE,
    )
    (view,) = views(ending=(EndingEvent(event=made, ends_at=NOON),))
    assert (view.status, view.signals) == (EventStatus.CANCELLED, ())


def test_only_what_the_ven_takes_part_in_is_to_be_done() -> None:
    opts = {"in": "optIn", "out": "optOut"}
    grid = grid_with_ven({"on_event": lambda event: opts[event.event_descriptor.event_id]})
    add(grid, event("in", begin=MINUTE))
    add(grid, event("out", begin=MINUTE, required=ResponseRequired.NEVER))
    grid.run(60)
    assert {one.event_id: one.opt_type for one in grid.ven().events(grid.now)} == {"in": IN, "out": OUT}
    assert [one.event_id for one in grid.ven().active_events(grid.now)] == ["in"]

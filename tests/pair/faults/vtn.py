"""Mistakes that a VTN can make."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest

from oadr_core import EventStatus, Vtn
from oadr_core.auto.asker import Asker
from oadr_core.machines.event import EventAtVtn
from oadr_core.messages import latest_end
from oadr_core.vtn import (
    delivery,
    event_documents,
    event_lists,
    event_service,
    events,
    opts,
    standings,
    step,
)
from oadr_core.vtn.event_book import EventBook
from tests.pair.faults import Faults
from tests.pair.machine import Lossy, Troubled

fault: Final = Faults()

# --- handing out -----------------------------------------------------------------------------------------------------


@fault(Lossy)
def _telling_is_enough(patch: pytest.MonkeyPatch) -> None:
    """An event counts as delivered when it was handed out, though the response may be lost."""
    right = delivery.has_to_be_told

    def wrong(record: Any, standing: Any, now: Any, patience: Any) -> bool:
        told = standing is not None and standing.state is EventAtVtn.TOLD
        same = told and standing.modification_number == record.modification_number
        return not same and right(record, standing, now, patience)

    patch.setattr(delivery, "has_to_be_told", wrong)


@fault()
def _changes_are_not_told(patch: pytest.MonkeyPatch) -> None:
    """An event that was answered once is not handed out again when it changes."""
    right = delivery.has_to_be_told

    def wrong(record: Any, standing: Any, now: Any, patience: Any) -> bool:
        return standing is None and right(record, standing, now, patience)

    patch.setattr(delivery, "has_to_be_told", wrong)


@fault()
def _cancellations_end_unheard(patch: pytest.MonkeyPatch) -> None:
    """A cancelled event leaves the lists at once, instead of staying until it is acknowledged."""
    patch.setattr(events, "is_listed", without_cancelled(events.is_listed))


@fault()
def _opts_are_not_saved(patch: pytest.MonkeyPatch) -> None:
    """A VTN answers before it has saved what it answers about."""
    right = Vtn._apply

    def wrong(self: Vtn, before: Any, result: Any, now: Any) -> None:
        right(self, before, msgspec.structs.replace(result, durable=before is None), now)

    patch.setattr(Vtn, "_apply", wrong)


@fault(Troubled)
def _callbacks_are_lost(patch: pytest.MonkeyPatch) -> None:
    """A VTN that was started again confirms reports that it hands to nobody."""
    patch.setattr(Asker, "_bind_known", lambda self, peer, wishes: self._bound.add(peer))


@fault()
def _one_ven_is_told_for_all(patch: pytest.MonkeyPatch) -> None:
    """An event counts as told to all its VENs once one of them was told."""
    right = delivery.has_to_be_told
    told: set[object] = set()

    def wrong(record: Any, standing: Any, now: Any, patience: Any) -> bool:
        edition = (record.event_id, record.modification_number, record.created_at)
        has_to = edition not in told and right(record, standing, now, patience)
        told.add(edition)
        return has_to

    patch.setattr(delivery, "has_to_be_told", wrong)


@fault()
def _what_was_said_before_counts(patch: pytest.MonkeyPatch) -> None:
    """The answer to an earlier modification counts for the present one."""
    for module in (standings, event_lists):
        patch.setattr(module, "is_about", lambda standing, record: True)


# --- lists -----------------------------------------------------------------------------------------------------------


@fault()
def _news_alone_are_listed(patch: pytest.MonkeyPatch) -> None:
    """A list holds only what the VEN does not know yet."""
    right = events.listed

    def wrong(turn: Any) -> list[Any]:
        known = events.by_event(turn.ven().standings)
        settled = {key for key, one in known.items() if one.state is EventAtVtn.SETTLED}
        return [one for one in right(turn) if one.event_id not in settled]

    patch.setattr(events, "listed", wrong)


@fault()
def _completed_is_over(patch: pytest.MonkeyPatch) -> None:
    """An event leaves the lists at its end, though VENs that began at random are still at it."""
    right = events.is_listed

    def wrong(record: Any, standing: Any, now: Any) -> bool:
        period = msgspec.structs.replace(record.event.active_period, tolerance=None)
        until = latest_end(period)
        return right(record, standing, now) and (until is None or now < until)

    patch.setattr(events, "is_listed", wrong)


@fault()
def _two_reasons_count_twice(patch: pytest.MonkeyPatch) -> None:
    """A list has an event twice that is for a VEN for two reasons."""
    right = EventBook.of
    patch.setattr(EventBook, "of", lambda self, ven_id: [one for one in right(self, ven_id) for _ in range(2)])


@fault()
def _the_order_is_that_of_making(patch: pytest.MonkeyPatch) -> None:
    """Lists are in the order in which the events were made."""
    patch.setattr(events, "ordered", lambda records, now: list(records))


@fault()
def _priority_zero_is_the_highest(patch: pytest.MonkeyPatch) -> None:
    """Active events without a priority come first."""
    right = event_lists._place

    def wrong(record: Any, now: Any) -> tuple[Any, ...]:
        group, _, *rest = right(record, now)
        return group, record.event.event_descriptor.priority or 0, *rest

    patch.setattr(event_lists, "_place", wrong)


@fault()
def _lists_are_as_old_as_their_events(patch: pytest.MonkeyPatch) -> None:
    """The createdDateTime is that at which an event was last changed."""
    right = event_documents.rendered

    def wrong(record: Any, ven_id: str, now: Any) -> Any:
        event = right(record, ven_id, now)
        made = msgspec.structs.replace(event.event_descriptor, created_date_time=record.changed_at)
        return msgspec.structs.replace(event, event_descriptor=made)

    patch.setattr(event_documents, "rendered", wrong)


@fault()
def _the_status_stays(patch: pytest.MonkeyPatch) -> None:
    """Events are listed with the status with which they were made."""
    patch.setattr(event_lists, "status", lambda event, now: event.event_descriptor.event_status)


@fault()
def _a_negative_ramp_up_lies_before(patch: pytest.MonkeyPatch) -> None:
    """A ramp-up that is negative makes an event near as if it were positive."""
    right = event_lists.status_at

    def wrong(period: Any, now: Any) -> EventStatus:
        positive = None if period.ramp_up is None else abs(period.ramp_up)
        return right(msgspec.structs.replace(period, ramp_up=positive), now)

    patch.setattr(event_lists, "status_at", wrong)


@fault()
def _the_first_value_stays(patch: pytest.MonkeyPatch) -> None:
    """The current value is that of the first interval throughout."""
    patch.setattr(event_lists, "value_at", lambda signal, period, now: signal.intervals[0].signal_value)


@fault()
def _changes_have_no_number(patch: pytest.MonkeyPatch) -> None:
    """A change of an event keeps its modification number, unless it is cancelled."""
    right = event_service._modified

    def wrong(known: Any, event: Any, now: Any) -> Any:
        changed = right(known, event, now)
        if event.event_descriptor.event_status is EventStatus.CANCELLED:
            return changed
        descriptor = msgspec.structs.replace(
            changed.event.event_descriptor, modification_number=known.modification_number
        )
        return msgspec.structs.replace(
            changed, event=msgspec.structs.replace(changed.event, event_descriptor=descriptor)
        )

    patch.setattr(event_service, "_modified", wrong)


# --- opts ------------------------------------------------------------------------------------------------------------


@fault()
def _one_schedule_is_taken_back(patch: pytest.MonkeyPatch) -> None:
    """The cancellation of an opt takes back one of the schedules that have its id."""
    right = opts.take_cancel_opt

    def wrong(turn: Any, message: Any, decision: Any) -> None:
        before = turn.ven().opts.schedules
        right(turn, message, decision)
        left = turn.ven().opts
        others = [one for one in before if one.opt.opt_id == message.opt_id][1:]
        kept = tuple(one for one in before if one in left.schedules or one in others)
        turn.change(opts=msgspec.structs.replace(left, schedules=kept))

    patch.setitem(step._TAKE_DECISION, "on_cancel_opt", wrong)


@fault(Troubled)
def _schedules_are_not_saved(patch: pytest.MonkeyPatch) -> None:
    """What a VEN says about its availability is confirmed and not saved."""
    right = opts.take_opt

    def wrong(turn: Any, message: Any, decision: Any) -> None:
        right(turn, message, decision)
        turn._durable = False

    patch.setitem(step._TAKE_DECISION, "on_create_opt", wrong)


@fault()
def _later_schedules_change_nothing(patch: pytest.MonkeyPatch) -> None:
    """A schedule is added to the earlier ones, and supersedes none."""
    right = opts.take_opt

    def wrong(turn: Any, message: Any, decision: Any) -> None:
        before = turn.ven().opts.schedules
        right(turn, message, decision)
        after = turn.ven().opts
        if message.event_id is None and len(after.schedules) <= len(before):
            turn.change(opts=msgspec.structs.replace(after, schedules=(*before, after.schedules[-1])))

    patch.setitem(step._TAKE_DECISION, "on_create_opt", wrong)


def without_cancelled(right: Callable[[Any, Any, Any], bool]) -> Callable[[Any, Any, Any], bool]:
    def wrong(record: Any, standing: Any, now: Any) -> bool:
        status = record.event.event_descriptor.event_status
        return status is not EventStatus.CANCELLED and right(record, standing, now)

    return wrong

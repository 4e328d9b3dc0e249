"""Events that overlap: what a VEN does then is not defined, so an operator wants to know (rule 18, decision D16)."""

from collections.abc import Iterable

from oadr_core.messages import ActivePeriod, EventStatus, latest_end
from oadr_core.messages.uris import same_uri
from oadr_core.state.vtn import EventRecord


def overlapping(record: EventRecord, rivals: Iterable[EventRecord]) -> tuple[str, ...]:
    """Find the events of the same program that overlap an event.

    An event lasts until those that begin at random at the end of its window have ended. Events that touch do not
    overlap. One that is cancelled overlaps nothing, as it is on its way out. Events of different programs (market
    contexts) are meant to go side by side.

    :param record: the event.
    :param rivals: events for VENs that the event is for too.
    :returns: their ids, in the order of their starts.
    """
    if _is_cancelled(record):
        return ()
    context = record.event.event_descriptor.market_context
    found = [
        one
        for one in rivals
        if one.event_id != record.event_id
        and not _is_cancelled(one)
        and do_overlap(record.event.active_period, one.event.active_period)
        and same_uri(context, one.event.event_descriptor.market_context)
    ]
    return tuple(one.event_id for one in sorted(found, key=lambda one: (one.event.active_period.dtstart, one.event_id)))


def do_overlap(one: ActivePeriod, other: ActivePeriod) -> bool:
    """Whether two events overlap: one begins before the other, with its window for random starts, has ended."""
    first, second = latest_end(one), latest_end(other)
    return (second is None or one.dtstart < second) and (first is None or other.dtstart < first)


def _is_cancelled(record: EventRecord) -> bool:
    return record.event.event_descriptor.event_status is EventStatus.CANCELLED

"""Events as a VTN hands them out: fresh at each sending, complete, and in the order of the rules."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core.clock import whole_seconds
from oadr_core.machines.event import EVENT_AT_VTN, EventAtVtn, EventAtVtnInput
from oadr_core.messages import (
    EiEvent,
    EventSignal,
    EventStatus,
    FeatureCollection,
    ResponseRequired,
    SignalName,
    Target,
    add_duration,
    latest_end,
    status_at,
    urgency,
    value_at,
)
from oadr_core.state.vtn import EventRecord, Standing
from oadr_core.vtn.standings import is_about

TELLINGS: Final = 2
"""How often an event that must not be answered is handed out, and a list without one that is no longer for the VEN.
Nothing confirms it, so one loss has to be survived."""


def status(event: EiEvent, now: datetime) -> EventStatus:
    """Where an event stands (rules 13 and 47).

    :param event: the event; a cancelled one stays cancelled.
    :param now: the present.
    """
    if _is_cancelled(event):
        return EventStatus.CANCELLED
    return status_at(event.active_period, now)


def remembered_until(record: EventRecord, retention: timedelta) -> datetime | None:
    """When an event is forgotten.

    :param record: the event.
    :param retention: how long it is remembered after its end.
    :returns: None for an open-ended event that goes on.
    """
    until = latest_end(record.event.active_period)
    if until is None and _is_cancelled(record.event):
        until = record.changed_at
    return None if until is None else add_duration(until, retention)


def _is_cancelled(event: EiEvent) -> bool:
    return event.event_descriptor.event_status is EventStatus.CANCELLED


def as_made(event: EiEvent) -> EiEvent:
    """An event without what changes by itself, so that two forms of it can be compared."""
    descriptor = msgspec.structs.replace(
        event.event_descriptor,
        modification_number=0,
        modification_date_time=None,
        created_date_time=datetime.min,
        event_status=EventStatus.NONE,
    )
    signals = tuple(msgspec.structs.replace(one, current_value=None) for one in event.event_signals)
    return msgspec.structs.replace(event, event_descriptor=descriptor, event_signals=signals)


def is_listed(record: EventRecord, standing: Standing | None, now: datetime) -> bool:
    """Tell whether an event belongs into a VEN's list now (rules 50, 52 and 66).

    A cancelled one is there until the VEN acknowledges it, or was told where it must not answer.
    """
    if standing is not None and is_about(standing, record):
        silent = record.event.response_required is ResponseRequired.NEVER and _is_cancelled(record.event)
        if standing.state is EventAtVtn.GONE or (silent and standing.times >= TELLINGS):
            return False
    until = latest_end(record.event.active_period)
    return until is None or now < until


def has_to_see_it_gone(standing: Standing) -> bool:
    """Tell whether a VEN that an event is no longer for has to be handed a list without it (rule 61)."""
    if standing.state is EventAtVtn.LEFT:
        return standing.times < TELLINGS
    return standing.state is not EventAtVtn.GONE


def seen_gone(standing: Standing) -> Standing:
    """Note that a list without an event was handed out, as it is no longer for the VEN."""
    times = standing.times if standing.state is EventAtVtn.LEFT else 0
    state = EVENT_AT_VTN.step(standing.state, EventAtVtnInput.LEAVE)
    return msgspec.structs.replace(standing, state=state, times=times + 1, until=None)


def left_out(standing: Standing) -> Standing:
    """Note that a list without an event was handed out as its time is over.

    If the clock of the VTN was wrong the VEN takes the event for cancelled (rule 61), and has to be told of it again.
    """
    if standing.left_out or standing.state in (EventAtVtn.GONE, EventAtVtn.LEFT):
        return standing
    return msgspec.structs.replace(standing, left_out=True)


def is_pending(until: datetime | None, now: datetime, patience: timedelta) -> bool:
    """Tell whether an answer is awaited that will be given up at ``until``.

    A wall clock that was set back must not make anybody wait for longer than was meant.
    """
    return until is not None and now < until <= now + patience


def has_to_be_told(record: EventRecord, standing: Standing | None, now: datetime, patience: timedelta) -> bool:
    """Tell whether a VEN has to hear of an event: because it is new or changed, or its answer did not come."""
    if standing is None or standing.state is EventAtVtn.LEFT or standing.left_out or not is_about(standing, record):
        return True
    if record.event.response_required is ResponseRequired.NEVER:
        return standing.times < TELLINGS
    if standing.state is EventAtVtn.TOLD:
        return not is_pending(standing.until, now, patience)
    return standing.state is EventAtVtn.UNTOLD


def is_awaited(record: EventRecord, standing: Standing | None, now: datetime, patience: timedelta) -> bool:
    """Tell whether the answer of a VEN to an event is awaited."""
    return (
        standing is not None
        and standing.state is EventAtVtn.TOLD
        and is_about(standing, record)
        and not standing.left_out
        and record.event.response_required is ResponseRequired.ALWAYS
        and is_pending(standing.until, now, patience)
    )


def ordered(records: Iterable[EventRecord], now: datetime) -> list[EventRecord]:
    """Put events in the order of rule 15; completed ones last (decision D34).

    A cancelled one stays where it would be otherwise.
    """
    return sorted(records, key=lambda record: _place(record, now))


def _place(record: EventRecord, now: datetime) -> tuple[int, int, datetime, datetime, str]:
    event = record.event
    descriptor = msgspec.structs.replace(event.event_descriptor, event_status=EventStatus.NONE)
    stands = status(msgspec.structs.replace(event, event_descriptor=descriptor), now)
    group = {EventStatus.ACTIVE: 0, EventStatus.COMPLETED: 2}.get(stands, 1)
    priority = 0
    if group == 0:  # 1 is the most urgent, and none the least (rule 3)
        priority = urgency(event.event_descriptor)
    return group, priority, event.active_period.dtstart, record.created_at, record.event_id


def rendered(record: EventRecord, ven_id: str, now: datetime) -> EiEvent:
    """Fill in what changes with time: status, createdDateTime and currentValue (rules 14, 29, 110 and 115, D35).

    :param record: the event.
    :param ven_id: the VEN it is handed to, which becomes the only VEN in the target (rule 63).
    :param now: the present, the same for all events of one list.
    """
    event = record.event
    stands = status(event, now)
    descriptor = msgspec.structs.replace(
        event.event_descriptor, event_status=stands, created_date_time=whole_seconds(now)
    )
    return msgspec.structs.replace(
        event,
        event_descriptor=descriptor,
        event_signals=tuple(_signal(signal, event, stands, now) for signal in event.event_signals),
        target=_target(event.target, ven_id),
    )


def _target(target: Target, ven_id: str) -> Target:
    """The target as one VEN sees it.

    What areas are called within a document is left out: two events of a list may be about the same one, and a name that
    is there twice makes the document invalid.
    """
    if not (target.ven_id or target.service_area or target.service_location):
        return target
    return msgspec.structs.replace(
        target,
        ven_id=(ven_id,) if target.ven_id else (),
        service_area=tuple(_nameless(one) for one in target.service_area),
        service_location=tuple(_nameless(one) for one in target.service_location),
    )


def _nameless(area: FeatureCollection) -> FeatureCollection:
    return msgspec.structs.replace(area, id=None, polygon_id=None)


def _signal(signal: EventSignal, event: EiEvent, stands: EventStatus, now: datetime) -> EventSignal:
    value = value_at(signal, event.active_period, now) if stands is EventStatus.ACTIVE else None
    if value is None and signal.signal_name in (SignalName.SIMPLE, SignalName.SIMPLE_IN_LOWER_CASE):
        value = 0.0
    return msgspec.structs.replace(signal, current_value=value)


def by_event(standings: Iterable[Standing]) -> Mapping[str, Standing]:
    """Index standings by their event."""
    return {standing.event_id: standing for standing in standings}

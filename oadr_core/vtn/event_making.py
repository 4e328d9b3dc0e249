"""What an operator may make of an event, and what may be changed of one that is there (rules 5, 15, 18, 20, 33 and 47).

What breaks a rule of the messages is found by :mod:`oadr_core.rules`; here is what a single message does not show, or
what is well-formed and cannot be meant.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec

from oadr_core.clock import whole_seconds
from oadr_core.errors import LocalProtocolError
from oadr_core.messages import (
    ActivePeriod,
    Duration,
    EiEvent,
    EventSignal,
    EventStatus,
    Interval,
    add_duration,
    is_zero,
    subtract_duration,
    value_at,
)
from oadr_core.rules import refuse_event
from oadr_core.wire.verify import verify

_Stretch: TypeAlias = tuple[datetime, datetime, float | None]
"""When an interval begins and ends, and what it asks for."""


def made(event: EiEvent, now: datetime) -> EiEvent:
    """Look whether an event can be meant, and write it as it is kept.

    What is filled in whenever it is handed out is left out, so that it cannot be wrong: states, current values. Times
    are in UTC and whole seconds (rule 1), and a priority of 0 is none (rule 3, decision D15).

    :param event: the event.
    :param now: the present.
    :raises LocalProtocolError: it breaks a rule, or cannot be meant; the text says where, and what would be right.
    """
    verify(event)
    descriptor, period, baseline = event.event_descriptor, event.active_period, event.event_baseline
    cancelled = descriptor.event_status is EventStatus.CANCELLED
    kept = msgspec.structs.replace(
        event,
        event_descriptor=msgspec.structs.replace(
            descriptor,
            event_status=EventStatus.CANCELLED if cancelled else EventStatus.FAR,
            created_date_time=whole_seconds(now),
            priority=descriptor.priority or None,
        ),
        active_period=msgspec.structs.replace(period, dtstart=_as_told(period.dtstart)),
        event_signals=tuple(msgspec.structs.replace(one, current_value=None) for one in event.event_signals),
        event_baseline=baseline and msgspec.structs.replace(baseline, dtstart=_as_told(baseline.dtstart)),
    )
    refuse_event(kept)
    faults = list(_faults(kept))
    if faults:
        raise LocalProtocolError("; ".join(faults))
    return kept


def _as_told(instant: datetime) -> datetime:
    """An instant in UTC and whole seconds: by local time a day may have 23 hours, and a VEN does not know where."""
    return whole_seconds(instant.astimezone(UTC))


def end_of(period: ActivePeriod) -> datetime | None:
    """When an event ends for those who begin in time; None for an open-ended one (rule 47)."""
    return None if is_zero(period.duration) else add_duration(period.dtstart, period.duration)


def refuse_over(event: EiEvent, now: datetime) -> None:
    """Refuse a new event that is over already (rule 33).

    :raises LocalProtocolError: it is.
    """
    end = end_of(event.active_period)
    if end is not None and end <= now:
        raise LocalProtocolError(
            f"active_period: the event would be over since {end}; a new one ends after the present, {now}"
        )


# --- what cannot be meant --------------------------------------------------------------------------------------------


def _faults(event: EiEvent) -> Iterator[str]:
    descriptor, period, baseline = event.event_descriptor, event.active_period, event.event_baseline
    if not descriptor.event_id.strip():
        yield "event_descriptor.event_id: is empty; it tells the event from all others (rule 70)"
    if not descriptor.market_context.strip():
        yield "event_descriptor.market_context: is empty; it is the URI of the program"
    window = None if period.tolerance is None else period.tolerance.tolerate.startafter
    for place, length in (
        ("active_period.duration", period.duration),
        ("active_period.notification", period.notification),
        ("active_period.tolerance.tolerate.startafter", window),
        ("event_baseline.duration", None if baseline is None else baseline.duration),
    ):
        if length is not None and _is_negative(period.dtstart, length):
            yield f"{place}: is {_shown(length)}; it is zero or more"
    for place, length in (("ramp_up", period.ramp_up), ("recovery", period.recovery)):
        if length is not None and _is_longer_part(length, period):
            yield f"active_period.{place}: is {_shown(length)}; where it is part of the event it is no longer than that"
    for number, signal in enumerate(event.event_signals):
        yield from _faulty_intervals(f"event_signals[{number}]", signal.intervals, period.dtstart)
    if baseline is not None:
        yield from _faulty_intervals("event_baseline", baseline.intervals, baseline.dtstart)


def _faulty_intervals(place: str, intervals: Sequence[Interval], begin: datetime) -> Iterator[str]:
    for number, interval in enumerate(intervals):
        length = interval.duration
        if length is not None and is_zero(length) and len(intervals) > 1:
            right = "one of no length never ends, so it is the only one (rule 47)"
            yield f"{place}.intervals[{number}].duration: is zero; {right}"
        elif length is not None and _is_negative(begin, length):
            yield f"{place}.intervals[{number}].duration: is {_shown(length)}; it is more than zero"


def _is_negative(begin: datetime, length: Duration) -> bool:
    return add_duration(begin, length) < begin


def _is_longer_part(length: Duration, period: ActivePeriod) -> bool:
    """Whether a negative ramp-up or recovery, which is part of the event, does not fit into it."""
    end = end_of(period)
    return end is not None and _is_negative(end, length) and add_duration(end, length) < period.dtstart


def _shown(length: Duration) -> str:
    if not isinstance(length, timedelta):
        return f"{length.months} months and {length.rest}"
    return f"-{-length}" if length < timedelta(0) else str(length)


# --- what cannot be changed ------------------------------------------------------------------------------------------


def refuse_rewriting(known: EiEvent, changed: EiEvent, now: datetime) -> None:
    """Refuse a change of what lies in the past (rule 20, code 451).

    Of an event that has not begun anything may be changed, but not so that it would have begun. Of a running one its
    start, its ramp-up and what its past intervals asked for stay as they are; the interval in force may ask for
    something else from now on. Of one that is over nothing can be changed. Only a cancellation ends an event at once.

    :param known: the event as it is.
    :param changed: the event as it is to be.
    :param now: the present.
    :raises LocalProtocolError: something lies in the past; the text says what.
    """
    fault = _rewritten(known, changed, now)
    if fault is not None:
        event_id = known.event_descriptor.event_id
        raise LocalProtocolError(f"the event {event_id!r} cannot be changed so: {fault} (rule 20)")


def _rewritten(known: EiEvent, changed: EiEvent, now: datetime) -> str | None:
    before, after = known.active_period, changed.active_period
    end, new_end = end_of(before), end_of(after)
    if end is not None and end <= now:
        return f"it is over since {end}"
    if new_end is not None and new_end <= now:
        return f"active_period: it would be over since {new_end}; cancel it to end it at once"
    if now < before.dtstart:
        if after.dtstart < whole_seconds(now):
            return f"active_period.dtstart: it would have begun at {after.dtstart}; now is {whole_seconds(now)}"
        return None
    if after.dtstart != before.dtstart:
        return f"active_period.dtstart: it has begun at {before.dtstart} already"
    if after.ramp_up != before.ramp_up and (_has_ramped_up(before, now) or _has_ramped_up(after, now)):
        return "active_period.ramp_up: the time for that is over already"
    return next(_rewritten_signals(known, changed, now), None)


def _has_ramped_up(period: ActivePeriod, now: datetime) -> bool:
    """Whether the ramp-up of an event that has begun is over; a negative one takes the first part of the event."""
    ramp_up = period.ramp_up
    if ramp_up is None or is_zero(ramp_up):
        return False
    if not _is_negative(period.dtstart, ramp_up):
        return True
    return subtract_duration(period.dtstart, ramp_up) <= now


def _rewritten_signals(known: EiEvent, changed: EiEvent, now: datetime) -> Iterator[str]:
    """Find what signals asked for in intervals that are over, before the change or after it, and not on both sides."""
    before, after = _by_meaning(known.event_signals), _by_meaning(changed.event_signals)
    for meaning in {**before, **after}:
        old, new = before.get(meaning), after.get(meaning)
        for begin, end, value in _over(old, known.active_period, now):
            if not _asks(new, changed.active_period, begin, end, value):
                yield f"event_signals: {meaning[0]} has asked for {value:g} from {begin} to {end}, in the past"
        for begin, end, value in _over(new, changed.active_period, now):
            if not _asks(old, known.active_period, begin, end, value):
                yield f"event_signals: {meaning[0]} has not asked for {value:g} from {begin} to {end}, in the past"


_Meaning: TypeAlias = tuple[object, ...]


def _by_meaning(signals: Sequence[EventSignal]) -> dict[_Meaning, EventSignal]:
    """Signals by what they are about; their ids may be made up anew each time."""
    found: dict[_Meaning, EventSignal] = {}
    for signal in signals:
        meaning = (signal.signal_name.upper(), signal.signal_type, signal.measurement, signal.target)
        number = 0
        while (*meaning, number) in found:
            number += 1
        found[*meaning, number] = signal
    return found


def _stretches(signal: EventSignal, period: ActivePeriod) -> Iterator[_Stretch]:
    """The intervals of a signal that have an end, one after the other."""
    begin = period.dtstart
    for interval in signal.intervals:
        if interval.duration is None or is_zero(interval.duration):
            return
        end = add_duration(begin, interval.duration)
        yield begin, end, interval.signal_value
        begin = end


def _over(signal: EventSignal | None, period: ActivePeriod, now: datetime) -> list[_Stretch]:
    return [] if signal is None else [one for one in _stretches(signal, period) if one[1] <= now]


def _asks(
    signal: EventSignal | None, period: ActivePeriod, begin: datetime, end: datetime, value: float | None
) -> bool:
    """Whether a signal asks for a value all the time between two instants."""
    if signal is None:
        return False
    changes = [start for start, _, _ in _stretches(signal, period) if begin < start < end]
    return all(value_at(signal, period, at) == value for at in (begin, *changes))

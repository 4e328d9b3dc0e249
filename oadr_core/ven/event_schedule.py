"""When an event takes place by the VEN's own clock, and what it asks for then (rules 13, 30, 31, 47 and 114)."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from oadr_core.messages import (
    EiEvent,
    EventSignal,
    EventStatus,
    Interval,
    add_duration,
    is_zero,
    subtract_duration,
)
from oadr_core.outputs import EventPhase, PresentSignal
from oadr_core.state.ven import EndingEvent, KnownEvent


class _SignalCourse:
    """The intervals of a signal, each with its begin.

    :param signal: the signal.
    :param start: when its first interval begins.
    :param open_ended: whether the event has no end; then its last interval has none either (decision D32).
    """

    def __init__(self, signal: EventSignal, start: datetime, *, open_ended: bool) -> None:
        self.signal: Final = signal
        self.begins: Final = [start]
        for interval in signal.intervals:
            if interval.duration is None or is_zero(interval.duration):
                break  # it has no end
            self.begins.append(max(start, add_duration(start, interval.duration)))
            start = self.begins[-1]
        if open_ended and len(self.begins) > len(signal.intervals):
            self.begins.pop()

    def at(self, now: datetime) -> PresentSignal:
        """What it asks for at a time, from its start on."""
        number = bisect_right(self.begins, now) - 1
        intervals: Sequence[Interval] = self.signal.intervals
        running = intervals[number] if 0 <= number < len(intervals) else None
        return PresentSignal(
            signal_id=self.signal.signal_id,
            signal_name=self.signal.signal_name,
            signal_type=self.signal.signal_type,
            interval=None if running is None else number,
            value=None if running is None else running.signal_value,
        )


class EventSchedule:
    """An event on the VEN's own clock: everything in it is later than the VTN says by the random offset of the VEN.

    Finding out where it stands costs the logarithm of the number of its intervals.

    :param event: the event.
    :param offset: by how much it begins later (rule 30).
    :param ends_at: when it ends as it was cancelled (rule 65); None where it was not.
    :ivar start: when it begins.
    :ivar end: when it ends; None for an open-ended event.
    :ivar moments: when something changes: the begin of the ramp-up, its end where it lies after the start, the begin of
        each interval and of a recovery that lies before the end, and the end.
    """

    def __init__(self, event: EiEvent, offset: timedelta = timedelta(0), ends_at: datetime | None = None) -> None:
        period = event.active_period
        self.event: Final = event
        self.start: Final = add_duration(period.dtstart, offset)
        self.end: Final = None if is_zero(period.duration) else add_duration(self.start, period.duration)
        self._ends_at = ends_at
        turning = self.start if period.ramp_up is None else subtract_duration(self.start, period.ramp_up)
        self._prepares, self._steady_from = min(self.start, turning), max(self.start, turning)
        self._recovers_from = self._recovered = None if ends_at is not None else self.end
        if self._recovered is not None:
            recovery = period.recovery or timedelta(0)
            turning = add_duration(self._recovered, recovery)
            self._recovers_from, self._recovered = sorted((self._recovered, turning))
            self._recovers_from = max(self.start, self._recovers_from)
        self._courses = [_SignalCourse(one, self.start, open_ended=self.end is None) for one in event.event_signals]
        self.moments: Final = self._moments()

    def _moments(self) -> list[datetime]:
        begins = {one for course in self._courses for one in course.begins}
        begins |= {self._steady_from} if self._recovers_from is None else {self._steady_from, self._recovers_from}
        found = sorted({self._prepares, self.start} | {one for one in begins if self.end is None or one < self.end})
        last = self.end if self._ends_at is None else self._ends_at
        return found if last is None else [*(one for one in found if one < last), last]

    def status(self, now: datetime) -> EventStatus:
        """Where the event stands (rule 13). The status that the VTN sent plays no part (rule 114, decision D35)."""
        if self._ends_at is not None and now >= self._ends_at:
            return EventStatus.CANCELLED
        if now < self.start:
            return EventStatus.NEAR if now >= self._prepares else EventStatus.FAR
        return EventStatus.ACTIVE if self.end is None or now < self.end else EventStatus.COMPLETED

    def phase(self, now: datetime) -> EventPhase | None:
        """What the load does (rule 31). An event that was cancelled has no recovery: it has its random end."""
        if now < self._prepares or (self._ends_at is not None and now >= self._ends_at):
            return None
        if self._recovered is not None and now >= self._recovered:
            return None
        if self._recovers_from is not None and now >= self._recovers_from:
            return EventPhase.RECOVERY
        return EventPhase.RAMP_UP if now < self._steady_from else EventPhase.STEADY

    def until(self, now: datetime) -> datetime | None:
        """How long it stays so: until its next moment, or the end of its recovery; None where nothing more changes."""
        then = self.next_moment(now)
        if then is None and self._recovered is not None and now < self._recovered:
            return self._recovered
        return then

    def signals(self, now: datetime) -> tuple[PresentSignal, ...]:
        """What each signal asks for now; nothing while the event is not active."""
        if self.status(now) is not EventStatus.ACTIVE:
            return ()
        return tuple(course.at(now) for course in self._courses)

    def last_moment(self, now: datetime) -> datetime | None:
        """When something changed last; None before anything did."""
        passed = bisect_right(self.moments, now)
        return self.moments[passed - 1] if passed else None

    def next_moment(self, now: datetime) -> datetime | None:
        """When something changes next; None where nothing more does."""
        passed = bisect_right(self.moments, now)
        return self.moments[passed] if passed < len(self.moments) else None


def schedule_of(known: KnownEvent | EndingEvent) -> EventSchedule:
    """The schedule of an event that we know, or of a cancelled one that has not ended yet."""
    return EventSchedule(known.event, known.offset, known.ends_at if isinstance(known, EndingEvent) else None)

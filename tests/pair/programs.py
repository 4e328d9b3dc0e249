"""The events that an operator may make, and how they may change; and when a VEN has to do what of them.

What an event means at a time is written down here once more, from the profile, so that a mistake in the cores does not
hide in what they share.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from hypothesis import strategies as st

from oadr_core import (
    ActivePeriod,
    EiEvent,
    EventDescriptor,
    EventPhase,
    EventSignal,
    EventStatus,
    ResponseRequired,
    SignalType,
    Tolerance,
    Tolerate,
    signal_interval,
)

NOTHING: Final = timedelta(0)
OPEN_ENDED: Final = NOTHING
FOREVER: Final = datetime.fromisoformat("9999-01-01T00:00:00Z")
SIGNALS: Final = (("SIMPLE", SignalType.LEVEL), ("LOAD_CONTROL", SignalType.X_LOAD_CONTROL_SETPOINT))


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator wants of VENs.

    :param event_id: the event.
    :param dtstart: when it begins, for VENs without a random start.
    :param length: how long it lasts; no length for an event without an end.
    :param window: within what it begins at random.
    :param ramp_up: how much earlier its preparation begins; where it is negative, how much later that ends.
    :param recovery: how much later than it the response ends; where it is negative, how much earlier it may.
    :param priority: how urgent it is.
    :param required: whether it must be answered.
    :param values: what it asks for, in intervals of equal length.
    :param signals: how many signals it has.
    """

    event_id: str
    dtstart: datetime
    length: timedelta
    window: timedelta = NOTHING
    ramp_up: timedelta | None = None
    recovery: timedelta | None = None
    priority: int | None = None
    required: ResponseRequired = ResponseRequired.ALWAYS
    values: tuple[float, ...] = (1.0,)
    signals: int = 1

    def means_the_same_as(self, other: "Program") -> bool:
        """Whether it asks for the same as another; a priority of 0 is none (rule 3, decision D15)."""
        ours, theirs = (msgspec.structs.replace(one, priority=one.priority or None) for one in (self, other))
        return ours == theirs

    def event(self, made: datetime) -> EiEvent:
        """The event as the operator gives it to the VTN; what the VTN has to fill in is wrong in it."""
        window = Tolerance(tolerate=Tolerate(startafter=self.window)) if self.window else None
        intervals = tuple(signal_interval(number, self.part, value) for number, value in enumerate(self.values))
        return EiEvent(
            event_descriptor=EventDescriptor(
                event_id=self.event_id,
                modification_number=0,
                priority=self.priority,
                market_context="http://market.example",
                created_date_time=made.replace(microsecond=0),
                event_status=EventStatus.FAR,
            ),
            active_period=ActivePeriod(
                dtstart=self.dtstart,
                duration=self.length,
                tolerance=window,
                notification=NOTHING,
                ramp_up=self.ramp_up,
                recovery=self.recovery,
            ),
            event_signals=tuple(
                EventSignal(intervals=intervals, signal_name=name, signal_type=kind, signal_id=str(number))
                for number, (name, kind) in enumerate(SIGNALS[: self.signals])
            ),
            response_required=self.required,
        )

    # --- what may become of it ---------------------------------------------------------------------------------------

    def may_become(self, other: "Program", now: datetime) -> bool:
        """Whether it may be changed so: what lies in the past stays (rule 20)."""
        if now >= self.end or now >= other.end:
            return False
        if now < self.dtstart:
            return other.dtstart >= now.replace(microsecond=0)
        if other.dtstart != self.dtstart:
            return False
        if other.ramp_up != self.ramp_up and (self.has_ramped_up(now) or other.has_ramped_up(now)):
            return False
        past = max(self.past(now), other.past(now))
        if past > self.dtstart and self.signals != other.signals:
            longer = self if self.signals > other.signals else other
            if longer.past(now) > self.dtstart:
                return False
        seconds = range(int((past - self.dtstart).total_seconds()))
        return all(
            self.value(at) == other.value(at) for at in (self.dtstart + timedelta(seconds=one) for one in seconds)
        )

    def has_ramped_up(self, now: datetime) -> bool:
        """Whether it has a ramp-up, which is over."""
        return bool(self.ramp_up) and now >= self.steady

    def past(self, now: datetime) -> datetime:
        """When the last interval ended that is over."""
        return self.dtstart + (now - self.dtstart) // self.part * self.part if self.part else self.dtstart

    # --- what it means -----------------------------------------------------------------------------------------------

    @property
    def part(self) -> timedelta:
        """How long each interval lasts; the only one of an event without an end has no length (decision D32)."""
        return self.length / len(self.values)

    @property
    def end(self) -> datetime:
        """When it ends, for VENs without a random start."""
        return self.dtstart + self.length if self.length else FOREVER

    @property
    def last_end(self) -> datetime:
        """When the last VEN is done with it (rule 66)."""
        return self.end if self.end is FOREVER else self.end + self.window

    def status(self, now: datetime) -> EventStatus:
        """Where it stands (rules 13 and 47)."""
        if now >= self.end:
            return EventStatus.COMPLETED
        if now >= self.dtstart:
            return EventStatus.ACTIVE
        return EventStatus.NEAR if now >= self.prepares else EventStatus.FAR

    @property
    def prepares(self) -> datetime:
        """When its ramp-up begins, if that is before it begins itself."""
        return self.dtstart - max(self.ramp_up or NOTHING, NOTHING)

    def value(self, now: datetime) -> float | None:
        """What it asks for; nothing unless it is active."""
        if self.status(now) is not EventStatus.ACTIVE:
            return None
        return self.values[(now - self.dtstart) // self.part if self.part else 0]

    @property
    def steady(self) -> datetime:
        """When its ramp-up is over."""
        return self.dtstart - min(self.ramp_up or NOTHING, NOTHING)

    @property
    def recovers(self) -> datetime:
        """When the response may begin to end."""
        return max(self.dtstart, self.end + min(self.recovery or NOTHING, NOTHING)) if self.length else FOREVER

    @property
    def recovered(self) -> datetime:
        """When the response has ended."""
        return self.end + max(self.recovery or NOTHING, NOTHING) if self.length else FOREVER

    def phase(self, now: datetime) -> EventPhase | None:
        """What the load does (rule 31)."""
        if not self.prepares <= now < self.recovered:
            return None
        if now >= self.recovers:
            return EventPhase.RECOVERY
        return EventPhase.RAMP_UP if now < self.steady else EventPhase.STEADY

    def last_moment(self, now: datetime) -> datetime | None:
        """When something changed last, if anything has."""
        return max((one for one in self._moments() if one <= now), default=None)

    def _moments(self) -> Iterator[datetime]:
        yield self.prepares
        yield self.dtstart
        yield min(self.steady, self.end)
        if self.length:
            yield self.recovers
            yield from (self.dtstart + number * self.part for number in range(1, len(self.values)))
            yield self.end

    def later(self, offset: timedelta) -> "Program":
        """The same for a VEN that begins at random (rule 30)."""
        return msgspec.structs.replace(self, dtstart=self.dtstart + offset)


# --- what is drawn ---------------------------------------------------------------------------------------------------

_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)

_STARTS: Final = st.sampled_from([-30 * _SECOND, 5 * _SECOND, 40 * _SECOND, 5 * _MINUTE])
_LENGTHS: Final = st.sampled_from([2 * _MINUTE, 8 * _MINUTE, timedelta(days=1), OPEN_ENDED])
_VALUES: Final = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=1, max_size=3).map(tuple)

_PARTS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "window": st.sampled_from([NOTHING, NOTHING, 30 * _SECOND, 4 * _MINUTE]),
    "ramp_up": st.sampled_from([None, None, 20 * _SECOND, -20 * _SECOND]),
    "recovery": st.sampled_from([None, None, 30 * _SECOND, -30 * _SECOND]),
    "priority": st.sampled_from([None, 0, 1, 2]),
    "required": st.sampled_from([ResponseRequired.ALWAYS, ResponseRequired.ALWAYS, ResponseRequired.NEVER]),
    "values": _VALUES,
    "signals": st.integers(1, 2),
}


def whole(program: Program) -> Program:
    """An event without an end has one interval without an end."""
    return program if program.length else msgspec.structs.replace(program, values=program.values[:1])


@st.composite
def programs(draw: st.DrawFn, event_id: str, now: datetime) -> Program:
    """Draw an event that begins about now."""
    parts = {name: draw(strategy) for name, strategy in _PARTS.items()}
    start = now.replace(microsecond=0) + draw(_STARTS)
    return whole(Program(event_id=event_id, dtstart=start, length=draw(_LENGTHS), **parts))


@st.composite
def changes(draw: st.DrawFn, program: Program, now: datetime) -> Program:
    """Draw another form of an event. Its time changes too, whether it runs or not."""
    name = draw(st.sampled_from([*_PARTS, "values", "dtstart", "length"]))
    if name == "dtstart":
        value: object = now.replace(microsecond=0) + draw(_STARTS)
    else:
        value = draw(_LENGTHS if name == "length" else _PARTS[name])
    return whole(msgspec.structs.replace(program, **{name: value}))

"""Telling the application what an event asks of it when it asks it: now prepare, now begin, now change, now end."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core.clock import Deadline, Now, Timers
from oadr_core.handlers import VEN_HANDLERS
from oadr_core.messages import EventStatus, OptType, urgency
from oadr_core.outputs import EventProceeds, Output, Save
from oadr_core.state.blobs import Blob, Instant
from oadr_core.state.ven import EndingEvent, KnownEvent
from oadr_core.ven import Ven
from oadr_core.ven.event_schedule import EventSchedule, schedule_of

_PREFIX: Final = "progress/"

_LITTLE: Final = timedelta(minutes=1)
"""By how much a clock may be set back without anything being told again."""

_BEGUN: Final = (EventStatus.NEAR, EventStatus.ACTIVE)
_OVER: Final = (EventStatus.COMPLETED, EventStatus.CANCELLED)


class EventProgress(Blob, frozen=True, kw_only=True):
    """What the application was last told of an event, as a versioned blob.

    :param event_id: the event.
    :param modification_number: the modification that it was told of.
    :param status: where the event stood.
    :param moment: the moment of its schedule that had come; None where none had.
    """

    event_id: str
    modification_number: int
    status: EventStatus
    moment: Instant | None = None


class _Followed(msgspec.Struct, frozen=True):
    """An event, and when it takes place."""

    known: KnownEvent | EndingEvent
    schedule: EventSchedule

    @property
    def number(self) -> int:
        """The modification number of the event."""
        return self.known.event.event_descriptor.modification_number

    @property
    def is_carried_out(self) -> bool:
        """Whether we take part in the event; one that the application still decides on does not proceed."""
        return isinstance(self.known, EndingEvent) or self.known.opt_type is OptType.OPT_IN

    def fits(self, known: KnownEvent | EndingEvent) -> bool:
        """Whether the schedule is still that of an event."""
        return type(self.known) is type(known) and (
            (self.known.offset, self.known.event, getattr(self.known, "ends_at", None))
            == (known.offset, known.event, getattr(known, "ends_at", None))
        )


class Timekeeper:
    """Follows the events that the VEN takes part in, by its own clock (rules 13, 30, 65 and 114).

    There is one timer for each event. What was told is saved first, so that no moment is told twice; moments that
    passed unnoticed, in a restart or while the machine slept, are told at once, as what is present now. A clock that is
    set back by a little brings no moment again. One that was wrong by more had told what is not so: then it is told
    where the event stands.

    :param ven: knows the events.
    :param emit: takes what has to be saved or told.
    :param saved: what an earlier run saved, by key; other keys than its own are passed over.
    :raises StateError: something in ``saved`` is damaged.
    """

    def __init__(self, ven: Ven, emit: Callable[[Output], None], saved: Mapping[str, bytes]) -> None:
        self._ven = ven
        self._emit = emit
        self._told = {one.event_id: one for _, one in EventProgress.load_all(saved, _PREFIX)}
        self._followed: dict[str, _Followed] = {}
        self._seen: tuple[object, object] | None = None
        self._runs = False
        self._timers: Timers[str] = Timers()
        self._looked_at: datetime | None = None  # what the clock showed last

    def start(self, now: Now) -> None:
        """Begin to tell; what was missed is told now."""
        self._runs = True
        self._looked_at = now.utc
        self.follow(now)

    def stop(self) -> None:
        """Tell no more."""
        self._runs = False
        self._timers = Timers()

    def next_timeout(self, now: Now) -> Deadline | None:
        """When something changes next."""
        return self._timers.next(now)

    def handle_timeout(self, now: Now) -> None:
        """Tell what has changed."""
        due = list(self._timers.expired(now))
        if self._looked_at is not None and now.utc < self._looked_at:  # the clock was set back
            due = [event_id for event_id, one in self._followed.items() if one.is_carried_out]
        self._looked_at = now.utc
        self._proceed_all(due, now)

    def follow(self, now: Now) -> None:
        """Look whether the VEN knows other events than before, and follow those from now on."""
        state = self._ven.state
        if not self._runs or (
            self._seen is not None and self._seen[0] is state.events and self._seen[1] is state.ending
        ):
            return
        self._seen = state.events, state.ending
        present: dict[str, KnownEvent | EndingEvent] = {one.event_id: one for one in state.ending}
        present |= {one.event_id: one for one in state.events}
        for event_id in [one for one in {**self._told, **self._followed} if one not in present]:
            self._lose(event_id, now)
        proceeding = []
        for event_id, known in present.items():
            if isinstance(known, KnownEvent) and known.opt_type is OptType.OPT_OUT:
                if event_id in self._told:
                    self._followed.setdefault(event_id, _Followed(known, schedule_of(known)))
                self._lose(event_id, now, present=True)
            elif self._plan(event_id, known):
                proceeding.append(event_id)
        self._proceed_all(proceeding, now)

    def _plan(self, event_id: str, known: KnownEvent | EndingEvent) -> bool:
        """Follow an event as it is now; tells whether to look where it stands."""
        followed = self._followed.get(event_id)
        decides = isinstance(known, KnownEvent) and known.opt_type is None
        if decides:
            self._timers.stop(event_id)
        if followed is not None and (decides or (followed.is_carried_out and followed.fits(known))):
            return not decides and not self._timers.is_set(event_id)
        self._followed[event_id] = _Followed(known, schedule_of(known))
        return not decides

    def _proceed_all(self, event_ids: Iterable[str], now: Now) -> None:
        """Tell where several events stand: first of those that end, then of the others as they have begun (rule 18).

        So an application that does what it was last told does what the later event asks for; of two that begin together
        the more urgent one.
        """
        for event_id in sorted(event_ids, key=lambda one: self._turn(one, now)):
            self._proceed(event_id, now)

    def _turn(self, event_id: str, now: Now) -> tuple[bool, datetime, int]:
        followed = self._followed[event_id]
        is_present = followed.schedule.status(now.utc) not in _OVER
        return is_present, followed.schedule.start, -urgency(followed.known.event.event_descriptor)

    def _proceed(self, event_id: str, now: Now) -> None:
        """Tell where an event stands if that is news, and wait for its next moment."""
        followed = self._followed[event_id]
        schedule = followed.schedule
        stands = EventProgress(
            event_id=event_id,
            modification_number=followed.number,
            status=schedule.status(now.utc),
            moment=schedule.last_moment(now.utc),
        )
        if _is_news(stands, self._told.get(event_id), now.utc, ends=isinstance(followed.known, EndingEvent)):
            self._tell(followed, stands, now)
        then = schedule.next_moment(now.utc)
        if then is None:
            self._timers.stop(event_id)
        else:
            self._timers.at(event_id, then)
        if stands.status is EventStatus.CANCELLED:
            self._ven.ended(event_id, now)

    def _lose(self, event_id: str, now: Now, *, present: bool = False) -> None:
        """An event is no longer known, or we take no part in it any more. It has ended for us, if it had begun.

        :param present: whether it is still known. Then that it was over stays known too, whatever is decided yet.
        """
        followed, told = self._followed.get(event_id), self._told.get(event_id)
        if followed is not None and told is not None and told.status in _BEGUN:
            over = followed.schedule.status(now.utc) is EventStatus.COMPLETED
            status = EventStatus.COMPLETED if over else EventStatus.CANCELLED
            told = msgspec.structs.replace(told, status=status)
            self._tell(followed, told, now)
        if present and told is not None and told.status is EventStatus.COMPLETED:
            self._timers.stop(event_id)
        else:
            self._forget(event_id)

    def _forget(self, event_id: str) -> None:
        self._timers.stop(event_id)
        self._followed.pop(event_id, None)
        if self._told.pop(event_id, None) is not None:
            self._emit(Save(_PREFIX + event_id, None))

    def _tell(self, followed: _Followed, stands: EventProgress, now: Now) -> None:
        self._told[stands.event_id] = stands
        self._emit(Save(_PREFIX + stands.event_id, stands.dump()))
        signals = () if stands.status is not EventStatus.ACTIVE else followed.schedule.signals(now.utc)
        is_lost = stands.status is EventStatus.CANCELLED
        proceeds = EventProceeds(
            event_id=stands.event_id,
            modification_number=stands.modification_number,
            status=stands.status,
            interval=signals[0].interval if signals else None,
            signals=signals,
            phase=None if is_lost else followed.schedule.phase(now.utc),
            until=None if is_lost else followed.schedule.until(now.utc),
        )
        self._emit(proceeds)
        told = {"event": followed.known.event}
        told |= {name: getattr(proceeds, name) for name in VEN_HANDLERS["on_event_status"] if name != "event"}
        self._ven.tell_in_turn("events", "on_event_status", told, now, about=stands.event_id)


def _is_news(stands: EventProgress, told: EventProgress | None, now: datetime, *, ends: bool) -> bool:
    """Whether the application has to be told where an event stands.

    A modification brings a moment again, as it may ask for something else.

    :param stands: where it stands.
    :param told: what was last told.
    :param now: the present.
    :param ends: whether it is cancelled and goes on for a while.
    """
    if stands.status is EventStatus.CANCELLED:
        return told is not None and told.status in _BEGUN
    if told is None:
        return not ends and stands.status is not EventStatus.FAR  # what was never told to begin need not end
    if told.modification_number != stands.modification_number:
        unchanged = told.status is stands.status and (stands.status is EventStatus.FAR or stands.status in _OVER)
        return not ends and not unchanged
    if told.moment is not None and told.moment - now > _LITTLE:
        return not ends  # it was told by a clock that was wrong
    if told.status in _BEGUN and stands.status in _OVER:
        return True  # it has another random start than it had when it was told, and is over by that
    return stands.moment is not None and (told.moment is None or stands.moment > told.moment)

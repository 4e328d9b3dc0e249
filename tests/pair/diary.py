"""The diary of a VEN's application: what it was asked and said, what it was told of its events and when."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core import (
    CreatedEvent,
    Event,
    EventDecided,
    EventProceeds,
    EventStatus,
    HandlerFailed,
    OptType,
    RegistrationEnded,
    RegistrationRefused,
    VenState,
)
from oadr_core.auto.timekeeper import EventProgress
from oadr_core.state.opts import Scope
from oadr_core.state.ven import EndingEvent, KnownEvent
from tests.pair.programs import NOTHING, Program

Edition = tuple[str, int]
"""An event in one of its modifications."""

Said = tuple[OptType, int]
"""What an application says about an event, and with which code."""

SILENCE: Final[Said] = (OptType.OPT_OUT, 200)
"""What is said for an application that fails or takes too long."""

AGREED: Final[Said] = (OptType.OPT_IN, 200)
"""What is said to a cancellation (rule 36)."""

_BEGUN: Final = (EventStatus.NEAR, EventStatus.ACTIVE)
_OVER: Final = (EventStatus.COMPLETED, EventStatus.CANCELLED)
LITTLE: Final = timedelta(minutes=1)
"""By how much a clock may be set back without anything being told again."""

_AT_FIRST: Final = datetime.fromisoformat("0001-01-01T00:00:00Z")


class Told(msgspec.Struct, frozen=True):
    """What the application was told last of an event.

    :param number: the modification.
    :param status: where the event stood.
    :param moment: which moment of it had come.
    :param offset: the random start that this was told by; None where that is not known, after a restart.
    """

    number: int
    status: EventStatus
    moment: datetime
    offset: timedelta | None = None


class Diary:
    """What an application lives through. It complains as soon as something is told that is not so, or not told.

    :param name: whose it is.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.editions: Mapping[Edition, Program] = {}
        """All that the operator ever ordered."""
        self.cancelled: Iterable[str] = ()
        """The events that the operator has cancelled."""
        self.troubled = False
        """Whether events may have ended for another reason: a registration that ended, or a clock that was wrong."""
        self.opted: set[tuple[str, OptType]] = set()
        """What the application ever said about the whole of an event by an opt."""
        self.said: dict[Edition, set[Said]] = {}
        self._asked: set[Edition] = set()
        self._told: dict[str, Told] = {}
        self._before: dict[str, KnownEvent] = {}
        self._offsets: dict[str, timedelta] = {}
        self._ending_since: dict[str, datetime] = {}
        self._just_ended = False

    # --- what the application says -----------------------------------------------------------------------------------

    def is_asked(self, edition: Edition, known: Iterable[KnownEvent]) -> None:
        """The application is asked about an event, which it must not have decided already."""
        self._asked.add(edition)
        decided = [edition_of(one) for one in known if one.opt_type is not None]
        assert edition not in decided, f"{self._name} is asked what it has decided already: {edition}"

    def says(self, edition: Edition, said: Said) -> None:
        """The application answers."""
        self._asked.discard(edition)
        self.said.setdefault(edition, set()).add(said)

    def fails(self, edition: Edition) -> None:
        """The application answers nothing that can be used."""
        self.says(edition, SILENCE)

    def allows(self, edition: Edition, said: Said, state: VenState) -> bool:
        """Whether something was said about an event; an opt for all of it goes before its answers (rule 206)."""
        ruling = state.opts.for_event(edition[0], Scope())
        opt_type, code = said
        own = self.said.get(edition, set())
        ruled = ruling is not None and ruling.opt_type is opt_type
        if self._just_ended:  # and all opts with the registration, since this was decided
            ruled = ruled or (edition[0], opt_type) in self.opted
        return said in own or (ruled and code in {one for _, one in own})

    def answers(self, message: CreatedEvent, cancelled: Iterable[Edition], state: VenState, now: datetime) -> None:
        """What leaves for the VTN is what the application has said."""
        for response in message.event_responses or ():
            edition = (response.event_id, response.modification_number)
            said = (response.opt_type, response.response_code)
            agreed = said == AGREED and edition in cancelled
            assert agreed or self.allows(edition, said, state) or self._is_refused(edition, said, now), (
                f"{self._name} answers {said} to {edition}, where its application said {self.said.get(edition)}"
            )

    def _is_refused(self, edition: Edition, said: Said, now: datetime) -> bool:
        """Whether a VEN says by itself what nobody needs to decide: an event that is over, or an older modification."""
        opt_type, code = said
        known = self._before.get(edition[0])
        outdated = code == 450 and known is not None and edition[1] < edition_of(known)[1]
        return opt_type is OptType.OPT_OUT and (outdated or (code == 454 and now >= self.editions[edition].last_end))

    # --- what the application is told --------------------------------------------------------------------------------

    def hear(self, events: Iterable[Event], state: VenState, now: datetime, *, cut: bool = False) -> None:
        """Take what the VEN tells.

        :param events: what it has told since the last time.
        :param state: what it remembers.
        :param now: what its wall clock shows.
        :param cut: whether it was about to tell more when its power failed.
        """
        self._meet(state, now)
        events = list(events)
        self._just_ended = any(isinstance(event, RegistrationEnded) for event in events)
        self.troubled = self.troubled or not state.registered
        for event in events:
            if isinstance(event, EventDecided):
                self._decided(event, state, now)
            elif isinstance(event, EventProceeds):
                self._proceeds(event, state, now)
            elif isinstance(event, HandlerFailed) and event.handler in ("on_event", "on_update_event"):
                for edition in list(self._asked):
                    self.said.setdefault(edition, set()).add(SILENCE)
            elif isinstance(event, RegistrationEnded | RegistrationRefused):
                self.troubled = True
        self._look_for_ends(state, cut=cut)
        self._look_for_losses(state, now)
        self._before = {one.event_id: one for one in state.events}

    def _decided(self, event: EventDecided, state: VenState, now: datetime) -> None:
        edition = (event.event_id, event.modification_number)
        said = (event.opt_type, event.code)
        if self._is_refused(edition, said, now):
            self.says(edition, said)
        assert self.allows(edition, said, state), (
            f"{self._name} takes {said} for what its application said about {edition}: {self.said.get(edition)}"
        )

    def _proceeds(self, event: EventProceeds, state: VenState, now: datetime) -> None:
        """A moment of an event has come. It is so, by the VEN's own clock, and it is news (rules 13, 30, 47, 114)."""
        last = self._told.get(event.event_id)
        if event.status is EventStatus.CANCELLED:
            assert last is not None, f"{event.event_id} ends, of which nothing was told"
            assert last.status in _BEGUN, f"{event.event_id} ends, though it never began"
            self._ends_early(event, state, now)
            self._told[event.event_id] = Told(event.modification_number, event.status, last.moment)
            return
        offset = self._offsets[event.event_id]
        program = self.editions[event.event_id, event.modification_number].later(offset)
        assert event.status is program.status(now), f"{event.event_id} is {program.status(now)}, not {event.status}"
        assert {one.value for one in event.signals} <= {program.value(now)}, f"{event.event_id} asks for something else"
        assert event.phase is program.phase(now), f"{event.event_id} is in {program.phase(now)}, not {event.phase}"
        assert len(event.signals) == (program.signals if event.status is EventStatus.ACTIVE else 0)
        moment = program.last_moment(now) or _AT_FIRST
        if last is not None:
            assert event.modification_number >= last.number
            was_wrong = last.moment - now > LITTLE  # the clock was set back since
            drawn_anew = last.offset not in (None, offset)  # it came again with a new registration (decision D36)
            alike = event.modification_number == last.number and not was_wrong and not drawn_anew
            repeats = alike and moment <= last.moment
            assert not repeats or last.status is EventStatus.CANCELLED, f"a moment of {event.event_id} is told twice"
        self._told[event.event_id] = Told(event.modification_number, event.status, moment, offset)

    def _ends_early(self, event: EventProceeds, state: VenState, now: datetime) -> None:
        """An event ends early: not without a reason, and where it began at random not at once (rule 65)."""
        before = self._before.get(event.event_id)
        said = [one for (event_id, _), said in self.said.items() if event_id == event.event_id for one in said]
        ruling = state.opts.for_event(event.event_id, Scope())  # rule 206
        out = any(opt_type is OptType.OPT_OUT for opt_type, _ in said)
        out = out or (ruling is not None and ruling.opt_type is OptType.OPT_OUT)
        latest = max(number for event_id, number in self.editions if event_id == event.event_id)
        out = out or now >= self.editions[event.event_id, latest].last_end  # it was given a time that is over
        assert out or self.troubled or event.event_id in self.cancelled, f"{event.event_id} was never cancelled"
        if before is None or out or event.event_id not in self.cancelled:
            return
        program = self.editions[edition_of(before)].later(before.offset)
        if program.window and program.status(now) is EventStatus.ACTIVE:
            assert self._ending_since.get(event.event_id, now) < now, f"{event.event_id} ends at once for all VENs"

    # --- what it can see of the VEN ----------------------------------------------------------------------------------

    def _meet(self, state: VenState, now: datetime) -> None:
        """Look at the random offsets: within their windows, and kept (rules 30 and 65)."""
        self._offsets |= {one.event_id: one.offset for one in (*self._before.values(), *state.ending, *state.events)}
        for known in state.events:
            window = self.editions[edition_of(known)].window
            assert NOTHING <= known.offset <= window, f"{known.event_id} begins outside of its window"
            assert known.offset or not window, f"{known.event_id} does not begin at random"
            before = self._before.get(known.event_id)
            if before is not None and self._kept_its_window(before, known):
                assert known.offset == before.offset, f"the random start of {known.event_id} was drawn anew"
        since = self._ending_since
        self._ending_since = {one.event_id: since.get(one.event_id, now) for one in state.ending}
        for ending in state.ending:
            if ending.event_id not in since and ending.event_id in self._before:
                window = self.editions[edition_of(ending)].window
                assert now <= ending.ends_at <= now + window, f"{ending.event_id} ends outside of its window"

    def _kept_its_window(self, before: KnownEvent, after: KnownEvent) -> bool:
        """Whether the window of an event is what it was, in all modifications from one to another."""
        (event_id, first), (_, last) = edition_of(before), edition_of(after)
        between = [self.editions.get((event_id, number)) for number in range(first, last + 1)]
        return len({one.window for one in between if one is not None}) == 1

    def _look_for_ends(self, state: VenState, *, cut: bool) -> None:
        """What the application was told to begin, and is not to go on with, it was told to end."""
        going_on = {one.event_id for one in state.events if one.opt_type is not OptType.OPT_OUT}
        going_on |= {one.event_id for one in state.ending}
        for event_id, told in list(self._told.items()):
            if told.status in _BEGUN:
                assert cut or event_id in going_on, f"{self._name} was never told that {event_id} ended"
            elif event_id not in {one.event_id for one in state.events}:
                del self._told[event_id]

    def _look_for_losses(self, state: VenState, now: datetime) -> None:
        """What the VEN knows is forgotten for a reason alone: it is over, or was cancelled (rule 61)."""
        lost = self._before.keys() - {one.event_id for one in state.events}
        for event_id in lost - set(self.cancelled):
            latest = max(number for name, number in self.editions if name == event_id)
            over = now >= self.editions[event_id, latest].last_end
            assert over or self.troubled, f"{self._name} forgets {event_id}, which was never cancelled"

    def is_up_to_date(self, state: VenState, now: datetime) -> None:
        """Whatever has come of the events that the VEN takes part in, the application was told."""
        for known in (*state.events, *state.ending):
            if isinstance(known, KnownEvent) and known.opt_type is not OptType.OPT_IN:
                continue
            told = self._told.get(known.event_id)
            if told is not None and told.number == edition_of(known)[1] and isinstance(known, KnownEvent):
                assert told.moment - now <= LITTLE, f"{known.event_id} stands otherwise since the clock is right"
            program = self.editions[edition_of(known)].later(known.offset)
            stands = program.status(now)
            if isinstance(known, KnownEvent) and stands in _BEGUN:
                assert told is not None, f"{self._name} was never told that {known.event_id} is {stands}"
                assert told.number == edition_of(known)[1]
                assert told.moment >= (program.last_moment(now) or _AT_FIRST), f"{known.event_id} went on in silence"
            elif stands is EventStatus.COMPLETED:
                assert told is None or told.status in _OVER, f"{self._name} was never told that {known.event_id} ended"

    def wakes(self, saved: Mapping[str, bytes] | None) -> None:
        """The application starts again.

        :param saved: what the VEN has on disk where its power failed: what it was about to tell then may be lost, as it
            is never told twice. Else None.
        """
        self._asked.clear()
        if saved is None:
            return
        progress = [EventProgress.load(blob) for key, blob in saved.items() if key.startswith("progress/")]
        self._told = {
            one.event_id: Told(one.modification_number, one.status, one.moment or _AT_FIRST) for one in progress
        }
        known = VenState.load(saved["ven"]).events if "ven" in saved else ()
        self._before = {one.event_id: one for one in known}


def edition_of(known: KnownEvent | EndingEvent) -> Edition:
    """Which modification of which event a VEN knows."""
    return known.event_id, known.event.event_descriptor.modification_number

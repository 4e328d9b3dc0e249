"""EiEvent at a VTN: making events, changing them, and knowing whom they are for."""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from typing import Final, Unpack

import msgspec

from oadr_core.clock import Now, whole_seconds
from oadr_core.decisions import PollDecision
from oadr_core.errors import LocalProtocolError
from oadr_core.messages import EiEvent, EventStatus, ProfileName, latest_end, outruns
from oadr_core.outputs import EventsOverlap, EventWithheld, HandlerFailed, PollsTooSeldom, Save
from oadr_core.state.audience import Audience, Enrolment, HandedEvents
from oadr_core.state.vtn import EventRecord
from oadr_core.vtn.audiences import AudienceLike, audience_for, checked
from oadr_core.vtn.base import ENROLMENT, HANDED, Parts
from oadr_core.vtn.crowding import Crowding
from oadr_core.vtn.event_answers import EventAnswer, event_answers
from oadr_core.vtn.event_lists import as_made, remembered_until
from oadr_core.vtn.event_making import made, refuse_over, refuse_rewriting
from oadr_core.vtn.overlaps import overlapping
from oadr_core.vtn.profile_20a import why_unfit
from oadr_core.vtn.push_service import PushService
from oadr_core.vtn.turn import Decided, VtnConfig


class EventService(PushService):
    """EiEvent at a VTN (section 8.1 of the profile): the events, from their making until they are forgotten.

    Which of them a VEN is handed, and what it answers, is decided in :mod:`oadr_core.vtn.events`.
    """

    def __init__(self, config: VtnConfig, **parts: Unpack[Parts]) -> None:
        super().__init__(config, **parts)
        self._crowding: Final = Crowding(self._book, self._records, config.largest)
        self._finished_at: datetime | None = None  # when an event was last taken from the lists

    # --- questions to the core ---------------------------------------------------------------------------------------

    @property
    def events(self) -> Mapping[str, EventRecord]:
        """All events that are remembered, those that are over included, by their ids."""
        return self._book

    @property
    def lists_made(self) -> int:
        """How many lists of events were made in this run; one that is the same for many VENs is made once."""
        return self._documents.made

    @property
    def enrolments(self) -> Mapping[str, Enrolment]:
        """What VENs belong to, by their ids; those that belong to nothing are missing."""
        return self._book.enrolments

    def is_for(self, ven_id: str, event_id: str) -> bool:
        """Whether an event is for a VEN."""
        return self._book.is_for(ven_id, event_id)

    def vens_of(self, event_id: str) -> list[str]:
        """The VENs that an event is for, also those that are named or enrolled and not registered.

        :raises LocalProtocolError: there is no such event.
        """
        return self._book.vens_of(self._known_event(event_id), self._records)

    def overlaps(self, event_id: str) -> tuple[str, ...]:
        """The events of the same program that overlap an event for any VEN; what VENs do then is not defined (rule 18).

        :returns: their ids, in the order of their starts; none where the event is cancelled.
        :raises LocalProtocolError: there is no such event.
        """
        record = self._known_event(event_id)
        return overlapping(record, self._book.rivals(record))

    def answers(self, event_id: str, now: Now) -> list[EventAnswer]:
        """Who was told of an event, who answered what and when, and who is silent.

        :returns: one for each VEN that the event is for, then for those that were told and that it is for no more.
        :raises LocalProtocolError: there is no such event.
        """
        patience = self.config.answer_timeout
        return event_answers(self._known_event(event_id), self.vens_of(event_id), self._records, now.utc, patience)

    # --- what the application can ask for ----------------------------------------------------------------------------

    def enrol(self, ven_id: str, enrolment: Enrolment, now: Now) -> None:
        """Say what a VEN belongs to, instead of what was said before; that outlives its registrations.

        It gets the events that are alive for what it comes to, and has those no more whose audience it leaves (rule
        61). Which of its events overlap those that it gets is told (rule 18).

        :param ven_id: the VEN; it need not be registered.
        :param enrolment: its groups, resources, parties and programs; an empty one for none.
        :raises LocalProtocolError: the enrolment does not hold lists of texts, or the VEN would get more events than
            fit into a list; the text says where, or how many.
        """
        self._now = now
        enrolment = checked(enrolment)
        if not ven_id:
            raise LocalProtocolError("the VEN to enrol needs a venID")
        before = {one.event_id for one in self._book.of(ven_id)}
        known = self._book.enrolments.get(ven_id, Enrolment())
        self._book.enrol(ven_id, enrolment)
        try:
            self._crowding.refuse_list(ven_id, self._book.of(ven_id))
        except LocalProtocolError:
            self._book.enrol(ven_id, known)
            raise
        self._emit(Save(f"{ENROLMENT}{ven_id}", enrolment.dump() if enrolment else None))
        self._tell_of_new_events(ven_id, before)
        self._wake([ven_id])

    def add_event(self, event: EiEvent, audience: AudienceLike | None, now: Now) -> str:
        """Make an event for some VENs.

        However many they are, it is kept and saved once; each VEN gets it when it polls, and push VENs at once.

        :param event: the event, with modification number 0; status, times and current values are filled in whenever
            it is handed out.
        :param audience: whom it is for: an :class:`~oadr_core.state.audience.Audience`, or the ids of VENs; those that
            are not registered yet get it when they are. None for whom the target of the event names.
        :returns: the id of the event.
        :raises LocalProtocolError: the event breaks a rule, its id is taken, it is for nobody, or one of its VENs has
            more events then than fit into a list.
        """
        return self._make(event, audience_for(event, audience), now).event_id

    def _make(self, event: EiEvent, audience: Audience, now: Now) -> EventRecord:
        event, at = made(event, now.utc), whole_seconds(now.utc)
        record = EventRecord(event=event, audience=audience, created_at=at, changed_at=at)
        if record.event_id in self._book:
            raise LocalProtocolError(f"there is an event {record.event_id!r} already (rule 70)")
        if record.modification_number != 0:
            raise LocalProtocolError("a new event has modification number 0 (rule 4)")
        if event.event_descriptor.event_status is EventStatus.CANCELLED:
            raise LocalProtocolError("a new event is not cancelled (rule 10)")
        refuse_over(event, now.utc)
        self._change_event(record, now)
        return record

    def modify_event(self, event: EiEvent, now: Now, audience: AudienceLike | None = None) -> int:
        """Replace an event by another form of it.

        :param event: the event with its id; its modification number does not matter.
        :param audience: whom it is for from now on; None leaves that as it is. A VEN that it is no longer for is
            handed a list without it (rule 61).
        :returns: its modification number: a new one, or the present one where the event is what it was (rule 5). Then
            nobody is told but those that it is now for, or is for no more.
        :raises LocalProtocolError: there is no such event, it or its new form is cancelled, the new form breaks a
            rule, it changes what lies in the past (rule 20), or one of its VENs has more events then than fit into a
            list.
        """
        known = self._known_event(event.event_descriptor.event_id)
        if known.event.event_descriptor.event_status is EventStatus.CANCELLED:
            raise LocalProtocolError(f"the event {known.event_id!r} is cancelled")
        if event.event_descriptor.event_status is EventStatus.CANCELLED:
            raise LocalProtocolError(f"a modification does not cancel the event {known.event_id!r}; cancel_event does")
        event = made(event, now.utc)
        changed = known
        if audience is not None:
            changed = msgspec.structs.replace(known, audience=audience_for(event, audience))
        if as_made(event) != as_made(known.event):
            refuse_rewriting(known.event, event, now.utc)
            changed = _modified(changed, event, now)
        if changed != known:
            self._change_event(changed, now)
        return changed.modification_number

    def cancel_event(self, event_id: str, now: Now) -> int:
        """Cancel an event; its VENs are told until they acknowledge it (rules 10, 50 and 52).

        :returns: the new modification number, or the present one where it is cancelled already.
        :raises LocalProtocolError: there is no such event, or it is over.
        """
        known = self._known_event(event_id)
        descriptor = known.event.event_descriptor
        if descriptor.event_status is EventStatus.CANCELLED:
            return descriptor.modification_number
        end = latest_end(known.event.active_period)
        if end is not None and end <= now.utc:
            raise LocalProtocolError(f"the event {event_id!r} is over since {end} (rule 20)")
        cancelled = msgspec.structs.replace(descriptor, event_status=EventStatus.CANCELLED)
        changed = _modified(known, msgspec.structs.replace(known.event, event_descriptor=cancelled), now)
        self._change_event(changed, now)
        return changed.modification_number

    # --- changing ----------------------------------------------------------------------------------------------------

    def _known_event(self, event_id: str) -> EventRecord:
        record = self._book.get(event_id)
        if record is None:
            raise LocalProtocolError(f"there is no event {event_id!r}")
        return record

    def _change_event(self, record: EventRecord, now: Now) -> None:
        rivals = self._book.rivals(record)
        is_cancelled = record.event.event_descriptor.event_status is EventStatus.CANCELLED
        if not is_cancelled:
            self._crowding.refuse_event(record, rivals)
        self._now = now
        known = self._book.get(record.event_id)
        self._book.put(record)
        self._emit(Save(record.key, record.dump()))
        self._watch(record, now)
        if self._of_20a:
            self._tell_withheld(record, self._book.vens_of(record, self._of_20a))
        self._wake_audience(record)
        if known is not None and known.audience != record.audience:
            self._wake_audience(known)
        others = overlapping(record, rivals)
        if others:
            self._emit(EventsOverlap(event_id=record.event_id, others=others))
        polled = len(self._records) > len(self._push_vens)
        if polled and not is_cancelled and outruns(record.event.active_period, self.config.poll_freq):
            self._emit(PollsTooSeldom(event_id=record.event_id, interval=self.config.poll_freq))

    def _wake_audience(self, record: EventRecord) -> None:
        """Look after the push VENs that an event is for; all others ask by themselves."""
        if self._push_vens:
            self._wake(self._book.vens_of(record, self._push_vens))

    def _tell_withheld(self, record: EventRecord, ven_ids: Iterable[str]) -> None:
        """Tell that some VENs of 2.0a are not given an event that is for them, where they have no words for it."""
        why = why_unfit(record.event, ProfileName.V20A)
        withheld = tuple(one for one in ven_ids if one in self._of_20a)
        if why is None or not withheld or record.event.event_descriptor.event_status is EventStatus.CANCELLED:
            return
        number = record.modification_number
        self._emit(EventWithheld(event_id=record.event_id, modification_number=number, ven_ids=withheld, why=why))

    def _tell_withheld_of(self, records: Iterable[EventRecord], ven_id: str) -> None:
        for record in records if ven_id in self._of_20a else ():
            self._tell_withheld(record, [ven_id])

    def _tell_of_new_events(self, ven_id: str, before: Container[str]) -> None:
        """Tell which events a VEN has come to that it cannot be given, or that overlap others of its events.

        :param ven_id: the VEN.
        :param before: the events that were for it before.
        """
        events = self._book.of(ven_id)
        come = [one for one in events if one.event_id not in before]
        self._tell_withheld_of(come, ven_id)
        told: set[str] = set()  # of two that overlap one another once
        for record in come:
            others = overlapping(record, [one for one in events if one.event_id not in told])
            told.add(record.event_id)
            if others:
                self._emit(EventsOverlap(event_id=record.event_id, others=others))

    # --- what handlers return ----------------------------------------------------------------------------------------

    def _adopt(self, ven_id: str, decided: Decided, now: Now) -> None:
        """Take the events that a handler has returned for a VEN: new ones, and changes of those that are there."""
        decision = decided.decision
        events = decision.events if isinstance(decision, PollDecision) else decision
        for event in events if decided.handler in ("on_poll", "on_request_event") else ():
            try:
                self._adopt_event(event, ven_id, now)
            except LocalProtocolError as error:
                self._emit(HandlerFailed(handler=decided.handler, error=str(error)))

    def _adopt_event(self, event: EiEvent, ven_id: str, now: Now) -> None:
        event_id, cancelled = event.event_descriptor.event_id, EventStatus.CANCELLED
        known = self._book.get(event_id)
        if known is None:
            end = latest_end(event.active_period)
            if event.event_descriptor.event_status is cancelled or (end is not None and end <= now.utc):
                return  # there is nothing to tell
            descriptor = msgspec.structs.replace(event.event_descriptor, modification_number=0)
            self._refuse_one_more(ven_id, event, now)
            known = self._make(msgspec.structs.replace(event, event_descriptor=descriptor), Audience(), now)
        if not self._book.is_for(ven_id, event_id):
            before = {one.event_id for one in self._book.of(ven_id)}
            self._refuse_one_more(ven_id, known.event, now)
            self._hand(ven_id, (*self._book.handed(ven_id).event_ids, event_id))
            self._tell_of_new_events(ven_id, before)
        if known.event.event_descriptor.event_status is cancelled:
            return
        if event.event_descriptor.event_status is cancelled:
            self.cancel_event(known.event_id, now)
        else:
            self.modify_event(event, now)

    def _refuse_one_more(self, ven_id: str, event: EiEvent, now: Now) -> None:
        """Refuse an event that a handler has returned for a VEN, where it is one too many."""
        record = EventRecord(event=event, audience=Audience(), created_at=now.utc, changed_at=now.utc)
        self._crowding.refuse_list(ven_id, [*self._book.of(ven_id), record])

    def _hand(self, ven_id: str, event_ids: Iterable[str]) -> None:
        """Keep which events handlers have returned for a VEN."""
        handed = HandedEvents(event_ids=tuple(event_ids))
        self._book.hand(ven_id, handed)
        self._emit(Save(f"{HANDED}{ven_id}", handed.dump() if handed.event_ids else None))

    # --- their time --------------------------------------------------------------------------------------------------

    def _watch(self, record: EventRecord, now: Now) -> None:
        """Take an event from the lists when its time is over, and forget it later."""
        self._plan("event", record, latest_end(record.event.active_period), now)
        self._plan("forget", record, remembered_until(record, self.config.event_retention), now)

    def _plan(self, kind: str, record: EventRecord, at: datetime | None, now: Now) -> None:
        """Wait for a moment of an event, instead of what was planned before; None where it does not come."""
        if at is None:
            self._timers.stop((kind, record.event_id))
        else:
            self._timers.at((kind, record.event_id), max(at, now.utc))

    def _finish(self, event_id: str, now: Now) -> None:
        """Take an event from the lists."""
        self._book.finish(event_id)
        self._finished_at = now.utc

    def _bring_back(self, now: Now) -> None:
        """Bring events back into the lists whose time is not over any more, as the clock was set back."""
        if self._finished_at is None or now.utc >= self._finished_at:
            return
        self._finished_at = now.utc
        for record in self._book.ended:
            until = latest_end(record.event.active_period)
            if until is None or now.utc < until:
                self._book.put(record)
                self._watch(record, now)
                self._wake_audience(record)

    def _forget_event(self, event_id: str) -> None:
        """An event has been over for long."""
        for ven_id in self._book.handed_to(event_id):
            self._hand(ven_id, (one for one in self._book.handed(ven_id).event_ids if one != event_id))
        record = self._book.forget(event_id)
        if record is not None:
            self._emit(Save(record.key, None))


def _modified(known: EventRecord, event: EiEvent, now: Now) -> EventRecord:
    """An event in another form, with the next modification number (rule 5)."""
    descriptor = msgspec.structs.replace(
        event.event_descriptor,
        modification_number=known.modification_number + 1,
        modification_date_time=whole_seconds(now.utc),
    )
    event = msgspec.structs.replace(event, event_descriptor=descriptor)
    return msgspec.structs.replace(known, event=event, changed_at=whole_seconds(now.utc))

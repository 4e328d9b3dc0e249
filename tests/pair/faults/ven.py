"""Mistakes that a VEN can make."""

from typing import Any, Final

import msgspec
import pytest

from oadr_core import (
    CreatedEvent,
    DistributeEvent,
    EiResponse,
    EventStatus,
    OptType,
    ResponseRequired,
    Save,
    Ven,
    VenState,
)
from oadr_core.auto import timekeeper
from oadr_core.auto.outbox import Outbox
from oadr_core.auto.timekeeper import Timekeeper
from oadr_core.auto.ven import AutoVen
from oadr_core.core import CoreBase
from oadr_core.decisions import EventDecision
from oadr_core.machines import event as event_machine
from oadr_core.machines.event import EventAtVenInput
from oadr_core.sender import Sender
from oadr_core.ven import core as ven_core
from oadr_core.ven import event_schedule
from oadr_core.ven import events as ven_events
from oadr_core.ven.event_list import EventList
from oadr_core.ven.event_schedule import EventSchedule
from oadr_core.ven.events import EventService
from oadr_core.ven.opts import OptService
from oadr_core.vtn import events
from tests.pair.faults import Faults
from tests.pair.faults.vtn import without_cancelled
from tests.pair.machine import Lossy, Troubled
from tests.pair.programs import NOTHING

fault: Final = Faults()

# --- lists -----------------------------------------------------------------------------------------------------------


@fault()
def _no_implied_cancel(patch: pytest.MonkeyPatch) -> None:
    """An event that is left out of a list goes on."""
    right = ven_events.take_list
    patch.setattr(
        ven_events, "take_list", lambda known, message, now, *, complete: right(known, message, now, complete=False)
    )
    # otherwise the VEN would be told of the cancellation openly
    patch.setattr(events, "is_listed", without_cancelled(events.is_listed))


@fault()
def _modifications_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """A higher modification number counts as the one that is known."""
    right = event_machine._relation

    def wrong(number: Any, listed: Any) -> EventAtVenInput:
        found = right(number, listed)
        return EventAtVenInput.SAME if found is EventAtVenInput.HIGHER else found

    patch.setattr(event_machine, "_relation", wrong)


@fault()
def _decisions_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What the application has decided is not kept, so it is asked again."""
    patch.setattr(ven_events, "decided", lambda known, decision: known)


@fault()
def _another_answer(patch: pytest.MonkeyPatch) -> None:
    """The VEN answers the opposite of what the application has decided."""
    right = EventList.respond

    def wrong(self: EventList, event: Any, decision: Any) -> None:
        other = OptType.OPT_OUT if decision.opt_type is OptType.OPT_IN else OptType.OPT_IN
        right(self, event, msgspec.structs.replace(decision, opt_type=other))

    patch.setattr(EventList, "respond", wrong)


@fault(Lossy)
def _silence_lasts(patch: pytest.MonkeyPatch) -> None:
    """A request that is never answered is waited for, for ever."""
    patch.setattr(Sender, "silent", lambda self, now: False)


@fault(Troubled)
def _reports_are_not_kept(patch: pytest.MonkeyPatch) -> None:
    """Reports that were made wait in memory alone, and a restart loses them."""
    right = Outbox.put

    def wrong(self: Outbox, report: Any, now: Any, **more: Any) -> str:
        keep, self._emit = self._emit, lambda output: None
        try:
            return right(self, report, now, **more)
        finally:
            self._emit = keep

    patch.setattr(Outbox, "put", wrong)


@fault()
def _sent_is_delivered(patch: pytest.MonkeyPatch) -> None:
    """A report counts as delivered when it was sent."""
    right = Outbox.deliver

    def wrong(self: Outbox, key: str, now: Any) -> None:
        right(self, key, now)
        if key in self._unsent and self._unsent[key].request_id in self._sent:
            del self._sent[self._unsent.pop(key).request_id]
            self._emit(Save(key, None))

    patch.setattr(Outbox, "deliver", wrong)


@fault(Troubled)
def _lost_registrations_stay_lost(patch: pytest.MonkeyPatch) -> None:
    """A VEN that its VTN does not know any more goes on as if it were registered."""
    patch.setattr(Ven, "_unknown_to_vtn", lambda self, now: None)


@fault(Troubled)
def _the_end_is_the_end(patch: pytest.MonkeyPatch) -> None:
    """A VEN whose registration the VTN has cancelled never registers again."""
    right = AutoVen._wait

    def wrong(self: AutoVen, given: Any, pause: Any, now: Any) -> None:
        right(self, given, None, now)

    patch.setattr(AutoVen, "_wait", wrong)


@fault(Troubled)
def _opts_are_sent_for_ever(patch: pytest.MonkeyPatch) -> None:
    """An opt that the VTN has taken is sent again after every restart."""
    patch.setattr(OptService, "_forget_opt", lambda self, message, now: None)


# --- answers ---------------------------------------------------------------------------------------------------------


@fault()
def _short_lists_cancel(patch: pytest.MonkeyPatch) -> None:
    """A list that is cut short by a replyLimit cancels what it leaves out."""
    right = ven_events.take_list
    patch.setattr(
        ven_events, "take_list", lambda known, message, now, *, complete: right(known, message, now, complete=True)
    )


@fault(Lossy)  # where nothing is lost, the VTN soon tells the VEN again how things are
def _late_lists_count(patch: pytest.MonkeyPatch) -> None:
    """The answer to a request for events counts though a list was pushed meanwhile."""

    def wrong(self: EventService, sent: Any, answer: Any, now: Any) -> None:
        self._distribute(answer, now, complete=getattr(sent, "reply_limit", None) is None)

    patch.setitem(ven_core._TAKE_ANSWER, DistributeEvent, wrong)


@fault()
def _never_means_now_and_then(patch: pytest.MonkeyPatch) -> None:
    """An event is answered that must not be answered."""
    right = EventList.respond

    def wrong(self: EventList, event: Any, decision: Any) -> None:
        right(self, msgspec.structs.replace(event, response_required=ResponseRequired.ALWAYS), decision)

    patch.setattr(EventList, "respond", wrong)


@fault()
def _the_unknown_is_ignored(patch: pytest.MonkeyPatch) -> None:
    """The cancellation of an event that is not known is not answered."""
    right = EventList.respond

    def wrong(self: EventList, event: Any, decision: Any) -> None:
        descriptor = event.event_descriptor
        if descriptor.event_status is not EventStatus.CANCELLED or descriptor.event_id in self.known:
            right(self, event, decision)

    patch.setattr(EventList, "respond", wrong)


@fault()
def _silence_is_consent(patch: pytest.MonkeyPatch) -> None:
    """A VEN takes part in an event when the handler that should decide fails."""
    patch.setattr(CoreBase, "call_raised", lambda self, call, error, *, now: self.call_returned(call, "optIn", now=now))


@fault()
def _later_answers_have_no_list(patch: pytest.MonkeyPatch) -> None:
    """A change of mind does not repeat the requestID of the list."""
    right = EventService._send_answers

    def wrong(self: EventService, responses: Any, now: Any, *, patient: bool = False) -> Any:
        if patient:
            responses = tuple(msgspec.structs.replace(one, request_id="later") for one in responses)
        return right(self, responses, now, patient=patient)

    patch.setattr(EventService, "_send_answers", wrong)


@fault(Lossy)
def _changes_of_mind_are_not_sent(patch: pytest.MonkeyPatch) -> None:
    """A change of mind is kept to oneself."""
    right = EventService.change_opt
    patch.setattr(
        EventService,
        "change_opt",
        lambda self, event_id, decision, now, send=True: right(self, event_id, decision, now, send=False),
    )


@fault(Troubled)
def _answers_are_given_again(patch: pytest.MonkeyPatch) -> None:
    """A VEN answers all its events once more when it has started again."""
    right = AutoVen._synchronise

    def wrong(self: AutoVen, now: Any) -> None:
        for known in self.ven.state.events:
            answers = EventList(known.request_id, {})
            if known.opt_type is not None:
                answers.respond(known.event, EventDecision(opt_type=known.opt_type, code=known.code))
            responses = tuple(answers.responses.values())
            if responses:
                message = CreatedEvent(response=EiResponse(), event_responses=responses, ven_id=self.ven.state.ven_id)
                self.ven.send(message, now)
        right(self, now)

    patch.setattr(AutoVen, "_synchronise", wrong)


@fault()
def _one_poll_is_enough(patch: pytest.MonkeyPatch) -> None:
    """A VEN polls again after its interval though the VTN may have more."""
    right = AutoVen._plan_poll
    patch.setattr(AutoVen, "_plan_poll", lambda self, now, *, at_once=False: right(self, now))


# --- random starts and ends ------------------------------------------------------------------------------------------


@fault()
def _changes_are_drawn_anew(patch: pytest.MonkeyPatch) -> None:
    """The random start of an event is drawn anew when the event changes."""
    right = ven_events.randomised

    def wrong(after: Any, before: Any, entropy: Any) -> Any:
        known = {one.event_id: one.event for one in before}
        after = list(after)
        same = {one.event_id for one in after if one.event == known.get(one.event_id)}
        return right(after, [one for one in before if one.event_id in same], entropy)

    patch.setattr(ven_events, "randomised", wrong)


@fault(Troubled)
def _random_starts_are_not_saved(patch: pytest.MonkeyPatch) -> None:
    """The random start of an event is forgotten in a restart."""
    right = VenState.dump

    def wrong(self: VenState) -> bytes:
        events = tuple(msgspec.structs.replace(one, offset=NOTHING) for one in self.events)
        return right(msgspec.structs.replace(self, events=events))

    patch.setattr(VenState, "dump", wrong)


@fault()
def _all_begin_together(patch: pytest.MonkeyPatch) -> None:
    """Events begin when the VTN says, and not at random."""
    patch.setattr(ven_events, "randomised", lambda after, before, entropy: tuple(after))


@fault()
def _all_end_together(patch: pytest.MonkeyPatch) -> None:
    """A cancelled event that began at random ends at once."""
    right = ven_events.ending

    def wrong(known: Any, now: Any, entropy: Any) -> Any:
        found = right(known, now, entropy)
        return None if found is None else msgspec.structs.replace(found, ends_at=now)

    patch.setattr(ven_events, "ending", wrong)


# --- what the application is told ------------------------------------------------------------------------------------


@fault()
def _the_vtn_knows_the_time(patch: pytest.MonkeyPatch) -> None:
    """A VEN believes the status that an event had when it was listed."""
    right = EventSchedule.status

    def wrong(self: EventSchedule, now: Any) -> EventStatus:
        own = right(self, now)
        sent = self.event.event_descriptor.event_status
        return sent if own in (EventStatus.FAR, EventStatus.NEAR, EventStatus.ACTIVE) else own

    patch.setattr(EventSchedule, "status", wrong)


@fault()
def _the_random_start_is_not_carried_out(patch: pytest.MonkeyPatch) -> None:
    """An event is told as if it began when the VTN says."""
    patch.setattr(
        timekeeper, "schedule_of", lambda known: EventSchedule(known.event, NOTHING, getattr(known, "ends_at", None))
    )


@fault()
def _no_length_is_no_time(patch: pytest.MonkeyPatch) -> None:
    """An event without an end is over as soon as it begins."""
    patch.setattr(event_schedule, "is_zero", lambda duration: False)


@fault(Troubled)
def _what_was_told_is_not_saved(patch: pytest.MonkeyPatch) -> None:
    """After a restart the application is told once more what it was told before."""
    right = Timekeeper.__init__
    patch.setattr(Timekeeper, "__init__", lambda self, ven, emit, saved: right(self, ven, emit, {}))


@fault()
def _ends_are_silent(patch: pytest.MonkeyPatch) -> None:
    """The application is not told that an event which it takes part in no longer has ended."""
    patch.setattr(Timekeeper, "_lose", lambda self, event_id, now: self._forget(event_id))


# --- opts ------------------------------------------------------------------------------------------------------------


@fault(Troubled)
def _opts_are_said_once(patch: pytest.MonkeyPatch) -> None:
    """An opt that was not answered before a restart is not sent again."""
    right = OptService.deliver_opts

    def wrong(self: OptService, now: Any) -> None:
        if not getattr(self, "began", False):
            self.began = True
            return
        right(self, now)

    patch.setattr(OptService, "deliver_opts", wrong)

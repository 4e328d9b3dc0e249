"""EiEvent at a VEN: comparing lists, having the application decide, and answering."""

from collections.abc import Container, Iterable
from datetime import datetime

import msgspec

from oadr_core.answers import response_to
from oadr_core.clock import Now
from oadr_core.codes import ResponseCode, is_success
from oadr_core.core import Question
from oadr_core.decisions import EventDecision, event_decision
from oadr_core.entropy import Entropy
from oadr_core.errors import LocalProtocolError
from oadr_core.messages import (
    CreatedEvent,
    CreateOpt,
    DistributeEvent,
    EiEvent,
    EiResponse,
    EventResponse,
    OptType,
    Payload,
    ProfileName,
    RequestEvent,
    Response,
    ResponseRequired,
)
from oadr_core.outputs import CallId, EventsReceived, InboundId, TicketId
from oadr_core.rules import check
from oadr_core.seal import Sealer
from oadr_core.state.opts import Scope, scope_of
from oadr_core.state.ven import EndingEvent, KnownEvent, VenState
from oadr_core.ven.base import VenBase
from oadr_core.ven.config import VenConfig
from oadr_core.ven.event_checks import refusal
from oadr_core.ven.event_list import EventList, decided, following, is_over, take_list
from oadr_core.ven.randomisation import ending, randomised


class EventService(VenBase):
    """EiEvent at a VEN: comparing lists, having the application decide, and answering (section 8.1 of the profile)."""

    def __init__(
        self,
        config: VenConfig,
        *,
        sealer: Sealer,
        entropy: Entropy,
        state: VenState | None = None,
        asks: Container[str] = (),
    ) -> None:
        super().__init__(config, sealer=sealer, entropy=entropy, state=state, asks=asks)
        self._list: EventList | None = None
        self._deciding: dict[str, tuple[int, CallId | None]] = {}  # the modification that is being decided, by event
        self._overtaken: RequestEvent | None = None  # a request during which a list was pushed and taken
        self._asked_last = False  # whether the last list that was taken was the answer to a request

    @property
    def answering(self) -> bool:
        """Whether a list of events is being decided, or its answer is on its way."""
        return self._list is not None or self._sender.waiting(CreatedEvent)

    def request_event(self, now: Now, *, reply_limit: int | None = None) -> TicketId:
        """Ask for all events; once after a new registration, else only to be sure (rules 405 and 500).

        :param reply_limit: how many events the answer may hold. Such an answer cancels nothing (decision D30).
        :raises LocalProtocolError: the VEN is not registered, or has no events.
        """
        self._require_registration()
        if self.config.report_only:
            raise LocalProtocolError("a report-only VEN has no EiEvent service")
        message = RequestEvent(request_id=self._new_id(), ven_id=self._state.ven_id, reply_limit=reply_limit)
        return self._send(message, now)

    def change_opt(self, event_id: str, decision: EventDecision, now: Now, *, send: bool = True) -> None:
        """Take part in an event, or no longer, whatever was answered before (rules 16, 17 and 42).

        Sent as a further oadrCreatedEvent until the VTN has it. While the application still decides on the event, this
        is its decision.

        :param event_id: an event whose time is not over.
        :param decision: in or out, and if wanted why.
        :param send: whether to send it now; else it goes with the answer to the next list.
        :raises LocalProtocolError: the VEN is not registered; there is no such event, it is over, or must not be
            answered; it cannot be carried out; or an oadrCreateOpt has decided otherwise (rule 206).
        """
        self._now = now
        self._require_registration()
        known = self._changeable(event_id, decision, now)
        deciding = self._deciding.get(event_id)
        if deciding is not None:
            self._withdraw_question(deciding[1], now)
            self._decided(event_id, decision, now)
            return
        changed = decided(known, decision)
        if changed == known:
            return
        self._change(now, events=tuple(changed if one is known else one for one in self._state.events))
        self._tell_decided(changed)
        if self._list is not None:
            self._list.supersede(event_id)  # what was decided before may still wait for the answers to other events
        if send:
            answers = EventList(known.request_id, {})
            answers.respond(known.event, decision)
            self._send_answers(tuple(answers.responses.values()), now, patient=True)

    def _changeable(self, event_id: str, decision: EventDecision, now: Now) -> KnownEvent:
        """Find an event that the application may change its mind about."""
        known = next((one for one in self._state.events if one.event_id == event_id), None)
        if known is None:
            raise LocalProtocolError(f"there is no event {event_id!r}")
        if is_over(known.event, now.utc):
            raise LocalProtocolError(f"the event {event_id!r} is over")
        if known.event.response_required is not ResponseRequired.ALWAYS:
            raise LocalProtocolError(f"the event {event_id!r} must not be answered (rule 62)")
        waiting = [one for one in self._state.unanswered_opts if isinstance(one, CreateOpt)]
        opts = [one for one in (*self._state.opts.event_opts, *waiting) if one.event_id == event_id]
        if any(scope_of(one) == Scope() and one.opt_type is not decision.opt_type for one in opts):
            raise LocalProtocolError(
                f"an oadrCreateOpt decides about the event {event_id!r}; only another one changes that (rule 206)"
            )
        refused = refusal(known.event, self.config, self._state.ven_id, now.utc, new=False, profile=self._profile)
        if refused is not None and decision.opt_type is OptType.OPT_IN:
            raise LocalProtocolError(f"the event {event_id!r} cannot be carried out: {refused.description}")
        return known

    def _take_events(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(answer, DistributeEvent)
        if self._overtaken is not None and self._overtaken == sent:
            self._ask_for_list(now)
            return
        if self._put_off(answer, now):
            return
        complete = not (isinstance(sent, RequestEvent) and sent.reply_limit is not None)
        self._asked_last = True
        self._distribute(answer, now, complete=complete)

    def _on_distribute(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, DistributeEvent)
        if inbound is None:
            self._distribute(message, now, complete=True)
            return
        if self._may_be_late(message):
            self._ask_for_list(now)
        else:
            if isinstance(self._sender.in_flight, RequestEvent):
                self._overtaken = self._sender.in_flight
            self._asked_last = False
            self._distribute(message, now, complete=True)
        self._reply(inbound, self._receipt(message))  # the events are saved by then

    def _receipt(self, message: DistributeEvent) -> Response | None:
        """What is said at once to a pushed list: nothing, but to VTNs that cannot read that (decision D47)."""
        if not self.config.answers_lists:
            return None
        named = None if self._profile is ProfileName.V20A else self._state.ven_id
        return Response(response=response_to(message), ven_id=named)

    # A list is complete, so one that comes late brings back what was cancelled and cancels what is new (rule 61). The
    # answer to a request of our own is made after that, but a list that is pushed may overtake it, or be overtaken
    # itself. What may be old is not taken: we ask for the present list instead (rule 500).

    def _may_be_late(self, message: DistributeEvent) -> bool:
        """Whether a pushed list may be older than the last one that was taken: it was made before (rule 115).

        Times are whole seconds. Of two lists of one second that are pushed the VTN has waited for the first to arrive;
        but a pushed one may be older than one that was asked for.
        """
        refused = message.response is not None and not message.response.ok
        if self.config.manual or refused or message.vtn_id != self._state.vtn_id:
            return False  # it is no list of our VTN, or the application takes care
        made = _made_at(message)
        if made is None:  # it does not say so
            return bool(self._state.events)
        taken = self._state.listed_at
        return taken is not None and (made < taken or (made == taken and self._asked_last))

    def _ask_for_list(self, now: Now) -> None:
        """Ask for the present list, unless that has been done and nothing was pushed since."""
        asked = self._sender.in_flight
        if self._sender.waiting(RequestEvent) and asked != self._overtaken:
            return
        self._send(RequestEvent(request_id=self._new_id(), ven_id=self._state.ven_id), now)

    def _distribute(self, message: DistributeEvent, now: Now, *, complete: bool) -> None:
        """Compare a list of events with what is known, ask the application, and answer."""
        if message.response is not None and not message.response.ok:
            text = f"{message.response.response_code} {message.response.response_description or ''}".strip()
            self._misbehaved(f"sent a list of events that is a refusal: {text}", message.response.response_code)
            return
        if self._state.vtn_id and message.vtn_id != self._state.vtn_id:
            # another VTN made it (rules 21 and 512)
            self._refuse_list(message, ResponseCode.INVALID_ID, f"vtnID {message.vtn_id} is not our VTN", now)
            return
        earlier = self._list
        taken = take_list(self._state.events, message, now.utc, complete=complete)
        if len(taken.known) > self.config.limits.events:
            text = f"this VEN knows {self.config.limits.events} events at most"
            self._refuse_list(message, ResponseCode.DEPLOYMENT_ERROR, text, now)
            return
        self._list = taken
        if earlier is not None and not complete:
            taken.take_over(earlier)
        for event_id, (number, call) in list(self._deciding.items()):
            known = taken.known.get(event_id)
            if known is None or known.event.event_descriptor.modification_number != number:
                self._withdraw_question(call, now)
                del self._deciding[event_id]
        refused = self._refuse_events(taken, now)
        self._change(
            now,
            events=randomised(taken.known.values(), (*self._state.ending, *self._state.events), self._entropy),
            ending=self._ending(taken.tell, taken.known, now),
            listed_at=_made_at(message) or self._state.listed_at,
        )
        self._warn_of_months(taken)
        self._emit(EventsReceived(event_ids=tuple(one.event_descriptor.event_id for one in message.events)))
        for event_id in refused:
            self._tell_decided(taken.known[event_id])
        for event in taken.tell:
            self.tell("on_update_event", {"event": event}, now)
        for event, update in taken.ask.values():
            self._ask_about(event, "on_update_event" if update else "on_event", now)
        if earlier is None:  # else it has waited for some time already
            self._await_answers(now)
        self._answer_list(now)

    def _warn_of_months(self, taken: EventList) -> None:
        """Months are taken literally, but may have been meant as minutes (decision D44)."""
        for event_id, (event, _) in taken.ask.items():
            if event_id not in self._deciding:
                for finding in check(event, "D44"):
                    self._misbehaved(f"event {event_id}, {finding.place}: {finding.found}; {finding.right}")

    def _refuse_events(self, taken: EventList, now: Now) -> list[str]:
        """Decide on the events that cannot be carried out, so that nobody is asked about them (rules 19 and 48).

        :returns: their ids.
        """
        refused = []
        for event_id, (event, update) in list(taken.ask.items()):
            if event_id in self._deciding:
                continue  # the application is at it, and no other modification came since
            decision = refusal(event, self.config, self._state.ven_id, now.utc, new=not update, profile=self._profile)
            if decision is not None:
                taken.known[event_id] = decided(taken.known[event_id], decision)
                taken.respond(event, decision)
                del taken.ask[event_id]
                refused.append(event_id)
        return refused

    def _ending(self, cancelled: Iterable[EiEvent], listed: Container[str], now: Now) -> tuple[EndingEvent, ...]:
        """What is cancelled and has not ended yet.

        One that is listed anew takes the place of what was cancelled under its id.

        :param cancelled: the events that are cancelled now.
        :param listed: the ids of those that are known from now on.
        """
        found = {one.event_id: one for one in self._state.ending if one.ends_at > now.utc}
        known = {one.event_id: one for one in self._state.events}
        for event in cancelled:
            was = known.get(event.event_descriptor.event_id)
            ends = None if was is None else ending(was, now.utc, self._entropy)
            if ends is not None:
                found[ends.event_id] = ends
        return tuple(one for one in found.values() if one.event_id not in listed)[: self.config.limits.ending]

    def ended(self, event_id: str, now: Now) -> None:
        """Take note that an event that was cancelled has ended now, and remember it no longer."""
        self._change(now, ending=tuple(one for one in self._state.ending if one.event_id != event_id))

    def _refuse_list(self, message: DistributeEvent, code: ResponseCode, text: str, now: Now) -> None:
        """A list is refused as a whole."""
        self._misbehaved(f"sent a list of events that is refused: {text}", code)
        response = response_to(message, code, text)
        self._sender.revise(lambda waiting: None if _is_refusal_of_a_list(waiting) else waiting)
        self._send(CreatedEvent(response=response, ven_id=self._state.ven_id), now)

    def _ask_about(self, event: EiEvent, handler: str, now: Now) -> None:
        """Have the application decide on an event, unless it is at it already."""
        event_id = event.event_descriptor.event_id
        if event_id in self._deciding:
            return
        number = event.event_descriptor.modification_number
        self._deciding[event_id] = (number, None)
        if handler not in self._asks:
            handler = "on_event"  # an application that knows no changes is asked as if the event were new
        default = EventDecision(opt_type=self.config.default_opt)
        question = Question(
            handler,
            {"event": event},
            event_decision,
            default,
            default,
            lambda decision, then: self._decided(event_id, decision, then),
        )
        call = self._ask(question, now)
        if call is not None:
            self._deciding[event_id] = (number, call)

    def _decided(self, event_id: str, decision: EventDecision, now: Now) -> None:
        """The application has decided: remember it, then answer."""
        del self._deciding[event_id]
        known = {one.event_id: one for one in self._state.events}
        decision = self._ruled(event_id, decision)
        known[event_id] = decided(known[event_id], decision)
        self._note(events=tuple(known.values()))
        self._tell_decided(known[event_id])
        if self._list is not None:
            self._list.respond(known[event_id].event, decision)
            self._answer_list(now)
        if not self._deciding:
            self._save_notes()

    def _ruled(self, event_id: str, decision: EventDecision) -> EventDecision:
        """An oadrCreateOpt for all resources of an event goes before its answers, those to modifications too (R206)."""
        ruling = self._state.opts.for_event(event_id, Scope())
        if ruling is None or not is_success(decision.code):
            return decision
        return msgspec.structs.replace(decision, opt_type=ruling.opt_type)

    def _follow_opt(self, opt: CreateOpt, now: Now) -> None:
        """An opt for all resources of an event takes the place of our answer, as it does for the VTN (rule 206)."""
        known = next((one for one in self._state.events if one.event_id == opt.event_id), None)
        if known is None or known.opt_type in (None, opt.opt_type) or not is_success(known.code):
            return  # while the application decides the opt waits, and what cannot be carried out stays so
        ruled = msgspec.structs.replace(known, opt_type=opt.opt_type, description=None)
        self._change(now, events=tuple(ruled if one is known else one for one in self._state.events))
        self._tell_decided(ruled)
        if self._list is not None:
            self._list.rule(ruled.event_id, opt.opt_type)
        self._sender.revise(lambda waiting: _ruled(waiting, ruled.event_id, opt.opt_type))

    def _await_answers(self, now: Now) -> None:
        """Wait for the application, but not for as long as it may take: the VTN waits for all other answers."""
        self._timers.after(("answer", None), now.mono + self.config.answer_patience)

    def _answer_list(self, now: Now, *, without_the_rest: bool = False) -> None:
        """Send oadrCreatedEvent once every event that needs an answer has one: one message is best (rule 12).

        :param without_the_rest: answer what is decided by now; the rest follows when it is.
        """
        taken = self._list
        if taken is None or (taken.undecided and not without_the_rest):
            return
        responses = tuple(taken.responses.values())
        taken.responses.clear()
        if taken.undecided:
            self._await_answers(now)
        else:
            self._stop_answering()
        if responses:
            self._send_answers(responses, now)

    def _send_answers(self, responses: tuple[EventResponse, ...], now: Now, *, patient: bool = False) -> TicketId:
        """Answer events; of what waits to be sent about the same ones only this is sent."""
        answered = {one.event_id for one in responses}
        self._sender.revise(lambda message: _without(message, answered))
        # the requestID of the response block stays empty where there are event responses (rule 42)
        message = CreatedEvent(
            response=EiResponse(response_description="OK"), event_responses=responses, ven_id=self._state.ven_id
        )
        ticket = self._send(message, now, patient=patient)
        self._bound_answers(message)
        return ticket

    def _stop_answering(self) -> None:
        self._list = None
        self._timers.stop(("answer", None))

    def _stop_deciding(self) -> None:
        """Decide no more, and answer no more."""
        for _, call in self._deciding.values():
            self._forget_question(call)
        self._deciding.clear()
        self._stop_answering()


def _made_at(message: DistributeEvent) -> datetime | None:
    """When a list was made; an empty one does not say."""
    return max((one.event_descriptor.created_date_time for one in message.events), default=None)


def _without(message: Payload, answered: Container[str]) -> Payload | None:
    """What is left of a message that answers events, once some of them are answered anew."""
    if not isinstance(message, CreatedEvent) or not message.event_responses:
        return message
    kept = tuple(one for one in message.event_responses if one.event_id not in answered)
    return msgspec.structs.replace(message, event_responses=kept) if kept else None


def _ruled(message: Payload, event_id: str, opt_type: OptType) -> Payload:
    """A message, saying of an event what an opt says."""
    if not isinstance(message, CreatedEvent) or not message.event_responses:
        return message
    ruled = tuple(following(one, event_id, opt_type) for one in message.event_responses)
    return msgspec.structs.replace(message, event_responses=ruled)


def _is_refusal_of_a_list(message: Payload) -> bool:
    return isinstance(message, CreatedEvent) and not message.event_responses

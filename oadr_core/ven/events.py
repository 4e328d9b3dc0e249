"""EiEvent at a VEN: comparing lists, having the application decide, and answering."""

from collections.abc import Container, Iterable

from oadr_core.clock import Now
from oadr_core.codes import ResponseCode
from oadr_core.core import Question
from oadr_core.decisions import EventDecision, event_decision
from oadr_core.entropy import Entropy
from oadr_core.errors import LocalProtocolError
from oadr_core.messages import CreatedEvent, DistributeEvent, EiEvent, EiResponse, Payload, RequestEvent
from oadr_core.outputs import CallId, EventDecided, EventsReceived, InboundId, TicketId
from oadr_core.seal import Sealer
from oadr_core.state.ven import EndingEvent, KnownEvent, VenState
from oadr_core.ven.base import VenBase
from oadr_core.ven.config import VenConfig
from oadr_core.ven.event_checks import refusal
from oadr_core.ven.event_list import EventList, decided, take_list
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

    def _take_events(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(answer, DistributeEvent)
        complete = not (isinstance(sent, RequestEvent) and sent.reply_limit is not None)
        self._distribute(answer, now, complete=complete)

    def _on_distribute(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, DistributeEvent)
        self._distribute(message, now, complete=True)
        if inbound is not None:
            self._reply(inbound, None)  # the events are saved by then

    def _distribute(self, message: DistributeEvent, now: Now, *, complete: bool) -> None:
        """Compare a list of events with what is known, ask the application, and answer."""
        if message.response is not None and not message.response.ok:
            return  # a refusal, and no list
        if self._state.vtn_id and message.vtn_id != self._state.vtn_id:
            self._refuse_list(message, now)
            return
        taken = self._list = take_list(self._state.events, message, now.utc, complete=complete)
        for event_id, (number, call) in list(self._deciding.items()):
            known = taken.known.get(event_id)
            if known is None or known.event.event_descriptor.modification_number != number:
                self._forget_question(call)
                del self._deciding[event_id]
        refused = self._refuse_events(taken, now)
        self._change(
            now,
            events=randomised(taken.known.values(), self._state.events, self._entropy),
            ending=self._ending(taken.tell, taken.known, now),
        )
        self._emit(EventsReceived(event_ids=tuple(one.event_descriptor.event_id for one in message.events)))
        for event_id in refused:
            self._tell_decided(taken.known[event_id])
        for event in taken.tell:
            self.tell("on_update_event", {"event": event}, now)
        for event, update in taken.ask.values():
            self._ask_about(event, "on_update_event" if update else "on_event", now)
        self._answer_list(now)

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
        return tuple(one for one in found.values() if one.event_id not in listed)

    def ended(self, event_id: str, now: Now) -> None:
        """Take note that an event that was cancelled has ended now, and remember it no longer."""
        self._change(now, ending=tuple(one for one in self._state.ending if one.event_id != event_id))

    def _refuse_list(self, message: DistributeEvent, now: Now) -> None:
        """A list that another VTN made is refused as a whole (rules 21 and 512)."""
        self._misbehaved(f"sent events of the VTN {message.vtn_id!r}", ResponseCode.INVALID_ID)
        response = EiResponse(
            response_code=ResponseCode.INVALID_ID,
            response_description=f"vtnID {message.vtn_id} is not our VTN",
            request_id=message.request_id,
        )
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
        known[event_id] = decided(known[event_id], decision)
        self._change(now, events=tuple(known.values()))
        self._tell_decided(known[event_id])
        if self._list is not None:
            self._list.respond(known[event_id].event, decision)
            self._answer_list(now)

    def _tell_decided(self, known: KnownEvent) -> None:
        """Tell what was decided."""
        assert known.opt_type is not None
        self._emit(
            EventDecided(
                event_id=known.event_id,
                modification_number=known.event.event_descriptor.modification_number,
                opt_type=known.opt_type,
                code=known.code,
                description=known.description,
            )
        )

    def _answer_list(self, now: Now) -> None:
        """Send oadrCreatedEvent once every event that needs an answer has one (rule 12)."""
        if self._list is None or self._list.undecided:
            return
        responses = tuple(self._list.responses.values())
        self._list = None
        if responses:
            # the requestID of the response block stays empty where there are event responses (rule 42)
            self._send(
                CreatedEvent(
                    response=EiResponse(response_description="OK"),
                    event_responses=responses,
                    ven_id=self._state.ven_id,
                ),
                now,
            )

    def _stop_deciding(self) -> None:
        """Decide no more, and answer no more."""
        for _, call in self._deciding.values():
            self._forget_question(call)
        self._deciding.clear()
        self._list = None

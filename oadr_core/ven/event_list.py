"""What a list of events means to a VEN that knows some of them already (rules 12, 36, 48, 56 to 62)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

import msgspec

from oadr_core.codes import ResponseCode, is_success
from oadr_core.decisions import EventDecision
from oadr_core.machines.event import EVENT_AT_VEN, Comparison, EventAtVen, EventAtVenInput, compare
from oadr_core.messages import (
    DistributeEvent,
    EiEvent,
    EventResponse,
    EventStatus,
    OptType,
    ResponseRequired,
    latest_end,
)
from oadr_core.state.ven import KnownEvent

_Answered: TypeAlias = tuple[str, int]
"""What an answer is about: an event and its modification. A list that holds several of one event may get several."""


@dataclass
class EventList:
    """A list of events that is being answered.

    :param request_id: the requestID of the list, which every answer repeats (rule 42).
    :param known: the events that the VEN knows after it.
    :param ask: what the application has to decide, by event: it, and whether an earlier modification was known.
    :param tell: events that are cancelled, openly or by being left out, for the application to know.
    :param responses: the answers that are ready, by event and modification.
    :param undecided: the events and modifications whose answer waits for the application, with the requestID of the
        list that asks for it.
    """

    request_id: str
    known: dict[str, KnownEvent]
    ask: dict[str, tuple[EiEvent, bool]] = field(default_factory=dict)
    tell: list[EiEvent] = field(default_factory=list)
    responses: dict[_Answered, EventResponse] = field(default_factory=dict)
    undecided: dict[_Answered, str] = field(default_factory=dict)

    def respond(self, event: EiEvent, decision: EventDecision) -> None:
        """Answer an event, unless it must not be answered (rule 62)."""
        descriptor = event.event_descriptor
        request_id = self.undecided.pop(_answered(event), self.request_id)
        if event.response_required is ResponseRequired.ALWAYS:
            self.responses[_answered(event)] = EventResponse(
                response_code=decision.code,
                response_description=decision.description,
                request_id=request_id,
                event_id=descriptor.event_id,
                modification_number=descriptor.modification_number,
                opt_type=decision.opt_type,
            )

    def wait_for(self, event: EiEvent) -> None:
        """Answer an event once the application has decided."""
        if event.response_required is ResponseRequired.ALWAYS:
            self.undecided[_answered(event)] = self.request_id

    def supersede(self, event_id: str) -> None:
        """Answer no earlier modification of an event: the list itself holds a later one."""
        self.responses = {key: one for key, one in self.responses.items() if key[0] != event_id}
        self.undecided = {key: one for key, one in self.undecided.items() if key[0] != event_id}

    def rule(self, event_id: str, opt_type: OptType) -> None:
        """Answer an event as an opt for all of it says; see :func:`following`."""
        self.responses = {key: following(one, event_id, opt_type) for key, one in self.responses.items()}

    def take_over(self, earlier: "EventList") -> None:
        """Answer also what an earlier list asked for and this one, which is not complete, does not hold."""
        listed = {key[0] for key in (*self.responses, *self.undecided)}
        self.responses |= {key: one for key, one in earlier.responses.items() if key[0] not in listed}
        waiting = earlier.undecided.items()
        self.undecided |= {key: one for key, one in waiting if key[0] not in listed and key[0] in self.known}


def following(response: EventResponse, event_id: str, opt_type: OptType) -> EventResponse:
    """Make an answer follow an opt for all resources of an event, which goes before it where it is no refusal (R206).

    :param event_id: the event that the opt is about; answers to others stay as they are.
    """
    if response.event_id != event_id or response.opt_type is opt_type or not is_success(response.response_code):
        return response
    return msgspec.structs.replace(response, opt_type=opt_type, response_description=None)


def _answered(event: EiEvent) -> _Answered:
    return event.event_descriptor.event_id, event.event_descriptor.modification_number


_AGREED: Final = EventDecision(opt_type=OptType.OPT_IN)


def take_list(known: Iterable[KnownEvent], message: DistributeEvent, now: datetime, *, complete: bool) -> EventList:
    """Take a list of events.

    :param known: the events that the VEN knows.
    :param message: the list.
    :param now: the present, which tells an event that is over from one that is cancelled by being left out.
    :param complete: whether the list is complete; one cut short by a replyLimit cancels nothing (decision D30).
    """
    by_id = {_id(one.event): one for one in known}
    numbers = {event_id: one.event.event_descriptor.modification_number for event_id, one in by_id.items()}
    taken = EventList(message.request_id, by_id)
    for comparison in compare(numbers, message.events, complete=complete):
        known_as = by_id.get(comparison.event_id)
        found = comparison.found
        if found is EventAtVenInput.MISSING and known_as is not None and is_over(known_as.event, now):
            found = EventAtVenInput.END  # it had to leave the list
        after = EVENT_AT_VEN.step(state_of(known_as), found)
        _take(taken, comparison, found)
        if after is EventAtVen.GONE:
            taken.known.pop(comparison.event_id, None)
            taken.ask.pop(comparison.event_id, None)
    return taken


def state_of(known: KnownEvent | None) -> EventAtVen:
    """Where an event stands."""
    if known is None:
        return EventAtVen.UNKNOWN
    return EventAtVen.DECIDING if known.opt_type is None else EventAtVen.DECIDED


def _take(taken: EventList, comparison: Comparison, found: EventAtVenInput) -> None:
    event = comparison.event
    known = taken.known.get(comparison.event_id)
    if event is None:
        assert known is not None
        if found is EventAtVenInput.MISSING:
            taken.tell.append(cancelled(known.event))  # rule 61
    elif found in (EventAtVenInput.NEW, EventAtVenInput.HIGHER):
        earlier = None if known is None else known.opt_type or known.earlier_opt
        taken.supersede(comparison.event_id)
        taken.known[comparison.event_id] = KnownEvent(event=event, request_id=taken.request_id, earlier_opt=earlier)
        taken.ask[comparison.event_id] = (event, found is EventAtVenInput.HIGHER)
        taken.wait_for(event)
    elif found is EventAtVenInput.LOWER:
        text = f"modification {event.event_descriptor.modification_number} is older than the one known"
        refusal = EventDecision(opt_type=OptType.OPT_OUT, code=ResponseCode.OUT_OF_SEQUENCE, description=text)
        taken.respond(event, refusal)
    elif found is EventAtVenInput.UNUSABLE:
        text = "numbers are finite"
        taken.respond(event, EventDecision(opt_type=OptType.OPT_OUT, code=ResponseCode.INVALID_DATA, description=text))
    elif found is EventAtVenInput.CANCELLED:
        if known is not None:
            taken.tell.append(event)
        taken.supersede(comparison.event_id)
        taken.respond(event, _AGREED)  # rules 36 and 60
    else:
        assert known is not None
        _take_again(taken, known, event.response_required)


def _take_again(taken: EventList, known: KnownEvent, required: ResponseRequired) -> None:
    """An event that is listed unchanged is answered as before, or once it is decided (rule 12).

    Whether it must be answered is what the latest list says.
    """
    event = msgspec.structs.replace(known.event, response_required=required)
    known = msgspec.structs.replace(known, event=event, request_id=taken.request_id)
    taken.known[_id(event)] = known
    if known.opt_type is None:
        _, update = taken.ask.get(_id(event), (event, known.earlier_opt is not None))
        taken.ask[_id(event)] = (event, update)
        taken.wait_for(event)
    else:
        decision = EventDecision(opt_type=known.opt_type, code=known.code, description=known.description)
        taken.respond(event, decision)


def decided(known: KnownEvent, decision: EventDecision) -> KnownEvent:
    """Note what the application decided."""
    EVENT_AT_VEN.step(state_of(known), EventAtVenInput.DECISION)
    return msgspec.structs.replace(
        known,
        opt_type=decision.opt_type,
        code=int(decision.code),
        description=decision.description,
        earlier_opt=None,
    )


def cancelled(event: EiEvent) -> EiEvent:
    """The event as it would look had the VTN listed it as cancelled."""
    descriptor = msgspec.structs.replace(event.event_descriptor, event_status=EventStatus.CANCELLED)
    return msgspec.structs.replace(event, event_descriptor=descriptor)


def is_over(event: EiEvent, now: datetime) -> bool:
    """Tell whether the time of an event has passed, the window for its random start included (rules 30 and 47)."""
    end = latest_end(event.active_period)
    return end is not None and now >= end


def _id(event: EiEvent) -> str:
    return event.event_descriptor.event_id


def ids(known: Sequence[KnownEvent]) -> tuple[str, ...]:
    """The ids of known events."""
    return tuple(_id(one.event) for one in known)

"""One event, as a VEN sees it and as a VTN sees it for one of its VENs (section 8.1 of the profile)."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

import msgspec

from oadr_core.machines.table import Machine
from oadr_core.messages import EiEvent, EventStatus
from oadr_core.rules import check


class EventAtVen(Enum):
    """Where an event stands at a VEN."""

    UNKNOWN = "we do not know it"
    DECIDING = "the application decides"
    DECIDED = "the application has decided"
    GONE = "it is over, cancelled or no longer listed"


class EventAtVenInput(Enum):
    """What a list of events says about one of them, and what else can happen to it."""

    NEW = "it is listed for the first time"
    HIGHER = "it is listed with a higher modification number"
    SAME = "it is listed with the modification number that we have"
    LOWER = "it is listed with a lower modification number"
    UNUSABLE = "it is listed as new or changed, with numbers that mean nothing"
    CANCELLED = "it is listed as cancelled"
    MISSING = "a complete list does not hold it"
    DECISION = "the application says whether it takes part"
    END = "its time is over"


_VEN, _SEEN = EventAtVen, EventAtVenInput

EVENT_AT_VEN: Final = Machine(
    name="Event (VEN)",
    states=EventAtVen,
    inputs=EventAtVenInput,
    initial=EventAtVen.UNKNOWN,
    table={
        (_VEN.UNKNOWN, _SEEN.NEW): _VEN.DECIDING,  # rule 56
        (_VEN.UNKNOWN, _SEEN.UNUSABLE): _VEN.UNKNOWN,  # decision D49: answered with 454
        (_VEN.UNKNOWN, _SEEN.CANCELLED): _VEN.UNKNOWN,  # rule 60: ignored, but answered
        (_VEN.DECIDING, _SEEN.DECISION): _VEN.DECIDED,
        (_VEN.DECIDING, _SEEN.HIGHER): _VEN.DECIDING,  # rule 57
        (_VEN.DECIDING, _SEEN.SAME): _VEN.DECIDING,
        (_VEN.DECIDING, _SEEN.LOWER): _VEN.DECIDING,  # rule 58: answered with 450
        (_VEN.DECIDING, _SEEN.UNUSABLE): _VEN.DECIDING,
        (_VEN.DECIDING, _SEEN.CANCELLED): _VEN.GONE,  # rule 59
        (_VEN.DECIDING, _SEEN.MISSING): _VEN.GONE,  # rule 61
        (_VEN.DECIDING, _SEEN.END): _VEN.GONE,
        (_VEN.DECIDED, _SEEN.HIGHER): _VEN.DECIDING,
        (_VEN.DECIDED, _SEEN.SAME): _VEN.DECIDED,  # rule 12: answered again
        (_VEN.DECIDED, _SEEN.LOWER): _VEN.DECIDED,
        (_VEN.DECIDED, _SEEN.UNUSABLE): _VEN.DECIDED,
        (_VEN.DECIDED, _SEEN.CANCELLED): _VEN.GONE,
        (_VEN.DECIDED, _SEEN.MISSING): _VEN.GONE,
        (_VEN.DECIDED, _SEEN.DECISION): _VEN.DECIDED,  # a change of mind
        (_VEN.DECIDED, _SEEN.END): _VEN.GONE,
    },
    final=frozenset({EventAtVen.GONE}),
)


class EventAtVtn(Enum):
    """Where an event stands for one VEN, as its VTN sees it; once its time is over it stays where it was."""

    UNTOLD = "the VEN has to be told"
    TOLD = "the VEN was told, and its answer is awaited"
    SETTLED = "the VEN has answered, or need not"
    LEFT = "it is no longer for the VEN, which has to see a list without it"
    GONE = "its cancellation is acknowledged"


class EventAtVtnInput(Enum):
    """What can happen to an event for one VEN."""

    OFFER = "a list with it is handed out"
    ANSWER = "the VEN answers its present modification"
    EXPIRE = "no answer came in time"
    CHANGE = "it is modified or cancelled"
    ACKNOWLEDGE = "the VEN answers its cancellation"
    LEAVE = "it is for the VEN no more"
    RETURN = "it is for the VEN again"


_VTN, _DONE = EventAtVtn, EventAtVtnInput

EVENT_AT_VTN: Final = Machine(
    name="Event for one VEN (VTN)",
    states=EventAtVtn,
    inputs=EventAtVtnInput,
    initial=EventAtVtn.UNTOLD,
    table={
        (_VTN.UNTOLD, _DONE.OFFER): _VTN.TOLD,
        (_VTN.UNTOLD, _DONE.ANSWER): _VTN.SETTLED,  # after its time, but an answer
        (_VTN.UNTOLD, _DONE.CHANGE): _VTN.UNTOLD,
        (_VTN.UNTOLD, _DONE.ACKNOWLEDGE): _VTN.GONE,
        (_VTN.TOLD, _DONE.OFFER): _VTN.TOLD,  # listed again beside other news
        (_VTN.TOLD, _DONE.ANSWER): _VTN.SETTLED,
        (_VTN.TOLD, _DONE.EXPIRE): _VTN.UNTOLD,  # rule 52
        (_VTN.TOLD, _DONE.CHANGE): _VTN.UNTOLD,
        (_VTN.TOLD, _DONE.ACKNOWLEDGE): _VTN.GONE,
        (_VTN.SETTLED, _DONE.OFFER): _VTN.SETTLED,  # rule 50: every list is complete
        (_VTN.SETTLED, _DONE.ANSWER): _VTN.SETTLED,  # rule 17: the VEN has changed its mind
        (_VTN.SETTLED, _DONE.CHANGE): _VTN.UNTOLD,
        (_VTN.SETTLED, _DONE.ACKNOWLEDGE): _VTN.GONE,
        (_VTN.UNTOLD, _DONE.LEAVE): _VTN.LEFT,  # rule 61: an implied cancel, which nobody acknowledges
        (_VTN.TOLD, _DONE.LEAVE): _VTN.LEFT,
        (_VTN.SETTLED, _DONE.LEAVE): _VTN.LEFT,
        (_VTN.LEFT, _DONE.LEAVE): _VTN.LEFT,  # another list without it
        (_VTN.LEFT, _DONE.RETURN): _VTN.UNTOLD,  # rule 56: new to the VEN, whatever its modification number
    },
    final=frozenset({EventAtVtn.GONE}),
)


class Comparison(msgspec.Struct, frozen=True):
    """What a list of events says about one of them.

    :param event_id: the event.
    :param found: what the list says.
    :param event: the event as listed; None where it is missing.
    """

    event_id: str
    found: EventAtVenInput
    event: EiEvent | None


def compare(known: Mapping[str, int], listed: Iterable[EiEvent], *, complete: bool) -> list[Comparison]:
    """Compare a list of events with those that a VEN knows (rules 56 to 61).

    An event that is listed twice is compared with its first appearance the second time.

    :param known: the modification number of each known event by its id.
    :param listed: the events of an oadrDistributeEvent.
    :param complete: whether the list is complete. A list cut short by a replyLimit cancels nothing (decision D30).
    """
    found: list[Comparison] = []
    seen: set[str] = set()
    numbers = dict(known)
    for event in listed:
        descriptor = event.event_descriptor
        seen.add(descriptor.event_id)
        relation = _relation(numbers.get(descriptor.event_id), event)
        found.append(Comparison(descriptor.event_id, relation, event))
        if relation is EventAtVenInput.CANCELLED:
            numbers.pop(descriptor.event_id, None)
        elif relation not in (EventAtVenInput.LOWER, EventAtVenInput.UNUSABLE):
            numbers[descriptor.event_id] = descriptor.modification_number
    if complete:
        found += [Comparison(event_id, EventAtVenInput.MISSING, None) for event_id in known if event_id not in seen]
    return found


def _relation(number: int | None, event: EiEvent) -> EventAtVenInput:
    descriptor = event.event_descriptor
    if number is not None and descriptor.modification_number < number:
        return EventAtVenInput.LOWER  # an error whatever the status (rule 58)
    if descriptor.event_status is EventStatus.CANCELLED:
        return EventAtVenInput.CANCELLED
    if number == descriptor.modification_number:
        return EventAtVenInput.SAME
    if check(event, "D49"):
        return EventAtVenInput.UNUSABLE
    return EventAtVenInput.NEW if number is None else EventAtVenInput.HIGHER

"""Writing traces down, and judging them as ``oadr inspect`` does."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import pytest

from oadr_core.messages import (
    CreatedEvent,
    CreatedPartyRegistration,
    DistributeEvent,
    EiEvent,
    EiResponse,
    EventResponse,
    EventStatus,
    OptType,
    Payload,
    Poll,
    RegisteredReport,
    RequestEvent,
    Response,
)
from oadr_core.rules import RecordedExchange, Role, check_trace
from oadr_core.wire.envelope import encode
from tests.rules.samples import EVENT, HOUR, NOON, OFFERS, PULL, REGISTERED, but

BEGIN: Final = NOON - HOUR
"""When traces begin; the event of the samples begins an hour later and takes two."""

POLL: Final = Poll(ven_id="ven-1")
NOTHING: Final = Response(response=EiResponse())
OK: Final = RegisteredReport(response=EiResponse(request_id="1"), ven_id="ven-1")
EMPTY: Final = "empty"
LOST: Final = None

Answer = Payload | str | None
"""A message, a text that is none, :data:`EMPTY`, or :data:`LOST`."""


def exchange(requester: Role, minute: float, request: Payload | str, answer: Answer, **rest: Any) -> RecordedExchange:
    """An exchange as a driver records it."""
    return RecordedExchange(
        **{
            "time": when(minute),
            "requester": requester,
            "transport": "simpleHttp",
            "peer": "https://ven-1.example",
            "request": text(request),
            "answer": None if answer is LOST else "" if answer == EMPTY else text(answer),
            "failure": "timed out" if answer is LOST else None,
            **rest,
        }
    )


def asks(minute: float, request: Payload | str, answer: Answer, **rest: Any) -> RecordedExchange:
    """A VEN asks and the VTN answers."""
    return exchange(Role.VEN, minute, request, answer, **rest)


def pushes(minute: float, request: Payload | str, answer: Answer = EMPTY, **rest: Any) -> RecordedExchange:
    """A VTN asks and the VEN answers."""
    return exchange(Role.VTN, minute, request, answer, **rest)


def when(minute: float) -> datetime:
    """A time of a trace."""
    return BEGIN + timedelta(minutes=minute)


def text(message: Payload | str) -> str:
    """The document of a message."""
    return message if isinstance(message, str) else encode(message).decode()


def judged(*exchanges: RecordedExchange) -> list[str]:
    """What is found out about a trace."""
    return [str(one) for one in check_trace(exchanges).findings]


# --- messages --------------------------------------------------------------------------------------------------------


def event(number: int = 0, event_id: str = "event-1", **changes: Any) -> EiEvent:
    """An event in some modification, with no current values, so that it may be active at any time."""
    descriptor = {"event_descriptor__modification_number": number, "event_descriptor__event_id": event_id}
    return but(EVENT, **descriptor, event_signals__current_value=None, **changes)


def status(of: EiEvent, to: EventStatus) -> EiEvent:
    """An event with another status."""
    return but(of, event_descriptor__event_status=to)


def listing(
    minute: float, *events: EiEvent, request_id: str = "list-1", answers: EiResponse | None = None
) -> DistributeEvent:
    """A list of events, as it was made at some time."""
    made = tuple(but(one, event_descriptor__created_date_time=when(minute)) for one in events)
    return DistributeEvent(response=answers, request_id=request_id, vtn_id="vtn-1", events=made)


def polled(minute: float, *events: EiEvent, request_id: str = "list-1") -> RecordedExchange:
    """A poll that brings a list."""
    return asks(minute, POLL, listing(minute, *events, request_id=request_id, answers=EiResponse()))


def requested(
    minute: float, *events: EiEvent, limit: int | None = None, request_id: str = "list-1"
) -> RecordedExchange:
    """A VEN that asks for its list."""
    request = RequestEvent(request_id="1", ven_id="ven-1", reply_limit=limit)
    return asks(minute, request, listing(minute, *events, request_id=request_id, answers=EiResponse(request_id="1")))


def pushed(minute: float, *events: EiEvent, request_id: str = "list-1", **rest: Any) -> RecordedExchange:
    """A VTN that pushes a list."""
    return pushes(minute, listing(minute, *events, request_id=request_id), **rest)


def answered(minute: float, *events: EiEvent, request_id: str = "list-1", answer: Answer = NOTHING) -> RecordedExchange:
    """A VEN that answers events."""
    responses = tuple(
        EventResponse(
            request_id=request_id,
            event_id=one.event_descriptor.event_id,
            modification_number=one.event_descriptor.modification_number,
            opt_type=OptType.OPT_IN,
        )
        for one in events
    )
    return asks(minute, CreatedEvent(response=EiResponse(), event_responses=responses, ven_id="ven-1"), answer)


def registered(minute: float, ven_id: str = "ven-1", **changes: Any) -> RecordedExchange:
    """A VEN that registers, and has no registration before."""
    answer: CreatedPartyRegistration = but(REGISTERED, response__request_id="1", ven_id=ven_id)
    return asks(minute, but(PULL, **changes), answer)


def offered(minute: float, answer: Answer = OK) -> RecordedExchange:
    """A VEN that tells which reports it can make."""
    return asks(minute, OFFERS, answer)


def rule_marks(number: str) -> list[pytest.MarkDecorator]:
    """The marks of a test about a rule, or about a decision."""
    mark = pytest.mark.rule if number.startswith("R") else pytest.mark.decision
    return [mark(int(number[1:]))]


def of_ven(ven_id: str, exchanges: Iterable[RecordedExchange]) -> list[RecordedExchange]:
    """The same exchanges with another VEN."""
    return [
        msgspec.structs.replace(
            one,
            peer=one.peer.replace("ven-1", ven_id),
            request=one.request.replace("ven-1", ven_id),
            answer=None if one.answer is None else one.answer.replace("ven-1", ven_id),
        )
        for one in exchanges
    ]

"""Rules about exchanges and dialogues: what only shows when messages are seen beside each other."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core.messages import (
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedPartyRegistration,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    EiEvent,
    EiResponse,
    EventStatus,
    Payload,
    Poll,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
    ResponseRequired,
    UpdateReport,
    is_zero,
)
from oadr_core.rules.registry import Fault, Severity, rule
from oadr_core.rules.trace import Dialogue, Exchange, Role

_BROUGHT_BY_POLLS: Final = (
    CancelPartyRegistration,
    CancelReport,
    CreateReport,
    DistributeEvent,
    RegisterReport,
    RequestReregistration,
    Response,
    UpdateReport,
)
_PATIENCE: Final = timedelta(minutes=2)
"""How long a VEN may take to answer an event, before a trace that lacks the answer counts against it."""

_HAS_ENDED: Final = (EventStatus.COMPLETED, EventStatus.CANCELLED)
_ORDER: Final = {EventStatus.FAR: 0, EventStatus.NEAR: 1, EventStatus.ACTIVE: 2, EventStatus.COMPLETED: 3}


# --- single exchanges ------------------------------------------------------------------------------------------------


@rule("R401", Exchange)
def registration_direction(exchange: Exchange) -> Iterator[Fault]:
    """Queries and registrations go to the VTN, requests to register again to the VEN."""
    if exchange.requester is Role.VTN and isinstance(exchange.request, QueryRegistration | CreatePartyRegistration):
        yield Fault(f"a VTN sends {exchange.request.message_type()}", "only VENs send it", "request")
    if exchange.requester is Role.VEN and isinstance(exchange.request, RequestReregistration):
        yield Fault("a VEN sends oadrRequestReregistration", "only VTNs send it", "request")


@rule("R23", Exchange)
def event_request_direction(exchange: Exchange) -> Iterator[Fault]:
    """Only VENs send oadrRequestEvent."""
    if exchange.requester is Role.VTN and isinstance(exchange.request, RequestEvent):
        yield Fault("a VTN sends oadrRequestEvent", "only VENs send it", "request")


@rule("R500", Exchange)
def polling(exchange: Exchange) -> Iterator[Fault]:
    """A poll comes from a VEN over HTTP, and brings one operation, an oadrResponse, or an error."""
    if not isinstance(exchange.request, Poll):
        return
    if exchange.requester is Role.VTN:
        yield Fault("a VTN polls", "only VENs poll", "request")
    if exchange.transport == "xmpp":
        yield Fault("a poll over XMPP", "XMPP is push, and has no polls (rule 507)", "request")
    if exchange.answer is not None and not isinstance(exchange.answer, _BROUGHT_BY_POLLS):
        yield Fault(f"a poll is answered with {exchange.answer.message_type()}", "that is no operation", "answer")


@rule("R27", Exchange)
def reply_limit(exchange: Exchange) -> Iterator[Fault]:
    """The answer to oadrRequestEvent has no more events than the replyLimit allows."""
    request, answer = exchange.request, exchange.answer
    if not isinstance(request, RequestEvent) or not isinstance(answer, DistributeEvent):
        return
    limit, number = request.reply_limit, len(answer.events)
    if limit is not None and number > limit:
        yield Fault(f"{number} events", f"the VEN wants {limit} at most", "answer.events")


@rule("R40", Exchange)
def response_to_request(exchange: Exchange) -> Iterator[Fault]:
    """A list of events that answers a request says so with an eiResponse."""
    answer = exchange.answer
    if isinstance(answer, DistributeEvent) and answer.response is None:
        yield Fault("no eiResponse", "it is there in answers", "answer.response")


@rule("R303", Exchange)
def repeated_in_reports(exchange: Exchange) -> Iterator[Fault]:
    """The answer about reports repeats the requestID."""
    if isinstance(exchange.request, RegisterReport | CreateReport | UpdateReport | CancelReport):
        yield from _repeated(exchange)


@rule("R207", Exchange)
def repeated_in_opts(exchange: Exchange) -> Iterator[Fault]:
    """The answer about opts repeats the requestID."""
    if isinstance(exchange.request, CreateOpt | CancelOpt):
        yield from _repeated(exchange)


@rule("D2", Exchange, severity=Severity.WARNING)
def repeated_elsewhere(exchange: Exchange) -> Iterator[Fault]:
    """The answers about registrations and events repeat the requestID."""
    registration = QueryRegistration | CreatePartyRegistration | CancelPartyRegistration
    if isinstance(exchange.request, registration | RequestEvent):
        yield from _repeated(exchange)


def _repeated(exchange: Exchange) -> Iterator[Fault]:
    sent = str(getattr(exchange.request, "request_id", None) or "")
    response = getattr(exchange.answer, "response", None)
    if sent and isinstance(response, EiResponse) and response.request_id != sent:
        yield Fault(f"the requestID {response.request_id!r}", f"it repeats {sent!r}", "answer.response.request_id")


# --- dialogues: registration -----------------------------------------------------------------------------------------


@rule("R405", Dialogue)
def registration_first(dialogue: Dialogue) -> Iterator[Fault]:
    """After a new registration come the metadata and, before the first poll, oadrRequestEvent."""
    offered = asked = True
    for number, exchange in dialogue.exchanges:
        if _is_new_registration(exchange):
            offered = asked = False
        elif isinstance(exchange.request, RegisterReport) and exchange.requester is Role.VEN:
            offered = True
        elif isinstance(exchange.request, RequestEvent):
            asked = True
        elif isinstance(exchange.request, Poll):
            if not (offered and asked):
                missing = "oadrRegisterReport" if not offered else "oadrRequestEvent"
                yield Fault("the VEN polls", f"{missing} comes before, after a registration", f"[{number}].request")
            offered = asked = True


def _is_new_registration(exchange: Exchange) -> bool:
    request, answer = exchange.request, exchange.answer
    if not isinstance(request, CreatePartyRegistration) or not isinstance(answer, CreatedPartyRegistration):
        return False
    return bool(answer.registration_id) and answer.registration_id != request.registration_id


# --- dialogues: events -----------------------------------------------------------------------------------------------


def _lists(dialogue: Dialogue) -> Iterator[tuple[str, datetime, DistributeEvent]]:
    """Every list of events, with its place and its time."""
    for number, exchange in dialogue.exchanges:
        for place, message in (("request", exchange.request), ("answer", exchange.answer)):
            if isinstance(message, DistributeEvent):
                yield f"[{number}].{place}", exchange.time, message


def _answers(dialogue: Dialogue) -> Iterator[tuple[int, CreatedEvent]]:
    for number, exchange in dialogue.exchanges:
        if isinstance(exchange.request, CreatedEvent):
            yield number, exchange.request


def _content(event: EiEvent) -> EiEvent:
    """An event without what may change though its modification number does not (rule 5)."""
    descriptor = msgspec.structs.replace(
        event.event_descriptor, created_date_time=event.active_period.dtstart, event_status=EventStatus.NONE
    )
    signals = tuple(msgspec.structs.replace(one, current_value=None) for one in event.event_signals)
    return msgspec.structs.replace(event, event_descriptor=descriptor, event_signals=signals)


@rule("R5", Dialogue)
@rule("R57", Dialogue)
def modification_numbers(dialogue: Dialogue) -> Iterator[Fault]:
    """An event that changes gets a higher modification number, and no event a lower one."""
    known: dict[str, EiEvent] = {}
    for place, _, message in _lists(dialogue):
        for index, event in enumerate(message.events):
            where = f"{place}.events[{index}].event_descriptor.modification_number"
            number = event.event_descriptor.modification_number
            before = known.get(event.event_descriptor.event_id)
            if before is not None:
                last = before.event_descriptor.modification_number
                if number < last:
                    yield Fault(f"the number {number} after {last}", "it never falls", where)
                    continue
                if number == last and _content(event) != _content(before):
                    yield Fault(f"the number {number} for another content", f"a change makes it {last + 1}", where)
            known[event.event_descriptor.event_id] = event


@rule("R13", Dialogue)
def order_of_status(dialogue: Dialogue) -> Iterator[Fault]:
    """The status of an event goes from far by near to active and completed, and not back."""
    known: dict[tuple[str, int], EventStatus] = {}
    for place, _, message in _lists(dialogue):
        for index, event in enumerate(message.events):
            descriptor = event.event_descriptor
            key, status = (descriptor.event_id, descriptor.modification_number), descriptor.event_status
            before = known.get(key, status)
            if _ORDER.get(status, 4) < _ORDER.get(before, 0):
                where = f"{place}.events[{index}].event_descriptor.event_status"
                yield Fault(f"{status} after {before}", "the status does not go back", where)
            known[key] = status


@rule("R50", Dialogue)
def complete_lists(dialogue: Dialogue) -> Iterator[Fault]:
    """A list holds every event that is not over, until a cancellation is acknowledged."""
    listed: dict[str, EiEvent] = {}
    limited = False
    for number, exchange in dialogue.exchanges:
        message = exchange.answer if isinstance(exchange.answer, DistributeEvent) else exchange.request
        limited = isinstance(exchange.request, RequestEvent) and exchange.request.reply_limit is not None
        if not isinstance(message, DistributeEvent) or limited:
            continue
        present = {one.event_descriptor.event_id: one for one in message.events}
        for event_id, event in listed.items():
            if event_id not in present and _goes_on(event, exchange):
                yield Fault(f"no event {event_id!r}", "it is not over, and the list is complete", f"[{number}]")
        listed = present


def _goes_on(event: EiEvent, exchange: Exchange) -> bool:
    """Whether an event is surely not over; what is cancelled may be acknowledged by now."""
    period = event.active_period
    if event.event_descriptor.event_status in _HAS_ENDED:
        return False
    return is_zero(period.duration) or exchange.time < period.dtstart


@rule("R42", Dialogue)
def answered_request_ids(dialogue: Dialogue) -> Iterator[Fault]:
    """The answer to an event repeats the requestID of a list that brought the event."""
    brought: dict[str, set[str]] = {}
    for _, _, message in _lists(dialogue):
        for event in message.events:
            brought.setdefault(event.event_descriptor.event_id, set()).add(message.request_id)
    for number, answer in _answers(dialogue):
        for index, response in enumerate(answer.event_responses or ()):
            known = brought.get(response.event_id)
            if known is not None and response.request_id not in known:
                where = f"[{number}].request.event_responses[{index}].request_id"
                yield Fault(f"the requestID {response.request_id!r}", "it is that of a list with the event", where)


@rule("R62", Dialogue)
@rule("R12", Dialogue)
def every_event_is_answered(dialogue: Dialogue) -> Iterator[Fault]:
    """A VEN answers every event that wants an answer, and no other."""
    answered: Mapping[tuple[str, int], int] = {
        (response.event_id, response.modification_number): number
        for number, answer in _answers(dialogue)
        for response in answer.event_responses or ()
    }
    refused = any(not answer.response.ok for _, answer in _answers(dialogue))
    until = dialogue.exchanges[-1][1].time - _PATIENCE
    wanted: dict[tuple[str, int], tuple[str, ResponseRequired]] = {}
    for place, time, message in _lists(dialogue):
        for index, event in enumerate(message.events):
            descriptor = event.event_descriptor
            key = (descriptor.event_id, descriptor.modification_number)
            if time <= until or event.response_required is ResponseRequired.NEVER:
                wanted.setdefault(key, (f"{place}.events[{index}]", event.response_required))
    for key, (place, required) in wanted.items():
        if required is ResponseRequired.NEVER and key in answered:
            yield Fault(f"an answer to {key[0]!r}", "the event wants none", f"[{answered[key]}].request")
        elif required is ResponseRequired.ALWAYS and key not in answered and not refused:
            yield Fault(f"no answer to {key[0]!r} (modification {key[1]})", "the event wants one", place)


# --- dialogues: reports ----------------------------------------------------------------------------------------------


@rule("R304", Dialogue, severity=Severity.WARNING)
def reports_were_asked_for(dialogue: Dialogue) -> Iterator[Fault]:
    """A report answers a request that was made."""
    asked: set[str] = set()
    seen_any = False
    for number, exchange in dialogue.exchanges:
        for message in (exchange.request, exchange.answer):
            requests = _requests(message)
            seen_any = seen_any or isinstance(message, RegisterReport | CreateReport)
            asked |= requests
        if isinstance(exchange.request, UpdateReport) and seen_any:
            for index, report in enumerate(exchange.request.reports):
                if report.report_request_id not in asked:
                    where = f"[{number}].request.reports[{index}].report_request_id"
                    yield Fault(f"{report.report_request_id!r}", "nobody has asked for it within this trace", where)


def _requests(message: Payload | None) -> set[str]:
    if isinstance(message, RegisteredReport | CreateReport):
        return {one.report_request_id for one in message.report_requests}
    return set()

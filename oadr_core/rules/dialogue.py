"""Rules about exchanges and dialogues: what only shows when messages are seen beside each other."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core.messages import (
    CanceledReport,
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedPartyRegistration,
    CreatedReport,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    EiEvent,
    EiResponse,
    EventResponse,
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
    Target,
    UpdateReport,
    add_duration,
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
"""How long a VEN may take to answer an event, and how far clocks may be apart, before that counts against a peer."""

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


@rule("R508", Exchange)
def ven_id_of_vens(exchange: Exchange) -> Iterator[Fault]:
    """A VEN names itself in all that it sends, save in a query and in its first registration."""
    for place, who, message in exchange.said:
        first = isinstance(message, CreatePartyRegistration) and not message.registration_id
        refusal = not getattr(getattr(message, "response", None), "ok", True)
        if who is Role.VEN and getattr(message, "ven_id", "") is None and not first and not refusal:
            yield Fault(f"no venID in {message.message_type()}", "a VEN names itself", f"{place}.ven_id")


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
    """After a new registration come metadata and oadrRequestEvent, before any other exchange of the VEN.

    Polls may come before, as they bring the metadata of the VTN; once there is nothing more to fetch, they may not.
    After a re-registration none of it is needed, and a VEN that was stopped meanwhile begins with one.
    """
    (_, first), *rest = dialogue.exchanges
    if not _is_new_registration(first):
        return
    request = first.request
    missing = ["oadrRegisterReport"]
    if isinstance(request, CreatePartyRegistration) and not request.report_only:
        missing.append("oadrRequestEvent")
    offered_by_vtn = drained = False
    for number, exchange in sorted(rest, key=lambda one: one[1].time):
        request = exchange.request
        if isinstance(request, CreatePartyRegistration):
            return
        if exchange.requester is Role.VEN and request is not None:
            missing = [name for name in missing if request.message_type() != name]
            was_under_way = exchange.time <= first.time
            if missing and not was_under_way and _is_other_work(request, polls=drained):
                right = f"{' and '.join(missing)} must come first, after a new registration"
                yield Fault(f"the VEN sends {request.message_type()}", right, f"[{number}].request")
                return
        offered_by_vtn |= any(isinstance(one, RegisterReport) for _, who, one in exchange.said if who is Role.VTN)
        drained |= offered_by_vtn and isinstance(request, Poll) and isinstance(exchange.answer, Response)


def _is_new_registration(exchange: Exchange) -> bool:
    request, answer = exchange.request, exchange.answer
    if not isinstance(request, CreatePartyRegistration) or not isinstance(answer, CreatedPartyRegistration):
        return False
    return answer.response.ok and bool(answer.registration_id) and not request.registration_id


def _is_other_work(request: Payload, *, polls: bool) -> bool:
    """Whether a VEN begins something that belongs neither to the registration nor to the exchange of metadata."""
    if isinstance(request, CreateReport):
        return any(one.report_specifier.report_specifier_id != "METADATA" for one in request.report_requests)
    return isinstance(request, UpdateReport | CreateOpt | CancelOpt) or (polls and isinstance(request, Poll))


# --- dialogues: events -----------------------------------------------------------------------------------------------


def _list_in(exchange: Exchange) -> tuple[str, DistributeEvent | None]:
    """The list of events in an exchange, and its place there. What refuses a request is none."""
    for place, _, message in exchange.said:
        if isinstance(message, DistributeEvent) and (message.response is None or message.response.ok):
            return place, message
    return "", None


def _may_be_cut(exchange: Exchange) -> bool:
    """Whether a replyLimit may have cut the list (decision D30)."""
    return isinstance(exchange.request, RequestEvent) and exchange.request.reply_limit is not None


def _lists(dialogue: Dialogue) -> Iterator[tuple[str, Exchange, DistributeEvent]]:
    """Every list of events, with its place."""
    for number, exchange in dialogue.exchanges:
        place, message = _list_in(exchange)
        if message is not None:
            yield f"[{number}].{place}", exchange, message


def _responses(dialogue: Dialogue) -> Iterator[tuple[str, EventResponse]]:
    """Every answer to a single event, with its place."""
    for number, exchange in dialogue.exchanges:
        if isinstance(exchange.request, CreatedEvent):
            for index, response in enumerate(exchange.request.event_responses or ()):
                yield f"[{number}].request.event_responses[{index}]", response


def _developments(dialogue: Dialogue) -> Iterator[tuple[str, EiEvent, EiEvent]]:
    """Each event as a list brings it, and as it was before, with its place.

    Lists can overtake one another, and a buffered one may be sent again (rule 115): what was made before what is known
    already tells nothing. Times are told in whole seconds.
    """
    known: dict[str, EiEvent] = {}
    for place, _, message in _lists(dialogue):
        for index, event in enumerate(message.events):
            event_id = event.event_descriptor.event_id
            before = known.get(event_id)
            if before is not None and _age(event) < _age(before):
                continue
            if before is not None:
                yield f"{place}.events[{index}].event_descriptor", before, event
            known[event_id] = event


def _age(event: EiEvent) -> tuple[datetime, int]:
    return event.event_descriptor.created_date_time, event.event_descriptor.modification_number


def _arrivals(dialogue: Dialogue) -> set[str]:
    """The events of which every list that brought them is known, as there was none of them before."""
    arrived: set[str] = set()
    known: set[str] | None = set() if _is_new_registration(dialogue.exchanges[0][1]) else None
    for _, exchange, message in _lists(dialogue) if dialogue.whole else ():
        present = {one.event_descriptor.event_id for one in message.events}
        if known is not None:
            arrived |= present - known
        if known is not None or not _may_be_cut(exchange):
            known = present | (known or set())
    return arrived


@rule("R5", Dialogue)
def modification_numbers(dialogue: Dialogue) -> Iterator[Fault]:
    """An event that changes gets a higher modification number, and no event a lower one."""
    for place, before, event in _developments(dialogue):
        last, number = before.event_descriptor.modification_number, event.event_descriptor.modification_number
        if number < last:
            yield Fault(f"the number {number} after {last}", "it never falls", f"{place}.modification_number")
        elif number == last and _content(event) != _content(before):
            right = f"a change makes it {last + 1}"
            yield Fault(f"the number {number} for another content", right, f"{place}.modification_number")


@rule("R10", Dialogue)
def cancelling(dialogue: Dialogue) -> Iterator[Fault]:
    """To cancel an event makes its modification number higher."""
    for place, before, event in _developments(dialogue):
        last, now = before.event_descriptor, event.event_descriptor
        is_cancelled = now.event_status is EventStatus.CANCELLED and last.event_status is not EventStatus.CANCELLED
        if is_cancelled and now.modification_number == last.modification_number:
            right = f"to cancel the event makes it {last.modification_number + 1}"
            yield Fault(f"still the number {now.modification_number}", right, f"{place}.modification_number")


def _content(event: EiEvent) -> EiEvent:
    """An event without what may change though its modification number does not (rule 5), its sets in one order."""
    descriptor = msgspec.structs.replace(
        event.event_descriptor, created_date_time=event.active_period.dtstart, event_status=EventStatus.NONE
    )
    signals = [
        msgspec.structs.replace(one, current_value=None, target=None if one.target is None else _in_order(one.target))
        for one in event.event_signals
    ]
    return msgspec.structs.replace(
        event,
        event_descriptor=descriptor,
        event_signals=tuple(sorted(signals, key=lambda one: (one.signal_id, one.signal_name))),
        target=_in_order(event.target),
        response_required=ResponseRequired.ALWAYS,  # it stands beside the event
    )


def _in_order(target: Target) -> Target:
    return Target(**{name: tuple(sorted(getattr(target, name), key=repr)) for name in target.__struct_fields__})


@rule("R13", Dialogue)
def order_of_status(dialogue: Dialogue) -> Iterator[Fault]:
    """The status of an event goes from far by near to active and completed, and not back."""
    for place, before, event in _developments(dialogue):
        last, now = before.event_descriptor, event.event_descriptor
        falls = _ORDER.get(now.event_status, len(_ORDER)) < _ORDER.get(last.event_status, 0)
        is_later = now.created_date_time > last.created_date_time
        if falls and is_later and now.modification_number == last.modification_number:
            found = f"{now.event_status} after {last.event_status}"
            yield Fault(found, "the status does not go back", f"{place}.event_status")


@rule("R50", Dialogue, severity=Severity.WARNING)
def complete_lists(dialogue: Dialogue) -> Iterator[Fault]:
    """A list holds every event that is not over, until a cancellation is acknowledged.

    It is implausible, but not certain, that a VTN is wrong here: the event may no longer be meant for the VEN, or the
    VTN may have told in vain of its cancellation.
    """
    listed: dict[str, EiEvent] = {}
    latest = dialogue.exchanges[0][1].time
    for number, exchange in dialogue.exchanges:
        place, message = _list_in(exchange)
        if message is None and exchange.lost:
            listed.clear()  # it may have been a list
        if message is None or _may_be_cut(exchange) or exchange.time < latest:
            continue
        latest = exchange.time
        present = {one.event_descriptor.event_id: one for one in message.events}
        for event_id, event in listed.items():
            if event_id not in present and _goes_on(event, exchange.time):
                yield Fault(f"no event {event_id!r}", "it is neither over nor cancelled", f"[{number}].{place}.events")
        listed = present


def _goes_on(event: EiEvent, now: datetime) -> bool:
    """Whether an event is surely not over (rules 47 and 66); one that was cancelled may be acknowledged by now."""
    period = event.active_period
    if event.event_descriptor.event_status is EventStatus.CANCELLED:
        return False
    if is_zero(period.duration):
        return True
    end = add_duration(period.dtstart, period.duration)
    window = None if period.tolerance is None else period.tolerance.tolerate.startafter
    if window is not None:
        end = add_duration(end, window)
    elif event.event_descriptor.event_status is EventStatus.COMPLETED:
        return False
    return end - now > _PATIENCE


@rule("R42", Dialogue, severity=Severity.WARNING)
def answered_request_ids(dialogue: Dialogue) -> Iterator[Fault]:
    """The answer to an event repeats the requestID of a list that brought the event.

    Whoever writes the trace may have been stopped while that list was under way; so this is implausible, not wrong.
    """
    brought: dict[str, set[str]] = {}
    for _, _, message in _lists(dialogue):
        for event in message.events:
            brought.setdefault(event.event_descriptor.event_id, set()).add(message.request_id)
    arrived = _arrivals(dialogue)
    for place, response in _responses(dialogue):
        if response.event_id in arrived and response.request_id not in brought[response.event_id]:
            found = f"the requestID {response.request_id!r}"
            yield Fault(found, "it is that of a list with the event", f"{place}.request_id")


@rule("R12", Dialogue)
def unwanted_answers(dialogue: Dialogue) -> Iterator[Fault]:
    """A VEN does not answer an event that wants no answer."""
    arrived = _arrivals(dialogue)
    wishes: dict[tuple[str, int], set[ResponseRequired]] = {}
    for _, _, message in _lists(dialogue):
        for event in message.events:
            wishes.setdefault(_modification(event), set()).add(event.response_required)
    for place, response in _responses(dialogue):
        wish = wishes.get((response.event_id, response.modification_number))
        if wish == {ResponseRequired.NEVER} and response.event_id in arrived:
            yield Fault(f"an answer to {response.event_id!r}", "the event wants none", place)


@rule("R62", Dialogue, severity=Severity.WARNING)
def every_event_is_answered(dialogue: Dialogue) -> Iterator[Fault]:
    """A VEN answers every event that wants an answer.

    The profile says not by when, and a list may have been lost on its way; so silence is implausible, not wrong.
    """
    messages = [one.request for _, one in dialogue.exchanges if isinstance(one.request, CreatedEvent)]
    if not dialogue.whole or not all(one.response.ok for one in messages):
        return  # it has refused lists as a whole, or may have answered in what is not told to be its own
    answered: dict[str, int] = {}
    for _, response in _responses(dialogue):
        answered[response.event_id] = max(response.modification_number, answered.get(response.event_id, 0))
    alive = [one.time for _, one in dialogue.exchanges if one.requester is Role.VEN or not one.lost]
    for event_id, (number, place, time) in _wanted(dialogue).items():
        if answered.get(event_id, -1) < number and max(alive) - time > _PATIENCE:
            yield Fault(f"no answer to {event_id!r} (modification {number})", "the event wants one", place)


def _wanted(dialogue: Dialogue) -> dict[str, tuple[int, str, datetime]]:
    """The last modification of each event that came through and always wants an answer, its place and time."""
    found: dict[str, tuple[int, str, datetime]] = {}
    unwanted: dict[str, int] = {}
    for place, exchange, message in _lists(dialogue):
        for index, event in enumerate(message.events):
            event_id, number = _modification(event)
            if event.response_required is ResponseRequired.NEVER:
                unwanted[event_id] = max(number, unwanted.get(event_id, 0))
            elif not exchange.lost and (event_id not in found or number > found[event_id][0]):
                found[event_id] = (number, f"{place}.events[{index}]", exchange.time)
    return {event_id: one for event_id, one in found.items() if one[0] > unwanted.get(event_id, -1)}


def _modification(event: EiEvent) -> tuple[str, int]:
    return event.event_descriptor.event_id, event.event_descriptor.modification_number


# --- dialogues: reports ----------------------------------------------------------------------------------------------


@rule("R304", Dialogue, severity=Severity.WARNING)
def reports_were_asked_for(dialogue: Dialogue) -> Iterator[Fault]:
    """A report answers a request that was made.

    Only metadata that were taken show which requests there are, as they make void what was asked for before (rule 306).
    """
    asked = _asked(dialogue)
    since: dict[Role, datetime] = {}
    for number, exchange in dialogue.exchanges if dialogue.whole else ():
        for place, who, message in exchange.said:
            if isinstance(message, UpdateReport) and exchange.time > since.get(who, exchange.time):
                for index, report in enumerate(message.reports):
                    if report.report_request_id not in asked[who]:
                        where = f"[{number}].{place}.reports[{index}].report_request_id"
                        yield Fault(f"{report.report_request_id!r}", "nobody has asked for it within this trace", where)
        if isinstance(exchange.request, RegisterReport) and isinstance(exchange.answer, RegisteredReport):
            since.setdefault(exchange.requester, exchange.time)


def _asked(dialogue: Dialogue) -> dict[Role, set[str]]:
    """The requests for reports of which the trace tells, by who was asked."""
    asked: dict[Role, set[str]] = {Role.VEN: set(), Role.VTN: set()}
    for _, exchange in dialogue.exchanges:
        for _, who, message in exchange.said:
            if isinstance(message, RegisteredReport | CreateReport):
                asked[_other(who)] |= {one.report_request_id for one in message.report_requests}
            elif isinstance(message, CreatedReport | CanceledReport):
                asked[who] |= set(message.pending_reports)
    return asked


def _other(role: Role) -> Role:
    return Role.VTN if role is Role.VEN else Role.VEN

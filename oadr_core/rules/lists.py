"""Rules about lists of events and the answers to them, as they show in a dialogue."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from oadr_core.codes import ResponseCode, is_success
from oadr_core.messages import (
    ActivePeriod,
    CreatedEvent,
    DistributeEvent,
    EiEvent,
    EventResponse,
    EventSignal,
    EventStatus,
    RequestEvent,
    Response,
    ResponseRequired,
    Target,
    add_duration,
    is_zero,
    latest_end,
    value_at,
)
from oadr_core.rules.dialogue import PATIENCE, is_new_registration, registered
from oadr_core.rules.events import stage_of
from oadr_core.rules.registry import Fault, Severity, rule
from oadr_core.rules.trace import Dialogue, Exchange, Role

# --- lists, and what is in them --------------------------------------------------------------------------------------


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
    known: set[str] | None = set() if is_new_registration(dialogue.exchanges[0][1]) else None
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


@rule("R20", Dialogue, severity=Severity.WARNING)
def past_of_an_event(dialogue: Dialogue) -> Iterator[Fault]:
    """A modification does not change what an event has asked for already."""
    for place, before, event in _developments(dialogue):
        if before.active_period.dtstart != event.active_period.dtstart:
            continue
        now = event.event_descriptor.created_date_time
        after = {one.signal_id: one for one in event.event_signals}
        for signal in before.event_signals:
            for moment in _over(signal, before.active_period, now) if signal.signal_id in after else ():
                was = value_at(signal, before.active_period, moment)
                value = value_at(after[signal.signal_id], event.active_period, moment)
                if was != value:
                    found = f"the signal {signal.signal_id!r} is said to have been {value} at {moment:%H:%M:%S}"
                    yield Fault(found, f"it was {was}, and the past is not changed", place)
                    break


def _over(signal: EventSignal, period: ActivePeriod, now: datetime) -> Iterator[datetime]:
    """The beginnings of the intervals of a signal that are over."""
    begin = period.dtstart
    for interval in signal.intervals:
        if interval.duration is None or is_zero(interval.duration):
            return
        end = add_duration(begin, interval.duration)
        if end > now:
            return
        yield begin
        begin = end


@rule("R115", Dialogue, severity=Severity.WARNING)
def made_anew(dialogue: Dialogue) -> Iterator[Fault]:
    """A modification has a createdDateTime that is no earlier than what it changes.

    The clock of a VTN may have been set back, so this is implausible, not wrong.
    """
    made: dict[str, dict[int, datetime]] = {}
    for place, _, message in _lists(dialogue):
        for index, event in enumerate(message.events):
            event_id, number = _modification(event)
            created = event.event_descriptor.created_date_time
            before = made.setdefault(event_id, {})
            older = [time for one, time in before.items() if one < number and time > created]
            if older:
                where = f"{place}.events[{index}].event_descriptor.created_date_time"
                right = f"an earlier modification has {max(older):%Y-%m-%dT%H:%M:%SZ}"
                yield Fault(f"the createdDateTime {created:%Y-%m-%dT%H:%M:%SZ}", right, where)
            before[number] = max(created, before.get(number, created))


@rule("R21", Dialogue, severity=Severity.WARNING)
def lists_of_the_own_vtn(dialogue: Dialogue) -> Iterator[Fault]:
    """A list comes from the VTN with which the VEN is registered."""
    for place, found, known in _foreign_vtns(dialogue):
        if found.lower() != known.lower():
            yield Fault(f"the vtnID {found!r}", f"the VEN is registered with {known!r}", place)


@rule("R512", Dialogue, severity=Severity.WARNING)
def ids_as_they_are_written(dialogue: Dialogue) -> Iterator[Fault]:
    """An id is written alike everywhere, as capital letters matter."""
    for place, found, known in _foreign_vtns(dialogue):
        if found.lower() == known.lower():
            yield Fault(f"the vtnID {found!r}", f"it is written {known!r}", place)


def _foreign_vtns(dialogue: Dialogue) -> Iterator[tuple[str, str, str]]:
    """Each list whose vtnID is not that of the registration: its place, the vtnID, and the one that was told."""
    for number, exchange, registration in registered(dialogue):
        place, message = _list_in(exchange)
        if message is not None and registration is not None and message.vtn_id != registration.answer.vtn_id:
            yield f"[{number}].{place}.vtn_id", message.vtn_id, registration.answer.vtn_id


@rule("R13", Dialogue)
def order_of_status(dialogue: Dialogue) -> Iterator[Fault]:
    """The status of an event goes from far by near to active and completed, and not back."""
    for place, before, event in _developments(dialogue):
        last, now = before.event_descriptor, event.event_descriptor
        stage, reached = stage_of(now.event_status), stage_of(last.event_status)
        falls = stage is not None and reached is not None and stage < reached
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
    for place, event, time in _vanished(dialogue):
        if not _is_cancelled(event) and _is_open(event_end(event), time):
            yield Fault(f"no event {_id(event)!r}", "it is neither over nor cancelled", place)


@rule("R66", Dialogue, severity=Severity.WARNING)
def events_whose_window_is_open(dialogue: Dialogue) -> Iterator[Fault]:
    """A list holds an event until the last of those that start at random have ended, completed or not."""
    for place, event, time in _vanished(dialogue):
        until = latest_end(event.active_period)
        if not _is_cancelled(event) and not _is_open(event_end(event), time) and _is_open(until, time):
            yield Fault(f"no event {_id(event)!r}", "the window of its random start is still open", place)


@rule("R52", Dialogue, severity=Severity.WARNING)
def cancellations_are_repeated(dialogue: Dialogue) -> Iterator[Fault]:
    """A list holds a cancelled event that wants an answer until it has got one, or the event is over.

    A VTN may give up after some tries, so this is implausible, not wrong.
    """
    answered = {_id_and_number(one) for _, one in _responses(dialogue)}
    for place, event, time in _vanished(dialogue) if dialogue.whole else ():
        if not _is_cancelled(event) or event.response_required is ResponseRequired.NEVER:
            continue
        if _modification(event) not in answered and _is_open(event_end(event), time):
            yield Fault(f"no event {_id(event)!r}", "nobody has acknowledged that it is cancelled", place)


def _vanished(dialogue: Dialogue) -> Iterator[tuple[str, EiEvent, datetime]]:
    """Each event that a list lacks though the one before had it: the place of the list, the event, and the time."""
    listed: dict[str, EiEvent] = {}
    latest = dialogue.exchanges[0][1].time
    for number, exchange in dialogue.exchanges:
        place, message = _list_in(exchange)
        if message is None and exchange.lost:
            listed.clear()  # it may have been a list
        if message is None or _may_be_cut(exchange) or exchange.time < latest:
            continue
        latest = exchange.time
        present = {_id(one): one for one in message.events}
        for event_id, event in listed.items():
            if event_id not in present:
                yield f"[{number}].{place}.events", event, exchange.time
        listed = present


def event_end(event: EiEvent) -> datetime | None:
    """When an event ends that does not start at random; None where it has no end (rule 47)."""
    period = event.active_period
    return None if is_zero(period.duration) else add_duration(period.dtstart, period.duration)


def _is_open(end: datetime | None, now: datetime) -> bool:
    """Whether an end has surely not come yet."""
    return end is None or end - now > PATIENCE


def _is_cancelled(event: EiEvent) -> bool:
    return event.event_descriptor.event_status is EventStatus.CANCELLED


def _id(event: EiEvent) -> str:
    return event.event_descriptor.event_id


@rule("R50", Dialogue, severity=Severity.WARNING)
def acknowledged_cancellations(dialogue: Dialogue) -> Iterator[Fault]:
    """A list does not hold a cancelled event when that was acknowledged."""
    cancelled: set[tuple[str, int]] = set()
    acknowledged: dict[tuple[str, int], datetime] = {}
    for number, exchange in dialogue.exchanges:
        place, message = _list_in(exchange)
        for index, event in enumerate(() if message is None else message.events):
            key, made = _modification(event), event.event_descriptor.created_date_time
            if _is_cancelled(event) and min(exchange.time, made) - acknowledged.get(key, made) > PATIENCE:
                right = "the VEN has acknowledged that it is cancelled"
                yield Fault(f"the event {_id(event)!r} again", right, f"[{number}].{place}.events[{index}]")
            cancelled |= {key} if _is_cancelled(event) else set()
        answers = _taken(exchange)
        for response in () if answers is None else answers.event_responses or ():
            if _id_and_number(response) in cancelled and is_success(response.response_code):
                acknowledged.setdefault(_id_and_number(response), exchange.time)


@rule("R36", Dialogue, severity=Severity.WARNING)
def answers_to_what_has_gone(dialogue: Dialogue) -> Iterator[Fault]:
    """Once a cancellation is acknowledged, a VEN answers that event no more, unless a list brings it again.

    A message that comes again as a whole may be a repeat, as the answer to the first was lost.
    """
    cancelled: set[tuple[str, int]] = set()
    gone: dict[tuple[str, int], CreatedEvent] = {}
    for number, exchange in dialogue.exchanges:
        _, message = _list_in(exchange)
        for event in () if message is None else message.events:
            gone.pop(_modification(event), None)
            cancelled |= {_modification(event)} if _is_cancelled(event) else set()
        request = exchange.request
        if not isinstance(request, CreatedEvent):
            continue
        for index, response in enumerate(request.event_responses or ()):
            key = _id_and_number(response)
            if gone.get(key, request) != request:
                right = "it was cancelled, and that is acknowledged"
                place = f"[{number}].request.event_responses[{index}]"
                yield Fault(f"an answer to {response.event_id!r} again", right, place)
            elif key in cancelled and _taken(exchange) is not None:
                gone[key] = request


def _taken(exchange: Exchange) -> CreatedEvent | None:
    """The answers to events that a VTN has taken, in an exchange; None where there are none."""
    taken = isinstance(exchange.answer, Response) and exchange.answer.response.ok
    return exchange.request if taken and isinstance(exchange.request, CreatedEvent) else None


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
        if answered.get(event_id, -1) < number and max(alive) - time > PATIENCE:
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


def _id_and_number(response: EventResponse) -> tuple[str, int]:
    return response.event_id, response.modification_number


@rule("R64", Dialogue)
def answers_before_the_next_poll_in_20a(dialogue: Dialogue) -> Iterator[Fault]:
    """In 2.0a a VEN that polls, with oadrRequestEvent, answers all events before it polls again."""
    owed: dict[str, EiEvent] = {}
    for number, exchange in dialogue.exchanges if dialogue.whole else ():
        request = exchange.request
        if isinstance(request, CreatedEvent):
            refused = not request.response.ok
            for event_id in [*owed] if refused else [one.event_id for one in request.event_responses or ()]:
                owed.pop(event_id, None)
        if not isinstance(request, RequestEvent) or request.schema_version != "2.0a":
            continue
        for event_id in owed:
            yield Fault(f"a poll before {event_id!r} is answered", "its answer comes first", f"[{number}].request")
        _, message = _list_in(exchange)
        owed = {
            _id(one): one
            for one in (() if message is None else message.events)
            if one.response_required is ResponseRequired.ALWAYS
        }


@rule("R56", Dialogue, severity=Severity.WARNING)
def new_events_are_taken(dialogue: Dialogue) -> Iterator[Fault]:
    """An event that is not known yet is taken, whatever its modification number."""
    for place, response, numbers in _out_of_sequence(dialogue):
        if len(numbers) == 1:
            yield Fault(f"450 for the new event {response.event_id!r}", "any number is right in a new event", place)


@rule("R57", Dialogue, severity=Severity.WARNING)
def higher_numbers_are_taken(dialogue: Dialogue) -> Iterator[Fault]:
    """An event with a higher modification number takes the place of what was known."""
    for place, response, numbers in _out_of_sequence(dialogue):
        if len(numbers) > 1 and response.modification_number == max(numbers):
            found = f"450 for the modification {response.modification_number} of {response.event_id!r}"
            yield Fault(found, "a number that rises is in sequence", place)


def _out_of_sequence(dialogue: Dialogue) -> Iterator[tuple[str, EventResponse, set[int]]]:
    """Each answer that calls a modification out of sequence, its place, and all numbers that the event has had."""
    numbers: dict[str, set[int]] = {}
    for _, _, message in _lists(dialogue):
        for event in message.events:
            event_id, number = _modification(event)
            numbers.setdefault(event_id, set()).add(number)
    arrived = _arrivals(dialogue)
    for place, response in _responses(dialogue):
        had = numbers.get(response.event_id, set())
        is_sure = response.event_id in arrived and response.modification_number in had
        if is_sure and response.response_code == ResponseCode.OUT_OF_SEQUENCE:
            yield f"{place}.response_code", response, had


@rule("R58", Dialogue, severity=Severity.WARNING)
def lower_numbers_are_refused(dialogue: Dialogue) -> Iterator[Fault]:
    """An event with a lower modification number than is known is answered with 450.

    It must be certain that the lower number was made after the higher, and which list is answered.
    """
    highest: dict[str, tuple[int, datetime]] = {}
    fallen: set[tuple[str, str, int]] = set()
    risen: set[tuple[str, str, int]] = set()
    for _, _, message in _lists(dialogue):
        for event in message.events:
            event_id, number = _modification(event)
            made = event.event_descriptor.created_date_time
            known, since = highest.get(event_id, (number, made))
            falls = number < known and made > since
            (fallen if falls else risen).add((message.request_id, event_id, number))
            highest[event_id] = max((number, made), (known, since))
    for place, response in _responses(dialogue):
        if (response.request_id, *_id_and_number(response)) in fallen - risen and is_success(response.response_code):
            found = f"{response.response_code} for the modification {response.modification_number}"
            right = f"it is 450, as {highest[response.event_id][0]} is known"
            yield Fault(found, right, f"{place}.response_code")


@rule("R60", Dialogue)
def unknown_cancellations(dialogue: Dialogue) -> Iterator[Fault]:
    """That a cancelled event is not known is no error."""
    forms: dict[tuple[str, int], set[EventStatus]] = {}
    for _, _, message in _lists(dialogue):
        for event in message.events:
            forms.setdefault(_modification(event), set()).add(event.event_descriptor.event_status)
    for place, response in _responses(dialogue):
        is_cancelled = forms.get(_id_and_number(response)) == {EventStatus.CANCELLED}
        if is_cancelled and response.response_code == ResponseCode.INVALID_ID:
            yield Fault("452 for a cancelled event", "it is gone either way", f"{place}.response_code")

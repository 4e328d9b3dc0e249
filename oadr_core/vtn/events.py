"""Events: handing out the list of a VEN, and taking its answers (section 8.1 of the profile)."""

from collections.abc import Container, Mapping, MutableMapping
from functools import partial

import msgspec

from oadr_core.answers import response_to
from oadr_core.codes import ResponseCode, is_success
from oadr_core.decisions import application_events
from oadr_core.machines.event import EVENT_AT_VTN, EventAtVtn, EventAtVtnInput
from oadr_core.messages import (
    CreatedEvent,
    EiEvent,
    EventResponse,
    EventStatus,
    Payload,
    RequestEvent,
    ResponseRequired,
)
from oadr_core.outputs import EventOffered, OptReceived, PeerMisbehaved
from oadr_core.state.opts import Scope
from oadr_core.state.vtn import EventRecord, Standing
from oadr_core.vtn.event_lists import (
    TELLINGS,
    by_event,
    has_to_see_it_gone,
    is_listed,
    left_out,
    ordered,
    seen_gone,
)
from oadr_core.vtn.profile_20a import why_unfit
from oadr_core.vtn.standings import Said, answered, answered_before, present_standing, told
from oadr_core.vtn.turn import Ask, Turn

# --- handing out -----------------------------------------------------------------------------------------------------


def request_event(turn: Turn, message: RequestEvent) -> None:
    """The VEN asks for all its events."""
    if "on_request_event" in turn.shared.asks:
        read = partial(application_events, entropy=turn.shared.entropy, now=turn.now)
        turn.question = Ask("on_request_event", {"ven_id": turn.ven().ven_id}, read, (), ())
    else:
        distribute(turn, message, message.reply_limit)


def take_request_event(turn: Turn, message: RequestEvent, decision: tuple[EiEvent, ...]) -> None:
    """The application may have had events for the VEN; they are in the list by now."""
    distribute(turn, message, message.reply_limit)


def listed(turn: Turn) -> list[EventRecord]:
    """The events that belong into the VEN's list now."""
    events = [] if turn.ven().report_only else turn.shared.events.of(turn.ven().ven_id)
    if not events:
        return []  # mostly so, and VENs poll all the time
    told = by_event(turn.ven().standings)
    return [one for one in events if is_listed(one, told.get(one.event_id), turn.now) and _has_words_for(turn, one)]


def departed(turn: Turn, present: Container[str]) -> list[Standing]:
    """What the VEN was told of and is no longer for it: its list has to lack these (rule 61).

    :param turn: the step.
    :param present: the ids of the events that are listed.
    """
    gone = [one for one in turn.ven().standings if one.event_id not in present and has_to_see_it_gone(one)]
    if not gone:
        return []
    book, ven_id = turn.shared.events, turn.ven().ven_id

    def is_for_it(event_id: str) -> bool:
        return book.is_for(ven_id, event_id) and _has_words_for(turn, book[event_id])

    return [one for one in gone if book.is_alive(one.event_id) and not is_for_it(one.event_id)]


def _has_words_for(turn: Turn, record: EventRecord) -> bool:
    return why_unfit(record.event, turn.ven().profile) is None


def distribute(turn: Turn, request: Payload | None, limit: int | None) -> None:
    """Hand out the list of events (rules 15, 27, 40 and 50).

    :param turn: the step.
    :param request: the request that this answers, or None for push.
    :param limit: how many events the VEN wants at most.
    """
    ven_id = turn.ven().ven_id
    events = ordered(listed(turn), turn.now)
    present = {one.event_id for one in events}
    whole = limit is None or len(events) <= limit
    events = events[:limit]
    response = None if request is None else response_to(request)
    turn.answer = turn.shared.documents.listing(events, ven_id, response, turn.now)
    if events:
        turn.events.append(EventOffered(ven_id=ven_id, event_ids=tuple(one.event_id for one in events)))
    standings = dict(by_event(turn.ven().standings))
    for one in events:
        after = told(one, standings.get(one.event_id), turn.now, turn.config.answer_timeout)
        pushed = request is None and one.event.response_required is ResponseRequired.NEVER
        standings[one.event_id] = _under_way(after) if pushed else after
    for standing in departed(turn, present) if whole else ():
        after = seen_gone(standing)
        standings[standing.event_id] = _under_way(after) if request is None else after
    kept = tuple(one for one in standings.values() if one.event_id in turn.shared.events)
    over = tuple(one if not whole or one.event_id in present else left_out(one) for one in kept)
    turn.change(durable=over != kept, standings=over)


def _under_way(standing: Standing) -> Standing:
    """What no answer confirms is pushed until a push has arrived, be it after a crash while one was under way."""
    return msgspec.structs.replace(standing, times=TELLINGS - 1) if standing.times == TELLINGS else standing


def arrived(turn: Turn) -> None:
    """A pushed list has arrived: what no answer confirms need not be told again."""
    standings = tuple(_heard(turn, one) for one in turn.ven().standings)
    if standings != turn.ven().standings:
        turn.change(durable=False, standings=standings)


def _heard(turn: Turn, standing: Standing) -> Standing:
    record = turn.shared.events.get(standing.event_id)
    unanswered = record is not None and record.event.response_required is ResponseRequired.NEVER
    if standing.state is EventAtVtn.LEFT or (unanswered and standing.times):
        return msgspec.structs.replace(standing, times=max(standing.times, TELLINGS))
    return standing


# --- answers ---------------------------------------------------------------------------------------------------------


def take_created_event(turn: Turn, message: CreatedEvent) -> None:
    """The VEN answers events (rules 16, 17, 25, 36 and 48)."""
    if not message.response.ok:
        text = f"{message.response.response_code} {message.response.response_description or ''}".strip()
        turn.events.append(PeerMisbehaved(who=turn.ven().ven_id, what=f"refused its events: {text}"))
    code = int(ResponseCode.OK)
    standings = dict(by_event(turn.ven().standings))
    for response in message.event_responses or ():
        record = _event_of(turn, response.event_id, standings)
        if record is None:
            code = code if code != ResponseCode.OK else ResponseCode.INVALID_ID
        elif record.modification_number != response.modification_number:
            code = ResponseCode.OUT_OF_SEQUENCE
            _take_outdated(turn, record, response, standings)
        else:
            _take_response(turn, record, response, standings)
    if tuple(standings.values()) != turn.ven().standings:
        turn.change(standings=tuple(standings.values()))
    unknown = "an event or its modification is not known"
    turn.acknowledge(message, code, None if code == ResponseCode.OK else unknown)


def _event_of(turn: Turn, event_id: str, standings: Mapping[str, Standing]) -> EventRecord | None:
    """Find an event of the VEN; it may be over, as answers can be late."""
    if event_id in standings or turn.shared.events.is_for(turn.ven().ven_id, event_id):
        return turn.shared.events.get(event_id)
    return None


def _take_response(
    turn: Turn, record: EventRecord, response: EventResponse, standings: MutableMapping[str, Standing]
) -> None:
    """The VEN answers one event."""
    before = standings.get(record.event_id)
    if not turn.shared.events.is_for(turn.ven().ven_id, record.event_id):
        return  # it was, and the answer has crossed with a change of its audience
    state = present_standing(record, before).state
    if state is EventAtVtn.GONE:
        return
    is_cancelled = record.event.event_descriptor.event_status is EventStatus.CANCELLED
    given = EventAtVtnInput.ACKNOWLEDGE if is_cancelled else EventAtVtnInput.ANSWER
    said = _said(response)
    ruling = turn.ven().opts.for_event(record.event_id, Scope())
    if ruling is not None and not is_cancelled and is_success(said.code):  # it decides who takes part, no more
        said = msgspec.structs.replace(said, opt_type=ruling.opt_type)  # rule 206
    after = answered(record, before, said, EVENT_AT_VTN.step(state, given), turn.now, turn.config.answer_timeout)
    if after == before:
        return
    standings[record.event_id] = after
    turn.events.append(opt_received(turn.ven().ven_id, after))
    opt: dict[str, object] = {"event_id": record.event_id, "opt_type": said.opt_type}
    turn.tell("on_created_event", opt)


def _take_outdated(
    turn: Turn, record: EventRecord, response: EventResponse, standings: MutableMapping[str, Standing]
) -> None:
    """The VEN answers a modification that is no more; that does not count, but an operator can see it."""
    standing = standings.get(record.event_id)
    if response.modification_number < record.modification_number and not _is_gone(standing):
        standings[record.event_id] = answered_before(
            record, standing, response.modification_number, _said(response), turn.now
        )


def _is_gone(standing: Standing | None) -> bool:
    return standing is not None and standing.state in (EventAtVtn.GONE, EventAtVtn.LEFT)


def _said(response: EventResponse) -> Said:
    return Said(response.opt_type, response.response_code, response.response_description)


def opt_received(ven_id: str, standing: Standing) -> OptReceived:
    """What is told of an answer to an event, however it came."""
    assert standing.opt_type is not None
    return OptReceived(
        ven_id=ven_id,
        event_id=standing.event_id,
        modification_number=standing.modification_number,
        opt_type=standing.opt_type,
        code=standing.code,
        late=standing.late and not standing.changed,
        instead_of=standing.earlier[-1].opt_type if standing.changed else None,
    )

"""EiOpt at a VTN: taking what a VEN says about its availability, and taking it back (section 8.5 of the profile)."""

from typing import Final

import msgspec

from oadr_core.answers import response_to
from oadr_core.codes import ResponseCode, is_success
from oadr_core.decisions import verdict
from oadr_core.messages import (
    CanceledOpt,
    CancelOpt,
    CreatedOpt,
    CreateOpt,
    EiResponse,
    EventStatus,
    ResponseRequired,
)
from oadr_core.outputs import OptCancelled, OptTaken
from oadr_core.rules import Severity, check
from oadr_core.state.opts import OptBook, Scope, foreign_targets, scope_of
from oadr_core.state.reports import digest
from oadr_core.texts import joined
from oadr_core.vtn.event_lists import by_event, status
from oadr_core.vtn.events import opt_received
from oadr_core.vtn.standings import Said, answered, present_standing
from oadr_core.vtn.turn import Ask, Turn

_FAILED: Final = EiResponse(
    response_code=ResponseCode.RESPONDER_ERROR, response_description="the VTN cannot take the opt now"
)
"""The verdict where the application fails: the VEN sends it again."""

_RECENT: Final = 32
"""How many requests are known again when they come once more."""

_Fault = tuple[int, str]
"""Why a request is refused: a code, and why in words."""

_RULES: Final = frozenset(f"R{number}" for number in range(200, 212))


# --- create ----------------------------------------------------------------------------------------------------------


def create_opt(turn: Turn, message: CreateOpt) -> None:
    """The VEN opts in or out, for an event or by a schedule (rules 200 to 210)."""
    if digest(message) in turn.ven().opts.taken:
        _created(turn, message)  # taken already; the answer was lost
    elif (fault := _fault_of(turn, message)) is not None:
        turn.refuse(message, *fault)
    else:
        arguments = {"ven_id": turn.ven().ven_id, "message": message}
        turn.question = Ask("on_create_opt", arguments, verdict, EiResponse(), _FAILED)


def take_opt(turn: Turn, message: CreateOpt, decision: EiResponse) -> None:
    """The application lets the VEN opt so, or will not (rules 201 and 206)."""
    if not decision.ok:
        turn.refuse(message, decision.response_code, decision.response_description or "the opt was not accepted")
        return
    fault = _fault_of(turn, message)  # the event may have changed meanwhile
    if fault is not None:
        turn.refuse(message, *fault)
        return
    book = turn.ven().opts.pruned(turn.now, turn.shared.events).with_opt(message)
    if _size(book) > turn.config.limits.opts:
        turn.refuse(message, ResponseCode.DEPLOYMENT_ERROR, "the opts of this VEN take up too much room")
        return
    turn.change(opts=_remembering(book, message))
    turn.events.append(OptTaken(ven_id=turn.ven().ven_id, message=message))
    if message.event_id is not None and scope_of(message) == Scope():
        _answer_event(turn, message, message.event_id)
    _created(turn, message)


def _created(turn: Turn, message: CreateOpt) -> None:
    turn.answer = CreatedOpt(response=response_to(message), opt_id=message.opt_id)


def _answer_event(turn: Turn, message: CreateOpt, event_id: str) -> None:
    """An opt for all resources of an event takes the place of the VEN's answer to it (rule 206).

    Not that of an error: what the VEN cannot carry out it does not, whatever it would like.
    """
    record = turn.shared.events[event_id]
    standings = dict(by_event(turn.ven().standings))
    before = present_standing(record, standings.get(event_id))
    if before.opt_type is not None and not is_success(before.code):
        return
    said = Said(message.opt_type)
    standings[event_id] = answered(record, before, said, before.state, turn.now, turn.config.answer_timeout)
    turn.change(standings=tuple(standings.values()))
    turn.events.append(opt_received(turn.ven().ven_id, standings[event_id]))


def _remembering(book: OptBook, message: CreateOpt | CancelOpt) -> OptBook:
    """Know a request again when it comes once more."""
    return msgspec.structs.replace(book, taken=(*book.taken[-(_RECENT - 1) :], digest(message)))


def _size(book: OptBook) -> int:
    return len(msgspec.msgpack.encode(book))


# --- what is wrong with one ------------------------------------------------------------------------------------------


def _fault_of(turn: Turn, message: CreateOpt) -> _Fault | None:
    """Why an opt cannot be taken, whatever the application says; None where it can."""
    if turn.ven().report_only:
        return ResponseCode.NOT_ALLOWED, "a report-only VEN has no EiOpt service"
    broken = [one for one in check(message) if one.severity is Severity.ERROR and one.rule in _RULES]
    if broken:
        return ResponseCode.COMPLIANCE_ERROR, str(broken[0])
    others = [one for one in message.target.ven_id if one != turn.ven().ven_id]
    if others:
        return ResponseCode.TARGET_MISMATCH, f"the target names {others[0]}, not this VEN"
    return None if message.event_id is None else _fault_for_event(turn, message, message.event_id)


def _fault_for_event(turn: Turn, message: CreateOpt, event_id: str) -> _Fault | None:
    """Why an opt for an event cannot be taken (rule 206)."""
    record = turn.shared.events.get(event_id)
    if record is None or not turn.shared.events.is_for(turn.ven().ven_id, event_id):
        return ResponseCode.INVALID_ID, f"the event {event_id} is not known"
    if message.modification_number != record.modification_number:
        return ResponseCode.OUT_OF_SEQUENCE, f"the event {event_id} has modification {record.modification_number}"
    if record.event.response_required is not ResponseRequired.ALWAYS:
        return ResponseCode.NOT_ALLOWED, f"the event {event_id} takes no answer"
    stands = status(record.event, turn.now)
    if stands in (EventStatus.CANCELLED, EventStatus.COMPLETED):
        return ResponseCode.NOT_ALLOWED, f"the event {event_id} is {stands}"
    foreign = foreign_targets(message, record.event)
    if foreign:
        return ResponseCode.TARGET_MISMATCH, f"the event {event_id} is not about this {joined(foreign)}"
    return None


# --- cancel ----------------------------------------------------------------------------------------------------------


def cancel_opt(turn: Turn, message: CancelOpt) -> None:
    """The VEN takes its schedules of an id back (rules 204 and 211)."""
    fault = _fault_of_cancel(turn, message)
    if message.request_id and digest(message) in turn.ven().opts.taken:
        _canceled(turn, message)  # done already, and the id may be in use again
    elif fault is not None:
        turn.refuse(message, *fault)
    elif not any(one.opt.opt_id == message.opt_id for one in turn.ven().opts.schedules):
        _canceled(turn, message)  # superseded, over, or cancelled before
    else:
        arguments = {"ven_id": turn.ven().ven_id, "message": message}
        turn.question = Ask("on_cancel_opt", arguments, verdict, EiResponse(), _FAILED)


def take_cancel_opt(turn: Turn, message: CancelOpt, decision: EiResponse) -> None:
    """The application lets the VEN take its schedules back, or will not."""
    if not decision.ok:
        text = decision.response_description or "the schedule cannot be cancelled"
        turn.refuse(message, decision.response_code, text)
        return
    fault = _fault_of_cancel(turn, message)
    if fault is not None:
        turn.refuse(message, *fault)
        return
    turn.change(opts=_remembering(turn.ven().opts.without(message.opt_id), message))
    turn.events.append(OptCancelled(ven_id=turn.ven().ven_id, opt_id=message.opt_id))
    _canceled(turn, message)


def _canceled(turn: Turn, message: CancelOpt) -> None:
    turn.answer = CanceledOpt(response=response_to(message), opt_id=message.opt_id)


def _fault_of_cancel(turn: Turn, message: CancelOpt) -> _Fault | None:
    book = turn.ven().opts
    if book.is_for_event(message.opt_id):
        return ResponseCode.NOT_ALLOWED, f"{message.opt_id} was used for an event, which is not cancelled (rule 211)"
    if not book.is_known(message.opt_id):
        return ResponseCode.INVALID_ID, f"the optID {message.opt_id} is not known"
    return None

"""What there is for a VEN: handing it out when it polls or by push, and taking the answers (section 8.6)."""

from collections.abc import Container, Mapping, Sequence, Set
from datetime import datetime

import msgspec

from oadr_core.answers import response_in, response_to
from oadr_core.codes import ResponseCode
from oadr_core.decisions import PollDecision, poll_decision
from oadr_core.machines.delivery import DELIVERY, Delivery, DeliveryInput
from oadr_core.machines.event import EVENT_AT_VTN, EventAtVtn, EventAtVtnInput
from oadr_core.machines.exchange import Failure
from oadr_core.machines.operations import VTN_OPERATIONS
from oadr_core.machines.report import ReportAtRequester
from oadr_core.messages import (
    CancelReport,
    CreatedReport,
    CreateReport,
    DistributeEvent,
    Payload,
    Poll,
    RegisterReport,
    Response,
    ResponseRequired,
    TransportName,
    UpdateReport,
)
from oadr_core.outputs import ExchangeAbandoned, PeerMisbehaved, TicketId
from oadr_core.state.vtn import EventRecord, QueuedMessage, QueuedOperation, Standing
from oadr_core.vtn.event_lists import TELLINGS, by_event, has_to_be_told, is_awaited, is_pending
from oadr_core.vtn.events import departed, distribute, listed
from oadr_core.vtn.pushing import Carried, contents
from oadr_core.vtn.reports import note_queued, undeliverable
from oadr_core.vtn.turn import Ask, Turn

# --- handing out -----------------------------------------------------------------------------------------------------


def poll(turn: Turn, message: Poll) -> None:
    """Hand out one thing, or say that there is none (rule 500); not over XMPP (rule 507, decision D25)."""
    if turn.transport is TransportName.XMPP:
        turn.refuse(message, ResponseCode.COMPLIANCE_ERROR, "there are no polls over XMPP")
        return
    hand(turn, message)
    if turn.answer is None and not turn.ven().queue and "on_poll" in turn.shared.asks:
        read = poll_decision(turn.shared.entropy, turn.now)
        turn.question = Ask("on_poll", {"ven_id": turn.ven().ven_id}, read, PollDecision(), PollDecision())
    elif turn.answer is None:
        turn.acknowledge(message)


def take_poll(turn: Turn, message: Poll, decision: PollDecision) -> None:
    """The application may have had something for the VEN; its events are in the list by now."""
    for one in decision.messages:
        queue(turn, one)
    hand(turn, message)
    if turn.answer is None:
        turn.acknowledge(message)


def hand(turn: Turn, request: Payload | None, aside: Set[Carried] = frozenset()) -> None:
    """Choose what to hand out: control of the registration, own metadata, events, then the rest in order.

    What was handed out in vain must not hold up what was not: metadata that have had their turn have no more precedence
    over events, and events that the VEN does not answer none over what waits.

    :param turn: the step.
    :param request: the poll that asks, or None for push.
    :param aside: what is not handed out at present, as it failed.
    """
    record, events = turn.ven(), listed(turn)
    if not (record.queue or events or record.standings):
        return  # mostly so, and VENs poll all the time
    _give_up_unanswered(turn)
    waiting = [one for one in turn.ven().queue if not _is_offered(turn, one)]
    ready = _ready(waiting, aside)
    urgent = [one for one in ready if VTN_OPERATIONS[type(one.message)].urgent]
    if urgent:
        _hand_out(turn, urgent[0])
        return
    told = by_event(record.standings)
    patience = turn.config.answer_timeout
    if request is not None and (
        len(waiting) < len(turn.ven().queue)
        or any(is_awaited(one, told.get(one.event_id), turn.now, patience) for one in events)
    ):
        return  # an answer is outstanding (decision D19); where we push, nobody has to ask again for what comes next
    metadata = [one for one in ready if isinstance(one.message, RegisterReport) and one.state is Delivery.QUEUED]
    due = [one for one in events if has_to_be_told(one, told.get(one.event_id), turn.now, patience)]
    gone = departed(turn, {one.event_id for one in events})
    is_aside = bool(aside) and contents(one.event for one in events) in aside
    overdue = None if gone else _overdue_since(due, told)
    if metadata:
        _hand_out(turn, metadata[0])
    elif (gone or due) and not is_aside and not (overdue and ready and (ready[0].until or overdue) <= overdue):
        distribute(turn, request, None)
    elif ready:
        _hand_out(turn, ready[0])


def _overdue_since(due: Sequence[EventRecord], told: Mapping[str, Standing]) -> datetime | None:
    """Since when a VEN has had time to answer its events, if they are told again for nothing else."""
    standings = [told.get(one.event_id) for one in due]
    if any(one is None or one.state is not EventAtVtn.TOLD or one.left_out for one in standings):
        return None
    if any(one.event.response_required is not ResponseRequired.ALWAYS for one in due):
        return None
    return min((one.until for one in standings if one is not None and one.until is not None), default=None)


def _ready(waiting: Sequence[QueuedOperation], aside: Set[Carried]) -> list[QueuedOperation]:
    """What may be handed out of what waits: what is not set aside, and not about what an earlier such one is about."""
    ready: list[QueuedOperation] = []
    held: set[str] = set()
    for one in waiting:
        subjects = _subjects(one.message)
        if one.id in aside or not held.isdisjoint(subjects):
            held |= subjects
        else:
            ready.append(one)
    return ready


def _subjects(message: Payload) -> set[str]:
    """The reports that an operation is about; what is about the same stays in order, as a cancel after its request."""
    if isinstance(message, CreateReport):
        return {one.report_request_id for one in message.report_requests}
    if isinstance(message, CancelReport):
        return set(message.report_request_id)
    if isinstance(message, UpdateReport):
        return {f"ours: {one.report_request_id}" for one in message.reports}
    return {"metadata"} if isinstance(message, RegisterReport) else set()


def _give_up_unanswered(turn: Turn) -> None:
    """Ask no more what a VEN has been handed time and again, and has not answered: it is there, as it polls."""
    for one in turn.ven().queue:
        if one.state is Delivery.OFFERED and one.times >= turn.config.tries and not _is_offered(turn, one):
            give_up(turn, one.id, Failure.SILENCE)


def _is_offered(turn: Turn, operation: QueuedOperation) -> bool:
    """Whether an operation was handed out, and its answer is still awaited."""
    return operation.state is Delivery.OFFERED and is_pending(operation.until, turn.now, turn.config.answer_timeout)


def _hand_out(turn: Turn, operation: QueuedOperation) -> None:
    """Hand an operation out; it stays queued until it is answered."""
    turn.answer = operation.message
    state = operation.state
    if state is Delivery.OFFERED:  # its time has passed, else it would not be handed out
        state = DELIVERY.step(state, DeliveryInput.EXPIRE)
    state = DELIVERY.step(state, DeliveryInput.OFFER)
    until = turn.now + turn.config.answer_timeout
    offered = msgspec.structs.replace(operation, state=state, until=until, times=operation.times + 1)
    turn.change(durable=False, queue=tuple(offered if one is operation else one for one in turn.ven().queue))


# --- queueing --------------------------------------------------------------------------------------------------------


def queue(turn: Turn, message: QueuedMessage) -> None:
    """The application wants something of the VEN; control of its registration waits there once, however often asked."""
    if VTN_OPERATIONS[type(message)].urgent and any(type(one.message) is type(message) for one in turn.ven().queue):
        return
    turn.change(queue=(*turn.ven().queue, QueuedOperation(id=turn.new_id(), message=message)))
    note_queued(turn, message)


def push_failed(turn: Turn, message: Payload | None) -> None:
    """What was handed out did not get through: it waits to be handed out again.

    :param turn: the step.
    :param message: what was pushed.
    """
    operations = tuple(
        msgspec.structs.replace(
            one, state=DELIVERY.step(one.state, DeliveryInput.EXPIRE), until=None, times=max(0, one.times - 1)
        )
        if one.state is Delivery.OFFERED
        else one
        for one in turn.ven().queue
    )
    turn.change(durable=False, queue=operations)
    if isinstance(message, DistributeEvent):
        listed = {one.event_descriptor.event_id for one in message.events}
        turn.change(durable=False, standings=tuple(_not_told(one, listed) for one in turn.ven().standings))


def _not_told(standing: Standing, listed: Container[str]) -> Standing:
    """Take back what was noted of a list that did not arrive, or what is told only a few times would be lost."""
    if standing.state is EventAtVtn.TOLD and standing.event_id in listed:
        state, times = EVENT_AT_VTN.step(standing.state, EventAtVtnInput.EXPIRE), standing.times - 1
        told_at = standing.told_at if times else None  # no answer is late before the VEN could give one
        return msgspec.structs.replace(standing, state=state, until=None, times=times, told_at=told_at)
    if standing.state is EventAtVtn.LEFT and standing.times < TELLINGS:
        return msgspec.structs.replace(standing, times=0)
    return standing


def give_up(turn: Turn, operation: str, why: Failure) -> None:
    """Withdraw an operation that the VEN does not take, with all that was to come of it, and say so.

    :param turn: the step.
    :param operation: its id; nothing happens where it has left the queue.
    :param why: why it last failed.
    """
    given_up = [one.message for one in turn.ven().queue if one.id == operation]
    turn.withdraw(lambda one: one.id == operation)
    undeliverable(turn, given_up)
    ven_id = turn.ven().ven_id
    turn.events += [ExchangeAbandoned(ticket=TicketId(0), request=one, why=why, ven_id=ven_id) for one in given_up]


# --- answers ---------------------------------------------------------------------------------------------------------


def acknowledge_answer(turn: Turn, message: Payload) -> None:
    """A pull VEN has answered an operation by a request of its own, which needs an answer as well (rule 500)."""
    if isinstance(message, Response):
        turn.answer = None  # an empty 200 (decision D53)
    elif turn.record is None:
        turn.answer = Response(response=response_to(message))
    elif turn.answer is None:
        turn.acknowledge(message)


def settle(turn: Turn, message: Payload, pushed: Payload | None) -> Payload | None:
    """Take what an answer is about from the queue.

    :param turn: the step.
    :param message: the answer.
    :param pushed: what it answers, where it came in the response to a push.
    :returns: what it is about, or None if that cannot be told.
    """
    operation = _find(turn, message, pushed)
    if operation is not None:
        DELIVERY.step(operation.state, DeliveryInput.ANSWER)
        turn.change(queue=tuple(one for one in turn.ven().queue if one is not operation))
    response = response_in(message)
    if response is not None and not response.ok:
        text = f"{response.response_code} {response.response_description or ''}".strip()
        what = f"refused with {message.message_type()}: {text}"
        turn.events.append(PeerMisbehaved(who=turn.ven().ven_id, what=what, code=response.response_code))
    return None if operation is None else operation.message


def _find(turn: Turn, message: Payload, pushed: Payload | None) -> QueuedOperation | None:
    """Find what an answer is about: what was pushed; or what is offered, of that kind first; or what waits."""
    queued = turn.ven().queue
    if pushed is not None:
        return next((one for one in queued if one.message == pushed), None)
    fitting = [
        one
        for one in queued
        if VTN_OPERATIONS[type(one.message)].answer is type(message)
        and not _is_about_metadata(turn, message, one.message)
    ]
    if not fitting and isinstance(message, Response):
        return next((one for one in queued if one.state is Delivery.OFFERED), None)
    offered = [one for one in fitting if one.state is Delivery.OFFERED]
    named = next((one for one in offered if _is_named(message, one.message)), None)
    return (
        named or next(iter(offered), None) or next((one for one in fitting if _may_answer(message, one.message)), None)
    )


def _may_answer(message: Payload, operation: Payload) -> bool:
    """Whether an answer may be that to an operation of which nobody knows that it was handed out: a restart forgets it.

    It names it then (rule 303). An answer that comes again, as its own was lost, is about one that has left the queue:
    what waits must not be taken for delivered by it. An oadrCreatedReport also lists what it has accepted.
    """
    if _is_named(message, operation):
        return True
    if not isinstance(message, CreatedReport) or not isinstance(operation, CreateReport):
        return False
    wanted = {one.report_request_id for one in operation.report_requests}
    return not wanted.isdisjoint(message.pending_reports)


def _is_about_metadata(turn: Turn, message: Payload, operation: Payload) -> bool:
    """Whether an oadrCreatedReport confirms what was asked for in the answer to metadata (rule 344), and not a request.

    It may come while a request is under way: it lists then what was asked for by the way, and not what that asks for.
    """
    if not isinstance(message, CreatedReport) or not message.response.ok or _may_answer(message, operation):
        return False
    by_the_way = (one for one in turn.ven().requests if one.by_the_way and one.state is ReportAtRequester.ASKED)
    return any(one.request_id in message.pending_reports for one in by_the_way)


def _is_named(message: Payload, operation: Payload) -> bool:
    """Whether an answer repeats the requestID of an operation, or that has none."""
    request_id, response = getattr(operation, "request_id", None), response_in(message)
    return request_id is None or (response is not None and response.request_id == request_id)


def nothing_more(turn: Turn, message: Payload, operation: Payload | None) -> None:
    """The answer says all."""

"""What there is for a VEN: handing it out when it polls or by push, and taking the answers (section 8.6)."""

from collections.abc import Container

import msgspec

from oadr_core.answers import response_in, response_to
from oadr_core.codes import ResponseCode
from oadr_core.decisions import PollDecision, poll_decision
from oadr_core.machines.delivery import DELIVERY, Delivery, DeliveryInput
from oadr_core.machines.event import EVENT_AT_VTN, EventAtVtn, EventAtVtnInput
from oadr_core.machines.operations import VTN_OPERATIONS
from oadr_core.messages import (
    CreatedReport,
    CreateReport,
    DistributeEvent,
    Payload,
    Poll,
    RegisterReport,
    Response,
    TransportName,
)
from oadr_core.outputs import PeerMisbehaved
from oadr_core.state.vtn import QueuedMessage, QueuedOperation, Standing
from oadr_core.vtn.event_lists import TELLINGS, by_event, has_to_be_told, is_awaited, is_pending
from oadr_core.vtn.events import departed, distribute, listed
from oadr_core.vtn.reports import note_queued, refused_by_push
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


def hand(turn: Turn, request: Payload | None) -> None:
    """Choose what to hand out: control of the registration, own metadata, events, then the rest in order.

    :param turn: the step.
    :param request: the poll that asks, or None for push.
    """
    record, events = turn.ven(), listed(turn)
    if not (record.queue or events or record.standings):
        return  # mostly so, and VENs poll all the time
    waiting = [one for one in record.queue if not _is_offered(turn, one)]
    urgent = [one for one in waiting if VTN_OPERATIONS[type(one.message)].urgent]
    if urgent:
        _hand_out(turn, urgent[0])
        return
    told = by_event(record.standings)
    patience = turn.config.answer_timeout
    awaited = any(is_awaited(one, told.get(one.event_id), turn.now, patience) for one in events)
    if awaited or len(waiting) < len(record.queue):
        return  # an answer is outstanding (decision D19)
    metadata = [one for one in waiting if isinstance(one.message, RegisterReport)]
    if metadata:
        _hand_out(turn, metadata[0])
    elif departed(turn, {one.event_id for one in events}) or any(
        has_to_be_told(one, told.get(one.event_id), turn.now, patience) for one in events
    ):
        distribute(turn, request, None)
    elif waiting:
        _hand_out(turn, waiting[0])


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
    offered = msgspec.structs.replace(operation, state=state, until=turn.now + turn.config.answer_timeout)
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
        msgspec.structs.replace(one, state=DELIVERY.step(one.state, DeliveryInput.EXPIRE), until=None)
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


def push_refused(turn: Turn) -> None:
    """What was handed out is withdrawn; events are handed out anew, with new times, when their answer is overdue."""
    refused = [one.message for one in turn.ven().queue if one.state is Delivery.OFFERED]
    turn.withdraw(lambda one: one.state is Delivery.OFFERED)
    refused_by_push(turn, refused)


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
    fitting = [one for one in queued if VTN_OPERATIONS[type(one.message)].answer is type(message)]
    if not fitting and isinstance(message, Response):
        return next((one for one in queued if one.state is Delivery.OFFERED), None)
    offered = next((one for one in fitting if one.state is Delivery.OFFERED), None)
    return offered or next((one for one in fitting if _may_answer(message, one.message)), None)


def _may_answer(message: Payload, operation: Payload) -> bool:
    """Whether an answer may be that to an operation of which nobody knows that it was handed out: a restart forgets it.

    An oadrCreatedReport may also answer requests that came by the way (rule 344), and then says nothing of others.
    """
    if not isinstance(message, CreatedReport) or not isinstance(operation, CreateReport):
        return True
    wanted = {one.report_request_id for one in operation.report_requests}
    return message.response.request_id == operation.request_id or not wanted.isdisjoint(message.pending_reports)


def nothing_more(turn: Turn, message: Payload, operation: Payload | None) -> None:
    """The answer says all."""

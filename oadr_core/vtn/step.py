"""Which input, request, decision or answer leads where."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from oadr_core.answers import in_kind
from oadr_core.clock import Now
from oadr_core.codes import ResponseCode
from oadr_core.messages import (
    CanceledPartyRegistration,
    CanceledReport,
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedReport,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    EiResponse,
    Payload,
    Poll,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    Response,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.state.vtn import VenRecord
from oadr_core.vtn import delivery, events, opts, registration, reports
from oadr_core.vtn.turn import (
    Answered,
    Asked,
    Decided,
    Hand,
    Input,
    Made,
    Offer,
    PushFailed,
    PushRefused,
    Queue,
    Shared,
    Step,
    Turn,
)


def step(record: VenRecord | None, given: Input, shared: Shared, now: Now) -> Step:
    """Take one input of one VEN.

    :param record: what is known of the VEN, or None.
    :param given: what has happened.
    :param shared: what may be looked at.
    :param now: the present.
    """
    turn = Turn(record, shared, now)
    _TAKE_INPUT[type(given)](turn, given)
    return turn.result()


def _asked(turn: Turn, given: Asked) -> None:
    """The VEN sends a request."""
    turn.identity, turn.profile, turn.key = given.identity, given.profile, given.key
    turn.signer, turn.transport = given.signer, given.transport
    message = given.message
    take = _TAKE_REQUEST.get(type(message))
    if take is None and type(message) not in _TAKE_ANSWER:
        text = f"a VTN does not take {message.message_type()}"
        turn.refuse(message, ResponseCode.COMPLIANCE_ERROR, text)
    elif turn.record is None and _must_be_registered(message):
        registration.look_up(turn, message)
    elif take is not None:
        if turn.record is not None:
            reports.expire(turn)
        take(turn, message)
    else:
        _settle(turn, message)
        if turn.question is None:
            delivery.acknowledge_answer(turn, message)


def _must_be_registered(message: Payload) -> bool:
    if isinstance(message, CreatePartyRegistration):
        return bool(message.registration_id)
    return not isinstance(message, QueryRegistration)


def _decided(turn: Turn, given: Decided) -> None:
    """The application has decided."""
    turn.identity, turn.profile, turn.signer = given.identity, given.profile, given.signer
    turn.key, turn.found = given.key, given.found
    message = given.message
    if given.handler == "ven_lookup":
        if registration.take_lookup(turn, message, given.decision):
            _asked(turn, Asked(message, given.identity, given.profile, given.key, given.signer))
    elif turn.record is None and type(message) not in (CreatePartyRegistration, QueryRegistration):
        turn.refuse(message, ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, "the registration has ended")
    else:
        _TAKE_DECISION[given.handler](turn, message, given.decision)
        if given.pushed:
            _push_answer(turn)


def _answered(turn: Turn, given: Answered) -> None:
    """A push VEN has answered in the response; events it answers later, by a request of its own."""
    message = Response(response=EiResponse()) if given.message is None else given.message
    if turn.record is not None and isinstance(given.operation, DistributeEvent):
        events.arrived(turn)
    if turn.record is not None and type(message) in _TAKE_ANSWER and not isinstance(given.operation, DistributeEvent):
        _settle(turn, message, given.operation)
        _push_answer(turn)


def _push_answer(turn: Turn) -> None:
    """What is said to requests by the way (rule 344) goes by a push of its own."""
    if isinstance(turn.answer, CreatedReport):
        delivery.queue(turn, turn.answer)
    turn.answer = None


def _settle(turn: Turn, message: Payload, pushed: Payload | None = None) -> None:
    """Take an answer to an operation; a plain oadrResponse can answer any (decision D14)."""
    operation = delivery.settle(turn, message, pushed)
    if operation is not None and isinstance(message, Response):
        message = in_kind(operation, message)
    _TAKE_ANSWER[type(message)](turn, message, operation)


def _queue(turn: Turn, given: Queue) -> None:
    """The application wants something of the VEN."""
    delivery.queue(turn, given.message)


def _hand(turn: Turn, given: Hand) -> None:
    """A push VEN is free."""
    if turn.record is not None:
        delivery.hand(turn, None, given.aside)


def _offer(turn: Turn, given: Offer) -> None:
    """We have something to report, or something else than before."""
    reports.offer(turn, turn.shared.offers, given.report_request_id)


def _made(turn: Turn, given: Made) -> None:
    """A report for the VEN was made."""
    if given.report is not None:
        message = UpdateReport(request_id=turn.new_id(), reports=(given.report,), ven_id=turn.ven().ven_id)
        delivery.queue(turn, message)
    reports.note_made(turn, given.report_request_id, made=given.made, last=given.last, until=given.until)


def _push_failed(turn: Turn, given: PushFailed) -> None:
    """What was handed to a push VEN did not get through."""
    if turn.record is not None:
        delivery.push_failed(turn, given.message)


def _push_refused(turn: Turn, given: PushRefused) -> None:
    """A push VEN finds an operation unacceptable, or never takes it."""
    if turn.record is not None:
        delivery.give_up(turn, given.operation, given.why)


_TAKE_INPUT: Final[Mapping[type, Callable[[Turn, Any], None]]] = {
    Asked: _asked,
    Decided: _decided,
    Answered: _answered,
    Queue: _queue,
    Offer: _offer,
    Made: _made,
    Hand: _hand,
    PushFailed: _push_failed,
    PushRefused: _push_refused,
}

_TAKE_REQUEST: Final[Mapping[type[Payload], Callable[[Turn, Any], None]]] = {
    QueryRegistration: registration.query,
    CreatePartyRegistration: registration.register,
    CancelPartyRegistration: registration.deregister,
    Poll: delivery.poll,
    RequestEvent: events.request_event,
    CreatedEvent: events.take_created_event,
    RegisterReport: reports.register_report,
    UpdateReport: reports.update_report,
    CreateReport: reports.take_requests,
    CancelReport: reports.cancel_requests,
    CreateOpt: opts.create_opt,
    CancelOpt: opts.cancel_opt,
}
"""What to do with each request of a VEN."""

_TAKE_DECISION: Final[Mapping[str, Callable[[Turn, Any, Any], None]]] = {
    "on_query_registration": registration.take_query,
    "on_create_party_registration": registration.take_registration,
    "on_register_report": reports.take_offers,
    "on_update_report": reports.take_reports,
    "on_create_report": reports.decide_requests,
    "on_create_opt": opts.take_opt,
    "on_cancel_opt": opts.take_cancel_opt,
    "on_request_event": events.take_request_event,
    "on_poll": delivery.take_poll,
}
"""What to do with each decision of the application, by the handler that was asked."""

_TAKE_ANSWER: Final[Mapping[type[Payload], Callable[[Turn, Any, Payload | None], None]]] = {
    CreatedReport: reports.take_created_report,
    CanceledReport: reports.take_canceled_report,
    RegisteredReport: reports.take_registered_report,
    CanceledPartyRegistration: registration.take_canceled,
    UpdatedReport: reports.take_updated_report,
    Response: delivery.nothing_more,
}
"""What to do with each answer of a VEN to what it was asked."""

"""Reports: the offers of a VEN, what it is asked for, and what it delivers (section 8.3 of the profile)."""

from datetime import timedelta
from typing import Final

import msgspec

from oadr_core.answers import response_to
from oadr_core.codes import ResponseCode
from oadr_core.decisions import report_requests, verdict
from oadr_core.machines.report import REPORT_AT_REQUESTER, ReportAtRequester, ReportAtRequesterInput
from oadr_core.messages import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    EiResponse,
    Payload,
    RegisteredReport,
    RegisterReport,
    ReportRequest,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.offers import METADATA
from oadr_core.outputs import ReportsReceived
from oadr_core.rules import check
from oadr_core.state.vtn import QueuedOperation, RequestedReport, digest, pack_offers
from oadr_core.vtn.turn import Ask, Notice, Turn

_NOT_TAKEN: Final = EiResponse(
    response_code=ResponseCode.RESPONDER_ERROR, response_description="the VTN failed to take the report"
)

_FORMER: Final = 16
"""How many ended report requests a record remembers, to take data that were under way."""

_MOST_METADATA: Final = 16
"""How many requests of a VEN for the VTN's metadata may wait to be answered."""

_RECENT: Final = 8
"""How many delivered reports a record remembers, to know one that comes again."""


# --- offers ----------------------------------------------------------------------------------------------------------


def register_report(turn: Turn, message: RegisterReport) -> None:
    """The VEN says all that it can report (rule 306)."""
    if turn.ven().offered_with == digest(message):
        _registered(turn, message)  # the answer was lost, and the request came again
        return
    arguments = {"ven_id": turn.ven().ven_id, "message": message}
    turn.question = Ask("on_register_report", arguments, report_requests, (), None)


def take_offers(turn: Turn, message: RegisterReport, decision: tuple[ReportRequest, ...] | None) -> None:
    """The application says which of the reports it wants."""
    if decision is None:
        turn.refuse(message, ResponseCode.RESPONDER_ERROR, "the VTN failed to take the offers")
        return
    if message.report_request_id:
        move_requests(turn, {message.report_request_id}, ReportAtRequesterInput.END)
    for_metadata = {
        one.request.report_request_id
        for one in turn.ven().requests
        if one.request.report_specifier.report_specifier_id == METADATA
    }
    replaced = {one.request.report_request_id for one in turn.ven().requests} - for_metadata
    move_requests(turn, replaced, ReportAtRequesterInput.REPLACE)
    turn.change(
        offers=pack_offers(message.reports),
        offered_with=digest(message),
        requests=(*turn.ven().requests, *(RequestedReport(request=request) for request in decision)),
    )
    turn.withdraw(lambda one: _about(one.message, replaced))
    _registered(turn, message)


def _registered(turn: Turn, message: RegisterReport) -> None:
    """Answer metadata, with the requests that came of them (rule 344)."""
    wanted = tuple(
        one.request
        for one in turn.ven().requests
        if one.request.report_specifier.report_specifier_id != METADATA and not _is_queued(turn, one.request)
    )
    turn.answer = RegisteredReport(response=response_to(message), report_requests=wanted, ven_id=turn.ven().ven_id)


def _is_queued(turn: Turn, request: ReportRequest) -> bool:
    """Whether a request goes its own way, as oadrCreateReport."""
    return any(
        isinstance(one.message, CreateReport) and request in one.message.report_requests for one in turn.ven().queue
    )


# --- deliveries ------------------------------------------------------------------------------------------------------


def update_report(turn: Turn, message: UpdateReport) -> None:
    """The VEN delivers reports (rules 304 and 346)."""
    if digest(message) in turn.ven().recent:
        _updated(turn, message, ())  # taken already; the answer was lost
        return
    if check(message, "D49"):
        turn.refuse(message, ResponseCode.INVALID_DATA, "numbers are finite")
        return
    known = {one.request.report_request_id for one in (*turn.ven().requests, *turn.ven().former)}
    taken = tuple(one for one in message.reports if one.report_request_id in known)
    unknown = tuple(one.report_request_id for one in message.reports if one.report_request_id not in known)
    if not taken:
        _updated(turn, message, unknown)
        return
    arguments = {"ven_id": turn.ven().ven_id, "message": msgspec.structs.replace(message, reports=taken)}
    turn.question = Ask("on_update_report", arguments, verdict, EiResponse(), _NOT_TAKEN)


def take_reports(turn: Turn, message: UpdateReport, decision: EiResponse) -> None:
    """The application has taken the reports, or will not."""
    if not decision.ok:
        turn.refuse(message, decision.response_code, decision.response_description or "the report was not taken")
        return
    known = {one.request.report_request_id: one.request for one in (*turn.ven().requests, *turn.ven().former)}
    delivered = {one.report_request_id for one in message.reports}
    once = {key for key in delivered & set(known) if _is_one_shot(known[key])}
    move_requests(turn, delivered - once, ReportAtRequesterInput.CONFIRM)
    move_requests(turn, once, ReportAtRequesterInput.END)
    turn.change(recent=(*turn.ven().recent[-(_RECENT - 1) :], digest(message)))
    turn.events.append(ReportsReceived(ven_id=turn.ven().ven_id, message=message))
    _updated(turn, message, tuple(delivered - set(known)))


def _updated(turn: Turn, message: UpdateReport, unknown: tuple[str, ...]) -> None:
    """Answer reports."""
    code = ResponseCode.INVALID_ID if unknown else ResponseCode.OK
    text = f"unknown reportRequestID {', '.join(unknown)}" if unknown else None
    turn.answer = UpdatedReport(response=response_to(message, code, text), ven_id=turn.ven().ven_id)


# --- requests --------------------------------------------------------------------------------------------------------


def move_requests(turn: Turn, request_ids: set[str], given: ReportAtRequesterInput) -> None:
    """Move report requests; data that were under way when one ended are still taken."""
    requests: list[RequestedReport] = []
    former = list(turn.ven().former)
    for one in turn.ven().requests:
        state = one.state
        if one.request.report_request_id in request_ids:
            state = REPORT_AT_REQUESTER.step(one.state, given)
        moved = one if state is one.state else msgspec.structs.replace(one, state=state)
        (former if state is ReportAtRequester.ENDED else requests).append(moved)
    if tuple(requests) != turn.ven().requests:
        turn.change(requests=tuple(requests), former=tuple(former[-_FORMER:]))


def take_requests(turn: Turn, message: CreateReport) -> None:
    """The VEN asks for reports: for the VTN's metadata, which it gets, or for others, which are not offered."""
    asked = dict.fromkeys(one.report_request_id for one in message.report_requests)
    own = [one.message for one in turn.ven().queue if isinstance(one.message, RegisterReport)]
    waiting = [one.report_request_id for one in own if one.report_request_id is not None]
    new = [one for one in asked if one not in waiting]  # the request may have come again, as its answer was lost
    if any(one.report_specifier.report_specifier_id != METADATA for one in message.report_requests):
        refuse_report(turn, message)
    elif len(own) + len(new) > _MOST_METADATA:
        turn.refuse(message, ResponseCode.DEPLOYMENT_ERROR, "too many requests for metadata wait to be answered")
    else:
        pending = (*waiting, *new)  # all that are due, not only these (rule 329)
        turn.answer = CreatedReport(response=response_to(message), pending_reports=pending, ven_id=turn.ven().ven_id)
        for request_id in new:  # periodic requests count as made once, as there is nothing to report (rule 510)
            answer = RegisterReport(
                request_id=turn.new_id(),
                reports=turn.config.reports,
                ven_id=turn.ven().ven_id,
                report_request_id=request_id,
            )
            turn.change(queue=(*turn.ven().queue, QueuedOperation(id=turn.new_id(), message=answer)))


def refuse_report(turn: Turn, message: CreateReport | CancelReport) -> None:
    """The VEN asks for reports that the VTN does not offer, or cancels some that were never asked for."""
    turn.refuse(message, ResponseCode.INVALID_ID, "this VTN does not offer such a report")


def take_created_report(turn: Turn, message: CreatedReport, operation: Payload | None) -> None:
    """The VEN says which reports are pending (rule 329)."""
    asked = {one.request.report_request_id for one in turn.ven().requests if one.state is ReportAtRequester.ASKED}
    if isinstance(operation, CreateReport):
        asked &= {one.report_request_id for one in operation.report_requests}
    pending = set(message.pending_reports)
    refused = set() if message.response.ok else asked - pending
    move_requests(turn, asked - refused, ReportAtRequesterInput.CONFIRM)
    move_requests(turn, refused, ReportAtRequesterInput.REFUSE)
    turn.notices.append(Notice("on_created_report", {"ven_id": turn.ven().ven_id, "message": message}))


def take_canceled_report(turn: Turn, message: CanceledReport, operation: Payload | None) -> None:
    """The VEN confirms a cancel; with a report to follow the request lives on until that is here (rule 345)."""
    if isinstance(operation, CancelReport) and not operation.report_to_follow:
        known = {one.request.report_request_id for one in turn.ven().requests}
        ended = known & set(operation.report_request_id)
        move_requests(turn, ended, ReportAtRequesterInput.CONFIRM_CANCEL)


def take_registered_report(turn: Turn, message: RegisteredReport, operation: Payload | None) -> None:
    """The VEN has taken the VTN's metadata, and may want reports at once (rule 344)."""
    if message.report_requests:
        code, text = ResponseCode.INVALID_ID, "this VTN does not offer such a report"
        turn.answer = CreatedReport(response=response_to(message, code, text), ven_id=turn.ven().ven_id)
    turn.notices.append(Notice("on_registered_report", {"ven_id": turn.ven().ven_id, "message": message}))


def _is_one_shot(request: ReportRequest) -> bool:
    return request.report_specifier.report_back_duration == timedelta(0)


def _about(message: Payload, request_ids: set[str]) -> bool:
    """Whether a queued message is about report requests that are no more."""
    if isinstance(message, CreateReport):
        return all(one.report_request_id in request_ids for one in message.report_requests)
    return isinstance(message, CancelReport) and set(message.report_request_id) <= request_ids

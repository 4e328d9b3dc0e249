"""EiReport at a VTN, which asks its VENs for reports, and reports to them.

What is asked and answered is the same as at a VEN, and is decided in :mod:`oadr_core.reports`; here it is put into the
record of the VEN, and into its queue.
"""

from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from oadr_core.answers import response_to
from oadr_core.codes import ResponseCode
from oadr_core.decisions import EndReports, report_requests, taking, verdict
from oadr_core.machines.delivery import Delivery
from oadr_core.machines.report import ReportAtRequester, ReportAtRequesterInput
from oadr_core.messages import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    EiResponse,
    Payload,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportRequest,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.outputs import PeerMisbehaved, ReportDropped, ReportEnded, ReportGap, ReportRequested, ReportsReceived
from oadr_core.reports import Examined, Requester, Source, is_over
from oadr_core.state.reports import pack_offers
from oadr_core.state.vtn import QueuedMessage, QueuedOperation
from oadr_core.texts import joined
from oadr_core.vtn.turn import Ask, Turn

_RECENT: Final = 8
"""How many cancels a record remembers among the deliveries, to know one that comes again."""

_NOT_TAKEN: Final = EiResponse(
    response_code=ResponseCode.RESPONDER_ERROR, response_description="the VTN failed to take the report"
)

_NOT_DECIDED: Final = EiResponse(
    response_code=ResponseCode.RESPONDER_ERROR, response_description="the VTN failed to decide about the report"
)


# --- the VEN's offers ------------------------------------------------------------------------------------------------


def register_report(turn: Turn, message: RegisterReport) -> None:
    """The VEN says all that it can report (rule 306)."""
    if Requester(turn.ven()).has_taken(message):
        _registered(turn, message)  # the answer was lost, and the request came again
        return
    if len(pack_offers(message.reports)) > turn.config.limits.offered:
        turn.refuse(message, ResponseCode.DEPLOYMENT_ERROR, "the offers of this VEN take up too much room")
        return
    arguments = {"ven_id": turn.ven().ven_id, "message": message}
    standing = frozenset(one.request_id for one in turn.ven().requests)
    turn.question = Ask("on_register_report", arguments, report_requests, (), None, found=standing)


def take_offers(turn: Turn, message: RegisterReport, decision: tuple[ReportRequest, ...] | None) -> None:
    """The application says which of the reports it wants."""
    if decision is None:
        turn.refuse(message, ResponseCode.RESPONDER_ERROR, "the VTN failed to take the offers")
        return
    requester = Requester(turn.ven())
    standing = turn.found if isinstance(turn.found, frozenset) else {one.request_id for one in requester.requests}
    replaced = requester.take_offers(message, _by_the_way(turn, requester), turn.now, standing)
    requester.ask(decision, by_the_way=True)
    turn.change(**requester.changes())
    turn.withdraw(lambda one: _about(one.message, replaced) or requester.is_answered(one.message))
    _registered(turn, message)


def _registered(turn: Turn, message: RegisterReport) -> None:
    """Answer metadata, with the requests that came of them (rule 344)."""
    queue = turn.ven().queue
    under_way = [(one.message, one.state is Delivery.OFFERED) for one in queue if isinstance(one.message, CreateReport)]
    wanted = Requester(turn.ven()).wanted(under_way)
    turn.answer = RegisteredReport(response=response_to(message), report_requests=wanted, ven_id=turn.ven().ven_id)


def _by_the_way(turn: Turn, requester: Requester) -> set[str]:
    """The requests that went out in the answer to metadata, and are not confirmed."""
    return requester.unconfirmed(one.message for one in turn.ven().queue if isinstance(one.message, CreateReport))


# --- the VEN's deliveries --------------------------------------------------------------------------------------------


def update_report(turn: Turn, message: UpdateReport) -> None:
    """The VEN delivers reports (rules 304 and 346)."""
    requester = Requester(turn.ven())
    if requester.has_received(turn.digest(message)):
        response = requester.examine(message).response
        turn.answer = requester.updated(message, response, turn.ven().ven_id)  # the answer was lost
        return
    examined = requester.examine(message)
    if examined.taken:
        arguments = {"ven_id": turn.ven().ven_id, "message": _with(message, examined.taken)}
        turn.question = Ask("on_update_report", arguments, taking, EiResponse(), _NOT_TAKEN, found=examined)
    else:
        _refuse(turn, message, examined.response)


def take_reports(turn: Turn, message: UpdateReport, decision: EiResponse | EndReports) -> None:
    """The application has taken the reports, or will not."""
    if isinstance(decision, EiResponse) and not decision.ok:
        turn.refuse(message, decision.response_code, decision.response_description or "the report was not taken")
        return
    requester, ven_id = Requester(turn.ven()), turn.ven().ven_id
    examined = requester.examine(message, turn.found if isinstance(turn.found, Examined) else None)
    if not examined.taken:  # what had asked for them has ended meanwhile, as another registration was made
        _refuse(turn, message, examined.response)
        return
    overdue = requester.overdue(message)
    for gap in requester.take(turn.digest(message), examined.taken, turn.now):
        request_id = gap.report_request_id
        turn.events.append(ReportGap(report_request_id=request_id, since=gap.since, until=gap.until, ven_id=ven_id))
    cancel = None
    if isinstance(decision, EndReports):
        cancel = requester.cancel_in_answer(message, decision, turn.new_id(), ven_id, turn.now)
    turn.change(**requester.changes())
    if any(requester.is_answered(one.message) for one in turn.ven().queue):
        turn.withdraw(lambda one: requester.is_answered(one.message))
    if cancel is not None:
        _ask_no_more(turn, requester)
    turn.events.append(ReportsReceived(ven_id=ven_id, message=_with(message, examined.taken)))
    if not examined.response.ok:
        _tell(turn, message, examined.response)
    turn.answer = requester.updated(message, examined.response, ven_id, cancel)
    _cancel_properly(turn, overdue)


def _ask_no_more(turn: Turn, requester: Requester) -> None:
    """Have what is asked for again leave out what was cancelled in an answer."""
    queue = tuple(
        msgspec.structs.replace(one, message=requester.still_asked(one.message))
        if isinstance(one.message, CreateReport)
        else one
        for one in turn.ven().queue
    )
    if queue != turn.ven().queue:
        turn.change(queue=queue)


def _cancel_properly(turn: Turn, overdue: Sequence[str]) -> None:
    """Reports go on that have ended for us (rule 335)."""
    queued = {
        request_id
        for one in turn.ven().queue
        if isinstance(one.message, CancelReport)
        for request_id in one.message.report_request_id
    }
    ids = tuple(one for one in overdue if one not in queued)
    if ids:
        message = CancelReport(request_id=turn.new_id(), report_request_id=ids, ven_id=turn.ven().ven_id)
        _enqueue(turn, message)


def _refuse(turn: Turn, message: UpdateReport, why: EiResponse) -> None:
    if not why.ok:
        _tell(turn, message, why)
    turn.answer = Requester(turn.ven()).updated(message, why, turn.ven().ven_id)


def _tell(turn: Turn, message: UpdateReport, why: EiResponse) -> None:
    what = f"{message.message_type()}: {why.response_description}"
    turn.events.append(PeerMisbehaved(who=turn.ven().ven_id, what=what, code=why.response_code))


def _with(message: UpdateReport, reports: tuple[Report, ...]) -> UpdateReport:
    """A delivery as far as it is taken."""
    return msgspec.structs.replace(message, reports=reports)


# --- what the VEN is asked for ---------------------------------------------------------------------------------------


def note_queued(turn: Turn, message: QueuedMessage) -> None:
    """Take note of what the VEN will be asked, or told, about reports."""
    requester = Requester(turn.ven())
    if isinstance(message, CreateReport):
        requester.ask(message.report_requests)
    elif isinstance(message, CancelReport):
        requester.cancel(message)
    elif isinstance(message, UpdateReport):
        _bound(turn)
    turn.change(**requester.changes())


def undeliverable(turn: Turn, messages: Iterable[Payload]) -> None:
    """The VEN does not take what it was asked, or was to be told; nothing will come of it."""
    messages = list(messages)
    wanted = {
        request.report_request_id
        for message in messages
        if isinstance(message, CreateReport)
        for request in message.report_requests
    }
    requester = Requester(turn.ven())
    unconfirmed = {one.request_id for one in requester.requests if one.state is ReportAtRequester.ASKED}
    requester.move(wanted & unconfirmed, ReportAtRequesterInput.REFUSE)
    turn.change(**requester.changes())
    lost = [report.report_request_id for one in messages if isinstance(one, UpdateReport) for report in one.reports]
    for report_request_id in lost:
        _drop(turn, report_request_id, "the VEN does not take it")
    lost += [one.report_request_id or "" for one in messages if isinstance(one, RegisterReport)]
    if lost:
        source = Source(turn.ven())
        _note_delivered(turn, source, lost)
        keep_source(turn, source)


def take_created_report(turn: Turn, message: CreatedReport, operation: Payload | None) -> None:
    """The VEN says which reports are pending (rule 329)."""
    requester = Requester(turn.ven())
    if isinstance(operation, CreateReport):
        asked = {one.report_request_id for one in operation.report_requests}
    else:
        asked = _by_the_way(turn, requester)
    requester.take_created(message, asked)
    turn.change(**requester.changes())
    _cancel_properly(turn, requester.going_on(message))
    turn.tell("on_created_report", {"message": message})


def expire(turn: Turn) -> None:
    """Expect no more of requests whose time is over."""
    if any(is_over(one, turn.now) for one in turn.ven().requests):  # seldom, and looked at with every request
        requester = Requester(turn.ven())
        requester.expire(turn.now)
        turn.change(**requester.changes())


def take_canceled_report(turn: Turn, message: CanceledReport, operation: Payload | None) -> None:
    """The VEN confirms a cancel."""
    if isinstance(operation, CancelReport):
        requester = Requester(turn.ven())
        requester.take_canceled(message, operation, turn.now)
        turn.change(**requester.changes())


def _about(message: Payload, request_ids: set[str]) -> bool:
    """Whether a queued message is about report requests that are no more."""
    if isinstance(message, CreateReport):
        return all(one.report_request_id in request_ids for one in message.report_requests)
    return isinstance(message, CancelReport) and set(message.report_request_id) <= request_ids


# --- what the VEN asks for -------------------------------------------------------------------------------------------


def take_requests(turn: Turn, message: CreateReport | RegisteredReport) -> None:
    """The VEN asks for reports, in oadrCreateReport or by the way (rule 344); the application may have a say."""
    if Source(turn.ven()).is_new(message, message.report_requests):
        arguments = {"ven_id": turn.ven().ven_id, "message": message}
        turn.question = Ask("on_create_report", arguments, verdict, None, _NOT_DECIDED)
    else:
        decide_requests(turn, message, None)


def decide_requests(turn: Turn, message: CreateReport | RegisteredReport, decision: EiResponse | None) -> None:
    """The application has its say about what the VEN asks for."""
    turn.answer = _create(turn, message, message.report_requests, decision)


def _create(
    turn: Turn, carrier: Payload, requests: Sequence[ReportRequest], decision: EiResponse | None = None
) -> CreatedReport:
    source, ven_id = Source(turn.ven()), turn.ven().ven_id
    offers = turn.shared.offers
    answer = source.create(
        carrier,
        requests,
        offers,
        turn.now,
        most=turn.config.limits.report_requests,
        most_bytes=turn.config.limits.requested,
        ven_id=ven_id,
        decision=decision,
    )
    offering = any(isinstance(one.message, RegisterReport) for one in turn.ven().queue)
    if isinstance(carrier, RegisteredReport) and offering:
        source.outdate(source.begun)  # it was wanted of offers that others are about to replace
    keep_source(turn, source)
    return answer


def cancel_requests(turn: Turn, message: CancelReport) -> None:
    """The VEN wants no more of some reports (rule 336)."""
    source = Source(turn.ven())
    key = turn.digest(message)
    unknown = source.cancel(message)
    keep_source(turn, source)
    if source.ended:  # metadata that wait for the VEN are no more asked for
        turn.withdraw(lambda one: one.state is Delivery.QUEUED and _answers_any(one.message, source.ended))
    if key in turn.ven().recent:  # the answer was lost, and the cancel came again
        unknown = []
    elif not unknown:
        turn.change(recent=(*turn.ven().recent[-(_RECENT - 1) :], key))
    turn.answer = source.cancelled(message, unknown, turn.ven().ven_id)


def _answers_any(message: Payload, request_ids: Container[str]) -> bool:
    """Whether a message answers one of some requests for metadata (rule 311)."""
    return isinstance(message, RegisterReport) and message.report_request_id in request_ids


def take_registered_report(turn: Turn, message: RegisteredReport, operation: Payload | None) -> None:
    """The VEN has taken our offers, and may want reports at once (rule 344)."""
    source = Source(turn.ven())
    if isinstance(operation, RegisterReport):  # else the answer comes again, and ends nothing that it has begun
        if message.response.ok:
            source.replace(message.report_requests, turn.shared.offers)  # rule 306
        if operation.report_request_id is not None:
            _note_delivered(turn, source, [operation.report_request_id])
    keep_source(turn, source)
    if message.report_requests:
        take_requests(turn, message)
    turn.tell("on_registered_report", {"message": message})


def take_updated_report(turn: Turn, message: UpdatedReport, operation: Payload | None) -> None:
    """The VEN has taken reports of ours, or will not; it may want no more of them."""
    if not isinstance(operation, UpdateReport):
        return
    source = Source(turn.ven())
    if message.cancel_report is not None:
        foreign = source.cancel_by_the_way(operation, message.cancel_report)
        if foreign:
            what = f"cancelled {joined(foreign)} in oadrUpdatedReport, which was not in the report"
            turn.events.append(PeerMisbehaved(who=turn.ven().ven_id, what=what, code=ResponseCode.INVALID_ID))
    if not message.response.ok:
        text = f"the VEN answered {message.response.response_code} {message.response.response_description or ''}"
        for report in operation.reports:
            _drop(turn, report.report_request_id, text.strip())
        if message.response.response_code == ResponseCode.INVALID_ID:
            source.end(one.report_request_id for one in operation.reports)
    _note_delivered(turn, source, [one.report_request_id for one in operation.reports])
    keep_source(turn, source)


# --- our reports -----------------------------------------------------------------------------------------------------


def keep_source(turn: Turn, source: Source) -> None:
    """Remember what has become of the requests of the VEN, and tell it."""
    ven_id = turn.ven().ven_id
    if source.changes():
        turn.change(**source.changes())
        queue = tuple(_up_to_date(one, source) for one in turn.ven().queue)
        if queue != turn.ven().queue:
            turn.change(queue=queue)
    for error in source.refused:
        turn.events.append(PeerMisbehaved(who=ven_id, what=f"asked for a report: {error}", code=int(error.code)))
    turn.events += (ReportEnded(report_request_id=one, ven_id=ven_id) for one in source.ended)
    turn.events += (ReportRequested(report_request_id=one, ven_id=ven_id) for one in source.begun)


def _up_to_date(operation: QueuedOperation, source: Source) -> QueuedOperation:
    """Have a queued answer that has not left say what is pending by now (rule 329)."""
    message = source.up_to_date(operation.message)
    if operation.state is not Delivery.QUEUED or message is operation.message:
        return operation
    return msgspec.structs.replace(operation, message=message)


def note_made(turn: Turn, report_request_id: str, *, made: bool, last: bool, until: datetime | None) -> None:
    """Take note that a report was made for a request; see :meth:`oadr_core.reports.Source.note_made`."""
    source = Source(turn.ven())
    source.note_made(report_request_id, made=made, last=last, until=until)
    keep_source(turn, source)


def _note_delivered(turn: Turn, source: Source, report_request_ids: Iterable[str]) -> None:
    """Take note that reports are with the VEN, or will never be; those in its queue may be more of them."""
    waiting = set()
    for one in turn.ven().queue:
        if isinstance(one.message, UpdateReport):
            waiting |= {report.report_request_id for report in one.message.reports}
        elif isinstance(one.message, RegisterReport):
            waiting.add(one.message.report_request_id or "")
    source.delivered(report_request_ids, waiting)


def offer(turn: Turn, reports: tuple[Report, ...], report_request_id: str | None = None) -> None:
    """Tell the VEN what we can report; what it was not told yet of that is withdrawn.

    :param reports: the offers.
    :param report_request_id: the request for metadata that this answers, if it answers one (rule 311).
    """
    turn.withdraw(
        lambda one: (
            isinstance(one.message, RegisterReport)
            and one.state is Delivery.QUEUED
            and one.message.report_request_id == report_request_id
        )
    )
    source = Source(turn.ven())
    source.outdate()
    keep_source(turn, source)
    message = RegisterReport(
        request_id=turn.new_id(), reports=reports, ven_id=turn.ven().ven_id, report_request_id=report_request_id
    )
    _enqueue(turn, message)


def _bound(turn: Turn) -> None:
    """Keep no more undelivered reports than may wait: the oldest are dropped, and that is told."""
    waiting = [one for one in turn.ven().queue if isinstance(one.message, UpdateReport)]
    surplus = waiting[: max(0, len(waiting) - turn.config.limits.unsent)]
    for one in surplus:
        assert isinstance(one.message, UpdateReport)
        for report in one.message.reports:
            _drop(turn, report.report_request_id, "more reports wait than may be kept")
    if surplus:
        turn.withdraw(lambda one: any(one is other for other in surplus))
        source = Source(turn.ven())
        dropped = (one.message for one in surplus if isinstance(one.message, UpdateReport))
        _note_delivered(turn, source, [report.report_request_id for one in dropped for report in one.reports])
        keep_source(turn, source)


def _drop(turn: Turn, report_request_id: str, why: str) -> None:
    turn.events.append(ReportDropped(report_request_id=report_request_id, why=why, ven_id=turn.ven().ven_id))


def _enqueue(turn: Turn, message: QueuedMessage) -> None:
    turn.change(queue=(*turn.ven().queue, QueuedOperation(id=turn.new_id(), message=message)))

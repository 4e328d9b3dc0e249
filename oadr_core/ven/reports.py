"""EiReport at a VEN, which reports to its VTN, and asks its VTN for reports."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from oadr_core.answers import response_to
from oadr_core.clock import Now
from oadr_core.codes import ResponseCode
from oadr_core.core import Question
from oadr_core.decisions import EndReports, report_requests, taking, verdict
from oadr_core.errors import LocalProtocolError
from oadr_core.machines.exchange import Failure
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
    Response,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.outputs import (
    Event,
    HandlerFailed,
    InboundId,
    Reply,
    ReportEnded,
    ReportGap,
    ReportRequested,
    ReportsReceived,
    TicketId,
)
from oadr_core.reports import Examined, Requester, Source, is_over
from oadr_core.state.reports import digest, pack_offers
from oadr_core.texts import joined
from oadr_core.ven.base import VenBase

_REQUESTED: Final = ReportAtRequesterInput

_FAILED: Final = EiResponse(
    response_code=ResponseCode.RESPONDER_ERROR, response_description="the VEN failed to decide about the report"
)


class ReportService(VenBase):
    """EiReport at a VEN, in both directions (section 8.3 of the profile).

    What is asked and answered is the same as at a VTN, and is decided in :mod:`oadr_core.reports`; here it is sent.
    """

    _offers: tuple[Report, ...] = ()
    _last_cancel: tuple[CancelReport, list[str]] | None = None
    """The cancel that was done last, with what was unknown in it; it may come again."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._taking: dict[str, list[InboundId | None]] = {}  # who waits, by digests of what the application looks at

    @property
    def offers(self) -> tuple[Report, ...]:
        """The reports that it last registered."""
        return self._offers

    # --- what the application can ask for: its own reports -----------------------------------------------------------

    def register_report(self, reports: Sequence[Report], now: Now, *, report_request_id: str | None = None) -> TicketId:
        """Say all that can be reported; report requests made before end with that (rule 306).

        :param reports: the offers, with ``METADATA_`` names; empty where there is nothing to report.
        :param report_request_id: the request for metadata that this answers, if it answers one (rule 311).
        :raises LocalProtocolError: the VEN is not registered.
        """
        self._require_20b("reports")
        self._require_registration()
        self._offers = tuple(reports)
        source = self._source()
        source.outdate()
        self._keep_source(source, now)
        if report_request_id is not None:  # what waits while the VTN is away is old by now
            self._sender.revise(lambda one: None if _answers(one, report_request_id) else one)
        message = RegisterReport(
            request_id=self._new_id(),
            reports=self._offers,
            ven_id=self._state.ven_id,
            report_request_id=report_request_id,
        )
        ticket = self._send(message, now)
        if report_request_id is not None:
            self._bound_answers(message)
        return ticket

    def update_report(self, reports: Sequence[Report], now: Now, *, request_id: str | None = None) -> TicketId:
        """Deliver reports; kept and sent again until the VTN has them.

        :param reports: the data, each with the request that it answers.
        :param request_id: the requestID to use; the same as before where the same report is sent again.
        :raises LocalProtocolError: the VEN is not registered.
        """
        self._require_20b("reports")
        self._require_registration()
        request_id = request_id or self._new_id()
        message = UpdateReport(request_id=request_id, reports=tuple(reports), ven_id=self._state.ven_id)
        return self._send(message, now, lane="reports", patient=True)

    def note_made(
        self, report_request_id: str, now: Now, *, made: bool = True, last: bool = False, until: datetime | None = None
    ) -> None:
        """Take note that a report was made for a request; see :meth:`oadr_core.reports.Source.note_made`."""
        source = self._source()
        source.note_made(report_request_id, made=made, last=last, until=until)
        self._keep_source(source, now)

    def note_delivered(self, report_request_ids: Iterable[str], now: Now) -> None:
        """Take note that reports are with the VTN, or will never be; those that wait to be sent may be more of them."""
        waiting = {
            report.report_request_id for message in self._sender.messages(UpdateReport) for report in message.reports
        }
        waiting |= {message.report_request_id or "" for message in self._sender.messages(RegisterReport)}
        source = self._source()
        source.delivered(report_request_ids, waiting)
        self._keep_source(source, now)

    # --- what the application can ask for: reports of the VTN --------------------------------------------------------

    def create_report(self, requests: Sequence[ReportRequest], now: Now) -> TicketId:
        """Ask the VTN for reports; the requests are kept, over a restart too, until it has answered.

        :param requests: what is asked for; whatever reading types they have are left out (rule 338).
        :raises LocalProtocolError: the VEN is not registered, a request breaks a rule, its id is in use, or
            ``limits.asked`` reports are asked for.
        """
        self._require_20b("reports")
        self._require_registration()
        requester = Requester(self._state)
        ready = requester.ready(requests)
        if len(self._state.requests) + len(ready) > self.config.limits.asked:
            raise LocalProtocolError(f"{len(self._state.requests)} reports of the VTN are asked for already")
        requester.ask(ready)
        self._change(now, **requester.changes())
        return self._send_requests(ready, now)

    def cancel_report(
        self, report_request_ids: Sequence[str], now: Now, *, report_to_follow: bool = False
    ) -> TicketId | None:
        """Ask the VTN for no more of some reports (rule 336).

        :param report_request_ids: the requests that end.
        :param report_to_follow: whether one last report is wanted (rule 345).
        :raises LocalProtocolError: the VEN is not registered.
        """
        self._require_20b("reports")
        self._require_registration()
        message = CancelReport(
            request_id=self._new_id(),
            report_request_id=tuple(report_request_ids),
            report_to_follow=report_to_follow,
            ven_id=self._state.ven_id,
        )
        requester = Requester(self._state)
        requester.cancel(message)
        self._change(now, **requester.changes())
        return self._send(message, now)

    def deliver_report_requests(self, now: Now) -> None:
        """Send what the VTN was asked for and has not answered, unless it is on its way: after a restart it is not."""
        if self._sender.waiting(CreateReport) or self._sender.waiting(CancelReport):
            return
        waiting = [one.request for one in self._state.requests if one.state is ReportAtRequester.ASKED]
        if waiting:
            self._send_requests(waiting, now)
        for follows in (False, True):
            ending = [
                one.request_id
                for one in self._state.requests
                if one.state is ReportAtRequester.ENDING and one.to_follow is follows
            ]
            if ending:
                self.cancel_report(ending, now, report_to_follow=follows)

    def _send_requests(self, requests: Sequence[ReportRequest], now: Now) -> TicketId:
        message = CreateReport(request_id=self._new_id(), report_requests=tuple(requests), ven_id=self._state.ven_id)
        return self._send(message, now)

    # --- answers of the VTN ------------------------------------------------------------------------------------------

    def _take_registered_report(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(answer, RegisteredReport)
        assert isinstance(sent, RegisterReport)
        self._offers_taken(sent, now, answer.report_requests)
        self.tell("on_registered_report", {"message": answer}, now)
        if answer.report_requests:
            self._take_requests(answer, answer.report_requests, None, now)

    def _offers_taken(self, sent: RegisterReport, now: Now, wanted: Iterable[ReportRequest] = ()) -> None:
        source = self._source()
        source.replace(wanted, self._offers)  # rule 306
        self._keep_source(source, now)
        if sent.report_request_id is not None:
            self.note_delivered([sent.report_request_id], now)

    def _reports_delivered(self, sent: UpdateReport, now: Now) -> None:
        self.note_delivered([report.report_request_id for report in sent.reports], now)

    def _take_updated_report(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(sent, UpdateReport)
        assert isinstance(answer, UpdatedReport)
        if answer.cancel_report is None:
            return
        source = self._source()
        foreign = source.cancel_by_the_way(sent, answer.cancel_report)
        self._keep_source(source, now)
        if foreign:
            self._misbehaved(f"cancelled {joined(foreign)} in oadrUpdatedReport, which was not in the report")

    def _take_created_report(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(answer, CreatedReport)
        requester = Requester(self._state)
        if isinstance(sent, CreateReport):
            asked = {one.report_request_id for one in sent.report_requests}
        else:
            asked = requester.unconfirmed(self._sender.messages(CreateReport))
        requester.take_created(answer, asked)
        self._change(now, **requester.changes())
        self._cancel_properly(requester.going_on(answer), now)
        self.tell("on_created_report", {"message": answer}, now)

    def _take_canceled_report(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(sent, CancelReport)
        assert isinstance(answer, CanceledReport)
        requester = Requester(self._state)
        requester.take_canceled(answer, sent, now.utc)
        self._change(now, **requester.changes())

    def _bring_up_to_date(self) -> None:
        """Have what is repeated say how things are by now, as it could not be changed while it was under way."""
        self._sender.revise(self._source().up_to_date)
        self._ask_no_more_for_what_has_come()
        if not self.config.manual:
            requester, has_left = Requester(self._state), self._sender.may_have_arrived
            self._sender.revise(lambda one: requester.still_asked(one) if has_left(one) else one)

    def _ask_no_more_for_what_has_come(self) -> None:
        """Take back requests for reports that have been answered by what has come since.

        One that is under way waits for its answer all the same, as a VEN has one request under way at a time; it is
        looked at again before it is repeated.
        """
        if not self.config.manual:  # there the application waits for what becomes of its requests
            requester = Requester(self._state)
            self._sender.revise(lambda waiting: None if requester.is_answered(waiting) else waiting)

    def _reports_refused(self, sent: Payload, answer: Payload | None, now: Now) -> None:
        """The VTN refuses what we told it about reports or asked of it, or will never answer."""
        if isinstance(sent, UpdateReport):  # it wants no such report, or no longer
            source = self._source()
            source.end(report.report_request_id for report in sent.reports)
            self._keep_source(source, now)
        elif isinstance(answer, CreatedReport):
            self._take_created_report(sent, answer, now)
        elif isinstance(answer, CanceledReport):
            self._take_canceled_report(sent, answer, now)
        elif isinstance(sent, CreateReport):
            self._move_requested({one.report_request_id for one in sent.report_requests}, _REQUESTED.REFUSE, now)
        elif isinstance(sent, CancelReport):
            self._move_requested(set(sent.report_request_id), _REQUESTED.CONFIRM_CANCEL, now)

    def _requests_taken(self, sent: CreateReport | CancelReport, now: Now) -> None:
        """The VTN says yes with a plain oadrResponse (decision D14)."""
        if isinstance(sent, CreateReport):
            self._move_requested({one.report_request_id for one in sent.report_requests}, _REQUESTED.CONFIRM, now)
        else:
            requester = Requester(self._state)
            requester.take_canceled(None, sent, now.utc)
            self._change(now, **requester.changes())

    def _move_requested(self, request_ids: set[str], given: ReportAtRequesterInput, now: Now) -> None:
        requester = Requester(self._state)
        requester.move(request_ids, given)
        self._change(now, **requester.changes())

    # --- operations of the VTN, about our reports --------------------------------------------------------------------

    def _on_create_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, CreateReport)
        self._take_requests(message, message.report_requests, inbound, now)

    def _take_requests(
        self, carrier: Payload, requests: Sequence[ReportRequest], inbound: InboundId | None, now: Now
    ) -> None:
        """The VTN wants reports, by oadrCreateReport or by the way (rule 344); the application may have a say."""
        if not self._source().is_new(carrier, requests):
            self._answer_requests(carrier, requests, inbound, None, now)
            return
        registration = self._state.registration_id

        def then(decision: EiResponse | None, later: Now) -> None:
            if self._state.registration_id == registration:
                self._answer_requests(carrier, requests, inbound, decision, later)
            elif inbound is not None:
                self._emit(Reply(inbound, None, Failure.BUSY, self._sealer))

        self._ask(Question("on_create_report", {"message": carrier}, verdict, None, _FAILED, then), now)

    def _answer_requests(
        self,
        carrier: Payload,
        requests: Sequence[ReportRequest],
        inbound: InboundId | None,
        decision: EiResponse | None,
        now: Now,
    ) -> None:
        source = self._source()
        answer = source.create(
            carrier,
            requests,
            self._offers,
            now.utc,
            most=self.config.limits.report_requests,
            most_bytes=self.config.limits.requested,
            ven_id=self._state.ven_id,
            decision=decision,
        )
        if isinstance(carrier, RegisteredReport) and self._sender.waiting(RegisterReport):
            source.outdate(source.begun)  # it was wanted of offers that others are about to replace
        self._keep_source(source, now)
        self._answer(carrier, answer, inbound, now)

    def _on_cancel_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, CancelReport)
        source = self._source()
        unknown = source.cancel(message)
        self._keep_source(source, now)
        if self._last_cancel is None or self._last_cancel[0] != message:
            self._last_cancel = (message, unknown)
        else:  # the answer was lost, and the cancel came again
            _, unknown = self._last_cancel
        self._answer(message, source.cancelled(message, unknown, self._state.ven_id), inbound, now)

    def _end_all_requests(self) -> None:
        """A registration ends, and with it everything that was asked for in it."""
        for one in self._state.report_requests:
            self._emit(ReportEnded(report_request_id=one.request.report_request_id))

    def _source(self) -> Source:
        return Source(self._state)

    def _keep_source(self, source: Source, now: Now) -> None:
        """Remember what has become of the requests of the VTN, and tell it."""
        if source.changes():
            self._change(now, **source.changes())
            self._sender.revise(source.up_to_date)
        for error in source.refused:
            self._misbehaved(f"asked for a report: {error}", error.code)
        for request_id in source.ended:
            self._emit(ReportEnded(report_request_id=request_id))
        for request_id in source.begun:
            self._emit(ReportRequested(report_request_id=request_id))

    # --- operations of the VTN, about its own reports ----------------------------------------------------------------

    def _on_register_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        """The VTN says what it can report; what is wanted of it is asked for separately (rule 344 leaves it open)."""
        assert isinstance(message, RegisterReport)
        requester = Requester(self._state)
        new = not requester.has_taken(message)
        if new and len(pack_offers(message.reports)) > self.config.limits.offered:
            text = "the offers of the VTN take up too much room"
            self._misbehaved(text, ResponseCode.DEPLOYMENT_ERROR)
            refused = self._refuser.refuse(message, ResponseCode.DEPLOYMENT_ERROR, text, self._state.ven_id)
            self._answer(message, refused, inbound, now)
            return
        if new:
            requester.take_offers(message, (), now.utc, of_vtn=True)
            self._change(now, **requester.changes())
        answer = RegisteredReport(
            response=response_to(message), report_requests=self._still_wanted(requester), ven_id=self._state.ven_id
        )
        self._answer(message, answer, inbound, now)
        if new:

            def then(requests: tuple[ReportRequest, ...], later: Now) -> None:
                self._want(requests, message, later)

            self._ask(Question("on_register_report", {"message": message}, report_requests, (), (), then), now)

    def _still_wanted(self, requester: Requester) -> tuple[ReportRequest, ...]:
        """What the answer to offers says is wanted of them, or an earlier offer was asked for in vain."""
        left = self._sender.may_have_arrived
        return requester.wanted([(one, left(one)) for one in self._sender.messages(CreateReport)])

    def _on_created_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        """The VTN answers requests that came by the way, in a push or for a poll (rule 344)."""
        assert isinstance(message, CreatedReport)
        self._take_created_report(message, message, now)
        self._answer(message, Response(response=response_to(message), ven_id=self._state.ven_id), inbound, now)

    def _want(self, requests: tuple[ReportRequest, ...], offered: RegisterReport, now: Now) -> None:
        """The application says what it wants of some offers; that counts while these stand, and the registration."""
        if requests and self._is_registered and Requester(self._state).has_taken(offered):
            try:
                self.create_report(requests, now)
            except LocalProtocolError as error:
                self._emit(HandlerFailed(handler="on_register_report", error=str(error)))

    def expire_report_requests(self, now: Now) -> None:
        """Expect no more of requests to the VTN whose time is over."""
        if any(is_over(one, now.utc) for one in self._state.requests):
            requester = Requester(self._state)
            requester.expire(now.utc)
            self._change(now, **requester.changes())

    def _on_update_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        """The VTN delivers reports (rules 304 and 346)."""
        assert isinstance(message, UpdateReport)
        requester, key = Requester(self._state), digest(message)
        if requester.has_received(key):
            response = requester.examine(message).response  # the answer was lost
            self._answer(message, requester.updated(message, response, self._state.ven_id), inbound, now)
            return
        examined = requester.examine(message)
        if not examined.taken:
            self._refuse_reports(message, examined.response, [inbound], now)
            return
        if key in self._taking:  # it came again, as its answer takes time
            self._taking[key].append(inbound)
            return
        self._taking[key] = [inbound]

        def then(decision: EiResponse | EndReports, later: Now) -> None:
            self._take_reports(message, key, examined, decision, self._taking.pop(key), later)

        told = {"message": _with(message, examined.taken)}
        self._ask(Question("on_update_report", told, taking, EiResponse(), _FAILED, then), now)

    def _refuse_reports(
        self, message: UpdateReport, why: EiResponse, waiting: Sequence[InboundId | None], now: Now
    ) -> None:
        if not why.ok:
            self._misbehaved(f"sent a report: {why.response_description}", why.response_code)
        self._answer_all(message, Requester(self._state).updated(message, why, self._state.ven_id), waiting, now)

    def _answer_all(
        self, message: UpdateReport, answer: UpdatedReport, waiting: Sequence[InboundId | None], now: Now
    ) -> None:
        for inbound in dict.fromkeys(waiting):  # once for all the polls that brought it
            self._answer(message, answer, inbound, now)

    def _take_reports(
        self,
        message: UpdateReport,
        key: str,
        examined: Examined,
        decision: EiResponse | EndReports,
        waiting: Sequence[InboundId | None],
        now: Now,
    ) -> None:
        """The application has taken reports of the VTN, or will not."""
        if not self._state.registered:  # it ended meanwhile
            for inbound in waiting:
                if inbound is not None:
                    self._emit(Reply(inbound, None, Failure.BUSY, self._sealer))
            return
        if isinstance(decision, EiResponse) and not decision.ok:
            self._refuse_reports(message, decision, waiting, now)
            return
        requester = Requester(self._state)
        examined = requester.examine(message, examined)
        if not examined.taken:  # what had asked for them has ended meanwhile, as another registration was made
            self._refuse_reports(message, examined.response, waiting, now)
            return
        overdue = requester.overdue(message)
        told: list[Event] = []
        if not requester.has_received(key):
            gaps = requester.take(key, examined.taken, now.utc)
            told += (
                ReportGap(report_request_id=one.report_request_id, since=one.since, until=one.until) for one in gaps
            )
            told.append(ReportsReceived(ven_id=self._state.ven_id, message=_with(message, examined.taken)))
        cancel = None
        if isinstance(decision, EndReports):
            cancel = requester.cancel_in_answer(message, decision, self._new_id(), self._state.ven_id, now.utc)
        self._change(now, **requester.changes())
        for one in told:  # once it is saved: what is told has been taken, whatever comes
            self._emit(one)
        self._ask_no_more_for_what_has_come()
        if cancel is not None and not self.config.manual:
            self._sender.revise(requester.still_asked)
        if not examined.response.ok:
            code, text = examined.response.response_code, examined.response.response_description
            self._misbehaved(f"sent a report: {text}", code)
        answer = requester.updated(message, examined.response, self._state.ven_id, cancel)
        self._answer_all(message, answer, waiting, now)
        self._cancel_properly(overdue, now)

    def _cancel_properly(self, overdue: Sequence[str], now: Now) -> None:
        """Reports go on that have ended for us (rule 335)."""
        under_way = {key for one in self._sender.messages(CancelReport) for key in one.report_request_id}
        ids = [one for one in overdue if one not in under_way]
        if ids and self._is_registered:
            self.cancel_report(ids, now)


def _answers(message: Payload, report_request_id: str) -> bool:
    """Whether a message answers a request for metadata."""
    return isinstance(message, RegisterReport) and message.report_request_id == report_request_id


def _with(message: UpdateReport, reports: tuple[Report, ...]) -> UpdateReport:
    """A delivery as far as it is taken."""
    return UpdateReport(request_id=message.request_id, reports=reports, ven_id=message.ven_id)

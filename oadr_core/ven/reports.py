"""EiReport at a VEN: its offers, and the report requests that it has accepted."""

from collections.abc import Sequence

import msgspec

from oadr_core.answers import response_to
from oadr_core.clock import Now, whole_seconds
from oadr_core.codes import ResponseCode
from oadr_core.errors import RemoteProtocolError
from oadr_core.machines.report import REPORT_AT_SOURCE, ReportAtSource, ReportAtSourceInput
from oadr_core.messages import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    Payload,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportRequest,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.offers import METADATA, check_request
from oadr_core.outputs import InboundId, ReportEnded, ReportRequested, TicketId
from oadr_core.state.ven import AcceptedRequest
from oadr_core.ven.base import VenBase


class ReportService(VenBase):
    """EiReport at a VEN: its offers, and the report requests that it has accepted (section 8.3 of the profile)."""

    _offers: tuple[Report, ...] = ()
    _last_cancel: tuple[CancelReport, list[str]] | None = None
    """The cancel that was done last, with what was unknown in it; it may come again."""

    @property
    def offers(self) -> tuple[Report, ...]:
        """The reports that it last registered."""
        return self._offers

    # --- what the application can ask for ----------------------------------------------------------------------------

    def register_report(self, reports: Sequence[Report], now: Now, *, report_request_id: str | None = None) -> TicketId:
        """Say all that can be reported; report requests made before end with that (rule 306).

        :param reports: the offers, with ``METADATA_`` names; empty where there is nothing to report.
        :param report_request_id: the request for metadata that this answers, if it answers one (rule 311).
        :raises LocalProtocolError: the VEN is not registered.
        """
        self._require_20b("reports")
        self._require_registration()
        self._offers = tuple(reports)
        message = RegisterReport(
            request_id=self._new_id(),
            reports=self._offers,
            ven_id=self._state.ven_id,
            report_request_id=report_request_id,
        )
        return self._send(message, now)

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

    def note_delivery(self, report_request_id: str, now: Now, *, last: bool = False) -> None:
        """Take note that a report was made for a request, so that one with ``reportToFollow`` ends (rule 345).

        :param last: whether no further report will be made, as its time is over or it was asked for once.
        """
        given = ReportAtSourceInput.END if last else ReportAtSourceInput.DELIVER
        self._move_request(report_request_id, given, now)

    # --- answers of the VTN ------------------------------------------------------------------------------------------

    def _take_registered_report(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(answer, RegisteredReport)
        assert isinstance(sent, RegisterReport)
        self._offers_taken(sent, now)
        if answer.report_requests:
            self._send(self._create_report(answer, answer.report_requests, now), now)

    def _offers_taken(self, sent: RegisterReport, now: Now) -> None:
        if sent.report_request_id is None:
            self._end_requests(now)  # rule 306

    def _take_updated_report(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(answer, UpdatedReport)
        if answer.cancel_report is not None:  # rules 328 and 335: done, and not confirmed
            self._cancel_report(answer.cancel_report, now)

    # --- operations of the VTN ---------------------------------------------------------------------------------------

    def _on_create_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, CreateReport)
        self._answer(message, self._create_report(message, message.report_requests, now), inbound, now)

    def _on_cancel_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, CancelReport)
        if self._last_cancel is None or self._last_cancel[0] != message:
            self._last_cancel = (message, self._cancel_report(message, now))
        _, unknown = self._last_cancel
        code = ResponseCode.INVALID_ID if unknown else ResponseCode.OK  # rule 336, decision D38
        text = f"unknown reportRequestID {', '.join(unknown)}" if unknown else None
        answer = CanceledReport(
            response=response_to(message, code, text), pending_reports=self._pending(), ven_id=self._state.ven_id
        )
        self._answer(message, answer, inbound, now)

    def _on_register_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        answer = RegisteredReport(response=response_to(message), ven_id=self._state.ven_id)
        self._answer(message, answer, inbound, now)

    def _on_update_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, UpdateReport)
        code, text = ResponseCode.OK, None
        if message.reports:
            code, text = ResponseCode.INVALID_ID, "no report was asked for"
        answer = UpdatedReport(response=response_to(message, code, text), ven_id=self._state.ven_id)
        self._answer(message, answer, inbound, now)

    # --- report requests ---------------------------------------------------------------------------------------------

    def _create_report(self, carrier: Payload, requests: Sequence[ReportRequest], now: Now) -> CreatedReport:
        """Take report requests, those within the offers, and say what is pending (rules 329, 340 and 344)."""
        code, text = int(ResponseCode.OK), None
        accepted = {one.request.report_request_id: one for one in self._state.report_requests}
        for request in requests:
            try:
                check_request(request, self._offers)
                self._accept(request, accepted, now)
            except RemoteProtocolError as error:
                code, text = int(error.code), str(error)
                self._misbehaved(f"asked for a report: {error}", error.code)
        self._change(now, report_requests=tuple(accepted.values()))
        return CreatedReport(
            response=response_to(carrier, code, text), pending_reports=self._pending(), ven_id=self._state.ven_id
        )

    def _accept(self, request: ReportRequest, accepted: dict[str, AcceptedRequest], now: Now) -> None:
        request_id = request.report_request_id
        known = accepted.get(request_id)
        if known is not None:  # decision D37
            if known.request != request:
                raise RemoteProtocolError(f"reportRequestID {request_id} is in use", ResponseCode.INVALID_ID)
            REPORT_AT_SOURCE.step(known.state, ReportAtSourceInput.REPEAT)
            return
        most = self.config.most_report_requests
        if len(accepted) >= most:
            raise RemoteProtocolError(f"{most} report requests are served already", ResponseCode.DEPLOYMENT_ERROR)
        state = REPORT_AT_SOURCE.step(ReportAtSource.REFUSED, ReportAtSourceInput.ACCEPT)
        accepted[request_id] = AcceptedRequest(request=request, accepted_at=whole_seconds(now.utc), state=state)
        self._emit(ReportRequested(report_request_id=request_id))

    def _cancel_report(self, message: CancelReport, now: Now) -> list[str]:
        """Cancel the requests that are known (decision D38); returns the others."""
        last = message.report_to_follow
        given = ReportAtSourceInput.CANCEL_AFTER_NEXT if last else ReportAtSourceInput.CANCEL
        return [one for one in message.report_request_id if not self._move_request(one, given, now)]

    def _end_requests(self, now: Now) -> None:
        """New metadata end what was asked for before, save periodic metadata (rule 306)."""
        for one in self._state.report_requests:
            if one.request.report_specifier.report_specifier_id != METADATA:
                self._move_request(one.request.report_request_id, ReportAtSourceInput.REPLACE, now)

    def _end_all_requests(self) -> None:
        """A registration ends, and with it everything that was asked for in it."""
        for one in self._state.report_requests:
            self._emit(ReportEnded(report_request_id=one.request.report_request_id))

    def _move_request(self, request_id: str, given: ReportAtSourceInput, now: Now) -> bool:
        """Move a report request; returns whether it is known."""
        requests = {one.request.report_request_id: one for one in self._state.report_requests}
        known = requests.get(request_id)
        if known is None:
            return False
        after = REPORT_AT_SOURCE.step(known.state, given)
        if after is ReportAtSource.ENDED:
            del requests[request_id]
            self._emit(ReportEnded(report_request_id=request_id))
        else:
            requests[request_id] = msgspec.structs.replace(known, state=after)
        if after is not known.state:
            self._change(now, report_requests=tuple(requests.values()))
        return True

    def _pending(self) -> tuple[str, ...]:
        return tuple(one.request.report_request_id for one in self._state.report_requests)

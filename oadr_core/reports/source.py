"""The source of reports: which requests of the peer it serves, and where they stand."""

from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from oadr_core.answers import response_to
from oadr_core.clock import whole_seconds
from oadr_core.codes import ResponseCode
from oadr_core.errors import RemoteProtocolError
from oadr_core.machines.report import REPORT_AT_SOURCE, ReportAtSource, ReportAtSourceInput
from oadr_core.messages import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    EiResponse,
    Payload,
    Report,
    ReportRequest,
    UpdateReport,
)
from oadr_core.offers import METADATA, check_request
from oadr_core.state.reports import AcceptedRequest

_MOST_BYTES: Final = 2**21
"""How much the requests of a peer may take up, packed; 10 000 data points take up half of it."""


class Source:
    """The requests of one peer for our reports, while one input is taken.

    :param accepted: the requests that were accepted before.
    :ivar begun: the ids of those that were accepted now.
    :ivar ended: the ids of those that ended now.
    :ivar refused: why others were not accepted.
    """

    def __init__(self, accepted: Iterable[AcceptedRequest]) -> None:
        self._accepted = {one.request.report_request_id: one for one in accepted}
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.refused: list[RemoteProtocolError] = []
        self._size: int | None = None  # of the requests, packed; as it is dear, not before it matters

    @property
    def accepted(self) -> tuple[AcceptedRequest, ...]:
        """The requests that are served, in the order in which they were accepted."""
        return tuple(self._accepted.values())

    @property
    def pending(self) -> tuple[str, ...]:
        """The ids of all reports that are still to come, whenever they were asked for (rule 329)."""
        return tuple(self._accepted)

    # --- requests ----------------------------------------------------------------------------------------------------

    def is_new(self, requests: Iterable[ReportRequest]) -> bool:
        """Whether there is anything to decide about: a retry was decided before (decision D37)."""
        known = {key: one.request for key, one in self._accepted.items()}
        return any(known.get(one.report_request_id) != one for one in requests)

    def create(
        self,
        carrier: Payload,
        requests: Sequence[ReportRequest],
        offers: Sequence[Report],
        now: datetime,
        *,
        most: int,
        ven_id: str | None,
        decision: EiResponse | None = None,
    ) -> CreatedReport:
        """Take requests, those within the offers, and say what is pending (rules 329, 340 and 344).

        Each is judged by itself: one that asks for too much does not harm the others.

        :param carrier: what brought them: oadrCreateReport, or oadrRegisteredReport.
        :param requests: the requests.
        :param offers: what was offered.
        :param now: the present.
        :param most: how many are served at a time; more are refused with 469.
        :param ven_id: the VEN of the two.
        :param decision: what the application says of those that are new; all are welcome if None.
        """
        for request in requests:
            try:
                self._accept(request, offers, now, most, decision)
            except RemoteProtocolError as error:
                self.refused.append(error)
        code, text = int(ResponseCode.OK), None
        if self.refused:
            code, text = int(self.refused[0].code), "; ".join(str(one) for one in self.refused)
        response = response_to(carrier, code, text)
        return CreatedReport(response=response, pending_reports=self.pending, ven_id=ven_id)

    def _accept(
        self, request: ReportRequest, offers: Sequence[Report], now: datetime, most: int, decision: EiResponse | None
    ) -> None:
        request_id = request.report_request_id
        known = self._accepted.get(request_id)
        if known is not None:  # decision D37
            if known.request != request:
                raise RemoteProtocolError(f"reportRequestID {request_id} is in use", ResponseCode.INVALID_ID)
            REPORT_AT_SOURCE.step(known.state, ReportAtSourceInput.REPEAT)
            return
        check_request(request, offers, now)
        if decision is not None and not decision.ok:
            text = decision.response_description or f"{request_id} is not wanted"
            raise RemoteProtocolError(text, decision.response_code)
        if len(self._accepted) >= most:
            raise RemoteProtocolError(f"{most} report requests are served already", ResponseCode.DEPLOYMENT_ERROR)
        self._reserve(request)
        state = REPORT_AT_SOURCE.step(ReportAtSource.REFUSED, ReportAtSourceInput.ACCEPT)
        self._accepted[request_id] = AcceptedRequest(request=request, accepted_at=whole_seconds(now), state=state)
        self.begun.append(request_id)

    def _reserve(self, request: ReportRequest) -> None:
        """See that there is room for one request more."""
        if self._size is None:
            self._size = len(msgspec.msgpack.encode([one.request for one in self._accepted.values()]))
        size = self._size + len(msgspec.msgpack.encode(request))
        if size > _MOST_BYTES:
            raise RemoteProtocolError("the report requests take up too much room", ResponseCode.DEPLOYMENT_ERROR)
        self._size = size

    # --- their ends --------------------------------------------------------------------------------------------------

    def cancel(self, message: CancelReport) -> list[str]:
        """Cancel the requests that are known (decision D38); returns the others."""
        last = message.report_to_follow
        given = ReportAtSourceInput.CANCEL_AFTER_NEXT if last else ReportAtSourceInput.CANCEL
        return [one for one in message.report_request_id if not self.move(one, given)]

    def cancelled(self, message: CancelReport, unknown: Sequence[str], ven_id: str | None) -> CanceledReport:
        """Answer a cancel: what was not known in it, and what is still to come (rules 329 and 336)."""
        code = ResponseCode.INVALID_ID if unknown else ResponseCode.OK
        text = f"unknown reportRequestID {', '.join(unknown)}" if unknown else None
        return CanceledReport(response=response_to(message, code, text), pending_reports=self.pending, ven_id=ven_id)

    def cancel_by_the_way(self, sent: UpdateReport, message: CancelReport) -> list[str]:
        """Do a cancel that came in oadrUpdatedReport; it is not confirmed (rules 328 and 335).

        :param sent: what that answers: only what it holds can be cancelled so.
        :param message: the cancel.
        :returns: what cannot be cancelled, as it was not in there or is not known.
        """
        delivered = {one.report_request_id for one in sent.reports}
        wanted = tuple(one for one in message.report_request_id if one in delivered)
        foreign = [one for one in message.report_request_id if one not in delivered]
        return foreign + self.cancel(msgspec.structs.replace(message, report_request_id=wanted))

    def replace(self) -> None:
        """New metadata end what was asked for before, save periodic metadata (rule 306)."""
        for request_id, one in list(self._accepted.items()):
            if one.request.report_specifier.report_specifier_id != METADATA:
                self.move(request_id, ReportAtSourceInput.REPLACE)

    def end(self, request_ids: Iterable[str]) -> None:
        """End some requests: the peer wants no such report, or no longer."""
        for request_id in request_ids:
            self.move(request_id, ReportAtSourceInput.CANCEL)

    def note_made(
        self, request_id: str, *, made: bool = True, last: bool = False, until: datetime | None = None
    ) -> None:
        """Take note that a report was made, so that one with ``reportToFollow`` ends (rule 345).

        :param request_id: the request that it answers.
        :param made: whether there is one; else only its time is over.
        :param last: whether no further report will be made, as its time is over or it was asked for once.
        :param until: up to when its reports are made now, where a restart must not make them again.
        """
        known = self._accepted.get(request_id)
        if known is not None and until is not None and known.made_until is not None and until <= known.made_until:
            return  # it was noted before, and is noted again after a restart
        given = ReportAtSourceInput.MAKE_LAST if last else ReportAtSourceInput.MAKE
        self.move(request_id, given if made else ReportAtSourceInput.END)
        known = self._accepted.get(request_id)
        if known is not None and until is not None:
            self._accepted[request_id] = msgspec.structs.replace(known, made_until=until)

    def delivered(self, request_ids: Iterable[str], waiting: Container[str]) -> None:
        """Take note that reports have reached the peer, or never will.

        :param request_ids: what they answered.
        :param waiting: what others answer that have not.
        """
        for request_id in request_ids:
            if request_id not in waiting:
                self.move(request_id, ReportAtSourceInput.DELIVERED)

    def move(self, request_id: str, given: ReportAtSourceInput) -> bool:
        """Move a request; returns whether it is known."""
        known = self._accepted.get(request_id)
        if known is None:
            return False
        after = REPORT_AT_SOURCE.step(known.state, given)
        if after is ReportAtSource.ENDED:
            del self._accepted[request_id]
            self.ended.append(request_id)
        elif after is not known.state:
            self._accepted[request_id] = msgspec.structs.replace(known, state=after)
        return True

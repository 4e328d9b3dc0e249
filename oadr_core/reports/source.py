"""The source of reports: which requests of the peer it serves, and where they stand."""

from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from oadr_core.answers import response_in, response_to
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
    subtract_duration,
)
from oadr_core.offers import check_request, is_for_metadata, is_offered, is_once
from oadr_core.state.reports import AcceptedRequest, ReportsBlob, digest
from oadr_core.texts import joined

_REMEMBERED: Final = 8
"""How many requests that one report has answered a record remembers, to know one that comes again."""

_STRETCHES: Final = 8
"""How many stretches of time that were told a record remembers of a request."""

_MOST_REFUSALS: Final = 8
"""How many refusals of one message are told in words: there may be thousands."""

PayloadT = TypeVar("PayloadT", bound=Payload)


class Source:
    """The requests of one peer for our reports, while one input is taken.

    :param record: what is remembered of them.
    :ivar begun: the ids of those that were accepted now.
    :ivar ended: the ids of those that ended now.
    :ivar refused: why others were not accepted; the first of them, as one message may bring thousands.
    """

    def __init__(self, record: ReportsBlob) -> None:
        self._record = record
        self._accepted = {one.request.report_request_id: one for one in record.report_requests}
        self._accepted_once = record.accepted_once
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.refused: list[RemoteProtocolError] = []
        self._unsaid = 0  # refusals beyond those
        self._size: int | None = None  # of the requests, packed; as it is dear, not before it matters

    @property
    def accepted(self) -> tuple[AcceptedRequest, ...]:
        """The requests that are served, in the order in which they were accepted."""
        return tuple(self._accepted.values())

    @property
    def pending(self) -> tuple[str, ...]:
        """The ids of all reports that are still to come, whenever they were asked for (rule 329)."""
        return tuple(self._accepted)

    def up_to_date(self, message: PayloadT) -> PayloadT:
        """Have an answer that waits to be sent say what is pending by now (rule 329); any other message stays."""
        if isinstance(message, CreatedReport | CanceledReport) and message.pending_reports != self.pending:
            return msgspec.structs.replace(message, pending_reports=self.pending)
        return message

    def changes(self) -> dict[str, Any]:
        """What is to be remembered instead of what was; empty where nothing has changed."""
        found = {"report_requests": self.accepted, "accepted_once": self._accepted_once}
        return {name: value for name, value in found.items() if value != getattr(self._record, name)}

    # --- requests ----------------------------------------------------------------------------------------------------

    def is_new(self, carrier: Payload, requests: Iterable[ReportRequest]) -> bool:
        """Whether there is anything to decide about: a retry was decided before (decision D37)."""
        known = {key: one.request for key, one in self._accepted.items()}
        return any(known.get(one.report_request_id) != one and not self._is_done(carrier, one) for one in requests)

    def _is_done(self, carrier: Payload, request: ReportRequest) -> bool:
        """Whether the very message has brought a request before that one report was to answer."""
        return is_once(request) and _digest(carrier, request) in self._accepted_once

    def create(
        self,
        carrier: Payload,
        requests: Sequence[ReportRequest],
        offers: Sequence[Report],
        now: datetime,
        *,
        most: int,
        most_bytes: int,
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
        :param most_bytes: how much they may take up, packed; more are refused with 469.
        :param ven_id: the VEN of the two.
        :param decision: what the application says of those that are new; all are welcome if None.
        """
        for request in requests:
            try:
                self._accept(carrier, request, offers, now, most, most_bytes, decision)
            except RemoteProtocolError as error:
                self._refuse(error)
        code, text = int(ResponseCode.OK), None
        if self.refused:
            code, text = int(self.refused[0].code), joined([str(one) for one in self.refused], "; ", self._unsaid)
        response = response_to(carrier, code, text)
        return CreatedReport(response=response, pending_reports=self.pending, ven_id=ven_id)

    def _accept(
        self,
        carrier: Payload,
        request: ReportRequest,
        offers: Sequence[Report],
        now: datetime,
        most: int,
        most_bytes: int,
        decision: EiResponse | None,
    ) -> None:
        request_id = request.report_request_id
        known = self._accepted.get(request_id)
        if known is not None:  # decision D37
            if known.request != request:
                raise RemoteProtocolError(f"reportRequestID {request_id} is in use", ResponseCode.INVALID_ID)
            state = REPORT_AT_SOURCE.step(known.state, ReportAtSourceInput.REPEAT)
            self._accepted[request_id] = msgspec.structs.replace(known, state=state, outdated=False)
            return
        if self._is_done(carrier, request):
            return
        check_request(request, offers, now)
        if decision is not None and not decision.ok:
            text = decision.response_description or f"{request_id} is not wanted"
            raise RemoteProtocolError(text, decision.response_code)
        if len(self._accepted) >= most:
            raise RemoteProtocolError(f"{most} report requests are served already", ResponseCode.DEPLOYMENT_ERROR)
        self._reserve(request, most_bytes)
        state = REPORT_AT_SOURCE.step(ReportAtSource.REFUSED, ReportAtSourceInput.ACCEPT)
        self._accepted[request_id] = AcceptedRequest(request=request, accepted_at=whole_seconds(now), state=state)
        self.begun.append(request_id)
        if is_once(request):
            self._accepted_once = (*self._accepted_once[-(_REMEMBERED - 1) :], _digest(carrier, request))

    def _refuse(self, why: RemoteProtocolError) -> None:
        """Note a refusal; of many only how many there are."""
        if len(self.refused) < _MOST_REFUSALS:
            self.refused.append(why)
        else:
            self._unsaid += 1

    def _reserve(self, request: ReportRequest, most_bytes: int) -> None:
        """See that there is room for one request more."""
        if self._size is None:
            self._size = len(msgspec.msgpack.encode([one.request for one in self._accepted.values()]))
        size = self._size + len(msgspec.msgpack.encode(request))
        if size > most_bytes:
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
        text = f"unknown reportRequestID {joined(unknown)}" if unknown else None
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

    def outdate(self, request_ids: Container[str] | None = None) -> None:
        """New metadata leave: what was asked for before ends once the peer has taken them (see :meth:`replace`).

        What is accepted from now on is asked of the new ones, whichever of the two arrives first.

        :param request_ids: which requests were made before; all if None.
        """
        for request_id, one in self._accepted.items():
            if not is_for_metadata(one.request) and (request_ids is None or request_id in request_ids):
                self._accepted[request_id] = msgspec.structs.replace(one, outdated=True)

    def replace(self, wanted: Iterable[ReportRequest], offers: Sequence[Report]) -> None:
        """New metadata are taken, and end what was asked for before, save periodic metadata (rule 306).

        A request may have crossed the metadata on its way. The peer says in its answer what it wants of the new ones,
        and that goes on; so does what was accepted after they had left, and what is being read to be told once.

        :param wanted: the requests that came with the answer (rule 344).
        :param offers: the new metadata.
        """
        again = {one.report_request_id: one for one in wanted}
        for request_id, one in list(self._accepted.items()):
            if not one.outdated:
                continue
            at_once = is_once(one.request) and one.state is ReportAtSource.RUNNING
            if (at_once or again.get(request_id) == one.request) and is_offered(one.request, offers):
                self._accepted[request_id] = msgspec.structs.replace(one, outdated=False)
            else:
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
        if known is not None and until is not None and known.made_until == until:
            return  # it was noted before, and is noted again after a restart
        given = ReportAtSourceInput.MAKE_LAST if last else ReportAtSourceInput.MAKE
        self.move(request_id, given if made else ReportAtSourceInput.END)
        known = self._accepted.get(request_id)
        if known is not None and until is not None:
            told = _with_report(known, until)
            self._accepted[request_id] = msgspec.structs.replace(known, made_until=until, made=told)

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


def _with_report(known: AcceptedRequest, until: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """Add the stretch of time that a report is made of to those that are told."""
    since = subtract_duration(until, known.request.report_specifier.report_back_duration)
    *before, last = known.told or ((since, since),)
    if last[0] <= since <= last[1] <= until:
        return (*before, (last[0], until))
    return (*before, last, (since, until))[-_STRETCHES:]


def _digest(carrier: Payload, request: ReportRequest) -> str:
    """Tell a request, and the message that brings it, from others."""
    response = response_in(carrier)
    request_id = getattr(carrier, "request_id", "") if response is None else response.request_id
    return digest((request_id, request))

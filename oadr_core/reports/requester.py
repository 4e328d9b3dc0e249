"""Who asks for reports: what the peer offers, what it was asked for, and whether what it delivers is that."""

from collections.abc import Container, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from oadr_core.answers import response_to
from oadr_core.clock import whole_seconds
from oadr_core.codes import ResponseCode
from oadr_core.decisions import EndReports
from oadr_core.errors import LocalProtocolError
from oadr_core.machines.report import REPORT_AT_REQUESTER, ReportAtRequester, ReportAtRequesterInput
from oadr_core.messages import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    EiResponse,
    Payload,
    ReadingType,
    RegisterReport,
    Report,
    ReportRequest,
    UpdatedReport,
    UpdateReport,
    add_duration,
    is_zero,
)
from oadr_core.offers import is_for_metadata, is_once
from oadr_core.reports.data import last_instant, wrong_with
from oadr_core.rules import refuse
from oadr_core.state.reports import ReportsBlob, RequestedReport, digest, pack_offers
from oadr_core.texts import joined

_FORMER: Final = 16
"""How many ended report requests a record remembers, to take data that were under way."""

_LATE: Final = timedelta(minutes=1)
"""How late the last report of a request may be until it is not expected any more (rule 341)."""

_UNDER_WAY: Final = timedelta(minutes=1)
"""How long after a request has ended reports may be made that do not know it; it allows for clocks that differ."""

_RECENT: Final = 8
"""How many delivered reports a record remembers, to know one that comes again."""


class Gap(msgspec.Struct, frozen=True):
    """A stretch of time of which no values came.

    :param report_request_id: the request.
    :param since: when the last value before it held.
    :param until: when the first value after it held.
    """

    report_request_id: str
    since: datetime
    until: datetime


class Examined(msgspec.Struct, frozen=True):
    """What a delivery is worth.

    :param taken: the reports that may be taken.
    :param response: what to answer about the others; success where there are none.
    :param offers: the offers of the source by which it was examined, packed.
    :param requests: for each report the request by which it was examined.
    """

    taken: tuple[Report, ...]
    response: EiResponse
    offers: bytes
    requests: tuple[ReportRequest | None, ...]


class Requester:
    """The reports that one peer offers us and was asked for, while one input is taken.

    :param record: what is remembered of them.
    """

    def __init__(self, record: ReportsBlob) -> None:
        self._record = record
        self._requests = {one.request_id: one for one in record.requests}
        self._former = list(record.former)
        self._recent = record.recent
        self._offers, self._offered_with = record.offers, record.offered_with

    @property
    def requests(self) -> tuple[RequestedReport, ...]:
        """What the peer was asked for."""
        return tuple(self._requests.values())

    def changes(self) -> dict[str, Any]:
        """What is to be remembered instead of what was; empty where nothing has changed."""
        found = {
            "offers": self._offers,
            "offered_with": self._offered_with,
            "requests": self.requests,
            "former": tuple(self._former[-_FORMER:]),
            "recent": self._recent,
        }
        return {name: value for name, value in found.items() if value != getattr(self._record, name)}

    # --- offers ------------------------------------------------------------------------------------------------------

    def has_taken(self, message: RegisterReport) -> bool:
        """Whether offers were taken before: the answer was lost, and they came again."""
        return self._offered_with == digest(message)

    def take_offers(
        self,
        message: RegisterReport,
        by_the_way: Container[str],
        now: datetime,
        standing: Container[str] | None = None,
        *,
        of_vtn: bool = False,
    ) -> set[str]:
        """Take the offers of the peer: they replace what it offered before, and end what it was asked for (rule 306).

        A request for metadata that they answer ends with that, unless it is periodic, as that needs a cancel. What the
        peer has not answered yet is still asked for, in a request of its own.

        :param message: the offers.
        :param by_the_way: the unconfirmed requests that are in no request of their own; see :meth:`unconfirmed`.
        :param now: the present.
        :param standing: what the peer had been asked for when the offers came. What it was asked for since, while the
            application looked at them, came to it after they had left; unless it came of earlier offers. All if None.
        :param of_vtn: whether the peer is a VTN: one that offers nothing answers a periodic request once (rule 510).
        :returns: the requests that ended by it.
        """
        for_metadata = {key for key, one in self._requests.items() if is_for_metadata(one.request)}
        if message.report_request_id in for_metadata:
            answered = self._of_answer(message.report_request_id)
            final = ReportAtRequesterInput.END if of_vtn and not message.reports else answered
            self.move({message.report_request_id}, final)
        still_asked = {
            key for key, one in self._requests.items() if one.state is ReportAtRequester.ASKED and key not in by_the_way
        }
        before = {key for key, one in self._requests.items() if standing is None or key in standing or one.by_the_way}
        replaced = before - for_metadata - still_asked
        self.move(replaced, ReportAtRequesterInput.REPLACE)
        self._note_ended(replaced, now)
        self._offers, self._offered_with = pack_offers(message.reports), digest(message)
        return replaced

    def wanted(self, under_way: Sequence[tuple[CreateReport, bool]]) -> tuple[ReportRequest, ...]:
        """What is wanted of the offers that were taken: the answer to them says it, as nothing else goes on (rule 306).

        That is what is asked for by the way (rule 344), and what the source may have been asked for in a request of its
        own before it had the answer: it ends it by that, unless it is told that it is still wanted. What is wanted once
        goes on, and is not asked for twice.

        :param under_way: the requests that are still to be answered, and whether each has left.
        """
        by_the_way = {*self._requests} - {key for message, _ in under_way for key in _ids(message)}
        left = {key for message, has_left in under_way if has_left for key in _ids(message)}
        return tuple(
            one.request
            for key, one in self._requests.items()
            if (key in by_the_way or (key in left and not is_once(one.request)))
            and one.state is not ReportAtRequester.ENDING
            and not is_for_metadata(one.request)
        )

    # --- requests ----------------------------------------------------------------------------------------------------

    def ready(self, requests: Iterable[ReportRequest]) -> tuple[ReportRequest, ...]:
        """Make requests of the application ready to be sent, whatever reading types it gives (rule 338).

        :raises LocalProtocolError: a request breaks a rule, or its id is in use; the text says which, and why.
        """
        found: dict[str, ReportRequest] = {}
        for one in map(_without_reading_types, requests):
            request_id = one.report_request_id
            refuse(one)
            if request_id in self._requests or request_id in found:
                raise LocalProtocolError(
                    f"the reportRequestID {request_id!r} is in use; give each one of its own (R322)"
                )
            found[request_id] = one
        return tuple(found.values())

    def ask(self, requests: Iterable[ReportRequest], *, by_the_way: bool = False) -> None:
        """The peer is asked for reports.

        :param requests: what it is asked for.
        :param by_the_way: whether that is in the answer to its metadata (rule 344).
        """
        for request in requests:
            requested = RequestedReport(request=request, by_the_way=by_the_way)
            self._requests[request.report_request_id] = requested

    def cancel(self, message: CancelReport) -> None:
        """The peer is asked for no more of some reports."""
        self.move(set(message.report_request_id), ReportAtRequesterInput.CANCEL)
        for request_id in message.report_request_id:
            if request_id in self._requests:
                known = self._requests[request_id]
                follows = message.report_to_follow
                self._requests[request_id] = msgspec.structs.replace(known, to_follow=follows, ends_by=None)

    def take_created(self, message: CreatedReport, asked: Iterable[str]) -> set[str]:
        """The peer says which reports are pending (rule 329).

        :param message: what it says.
        :param asked: the requests that it answers.
        :returns: those that it refuses.
        """
        waiting = {key for key, one in self._requests.items() if one.state is ReportAtRequester.ASKED} & set(asked)
        refused = set() if message.response.ok else waiting - set(message.pending_reports)
        self.move(waiting - refused, ReportAtRequesterInput.CONFIRM)
        self.move(refused, ReportAtRequesterInput.REFUSE)
        return refused

    def take_canceled(self, message: CanceledReport | None, cancel: CancelReport, now: datetime) -> None:
        """The peer confirms a cancel; with a report to follow the request lives on until that is here (rule 345).

        :param message: what it says; None where it only says yes (decision D14).
        :param cancel: what it confirms.
        :param now: the present.
        """
        ended = set(self._requests) & set(cancel.report_request_id)
        if cancel.report_to_follow:
            lives = ended if message is None else ended & set(message.pending_reports)
            self._expect_the_last(lives, now)
            ended -= lives
        self.move(ended, ReportAtRequesterInput.CONFIRM_CANCEL)

    def _expect_the_last(self, request_ids: Iterable[str], now: datetime) -> None:
        """The source knows of a cancel: what it had to report is under way, or comes within its period."""
        for request_id in request_ids:
            one = self._requests[request_id]
            if one.state is ReportAtRequester.ENDING:
                specifier = one.request.report_specifier
                begin = specifier.report_interval.dtstart if specifier.report_interval is not None else now
                last = add_duration(max(begin, now), specifier.report_back_duration)
                self._requests[request_id] = msgspec.structs.replace(one, ends_by=add_duration(last, _LATE))

    def _note_ended(self, request_ids: Container[str], now: datetime) -> None:
        """Note of requests when they ended, as their source may not know it yet."""
        self._former = [
            msgspec.structs.replace(one, ended_at=whole_seconds(now))
            if one.request_id in request_ids and one.ended_at is None
            else one
            for one in self._former
        ]

    def move(self, request_ids: set[str], given: ReportAtRequesterInput) -> None:
        """Move requests; data that were under way when one ended are still taken.

        Answers may be late: a request that reports are here of, or that is being cancelled, cannot be refused any more,
        and one that was made anew under its old id is not the one whose cancellation is confirmed.
        """
        for request_id in [one for one in self._requests if one in request_ids]:
            one = self._requests[request_id]
            if not REPORT_AT_REQUESTER.allows(one.state, given):
                continue
            state = REPORT_AT_REQUESTER.step(one.state, given)
            moved = one if state is one.state else msgspec.structs.replace(one, state=state)
            if state is ReportAtRequester.ENDED:
                del self._requests[request_id]
                self._former.append(moved)
            else:
                self._requests[request_id] = moved

    def unconfirmed(self, under_way: Iterable[CreateReport]) -> set[str]:
        """Find the requests that were made by the way (rule 344): those that go in no request of their own.

        Metadata never are asked for by the way: such a request is still to be sent, as after a restart.

        :param under_way: the requests that are still to be answered.
        """
        apart = {one.report_request_id for message in under_way for one in message.report_requests}
        return {
            key
            for key, one in self._requests.items()
            if one.state is ReportAtRequester.ASKED and key not in apart and not is_for_metadata(one.request)
        }

    def is_answered(self, message: Payload) -> bool:
        """Whether a message asks for reports that have all come, or been confirmed or refused, whatever became of it.

        The source may have crashed before it answered; asked again it would make once more what is wanted once. What is
        cancelled with a report to follow must be asked for first (rule 345).
        """
        if not isinstance(message, CreateReport):
            return False
        known = [self._requests[key] for key in _ids(message) if key in self._requests]
        return not any(
            one.state is ReportAtRequester.ASKED or (one.state is ReportAtRequester.ENDING and one.to_follow)
            for one in known
        )

    def still_asked(self, message: Payload) -> Payload:
        """Take from a message that may be sent again what it asks for and was cancelled since, in an answer.

        Asked again for that, a source that has not heard of it any more would begin anew. Where nothing would be left
        the message stays, see :meth:`is_answered`.
        """
        if not isinstance(message, CreateReport):
            return message
        left = tuple(one for one in message.report_requests if not self._is_cancelled(one.report_request_id))
        if not left or len(left) == len(message.report_requests):
            return message
        return msgspec.structs.replace(message, report_requests=left)

    def _is_cancelled(self, request_id: str) -> bool:
        known = self._requests.get(request_id)
        gone = (ReportAtRequester.ENDING, ReportAtRequester.ENDED)
        return known is not None and known.state in gone and not known.to_follow

    def expire(self, now: datetime) -> None:
        """End requests whose time is over; what is late is still taken (rule 341)."""
        over = {one.request_id for one in self.requests if is_over(one, now)}
        ending = {key for key in over if self._requests[key].state is ReportAtRequester.ENDING}
        self.move(over, ReportAtRequesterInput.END)
        self._note_ended(ending, now)

    # --- deliveries --------------------------------------------------------------------------------------------------

    def has_received(self, key: str) -> bool:
        """Whether a delivery was taken before: the answer was lost, and it came again (rule 346).

        :param key: the digest of the delivery.
        """
        return key in self._recent

    def examine(self, message: UpdateReport, before: Examined | None = None) -> Examined:
        """Look whether reports are what was asked for (rules 300, 304, 314, 315 and 342).

        :param message: the delivery.
        :param before: what was found when it came; that still holds unless another request or offer counts by now.
        """
        known = {one.request_id: one.request for one in (*self._former, *self._requests.values())}
        requests = tuple(known.get(one.report_request_id) for one in message.reports)
        if before is not None and (before.offers, before.requests) == (self._record.offers, requests):
            return before
        offers = {one.report_specifier_id: one for one in self._record.offered()}
        taken: list[Report] = []
        texts: list[str] = []
        code = int(ResponseCode.OK)
        for report, request in zip(message.reports, requests, strict=True):
            offer = offers.get(report.report_specifier_id)
            wrong = wrong_with(report, request, offer)
            if wrong is None:
                taken.append(report)
            else:
                code = code if texts else int(wrong.code)
                texts.append(str(wrong))
        response = response_to(message, code, joined(texts, "; ") or None)
        return Examined(tuple(taken), response, self._record.offers, requests)

    def take(self, key: str, taken: Sequence[Report], now: datetime) -> list[Gap]:
        """Reports are taken.

        :param key: the digest of the delivery, all of which is known by that.
        :param taken: what was taken of it.
        :param now: the present.
        :returns: the stretches of time that are missing before them.
        """
        gaps = [gap for report in taken if (gap := self._follow(report)) is not None]
        for report in taken:
            request_id = report.report_request_id
            if request_id in self._requests:
                ending = self._requests[request_id].state is ReportAtRequester.ENDING
                self.move({request_id}, self._of_answer(request_id))
                if ending and request_id not in self._requests:
                    self._note_ended({request_id}, now)
        self._recent = (*self._recent[-(_RECENT - 1) :], key)
        return gaps

    def _of_answer(self, request_id: str) -> ReportAtRequesterInput:
        """What the arrival of what was asked for means for a request."""
        one = self._requests[request_id]
        last = one.state is ReportAtRequester.ENDING and one.to_follow and one.ends_by is not None
        complete = one.received_until is not None and _holds_all(one.request, one.received_until)
        ends = is_once(one.request) or last or complete
        return ReportAtRequesterInput.END if ends else ReportAtRequesterInput.CONFIRM

    def _follow(self, report: Report) -> Gap | None:
        """Look whether a report follows the one before; an earlier one corrects, and leaves no gap (rule 346)."""
        one = self._requests.get(report.report_request_id)
        last = last_instant(report)
        if one is None or last is None or report.dtstart is None:
            return None
        before, spacing = one.received_until, one.request.report_specifier.granularity
        if before is None or last > before:
            self._requests[one.request_id] = msgspec.structs.replace(one, received_until=last)
        if before is None or not isinstance(spacing, timedelta) or not spacing:
            return None
        return Gap(one.request_id, before, report.dtstart) if report.dtstart - before > spacing * 1.5 else None

    def cancel_in_answer(
        self, message: UpdateReport, wish: EndReports, request_id: str, ven_id: str | None, now: datetime
    ) -> CancelReport | None:
        """Cancel reports in the answer to a delivery of theirs (rules 328 and 335).

        :param message: the delivery; nothing else can be cancelled so.
        :param wish: what the application wants no more of.
        :param request_id: the requestID of the cancel.
        :param ven_id: the VEN of the two.
        :param now: the present.
        """
        delivered = dict.fromkeys(one.report_request_id for one in message.reports)
        ids = tuple(one for one in delivered if one in self._requests and wish.names(one))
        if not ids:
            return None
        cancel = CancelReport(
            request_id=request_id, report_request_id=ids, report_to_follow=wish.report_to_follow, ven_id=ven_id
        )
        self.cancel(cancel)
        self._expect_the_last(ids, now)  # nobody confirms it
        return cancel

    def overdue(self, message: UpdateReport) -> tuple[str, ...]:
        """Find requests that go on although they have ended, so that they are cancelled by a message that is confirmed.

        One was cancelled in an answer, which nobody confirms (rule 335). Another was confirmed before the new metadata
        arrived that had left before it came to the source: it goes on there, and ended here. Of a third the source has
        never heard that one more report was wanted, which we took for the last.
        """
        made = {one.report_request_id: one.created_date_time for one in message.reports}
        cancelled = (
            key for key, one in self._requests.items() if one.state is ReportAtRequester.ENDING and not one.to_follow
        )
        ended = (
            one.request_id
            for one in self._ended_unseen()
            if one.request_id in made
            and one.ended_at is not None
            and made[one.request_id] > add_duration(one.ended_at, _UNDER_WAY)
        )
        return tuple(one for one in (*cancelled, *ended) if one in made)

    def going_on(self, message: CreatedReport) -> tuple[str, ...]:
        """Find what has ended here, as by new metadata, and is still to come as the source says (rules 306 and 329)."""
        pending = set(message.pending_reports)
        return tuple(one.request_id for one in self._ended_unseen() if one.request_id in pending)

    def _ended_unseen(self) -> list[RequestedReport]:
        return [one for one in self._former if one.ended_at is not None and one.request_id not in self._requests]

    def updated(
        self, message: UpdateReport, response: EiResponse, ven_id: str | None, cancel: CancelReport | None = None
    ) -> UpdatedReport:
        """Answer a delivery, with a cancel by the way if there is one.

        A registration that has ended meanwhile has taken the venID along, and an empty one is none (rule 508).
        """
        answered = response_to(message, response.response_code, response.response_description)
        return UpdatedReport(response=answered, cancel_report=cancel, ven_id=ven_id or None)


def _without_reading_types(request: ReportRequest) -> ReportRequest:
    """Say the same request as rule 338 wants it; users of other software are used to name the reading type there."""
    specifier = request.report_specifier
    payloads = tuple(
        msgspec.structs.replace(one, reading_type=ReadingType.X_NOT_APPLICABLE) for one in specifier.specifier_payloads
    )
    return msgspec.structs.replace(
        request, report_specifier=msgspec.structs.replace(specifier, specifier_payloads=payloads)
    )


def is_over(requested: RequestedReport, now: datetime) -> bool:
    """Whether no more reports of a request are to be expected: its time is over, and that of its last report too."""
    if requested.ends_by is not None and requested.ends_by < now:
        return True
    request = requested.request
    end, back = _end(request), request.report_specifier.report_back_duration
    return end is not None and add_duration(add_duration(end, back), _LATE) < now


def _holds_all(request: ReportRequest, received_until: datetime) -> bool:
    """Whether the last value that was asked for is here (rule 325)."""
    end, spacing = _end(request), request.report_specifier.granularity
    return end is not None and not is_zero(spacing) and add_duration(received_until, spacing) >= end


def _end(request: ReportRequest) -> datetime | None:
    """When the time of a request is over; None where it has no end, or is asked for once, whenever that comes."""
    specifier = request.report_specifier
    interval = specifier.report_interval
    if interval is None or is_zero(interval.duration) or is_zero(specifier.report_back_duration):
        return None
    return add_duration(interval.dtstart, interval.duration)


def _ids(message: CreateReport) -> tuple[str, ...]:
    return tuple(one.report_request_id for one in message.report_requests)

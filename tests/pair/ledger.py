"""The ledger of reports: what was asked for, what left because of that, and what has come of it.

It knows nothing of how the cores keep their books: it reads what is on the wire, and hears what both sides tell.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import msgspec

from oadr_core import (
    CanceledPartyRegistration,
    CanceledReport,
    CancelPartyRegistration,
    CancelReport,
    CreatedReport,
    CreatePartyRegistration,
    CreateReport,
    Now,
    Payload,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportPayload,
    ReportRequest,
    ResponseCode,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.messages import add_duration, is_zero
from tests.pair.meters import PERIOD, REFUSED, STEP, Meter, minutes

Link = tuple[str, str]
"""Who reports, and to whom, by the names of their hosts."""

_UNFINISHED: Final = timedelta(minutes=3)
"""How far back what was read may be in no report that is finished; a restart forgets it."""

_REMEMBERED: Final = 7
"""After how many other deliveries a receiver may have forgotten one, and takes it again if it comes late."""


class Order(msgspec.Struct):
    """A report that an application has asked for.

    :param link: who reports it to whom.
    :param request: what was asked for.
    :param kind: what kind of a request that is.
    :param certain: whether it was surely taken: the power of the machine did not fail meanwhile.
    :param cancelled_at: when it was cancelled, if it was.
    :param to_follow: whether it was cancelled with a report to follow.
    :param enough: whether its application has had enough of it, and says so in the answer to the next report.
    :param void: whether something else may have ended it: new metadata, or the end of the registration.
    """

    link: Link
    request: ReportRequest
    kind: str
    certain: bool = True
    cancelled_at: float | None = None
    to_follow: bool = False
    enough: bool = False
    void: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether it was surely taken, has no end, and nobody has ended it."""
        specifier = self.request.report_specifier
        interval = specifier.report_interval
        endless = interval is not None and is_zero(interval.duration) and not is_zero(specifier.report_back_duration)
        ended = self.void or self.enough or self.cancelled_at is not None
        return endless and self.certain and not ended and self.kind not in REFUSED


class Document(msgspec.Struct):
    """An oadrUpdateReport that has left.

    :param link: who reports to whom.
    :param message: the document.
    :param first_sent: when it left for the first time, on the monotonic clock.
    :param void: whether the registration in which it left has ended.
    """

    link: Link
    message: UpdateReport
    first_sent: float
    void: bool = False


class Ending(msgspec.Struct):
    """A request that its source knows to be cancelled.

    :param since: when the source knew; what is made later is not wanted any more.
    :param to_follow: how many reports may still be made.
    """

    since: datetime
    to_follow: int


class Ledger:
    """Reads along, and complains as soon as a report is not as it must be.

    :ivar strict: whether clocks are right, so that every instant of a report can be told beforehand.
    """

    def __init__(self) -> None:
        self.strict = True
        self.orders: dict[str, Order] = {}
        self.documents: dict[tuple[Link, str], Document] = {}
        self.meters: dict[str, Meter] = {}
        self.dropped: Counter[tuple[Link, str]] = Counter()
        """How many reports each source has given up, as it has told, by request."""
        self.received: defaultdict[Link, dict[tuple[str, str, datetime], object]] = defaultdict(dict)
        """What has arrived, by request, data point and time."""
        self.told: defaultdict[str, list[datetime]] = defaultdict(list)
        """The instants that each request was told of."""
        self._requests: dict[str, tuple[Link, ReportRequest]] = {}
        self._values: dict[tuple[str, str, datetime], object] = {}
        self._taken: defaultdict[Link, list[str]] = defaultdict(list)
        self._missed: list[tuple[str, datetime, datetime]] = []
        self._carried: dict[tuple[Link, str], frozenset[str]] = {}  # the requests that a document holds
        self._listed: defaultdict[Link, set[str]] = defaultdict(set)  # those that were listed as pending, ever
        self._cancels: dict[tuple[Link, str], CancelReport] = {}
        self._ending: dict[tuple[Link, str], Ending] = {}
        self._outdated: dict[tuple[Link, str], frozenset[str]] = {}  # what metadata will end, once they are taken

    # --- what may be missing -----------------------------------------------------------------------------------------

    def slept(self, since: datetime, until: datetime) -> None:
        """Nobody was awake for some time, and nothing could be read; nor what was recorded in the period before."""
        self._missed.append(("", since - PERIOD, until))

    def started(self, host: str, now: datetime, *, cut: bool) -> None:
        """A machine has started again: what it had read and not finished is lost.

        :param host: the machine.
        :param now: the present.
        :param cut: whether its power had failed: it may have taken something, and saved that, and not told it.
        """
        self._missed.append((host, now - _UNFINISHED, now))
        for (link, request_id), document in self.documents.items():
            if cut and link[1] == host and request_id not in self._taken[link]:
                document.void = True
        if cut:  # it may not have saved what it knew
            self._ending = {key: one for key, one in self._ending.items() if key[0][0] != host}

    def is_missed(self, host: str, instant: datetime) -> bool:
        """Whether a machine may have read nothing at a time."""
        return any(who in ("", host) and since <= instant <= until for who, since, until in self._missed)

    # --- what is on the wire -----------------------------------------------------------------------------------------

    def pass_by(self, link: Link, message: Payload) -> None:
        """A document leaves or arrives.

        :param link: who has made it, and for whom.
        :param message: what it says.
        """
        there = (link[1], link[0])
        if isinstance(message, CreateReport | RegisteredReport):
            requests = message.report_requests or ()
            carrier = message.request_id if isinstance(message, CreateReport) else message.response.request_id
            self._carried[there, carrier] = frozenset(one.report_request_id for one in requests)
            for request in requests:
                known = self._requests.setdefault(request.report_request_id, (there, request))
                assert known == (there, request), "a reportRequestID is used twice (rule 322)"
                self._begins_anew(there, request.report_request_id)
        elif isinstance(message, CancelReport):
            self._cancels[there, message.request_id] = message
        elif isinstance(message, RegisterReport):
            self._void(link, message.report_request_id)
        elif isinstance(message, CancelPartyRegistration | CanceledPartyRegistration) or (
            isinstance(message, CreatePartyRegistration) and message.registration_id is None
        ):
            self.break_off(link)

    def _begins_anew(self, link: Link, request_id: str) -> None:
        """A request comes, and may do so late: it goes on, whatever was to end it."""
        self._ending.pop((link, request_id), None)
        for key, ended in self._outdated.items():
            if key[0] == link:
                self._outdated[key] = ended - {request_id}

    def _void(self, link: Link, answered: str | None) -> None:
        """New metadata end what was asked for before, save what asks for metadata (rule 306)."""
        for request_id, order in self.orders.items():
            if order.link == link and (order.kind != "metadata" or request_id == answered):
                order.void = True

    def break_off(self, link: Link) -> None:
        """A registration ends, or may have ended: nothing that was begun in it needs to go on."""
        for one in (*self.orders.values(), *self.documents.values()):
            if one.link in (link, link[::-1]):
                one.void = True

    # --- what leaves -------------------------------------------------------------------------------------------------

    def leaves(self, link: Link, message: Payload, pending: Iterable[str], now: Now) -> None:
        """A document leaves.

        :param link: who has made it, and for whom.
        :param message: what it says.
        :param pending: the requests that are served now, where its maker reports.
        :param now: the present.
        """
        self.pass_by(link, message)
        if isinstance(message, CreatedReport | CanceledReport):
            listed = self._listed[link]
            listed |= self._carried.get((link, message.response.request_id), frozenset())
            left_out = listed & set(pending) - set(message.pending_reports)
            assert not left_out, f"the pending list leaves out {', '.join(sorted(left_out))} (rule 329)"
            listed |= set(message.pending_reports)
        if isinstance(message, RegisterReport):
            served = frozenset(one for one in pending if self._goes_on_until_ended(one))
            self._outdated.setdefault((link, message.request_id), served)
        elif isinstance(message, CanceledReport):
            self._is_cancelled(link, message, now.utc)
        elif isinstance(message, UpdatedReport):
            self._is_welcome((link[1], link[0]), message)
        if not isinstance(message, UpdateReport):
            return
        known = self.documents.get((link, message.request_id))
        if known is not None:
            assert known.message.reports == message.reports, "a report is not what it was when it is sent again"
            return
        self.documents[link, message.request_id] = Document(link, message, now.mono)
        for report in message.reports:
            self._is_wanted(link, report)
            self._read(link, report)

    def _is_cancelled(self, link: Link, message: CanceledReport, now: datetime) -> None:
        """A source confirms a cancel: it makes no more reports than one to follow (rules 336 and 345)."""
        cancel = self._cancels.get((link, message.response.request_id))
        if cancel is not None and message.response.ok:
            for request_id in cancel.report_request_id:
                follows = request_id in message.pending_reports
                assert cancel.report_to_follow or not follows, f"{request_id} is cancelled, and is pending (rule 336)"
                self._ending.setdefault((link, request_id), Ending(now, int(follows)))

    def _goes_on_until_ended(self, request_id: str) -> bool:
        """Whether a request asks for more than one report; those for metadata do not, here."""
        known = self._requests.get(request_id)
        return known is not None and not is_zero(known[1].report_specifier.report_back_duration)

    def metadata_are_taken(self, link: Link, message: RegisteredReport, now: datetime) -> None:
        """A source learns that its new metadata are taken, which end what was asked for before (rule 306).

        :param link: who reports to whom.
        :param message: the answer; what comes with it goes on.
        :param now: the present.
        """
        if message.response.ok:
            again = {one.report_request_id for one in message.report_requests or ()}
            for request_id in self._outdated.get((link, message.response.request_id), frozenset()) - again:
                self._ending.setdefault((link, request_id), Ending(now, 0))

    def is_cancelled_by_the_way(self, link: Link, cancel: CancelReport, now: datetime) -> None:
        """A source learns from the answer to its report that no more is wanted (rules 328 and 335).

        :param link: who reports to whom.
        :param cancel: what the answer says.
        :param now: the present.
        """
        for request_id in cancel.report_request_id:
            self._ending.setdefault((link, request_id), Ending(now, int(cancel.report_to_follow)))

    def _is_wanted(self, link: Link, report: Report) -> None:
        """A report leaves for the first time: it was not cancelled when it was made."""
        ending = self._ending.get((link, report.report_request_id))
        if ending is not None and self.strict and report.created_date_time > ending.since:
            assert ending.to_follow, f"{report.report_request_id} goes on after its last report"
            ending.to_follow -= 1

    def _is_welcome(self, link: Link, message: UpdatedReport) -> None:
        """A delivery is answered: who has asked for what it holds, and wants it without end, knows that."""
        document = self.documents.get((link, message.response.request_id))
        if document is None or message.response.response_code != ResponseCode.INVALID_ID:
            return
        for report in document.message.reports:
            order = self.orders.get(report.report_request_id)
            assert order is None or not order.goes_on, f"{report.report_request_id} is asked for, and refused"

    def _read(self, link: Link, report: Report) -> None:
        """A report is told: is it what was asked for, and does it go on where the one before has ended?"""
        request_id = report.report_request_id
        there, request = self._requests[request_id]
        assert there == link, f"{link[0]} tells {link[1]} what somebody else has asked for"
        specifier = request.report_specifier
        assert report.report_specifier_id == specifier.report_specifier_id
        told: dict[str, list[datetime]] = {one.r_id: [] for one in specifier.specifier_payloads}
        for interval in report.intervals:
            (payload,) = interval.payloads
            assert isinstance(payload, ReportPayload)
            assert interval.dtstart is not None
            told[payload.r_id].append(interval.dtstart)
            self._read_value(link, request_id, interval.dtstart, payload)
        for r_id, instants in told.items():
            assert instants, f"{r_id} is left out of the report (rule 300)"
            assert instants == sorted(set(instants)), "a report is in order, each instant once (rule 314)"
        if is_zero(specifier.granularity) and not is_zero(specifier.report_back_duration):
            shown = [one.payloads[0] for one in report.intervals]
            changes = all(one != other for one, other in pairwise(shown))
            assert changes, "a report on change tells changes alone (rule 317)"
        if self.strict and link[0] in self.meters:
            self._follows(link[0], request, next(iter(told.values())))

    def _read_value(self, link: Link, request_id: str, instant: datetime, payload: ReportPayload) -> None:
        """A value is told: it is what was shown, or marked as none (rule 318)."""
        meter = self.meters.get(link[0])
        if meter is None:
            return
        if not (payload.data_quality or "").startswith("Quality Bad"):
            shown = meter.shown.get((payload.r_id, instant), set())
            assert payload.value in shown or payload.r_id == "load", f"{payload.r_id} never showed {payload.value}"
        key = (request_id, payload.r_id, instant)
        assert key not in self._values or not self.strict, f"{request_id} is told twice of {instant}"
        self._values[key] = payload.value

    def _follows(self, source: str, request: ReportRequest, instants: list[datetime]) -> None:
        """The instants of a report follow those of the one before, without a gap that nothing explains."""
        specifier, before = request.report_specifier, self.told[request.report_request_id]
        begin = end = None
        if specifier.report_interval is not None:
            begin, length = specifier.report_interval.dtstart, specifier.report_interval.duration
            end = None if is_zero(length) else add_duration(begin, length)
        if is_zero(specifier.report_back_duration):
            assert not before, f"{request.report_request_id} is told again, and was asked for once (rule 324)"
            if begin is not None and end is not None:
                full = all(one in instants for one in minutes(begin, end))
                failed = instants == [begin]
                assert full or failed, "history is told as it was recorded (rule 317)"
        else:
            assert begin is not None
            step = specifier.granularity
            assert isinstance(step, timedelta)
            for instant in instants:
                assert end is None or instant < end, f"{instant} is beyond the end of the request (rule 325)"
                assert instant >= begin, f"{instant} is before the begin of the request (rule 341)"
                assert not step or not (instant - begin) % step, f"{instant} is off the boundaries (rule 341)"
                assert not before or instant > before[-1], "readings are told in order"
                if step and before:
                    self._no_gap(source, before[-1], instant, step)
                before.append(instant)
            return
        before += instants

    def _no_gap(self, source: str, before: datetime, instant: datetime, step: timedelta) -> None:
        missing = before + step
        while missing < instant:
            assert self.is_missed(source, missing), f"the reading of {missing} is missing"
            missing += step

    # --- what arrives ------------------------------------------------------------------------------------------------

    def arrives(self, link: Link, message: UpdateReport) -> None:
        """Reports are taken: each delivery once, in order, unchanged."""
        document = self.documents.get((link, message.request_id))
        assert document is not None, "reports are taken that nobody has sent"
        assert message.request_id not in self._taken[link][-_REMEMBERED:], "a delivery is taken twice"
        self._taken[link].append(message.request_id)
        known = self.received[link]
        for report in message.reports:
            there, _ = self._requests.get(report.report_request_id, (None, None))
            assert there == link, "a report is taken that somebody else was asked for (rule 304)"
            for interval in report.intervals:
                (payload,) = interval.payloads
                assert isinstance(payload, ReportPayload)
                assert interval.dtstart is not None
                known[report.report_request_id, payload.r_id, interval.dtstart] = payload.value

    def is_dropped(self, link: Link, request_id: str) -> None:
        """A source gives a report up, and tells so."""
        self.dropped[link, request_id] += 1

    # --- when all is well --------------------------------------------------------------------------------------------

    def all_has_arrived(self, link: Link) -> None:
        """Everything that has left is with its receiver, unless its source has given it up and told so."""
        dropped = self.dropped.copy()
        for document in self.documents.values():
            if document.link != link or document.void:
                continue
            for report in document.message.reports:
                keys = {
                    (report.report_request_id, one.payloads[0].r_id, one.dtstart): one.payloads[0].value
                    for one in report.intervals
                    if isinstance(one.payloads[0], ReportPayload)
                }
                arrived = self.received[link]
                if not all(key in arrived and arrived[key] == value for key, value in keys.items()):
                    dropped[link, report.report_request_id] -= 1
                    assert dropped[link, report.report_request_id] >= 0, f"{report.report_request_id} has not arrived"

    def orders_stand(self, link: Link, asked: set[str], pending: set[str], now: datetime) -> None:
        """What was asked for stands as it should.

        :param link: who reports to whom.
        :param asked: the requests that stand at who has asked.
        :param pending: those that stand at the source.
        :param now: the present.
        """
        for request_id, order in self.orders.items():
            if order.link != link:
                continue
            stands = request_id in asked | pending
            if order.kind in REFUSED:
                assert not stands, f"{request_id} is served, and asks for {order.kind}"
                assert not self._leaving(request_id)
            elif order.cancelled_at is not None:
                assert not stands, f"{request_id} was cancelled and goes on"
                self._last_has_followed(request_id, order)
            elif not order.void and order.certain and not order.enough:
                self._is_served(request_id, order, stands, now)

    def _is_served(self, request_id: str, order: Order, stands: bool, now: datetime) -> None:
        specifier = order.request.report_specifier
        interval = specifier.report_interval
        periodic = not is_zero(specifier.report_back_duration)
        open_ended = periodic and interval is not None and is_zero(interval.duration)
        if (
            periodic
            and interval is not None
            and not open_ended
            and add_duration(interval.dtstart, interval.duration) > now
        ):
            return  # it was asked for by a clock that was fast
        assert stands is open_ended, f"{request_id} is forgotten" if open_ended else f"{request_id} never ends"
        if order.kind == "metadata":
            raise AssertionError(f"{request_id} is not answered")
        told = self.told[request_id]
        if not self.strict:
            return
        if not periodic:
            assert self._leaving(request_id), f"{request_id} is never answered"
        elif open_ended:
            assert isinstance(specifier.report_back_duration, timedelta)
            assert told, f"{request_id} is never answered"
            late = specifier.report_back_duration + 2 * STEP
            assert now - told[-1] < late + timedelta(seconds=60), f"{request_id} is told of no more"
        if order.kind == "delayed" and interval is not None:
            assert told[0] == interval.dtstart or self.is_missed(order.link[0], interval.dtstart)

    def _last_has_followed(self, request_id: str, order: Order) -> None:
        """After a cancel with a report to follow one more has come (rule 345)."""
        specifier = order.request.report_specifier
        open_ended = specifier.report_interval is not None and is_zero(specifier.report_interval.duration)
        if order.to_follow and open_ended and order.certain and not order.void and not order.enough:
            assert order.cancelled_at is not None
            leaving = self._leaving(request_id)
            assert leaving, f"no report of {request_id} followed its cancel (rule 345)"
            assert max(leaving) >= order.cancelled_at, f"no report of {request_id} followed its cancel (rule 345)"

    def _leaving(self, request_id: str) -> list[float]:
        """When reports of a request left."""
        return [
            document.first_sent
            for document in self.documents.values()
            if any(one.report_request_id == request_id for one in document.message.reports)
        ]

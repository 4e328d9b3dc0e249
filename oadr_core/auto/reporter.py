"""Making the reports that peers ask for: data points are read when they are due, and complete reports leave.

A VEN and a VTN do this alike. What differs is where requests are kept and how reports leave: a :class:`SourceParty`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import msgspec

from oadr_core.auto.made_reports import MadeReports
from oadr_core.auto.readings import Reading, in_parts, interval_of, newest, ordered, readings
from oadr_core.auto.samples import Samples
from oadr_core.auto.sampling import schedule
from oadr_core.auto.serving import Complete, Key, Offer, Serving, Taking, Told
from oadr_core.auto.submitted import Point, Submitted
from oadr_core.build import Collection, DataPoint
from oadr_core.clock import Deadline, Now, Timers, whole_seconds
from oadr_core.errors import LocalProtocolError, RemoteProtocolError
from oadr_core.handlers import Handler, arguments, by_name
from oadr_core.machines.report import ReportAtSource
from oadr_core.messages import (
    GreenButtonPayload,
    Interval,
    RegisterReport,
    Report,
    ReportName,
    ReportPayload,
    ReportRequest,
    ResourceStatus,
    add_duration,
    is_zero,
)
from oadr_core.offers import METADATA, check_request
from oadr_core.outputs import Call, CallId, HandlerFailed, Output
from oadr_core.rules import refuse
from oadr_core.rules.offered import data_name, is_history
from oadr_core.rules.reports import Kind, kind_of
from oadr_core.state.reports import AcceptedRequest

_MOST_TOGETHER: Final = 2_000
"""How many intervals a report has; what is longer is told in parts, as no peer takes documents of any length."""

_MINUTE: Final = timedelta(minutes=1)


class SourceParty(Protocol):
    """Where the requests for reports are kept, and how reports leave."""

    @property
    def call_timeout(self) -> float:
        """Seconds that a callback may take."""
        ...

    def new_call(self) -> CallId:
        """Make the id of a call."""
        ...

    def accepted(self, peer: str) -> Iterable[AcceptedRequest]:
        """The requests of a peer that were accepted."""
        ...

    def register(self, peer: str, report_request_id: str, now: Now) -> bool:
        """Answer a request for metadata (rule 311); tells whether to answer it again, where it is periodic."""
        ...

    def made(
        self, key: Key, report: Report | None, now: Now, *, made: bool = True, last: bool, until: datetime | None = None
    ) -> None:
        """Take a report that is complete, or note that there is no more; see :meth:`Vtn.report_made`."""
        ...

    def next_report(self, told: Mapping[str, object]) -> tuple[Handler, Mapping[str, object]] | None:
        """Find the handler that makes whole reports, and what to call it with."""
        ...


class _Reading(msgspec.Struct, frozen=True):
    """A call that reads data points for a request; for none in particular where it samples ahead of one."""

    key: Key | None
    taking: Taking
    r_ids: tuple[str, ...]
    offer: Offer
    ahead_of: datetime | None = None


class _Stretch(msgspec.Struct, frozen=True):
    """What was read of a data point in advance."""

    begin: datetime
    length: timedelta
    taken: Reading


class Reporter:
    """Serves the report requests of all peers.

    :param party: keeps the requests, and takes the reports.
    :param emit: takes calls, and what has to be saved or told.
    :param saved: what an earlier run saved, by key; other keys than its own are passed over.
    :param keeps_samples: whether what was read for a report that is not complete is saved. A VEN need not: it registers
        its metadata at every start, which ends what it was asked for (rule 306).
    :raises StateError: something in ``saved`` is damaged.
    """

    def __init__(
        self,
        party: SourceParty,
        emit: Callable[[Output], None],
        saved: Mapping[str, bytes] | None = None,
        *,
        keeps_samples: bool = False,
    ) -> None:
        self._party = party
        self._emit = emit
        self._offers: dict[str, Offer] = {}
        self._serving: dict[Key, Serving] = {}
        self._metadata: dict[Key, Serving] = {}
        self._calls: dict[CallId, _Reading] = {}
        self._submitted = Submitted(emit, saved or {})
        self._samples = Samples(emit, saved or {}) if keeps_samples else None
        self._ahead: dict[Point, _Stretch] = {}
        self._statuses: dict[Point, ResourceStatus] = {}
        self._made = MadeReports()
        self._runs = False
        self._timers: Timers[tuple[str, object]] = Timers()
        self._looked_at: datetime | None = None  # what the clock showed last

    # --- offers ------------------------------------------------------------------------------------------------------

    def offer(self, report: Report, points: Mapping[str, Handler | DataPoint], now: Now | None = None) -> None:
        """Offer a report; see :meth:`oadr_core.auto.ven.AutoVen.offer`."""
        refuse(RegisterReport(request_id="0", reports=(report,)))
        missing = {one.r_id for one in report.report_descriptions} - set(points)
        if missing:
            raise LocalProtocolError(f"the data points {', '.join(sorted(missing))} have no callback")
        described = {one.r_id: one for one in report.report_descriptions}
        found = {}
        for r_id, given in points.items():
            if not isinstance(given, DataPoint):
                mode = Collection.FULL if is_history(report) else Collection.INCREMENTAL
                given = DataPoint(described[r_id], given, mode, kind_of(described[r_id]) is Kind.INTERVAL)
            callback = None if given.callback is None else by_name(given.callback)
            found[r_id] = msgspec.structs.replace(given, callback=callback)
        self._offers[report.report_specifier_id] = Offer(report, found)
        if self._runs and now is not None:
            self._sample_ahead(report.report_specifier_id, now)

    def metadata(self, now: Now) -> tuple[Report, ...]:
        """All offers, as they are registered."""
        made = whole_seconds(now.utc)
        return tuple(msgspec.structs.replace(one.report, created_date_time=made) for one in self._offers.values())

    def submit(self, specifier_id: str, r_id: str, value: object, now: Now, time: datetime | None = None) -> None:
        """Take a value of a data point whose application owns its timing.

        :param specifier_id: the report.
        :param r_id: the data point.
        :param value: what it shows; see :func:`oadr_core.auto.readings.readings`.
        :param now: the present.
        :param time: when that was; now if None.
        :raises LocalProtocolError: there is no such data point, its values are not submitted, the value is none, or its
            time has no time zone.
        """
        offer = self._offers.get(specifier_id)
        point = None if offer is None else offer.points.get(r_id)
        if offer is None or point is None:
            raise LocalProtocolError(f"no report {specifier_id!r} with a data point {r_id!r} is offered")
        if point.collection is not Collection.SUBMIT:
            raise LocalProtocolError(
                f"the values of {r_id!r} are not submitted; offer it with data_collection_mode='submit'"
            )
        if time is not None and time.tzinfo is None:
            raise LocalProtocolError(f"{time} has no time zone; use datetime.now(timezone.utc) or .astimezone()")
        for one in [self._fit(offer, r_id, one) for one in readings(value)]:
            when = whole_seconds(one.time or time or now.utc)
            self._submitted.put((specifier_id, r_id), msgspec.structs.replace(one, time=when))
        self._forget_submitted(now)

    def _forget_submitted(self, now: Now) -> None:
        lengths = {
            (specifier_id, r_id): offer.kept
            for specifier_id, offer in self._offers.items()
            for r_id, point in offer.points.items()
            if point.collection is Collection.SUBMIT
        }
        self._submitted.forget(now.utc, lengths)

    # --- requests ----------------------------------------------------------------------------------------------------

    def start(self, now: Now) -> None:
        """Begin to sample what has to be known in advance (rule 337)."""
        self._runs = True
        self._forget_submitted(now)
        for specifier_id in self._offers:
            self._sample_ahead(specifier_id, now)

    def begin(self, peer: str, request_id: str, now: Now, *, resumed: bool = False) -> None:
        """Serve a request from now on.

        :param peer: who has made it.
        :param request_id: one of the requests of the peer that were accepted.
        :param now: the present.
        :param resumed: whether it was served before, by an earlier run.
        """
        found = [one for one in self._party.accepted(peer) if one.request.report_request_id == request_id]
        if not found:
            return  # it has ended before it began
        accepted = found[0]
        if accepted.state is ReportAtSource.MADE:
            return
        key, specifier = (peer, request_id), accepted.request.report_specifier
        resumed_at = now.utc if resumed else None
        if specifier.report_specifier_id == METADATA:
            self._metadata[key] = Serving(key, _OFFERS, schedule(accepted, resumed_at), ("0",), ())
            self._tell_offers(self._metadata[key], now)
            return
        offer = self._offers.get(specifier.report_specifier_id)
        if offer is None or not _is_within(accepted.request, offer):
            if not resumed:  # else other offers than before, or none yet, will end it (rule 306)
                self._party.made(key, None, now, made=False, last=True)
            return
        serving = self._serving[key] = self._serve(key, accepted, offer, now, resumed_at)
        if self._samples is not None:
            for done in self._samples.found(key):
                if not serving.resume(done):
                    self._samples.forget(key, done)
        self._plan(key, now)

    def _serve(
        self, key: Key, accepted: AcceptedRequest, offer: Offer, now: Now, resumed_at: datetime | None
    ) -> Serving:
        r_ids = tuple(dict.fromkeys(one.r_id for one in accepted.request.report_specifier.specifier_payloads))
        points = {r_id: offer.points[r_id] for r_id in r_ids}
        sampled = [r_id for r_id, one in points.items() if one.collection is Collection.INCREMENTAL]
        ranged = [r_id for r_id in points if r_id not in sampled]
        once = is_zero(accepted.request.report_specifier.report_back_duration)
        ahead = all((offer.report.report_specifier_id, r_id) in self._ahead for r_id in sampled)
        lagging = any(one.accumulates for one in points.values()) and not (once and ahead)
        due = schedule(accepted, resumed_at, shortest=offer.shortest(r_ids), lagging=lagging and bool(sampled))
        history = _past(accepted.request, now.utc) if is_history(offer.report) else None
        return Serving(key, offer, due, sampled, ranged, history=history, made=accepted.told)

    def resumed(self, requests: Sequence[Key]) -> None:
        """All that was served before is served again, save what ended while that could not be noted.

        :param requests: what is accepted.
        """
        if self._samples is not None:
            self._samples.forget_others(requests)

    def end(self, peer: str, request_id: str) -> None:
        """Serve a request no more."""
        self._serving.pop((peer, request_id), None)
        self._metadata.pop((peer, request_id), None)
        if self._samples is not None:
            self._samples.forget_all((peer, request_id))
        self._timers.stop(("request", (peer, request_id)))

    def stop(self) -> None:
        """Take no more samples."""
        self._runs = False
        self._timers = Timers()

    def handle_timeout(self, now: Now) -> None:
        """Read what is due, and give up callbacks that took too long."""
        if self._is_set_back(now):
            for one in list(self._serving.values()):
                one.set_back(now.utc)
                self._plan(one.key, now)
        self._looked_at = now.utc
        for kind, key in self._timers.expired(now):
            if kind == "request":
                self._wake(key, now)  # type: ignore[arg-type]
            elif kind == "ahead":
                self._read_ahead(key, now)  # type: ignore[arg-type]
            elif isinstance(key, int) and key in self._calls:
                self._failed(CallId(key), "took too long", now)

    def next_timeout(self, now: Now) -> Deadline | None:
        """Say when to call :meth:`handle_timeout`."""
        if self._serving and self._is_set_back(now):
            return Deadline(now.mono, "the clock was set back")
        return self._timers.next(now)

    def _is_set_back(self, now: Now) -> bool:
        return self._looked_at is not None and now.utc < self._looked_at

    def _plan(self, key: Key, now: Now) -> None:
        serving = self._serving.get(key) or self._metadata.get(key)
        if serving is None:
            return
        due = serving.next_due()
        if due is not None:
            self._timers.at(("request", key), due)
        elif key in self._metadata:
            self._party.made(key, None, now, made=False, last=True)
        else:
            self._conclude(serving, now)

    def _conclude(self, serving: Serving, now: Now) -> None:
        """The time of a request is over, or passed while nobody could read: deliver what there is, if anything."""
        self._deliver(serving, now)
        if serving.is_over and serving.key in self._serving:
            self._party.made(serving.key, None, now, made=False, last=True)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _wake(self, key: Key, now: Now) -> None:
        """Read what is due for a request, and plan the next."""
        if key in self._metadata:
            self._tell_offers(self._metadata[key], now)
            return
        serving = self._serving.get(key)
        if serving is None:
            return
        sample = serving.open_sample(now.utc)
        ranges = serving.open_ranges(now.utc, serving.offer.kept)
        self._plan(key, now)
        for taking in ([] if sample is None else [sample]) + ranges:
            self._take(serving, taking, now)
        self._deliver(serving, now)

    def _tell_offers(self, serving: Serving, now: Now) -> None:
        peer, request_id = serving.key
        if serving.open_sample(now.utc) is None:
            self._plan(serving.key, now)
            return
        goes_on = self._party.register(peer, request_id, now)
        last = serving.schedule.once or serving.next_due() is None or not goes_on
        self._party.made(serving.key, None, now, last=last)
        if not last:
            self._plan(serving.key, now)

    def _take(self, serving: Serving, taking: Taking, now: Now) -> None:
        plan, offer = serving.schedule, serving.offer
        if taking.number is not None:
            begin = plan.due(taking.number)
            end = begin + (plan.lag or plan.spacing)
            for r_id in serving.sampled:
                self._sample(serving, taking, r_id, begin, end, now)
            return
        begin, end = serving.history or plan.window(taking.report)
        if plan.once and serving.history is None:
            begin = end - max(offer.shortest(serving.ranged), _MINUTE)
        wanted = [r_id for r_id in serving.ranged if offer.points[r_id].collection is Collection.NEXT]
        if wanted:
            self._ask_for_report(serving, taking, tuple(wanted), begin, end, now)
        for r_id in serving.ranged:
            point = offer.points[r_id]
            if point.collection is Collection.SUBMIT:
                data_point = plan.report_specifier_id, r_id
                kept = self._submitted
                is_latest = plan.once and serving.history is None
                found = kept.newest(data_point) if is_latest else kept.between(data_point, begin, end, plan.spacing)
                serving.give(taking, r_id, found)
            elif point.callback is not None:
                told = _told(begin, end, plan.spacing, r_id)
                self._call(serving.key, taking, (r_id,), serving.offer, point.callback, told, now)

    def _sample(self, serving: Serving, taking: Taking, r_id: str, begin: datetime, end: datetime, now: Now) -> None:
        plan, point = serving.schedule, serving.offer.points[r_id]
        ahead = self._ahead.get((plan.report_specifier_id, r_id)) if plan.once and not plan.lag else None
        if ahead is not None:  # rule 337
            taken = msgspec.structs.replace(ahead.taken, time=ahead.begin, duration=ahead.length)
            serving.give(taking, r_id, (taken,))
            return
        assert point.callback is not None
        told = {"r_id": r_id, "due": begin, "date_from": begin, "date_to": end, "sampling_interval": plan.spacing}
        self._call(serving.key, taking, (r_id,), serving.offer, point.callback, told, now)

    def _ask_for_report(
        self, serving: Serving, taking: Taking, r_ids: tuple[str, ...], begin: datetime, end: datetime, now: Now
    ) -> None:
        """Have the application make a report as a whole."""
        plan, (peer, request_id) = serving.schedule, serving.key
        told: dict[str, object] = {
            "ven_id": peer,
            "report_request_id": request_id,
            "report_specifier_id": plan.report_specifier_id,
            "r_ids": list(r_ids),
            "date_from": begin,
            "date_to": end,
            "sampling_interval": plan.spacing,
        }
        chosen = self._party.next_report(told)
        if chosen is None:
            self._emit(HandlerFailed(handler="next_report", error=f"there is none, for {', '.join(r_ids)}"))
            for r_id in r_ids:
                serving.give(taking, r_id, ())
            return
        self._call(serving.key, taking, r_ids, serving.offer, chosen[0], chosen[1], now)

    def _call(
        self,
        key: Key | None,
        taking: Taking,
        r_ids: tuple[str, ...],
        offer: Offer,
        function: Handler,
        told: Mapping[str, object],
        now: Now,
        ahead_of: datetime | None = None,
    ) -> None:
        call = self._party.new_call()
        self._calls[call] = _Reading(key, taking, r_ids, offer, ahead_of)
        until = now.mono + self._party.call_timeout
        self._timers.after(("call", call), until)
        self._emit(Call(call, "report", arguments(function, told), Deadline(until, "report"), function))

    # --- in advance --------------------------------------------------------------------------------------------------

    def _sample_ahead(self, specifier_id: str, now: Now) -> None:
        """Sample what accumulates all the time, so that it can be told at once when it is asked for once (rule 337)."""
        offer = self._offers[specifier_id]
        for r_id, point in offer.points.items():
            length = offer.shortest([r_id])
            if point.accumulates and point.collection is Collection.INCREMENTAL and length:
                key = ("ahead", (specifier_id, r_id))
                if not self._timers.is_set(key):
                    self._timers.at(key, whole_seconds(now.utc) + length)

    def _read_ahead(self, point: Point, now: Now) -> None:
        specifier_id, r_id = point
        offer = self._offers.get(specifier_id)
        found = None if offer is None else offer.points.get(r_id)
        if offer is None or found is None or found.callback is None:
            return
        length, end = offer.shortest([r_id]), whole_seconds(now.utc)
        self._timers.at(("ahead", point), end + length)
        begin = end - length
        told = {"r_id": r_id, "due": begin, "date_from": begin, "date_to": end, "sampling_interval": length}
        self._call(None, Taking(0, None), (r_id,), offer, found.callback, told, now, ahead_of=begin)

    # --- what was read -----------------------------------------------------------------------------------------------

    def owns(self, call: CallId) -> bool:
        """Whether a call is one of a callback."""
        return call in self._calls

    def returned(self, call: CallId, value: object, now: Now) -> None:
        """Take what a callback returned."""
        one = self._calls[call]
        try:
            taken = self._read(one, value)
        except Exception as error:  # whatever a value of the application may raise when it is looked at
            self._failed(call, f"returned what cannot be used: {error}", now)
        else:
            self._settle(call, taken, now)

    def raised(self, call: CallId, error: BaseException, now: Now) -> None:
        """Take note that a callback raised: there is no value then."""
        self._failed(call, f"raised {type(error).__name__}: {error}", now)

    def _failed(self, call: CallId, why: str, now: Now) -> None:
        for r_id in self._calls[call].r_ids:
            self._emit(HandlerFailed(handler=f"report {r_id}", error=why))
        self._settle(call, {}, now)

    def _read(self, one: _Reading, value: object) -> Mapping[str, Sequence[Reading]]:
        """Read what a callback returned, for each of its data points."""
        whole = isinstance(value, Mapping) and set(value) & set(one.r_ids)
        if not whole and len(one.r_ids) > 1 and value is not None:
            raise LocalProtocolError(f"{str(value)[:60]!r}, where a dict by {', '.join(one.r_ids)} is expected")
        given: Mapping[str, object] = dict(value) if whole else {one.r_ids[0]: value}  # type: ignore[call-overload]
        return {
            r_id: [self._fit(one.offer, r_id, each) for each in readings(given[r_id])]
            for r_id in one.r_ids
            if r_id in given
        }

    def _fit(self, offer: Offer, r_id: str, one: Reading) -> Reading:
        """Refuse a value that does not belong into a report (rule 331)."""
        name, value = data_name(offer.report.report_name), one.value
        expected: tuple[type, ...] = (float, ResourceStatus)
        if name == ReportName.TELEMETRY_STATUS:
            expected = (ResourceStatus,)
        elif name == ReportName.HISTORY_GREENBUTTON:
            expected = (GreenButtonPayload,)
        elif name in (ReportName.TELEMETRY_USAGE, ReportName.HISTORY_USAGE):
            expected = (float,)
        if value is not None and not isinstance(value, expected):
            wanted = " or ".join(_NAMES[one] for one in expected)
            raise LocalProtocolError(f"{str(value)[:60]!r} for {r_id}, where {wanted} is expected in {name} (rule 331)")
        if isinstance(value, ResourceStatus):
            self._statuses[(offer.report.report_specifier_id, r_id)] = value
        return one

    def _settle(self, call: CallId, taken: Mapping[str, Sequence[Reading]], now: Now) -> None:
        """A callback is done with."""
        one = self._calls.pop(call)
        self._timers.stop(("call", call))
        if one.ahead_of is not None:
            (r_id,) = one.r_ids
            stretch = _Stretch(one.ahead_of, one.offer.shortest([r_id]), newest(taken.get(r_id, ())))
            self._ahead[(one.offer.report.report_specifier_id, r_id)] = stretch
        serving = None if one.key is None else self._serving.get(one.key)
        if serving is None:
            return
        for r_id in one.r_ids:
            serving.give(one.taking, r_id, taken.get(r_id, ()))
        self._deliver(serving, now)

    # --- reports -----------------------------------------------------------------------------------------------------

    def _deliver(self, serving: Serving, now: Now) -> None:
        """Make the reports that are complete."""
        for complete in serving.complete_reports():
            if serving.key not in self._serving:  # the one before was the last that was wanted (rule 345)
                return
            self._make(serving, complete, now)
        done, told = serving.progress()
        if self._samples is not None:
            for one in told:  # once the report is kept
                self._samples.forget(serving.key, one)
            for one in done:
                self._samples.keep(serving.key, one)

    def _make(self, serving: Serving, complete: Complete, now: Now) -> None:
        plan = serving.schedule
        intervals = ordered(
            interval for r_id, told in complete.values.items() for interval in self._intervals(serving, r_id, told)
        )
        until = None if plan.once else plan.window(complete.report)[1]
        *parts, rest = in_parts(intervals, _MOST_TOGETHER)
        for part in parts:
            self._tell(serving, self._filled(part, serving.offer, plan.r_ids), now, last=False)
        rest = self._filled(rest, serving.offer, plan.r_ids) if parts else rest
        self._tell(serving, rest, now, last=plan.once or serving.is_over, until=until)

    def _tell(
        self,
        serving: Serving,
        intervals: tuple[Interval, ...],
        now: Now,
        *,
        last: bool,
        until: datetime | None = None,
    ) -> None:
        plan = serving.schedule
        report = Report(
            dtstart=intervals[0].dtstart,
            intervals=intervals,
            report_request_id=plan.report_request_id,
            report_specifier_id=plan.report_specifier_id,
            report_name=data_name(serving.offer.report.report_name),
            created_date_time=whole_seconds(now.utc),
        )
        self._made.put(serving.key, report)
        self._party.made(serving.key, report, now, last=last, until=until)

    def _filled(self, part: tuple[Interval, ...], offer: Offer, r_ids: Sequence[str]) -> tuple[Interval, ...]:
        """Have each part of a report tell of all data points (rule 300), also those without a value in its time."""
        told = {one.r_id for each in part for one in each.payloads if isinstance(one, ReportPayload)}
        first, nothing = part[0], Reading(value=None)
        missing = [r_id for r_id in r_ids if r_id not in told and told]  # Green Button data name none
        return ordered(
            (
                *(
                    interval_of(one, nothing, first.dtstart, first.duration, self._placeholder(offer, one))
                    for one in missing
                ),
                *part,
            )
        )

    def _placeholder(self, offer: Offer, r_id: str) -> float | ResourceStatus:
        """What stands where there is no value (rule 318)."""
        if data_name(offer.report.report_name) != ReportName.TELEMETRY_STATUS:
            return 0.0
        none = ResourceStatus(online=False, manual_override=False)
        return self._statuses.get((offer.report.report_specifier_id, r_id), none)

    def _intervals(self, serving: Serving, r_id: str, told: Sequence[Told]) -> Iterable[Interval]:
        plan, offer = serving.schedule, serving.offer
        if plan.on_change:
            told = serving.changes.of(r_id, told)
        elif plan.once and serving.history is None:
            told = [(told[-1][0], newest([one for _, one in told]))]
        timed = plan.lag > timedelta(0) or any(offer.points[one].accumulates for one in plan.r_ids)
        length = plan.lag or plan.spacing or None
        begin = None if serving.history is None else whole_seconds(serving.history[0])
        name = data_name(offer.report.report_name)
        placeholder = self._placeholder(offer, r_id)
        for due, one in told:
            if one.value is None and name == ReportName.HISTORY_GREENBUTTON:
                one = msgspec.structs.replace(one, value=GreenButtonPayload(feed=_NO_FEED))
            yield interval_of(r_id, one, begin or due, length if timed else None, placeholder)

    # --- once more ---------------------------------------------------------------------------------------------------

    def corrected(
        self, report_request_id: str, values: Mapping[str, object] | None, dtstart: datetime | None, now: Now, peer: str
    ) -> Report:
        """Make a report once more, as it was or with other values; see :meth:`MadeReports.corrected`."""
        return self._made.corrected((peer, report_request_id), values, dtstart, now)


_NAMES: Final[Mapping[type, str]] = {
    float: "a number",
    ResourceStatus: "the status of a resource",
    GreenButtonPayload: "Green Button data",
}

_NO_FEED: Final = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:uuid:00000000-0000-0000-0000-000000000000</id>'
    "<title>no data</title><updated>1970-01-01T00:00:00Z</updated></feed>"
)
"""What is sent where there is no Green Button data."""


_OFFERS: Final = Offer(
    Report(
        report_request_id="0",
        report_specifier_id=METADATA,
        created_date_time=datetime.min.replace(tzinfo=UTC),
    ),
    {},
)
"""What a request for metadata is about: all the offers, whatever they are."""


def _is_within(request: ReportRequest, offer: Offer) -> bool:
    """Whether an offer has all that was asked for."""
    try:
        check_request(request, [offer.report])
    except RemoteProtocolError:
        return False
    return True


def _told(begin: datetime, end: datetime, spacing: timedelta, r_id: str) -> dict[str, object]:
    """What a callback that reads a stretch of time may ask for."""
    return {"date_from": begin, "date_to": end, "sampling_interval": spacing, "r_id": r_id}


def _past(request: ReportRequest, now: datetime) -> tuple[datetime, datetime]:
    """The stretch of the past that a request is about (rule 325)."""
    interval = request.report_specifier.report_interval
    assert interval is not None
    if is_zero(interval.duration):
        return interval.dtstart, max(now, interval.dtstart)
    return interval.dtstart, min(now, add_duration(interval.dtstart, interval.duration))

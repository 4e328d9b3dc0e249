"""Making the reports that peers ask for: data points are read when they are due, and complete reports leave.

A VEN and a VTN do this alike. What differs is where requests are kept and how reports leave: a :class:`SourceParty`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from oadr_core.auto.ahead import Ahead
from oadr_core.auto.callbacks import Asked, Callbacks, Values
from oadr_core.auto.made_reports import MadeReports
from oadr_core.auto.offered import Offered
from oadr_core.auto.readings import readings
from oadr_core.auto.report_making import reports_of
from oadr_core.auto.samples import Samples
from oadr_core.auto.sampling import schedule
from oadr_core.auto.serving import Complete, Key, Offer, Serving
from oadr_core.auto.source_party import SourceParty
from oadr_core.auto.submitted import Submitted
from oadr_core.auto.taking import Taker
from oadr_core.build import Collection, DataPoint
from oadr_core.clock import Deadline, Now, Timers, whole_seconds
from oadr_core.errors import LocalProtocolError
from oadr_core.handlers import Handler
from oadr_core.machines.report import ReportAtSource
from oadr_core.messages import Report, ReportRequest, add_duration, is_zero
from oadr_core.offers import METADATA, is_offered
from oadr_core.outputs import CallId, Output
from oadr_core.rules.offered import is_history
from oadr_core.state.reports import AcceptedRequest


class Reporter:
    """Serves the report requests of all peers.

    :param party: keeps the requests, and takes the reports.
    :param emit: takes calls, and what has to be saved or told.
    :param saved: what an earlier run saved, by key; other keys than its own are passed over.
    :raises StateError: something in ``saved`` is damaged.
    """

    def __init__(
        self, party: SourceParty, emit: Callable[[Output], None], saved: Mapping[str, bytes] | None = None
    ) -> None:
        self._party = party
        self._offered = Offered()
        self._serving: dict[Key, Serving] = {}
        self._metadata: dict[Key, Serving] = {}
        self._callbacks = Callbacks(party, self._offered, emit, self._read)
        self._ahead = Ahead(self._offered, self._callbacks)
        self._submitted = Submitted(emit, saved or {})
        self._taker = Taker(party, self._callbacks, self._ahead, self._submitted, emit)
        self._samples = Samples(emit, saved or {})
        self._made = MadeReports(emit, saved or {})
        self._runs = False
        self._timers: Timers[Key] = Timers()
        self._looked_at: datetime | None = None  # what the clock showed last

    # --- offers ------------------------------------------------------------------------------------------------------

    def offer(self, report: Report, points: Mapping[str, Handler | DataPoint], now: Now | None = None) -> None:
        """Offer a report; see :meth:`oadr_core.auto.ven.AutoVen.offer`."""
        self._offered.put(report, points)
        if self._runs and now is not None:
            self._ahead.sample(report.report_specifier_id, now)

    def metadata(self, now: Now) -> tuple[Report, ...]:
        """All offers, as they are registered."""
        return self._offered.metadata(now)

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
        offer = self._offered.submitted(specifier_id, r_id)
        if time is not None and time.tzinfo is None:
            raise LocalProtocolError(f"{time} has no time zone; use datetime.now(timezone.utc) or .astimezone()")
        for one in [self._offered.fit(offer, r_id, one) for one in readings(value)]:
            when = whole_seconds(one.time or time or now.utc)
            self._submitted.put((specifier_id, r_id), msgspec.structs.replace(one, time=when))
        self._submitted.forget(now.utc, self._offered.kept_submissions())

    # --- requests ----------------------------------------------------------------------------------------------------

    def start(self, now: Now) -> None:
        """Begin to sample what has to be known in advance (rule 337)."""
        self._runs = True
        self._submitted.forget(now.utc, self._offered.kept_submissions())
        for specifier_id in self._offered:
            self._ahead.sample(specifier_id, now)

    def begin(self, peer: str, request_id: str, now: Now, *, resumed: bool = False) -> None:
        """Serve a request from now on.

        :param peer: who has made it.
        :param request_id: one of the requests of the peer that were accepted.
        :param now: the present.
        :param resumed: whether it was served before, by an earlier run.
        """
        found = [one for one in self._party.accepted(peer) if one.request.report_request_id == request_id]
        if not found or found[0].state is ReportAtSource.MADE:
            return  # it has ended before it began, or all of it is made
        accepted, key, resumed_at = found[0], (peer, request_id), now.utc if resumed else None
        if accepted.request.report_specifier.report_specifier_id == METADATA:
            self._metadata[key] = Serving(key, _OFFERS, schedule(accepted, resumed_at), ("0",), ())
            self._tell_offers(self._metadata[key], now)
            return
        offer = self._offered.get(accepted.request.report_specifier.report_specifier_id)
        if offer is None or not is_offered(accepted.request, [offer.report]):
            if not resumed:  # else other offers than before, or none yet, will end it (rule 306)
                self._party.made(key, None, now, made=False, last=True)
            return
        serving = self._serving[key] = self._serve(key, accepted, offer, now, resumed_at)
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
        ahead = all(self._ahead.latest((offer.report.report_specifier_id, r_id)) is not None for r_id in sampled)
        lagging = any(one.accumulates for one in points.values()) and not (once and ahead)
        due = schedule(accepted, resumed_at, shortest=offer.shortest(r_ids), lagging=lagging and bool(sampled))
        history = _past(accepted.request, now.utc) if is_history(offer.report) else None
        return Serving(key, offer, due, sampled, ranged, history=history, made=accepted.told)

    def resumed(self, requests: Sequence[Key]) -> None:
        """All that was served before is served again, save what ended while that could not be noted.

        :param requests: what is accepted.
        """
        self._samples.forget_others(requests)

    def end(self, peer: str, request_id: str) -> None:
        """Serve a request no more."""
        key = (peer, request_id)
        self._serving.pop(key, None)
        self._metadata.pop(key, None)
        self._samples.forget_all(key)
        self._timers.stop(key)

    def stop(self) -> None:
        """Take no more samples."""
        self._runs = False
        self._timers = Timers()
        self._ahead.stop()
        self._callbacks.stop()

    # --- time --------------------------------------------------------------------------------------------------------

    def handle_timeout(self, now: Now) -> None:
        """Read what is due, and give up callbacks that took too long."""
        if self._is_set_back(now):
            for one in list(self._serving.values()):
                one.set_back(now.utc)
                self._plan(one.key, now)
        self._looked_at = now.utc
        due = list(self._timers.expired(now))
        self._callbacks.handle_timeout(now)
        self._ahead.handle_timeout(now)
        for key in due:
            self._wake(key, now)

    def next_timeout(self, now: Now) -> Deadline | None:
        """Say when to call :meth:`handle_timeout`."""
        if self._serving and self._is_set_back(now):
            return Deadline(now.mono, "the clock was set back")
        found = self._timers.next(now), self._ahead.next_timeout(now), self._callbacks.next_timeout(now)
        return min((one for one in found if one is not None), key=lambda one: one.at, default=None)

    def _is_set_back(self, now: Now) -> bool:
        return self._looked_at is not None and now.utc < self._looked_at

    def _plan(self, key: Key, now: Now) -> None:
        serving = self._serving.get(key) or self._metadata.get(key)
        if serving is None:
            return
        due = serving.next_due()
        if due is not None:
            self._timers.at(key, due)
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
            self._taker.take(serving, taking, now)
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

    def owns(self, call: CallId) -> bool:
        """Whether a call is one of a callback."""
        return self._callbacks.owns(call)

    def returned(self, call: CallId, value: object, now: Now) -> None:
        """Take what a callback returned."""
        self._callbacks.returned(call, value, now)

    def raised(self, call: CallId, error: BaseException, now: Now) -> None:
        """Take note that a callback raised: there is no value then."""
        self._callbacks.raised(call, error, now)

    def _read(self, asked: Asked, taken: Values, now: Now) -> None:
        """A callback is done with."""
        self._ahead.take(asked, taken)
        serving = None if asked.key is None else self._serving.get(asked.key)
        if serving is None:
            return
        for r_id in asked.r_ids:
            serving.give(asked.taking, r_id, taken.get(r_id, ()))
        self._deliver(serving, now)

    # --- reports -----------------------------------------------------------------------------------------------------

    def _deliver(self, serving: Serving, now: Now) -> None:
        """Make the reports that are complete."""
        for complete in serving.complete_reports():
            if serving.key not in self._serving:  # the one before was the last that was wanted (rule 345)
                return
            self._make(serving, complete, now)
        done, told = serving.progress()
        for one in told:  # once the report is kept
            self._samples.forget(serving.key, one)
        for one in done:
            self._samples.keep(serving.key, one)

    def _make(self, serving: Serving, complete: Complete, now: Now) -> None:
        plan = serving.schedule
        until = None if plan.once else plan.window(complete.report)[1]
        *parts, rest = reports_of(serving, complete, self._offered, now)
        for part in parts:
            self._tell(serving, part, now, last=False)
        self._tell(serving, rest, now, last=plan.once or serving.is_over, until=until)

    def _tell(self, serving: Serving, report: Report, now: Now, *, last: bool, until: datetime | None = None) -> None:
        self._made.put(serving.key, report)
        self._party.made(serving.key, report, now, last=last, until=until)

    # --- once more ---------------------------------------------------------------------------------------------------

    def corrected(
        self, report_request_id: str, values: Mapping[str, object] | None, dtstart: datetime | None, now: Now, peer: str
    ) -> Report:
        """Make a report once more, as it was or with other values; see :meth:`MadeReports.corrected`."""
        return self._made.corrected((peer, report_request_id), values, dtstart, now)


_OFFERS: Final = Offer(
    Report(
        report_request_id="0",
        report_specifier_id=METADATA,
        created_date_time=datetime.min.replace(tzinfo=UTC),
    ),
    {},
)
"""What a request for metadata is about: all the offers, whatever they are."""


def _past(request: ReportRequest, now: datetime) -> tuple[datetime, datetime]:
    """The stretch of the past that a request is about (rule 325)."""
    interval = request.report_specifier.report_interval
    assert interval is not None
    if is_zero(interval.duration):
        return interval.dtstart, max(now, interval.dtstart)
    return interval.dtstart, min(now, add_duration(interval.dtstart, interval.duration))

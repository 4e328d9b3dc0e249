"""Making the reports that a VTN asks for: callbacks are called at each sample, and complete reports leave."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from oadr_core.auto.sampling import Reading, Schedule, intervals_of, reading, schedule
from oadr_core.clock import Deadline, Now, Timers, whole_seconds
from oadr_core.errors import LocalProtocolError
from oadr_core.handlers import Handler, arguments, by_name
from oadr_core.messages import Interval, RegisterReport, Report
from oadr_core.offers import METADATA, data_name
from oadr_core.outputs import Call, CallId, HandlerFailed, Output
from oadr_core.rules import refuse
from oadr_core.ven import Ven


class Offer(msgspec.Struct, frozen=True):
    """A report that can be asked for, and where its values come from.

    :param report: the offer as it is registered.
    :param callbacks: the callback of each data point.
    """

    report: Report
    callbacks: Mapping[str, Handler]


class _Sampling:
    """A report request that is being served."""

    def __init__(self, due: Schedule) -> None:
        self.schedule: Final = due
        self.next = due.first
        self.open: dict[int, dict[str, Reading | None]] = {}  # readings that callbacks are still taking
        self.done: dict[int, tuple[Interval, ...]] = {}

    def complete_reports(self) -> list[list[Interval]]:
        """Take the reports of which every reading is there, in their order: a later one waits for an earlier one."""
        complete = []
        for number in sorted({self.schedule.report_of(one) for one in (*self.done, *self.open)}):
            waits = any(self.schedule.report_of(one) == number for one in self.open)
            more = self.schedule.report_of(self.next) == number and not self.schedule.is_over(self.next)
            if waits or more:
                break
            members = sorted(one for one in self.done if self.schedule.report_of(one) == number)
            complete.append([interval for one in members for interval in self.done.pop(one)])
        return complete

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return not self.open and not self.done and self.schedule.is_over(self.next)


class _Sample(msgspec.Struct, frozen=True):
    """A reading that a callback is taking."""

    report_request_id: str
    number: int
    r_id: str


class Reporter:
    """Serves report requests.

    :param ven: keeps the requests.
    :param emit: takes calls, and what has to be told.
    :param made: takes each report that is complete.
    """

    def __init__(self, ven: Ven, emit: Callable[[Output], None], made: Callable[[Report, Now], None]) -> None:
        self._ven = ven
        self._emit = emit
        self._made = made
        self._offers: dict[str, Offer] = {}
        self._sampling: dict[str, _Sampling] = {}
        self._samples: dict[CallId, _Sample] = {}
        self._timers: Timers[tuple[str, object]] = Timers()

    # --- offers ------------------------------------------------------------------------------------------------------

    def offer(self, report: Report, callbacks: Mapping[str, Handler]) -> None:
        """Offer a report; see :meth:`oadr_core.auto.ven.AutoVen.offer`."""
        refuse(RegisterReport(request_id="0", reports=(report,)))
        missing = {one.r_id for one in report.report_descriptions} - set(callbacks)
        if missing:
            raise LocalProtocolError(f"the data points {', '.join(sorted(missing))} have no callback")
        named = {r_id: by_name(callback) for r_id, callback in callbacks.items()}
        self._offers[report.report_specifier_id] = Offer(report, named)

    def metadata(self, now: Now) -> Sequence[Report]:
        """All offers, as they are registered."""
        made = whole_seconds(now.utc)
        return [msgspec.structs.replace(one.report, created_date_time=made) for one in self._offers.values()]

    # --- requests ----------------------------------------------------------------------------------------------------

    def begin(self, request_id: str, now: Now, *, resumed: bool = False) -> None:
        """Serve a request from now on.

        :param request_id: one of the requests that the VEN keeps.
        :param now: the present.
        :param resumed: whether it was served before, by an earlier run.
        """
        accepted = next(one for one in self._ven.state.report_requests if one.request.report_request_id == request_id)
        if accepted.request.report_specifier.report_specifier_id == METADATA:
            self._ven.note_delivery(request_id, now, last=True)
            if not resumed:  # else all is offered anyway, once the registration is renewed (rule 405)
                self._ven.register_report(self.metadata(now), now, report_request_id=request_id)
            return
        sampling = _Sampling(schedule(accepted, now.utc if resumed else None))
        self._sampling[request_id] = sampling
        self._plan(sampling, now)

    def end(self, request_id: str) -> None:
        """Serve a request no more."""
        self._sampling.pop(request_id, None)
        self._timers.stop(("sample", request_id))

    def stop(self) -> None:
        """Take no more samples."""
        self._timers = Timers()

    def handle_timeout(self, now: Now) -> None:
        """Take the samples that are due, and give up callbacks that took too long."""
        for kind, key in self._timers.expired(now):
            if kind == "sample":
                self._sample(str(key), now)
            elif isinstance(key, int) and key in self._samples:
                self._sampled(CallId(key), None, "took too long", now)

    def next_timeout(self, now: Now) -> Deadline | None:
        """Say when to call :meth:`handle_timeout`."""
        return self._timers.next(now)

    def _plan(self, sampling: _Sampling, now: Now) -> None:
        due = sampling.schedule
        if not due.is_over(sampling.next):
            self._timers.at(("sample", due.report_request_id), due.due(sampling.next))
        elif not sampling.open:
            self._conclude(sampling, now)

    def _conclude(self, sampling: _Sampling, now: Now) -> None:
        """The time of a request passed while nobody could read: deliver what there is, if anything."""
        for intervals in sampling.complete_reports():
            self._make(sampling, intervals, now)
        if sampling.is_over:
            self._ven.note_delivery(sampling.schedule.report_request_id, now, last=True)

    # --- samples -----------------------------------------------------------------------------------------------------

    def _sample(self, request_id: str, now: Now) -> None:
        """Take the reading that is due: call every callback, and plan the next."""
        sampling = self._sampling.get(request_id)
        offer = None if sampling is None else self._offers.get(sampling.schedule.report_specifier_id)
        if sampling is None or offer is None:
            return
        due = sampling.schedule
        number = sampling.next = due.present(sampling.next, now.utc)
        if due.is_over(number):
            self._conclude(sampling, now)
            return
        sampling.open[number] = dict.fromkeys(due.r_ids)
        sampling.next = due.after(number, now.utc)
        self._plan(sampling, now)
        for r_id in due.r_ids:
            self._read(_Sample(request_id, number, r_id), offer.callbacks[r_id], due.due(number), now)

    def _read(self, sample: _Sample, callback: Handler, due: datetime, now: Now) -> None:
        call = self._ven.new_call()
        self._samples[call] = sample
        until = now.mono + self._ven.config.call_timeout
        self._timers.after(("call", call), until)
        told = arguments(callback, {"r_id": sample.r_id, "due": due})
        self._emit(Call(call, "report", told, Deadline(until, "report"), callback))

    def owns(self, call: CallId) -> bool:
        """Whether a call is one of a callback."""
        return call in self._samples

    def returned(self, call: CallId, value: object, now: Now) -> None:
        """Take what a callback returned."""
        try:
            taken = reading(value)
        except Exception as error:  # whatever a value of the application may raise when it is looked at
            self._sampled(call, None, f"returned what cannot be used: {error}", now)
        else:
            self._sampled(call, taken, None, now)

    def raised(self, call: CallId, error: BaseException, now: Now) -> None:
        """Take note that a callback raised: there is no value then."""
        self._sampled(call, None, f"raised {type(error).__name__}: {error}", now)

    def _sampled(self, call: CallId, taken: Reading | None, wrong: str | None, now: Now) -> None:
        """A callback is done with."""
        sample = self._samples.pop(call)
        self._timers.stop(("call", call))
        if wrong is not None:
            self._emit(HandlerFailed(handler=f"report {sample.r_id}", error=wrong))
        sampling = self._sampling.get(sample.report_request_id)
        if sampling is None or sample.number not in sampling.open:
            return
        readings = sampling.open[sample.number]
        readings[sample.r_id] = taken or Reading(value=None)
        complete = {r_id: one for r_id, one in readings.items() if one is not None}
        if len(complete) == len(readings):
            del sampling.open[sample.number]
            sampling.done[sample.number] = intervals_of(sampling.schedule.due(sample.number), complete)
            for intervals in sampling.complete_reports():
                self._make(sampling, intervals, now)

    def _make(self, sampling: _Sampling, intervals: Sequence[Interval], now: Now) -> None:
        """A report is complete."""
        due = sampling.schedule
        report = Report(
            dtstart=intervals[0].dtstart,
            intervals=tuple(intervals),
            report_request_id=due.report_request_id,
            report_specifier_id=due.report_specifier_id,
            report_name=data_name(self._offers[due.report_specifier_id].report.report_name),
            created_date_time=whole_seconds(now.utc),
        )
        self._made(report, now)
        self._ven.note_delivery(due.report_request_id, now, last=due.once or sampling.is_over)

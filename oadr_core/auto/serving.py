"""A report request while it is served: what was read for it, what is being read, and which reports are complete."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NewType

import msgspec

from oadr_core.auto.readings import Changes, Reading
from oadr_core.auto.sampling import Schedule
from oadr_core.build import DataPoint
from oadr_core.messages import Report

Key = tuple[str, str]
"""Names a request that is served: the peer, and its reportRequestID. There is one peer, named "", at a VEN."""

ReportNumber = NewType("ReportNumber", int)


class Offer(msgspec.Struct, frozen=True):
    """A report that can be asked for, and where its values come from.

    :param report: the offer as it is registered.
    :param points: where each data point gets its values from.
    """

    report: Report
    points: Mapping[str, DataPoint]

    @property
    def kept(self) -> timedelta:
        """How much data is kept."""
        return self.report.duration if isinstance(self.report.duration, timedelta) else timedelta(hours=1)

    def shortest(self, r_ids: Iterable[str]) -> timedelta:
        """The shortest spacing at which all of some data points can be read."""
        rates = [self.points[r_id].description.sampling_rate for r_id in r_ids if r_id in self.points]
        found = [one.min_period for one in rates if one is not None and isinstance(one.min_period, timedelta)]
        return max(found, default=timedelta(0))


class Taking(msgspec.Struct, frozen=True):
    """Something that is read for a request.

    :param report: the report that it belongs to, by its number.
    :param number: the sample; None for what is read once for the whole report.
    """

    report: int
    number: int | None


Told = tuple[datetime, Reading]
"""A reading, and when it was due."""


class Complete(msgspec.Struct, frozen=True):
    """A report of which every reading is there.

    :param report: its number.
    :param values: what each data point showed.
    """

    report: int
    values: Mapping[str, Sequence[Told]]


class Serving:
    """A report request that is being served.

    :param key: names it.
    :param offer: what it asks for, as it was offered when it was accepted; the next offer ends it (rule 306).
    :param schedule: when what is due.
    :param sampled: the data points that are read at every sample.
    :param ranged: those that are read once for each report.
    :param history: the stretch of the past that it is about, if it is about one.
    :param made_until: up to when an earlier run has made its reports.
    """

    def __init__(
        self,
        key: Key,
        offer: Offer,
        schedule: Schedule,
        sampled: Sequence[str],
        ranged: Sequence[str],
        *,
        history: tuple[datetime, datetime] | None = None,
        made_until: datetime | None = None,
    ) -> None:
        self.key: Final = key
        self.offer: Final = offer
        self.schedule: Final = schedule
        self.sampled: Final = tuple(sampled)
        self.ranged: Final = tuple(ranged)
        self.history: Final = history
        self.changes: Final = Changes()
        self.next_sample = schedule.first
        self.next_range = schedule.report_of(schedule.first)
        if made_until is not None and schedule.spacing:
            made = schedule.number_at(made_until)
            self.next_sample = max(self.next_sample, made)
            self.next_range = schedule.report_of(made + schedule.together - 1)
        self._open: dict[Taking, dict[str, Sequence[Reading] | None]] = {}
        self._done: dict[Taking, dict[str, Sequence[Reading]]] = {}

    # --- what is due -------------------------------------------------------------------------------------------------

    @property
    def _samples_over(self) -> bool:
        return not self.sampled or self.schedule.is_over(self.next_sample)

    @property
    def _ranges_over(self) -> bool:
        return not self.ranged or self.schedule.is_past(self.next_range)

    def next_due(self) -> datetime | None:
        """When something is to be read next; None for never."""
        due = []
        if not self._samples_over:
            due.append(self.schedule.taken(self.next_sample))
        if not self._ranges_over:
            due.append(self.schedule.window(self.next_range)[1])
        return min(due, default=None)

    def open_sample(self, now: datetime) -> Taking | None:
        """Begin the sample that is due; those that were missed are left out."""
        plan = self.schedule
        if self._samples_over or plan.taken(self.next_sample) > now:
            return None
        number = self.next_sample = plan.present(self.next_sample, now)
        if plan.is_over(number):
            return None
        self.next_sample = plan.after(number, now)
        return self._begin(Taking(plan.report_of(number), number), self.sampled)

    def open_ranges(self, now: datetime, kept: timedelta) -> list[Taking]:
        """Begin what is read for whole reports, also for those that were missed, as far back as data are kept."""
        plan, found = self.schedule, []
        if self.ranged and plan.spacing:
            self.next_range = max(self.next_range, (now - kept - plan.start) // (plan.spacing * plan.together))
        while not self._ranges_over and plan.window(self.next_range)[1] <= now:
            found.append(self._begin(Taking(self.next_range, None), self.ranged))
            self.next_range += 1
        return found

    def _begin(self, taking: Taking, r_ids: Sequence[str]) -> Taking:
        self._open[taking] = dict.fromkeys(r_ids)
        return taking

    # --- what was read -----------------------------------------------------------------------------------------------

    def give(self, taking: Taking, r_id: str, taken: Sequence[Reading]) -> None:
        """Take what a data point showed."""
        readings = self._open.get(taking)
        if readings is None:
            return
        readings[r_id] = taken
        complete = {key: one for key, one in readings.items() if one is not None}
        if len(complete) == len(readings):
            del self._open[taking]
            self._done[taking] = complete

    def complete_reports(self) -> list[Complete]:
        """Take the reports of which every reading is there, in their order: a later one waits for an earlier one."""
        found = []
        for report in sorted({one.report for one in (*self._done, *self._open)}):
            waits = any(one.report == report for one in self._open)
            if waits or self._is_more_to_come(report):
                break
            found.append(Complete(report, self._take(report)))
        return found

    def _is_more_to_come(self, report: int) -> bool:
        samples = not self._samples_over and self.schedule.report_of(self.next_sample) == report
        return samples or (not self._ranges_over and self.next_range <= report)

    def _take(self, report: int) -> Mapping[str, Sequence[Told]]:
        values: dict[str, list[Told]] = {r_id: [] for r_id in self.schedule.r_ids}
        begin = self.schedule.window(report)[0]
        for taking in sorted((one for one in self._done if one.report == report), key=_order):
            due = begin if taking.number is None else self.schedule.due(taking.number)
            for r_id, taken in self._done.pop(taking).items():
                values[r_id] += ((due, one) for one in taken or (Reading(value=None),))
        return {r_id: told or [(begin, Reading(value=None))] for r_id, told in values.items()}

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return not self._open and not self._done and self._samples_over and self._ranges_over


def _order(taking: Taking) -> int:
    return -1 if taking.number is None else taking.number

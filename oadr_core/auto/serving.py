"""A report request while it is served: what was read for it, what is being read, and which reports are complete."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NewType

import msgspec

from oadr_core.auto.readings import Changes, Reading
from oadr_core.auto.sampling import Schedule
from oadr_core.build import DataPoint
from oadr_core.messages import Report, subtract_duration

Key = tuple[str, str]
"""Names a request that is served: the peer, and its reportRequestID. There is one peer, named "", at a VEN."""

_RUNS: Final = 100
"""How many stretches of what was read are remembered: one for each time that a machine sleeps or its clock is set."""

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


class Runs:
    """Numbers that were given out, as few stretches: they are given out in their order, unless a clock is set."""

    def __init__(self) -> None:
        self._runs: list[tuple[int, int]] = []

    def add(self, first: int, beyond: int) -> None:
        """Add the numbers from one to another, which is not among them."""
        if self._runs and self._runs[-1][0] <= first <= self._runs[-1][1]:
            self._runs[-1] = self._runs[-1][0], max(beyond, self._runs[-1][1])
        elif first < beyond:
            self._runs = [*self._runs[-(_RUNS - 1) :], (first, beyond)]

    def free_from(self, number: int) -> int:
        """Find the first number that was not given out, from one on."""
        while inside := next((beyond for first, beyond in self._runs if first <= number < beyond), None):
            number = inside
        return number


Told = tuple[datetime, Reading]
"""A reading, and when it was due."""


class Done(msgspec.Struct, frozen=True):
    """What was read for a report that is not complete yet.

    :param due: the time that it is told for.
    :param whole: whether it was read once for the whole report that begins then.
    :param readings: what each data point showed.
    """

    due: datetime
    whole: bool
    readings: Mapping[str, Sequence[Reading]]


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
    :param made: the stretches of time that an earlier run has made its reports of.
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
        made: Iterable[tuple[datetime, datetime]] = (),
    ) -> None:
        self.key: Final = key
        self.offer: Final = offer
        self.schedule: Final = schedule
        self.sampled: Final = tuple(sampled)
        self.ranged: Final = tuple(ranged)
        self.history: Final = history
        self.changes: Final = Changes()
        self._samples, self._ranges = Runs(), Runs()  # what was begun, or told by an earlier run
        unmade = schedule.report_of(schedule.asked)  # the report since which an earlier run has passed over nothing
        for since, until in made if schedule.spacing else ():
            first, beyond = schedule.number_at(since), schedule.number_at(until)
            self._samples.add(first, beyond)
            rounded = schedule.together - 1
            unmade = schedule.report_of(first + rounded)
            self._ranges.add(unmade, schedule.report_of(beyond + rounded))
        self.next_sample = self._samples.free_from(schedule.first)
        self.next_range = self._ranges.free_from(min(unmade, schedule.report_of(schedule.first)))
        self._open: dict[Taking, dict[str, Sequence[Reading] | None]] = {}
        self._done: dict[Taking, Mapping[str, Sequence[Reading]]] = {}
        self._fresh: dict[Taking, Done] = {}  # what was done since that was asked for
        self._told: list[Done] = []  # what was told since, of what had been done before

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
        number = plan.present(self.next_sample, now)
        self.next_sample = self._samples.free_from(number)
        if number != self.next_sample or plan.is_over(number):
            return None
        self._samples.add(number, number + 1)
        self.next_sample = self._samples.free_from(plan.after(number, now))
        return self._begin(Taking(plan.report_of(number), number), self.sampled)

    def open_ranges(self, now: datetime, kept: timedelta) -> list[Taking]:
        """Begin what is read for whole reports, also for those that were missed, as far back as data are kept."""
        plan, found = self.schedule, []
        if self.ranged and plan.spacing:
            self.next_range = max(self.next_range, (now - kept - plan.start) // (plan.spacing * plan.together))
        while not self._ranges_over and plan.window(self.next_range)[1] <= now:
            found.append(self._begin(Taking(self.next_range, None), self.ranged))
            self._ranges.add(self.next_range, self.next_range + 1)
            self.next_range = self._ranges.free_from(self.next_range + 1)
        return found

    def set_back(self, now: datetime) -> None:
        """Go on at the next boundary of a clock that was set back; no instant is read again that was read before."""
        plan = self.schedule
        if plan.spacing:
            number = plan.number_at(subtract_duration(now, plan.lag))
            self.next_sample = self._samples.free_from(min(self.next_sample, number))
            self.next_range = self._ranges.free_from(min(self.next_range, plan.report_of(number)))

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
            self._fresh[taking] = self._as_done(taking, complete)

    def _as_done(self, taking: Taking, readings: Mapping[str, Sequence[Reading]]) -> Done:
        whole = taking.number is None
        due = self.schedule.window(taking.report)[0] if taking.number is None else self.schedule.due(taking.number)
        return Done(due, whole, readings)

    def progress(self) -> tuple[list[Done], list[Done]]:
        """What was done since this was asked for and waits for the rest of its report, and what waits no more."""
        done, told = list(self._fresh.values()), self._told
        self._fresh, self._told = {}, []
        return done, told

    def resume(self, done: Done) -> bool:
        """Take what an earlier run has read; tells whether it belongs to a report that is still to be made."""
        plan = self.schedule
        number = plan.number_at(done.due)
        runs, place = (self._ranges, plan.report_of(number)) if done.whole else (self._samples, number)
        r_ids = self.ranged if done.whole else self.sampled
        if not plan.spacing or plan.due(number) != done.due or set(r_ids) != set(done.readings):
            return False
        if runs.free_from(place) != place or plan.is_over(number):
            return False
        runs.add(place, place + 1)
        self._done[Taking(plan.report_of(number), None if done.whole else number)] = done.readings
        self.next_sample = self._samples.free_from(self.next_sample)
        self.next_range = self._ranges.free_from(self.next_range)
        return True

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
            readings = self._done.pop(taking)
            if self._fresh.pop(taking, None) is None:
                self._told.append(self._as_done(taking, readings))
            for r_id, taken in readings.items():
                values[r_id] += ((due, one) for one in taken or (Reading(value=None),))
        return {r_id: told or [(begin, Reading(value=None))] for r_id, told in values.items()}

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return not self._open and not self._done and self._samples_over and self._ranges_over


def _order(taking: Taking) -> int:
    return -1 if taking.number is None else taking.number

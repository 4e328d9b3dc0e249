"""Sampling ahead: what accumulates is read all the time, so that it can be told at once when it is asked for once."""

from datetime import datetime, timedelta

import msgspec

from oadr_core.auto.callbacks import Asked, Callbacks, Values
from oadr_core.auto.offered import Offered
from oadr_core.auto.readings import Reading, newest
from oadr_core.auto.serving import Taking
from oadr_core.auto.submitted import Point
from oadr_core.build import Collection
from oadr_core.clock import Deadline, Now, Timers, whole_seconds


class _Stretch(msgspec.Struct, frozen=True):
    """What was read of a data point in advance."""

    begin: datetime
    length: timedelta
    taken: Reading


class Ahead:
    """Samples data points whether they are asked for or not (rule 337).

    :param offered: what is offered.
    :param callbacks: read it.
    """

    def __init__(self, offered: Offered, callbacks: Callbacks) -> None:
        self._offered = offered
        self._callbacks = callbacks
        self._stretches: dict[Point, _Stretch] = {}
        self._timers: Timers[Point] = Timers()

    def sample(self, specifier_id: str, now: Now) -> None:
        """Begin to sample those data points of an offer that accumulate; those that are sampled already go on."""
        offer = self._offered.get(specifier_id)
        if offer is None:
            return
        for r_id, point in offer.points.items():
            length = offer.shortest([r_id])
            accumulates = point.accumulates and point.collection is Collection.INCREMENTAL and length
            if accumulates and not self._timers.is_set((specifier_id, r_id)):
                self._timers.at((specifier_id, r_id), whole_seconds(now.utc) + length)

    def stop(self) -> None:
        """Take no more samples."""
        self._timers = Timers()

    def handle_timeout(self, now: Now) -> None:
        """Read what is due."""
        for point in self._timers.expired(now):
            self._read(point, now)

    def next_timeout(self, now: Now) -> Deadline | None:
        """Say when to call :meth:`handle_timeout`."""
        return self._timers.next(now)

    def _read(self, point: Point, now: Now) -> None:
        specifier_id, r_id = point
        offer = self._offered.get(specifier_id)
        found = None if offer is None else offer.points.get(r_id)
        if offer is None or found is None or found.callback is None:
            return
        length, end = offer.shortest([r_id]), whole_seconds(now.utc)
        self._timers.at(point, end + length)
        begin = end - length
        told = {"r_id": r_id, "due": begin, "date_from": begin, "date_to": end, "sampling_interval": length}
        self._callbacks.call(Asked(None, Taking(0, None), (r_id,), offer, begin), found.callback, told, now)

    def take(self, asked: Asked, taken: Values) -> None:
        """Take what was read."""
        if asked.ahead_of is not None:
            (r_id,) = asked.r_ids
            stretch = _Stretch(asked.ahead_of, asked.offer.shortest([r_id]), newest(taken.get(r_id, ())))
            self._stretches[(asked.offer.report.report_specifier_id, r_id)] = stretch

    def latest(self, point: Point) -> Reading | None:
        """What a data point showed over the last stretch of time; None where none is over yet."""
        known = self._stretches.get(point)
        return None if known is None else msgspec.structs.replace(known.taken, time=known.begin, duration=known.length)

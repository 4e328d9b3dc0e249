"""Values that the application hands over when it has them: kept, over restarts too, until no report can need them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core.auto.readings import Reading
from oadr_core.errors import StateError
from oadr_core.messages import subtract_duration
from oadr_core.outputs import Output, Save
from oadr_core.state.blobs import Blob, numbered

_PREFIX: Final = "submitted/"

_MOST: Final = 100_000
"""How many values of a data point are kept; the oldest are forgotten beyond."""

_OFTEN: Final = timedelta(minutes=1)
"""How often it is looked what can be forgotten, as that takes a look at every value."""

_UNCLAIMED: Final = timedelta(days=1)
"""How long values are kept of a data point that is not offered at present; the application may offer it again."""

Point = tuple[str, str]
"""A data point: its reportSpecifierID and its rID."""


class SubmittedValue(Blob, frozen=True, kw_only=True):
    """A value that the application has handed over, as a versioned blob.

    :param report_specifier_id: the report.
    :param r_id: the data point.
    :param reading: the value, with its time.
    """

    report_specifier_id: str
    r_id: str
    reading: Reading

    def parts(self) -> Iterator[msgspec.Struct]:
        """The messages, and parts of messages, that it holds."""
        value = self.reading.value
        if isinstance(value, msgspec.Struct):
            yield value


class _Kept(msgspec.Struct, frozen=True):
    """A value, and the key that it is saved with."""

    key: str
    reading: Reading


class Submitted:
    """Keeps submitted values, one for each second of a data point.

    :param emit: takes what has to be saved.
    :param saved: what an earlier run saved, by key; other keys than its own are passed over.
    :raises StateError: something in ``saved`` is damaged.
    """

    def __init__(self, emit: Callable[[Output], None], saved: Mapping[str, bytes]) -> None:
        self._emit = emit
        self._points: dict[Point, dict[datetime, _Kept]] = {}
        self._count = 0
        self._looked: datetime | None = None
        for key, one in SubmittedValue.load_all(saved, _PREFIX):
            if one.reading.time is None:
                raise StateError(f"SubmittedValue: the value of {key!r} has no time")
            self._count = max(self._count, numbered(key, _PREFIX))
            point = self._points.setdefault((one.report_specifier_id, one.r_id), {})
            point[one.reading.time] = _Kept(key, one.reading)

    def put(self, point: Point, reading: Reading) -> None:
        """Keep a value, which has a time; another of the same second is replaced."""
        assert reading.time is not None
        kept = self._points.setdefault(point, {})
        known = kept.get(reading.time)
        if known is None:
            self._count += 1
        key = f"{_PREFIX}{self._count:012d}" if known is None else known.key
        kept[reading.time] = _Kept(key, reading)
        self._emit(Save(key, SubmittedValue(report_specifier_id=point[0], r_id=point[1], reading=reading).dump()))
        while len(kept) > _MOST:
            self._forget(kept, min(kept))

    def forget(self, now: datetime, lengths: Mapping[Point, timedelta]) -> None:
        """Forget what is too old for any report; the newest value of a data point stays for those that want it once.

        :param now: the present.
        :param lengths: how much is kept of each data point that is offered. Twice as much is, as a report that is due
            may be made later.
        """
        if self._looked is not None and abs(now - self._looked) < _OFTEN:
            return
        self._looked = now
        for point, kept in list(self._points.items()):
            since = subtract_duration(now, lengths.get(point, _UNCLAIMED / 2) * 2)
            newest = max(kept) if point in lengths else None
            for time in [one for one in kept if one < since and one != newest]:
                self._forget(kept, time)
            if not kept:
                del self._points[point]

    def newest(self, point: Point) -> tuple[Reading, ...]:
        """The value of the latest time, if there is any."""
        kept = self._points.get(point, {})
        return (kept[max(kept)].reading,) if kept else ()

    def between(self, point: Point, begin: datetime, end: datetime, spacing: timedelta) -> tuple[Reading, ...]:
        """The last value of each sampling interval of a stretch of time, in order."""
        chosen: dict[int, Reading] = {}
        for time, one in sorted(self._points.get(point, {}).items()):
            if begin <= time < end:
                chosen[(time - begin) // spacing if spacing else len(chosen)] = one.reading
        return tuple(chosen.values())

    def _forget(self, kept: dict[datetime, _Kept], time: datetime) -> None:
        self._emit(Save(kept.pop(time).key, None))

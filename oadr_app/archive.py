"""Reading what a VTN has stored, from its file: while the VTN runs or not, and without disturbing it.

No transaction lasts longer than a moment, as the write-ahead log of the VTN cannot be taken back while one does; and
nothing is held in memory but a chunk, however many readings there are.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from oadr_app.readings import READING, Series, StoredSeries, list_series, moment, ticks
from oadr_app.tables import VERSION, version_of

_CHUNK: Final = 10_000
"""Readings that are read at once."""

_BAD: Final = "(SELECT quality FROM qualities WHERE text GLOB 'Quality Bad*' OR text = 'No Quality - No Value')"
_DOUBTFUL: Final = "(SELECT quality FROM qualities WHERE text GLOB 'Quality Uncertain*' OR text GLOB 'Quality Limit*')"

_SHOWN: Final = "COALESCE(value, json_extract(status, '$.online'))"
"""What a plot shows of a reading: its value; of a status, whether the resource is online."""


class Bucket(msgspec.Struct, frozen=True):
    """What was reported in a short stretch of time.

    :param number: which stretch it is, from 0.
    :param first: the time of the first reading.
    :param last: the time of the last reading.
    :param readings: how many there are.
    :param values: how many of them have a value.
    :param low: the lowest value; None where there is none, as for the next two.
    :param high: the highest value.
    :param mean: the mean value.
    :param bad: how many are of bad quality.
    :param doubtful: how many are uncertain, or at a limit.
    """

    number: int
    first: datetime
    last: datetime
    readings: int
    values: int
    low: float | None
    high: float | None
    mean: float | None
    bad: int
    doubtful: int


class Archive:
    """The readings in the file of a VTN.

    :param path: the file.
    :raises OSError: it is not there, is no such file, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        path.stat()  # to say what is wrong better than SQLite does
        with self._naming():
            self._file: Final = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
        try:
            with self._naming():
                version = version_of(self._file)
            if version != VERSION:
                raise OSError(
                    f"{path}: its tables have version {version}; start oadr vtn, which brings them up to date"
                )
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._file.close()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Name the file in what is wrong with it."""
        try:
            yield
        except sqlite3.Error as error:
            raise OSError(f"{self.path}: {error}") from None

    def _ask(self, question: str, *given: object) -> list[tuple[Any, ...]]:
        with self._naming():
            return self._file.execute(question, given).fetchall()

    # --- series ------------------------------------------------------------------------------------------------------

    def series(self, ven: str | None = None, report: str | None = None, point: str | None = None) -> list[StoredSeries]:
        """Find series.

        :param ven: the VEN, by name or id.
        :param report: the report, by its specifier or its name, such as ``TELEMETRY_USAGE``.
        :param point: the data point, by its id or what it is read from.
        """
        with self._naming():
            listed = list_series(self._file)
        return [
            one
            for one in listed
            if ven in (None, one.series.ven_id, one.series.ven_name)
            and report in (None, one.series.specifier_id, one.series.report_name)
            and point in (None, one.series.r_id, one.series.resource)
        ]

    # --- readings ----------------------------------------------------------------------------------------------------

    def count(self, one: StoredSeries, begin: datetime | None = None, end: datetime | None = None) -> int:
        """Count the readings of a series from one time to another, which is not within."""
        low, high = _bounds(begin, end)
        ((number,),) = self._ask(
            "SELECT COUNT(*) FROM readings WHERE series = ? AND time >= ? AND time < ?", one.number, low, high
        )
        return int(number)

    def chunks(
        self, one: StoredSeries, begin: datetime | None = None, end: datetime | None = None
    ) -> Iterator[Sequence[tuple[Any, ...]]]:
        """Read a series chunk by chunk, from old to new.

        :param one: the series.
        :param begin: from when on; from the first on if None.
        :param end: until before when; until the last if None.
        :returns: rows of time (in microseconds since 1970 began), value, quality, confidence, accuracy, status.
        """
        low, high = _bounds(begin, end)
        while rows := self._ask(
            f"SELECT {READING} FROM readings LEFT JOIN qualities USING (quality) "
            "WHERE series = ? AND time >= ? AND time < ? ORDER BY time LIMIT ?",
            one.number,
            low,
            high,
            _CHUNK,
        ):
            yield rows
            low = rows[-1][0] + 1

    def newest(self, one: StoredSeries) -> tuple[Any, ...] | None:
        """Read the newest reading of a series, as :meth:`chunks` does."""
        rows = self._ask(
            f"SELECT {READING} FROM readings LEFT JOIN qualities USING (quality) "
            "WHERE series = ? ORDER BY time DESC LIMIT 1",
            one.number,
        )
        return rows[0] if rows else None

    def buckets(self, one: StoredSeries, begin: datetime, end: datetime, most: int) -> list[Bucket]:
        """Sum up a series from one time to another in stretches of equal length; those without readings are left out.

        :param one: the series.
        :param begin: when the first stretch begins.
        :param end: when the last ends.
        :param most: how many stretches there are at most.
        """
        low, high = _bounds(begin, end)
        rows = self._ask(
            f"SELECT (time - ?1) / ?2, MIN(time), MAX(time), COUNT(*), COUNT({_SHOWN}), MIN({_SHOWN}), MAX({_SHOWN}), "
            f"AVG({_SHOWN}), SUM(COALESCE(quality IN {_BAD}, 0)), SUM(COALESCE(quality IN {_DOUBTFUL}, 0)) "
            "FROM readings WHERE series = ?3 AND time >= ?1 AND time < ?4 GROUP BY 1 ORDER BY 1",
            low,
            max(-((low - high) // most), 1),
            one.number,
            high,
        )
        return [Bucket(number, moment(first), moment(last), *rest) for number, first, last, *rest in rows]


def _bounds(begin: datetime | None, end: datetime | None) -> tuple[int, int]:
    low = datetime.min.replace(tzinfo=UTC) if begin is None else begin
    return ticks(low), 2**62 if end is None else ticks(end)


# --- which of them, as a person says it ------------------------------------------------------------------------------


def path_of(series: Series) -> str:
    """Name a series for people, as VEN, report and data point."""
    return f"{series.ven_name or series.ven_id} {series.specifier_id} {series.r_id}"


def stretch(
    chosen: Sequence[StoredSeries], begin: datetime | None, end: datetime | None, usual: timedelta
) -> tuple[datetime, datetime]:
    """Complete a stretch of time of which a person named one end or none.

    :param chosen: the series that are looked at; at least one.
    :param begin: when it begins; if None, as long before its end as is usual, or when the readings begin if an end is
        given.
    :param end: when it ends; right after the last reading if None.
    :param usual: how long it is where nothing is said.
    :returns: begin and end, of which the end is not within and lies after the begin.
    """
    first, last = min(one.first for one in chosen), max(one.last for one in chosen)
    if begin is None:
        begin = first if end is not None else max(first, last - min(usual, last - first))
    if end is None:
        end = max(last, begin)
        if end < datetime.max.replace(tzinfo=UTC):
            end += timedelta(microseconds=1)
    return begin, end

"""What VENs have reported, as it is stored: series, which are told once, and their readings."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)

_MOST_KNOWN: Final = 65_536
"""How many series and qualities are remembered with their numbers, so that they need not be looked up."""

_SERIES_AT_ONCE: Final = 256
"""How many series a slice of :meth:`ReadingsWriter.trim` looks at."""


def ticks(time: datetime) -> int:
    """A point in time as it is stored: microseconds since 1970 began."""
    return (time - _EPOCH) // _TICK


def moment(stored: int) -> datetime:
    """A stored point in time."""
    return _EPOCH + stored * _TICK


class Series(msgspec.Struct, frozen=True):
    """What is the same for all readings of a data point.

    :param ven_id: the VEN.
    :param specifier_id: the report that it belongs to.
    :param r_id: the data point.
    :param ven_name: the name that the VEN has for people, at present.
    :param report_name: such as ``TELEMETRY_USAGE``.
    :param report_type: such as ``usage``.
    :param reading_type: such as ``Direct Read``.
    :param resource: what it is read from: resources, or what else the offer names, separated by commas.
    :param quantity: what is measured, such as ``powerReal``.
    :param unit: the unit.
    :param scale: the power of ten of the unit, such as ``k``.
    :param pulse_factor: how much a pulse stands for, where pulses are counted.
    """

    ven_id: str
    specifier_id: str
    r_id: str
    ven_name: str = ""
    report_name: str | None = None
    report_type: str | None = None
    reading_type: str | None = None
    resource: str | None = None
    quantity: str | None = None
    unit: str | None = None
    scale: str | None = None
    pulse_factor: float | None = None

    @property
    def description(self) -> tuple[str | float | None, ...]:
        """All but the ids and the name of the VEN; readings of another description are another series."""
        return (
            self.report_name,
            self.report_type,
            self.reading_type,
            self.resource,
            self.quantity,
            self.unit,
            self.scale,
            self.pulse_factor,
        )

    @property
    def described(self) -> bool:
        """Whether it is known what is measured; it is not, where the offer is gone."""
        return any(one is not None for one in self.description)


class StoredReading(msgspec.Struct, frozen=True):
    """A value that a VEN has reported.

    :param time: when it held, or its interval began.
    :param value: the value; None where its quality is bad, and for a status.
    :param quality: what the VEN says of its quality, if anything.
    :param confidence: from 0 to 100, if it was given.
    :param accuracy: in the unit of the value, if it was given.
    :param status: the status of a resource, in JSON.
    """

    time: datetime
    value: float | None
    quality: str | None = None
    confidence: int | None = None
    accuracy: float | None = None
    status: str | None = None


class StoredSeries(msgspec.Struct, frozen=True):
    """A series, and what there is of it.

    :param number: its number in the file.
    :param series: what it is.
    :param readings: how many readings it has.
    :param first: the time of the first.
    :param last: the time of the last.
    """

    number: int
    series: Series
    readings: int
    first: datetime
    last: datetime


_DESCRIPTION: Final = "report_name, report_type, reading_type, resource, quantity, unit, scale, pulse_factor"
_COLUMNS: Final = f"series, ven_id, specifier_id, r_id, ven_name, {_DESCRIPTION}, readings, first, last"


def list_series(connection: sqlite3.Connection, ven_id: str | None = None) -> list[StoredSeries]:
    """List the series that have readings, in the order of VEN, report and data point.

    :param connection: an open file.
    :param ven_id: the VEN; all if None.
    """
    where, given = ("", ()) if ven_id is None else ("AND ven_id = ?", (ven_id,))
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM series WHERE readings > 0 {where} ORDER BY ven_id, specifier_id, r_id, series", given
    )
    return [
        StoredSeries(number, Series(*described), readings, moment(first), moment(last))
        for number, *described, readings, first, last in rows
    ]


def reading_of(row: Sequence[Any]) -> StoredReading:
    """Make a reading of ``time, value, text, confidence, accuracy, status``."""
    return StoredReading(moment(row[0]), *row[1:])


READING: Final = "time, value, text, confidence, accuracy, status"
"""The columns of :func:`reading_of`, of ``readings LEFT JOIN qualities USING (quality)``."""


class _Place(NamedTuple):
    """Where the readings of a series go.

    :param number: the series.
    :param others: other series of the same data point, in other units: a time has a value in one of them alone.
    """

    number: int
    others: tuple[int, ...]


class ReadingsWriter:
    """Writes readings, within the transactions of somebody else and in one thread at a time.

    What it remembers of the file has to be forgotten when a transaction is taken back: see :meth:`forget`.
    """

    def __init__(self) -> None:
        self._places: dict[Series, _Place] = {}
        self._qualities: dict[str, int] = {}

    def forget(self) -> None:
        """Forget what it remembers of the file."""
        self._places.clear()
        self._qualities.clear()

    # --- adding ------------------------------------------------------------------------------------------------------

    def add(self, given: Mapping[Series, Iterable[StoredReading]], connection: sqlite3.Connection) -> None:
        """Add readings; one for the same data point and time replaces the one that is there (rule 346)."""
        for series, readings in given.items():
            place = self._place(series, connection)
            rows = [
                (
                    place.number,
                    ticks(one.time),
                    one.value,
                    None if one.quality is None else self._quality(one.quality, connection),
                    one.confidence,
                    one.accuracy,
                    one.status,
                )
                for one in readings
            ]
            if rows:
                self._insert(place, rows, connection)

    def _insert(self, place: _Place, rows: list[tuple[Any, ...]], connection: sqlite3.Connection) -> None:
        into = "INTO readings VALUES (?, ?, ?, ?, ?, ?, ?)"
        new = connection.executemany(f"INSERT OR IGNORE {into}", rows).rowcount
        if new < len(rows):  # some are there already, which is seldom
            connection.executemany(f"INSERT OR REPLACE {into}", rows)
        times = [row[1] for row in rows]
        connection.execute(
            "UPDATE series SET readings = readings + ?, first = MIN(COALESCE(first, ?2), ?2), "
            "last = MAX(COALESCE(last, ?3), ?3) WHERE series = ?4",
            (new, min(times), max(times), place.number),
        )
        for other in place.others:
            gone = connection.executemany(
                "DELETE FROM readings WHERE series = ? AND time = ?", [(other, time) for time in times]
            ).rowcount
            if gone:
                _recount(other, gone, connection)

    def _place(self, series: Series, connection: sqlite3.Connection) -> _Place:
        """Find where the readings of a series go, or make the place."""
        found = self._places.get(series)
        if found is None:
            found = self._look_up(series, connection)
            if len(self._places) >= _MOST_KNOWN:
                self._places.clear()
            self._places[series] = found
        return found

    def _look_up(self, series: Series, connection: sqlite3.Connection) -> _Place:
        known = {
            number: tuple(description)
            for number, *description in connection.execute(
                f"SELECT series, {_DESCRIPTION} FROM series WHERE ven_id = ? AND specifier_id = ? AND r_id = ? "
                "ORDER BY series DESC",
                (series.ven_id, series.specifier_id, series.r_id),
            )
        }
        blank = Series("", "", "").description
        fitting = [number for number, one in known.items() if one == series.description]
        fitting += [number for number, one in known.items() if one == blank or not series.described]
        if fitting:
            number = fitting[0]
            self._describe(number, series, connection)
        else:
            number = self._make(series, connection)
            if known:  # what is remembered of the others does not name this one
                self._places.clear()
        return _Place(number, tuple(one for one in known if one != number))

    def _describe(self, number: int, series: Series, connection: sqlite3.Connection) -> None:
        """Note what a series is called now, and what it measures, if that was not known."""
        if series.ven_name:
            connection.execute("UPDATE series SET ven_name = ? WHERE series = ?", (series.ven_name, number))
        if series.described:
            names = ", ".join(f"{name.strip()} = ?" for name in _DESCRIPTION.split(","))
            connection.execute(f"UPDATE series SET {names} WHERE series = ?", (*series.description, number))

    def _make(self, series: Series, connection: sqlite3.Connection) -> int:
        values = (series.ven_id, series.specifier_id, series.r_id, series.ven_name, *series.description)
        made = connection.execute(
            f"INSERT INTO series (ven_id, specifier_id, r_id, ven_name, {_DESCRIPTION}) "
            f"VALUES ({', '.join('?' * len(values))})",
            values,
        ).lastrowid
        assert made is not None
        return made

    def _quality(self, text: str, connection: sqlite3.Connection) -> int:
        """Find the number of a quality, or give it one."""
        found = self._qualities.get(text)
        if found is None:
            connection.execute("INSERT OR IGNORE INTO qualities (text) VALUES (?)", (text,))
            ((found,),) = connection.execute("SELECT quality FROM qualities WHERE text = ?", (text,))
            if len(self._qualities) >= _MOST_KNOWN:
                self._qualities.clear()
            self._qualities[text] = found
        return found

    # --- forgetting --------------------------------------------------------------------------------------------------

    def forget_ven(self, ven_id: str, most: int, connection: sqlite3.Connection) -> int:
        """Delete readings of a VEN; its series with the last of them.

        :param ven_id: the VEN.
        :param most: how many to delete at most.
        :param connection: the file.
        :returns: how many were deleted; fewer than ``most`` where none are left.
        """
        deleted = connection.execute(
            "DELETE FROM readings WHERE (series, time) IN (SELECT series, time FROM readings WHERE series IN "
            "(SELECT series FROM series WHERE ven_id = ?) LIMIT ?)",
            (ven_id, most),
        ).rowcount
        if deleted < most:
            connection.execute("DELETE FROM series WHERE ven_id = ?", (ven_id,))
            self._places.clear()
        return deleted

    # --- retention ---------------------------------------------------------------------------------------------------

    def trim(self, keep: "Retention", now: datetime, most: int, connection: sqlite3.Connection) -> int:
        """Delete some of the readings that are not to be kept, the oldest of each series first.

        :param keep: which are to be kept.
        :param now: the present.
        :param most: how many to delete at most.
        :param connection: the file.
        :returns: how many were deleted; none where all are to be kept.
        """
        before = keep.before(now)
        due = connection.execute(
            "SELECT series, readings FROM series WHERE first < ? OR readings > ? LIMIT ?",
            (before, keep.bound, _SERIES_AT_ONCE),
        ).fetchall()
        deleted = 0
        for number, readings in due:
            end = max(before, _time_of(number, readings - keep.bound, connection))
            if readings > most - deleted:
                end = min(end, _time_of(number, most - deleted, connection))
            gone = connection.execute("DELETE FROM readings WHERE series = ? AND time < ?", (number, end)).rowcount
            _recount(number, gone, connection)
            deleted += gone
            if deleted >= most:
                break
        if connection.execute("DELETE FROM series WHERE readings = 0").rowcount:
            self._places.clear()
        return deleted


def _time_of(series: int, position: int, connection: sqlite3.Connection) -> int:
    """The time of a reading by its position in the series; before all of them where that is negative."""
    if position < 0:
        return ticks(datetime.min.replace(tzinfo=UTC))
    row = connection.execute(
        "SELECT time FROM readings WHERE series = ? ORDER BY time LIMIT 1 OFFSET ?", (series, position)
    ).fetchone()
    return ticks(datetime.max.replace(tzinfo=UTC)) if row is None else int(row[0])


def _recount(series: int, gone: int, connection: sqlite3.Connection) -> None:
    """Note that some readings of a series are gone."""
    connection.execute(
        "UPDATE series SET readings = readings - ?1, "
        "first = (SELECT MIN(time) FROM readings WHERE series = ?2), "
        "last = (SELECT MAX(time) FROM readings WHERE series = ?2) WHERE series = ?2",
        (gone, series),
    )


class Retention(msgspec.Struct, frozen=True):
    """Which readings are kept, and which Green Button data.

    :param age: those that are not older than this; None keeps them whatever their age.
    :param count: so many of each series, the newest ones; None keeps them however many they are.
    """

    age: timedelta | None = None
    count: int | None = None

    @property
    def bounded(self) -> bool:
        """Whether any are not kept."""
        return self.age is not None or self.count is not None

    @property
    def bound(self) -> int:
        """How many of each series are kept at most."""
        return 2**62 if self.count is None else self.count

    def before(self, now: datetime) -> int:
        """The stored time before which none are kept."""
        oldest = datetime.min.replace(tzinfo=UTC)
        if self.age is not None and self.age < now - oldest:
            oldest = now - self.age
        return ticks(oldest)

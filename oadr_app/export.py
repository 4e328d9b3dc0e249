"""Writing readings for other programs: as CSV or as JSON lines, a chunk at a time."""

import csv
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

import msgspec

from oadr_app.archive import Archive
from oadr_app.readings import Series, StoredSeries, moment


class Form(StrEnum):
    """How readings are written."""

    CSV = "csv"
    JSON_LINES = "jsonl"


_WHAT: Final = ("ven", "ven_id", "report", "report_name", "r_id", "resource", "quantity", "unit", "scale")
_READING: Final = ("value", "quality", "confidence", "accuracy", "status")

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a text begins that a spreadsheet takes for a formula."""

COLUMNS: Final = ("time", *_WHAT, *_READING)
"""What is written of each reading, in CSV in this order."""


def form_of(name: str) -> Form | None:
    """Tell by the ending of a file how it is to be written."""
    endings = {".csv": Form.CSV, ".jsonl": Form.JSON_LINES, ".ndjson": Form.JSON_LINES, ".json": Form.JSON_LINES}
    return endings.get(Path(name).suffix.lower())


class Exported(NamedTuple):
    """How much was written.

    :param readings: the readings.
    :param series: the series that had any.
    """

    readings: int
    series: int


def export(
    archive: Archive,
    chosen: Sequence[StoredSeries],
    sink: TextIO,
    form: Form,
    *,
    begin: datetime | None = None,
    end: datetime | None = None,
    advance: Callable[[int], object],
) -> Exported:
    """Write series, one after the other, each from old to new.

    :param archive: where they are.
    :param chosen: the series.
    :param sink: takes what is written.
    :param form: how it is written.
    :param begin: from when on.
    :param end: until before when.
    :param advance: is told after each chunk how many readings it had.
    :returns: how much was written.
    """
    write = _as_csv(sink) if form is Form.CSV else _as_json_lines(sink)
    counts = []
    for one in chosen:
        counts.append(0)
        for rows in archive.chunks(one, begin, end):
            write(one.series, rows)
            advance(len(rows))
            counts[-1] += len(rows)
    return Exported(sum(counts), sum(map(bool, counts)))


_Write = Callable[[Series, Sequence[tuple[Any, ...]]], None]


def _as_csv(sink: TextIO) -> _Write:
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(COLUMNS)

    def write(series: Series, rows: Sequence[tuple[Any, ...]]) -> None:
        what = tuple(map(_inert, _what(series)))
        writer.writerows((_time(row[0]), *what, *map(_inert, row[1:])) for row in rows)

    return write


def _as_json_lines(sink: TextIO) -> _Write:
    encoder = msgspec.json.Encoder()

    def write(series: Series, rows: Sequence[tuple[Any, ...]]) -> None:
        what = dict(zip(_WHAT, _what(series), strict=True))
        lines = bytearray()
        for time, *reading, status in rows:
            line = {"time": _time(time), **what, **dict(zip(_READING, reading, strict=False))}
            line["status"] = None if status is None else msgspec.Raw(status)
            lines += encoder.encode(line) + b"\n"
        sink.write(lines.decode())

    return write


def _inert(cell: Any) -> Any:
    """Keep a text of a peer's making from being a formula for a spreadsheet, or a row of its own; numbers stay numbers.

    A lone carriage return ends a row for many readers, and :mod:`csv` does not quote it; so it becomes a line feed, as
    line ends do in XML.
    """
    if not isinstance(cell, str):
        return cell
    mark = "'" if cell.startswith(_FORMULA) else ""
    return mark + cell.replace("\r\n", "\n").replace("\r", "\n")


def _what(series: Series) -> tuple[str | None, ...]:
    return (
        series.ven_name,
        series.ven_id,
        series.specifier_id,
        series.report_name,
        series.r_id,
        series.resource,
        series.quantity,
        series.unit,
        series.scale,
    )


def _time(stored: int) -> str:
    return moment(stored).isoformat().replace("+00:00", "Z")


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """Open a file to be written: it is there when it is whole, and until then it stays as it was.

    :param path: the file; written directly where it is no ordinary file, such as a pipe.
    :raises OSError: it cannot be written.
    """
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="") as sink:
            yield sink
        return
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:  # it names a file that nobody has asked for
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as sink:
            yield sink
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

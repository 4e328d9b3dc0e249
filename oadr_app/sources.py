"""Where a VEN gets its values from without any code: a file, or what a command prints."""

import csv
import json
import math
import os
import shlex
import signal
import subprocess
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import anyio
import anyio.abc

from oadr_app.config import ConfigError, VenReport
from oadr_core import DataQuality
from oadr_driver.logs import logger

_LOG: Final = logger("oadr.ven")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES: Final = ("time", "timestamp", "datetime", "date")
_VALUES: Final = ("value", "reading")
_QUALITIES: Final = ("quality", "data_quality")

_LONGEST_OUTPUT: Final = 64 * 1024
"""Bytes of what a command prints that are looked at."""

_NO_READING: Final = {"value": None, "data_quality": DataQuality.BAD_COMM_FAILURE}
"""What is reported where a command fails."""


def source_of(report: VenReport, sampling: timedelta) -> "CsvFile | CommandOutput":
    """Make what reads a data point.

    :param report: the data point.
    :param sampling: how often it can be read, where it does not say.
    :raises ConfigError: the file or the command cannot be used.
    """
    if report.csv is not None:
        source = CsvFile(report.csv, report.sampling or sampling, loop=report.loop, past=report.is_history)
        if report.is_history and not source.has_times:
            raise ConfigError(f"{report.csv}: there are no times in it, and {report.report_name} needs them")
        return source
    assert report.command is not None
    return CommandOutput(report.command, report.timeout)


# --- files -----------------------------------------------------------------------------------------------------------


class Rows(NamedTuple):
    """What a file holds.

    :param times: the times in seconds since 1970 began, in their order; empty where the file has none.
    :param values: the values; not a number where there is none.
    :param qualities: what is said of the quality of some, by their place.
    """

    times: "array[float]"
    values: "array[float]"
    qualities: Mapping[int, str]

    @property
    def spacing(self) -> float:
        """The usual number of seconds from one time to the next; 0 where there is no next."""
        if len(self.times) < 2:
            return 0.0
        some = self.times[:1001]  # a sample tells as much as millions
        return median(later - earlier for earlier, later in pairwise(some))

    def reading(self, place: int) -> object:
        """Make a reading as the VEN takes it."""
        value = self.values[place]
        known = None if math.isnan(value) else value
        quality = self.qualities.get(place)
        return known if quality is None else {"value": known, "data_quality": quality}


class CsvFile:
    """Values from a CSV file: with the times when they hold, or one after the other.

    With times, a value holds until the next; the last one for as long as the others usually do. When the file changes,
    it is read again, so another program may append to it, by whole lines.

    :param path: the file: the columns ``time`` and ``value``, and ``quality`` if wanted; or values alone.
    :param spacing: how long a value holds where there are no times.
    :param loop: whether it begins again at its end. What has times is repeated as a whole, so that a file of a day
        stands for every day.
    :param past: whether only what it says of the past is wanted.
    :raises ConfigError: the file cannot be used; the text says where and why.
    """

    def __init__(self, path: Path, spacing: timedelta, *, loop: bool, past: bool = False) -> None:
        self._path = path
        self._spacing = spacing.total_seconds()
        self._loop = loop
        self._lock = threading.Lock()
        self._seen = _seen(path)
        self._rows = read_rows(path)
        self._begin: float | None = None
        if self._rows.times and not loop and not past and self._rows.times[-1] < datetime.now(UTC).timestamp():
            _LOG.warning("all times of %s are past; loop repeats them, else a value is there when one is added", path)

    def read(self, due: datetime) -> object:
        """Find the value that holds at a time.

        :param due: the time.
        """
        with self._lock:
            self._read_again()
            seconds = (due - _EPOCH).total_seconds()
            place = self._place_by_time(seconds) if self._rows.times else self._place_in_turn(seconds)
            return None if place is None else self._rows.reading(place)

    @property
    def has_times(self) -> bool:
        """Whether it says when its values hold."""
        return bool(self._rows.times)

    @property
    def reach(self) -> timedelta:
        """How long a stretch of time it tells of."""
        times = self._rows.times
        return timedelta(seconds=math.ceil(self._end - times[0])) if times else timedelta(0)

    def recorded(self, date_from: datetime, date_to: datetime) -> list[tuple[datetime, object]]:
        """Find the values that were recorded in a stretch of time, each with its time.

        :param date_from: its beginning.
        :param date_to: its end, which is not part of it.
        """
        with self._lock:
            self._read_again()
            begin, end = ((one - _EPOCH).total_seconds() for one in (date_from, date_to))
            return [
                (_EPOCH + timedelta(seconds=self._rows.times[place] + later), self._rows.reading(place))
                for later in self._repetitions(begin, end)
                for place in self._places(begin - later, end - later)
            ]

    def _repetitions(self, begin: float, end: float) -> Iterator[float]:
        """How much later the file holds each time that it is repeated, as far as that touches a stretch of time."""
        times = self._rows.times
        period = self._end - times[0] if times else 0.0
        if not self._loop or period <= 0.0:
            yield 0.0
            return
        first, last = math.floor((begin - times[0]) / period), math.ceil((end - times[0]) / period)
        yield from (number * period for number in range(first, last + 1))

    def _places(self, begin: float, end: float) -> range:
        times = self._rows.times
        return range(bisect_left(times, begin), bisect_left(times, end))

    @property
    def _end(self) -> float:
        """Until when the last value holds."""
        times = self._rows.times
        return times[-1] + max(self._rows.spacing, 0.0 if len(times) > 1 else self._spacing)

    def _read_again(self) -> None:
        """Read the file again if it has changed; while it cannot be read, what was there before holds."""
        try:
            seen = _seen(self._path)
            if seen != self._seen:
                self._seen = seen
                self._rows = read_rows(self._path)
        except ConfigError as error:
            _LOG.warning("the file of values has changed, and cannot be used so: %s", error)

    def _place_by_time(self, seconds: float) -> int | None:
        times, end = self._rows.times, self._end
        if self._loop and end > times[0]:
            seconds = times[0] + (seconds - times[0]) % (end - times[0])
        if not times[0] <= seconds < end:
            return None
        return bisect_right(times, seconds) - 1

    def _place_in_turn(self, seconds: float) -> int | None:
        if self._begin is None:
            self._begin = seconds
        place, number = int((seconds - self._begin) // self._spacing), len(self._rows.values)
        if self._loop:
            return place % number
        return place if 0 <= place < number else None


def _seen(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    return found.st_mtime_ns, found.st_size


def read_rows(path: Path) -> Rows:
    """Read a file of values.

    :param path: the file; separated by commas, or by semicolons, and numbers may have a decimal comma then.
    :raises ConfigError: it cannot be used; the text says in which line and why.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = ";" if ";" in file.readline() else ","
            file.seek(0)
            return _rows(path, csv.reader(file, delimiter=separator), separator)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: this is no CSV in UTF-8: {error}") from None


class _Columns(NamedTuple):
    """Where in a line what stands."""

    time: int | None
    value: int
    quality: int | None


def _rows(path: Path, lines: Iterator[list[str]], separator: str) -> Rows:
    rows = Rows(array("d"), array("d"), {})
    qualities: dict[int, str] = {}
    columns: _Columns | None = None
    for number, cells in enumerate(lines, 1):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            if columns is None:
                columns, is_heading = _columns(cells, separator)
                if is_heading:
                    continue
            _take(rows, qualities, columns, cells, separator)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from None
    if not rows.values:
        raise ConfigError(f"{path}: there are no values in it")
    return rows._replace(qualities=qualities)


def _columns(cells: Sequence[str], separator: str) -> tuple[_Columns, bool]:
    """Find the columns by the first line, which may be a heading."""
    names = [cell.strip().lower() for cell in cells]
    if any(name in (*_VALUES, *_TIMES) for name in names):
        places = {
            what: next((names.index(one) for one in known if one in names), None)
            for what, known in (("time", _TIMES), ("value", _VALUES), ("quality", _QUALITIES))
        }
        if places["value"] is None:
            raise ValueError(f"there is no column `value`, but {', '.join(names)}")
        return _Columns(places["time"], places["value"], places["quality"]), True
    if len(cells) == 1:
        try:
            _number(cells[0], separator)
        except ValueError:
            return _Columns(None, 0, None), True  # a heading of any name
        return _Columns(None, 0, None), False
    return _Columns(0, 1, 2 if len(cells) > 2 else None), False


def _take(rows: Rows, qualities: dict[int, str], columns: _Columns, cells: Sequence[str], separator: str) -> None:
    if len(cells) <= max(columns.value, columns.time or 0):
        raise ValueError(f"there are {len(cells)} columns, which are too few")
    if columns.time is not None:
        time = _time(cells[columns.time].strip())
        if rows.times and time <= rows.times[-1]:
            raise ValueError(f"{cells[columns.time].strip()!r} is not later than the time before it")
        rows.times.append(time)
    if columns.quality is not None and len(cells) > columns.quality and cells[columns.quality].strip():
        qualities[len(rows.values)] = cells[columns.quality].strip()
    rows.values.append(_number(cells[columns.value], separator))


def _number(text: str, separator: str) -> float:
    text = text.strip()
    if not text:
        return math.nan
    if separator == ";":
        text = text.replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no number")
    return number


def _time(text: str) -> float:
    """Read a time: as ISO 8601 has it, by the local clock if it names no zone, or in seconds since 1970 began."""
    with suppress(ValueError):
        number = float(text)
        if math.isfinite(number):
            return number
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is no time; write 2026-11-20T18:00:00Z, or the seconds since 1970") from None


# --- commands --------------------------------------------------------------------------------------------------------


class CommandOutput:
    """Values that a command prints, which is run at each sample.

    It prints a number, or a JSON object with ``value`` and if wanted ``data_quality``, ``confidence`` and ``accuracy``.
    Where it fails, prints something else or takes too long, there is no value, and the quality says so. No shell is
    involved.

    :param command: the command and its arguments.
    :param timeout: how long it may take.
    :raises ConfigError: there is no command.
    """

    def __init__(self, command: str, timeout: timedelta) -> None:
        try:
            self._command: Final = shlex.split(command)
        except ValueError as error:
            raise ConfigError(f"command: {command!r} cannot be split into words: {error}") from None
        if not self._command:
            raise ConfigError("command: it must not be empty")
        self._timeout = timeout.total_seconds()
        self._complaint = ""

    async def read(self) -> object:
        """Run the command, and take what it prints."""
        try:
            with anyio.fail_after(self._timeout):
                taken = await self._run()
        except TimeoutError:
            return self._no_reading(f"takes longer than {self._timeout:g} s")
        except (OSError, ValueError) as error:
            return self._no_reading(str(error))
        if self._complaint:
            _LOG.info("the command %s works again", self._command[0])
        self._complaint = ""
        return taken

    def _no_reading(self, why: str) -> object:
        """Complain, but not about the same at every sample."""
        if why != self._complaint:
            _LOG.warning("the command %s gives no value: %s", shlex.join(self._command), why)
        self._complaint = why
        return _NO_READING

    async def _run(self) -> object:
        process = await anyio.open_process(self._command, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            out, err = _Collected(process.stdout), _Collected(process.stderr)
            async with anyio.create_task_group() as group:
                group.start_soon(out.collect)
                group.start_soon(err.collect)
            status = await process.wait()
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # with all that it has started
            with anyio.CancelScope(shield=True):
                await process.aclose()
        if status != 0:
            said = bytes(err.data).decode(errors="replace").strip().splitlines()
            raise ValueError(f"it ends with status {status}" + (f": {said[-1][:200]}" if said else ""))
        return read_output(bytes(out.data).decode(errors="replace"))


class _Collected:
    """What comes on a stream, up to a bound."""

    def __init__(self, stream: anyio.abc.ByteReceiveStream) -> None:
        self._stream = stream
        self.data = bytearray()

    async def collect(self) -> None:
        """Read the stream to its end."""
        async for chunk in self._stream:
            self.data += chunk[: _LONGEST_OUTPUT - len(self.data)]


def read_output(text: str) -> Any:
    """Read what a command has printed.

    :param text: a number, or a JSON object.
    :raises ValueError: it is neither.
    """
    text = text.strip()
    if text.startswith("{"):
        try:
            taken = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(f"it prints {text[:60]!r}, which is no JSON object") from None
        if "value" not in taken and "online" not in taken:
            raise ValueError(f"it prints {text[:60]!r}, which has no `value`")
        return taken
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"it prints {text[:60]!r}, which is no number" if text else "it prints nothing")
    return number

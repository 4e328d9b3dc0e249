"""Scales that people can read: round numbers and times at round distances."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

_STEPS: Final = (
    *(timedelta(seconds=seconds) for seconds in (1, 5, 15, 30)),
    *(timedelta(minutes=minutes) for minutes in (1, 5, 10, 15, 30)),
    *(timedelta(hours=hours) for hours in (1, 2, 3, 6, 12)),
    *(timedelta(days=days) for days in (1, 2, 7)),
    *(timedelta(days=30 * 3**power) for power in range(16)),
)
"""Spacings of a scale of time."""

_ROOM: Final = 2
"""Columns between two marks at least."""

_WIDEST: Final = 1e300
"""Beyond this, numbers are drawn at the edge: their differences have to be numbers, too."""


def wall_clock(time: datetime, form: str) -> str:
    """A point in time as the clock on the wall shows it; at either end of all times, as UTC has it."""
    try:
        time = time.astimezone()
    except (OverflowError, ValueError, OSError):  # no zone can be added there
        time = time.astimezone(UTC)
    return time.strftime(form)


def time_marks(begin: datetime, end: datetime, columns: int) -> list[tuple[int, str]]:
    """Find round times for a scale.

    :param begin: the time of its left edge.
    :param end: the time of its right edge.
    :param columns: how wide it is.
    :returns: columns, and what is written from there on; nothing where there is no room.
    """
    span = end - begin
    for step in _STEPS if span else ():
        form = "%H:%M:%S" if step < timedelta(minutes=1) else "%H:%M" if step < timedelta(days=1) else "%Y-%m-%d"
        if step / span * columns >= len(wall_clock(begin, form)) + _ROOM:
            return list(_marks(begin, span, columns, step, form))
    return []


def _marks(begin: datetime, span: timedelta, columns: int, step: timedelta, form: str) -> Iterator[tuple[int, str]]:
    local = begin if begin.year in (1, 9999) else begin.astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    number = -((midnight - local) // step)
    while True:
        try:
            time = midnight + number * step
        except OverflowError:
            return
        column, text = int((time - local) / span * columns), wall_clock(time, form)
        if column + len(text) > columns:
            return
        yield column, text
        number += 1


class Numbers:
    """A scale of numbers.

    :param low: the lowest number that it has to hold.
    :param high: the highest.
    :param marks: how many marks there is room for; 2 at least.
    """

    def __init__(self, low: float, high: float, marks: int) -> None:
        low, high = max(low, -_WIDEST), min(high, _WIDEST)
        low, high = min(low, _WIDEST), max(high, -_WIDEST)
        if high - low <= max(abs(low), abs(high)) * 1e-9 or high - low < 1e-290:
            margin = max(abs(low), abs(high)) * 0.1 or 1.0
            low, high = low - margin, high + margin
        self._step: Final = _round_up((high - low) / max(marks - 1, 1))
        self.low: Final = low
        self.high: Final = high

    def share(self, value: float) -> float:
        """Where a number lies, from 0 at the lower edge to 1 at the upper."""
        return min(max((value / 2 - self.low / 2) / (self.high / 2 - self.low / 2), 0.0), 1.0)

    def marks(self) -> list[tuple[float, str]]:
        """Find round numbers: each with what is written there."""
        first = math.ceil(self.low / self._step - 1e-9)
        last = math.floor(self.high / self._step + 1e-9)
        return [(number * self._step, self.written(number * self._step)) for number in range(first, last + 1)]

    def written(self, value: float) -> str:
        """Write a number with as many digits as the marks need."""
        digits = max(-math.floor(math.log10(self._step) + 1e-9), 0)
        if digits > 6 or abs(value) >= 1e7:
            return f"{value:.3g}"
        return f"{value + 0.0:.{digits}f}"


def _round_up(number: float) -> float:
    """The next number of the form 1, 2 or 5 times a power of ten."""
    power: float = 10.0 ** math.floor(math.log10(number))
    return next((factor * power for factor in (1, 2, 5) if factor * power >= number), 10 * power)

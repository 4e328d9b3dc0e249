"""Times and lengths of time as people write them."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from oadr_core import CalendarDuration, Duration

_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
_PERIOD: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
_ISO: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


_CALENDAR: Final = re.compile(
    r"P(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?"
)


class _Read:
    """A value of the file of an event that TOML and JSON have no type for; compared by content."""

    def __init__(self, value: object) -> None:
        self._value: Final = value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._value!r})"


class Length(_Read):
    """A length of time; calendar months have their place in events (decision D44).

    :param duration: the length.
    """

    def __init__(self, duration: Duration) -> None:
        super().__init__(duration)
        self.duration: Final = duration

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a length of time; see :func:`length`."""
        return cls(length(text))

    def __str__(self) -> str:
        return written(self.duration)


class Moment(_Read):
    """A point in time.

    :param at: the point in time, in UTC.
    """

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.at: Final = at

    def __str__(self) -> str:
        return self.at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Period(timedelta):
    """A length of time in a configuration file."""

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a length of time; see :func:`period`."""
        length = period(text)
        return cls(days=length.days, seconds=length.seconds, microseconds=length.microseconds)


def period(text: str) -> timedelta:
    """Read a length of time.

    :param text: such as ``90s``, ``15m``, ``1h30m`` or ``PT15M``; a minus may precede it.
    :raises ValueError: it is none; the text says what would be.
    """
    sign, plain = (-1, text[1:]) if text.startswith("-") else (1, text)
    try:
        if _PERIOD.fullmatch(plain):
            return sign * timedelta(**_sum(plain))
        match = _ISO.fullmatch(plain)
        if match and any(match.groups()):
            days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
            return sign * timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except (OverflowError, ValueError):  # more digits than a number may have
        raise ValueError(f"{text[:40]!r} is too long a time") from None
    raise ValueError(f"{text!r} is no length of time; write 90s, 15m, 1h30m or PT15M")


def _sum(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for number, unit in _PART.findall(text):
        found[_UNITS[unit]] = found.get(_UNITS[unit], 0.0) + float(number)
    return found


def length(text: str) -> Duration:
    """Read a length of time that may count calendar months.

    :param text: what :func:`period` reads, or such as ``P1M``, ``P1Y`` or ``P2W``.
    :raises ValueError: it is none; the text says what would be.
    """
    sign, plain = (-1, text[1:]) if text.startswith("-") else (1, text)
    match = _CALENDAR.fullmatch(plain)
    if match is None or not any(match.groups()) or plain.endswith("T"):
        return period(text)
    years, months, weeks, days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    try:
        rest = sign * timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text!r} is too long a time") from None
    months += 12 * years
    return CalendarDuration(months=sign * months, rest=rest) if months else rest


def written(duration: Duration) -> str:
    """Write a length of time for people, so that :func:`length` reads the same."""
    if not isinstance(duration, CalendarDuration):
        return shown(duration)
    sign = "-" if duration.months < 0 or duration.rest < timedelta(0) else ""
    seconds = abs(int(duration.rest.total_seconds()))
    days, seconds = divmod(seconds, 86400)
    months = f"{abs(duration.months)}M" if duration.months else ""
    date = months + (f"{days}D" if days else "")
    return f"{sign}P{date}{f'T{seconds}S' if seconds or not date else ''}"


def steps(text: str) -> list[tuple[timedelta, float]]:
    """Read values and how long each holds.

    :param text: such as ``30m=1,30m=2``.
    :raises ValueError: it is none; the text says what would be.
    """
    found = []
    for one in text.split(","):
        length, _, value = one.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"{one!r} is no interval; write its length and its value, as 30m=1,30m=2")
        found.append((period(length.strip()), number))
    return found


def instant(text: str, now: datetime) -> datetime:
    """Read a point in time.

    :param text: ``now``, ``+15m`` for a while from now, or such as ``2026-11-20T18:00:00Z``; without a zone it is the
        local time of this machine.
    :param now: the present.
    :raises ValueError: it is none; the text says what would be.
    """
    if text == "now":
        return now
    try:
        return now + period(text[1:]) if text.startswith("+") else _moment(text)
    except OverflowError:
        raise ValueError(f"{text!r} is too far away") from None


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write now, +15m or 2026-11-20T18:00:00Z") from None


def shown(length: timedelta) -> str:
    """Write a length of time for people, such as ``1h30m``."""
    seconds = int(length.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number}{unit}")
    return sign + "".join(parts) if parts else "0s"

"""Times and lengths of time as people write them."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final, Self

_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
_PERIOD: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
_ISO: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


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

"""Lengths of time, and adding one to an instant (rules 1, 31 and 47; decisions D11, D44 and D45)."""

from calendar import monthrange
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec


class CalendarDuration(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A duration that counts calendar months, such as ``P1M`` or ``P2Y``.

    Its length depends on the day it begins, so it is no :class:`~datetime.timedelta`. Peers rarely send one; five
    minutes written as ``P5M`` by mistake is five months here too (decision D44).

    :param months: whole calendar months, years included; may be negative.
    :param rest: the part in weeks, days, hours, minutes and seconds.
    """

    months: int
    rest: timedelta = timedelta(0)


Duration: TypeAlias = timedelta | CalendarDuration
"""A length of time: a ``timedelta`` except where calendar months or years were sent."""


def add_duration(start: datetime, duration: Duration) -> datetime:
    """Find the instant a duration after another.

    :param start: the instant to begin at, with a time zone.
    :param duration: what to add. Months keep the day of the month, or take the last day of a shorter month.
    :returns: the later instant, or the last one that can be told where it lies beyond the year 9999.
    """
    return _moved(start, duration, 1)


def subtract_duration(end: datetime, duration: Duration) -> datetime:
    """Find the instant a duration before another; see :func:`add_duration`.

    :param end: the instant to go back from, with a time zone.
    :param duration: how far to go back.
    """
    return _moved(end, duration, -1)


def _moved(instant: datetime, duration: Duration, sign: int) -> datetime:
    """Go forth (1) or back (-1) in time."""
    rest = duration
    if isinstance(duration, CalendarDuration):
        instant = _add_months(instant, sign * duration.months)
        rest = duration.rest
    assert isinstance(rest, timedelta)
    try:
        return instant + rest if sign > 0 else instant - rest
    except OverflowError:
        limit = datetime.max if (rest > timedelta(0)) is (sign > 0) else datetime.min
        return limit.replace(tzinfo=instant.tzinfo)


def _add_months(start: datetime, months: int) -> datetime:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        return (datetime.max if year > 9999 else datetime.min).replace(tzinfo=start.tzinfo)
    return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))


def is_zero(duration: Duration) -> bool:
    """Tell whether a duration has no length, which makes an event or a schedule open-ended (rules 47, 210 and 325)."""
    return duration == timedelta(0) or duration == CalendarDuration(months=0)


def as_timedelta(duration: Duration, start: datetime) -> timedelta:
    """Measure a duration that begins at ``start``.

    :param duration: what to measure.
    :param start: where it begins; matters for calendar months alone.
    """
    if isinstance(duration, timedelta):
        return duration
    return add_duration(start, duration) - start

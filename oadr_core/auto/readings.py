"""What data points showed: the forms in which an application may say it, and the intervals that are sent of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from oadr_core.clock import whole_seconds
from oadr_core.errors import LocalProtocolError
from oadr_core.messages import (
    DataQuality,
    Duration,
    GreenButtonPayload,
    Interval,
    ReportPayload,
    ResourceStatus,
)
from oadr_core.rules import refuse
from oadr_core.state.blobs import Instant
from oadr_core.wire.plain import part_from_dict

_DETAILS: Final = ("data_quality", "confidence", "accuracy")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a data point showed.

    :param value: a number, the status of a resource, or Green Button data; None where there is none, which is sent as a
        placeholder of bad quality (rule 318).
    :param data_quality: one of :class:`~oadr_core.messages.enums.DataQuality`, or an ``x-`` text.
    :param confidence: from 0 to 100.
    :param accuracy: in the unit of the value.
    :param time: when it held, or its interval began; when it was due if None.
    :param duration: how long its interval is; None where it holds at an instant, or as the report has it.
    """

    value: float | ResourceStatus | GreenButtonPayload | None
    data_quality: str | None = None
    confidence: int | None = None
    accuracy: float | None = None
    time: Instant | None = None
    duration: Duration | None = None


def reading(value: object) -> Reading:
    """Read what a data point showed once.

    :param value: a number; None where there is no value; a :class:`Reading`; a
        :class:`~oadr_core.messages.common.ResourceStatus` or
        :class:`~oadr_core.messages.common.GreenButtonPayload`; or a dict with ``value`` and if wanted ``data_quality``,
        ``confidence``, ``accuracy``, ``time`` and ``duration``, or with ``online`` and ``manual_override`` for a
        status, or with ``feed`` for Green Button data.
    :raises LocalProtocolError: it is none of these, or cannot be sent, such as a number that is not finite.
    """
    taken = _reading(value)
    refuse(interval_of("", taken, taken.time))
    return taken


def readings(value: object) -> tuple[Reading, ...]:
    """Read what a data point showed once or several times.

    :param value: what :func:`reading` takes; or pairs of the time and that, in a list or alone.
    :raises LocalProtocolError: it is none of these, or a time has no time zone.
    """
    if _is_pair(value):
        return (_timed(value),)
    if isinstance(value, list | tuple):
        return tuple(_timed(one) for one in value)
    return (reading(value),)


def _is_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], datetime)


def _timed(value: object) -> Reading:
    """Read one of several readings, each of which has to say when it was."""
    if isinstance(value, list | tuple) and _is_pair(value):
        taken = msgspec.structs.replace(reading(value[1]), time=value[0])
    else:
        taken = reading(value)
    if taken.time is None:
        raise LocalProtocolError(f"{str(value)[:60]!r} has no time; give pairs of the time and the value")
    if taken.time.tzinfo is None:
        raise LocalProtocolError(f"{taken.time} has no time zone; use datetime.now(timezone.utc) or .astimezone()")
    return taken


def _reading(value: object) -> Reading:
    if isinstance(value, Reading):
        return value
    if value is None or isinstance(value, ResourceStatus | GreenButtonPayload):
        return Reading(value=value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Reading(value=float(value))
    if isinstance(value, Mapping) and "online" in value:
        return Reading(value=part_from_dict(ResourceStatus, value))
    if isinstance(value, Mapping) and "feed" in value:
        return Reading(value=part_from_dict(GreenButtonPayload, value))
    if isinstance(value, Mapping) and "value" in value:
        known = (*_DETAILS, "time", "duration")
        odd = [str(key) for key in value if key != "value" and key not in known]
        if odd:
            raise LocalProtocolError(f"a reading has no {', '.join(odd)}; there are value, {', '.join(known)}")
        return msgspec.structs.replace(_reading(value["value"]), **{key: value.get(key) for key in known})
    raise LocalProtocolError(
        f"{type(value).__name__} {str(value)[:60]!r}, where a number or a dict with 'value' is expected"
    )


# --- intervals -------------------------------------------------------------------------------------------------------


def interval_of(
    r_id: str,
    one: Reading,
    begin: datetime | None,
    duration: Duration | None = None,
    placeholder: float | ResourceStatus = 0.0,
) -> Interval:
    """Make the interval of one reading.

    Each data point has an interval of its own. One interval may hold the values of several, but not every peer can read
    that: OpenLEADR's VTN fails at it.

    :param r_id: the data point.
    :param one: what it showed.
    :param begin: when, where the reading does not say.
    :param duration: how long, where the reading does not say; None for a value that holds at an instant.
    :param placeholder: what is sent where there is no value (rule 318).
    """
    begin = begin if one.time is None else whole_seconds(one.time)
    duration = duration if one.duration is None else one.duration
    if isinstance(one.value, GreenButtonPayload):
        return Interval(dtstart=begin, payloads=(one.value,))
    return Interval(dtstart=begin, duration=duration, payloads=(_payload(r_id, one, placeholder),))


def _payload(r_id: str, one: Reading, placeholder: float | ResourceStatus) -> ReportPayload:
    assert not isinstance(one.value, GreenButtonPayload)
    if one.value is None:
        return ReportPayload(r_id=r_id, value=placeholder, data_quality=one.data_quality or DataQuality.BAD.value)
    return ReportPayload(
        r_id=r_id,
        value=one.value,
        data_quality=one.data_quality,
        confidence=one.confidence,
        accuracy=one.accuracy,
    )


def ordered(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Put the intervals of a report in order, from old to new, each instant of a data point once (rule 314).

    Where all of them say how long they are or none does, that is so already; else none may (rule 315).
    """
    found = {(one.dtstart, _r_id(one)): one for one in intervals}
    chosen = sorted(found.values(), key=_begin)
    if any(one.duration is None for one in chosen):
        chosen = [msgspec.structs.replace(one, duration=None) for one in chosen]
    return tuple(chosen)


def in_parts(intervals: Sequence[Interval], most: int) -> Iterator[tuple[Interval, ...]]:
    """Divide the intervals of a report that is too long for one message; what begins together stays together.

    :param intervals: the intervals from old to new.
    :param most: how many a part has at most, but for those that begin with its last.
    """
    begin = 0
    for place in range(1, len(intervals)):
        if place - begin >= most and intervals[place].dtstart != intervals[place - 1].dtstart:
            yield tuple(intervals[begin:place])
            begin = place
    yield tuple(intervals[begin:])


def _begin(interval: Interval) -> datetime:
    assert interval.dtstart is not None
    return interval.dtstart


def _r_id(interval: Interval) -> str:
    (payload,) = interval.payloads
    return payload.r_id if isinstance(payload, ReportPayload) else ""


def newest(taken: Sequence[Reading]) -> Reading:
    """The last of several readings."""
    if not taken:
        return Reading(value=None)
    return max(taken, key=lambda one: one.time.timestamp() if one.time is not None else float("inf"))


class Changes:
    """Keeps of the readings of a report that is made on change those that show one (rule 317)."""

    def __init__(self) -> None:
        self._last: dict[str, Reading] = {}

    def of(self, r_id: str, taken: Sequence[tuple[datetime, Reading]]) -> list[tuple[datetime, Reading]]:
        """Choose the readings of a data point that are told.

        :param r_id: the data point.
        :param taken: its readings, each with when it was due, in order.
        :returns: those that differ from what was told before; where none does, the last, marked as not new.
        """
        found = []
        for due, one in taken:
            last = self._last.get(r_id)
            if last is None or (last.value, last.data_quality) != (one.value, one.data_quality):
                found.append((due, one))
                self._last[r_id] = one
        if not found and taken:
            due, one = taken[-1]
            quality = DataQuality.NO_NEW_VALUE.value if one.value is not None else one.data_quality
            found.append((due, msgspec.structs.replace(one, data_quality=quality)))
        return found

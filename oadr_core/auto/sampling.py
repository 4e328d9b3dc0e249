"""When to read what, for a report that was asked for: exact periods on the wall clock (rules 317, 324, 325 and 341)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core.errors import LocalProtocolError
from oadr_core.messages import (
    DataQuality,
    Interval,
    ReportPayload,
    ResourceStatus,
    add_duration,
    as_timedelta,
    is_zero,
)
from oadr_core.rules import refuse
from oadr_core.state.ven import AcceptedRequest
from oadr_core.wire.plain import part_from_dict

_LATE: Final = timedelta(seconds=5)
"""How late a reading may be taken and still count for its boundary: a request takes time to arrive."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """The readings of a report request: number ``n`` is due at ``start + n * spacing``.

    :param report_request_id: the request.
    :param report_specifier_id: the offer.
    :param r_ids: the data points.
    :param start: when reading 0 is due.
    :param spacing: the time between readings; zero for a single one.
    :param together: how many readings make a report.
    :param end: when it is over; None for never.
    :param first: the number of the first reading that is still to be taken.
    """

    report_request_id: str
    report_specifier_id: str
    r_ids: tuple[str, ...]
    start: datetime
    spacing: timedelta
    together: int
    end: datetime | None
    first: int

    @property
    def once(self) -> bool:
        """Whether there is a single reading."""
        return not self.spacing

    def due(self, number: int) -> datetime:
        """When a reading is due."""
        return self.start + number * self.spacing

    def is_over(self, number: int) -> bool:
        """Whether a reading is beyond the end."""
        return number > 0 if self.once else self.end is not None and self.due(number) >= self.end

    def after(self, number: int, now: datetime) -> int:
        """Number the reading that follows one, passing over those that were missed."""
        if self.once:
            return number + 1
        return max(number + 1, _boundary(self.start, self.spacing, now))

    def present(self, number: int, now: datetime) -> int:
        """Number the reading that can be taken now, where one was due: that of the latest boundary.

        They differ where nobody was awake at the time, as when the machine was suspended or its clock was set.
        """
        return number if self.once else max(number, (now - self.start) // self.spacing)

    def report_of(self, number: int) -> int:
        """Number the report that a reading belongs to."""
        return number // self.together


def schedule(accepted: AcceptedRequest, resumed_at: datetime | None = None) -> Schedule:
    """Work out when the readings of a request are due.

    A request whose report period is as long as its spacing is answered at once and then every period; one with more
    readings in a report waits for them (section 8.3.2.2 of the profile).

    :param accepted: the request.
    :param resumed_at: the present, where the request was served before: no instant is read twice.
    """
    specifier = accepted.request.report_specifier
    since = accepted.accepted_at if resumed_at is None else max(resumed_at, accepted.accepted_at)
    start, end = since, None
    if specifier.report_interval is not None:
        start = specifier.report_interval.dtstart
        if not is_zero(specifier.report_interval.duration):
            end = add_duration(start, specifier.report_interval.duration)
    back = as_timedelta(specifier.report_back_duration, start)
    spacing = timedelta(0) if not back else as_timedelta(specifier.granularity, start) or back
    together = round(back / spacing) if spacing else 1
    first = 0
    if spacing:
        late = min(_LATE, spacing / 2) if resumed_at is None else -timedelta.resolution
        first = max(0, _boundary(start, spacing, since - late))
    elif start < since:
        start = since
    return Schedule(
        report_request_id=accepted.request.report_request_id,
        report_specifier_id=specifier.report_specifier_id,
        r_ids=tuple(payload.r_id for payload in specifier.specifier_payloads),
        start=start,
        spacing=spacing,
        together=max(together, 1),
        end=end,
        first=first,
    )


def _boundary(start: datetime, spacing: timedelta, now: datetime) -> int:
    """Number the first boundary that does not lie before ``now``."""
    return -((start - now) // spacing)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a data point showed.

    :param value: a number, or the status of a resource; None where there is none, which is sent as a placeholder of bad
        quality (rule 318).
    :param data_quality: one of :class:`~oadr_core.messages.enums.DataQuality`, or an ``x-`` text.
    :param confidence: from 0 to 100.
    :param accuracy: in the unit of the value.
    """

    value: float | ResourceStatus | None
    data_quality: str | None = None
    confidence: int | None = None
    accuracy: float | None = None


def reading(value: object) -> Reading:
    """Read what the callback of a data point returned.

    :param value: a number; None where there is no value; a :class:`Reading`; a
        :class:`~oadr_core.messages.common.ResourceStatus`; or a dict with ``value`` and if wanted ``data_quality``,
        ``confidence`` and ``accuracy``, or with ``online`` and ``manual_override`` for a status.
    :raises LocalProtocolError: it is none of these, or cannot be sent, such as a number that is not finite.
    """
    taken = _reading(value)
    refuse(_payload("", taken))
    return taken


def _reading(value: object) -> Reading:
    if isinstance(value, Reading):
        return value
    if value is None or isinstance(value, ResourceStatus):
        return Reading(value=value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Reading(value=float(value))
    if isinstance(value, Mapping) and "online" in value:
        return Reading(value=part_from_dict(ResourceStatus, value))
    if isinstance(value, Mapping) and "value" in value:
        rest = {key: value.get(key) for key in ("data_quality", "confidence", "accuracy")}
        return msgspec.structs.replace(_reading(value["value"]), **rest)
    raise LocalProtocolError(
        f"{type(value).__name__} {str(value)[:60]!r}, where a number or a dict with 'value' is expected"
    )


def intervals_of(due: datetime, readings: Mapping[str, Reading]) -> tuple[Interval, ...]:
    """Make the intervals of a report from the readings that were due at one time.

    Each data point has an interval of its own. One interval may hold the values of several, but not every VTN can read
    that: OpenLEADR's fails at it.
    """
    return tuple(Interval(dtstart=due, payloads=(_payload(r_id, one),)) for r_id, one in readings.items())


def _payload(r_id: str, one: Reading) -> ReportPayload:
    if one.value is None:
        return ReportPayload(r_id=r_id, value=0.0, data_quality=one.data_quality or DataQuality.BAD.value)
    return ReportPayload(
        r_id=r_id,
        value=one.value,
        data_quality=one.data_quality,
        confidence=one.confidence,
        accuracy=one.accuracy,
    )

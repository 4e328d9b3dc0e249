"""Which reports an application wants of a VEN, in the forms that its handler may say it, and what comes of them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from oadr_core.clock import whole_seconds
from oadr_core.errors import LocalProtocolError
from oadr_core.handlers import Handler
from oadr_core.messages import (
    DataQuality,
    Report,
    ReportDescription,
    ReportInterval,
    ReportPayload,
    ReportRequest,
    ReportSpecifier,
    SpecifierPayload,
    add_duration,
)
from oadr_core.offers import data_name

ReportCallback = Handler
"""Takes the values of a data point as a list of (time, value) pairs."""


class ReportWish(msgspec.Struct, frozen=True, kw_only=True):
    """A data point that the application wants.

    :param r_id: the data point.
    :param sampling: the spacing of its values.
    :param reporting: how often they are reported; as often as they are sampled if None.
    :param callback: takes them; None leaves them to ``on_update_report``.
    """

    r_id: str
    sampling: timedelta
    reporting: timedelta | None = None
    callback: ReportCallback | None = None


def report_wish(value: object, r_id: str) -> ReportWish:
    """Read what the compact ``on_register_report`` returned for a data point.

    :param value: a :class:`ReportWish`, ``(callback, sampling)`` or ``(callback, sampling, reporting)``.
    :param r_id: the data point.
    :raises LocalProtocolError: it is none of these.
    """
    if isinstance(value, ReportWish):
        return value
    if isinstance(value, tuple | list) and len(value) in (2, 3):
        callback, sampling, *rest = value
        reporting = rest[0] if rest else None
        lengths_fit = isinstance(sampling, timedelta) and (reporting is None or isinstance(reporting, timedelta))
        if lengths_fit and (callback is None or callable(callback)):
            return ReportWish(r_id=r_id, sampling=sampling, reporting=reporting, callback=callback)
    raise LocalProtocolError(
        f"on_register_report returned {str(value)[:80]!r} for {r_id}, where None, (callback, sampling) or "
        "(callback, sampling, reporting) is expected, with timedeltas"
    )


def report_wishes(value: object) -> list[ReportWish]:
    """Read what the full ``on_register_report`` returned for a report.

    :param value: a sequence of None, :class:`ReportWish`, ``(r_id, callback, sampling)`` or
        ``(r_id, callback, sampling, reporting)``.
    :raises LocalProtocolError: it is something else.
    """
    if not isinstance(value, tuple | list):
        raise LocalProtocolError(f"on_register_report returned {str(value)[:80]!r}, where a list is expected")
    wishes = []
    for one in value:
        if isinstance(one, ReportWish):
            wishes.append(one)
        elif isinstance(one, tuple | list) and len(one) in (3, 4) and isinstance(one[0], str):
            wishes.append(report_wish(tuple(one[1:]), one[0]))
        elif one is not None:
            raise LocalProtocolError(
                f"on_register_report returned {str(one)[:80]!r} in its list, where (r_id, callback, sampling) or "
                "(r_id, callback, sampling, reporting) is expected"
            )
    return wishes


def request_of(request_id: str, offer: Report, wishes: Sequence[ReportWish], now: datetime) -> ReportRequest:
    """Make a request of wishes with the same rhythm.

    :param request_id: its reportRequestID.
    :param offer: the offer that it is about.
    :param wishes: the data points.
    :param now: the present; the report begins then, and does not end.
    """
    sampling, reporting = wishes[0].sampling, wishes[0].reporting
    return ReportRequest(
        report_request_id=request_id,
        report_specifier=ReportSpecifier(
            report_specifier_id=offer.report_specifier_id,
            granularity=sampling,
            report_back_duration=sampling if reporting is None else reporting,
            report_interval=ReportInterval(dtstart=whole_seconds(now), duration=timedelta(0)),
            specifier_payloads=tuple(SpecifierPayload(r_id=one.r_id) for one in wishes),
        ),
    )


def told_of(ven_id: str, offer: Report, one: ReportDescription) -> dict[str, object]:
    """What the compact ``on_register_report`` may ask for about a data point."""
    source, rate = one.report_data_source, one.sampling_rate
    resources = () if source is None else source.resource_id
    measured = one.measurement
    return {
        "ven_id": ven_id,
        "resource_id": resources[0] if resources else None,
        "measurement": getattr(measured, "description", None),
        "unit": getattr(measured, "unit", None),
        "scale": str(getattr(measured, "scale", None) or "none"),
        "min_sampling_interval": None if rate is None else rate.min_period,
        "max_sampling_interval": None if rate is None else rate.max_period,
        "report_specifier_id": offer.report_specifier_id,
        "report_name": data_name(offer.report_name),
        "r_id": one.r_id,
    }


class ReportedValue(msgspec.Struct, frozen=True):
    """A value out of a report.

    :param r_id: the data point.
    :param time: when it held, or its interval began.
    :param value: the value; None where its quality is bad, and it must not be used (rule 318).
    :param quality: what the VEN says of its quality, if anything.
    :param confidence: from 0 to 100, if it was given.
    :param accuracy: in the unit of the value, if it was given.
    """

    r_id: str
    time: datetime
    value: Any
    quality: str | None
    confidence: int | None = None
    accuracy: float | None = None


def reported_values(report: Report) -> Iterator[ReportedValue]:
    """The values of a report, one by one; those that nothing says the time of are left out."""
    begin = report.dtstart
    for interval in report.intervals:
        begin = interval.dtstart or begin
        if begin is None:
            continue
        for payload in interval.payloads:
            if isinstance(payload, ReportPayload):
                quality = payload.data_quality
                value = None if _is_bad(quality) else payload.value
                yield ReportedValue(payload.r_id, begin, value, quality, payload.confidence, payload.accuracy)
        if interval.dtstart is None and interval.duration is not None:
            begin = add_duration(begin, interval.duration)


def values_of(report: Report) -> Mapping[str, list[tuple[datetime, Any]]]:
    """The values of a report by data point, as (time, value) pairs; values of bad quality are left out (rule 318)."""
    found: dict[str, list[tuple[datetime, Any]]] = {}
    for one in reported_values(report):
        if one.value is not None:
            found.setdefault(one.r_id, []).append((one.time, one.value))
    return found


def _is_bad(quality: str | None) -> bool:
    return quality is not None and (quality == DataQuality.NO_VALUE or quality.startswith("Quality Bad"))

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
    Duration,
    GreenButtonPayload,
    Report,
    ReportDescription,
    ReportInterval,
    ReportPayload,
    ReportRequest,
    ReportSpecifier,
    SpecifierPayload,
    add_duration,
    subtract_duration,
)
from oadr_core.rules.offered import data_name, is_history

ReportCallback = Handler
"""Takes the values of a data point as ``data``, a list of (time, value) pairs.

It may ask for more than these by name: ``values``, the same as :class:`ReportedValue` with those of bad quality,
``report``, the whole of it, ``ven_id``, ``report_specifier_id``, ``report_request_id`` and ``r_id``.
"""


class ReportWish(msgspec.Struct, frozen=True, kw_only=True):
    """A data point that the application wants.

    :param r_id: the data point.
    :param sampling: the spacing of its values; zero wants changes, and those of history as they were recorded.
    :param reporting: how often they are reported; as often as they are sampled if None.
    :param callback: takes them, see :data:`ReportCallback`; None leaves them to ``on_update_report``.
    :param once: whether it is wanted once, and at once (rule 324).
    :param begin: from when on; now if None, and for history as far back as there is any.
    :param length: how long; zero means for ever, and for history up to its end.
    """

    r_id: str
    sampling: timedelta = timedelta(0)
    reporting: timedelta | None = None
    callback: ReportCallback | None = None
    once: bool = False
    begin: datetime | None = None
    length: timedelta = timedelta(0)

    @property
    def rhythm(self) -> tuple[object, ...]:
        """What data points have in common that one request asks for."""
        return self.sampling, self.reporting, self.once, self.begin, self.length


class ReportRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which reports are asked for by themselves, whenever they are offered.

    :param names: the reports, without ``METADATA_``; any if None, here and in what follows.
    :param types: the report types of data points.
    :param resources: the resources that data points are read from.
    :param r_ids: the data points.
    :param sampling: the spacing of values; as short as is offered if None.
    :param shortest_sampling: the spacing at least, where ``sampling`` is None.
    :param reporting: how often they are reported; with every value if None.
    :param on_change: whether only changes are wanted, where that is offered.
    :param once: whether one value is wanted, once.
    :param callback: takes the values; None leaves them to ``on_update_report``.
    """

    names: tuple[str, ...] | None = ("TELEMETRY_USAGE",)
    types: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    r_ids: tuple[str, ...] | None = None
    sampling: timedelta | None = None
    shortest_sampling: timedelta = timedelta(seconds=10)
    reporting: timedelta | None = None
    on_change: bool = False
    once: bool = False
    callback: ReportCallback | None = None

    def fits(self, offer: Report, one: ReportDescription) -> bool:
        """Whether a data point is one that the rule wants."""
        source = one.report_data_source
        resources = () if source is None else source.resource_id
        return (
            (self.names is None or data_name(offer.report_name) in self.names)
            and (self.types is None or one.report_type in self.types)
            and (self.r_ids is None or one.r_id in self.r_ids)
            and (self.resources is None or bool(set(self.resources) & set(resources)))
        )

    def wish(self, one: ReportDescription) -> ReportWish | None:
        """What the rule asks of a data point that it fits; None where that is not to be had."""
        rate, sampling, reporting = one.sampling_rate, self.sampling, self.reporting
        if self.once or rate is None:
            return ReportWish(r_id=one.r_id, once=True, callback=self.callback)
        periods = rate.min_period, rate.max_period
        if not all(isinstance(one, timedelta) and one >= timedelta(0) for one in periods):
            return None
        assert isinstance(rate.min_period, timedelta)
        assert isinstance(rate.max_period, timedelta)
        if sampling is None:
            sampling = min(max(rate.min_period, self.shortest_sampling), rate.max_period or rate.min_period)
        if reporting is not None:  # no report comes more often than the values in it (rule 317)
            reporting = max(reporting, sampling)
        if self.on_change and rate.on_change:
            reporting = max(reporting or sampling, rate.min_period)
            sampling = timedelta(0)
        return ReportWish(r_id=one.r_id, sampling=sampling, reporting=reporting, callback=self.callback)


def wishes_of(rules: Sequence[ReportRule], offer: Report) -> list[ReportWish]:
    """What some rules ask of an offer; of several that fit a data point the first counts."""
    found = []
    for one in offer.report_descriptions:
        rule = next((rule for rule in rules if rule.fits(offer, one)), None)
        wish = None if rule is None else rule.wish(one)
        if wish is not None:
            found.append(wish)
    return found


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
    :param now: the present, when it begins if they do not say.
    """
    wish, zero = wishes[0], timedelta(0)
    sampling = wish.sampling
    reporting = sampling if wish.reporting is None else wish.reporting
    begin: datetime | None = wish.begin or now
    if is_history(offer):
        sampling = reporting = zero
        if wish.begin is None:
            begin = now if offer.duration is None else subtract_duration(now, offer.duration)
    elif wish.once:
        sampling = reporting = zero
        begin = wish.begin
    return ReportRequest(
        report_request_id=request_id,
        report_specifier=ReportSpecifier(
            report_specifier_id=offer.report_specifier_id,
            granularity=sampling,
            report_back_duration=reporting,
            report_interval=None
            if begin is None
            else ReportInterval(dtstart=whole_seconds(begin), duration=wish.length),
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
    :param quality: what the source says of its quality, if anything.
    :param confidence: from 0 to 100, if it was given.
    :param accuracy: in the unit of the value, if it was given.
    :param duration: how long its interval is; None where it holds at an instant.
    """

    r_id: str
    time: datetime
    value: Any
    quality: str | None = None
    confidence: int | None = None
    accuracy: float | None = None
    duration: Duration | None = None


def reported_values(report: Report) -> Iterator[ReportedValue]:
    """The values of a report, one by one; those that nothing says the time of are left out.

    Green Button data have no rID of their own; their value is the feed as a text.
    """
    begin = report.dtstart
    for interval in report.intervals:
        begin = interval.dtstart or begin
        if begin is None:
            continue
        for payload in interval.payloads:
            if isinstance(payload, ReportPayload):
                quality = payload.data_quality
                value = None if _is_bad(quality) else payload.value
                details = payload.confidence, payload.accuracy, interval.duration
                yield ReportedValue(payload.r_id, begin, value, quality, *details)
            elif isinstance(payload, GreenButtonPayload):
                yield ReportedValue("", begin, payload.feed, None, duration=interval.duration)
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

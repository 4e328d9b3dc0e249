"""Filing what VENs report: each value with what its offer says of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from oadr_app.feeds import StoredFeed
from oadr_app.readings import Series, StoredReading
from oadr_core import (
    GreenButtonPayload,
    Measurement,
    Report,
    ReportDescription,
    ReportedValue,
    ResourceStatus,
    Target,
    VenRecord,
    data_name,
    part_to_dict,
    reported_values,
)

_MOST_KNOWN: Final = 16_384
"""How many reports are remembered with what their offers say, so that those need not be unpacked again."""


class _Known(NamedTuple):
    """What the offer of a report says, while it is the same offer of the same VEN.

    :param offers: the offers of the VEN as they are packed.
    :param ven_name: its name.
    :param series: the series by data point.
    """

    offers: bytes
    ven_name: str
    series: dict[str, Series]


class Filing:
    """Puts what was reported where it belongs.

    :param vens: the registered VENs by their ids.
    """

    def __init__(self, vens: Mapping[str, VenRecord]) -> None:
        self._vens = vens
        self._known: dict[tuple[str, str], _Known] = {}

    def readings(self, report: Report, ven_id: str) -> Mapping[Series, list[StoredReading]]:
        """Sort the values of a report by series.

        :param report: the report.
        :param ven_id: the VEN that it comes from.
        """
        known = self._offered(report, ven_id)
        found: dict[str, list[StoredReading]] = {}
        for one in reported_values(report):
            found.setdefault(one.r_id, []).append(_stored(one))
        unknown = Series(ven_id, report.report_specifier_id, "", known.ven_name, report.report_name)
        return {
            known.series.get(r_id) or msgspec.structs.replace(unknown, r_id=r_id): readings
            for r_id, readings in found.items()
        }

    def feeds(self, report: Report, ven_id: str, now: datetime) -> list[StoredFeed]:
        """Take the Green Button data out of a report.

        :param report: the report.
        :param ven_id: the VEN that it comes from.
        :param now: the present, when it has come.
        """
        found: list[StoredFeed] = []
        for interval in report.intervals:
            time = interval.dtstart or report.dtstart or report.created_date_time
            for payload in interval.payloads:
                if isinstance(payload, GreenButtonPayload):
                    place = sum(one.time == time for one in found)
                    found.append(StoredFeed(ven_id, report.report_specifier_id, time, place, now, payload.feed))
        return found

    def _offered(self, report: Report, ven_id: str) -> _Known:
        """What the offer says of the data points; nothing where it is gone."""
        record = self._vens.get(ven_id)
        if record is None:
            return _Known(b"", "", {})
        key = (ven_id, report.report_specifier_id)
        known = self._known.get(key)
        if known is None or known.offers is not record.offers or known.ven_name != record.ven_name:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[key] = _Known(record.offers, record.ven_name, _series(record, *key))
        return known


def _series(record: VenRecord, ven_id: str, specifier_id: str) -> dict[str, Series]:
    """Describe the data points of an offer."""
    return {
        one.r_id: series_of(one, offer.report_name, Series(ven_id, specifier_id, one.r_id, record.ven_name))
        for offer in record.offered()
        if offer.report_specifier_id == specifier_id
        for one in offer.report_descriptions
    }


def series_of(point: ReportDescription, report_name: str | None, bare: Series) -> Series:
    """Describe a series by the offer of its data point.

    :param point: the data point.
    :param report_name: the name of the report in its offer.
    :param bare: the ids.
    """
    measured = point.measurement
    described = msgspec.structs.replace(
        bare,
        report_name=data_name(report_name),
        report_type=str(point.report_type),
        reading_type=str(point.reading_type),
        resource=resource_of(point.report_data_source),
    )
    if not isinstance(measured, Measurement):
        return described
    return msgspec.structs.replace(
        described,
        quantity=measured.description if measured.name == "customUnit" else measured.name,
        unit=measured.unit,
        scale=None if measured.scale is None else str(measured.scale),
        pulse_factor=measured.pulse_factor,
    )


def resource_of(source: Target | None) -> str | None:
    """Name what a data point is read from: its resources, or what else the offer names."""
    if source is None:
        return None
    if source.resource_id:
        return ", ".join(source.resource_id)
    return ", ".join(f"{kind}={value}" for kind, value in part_to_dict(source).items() if value) or None


def _stored(one: ReportedValue) -> StoredReading:
    """Make of a value what is stored of it."""
    if isinstance(one.value, ResourceStatus):
        status = msgspec.json.encode(part_to_dict(one.value)).decode()
        return StoredReading(one.time, None, one.quality, one.confidence, one.accuracy, status)
    return StoredReading(one.time, one.value, one.quality, one.confidence, one.accuracy)

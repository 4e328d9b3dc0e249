"""Offering reports one data point at a time, as an application does it: at a VEN, and at a VTN."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol

from oadr_core import DataPoint, LocalProtocolError, Now, Report, data_point, make_offer, new_id


class Offers(Protocol):
    """A core that offers reports."""

    def offer(self, report: Report, points: Mapping[str, DataPoint], now: Now | None = None) -> None:
        """Offer a report."""
        ...

    def submit(
        self, report_specifier_id: str, r_id: str, value: object, now: Now, time: datetime | None = None
    ) -> None:
        """Hand over a value of a data point."""
        ...


class Offering:
    """The reports that an application offers, which grow by one data point at a time.

    :param core: is told of them.
    :param entropy: the source of ids.
    """

    def __init__(self, core: Offers, entropy: Random) -> None:
        self._core = core
        self._entropy = entropy
        self._points: dict[str, tuple[str, timedelta | None, list[DataPoint]]] = {}

    def add(
        self,
        callback: Callable[..., object] | None,
        now: Now,
        *,
        report_specifier_id: str | None,
        r_id: str | None,
        report_name: str,
        report_duration: timedelta | None,
        **details: Any,
    ) -> tuple[str, str]:
        """Offer a data point, with those of the same report, making up the ids that are not given.

        :returns: the ids of its report and of the data point.
        :raises LocalProtocolError: something cannot be meant so, the offer breaks a rule, or the report has another
            name; the text says what.
        """
        specifier_id = report_specifier_id or new_id(self._entropy)
        point = data_point(callback, r_id=r_id or new_id(self._entropy), report_name=report_name, **details)
        known_name, kept, points = self._points.get(specifier_id, (report_name, report_duration, []))
        if known_name != report_name:
            raise LocalProtocolError(f"the report {specifier_id!r} is {known_name}, not {report_name}")
        points = [*points, point]
        made = make_offer(specifier_id, points, now.utc, report_name=report_name, report_duration=kept)
        self._core.offer(made, {one.description.r_id: one for one in points}, now)
        self._points[specifier_id] = (report_name, kept, points)
        return specifier_id, point.description.r_id

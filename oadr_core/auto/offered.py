"""What is offered: the data points of each report, where their values come from, and which values belong into it."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

import msgspec

from oadr_core.auto.readings import Reading
from oadr_core.auto.serving import Offer
from oadr_core.auto.submitted import Point
from oadr_core.build import Collection, DataPoint
from oadr_core.clock import Now, whole_seconds
from oadr_core.errors import LocalProtocolError
from oadr_core.handlers import Handler, by_name
from oadr_core.messages import GreenButtonPayload, RegisterReport, Report, ReportName, ResourceStatus
from oadr_core.rules import refuse
from oadr_core.rules.offered import data_name, is_history
from oadr_core.rules.reports import Kind, kind_of

_NAMES: Final[Mapping[type, str]] = {
    float: "a number",
    ResourceStatus: "the status of a resource",
    GreenButtonPayload: "Green Button data",
}

_VALUES: Final[Mapping[str, tuple[type, ...]]] = {
    ReportName.TELEMETRY_STATUS: (ResourceStatus,),
    ReportName.HISTORY_GREENBUTTON: (GreenButtonPayload,),
    ReportName.TELEMETRY_USAGE: (float,),
    ReportName.HISTORY_USAGE: (float,),
}
"""What the values of the reports of the profile are (rule 331)."""

_ANY: Final = (float, ResourceStatus)
"""What the values of reports of one's own may be."""


class Offered:
    """The reports that are offered at present."""

    def __init__(self) -> None:
        self._offers: dict[str, Offer] = {}
        self._statuses: dict[Point, ResourceStatus] = {}  # the last that each data point showed

    def __iter__(self) -> Iterator[str]:
        """The reportSpecifierIDs."""
        return iter(self._offers)

    def get(self, specifier_id: str) -> Offer | None:
        """Find an offer."""
        return self._offers.get(specifier_id)

    def put(self, report: Report, points: Mapping[str, Handler | DataPoint]) -> None:
        """Offer a report; see :meth:`oadr_core.auto.ven.AutoVen.offer`."""
        refuse(RegisterReport(request_id="0", reports=(report,)))
        missing = {one.r_id for one in report.report_descriptions} - set(points)
        if missing:
            raise LocalProtocolError(f"the data points {', '.join(sorted(missing))} have no callback")
        described = {one.r_id: one for one in report.report_descriptions}
        found = {}
        for r_id, given in points.items():
            if not isinstance(given, DataPoint):
                mode = Collection.FULL if is_history(report) else Collection.INCREMENTAL
                given = DataPoint(described[r_id], given, mode, kind_of(described[r_id]) is Kind.INTERVAL)
            callback = None if given.callback is None else by_name(given.callback)
            found[r_id] = msgspec.structs.replace(given, callback=callback)
        self._offers[report.report_specifier_id] = Offer(report, found)

    def metadata(self, now: Now) -> tuple[Report, ...]:
        """All offers, as they are registered."""
        made = whole_seconds(now.utc)
        return tuple(msgspec.structs.replace(one.report, created_date_time=made) for one in self._offers.values())

    # --- data points -------------------------------------------------------------------------------------------------

    def submitted(self, specifier_id: str, r_id: str) -> Offer:
        """Find the offer of a data point whose values are submitted.

        :raises LocalProtocolError: there is no such data point, or its values are not submitted.
        """
        offer = self._offers.get(specifier_id)
        point = None if offer is None else offer.points.get(r_id)
        if offer is None or point is None:
            raise LocalProtocolError(f"no report {specifier_id!r} with a data point {r_id!r} is offered")
        if point.collection is not Collection.SUBMIT:
            raise LocalProtocolError(
                f"the values of {r_id!r} are not submitted; offer it with data_collection_mode='submit'"
            )
        return offer

    def kept_submissions(self) -> dict[Point, timedelta]:
        """How much is kept of each data point whose values are submitted."""
        return {
            (specifier_id, r_id): offer.kept
            for specifier_id, offer in self._offers.items()
            for r_id, point in offer.points.items()
            if point.collection is Collection.SUBMIT
        }

    # --- values ------------------------------------------------------------------------------------------------------

    def fit(self, offer: Offer, r_id: str, one: Reading) -> Reading:
        """Take a value of a data point.

        :raises LocalProtocolError: it does not belong into its report (rule 331).
        """
        name, value = data_name(offer.report.report_name), one.value
        expected = _VALUES.get(name or "", _ANY)
        if value is not None and not isinstance(value, expected):
            wanted = " or ".join(_NAMES[one] for one in expected)
            raise LocalProtocolError(f"{str(value)[:60]!r} for {r_id}, where {wanted} is expected in {name} (rule 331)")
        if isinstance(value, ResourceStatus):
            self._statuses[(offer.report.report_specifier_id, r_id)] = value
        return one

    def placeholder(self, offer: Offer, r_id: str) -> float | ResourceStatus:
        """What stands where there is no value (rule 318)."""
        if data_name(offer.report.report_name) != ReportName.TELEMETRY_STATUS:
            return 0.0
        none = ResourceStatus(online=False, manual_override=False)
        return self._statuses.get((offer.report.report_specifier_id, r_id), none)

"""A delivery is looked at once, and once more only where something has changed that it was judged by."""

import msgspec

from oadr_core import Interval, Report, ReportPayload, ReportRequest, UpdateReport
from oadr_core.reports import Requester
from oadr_core.state.reports import ReportsBlob, RequestedReport, pack_offers
from tests.core.kit import NOON, offer, request

DELIVERY = UpdateReport(
    request_id="1",
    reports=(
        Report(
            dtstart=NOON,
            intervals=(Interval(dtstart=NOON, payloads=(ReportPayload(r_id="load", value=1.0),)),),
            report_request_id="request",
            report_specifier_id="usage",
            report_name="TELEMETRY_USAGE",
            created_date_time=NOON,
        ),
    ),
)


class Remembered(ReportsBlob, frozen=True, kw_only=True):
    """What a VTN remembers of the reports of a VEN."""


def asked_for(*requests: ReportRequest, offered: Report | None = None) -> Remembered:
    return Remembered(
        offers=pack_offers((offered or offer(),)),
        requests=tuple(RequestedReport(request=each) for each in requests),
    )


def test_what_was_found_when_a_report_came_holds_while_it_is_asked_for_by_the_same_request() -> None:
    before = Requester(asked_for(request())).examine(DELIVERY)
    assert before.taken == DELIVERY.reports
    later = Requester(asked_for(request("another"), request()))
    assert later.examine(DELIVERY, before) is before


def test_a_report_whose_request_is_no_more_is_looked_at_again() -> None:
    before = Requester(asked_for(request())).examine(DELIVERY)
    examined = Requester(asked_for()).examine(DELIVERY, before)
    assert examined.taken == ()
    assert examined.response.response_code == 452


def test_a_report_that_is_asked_for_in_another_way_is_looked_at_again() -> None:
    before = Requester(asked_for(request())).examine(DELIVERY)
    examined = Requester(asked_for(request(r_ids=("load", "temperature")))).examine(DELIVERY, before)
    assert examined.taken == ()


def test_a_report_is_looked_at_again_where_something_else_is_offered() -> None:
    """A value of a stretch of time says how long that is (rule 342), so an offer can make a report wrong."""
    (point,) = offer().report_descriptions
    mean = msgspec.structs.replace(point, reading_type="Mean")
    of_means = msgspec.structs.replace(offer(), report_descriptions=(mean,))
    before = Requester(asked_for(request())).examine(DELIVERY)
    examined = Requester(asked_for(request(), offered=of_means)).examine(DELIVERY, before)
    assert examined.taken == ()
    assert examined.response.response_code == 454

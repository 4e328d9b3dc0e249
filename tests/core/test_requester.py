"""A delivery is looked at once, and once more only where something has changed that it was judged by."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
import pytest

from oadr_core import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    EiResponse,
    EndReports,
    Interval,
    RegisterReport,
    Report,
    ReportPayload,
    ReportRequest,
    UpdateReport,
)
from oadr_core.machines.report import ReportAtRequester
from oadr_core.reports import Requester
from oadr_core.state.reports import ReportsBlob, RequestedReport, pack_offers
from tests.core.kit import HOUR, MINUTE, NOON, offer, request

SECOND: Final = timedelta(seconds=1)

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


# --- what ends without the source having said so ---------------------------------------------------------------------


def register(made: str = "1") -> RegisterReport:
    """New metadata, which offer what was offered before."""
    return RegisterReport(request_id=made, reports=(offer(),))


def remembered(requester: Requester, record: Remembered) -> Remembered:
    return msgspec.structs.replace(record, **requester.changes())


def confirmed(*requests: ReportRequest) -> Remembered:
    record = asked_for(*requests)
    running = tuple(msgspec.structs.replace(one, state=ReportAtRequester.RUNNING) for one in record.requests)
    return msgspec.structs.replace(record, requests=running)


def late(made: datetime) -> UpdateReport:
    report = msgspec.structs.replace(DELIVERY.reports[0], created_date_time=made)
    return UpdateReport(request_id="late", reports=(report,))


@pytest.mark.rule(306, 329, 335)
def test_what_new_metadata_have_ended_is_cancelled_where_the_source_goes_on_with_it() -> None:
    requester = Requester(confirmed(request()))
    assert requester.take_offers(register(), (), NOON) == {"request"}
    assert requester.overdue(late(NOON + SECOND)) == (), "it was under way"
    assert requester.overdue(late(NOON + MINUTE * 2)) == ("request",)
    answer = CreatedReport(response=EiResponse(), pending_reports=("another", "request"))
    assert requester.going_on(answer) == ("request",)


@pytest.mark.rule(306)
def test_what_was_asked_for_after_new_metadata_had_come_is_not_ended_by_them() -> None:
    requester = Requester(confirmed(request("before"), request("since")))
    assert requester.take_offers(register(), (), NOON, standing={"before"}) == {"before"}
    assert [one.request_id for one in requester.requests] == ["since"]


@pytest.mark.rule(345)
def test_the_report_that_follows_a_cancel_is_one_that_comes_once_it_is_confirmed() -> None:
    requester, cancel = (
        Requester(confirmed(request())),
        CancelReport(request_id="1", report_request_id=("request",), report_to_follow=True),
    )
    requester.cancel(cancel)
    requester.take("under way", DELIVERY.reports, NOON)
    assert [one.request_id for one in requester.requests] == ["request"]
    requester.take_canceled(CanceledReport(response=EiResponse(), pending_reports=("request",)), cancel, NOON)
    assert [one.request_id for one in requester.requests] == ["request"]
    requester.take("last", DELIVERY.reports, NOON)
    assert requester.requests == ()


@pytest.mark.rule(345)
def test_a_report_that_overtook_the_answer_to_a_cancel_may_have_been_the_last() -> None:
    requester, cancel = (
        Requester(confirmed(request())),
        CancelReport(request_id="1", report_request_id=("request",), report_to_follow=True),
    )
    requester.cancel(cancel)
    requester.take("last", DELIVERY.reports, NOON)
    requester.take_canceled(None, cancel, NOON)
    requester.expire(NOON + SECOND * 30)
    assert [one.request_id for one in requester.requests] == ["request"]
    requester.expire(NOON + MINUTE * 2)
    assert requester.requests == ()


@pytest.mark.rule(328, 335)
def test_a_cancel_in_an_answer_is_believed_once_nothing_more_has_come() -> None:
    record = confirmed(request())
    requester = Requester(record)
    assert requester.cancel_in_answer(DELIVERY, EndReports(), "1", "ven", NOON) is not None
    requester.expire(NOON + SECOND * 30)
    assert requester.overdue(DELIVERY) == ("request",)
    requester.expire(NOON + MINUTE * 2)
    assert requester.requests == ()
    record = remembered(requester, record)
    assert Requester(record).overdue(late(NOON + HOUR)) == ("request",), "the answer was lost"


@pytest.mark.rule(345)
def test_what_is_cancelled_with_a_report_to_follow_is_asked_for_all_the_same() -> None:
    create = CreateReport(request_id="1", report_requests=(request(),))
    for follows in (True, False):
        requester = Requester(asked_for(request()))
        requester.cancel(CancelReport(request_id="2", report_request_id=("request",), report_to_follow=follows))
        assert requester.is_answered(create) is not follows


@pytest.mark.rule(328, 335)
def test_what_was_cancelled_in_an_answer_is_not_asked_for_again_with_what_waits_for_its_own() -> None:
    """The answer to the request is late, and so it is sent again; what has ended must not begin anew by that."""
    both = CreateReport(request_id="1", report_requests=(request(), request("other")), ven_id="ven")
    requester = Requester(asked_for(*both.report_requests))
    assert requester.still_asked(both) is both
    assert requester.cancel_in_answer(DELIVERY, EndReports(), "2", "ven", NOON) is not None
    left = requester.still_asked(both)
    assert isinstance(left, CreateReport)
    assert [one.report_request_id for one in left.report_requests] == ["other"]
    follows = Requester(asked_for(*both.report_requests))
    follows.cancel_in_answer(DELIVERY, EndReports(report_to_follow=True), "2", "ven", NOON)
    assert follows.still_asked(both) is both, "one more report is wanted, for which it has to be asked first (rule 345)"

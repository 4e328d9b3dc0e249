"""Whether a report that comes is the one that was asked for, and can be read (rules 300, 304, 314, 315 and 342)."""

from datetime import datetime, timedelta
from typing import Final

from oadr_core.codes import ResponseCode
from oadr_core.errors import RemoteProtocolError
from oadr_core.messages import (
    GreenButtonPayload,
    Report,
    ReportPayload,
    ReportRequest,
    UpdateReport,
    add_duration,
)
from oadr_core.rules import check
from oadr_core.rules.registry import check_alone
from oadr_core.rules.reports import forbidden_times
from oadr_core.texts import joined

_READABLE: Final = ("R314", "R315")
"""The rules without which nobody can tell which value holds when."""


def wrong_with(report: Report, request: ReportRequest | None, offer: Report | None) -> RemoteProtocolError | None:
    """Say what is wrong with a report, as the error that its source is told; None where it may be taken.

    :param report: what came.
    :param request: the request that it names, where that is one of ours.
    :param offer: the offer that it names, where that is known.
    """
    if request is None:
        return _unknown(f"unknown reportRequestID {report.report_request_id}")
    specifier = request.report_specifier
    if report.report_specifier_id != specifier.report_specifier_id:
        return _unknown(f"{report.report_request_id} asks for no reportSpecifierID {report.report_specifier_id}")
    found = {
        payload.r_id
        for interval in report.intervals
        for payload in interval.payloads
        if isinstance(payload, ReportPayload)
    }
    wanted = {payload.r_id for payload in specifier.specifier_payloads}
    if found - wanted:
        return _unknown(f"{report.report_request_id} asks for no rID {joined(sorted(found - wanted))}")
    return _unreadable(report, offer) or _incomplete(report, wanted - found)


def _unreadable(report: Report, offer: Report | None) -> RemoteProtocolError | None:
    if not report.intervals:
        return _bad("the report holds no intervals (rule 313)")
    if report.dtstart is None and any(one.dtstart is None for one in report.intervals):
        return _bad("nothing says when the values of the report hold (rules 313 and 314)")
    if any(isinstance(one.duration, timedelta) and one.duration < timedelta(0) for one in report.intervals):
        return _bad("an interval ends before it begins")
    alone = UpdateReport(request_id="0", reports=(report,))
    for number in _READABLE:
        for finding in check_alone(alone, number=number):
            return _bad(str(finding))
    if check(alone, "D49"):
        return _bad("numbers are finite")
    for fault in forbidden_times(report, () if offer is None else offer.report_descriptions):
        return _bad(f"{fault.found}; {fault.right} (R342)")
    return None


def _incomplete(report: Report, missing: set[str]) -> RemoteProtocolError | None:
    """Green Button data name no data point; they are in the feed."""
    if not missing or any(isinstance(one, GreenButtonPayload) for each in report.intervals for one in each.payloads):
        return None
    return _bad(f"{report.report_request_id} lacks the rID {joined(sorted(missing))} (rule 300)")


def last_instant(report: Report) -> datetime | None:
    """When the last interval of a report begins; None where nothing says so."""
    begin = report.dtstart
    last = None
    for interval in report.intervals:
        begin = interval.dtstart or begin
        last = begin
        if interval.dtstart is None and interval.duration is not None and begin is not None:
            begin = add_duration(begin, interval.duration)
    return last


def _unknown(text: str) -> RemoteProtocolError:
    return RemoteProtocolError(text, ResponseCode.INVALID_ID)


def _bad(text: str) -> RemoteProtocolError:
    return RemoteProtocolError(text, ResponseCode.INVALID_DATA)

"""What can be reported, and whether a request stays within it (rules 300, 304, 317, 324 and 340, decision D37)."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from oadr_core.codes import ResponseCode
from oadr_core.errors import RemoteProtocolError
from oadr_core.messages import (
    Duration,
    Report,
    ReportDescription,
    ReportName,
    ReportRequest,
    ReportSpecifier,
    is_zero,
)
from oadr_core.rules import check

METADATA: Final = "METADATA"
"""The reportSpecifierID that asks for the offers themselves (rule 327)."""

_PREFIX: Final = "METADATA_"


def data_name(report_name: str | None) -> str | None:
    """The name of a report's data, which lacks the ``METADATA_`` of its offer (rules 313 and 331)."""
    return None if report_name is None else report_name.removeprefix(_PREFIX)


def check_request(request: ReportRequest, offers: Iterable[Report]) -> None:
    """Check that a request asks for no more than was offered.

    :param request: the request.
    :param offers: what was registered last.
    :raises RemoteProtocolError: it does; the code says how (452 for an unknown id, 454 for too much, 461 for a kind of
        report that cannot be made).
    """
    specifier = request.report_specifier
    if not request.report_request_id or request.report_request_id == "0":
        raise RemoteProtocolError("the reportRequestID is empty or 0", ResponseCode.INVALID_ID)
    if check(request, "D49"):
        raise RemoteProtocolError("numbers are finite", ResponseCode.INVALID_DATA)
    if specifier.report_specifier_id == METADATA:
        return
    offer = next((one for one in offers if one.report_specifier_id == specifier.report_specifier_id), None)
    if offer is None:
        raise RemoteProtocolError(f"unknown reportSpecifierID {specifier.report_specifier_id}", ResponseCode.INVALID_ID)
    described = {one.r_id: one for one in offer.report_descriptions}
    for payload in specifier.specifier_payloads:
        if payload.r_id not in described:
            raise RemoteProtocolError(
                f"{specifier.report_specifier_id} has no rID {payload.r_id}", ResponseCode.INVALID_ID
            )
    if data_name(offer.report_name) in (ReportName.HISTORY_USAGE, ReportName.HISTORY_GREENBUTTON):
        raise RemoteProtocolError("history is not reported", ResponseCode.REPORT_NOT_SUPPORTED)
    _check_times(specifier, offer, described)


def _check_times(specifier: ReportSpecifier, offer: Report, described: Mapping[str, ReportDescription]) -> None:
    if is_zero(specifier.report_back_duration):
        return  # once, at once; the granularity does not matter (rule 324)
    granularity = _length(specifier.granularity, "granularity")
    back = _length(specifier.report_back_duration, "reportBackDuration")
    if granularity > back:
        raise _too_much(f"the granularity {granularity} is above the reportBackDuration {back}")
    if offer.duration is not None and back > _length(offer.duration, "duration"):
        raise _too_much(f"reports every {back} are asked for, and {offer.duration} is kept")
    if not granularity:
        raise RemoteProtocolError("reports on change are not made", ResponseCode.REPORT_NOT_SUPPORTED)
    for payload in specifier.specifier_payloads:
        rate = described[payload.r_id].sampling_rate
        if rate is None:
            continue
        lowest, highest = _length(rate.min_period, "oadrMinPeriod"), _length(rate.max_period, "oadrMaxPeriod")
        if granularity < lowest or (highest and granularity > highest):
            raise _too_much(f"{payload.r_id} is sampled every {lowest} to {highest}, not every {granularity}")


def _length(duration: Duration, name: str) -> timedelta:
    if not isinstance(duration, timedelta) or duration < timedelta(0):
        raise _too_much(f"the {name} counts months or is negative")
    return duration


def _too_much(text: str) -> RemoteProtocolError:
    return RemoteProtocolError(text, ResponseCode.INVALID_DATA)

"""What can be reported, and whether a request stays within it (rules 300, 304, 317, 324 and 340, decision D37)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from oadr_core.codes import ResponseCode
from oadr_core.errors import RemoteProtocolError
from oadr_core.messages import (
    Report,
    ReportRequest,
    is_zero,
)
from oadr_core.rules import check
from oadr_core.rules.offered import check_period, check_within

METADATA: Final = "METADATA"
"""The reportSpecifierID that asks for the offers themselves (rule 327)."""


def is_for_metadata(request: ReportRequest) -> bool:
    """Whether a request asks for the offers themselves (rule 327)."""
    return request.report_specifier.report_specifier_id == METADATA


def is_once(request: ReportRequest) -> bool:
    """Whether a request asks for one report, at once (rule 324)."""
    return is_zero(request.report_specifier.report_back_duration)


def check_request(request: ReportRequest, offers: Iterable[Report], now: datetime | None = None) -> None:
    """Check that a request asks for no more than was offered.

    :param request: the request.
    :param offers: what was registered last.
    :param now: the present, for requests that say from when on; None where that does not matter.
    :raises RemoteProtocolError: it does; the code says how: 452 for an unknown id, 454 for too much (rule 340).
    """
    specifier = request.report_specifier
    if not request.report_request_id or request.report_request_id == "0":
        raise RemoteProtocolError("the reportRequestID is empty or 0", ResponseCode.INVALID_ID)
    if check(request, "D49"):
        raise RemoteProtocolError("numbers are finite", ResponseCode.INVALID_DATA)
    if specifier.report_specifier_id == METADATA:
        check_period(specifier.report_back_duration)
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
    check_within(specifier, offer, now)


def is_offered(request: ReportRequest, offers: Iterable[Report]) -> bool:
    """Whether a request asks for no more than was offered, whatever the time is."""
    try:
        check_request(request, offers)
    except RemoteProtocolError:
        return False
    return True

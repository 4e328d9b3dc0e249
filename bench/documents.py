"""The messages that are measured: from the smallest on the wire to a day of readings, minute by minute."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import oadr_core as oadr

VEN_ID: Final = "ven_4d1f0b7a9c"
VTN_ID: Final = "VTN_grid"
_BEGIN: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
_QUARTER: Final = timedelta(minutes=15)


def documents() -> Mapping[str, oadr.Payload]:
    """Make the messages, by the names that figures have."""
    return {
        "poll 0.3 kB": oadr.Poll(ven_id=VEN_ID),
        "event 2.5 kB": distribute_event(intervals=2),
        "event 25 kB": distribute_event(intervals=96),
        "report 25 kB": update_report(readings=97),
        "report 350 kB": update_report(readings=1440),
    }


def distribute_event(intervals: int) -> oadr.DistributeEvent:
    """Make a list of one event, as a VTN hands it out.

    :param intervals: how many intervals its signal has, a quarter of an hour each.
    """
    signal = oadr.EventSignal(
        signal_name="SIMPLE",
        signal_type="level",
        signal_id="signal_0",
        intervals=tuple(oadr.signal_interval(number, _QUARTER, number % 4) for number in range(intervals)),
    )
    event = oadr.EiEvent(
        event_descriptor=oadr.EventDescriptor(
            event_id="event_7f3a",
            modification_number=2,
            modification_date_time=_BEGIN - timedelta(hours=2),
            priority=1,
            market_context="http://grid.example/peak",
            created_date_time=_BEGIN - timedelta(hours=1),
            event_status=oadr.EventStatus.FAR,
            vtn_comment="Peak of the afternoon",
        ),
        active_period=oadr.ActivePeriod(dtstart=_BEGIN, duration=_QUARTER * intervals, notification=timedelta(hours=1)),
        event_signals=(signal,),
        target=oadr.Target(ven_id=(VEN_ID,)),
        response_required=oadr.ResponseRequired.ALWAYS,
    )
    response = oadr.EiResponse(response_description="OK", request_id="request_19")
    return oadr.DistributeEvent(response=response, request_id="request_20", vtn_id=VTN_ID, events=(event,))


def update_report(readings: int) -> oadr.UpdateReport:
    """Make a report of one data point, which is read every minute.

    :param readings: how many readings it holds.
    """
    intervals = tuple(
        oadr.Interval(
            dtstart=_BEGIN + timedelta(minutes=number),
            payloads=(oadr.ReportPayload(r_id="meter_1", value=3500 + number % 97 / 8),),
        )
        for number in range(readings)
    )
    report = oadr.Report(
        dtstart=_BEGIN,
        intervals=intervals,
        report_id="report_55",
        report_request_id="report_request_3",
        report_specifier_id="meter",
        report_name="TELEMETRY_USAGE",
        created_date_time=_BEGIN + timedelta(minutes=readings),
    )
    return oadr.UpdateReport(request_id="request_21", reports=(report,), ven_id=VEN_ID)

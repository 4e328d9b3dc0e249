"""Each conformance rule that can be checked: messages that obey it, and what is said of one that breaks it."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given

from oadr_core.errors import LocalProtocolError
from oadr_core.messages import (
    PAYLOADS,
    CalendarDuration,
    CancelReport,
    EiEvent,
    EiResponse,
    EventSignal,
    EventStatus,
    Interval,
    Part,
    Payload,
    Poll,
    ReportPayload,
    SignalPayload,
    Target,
    Tolerance,
    Tolerate,
    measurement,
    signal_interval,
)
from oadr_core.rules import (
    Finding,
    Rule,
    Severity,
    check,
    check_document,
    refuse,
    refuse_event,
    rules,
)
from oadr_core.rules.trace import Dialogue, Exchange
from oadr_core.testing import strategies
from oadr_core.wire import envelope
from tests.rules.samples import (
    ACTIVE,
    ANSWER,
    BASELINE,
    CANCEL_OPT,
    DATA,
    EVENT,
    EVENTS,
    HOUR,
    IN_20A,
    LONGEST,
    MONTH,
    NONE,
    NOON,
    NUMBERED,
    OFFERS,
    ONE,
    OPEN_ENDED,
    OVER,
    PENDING,
    PRICE,
    PULL,
    PUSH,
    QUALIFIED,
    REGISTERED,
    REQUEST,
    SCHEDULE,
    SIGNAL,
    STATUS,
    STATUS_OFFER,
    STATUSES,
    USAGE,
    USAGE_OFFER,
    WINDOW,
    XMPP,
    but,
    values,
)
from tests.seal.kit import POLL, signed
from tests.wire.documents import DOCUMENTS

# --- lists in order and out of it ------------------------------------------------------------------------------------


def in_one_list(*events: EiEvent) -> tuple[EiEvent, ...]:
    """Events with ids of their own, as a list has them that was made when the earliest of them begins."""
    return tuple(
        but(
            one,
            event_descriptor__event_id=f"event-{number}",
            event_descriptor__created_date_time=NOON,
            event_signals__current_value=None,
        )
        for number, one in enumerate(events)
    )


LATER: Final = but(EVENT, active_period__dtstart=NOON + HOUR)
LATEST: Final = but(EVENT, active_period__dtstart=NOON + 2 * HOUR, event_descriptor__priority=1)
URGENT: Final = but(ACTIVE, event_descriptor__priority=2)
UNORDERED: Final = but(EVENT, event_descriptor__event_status=EventStatus.CANCELLED)
LONG_ACTIVE: Final = but(ACTIVE, active_period__dtstart=NOON - HOUR)
RIGHT_ORDER: Final = (UNORDERED, URGENT, UNORDERED, LONG_ACTIVE, ACTIVE, ACTIVE, LATER, UNORDERED, LATER, LATEST)
WRONG_ORDERS: Final = (
    ((LATER, ACTIVE), "active from 2026-11-20T12:00:00Z after far from 2026-11-20T13:00:00Z"),
    ((ACTIVE, URGENT), "active of priority 2 from 2026-11-20T12:00:00Z after active from 2026-11-20T12:00:00Z"),
    ((ACTIVE, LONG_ACTIVE), "active from 2026-11-20T11:00:00Z after active from 2026-11-20T12:00:00Z"),
    ((LATEST, LATER), "far from 2026-11-20T13:00:00Z after far of priority 1 from 2026-11-20T14:00:00Z"),
)

# --- messages that obey ----------------------------------------------------------------------------------------------

OBEYING: Final[Mapping[str, Part]] = {
    "a list of events": EVENTS,
    "a cancelled opt": CANCEL_OPT,
    "a list of no events": but(EVENTS, events=()),
    "an active event": ACTIVE,
    "an event with a window": but(EVENT, active_period__tolerance=WINDOW),
    "an event without end": OPEN_ENDED,
    "an event of a month": but(
        OPEN_ENDED, active_period__duration=MONTH, event_signals__intervals=(signal_interval(0, timedelta(days=30), 1),)
    ),
    "an event in months": but(
        OPEN_ENDED, active_period__duration=MONTH, event_signals__intervals=(signal_interval(0, MONTH, 1),)
    ),
    "a completed event whose window may still be open": but(OVER, active_period__tolerance=WINDOW),
    "an event that is near from the beginning of its ramp-up on": but(
        EVENT, event_descriptor__event_status=EventStatus.NEAR, active_period__ramp_up=HOUR
    ),
    "an event that begins in the second in which the list is made": but(
        ACTIVE, event_descriptor__created_date_time=NOON - timedelta(seconds=1), event_signals__current_value=None
    ),
    "events in their order": but(EVENTS, events=tuple(in_one_list(*RIGHT_ORDER))),
    "a list of 2.0a": IN_20A,
    "answers of which one is an error": but(ANSWER, event_responses__opt_type="optOut"),
    "a cancelled event": but(EVENT, event_descriptor__event_status=EventStatus.CANCELLED),
    "an active event behind its last interval": but(ACTIVE, event_descriptor__created_date_time=NOON + 3 * HOUR),
    "an event with one signal without id": but(EVENT, event_signals=(but(SIGNAL, signal_id=""),)),
    "an event with a signal of its own": but(
        EVENT, event_signals=(but(SIGNAL, signal_name="x-comfort", signal_type="delta", current_value=None),)
    ),
    "an answer to events": ANSWER,
    "an answer that is an error": but(
        ANSWER, response=EiResponse(response_code=452, request_id="1"), event_responses=None
    ),
    "offers": OFFERS,
    "no offers": but(OFFERS, reports=()),
    "an offer of one's own": but(
        OFFERS,
        reports=(
            but(
                USAGE_OFFER,
                report_name="x-own",
                duration=MONTH,
                report_descriptions__report_type="x-own",
                report_descriptions__sampling_rate=None,
            ),
        ),
    ),
    "a request": REQUEST,
    "a request for one report": but(
        REQUEST, report_specifier__report_back_duration=NONE, report_specifier__report_interval=None
    ),
    "a request for metadata": but(
        REQUEST,
        report_specifier__report_specifier_id="METADATA",
        report_specifier__report_interval=None,
        report_specifier__specifier_payloads__r_id="0",
    ),
    "a request in months": but(REQUEST, report_specifier__granularity=MONTH),
    "data": DATA,
    "no data": but(DATA, reports=()),
    "data at points in time": but(
        DATA, reports=(but(USAGE, intervals=(values(0, 1.0, duration=None), values(1, 2.0, duration=None))),)
    ),
    "pending reports": PENDING,
    "no pending reports": but(PENDING, pending_reports=()),
    "a schedule": SCHEDULE,
    "an opt for an event": QUALIFIED,
    "a registration in pull": PULL,
    "a registration in push": PUSH,
    "a registration over XMPP": XMPP,
    "a re-registration": but(PULL, registration_id="registration-1", ven_id="ven-1"),
    "a registration with a venID that was agreed": but(PULL, ven_id="ven-1"),
    "the answer to a registration": REGISTERED,
    "the answer to a query": but(REGISTERED, registration_id=None, ven_id=None),
    "a message of the other profile": Poll(ven_id="ven-1", schema_version="2.0a"),
}


@pytest.mark.parametrize("name", OBEYING)
def test_a_message_that_obeys_is_clean_and_may_be_sent(name: str) -> None:
    assert check(OBEYING[name]) == []
    refuse(OBEYING[name])


# --- messages that break a rule --------------------------------------------------------------------------------------

NOT_A_NUMBER: Final = float("nan")
FIVE_MONTHS: Final = CalendarDuration(months=5)
LOUD: Final = Interval(duration=HOUR, uid="0", payloads=(SignalPayload(value=STATUS),))
TWICE: Final = Interval(duration=2 * HOUR, uid="0", payloads=(SignalPayload(value=1.0), SignalPayload(value=2.0)))


def priced(name: str, type_: str, unit: str | None = None, *numbers: float) -> EiEvent:
    """An event with a signal of some kind, in intervals that fill the active period."""
    each = 2 * HOUR / max(len(numbers), 1)
    intervals = tuple(signal_interval(uid, each, number) for uid, number in enumerate(numbers or (0,)))
    needs_code = unit is not None and unit.startswith("currency")
    measured = None if unit is None else measurement(unit, unit="EUR" if needs_code else None)
    return but(
        EVENT,
        event_signals=(
            EventSignal(intervals=intervals, signal_name=name, signal_type=type_, signal_id="1", measurement=measured),
        ),
    )


BROKEN: Final[tuple[tuple[str, msgspec.Struct, str, str], ...]] = (
    # events
    (
        "R2",
        but(EVENT, event_signals__intervals__uid=None),
        "event_signals[0].intervals[0].uid",
        "no uid; intervals count from 0, so this one has 0",
    ),
    (
        "R2",
        but(SIGNAL, intervals__uid="7"),
        "intervals[0].uid",
        "the uid '7'; intervals count from 0, so this one has 0",
    ),
    (
        "R101",
        but(BASELINE, intervals__uid="1"),
        "intervals[0].uid",
        "the uid '1'; intervals count from 0, so this one has 0",
    ),
    (
        "R8",
        but(EVENT, active_period__duration=HOUR, event_signals=(SIGNAL,)),
        "event_signals[0].intervals",
        "the intervals take 2:00:00; the active period takes 1:00:00",
    ),
    (
        "R8",
        but(OPEN_ENDED, event_signals__intervals=(signal_interval(0, HOUR, 1),)),
        "event_signals[0].intervals",
        "the intervals take 1:00:00; the active period has no end, and so a single interval of no length",
    ),
    (
        "R8",
        but(OPEN_ENDED, event_signals__intervals=(signal_interval(0, LONGEST, 1), signal_interval(1, LONGEST, 1))),
        "event_signals[0].intervals",
        "the intervals take more than can be told; the active period has no end, and so a single interval of no length",
    ),
    ("R102", but(BASELINE, duration=HOUR), "intervals", "the intervals take 2:00:00; the baseline takes 1:00:00"),
    ("R102", but(BASELINE, intervals__duration=None), "intervals[0].duration", "no duration; every interval has one"),
    (
        "R102",
        but(EVENT, event_signals__intervals__duration=None),
        "event_signals[0].intervals[0].duration",
        "no duration; every interval has one",
    ),
    (
        "R9",
        but(EVENT, event_signals__intervals__payloads=(SignalPayload(value=4.0),)),
        "event_signals[0].intervals[0]",
        "the value 4; SIMPLE has the values 0, 1, 2 and 3",
    ),
    (
        "R9",
        but(SIGNAL, signal_name="simple", intervals__payloads=(SignalPayload(value=0.5),)),
        "intervals[0]",
        "the value 0.5; SIMPLE has the values 0, 1, 2 and 3",
    ),
    (
        "R13",
        but(EVENT, event_descriptor__event_status=EventStatus.NONE),
        "event_descriptor.event_status",
        "the status none; it is far, near, active or cancelled",
    ),
    (
        "R13",
        OVER,
        "event_descriptor.event_status",
        "the status completed; it is far, near, active or cancelled",
    ),
    (
        "R13",
        but(OVER, active_period__tolerance=Tolerance(tolerate=Tolerate(startafter=NONE))),
        "event_descriptor.event_status",
        "the status completed; it is far, near, active or cancelled",
    ),
    (
        "R13",
        but(EVENT, event_descriptor__event_status=EventStatus.ACTIVE, event_signals__current_value=None),
        "event_descriptor.event_status",
        "the status active; it is far at the createdDateTime",
    ),
    (
        "R13",
        but(EVENT, event_descriptor__event_status=EventStatus.NEAR),
        "event_descriptor.event_status",
        "the status near; it is far at the createdDateTime",
    ),
    (
        "R13",
        but(EVENT, event_descriptor__event_status=EventStatus.NEAR, active_period__ramp_up=timedelta(minutes=59)),
        "event_descriptor.event_status",
        "the status near; it is far at the createdDateTime",
    ),
    (
        "R13",
        but(
            OVER,
            event_descriptor__created_date_time=NOON + 2 * HOUR - timedelta(seconds=2),
            active_period__tolerance=WINDOW,
        ),
        "event_descriptor.event_status",
        "the status completed; it is active at the createdDateTime",
    ),
    (
        "R47",
        but(
            OPEN_ENDED,
            event_descriptor__event_status=EventStatus.COMPLETED,
            event_descriptor__created_date_time=NOON + HOUR,
            active_period__tolerance=WINDOW,
        ),
        "event_descriptor.event_status",
        "the status completed; an event of no duration goes on until it is cancelled",
    ),
    *(
        ("R15", but(EVENTS, events=in_one_list(*events)), "events[1]", f"{said}; it comes before that")
        for events, said in WRONG_ORDERS
    ),
    (
        "R14",
        but(EVENT, event_signals__current_value=1.0),
        "event_signals[0].current_value",
        "the current value 1 while far; it is 0 unless the event is active",
    ),
    (
        "R29",
        but(ACTIVE, event_signals__current_value=1.0),
        "event_signals[0].current_value",
        "the current value 1; it is 2 at this time",
    ),
    (
        "R7",
        but(IN_20A, events__event_signals=(SIGNAL, SIGNAL)),
        "events[0].event_signals",
        "the signals SIMPLE, SIMPLE; 2.0a has one, SIMPLE",
    ),
    (
        "R7",
        but(IN_20A, events__event_signals=(but(PRICE, current_value=0.0),)),
        "events[0].event_signals",
        "the signals ELECTRICITY_PRICE; 2.0a has one, SIMPLE",
    ),
    (
        "R113",
        but(IN_20A, events__event_signals__current_value=None),
        "events[0].event_signals[0].current_value",
        "no current value; 2.0a wants one",
    ),
    ("R41", but(EVENTS, request_id=""), "request_id", "an empty requestID; it has a value, which answers repeat"),
    ("R63", but(EVENT, target__ven_id=("ven-1", "ven-2")), "target.ven_id", "2 venIDs; there is one at most"),
    (
        "R70",
        but(EVENTS, events=(EVENT, EVENT)),
        "events[1].event_descriptor.event_id",
        "the eventID 'event-1' again; it is unique",
    ),
    (
        "R70",
        but(EVENTS, events__event_descriptor__event_id=""),
        "events[0].event_descriptor.event_id",
        "an empty eventID; it is unique",
    ),
    (
        "R100",
        but(BASELINE, intervals=(LOUD, BASELINE.intervals[1])),
        "intervals[0]",
        "SignalPayload in an interval; there is one signalPayload with a number",
    ),
    (
        "R100",
        but(PRICE, intervals=(TWICE,)),
        "intervals[0]",
        "SignalPayload, SignalPayload in an interval; there is one signalPayload with a number",
    ),
    (
        "R100",
        but(PRICE, intervals__payloads=(ReportPayload(r_id="a", value=1.0),)),
        "intervals[0]",
        "ReportPayload in an interval; there is one signalPayload with a number",
    ),
    (
        "R103",
        but(EVENT, event_signals__intervals__dtstart=NOON),
        "event_signals[0].intervals[0].dtstart",
        "a dtstart; intervals of events follow one another, and have no dtstart of their own",
    ),
    (
        "R103",
        but(BASELINE, intervals__dtstart=NOON),
        "intervals[0].dtstart",
        "a dtstart; intervals of events follow one another, and have no dtstart of their own",
    ),
    (
        "R104",
        priced("ELECTRICITY_PRICE", "level"),
        "event_signals[0].signal_type",
        "the type level; ELECTRICITY_PRICE has the types price, priceRelative, priceMultiplier",
    ),
    (
        "R104",
        priced("ELECTRICITY_PRICE", "price"),
        "event_signals[0].measurement",
        "no unit for ELECTRICITY_PRICE of type price; it has currencyPerKWh",
    ),
    (
        "R104",
        priced("SIMPLE", "level", "powerReal"),
        "event_signals[0].measurement",
        "the unit powerReal for SIMPLE of type level; it has none",
    ),
    (
        "R104",
        priced("BID_LOAD", "setpoint", "energyReal"),
        "event_signals[0].measurement",
        "the unit energyReal for BID_LOAD of type setpoint; it has powerReal or powerApparent or powerReactive",
    ),
    (
        "R104",
        priced("CHARGE_STATE", "multiplier", None, 0.5, 1.5),
        "event_signals[0].intervals[1]",
        "the value 1.5; there are numbers from 0 to 1",
    ),
    (
        "R104",
        priced("LOAD_DISPATCH", "level", "powerReal", 0.5),
        "event_signals[0].intervals[0]",
        "the value 0.5; there are whole numbers from -10 to 10",
    ),
    (
        "R104",
        priced("LOAD_DISPATCH", "level", "powerReal", -11),
        "event_signals[0].intervals[0]",
        "the value -11; there are whole numbers from -10 to 10",
    ),
    (
        "R104",
        priced("LOAD_CONTROL", "x-loadControlLevelOffset", None, 1.5),
        "event_signals[0].intervals[0]",
        "the value 1.5; there are whole numbers from -inf to inf",
    ),
    (
        "R105",
        but(EVENT, active_period__notification=None),
        "active_period.notification",
        "no x-eiNotification; it is there, PT0S if need be",
    ),
    (
        "R107",
        but(EVENT, event_signals=(SIGNAL, but(PRICE, signal_id="simple"))),
        "event_signals[1].signal_id",
        "the signalID 'simple'; it is unique in the event",
    ),
    (
        "R107",
        but(EVENT, event_signals__signal_id=""),
        "event_signals[0].signal_id",
        "the signalID ''; it is unique in the event",
    ),
    (
        "R110",
        but(EVENT, event_signals=(SIGNAL, but(PRICE, current_value=0.25))),
        "event_signals[1].current_value",
        "a current value; it means nothing while the event is not active",
    ),
    (
        "R111",
        but(PRICE, target=Target(ven_id=("ven-1",))),
        "target.ven_id",
        "a target by ven_id; only device classes (endDeviceAsset) may stand here",
    ),
    ("R111", but(PRICE, target=Target()), "target", "an empty target; it is left out where there is no device class"),
    (
        "R111",
        but(PRICE, target=Target(end_device_asset=("thermostat",))),
        "target.end_device_asset",
        "the device class 'thermostat'; it is one of the profile's list, or begins with x-",
    ),
    (
        "R115",
        but(EVENTS, events__event_descriptor__created_date_time=NOON),
        "events",
        "2 different createdDateTime; they are the same in all events of a list",
    ),
    ("R116", but(SIGNAL, signal_type="price"), "signal_type", "the type price; SIMPLE has the type level"),
    (
        "R35",
        but(ANSWER, event_responses=None),
        "event_responses",
        "no event response; a success answers at least one event",
    ),
    (
        "R35",
        but(ANSWER, event_responses=()),
        "event_responses",
        "no event response; a success answers at least one event",
    ),
    ("R42", but(ANSWER, response__request_id="1"), "response.request_id", "the requestID '1'; it is empty"),
    (
        "R48",
        but(ANSWER, event_responses__response_code=460),
        "event_responses[0]",
        "optIn with the code 460; it is optOut",
    ),
    ("R21", but(EVENTS, vtn_id=""), "vtn_id", "an empty vtnID; it has a value"),
    (
        "R19",
        but(ANSWER, response=EiResponse(response_code=460, request_id="1"), event_responses=None),
        "response.response_code",
        "the code 460 for a whole list; that is about one event, which has an answer of its own",
    ),
    (
        "R48",
        but(ANSWER, response__response_code=460),
        "response.response_code",
        "the code 460 beside answers to single events; it is 200, and each answer has a code of its own",
    ),
    # opts
    (
        "R200",
        but(SCHEDULE, vavailability__components__tolerance=WINDOW),
        "vavailability.components[0].tolerance",
        "tolerance in a schedule; it does not belong there",
    ),
    (
        "R200",
        but(SCHEDULE, vavailability__components__notification=HOUR),
        "vavailability.components[0].notification",
        "notification in a schedule; it does not belong there",
    ),
    ("R204", but(SCHEDULE, opt_id=""), "opt_id", "an empty optID; it has a value"),
    ("R204", but(CANCEL_OPT, opt_id=""), "opt_id", "an empty optID; it has a value"),
    (
        "R209",
        but(SCHEDULE, device_class=Target()),
        "device_class",
        "an empty target; it is left out where there is no device class",
    ),
    (
        "R210",
        but(SCHEDULE, vavailability__components__duration=-HOUR),
        "vavailability.components[0].duration",
        "a negative duration; zero is open-ended, and nothing is shorter",
    ),
    ("R206", but(SCHEDULE, vavailability=None), "CreateOpt", "neither an event nor a schedule; it is one of them"),
    (
        "R206",
        but(SCHEDULE, market_context=None, event_id="event-1", modification_number=0),
        "CreateOpt",
        "an event and a schedule; it is one of them",
    ),
    (
        "R206",
        but(QUALIFIED, market_context="http://a.example/"),
        "market_context",
        "a marketContext beside an event; it belongs to schedules",
    ),
    (
        "R209",
        but(SCHEDULE, device_class=Target(group_id=("pumps",))),
        "device_class.group_id",
        "a target by group_id; only device classes (endDeviceAsset) may stand here",
    ),
    # reports
    (
        "R305",
        but(OFFERS, reports=(but(STATUS_OFFER, report_descriptions=()),)),
        "reports[0].report_descriptions",
        "no oadrReportDescription; an offer describes at least one data point",
    ),
    (
        "R305",
        but(OFFERS, reports__intervals=USAGE.intervals),
        "reports[0].intervals",
        "intervals in an offer; it does not belong there",
    ),
    ("R305", but(OFFERS, reports__dtstart=NOON), "reports[0].dtstart", "dtstart in an offer; it does not belong there"),
    (
        "R305",
        but(OFFERS, reports__report_id="1"),
        "reports[0].report_id",
        "report_id in an offer; it does not belong there",
    ),
    (
        "R307",
        but(OFFERS, reports__report_descriptions__report_subject=Target(resource_id=("a",))),
        "reports[0].report_descriptions[0].report_subject.resource_id",
        "a target by resource_id; only device classes (endDeviceAsset) may stand here",
    ),
    (
        "R308",
        but(OFFERS, reports=(USAGE_OFFER, but(STATUS_OFFER, report_specifier_id="usage"))),
        "reports[1].report_specifier_id",
        "the reportSpecifierID 'usage' again; it is unique",
    ),
    (
        "R308",
        but(OFFERS, reports__report_descriptions=USAGE_OFFER.report_descriptions * 2),
        "reports[0].report_descriptions",
        "the rID 'load' again; it is unique in its report",
    ),
    (
        "R308",
        but(OFFERS, reports__report_specifier_id=""),
        "reports[0].report_specifier_id",
        "an empty reportSpecifierID; it has a value",
    ),
    (
        "R308",
        but(OFFERS, reports__report_descriptions__r_id=""),
        "reports[0].report_descriptions[0].r_id",
        "an empty rID; it has a value",
    ),
    ("R311", but(OFFERS, reports__report_request_id="17"), "reports[0].report_request_id", "'17'; it is 0 in an offer"),
    (
        "R312",
        but(OFFERS, reports__duration=None),
        "reports[0].duration",
        "no duration; an offer says how much data is kept",
    ),
    (
        "R312",
        but(OFFERS, reports__duration=timedelta(minutes=59)),
        "reports[0].report_descriptions[0].sampling_rate.max_period",
        "oadrMaxPeriod 1:00:00; it is not above the duration 0:59:00",
    ),
    ("R313", but(DATA, reports__dtstart=None), "reports[0].dtstart", "no dtstart; a data report has one"),
    ("R313", but(DATA, reports__intervals=()), "reports[0].intervals", "no intervals; a data report has some"),
    (
        "R313",
        but(DATA, reports__report_name=None),
        "reports[0].report_name",
        "the reportName None; it is that of the offer, without METADATA_",
    ),
    (
        "R313",
        but(DATA, reports__report_name="METADATA_TELEMETRY_USAGE"),
        "reports[0].report_name",
        "the reportName 'METADATA_TELEMETRY_USAGE'; it is that of the offer, without METADATA_",
    ),
    (
        "R313",
        but(DATA, reports__report_descriptions=USAGE_OFFER.report_descriptions),
        "reports[0].report_descriptions",
        "an oadrReportDescription; it belongs to the offer alone",
    ),
    (
        "R313",
        but(ONE, reports__intervals__payloads=(SignalPayload(value=1.0),)),
        "reports[0].intervals[0]",
        "a signalPayload; a report has oadrReportPayload or oadrGBPayload",
    ),
    (
        "R314",
        but(ONE, reports__intervals=(values(0, 1.0), values(1, 2.0, dtstart=None))),
        "reports[0].intervals",
        "1 of 2 intervals have a dtstart; all have, or none",
    ),
    (
        "R314",
        but(ONE, reports__dtstart=NOON + HOUR, reports__intervals=(values(1, 1.0), values(0, 2.0))),
        "reports[0].intervals",
        "intervals out of order; they run from old to new",
    ),
    (
        "R314",
        but(ONE, reports__dtstart=NOON - HOUR, reports__duration=3 * HOUR),
        "reports[0].dtstart",
        "the report begins at 2026-11-20 11:00:00+00:00; it begins with its first interval",
    ),
    (
        "R315",
        but(ONE, reports__intervals=(values(0, 1.0), values(1, 2.0, duration=None))),
        "reports[0].intervals",
        "1 of 2 intervals have a duration; all have, or none",
    ),
    (
        "R315",
        but(ONE, reports=(but(NUMBERED, intervals=tuple(but(one, duration=None) for one in NUMBERED.intervals)),)),
        "reports[0].intervals",
        "several intervals with neither start nor duration; they have one of them",
    ),
    (
        "R315",
        but(ONE, reports__duration=HOUR),
        "reports[0].duration",
        "a duration of 1:00:00; it reaches to the last end, 2026-11-20 14:00:00+00:00",
    ),
    (
        "R316",
        but(ONE, reports=(but(NUMBERED, intervals__uid=None),)),
        "reports[0].intervals[0].uid",
        "the uid None; it is 0",
    ),
    (
        "R317",
        but(REQUEST, report_specifier__granularity=2 * HOUR),
        "report_specifier.granularity",
        "a granularity of 2:00:00; it is not above the reportBackDuration 1:00:00",
    ),
    (
        "R319",
        but(DATA, reports=(but(STATUSES, intervals__payloads__accuracy=1.0),)),
        "reports[0].intervals[0].payloads[0].accuracy",
        "an accuracy for a status; only numbers have one",
    ),
    (
        "R321",
        but(REQUEST, report_specifier__report_interval__ramp_up=HOUR),
        "report_specifier.report_interval.ramp_up",
        "ramp_up in the interval; it does not belong there",
    ),
    (
        "R321",
        but(REQUEST, report_specifier__specifier_payloads__measurement=measurement("powerReal")),
        "report_specifier.specifier_payloads[0].measurement",
        "a unit; it does not belong there",
    ),
    (
        "R322",
        but(REQUEST, report_request_id="0"),
        "report_request_id",
        "the reportRequestID '0'; it has a value of its own",
    ),
    (
        "R322",
        but(REQUEST, report_request_id=""),
        "report_request_id",
        "the reportRequestID ''; it has a value of its own",
    ),
    (
        "R324",
        but(REQUEST, report_specifier__report_interval=None),
        "report_specifier.report_interval",
        "no reportInterval; a periodic request has one",
    ),
    (
        "R329",
        but(PENDING, pending_reports=("17", "17")),
        "pending_reports",
        "the pending reports 17, 17; each is listed once",
    ),
    (
        "R331",
        but(OFFERS, reports__report_name="TELEMETRY_USAGE"),
        "reports[0].report_name",
        "the reportName 'TELEMETRY_USAGE'; it begins with METADATA_ or x-",
    ),
    (
        "R331",
        but(OFFERS, reports__report_descriptions__report_type="reading"),
        "reports[0].report_descriptions[0].report_type",
        "'reading'; METADATA_TELEMETRY_USAGE has usage",
    ),
    (
        "R331",
        but(OFFERS, reports__report_descriptions__measurement=None),
        "reports[0].report_descriptions[0].measurement",
        "no unit; METADATA_TELEMETRY_USAGE has powerReal or energyReal or pulseCount",
    ),
    (
        "R331",
        but(OFFERS, reports=(but(STATUS_OFFER, report_descriptions__measurement=measurement("voltage")),)),
        "reports[0].report_descriptions[0].measurement",
        "'voltage'; METADATA_TELEMETRY_STATUS has no unit",
    ),
    (
        "R331",
        but(OFFERS, reports__report_descriptions__reading_type="Net"),
        "reports[0].report_descriptions[0].reading_type",
        "'Net'; METADATA_TELEMETRY_USAGE has Direct Read",
    ),
    (
        "R331",
        but(ONE, reports__intervals=(values(0, STATUS), values(1, 1.0))),
        "reports[0].intervals[0]",
        "a value of the wrong kind for load; TELEMETRY_USAGE has payloadFloat",
    ),
    (
        "R331",
        but(ONE, reports__report_name="TELEMETRY_STATUS", reports__intervals=(values(0, STATUS), values(1, 1.0))),
        "reports[0].intervals[1]",
        "a value of the wrong kind for load; TELEMETRY_STATUS has oadrPayloadResourceStatus",
    ),
    (
        "R333",
        but(OFFERS, reports__report_descriptions__sampling_rate=None),
        "reports[0].report_descriptions[0].sampling_rate",
        "no oadrSamplingRate; telemetry has one",
    ),
    (
        "R334",
        but(
            DATA,
            reports=(but(STATUSES, intervals=(values(0, STATUS), values(1, but(STATUS, load_control_state=None)))),),
        ),
        "reports[0].intervals",
        "different parts of the load control state for load; they are the same in all intervals",
    ),
    (
        "R308",
        but(REQUEST, report_specifier__report_specifier_id="METADATA"),
        "report_specifier.specifier_payloads[0].r_id",
        "the rID 'load'; it is 0 where metadata are asked for",
    ),
    (
        "R338",
        but(REQUEST, report_specifier__specifier_payloads__reading_type="Direct Read"),
        "report_specifier.specifier_payloads[0].reading_type",
        "'Direct Read'; it is x-notApplicable in a request",
    ),
    # registration, and messages of any kind
    ("R402", but(PULL, http_pull_model=None), "http_pull_model", "no oadrHttpPullModel; it is there with simpleHttp"),
    (
        "R402",
        but(PUSH, transport_address=None),
        "transport_address",
        "no oadrTransportAddress; a VEN that does not poll says where it is reached",
    ),
    (
        "R402",
        but(XMPP, transport_address=""),
        "transport_address",
        "no oadrTransportAddress; a VEN that does not poll says where it is reached",
    ),
    (
        "R402",
        but(PULL, registration_id="registration-1"),
        "ven_id",
        "a registrationID without venID; a re-registration has both",
    ),
    ("R402", but(PULL, transport_address="None"), "transport_address", "the address 'None'; it is left out in pull"),
    ("R404", but(REGISTERED, registration_id=""), "registration_id", "an empty registration_id; it is left out"),
    ("R404", but(REGISTERED, ven_id=""), "ven_id", "an empty ven_id; it is left out"),
    ("R400", but(REGISTERED, vtn_id=""), "vtn_id", "an empty vtnID; it has a value"),
    ("R508", Poll(ven_id=""), "ven_id", "an empty venID; it has a value"),
    (
        "R46",
        but(EVENT, target__resource_id=("pump-1", "")),
        "target.resource_id",
        "an empty resource_id; it is left out",
    ),
    (
        "D44",
        but(EVENT, active_period__notification=FIVE_MONTHS),
        "active_period.notification",
        "a duration of 5 months; it is much shorter; PT5M is five minutes",
    ),
    (
        "D44",
        but(EVENT, active_period__tolerance=but(WINDOW, tolerate__startafter=FIVE_MONTHS)),
        "active_period.tolerance.tolerate.startafter",
        "a duration of 5 months; it is much shorter; PT5M is five minutes",
    ),
    (
        "D44",
        but(OFFERS, reports__report_descriptions__sampling_rate__min_period=FIVE_MONTHS),
        "reports[0].report_descriptions[0].sampling_rate.min_period",
        "a duration of 5 months; it is much shorter; PT5M is five minutes",
    ),
    (
        "D44",
        but(REGISTERED, requested_oadr_poll_freq=FIVE_MONTHS),
        "requested_oadr_poll_freq",
        "a duration of 5 months; it is much shorter; PT5M is five minutes",
    ),
    ("R509", Poll(ven_id="ven-1", schema_version=None), "schema_version", "no schemaVersion; it is 2.0b"),
    ("R509", Poll(ven_id="ven-1", schema_version="x-2"), "schema_version", "the schemaVersion 'x-2'; it is 2.0b"),
    (
        "D49",
        but(PRICE, intervals__payloads=(SignalPayload(value=float("inf")),)),
        "intervals[0].payloads[0].value",
        "the number inf; numbers are finite",
    ),
    ("D49", but(PRICE, current_value=NOT_A_NUMBER), "current_value", "the number nan; numbers are finite"),
    (
        "D49",
        but(USAGE, intervals__payloads__value=float("-inf")),
        "intervals[0].payloads[0].value",
        "the number -inf; numbers are finite",
    ),
    (
        "D49",
        but(USAGE, intervals__payloads__accuracy=NOT_A_NUMBER),
        "intervals[0].payloads[0].accuracy",
        "the number nan; numbers are finite",
    ),
    (
        "D49",
        but(STATUS, load_control_state__capacity__max=float("inf")),
        "load_control_state.capacity.max",
        "the number inf; numbers are finite",
    ),
    (
        "D49",
        but(PRICE, measurement=None, signal_name="x-own", signal_type="delta", target=None, current_value=NOT_A_NUMBER),
        "current_value",
        "the number nan; numbers are finite",
    ),
    (
        "D49",
        but(measurement("pulseCount"), pulse_factor=float("inf")),
        "pulse_factor",
        "the number inf; numbers are finite",
    ),
)
"""A rule, a message that breaks it and no other, where the breach is, and what is said of it."""


def broken() -> list[Any]:
    return [
        pytest.param(
            number,
            part,
            place,
            said,
            id=f"{number} {said.partition('; ')[0]} at {place}",
            marks=[(pytest.mark.rule if number.startswith("R") else pytest.mark.decision)(int(number[1:]))],
        )
        for number, part, place, said in BROKEN
    ]


@pytest.mark.parametrize(("number", "part", "place", "said"), broken())
def test_a_message_that_breaks_a_rule_is_told_where_and_what_would_be_right(
    number: str, part: msgspec.Struct, place: str, said: str
) -> None:
    assert [str(finding) for finding in check(part)] == [f"{place}: {said} ({number})"]


@pytest.mark.rule(1)
@pytest.mark.parametrize("written", ["2026-11-20T12:00:00", "2026-11-20T12:00:00.5", "2026-11-20T12:00:00+00:00"])
def test_a_time_without_z_is_found_in_a_document(written: str) -> None:
    text = envelope.encode(EVENTS).decode()
    assert check_document(envelope.read(text.encode())) == []
    found = check_document(envelope.read(text.replace("2026-11-20T12:00:00Z", written).encode(), strict=False))
    assert [str(one) for one in found] == [
        "oadrPayload: a time without Z; times are in UTC, as 2026-11-20T12:00:00Z (R1)"
    ]


@pytest.mark.rule(1)
def test_fractions_of_seconds_and_texts_that_look_like_a_time_are_no_breach() -> None:
    text = envelope.encode(but(EVENTS, events__event_descriptor__vtn_comment="at 2026-11-20T12:00:00")).decode()
    text = text.replace("2026-11-20T12:00:00Z", "2026-11-20T12:00:00.25Z")
    assert check_document(envelope.read(text.encode())) == []


@pytest.mark.rule(45)
def test_a_schema_location_is_found_in_a_document_and_nowhere_else() -> None:
    text = DOCUMENTS["oadrPoll"].replace("<oadr:oadrPoll", '<oadr:oadrPoll xsi:schemaLocation="urn:x x.xsd"')
    found = check_document(envelope.read(text.encode()))
    assert [str(one) for one in found] == ["oadrPayload: a schemaLocation; messages do not name it (R45)"]
    assert check_document(envelope.read(DOCUMENTS["oadrPoll"].encode())) == []


@pytest.mark.rule(514)
def test_a_signature_that_does_not_protect_its_time_is_found_in_a_document() -> None:
    assert check_document(envelope.read(signed(POLL))) == []
    found = check_document(envelope.read(UNPROTECTED, strict=False))
    assert [one.rule for one in found] == ["R514"]
    assert "ReplayProtect has to hold a timestamp and then a nonce" in found[0].found


def test_what_is_wrong_with_the_message_is_found_in_its_document_too() -> None:
    text = DOCUMENTS["oadrPoll"].replace(' ei:schemaVersion="2.0b"', ' xsi:schemaLocation="urn:x x.xsd"')
    assert [one.rule for one in check_document(envelope.read(text.encode()))] == ["R45", "R509"]


def parts_of(part: msgspec.Struct) -> Iterator[msgspec.Struct]:
    yield part
    for name in part.__struct_fields__:
        value = getattr(part, name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, msgspec.Struct):
                yield from parts_of(inner)


DECLARED: Final = [one for one in rules() if one.about not in (Exchange, Dialogue)]
"""The rules that a message can break; tests/dialogue is about the others."""
LOCAL: Final = envelope.encode(EVENTS).decode().replace(":00Z<", ":00<")
UNPROTECTED: Final = signed(POLL).replace(b"dsp:nonce", b"dsp:once")
LOCATED: Final = DOCUMENTS["oadrPoll"].replace("<ei:venID", '<ei:venID xsi:schemaLocation="a b"')


@pytest.mark.parametrize("declared", DECLARED, ids=lambda one: f"{one.number} {one.about.__name__}: {one.title}")
def test_every_rule_has_a_message_that_breaks_it(declared: Rule) -> None:
    examples = [
        ("R45", envelope.read(LOCATED.encode())),
        ("R1", envelope.read(LOCAL.encode())),
        ("R514", envelope.read(UNPROTECTED, strict=False)),
        *((number, part) for number, part, _, _ in BROKEN),
    ]
    assert any(
        list(declared.check(inner))
        for number, part in examples
        if number == declared.number
        for inner in parts_of(part)
        if isinstance(inner, declared.about)
    )


@pytest.mark.parametrize("declared", DECLARED, ids=lambda one: f"{one.number} {one.about.__name__}: {one.title}")
def test_every_rule_has_a_message_that_obeys_it(declared: Rule) -> None:
    document = envelope.read(DOCUMENTS["oadrPoll"].encode())
    obeying = [inner for part in (document, *OBEYING.values()) for inner in parts_of(part)]
    judged = [inner for inner in obeying if isinstance(inner, declared.about)]
    assert judged
    assert not any(list(declared.check(inner)) for inner in judged)


@pytest.mark.rule(69, 105)
def test_what_20b_adds_does_not_hold_in_20a() -> None:
    plain = but(IN_20A, events__event_signals__signal_type="price", events__active_period__notification=None)
    assert check(plain) == []
    assert {one.rule for one in check(but(plain, schema_version="2.0b"))} == {"R105", "R116"}


# --- all rules -------------------------------------------------------------------------------------------------------


def test_rules_are_listed_in_the_order_of_their_numbers() -> None:
    numbers = [(one.number[0], int(one.number[1:])) for one in rules()]
    assert numbers == sorted(numbers)
    assert numbers[0] == ("D", 2)
    assert numbers[-1] == ("R", 514)


def test_every_rule_says_in_a_line_what_it_asks_for() -> None:
    for one in rules():
        assert one.title.endswith(".")
        assert 10 < len(one.title) < 120


def test_shoulds_are_warnings() -> None:
    warnings = {one.number for one in DECLARED if one.severity is Severity.WARNING}
    assert warnings == {"D44", "R19", "R46", "R48", "R110", "R308", "R334", "R402"}


def test_a_rule_about_all_payloads_looks_at_each() -> None:
    for cls in PAYLOADS.values():
        assert issubclass(cls, Payload)
    nested = CancelReport(request_id="1", report_request_id=("17",), schema_version=None)
    assert [finding.rule for finding in check(nested)] == ["R509"]


def test_findings_of_the_whole_stand_before_those_of_its_parts() -> None:
    worst = but(EVENTS, request_id="", events__target__ven_id=("a", "b"), events__event_signals__signal_type="price")
    assert [finding.rule for finding in check(worst)] == ["R41", "R63", "R116"]


@pytest.mark.parametrize(("number", "part"), [(number, part) for number, part, _, _ in BROKEN])
def test_a_rule_that_is_asked_for_alone_finds_what_it_finds_among_all(number: str, part: Part) -> None:
    assert check(part, number) == [finding for finding in check(part) if finding.rule == number]


def test_any_message_inside_a_document_is_judged_by_a_rule_alone() -> None:
    document = envelope.read(DOCUMENTS["oadrPoll"].encode())
    nameless = msgspec.structs.replace(document, message=Poll(ven_id="ven-1", schema_version=None))
    assert [finding.rule for finding in check(nameless, "R509")] == ["R509"]


def test_a_signal_type_that_is_kept_raw_is_judged_like_any_other() -> None:
    assert [finding.rule for finding in check(but(SIGNAL, signal_type="product"))] == ["R116"]
    assert [finding.rule for finding in check(but(PRICE, signal_type="x-own"))] == ["R104"]


@given(strategies.payloads())
def test_any_message_can_be_judged(message: Payload) -> None:
    for finding in check(message):
        assert isinstance(finding, Finding)
        assert finding.place
        assert finding.found
        assert finding.right
        assert str(finding) == f"{finding.place}: {finding.found}; {finding.right} ({finding.rule})"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_of_peers_can_be_judged(name: str) -> None:
    check_document(envelope.read(DOCUMENTS[name].encode()))


# --- refusing to send ------------------------------------------------------------------------------------------------


def refusal(part: Part) -> str:
    with pytest.raises(LocalProtocolError) as caught:
        refuse(part)
    return str(caught.value)


def test_a_message_that_breaks_rules_is_refused_with_all_of_them() -> None:
    assert refusal(but(EVENT, active_period__notification=None, target__ven_id=("a", "b"))) == (
        "target.ven_id: 2 venIDs; there is one at most (R63); "
        "active_period.notification: no x-eiNotification; it is there, PT0S if need be (R105)"
    )


def test_a_message_that_cannot_be_written_is_refused_before_the_rules_see_it() -> None:
    assert refusal(but(EVENT, event_descriptor__modification_number=-1, active_period__notification=None)) == (
        "EiEvent.event_descriptor.modification_number: is -1, not between 0 and 4294967295"
    )


def test_a_warning_does_not_keep_a_message_from_being_sent() -> None:
    refuse(but(PULL, transport_address="https://ven.example/"))


@pytest.mark.rule(63)
def test_an_event_for_several_vens_may_be_made_as_each_gets_its_own() -> None:
    refuse_event(but(EVENT, target__ven_id=("ven-1", "ven-2")))


@pytest.mark.rule(103)
def test_an_event_that_breaks_a_rule_is_refused_where_it_is_made() -> None:
    with pytest.raises(
        LocalProtocolError, match=r"^event_signals\[0\]\.intervals\[0\]\.dtstart: a dtstart; .* \(R103\)$"
    ):
        refuse_event(but(EVENT, event_signals__intervals__dtstart=NOON))

"""Messages that obey every rule, for tests to change."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from oadr_core.messages import (
    ActivePeriod,
    Available,
    CalendarDuration,
    CancelOpt,
    CreatedEvent,
    CreatedPartyRegistration,
    CreatedReport,
    CreateOpt,
    CreatePartyRegistration,
    DistributeEvent,
    EiEvent,
    EiResponse,
    EventBaseline,
    EventDescriptor,
    EventResponse,
    EventSignal,
    EventStatus,
    GreenButtonPayload,
    Interval,
    LoadControl,
    LoadControlState,
    OptType,
    Profile,
    ProfileName,
    RegisterReport,
    Report,
    ReportDescription,
    ReportInterval,
    ReportPayload,
    ReportRequest,
    ReportSpecifier,
    ResourceStatus,
    SamplingRate,
    SpecifierPayload,
    Target,
    Tolerance,
    Tolerate,
    Transport,
    TransportName,
    UpdateReport,
    Vavailability,
    measurement,
    signal_interval,
)
from oadr_core.testing import strategies

NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
NONE: Final = timedelta(0)
LONGEST: Final = timedelta(days=999_999_999)
MONTH: Final = CalendarDuration(months=1)

_PartT = TypeVar("_PartT", bound=msgspec.Struct)


def but(part: _PartT, **changes: Any) -> _PartT:
    """A part with some of its fields changed; ``a__b`` is the field ``b`` of what ``a`` holds, or of its first item."""
    for path, value in changes.items():
        name, _, rest = path.partition("__")
        if rest:
            inner = getattr(part, name)
            first, *others = inner if isinstance(inner, tuple) else (inner,)
            value = but(first, **{rest: value})
            value = (value, *others) if isinstance(inner, tuple) else value
        part = msgspec.structs.replace(part, **{name: value})
    return part


SIGNAL: Final = EventSignal(
    intervals=(signal_interval(0, HOUR, 1), signal_interval(1, HOUR, 2)),
    signal_name="SIMPLE",
    signal_type="level",
    signal_id="simple",
    current_value=0.0,
)
PRICE: Final = EventSignal(
    intervals=(signal_interval(0, 2 * HOUR, 0.25),),
    target=Target(end_device_asset=("Thermostat", "x-heat pump")),
    signal_name="ELECTRICITY_PRICE",
    signal_type="price",
    signal_id="price",
    measurement=measurement("currencyPerKWh", unit="EUR"),
)
BASELINE: Final = EventBaseline(
    dtstart=NOON,
    duration=2 * HOUR,
    intervals=(signal_interval(0, HOUR, 5), signal_interval(1, HOUR, 6)),
    baseline_id="baseline",
    baseline_name="last week",
    measurement=measurement("powerReal"),
)
EVENT: Final = EiEvent(
    event_descriptor=EventDescriptor(
        event_id="event-1",
        modification_number=0,
        market_context="http://program.example/peak",
        created_date_time=NOON - HOUR,
        event_status=EventStatus.FAR,
    ),
    active_period=ActivePeriod(dtstart=NOON, duration=2 * HOUR, notification=HOUR),
    event_signals=(SIGNAL, PRICE),
    event_baseline=BASELINE,
    target=Target(ven_id=("ven-1",), resource_id=("pump-1", "pump-2")),
)
ACTIVE: Final = but(
    EVENT,
    event_descriptor__event_status=EventStatus.ACTIVE,
    event_descriptor__created_date_time=NOON + HOUR,
    event_signals__current_value=2.0,
)
EVENTS: Final = DistributeEvent(
    request_id="1", vtn_id="vtn-1", events=(EVENT, but(EVENT, event_descriptor__event_id="event-2"))
)
ANSWER: Final = CreatedEvent(
    response=EiResponse(),
    event_responses=(
        EventResponse(request_id="1", event_id="event-1", modification_number=0, opt_type=OptType.OPT_IN),
        EventResponse(
            response_code=460, request_id="1", event_id="event-2", modification_number=0, opt_type=OptType.OPT_OUT
        ),
    ),
    ven_id="ven-1",
)
STATE: Final = LoadControlState(min=0.0, max=1.0, current=0.5)
STATUS: Final = ResourceStatus(online=True, manual_override=False, load_control_state=LoadControl(capacity=STATE))
USAGE_OFFER: Final = Report(
    duration=HOUR,
    report_descriptions=(
        ReportDescription(
            r_id="load",
            report_subject=Target(end_device_asset=("EVSE",)),
            report_data_source=Target(resource_id=("pump-1",)),
            report_type="usage",
            reading_type="Direct Read",
            measurement=measurement("powerReal"),
            sampling_rate=SamplingRate(min_period=timedelta(minutes=1), max_period=HOUR),
        ),
    ),
    report_request_id="0",
    report_specifier_id="usage",
    report_name="METADATA_TELEMETRY_USAGE",
    created_date_time=NOON,
)
STATUS_OFFER: Final = but(
    USAGE_OFFER,
    report_specifier_id="status",
    report_name="METADATA_TELEMETRY_STATUS",
    report_descriptions__report_type="x-resourceStatus",
    report_descriptions__reading_type="x-notApplicable",
    report_descriptions__measurement=None,
)
OFFERS: Final = RegisterReport(request_id="1", reports=(USAGE_OFFER, STATUS_OFFER), ven_id="ven-1")
REQUEST: Final = ReportRequest(
    report_request_id="17",
    report_specifier=ReportSpecifier(
        report_specifier_id="usage",
        granularity=timedelta(minutes=15),
        report_back_duration=HOUR,
        report_interval=ReportInterval(dtstart=NOON, duration=NONE),
        specifier_payloads=(SpecifierPayload(r_id="load"),),
    ),
)


def values(number: int, value: float | ResourceStatus, **rest: Any) -> Interval:
    """An interval of a report, an hour after the one before."""
    payload = ReportPayload(r_id="load", value=value)
    return Interval(**{"dtstart": NOON + number * HOUR, "duration": HOUR, **rest}, payloads=(payload,))


USAGE: Final = Report(
    dtstart=NOON,
    duration=2 * HOUR,
    intervals=(values(0, 1.0), values(1, 2.0)),
    report_request_id="17",
    report_specifier_id="usage",
    report_name="TELEMETRY_USAGE",
    created_date_time=NOON,
)
NUMBERED: Final = but(
    USAGE, duration=None, intervals=(values(0, 1.0, dtstart=None, uid="0"), values(1, 2.0, dtstart=None, uid="1"))
)
STATUSES: Final = but(USAGE, report_name="TELEMETRY_STATUS", intervals=(values(0, STATUS), values(1, STATUS)))
BUTTON: Final = but(
    USAGE,
    duration=None,
    report_name="HISTORY_GREENBUTTON",
    intervals=(Interval(payloads=(GreenButtonPayload(feed=strategies.FEEDS[0]),)),) * 2,
)
DATA: Final = UpdateReport(request_id="1", reports=(USAGE, NUMBERED, STATUSES, BUTTON), ven_id="ven-1")
ONE: Final = but(DATA, reports=(USAGE,))
SCHEDULE: Final = CreateOpt(
    opt_id="opt-1",
    opt_type=OptType.OPT_OUT,
    opt_reason="x-maintenance",
    market_context="http://program.example/peak",
    ven_id="ven-1",
    vavailability=Vavailability(components=(Available(dtstart=NOON, duration=HOUR),)),
    created_date_time=NOON,
    device_class=Target(end_device_asset=("Water_Heater",)),
)
CANCEL_OPT: Final = CancelOpt(request_id="1", opt_id="opt-1", ven_id="ven-1")
QUALIFIED: Final = but(
    SCHEDULE, market_context=None, vavailability=None, event_id="event-1", modification_number=0, device_class=None
)
PULL: Final = CreatePartyRegistration(
    request_id="1",
    profile_name=ProfileName.V20B,
    transport_name=TransportName.SIMPLE_HTTP,
    report_only=False,
    xml_signature=False,
    http_pull_model=True,
)
PUSH: Final = but(PULL, http_pull_model=False, transport_address="https://ven.example/")
XMPP: Final = but(
    PULL, transport_name=TransportName.XMPP, http_pull_model=None, transport_address="ven-1@xmpp.example/client"
)
REGISTERED: Final = CreatedPartyRegistration(
    response=EiResponse(),
    registration_id="registration-1",
    ven_id="ven-1",
    vtn_id="vtn-1",
    profiles=(
        Profile(profile_name=ProfileName.V20B, transports=(Transport(transport_name=TransportName.SIMPLE_HTTP),)),
    ),
    requested_oadr_poll_freq=timedelta(seconds=10),
)
PENDING: Final = CreatedReport(response=EiResponse(), pending_reports=("17", "18"))

OPEN_ENDED: Final = but(
    EVENT,
    active_period__duration=NONE,
    event_signals=(but(SIGNAL, intervals=(signal_interval(0, NONE, 1),)),),
    event_baseline=None,
)
WINDOW: Final = Tolerance(tolerate=Tolerate(startafter=HOUR))
IN_20A: Final = DistributeEvent(
    schema_version="2.0a",
    response=EiResponse(),
    request_id="1",
    vtn_id="vtn-1",
    events=(but(EVENT, event_signals=(SIGNAL,), event_baseline=None),),
)
OVER: Final = but(
    EVENT, event_descriptor__event_status=EventStatus.COMPLETED, event_descriptor__created_date_time=NOON + 2 * HOUR
)

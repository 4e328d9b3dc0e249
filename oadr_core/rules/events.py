"""Rules about events: 1 to 116."""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import reduce
from typing import Final

from oadr_core.codes import ResponseCode
from oadr_core.messages import (
    CalendarDuration,
    CreatedEvent,
    DeviceClass,
    DistributeEvent,
    Duration,
    EiEvent,
    EventBaseline,
    EventSignal,
    EventStatus,
    Interval,
    OptType,
    SignalName,
    SignalPayload,
    SignalType,
    Target,
    add_duration,
    is_zero,
    status_at,
    urgency,
    value_at,
)
from oadr_core.rules.registry import Fault, Severity, rule, within

_SIMPLE: Final = (SignalName.SIMPLE, SignalName.SIMPLE_IN_LOWER_CASE)
_20A: Final = "2.0a"
_POWER: Final = ("powerReal", "powerApparent", "powerReactive")
_ENERGY: Final = ("energyReal", "energyApparent", "energyReactive")
_NONE: Final = ("",)


_SIGNALS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "SIMPLE": {"level": _NONE},
    "simple": {"level": _NONE},
    "ELECTRICITY_PRICE": {
        "price": ("currencyPerKWh",),
        "priceRelative": ("currencyPerKWh",),
        "priceMultiplier": _NONE,
    },
    "ENERGY_PRICE": {"price": ("currencyPerKWh",), "priceRelative": ("currencyPerKWh",), "priceMultiplier": _NONE},
    "DEMAND_CHARGE": {"price": ("currencyPerKW",), "priceRelative": ("currencyPerKW",), "priceMultiplier": _NONE},
    "BID_PRICE": {"price": ("currency",)},
    "BID_LOAD": {"setpoint": _POWER},
    "BID_ENERGY": {"setpoint": _ENERGY},
    "CHARGE_STATE": {"setpoint": _ENERGY, "delta": _ENERGY, "multiplier": _NONE},
    "LOAD_DISPATCH": {"setpoint": _POWER, "delta": _POWER, "multiplier": _NONE, "level": _POWER},
    "LOAD_CONTROL": {
        "x-loadControlCapacity": _NONE,
        "x-loadControlLevelOffset": _NONE,
        "x-loadControlSetpoint": _NONE,
        "x-loadControlPercentOffset": _NONE,
    },
}
"""Table 1 of the profile: the units that each well-known signal may have by its type; an empty text means none."""

_RANGES: Final[Mapping[tuple[str, str], tuple[float, float, bool]]] = {
    ("CHARGE_STATE", "multiplier"): (0.0, 1.0, False),
    ("LOAD_DISPATCH", "level"): (-10.0, 10.0, True),
    ("LOAD_CONTROL", "x-loadControlCapacity"): (0.0, 1.0, False),
    ("LOAD_CONTROL", "x-loadControlLevelOffset"): (-math.inf, math.inf, True),
}
"""The values that table 1 allows where it does not allow any: from, to, and whether they are whole numbers."""


@rule("R2", EventSignal)
@rule("R101", EventBaseline)
def uids(part: EventSignal | EventBaseline) -> Iterator[Fault]:
    """The intervals of a signal or a baseline are numbered 0, 1, 2 and so on."""
    for index, interval in enumerate(part.intervals):
        if interval.uid != str(index):
            found = "no uid" if interval.uid is None else f"the uid {interval.uid!r}"
            yield Fault(found, f"intervals count from 0, so this one has {index}", f"intervals[{index}].uid")


@rule("R8", EiEvent)
def signal_lengths(event: EiEvent) -> Iterator[Fault]:
    """The intervals of each signal take as long as the active period."""
    period = event.active_period
    for number, signal in enumerate(event.event_signals):
        faults = _lengths(signal.intervals, period.dtstart, period.duration, "the active period")
        yield from within(f"event_signals[{number}].intervals", faults)


@rule("R102", EventBaseline)
def baseline_lengths(baseline: EventBaseline) -> Iterator[Fault]:
    """The intervals of a baseline take as long as the baseline."""
    yield from within("intervals", _lengths(baseline.intervals, baseline.dtstart, baseline.duration, "the baseline"))


@rule("R102", EventSignal)
@rule("R102", EventBaseline)
def interval_lengths(part: EventSignal | EventBaseline) -> Iterator[Fault]:
    """Each interval of a signal or a baseline has a duration."""
    for index, interval in enumerate(part.intervals):
        if interval.duration is None:
            yield Fault("no duration", "every interval has one", f"intervals[{index}].duration")


def _lengths(intervals: tuple[Interval, ...], begin: datetime, whole: Duration, name: str) -> Iterator[Fault]:
    """Compare what intervals take altogether; months by themselves, or else by the calendar from the start on."""
    lengths = [interval.duration for interval in intervals if interval.duration is not None]
    if len(lengths) != len(intervals):
        return  # rule 102 says it
    total, wanted = _total(lengths), _total([whole])
    if total == wanted:
        return
    by_calendar = any(isinstance(one, CalendarDuration) for one in (*lengths, whole))
    if by_calendar and reduce(add_duration, lengths, begin) == add_duration(begin, whole):
        return
    found = "more than can be told" if total is None else _shown(total)
    right = f"{name} has no end, and so a single interval of no length"
    yield Fault(f"the intervals take {found}", right if is_zero(whole) else f"{name} takes {_shown(wanted)}")


_Total = tuple[int, timedelta]
"""Calendar months, and the rest."""


def _total(lengths: Iterable[Duration]) -> _Total | None:
    """Add durations up; None where that is more than can be told."""
    months, rest = 0, timedelta(0)
    try:
        for one in lengths:
            months += one.months if isinstance(one, CalendarDuration) else 0
            rest += one.rest if isinstance(one, CalendarDuration) else one
    except OverflowError:
        return None
    return months, rest


def _shown(total: _Total | None) -> str:
    months, rest = total or (0, timedelta(0))
    if not months:
        return str(rest)
    return f"{months} calendar month{'s' if abs(months) != 1 else ''}" + (f" and {rest}" if rest else "")


@rule("R9", EventSignal)
def simple_values(signal: EventSignal) -> Iterator[Fault]:
    """SIMPLE asks for 0 (normal), 1 (moderate), 2 (high) or 3 (special)."""
    if signal.signal_name in _SIMPLE:
        for index, interval in enumerate(signal.intervals):
            value = interval.signal_value
            if value is not None and value not in (0, 1, 2, 3):
                yield Fault(f"the value {value:g}", "SIMPLE has the values 0, 1, 2 and 3", f"intervals[{index}]")


@rule("R13", EiEvent)
def sendable_status(event: EiEvent) -> Iterator[Fault]:
    """The status is far, near or active, or cancelled; completed only while a random start may still run."""
    status, tolerance = event.event_descriptor.event_status, event.active_period.tolerance
    window = None if tolerance is None else tolerance.tolerate.startafter
    may_run = window is not None and not is_zero(window)
    if status is EventStatus.NONE or (status is EventStatus.COMPLETED and not may_run):
        right = "it is far, near, active or cancelled"
        yield Fault(f"the status {status.value}", right, "event_descriptor.event_status")


_STAGES: Final = (EventStatus.FAR, EventStatus.NEAR, EventStatus.ACTIVE, EventStatus.COMPLETED)
_TOLERANCE: Final = timedelta(seconds=1)
"""Times are told in whole seconds."""


def stage_of(status: EventStatus) -> int | None:
    """Find the place of a status in the life of an event; None for those that have none, such as cancelled."""
    return _STAGES.index(status) if status in _STAGES else None


def due_status(event: EiEvent, *, late: bool) -> EventStatus | None:
    """Find the status that an event should have had when its payload was made; None where it is not beyond that.

    :param event: the event.
    :param late: whether to look for a status that is behind the due one; else for one that is ahead of it.
    """
    descriptor = event.event_descriptor
    slack = -_TOLERANCE if late else _TOLERANCE
    due = status_at(event.active_period, add_duration(descriptor.created_date_time, slack))
    stage, right = stage_of(descriptor.event_status), stage_of(due)
    if stage is None or right is None or isinstance(event.active_period.ramp_up, CalendarDuration):
        return None  # how long a ramp-up in months takes is a matter of opinion
    return due if (stage < right if late else stage > right) else None


@rule("R13", EiEvent)
def no_status_before_its_time(event: EiEvent) -> Iterator[Fault]:
    """An event is near when its ramp-up begins, active when it starts and completed when it ends, never earlier."""
    due = due_status(event, late=False)
    if due is not None and not _is_completed_without_end(event):  # rule 47 says that
        found = f"the status {event.event_descriptor.event_status}"
        yield Fault(found, f"it is {due} at the createdDateTime", "event_descriptor.event_status")


@rule("R47", EiEvent)
def open_ended(event: EiEvent) -> Iterator[Fault]:
    """An event of no duration has no end: it is never completed."""
    if _is_completed_without_end(event):
        right = "an event of no duration goes on until it is cancelled"
        yield Fault("the status completed", right, "event_descriptor.event_status")


def _is_completed_without_end(event: EiEvent) -> bool:
    return event.event_descriptor.event_status is EventStatus.COMPLETED and is_zero(event.active_period.duration)


@rule("R14", EiEvent)
def simple_current_value(event: EiEvent) -> Iterator[Fault]:
    """The current value of SIMPLE is 0 unless the event is active."""
    if event.event_descriptor.event_status is EventStatus.ACTIVE:
        return
    for number, signal in enumerate(event.event_signals):
        if signal.signal_name in _SIMPLE and signal.current_value not in (None, 0):
            yield Fault(
                f"the current value {signal.current_value:g} while {event.event_descriptor.event_status.value}",
                "it is 0 unless the event is active",
                f"event_signals[{number}].current_value",
            )


@rule("R29", EiEvent)
def current_value(event: EiEvent) -> Iterator[Fault]:
    """The current value of a signal is that of the interval in force when the payload was made."""
    descriptor = event.event_descriptor
    if descriptor.event_status is not EventStatus.ACTIVE:
        return
    for number, signal in enumerate(event.event_signals):
        value = value_at(signal, event.active_period, descriptor.created_date_time)
        if None not in (value, signal.current_value) and value != signal.current_value:
            found = f"the current value {signal.current_value:g}"
            yield Fault(found, f"it is {value:g} at this time", f"event_signals[{number}].current_value")


@rule("R63", EiEvent)
def one_ven(event: EiEvent) -> Iterator[Fault]:
    """The target of an event names one VEN at most."""
    if len(event.target.ven_id) > 1:
        yield Fault(f"{len(event.target.ven_id)} venIDs", "there is one at most", "target.ven_id")


@rule("R100", EventSignal)
@rule("R100", EventBaseline)
def one_payload(part: EventSignal | EventBaseline) -> Iterator[Fault]:
    """Each interval of a signal or a baseline holds one signalPayload with one number."""
    for index, interval in enumerate(part.intervals):
        payload = interval.payloads[0] if len(interval.payloads) == 1 else None
        if not isinstance(payload, SignalPayload) or not isinstance(payload.value, float | int):
            kinds = ", ".join(type(one).__name__ for one in interval.payloads) or "nothing"
            yield Fault(f"{kinds} in an interval", "there is one signalPayload with a number", f"intervals[{index}]")


@rule("R103", EventSignal)
@rule("R103", EventBaseline)
def no_dtstart(part: EventSignal | EventBaseline) -> Iterator[Fault]:
    """The intervals of a signal or a baseline have no dtstart."""
    for index, interval in enumerate(part.intervals):
        if interval.dtstart is not None:
            right = "intervals of events follow one another, and have no dtstart of their own"
            yield Fault("a dtstart", right, f"intervals[{index}].dtstart")


@rule("R104", EventSignal)
def well_known_signals(signal: EventSignal) -> Iterator[Fault]:
    """A well-known signal has a type, a unit and values of table 1."""
    types = _SIGNALS.get(signal.signal_name)
    if types is None:
        return
    units = types.get(signal.signal_type)
    if units is None:
        if signal.signal_name not in _SIMPLE:  # rule 116 says it of SIMPLE
            right = f"{signal.signal_name} has the types {', '.join(types)}"
            yield Fault(f"the type {signal.signal_type}", right, "signal_type")
        return
    unit = getattr(signal.measurement, "name", "")
    if unit not in units:
        right = "it has none" if units == _NONE else f"it has {' or '.join(units)}"
        found = f"the unit {unit}" if unit else "no unit"
        yield Fault(f"{found} for {signal.signal_name} of type {signal.signal_type}", right, "measurement")
    low, high, whole = _RANGES.get((signal.signal_name, signal.signal_type), (-math.inf, math.inf, False))
    for index, interval in enumerate(signal.intervals):
        value = interval.signal_value
        if value is not None and (not low <= value <= high or (whole and value != round(value, 0))):
            what = "whole numbers" if whole else "numbers"
            yield Fault(f"the value {value:g}", f"there are {what} from {low:g} to {high:g}", f"intervals[{index}]")


def is_known_signal(signal: EventSignal) -> bool:
    """Tell whether a receiver can know what a signal means: one of table 1 in type and unit, or a custom one.

    A unit that was left out is taken to be the one that the table asks for.
    """
    types = _SIGNALS.get(signal.signal_name)
    if types is None:
        return signal.signal_name.startswith("x-")
    units = types.get(signal.signal_type, ())
    return bool(units) and (signal.measurement is None or getattr(signal.measurement, "name", "") in units)


@rule("R105", EiEvent)
def notification(event: EiEvent) -> Iterator[Fault]:
    """An event says how long before its start it is announced."""
    if event.active_period.notification is None:
        yield Fault("no x-eiNotification", "it is there, PT0S if need be", "active_period.notification")


@rule("R107", EiEvent)
def signal_ids(event: EiEvent) -> Iterator[Fault]:
    """Where an event has several signals, each has an id of its own."""
    seen: set[str] = set()
    for number, signal in enumerate(event.event_signals):
        if len(event.event_signals) > 1 and (not signal.signal_id or signal.signal_id in seen):
            place = f"event_signals[{number}].signal_id"
            yield Fault(f"the signalID {signal.signal_id!r}", "it is unique in the event", place)
        seen.add(signal.signal_id)


@rule("R110", EiEvent, severity=Severity.WARNING)
def no_current_value(event: EiEvent) -> Iterator[Fault]:
    """Signals other than SIMPLE have no current value unless the event is active."""
    if event.event_descriptor.event_status is EventStatus.ACTIVE:
        return
    for number, signal in enumerate(event.event_signals):
        if signal.signal_name not in _SIMPLE and signal.current_value is not None:
            right = "it means nothing while the event is not active"
            yield Fault("a current value", right, f"event_signals[{number}].current_value")


def device_classes_only(target: Target) -> Iterator[Fault]:
    """Find what does not belong into a target of device classes (rules 111, 209 and 307)."""
    others = [name for name in target.__struct_fields__ if name != "end_device_asset" and getattr(target, name)]
    for name in others:
        yield Fault(f"a target by {name}", "only device classes (endDeviceAsset) may stand here", name)
    if not others and not target.end_device_asset:
        yield Fault("an empty target", "it is left out where there is no device class")
    known = {one.value for one in DeviceClass}
    for device in target.end_device_asset:
        if device not in known and not device.startswith("x-"):
            right = "it is one of the profile's list, or begins with x-"
            yield Fault(f"the device class {device!r}", right, "end_device_asset")


@rule("R111", EventSignal)
def signal_target(signal: EventSignal) -> Iterator[Fault]:
    """The target of a signal names device classes and nothing else."""
    if signal.target is not None:
        yield from within("target", device_classes_only(signal.target))


@rule("R116", EventSignal)
def simple_type(signal: EventSignal) -> Iterator[Fault]:
    """SIMPLE has the type level."""
    if signal.signal_name in _SIMPLE and signal.signal_type != SignalType.LEVEL:
        yield Fault(f"the type {signal.signal_type}", "SIMPLE has the type level", "signal_type")


@rule("R41", DistributeEvent)
def list_request_id(message: DistributeEvent) -> Iterator[Fault]:
    """A list of events has a requestID."""
    if not message.request_id:
        yield Fault("an empty requestID", "it has a value, which answers repeat", "request_id")


@rule("R15", DistributeEvent)
def order_of_list(message: DistributeEvent) -> Iterator[Fault]:
    """Active events come first, by priority and then by start; those to come follow by start."""
    before: tuple[tuple[int, int, datetime], EiEvent] | None = None
    for number, event in enumerate(message.events):
        place = _place_in_list(event)
        if place is None:
            continue
        if before is not None and place < before[0]:
            found = f"{_described(event)} after {_described(before[1])}"
            yield Fault(found, "it comes before that", f"events[{number}]")
        before = place, event


def _place_in_list(event: EiEvent) -> tuple[int, int, datetime] | None:
    """What orders the events of a list; None for those that rule 15 leaves free: cancelled and completed ones."""
    descriptor, start = event.event_descriptor, event.active_period.dtstart
    if descriptor.event_status is EventStatus.ACTIVE:
        return 0, urgency(descriptor), start
    if descriptor.event_status in (EventStatus.FAR, EventStatus.NEAR):
        return 1, 0, start
    return None


def _described(event: EiEvent) -> str:
    descriptor = event.event_descriptor
    urgency = f" of priority {descriptor.priority}" if descriptor.priority else ""
    return f"{descriptor.event_status}{urgency} from {event.active_period.dtstart:%Y-%m-%dT%H:%M:%SZ}"


@rule("R7", DistributeEvent)
def one_signal_in_20a(message: DistributeEvent) -> Iterator[Fault]:
    """In 2.0a an event has one signal, which is SIMPLE."""
    for number, event in enumerate(message.events) if message.schema_version == _20A else ():
        names = [one.signal_name for one in event.event_signals]
        if len(names) != 1 or names[0] not in _SIMPLE:
            place = f"events[{number}].event_signals"
            yield Fault(f"the signals {', '.join(names)}", "2.0a has one, SIMPLE", place)


@rule("R113", DistributeEvent)
def current_values_in_20a(message: DistributeEvent) -> Iterator[Fault]:
    """In 2.0a each signal has a current value."""
    for number, event in enumerate(message.events) if message.schema_version == _20A else ():
        for index, signal in enumerate(event.event_signals):
            if signal.current_value is None:
                place = f"events[{number}].event_signals[{index}].current_value"
                yield Fault("no current value", "2.0a wants one", place)


@rule("R70", DistributeEvent)
def unique_events(message: DistributeEvent) -> Iterator[Fault]:
    """An eventID denotes one event."""
    seen: set[str] = set()
    for number, event in enumerate(message.events):
        event_id = event.event_descriptor.event_id
        if event_id in seen or not event_id:
            found = f"the eventID {event_id!r} again" if event_id else "an empty eventID"
            yield Fault(found, "it is unique", f"events[{number}].event_descriptor.event_id")
        seen.add(event_id)


@rule("R115", DistributeEvent)
def one_created_date_time(message: DistributeEvent) -> Iterator[Fault]:
    """All events of a list have the same createdDateTime."""
    times = {event.event_descriptor.created_date_time for event in message.events}
    if len(times) > 1:
        yield Fault(f"{len(times)} different createdDateTime", "they are the same in all events of a list", "events")


@rule("R35", CreatedEvent)
def event_responses(message: CreatedEvent) -> Iterator[Fault]:
    """Event responses are there unless the whole message reports an error."""
    if message.response.ok and not message.event_responses:
        yield Fault("no event response", "a success answers at least one event", "event_responses")


@rule("R42", CreatedEvent)
def empty_request_id(message: CreatedEvent) -> Iterator[Fault]:
    """The response block has an empty requestID where there are event responses, which have their own."""
    if message.event_responses and message.response.request_id:
        yield Fault(f"the requestID {message.response.request_id!r}", "it is empty", "response.request_id")


@rule("R48", CreatedEvent, severity=Severity.WARNING)
def bad_events_are_out(message: CreatedEvent) -> Iterator[Fault]:
    """An event that cannot be carried out is answered with optOut."""
    for number, response in enumerate(message.event_responses or ()):
        if response.response_code >= 400 and response.opt_type is OptType.OPT_IN:
            yield Fault(f"optIn with the code {response.response_code}", "it is optOut", f"event_responses[{number}]")


@rule("R48", CreatedEvent, severity=Severity.WARNING)
def errors_of_single_events(message: CreatedEvent) -> Iterator[Fault]:
    """Where single events cannot be carried out, the message as a whole reports success."""
    responses = message.event_responses or ()
    if not message.response.ok and any(one.response_code >= 400 for one in responses):
        found = f"the code {message.response.response_code} beside answers to single events"
        yield Fault(found, "it is 200, and each answer has a code of its own", "response.response_code")


_ABOUT_AN_EVENT: Final = (
    ResponseCode.OUT_OF_SEQUENCE,
    ResponseCode.SIGNAL_NOT_SUPPORTED,
    ResponseCode.TARGET_MISMATCH,
    ResponseCode.DEPLOYMENT_ERROR,
)


@rule("R19", CreatedEvent, severity=Severity.WARNING)
def no_list_is_refused(message: CreatedEvent) -> Iterator[Fault]:
    """An event that cannot be carried out does not keep a VEN from the others of the list."""
    code = message.response.response_code
    if code in _ABOUT_AN_EVENT and not message.event_responses:
        right = "that is about one event, which has an answer of its own"
        yield Fault(f"the code {code} for a whole list", right, "response.response_code")

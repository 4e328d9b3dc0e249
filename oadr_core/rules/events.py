"""Rules about events: 1 to 116."""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import reduce
from typing import Final

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
    value_at,
)
from oadr_core.rules.registry import Fault, Severity, rule, within

_SIMPLE: Final = (SignalName.SIMPLE, SignalName.SIMPLE_IN_LOWER_CASE)
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

"""Building events and offers from what a person says: the few things that matter, the rest by the rules.

Both adapters, the command line and the tests build through here, so that what goes on the wire is the same everywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from oadr_core.clock import whole_seconds
from oadr_core.entropy import Entropy, new_id
from oadr_core.errors import LocalProtocolError
from oadr_core.handlers import Handler
from oadr_core.messages import (
    ActivePeriod,
    CreateOpt,
    Duration,
    EiEvent,
    EventDescriptor,
    EventSignal,
    EventStatus,
    GreenButtonDescription,
    Interval,
    Measurement,
    OptType,
    PowerAttributes,
    ReadingType,
    Report,
    ReportDescription,
    ReportName,
    ReportType,
    ResponseRequired,
    SamplingRate,
    SignalType,
    SiScaleCode,
    Target,
    Tolerance,
    Tolerate,
    Vavailability,
    measurement,
)
from oadr_core.rules.reports import Kind, kind_of
from oadr_core.wire.plain import part_from_dict

MARKET_CONTEXT: Final = "oadr://unknown.context"
"""The market context of an event that is given none."""


def make_event(
    entropy: Entropy,
    now: datetime,
    *,
    signal_name: str,
    signal_type: str,
    intervals: Sequence[object],
    dtstart: datetime | None = None,
    event_id: str | None = None,
    target: object = None,
    market_context: str = MARKET_CONTEXT,
    response_required: str = "always",
    notification_period: timedelta | None = None,
    ramp_up_period: timedelta | None = None,
    recovery_period: timedelta | None = None,
    startafter: timedelta | None = None,
    priority: int | None = None,
    test_event: bool = False,
    vtn_comment: str | None = None,
    measurement: object = None,
    signal_target_mrid: str | None = None,
) -> EiEvent:
    """Make an event with one signal.

    :param entropy: the source of ids.
    :param now: the present.
    :param signal_name: such as ``SIMPLE``.
    :param signal_type: such as ``level``.
    :param intervals: what is asked for when: dicts with ``duration`` and ``signal_payload``; the first may have
        ``dtstart``, which is that of the event then.
    :param dtstart: when the event begins; that of the first interval, or now.
    :param event_id: its id; made up if None.
    :param target: whom it is for within a VEN, as a dict of kinds, a list of such, or a
        :class:`~oadr_core.messages.targets.Target`.
    :param market_context: the program it belongs to.
    :param response_required: ``always`` or ``never``.
    :param notification_period: how long before the start it is announced.
    :param ramp_up_period: the time to reach the requested state.
    :param recovery_period: the time to go back.
    :param startafter: the width of the window for random starts.
    :param priority: 1 is the most urgent; None the least.
    :param test_event: whether it is a test.
    :param vtn_comment: free text.
    :param measurement: the unit of the values, as a name, a dict or a
        :class:`~oadr_core.messages.units.Measurement`.
    :param signal_target_mrid: the device class that the signal is meant for.
    :raises LocalProtocolError: something cannot be meant so; the text says what.
    """
    made = [_interval(one, number) for number, one in enumerate(intervals)]
    if not made:
        raise LocalProtocolError("an event needs at least one interval")
    begin = dtstart or next((one for one, _ in made[:1] if one is not None), None) or now
    signal = EventSignal(
        intervals=tuple(one for _, one in made),
        signal_name=signal_name,
        signal_type=_one_of(SignalType, signal_type, "signal_type"),
        signal_id=new_id(entropy),
        measurement=None if measurement is None else part_from_dict(Measurement, measurement),
        target=None if signal_target_mrid is None else Target(end_device_asset=(signal_target_mrid,)),
    )
    return EiEvent(
        event_descriptor=EventDescriptor(
            event_id=event_id or new_id(entropy),
            modification_number=0,
            priority=priority or None,
            market_context=market_context,
            created_date_time=whole_seconds(now),
            event_status=EventStatus.FAR,
            test_event="true" if test_event else None,
            vtn_comment=vtn_comment,
        ),
        active_period=ActivePeriod(
            dtstart=whole_seconds(_aware(begin, "dtstart")),
            duration=_total(one.duration for _, one in made),
            tolerance=None if startafter is None else Tolerance(tolerate=Tolerate(startafter=startafter)),
            notification=notification_period or timedelta(0),
            ramp_up=ramp_up_period,
            recovery=recovery_period,
        ),
        event_signals=(signal,),
        target=Target() if target is None else part_from_dict(Target, target),
        response_required=_one_of(ResponseRequired, response_required, "response_required"),
    )


def _interval(given: object, number: int) -> tuple[datetime | None, Interval]:
    """Make an interval as rules 2 and 103 want it; its dtstart goes to the event."""
    interval: Interval = part_from_dict(Interval, given)
    if interval.duration is None:
        raise LocalProtocolError(f"intervals[{number}].duration is missing")
    return interval.dtstart, msgspec.structs.replace(interval, dtstart=None, uid=str(number))


def _total(durations: Iterable[Duration | None]) -> timedelta:
    total = timedelta(0)
    for one in durations:
        if not isinstance(one, timedelta):
            raise LocalProtocolError("an interval of calendar months has no length; give the event as a whole")
        total += one
    return total


def _aware(instant: datetime, name: str) -> datetime:
    if instant.tzinfo is None:
        raise LocalProtocolError(f"{name}: {instant} has no time zone; use datetime.now(timezone.utc) or .astimezone()")
    return instant


def _one_of(members: Any, text: str, name: str) -> Any:
    try:
        return members(text)
    except ValueError:
        raise LocalProtocolError(f"{name} is {text!r}; it must be one of {', '.join(members)}") from None


def complete_event(given: object, entropy: Entropy, now: datetime) -> EiEvent:
    """Take an event as a whole, filling in what can be left out.

    :param given: an :class:`~oadr_core.messages.event.EiEvent`, or a dict of one. Of the descriptor only
        ``market_context`` has to be there, of the active period nothing where the intervals of the first signal tell.
    :param entropy: the source of ids.
    :param now: the present.
    :raises LocalProtocolError: it is no event; the text says what is wrong.
    """
    if not isinstance(given, Mapping):
        event: EiEvent = part_from_dict(EiEvent, given)
        return event
    content = dict(given)
    content["event_descriptor"] = _descriptor(content.get("event_descriptor"), entropy, now)
    signals = []
    if isinstance(content.get("event_signals"), Sequence):  # what is no list is refused below
        signals = [_signal(one, number) for number, one in enumerate(content["event_signals"])]
        content["event_signals"] = [signal for _, signal in signals]
    content["active_period"] = _period(content.get("active_period"), signals, now)
    content.setdefault("response_required", ResponseRequired.ALWAYS)
    completed: EiEvent = part_from_dict(EiEvent, content)
    return completed


def _descriptor(given: object, entropy: Entropy, now: datetime) -> object:
    if given is not None and not isinstance(given, Mapping):
        return given
    defaults = {
        "event_id": new_id(entropy),
        "modification_number": 0,
        "market_context": MARKET_CONTEXT,
        "created_date_time": whole_seconds(now),
        "event_status": EventStatus.FAR,
    }
    told = {key: value for key, value in (given or {}).items() if value is not None}
    if not told.get("priority"):
        told.pop("priority", None)  # none and 0 are the same, and only one is sent (decision D15)
    return {**defaults, **told}


def _signal(given: object, number: int) -> tuple[datetime | None, object]:
    """Put the intervals of a signal right; returns also when the first begins, if it says so."""
    if not isinstance(given, Mapping) or not isinstance(given.get("intervals"), Sequence):
        return None, given
    made = [_interval(one, index) for index, one in enumerate(given["intervals"])]
    begin = next((start for start, _ in made[:1]), None)
    return begin, {"signal_id": str(number), **given, "intervals": [one for _, one in made]}


def _period(given: object, signals: Sequence[tuple[datetime | None, object]], now: datetime) -> object:
    if given is not None and not isinstance(given, Mapping):
        return given
    told = {key: value for key, value in (given or {}).items() if value is not None}
    begin, first = signals[0] if signals else (None, None)
    if "dtstart" not in told:
        told["dtstart"] = whole_seconds(begin or now)
    if "duration" not in told and isinstance(first, Mapping) and isinstance(first.get("intervals"), list):
        told["duration"] = _total(one.duration for one in first["intervals"])
    if "notification" not in told and "notification_period" not in told:
        told["notification"] = timedelta(0)
    return told


def make_opt(
    entropy: Entropy,
    now: datetime,
    *,
    opt_type: str,
    opt_reason: str,
    targets: object = None,
    vavailability: object = None,
    event_id: str | None = None,
    modification_number: int | None = None,
    opt_id: str | None = None,
    request_id: str | None = None,
    market_context: str | None = None,
    signal_target_mrid: str | None = None,
) -> CreateOpt:
    """Make an opt; the VEN that sends it fills its venID in.

    :param entropy: the source of ids.
    :param now: the present.
    :param opt_type: ``optIn`` or ``optOut``.
    :param opt_reason: such as ``economic``, or an ``x-`` text.
    :param targets: which resources, as a dict of kinds, a list of such, or a
        :class:`~oadr_core.messages.targets.Target`; all if None.
    :param vavailability: the stretches of a schedule: dicts with ``dtstart`` and ``duration``, in a list or under
        ``components``; a duration of zero is open-ended.
    :param event_id: the event, where there is no schedule.
    :param modification_number: its modification; the one that the VEN knows if None.
    :param opt_id: made up if None.
    :param request_id: made up if None.
    :param market_context: limits a schedule to the events of a program.
    :param signal_target_mrid: limits it to a device class.
    :raises LocalProtocolError: something cannot be meant so; the text says what.
    """
    return CreateOpt(
        opt_id=opt_id or new_id(entropy),
        opt_type=_one_of(OptType, opt_type, "opt_type"),
        opt_reason=opt_reason,
        market_context=market_context,
        ven_id="",
        vavailability=None if vavailability is None else _schedule(vavailability),
        created_date_time=whole_seconds(now),
        request_id=request_id or new_id(entropy),
        event_id=event_id,
        modification_number=modification_number,
        target=Target() if targets is None else part_from_dict(Target, targets),
        device_class=None if signal_target_mrid is None else Target(end_device_asset=(signal_target_mrid,)),
    )


def _schedule(given: object) -> Vavailability:
    """A schedule of the stretches that were given, in UTC and whole seconds (rule 1).

    By local time a day may have 23 hours, and a VTN does not know where; so both sides reckon in UTC.
    """
    content = {"components": given} if isinstance(given, list | tuple) else given
    schedule: Vavailability = part_from_dict(Vavailability, content)
    stretches = (
        msgspec.structs.replace(one, dtstart=whole_seconds(_aware(one.dtstart, "dtstart").astimezone(UTC)))
        for one in schedule.components
    )
    return msgspec.structs.replace(schedule, components=tuple(stretches))


class Collection(StrEnum):
    """How the values of a data point are got from the application."""

    INCREMENTAL = "incremental"
    """A callback is called at every sample, and returns the value."""
    FULL = "full"
    """A callback is called once for each report, and returns all the values of its time."""
    SUBMIT = "submit"
    """The application hands values over whenever it has them; each report holds those of its time."""
    NEXT = "next"
    """The handler ``next_report``, at a VTN ``on_request_report``, is called once for each report as a whole."""


class DataPoint(msgspec.Struct, frozen=True):
    """A data point that can be reported, and where its values come from.

    :param description: what it is.
    :param callback: reads it; None where its values are submitted, or come from ``next_report``.
    :param collection: how it is read.
    :param accumulates: whether a value is about the stretch of time from one sample to the next, and not about an
        instant (rule 315).
    """

    description: ReportDescription
    callback: Handler | None
    collection: Collection = Collection.INCREMENTAL
    accumulates: bool = False


def data_point(
    callback: Handler | None = None,
    *,
    r_id: str,
    resource_id: str | None = None,
    measurement: object = "power_real",
    report_name: str = ReportName.TELEMETRY_USAGE,
    report_type: str | None = None,
    reading_type: str | None = None,
    sampling_rate: object = None,
    unit: str | None = None,
    scale: str = SiScaleCode.NONE,
    power_ac: bool | None = None,
    power_hertz: float | None = None,
    power_voltage: float | None = None,
    market_context: str | None = None,
    end_device_asset_mrid: str | None = None,
    report_data_source: object = None,
    data_collection_mode: str = Collection.INCREMENTAL,
    accumulates: bool | None = None,
) -> DataPoint:
    """Describe a data point.

    :param callback: reads it; see :func:`oadr_core.auto.readings.readings` for what it may return. It may ask for
        ``date_from``, ``date_to``, ``sampling_interval``, ``r_id`` and ``due``. None where the collection mode is
        ``submit`` or ``next``.
    :param r_id: its id within the report.
    :param resource_id: the resource that it is read from.
    :param measurement: what it measures: a name such as ``power_real``, a dict, or a
        :class:`~oadr_core.messages.units.Measurement`; any other name makes a custom unit. None for a status.
    :param report_name: the report profile.
    :param report_type: one of :class:`~oadr_core.messages.enums.ReportType`, or an ``x-`` text.
    :param reading_type: one of :class:`~oadr_core.messages.enums.ReadingType`, or an ``x-`` text.
    :param sampling_rate: how often it can be read: a ``timedelta``, a dict with ``min_period`` and ``max_period``, or a
        :class:`~oadr_core.messages.report.SamplingRate`; from 10 seconds to an hour if None.
    :param unit: the unit, where the measurement leaves a choice.
    :param scale: the power of ten of the unit, such as ``k``.
    :param power_ac: whether a power is of alternating current; it is if None.
    :param power_hertz: the frequency of a power, in hertz; 50 if None.
    :param power_voltage: the voltage of a power, in volt; 230 if None.
    :param market_context: the program it belongs to.
    :param end_device_asset_mrid: the device class that it is about.
    :param report_data_source: where it is read from, instead of ``resource_id``.
    :param data_collection_mode: how it is read, see :class:`Collection`; history is always read as a whole.
    :param accumulates: whether a value is about the time from one sample to the next; as ``report_type`` and
        ``reading_type`` say if None.
    :raises LocalProtocolError: something cannot be meant so; the text says what.
    """
    source = report_data_source
    if source is None and resource_id is not None:
        source = Target(resource_id=(resource_id,))
    name = report_name.removeprefix("METADATA_")
    is_status, is_history = name == ReportName.TELEMETRY_STATUS, name.startswith("HISTORY_")
    if is_status or (name == ReportName.HISTORY_GREENBUTTON and isinstance(measurement, str)):
        measurement = None
    power = _power(power_ac, power_hertz, power_voltage)
    description = ReportDescription(
        r_id=r_id,
        report_subject=None if end_device_asset_mrid is None else Target(end_device_asset=(end_device_asset_mrid,)),
        report_data_source=None if source is None else part_from_dict(Target, source),
        report_type=report_type or (ReportType.X_RESOURCE_STATUS if is_status else ReportType.USAGE),
        measurement=None if measurement is None else _measurement(measurement, unit, scale, power),
        reading_type=reading_type or (ReadingType.X_NOT_APPLICABLE if is_status else ReadingType.DIRECT_READ),
        market_context=market_context,
        sampling_rate=None if is_history and sampling_rate is None else _rate(sampling_rate),
    )
    mode = _one_of(Collection, data_collection_mode, "data_collection_mode")
    if is_history and mode is Collection.INCREMENTAL:
        mode = Collection.FULL
    if (callback is None) is (mode in (Collection.INCREMENTAL, Collection.FULL)):
        wants = "needs a callback" if callback is None else "takes no callback"
        raise LocalProtocolError(f"{r_id}: the collection mode {mode!s} {wants}")
    is_about_time = kind_of(description) is Kind.INTERVAL if accumulates is None else accumulates
    return DataPoint(description, callback, mode, is_about_time)


def _power(ac: bool | None, hertz: float | None, voltage: float | None) -> PowerAttributes | None:
    """The attributes of a power, where any is given; they do not belong to other measurements."""
    if ac is None and hertz is None and voltage is None:
        return None
    return PowerAttributes(
        hertz=50.0 if hertz is None else hertz, voltage=230.0 if voltage is None else voltage, ac=ac is not False
    )


def _measurement(
    given: object, unit: str | None, scale: str, power: PowerAttributes | None
) -> Measurement | GreenButtonDescription:
    if isinstance(given, GreenButtonDescription):
        return given
    if not isinstance(given, str):
        made: Measurement = part_from_dict(Measurement, given)
        return made
    try:
        return measurement(given, unit=unit, scale=scale, power_attributes=power)
    except ValueError as error:
        raise LocalProtocolError(str(error)) from None


def _rate(given: object) -> SamplingRate:
    if given is None:
        return SamplingRate(min_period=timedelta(seconds=10), max_period=timedelta(hours=1))
    if isinstance(given, timedelta):
        given = {"min_period": given, "max_period": given}
    if isinstance(given, Mapping):
        given = {"on_change": False, **given}
    rate: SamplingRate = part_from_dict(SamplingRate, given)
    for name, period in (("min_period", rate.min_period), ("max_period", rate.max_period)):
        if isinstance(period, timedelta) and period < timedelta(0):
            raise LocalProtocolError(f"sampling_rate.{name} is {period}; a period is not negative")
    return rate


def make_offer(
    report_specifier_id: str,
    points: Sequence[DataPoint],
    now: datetime,
    *,
    report_name: str = ReportName.TELEMETRY_USAGE,
    report_duration: timedelta | None = None,
) -> Report:
    """Make the offer of a report, as oadrRegisterReport holds it (rules 305, 311, 312 and 331).

    :param report_specifier_id: its id.
    :param points: what it can report.
    :param now: the present.
    :param report_name: the report profile, with or without ``METADATA_``.
    :param report_duration: how much data is kept; as much as the longest sampling period, an hour at least, if None.
    """
    longest = [one.description.sampling_rate.max_period for one in points if one.description.sampling_rate]
    kept = max([timedelta(hours=1), *(one for one in longest if isinstance(one, timedelta))])
    name = report_name if report_name.startswith(("METADATA_", "x-")) else f"METADATA_{report_name}"
    return Report(
        duration=report_duration or kept,
        report_descriptions=tuple(one.description for one in points),
        report_request_id="0",
        report_specifier_id=report_specifier_id,
        report_name=name,
        created_date_time=whole_seconds(now),
    )

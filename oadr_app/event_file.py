"""An event as a file: what ``oadr event create --file`` reads, ``oadr event show --json`` prints, and flags change.

There is one form of an event for people, with the names that events have everywhere else. It is read from TOML or JSON,
printed as JSON, sent to the VTN, and compared. docs/events.md explains every field.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from oadr_app.checked import ConfigError, Refused, checked, name_of, read_toml_or_json
from oadr_app.periods import Length, Moment, instant
from oadr_core import (
    EiEvent,
    Entropy,
    EventBaseline,
    EventSignal,
    FeatureCollection,
    GreenButtonDescription,
    Interval,
    LocalProtocolError,
    Measurement,
    PowerAttributes,
    ResponseRequired,
    Target,
    TransportInterface,
    complete_event,
    measurement,
    refuse_event,
)

_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file; what it does not know is refused."""


class DescriptorForm(_Table, frozen=True, kw_only=True):
    """``[event_descriptor]``: what the event is.

    :param event_id: its id; made up if None.
    :param modification_number: the modification that this form was made of. A VTN refuses to replace another one by it;
        a new event has 0, or none.
    :param modification_reason: why it was changed.
    :param market_context: the program it belongs to, a URI.
    :param priority: 1 is the most urgent; 0 or None the least.
    :param test_event: whether it is a test; any text but ``false`` says so too.
    :param vtn_comment: a word to whom it concerns.
    """

    event_id: _Name | None = None
    modification_number: _Number | None = None
    modification_reason: str | None = None
    market_context: str | None = None
    priority: _Number | None = None
    test_event: bool | str | None = None
    vtn_comment: str | None = None


class PeriodForm(_Table, frozen=True, kw_only=True):
    """``[active_period]``: when the event takes place.

    :param dtstart: when it begins; now if None.
    :param duration: how long it takes, 0 for no end; what the intervals of a signal take if None.
    :param startafter: the window in which each VEN picks a random start.
    :param notification: how long before its start it is announced; nothing if None.
    :param ramp_up: the time to reach the requested state: before the start, or after it if negative.
    :param recovery: the time to go back: after the end, or before it if negative.
    """

    dtstart: Moment | None = None
    duration: Length | None = None
    startafter: Length | None = None
    notification: Length | None = None
    ramp_up: Length | None = None
    recovery: Length | None = None


class PowerForm(_Table, frozen=True, kw_only=True):
    """``power_attributes`` of a measurement: the kind of electricity.

    :param hertz: its frequency; 0 for direct current.
    :param voltage: its voltage.
    :param ac: whether it alternates.
    """

    hertz: float
    voltage: float
    ac: bool


class UnitForm(_Table, frozen=True, kw_only=True):
    """``measurement`` of a signal or a baseline: what its values measure.

    :param name: the quantity, such as ``powerReal`` or ``currencyPerKWh``; ``customUnit`` for one of your own.
    :param unit: the unit, where the quantity leaves a choice, such as ``EUR``.
    :param scale: the power of ten of the unit, such as ``k``.
    :param description: the description, where the quantity leaves a choice.
    :param power_attributes: the kind of electricity, for powers.
    :param pulse_factor: how much a pulse stands for, for ``pulseCount``.
    :param feed: a Green Button feed as XML, instead of all others.
    """

    name: _Name | None = None
    unit: str | None = None
    scale: str | None = None
    description: str | None = None
    power_attributes: PowerForm | None = None
    pulse_factor: float | None = None
    feed: str | None = None


class IntervalForm(_Table, frozen=True, kw_only=True):
    """One of ``intervals``: what is asked for, for a while.

    :param duration: how long; as long as the whole if it is the only one.
    :param signal_payload: the value.
    """

    duration: Length | None = None
    signal_payload: float


class SignalForm(_Table, frozen=True, kw_only=True):
    """One of ``[[event_signals]]``: one thing that the event asks for.

    :param signal_name: a well-known one such as ``SIMPLE``, or an ``x-`` text.
    :param signal_type: how its values are meant, such as ``level``.
    :param signal_id: its id, unique in the event; its number if None.
    :param measurement: what its values measure; a text is the name of a quantity.
    :param device_classes: the device classes that it is meant for; all if empty.
    :param intervals: its values, one after the other.
    """

    signal_name: str
    signal_type: str
    signal_id: str | None = None
    measurement: UnitForm | _Name | None = None
    device_classes: tuple[_Name, ...] = ()
    intervals: Annotated[tuple[IntervalForm, ...], msgspec.Meta(min_length=1)]


class BaselineForm(_Table, frozen=True, kw_only=True):
    """``[event_baseline]``: the load that would have been without the event.

    :param dtstart: when it begins.
    :param duration: how long it takes.
    :param baseline_id: its id.
    :param baseline_name: its name.
    :param resource_id: the resources whose sum it is.
    :param measurement: what its values measure; a text is the name of a quantity.
    :param intervals: its values, one after the other.
    """

    dtstart: Moment
    duration: Length
    baseline_id: str
    baseline_name: str
    resource_id: tuple[str, ...] = ()
    measurement: UnitForm | _Name | None = None
    intervals: Annotated[tuple[IntervalForm, ...], msgspec.Meta(min_length=1)]


class AreaForm(_Table, frozen=True, kw_only=True):
    """A ``service_area`` or ``service_location`` of the targets: the ring around it.

    :param positions: latitude and longitude in turn, with blanks between.
    :param id: its id within the document.
    :param polygon_id: the id of its polygon within the document.
    """

    positions: str
    id: str | None = None
    polygon_id: str | None = None


class TransportForm(_Table, frozen=True, kw_only=True):
    """A ``transport_interface`` of the targets: its two ends.

    :param point_of_receipt: where energy is taken.
    :param point_of_delivery: where it is delivered.
    """

    point_of_receipt: str
    point_of_delivery: str


class TargetsForm(_Table, frozen=True, kw_only=True):
    """``[targets]``: whom the event is for within a VEN, any of them; the whole VEN if empty.

    The kinds are those of :class:`oadr_core.Target`.
    """

    aggregated_pnode: tuple[str, ...] = ()
    end_device_asset: tuple[str, ...] = ()
    meter_asset: tuple[str, ...] = ()
    pnode: tuple[str, ...] = ()
    service_area: tuple[AreaForm, ...] = ()
    service_delivery_point: tuple[str, ...] = ()
    service_location: tuple[AreaForm, ...] = ()
    transport_interface: tuple[TransportForm, ...] = ()
    group_id: tuple[str, ...] = ()
    group_name: tuple[str, ...] = ()
    resource_id: tuple[str, ...] = ()
    ven_id: tuple[str, ...] = ()
    party_id: tuple[str, ...] = ()


class AudienceForm(_Table, frozen=True, kw_only=True):
    """``[audience]``: which VENs get the event, any that one of these names; all if there is none.

    :param vens: VENs, by id or by name.
    :param group_ids: VENs in these groups.
    :param resource_ids: VENs with these resources.
    :param party_ids: VENs that act for these parties.
    :param market_contexts: VENs in these programs.
    :param everyone: every VEN, those that register later as well.
    """

    vens: tuple[_Name, ...] = ()
    group_ids: tuple[_Name, ...] = ()
    resource_ids: tuple[_Name, ...] = ()
    party_ids: tuple[_Name, ...] = ()
    market_contexts: tuple[_Name, ...] = ()
    everyone: bool = False

    def __bool__(self) -> bool:
        """Whether anybody is named."""
        return any(getattr(self, name) for name in self.__struct_fields__)


class EventForm(_Table, frozen=True, kw_only=True):
    """An event in the form for people.

    :param event_descriptor: what it is.
    :param active_period: when it takes place.
    :param event_signals: what it asks for.
    :param event_baseline: the load that would have been without it.
    :param targets: whom it is for within a VEN.
    :param response_required: whether it must be answered.
    :param audience: which VENs get it.
    :param state: how it stands, as ``oadr event show --json`` prints it; nobody reads it.
    """

    event_descriptor: DescriptorForm = DescriptorForm()
    active_period: PeriodForm = PeriodForm()
    event_signals: Annotated[tuple[SignalForm, ...], msgspec.Meta(min_length=1)]
    event_baseline: BaselineForm | None = None
    targets: TargetsForm = TargetsForm()
    response_required: ResponseRequired = ResponseRequired.ALWAYS
    audience: AudienceForm = AudienceForm()
    state: Mapping[str, Any] | None = None


# --- reading and writing ---------------------------------------------------------------------------------------------


def read_file(path: Path, now: datetime) -> EventForm:
    """Read the file of an event, in TOML or JSON.

    :param path: the file; ``-`` for the standard input.
    :param now: the present, for times such as ``+15m``.
    :raises ConfigError: it cannot be read, or cannot be meant so; the text says where, what is wrong and what is right.
    """
    try:
        return read_form(read_toml_or_json(path), now)
    except Refused as error:
        raise error.within(name_of(path)) from None


def read_form(content: Mapping[str, Any], now: datetime) -> EventForm:
    """Read the form of an event.

    :param content: what TOML or JSON made of it.
    :param now: the present, for times such as ``+15m``.
    :raises Refused: it cannot be meant so.
    """

    def decode(kind: type, value: Any) -> Any:
        return _moment(value, now) if kind is Moment else _length(value)

    form = checked(EventForm, content, decode)
    return msgspec.structs.replace(form, state=None)


def _moment(value: Any, now: datetime) -> Moment:
    if isinstance(value, datetime):
        return Moment(value.astimezone(UTC))
    if not isinstance(value, str):
        raise ValueError(f'expected a time, such as 2026-11-20T18:00:00Z or "+15m", not {value!r}')
    return Moment(instant(value, now))


def _length(value: Any) -> Length:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f'expected a length of time, such as "90s" or "15m", not {value!r}')
    return Length.read(value if isinstance(value, str) else f"{value}s")


def written_form(form: EventForm) -> dict[str, Any]:
    """Write the form of an event as what JSON can hold."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(form, enc_hook=str))
    return {key: value for key, value in plain.items() if value != {}}


# --- to the event and back -------------------------------------------------------------------------------------------


def event_of(form: EventForm, entropy: Entropy, now: datetime) -> EiEvent:
    """Make the event that a form describes, by all rules.

    :param form: the form.
    :param entropy: the source of ids.
    :param now: the present.
    :raises ConfigError: the event breaks a rule; the text says which, and what would be right.
    """
    try:
        event = complete_event(_as_dict(form), entropy, now)
        refuse_event(event)
    except LocalProtocolError as error:
        raise ConfigError(_with_places_of_the_file(str(error))) from None
    return event


_PLACES: Final = {
    "EiEvent.": "",
    "active_period.tolerance.tolerate.": "active_period.",
    ".target.end_device_asset": ".device_classes",
    ".payloads[0].value": ".signal_payload",
    "target.ven_id": "targets.ven_id",
}
"""What has another name in an event than in its form."""


def _with_places_of_the_file(text: str) -> str:
    for name, other in _PLACES.items():
        text = text.replace(name, other)
    return text


def _as_dict(form: EventForm) -> dict[str, object]:
    """The event as a dict, as the core wants it."""
    whole = form.active_period.duration or _length_of_the_first_that_has_one(form.event_signals)
    descriptor = _given(form.event_descriptor)
    descriptor.pop("modification_number", None)
    if "test_event" in descriptor:
        descriptor["test_event"] = str(descriptor["test_event"])
        if isinstance(form.event_descriptor.test_event, bool):
            descriptor["test_event"] = descriptor["test_event"].lower()
    period = _given(msgspec.structs.replace(form.active_period, duration=whole))
    if "startafter" in period:
        period["tolerance"] = {"tolerate": {"startafter": period.pop("startafter")}}
    content: dict[str, object] = {
        "event_descriptor": descriptor,
        "active_period": period,
        "event_signals": [_signal_as_dict(one, number, whole) for number, one in enumerate(form.event_signals)],
        "targets": _targets_as_dict(form.targets),
        "response_required": form.response_required,
    }
    if form.event_baseline is not None:
        content["event_baseline"] = {
            **_given(form.event_baseline),
            "measurement": _unit_as_dict(form.event_baseline.measurement),
            "intervals": _intervals_as_dicts(
                form.event_baseline.intervals, form.event_baseline.duration, "event_baseline"
            ),
        }
    return content


def _given(form: _Table) -> dict[str, Any]:
    """What a table says, times and lengths of time as the core knows them."""
    plain: dict[str, Any] = {}
    for name in form.__struct_fields__:
        value = getattr(form, name)
        if isinstance(value, Length):
            value = value.duration
        elif isinstance(value, Moment):
            value = value.at.replace(microsecond=0)
        if value is not None:
            plain[name] = value
    return plain


def _signal_as_dict(signal: SignalForm, number: int, whole: Length | None) -> dict[str, object]:
    return {
        "signal_name": signal.signal_name,
        "signal_type": signal.signal_type,
        "signal_id": str(number) if signal.signal_id is None else signal.signal_id,
        "measurement": _unit_as_dict(signal.measurement),
        "target": {"end_device_asset": list(signal.device_classes)} if signal.device_classes else None,
        "intervals": _intervals_as_dicts(signal.intervals, whole, f"event_signals[{number}]"),
    }


def _intervals_as_dicts(
    intervals: tuple[IntervalForm, ...], whole: Length | None, place: str
) -> list[dict[str, object]]:
    dicts: list[dict[str, object]] = []
    for number, one in enumerate(intervals):
        length = whole if one.duration is None and len(intervals) == 1 else one.duration
        if length is None:
            raise LocalProtocolError(f"{place}.intervals[{number}].duration is missing")
        dicts.append({"uid": str(number), "signal_payload": one.signal_payload, "duration": length.duration})
    return dicts


def _length_of_the_first_that_has_one(signals: tuple[SignalForm, ...]) -> Length | None:
    """How long an event takes that does not say so: as long as the intervals of a signal that do."""
    for signal in signals:
        lengths = [one.duration.duration for one in signal.intervals if one.duration is not None]
        if len(lengths) == len(signal.intervals) == 1:
            return Length(lengths[0])
        plain = [one for one in lengths if isinstance(one, timedelta)]
        if len(plain) == len(signal.intervals):
            return Length(sum(plain, timedelta(0)))
    return None


def _unit_as_dict(unit: UnitForm | str | None) -> object:
    if not isinstance(unit, UnitForm):
        return unit
    if unit.feed is not None:
        return {"feed": unit.feed}
    power = unit.power_attributes
    return {**_given(unit), "power_attributes": None if power is None else _given(power)}


def _targets_as_dict(targets: TargetsForm) -> dict[str, object]:
    return {
        name: [_given(one) if isinstance(one, _Table) else one for one in values]
        for name in targets.__struct_fields__
        if (values := getattr(targets, name))
    }


def form_of(event: EiEvent, audience: AudienceForm | None = None) -> EventForm:
    """Put an event into the form for people, without what changes by itself.

    :param event: an event that the rules admit.
    :param audience: which VENs get it.
    """
    descriptor, period = event.event_descriptor, event.active_period
    window = None if period.tolerance is None else period.tolerance.tolerate.startafter
    return EventForm(
        event_descriptor=DescriptorForm(
            event_id=descriptor.event_id,
            modification_number=descriptor.modification_number,
            modification_reason=descriptor.modification_reason,
            market_context=descriptor.market_context,
            priority=descriptor.priority,
            test_event={"true": True, "false": False}.get(descriptor.test_event or "", descriptor.test_event),
            vtn_comment=descriptor.vtn_comment,
        ),
        active_period=PeriodForm(
            dtstart=Moment(period.dtstart),
            duration=Length(period.duration),
            startafter=_maybe(window),
            notification=_maybe(period.notification),
            ramp_up=_maybe(period.ramp_up),
            recovery=_maybe(period.recovery),
        ),
        event_signals=tuple(_signal_form(one) for one in event.event_signals),
        event_baseline=None if event.event_baseline is None else _baseline_form(event.event_baseline),
        targets=_targets_form(event.target),
        response_required=event.response_required,
        audience=audience or AudienceForm(),
    )


def _maybe(duration: Any) -> Length | None:
    return None if duration is None else Length(duration)


def _signal_form(signal: EventSignal) -> SignalForm:
    return SignalForm(
        signal_name=signal.signal_name,
        signal_type=signal.signal_type,
        signal_id=signal.signal_id,
        measurement=_unit_form(signal.measurement),
        device_classes=() if signal.target is None else signal.target.end_device_asset,
        intervals=_interval_forms(signal.intervals),
    )


def _interval_forms(intervals: tuple[Interval, ...]) -> tuple[IntervalForm, ...]:
    return tuple(
        IntervalForm(duration=_maybe(one.duration), signal_payload=one.signal_value or 0.0) for one in intervals
    )


def _baseline_form(baseline: EventBaseline) -> BaselineForm:
    return BaselineForm(
        dtstart=Moment(baseline.dtstart),
        duration=Length(baseline.duration),
        baseline_id=baseline.baseline_id,
        baseline_name=baseline.baseline_name,
        resource_id=baseline.resource_id,
        measurement=_unit_form(baseline.measurement),
        intervals=_interval_forms(baseline.intervals),
    )


def _unit_form(unit: Measurement | GreenButtonDescription | None) -> UnitForm | None:
    if unit is None:
        return None
    if isinstance(unit, GreenButtonDescription):
        return UnitForm(feed=unit.feed)
    form = UnitForm(
        name=unit.name,
        unit=unit.unit,
        scale=None if unit.scale is None else unit.scale.value,
        power_attributes=None if unit.power_attributes is None else _power_form(unit.power_attributes),
        pulse_factor=unit.pulse_factor,
    )
    usual = unit.name != "customUnit" and measurement(unit.name, unit=unit.unit).description == unit.description
    return form if usual else msgspec.structs.replace(form, description=unit.description)


def _power_form(power: PowerAttributes) -> PowerForm:
    return PowerForm(hertz=power.hertz, voltage=power.voltage, ac=power.ac)


def _targets_form(target: Target) -> TargetsForm:
    return TargetsForm(
        **{name: tuple(_target_form(one) for one in getattr(target, name)) for name in target.__struct_fields__}
    )


def _target_form(value: Any) -> Any:
    if isinstance(value, FeatureCollection):
        return AreaForm(positions=value.positions, id=value.id, polygon_id=value.polygon_id)
    if isinstance(value, TransportInterface):
        return TransportForm(point_of_receipt=value.point_of_receipt, point_of_delivery=value.point_of_delivery)
    return value


# --- what is different -----------------------------------------------------------------------------------------------


def differences(before: EventForm, after: EventForm) -> list[str]:
    """Say in lines what another form changes, each with its place.

    :param before: the form that counted.
    :param after: the form that counts now; its modification number does not matter.
    """
    descriptor = msgspec.structs.replace(
        after.event_descriptor, modification_number=before.event_descriptor.modification_number
    )
    after = msgspec.structs.replace(after, event_descriptor=descriptor)
    return _different(_with_all_tables(before), _with_all_tables(after), "")


def _with_all_tables(form: EventForm) -> dict[str, Any]:
    """The form with its empty tables, so that what comes to them is told by itself."""
    return {"event_descriptor": {}, "active_period": {}, "targets": {}, "audience": {}, **written_form(form)}


_GONE: Final = object()
"""Stands for what is not there."""


def _different(before: Any, after: Any, place: str) -> list[str]:
    if before == after:
        return []
    pairs: list[tuple[str, Any, Any]] | None = None
    if isinstance(before, dict) and isinstance(after, dict):
        keys = dict.fromkeys([*after, *before])
        pairs = [(f"{place}.{key}" if place else key, before.get(key, _GONE), after.get(key, _GONE)) for key in keys]
    elif isinstance(before, list) and isinstance(after, list) and before and isinstance(before[0], dict):
        longer = range(max(len(before), len(after)))
        pairs = [(f"{place}[{number}]", _item(before, number), _item(after, number)) for number in longer]
    if pairs is not None:
        return [line for name, old, new in pairs for line in _different(old, new, name)]
    if before is _GONE:
        return [f"{place}: {_in_short(after)}, where there was nothing"]
    if after is _GONE:
        return [f"{place}: nothing, where there was {_in_short(before)}"]
    return [f"{place}: {_in_short(before)} → {_in_short(after)}"]


def _item(values: list[Any], number: int) -> Any:
    return values[number] if number < len(values) else _GONE


def _in_short(value: Any) -> str:
    """A value in a line, such as ``{signal_name=SIMPLE, …}``."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_in_short(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_in_short, value)) + "]"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)

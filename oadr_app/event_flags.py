"""The flags of ``oadr event create`` and ``modify``: what each says about the form of an event."""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import isfinite
from typing import Annotated, Any, Final, TypeVar

import msgspec
import typer

from oadr_app.checked import ConfigError
from oadr_app.event_file import (
    AudienceForm,
    DescriptorForm,
    EventForm,
    IntervalForm,
    PeriodForm,
    SignalForm,
    TargetsForm,
    UnitForm,
)
from oadr_app.periods import Length, Moment, instant, length, steps
from oadr_app.terminal import flag
from oadr_core import CalendarDuration, DeviceClass, ResponseRequired, SignalName, SignalType, SiScaleCode, is_zero

_NONE: Final = "none"
"""The text that takes something away."""

_ValueT = TypeVar("_ValueT")
_WHAT, _WHEN, _WHOM, _MORE = "What it asks for", "When", "Whom it is for", "More of it"


def _option(panel: str, text: str, *names: str, **details: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, **details)


class EventFlags(msgspec.Struct, frozen=True, kw_only=True):
    """What can be said about an event on the command line; None leaves it as it is."""

    value: Annotated[float | None, _option(_WHAT, "The value of its signal; 1 for a new event.")] = None
    intervals: Annotated[
        str | None,
        _option(_WHAT, "Lengths and values of several intervals, as 30m=1,30m=2, instead of --duration and --value."),
    ] = None
    signal: Annotated[
        str | None,
        _option(_WHAT, f"What it is about: {', '.join(SignalName)}, or x-…; which of them, if it has several."),
    ] = None
    signal_type: Annotated[
        SignalType | None,
        _option(_WHAT, f"How its values are meant: {', '.join(SignalType)}.", "--type", metavar="TYPE"),
    ] = None
    measurement: Annotated[
        str | None,
        _option(_WHAT, "What the values measure, such as power_real or currency_per_kwh; none for nothing."),
    ] = None
    unit: Annotated[str | None, _option(_WHAT, "The unit, where the measurement leaves a choice, such as EUR.")] = None
    scale: Annotated[
        SiScaleCode | None, _option(_WHAT, "The power of ten of the unit, such as k.", metavar="SCALE")
    ] = None
    device_class: Annotated[
        list[str] | None,
        _option(
            _WHAT,
            f"A device class that it is meant for, such as {DeviceClass.THERMOSTAT}; may be repeated. none for all.",
        ),
    ] = None

    start: Annotated[
        str | None, _option(_WHEN, "When it begins: now, +15m, or 2026-11-20T18:00:00Z; now for a new event.")
    ] = None
    duration: Annotated[str | None, _option(_WHEN, "How long it takes, such as 1h30m; 1h for a new event.")] = None
    open_ended: Annotated[bool, _option(_WHEN, "It lasts until it is cancelled.", "--open-ended")] = False
    notification: Annotated[str | None, _option(_WHEN, "How long before its start it is announced.")] = None
    ramp_up: Annotated[
        str | None,
        _option(_WHEN, "The time to reach the requested state, before the start, or after it if negative; or none."),
    ] = None
    recovery: Annotated[
        str | None, _option(_WHEN, "The time to go back, after the end, or before it if negative; or none.")
    ] = None
    startafter: Annotated[str | None, _option(_WHEN, "The window in which each VEN picks a random start; or none.")] = (
        None
    )

    ven: Annotated[
        list[str] | None, _option(_WHOM, "A VEN, by name or id; may be repeated. All if nobody is named.")
    ] = None
    group: Annotated[list[str] | None, _option(_WHOM, "The VENs in a group; may be repeated.")] = None
    resource: Annotated[list[str] | None, _option(_WHOM, "The VENs with a resource; may be repeated.")] = None
    party: Annotated[list[str] | None, _option(_WHOM, "The VENs that act for a party; may be repeated.")] = None
    program: Annotated[
        list[str] | None, _option(_WHOM, "The VENs in a program, by its market context; may be repeated.")
    ] = None
    everyone: Annotated[bool, _option(_WHOM, "All VENs, those that register later as well.", "--everyone")] = False
    target: Annotated[
        list[str] | None,
        _option(_WHOM, "Whom within a VEN, as resource_id=boiler; may be repeated. none for the whole VEN."),
    ] = None

    market_context: Annotated[str | None, _option(_MORE, "The program it belongs to, a URI.")] = None
    priority: Annotated[int | None, _option(_MORE, "1 is the most urgent; 0 the least.")] = None
    test: Annotated[bool | None, _option(_MORE, "Whether it is a test.", "--test/--no-test")] = None
    answer: Annotated[
        bool | None, _option(_MORE, "Whether the VENs have to answer; they do for a new event.", "--answer/--no-answer")
    ] = None
    comment: Annotated[str | None, _option(_MORE, "A word to whom it concerns.")] = None
    reason: Annotated[str | None, _option(_MORE, "Why it is changed.")] = None

    @property
    def names_somebody(self) -> bool:
        """Whether a flag says which VENs get the event."""
        return self.everyone or any((self.ven, self.group, self.resource, self.party, self.program))


NEW_EVENT: Final = EventForm(
    event_signals=(
        SignalForm(
            signal_name=SignalName.SIMPLE.value,
            signal_type=SignalType.LEVEL.value,
            intervals=(IntervalForm(duration=Length(timedelta(hours=1)), signal_payload=1.0),),
        ),
    )
)
"""A new event of which nothing is said: an hour at the first level."""


def with_flags(form: EventForm, flags: EventFlags, now: datetime) -> EventForm:
    """Put flags over the form of an event.

    :param form: the form.
    :param flags: what they say.
    :param now: the present, for times such as ``+15m``.
    :raises ConfigError: a flag cannot be meant so; the text names it and says what would be right.
    """
    if flags.open_ended and flags.duration is not None:
        raise ConfigError("--open-ended: an event without end has no --duration")
    if flags.intervals is not None and (flags.value is not None or flags.duration is not None or flags.open_ended):
        raise ConfigError(
            "--intervals: it says lengths and values, so that --duration and --value have no place beside it"
        )
    changes: dict[str, Any] = {
        "event_descriptor": _descriptor(form.event_descriptor, flags),
        "active_period": _period(form.active_period, flags, now),
        "event_signals": _signals(form.event_signals, flags),
    }
    if flags.target is not None:
        changes["targets"] = _targets(flags.target)
    if flags.answer is not None:
        changes["response_required"] = ResponseRequired.ALWAYS if flags.answer else ResponseRequired.NEVER
    if flags.names_somebody:
        changes["audience"] = _audience(flags)
    return _with_duration(msgspec.structs.replace(form, **changes), flags)


def _read(name: str, text: str | None, read: Callable[[str], _ValueT], before: _ValueT | None) -> _ValueT | None:
    """Read the value of a flag: what it was before if it is not given, nothing if it is ``none``."""
    if text is None:
        return before
    with flag(name):
        return None if text == _NONE else read(text)


def _descriptor(form: DescriptorForm, flags: EventFlags) -> DescriptorForm:
    told = {
        "market_context": flags.market_context,
        "priority": flags.priority,
        "test_event": flags.test,
        "vtn_comment": flags.comment,
        "modification_reason": flags.reason,
    }
    changes: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    if not changes.get("vtn_comment", " "):
        changes["vtn_comment"] = None
    if not changes.get("test_event", True):
        changes["test_event"] = None
    return msgspec.structs.replace(form, **changes)


def _period(form: PeriodForm, flags: EventFlags, now: datetime) -> PeriodForm:
    with flag("--start"):
        begins = form.dtstart if flags.start is None else Moment(instant(flags.start, now).replace(microsecond=0))
    return msgspec.structs.replace(
        form,
        dtstart=begins,
        notification=_read("--notification", flags.notification, Length.read, form.notification),
        ramp_up=_read("--ramp-up", flags.ramp_up, Length.read, form.ramp_up),
        recovery=_read("--recovery", flags.recovery, Length.read, form.recovery),
        startafter=_read("--startafter", flags.startafter, Length.read, form.startafter),
    )


# --- signals ---------------------------------------------------------------------------------------------------------


def _signals(signals: tuple[SignalForm, ...], flags: EventFlags) -> tuple[SignalForm, ...]:
    said = (flags.value, flags.intervals, flags.signal, flags.signal_type, flags.measurement, flags.unit, flags.scale)
    if all(one is None for one in (*said, flags.device_class)):
        return signals
    number = _meant(signals, flags.signal)
    changed = _signal(signals[number], flags, renamed=len(signals) == 1)
    return (*signals[:number], changed, *signals[number + 1 :])


def _meant(signals: tuple[SignalForm, ...], name: str | None) -> int:
    """Which signal the flags are about."""
    if len(signals) == 1:
        return 0
    names = [(one.signal_id, one.signal_name) for one in signals]
    found = [number for number, known in enumerate(names) if name is not None and name in known]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{one.signal_name} ({one.signal_id or number})" for number, one in enumerate(signals))
    which = "which signal is meant" if name is None else f"no one signal is called {name!r}"
    raise ConfigError(f"--signal: {which}? name one, or its id in brackets: {there}")


def _signal(signal: SignalForm, flags: EventFlags, *, renamed: bool) -> SignalForm:
    changes: dict[str, Any] = {}
    if renamed and flags.signal is not None:
        changes["signal_name"] = flags.signal
    if flags.signal_type is not None:
        changes["signal_type"] = flags.signal_type.value
    if flags.intervals is not None:
        with flag("--intervals"):
            parts = steps(flags.intervals)
        changes["intervals"] = tuple(IntervalForm(duration=Length(one), signal_payload=value) for one, value in parts)
    if flags.value is not None:
        changes["intervals"] = (_with_value(signal, flags.value),)
    if flags.device_class is not None:
        changes["device_classes"] = () if flags.device_class == [_NONE] else tuple(flags.device_class)
    return msgspec.structs.replace(signal, measurement=_unit(signal.measurement, flags), **changes)


def _with_value(signal: SignalForm, value: float) -> IntervalForm:
    if not isfinite(value):
        raise ConfigError("--value: it must be a number")
    if len(signal.intervals) > 1:
        raise ConfigError(
            f"--value: {signal.signal_name} has {len(signal.intervals)} intervals; say all of them with --intervals"
        )
    return msgspec.structs.replace(signal.intervals[0], signal_payload=value)


def _unit(before: UnitForm | str | None, flags: EventFlags) -> UnitForm | str | None:
    unit = UnitForm(name=before) if isinstance(before, str) else before
    if flags.measurement == _NONE:
        return None
    if flags.measurement is not None:
        unit = UnitForm(name=flags.measurement)
    if flags.unit is None and flags.scale is None:
        return unit
    if unit is None:
        name = "--unit" if flags.unit is not None else "--scale"
        raise ConfigError(f"{name}: a unit of what? name it with --measurement, such as power_real")
    if flags.unit is not None:
        unit = msgspec.structs.replace(unit, unit=flags.unit)
    return unit if flags.scale is None else msgspec.structs.replace(unit, scale=flags.scale.value)


# --- lengths ---------------------------------------------------------------------------------------------------------


def _with_duration(form: EventForm, flags: EventFlags) -> EventForm:
    """Make the event, and all its signals, as long as the flags say."""
    if flags.intervals is not None:  # the first signal says how long the event takes
        period = msgspec.structs.replace(form.active_period, duration=None)
        return msgspec.structs.replace(form, active_period=period)
    if flags.duration is None and not flags.open_ended:
        return form
    name = "--open-ended" if flags.open_ended else "--duration"
    with flag(name):
        whole = Length(timedelta(0) if flags.duration is None else length(flags.duration))
        return msgspec.structs.replace(
            form,
            active_period=msgspec.structs.replace(form.active_period, duration=whole),
            event_signals=tuple(_as_long_as(whole, signal) for signal in form.event_signals),
        )


def _as_long_as(whole: Length, signal: SignalForm) -> SignalForm:
    """Have the last interval of a signal end with the event (rule 8)."""
    *first, last = signal.intervals
    left = whole.duration
    if first and isinstance(left, CalendarDuration):
        raise ValueError(f"{signal.signal_name} has {len(first) + 1} intervals; say their lengths with --intervals")
    for one in first:
        taken = timedelta(0) if one.duration is None else one.duration.duration
        if isinstance(left, CalendarDuration) or isinstance(taken, CalendarDuration) or left <= taken:
            raise ValueError(
                f"{signal.signal_name} has {len(first) + 1} intervals, and the last would begin after that; "
                "say all of them with --intervals"
            )
        left -= taken
    if first and is_zero(left):
        raise ValueError(f"{signal.signal_name} has {len(first) + 1} intervals; say one without end with --value")
    return msgspec.structs.replace(signal, intervals=(*first, msgspec.structs.replace(last, duration=Length(left))))


# --- whom it is for --------------------------------------------------------------------------------------------------


def _targets(given: list[str]) -> TargetsForm:
    found: dict[str, tuple[str, ...]] = {}
    for text in () if given == [_NONE] else given:
        kind, equals, value = text.partition("=")
        if not kind or not equals or not value:
            raise ConfigError(f"--target: {text!r} is no target; write its kind and its value, as resource_id=boiler")
        if kind not in _KINDS:
            raise ConfigError(
                f"--target: {kind!r} is no kind of target; there are {', '.join(_KINDS)}, and others for --file"
            )
        found[kind] = (*found.get(kind, ()), value)
    return msgspec.convert(found, TargetsForm)


_KINDS: Final = tuple(
    name
    for name in TargetsForm.__struct_fields__
    if name not in ("service_area", "service_location", "transport_interface")
)
"""The kinds of target that are a text."""


def _audience(flags: EventFlags) -> AudienceForm:
    return AudienceForm(
        vens=tuple(flags.ven or ()),
        group_ids=tuple(flags.group or ()),
        resource_ids=tuple(flags.resource or ()),
        party_ids=tuple(flags.party or ()),
        market_contexts=tuple(flags.program or ()),
        everyone=flags.everyone,
    )

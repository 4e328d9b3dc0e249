"""The dict view: messages as native dicts, for handlers and for people (keys follow OpenLEADR's).

Keys are the names of the declared fields. Values are ``str``, ``int``, ``float``, ``bool``, ``datetime`` and
``timedelta``, or lists and dicts of them; a duration of calendar months is no ``timedelta`` and stays what it is. What
is absent has no key. Four things look different from the classes, because it is how people think of them: targets,
measurements, interval payloads and pending reports.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeAlias

import msgspec

from oadr_core.errors import LocalProtocolError
from oadr_core.messages import PAYLOADS
from oadr_core.messages.common import GreenButtonPayload, Interval, ReportPayload, SignalPayload, StreamPayload
from oadr_core.messages.declare import Feed, Field, Group, Item, Kind, Payload, Property, Scalar, enumeration_of, shape
from oadr_core.messages.durations import CalendarDuration
from oadr_core.messages.targets import Target
from oadr_core.messages.units import GreenButtonDescription, Measurement, PowerAttributes, measurement
from oadr_core.wire.scalars import converter, read_duration, read_instant
from oadr_core.wire.verify import verify

Plain: TypeAlias = Mapping[str, object]
"""A message, or a part of one, as a dict."""

_TARGET_FIELDS: Final = ("target",)
"""Fields that appear as ``targets`` and ``targets_by_type``."""

_IDS_AS_DICTS: Final = {"pending_reports": "report_request_id"}
"""Lists of ids that appear as lists of dicts with one key."""


# --- messages to dicts -----------------------------------------------------------------------------------------------


def to_dict(message: Payload) -> tuple[str, dict[str, object]]:
    """View a message as a dict.

    :param message: any of the 23 payloads.
    :returns: the name of the payload, such as ``oadrPoll``, and its content.
    """
    return message.message_type(), part_to_dict(message)


def part_to_dict(part: msgspec.Struct) -> dict[str, object]:
    """View a part of a message, such as an event, as a dict."""
    special = _TO_DICT.get(type(part))
    if special is not None:
        return special(part)
    plain: dict[str, object] = {}
    for field in shape(type(part)).fields:
        value = getattr(part, field.name)
        if field.name == "schema_version":
            if value != "2.0b":
                plain[field.name] = value
        elif value is None:
            continue
        elif field.name in _TARGET_FIELDS:
            plain["targets"] = _target_list(value)
            plain["targets_by_type"] = _targets_by_type(value)
        elif field.name in _IDS_AS_DICTS:
            plain[field.name] = [{_IDS_AS_DICTS[field.name]: one} for one in value]
        elif field.repeated:
            plain[field.name] = [_plain(one) for one in value]
        else:
            plain[field.name] = _plain(value)
    return plain


def _plain(value: Any) -> object:
    if isinstance(value, CalendarDuration):
        return value
    if isinstance(value, msgspec.Struct):
        return part_to_dict(value)
    return value.value if isinstance(value, StrEnum) else value


def _interval_to_dict(interval: Interval) -> dict[str, object]:
    plain: dict[str, object] = {}
    for name in ("dtstart", "duration", "uid"):
        if getattr(interval, name) is not None:
            plain[name] = getattr(interval, name)
    payloads = [(_PAYLOAD_KEYS[type(one)], _payload_to_plain(one)) for one in interval.payloads]
    keys = {key for key, _ in payloads}
    if len(keys) > 1:  # nobody sends this, and the rules forbid it
        plain["payloads"] = [{key: value} for key, value in payloads]
    elif len(payloads) == 1:
        plain[payloads[0][0]] = payloads[0][1]
    elif payloads:
        plain[payloads[0][0] + "s"] = [value for _, value in payloads]
    return plain


def _payload_to_plain(payload: StreamPayload) -> object:
    if isinstance(payload, SignalPayload):
        return _plain(payload.value)
    return payload.feed if isinstance(payload, GreenButtonPayload) else part_to_dict(payload)


_PAYLOAD_KEYS: Final[Mapping[type, str]] = {
    SignalPayload: "signal_payload",
    ReportPayload: "report_payload",
    GreenButtonPayload: "green_button_payload",
}
"""The key of an interval's payload; with an ``s`` where there are several of the kind."""


def _target_list(target: Target) -> list[dict[str, object]]:
    """Each criterion as a dict with one key, in the schema's order."""
    return [{kind: one} for kind, values in _targets_by_type(target).items() for one in values]


def _targets_by_type(target: Target) -> dict[str, list[object]]:
    """The criteria by kind."""
    found: dict[str, list[object]] = {}
    for field in shape(Target).fields:
        values = getattr(target, field.name)
        if values:
            inner = _INNER_KEY.get(field.name)
            found[field.name] = [{inner: one} if inner else _plain(one) for one in values]
    return found


_INNER_KEY: Final = {
    "aggregated_pnode": "node",
    "pnode": "node",
    "service_delivery_point": "node",
    "end_device_asset": "mrid",
    "meter_asset": "mrid",
}
"""Kinds of target that appear as a dict with one key, as they do in the document."""


def _measurement_to_dict(value: Measurement) -> dict[str, object]:
    plain: dict[str, object] = {"name": value.name, "description": value.description, "unit": value.unit}
    if value.scale is not None:
        plain["scale"] = value.scale.value
    if value.power_attributes is not None:
        plain["power_attributes"] = part_to_dict(value.power_attributes)
    if value.pulse_factor is not None:
        plain["pulse_factor"] = value.pulse_factor
    return plain


_TO_DICT: Final[Mapping[type, Callable[[Any], dict[str, object]]]] = {
    Interval: _interval_to_dict,
    Measurement: _measurement_to_dict,
    Target: lambda target: dict(_targets_by_type(target)),
}


# --- dicts to messages -----------------------------------------------------------------------------------------------


def from_dict(message_type: str, content: Plain) -> Payload:
    """Build a message from a dict.

    :param message_type: the name of the payload, such as ``oadrPoll``.
    :param content: its content by field; parts may be given as dicts or as instances of their classes.
    :raises LocalProtocolError: the dict cannot be such a message; the text names the place, what is wrong and what
        would be right.
    """
    cls = PAYLOADS.get(message_type)
    if cls is None:
        raise LocalProtocolError(f"{message_type!r} is no payload of OpenADR 2.0b{_meant(message_type, PAYLOADS)}")
    message: Payload = part_from_dict(cls, content)
    return message


def part_from_dict(cls: type[msgspec.Struct], content: object) -> Any:
    """Build a part of a message from a dict, or check one that is built already; see :func:`from_dict`."""
    part = _structure(cls, content, cls.__name__)
    verify(part)
    return part


def _structure(cls: type[msgspec.Struct], content: object, place: str) -> Any:
    if isinstance(content, cls):
        return content
    special = _FROM_DICT.get(cls)
    if special is not None:
        return special(content, place)
    declared = {field.name: field for field in shape(cls).fields}
    keys: dict[str, str] = {}
    values: dict[str, Any] = {}
    for key, value in _mapping(content, place).items():
        name = key if key in declared else _ALIASES.get(key, key)
        if name not in declared:
            raise LocalProtocolError(f"{place} has no {key!r}{_meant(key, declared)}")
        if name == "schema_version":
            values[name] = value
        elif value is not None:
            if key in _DEVICE_CLASS_KEYS:
                value = {"end_device_asset": value}
            given = _given(declared[name], value, f"{place}.{key}")
            if name in values and values[name] != given:
                raise LocalProtocolError(f"{place}: {keys[name]} and {key} say different things")
            keys[name], values[name] = key, given
    return _make(cls, values, declared, place)


def _make(cls: type[msgspec.Struct], values: dict[str, Any], declared: Mapping[str, Field], place: str) -> Any:
    for name, field in declared.items():
        if name not in values and field.default is msgspec.NODEFAULT:
            if field.nullable:
                values[name] = None
            elif field.repeated:
                values[name] = ()
            else:
                raise LocalProtocolError(f"{place}.{name} is missing")
    return cls(**values)


def _given(field: Field, value: object, place: str) -> Any:
    if field.name in _IDS_AS_DICTS:
        key = _IDS_AS_DICTS[field.name]
        value = [one[key] if isinstance(one, Mapping) and set(one) == {key} else one for one in _sequence(value, place)]
    if not field.repeated:
        return _one(field.kind, value, place)
    if isinstance(value, str) and isinstance(field.kind, Scalar):
        value = (value,)
    return tuple(_one(field.kind, one, f"{place}[{index}]") for index, one in enumerate(_sequence(value, place)))


def _one(kind: Kind, value: object, place: str) -> Any:
    if isinstance(kind, Property):
        kind = kind.scalar
    if isinstance(kind, Scalar):
        return _scalar(kind, value, place)
    if isinstance(kind, Group):
        return _member(kind, value, place)
    if isinstance(kind, Feed):
        return value
    assert isinstance(kind, type)
    return _structure(kind, value, place)


def _scalar(scalar: Scalar, value: object, place: str) -> Any:
    try:
        if scalar.family == "instant" and isinstance(value, str):
            return read_instant(value)
        if scalar.family == "duration":
            return _duration(value)
        if scalar.family == "token" and scalar.extended_type is None and value in scalar.values:
            return enumeration_of(scalar)(value)
    except (ValueError, OverflowError) as error:
        raise LocalProtocolError(f"{place}: {error}") from None
    if scalar.values and isinstance(value, str):
        problem = converter(scalar).problem(value)
        if problem is not None:
            raise LocalProtocolError(f"{place} {problem}{_meant(value, scalar.values)}")
    if scalar.family in ("float", "decimal") and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if scalar.family == "string" and isinstance(value, int):
        return (
            str(value).lower() if isinstance(value, bool) else str(value)
        )  # test_event=True; ids that a program counts
    return value


def _duration(value: object) -> object:
    if isinstance(value, str):
        return read_duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    if isinstance(value, Mapping) and set(value) == {"duration"}:
        return _duration(value["duration"])
    return value


def _member(group: Group, value: object, place: str) -> Any:
    if isinstance(value, msgspec.Struct):
        return value
    for kind in group.members.values():
        if isinstance(kind, Item):
            if isinstance(value, Mapping) and "feed" in value:
                return _structure(GreenButtonDescription, value, place)
            return _structure(Measurement, value, place)
        if isinstance(kind, Property) and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    if isinstance(value, Mapping):
        for kind in group.members.values():
            if isinstance(kind, type):
                return _structure(kind, value, place)
    return value


def _interval_from_dict(content: object, place: str) -> Interval:
    given = dict(_mapping(content, place))
    payloads: list[Any] = []
    for index, one in enumerate(_sequence(given.pop("payloads", None) or (), f"{place}.payloads")):
        if isinstance(one, Mapping):
            payloads += _payloads_from(rest := dict(one), f"{place}.payloads[{index}]")
            _nothing_else(rest, (), f"{place}.payloads[{index}]")
        else:
            payloads.append(one)
    payloads += _payloads_from(given, place)
    fields = {field.name: field for field in shape(Interval).fields if field.name != "payloads"}
    _nothing_else(given, fields, place)
    values = {key: _given(fields[key], value, f"{place}.{key}") for key, value in given.items() if value is not None}
    return Interval(**values, payloads=tuple(payloads))


def _nothing_else(given: Iterable[str], known: Iterable[str], place: str) -> None:
    for key in given:
        if key not in known:
            raise LocalProtocolError(f"{place} has no {key!r}{_meant(key, (*known, *_PAYLOAD_KEYS.values()))}")


def _payloads_from(given: dict[str, Any], place: str) -> list[Any]:
    """Take the payloads out of an interval's dict."""
    payloads: list[Any] = []
    for cls, name in _PAYLOAD_KEYS.items():
        for key in (name, name + "s"):
            value = given.pop(key, None)
            for one in value if isinstance(value, list | tuple) else [] if value is None else [value]:
                content = one
                if cls is not ReportPayload and not isinstance(one, cls):
                    content = {"value" if cls is SignalPayload else "feed": one}
                payloads.append(_structure(cls, content, f"{place}.{key}"))
    return payloads


def _target_from_dict(content: object, place: str) -> Target:
    """Take a mapping of kinds, or a sequence of mappings; each value may be one or several."""
    given = [content] if isinstance(content, Mapping | Target) else _sequence(content, place)
    found: dict[str, list[Any]] = {}
    fields = {field.name: field for field in shape(Target).fields}
    for index, one in enumerate(given):
        if isinstance(one, Target):
            one = {name: getattr(one, name) for name in fields}
        for key, value in _mapping(one, f"{place}[{index}]").items():
            if key not in fields:
                raise LocalProtocolError(f"{place}[{index}]: {key!r} is no kind of target{_meant(key, fields)}")
            for item in value if isinstance(value, list | tuple) else [] if value is None else [value]:
                inner = _INNER_KEY.get(key)
                plain = item[inner] if inner and isinstance(item, Mapping) and inner in item else item
                found.setdefault(key, []).append(_one(fields[key].kind, plain, f"{place}[{index}].{key}"))
    return Target(**{key: tuple(values) for key, values in found.items()})


def _measurement_from_dict(content: object, place: str) -> Measurement:
    if isinstance(content, str):
        content = {"name": content}
    given = {key: value for key, value in _mapping(content, place).items() if value is not None}
    for key in given:
        if key not in Measurement.__struct_fields__:
            raise LocalProtocolError(f"{place} has no {key!r}{_meant(key, Measurement.__struct_fields__)}")
    if not isinstance(given.get("name"), str):
        raise LocalProtocolError(f"{place}.name is missing; it is a quantity such as powerReal, or one of your own")
    if "power_attributes" in given:
        attributes = given["power_attributes"]
        given["power_attributes"] = _structure(PowerAttributes, attributes, f"{place}.power_attributes")
    try:
        return measurement(**given)
    except ValueError as error:
        raise LocalProtocolError(f"{place}: {error}") from None


_FROM_DICT: Final[Mapping[type, Callable[[object, str], Any]]] = {
    Interval: _interval_from_dict,
    Target: _target_from_dict,
    Measurement: _measurement_from_dict,
}

_DEVICE_CLASS_KEYS: Final = ("signal_target_mrid",)
"""Keys under which a device class is given as it is."""

_ALIASES: Final = {
    "targets": "target",
    "targets_by_type": "target",
    "signal_target_mrid": "device_class",
    "notification_period": "notification",
    "ramp_up_period": "ramp_up",
    "recovery_period": "recovery",
}
"""Other keys that are taken for a field."""


def _mapping(content: object, place: str) -> Mapping[str, Any]:
    if isinstance(content, msgspec.Struct):
        return {name: getattr(content, name) for name in content.__struct_fields__}
    if not isinstance(content, Mapping):
        raise LocalProtocolError(f"{place} must be a dict, not {type(content).__name__} {str(content)[:60]!r}")
    return content


def _sequence(content: object, place: str) -> Sequence[Any]:
    if not isinstance(content, list | tuple):
        raise LocalProtocolError(f"{place} must be a list, not {type(content).__name__} {str(content)[:60]!r}")
    return content


def _meant(key: str, known: Iterable[str]) -> str:
    """Guess what was meant."""
    close = difflib.get_close_matches(str(key), list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""

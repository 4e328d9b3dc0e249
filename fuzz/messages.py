"""Messages read from bytes, derived from the same declarations as the codec; and documents to begin with."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any, Final

import msgspec

from fuzz.draws import Draws
from oadr_core import ProfileName, encode
from oadr_core.messages import PAYLOADS
from oadr_core.messages.declare import (
    Feed,
    Field,
    Group,
    Item,
    Kind,
    Payload,
    Property,
    Scalar,
    Shape,
    enumeration_of,
    shape,
)
from oadr_core.messages.durations import CalendarDuration
from oadr_core.messages.enums import SiScaleCode
from oadr_core.messages.units import ITEMS, Measurement, PowerAttributes
from oadr_core.wire.dialects import DIALECTS
from oadr_core.wire.verify import problems

NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""The time that most of what is drawn is near to."""

UNIVERSE: Final[Mapping[str, Sequence[str]]] = {
    "ven_id": ("a", "b", "c", ""),
    "vtn_id": ("Grid", "grid", ""),
    "registration_id": ("registration a", "registration b", ""),
    "report_request_id": ("asked", "other", "METADATA", "0"),
    "report_specifier_id": ("usage", "status", "METADATA", ""),
    "report_name": ("TELEMETRY_USAGE", "METADATA_TELEMETRY_USAGE", "TELEMETRY_STATUS", "HISTORY_USAGE", "x-own"),
    "r_id": ("load", "state", "METADATA", ""),
    "event_id": ("e1", "e2", "e3"),
    "opt_id": ("o1", "o2"),
    "request_id": ("1", "2", ""),
    "ven_name": ("ven", "a", "\n<b>&amp;]]>"),
    "transport_address": ("https://a.example/", "https://b.example", ""),
    "uid": ("0", "1", "2"),
    "signal_name": ("SIMPLE", "ELECTRICITY_PRICE", "LOAD_DISPATCH", "x-own"),
    "market_context": ("http://market.example", "HTTP://MARKET.example/", ""),
}
"""Few ids, so that what is drawn is often about the same thing."""

_FEED: Final = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:uuid:1</id><title>Green Button</title>'
    "<updated>2026-11-20T00:00:00Z</updated></feed>"
)
_TEXTS: Final = ("a", "", "x-a", "0", "\t ", "<&>\"'", "]]>", "\u00e9\u2028\U0001f50c", "x" * 300, "http://a.example/b")
_SECONDS: Final = (0, 1, 60, 300, 3600, -60, 10, 86_400, 604_800, 9, 31_536_000, 3_000_000_000)
_NUMBERS: Final = (0.0, 1.0, -1.0, 2.0, 3.0, 0.1, 1e300, -0.0, 1e-300, 2**53 + 1.0, float("inf"), float("nan"))
_SMALL: Final = (0, 1, 2, 3, 7, 100, 2**31, 2**32 - 1)


def drawn_payload(draws: Draws, message_type: str | None = None) -> Payload:
    """Draw a message, any that the declarations admit and some that they do not.

    :param message_type: which; any of the 23 if None.
    """
    cls = PAYLOADS[message_type] if message_type is not None else draws.choose(list(PAYLOADS.values()))
    message = drawn_part(draws, cls)
    assert isinstance(message, Payload)
    return message


def drawn_part(draws: Draws, cls: type[msgspec.Struct]) -> Any:
    """Draw an instance of a message class or of a part of one."""
    if cls is Measurement:
        return _measurement(draws)
    values: dict[str, Any] = {}
    wrappers: dict[str, bool] = {}
    for field in _shape(cls).fields:
        if field.name == "schema_version":
            continue
        if field.nullable and len(field.steps) > 1 and not field.repeated:
            wrapper = field.steps[0].name  # what an optional wrapper holds is there together or not at all
            if wrapper not in wrappers:
                wrappers[wrapper] = draws.flag()
            values[field.name] = _one(draws, field, field.kind) if wrappers[wrapper] else None
        else:
            values[field.name] = _value(draws, field)
    return cls(**values)


@cache
def _shape(cls: type[msgspec.Struct]) -> Shape:
    return shape(cls)


def _value(draws: Draws, field: Field) -> Any:
    if field.repeated:
        least = 1 if field.default == msgspec.NODEFAULT else 0
        most = 6 if draws.byte() > 250 else 2
        return tuple(_one(draws, field, field.kind) for _ in range(least + draws.below(most)))
    if field.nullable and not draws.flag():
        return None
    return _one(draws, field, field.kind)


def _one(draws: Draws, field: Field, kind: Kind) -> Any:
    if isinstance(kind, Property):
        kind = kind.scalar
    if isinstance(kind, Scalar):
        return _scalar(draws, field.name, kind)
    if isinstance(kind, Group):
        members = [one for one in kind.members.values() if not isinstance(one, Item)]
        if len(members) < len(kind.members):
            return _measurement(draws)
        return _one(draws, field, draws.choose(members))
    if isinstance(kind, Feed):
        return _FEED
    assert isinstance(kind, type)
    return drawn_part(draws, kind)


def _scalar(draws: Draws, name: str, scalar: Scalar) -> Any:
    if scalar.family == "token":
        if scalar.extended_type is None:
            return draws.choose(list(enumeration_of(scalar)))
        return draws.choose((*scalar.values, "x-own"))
    if scalar.family == "instant":
        return _instant(draws)
    if scalar.family == "duration":
        return _duration(draws)
    if scalar.family == "boolean":
        return draws.flag()
    if scalar.family == "code":
        return draws.choose((200, 200, 452, 463, 450, 500, 299, 0, 999))
    if scalar.family == "integer":
        limits = {key: int(value) for key, value in scalar.facets}
        return min(draws.choose(_SMALL), limits.get("maxInclusive", 2**32 - 1))
    if scalar.family in ("float", "decimal"):
        return draws.choose(_NUMBERS)
    if scalar.family == "doubles":
        return draws.choose(("1 2", "", "52.1 5.1 52.2 5.1"))
    known = draws.ids.get(name) or UNIVERSE.get(name)
    if known is not None and draws.byte() < 250:
        return draws.choose(known)
    return draws.choose(_TEXTS)


def _instant(draws: Draws) -> datetime:
    if draws.byte() > 250:
        return draws.choose((datetime.min, datetime.max)).replace(tzinfo=UTC, microsecond=0)
    return NOON + timedelta(seconds=draws.choose(_SECONDS))


def _duration(draws: Draws) -> timedelta | CalendarDuration:
    which = draws.byte()
    if which > 250:
        return draws.choose((timedelta.max, timedelta.min, timedelta(microseconds=1)))
    if which > 245:
        return CalendarDuration(months=draws.choose((1, 12, -1, 1200, 10**9)), rest=timedelta(days=draws.below(40)))
    return timedelta(seconds=draws.choose(_SECONDS))


def _measurement(draws: Draws) -> Measurement:
    name, item = draws.choose(list(ITEMS.items()))
    return Measurement(
        name=name.partition(":")[2],
        description=draws.choose(item.descriptions or _TEXTS),
        unit=draws.choose(item.units or _TEXTS),
        scale=None if item.extra == "pulse_factor" else draws.choose(list(SiScaleCode)),
        power_attributes=PowerAttributes(hertz=50.0, voltage=230.0, ac=True) if item.extra == "power" else None,
        pulse_factor=draws.choose((0.0, 1.5)) if item.extra == "pulse_factor" else None,
    )


@cache
def messages() -> tuple[Payload, ...]:
    """Messages to begin with: each payload as short as can be, and with much in it."""
    random = Random(0)
    found: list[Payload] = []
    for name in PAYLOADS:
        found += [drawn_payload(Draws(data), name) for data in (b"", random.randbytes(400), random.randbytes(400))]
    return tuple(found)


def documents_of_both() -> tuple[bytes, ...]:
    """Documents to begin with, in both profiles."""
    return *documents(ProfileName.V20B), *documents(ProfileName.V20A)


@cache
def documents(profile: ProfileName = ProfileName.V20B) -> tuple[bytes, ...]:
    """Documents to begin with, in a profile; all valid."""
    dialect = DIALECTS[profile]
    there = [message for message in messages() if message.message_type() in dialect.payloads]
    return tuple(encode(message, profile=profile) for message in there if not problems(message, dialect))

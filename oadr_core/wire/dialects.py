"""The two ways in which messages are written: OpenADR 2.0b, and 2.0a, which is a smaller and older language.

The message classes declare 2.0b. What 2.0a has otherwise is declared here, in the same terms: a few fields are not
there, some must be there, some hold other values (section 7.1 of the profile). Encoder, decoders, schema and strategies
are derived for both from that.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

import msgspec

from oadr_core.messages import (
    PAYLOADS,
    ActivePeriod,
    CreatedEvent,
    DistributeEvent,
    EiEvent,
    EventDescriptor,
    EventSignal,
    Interval,
    ProfileName,
    RequestEvent,
    Response,
    SignalPayload,
    Target,
)
from oadr_core.messages.common import (
    DURATION_PROPERTY,
    PAYLOAD_BASE,
    PAYLOAD_FLOAT,
    STREAM_PAYLOAD,
    TEXT_PROPERTY,
)
from oadr_core.messages.declare import STRING, At, Group, Part, Payload, Shape, enumeration, scalar_of, shape, variant
from oadr_core.messages.namespaces import NAMESPACES

Departures: TypeAlias = Mapping[type[msgspec.Struct], Mapping[str, At | None]]
"""For a class, where its fields stand instead; None for those that are not there."""


class Dialect:
    """How the messages of a profile are written.

    :param profile: the profile.
    :param namespaces: prefix to namespace.
    :param payloads: the payloads that it has, by name.
    :param wrapped: whether a payload stands in ``oadrPayload`` and ``oadrSignedObject``.
    :param departures: where it departs from what the message classes declare.
    """

    def __init__(
        self,
        profile: ProfileName,
        namespaces: Mapping[str, str],
        payloads: Mapping[str, type[Payload]],
        *,
        wrapped: bool,
        departures: Departures,
    ) -> None:
        self.profile: Final = profile
        self.namespaces: Final = namespaces
        self.payloads: Final = payloads
        self.wrapped: Final = wrapped
        self.classes: Final = {self.clark(cls.__element__): cls for cls in payloads.values()}
        self._departures = departures
        self._shapes: dict[type[msgspec.Struct], Shape] = {}

    def __repr__(self) -> str:
        """Its profile."""
        return f"<OpenADR {self.profile}>"

    def shape(self, cls: type[msgspec.Struct]) -> Shape:
        """What a class declares, as this dialect has it."""
        found = self._shapes.get(cls)
        if found is None:
            departures = self._departures.get(cls)
            found = self._shapes[cls] = shape(cls) if departures is None else variant(cls, departures)
        return found

    def clark(self, name: str) -> str:
        """Spell a prefixed name the way lxml does.

        :raises KeyError: the prefix is unknown.
        """
        prefix, _, local = name.partition(":")
        return f"{{{self.namespaces[prefix]}}}{local}"

    def left_out(self, part: msgspec.Struct) -> Iterator[str]:
        """The fields of a message, or of a part of one, whose values cannot be said in this dialect."""
        for name, at in self._departures.get(type(part), {}).items():
            if at is None and name != _VERSION and getattr(part, name) not in (None, ()):
                yield name


_PartT = TypeVar("_PartT", bound=msgspec.Struct)


def within(dialect: Dialect, part: _PartT) -> _PartT:
    """Take out of a message, or of a part of one, what a dialect has no place for."""
    left_out = list(dialect.left_out(part))
    changes: dict[str, object] = {name: () if isinstance(getattr(part, name), tuple) else None for name in left_out}
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if name in changes:
            continue
        if isinstance(value, tuple):
            kept: object = tuple(within(dialect, one) if isinstance(one, Part) else one for one in value)
        else:
            kept = within(dialect, value) if isinstance(value, Part) else value
        if kept != value:
            changes[name] = kept
    return msgspec.structs.replace(part, **changes) if changes else part


_VERSION: Final = "schema_version"
"""Says which dialect a message was read from; what 2.0a writes does not hold it."""

PROFILE_B: Final = Dialect(ProfileName.V20B, NAMESPACES, PAYLOADS, wrapped=True, departures={})


@enumeration("ei:SignalTypeEnumeratedType", raw=True)
class _SignalType(StrEnum):
    """How the values of a signal are meant in 2.0a: a hint that a VEN need not look at (rule 69)."""

    DELTA = "delta"
    LEVEL = "level"
    MULTIPLIER = "multiplier"
    PRICE = "price"
    PRICE_MULTIPLIER = "priceMultiplier"
    PRICE_RELATIVE = "priceRelative"
    PRODUCT = "product"
    SETPOINT = "setpoint"


_NUMBER: Final = Group(PAYLOAD_BASE.head, PAYLOAD_BASE.head_type, {"ei:payloadFloat": PAYLOAD_FLOAT})
_SIGNAL_PAYLOAD: Final = Group(STREAM_PAYLOAD.head, STREAM_PAYLOAD.head_type, {"ei:signalPayload": SignalPayload})
_TARGETS: Final = ("group_id", "resource_id", "ven_id", "party_id")

PROFILE_A: Final = Dialect(
    ProfileName.V20A,
    {**NAMESPACES, "oadr": "http://openadr.org/oadr-2.0a/2012/07"},
    {cls.message_type(): cls for cls in (RequestEvent, DistributeEvent, CreatedEvent, Response)},
    wrapped=False,
    departures={
        RequestEvent: {_VERSION: None},
        DistributeEvent: {_VERSION: None},
        CreatedEvent: {_VERSION: None},
        Response: {_VERSION: None, "ven_id": None},
        EventDescriptor: {"modification_date_time": None, "modification_reason": None},
        ActivePeriod: {
            "notification": At("xcal:properties/ei:x-eiNotification", DURATION_PROPERTY, forgiven=None),
        },
        EiEvent: {"event_baseline": None},
        EventSignal: {
            "target": None,
            "signal_name": At("ei:signalName", STRING),
            "signal_type": At("ei:signalType", scalar_of(_SignalType)),
            "measurement": None,
            "current_value": At("ei:currentValue/ei:payloadFloat", PAYLOAD_FLOAT, forgiven=None),
        },
        Interval: {
            "dtstart": None,
            "duration": At("xcal:duration", DURATION_PROPERTY, forgiven=None),
            "uid": At("xcal:uid", TEXT_PROPERTY, forgiven=None),
            "payloads": At("strm:streamPayloadBase!", _SIGNAL_PAYLOAD),
        },
        SignalPayload: {"value": At("ei:payloadBase", _NUMBER)},
        Target: {name: None for name in Target.__struct_fields__ if name not in _TARGETS},
    },
)

DIALECTS: Final[Mapping[ProfileName, Dialect]] = {one.profile: one for one in (PROFILE_B, PROFILE_A)}

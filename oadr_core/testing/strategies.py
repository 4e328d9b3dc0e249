"""Hypothesis strategies for every message, derived from the same declarations as the codec.

They draw all that the schema admits, whether or not the rules do, so a field that is declared is tested from that day
on. Needs the package ``hypothesis``.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
from hypothesis import strategies as st

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
    enumeration_of,
    shape,
)
from oadr_core.messages.durations import CalendarDuration
from oadr_core.messages.enums import SiScaleCode
from oadr_core.messages.units import ITEMS, Measurement, PowerAttributes

_PartT = TypeVar("_PartT", bound=msgspec.Struct)

FEEDS: Final = (
    (
        '<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:uuid:1</id><title>Green Button</title>'
        "<updated>2026-11-20T00:00:00Z</updated></feed>"
    ),
    (
        '<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:uuid:2</id><title>Usage &amp; more</title>'
        "<updated>2026-11-20T00:00:00Z</updated><entry><id>urn:uuid:3</id><title/><content>"
        '<IntervalBlock xmlns="http://naesb.org/espi"><interval><duration>900</duration><start>0</start></interval>'
        "<IntervalReading><value>17</value></IntervalReading></IntervalBlock></content>"
        "<updated>2026-11-20T00:00:00Z</updated></entry></feed>"
    ),
)
"""Two feeds that the schema accepts."""

texts: Final[st.SearchStrategy[str]] = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff", include_characters="\t\n\r"
    ),
    max_size=12,
)
"""Any text that XML can carry."""

instants: Final[st.SearchStrategy[datetime]] = st.datetimes(
    datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC), allow_imaginary=False
).map(lambda instant: instant.replace(microsecond=0))
"""Instants in UTC, in whole seconds."""

_DAY: Final = 86_400


def _lengths(least: int, most: int) -> st.SearchStrategy[timedelta]:
    return st.integers(least, most).map(lambda seconds: timedelta(seconds=seconds))


durations: Final[st.SearchStrategy[timedelta | CalendarDuration]] = st.one_of(
    _lengths(0, _DAY),
    _lengths(timedelta.min.days * _DAY, timedelta.max.days * _DAY),
    st.builds(CalendarDuration, months=st.integers(1, 1200), rest=_lengths(0, 100 * _DAY)),
    st.builds(CalendarDuration, months=st.integers(-1200, -1), rest=_lengths(-100 * _DAY, 0)),
)
"""Durations in whole seconds, some of them with months."""

_EXTENSIONS: Final = st.from_regex(r"x-[A-Za-z][A-Za-z ]{0,6}[A-Za-z]", fullmatch=True).map(
    lambda text: " ".join(text.split())
)
_SCALARS: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "string": texts,
    "uri": st.from_regex(r"(http://[a-z]{1,8}\.example/)?[A-Za-z0-9/._~-]{0,12}", fullmatch=True),
    "identifier": st.nothing(),  # an xs:ID must be unique in the document, which a value by itself cannot be
    "doubles": st.lists(st.integers(-180, 180), max_size=4).map(lambda numbers: " ".join(map(str, numbers))),
    "boolean": st.booleans(),
    "float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 1000).map(float),
    "decimal": st.integers(-(10**9), 10**9).map(lambda thousandths: thousandths / 1000),
    "instant": instants,
    "duration": durations,
    "code": st.integers(0, 999),
}


def payloads(message_type: str | None = None) -> st.SearchStrategy[Payload]:
    """Draw a message.

    :param message_type: the payload to draw, such as ``oadrPoll``; any of the 23 if None.
    """
    if message_type is not None:
        return parts(PAYLOADS[message_type])
    return st.one_of([parts(cls) for cls in PAYLOADS.values()])


def parts(cls: type[_PartT]) -> st.SearchStrategy[_PartT]:
    """Draw an instance of any message class or part of one."""
    drawn: st.SearchStrategy[_PartT] = _parts(cls)
    return drawn


@cache
def _parts(cls: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    if cls is Measurement:
        return st.one_of([_measurements(name, item) for name, item in ITEMS.items()])
    together: dict[str, list[Field]] = {}
    for field in shape(cls).fields:
        wrapper = field.steps[0].name if len(field.steps) > 1 and field.nullable and not field.repeated else field.name
        together.setdefault(wrapper, []).append(field)
    return st.tuples(*(_fields(group) for group in together.values())).map(
        lambda drawn: cls(**{name: value for group in drawn for name, value in group.items()})
    )


def _fields(fields: list[Field]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the fields under one wrapper; those that an optional wrapper requires are there together or not at all."""
    inside = [field for field in fields if field.steps[-1].occurs.required and field.nullable]
    given = st.fixed_dictionaries({field.name: _value(field, inside=field in inside) for field in fields})
    if not inside:
        return given
    return given | st.just({field.name: None for field in fields})


def _value(field: Field, *, inside: bool) -> st.SearchStrategy[Any]:
    one = _one(field.kind)
    if field.repeated:
        least = 1 if any(step.occurs.value == "+" for step in field.steps) and field.default != () else 0
        one = st.lists(one, min_size=least, max_size=3).map(tuple)
    return st.none() | one if field.nullable and not inside else one


def _one(kind: Kind) -> st.SearchStrategy[Any]:
    if isinstance(kind, Scalar):
        return _scalars(kind)
    if isinstance(kind, Property):
        return _scalars(kind.scalar)
    if isinstance(kind, Group):
        return st.one_of(list(_members(kind)))
    if isinstance(kind, Feed):
        return st.sampled_from(FEEDS)
    if isinstance(kind, Item):
        raise TypeError("a unit is drawn through its group")
    return _parts(kind)


def _scalars(scalar: Scalar) -> st.SearchStrategy[Any]:
    if scalar.family == "token":
        if scalar.extended_type is None:
            return st.sampled_from(list(enumeration_of(scalar)))
        return st.sampled_from(scalar.values) | _EXTENSIONS
    if scalar.family == "integer":
        limits = {name: int(value) for name, value in scalar.facets}
        return st.integers(limits.get("minInclusive", 0), limits.get("maxInclusive", 2**32 - 1))
    return _SCALARS[scalar.family]


def _members(group: Group) -> Iterable[st.SearchStrategy[Any]]:
    units = [(name, item) for name, item in group.members.items() if isinstance(item, Item)]
    if units:
        yield _parts(Measurement)
    for member in group.members.values():
        if not isinstance(member, Item):
            yield _one(member)


def _measurements(element: str, item: Item) -> st.SearchStrategy[Measurement]:
    return st.builds(
        Measurement,
        name=st.just(element.partition(":")[2]),
        description=st.sampled_from(item.descriptions) if item.descriptions else texts,
        unit=st.sampled_from(item.units) if item.units else texts,
        scale=st.none() if item.extra == "pulse_factor" else st.sampled_from(SiScaleCode),
        power_attributes=_parts(PowerAttributes) if item.extra == "power" else st.none(),
        pulse_factor=_SCALARS["float"] if item.extra == "pulse_factor" else st.none(),
    )

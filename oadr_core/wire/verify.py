"""What is wrong with a message that a user made: the declarations, looked at in Python.

The encoder trusts its input. What comes from a user passes here first, so that a mistake is named by its place in the
message, in the user's own terms, where it is made.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from oadr_core.errors import LocalProtocolError
from oadr_core.messages.declare import Feed, Field, Group, Item, Kind, Property, Scalar, shape
from oadr_core.messages.units import ITEMS, Measurement
from oadr_core.wire.feeds import standalone
from oadr_core.wire.scalars import converter


def verify(part: msgspec.Struct) -> None:
    """Check that a message or a part of one can be sent.

    :param part: any class of :mod:`oadr_core.messages`.
    :raises LocalProtocolError: it cannot; the text names the place, what is wrong and what would be right.
    """
    found = problems(part)
    if found:
        raise LocalProtocolError(found[0])


def problems(part: msgspec.Struct) -> list[str]:
    """List what keeps a message or a part of one from being sent; see :func:`verify`."""
    return [f"{type(part).__name__}{place}: {what}" for place, what in _structure(part)]


def _structure(part: msgspec.Struct) -> Iterator[tuple[str, str]]:
    if isinstance(part, Measurement):
        yield from (("", what) for what in _measurement(part))
        return
    for field in shape(type(part)).fields:
        for place, what in _field(field, getattr(part, field.name)):
            yield f".{field.name}{place}", what
    groups: dict[str, list[Field]] = {}
    for field in shape(type(part)).fields:
        if len(field.steps) > 1 and field.nullable and not field.repeated:
            groups.setdefault(field.steps[0].name, []).append(field)
    for fields in groups.values():
        given = {getattr(part, field.name) is not None for field in fields if field.steps[-1].occurs.required}
        if len(given) > 1:
            yield "", f"{' and '.join(field.name for field in fields)} go together"


def _field(field: Field, value: Any) -> Iterator[tuple[str, str]]:
    if value is None:
        if not field.nullable:
            yield "", "is missing"
    elif field.repeated:
        if not isinstance(value, tuple | list):
            yield "", f"must be a tuple, not {type(value).__name__}"
            return
        optional = field.nullable or field.default == ()
        if not value and not optional:
            yield "", "is empty; at least one is needed"
        for index, item in enumerate(value):
            for place, what in _value(field.kind, item):
                yield f"[{index}]{place}", what
    else:
        yield from _value(field.kind, value)


def _value(kind: Kind, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(kind, Scalar):
        what = converter(kind).problem(value)
        if what is not None:
            yield "", what
        elif any(name == "maxInclusive" and value > int(limit) for name, limit in kind.facets):
            yield "", f"is {value}, more than {dict(kind.facets)['maxInclusive']}"
    elif isinstance(kind, Property):
        yield from _value(kind.scalar, value)
    elif isinstance(kind, Group):
        yield from _member(kind, value)
    elif isinstance(kind, Feed):
        try:
            standalone(value)
        except ValueError as error:
            yield "", str(error)
    elif not isinstance(value, kind):  # type: ignore[arg-type]
        yield "", f"must be a {kind.__name__}, not {type(value).__name__}"  # type: ignore[union-attr]
    else:
        yield from _structure(value)


def _member(group: Group, value: Any) -> Iterator[tuple[str, str]]:
    names = []
    for kind in group.members.values():
        cls = Measurement if isinstance(kind, Item) else kind
        if isinstance(kind, Property):
            if isinstance(value, int | float) and not isinstance(value, bool):
                return
            names.append("a number")
        elif isinstance(value, cls):  # type: ignore[arg-type]
            yield from _structure(value)
            return
        else:
            names.append(f"a {cls.__name__}")  # type: ignore[union-attr]
    yield "", f"must be {' or '.join(dict.fromkeys(names))}, not {type(value).__name__}"


def _measurement(value: Measurement) -> Iterator[str]:
    item = next((item for element, item in ITEMS.items() if element.partition(":")[2] == value.name), None)
    if item is None:
        yield f"{value.name!r} is no quantity; use measurement({value.name!r}, …) to make a custom unit"
        return
    if item.descriptions and value.description not in item.descriptions:
        yield f"the description of {value.name} is {value.description!r}, not {' or '.join(item.descriptions)}"
    if item.units and value.unit not in item.units:
        yield f"the unit of {value.name} is {value.unit!r}, which the schema does not know"
    wanted = {
        "scale": item.extra != "pulse_factor",
        "pulse_factor": item.extra == "pulse_factor",
        "power_attributes": item.extra == "power",
    }
    for name, needed in wanted.items():
        if needed != (getattr(value, name) is not None):
            yield f"{name} {'is missing' if needed else 'does not belong'} in {value.name}"
    if value.power_attributes is not None:
        yield from (f"power_attributes{place} {what}" for place, what in _structure(value.power_attributes))

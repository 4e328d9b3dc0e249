"""What is wrong with a message that a user made: the declarations, looked at in Python.

The encoder trusts its input. What comes from a user passes here first, so that a mistake is named by its place in the
message, in the user's own terms, where it is made.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from oadr_core.errors import LocalProtocolError
from oadr_core.messages.declare import (
    FLOAT,
    STRING,
    UNSIGNED_INT,
    Feed,
    Field,
    Group,
    Item,
    Kind,
    Occurs,
    Property,
    Scalar,
    scalar_of,
)
from oadr_core.messages.enums import SiScaleCode
from oadr_core.messages.units import ITEMS, Measurement, PowerAttributes
from oadr_core.wire.dialects import PROFILE_B, Dialect
from oadr_core.wire.feeds import feed_problem
from oadr_core.wire.scalars import converter

Problem = tuple[str, str]
"""A place inside the part, and what is wrong there."""


def verify(part: msgspec.Struct) -> None:
    """Check that a message or a part of one can be sent.

    :param part: any class of :mod:`oadr_core.messages`.
    :raises LocalProtocolError: it cannot; the text names the place, what is wrong and what would be right.
    """
    found = problems(part)
    if found:
        raise LocalProtocolError(found[0])


def verify_received(part: msgspec.Struct) -> None:
    """Check that a message, or a part of one, can be what a liberal receiver has read.

    Such a one may say what the schema does not admit, and could not be sent; what it holds is of the right kind all
    the same.

    :param part: any class of :mod:`oadr_core.messages`.
    :raises LocalProtocolError: it cannot; the text names the place and what is wrong.
    """
    for place, what in _Received(PROFILE_B).structure(part):
        raise LocalProtocolError(f"{type(part).__name__}{place}: {what}")


def problems(part: msgspec.Struct, dialect: Dialect = PROFILE_B) -> list[str]:
    """List what keeps a message or a part of one from being sent in a dialect; see :func:`verify`."""
    return [f"{type(part).__name__}{place}: {what}" for place, what in _Verifier(dialect).structure(part)]


class _Verifier:
    """Looks at one message."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._identifiers: set[str] = set()

    def structure(self, part: msgspec.Struct) -> Iterator[Problem]:
        """Look at an instance of a class."""
        if isinstance(part, Measurement):
            yield from self._measurement(part)
            return
        declared = self._dialect.shape(type(part))
        for name in self._dialect.left_out(part):
            yield f".{name}", f"does not exist in OpenADR {self._dialect.profile}"
        for field in declared.fields:
            for place, what in self._field(field, getattr(part, field.name)):
                yield f".{field.name}{place}", what
        groups: dict[str, list[Field]] = {}
        for field in declared.fields:
            if len(field.steps) > 1 and field.nullable and not field.repeated and field.steps[-1].occurs.required:
                groups.setdefault(field.steps[0].name, []).append(field)
        for fields in groups.values():
            if len({getattr(part, field.name) is None for field in fields}) > 1:
                yield "", f"{' and '.join(field.name for field in fields)} go together"

    def _field(self, field: Field, value: Any) -> Iterator[Problem]:
        if value is None:
            if not field.nullable:
                yield "", "is missing"
        elif not field.repeated:
            yield from self._value(field.kind, value)
        elif not isinstance(value, tuple | list):
            yield "", f"must be a tuple, not {type(value).__name__}"
        else:
            if not value and not field.nullable and field.default != ():
                yield "", "is empty; at least one is needed"
            if len(value) > 1 and field.steps[-1].occurs is Occurs.ONE_OF_MANY:
                yield "", f"has {len(value)} parts; OpenADR {self._dialect.profile} has one"
            for index, item in enumerate(value):
                for place, what in self._value(field.kind, item):
                    yield f"[{index}]{place}", what

    def _value(self, kind: Kind, value: Any) -> Iterator[Problem]:
        if isinstance(kind, Property):
            kind = kind.scalar
        if isinstance(kind, Group):
            yield from self._member(kind, value)
        elif isinstance(kind, type):
            yield from self._instance((kind,), value)
        else:
            assert isinstance(kind, Scalar | Feed)
            what = feed_problem(value) if isinstance(kind, Feed) else converter(kind).problem(value)
            if what is not None:
                yield "", what
            elif isinstance(kind, Scalar) and kind.family == "identifier":
                if value in self._identifiers:
                    yield "", f"is {value!r} again; an identifier is unique in the document"
                self._identifiers.add(value)

    def _member(self, group: Group, value: Any) -> Iterator[Problem]:
        number = next((kind.scalar for kind in group.members.values() if isinstance(kind, Property)), None)
        if number is not None and converter(number).problem(value) is None:
            return
        kinds = [Measurement if isinstance(kind, Item) else kind for kind in group.members.values()]
        classes = tuple(dict.fromkeys(kind for kind in kinds if isinstance(kind, type)))
        yield from self._instance(classes, value, "" if number is None else "a number or ")

    def _instance(self, classes: tuple[type[msgspec.Struct], ...], value: Any, more: str = "") -> Iterator[Problem]:
        if isinstance(value, classes):
            yield from self.structure(value)
        else:
            names = " or ".join(f"a {cls.__name__}" for cls in classes)
            yield "", f"must be {more}{names}, not {type(value).__name__}"

    def _measurement(self, value: Measurement) -> Iterator[Problem]:
        item = next((item for element, item in ITEMS.items() if element.partition(":")[2] == value.name), None)
        if item is None:
            right = f"use measurement({value.name!r}, …) to make a custom unit"
            yield ".name", f"{value.name!r} is no quantity; {right}"
            return
        kinds: dict[str, tuple[Kind, bool]] = {
            "description": (STRING, True),
            "unit": (STRING, True),
            "scale": (scalar_of(SiScaleCode), item.extra != "pulse_factor"),
            "pulse_factor": (FLOAT, item.extra == "pulse_factor"),
            "power_attributes": (PowerAttributes, item.extra == "power"),
        }
        for name, (kind, needed) in kinds.items():
            given = getattr(value, name)
            if needed != (given is not None):
                yield f".{name}", f"{'is missing' if needed else 'does not belong'} in {value.name}"
            elif needed:
                for place, what in self._value(kind, given):
                    yield f".{name}{place}", what
        for name, allowed in (("description", item.descriptions), ("unit", item.units)):
            text = getattr(value, name)
            if allowed and text not in allowed:
                few = " or ".join(allowed) if len(allowed) < 4 else "one that the schema knows"
                yield f".{name}", f"is {text!r}; in {value.name} it is {few}"


class _Received(_Verifier):
    """Looks at what a liberal receiver has read: texts may be any, some lists empty; types and times are right."""

    def structure(self, part: msgspec.Struct) -> Iterator[Problem]:
        """Look at an instance of a class."""
        if isinstance(part, Measurement):
            return
        for field in self._dialect.shape(type(part)).fields:
            for place, what in self._field(field, getattr(part, field.name)):
                yield f".{field.name}{place}", what

    def _field(self, field: Field, value: Any) -> Iterator[Problem]:
        if value == () and field.forgiven is not msgspec.UNSET:
            return
        yield from super()._field(field, value)

    def _value(self, kind: Kind, value: Any) -> Iterator[Problem]:
        scalar = kind.scalar if isinstance(kind, Property) else kind
        if isinstance(value, str) and isinstance(scalar, Scalar | Feed):
            scalar = STRING
        elif isinstance(scalar, Scalar) and scalar.family == "integer":
            scalar = UNSIGNED_INT
        yield from super()._value(scalar, value)

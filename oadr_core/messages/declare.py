"""How a message class says, once, where each of its fields stands in the document.

A field is annotated with :class:`At`, which holds a path of steps from the element of its class down to the value::

    market_context: Annotated[str, At("ei:eiMarketContext~/emix:marketContext")]

A step is a prefixed name, with ``@`` before the name of an attribute, and with these marks behind it:

* ``~``  the schema declares the element in place, not globally;
* ``?``  at most once;  ``*``  any number of times;  ``+``  once or more;
* ``!``  once, though the field can hold several: another profile lets them.

Steps shared by neighbouring fields are one element in the document. Encoder, decoders, dict view, schema and Hypothesis
strategies are all derived from the tree of steps that :func:`shape` makes of a class. Another profile says where it
departs from that, in the same terms: see :func:`variant`.
"""

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from oadr_core.messages.durations import CalendarDuration


class Occurs(Enum):
    """How often a step may occur; the value is the mark that says so."""

    ONCE = ""
    OPTIONAL = "?"
    ANY = "*"
    MANY = "+"
    ONE_OF_MANY = "!"

    @property
    def repeated(self) -> bool:
        """Whether the field has room for the step more than once."""
        return self in (Occurs.ANY, Occurs.MANY, Occurs.ONE_OF_MANY)

    @property
    def required(self) -> bool:
        """Whether the step must occur at least once."""
        return self in (Occurs.ONCE, Occurs.MANY, Occurs.ONE_OF_MANY)


@dataclass(frozen=True)
class Scalar:
    """A simple type of the schema.

    :param family: how the text is read and written; a key of the converters in :mod:`oadr_core.wire.scalars`.
    :param schema_type: the schema's name for the type.
    :param base: the built-in type that it restricts, or None where ``schema_type`` is itself built in.
    :param facets: the restriction's facets as (name, value) pairs.
    :param values: the closed list of texts that it admits, if there is one.
    :param extended_type: the schema's name for the union of ``values`` with any ``x-`` text, where extensions are
        admitted (annex B of the profile).
    :param raw: whether a lenient receiver keeps a text that ``values`` does not hold, where they are all that the
        schema admits (decision D12).
    """

    family: str
    schema_type: str
    base: str | None = None
    facets: tuple[tuple[str, str], ...] = ()
    values: tuple[str, ...] = ()
    extended_type: str | None = None
    raw: bool = False

    @property
    def closed(self) -> bool:
        """Whether a value can only be one of ``values``, and so is a member of their enumeration."""
        return self.family == "token" and self.extended_type is None and not self.raw

    @property
    def name(self) -> str:
        """The schema's name for all that the type admits, extensions included."""
        return self.extended_type or self.schema_type


@dataclass(frozen=True)
class Property:
    """A simple value wrapped in an element of its own, as ``xcal:duration`` wraps a duration.

    :param schema_type: the schema's name for the wrapping type, or None where it has none.
    :param inner: the step of the inner element.
    :param scalar: the type of the value.
    """

    schema_type: str | None
    inner: str
    scalar: Scalar


@dataclass(frozen=True)
class Feed:
    """An Atom feed that is carried whole, as the Green Button payloads are."""

    inner: str = "atom:feed"


@dataclass(frozen=True)
class Item:
    """One unit of measurement: an element that may stand for ``emix:itemBase``.

    :param schema_type: the schema's name for its type.
    :param descriptions: the texts its description may have; empty for free text.
    :param units: the texts its unit may have; empty for free text.
    :param extra: what follows the unit: ``scale``, ``pulse_factor``, or ``power`` (a scale and the power attributes).
    :param description_type: the schema's name for the type of the description, where it is a named one.
    :param units_type: the schema's name for the type of the unit, where it is a named one.
    :param stands_for: the abstract element between this one and ``emix:itemBase``, if there is one.
    """

    schema_type: str
    descriptions: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    extra: str = "scale"
    description_type: str | None = None
    units_type: str | None = None
    stands_for: str | None = None


@dataclass(frozen=True)
class Group:
    """A substitution group: one of several elements may stand at the step.

    :param head: the abstract element that the step names.
    :param head_type: the schema's name for the abstract type of the head.
    :param members: the element of each member, and what it holds.
    :param abstract: elements of an abstract type that stand between head and members, with the name of that type. They
        can be sent, by others, when an xsi:type says which member is meant.
    """

    head: str
    head_type: str
    members: Mapping[str, "Kind"]
    abstract: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.head)


@dataclass(frozen=True)
class At:
    """Where a field stands in the document.

    :param path: the steps, see the module's text.
    :param kind: what stands at the end of the path; by default what the Python type of the field suggests. An
        enumeration whose fields may hold other texts too is named here, as they are plain strings.
    :param forgiven: what a lenient receiver takes when the element is missing (docs/leniency.md).
    """

    path: str
    kind: "Scalar | Property | Group | Feed | type[StrEnum] | None" = None
    forgiven: Any = msgspec.UNSET


Kind = Scalar | Property | Group | Feed | Item | type[msgspec.Struct]


STRING = Scalar("string", "xs:string")
BOOLEAN = Scalar("boolean", "xs:boolean")
UNSIGNED_INT = Scalar("integer", "xs:unsignedInt")
FLOAT = Scalar("float", "xs:float")
DECIMAL = Scalar("decimal", "xs:decimal")
DATE_TIME = Scalar(
    "instant",
    "xcal:DateTimeType",
    "xs:dateTime",
    (("pattern", r"(\-|\+)?\d{4}\-\d{2}\-\d{2}T\d{2}:\d{2}:\d{2}(\.\d*)?Z?"),),
)
DURATION = Scalar(
    "duration",
    "xcal:DurationValueType",
    "xs:string",
    (("pattern", r"(\+|\-)?P((\d+Y)?(\d+M)?(\d+D)?T?(\d+H)?(\d+M)?(\d+S)?)|(\d+W)"),),
)
SCHEMA_VERSION = Scalar(
    "token",
    "ei:schemaVersionEnumeratedType",
    "xs:token",
    values=("2.0a", "2.0b"),
    extended_type="ei:schemaVersionType",
)


class Part(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True, gc=False):
    """Base of everything that has a place in a message. Instances are values: frozen, and compared by content."""

    __schema_type__: ClassVar[str | None] = None
    """The schema's name for the type, for documents that use xsi:type."""

    __trailing__: ClassVar[tuple[str, ...]] = ()
    """Steps of elements without content that must stand behind the fields all the same."""


class Payload(Part, frozen=True, kw_only=True):
    """Base of the 23 payloads of OpenADR 2.0b (section 8 of the profile)."""

    __element__: ClassVar[str] = ""

    schema_version: Annotated[str | None, At("@ei:schemaVersion?", SCHEMA_VERSION)] = "2.0b"

    @classmethod
    def message_type(cls) -> str:
        """Name the payload as the specification does, such as ``oadrPoll``."""
        return cls.__element__.partition(":")[2]


@dataclass(frozen=True)
class Step:
    """One step of a path."""

    name: str
    occurs: Occurs = Occurs.ONCE
    local: bool = False
    attribute: bool = False

    @classmethod
    def parse(cls, text: str) -> "Step":
        """Read a step such as ``ei:interval+``."""
        attribute = text.startswith("@")
        name = text.lstrip("@")
        occurs = Occurs.ONCE
        if name[-1] in "?*+!":
            occurs, name = Occurs(name[-1]), name[:-1]
        local = name.endswith("~")
        return cls(name.rstrip("~"), occurs, local, attribute)


@dataclass(frozen=True)
class Field:
    """A declared field.

    :param name: its name in the class, which is also its key in the dict view.
    :param kind: what its value is.
    :param steps: the path to it.
    :param nullable: whether its value may be None.
    :param default: its default, or ``msgspec.NODEFAULT``.
    :param forgiven: see :class:`At`.
    """

    name: str
    kind: Kind
    steps: tuple[Step, ...]
    nullable: bool
    default: Any
    forgiven: Any

    @property
    def repeated(self) -> bool:
        """Whether the value is a tuple of values."""
        return any(step.occurs.repeated for step in self.steps)


@dataclass(eq=False)
class Node:
    """A step of a class's tree.

    It is the end of a path with a ``field``, a wrapper with ``children``, or an empty element.
    """

    step: Step
    children: list["Node"] = field(default_factory=list)
    field: Field | None = None

    def fields(self) -> Iterator[Field]:
        """All fields at or below this node, in document order."""
        if self.field is not None:
            yield self.field
        for child in self.children:
            yield from child.fields()


@dataclass(frozen=True)
class Shape:
    """What a class declares: its fields, and the tree of elements and attributes that they make."""

    cls: type[msgspec.Struct]
    fields: tuple[Field, ...]
    attributes: tuple[Node, ...]
    children: tuple[Node, ...]


_BY_PYTHON_TYPE: Mapping[Any, Scalar] = {
    str: STRING,
    bool: BOOLEAN,
    int: UNSIGNED_INT,
    float: FLOAT,
    datetime: DATE_TIME,
    CalendarDuration: DURATION,
}
_PYTHON_TYPES: Mapping[str, set[Any]] = {
    "boolean": {bool},
    "integer": {int},
    "code": {int},
    "float": {float},
    "decimal": {float},
    "instant": {datetime},
    "duration": {timedelta, CalendarDuration},
}
"""The annotation of a field by the family of its scalar; all others are plain strings."""
_ENUMERATIONS: dict[type[StrEnum], Scalar] = {}
_StrEnumT = TypeVar("_StrEnumT", bound=type[StrEnum])


def enumeration(
    schema_type: str, *, base: str = "xs:token", extended_type: str | None = None, raw: bool = False
) -> Callable[[_StrEnumT], _StrEnumT]:
    """Declare a ``StrEnum`` as an enumerated type of the schema.

    :param schema_type: the schema's name for the closed list.
    :param base: the built-in type that is restricted; ``xs:token`` forgives surrounding blanks, ``xs:string`` does not.
    :param extended_type: the schema's name for the union of the list with any ``x-`` text, if there is one.
    :param raw: whether a lenient receiver keeps a text that is not on the list.
    """

    def declare(cls: _StrEnumT) -> _StrEnumT:
        values = tuple(member.value for member in cls)
        _ENUMERATIONS[cls] = Scalar("token", schema_type, base, (), values, extended_type, raw)
        return cls

    return declare


def enumeration_of(scalar: Scalar) -> type[StrEnum]:
    """Find the enumeration that was declared as a simple type."""
    return next(cls for cls, declared in _ENUMERATIONS.items() if declared == scalar)


def scalar_of(cls: type[StrEnum]) -> Scalar:
    """Find the simple type that an enumeration was declared as."""
    return _ENUMERATIONS[cls]


@cache
def shape(cls: type[msgspec.Struct]) -> Shape:
    """Collect what a message class declares.

    :raises TypeError: a declaration contradicts the annotation of its field.
    """
    return variant(cls, {})


def variant(cls: type[msgspec.Struct], departures: Mapping[str, At | None]) -> Shape:
    """Collect what a message class declares, as another profile has it.

    :param cls: the class.
    :param departures: by the names of fields, where they stand instead; None for those that the profile does not have,
        which keep their defaults when they are read.
    :raises TypeError: a declaration contradicts the annotation of its field, or there is no such field.
    """
    unknown = departures.keys() - set(cls.__struct_fields__)
    if unknown:
        raise TypeError(f"{cls.__name__} has no {', '.join(sorted(unknown))}")
    hints = get_type_hints(cls, include_extras=True)
    defaults = dict(zip(reversed(cls.__struct_fields__), reversed(cls.__struct_defaults__), strict=False))
    fields = tuple(
        _field(cls, name, hints[name], defaults, departures.get(name))
        for name in cls.__struct_fields__
        if departures.get(name, True) is not None
    )
    root = Node(Step(cls.__name__))
    for declared in fields:
        _plant(root, declared)
    root.children += [Node(Step.parse(text)) for text in getattr(cls, "__trailing__", ())]
    attributes = tuple(node for node in root.children if node.step.attribute)
    children = tuple(node for node in root.children if not node.step.attribute)
    return Shape(cls, fields, attributes, children)


def _field(cls: type, name: str, hint: Any, defaults: Mapping[str, Any], instead: At | None) -> Field:
    where = f"{cls.__name__}.{name}"
    if get_origin(hint) is not Annotated:
        raise TypeError(f"{where} has no At(...)")
    python_type, *notes = get_args(hint)
    at = next((note for note in notes if isinstance(note, At)), None)
    if at is None:
        raise TypeError(f"{where} has no At(...)")
    at = instead or at
    steps = tuple(Step.parse(text) for text in at.path.split("/"))
    alternatives = set(_alternatives(python_type))
    nullable = type(None) in alternatives
    alternatives.discard(type(None))
    repeated = any(step.occurs.repeated for step in steps)
    if repeated != any(get_origin(one) is tuple for one in alternatives):
        raise TypeError(f"{where}: the path and the annotation disagree on whether it may occur more than once")
    if repeated:
        (sequence,) = alternatives
        alternatives = set(_alternatives(get_args(sequence)[0]))
    if sum(step.occurs.repeated for step in steps) > 1:
        raise TypeError(f"{where}: more than one step may occur more than once")
    optional = any(step.occurs is Occurs.OPTIONAL for step in steps)
    if instead is not None and not optional:
        nullable = False  # what another profile may leave out
    if nullable and not optional:
        raise TypeError(f"{where} may be None, but its path is required")
    if optional and not nullable and not repeated:
        raise TypeError(f"{where} may be absent, but not None")
    kind: Kind
    if at.kind is None or isinstance(at.kind, type):
        kind = _kind(where, alternatives if at.kind is None else {at.kind})
    else:
        kind = at.kind
    _agree(where, kind, alternatives)
    return Field(name, kind, steps, nullable, defaults.get(name, msgspec.NODEFAULT), at.forgiven)


def _agree(where: str, kind: Kind, alternatives: set[Any]) -> None:
    """Hold what the annotation says against the values that the kind has."""
    scalar = kind.scalar if isinstance(kind, Property) else kind
    if not isinstance(scalar, Scalar):
        return
    expected = {enumeration_of(scalar)} if scalar.closed else _PYTHON_TYPES.get(scalar.family, {str})
    if alternatives != expected:
        names = " | ".join(sorted(one.__name__ for one in expected))
        raise TypeError(f"{where}: a {scalar.name} is {names}, and the annotation says otherwise")


def _alternatives(python_type: Any) -> tuple[Any, ...]:
    if get_origin(python_type) in (Union, types.UnionType):
        return get_args(python_type)
    return (python_type,)


def _kind(where: str, alternatives: set[Any]) -> Kind:
    for one in alternatives:
        if one in _ENUMERATIONS:
            return _ENUMERATIONS[one]
    for one in alternatives:
        if one in _BY_PYTHON_TYPE:
            return _BY_PYTHON_TYPE[one]
    (one,) = alternatives
    if isinstance(one, type) and issubclass(one, Part):
        return one
    raise TypeError(f"{where}: no kind is known for {one}")


def _plant(root: Node, declared: Field) -> None:
    where = f"{root.step.name}.{declared.name}"
    node = root
    for step in declared.steps[:-1]:
        last = _child(node, step)
        if last is None:
            last = Node(step)
            node.children.append(last)
        elif last.step != step or last.field is not None or step.occurs.repeated:
            raise TypeError(f"{where}: {step.name} was declared before, and not as a wrapper of several fields")
        node = last
    if _child(node, declared.steps[-1]) is not None:
        raise TypeError(f"{where}: {declared.steps[-1].name} was declared before")
    node.children.append(Node(declared.steps[-1], field=declared))


def _child(node: Node, step: Step) -> Node | None:
    return next((child for child in node.children if child.step.name == step.name), None)

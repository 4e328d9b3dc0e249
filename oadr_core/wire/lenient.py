"""A tree that the schema has refused, to a message all the same: the liberal receiver (docs/leniency.md).

Elements are found by name whatever their order, then by local name in another namespace. Every departure is told, so
that an operator can see what a peer does wrong. What cannot be made sense of is refused.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from lxml import etree

from oadr_core.errors import SchemaError
from oadr_core.messages.declare import Feed, Field, Group, Item, Kind, Node, Payload, Property, Scalar, Step, shape
from oadr_core.messages.enums import SiScaleCode
from oadr_core.messages.namespaces import clark
from oadr_core.messages.units import ITEMS, Measurement, PowerAttributes
from oadr_core.wire.decode import ELEMENT_OF_TYPE
from oadr_core.wire.feeds import feed_of
from oadr_core.wire.parse import name_of
from oadr_core.wire.scalars import converter

Tell = Callable[[str, str], None]
"""Takes a place and a sentence about what was forgiven there."""

_XSI: Final = clark("xsi:")


def decode_leniently(element: etree._Element, cls: type[Payload], tell: Tell) -> Payload:
    """Read an element that may break the schema.

    :param element: the root element of the payload.
    :param cls: its class.
    :param tell: is told each departure that was forgiven.
    :raises SchemaError: something is missing, or makes no sense.
    """
    message: Payload = _Reader(tell).structure(element, cls, local_name(element))
    return message


def local_name(element: etree._Element) -> str:
    """The name of an element without its namespace."""
    return name_of(element).rpartition("}")[2]


class _Reader:
    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def structure(self, element: etree._Element, cls: type[msgspec.Struct], place: str) -> Any:
        """Read an instance of a class."""
        declared = shape(cls)
        values: dict[str, Any] = {}
        self._attributes(element, declared.attributes, values, place)
        self._content(element, declared.children, values, place)
        for field in declared.fields:
            if field.name not in values:
                values[field.name] = self._missing(field, place)
        return cls(**values)

    def _missing(self, field: Field, place: str) -> Any:
        optional = field.nullable or (field.repeated and field.default == ())
        if not optional:
            what = "/".join(step.name for step in field.steps)
            if field.forgiven is msgspec.UNSET:
                raise SchemaError(f"{what} is missing", place)
            self._tell(place, f"{what} is missing")
            return field.forgiven
        return None if field.nullable else ()

    def _attributes(self, element: etree._Element, nodes: Iterable[Node], values: dict[str, Any], place: str) -> None:
        wanted = {clark(node.step.name): node for node in nodes}
        for key, text in element.attrib.items():
            name = str(key)
            node = wanted.get(name) or next((one for tag, one in wanted.items() if tag.endswith("}" + name)), None)
            if node is None:
                if not name.startswith(_XSI):
                    self._tell(place, f"unknown attribute {name}")
                continue
            if name not in wanted:
                self._tell(place, f"attribute {name} without its namespace")
            assert node.field is not None
            assert isinstance(node.field.kind, Scalar)
            values[node.field.name] = self._value(node.field.kind, str(text), f"{place}/@{name}")

    def _content(self, element: etree._Element, nodes: Iterable[Node], values: dict[str, Any], place: str) -> None:
        nodes = [node for node in nodes if not node.step.attribute]
        latest = 0
        seen: set[int] = set()
        for child in element:
            index = self._find(child, nodes, place)
            if index is None:
                self._tell(place, f"unknown element {local_name(child)}")
                continue
            if index < latest:
                self._tell(place, f"{local_name(child)} stands behind what it should precede")
            latest = max(latest, index)
            node = nodes[index]
            if index in seen and not node.step.occurs.repeated:
                self._tell(place, f"{local_name(child)} stands there more than once; the first is taken")
                continue
            seen.add(index)
            self._node(child, node, values, f"{place}/{local_name(child)}")

    def _find(self, child: etree._Element, nodes: list[Node], place: str) -> int | None:
        for index, node in enumerate(nodes):
            if child.tag in _tags(node):
                return index
        for index, node in enumerate(nodes):
            if any(tag.rpartition("}")[2].lower() == local_name(child).lower() for tag in _tags(node)):
                self._tell(place, f"{name_of(child)} for {node.step.name}")
                return index
        return None

    def _node(self, child: etree._Element, node: Node, values: dict[str, Any], place: str) -> None:
        if node.field is None:
            if node.step.occurs.repeated:
                (field,) = node.fields()
                inner: dict[str, Any] = {}
                self._content(child, node.children, inner, place)
                if field.name not in inner:
                    raise SchemaError(f"{field.steps[-1].name} is missing", place)
                values[field.name] = (*values.get(field.name, ()), inner[field.name])
                return
            self._attributes(child, [one for one in node.children if one.step.attribute], values, place)
            self._wrapper(child, node, values, place)
            return
        field = node.field
        if _is_empty(child) and field.nullable and _holds_value(field.kind):
            self._tell(place, "an empty element counts as absent (rule 46)")
            return
        value = self._leaf(child, field.kind, place)
        values[field.name] = (*values.get(field.name, ()), value) if node.step.occurs.repeated else value

    def _wrapper(self, child: etree._Element, node: Node, values: dict[str, Any], place: str) -> None:
        self._content(child, node.children, values, place)
        for field in (inner.field for inner in node.children if inner.field is not None):
            if field.name not in values and field.repeated and field.nullable:
                values[field.name] = ()

    # --- values ------------------------------------------------------------------------------------------------------

    def _leaf(self, child: etree._Element, kind: Kind, place: str) -> Any:
        if isinstance(kind, Scalar):
            if len(child):
                self._tell(place, f"{local_name(child[0])} inside, where the text should stand")
            return self._value(kind, _text(child), place)
        if isinstance(kind, Property):
            if not len(child):
                self._tell(place, f"plain text, where {Step.parse(kind.inner).name} should hold it")
            return self._value(kind.scalar, _text(child), place)
        if isinstance(kind, Feed):
            return feed_of(child)
        if isinstance(kind, Group):
            return self._member(child, kind, place)
        assert isinstance(kind, type)
        return self.structure(child, kind, place)

    def _member(self, child: etree._Element, group: Group, place: str) -> Any:
        if child.tag in {clark(name) for name in group.abstract}:
            chosen = child.get(clark("xsi:type"), "").strip().rpartition(":")[2]
            if chosen not in ELEMENT_OF_TYPE:
                raise SchemaError("no xsi:type says which unit is meant", place)
            return self._measurement(child, ELEMENT_OF_TYPE[chosen], place)
        for name, kind in group.members.items():
            if clark(name) == child.tag:
                break
        else:
            name, kind = next(
                (name, kind)
                for name, kind in group.members.items()
                if name.partition(":")[2].lower() == local_name(child).lower()
            )
        return self._measurement(child, name, place) if isinstance(kind, Item) else self._leaf(child, kind, place)

    def _measurement(self, found: etree._Element, element: str, place: str) -> Measurement:
        item = ITEMS[element]
        parts = {local_name(child): child for child in found}

        def text(name: str, default: str) -> str:
            return _text(parts[name]).strip() if name in parts and _text(parts[name]).strip() else default

        attributes = parts.get("powerAttributes")
        description = text("itemDescription", next(iter(item.descriptions), ""))
        unit = text("itemUnits", next(iter(item.units), ""))
        if (item.descriptions and description not in item.descriptions) or (item.units and unit not in item.units):
            self._tell(place, f"a unit {description!r} in {unit!r}")
        if item.extra == "power" and attributes is None:
            self._tell(place, "powerAttributes are missing")
        return Measurement(
            name=element.partition(":")[2],
            description=description,
            unit=unit,
            scale=None if item.extra == "pulse_factor" else self._scale(text("siScaleCode", "none"), place),
            pulse_factor=float(text("pulseFactor", "1")) if item.extra == "pulse_factor" else None,
            power_attributes=None
            if attributes is None
            else self.structure(attributes, PowerAttributes, f"{place}/powerAttributes"),
        )

    def _scale(self, text: str, place: str) -> SiScaleCode:
        try:
            return SiScaleCode(text)
        except ValueError:
            raise SchemaError(f"{text!r} is no scale", place) from None

    def _value(self, scalar: Scalar, text: str, place: str) -> Any:
        try:
            return converter(scalar).forgive(text, lambda what: self._tell(place, what))
        except ValueError as error:
            raise SchemaError(str(error), place) from None


def _tags(node: Node) -> tuple[str, ...]:
    if node.field is not None and isinstance(node.field.kind, Group):
        return tuple(clark(name) for name in (*node.field.kind.members, *node.field.kind.abstract))
    return (clark(node.step.name),)


def _holds_value(kind: Kind) -> bool:
    """Whether an empty element cannot be a value of this kind."""
    if isinstance(kind, Scalar):
        return kind.family not in ("string", "uri")
    return isinstance(kind, Property | Group)


def _is_empty(element: etree._Element) -> bool:
    return not len(element) and not (element.text or "").strip()


def _text(element: etree._Element) -> str:
    return "".join(str(text) for text in element.itertext())

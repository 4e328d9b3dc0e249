"""A tree that the schema has accepted, to a message.

The schema fixes order and cardinality, so a required element is taken without looking at its name; only what is
optional or repeated is looked up. Each class gets a function, generated once from its declaration. Never call these
functions with a tree that was not validated: :mod:`oadr_core.wire.lenient` reads those.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import msgspec
from lxml import etree

from oadr_core.messages.declare import Feed, Group, Item, Kind, Node, Occurs, Payload, Property, Scalar
from oadr_core.messages.enums import SiScaleCode
from oadr_core.messages.namespaces import clark
from oadr_core.messages.units import ITEMS, Measurement, PowerAttributes
from oadr_core.wire.dialects import PROFILE_B, Dialect
from oadr_core.wire.feeds import feed_of
from oadr_core.wire.generate import Source
from oadr_core.wire.scalars import collapse, converter

_XSI_TYPE: Final = clark("xsi:type")

Decoder = Callable[[etree._Element], Any]  # noqa: SLF001 - lxml has no other name for it


def decode_payload(element: etree._Element, cls: type[Payload], dialect: Dialect) -> Payload:
    """Read a validated element.

    :param element: the root element of the payload.
    :param cls: its class.
    :param dialect: what it is written in.
    :raises ValueError: a value is valid but cannot be held, such as a date before the year 1.
    """
    message: Payload = _decoder(cls, dialect)(element)
    return message


@cache
def _decoder(cls: type[msgspec.Struct], dialect: Dialect) -> Decoder:
    """Generate the function that reads an instance of a class."""
    return _Generator(cls, dialect).function()


class _Generator:
    """Writes the function for one class.

    At depth ``n`` of wrapping elements, ``c<n>`` is the child not yet taken and ``t<n>`` its tag. Going from child to
    child with ``getnext`` takes half the time of an iterator.
    """

    def __init__(self, cls: type[msgspec.Struct], dialect: Dialect) -> None:
        self._source = Source()
        self._shape = dialect.shape(cls)
        self._dialect = dialect

    def function(self) -> Decoder:
        """Write and compile ``decode(e)``: make an instance from the element ``e``."""
        arguments = ", ".join(f"{field.name}=v_{field.name}" for field in self._shape.fields)
        cls = self._source.name(self._shape.cls, self._shape.cls.__name__)
        with self._source.block("def decode(e):"):
            for node in self._shape.attributes:
                self._attribute(node, "e")
            self._children(list(self._shape.children), "e", 0)
            self._source.line(f"return {cls}({arguments})")
        return self._source.function("decode")

    def _attribute(self, node: Node, element: str) -> None:
        assert node.field is not None
        assert isinstance(node.field.kind, Scalar)
        self._source.line(f"a = {element}.get({self._dialect.clark(node.step.name)!r})")
        read = self._scalar(node.field.kind, "a")
        self._source.line(f"v_{node.field.name} = None if a is None else {read}")

    def _children(self, nodes: list[Node], element: str, depth: int) -> None:
        """Read the children of ``element`` in order."""
        if len(nodes) == 1 and nodes[0].step.occurs.repeated and nodes[0].field:
            return self._only(nodes[0], element)
        child, tag = f"c{depth}", f"t{depth}"
        has_any = any(node.step.occurs.required for node in nodes)
        first = f"{element}[0]" if has_any else f"next(iter({element}), None)"
        self._source.line(f"{child} = {first}")
        known = False  # whether t<n> is the tag of c<n>
        for node in nodes:
            if node.step.occurs is Occurs.ONCE:
                self._take(node, child, tag if known else f"{child}.tag", depth)
                if node is not nodes[-1]:
                    self._source.line(f"{child} = {child}.getnext()")
                known = False
                continue
            if not known:
                self._look(child, tag)
                known = True
            if node.step.occurs.repeated:
                self._repeated(node, child, tag)
            else:
                self._optional(node, child, tag, depth, last=node is nodes[-1])
        return None

    def _look(self, child: str, tag: str) -> None:
        self._source.line(f"{tag} = None if {child} is None else {child}.tag")

    def _advance(self, child: str, tag: str) -> None:
        self._source.line(f"{child} = {child}.getnext()")
        self._look(child, tag)

    def _test(self, node: Node, tag: str) -> str:
        if node.field is not None and isinstance(node.field.kind, Group):
            return f"{tag} in {self._source.name(group_decoders(node.field.kind, self._dialect), 'group')}"
        return f"{tag} == {self._dialect.clark(node.step.name)!r}"

    def _optional(self, node: Node, child: str, tag: str, depth: int, *, last: bool) -> None:
        with self._source.block(f"if {self._test(node, tag)}:"):
            self._take(node, child, tag, depth)
            if not last:
                self._advance(child, tag)
        with self._source.block("else:"):
            for field in node.fields():
                absent = "()" if field.repeated and not field.nullable else "None"
                self._source.line(f"v_{field.name} = {absent}")

    def _repeated(self, node: Node, child: str, tag: str) -> None:
        (field,) = node.fields()
        self._source.line(f"v_{field.name} = []")
        with self._source.block(f"while {self._test(node, tag)}:"):
            self._source.line(f"v_{field.name}.append({self._item(node, child, tag)})")
            self._advance(child, tag)
        self._source.line(f"v_{field.name} = tuple(v_{field.name})")

    def _only(self, node: Node, element: str) -> None:
        """All children are the same kind of element."""
        assert node.field is not None
        read = self._item(node, "x", "x.tag")
        self._source.line(f"v_{node.field.name} = tuple([{read} for x in {element}])")

    def _item(self, node: Node, child: str, tag: str) -> str:
        """Read one of a repeated element, or what it wraps."""
        while node.field is None:
            (node,) = node.children
            child = f"{child}[0]"
        return self._leaf(node.field.kind, child, tag)

    def _take(self, node: Node, child: str, tag: str, depth: int) -> None:
        """Read a single element, which is there."""
        if node.field is not None:
            self._source.line(f"v_{node.field.name} = {self._leaf(node.field.kind, child, tag)}")
        elif node.children:
            for attribute in node.children:
                if attribute.step.attribute:
                    self._attribute(attribute, child)
            self._children([inner for inner in node.children if not inner.step.attribute], child, depth + 1)

    # --- values ------------------------------------------------------------------------------------------------------

    def _leaf(self, kind: Kind, child: str, tag: str) -> str:
        if isinstance(kind, Scalar):
            return self._scalar(kind, f"{child}.text")
        if isinstance(kind, Property):
            return self._scalar(kind.scalar, f"{child}[0].text")
        if isinstance(kind, Group):
            return f"{self._source.name(group_decoders(kind, self._dialect), 'group')}[{tag}]({child})"
        if isinstance(kind, Feed):
            return f"{self._source.name(feed_of, 'feed')}({child})"
        assert isinstance(kind, type)
        return f"{self._source.name(_decoder(kind, self._dialect), kind.__name__)}({child})"

    def _scalar(self, scalar: Scalar, text: str) -> str:
        read = converter(scalar).read
        if read is str:
            return f"({text} or '')"
        if scalar.family == "uri":
            text = f"({text} or '')"
        return f"{self._source.name(read, scalar.family)}({text})"


# --- substitution groups ---------------------------------------------------------------------------------------------


@cache
def group_decoders(group: Group, dialect: Dialect) -> Mapping[str, Decoder]:
    """The decoders of a substitution group's members by tag."""
    decoders: dict[str, Decoder] = {
        dialect.clark(name): _member_decoder(name, kind, dialect) for name, kind in group.members.items()
    }
    decoders |= {dialect.clark(name): _decode_chosen_unit for name in group.abstract}
    return decoders


def _member_decoder(element: str, kind: Kind, dialect: Dialect) -> Decoder:
    if isinstance(kind, Item):
        return lambda found: _decode_measurement(found, element)
    if isinstance(kind, Property):
        read = converter(kind.scalar).read
        return lambda found: read(found[0].text or "")
    assert isinstance(kind, type)
    return _decoder(kind, dialect)


def _decode_measurement(found: etree._Element, element: str) -> Measurement:
    item = ITEMS[element]
    description, unit, third = (child.text or "" for child in found[:3])
    if item.description_type or item.units_type or len(item.units) > 1:
        unit = collapse(unit)
    return Measurement(
        name=element.partition(":")[2],
        # an empty element stands for the text that the schema fixes
        description=description or next(iter(item.descriptions), ""),
        unit=unit or next(iter(item.units), ""),
        scale=None if item.extra == "pulse_factor" else SiScaleCode(third),
        pulse_factor=float(third) if item.extra == "pulse_factor" else None,
        power_attributes=_decoder(PowerAttributes, PROFILE_B)(found[3]) if item.extra == "power" else None,
    )


ELEMENT_OF_TYPE: Final = {item.schema_type.partition(":")[2]: name for name, item in ITEMS.items() if item.stands_for}
"""Units by the name of their type, where an xsi:type may name it."""


def _decode_chosen_unit(found: etree._Element) -> Measurement:
    """Read ``power:energyItem`` or ``power:powerItem``, whose xsi:type says which unit is meant."""
    chosen = collapse(found.get(_XSI_TYPE, "")).rpartition(":")[2]
    return _decode_measurement(found, ELEMENT_OF_TYPE[chosen])

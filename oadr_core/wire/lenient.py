"""A tree that the schema has refused, to a message all the same: the liberal receiver (docs/leniency.md).

Elements are found by name whatever their order, then by local name in another namespace. Every departure is told, so
that an operator can see what a peer does wrong. What cannot be made sense of is refused.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from lxml import etree

from oadr_core.errors import SchemaError
from oadr_core.messages.declare import (
    FLOAT,
    STRING,
    Feed,
    Field,
    Group,
    Item,
    Kind,
    Node,
    Occurs,
    Payload,
    Property,
    Scalar,
    Step,
    scalar_of,
)
from oadr_core.messages.enums import SiScaleCode
from oadr_core.messages.namespaces import clark
from oadr_core.messages.units import ITEMS, Measurement, PowerAttributes
from oadr_core.wire.decode import ELEMENT_OF_TYPE
from oadr_core.wire.dialects import Dialect
from oadr_core.wire.feeds import feed_of
from oadr_core.wire.parse import name_of
from oadr_core.wire.scalars import collapse, converter

Tell = Callable[[str, str], None]
"""Takes a place and a sentence about what was forgiven there."""

Values = dict[str, Any]
"""What was read, by the name of the field; of what may occur more than once, a list."""

_XSI: Final = clark("xsi:")
_NIL: Final = clark("xsi:nil")


def decode_leniently(element: etree._Element, cls: type[Payload], tell: Tell, dialect: Dialect) -> Payload:
    """Read an element that may break the schema.

    :param element: the root element of the payload.
    :param cls: its class.
    :param tell: is told each departure that was forgiven.
    :param dialect: what it is written in.
    :raises SchemaError: something is missing, or makes no sense.
    """
    message: Payload = _Reader(tell, dialect).structure(element, cls, local_name(element))
    return message


def local_name(element: etree._Element) -> str:
    """The name of an element without its namespace."""
    return name_of(element).rpartition("}")[2]


def tell_attributes(element: etree._Element, place: str, tell: Tell, known: str = "") -> None:
    """Tell the attributes of an element that should have none, or only a known one."""
    for name in map(str, element.attrib):
        if name != known and not name.startswith(_XSI):
            tell(place, f"unknown attribute {name}")


def tell_text(element: etree._Element, place: str, tell: Tell) -> None:
    """Tell text that stands where only elements should."""
    if any(collapse(text or "") for text in (element.text, *(child.tail for child in element))):
        tell(place, "text between the elements")


class _Reader:
    """Reads elements against nodes of the declared trees."""

    def __init__(self, tell: Tell, dialect: Dialect) -> None:
        self._tell = tell
        self._dialect = dialect

    def structure(self, element: etree._Element, cls: type[msgspec.Struct], place: str) -> Any:
        """Read an instance of a class."""
        declared = self._dialect.shape(cls)
        values = self._content(element, declared.attributes, declared.children, place)
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})

    def _content(
        self, element: etree._Element, attributes: Sequence[Node], children: Sequence[Node], place: str
    ) -> Values:
        """Read an element with what is on it and in it; find a value for every field there, or refuse."""
        values: Values = {}
        self._attributes(element, attributes, values, place)
        tell_text(element, place, self._tell)
        found = self._sort(element, tuple(children), place)
        for index, node in enumerate(children):
            if index not in found:
                self._absent(node, node.step.name, values, place)
            elif node.step.occurs.repeated:
                for child in self._wanted(found[index], node, place):
                    self._add(child, node, values, place)
            else:
                self._take(found[index], node, values, place)
        return values

    def _attributes(self, element: etree._Element, nodes: Sequence[Node], values: Values, place: str) -> None:
        wanted = {self._dialect.clark(node.step.name): node for node in nodes}
        values |= {field.name: None for node in nodes for field in node.fields()}
        for key, text in element.attrib.items():
            name = str(key)
            full = next((tag for tag in wanted if name in (tag, tag.rpartition("}")[2])), "")
            if not full and not name.startswith(_XSI):
                self._tell(place, f"unknown attribute {name}")
            if not full:
                continue
            if name != full:
                self._tell(place, f"attribute {name} without its namespace")
            field = wanted[full].field
            assert field is not None
            values[field.name] = self._leaf_text(field.kind, str(text), f"{place}/@{name}")

    def _sort(self, element: etree._Element, nodes: tuple[Node, ...], place: str) -> dict[int, list[etree._Element]]:
        """Find the children that stand at each node, by its index."""
        found: dict[int, list[etree._Element]] = {}
        latest = 0
        for child in element:
            name = local_name(child)
            index = self._find(child, nodes, place)
            if index is None:
                self._tell(place, f"unknown element {name}")
                continue
            if index < latest:
                self._tell(place, f"{name} stands behind what it should precede")
            latest = max(latest, index)
            if _counts_as_absent(child, nodes[index], self._dialect):
                self._tell(f"{place}/{name}", "an empty element counts as absent (rule 46)")
            else:
                found.setdefault(index, []).append(child)
        return found

    def _find(self, child: etree._Element, nodes: tuple[Node, ...], place: str) -> int | None:
        by_tag, by_local_name = _indices(nodes, self._dialect)
        index = by_tag.get(name_of(child))
        if index is None:
            index = by_local_name.get(local_name(child).lower())
            if index is not None:
                self._tell(place, f"{name_of(child)} for {nodes[index].step.name}")
        return index

    def _absent(self, node: Node, what: str, values: Values, place: str) -> None:
        """Give values to the fields of a node whose element is not there."""
        field = node.field
        if node.step.occurs is Occurs.OPTIONAL:
            values |= {one.name: None if one.nullable else () for one in node.fields()}
        elif node.step.occurs is Occurs.ANY:
            values |= {one.name: () for one in node.fields()}
        elif node.children:
            if not any(child.step.occurs.required for child in node.children):
                self._tell(place, f"{what} is missing")
            for child in node.children:
                self._absent(child, f"{what}/{child.step.name}", values, place)
        else:
            if field is not None and field.forgiven is not msgspec.UNSET:
                values[field.name] = field.forgiven
            elif field is not None and field.default == () and node.step.occurs.repeated:
                values[field.name] = ()
            elif field is not None:
                raise SchemaError(f"{what} is missing", place)
            self._tell(place, f"{what} is missing")

    def _wanted(self, found: list[etree._Element], node: Node, place: str) -> list[etree._Element]:
        """The elements of a node that are taken."""
        if node.step.occurs is Occurs.ONE_OF_MANY and len(found) > 1:
            self._tell(place, f"{local_name(found[0])} stands there more than once; the first is taken")
            return found[:1]
        return found

    def _add(self, child: etree._Element, node: Node, values: Values, place: str) -> None:
        """Read one of several elements."""
        (field,) = node.fields()
        inside: Values = {}
        self._take([child], node, inside, place)
        values.setdefault(field.name, []).append(inside[field.name])

    def _take(self, found: list[etree._Element], node: Node, values: Values, place: str) -> None:
        """Read the one element of a node."""
        child = found[0]
        name = local_name(child)
        if len(found) > 1:
            self._tell(place, f"{name} stands there more than once; the first is taken")
        inner = f"{place}/{name}"
        if node.field is not None:
            values[node.field.name] = self._leaf(child, node.field.kind, inner)
        elif node.children:
            attributes = [one for one in node.children if one.step.attribute]
            children = [one for one in node.children if not one.step.attribute]
            values |= self._content(child, attributes, children, inner)

    # --- values ------------------------------------------------------------------------------------------------------

    def _leaf(self, child: etree._Element, kind: Kind, place: str) -> Any:
        if isinstance(kind, Group):
            name, member = _member_of(child, kind, place, self._dialect)
            return (
                self._measurement(child, name, place) if isinstance(member, Item) else self._leaf(child, member, place)
            )
        if isinstance(kind, type):
            return self.structure(child, kind, place)
        if isinstance(kind, Property) and len(child):
            return self._content(child, (), _wrapped(kind), place)["value"]
        tell_attributes(child, place, self._tell)
        if isinstance(kind, Feed):
            return feed_of(child)
        if len(child):
            self._tell(place, f"{local_name(child[0])} inside, where the text should stand")
            return self._leaf_text(kind, _text(child), place)
        if isinstance(kind, Property):
            self._tell(place, f"plain text, where {Step.parse(kind.inner).name} should hold it")
            return self._leaf_text(kind.scalar, _text(child), place)
        return self._leaf_text(kind, child.text or "", place)

    def _leaf_text(self, kind: Kind, text: str, place: str) -> Any:
        assert isinstance(kind, Scalar)
        try:
            return converter(kind).forgive(text, lambda what: self._tell(place, what))
        except ValueError as error:
            raise SchemaError(str(error), place) from None

    def _measurement(self, child: etree._Element, element: str, place: str) -> Measurement:
        item = ITEMS[element]
        values: Values = {"scale": None, "power_attributes": None, "pulse_factor": None}
        values |= self._content(child, (), _unit(element), place)
        values["description"] = self._fixed(values["description"], item.descriptions, f"{place}/itemDescription")
        values["unit"] = self._fixed(values["unit"], item.units, f"{place}/itemUnits")
        return Measurement(name=element.partition(":")[2], **values)

    def _fixed(self, text: str, allowed: tuple[str, ...], place: str) -> str:
        """Read a text of a unit, of which the schema may allow few or one; an empty element stands for the one."""
        if not allowed or text in allowed:
            return text
        if not text and len(allowed) == 1:
            return allowed[0]
        plain = collapse(text)
        if plain not in allowed:
            self._tell(place, f"{plain!r}, which the schema does not know")
        elif len(allowed) == 1:
            self._tell(place, f"{text!r} for {plain!r}")
        return plain


# --- nodes -----------------------------------------------------------------------------------------------------------


@cache
def _indices(nodes: tuple[Node, ...], dialect: Dialect) -> tuple[dict[str, int], dict[str, int]]:
    """The index of each node by the names of its elements, and by their local names in lower case."""
    by_tag: dict[str, int] = {}
    by_local_name: dict[str, int] = {}
    for index, node in enumerate(nodes):
        kind = node.field.kind if node.field else None
        for name in (*kind.members, *kind.abstract) if isinstance(kind, Group) else (node.step.name,):
            by_tag[dialect.clark(name)] = index
            by_local_name.setdefault(name.partition(":")[2].lower(), index)
    return by_tag, by_local_name


def _leaf_node(name: str, field: str, kind: Kind, forgiven: Any = msgspec.UNSET) -> Node:
    step = Step(name)
    return Node(step, field=Field(field, kind, (step,), nullable=False, default=msgspec.NODEFAULT, forgiven=forgiven))


@cache
def _wrapped(kind: Property) -> tuple[Node, ...]:
    return (_leaf_node(Step.parse(kind.inner).name, "value", kind.scalar),)


@cache
def _unit(element: str) -> tuple[Node, ...]:
    """The nodes of a unit of measurement; what is missing is made up for where it can only be one thing."""
    prefix, item = element.partition(":")[0], ITEMS[element]

    def text(name: str, field: str, allowed: tuple[str, ...]) -> Node:
        return _leaf_node(f"{prefix}:{name}", field, STRING, allowed[0] if len(allowed) == 1 else msgspec.UNSET)

    nodes = [text("itemDescription", "description", item.descriptions), text("itemUnits", "unit", item.units)]
    if item.extra == "pulse_factor":
        nodes.append(_leaf_node("oadr:pulseFactor", "pulse_factor", FLOAT))
    else:
        nodes.append(_leaf_node("scale:siScaleCode", "scale", scalar_of(SiScaleCode), SiScaleCode.NONE))
    if item.extra == "power":
        nodes.append(_leaf_node("power:powerAttributes", "power_attributes", PowerAttributes, None))
    return tuple(nodes)


def _member_of(child: etree._Element, group: Group, place: str, dialect: Dialect) -> tuple[str, Kind]:
    """The name of the element that stands for the head of a substitution group, and what it holds."""
    names = (*group.members, *group.abstract)
    by_tag, by_local_name = (
        {dialect.clark(name): name for name in names},
        {name.partition(":")[2].lower(): name for name in names},
    )
    name = by_tag.get(name_of(child)) or by_local_name[local_name(child).lower()]
    if name in group.abstract:
        chosen = collapse(child.get(clark("xsi:type"), "")).rpartition(":")[2]
        if chosen not in ELEMENT_OF_TYPE:
            raise SchemaError("no xsi:type says which unit is meant", place)
        name = ELEMENT_OF_TYPE[chosen]
    return name, group.members[name]


def _counts_as_absent(child: etree._Element, node: Node, dialect: Dialect) -> bool:
    """Whether an element that may be left out holds nothing, and the schema wants it to hold something."""
    if node.step.occurs is Occurs.ONCE or len(child) or collapse(child.text or ""):
        return False
    return not _may_be_empty(node, dialect) or child.get(_NIL, "").strip() in ("true", "1")


def _may_be_empty(node: Node, dialect: Dialect) -> bool:
    kind = node.field.kind if node.field else None
    if isinstance(kind, Scalar):
        return kind.family in ("string", "uri", "doubles")
    if isinstance(kind, Property | Group):
        return False
    children = dialect.shape(kind).children if isinstance(kind, type) else node.children
    return not any(child.step.occurs.required for child in children)


def _text(element: etree._Element) -> str:
    return collapse("".join(str(text) for text in element.itertext()))

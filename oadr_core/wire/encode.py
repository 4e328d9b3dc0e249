"""Messages to bytes.

The document is built as text, which is almost three times as fast as building a tree. Each class gets a function,
generated once, that appends pieces of text; every value passes a converter or :func:`~oadr_core.wire.scalars.escape`
on its way, so that nothing a user or a peer wrote can become markup.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Final

import msgspec

from oadr_core.messages.declare import Feed, Group, Item, Kind, Node, Occurs, Payload, Property, Scalar, Step
from oadr_core.messages.namespaces import NAMESPACES
from oadr_core.messages.units import ITEMS, Measurement, PowerAttributes
from oadr_core.wire.dialects import PROFILE_B, Dialect
from oadr_core.wire.feeds import standalone
from oadr_core.wire.generate import Source
from oadr_core.wire.scalars import Escaped, converter, escape, write_float

_LATE: Final = ("gml",)
"""Prefixes that are declared where they are used, as hardly any document needs them."""

_ESCAPED: Final = Escaped()

Append = Callable[[str], None]


def document_writer(cls: type[Payload], dialect: Dialect) -> Callable[[Any], str]:
    """Make the function that writes a message of a class as a document, without looking for mistakes in its values.

    It raises exceptions of any kind where a value is not what its field declares;
    :func:`oadr_core.wire.envelope.encode` says which.

    :param cls: any payload of the dialect.
    :param dialect: what to write it in.
    """
    names = _names(cls, dialect)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    if not dialect.wrapped:
        return _Generator(cls, cls.__element__, dialect, names).writer(head, "")
    return _Generator(cls, cls.__element__, dialect).writer(
        f"{head}<oadr:oadrPayload{names}><oadr:oadrSignedObject>", "</oadr:oadrSignedObject></oadr:oadrPayload>"
    )


def encode_signed_object(message: Payload, name: str) -> str:
    """Write a message of 2.0b as an ``oadrSignedObject`` that stands by itself; see :func:`document_writer`.

    It is in its canonical form, but for how characters are escaped by number, elements that are empty, and feeds.

    :param name: its Id, by which a signature refers to it; a plain name.
    """
    pieces = [f'<oadr:oadrSignedObject{_sorted_names(type(message))} oadr:Id="{name}">']
    _encoder(type(message), PROFILE_B)(message, pieces.append)
    pieces.append("</oadr:oadrSignedObject>")
    return "".join(pieces)


@cache
def _sorted_names(cls: type[Payload]) -> str:
    """The same for 2.0b, in the order of a canonical form: that of the prefixes."""
    names = _names(cls, PROFILE_B).split()
    return "".join(f" {name}" for name in sorted(names, key=lambda name: name.partition("=")[0]))


@cache
def _names(cls: type[Payload], dialect: Dialect) -> str:
    """The declarations of all namespaces that a payload of the class may need."""
    prefixes = {"oadr", "ei"} | _prefixes(cls, dialect, set())
    return "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in dialect.namespaces.items() if prefix in prefixes)


def _prefixes(cls: type[msgspec.Struct], dialect: Dialect, seen: set[type]) -> set[str]:
    """The prefixes of everything that a message of the class may hold."""
    if cls in seen:
        return set()
    seen.add(cls)
    found: set[str] = set()
    for field in dialect.shape(cls).fields:
        found |= {step.name.partition(":")[0] for step in field.steps}
        for kind in _parts(field.kind):
            found |= _prefixes(kind, dialect, seen) if isinstance(kind, type) else {kind.partition(":")[0]}
    found |= {text.partition(":")[0] for text in getattr(cls, "__trailing__", ())}
    return found - set(_LATE) - {"atom"}


def _parts(kind: Kind) -> Iterable[type[msgspec.Struct] | str]:
    if isinstance(kind, type):
        yield kind
    elif isinstance(kind, Property):
        yield kind.inner
    elif isinstance(kind, Group):
        for element, member in kind.members.items():
            yield element
            yield from ("scale:siScaleCode",) if isinstance(member, Item) else _parts(member)


@cache
def _encoder(cls: type[msgspec.Struct], dialect: Dialect, element: str = "") -> Callable[[Any, Append], None]:
    """Generate the function that appends an instance of a class, tags included."""
    return _Generator(cls, element or getattr(cls, "__element__", ""), dialect).function()


class _Generator:
    """Writes the function for one class; runs of fixed text and values become one f-string.

    :param cls: the class.
    :param element: the element that an instance becomes.
    :param dialect: what to write it in.
    :param names: the declarations of namespaces in its opening tag.
    """

    def __init__(self, cls: type[msgspec.Struct], element: str, dialect: Dialect, names: str = "") -> None:
        self._source = Source()
        self._pending: list[str] = []
        self._dialect = dialect
        self._shape = dialect.shape(cls)
        self._element = element
        self._names = names

    def function(self) -> Callable[[Any, Append], None]:
        """Write and compile ``encode(v, w)``: append the text of ``v`` by calling ``w``."""
        with self._source.block("def encode(v, w):"):
            self._whole()
            self._flush()
        return self._source.function("encode")

    def writer(self, before: str, behind: str) -> Callable[[Any], str]:
        """Write and compile ``write(v)``: give the text of ``v`` between what stands before and behind it."""
        self._text(before)
        with self._source.block("def write(v):"):
            pieces = self._source.place()
            self._whole()
            self._text(behind)
            if self._source.place() == pieces:  # nothing of it may be missing or repeated, so it is one piece
                self._source.line(f"return {self._piece()}")
            else:
                self._source.insert(pieces, "pieces = []", "w = pieces.append")
                self._flush()
                self._source.line("return ''.join(pieces)")
        return self._source.function("write")

    def _whole(self) -> None:
        self._open(self._element, self._shape.attributes, names=self._names)
        for node in self._shape.children:
            self._node(node, self._element)
        self._text(f"</{self._element}>")

    # --- text --------------------------------------------------------------------------------------------------------

    def _text(self, text: str) -> None:
        self._pending.append(text.replace("{", "{{").replace("}", "}}"))

    def _value(self, expression: str) -> None:
        self._pending.append("{" + expression + "}")

    def _piece(self) -> str:
        """Make what was gathered into one expression."""
        piece = f"f'''{''.join(self._pending)}'''"
        self._pending.clear()
        return piece

    def _flush(self) -> None:
        if self._pending:
            self._source.line(f"w({self._piece()})")

    def _open(self, element: str, attributes: Sequence[Node], parent: str = "", names: str = "") -> None:
        prefix = element.partition(":")[0]
        if prefix in _LATE and not parent.startswith(prefix):
            names += f' xmlns:{prefix}="{NAMESPACES[prefix]}"'
        self._text(f"<{element}{names}")
        for node in attributes:
            assert node.field is not None
            assert isinstance(node.field.kind, Scalar)
            value = f"v.{node.field.name}"
            written = self._scalar(node.field.kind, value)
            if node.field.kind.family != "token":
                written = f"{written}.replace('\"', '&quot;')"
            self._value(f"'' if {value} is None else ' {node.step.name}=\"' + {written} + '\"'")
        self._text(">")

    # --- nodes -------------------------------------------------------------------------------------------------------

    def _node(self, node: Node, parent: str) -> None:
        fields = [f"v.{field.name}" for field in node.fields()]
        if node.step.occurs.repeated:
            self._flush()
            with self._source.block(f"for x in {fields[0]}:"):
                self._once(node, parent, "x")
                self._flush()
        elif node.step.occurs is Occurs.OPTIONAL:
            self._flush()
            with self._source.block(f"if {self._present(node)}:"):
                self._once(node, parent, fields[0])
                self._flush()
        else:
            self._once(node, parent, fields[0] if fields else "")

    def _present(self, node: Node) -> str:
        tests = []
        for field in node.fields():
            empty_is_absent = field.repeated and not field.nullable
            tests.append(f"v.{field.name}" if empty_is_absent else f"v.{field.name} is not None")
        return " or ".join(tests)

    def _once(self, node: Node, parent: str, value: str) -> None:
        element = node.step.name
        if node.field is not None:
            self._leaf(element, node.field.kind, value)
        elif not node.children:
            self._text(f"<{element}/>")
        else:
            self._open(element, [child for child in node.children if child.step.attribute], parent)
            for child in node.children:
                if child.step.attribute:
                    continue
                if node.step.occurs.repeated:
                    self._once(child, element, value)
                else:
                    self._node(child, element)
            self._text(f"</{element}>")

    def _leaf(self, name: str, kind: Kind, value: str) -> None:
        if isinstance(kind, Scalar):
            self._text(f"<{name}>")
            self._value(self._scalar(kind, value))
            self._text(f"</{name}>")
        elif isinstance(kind, Property):
            inner = Step.parse(kind.inner).name
            self._text(f"<{name}><{inner}>")
            self._value(self._scalar(kind.scalar, value))
            self._text(f"</{inner}></{name}>")
        elif isinstance(kind, Feed):
            self._value(f"{self._source.name(standalone, 'feed')}({value})")
        elif isinstance(kind, Group):
            self._flush()
            self._source.line(
                f"{self._source.name(_group(kind, self._dialect), 'group')}[{value}.__class__]({value}, w)"
            )
        else:
            assert isinstance(kind, type)
            self._flush()
            self._source.line(f"{self._source.name(_encoder(kind, self._dialect, name), kind.__name__)}({value}, w)")

    def _scalar(self, scalar: Scalar, value: str) -> str:
        if scalar.family == "code":
            return f"{value}:03d"
        if scalar.family == "integer":
            return f"{value}:d"
        if scalar.family == "boolean":
            return f'"true" if {value} else "false"'
        if scalar.family == "token":
            return f"{self._source.name(_texts(scalar), 'texts')}[{value}]"
        written = converter(scalar)
        if written.write is str:
            return f"{self._source.name(_ESCAPED, 'escaped')}[{value}]"
        return f"{self._source.name(written.write, scalar.family)}({value})"


class _Texts(dict[str, str]):
    """The texts that a list holds, and those that may extend it, fit for an element and for an attribute."""

    def __init__(self, scalar: Scalar) -> None:
        super().__init__({text: text for text in scalar.values})
        self._problem = converter(scalar).problem

    def __missing__(self, text: str) -> str:
        problem = self._problem(text)
        if problem is not None:
            raise ValueError(problem)
        return escape(text).replace('"', "&quot;")


@cache
def _texts(scalar: Scalar) -> _Texts:
    return _Texts(scalar)


class _Encoders(dict[type, Callable[[Any, Append], None]]):
    """Encoders by class, which serve subclasses too, such as the numbers of numpy."""

    def __missing__(self, cls: type) -> Callable[[Any, Append], None]:
        known = next((base for base in cls.__mro__ if base in self and cls is not bool), None)
        if known is None:
            raise KeyError(cls)
        return self[known]


@cache
def _group(group: Group, dialect: Dialect) -> _Encoders:
    """The encoders of a substitution group's members by the class of the value."""
    encoders = _Encoders()
    for element, member in group.members.items():
        if isinstance(member, Item):
            encoders[Measurement] = _encode_measurement
        elif isinstance(member, Property):
            encoders[float] = encoders[int] = _number_encoder(element, Step.parse(member.inner).name)
        else:
            assert isinstance(member, type)
            encoders[member] = _encoder(member, dialect, element)
    return encoders


def _number_encoder(element: str, inner: str) -> Callable[[float, Append], None]:
    opening, closing = f"<{element}><{inner}>", f"</{inner}></{element}>"

    def encode(value: float, append: Append) -> None:
        append(f"{opening}{write_float(value)}{closing}")

    return encode


_ELEMENTS: Final = {element.partition(":")[2]: element for element in ITEMS}


def _encode_measurement(value: Measurement, append: Append) -> None:
    element = _ELEMENTS[value.name]
    prefix = element.partition(":")[0]
    extra = ITEMS[element].extra
    append(
        f"<{element}><{prefix}:itemDescription>{escape(value.description)}</{prefix}:itemDescription>"
        f"<{prefix}:itemUnits>{escape(value.unit)}</{prefix}:itemUnits>"
    )
    if extra == "pulse_factor":
        assert value.pulse_factor is not None
        append(f"<oadr:pulseFactor>{write_float(value.pulse_factor)}</oadr:pulseFactor>")
    else:
        assert value.scale is not None
        append(f"<scale:siScaleCode>{escape(value.scale)}</scale:siScaleCode>")
    if extra == "power":
        assert value.power_attributes is not None
        _encoder(PowerAttributes, PROFILE_B, "power:powerAttributes")(value.power_attributes, append)
    append(f"</{element}>")

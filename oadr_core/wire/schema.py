"""The XML schemas of OpenADR 2.0b and 2.0a, derived from the declared message classes.

libxml2 validates a parsed document against it in C. Checking in Python while decoding was measured too: reading the
tag, the attributes and the tail of every element costs as much as the validation, and would have to repeat libxml2's
reading of every simple type to come to the same verdict.

The names of types are those of the official schema, so that documents which use ``xsi:type`` are judged alike.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec
from lxml import etree

from oadr_core.messages.common import PAYLOAD_BASE, STREAM_PAYLOAD
from oadr_core.messages.declare import (
    FLOAT,
    Feed,
    Group,
    Item,
    Kind,
    Node,
    Occurs,
    Property,
    Scalar,
    Step,
    scalar_of,
)
from oadr_core.messages.enums import SiScaleCode
from oadr_core.messages.namespaces import NAMESPACES, clark
from oadr_core.messages.units import ITEM_BASE, PowerAttributes
from oadr_core.wire import foreign
from oadr_core.wire.dialects import PROFILE_B, Dialect

if TYPE_CHECKING:
    from lxml.etree._docloader import _InputDocument

_XS: Final = "http://www.w3.org/2001/XMLSchema"
_OWN: Final = ("oadr", "ei", "pyld", "emix", "power", "scale", "xcal", "strm", "gml", "iso4217")
_OCCURS: Final = {
    Occurs.ONCE: "",
    Occurs.OPTIONAL: ' minOccurs="0"',
    Occurs.ANY: ' minOccurs="0" maxOccurs="unbounded"',
    Occurs.MANY: ' maxOccurs="unbounded"',
    Occurs.ONE_OF_MANY: "",
}

_GROUPS: Final = (PAYLOAD_BASE, STREAM_PAYLOAD, ITEM_BASE)

_WRAPPERS: Final = {
    "ei:eiActivePeriod": "ei:eiActivePeriodType",
    "ei:eiEvent": "ei:eiEventType",
    "ei:eiEventSignals": "ei:eiEventSignalsType",
    "ei:currentValue": "ei:currentValueType",
    "ei:qualifiedEventID": "ei:QualifiedEventIDType",
    "oadr:oadrPendingReports": "oadr:oadrPendingReportsType",
    "power:aggregatedPnode": "power:AggregatedPnodeType",
    "power:endDeviceAsset": "power:EndDeviceAssetType",
    "power:meterAsset": "power:MeterAssetType",
    "power:pnode": "power:PnodeType",
    "power:serviceDeliveryPoint": "power:ServiceDeliveryPointType",
    "power:serviceLocation": "power:ServiceLocationType",
    "emix:serviceArea": "emix:ServiceAreaType",
    "xcal:components~": "xcal:ArrayOfVavailabilityContainedComponents",
}
"""Wrapping elements whose type has a name in the official schema."""

_LEFTOVERS: Final = """
<xs:element name="ei:responses" type="ei:ArrayofResponses"/>
<xs:complexType name="ei:ArrayofResponses"><xs:sequence>
  <xs:element name="response" type="ei:EiResponseType" minOccurs="0" maxOccurs="unbounded"/>
</xs:sequence></xs:complexType>
<xs:element name="ei:SignalNameEnumerated" type="ei:SignalNameEnumeratedType"/>
<xs:element name="ei:optReasonEnumerated" type="ei:OptReasonEnumeratedType"/>
<xs:element name="ei:reportEnumerated" type="ei:ReportEnumeratedType"/>
<xs:element name="ei:readingTypeEnumerated" type="ei:ReadingTypeEnumeratedType"/>
<xs:element name="ei:statusDateTime" type="xcal:DateTimeType"/>
<xs:element name="ei:numDataSources" type="xs:unsignedInt"/>
<xs:element name="ei:refID" type="ei:UidType"/>
<xs:element name="ei:uid" type="ei:UidType" abstract="true"/>
<xs:element name="xcal:dtend"><xs:complexType><xs:sequence>
  <xs:element ref="xcal:date-time"/>
</xs:sequence></xs:complexType></xs:element>
<xs:element name="xcal:interval" type="xcal:WsCalendarIntervalType"/>
<xs:element name="iso4217:ISO3AlphaCurrencyCode" type="iso4217:ISO3AlphaCurrencyCodeContentType"/>
"""
"""Global elements that no payload holds. They matter where the schema admits any content, as xcal:components does."""


class _Builder:
    """Collects the global declarations that the message classes make in a dialect, by prefix."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._globals: dict[str, dict[str, str]] = {prefix: {} for prefix in _OWN}
        self._begun: set[str] = set()
        self._classes: dict[str, type] = {}

    def build(self) -> Mapping[str, str]:
        """Make one schema document for each namespace, by prefix."""
        for cls in self._dialect.payloads.values():
            self._element(cls.__element__, cls)
        if self._dialect is PROFILE_B:
            self._envelope()
            self._extension_token()
            self._leftovers()
        return {prefix: _document(prefix, self._globals[prefix].values(), self._dialect) for prefix in _OWN}

    def _leftovers(self) -> None:
        for declaration in etree.fromstring(f'<all xmlns:xs="{_XS}">{_LEFTOVERS}</all>'):
            tag = str(declaration.tag).rpartition("}")[2]
            prefix, _, name = (declaration.get("name") or "").partition(":")
            declaration.set("name", name)
            etree.cleanup_namespaces(declaration)
            self._declare(f"{tag} {prefix}:{name}", etree.tostring(declaration, with_tail=False).decode())

    def _envelope(self) -> None:
        choices = "".join(f'<xs:element ref="{cls.__element__}"/>' for cls in self._dialect.payloads.values())
        self._declare(
            "element oadr:oadrSignedObject",
            f'<xs:element name="oadrSignedObject"><xs:complexType><xs:choice>{choices}</xs:choice>'
            '<xs:attribute name="Id" type="xs:ID"/></xs:complexType></xs:element>',
        )
        self._declare(
            "element oadr:oadrPayload",
            '<xs:element name="oadrPayload"><xs:complexType><xs:sequence>'
            '<xs:element ref="ds:Signature" minOccurs="0"/><xs:element ref="oadr:oadrSignedObject"/>'
            "</xs:sequence></xs:complexType></xs:element>",
        )

    def _extension_token(self) -> None:
        self._simple_type(Scalar("string", "ei:EiExtensionTokenType", "xs:token", (("pattern", r"x-\S.*"),)))

    def _declare(self, key: str, text: str) -> None:
        prefix = key.partition(" ")[2].partition(":")[0]
        known = self._globals[prefix].setdefault(key, text)
        if known != text:
            raise TypeError(f"{key} is declared in two ways:\n{known}\n{text}")

    # --- elements ----------------------------------------------------------------------------------------------------

    def _node(self, node: Node) -> str:
        return self._place(node.step, node.field.kind if node.field else node)

    def _place(self, step: Step, kind: Kind | Node) -> str:
        """Declare what stands at a step, and make the particle that refers to it."""
        if isinstance(kind, Group):
            self._group(kind)
            return f'<xs:element ref="{kind.head}"{_OCCURS[step.occurs]}/>'
        if step.attribute:
            assert isinstance(kind, Scalar)
            self._declare(f"attribute {step.name}", _named("attribute", step.name, f'type="{self._scalar(kind)}"'))
            return f'<xs:attribute ref="{step.name}"/>'
        if step.local:
            return self._element_text(step, kind)
        self._element(step.name, kind)
        return f'<xs:element ref="{step.name}"{_OCCURS[step.occurs]}/>'

    def _element(self, name: str, kind: Kind | Node) -> None:
        """Declare a global element, once; a second declaration has to say the same."""
        if name.partition(":")[0] not in _OWN:
            return
        if isinstance(kind, type) and self._classes.setdefault(name, kind) is not kind:
            raise TypeError(f"{name} is declared as {kind} and as {self._classes[name]}")
        if not isinstance(kind, type) or name not in self._begun:
            self._begun.add(name)
            self._declare(f"element {name}", self._element_text(Step(name), kind, _substitutes(name)))

    def _element_text(self, step: Step, kind: Kind | Node, more: str = "") -> str:
        more += _OCCURS[step.occurs]
        type_ = self._type(step, kind)
        if type_ is None:
            return _named("element", step.name, 'nillable="true"' + more)
        if type_.startswith("<"):
            return _named("element", step.name, more, type_)
        return _named("element", step.name, f'type="{type_}"{more}')

    # --- types -------------------------------------------------------------------------------------------------------

    def _type(self, step: Step, kind: Kind | Node) -> str | None:
        """The name of a type, the text of a nameless one, or None for any content at all."""
        if isinstance(kind, Scalar):
            return self._scalar(kind)
        if isinstance(kind, Property):
            inner = self._place(Step.parse(kind.inner), kind.scalar)
            return self._complex(kind.schema_type, (inner, ""), _base_of(kind))
        if isinstance(kind, Item):
            return self._item(step.name, kind)
        if isinstance(kind, Feed):
            return "atom:feedType"
        if isinstance(kind, Node):
            wrapper = _WRAPPERS.get(step.name + "~" * step.local)
            return self._complex(wrapper, self._content(kind.children)) if kind.children else None
        assert isinstance(kind, type)
        return self._class(kind)

    def _class(self, cls: type[msgspec.Struct]) -> str:
        name: str | None = getattr(cls, "__schema_type__", None)
        if name is not None and name in self._begun:
            return name
        self._begun.add(name or "")
        declared = self._dialect.shape(cls)
        return self._complex(name, self._content((*declared.attributes, *declared.children)), _base_of(cls))

    def _content(self, nodes: Iterable[Node]) -> tuple[str, str]:
        """The particles and the attributes of a complex type."""
        nodes = tuple(nodes)
        particles = "".join(self._node(node) for node in nodes if not node.step.attribute)
        return particles, "".join(self._node(node) for node in nodes if node.step.attribute)

    def _complex(self, name: str | None, content: tuple[str, str], base: str | None = None) -> str:
        body = f"<xs:sequence>{content[0]}</xs:sequence>{content[1]}"
        if base is not None:
            body = f'<xs:complexContent><xs:extension base="{base}">{body}</xs:extension></xs:complexContent>'
        if name is None:
            return f"<xs:complexType>{body}</xs:complexType>"
        self._declare(f"type {name}", _named("complexType", name, "", body))
        return name

    def _scalar(self, scalar: Scalar) -> str:
        if scalar.base is not None:
            self._simple_type(scalar)
        elif scalar.family == "doubles":
            self._declare(
                f"type {scalar.schema_type}",
                _named("simpleType", scalar.schema_type, "", '<xs:list itemType="xs:double"/>'),
            )
        if scalar.extended_type is None:
            return scalar.schema_type
        union = f'<xs:union memberTypes="{scalar.schema_type} ei:EiExtensionTokenType"/>'
        self._declare(f"type {scalar.extended_type}", _named("simpleType", scalar.extended_type, "", union))
        return scalar.extended_type

    def _simple_type(self, scalar: Scalar) -> None:
        facets = "".join(f'<xs:{name} value="{value}"/>' for name, value in scalar.facets)
        facets += "".join(f'<xs:enumeration value="{value}"/>' for value in scalar.values)
        restriction = f'<xs:restriction base="{scalar.base}">{facets}</xs:restriction>'
        self._declare(f"type {scalar.schema_type}", _named("simpleType", scalar.schema_type, "", restriction))

    # --- substitution groups -----------------------------------------------------------------------------------------

    def _group(self, group: Group) -> None:
        if group.head in self._begun:
            return
        self._begun.add(group.head)
        self._declare(f"type {group.head_type}", _named("complexType", group.head_type, 'abstract="true"'))
        self._declare(
            f"element {group.head}", _named("element", group.head, f'type="{group.head_type}" abstract="true"')
        )
        for element, type_name in group.abstract.items():
            content = self._unit(element.partition(":")[2].removesuffix("Item"), "xs:string", "xs:string")
            extension = _derived("extension", group.head_type, content)
            self._declare(f"type {type_name}", _named("complexType", type_name, 'abstract="true"', extension))
            text = _named("element", element, f'type="{type_name}" substitutionGroup="{group.head}"')
            self._declare(f"element {element}", text)
        for element, kind in group.members.items():
            self._element(element, kind)

    def _item(self, element: str, item: Item) -> str:
        descriptions = self._texts(item.descriptions, item.description_type)
        content = self._unit(item.extra, descriptions, self._texts(item.units, item.units_type))
        derived = _derived("extension", ITEM_BASE.head_type, content)
        if item.stands_for is not None:
            derived = _derived("restriction", ITEM_BASE.abstract[item.stands_for], content)
        self._declare(f"type {item.schema_type}", _named("complexType", item.schema_type, "", derived))
        return item.schema_type

    def _texts(self, texts: tuple[str, ...], type_name: str | None) -> str:
        """The type of a description or a unit: its name, ``=text`` for a fixed text, or the text of a nameless type."""
        if type_name is not None:
            return self._scalar(Scalar("token", type_name, "xs:token", values=texts))
        if len(texts) < 2:
            return "".join("=" + text for text in texts) or "xs:string"
        values = "".join(f'<xs:enumeration value="{text}"/>' for text in texts)
        return f'<xs:simpleType><xs:restriction base="xs:token">{values}</xs:restriction></xs:simpleType>'

    def _unit(self, extra: str, description: str, units: str) -> str:
        text = ""
        for name, type_ in (("itemDescription", description), ("itemUnits", units)):
            if type_.startswith("="):
                text += f'<xs:element name="{name}" type="xs:string" fixed="{type_[1:]}"/>'
            elif type_.startswith("<"):
                text += f'<xs:element name="{name}">{type_}</xs:element>'
            else:
                text += f'<xs:element name="{name}" type="{type_}"/>'
        if extra == "pulse_factor":
            return text + self._place(Step("oadr:pulseFactor"), FLOAT)
        text += self._place(Step("scale:siScaleCode"), scalar_of(SiScaleCode))
        return text + (self._place(Step("power:powerAttributes"), PowerAttributes) if extra == "power" else "")


def _named(what: str, name: str, attributes: str, body: str = "") -> str:
    return f'<xs:{what} name="{name.partition(":")[2]}" {attributes}>{body}</xs:{what}>'


def _derived(how: str, base: str, content: str) -> str:
    body = f'<xs:{how} base="{base}"><xs:sequence>{content}</xs:sequence></xs:{how}>'
    return f"<xs:complexContent>{body}</xs:complexContent>"


def _substitutes(element: str) -> str:
    for group in _GROUPS:
        if element in group.members:
            member = group.members[element]
            head = (member.stands_for if isinstance(member, Item) else None) or group.head
            return f' substitutionGroup="{head}"'
    return ""


def _base_of(kind: Kind) -> str | None:
    for group in _GROUPS:
        if any(member is kind for member in group.members.values()):
            return group.head_type
    return None


def _document(prefix: str, declarations: Iterable[str], dialect: Dialect) -> str:
    namespaces = dialect.namespaces
    names = " ".join(f'xmlns:{name}="{uri}"' for name, uri in namespaces.items() if name != "xml")
    imports = "".join(
        f'<xs:import namespace="{namespaces[name]}" schemaLocation="oadr-schema/{name}"/>'
        for name in (*_OWN, *foreign.DOCUMENTS)
        if name != prefix
    )
    return (
        f'<xs:schema xmlns:xs="{_XS}" {names} targetNamespace="{namespaces[prefix]}" elementFormDefault="qualified" '
        f'attributeFormDefault="qualified">{imports}{"".join(declarations)}</xs:schema>'
    )


class _Imports(etree.Resolver):
    """Hands the schema documents to libxml2 by name, and nothing else."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        super().__init__()
        self._documents = documents

    def resolve(self, system_url: str | None, public_id: str | None, context: object, /) -> "_InputDocument | None":
        """Find a document by the last part of its location."""
        return self.resolve_string(self._documents[(system_url or "").rpartition("/")[2]], context)


@cache
def documents(dialect: Dialect = PROFILE_B) -> Mapping[str, str]:
    """Derive the schema of a dialect.

    :returns: one schema document for each namespace, by prefix; ``oadr`` is the one that a validator begins with.
    """
    return {**_Builder(dialect).build(), **foreign.DOCUMENTS}


@cache
def schema(dialect: Dialect = PROFILE_B) -> etree.XMLSchema:
    """Compile the schema; the result may be used by any number of threads, one document at a time each."""
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    parser.resolvers.add(_Imports(documents(dialect)))
    return etree.XMLSchema(etree.fromstring(documents(dialect)["oadr"], parser))


def admits(type_name: str, text: str) -> bool:
    """Tell whether a text is of a simple type.

    :param type_name: the schema's name for the type, such as ``xs:anyURI``.
    :param text: the text, without characters that XML cannot carry.
    """
    bearer = etree.Element(clark("xcal:components"), nsmap={**NAMESPACES, "xs": _XS})  # it may be of any type
    bearer.set(clark("xsi:type"), type_name)
    bearer.text = text
    return schema().validate(bearer)

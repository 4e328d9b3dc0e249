"""The comparison with the official schema can fail: each fault that is put into the derived schema is noticed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import pytest
from lxml import etree

from oadr_core.wire import schema
from tests.wire.documents import DOCUMENTS
from tests.wire.test_schema_oracle import changed_elements, mutants, texts_in_leaves

Judged = tuple[etree._Element, bool]
"""A document, and whether the official schema accepts it."""

FAULTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "an element that is optional is required": (
        "oadr",
        '<xs:element ref="ei:eiResponse" minOccurs="0"/><xs:element ref="pyld:requestID"/><xs:element ref="ei:vtnID"/>',
        '<xs:element ref="ei:eiResponse"/><xs:element ref="pyld:requestID"/><xs:element ref="ei:vtnID"/>',
    ),
    "an element that is required is optional": (
        "ei",
        '<xs:element ref="ei:eiEventSignals"/><xs:element ref="ei:eiTarget"/>',
        '<xs:element ref="ei:eiEventSignals"/><xs:element ref="ei:eiTarget" minOccurs="0"/>',
    ),
    "two elements stand in another order": (
        "ei",
        '<xs:element ref="ei:eventDescriptor"/><xs:element ref="ei:eiActivePeriod"/>',
        '<xs:element ref="ei:eiActivePeriod"/><xs:element ref="ei:eventDescriptor"/>',
    ),
    "an element that may be repeated may not": (
        "oadr",
        '<xs:element name="oadrEvent"  minOccurs="0" maxOccurs="unbounded">',
        '<xs:element name="oadrEvent" minOccurs="0">',
    ),
    "an element that may not be repeated may": (
        "ei",
        '<xs:element ref="ei:eiEventBaseline" minOccurs="0"/>',
        '<xs:element ref="ei:eiEventBaseline" minOccurs="0" maxOccurs="unbounded"/>',
    ),
    "a word is missing": ("ei", '<xs:enumeration value="cancelled"/>', ""),
    "there is a word too many": (
        "ei",
        '<xs:enumeration value="priceRelative"/>',
        '<xs:enumeration value="priceRelative"/><xs:enumeration value="product"/>',
    ),
    "an enumeration cannot be extended": (
        "ei",
        'memberTypes="ei:OptReasonEnumeratedType ei:EiExtensionTokenType"',
        'memberTypes="ei:OptReasonEnumeratedType"',
    ),
    "a word may have blanks around it": (
        "oadr",
        '<xs:restriction base="xs:string"><xs:enumeration value="always"/>',
        '<xs:restriction base="xs:token"><xs:enumeration value="always"/>',
    ),
    "a pattern is too wide": (
        "ei",
        '<xs:pattern value="[0-9][0-9][0-9]"/>',
        '<xs:pattern value="[0-9]+"/>',
    ),
    "a duration is what it ought to be": ("xcal", "|(\\d+W)", "|P(\\d+W)"),
    "a time may have an offset": ("xcal", "Z?", "(Z|\\+00:00)?"),
    "a number may be greater": ("ei", '<xs:maxInclusive value="100"/>', '<xs:maxInclusive value="101"/>'),
    "a number is of another type": (
        "oadr",
        'name="pulseFactor" type="xs:float"',
        'name="pulseFactor" type="xs:decimal"',
    ),
    "a text is not fixed": (
        "oadr",
        'name="itemUnits" type="xs:string" fixed="count"',
        'name="itemUnits" type="xs:string"',
    ),
    "an element stands for no other": ("ei", ' substitutionGroup="strm:streamPayloadBase"', ""),
    "an element may not be nil": ("xcal", ' nillable="true"', ""),
    "an attribute is not known": ("oadr", '<xs:attribute name="Id" type="xs:ID"/>', ""),
    "an attribute may hold any text": (
        "ei",
        '<xs:attribute name="schemaVersion" type="ei:schemaVersionType">',
        '<xs:attribute name="schemaVersion" type="xs:string">',
    ),
}
"""Faults that a declaration could have: a document of the derived schema, a text in it, and what takes its place."""


@pytest.fixture(scope="module")
def judged(official_schema: etree.XMLSchema) -> Sequence[Judged]:
    """The documents of the comparison, as the official schema judges them."""
    texts = [
        *DOCUMENTS.values(),
        *(text for text, _ in changed_elements()),
        *(mutant.text for name in DOCUMENTS for mutant in mutants(name)),
        *(text for text, _ in texts_in_leaves()),
    ]
    trees = [etree.fromstring(text.encode()) for text in texts]
    return [(tree, official_schema.validate(tree)) for tree in trees]


def disagree(documents: Mapping[str, str], judged: Iterable[Judged]) -> bool:
    """Whether a derived schema judges any document unlike the official one."""
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    parser.resolvers.add(schema._Imports(documents))
    compiled = etree.XMLSchema(etree.fromstring(documents["oadr"], parser))
    return any(compiled.validate(tree) != verdict for tree, verdict in judged)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_derived_schema_is_noticed(name: str, judged: Sequence[Judged]) -> None:
    prefix, old, new = FAULTS[name]
    documents = dict(schema.documents())
    assert old in documents[prefix]
    documents[prefix] = documents[prefix].replace(old, new, 1)
    assert disagree(documents, judged)


def test_a_schema_without_fault_is_cleared(judged: Sequence[Judged]) -> None:
    assert not disagree(schema.documents(), judged)

"""The strict reader and the official schema come to the same verdict on every document.

Generated messages show it in one direction, changed documents in both. All series are the same in every run.
"""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from oadr_core.errors import SchemaError
from oadr_core.messages import PAYLOADS, Payload
from oadr_core.messages.namespaces import clark
from oadr_core.testing.strategies import payloads
from oadr_core.wire import envelope
from oadr_core.wire.dialects import PROFILE_B
from oadr_core.wire.lenient import decode_leniently
from oadr_core.wire.parse import parse
from oadr_core.wire.plain import from_dict, to_dict
from oadr_core.wire.verify import problems
from tests.wire.documents import DOCUMENTS, message_type
from tests.wire.mutants import ATTRIBUTES, TEXTS, Mutant, Mutator, copy, remove

MESSAGES: Final = 2300
MUTANTS_OF_MESSAGES: Final = 2300
MUTANTS_OF_DOCUMENTS: Final = 5100
"""How many documents are judged in every run: 2,000 generated and 5,000 changed ones at least."""

CANNOT_BE_HELD: Final = {
    "is no date and time such as": "datetime holds no year before the first",
    "lies outside the years 1 to 9999": "datetime holds no year after 9999",
    "is longer than can be told": "timedelta holds 999,999,999 days at most",
    "could not convert string to float": "libxml2 takes 1e for a number, although its exponent has no digits",
}
"""Why the strict reader refuses documents that the official schema accepts, by what it then says."""


def wrapped(data: bytes) -> bool:
    """Whether a document is rooted in oadrPayload."""
    return etree.fromstring(data).tag == clark("oadr:oadrPayload")


class Judge:
    """Holds the strict reader against the official schema, and counts."""

    def __init__(self, official: etree.XMLSchema) -> None:
        self._official = official
        self.verdicts: Counter[bool] = Counter()
        self.not_held: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many documents were judged."""
        return self.verdicts.total()

    def agree(self, text: str, what: object) -> Payload | None:
        """Judge a document in both ways; the verdicts must be the same.

        :returns: the message, or None where it was refused.
        """
        data = text.encode()
        verdict = self._official.validate(etree.fromstring(data)) and wrapped(data)
        self.verdicts[verdict] += 1
        message, refusal = strictly(data)
        reason = next((reason for sign, reason in CANNOT_BE_HELD.items() if sign in refusal), None)
        if verdict and reason:
            self.not_held[reason] += 1
        elif verdict:
            assert not refusal, f"{what}: refused by the strict reader alone: {refusal}\n{text}"
        else:
            entry = self._official.error_log.last_error
            assert refusal, f"{what}: refused by the official schema alone: {entry}\n{text}"
        return message


def strictly(data: bytes) -> tuple[Payload | None, str]:
    """Read a document strictly: the message, or why there is none."""
    try:
        return envelope.read(data, strict=True).message, ""
    except SchemaError as error:
        return None, str(error)


@pytest.fixture
def judge(official_schema: etree.XMLSchema) -> Judge:
    return Judge(official_schema)


# --- generated messages ----------------------------------------------------------------------------------------------


def survives(message: Payload, text: str) -> None:
    """A message comes through the wire, the lenient reader and the dict view unchanged."""
    forgiven: list[tuple[str, str]] = []
    element = parse(text.encode())[-1][0]
    leniently = decode_leniently(element, type(message), lambda place, what: forgiven.append((place, what)), PROFILE_B)
    assert leniently == message
    assert forgiven == []
    assert from_dict(*to_dict(message)) == message
    assert problems(message) == []


@pytest.mark.parametrize("name", PAYLOADS)
def test_every_message_that_can_be_built_is_valid_and_survives(name: str, judge: Judge) -> None:
    @settings(max_examples=MESSAGES // len(PAYLOADS), derandomize=True, database=None)
    @given(payloads(name))
    def each(message: Payload) -> None:
        text = envelope.encode(message).decode()
        assert judge.agree(text, name) == message
        survives(message, text)

    each()
    assert judge.verdicts[True] >= MESSAGES // len(PAYLOADS) >= 2000 // len(PAYLOADS)


@pytest.mark.parametrize("name", PAYLOADS)
def test_changed_messages_are_judged_as_by_the_official_schema(name: str, judge: Judge) -> None:
    @settings(max_examples=MUTANTS_OF_MESSAGES // len(PAYLOADS), derandomize=True, database=None)
    @given(payloads(name), st.integers(0, 2**32))
    def each(message: Payload, seed: int) -> None:
        mutant = Mutator(seed, TEXTS, ATTRIBUTES).mutant(envelope.encode(message).decode())
        judge.agree(mutant.text, mutant.changes)

    each()
    assert judge.count >= MUTANTS_OF_MESSAGES // len(PAYLOADS)
    assert set(judge.verdicts) == {False, True}


# --- documents of peers ----------------------------------------------------------------------------------------------


def test_every_payload_has_a_document() -> None:
    assert {message_type(name) for name in DOCUMENTS} == set(PAYLOADS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_of_peers_are_valid_and_survive(name: str, judge: Judge) -> None:
    message = judge.agree(DOCUMENTS[name], name)
    assert message is not None
    assert message.message_type() == message_type(name)
    survives(message, DOCUMENTS[name])
    again = judge.agree(envelope.encode(message).decode(), name)
    assert again == without_fractions(message)


def without_fractions(message: Payload) -> Payload:
    """What is left of a message when it is sent on: whole seconds (rule 1)."""
    text = msgspec.json.encode(message)
    return msgspec.json.decode(text.replace(b":59.500000Z", b":59Z"), type=type(message))


def mutants(name: str) -> Iterator[Mutant]:
    """Changed forms of a document, the same in every run."""
    mutator = Mutator(list(DOCUMENTS).index(name), TEXTS, ATTRIBUTES)
    for _ in range(math.ceil(MUTANTS_OF_DOCUMENTS / len(DOCUMENTS))):
        yield mutator.mutant(DOCUMENTS[name])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_changed_documents_are_judged_as_by_the_official_schema(name: str, judge: Judge) -> None:
    for mutant in mutants(name):
        judge.agree(mutant.text, mutant.changes)
    assert judge.count >= MUTANTS_OF_DOCUMENTS / len(DOCUMENTS)
    assert set(judge.verdicts) == {False, True}


FROM_SMALL_TO_LARGE: Final = sorted(DOCUMENTS.items(), key=lambda one: len(one[1]))


def kinds() -> Iterator[tuple[str, etree._Element, etree._Element]]:
    """Every kind of element, once in each kind of parent, with the name and the root of a document that has one."""
    seen: set[tuple[str, ...]] = set()
    for name, text in FROM_SMALL_TO_LARGE:
        root = etree.fromstring(text)
        for element in root.iterdescendants("*"):
            kind = (str(element.tag), *(str(parent.tag) for parent in element.iterancestors()))[:3]
            if kind not in seen:
                seen.add(kind)
                yield name, root, element


def changed_elements() -> Iterator[tuple[str, tuple[object, ...]]]:
    """Documents in which a single element is missing, is there twice, or has changed places; and what was done."""
    for name, root, element in kinds():
        parent = element.getparent()
        assert parent is not None
        place = parent.index(element)
        again = copy(element)
        element.addnext(again)
        yield etree.tostring(root, encoding="unicode"), (name, element.tag, "twice")
        remove(again)
        remove(element)
        yield etree.tostring(root, encoding="unicode"), (name, element.tag, "missing")
        if place < len(parent):
            parent.insert(place + 1, element)
            yield etree.tostring(root, encoding="unicode"), (name, element.tag, "behind the next")
            remove(element)
        parent.insert(place, element)


def test_every_element_is_as_often_and_where_the_official_schema_wants_it(judge: Judge) -> None:
    for text, change in changed_elements():
        judge.agree(text, change)
    assert judge.count > 1000
    assert set(judge.verdicts) == {False, True}


def leaves() -> Iterator[tuple[str, etree._Element, etree._Element]]:
    """Every kind of element that holds a text, once, with the name and the root of a document that has one."""
    seen: set[tuple[str, str]] = set()
    for name, text in FROM_SMALL_TO_LARGE:
        root = etree.fromstring(text)
        for leaf in root.iterdescendants("*"):
            kind = (str(leaf.getparent().tag), str(leaf.tag))
            if len(leaf) == 0 and leaf.text and kind not in seen:
                seen.add(kind)
                yield name, root, leaf


def texts_in_leaves() -> Iterator[tuple[str, tuple[object, ...]]]:
    """Documents in which some text stands in one of the elements that hold a text, and what was done to each."""
    for name, root, leaf in leaves():
        valid = leaf.text or ""
        for text in (*TEXTS, f" {valid}", f"{valid}\n", valid.upper(), valid.lower()):
            leaf.text = text
            yield etree.tostring(root, encoding="unicode"), (name, leaf.tag, text)
        leaf.text = valid


def test_every_simple_type_takes_the_texts_that_the_official_schema_takes(judge: Judge) -> None:
    for text, change in texts_in_leaves():
        judge.agree(text, change)
    assert judge.count > 10_000
    assert set(judge.not_held) == set(CANNOT_BE_HELD.values())


@pytest.mark.parametrize("value", ["2.0a", "2.0b", " 2.0b ", "x-2.1", "x-", "2.0", "2.0B", "", None])
@pytest.mark.parametrize("attribute", ["ei:schemaVersion", "oadr:schemaVersion", "schemaVersion"])
def test_the_schema_version_is_judged_as_by_the_official_schema(
    attribute: str, value: str | None, judge: Judge
) -> None:
    for name, text in DOCUMENTS.items():
        new = "" if value is None else f' {attribute}="{value}"'
        judge.agree(text.replace(' ei:schemaVersion="2.0b"', new), (name, attribute, value))
    assert judge.count == len(DOCUMENTS)


# --- documents that are refused on purpose ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prolog", "encoding"),
    [
        ("<!DOCTYPE x>", "utf-8"),
        ("<!-- <!DOCTYPE x> -->", "utf-8"),
        ('<?xml version="1.0" encoding="UTF-16"?>', "utf-16"),
    ],
    ids=["a document type", "a document type in a comment", "another encoding than UTF-8"],
)
def test_what_the_official_schema_accepts_is_refused_for_safety(
    prolog: str, encoding: str, official_schema: etree.XMLSchema
) -> None:
    data = (prolog + DOCUMENTS["oadrPoll"]).encode(encoding)
    assert official_schema.validate(etree.fromstring(data))
    with pytest.raises(SchemaError):
        envelope.read(data)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_other_roots_are_refused_though_the_official_schema_accepts_them(
    name: str, official_schema: etree.XMLSchema
) -> None:
    signed_object = etree.fromstring(DOCUMENTS[name])[0]
    for root in (signed_object, signed_object[0]):
        data = etree.tostring(root)
        assert official_schema.validate(etree.fromstring(data))
        with pytest.raises(SchemaError, match=r"^the root is .*, not oadrPayload$"):
            envelope.read(data)

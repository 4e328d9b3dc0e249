"""Changes of inputs: of any bytes, of XML by its elements, and of JSON by its values.

The same series of random numbers makes the same change.
"""

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any, Final

from lxml import etree

_BYTES: Final = (0, 1, 2, 3, 0x0A, 0x20, 0x22, 0x26, 0x3C, 0x3E, 0x7F, 0x80, 0xFF)


def of_bytes(data: bytes, random: Random) -> bytes:
    """Change any input, without knowledge of its structure."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        at, length = random.randint(0, len(changed)), random.choice((1, 1, 2, 4, 16, 64))
        what = random.randrange(5)
        if what == 0:
            del changed[at : at + length]
        elif what == 1:
            changed[at:at] = random.randbytes(length)
        elif what == 2:
            changed[at:at] = changed[at : at + length]
        elif what == 3 and at < len(changed):
            changed[at] = random.choice(_BYTES) if random.random() < 0.5 else random.randrange(256)
        else:
            from_ = random.randint(0, len(changed))
            changed[at : at + length] = changed[from_ : from_ + length]
    return bytes(changed)


# --- XML -------------------------------------------------------------------------------------------------------------

_FRAGMENTS: Final = (
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"<!ENTITY b SYSTEM 'file:///etc/hostname'>",
    b"&b;",
    b"&#0;",
    b"&#x10FFFF;",
    b"&lt;",
    b"<!-- x -->",
    b"<![CDATA[x]]>",
    b"]]>",
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"<?xml version='1.0' encoding='utf-8'?>",
    b"<?x y?>",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\x00",
    b" xmlns=''",
    b" xmlns:ei='urn:x'",
    b" xml:space='preserve'",
    b" xsi:nil='true'",
    b"<a>" * 300,
)
"""What upsets readers of XML."""

_TEXTS: Final = (
    *("", " ", "0", "-1", "1e999", "INF", "NaN", "4294967296", "true", "2.0a", "2.0b", "x-own", "P1Y", "PT1S", "-PT5M"),
    *("P99999999999D", "2026-11-20T12:00:00Z", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2026-11-20T24:00:00Z"),
    *("2026-11-20T12:00:00.123456789Z", "optIn", "cancelled", "SIMPLE", "level", "\u00a0", "\u0661", "x" * 5000),
    *("9" * 400, "1" * 5000, "P" + "9" * 400 + "S", "http://[::1", "%zz", "a\u0301", "k", "EUR"),
)
_ATTRIBUTES: Final = (
    "{http://openadr.org/oadr-2.0b/2012/07}Id",
    "{http://docs.oasis-open.org/ns/energyinterop/201110}schemaVersion",
    "{http://www.w3.org/2001/XMLSchema-instance}type",
    "{http://www.w3.org/2001/XMLSchema-instance}nil",
    "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation",
    "{http://www.opengis.net/gml/3.2}id",
    "Id",
    "x",
)


def of_documents(others: Callable[[], Sequence[bytes]]) -> Callable[[bytes, Random], bytes]:
    """Make what changes a document by its elements, or puts something between its bytes.

    :param others: documents from which elements are taken over.
    """

    def change(data: bytes, random: Random) -> bytes:
        which = random.random()
        if which < 0.15:
            return of_bytes(data, random)
        if which < 0.3:
            at = random.randint(0, len(data))
            return data[:at] + random.choice(_FRAGMENTS) + data[at:]
        root = _parsed(data)
        if root is None:
            root = _parsed(random.choice(others()))
            assert root is not None
        try:
            for _ in range(random.choice((1, 1, 1, 2, 3))):
                _change_tree(root, random, others)
            return etree.tostring(root)
        except (etree.LxmlError, ValueError):  # a name that an earlier change has left, and nobody can write
            return of_bytes(data, random)

    return change


def _parsed(data: bytes) -> etree._Element | None:
    try:
        return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except (etree.XMLSyntaxError, ValueError):
        return None


def _change_tree(root: etree._Element, random: Random, others: Callable[[], Sequence[bytes]]) -> None:
    elements = list(root.iter("*"))
    element = random.choice(elements)
    parent, following = element.getparent(), element.getnext()
    what = random.randrange(10)
    if what == 0 and parent is not None:
        parent.remove(element)
    elif what == 1 and element is not root:
        element.addnext(_copy(element))
    elif what == 2 and element is not root:
        random.choice(elements).append(_copy(element))
    elif what == 3:
        other = _parsed(random.choice(others()))
        assert other is not None
        element.insert(random.randint(0, len(element)), random.choice(list(other.iter("*"))))
    elif what == 4:
        element.tag = random.choice(elements).tag
    elif what == 5:
        element.set(random.choice(_ATTRIBUTES), random.choice((*_TEXTS, "ei:PayloadFloatType")))
    elif what == 6:
        element.attrib.clear()
    elif what == 7 and following is not None:
        following.addnext(element)
    else:
        leaves = [one for one in element.iter("*") if len(one) == 0]
        random.choice(leaves or [element]).text = random.choice(_TEXTS)


def _copy(element: etree._Element) -> etree._Element:
    return etree.fromstring(etree.tostring(element, with_tail=False))


# --- JSON ------------------------------------------------------------------------------------------------------------

_VALUES: Final[Sequence[object]] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, 1e308, "", "a", "x" * 3000, [], {}, [[]], "METADATA"),
    *("2026-11-20T12:00:00Z", "2026-11-20T12:00:00", "9999-12-31T23:59:59Z", "P1D", "PT1S", "-P1D", "P99999999D"),
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "\ud83d\udd0c", "AAAA", "kA=="),
)


def of_json(data: bytes, random: Random) -> bytes:
    """Change JSON by its values; anything else by its bytes."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return of_bytes(data, random)
    if random.random() < 0.15:
        return of_bytes(data, random)
    holder = [value]
    for _ in range(random.choice((1, 1, 2, 3))):
        _change_value(holder, random)
    return json.dumps(holder[0]).encode()


def _places(value: Any, found: list[tuple[Any, Any]]) -> None:
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            _places(value[key], found)


def _change_value(holder: list[Any], random: Random) -> None:
    places: list[tuple[Any, Any]] = []
    _places(holder, places)
    container, key = random.choice(places)
    what = random.randrange(5)
    if what == 0 and container is not holder:
        del container[key]
    elif what == 1 and isinstance(container, list) and container is not holder:
        container.append(json.loads(json.dumps(container[key])))
    elif what == 2:
        other, at = random.choice(places)
        container[key] = json.loads(json.dumps(other[at]))
    elif what == 3 and isinstance(container, dict):
        container[random.choice((*container, "version", "type"))] = deepcopy(random.choice(_VALUES))
    else:
        container[key] = deepcopy(random.choice(_VALUES))  # the same list in two places could come into itself

"""Changing documents at random, so that the strict reader can be held against the official schema."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from lxml import etree

from oadr_core.messages.namespaces import NAMESPACES, clark
from oadr_core.wire import schema

_BUILT_IN: Final = ("anyType", "anySimpleType", "string", "token", "integer", "unsignedShort", "long", "base64Binary")
_XSI_TYPE: Final = clark("xsi:type")


def _declared(kind: str) -> list[str]:
    """All that the schemas declare of a kind, by prefixed names."""
    return [
        f"{prefix}:{declared.get('name')}"
        for prefix, text in schema.documents().items()
        for declared in etree.fromstring(text)
        if str(declared.tag).endswith(kind)
    ]


ELEMENTS: Final = (*map(clark, _declared("}element")), "{urn:x}other", "other")
"""Elements to put into a document: every one that the schemas know, and two that nobody knows."""
TYPES: Final = (*_declared("Type"), *(f"xs:{name}" for name in _BUILT_IN))
"""Types for an xsi:type to name."""


def words(text: str) -> list[str]:
    """Split a text at its blanks."""
    return text.split()


TEXTS: Final = (
    *words("0 1 -1 +7 007 -0 3.0 1. .5 1e3 1E-3 1e INF +INF -INF NaN inf 1,2 100 101 99 200 999 1000 4294967295"),
    *words("4294967296 2.0a 2.0b 2.0c x-own x- X-own true false TRUE True yes P PT PT0S PT1S P1W 1W -PT5M +PT5M"),
    *words("PT1.5S P1Y2M3DT4H5M6S P5M P3DT P5S P1M2M pt1s PT5 P\u0661D PT99999999999999S 2026-11-20T12:00:00Z"),
    *words("2026-11-20T12:00:00 2026-11-20T12:00:00+00:00 2026-11-20T12:00:00.25Z 2026-11-20T24:00:00Z 2026-11-20"),
    *words("2026-11-20T12:00:60Z 2026-02-30T12:00:00Z 2026-11-20t12:00:00z 2026-11-20T12:00:00.Z 0000-01-01T00:00:00Z"),
    *words("-0001-01-01T00:00:00Z 9999-12-31T24:00:00Z optIn optin cancelled canceled SIMPLE simple Simple level"),
    *words(
        "product x-loadControlSetpoint always Always simpleHttp simpleHTTP xmpp EiEvent OadrPoll usage Net economic"
    ),
    *words("k K micro W kW J/s celsius EUR eur XYZ http://a.example/b%20c %zz : a:b http://[::1] http://[::1]/ a#b#c"),
    *("", " ", "\n", "a b", " x-a  b ", "x-\u00a0", "\u00a0", "Direct Read", "Quality Good - Non Specific"),
    *("pulse count", "1 2", "x" * 3000),
)
"""Texts to put where there is one: for every simple type some that it takes, and some that it nearly takes."""
ATTRIBUTES: Final = (
    *words("ei:schemaVersion schemaVersion oadr:schemaVersion ei:x oadr:Id Id gml:id id x xml:lang"),
    *words("xsi:nil xsi:type xsi:schemaLocation xsi:noNamespaceSchemaLocation"),
)
"""Attributes to set."""


@dataclass(frozen=True)
class Mutant:
    """A changed document.

    :param text: the document.
    :param changes: what was done to it, in short.
    """

    text: str
    changes: tuple[str, ...]


class Mutator:
    """Changes documents; the same seed makes the same series of changes.

    :param seed: where the series begins.
    :param texts: texts to put where there is a text or an attribute.
    :param attributes: attributes to set, by prefixed names.
    :param favoured: the namespaces of the elements that most changes should hit; all if empty.
    """

    def __init__(
        self, seed: int, texts: Sequence[str], attributes: Sequence[str], favoured: Collection[str] = ()
    ) -> None:
        self._random = Random(seed)
        self._texts = texts
        self._attributes = attributes
        self._favoured = favoured
        self._changes: tuple[Callable[[etree._Element], None], ...] = (
            self._drop,
            self._duplicate,
            self._swap,
            self._move,
            self._insert,
            self._unwrap,
            self._rename,
            self._change_namespace,
            self._change_text,
            self._change_text,
            self._change_text,
            self._pad_text,
            self._clear,
            self._write_between,
            self._annotate,
            self._mark_as_data,
            self._set_attribute,
            self._rename_attribute,
            self._drop_attribute,
            self._set_type,
            self._set_nil,
        )

    def mutant(self, text: str) -> Mutant:
        """Apply one to three changes."""
        root = etree.fromstring(text.encode())
        changes = []
        for _ in range(self._random.choice((1, 1, 1, 2, 3))):
            if next(root.iterchildren("*"), None) is not None:
                change, element = self._random.choice(self._changes), self._choose(root)
                changes.append(f"{change.__name__.strip('_')} {etree.QName(element).localname}")
                change(element)
        return Mutant(etree.tostring(root, encoding="unicode"), tuple(changes))

    def _choose(self, root: etree._Element) -> etree._Element:
        elements = list(root.iterdescendants("*"))
        favoured = [element for element in elements if etree.QName(element).namespace in self._favoured]
        return self._random.choice(favoured if favoured and self._random.random() > 0.1 else elements)

    # --- elements ----------------------------------------------------------------------------------------------------

    def _drop(self, element: etree._Element) -> None:
        remove(element)

    def _duplicate(self, element: etree._Element) -> None:
        element.addnext(copy(element))

    def _swap(self, element: etree._Element) -> None:
        following = element.getnext()
        if following is not None:
            following.addnext(element)

    def _move(self, element: etree._Element) -> None:
        target = self._choose(element.getroottree().getroot())
        moved = copy(element)
        target.insert(self._random.randint(0, len(target)), moved)
        if self._random.random() < 0.5:
            remove(element)

    def _insert(self, element: etree._Element) -> None:
        child = etree.Element(self._random.choice(ELEMENTS))
        if self._random.random() < 0.3:
            child.text = self._random.choice(self._texts)
        element.insert(self._random.randint(0, len(element)), child)

    def _unwrap(self, element: etree._Element) -> None:
        for child in reversed(element):
            element.addnext(child)
        remove(element)

    def _rename(self, element: etree._Element) -> None:
        others = [str(other.tag) for other in element.getroottree().getroot().iterdescendants("*")]
        element.tag = self._random.choice(self._random.choice((ELEMENTS, others)))

    def _change_namespace(self, element: etree._Element) -> None:
        namespace = self._random.choice((*NAMESPACES.values(), "urn:x", None))
        element.tag = etree.QName(namespace, etree.QName(element).localname).text

    # --- texts -------------------------------------------------------------------------------------------------------

    def _leaf(self, element: etree._Element) -> etree._Element:
        return self._random.choice([leaf for leaf in element.iter("*") if next(leaf.iterchildren("*"), None) is None])

    def _change_text(self, element: etree._Element) -> None:
        self._leaf(element).text = self._random.choice(self._texts)

    def _pad_text(self, element: etree._Element) -> None:
        leaf = self._leaf(element)
        leaf.text = self._random.choice((" {}", "{} ", "\n\t{}\r\n", "{0}  {0}", "\u00a0{}", "{}\u2003")).format(
            leaf.text or ""
        )

    def _clear(self, element: etree._Element) -> None:
        for child in list(element):
            element.remove(child)
        element.text = None

    def _write_between(self, element: etree._Element) -> None:
        if self._random.random() < 0.5:
            element.tail = self._random.choice(self._texts)
        else:
            element.text = self._random.choice(self._texts)

    def _annotate(self, element: etree._Element) -> None:
        """Put a comment or a processing instruction in front of the element, or into its text."""
        note = self._random.choice((etree.Comment(" <x/> "), etree.ProcessingInstruction("x", "y")))
        if self._random.random() < 0.5:
            element.addprevious(note)
        elif element.text:
            half = len(element.text) // 2
            element.text, note.tail = element.text[:half], element.text[half:]
            element.insert(0, note)

    def _mark_as_data(self, element: etree._Element) -> None:
        leaf = self._leaf(element)
        leaf.text = etree.CDATA(leaf.text or "")

    # --- attributes --------------------------------------------------------------------------------------------------

    def _bearer(self, element: etree._Element) -> etree._Element | None:
        bearers = [bearer for bearer in element.iter("*") if bearer.attrib]
        return self._random.choice(bearers) if bearers else None

    def _set_attribute(self, element: etree._Element) -> None:
        name = str(self._random.choice(element.keys() or self._attributes))
        if self._random.random() < 0.7:
            name = self._random.choice(self._attributes)
        element.set(clark(name) if ":" in name and "{" not in name else name, self._random.choice(self._texts))

    def _rename_attribute(self, element: etree._Element) -> None:
        bearer = self._bearer(element)
        if bearer is not None:
            name = str(self._random.choice(bearer.keys()))
            new = self._random.choice((f"{name}x", "Id", name.rpartition("}")[2]))
            bearer.set(new, bearer.attrib.pop(name))

    def _drop_attribute(self, element: etree._Element) -> None:
        bearer = self._bearer(element)
        if bearer is not None:
            del bearer.attrib[self._random.choice(bearer.keys())]

    def _set_type(self, element: etree._Element) -> None:
        element.set(_XSI_TYPE, self._random.choice(TYPES))

    def _set_nil(self, element: etree._Element) -> None:
        element.set(clark("xsi:nil"), self._random.choice(("true", "false", "1", "yes")))
        if self._random.random() < 0.5:
            self._clear(element)


def copy(element: etree._Element) -> etree._Element:
    """Copy an element without what stands behind it."""
    return etree.fromstring(etree.tostring(element, with_tail=False))


def remove(element: etree._Element) -> None:
    """Take an element out, if it is inside another."""
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)

"""What the tests of signatures share: sealers, and documents that are changed after they were signed."""

import random
from collections.abc import Iterator
from typing import Any

from lxml import etree

from oadr_core import Now, Opened, Payload, Poll, SealError, SigningSealer, Trust
from oadr_core.messages.namespaces import NAMESPACES
from tests.core.kit import NOON
from tests.seal.people import Person, person

NOW = Now(0.0, NOON)

VEN = person("ven")
VTN = person("vtn")
MALLORY = person("mallory")
POLL = Poll(ven_id="ven")

NAMES = {**NAMESPACES, "dsp": "http://openadr.org/oadr-2.0b/2012/07/xmldsig-properties"}


def sealer(who: Person | None = VEN, *, trust: Trust | None = None, **settings: Any) -> SigningSealer:
    """One that signs as somebody, and believes everybody unless told otherwise; of another, nonces are not the same."""
    key = None if who is None else who.signing()
    return SigningSealer(random.SystemRandom(), key=key, trust=trust or Trust(), **settings)


def signed(message: Payload = POLL, who: Person = VEN, now: Now = NOW, **settings: Any) -> bytes:
    """A signed document."""
    return sealer(who, **settings).seal(message, now)


def opened(data: bytes, now: Now = NOW, **settings: Any) -> Opened:
    """A document that a new sealer has opened."""
    return sealer(**settings).open(data, now)


def why_not(data: bytes, now: Now = NOW, **settings: Any) -> str:
    """Why a new sealer does not open a document; empty where it does."""
    try:
        opened(data, now, **settings)
    except SealError as error:
        return str(error)
    return ""


class Tree:
    """A document that is changed."""

    def __init__(self, data: bytes) -> None:
        self.root = etree.fromstring(data)

    def find(self, path: str) -> etree._Element:
        """An element, by a path with the usual prefixes."""
        found = self.root.find(path, NAMES)
        assert found is not None, path
        return found

    def all(self, path: str) -> Iterator[etree._Element]:
        """All elements of a path."""
        return self.root.iterfind(path, NAMES)

    @property
    def data(self) -> bytes:
        """The document as it is now."""
        return etree.tostring(self.root, encoding="utf-8")

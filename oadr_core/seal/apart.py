"""Taking a signed document apart: what the signature covers, and what stands around it.

What a signature covers is read as a document of its own anyway, so that nothing is believed that was not signed. Where
it stands in its canonical form in the document, as in those of this package, it is cut out before anything is parsed,
and an empty ``oadrSignedObject`` with the same attributes is left in its place. So no octet is parsed twice, and the
signature is looked for in a small document. That gives the same as parsing the whole:

- The octets that were cut out have the digest that the signature gives for its ``oadrSignedObject``. They are what was
  signed, wherever they come from.
- What is left names ``oadrSignedObject`` twice, in the two tags at the cut. So if it holds an element of that name in
  the usual place, the octets stood there.
- Both parts are well-formed, and what was cut out is one element, as is what was left in its place. So the whole is
  well-formed.
- No element of either part has an Id that the signature refers to, beyond those that it means.

Where any of this does not hold, the whole document is parsed, and what the signature covers is brought into its
canonical form. That finds the same faults, and what they are.
"""

import re
from contextlib import suppress
from typing import Final

from lxml import etree

from oadr_core.errors import RemoteProtocolError
from oadr_core.seal.algorithms import Accepted
from oadr_core.seal.shape import Shape, digest_of, is_signed, refers_into, shape_of
from oadr_core.wire.canonical import refuse_costly
from oadr_core.wire.envelope import parse_covered
from oadr_core.wire.parse import Limits, parse, refuse_large

_NAME: Final = b"oadrSignedObject"
_OPENING: Final = re.compile(rb'<((?:[A-Za-z_][\w.-]*:)?oadrSignedObject)(?: [\w.:-]+="[^"<>]*")*>')
"""The opening tag in a canonical form; one that has ``>`` in an attribute is not looked for."""


class Apart:
    """A signed document.

    :ivar root: its root. The ``oadrSignedObject`` in it is empty where it was cut out.
    :ivar shape: the parts of the signature.
    :ivar covered: what was cut out, as a document of its own; None where nothing was. It is what the signature gives
        the digest of.
    """

    __slots__ = ("covered", "root", "shape")

    def __init__(self, root: etree._Element, shape: Shape, covered: etree._Element | None = None) -> None:
        self.root: Final = root
        self.shape: Final = shape
        self.covered: Final = covered


def take_apart(data: bytes, accepted: Accepted, limits: Limits) -> Apart | None:
    """Read a document that may be signed.

    :param data: the document.
    :param accepted: what is accepted beyond the usual.
    :param limits: how large it may be.
    :returns: its parts; None where it is not signed.
    :raises SchemaError: it is too large, or not well-formed.
    :raises SealError: it is signed, and does not have the shape that it must have; the text says where.
    """
    refuse_large(data, limits)
    found = _cut(data, accepted, limits)
    if found is not None:
        return found
    root = parse(data, limits)
    if not is_signed(root):
        return None
    refuse_costly(data, root)
    return Apart(root, shape_of(root, accepted))


def _cut(data: bytes, accepted: Accepted, limits: Limits) -> Apart | None:
    """Cut out what the signature covers, where that comes to the same."""
    opening = _OPENING.match(data, max(0, data.rfind(b"<", 0, max(0, data.find(_NAME)))))
    if opening is None:
        return None
    closing = b"</%b>" % opening[1]
    end = data.rfind(closing)
    around = data[: opening.end()] + data[end:]
    if end < opening.end() or around.count(_NAME) != 2 or b"Signature" not in around:
        return None
    octets = data[opening.start() : end + len(closing)]
    with suppress(RemoteProtocolError):
        root = parse(around, limits)
        refuse_costly(around, root)
        shape = shape_of(root, accepted)
        if not shape.covering.enveloped and digest_of(shape.covering, octets) == shape.covering.value:
            covered = parse_covered(octets, limits=limits)
            if len(covered) == 1 and not refers_into(shape, covered):
                return Apart(root, shape, covered)
    return None

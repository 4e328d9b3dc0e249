"""Whole documents: ``oadrPayload`` around ``oadrSignedObject`` around one payload (section 8 of the profile)."""

from typing import Final

import msgspec
from lxml import etree

from oadr_core.errors import LocalProtocolError, SchemaError
from oadr_core.messages import PAYLOADS
from oadr_core.messages.declare import Payload
from oadr_core.messages.namespaces import clark, in_prefixes
from oadr_core.wire.decode import decode_payload
from oadr_core.wire.encode import encode_payload
from oadr_core.wire.lenient import Tell, decode_leniently, local_name, tell_attributes, tell_text
from oadr_core.wire.parse import LIMITS, Limits, brief, name_of, parse
from oadr_core.wire.schema import schema
from oadr_core.wire.verify import problems

_PAYLOAD: Final = clark("oadr:oadrPayload")
_SIGNED_OBJECT: Final = clark("oadr:oadrSignedObject")
_SIGNATURE: Final = clark("ds:Signature")
_ID: Final = clark("oadr:Id")
_SCHEMA_LOCATION: Final = clark("xsi:schemaLocation")
_CLASSES: Final = {clark(cls.__element__): cls for cls in PAYLOADS.values()}
_PROFILE_A: Final = "{http://openadr.org/oadr-2.0a/2012/07}"
_MOST_FORGIVEN: Final = 100
"""How many departures are told of one document; a peer that makes more has been described well enough."""


class Forgiven(msgspec.Struct, frozen=True):
    """A departure from the schema that a lenient receiver overlooked.

    :param place: where, as a path of elements.
    :param what: what was wrong there.
    """

    place: str
    what: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was read.

    :param data: the bytes that it was read from.
    :param message: the payload.
    :param valid: whether the schema accepts the document.
    :param forgiven: what had to be overlooked to read it, up to a hundred things; empty for a valid document.
    :param signed: whether it carries a signature, which nobody has looked at here.
    :param schema_location: whether it names a schemaLocation, which rule 45 forbids.
    """

    data: bytes
    message: Payload
    valid: bool
    forgiven: tuple[Forgiven, ...] = ()
    signed: bool = False
    schema_location: bool = False


def encode(message: Payload) -> bytes:
    """Write a message as a document.

    Values are trusted, for the sake of speed: what a user made passes :func:`~oadr_core.wire.verify.verify` first.

    :param message: any of the 23 payloads.
    :returns: an ``oadrPayload`` document in UTF-8, which the schema accepts where ``verify`` finds nothing.
    :raises LocalProtocolError: a field holds what cannot be written; the text says which and what would be right.
    """
    try:
        return encode_payload(message).encode()
    except Exception as error:
        found = problems(message)
        if not found:
            raise
        raise LocalProtocolError(found[0]) from error


def decode(data: bytes, *, strict: bool = True, limits: Limits = LIMITS) -> Payload:
    """Read a message.

    :param data: a whole document.
    :param strict: whether to refuse what the schema refuses, and documents not rooted in ``oadrPayload``. If not, a
        liberal receiver reads what it can (docs/leniency.md).
    :param limits: how large the document may be.
    :raises SchemaError: the document was refused.
    """
    return read(data, strict=strict, limits=limits).message


def read(data: bytes, *, strict: bool = True, limits: Limits = LIMITS) -> Document:
    """Read a document with all that is to be known about it; see :func:`decode`."""
    root = parse(data, limits)
    located = b"schemaLocation" in data and any(_SCHEMA_LOCATION in element.attrib for element in root.iter())
    if root.tag == _PAYLOAD and schema().validate(root):
        return _read_valid(data, root, located)
    fault = _fault(root)
    if strict:
        raise fault
    return _read_leniently(data, root, fault, located)


def _read_valid(data: bytes, root: etree._Element, located: bool) -> Document:
    element = root[-1][0]
    try:
        message = decode_payload(element, _CLASSES[name_of(element)])
    except (ValueError, OverflowError) as error:  # such as a time before the year 1
        raise SchemaError(brief(str(error))) from None
    return Document(
        data=data,
        message=message,
        valid=True,
        signed=len(root) > 1,
        schema_location=located,
    )


def _fault(root: etree._Element) -> SchemaError:
    if root.tag != _PAYLOAD:
        if name_of(root).startswith(_PROFILE_A):
            return SchemaError("this is a document of the 2.0a profile")
        return SchemaError(brief(f"the root is {name_of(root)}, not oadrPayload"))
    entry = schema().error_log.last_error
    if entry is None:  # another thread has used the schema meanwhile
        return SchemaError("the schema refuses the document")
    return SchemaError(brief(in_prefixes(entry.message)), f"line {entry.line}")


def _read_leniently(data: bytes, root: etree._Element, fault: SchemaError, located: bool) -> Document:
    forgiven: list[Forgiven] = []

    def tell(place: str, what: str) -> None:
        if len(forgiven) < _MOST_FORGIVEN:
            forgiven.append(Forgiven(place, brief(what)))

    element = _payload_of(root, tell)
    cls = _CLASSES.get(name_of(element))
    if cls is None:
        what = brief(f"{name_of(element)} is no payload of OpenADR 2.0b")
        raise SchemaError(what) if root.tag == _PAYLOAD else fault
    message = decode_leniently(element, cls, tell)
    if not forgiven:
        tell(fault.place, fault.text)
    return Document(
        data=data,
        message=message,
        valid=False,
        forgiven=tuple(forgiven),
        signed=root.find(_SIGNATURE) is not None,
        schema_location=located,
    )


def _payload_of(root: etree._Element, tell: Tell) -> etree._Element:
    if root.tag == _PAYLOAD:
        signed = root.findall(_SIGNED_OBJECT)
        if len(signed) != 1:
            raise SchemaError(f"there are {len(signed)} oadrSignedObject, not one", "oadrPayload")
        tell_attributes(root, "oadrPayload", tell)
        tell_text(root, "oadrPayload", tell)
        for child in root:
            if child.tag not in (_SIGNATURE, _SIGNED_OBJECT):
                tell("oadrPayload", f"unknown element {local_name(child)}")
        if any(child.tag == _SIGNATURE for child in signed[0].itersiblings()):
            tell("oadrPayload", "Signature stands behind what it should precede")
        root = signed[0]
    elif root.tag == _SIGNED_OBJECT:
        tell("", "the root is oadrSignedObject, not oadrPayload")
    else:
        tell("", "the root is the payload, not oadrPayload")
        return root
    if len(root) != 1:
        raise SchemaError(f"there are {len(root)} payloads, not one", "oadrSignedObject")
    tell_attributes(root, "oadrSignedObject", tell, _ID)
    tell_text(root, "oadrSignedObject", tell)
    return root[0]

"""Whole documents (section 8 of the profile).

In 2.0b one is ``oadrPayload`` around ``oadrSignedObject`` around one payload; in 2.0a it is the payload itself.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from lxml import etree

from oadr_core.errors import LocalProtocolError, OtherProfile, SchemaError
from oadr_core.messages import ProfileName
from oadr_core.messages.declare import Payload
from oadr_core.messages.namespaces import NAMESPACES, clark, in_prefixes
from oadr_core.wire.decode import decode_payload
from oadr_core.wire.dialects import DIALECTS, PROFILE_A, PROFILE_B, Dialect
from oadr_core.wire.encode import document_writer, encode_signed_object
from oadr_core.wire.lenient import Tell, decode_leniently, local_name, tell_attributes, tell_text
from oadr_core.wire.parse import LIMITS, Limits, brief, name_of, parse
from oadr_core.wire.schema import schema
from oadr_core.wire.verify import problems

_PAYLOAD: Final = clark("oadr:oadrPayload")
_SIGNED_OBJECT: Final = clark("oadr:oadrSignedObject")
_SIGNATURE: Final = clark("ds:Signature")
_ID: Final = clark("oadr:Id")
_SCHEMA_LOCATION: Final = clark("xsi:schemaLocation")
_OF_PROFILE_A: Final = PROFILE_A.clark("oadr:")

_NAMESPACE: Final = NAMESPACES["oadr"].encode()

_GROWTH: Final = 6
"""How many times longer than its document a canonical form may be: a quotation mark becomes ``&quot;``."""

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
    :param profile: the profile that it is a document of.
    """

    data: bytes
    message: Payload
    valid: bool
    forgiven: tuple[Forgiven, ...] = ()
    signed: bool = False
    schema_location: bool = False
    profile: ProfileName = ProfileName.V20B


def encode(message: Payload, *, profile: ProfileName = ProfileName.V20B) -> bytes:
    """Write a message as a document.

    Values are trusted, for the sake of speed: what a user made passes :func:`~oadr_core.wire.verify.verify` first. What
    2.0a has no place for is left out.

    :param message: any of the 23 payloads; any of the four that 2.0a has.
    :param profile: the profile to write it in.
    :returns: a document in UTF-8, which the schema accepts where ``verify`` finds nothing.
    :raises LocalProtocolError: a field holds what cannot be written, or the profile has no such payload; the text says
        which and what would be right.
    """
    writers = _WRITERS_B if profile is ProfileName.V20B else _WRITERS_A
    write = writers[type(message)]
    try:
        return write(message).encode()
    except Exception as error:
        _explain(error, message, DIALECTS[profile])
        raise


class _Writers(dict[type[Payload], Callable[[Any], str]]):
    """What writes the messages of each class in a dialect, made when the first is written.

    :param dialect: the dialect.
    """

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self._dialect = dialect

    def __missing__(self, cls: type[Payload]) -> Callable[[Any], str]:
        dialect = self._dialect
        if cls.message_type() not in dialect.payloads:
            raise LocalProtocolError(f"OpenADR {dialect.profile} has no {cls.message_type()}; it has {_names(dialect)}")
        return self.setdefault(cls, document_writer(cls, dialect))


_WRITERS_A: Final = _Writers(PROFILE_A)
_WRITERS_B: Final = _Writers(PROFILE_B)


def encode_part(message: Payload, name: str) -> bytes:
    """Write a message of 2.0b as an ``oadrSignedObject`` that stands by itself, to be signed; see :func:`encode`.

    :param message: any payload.
    :param name: the Id of the element; a plain name.
    :raises LocalProtocolError: a field holds what cannot be written.
    """
    try:
        return encode_signed_object(message, name).encode()
    except Exception as error:
        _explain(error, message, PROFILE_B)
        raise


def _explain(error: Exception, message: Payload, dialect: Dialect) -> None:
    """Say why a message could not be written, where it is the message that is wrong.

    :raises LocalProtocolError: it is.
    """
    found = problems(message, dialect)
    if found:
        raise LocalProtocolError(found[0]) from error


def _names(dialect: Dialect) -> str:
    return ", ".join(dialect.payloads)


def decode(
    data: bytes, *, strict: bool = True, limits: Limits = LIMITS, profile: ProfileName | None = ProfileName.V20B
) -> Payload:
    """Read a message.

    :param data: a whole document.
    :param strict: whether to refuse what the schema refuses, and documents not rooted in ``oadrPayload``. If not, a
        liberal receiver reads what it can (docs/leniency.md).
    :param limits: how large the document may be.
    :param profile: the profile that it has to be of; None for either.
    :returns: the message. One of 2.0a has the ``schema_version`` 2.0a, though the document does not say so.
    :raises OtherProfile: it is a document of the other profile.
    :raises SchemaError: the document was refused.
    """
    return read(data, strict=strict, limits=limits, profile=profile).message


def read(
    data: bytes, *, strict: bool = True, limits: Limits = LIMITS, profile: ProfileName | None = ProfileName.V20B
) -> Document:
    """Read a document with all that is to be known about it; see :func:`decode`."""
    return _read_tree(data, parse(data, limits), strict, profile)


def parse_covered(octets: bytes, *, whole: bool = False, limits: Limits = LIMITS) -> etree._Element:
    """Read the octets that a signature covers as a document of their own, so that nothing beside them is looked at.

    :param octets: the canonical form of an ``oadrSignedObject``.
    :param whole: whether it is the canonical form of the ``oadrPayload`` instead, without the signature.
    :param limits: how large the document that they come from may be.
    :returns: the root, an ``oadrPayload`` where there is nothing wrong.
    :raises SchemaError: they are not well-formed.
    """
    if not whole:  # with a prefix, so that no element without a namespace comes into ours
        octets = b'<oadr:oadrPayload xmlns:oadr="%b">%b</oadr:oadrPayload>' % (_NAMESPACE, octets)
    # the canonical form writes out what the document may abbreviate: namespaces, empty elements, escapes
    return parse(octets, Limits(size=_GROWTH * limits.size, tags=2 * limits.tags + 2))


def read_signed(data: bytes, root: etree._Element, covered: etree._Element, *, strict: bool = True) -> Document:
    """Read a message out of what a signature covers.

    :param data: the document.
    :param root: its root; only what the signature does not cover anyway is told from it.
    :param covered: what :func:`parse_covered` has made of the octets that the signature covers.
    :param strict: whether to refuse what the schema refuses.
    :raises SchemaError: the document was refused.
    """
    document = _read_tree(data, covered, strict, ProfileName.V20B)
    located = document.schema_location or _is_located(data, root)
    return msgspec.structs.replace(document, signed=True, schema_location=located)


def _read_tree(data: bytes, root: etree._Element, strict: bool, profile: ProfileName | None) -> Document:
    """Read a document of its tree; see :func:`read`."""
    dialect = PROFILE_A if name_of(root).startswith(_OF_PROFILE_A) else PROFILE_B
    if profile not in (None, dialect.profile):
        if dialect is PROFILE_A or root.tag in (_PAYLOAD, _SIGNED_OBJECT) or name_of(root) in PROFILE_B.classes:
            raise OtherProfile(dialect.profile)
        raise SchemaError(brief(f"the root is {name_of(root)}, no payload of OpenADR {profile}"))
    located = _is_located(data, root)
    is_rooted = root.tag == _PAYLOAD if dialect.wrapped else name_of(root) in dialect.classes
    if is_rooted and schema(dialect).validate(root):
        return _read_valid(data, root, dialect, located)
    fault = _fault(root, dialect)
    if strict:
        raise fault
    return _read_leniently(data, root, dialect, fault, located)


def _is_located(data: bytes, root: etree._Element) -> bool:
    return b"schemaLocation" in data and any(_SCHEMA_LOCATION in element.attrib for element in root.iter())


def _read_valid(data: bytes, root: etree._Element, dialect: Dialect, located: bool) -> Document:
    element = root[-1][0] if dialect.wrapped else root
    try:
        message = decode_payload(element, dialect.classes[name_of(element)], dialect)
    except (ValueError, OverflowError) as error:  # such as a time before the year 1
        raise SchemaError(brief(str(error))) from None
    return Document(
        data=data,
        message=_versioned(message, dialect),
        valid=True,
        signed=dialect.wrapped and len(root) > 1,
        schema_location=located,
        profile=dialect.profile,
    )


def _versioned(message: Payload, dialect: Dialect) -> Payload:
    """Have a message say what it was read from, where its document does not."""
    if dialect.wrapped:
        return message
    return msgspec.structs.replace(message, schema_version=str(dialect.profile))


def _fault(root: etree._Element, dialect: Dialect) -> SchemaError:
    if dialect.wrapped and root.tag != _PAYLOAD:
        return SchemaError(brief(f"the root is {name_of(root)}, not oadrPayload"))
    if not dialect.wrapped and name_of(root) not in dialect.classes:
        return SchemaError(brief(f"OpenADR {dialect.profile} has no {local_name(root)}; it has {_names(dialect)}"))
    entry = schema(dialect).error_log.last_error
    if entry is None:  # another thread has used the schema meanwhile
        return SchemaError("the schema refuses the document")
    return SchemaError(brief(in_prefixes(entry.message, dialect.namespaces)), f"line {entry.line}")


def _read_leniently(data: bytes, root: etree._Element, dialect: Dialect, fault: SchemaError, located: bool) -> Document:
    forgiven: list[Forgiven] = []

    def tell(place: str, what: str) -> None:
        if len(forgiven) < _MOST_FORGIVEN:
            forgiven.append(Forgiven(place, brief(what)))

    element = _payload_of(root, tell) if dialect.wrapped else root
    cls = dialect.classes.get(name_of(element))
    if cls is None:
        what = brief(f"{name_of(element)} is no payload of OpenADR 2.0b")
        raise SchemaError(what) if root.tag == _PAYLOAD else fault
    message = decode_leniently(element, cls, tell, dialect)
    if not forgiven:
        tell(fault.place, fault.text)
    return Document(
        data=data,
        message=_versioned(message, dialect),
        valid=False,
        forgiven=tuple(forgiven),
        signed=root.find(_SIGNATURE) is not None,
        schema_location=located,
        profile=dialect.profile,
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

"""The one shape that a signed document may have, looked at before anything in it is believed.

Whatever may be said in XMLDSig beyond this shape is refused: other places of the signature, further references, other
transforms, addresses outside the document, several elements of one Id. So there is no question which element a
signature covers: it is the one that stands where the message is read from.
"""

import binascii
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Final

import msgspec
from lxml import etree

from oadr_core.errors import SealError
from oadr_core.messages.namespaces import NAMESPACES, clark
from oadr_core.seal.algorithms import ENVELOPED, Accepted, Canonicalization, Digest, Method
from oadr_core.wire.parse import brief, name_of

DSP: Final = "http://openadr.org/oadr-2.0b/2012/07/xmldsig-properties"
"""The namespace of ReplayProtect."""

_PAYLOAD: Final = clark("oadr:oadrPayload")
_SIGNED_OBJECT: Final = clark("oadr:oadrSignedObject")
_SIGNATURE: Final = clark("ds:Signature")
_TRANSFORM: Final = clark("ds:Transform")
_DATA: Final = clark("ds:X509Data")
_CERTIFICATE: Final = clark("ds:X509Certificate")
_ID: Final = clark("oadr:Id")
_IS_ID: Final = "@*[local-name() = 'Id' or local-name() = 'id' or local-name() = 'ID']"
_ANY_ID: Final = etree.XPath(f"//{_IS_ID}", smart_strings=False)
_ID_WITHIN: Final = etree.XPath(f"/*/*//*/{_IS_ID}", smart_strings=False)
_XML: Final = f"{{{NAMESPACES['xml']}}}"
_REPLAY_PROTECT: Final = f"{{{DSP}}}ReplayProtect"
_TIMESTAMP: Final = f"{{{DSP}}}timestamp"
_NONCE: Final = f"{{{DSP}}}nonce"

MOST_CERTIFICATES: Final = 6
"""How many certificates a signature may bring."""

LONGEST_NONCE: Final = 1024
"""Characters that a nonce may have."""


class Reference(msgspec.Struct, frozen=True):
    """What a signature covers.

    :param uri: the Id of an element behind ``#``, or nothing for the whole document.
    :param canonicalization: how it is made into octets.
    :param enveloped: whether the signature itself is left out.
    :param digest: how the octets are made into a few.
    :param value: these.
    """

    uri: str
    canonicalization: Canonicalization
    enveloped: bool
    digest: Digest
    value: bytes


class Shape(msgspec.Struct, frozen=True):
    """The parts of a signed document.

    :param signature: the signature.
    :param covered: the element that the message is read from: the signed object, or the whole document.
    :param covering: the reference to it.
    :param properties: the element that holds when, and with which nonce, it was signed.
    :param protecting: the reference to that.
    :param info: what is signed.
    :param canonicalization: how that is made into octets.
    :param method: how these are signed.
    :param value: the signature over them.
    :param certificates: the certificate of the signer first, in DER and in base64; empty where the key is only named or
        shown.
    :param timestamp: when it was signed, as it says.
    :param nonce: its nonce.
    """

    signature: etree._Element
    covered: etree._Element
    covering: Reference
    properties: etree._Element
    protecting: Reference
    info: etree._Element
    canonicalization: Canonicalization
    method: Method
    value: bytes
    certificates: tuple[str, ...]
    timestamp: str
    nonce: str


def is_signed(root: etree._Element) -> bool:
    """Tell whether a document claims to be signed."""
    return any(child.tag == _SIGNATURE for child in root)


def shape_of(root: etree._Element, accepted: Accepted) -> Shape:
    """Take a signed document apart.

    :param root: its root.
    :param accepted: what is accepted beyond the usual.
    :raises SealError: it does not have the shape that it must have; the text says where.
    """
    signature, signed = _top(root, accepted)
    _held = list(signature.iter())  # while somebody holds them, lxml makes no objects anew at each look
    info, value, key_info, holder = _children(signature, "SignedInfo", "SignatureValue", "KeyInfo", "Object")
    canonicalization, method, first, second = _children(
        info, "CanonicalizationMethod", "SignatureMethod", "Reference", "Reference"
    )
    replay = _replay_protect(holder, accepted)
    references = [_reference(first, accepted), _reference(second, accepted)]
    covering, protecting = _in_order(references, signed, holder, accepted)
    _unique(root, [one.uri for one in references])
    return Shape(
        signature=signature,
        covered=root if covering.enveloped else signed,
        covering=covering,
        properties=holder,
        protecting=protecting,
        info=info,
        canonicalization=_canonicalization(canonicalization, accepted),
        method=_method(method, accepted),
        value=_base64(value),
        certificates=_certificates(key_info, accepted),
        timestamp=(replay[0].text or "").strip(),
        nonce=replay[1].text or "",
    )


def refers_into(shape: Shape, covered: etree._Element) -> bool:
    """Tell whether an element within what is covered has an Id that the signature refers to, which none may have.

    :param covered: what is covered as a document of its own, see :func:`~oadr_core.wire.envelope.parse_covered`.
    """
    uris = shape.covering.uri, shape.protecting.uri
    return any(f"#{one}" in uris for one in _ID_WITHIN(covered))


def digest_of(reference: Reference, octets: bytes) -> bytes:
    """Work out what a reference would give for some octets."""
    make = hashlib.sha256 if reference.digest is Digest.SHA256 else hashlib.sha1
    return make(octets).digest()


# --- the document ----------------------------------------------------------------------------------------------------


def _top(root: etree._Element, accepted: Accepted) -> tuple[etree._Element, etree._Element]:
    """The signature and what it is for, which are all that the document holds."""
    if root.tag != _PAYLOAD or any(str(name).startswith(_XML) for name in root.attrib):
        raise SealError("a signed document is an oadrPayload without attributes of XML itself")
    names = [name_of(child) for child in root]
    if names == [_SIGNED_OBJECT, _SIGNATURE] and accepted.enveloped:
        return root[1], root[0]
    if names != [_SIGNATURE, _SIGNED_OBJECT]:
        raise SealError("a signed oadrPayload holds one Signature and then one oadrSignedObject, and nothing else")
    return root[0], root[1]


def _id_of(signed: etree._Element, accepted: Accepted) -> str | None:
    return signed.get(_ID) or (signed.get("Id") if accepted.figure_23 else None)


def _in_order(
    references: Sequence[Reference], signed: etree._Element, holder: etree._Element, accepted: Accepted
) -> tuple[Reference, Reference]:
    """Find out which of two references covers the message, and which the time and the nonce (decision D41)."""
    by_uri = {one.uri: one for one in references}
    protecting = by_uri.get(f"#{holder.get('Id')}")
    covering = by_uri.get(f"#{_id_of(signed, accepted)}")
    if covering is None or covering.enveloped:
        covering = by_uri.get("") if accepted.enveloped else None
        if covering is not None and not covering.enveloped:
            covering = None
    if len(by_uri) != 2 or covering is None or protecting is None or protecting.enveloped:
        raise SealError("the signature has to refer to the oadrSignedObject and to its own Object, by their Ids")
    return covering, protecting


def _unique(root: etree._Element, uris: Sequence[str]) -> None:
    """See that no other element has an Id that the signature refers to."""
    ids = [str(one) for one in _ANY_ID(root)]
    for uri in uris:
        if uri and ids.count(uri[1:]) != 1:
            raise SealError(brief(f"several elements have the Id {uri[1:]}, which the signature refers to"))


# --- parts of a signature --------------------------------------------------------------------------------------------


def _children(element: etree._Element, *names: str) -> list[etree._Element]:
    """The children of an element of XMLDSig, which are these and no others."""
    children = list(element)
    if [child.tag for child in children] != _of_signatures(names):
        raise SealError(f"the {_local(element)} of the signature has to hold {', '.join(names)}, and nothing else")
    return children


@cache
def _of_signatures(names: tuple[str, ...]) -> list[str]:
    return [clark(f"ds:{name}") for name in names]


def _local(element: etree._Element) -> str:
    return brief(name_of(element).rpartition("}")[2], 60)


def _algorithm(element: etree._Element) -> str:
    if len(element):
        raise SealError(f"the {_local(element)} of the signature has a parameter, which none is allowed to have")
    return element.get("Algorithm", "")


def _refused(element: etree._Element, algorithm: str) -> SealError:
    return SealError(brief(f"the signature has {algorithm!r} for its {_local(element)}, which is not accepted here"))


def _canonicalization(element: etree._Element, accepted: Accepted) -> Canonicalization:
    algorithm = _algorithm(element)
    found = _CANONICALIZATIONS.get(algorithm)
    if found is None or (found is Canonicalization.EXCLUSIVE and not accepted.exclusive):
        raise _refused(element, algorithm)
    return found


def _method(element: etree._Element, accepted: Accepted) -> Method:
    algorithm = _algorithm(element)
    found = _METHODS.get(algorithm)
    if found is None or (found in (Method.RSA_SHA1, Method.ECDSA_SHA1) and not accepted.sha1):
        raise _refused(element, algorithm)
    return found


def _digest(element: etree._Element, accepted: Accepted) -> Digest:
    algorithm = _algorithm(element)
    found = _DIGESTS.get(algorithm)
    if found is None or (found is Digest.SHA1 and not accepted.sha1):
        raise _refused(element, algorithm)
    return found


_CANONICALIZATIONS: Final = {str(one): one for one in Canonicalization}
_METHODS: Final = {str(one): one for one in Method}
_DIGESTS: Final = {str(one): one for one in Digest}


def _reference(element: etree._Element, accepted: Accepted) -> Reference:
    has_transforms = len(element) == 3
    children = _children(element, *(("Transforms",) if has_transforms else ()), "DigestMethod", "DigestValue")
    canonicalization, enveloped = Canonicalization.INCLUSIVE, False
    if has_transforms:
        transforms = list(children[0])
        if accepted.enveloped and transforms and _algorithm(transforms[0]) == ENVELOPED:
            enveloped = True
            del transforms[0]
        if transforms:
            canonicalization = _canonicalization(transforms[0], accepted)
        if len(transforms) > 1 or {name_of(one) for one in children[0]} != {_TRANSFORM}:
            raise SealError("a reference of the signature has more transforms than one canonicalization")
    uri = element.get("URI", "-")
    if not (uri.startswith("#") and len(uri) > 1) and not (enveloped and uri == ""):
        raise SealError(brief(f"the signature refers to {uri!r}, and not to an Id within the document"))
    digest = _digest(children[-2], accepted)
    return Reference(uri, canonicalization, enveloped, digest, _base64(children[-1]))


def _certificates(key_info: etree._Element, accepted: Accepted) -> tuple[str, ...]:
    """The certificates that the signature brings."""
    found = [_text(one) for data in key_info if data.tag == _DATA for one in data if one.tag == _CERTIFICATE]
    if not found and not (accepted.figure_23 or accepted.enveloped):
        raise SealError("the signature brings no X.509 certificate")
    if len(found) > MOST_CERTIFICATES:
        raise SealError(f"the signature brings {len(found)} certificates; {MOST_CERTIFICATES} are taken at most")
    return tuple(found)


def _replay_protect(holder: etree._Element, accepted: Accepted) -> tuple[etree._Element, etree._Element]:
    """The elements of the time and the nonce."""
    (properties,) = _children(holder, "SignatureProperties")
    (one,) = _children(properties, "SignatureProperty")
    if one.get("Target") is None and not accepted.figure_23:
        raise SealError("the SignatureProperty has no Target")
    if [name_of(child) for child in one] != [_REPLAY_PROTECT]:
        raise SealError("the SignatureProperty has to hold ReplayProtect, and nothing else (rule 514)")
    parts = list(one[0])
    if [name_of(part) for part in parts] != [_TIMESTAMP, _NONCE] or any(len(part) for part in parts):
        raise SealError("ReplayProtect has to hold a timestamp and then a nonce (rule 514)")
    if not 0 < len(parts[1].text or "") <= LONGEST_NONCE:
        raise SealError(f"the nonce has to have 1 to {LONGEST_NONCE} characters")
    return parts[0], parts[1]


def _base64(element: etree._Element) -> bytes:
    try:
        return binascii.a2b_base64("".join(_text(element).split()), strict_mode=True)
    except ValueError:
        raise SealError(f"the {_local(element)} of the signature is no base64") from None


def _text(element: etree._Element) -> str:
    if len(element):
        raise SealError(f"the {_local(element)} of the signature holds elements")
    return element.text or ""

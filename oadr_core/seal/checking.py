"""Checking signatures (section 10.6.4 of the profile): the key, what it signed, and when."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from oadr_core.clock import Now
from oadr_core.errors import SealError
from oadr_core.seal.algorithms import Accepted, Canonicalization, Digest, Method
from oadr_core.seal.certificates import Certificate, CertificateCache, PublicKey, Trust
from oadr_core.seal.replay import ReplayGuard
from oadr_core.seal.shape import Reference, Shape, shape_of
from oadr_core.wire.canonical import canonical
from oadr_core.wire.scalars import read_instant

_HASHES: Final[dict[Method, type[hashes.SHA256] | type[hashes.SHA1]]] = {
    Method.RSA_SHA256: hashes.SHA256,
    Method.ECDSA_SHA256: hashes.SHA256,
    Method.RSA_SHA1: hashes.SHA1,
    Method.ECDSA_SHA1: hashes.SHA1,
}

_WITH_RSA: Final = (Method.RSA_SHA256, Method.RSA_SHA1)


class Checked:
    """A signature that holds.

    :ivar signer: the certificate that it was made with.
    :ivar octets: what it covers: the only thing that may be read on.
    :ivar whole: whether these are those of the whole document without its signature.
    :ivar signed_at: when it was made.
    """

    __slots__ = ("octets", "signed_at", "signer", "whole")

    def __init__(self, signer: Certificate, octets: bytes, whole: bool, signed_at: datetime) -> None:
        self.signer: Final = signer
        self.octets: Final = octets
        self.whole: Final = whole
        self.signed_at: Final = signed_at


class SignatureChecker:
    """Checks the signatures of documents.

    :param trust: whose are believed.
    :param replay: remembers what was seen.
    :param accepted: what is accepted beyond the usual.
    """

    def __init__(self, trust: Trust, replay: ReplayGuard, accepted: Accepted) -> None:
        self._trust = trust
        self._replay = replay
        self._accepted = accepted
        self._certificates = CertificateCache()

    def check(self, data: bytes, root: etree._Element, now: Now) -> Checked:
        """Check the signature of a document.

        In the order of section 10.6.4, after its shape and whether its signer is believed at all: the signature, what
        it covers, when it was made. Only what holds in all of that is remembered as seen.

        :param data: the document.
        :param root: its root.
        :param now: the present.
        :raises SealError: it does not hold.
        """
        shape = shape_of(root, self._accepted)
        signer = self._signer(shape, now)
        properties = canonical(shape.properties, exclusive=_exclusive(shape.protecting.canonicalization))
        if _digest(shape.protecting, properties) != shape.protecting.value:
            raise SealError("the time and the nonce are not those that were signed")
        covered = _as_written(data, shape)
        if covered is None:
            covered = _covered(shape)
            if _digest(shape.covering, covered) != shape.covering.value:
                raise SealError("the message is not the one that was signed")
        signed_at = self._time(shape.timestamp)
        self._replay.check(signer.fingerprint, signed_at, shape.nonce, now.utc)
        return Checked(signer, covered, shape.covering.enveloped, signed_at)

    def _signer(self, shape: Shape, now: Now) -> Certificate:
        """Find out who has signed, and that it was really so."""
        info = canonical(shape.info, exclusive=_exclusive(shape.canonicalization))
        for chain in self._chains(shape):
            self._trust.check(chain, now.utc)
            if _verifies(chain[0].key, shape.method, shape.value, info):
                return chain[0]
        raise SealError("the signature does not hold: it was made with another key, or changed since")

    def _chains(self, shape: Shape) -> Sequence[Sequence[Certificate]]:
        """The certificates that come into question, each with those that are to prove it."""
        if not shape.certificates:  # the key is only named or shown; it has to be one that is known
            return [[one] for one in self._trust.known]
        try:
            return [[self._certificates.read(one) for one in shape.certificates]]
        except ValueError as error:
            raise SealError(str(error)) from None

    def _time(self, text: str) -> datetime:
        if not self._accepted.figure_23 and not text.endswith("Z"):
            raise SealError("the timestamp of the signature has to be in UTC, with a Z (rule 1)")
        try:
            return read_instant(text)
        except ValueError as error:
            raise SealError(f"the timestamp of the signature: {error}") from None


def _exclusive(canonicalization: Canonicalization) -> bool:
    return canonicalization is Canonicalization.EXCLUSIVE


def _as_written(data: bytes, shape: Shape) -> bytes | None:
    """Find what the signature covers as it stands in the document, where that is in its canonical form already.

    Wherever these octets stand, they are those that were signed, as they have the digest; and the message is read from
    them alone. So nothing has to be known of what the document makes of them.
    """
    name = f"{shape.covered.prefix}:oadrSignedObject" if shape.covered.prefix else "oadrSignedObject"
    closing = f"</{name}>".encode()
    begin, end = data.find(f"<{name}".encode()), data.rfind(closing)
    if shape.covering.enveloped or begin < 0 or end < begin:
        return None
    octets = data[begin : end + len(closing)]
    return octets if _digest(shape.covering, octets) == shape.covering.value else None


def _covered(shape: Shape) -> bytes:
    """Make the octets that the message is read from; the tree is of no more use then."""
    if shape.covering.enveloped:
        before, text = shape.signature.getprevious(), shape.signature.tail or ""
        if before is None:
            shape.covered.text = (shape.covered.text or "") + text
        else:
            before.tail = (before.tail or "") + text
        shape.covered.remove(shape.signature)
    return canonical(shape.covered, exclusive=_exclusive(shape.covering.canonicalization))


def _digest(reference: Reference, octets: bytes) -> bytes:
    make = hashlib.sha256 if reference.digest is Digest.SHA256 else hashlib.sha1
    return make(octets).digest()


def _verifies(key: PublicKey, method: Method, value: bytes, octets: bytes) -> bool:
    algorithm = _HASHES[method]()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            if method not in _WITH_RSA:
                return False
            key.verify(value, octets, padding.PKCS1v15(), algorithm)
        else:
            size = (key.key_size + 7) // 8
            if method in _WITH_RSA or len(value) != 2 * size:
                return False
            numbers = int.from_bytes(value[:size], "big"), int.from_bytes(value[size:], "big")
            key.verify(encode_dss_signature(*numbers), octets, ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True

"""Checking signatures (section 10.6.4 of the profile): the key, what it signed, and when."""

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
from oadr_core.seal.algorithms import Accepted, Canonicalization, Method
from oadr_core.seal.apart import take_apart
from oadr_core.seal.certificates import Certificate, CertificateCache, PublicKey, Trust
from oadr_core.seal.replay import ReplayGuard
from oadr_core.seal.shape import Shape, digest_of
from oadr_core.wire.canonical import canonical
from oadr_core.wire.envelope import parse_covered
from oadr_core.wire.parse import LIMITS, Limits
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
    :ivar covered: what it covers, as a document of its own: the only thing that may be read on.
    :ivar root: the root of the document, which it does not cover.
    :ivar signed_at: when it was made.
    """

    __slots__ = ("covered", "root", "signed_at", "signer")

    def __init__(self, signer: Certificate, covered: etree._Element, root: etree._Element, signed_at: datetime) -> None:
        self.signer: Final = signer
        self.covered: Final = covered
        self.root: Final = root
        self.signed_at: Final = signed_at


class SignatureChecker:
    """Checks the signatures of documents.

    :param trust: whose are believed.
    :param replay: remembers what was seen.
    :param accepted: what is accepted beyond the usual.
    :param limits: how large a document may be.
    """

    def __init__(self, trust: Trust, replay: ReplayGuard, accepted: Accepted, limits: Limits = LIMITS) -> None:
        self._trust = trust
        self._replay = replay
        self._accepted = accepted
        self._limits = limits
        self._certificates = CertificateCache()

    def check(self, data: bytes, now: Now) -> Checked | None:
        """Check the signature of a document.

        In the order of section 10.6.4, after its shape and whether its signer is believed at all: the signature, what
        it covers, when it was made. Only what holds in all of that is remembered as seen.

        :param data: the document.
        :param now: the present.
        :returns: the signature; None where there is none.
        :raises SchemaError: the document is too large, or not well-formed.
        :raises SealError: the signature does not hold.
        """
        apart = take_apart(data, self._accepted, self._limits)
        if apart is None:
            return None
        shape = apart.shape
        signer = self._signer(shape, now)
        properties = canonical(shape.properties, exclusive=_exclusive(shape.protecting.canonicalization))
        if digest_of(shape.protecting, properties) != shape.protecting.value:
            raise SealError("the time and the nonce are not those that were signed")
        covered = self._covered(shape) if apart.covered is None else apart.covered
        signed_at = self._time(shape.timestamp)
        self._replay.check(signer.fingerprint, signed_at, shape.nonce, now.utc)
        return Checked(signer, covered, apart.root, signed_at)

    def _covered(self, shape: Shape) -> etree._Element:
        """Make the octets that the signature is to cover, and see that it does; see :attr:`Checked.covered`."""
        octets = _octets(shape)
        if digest_of(shape.covering, octets) != shape.covering.value:
            raise SealError("the message is not the one that was signed")
        return parse_covered(octets, whole=shape.covering.enveloped, limits=self._limits)

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


def _octets(shape: Shape) -> bytes:
    """Make the octets that the message is read from; the tree is of no more use then."""
    if shape.covering.enveloped:
        before, text = shape.signature.getprevious(), shape.signature.tail or ""
        if before is None:
            shape.covered.text = (shape.covered.text or "") + text
        else:
            before.tail = (before.tail or "") + text
        shape.covered.remove(shape.signature)
    return canonical(shape.covered, exclusive=_exclusive(shape.covering.canonicalization))


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

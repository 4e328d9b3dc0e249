"""Private keys: read once, used for every message, shown to nobody."""

from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs12,
)

from oadr_core.errors import LocalProtocolError
from oadr_core.seal.algorithms import Method
from oadr_core.seal.certificates import Certificate, PublicKey, certificates_in, fit_key

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class SigningKey:
    """A private key, and the certificate by which others know whose it is.

    :param certificate: the certificate, in PEM or DER; in PEM those of who has issued it may follow, and are sent too.
    :param key: the key, in PEM or DER, PKCS#8 or the older forms. Elliptic curves give ECDSA, the others RSA.
    :param passphrase: opens the key, where it is encrypted.
    :raises LocalProtocolError: one cannot be read, the passphrase is wrong, or they do not belong together. The text
        says nothing that is secret.
    """

    def __init__(self, certificate: str | bytes, key: str | bytes, passphrase: str | bytes | None = None) -> None:
        self._chain = certificates_in(certificate)
        self._key = _private_key(_octets(key), None if passphrase is None else _octets(passphrase))
        if _spelled(self._key.public_key()) != _spelled(self.certificate.key):
            raise LocalProtocolError("the key is not that of the certificate; the first certificate counts")

    @classmethod
    def from_pkcs12(cls, data: bytes, passphrase: str | bytes | None = None) -> "SigningKey":
        """Take both from a file as browsers and authorities hand them out, ``.p12`` or ``.pfx``.

        :param data: the content of the file.
        :param passphrase: opens it.
        :raises LocalProtocolError: it cannot be read, the passphrase is wrong, or something is missing.
        """
        try:
            store = pkcs12.load_pkcs12(data, None if passphrase is None else _octets(passphrase))
        except (ValueError, UnsupportedAlgorithm):
            raise LocalProtocolError("the PKCS#12 file is damaged, or its passphrase is wrong") from None
        if store.key is None or store.cert is None:
            raise LocalProtocolError("the PKCS#12 file has to hold a key and its certificate")
        several = [store.cert.certificate, *(one.certificate for one in store.additional_certs)]
        chain = b"".join(one.public_bytes(Encoding.PEM) for one in several)
        return cls(chain, _fit(store.key).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    def __repr__(self) -> str:
        """Whose it is, and nothing of the key."""
        return f"<SigningKey of {self.certificate.fingerprint}>"

    def __reduce__(self) -> str:
        """Refuse to be written down."""
        raise TypeError("a private key is not to be pickled")

    @property
    def method(self) -> Method:
        """How it signs; only SHA-256 is sent (decision D4)."""
        return Method.RSA_SHA256 if isinstance(self._key, rsa.RSAPrivateKey) else Method.ECDSA_SHA256

    @property
    def certificate(self) -> Certificate:
        """The certificate."""
        return self._chain[0]

    @property
    def chain(self) -> list[Certificate]:
        """The certificate, and those of who has issued it that came with it."""
        return list(self._chain)

    def sign(self, octets: bytes) -> bytes:
        """Sign something, in the form that XMLDSig has for :attr:`method`. May be called in any thread."""
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
        first, second = decode_dss_signature(self._key.sign(octets, ec.ECDSA(hashes.SHA256())))
        size = (self._key.key_size + 7) // 8
        return first.to_bytes(size, "big") + second.to_bytes(size, "big")


def _octets(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _private_key(data: bytes, passphrase: bytes | None) -> PrivateKey:
    load = load_pem_private_key if b"-----BEGIN" in data else load_der_private_key
    try:
        key = load(data, passphrase)
    except TypeError:  # so cryptography says whether a passphrase is missing, or one too many
        what = "is not encrypted, and has no passphrase" if passphrase else "is encrypted, and needs its passphrase"
        raise LocalProtocolError(f"the private key {what}") from None
    except (ValueError, UnsupportedAlgorithm):
        reason = ", or the passphrase is wrong" if passphrase else ""
        raise LocalProtocolError(f"the private key cannot be read{reason}") from None
    return _fit(key)


def _fit(key: object) -> PrivateKey:
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise LocalProtocolError("the private key is neither RSA nor ECC (section 10.6.3)")
    try:
        fit_key(key.public_key())
    except ValueError as error:
        raise LocalProtocolError(str(error)) from None
    return key


def _spelled(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

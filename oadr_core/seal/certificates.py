"""The certificates of signers: what they say, who has issued them, and whose signatures are believed."""

import binascii
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from oadr_core.errors import LocalProtocolError, SealError
from oadr_core.seal.fingerprint import fingerprint, normalised

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

SMALLEST_RSA: Final = 2048
"""Bits of an RSA key at least (rule 68)."""

SMALLEST_EC: Final = 256
"""Bits of an elliptic curve at least (section 10.1 of the profile, decision D5)."""


_UNREADABLE: Final = (TypeError, ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What is raised by parts of a certificate that cannot be read, which is only noticed where they are looked at."""


class Certificate:
    """A certificate, with what matters of it worked out once.

    :param data: the certificate in DER.
    :ivar data: the same.
    :ivar fingerprint: its short name, as peers know each other by.
    :ivar key: its public key.
    :raises ValueError: it is no X.509 certificate, or its key is of a kind or size that OpenADR does not use.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self.x509: Final = x509.load_der_x509_certificate(data)
            key = self.x509.public_key()
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
            raise ValueError("the certificate is no X.509 certificate") from None
        self.data: Final = data
        self.fingerprint: Final = fingerprint(data)
        self.key: Final[PublicKey] = fit_key(key)
        self.not_before: Final = self.x509.not_valid_before_utc
        self.not_after: Final = self.x509.not_valid_after_utc

    def __repr__(self) -> str:
        """Its fingerprint."""
        return f"<certificate {self.fingerprint}>"

    def names(self) -> list[str]:
        """What it is for: the names of hosts and addresses it lists, or its common name where it lists none."""
        try:
            try:
                listed = self.x509.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            except x509.ExtensionNotFound:
                return [str(one.value) for one in self.x509.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        except _UNREADABLE:
            return []  # what it says there cannot be read, which is only noticed here
        addresses = [str(one) for one in listed.get_values_for_type(x509.IPAddress)]
        return [*listed.get_values_for_type(x509.DNSName), *addresses]


def fit_key(key: object) -> PublicKey:
    """Take a public key that OpenADR uses.

    :raises ValueError: it uses no such key.
    """
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < SMALLEST_RSA:
            raise ValueError(f"an RSA key has {SMALLEST_RSA} bits at least (rule 68), this one {key.key_size}")
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.key_size < SMALLEST_EC:
            raise ValueError(f"a curve has {SMALLEST_EC} bits at least (section 10.1), this one {key.key_size}")
        return key
    raise ValueError("the key is neither RSA nor ECC (section 10.6.3)")


def certificates_in(text: str | bytes) -> list[Certificate]:
    """Read all certificates of a file, in their order.

    :param text: one or several in PEM, or one in DER.
    :raises LocalProtocolError: there is none, or one that is of no use.
    """
    data = text.encode() if isinstance(text, str) else text
    try:
        if b"-----BEGIN" in data:
            return [Certificate(one.public_bytes(Encoding.DER)) for one in x509.load_pem_x509_certificates(data)]
        return [Certificate(data)]
    except ValueError as error:
        raise LocalProtocolError(f"there is no certificate to be used: {error}") from None


class Trust:
    """Whose signatures are believed.

    Without any parameter every certificate is taken that is valid at the time, and it is left to who receives the
    message to tie its fingerprint to a peer: that is how a VTN knows its VENs.

    :param fingerprints: the fingerprints of the certificates that are believed; None for any.
    :param certificates: certificates that are believed; also, with ``figure_23`` or ``enveloped``, those that are meant
        where a signature only names or shows a key. None for any.
    :param authorities: the certificates of authorities, in PEM; a signer's must have been issued by one. None for any.
    :param host: the name or the address that a signer's certificate must be for, as that of a VTN. Where nothing but an
        authority says who is believed it is needed, or each of its certificates would do.
    :raises LocalProtocolError: one of these is not what it should be.
    """

    def __init__(
        self,
        *,
        fingerprints: Iterable[str] | None = None,
        certificates: str | bytes | None = None,
        authorities: str | bytes | None = None,
        host: str | None = None,
    ) -> None:
        self._known: Final = {} if certificates is None else {one.data: one for one in certificates_in(certificates)}
        self._fingerprints: frozenset[str] | None = None
        if fingerprints is not None:
            try:
                self._fingerprints = frozenset(map(normalised, fingerprints))
            except ValueError as error:
                raise LocalProtocolError(str(error)) from None
        self._store = None if authorities is None else Store([one.x509 for one in certificates_in(authorities)])
        self._host = host
        self._issued: OrderedDict[tuple[bytes, ...], tuple[datetime, datetime]] = OrderedDict()

    @property
    def known(self) -> Iterable[Certificate]:
        """The certificates that are known beforehand."""
        return self._known.values()

    def check(self, chain: Sequence[Certificate], now: datetime) -> None:
        """See whether a signer is believed, and whether its certificate is valid (rules 514 and 516).

        :param chain: the certificate of the signer, and perhaps those of who has issued it.
        :param now: the present.
        :raises SealError: it is not.
        """
        signer = chain[0]
        if now < signer.not_before:
            raise SealError(f"the certificate of the signature is not valid before {signer.not_before:%FT%TZ}")
        if now > signer.not_after:
            raise SealError(f"the certificate of the signature has expired at {signer.not_after:%FT%TZ} (rule 516)")
        if self._fingerprints is not None and signer.fingerprint not in self._fingerprints:
            raise SealError(f"the signature was made with the certificate {signer.fingerprint}, which is not expected")
        if self._known and signer.data not in self._known:
            raise SealError(f"the signature was made with the certificate {signer.fingerprint}, which is not known")
        if self._host is not None and not any(_is_for(name, self._host) for name in signer.names()):
            raise SealError(f"the certificate of the signature is not for {self._host}")
        if self._store is not None:
            self._check_issuer(self._store, chain, now)

    def _check_issuer(self, store: Store, chain: Sequence[Certificate], now: datetime) -> None:
        """See whether an authority has issued a certificate. What was found is remembered while it holds."""
        key = tuple(one.data for one in chain)
        known = self._issued.get(key)
        if known is not None and known[0] <= now <= known[1]:
            return
        policy = PolicyBuilder().store(store).time(now).extension_policies(ca_policy=_CA_POLICY, ee_policy=_EE_POLICY)
        try:
            verified = policy.build_client_verifier().verify(chain[0].x509, [one.x509 for one in chain[1:]])
        except (VerificationError, *_UNREADABLE):
            raise SealError("no authority that is trusted here has issued the certificate of the signature") from None
        whole = verified.chain
        valid = max(one.not_valid_before_utc for one in whole), min(one.not_valid_after_utc for one in whole)
        self._issued[key] = valid
        if len(self._issued) > _MOST_ISSUED:
            self._issued.popitem(last=False)


_MOST_ISSUED: Final = 10_000
"""How many certificates are remembered as issued by an authority."""

_CA_POLICY: Final = ExtensionPolicy.webpki_defaults_ca()
_EE_POLICY: Final = ExtensionPolicy.permit_all()
"""Certificates of VENs list no names, and are used for signing beside TLS; who they are is told by the fingerprint."""


def _is_for(name: str, host: str) -> bool:
    """Tell whether a name in a certificate is a host's; a star stands for the first part of it."""
    name, host = name.lower(), host.lower()
    return name == host or (name.startswith("*.") and "." in host and name[2:] == host.partition(".")[2])


def certificate_is_for(certificate: bytes, host: str) -> bool:
    """Tell whether a certificate is for a host.

    :param certificate: the certificate in DER.
    :param host: a name or an address.
    :returns: also False where it cannot be read, or its key is of a kind or size that OpenADR does not use.
    """
    try:
        read = Certificate(certificate)
    except ValueError:
        return False
    return any(_is_for(name, host) for name in read.names())


class CertificateCache:
    """Certificates by how they stand in documents, as reading one takes longer than verifying a signature."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._known: OrderedDict[str, Certificate] = OrderedDict()

    def read(self, text: str) -> Certificate:
        """Read a certificate as it stands in a signature.

        :param text: it in DER and in base64, with blanks anywhere.
        :raises ValueError: it is none.
        """
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = Certificate(_octets_of(text))
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(text)
        return found


def _octets_of(text: str) -> bytes:
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        raise ValueError("the certificate of the signature is no base64") from None

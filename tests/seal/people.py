"""Keys and certificates for tests: authorities, and people whose certificates they have issued."""

from datetime import UTC, datetime
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from oadr_core import SigningKey, fingerprint

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
END: Final = datetime(2036, 1, 1, tzinfo=UTC)

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def key_of(name: str, kind: str) -> Key:
    """The private key of somebody; making one of RSA takes long."""
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


class Person:
    """Somebody with a key and a certificate.

    :param name: the common name.
    :param kind: ``ec`` or ``rsa``.
    :param issuer: who has issued the certificate; itself if None.
    :param begin: when the certificate becomes valid.
    :param end: when it expires.
    :param is_authority: whether it may issue others.
    :param hosts: the hosts that it is for.
    """

    def __init__(
        self,
        name: str,
        kind: str = "ec",
        *,
        issuer: "Person | None" = None,
        begin: datetime = BEGIN,
        end: datetime = END,
        is_authority: bool = False,
        hosts: tuple[str, ...] = (),
    ) -> None:
        self.name: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key: Final = key_of(name, kind)
        signer = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
        )
        if is_authority:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            own = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            builder = builder.add_extension(usage, critical=True).add_extension(own, critical=False)
        if issuer is not None:
            above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
            builder = builder.add_extension(above, critical=False)
        if hosts:
            names = [x509.DNSName(host) for host in hosts]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self.certificate: Final = builder.sign(signer.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the certificate."""
        return fingerprint(self.pem)

    def key_pem(self, passphrase: str | None = None) -> str:
        """The private key, encrypted where there is a passphrase."""
        how: KeySerializationEncryption = NoEncryption()
        if passphrase is not None:
            how = BestAvailableEncryption(passphrase.encode())
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()

    def pkcs12(self, passphrase: str, *above: "Person") -> bytes:
        """Both in one file."""
        others = [one.certificate for one in above]
        how = BestAvailableEncryption(passphrase.encode())
        return pkcs12.serialize_key_and_certificates(b"me", self.key, self.certificate, others, how)

    @cache  # noqa: B019 - there are few, and they live as long as the tests
    def signing(self, *above: "Person") -> SigningKey:
        """What it signs with."""
        return SigningKey(self.pem + "".join(one.pem for one in above), self.key_pem())


@cache
def person(name: str, kind: str = "ec") -> Person:
    """Somebody who has issued its own certificate, always the same."""
    return Person(name, kind)

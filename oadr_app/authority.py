"""A CA for tests: it makes certificates in the shape of those that VTNs and VENs have in the field.

Below a root there is a CA for VTNs and one for VENs, of each kind of key, so that a side can trust the other alone: a
VEN must not be able to pose as a VTN. A VTN has the names of its hosts in its certificate, a VEN has a number there.

Where they log in to an XMPP server, both have their address there as well, as an id-on-xmppAddr (RFC 6120, 13.7.1.4):
Prosody and ejabberd read the name of who logs in from that alone, and not from the subject, which rule 515 has it from.
"""

import ipaddress
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from oadr_core import fingerprint

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_ORGANIZATION: Final = "oadr test authority, to be trusted by nobody else"
_RSA_BITS: Final = 2048
_CA_LIFE: Final = timedelta(days=3650)
_XMPP_ADDRESS: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")
"""id-on-xmppAddr, the kind of a name that is an address of XMPP."""
_UTF8_STRING: Final = 0x0C
_EARLIER: Final = timedelta(minutes=5)
"""How long before now certificates begin, for peers whose clocks are late."""


class Kind(StrEnum):
    """A kind of key (rule 68)."""

    RSA = "rsa"
    """RSA with 2048 bits."""
    EC = "ec"
    """An elliptic curve, P-256 (decision D5)."""


class Side(StrEnum):
    """Whose certificates a CA issues."""

    VTN = "vtn"
    VEN = "ven"


class Identity(msgspec.Struct, frozen=True):
    """A certificate with its key.

    :param certificate: the certificate.
    :param key: its key.
    :param chain: the CAs between it and the root.
    """

    certificate: x509.Certificate
    key: PrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def fingerprint(self) -> str:
        """By which peers know it."""
        return fingerprint(self.certificate.public_bytes(Encoding.DER))

    @property
    def pem(self) -> bytes:
        """The certificate and those of the CAs above it, in PEM."""
        return pem(self.certificate, *self.chain)

    def key_pem(self, passphrase: str | None = None) -> bytes:
        """The key in PEM, encrypted if there is a passphrase."""
        how = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def pem(*certificates: x509.Certificate) -> bytes:
    """Write certificates in PEM."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


class Authority:
    """A root, and the two CAs below it, of one kind of key.

    :param root: the root.
    :param issuers: the CA of each side.
    """

    def __init__(self, root: Identity, issuers: dict[Side, Identity]) -> None:
        self.root: Final = root
        self.issuers: Final = issuers

    @classmethod
    def made(cls, kind: Kind) -> "Authority":
        """Make a new one."""
        now, key = datetime.now(UTC), new_key(kind)
        name = _name(f"{kind.upper()} Root CA", "oadr test root")
        root = Identity(_ca(name, key, name, now, None).sign(key, hashes.SHA256()), key)
        return cls(root, {side: _issuer(side, kind, root, now) for side in Side})

    @property
    def kind(self) -> Kind:
        """The kind of its keys."""
        return Kind.RSA if isinstance(self.root.key, rsa.RSAPrivateKey) else Kind.EC

    def vtn(
        self,
        hosts: Sequence[str],
        *,
        life: timedelta = timedelta(days=365),
        begins: datetime | None = None,
        xmpp_domain: str | None = None,
    ) -> Identity:
        """Make the certificate of a VTN.

        :param hosts: its names and addresses, the first one being its subject.
        :param life: how long it is valid.
        :param begins: when that begins; a moment ago if None.
        :param xmpp_domain: the XMPP server that it logs in to as a client, by the name of its subject; None if none.
        """
        names = [name_of_host(one) for one in hosts]
        return self._entity(Side.VTN, hosts[0], life, begins, names, xmpp_domain)

    def ven(
        self,
        name: str | None = None,
        *,
        life: timedelta = timedelta(days=365),
        begins: datetime | None = None,
        xmpp_domain: str | None = None,
    ) -> Identity:
        """Make the certificate of a VEN.

        :param name: its subject; made up in the manner of a MAC address if None.
        :param life: how long it is valid.
        :param begins: when that begins; a moment ago if None.
        :param xmpp_domain: the XMPP server that it logs in to, by the name of its subject (rule 515); None if none.
        """
        return self._entity(Side.VEN, name or secrets.token_hex(6).upper(), life, begins, [], xmpp_domain)

    def _entity(
        self,
        side: Side,
        common_name: str,
        life: timedelta,
        begins: datetime | None,
        names: list[x509.GeneralName],
        xmpp_domain: str | None,
    ) -> Identity:
        issuer, key = self.issuers[side], new_key(self.kind)
        subject = _name(f"TEST {self.kind.upper()} {side.upper()} Certificate", common_name)
        begins = begins or datetime.now(UTC) - _EARLIER
        made = _begun(subject, key, issuer.certificate.subject, begins, begins + life).add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=self.kind is Kind.RSA,
                data_encipherment=False,
                key_agreement=self.kind is Kind.EC,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        made = made.add_extension(_key_id_of(issuer.key), critical=False)
        if xmpp_domain is not None:
            names = [*names, name_of_address(xmpp_address(common_name, xmpp_domain))]
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = made.sign(issuer.key, hashes.SHA256())
        return Identity(certificate, key, (issuer.certificate,))


def new_key(kind: Kind) -> PrivateKey:
    """Make a key."""
    if kind is Kind.RSA:
        return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def _issuer(side: Side, kind: Kind, root: Identity, now: datetime) -> Identity:
    name, key = _name(f"{kind.upper()} {side.upper()} CA", f"oadr test CA of {side.upper()}s"), new_key(kind)
    builder = _ca(name, key, root.certificate.subject, now, 0).add_extension(_key_id_of(root.key), critical=False)
    return Identity(builder.sign(root.key, hashes.SHA256()), key)


def _ca(
    name: x509.Name, key: PrivateKey, issuer: x509.Name, now: datetime, path_length: int | None
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _begun(name, key, issuer, now - _EARLIER, now + _CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
    )


def _begun(
    subject: x509.Name, key: PrivateKey, issuer: x509.Name, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_id_of(key: PrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _name(unit: str, common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def name_of_host(text: str) -> x509.GeneralName:
    """A name or an address of a host.

    :raises ValueError: it is neither.
    """
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9*_-]+(\.[A-Za-z0-9_-]+)*", text):
            raise ValueError(f"{text!r} is neither the name of a host nor an address") from None
        return x509.DNSName(text)


def xmpp_address(common_name: str, domain: str) -> str:
    """The address by which somebody logs in to an XMPP server: their common name is the name of the user (rule 515).

    Such names are the same in upper and lower case, and servers write them in lower case.
    """
    return f"{common_name.lower()}@{domain.lower()}"


def name_of_address(address: str) -> x509.GeneralName:
    """An address of XMPP as a name in a certificate."""
    text = address.encode()
    length = bytes([len(text)])
    if len(text) >= 0x80:
        octets = len(text).to_bytes((len(text).bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(octets)]) + octets
    return x509.OtherName(_XMPP_ADDRESS, bytes([_UTF8_STRING]) + length + text)

"""Certificates that somebody shows: in a signature, or in the header of a proxy.

Whatever the bytes, reading a certificate gives one or raises ValueError; one that was read has a fingerprint and names,
and looking whether it is believed raises nothing but SealError. A header gives a VEN with the fingerprint of a
certificate, or none; one that does not come from a proxy that is listed changes nothing.
"""

import base64
from datetime import timedelta
from functools import cache
from random import Random
from typing import Final
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from fuzz import mutations
from fuzz.messages import NOON
from fuzz.target import Target
from oadr_core import Peer, SealError, Trust, fingerprint
from oadr_core.seal.certificates import Certificate
from oadr_http.trusted_proxy import HEADER, TrustedProxies

_PROXIES: Final = TrustedProxies(["192.0.2.0/24"])
_LISTED: Final = Peer(address="192.0.2.7:4000")
_STRANGER: Final = Peer(address="198.51.100.7:4000", identity="AA")


def check(data: bytes) -> None:
    """Show an input as a certificate, and as a header."""
    try:
        certificate = Certificate(data)
    except ValueError:
        pass
    else:
        assert certificate.fingerprint == fingerprint(data)
        certificate.names()
        for trust in _trusts():
            for chain in ([certificate], [certificate, _authority()], [certificate, certificate]):
                try:
                    trust.check(chain, NOON)
                except SealError:
                    continue
    for header in (data, base64.b64encode(data), b":" + base64.b64encode(data) + b":"):
        headers = {HEADER.lower().encode(): header}
        assert _PROXIES.told_by(_STRANGER, headers) is _STRANGER
        told = _PROXIES.told_by(_LISTED, headers)
        assert told.address == _LISTED.address
        assert told.identity is None or len(told.identity) == 29


@cache
def _trusts() -> list[Trust]:
    pem = _authority().x509.public_bytes(Encoding.PEM)
    return [Trust(), Trust(authorities=pem, host="vtn.example"), Trust(authorities=pem)]


def _made(name: str, issuer: str, *, is_authority: bool = False) -> Certificate:
    """A certificate, always the same."""
    keys = {one: ec.derive_private_key(int.from_bytes(one.encode(), "big"), ec.SECP256R1()) for one in (name, issuer)}
    names = {one: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer)}
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[name])
        .issuer_name(names[issuer])
        .public_key(keys[name].public_key())
        .serial_number(1)
        .not_valid_before(NOON - timedelta(days=1))
        .not_valid_after(NOON + timedelta(days=1))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[issuer].public_key()), critical=False)
    )
    if is_authority:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        own = x509.SubjectKeyIdentifier.from_public_key(keys[name].public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(usage, critical=True).add_extension(own, critical=False)
    else:
        hosts: list[x509.GeneralName] = [x509.DNSName("vtn.example"), x509.DNSName("*.example")]
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    made = builder.sign(keys[issuer], hashes.SHA256(), ecdsa_deterministic=True)
    return Certificate(made.public_bytes(Encoding.DER))


@cache
def _authority() -> Certificate:
    return _made("authority", "authority", is_authority=True)


@cache
def _seeds() -> tuple[bytes, ...]:
    ders = [_made("ven", "authority").data, _authority().data, _made("self", "self").data]
    pem = quote(_authority().x509.public_bytes(Encoding.PEM)).encode()
    return (*ders, base64.b64encode(ders[0]), b":" + base64.b64encode(ders[0]) + b":", pem)


def _change(data: bytes, chance: Random) -> bytes:
    """Change an input; a byte or two more often than much of it, as lengths stand before all that there is."""
    if chance.random() < 0.5 and data:
        at = chance.randrange(len(data))
        return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
    return mutations.of_bytes(data, chance)


TARGET: Final = Target(
    check=check,
    seeds=_seeds,
    modules=("oadr_core.seal.certificates", "oadr_http.trusted_proxy"),
    mutate=_change,
    longest=2048,
    runs=600,
)

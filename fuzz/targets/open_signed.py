"""Documents through the sealer that signs.

Opening gives an Opened, or raises SchemaError or SealError, whatever the bytes and whatever forms are accepted. What
is opened is a message that its signer has really signed, word for word, however the document around it was changed;
and it is opened once: the same again is refused as a replay. Where signatures are required, nothing is opened without
one.
"""

import random
from datetime import timedelta
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from fuzz import mutations
from fuzz.messages import NOON, messages
from fuzz.target import Target
from oadr_core import (
    Accepted,
    Canonicalization,
    Now,
    Payload,
    SchemaError,
    SealError,
    SigningKey,
    SigningSealer,
    Trust,
    decode,
    encode,
)
from oadr_core.wire.verify import problems

_NOW: Final = Now(0.0, NOON)


def check(data: bytes) -> None:
    """Open an input with sealers of every kind."""
    for sealer, required in _sealers():
        try:
            opened = sealer.open(data, _NOW)
        except (SchemaError, SealError):
            continue
        if opened.signer is None:
            assert not required, "what is not signed was opened"
            continue
        assert opened.signer == key_of("ven").certificate.fingerprint, "a stranger is believed"
        assert repr(opened.message) in _signed_messages(), "this was never signed"
        try:
            sealer.open(data, _NOW)
        except SealError:
            continue
        raise AssertionError("the same was opened again")


def _sealers() -> list[tuple[SigningSealer, bool]]:
    """New ones, as they remember what they have seen."""
    trust = _trust()
    everything = Accepted(sha1=True, enveloped=True, figure_23=True, exclusive=True)
    return [
        (SigningSealer(random.Random(0), trust=trust), True),
        (SigningSealer(random.Random(0), trust=trust, accepted=everything, strict=False), True),
        (SigningSealer(random.Random(0), trust=trust, required=False, strict=False), False),
    ]


@cache
def _trust() -> Trust:
    return Trust(certificates=key_of("ven").certificate.data)


@cache
def key_of(name: str) -> SigningKey:
    """The key of somebody, always the same."""
    private = ec.derive_private_key(int.from_bytes(name.encode(), "big") + 2**200, ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(NOON - timedelta(days=1))
        .not_valid_after(NOON + timedelta(days=1))
        .sign(private, hashes.SHA256(), ecdsa_deterministic=True)
    )
    plain = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey(made.public_bytes(Encoding.PEM), plain)


@cache
def _few() -> tuple[Payload, ...]:
    return tuple(message for message in messages()[::4] if not problems(message))


@cache
def _signed_messages() -> frozenset[str]:
    """What the VEN has signed, as it reads."""
    return frozenset(repr(decode(encode(message))) for message in _few())


@cache
def _seeds() -> tuple[bytes, ...]:
    nonces = random.Random(0)
    sealers = [
        SigningSealer(nonces, key=key_of("ven")),
        SigningSealer(nonces, key=key_of("ven"), prefixes=False),
        SigningSealer(nonces, key=key_of("ven"), canonicalization=Canonicalization.EXCLUSIVE),
        SigningSealer(nonces, key=key_of("mallory")),
    ]
    found = [sealer.seal(message, _NOW) for sealer in sealers for message in _few()]
    stale = Now(0.0, NOON - timedelta(hours=1))
    return (*found, *(sealers[0].seal(message, stale) for message in _few()[:2]), *map(encode, _few()[:3]))


TARGET: Final = Target(
    check=check,
    seeds=_seeds,
    modules=(
        "oadr_core.seal.signing",
        "oadr_core.seal.apart",
        "oadr_core.seal.shape",
        "oadr_core.seal.checking",
        "oadr_core.seal.replay",
        "oadr_core.seal.certificates",
    ),
    mutate=mutations.of_documents(_seeds),
    longest=16_384,
    runs=800,
)

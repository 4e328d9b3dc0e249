"""Keys in all the forms that they come in, and why some cannot be used; nothing secret is shown."""

import base64
import pickle
import random
import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from oadr_core import LocalProtocolError, SigningKey, SigningSealer, Trust
from oadr_core.seal.certificates import Certificate, CertificateCache
from tests.seal.kit import NOW, POLL, VEN, VTN
from tests.seal.people import Person, person

SECRET = "correct horse battery staple"


def works(key: SigningKey) -> bool:
    """Whether what it signs can be verified."""
    sealer = SigningSealer(random.SystemRandom(), key=key, trust=Trust(fingerprints=[key.certificate.fingerprint]))
    return sealer.open(sealer.seal(POLL, NOW), NOW).message == POLL


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_key_comes_in_many_forms(kind: str) -> None:
    who = person("ven", kind)
    der = who.certificate.public_bytes(Encoding.DER)
    forms = [
        SigningKey(who.pem, who.key_pem()),
        SigningKey(who.pem.encode(), who.key_pem(SECRET).encode(), SECRET),
        SigningKey(der, who.key_pem(SECRET), SECRET.encode()),
        SigningKey(der, who.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())),
        SigningKey(who.pem, who.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())),
        SigningKey.from_pkcs12(who.pkcs12(SECRET), SECRET),
    ]
    for key in forms:
        assert key.certificate.fingerprint == who.fingerprint
        assert works(key)


def test_a_file_may_hold_the_authorities_too() -> None:
    root = Person("root", is_authority=True)
    who = Person("ven", issuer=root)
    for key in (
        SigningKey(who.pem + root.pem, who.key_pem()),
        SigningKey.from_pkcs12(who.pkcs12(SECRET, root), SECRET),
    ):
        assert [one.fingerprint for one in key.chain] == [who.fingerprint, root.fingerprint]


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_larger_curves_do_as_well(curve: ec.EllipticCurve, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ec.generate_private_key(curve)
    monkeypatch.setattr("tests.seal.people.key_of", lambda name, kind: key)
    who = Person("large")
    assert works(SigningKey(who.pem, who.key_pem()))


def refusal(certificate: str | bytes, key: str | bytes, passphrase: str | None = None) -> str:
    """Why a key is not taken; with everything that a log would show."""
    with pytest.raises(LocalProtocolError) as caught:
        SigningKey(certificate, key, passphrase)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert "wrong guess" not in shown
    return str(caught.value)


def test_a_key_that_cannot_be_used_is_told_why() -> None:
    encrypted = VEN.key_pem(SECRET)
    assert "needs its passphrase" in refusal(VEN.pem, encrypted)
    assert "the passphrase is wrong" in refusal(VEN.pem, encrypted, "wrong guess")
    assert "is not encrypted" in refusal(VEN.pem, VEN.key_pem(), SECRET)
    assert "cannot be read" in refusal(VEN.pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
    assert "cannot be read" in refusal(VEN.pem, b"")
    assert "no certificate" in refusal("", VEN.key_pem())
    assert "no certificate" in refusal(b"\x30\x00", VEN.key_pem())
    assert "not that of the certificate" in refusal(VTN.pem, VEN.key_pem())
    for data, passphrase in ((VEN.pkcs12(SECRET), "wrong guess"), (b"", None), (VEN.pkcs12(SECRET), None)):
        with pytest.raises(LocalProtocolError, match="damaged, or its passphrase is wrong"):
            SigningKey.from_pkcs12(data, passphrase)


@pytest.mark.rule(68)
@pytest.mark.parametrize(
    ("key", "why"),
    [
        (rsa.generate_private_key(65537, 1024), "2048 bits at least"),
        (ec.generate_private_key(ec.SECP224R1()), "256 bits at least"),
        (ed25519.Ed25519PrivateKey.generate(), "neither RSA nor ECC"),
        (dsa.generate_private_key(1024), "neither RSA nor ECC"),
    ],
    ids=["small RSA", "small curve", "Ed25519", "DSA"],
)
def test_keys_that_the_profile_does_not_know_are_refused(
    key: object, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined]
    assert why in refusal(VEN.pem, pem)
    monkeypatch.setattr("tests.seal.people.key_of", lambda name, kind: key)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        with pytest.raises(ValueError, match=why):
            Certificate(Person("weak").certificate.public_bytes(Encoding.DER))


def test_a_key_is_shown_to_nobody() -> None:
    key = VEN.signing()
    assert repr(key) == f"<SigningKey of {VEN.fingerprint}>"
    assert "PRIVATE" not in str(vars(key))
    with pytest.raises(TypeError, match="not to be pickled"):
        pickle.dumps(key)


def test_certificates_are_read_once_and_not_all_are_kept() -> None:
    cache = CertificateCache(most=2)
    first, second, third = (
        base64.b64encode(Person(name).certificate.public_bytes(Encoding.DER)).decode()
        for name in ("first", "second", "third")
    )
    one = cache.read(first)
    cache.read(second)
    assert cache.read(first) is one
    cache.read(third)
    assert cache.read(first) is one
    assert len(cache._known) == 2
    assert cache.read(f" {first[:20]}\n{first[20:]} ").fingerprint == one.fingerprint
    with pytest.raises(ValueError, match="no base64"):
        cache.read("*")

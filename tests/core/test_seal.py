"""Only a sealer opens documents, and a machine takes nothing else; and the fingerprints of certificates."""

import hashlib

import pytest

from oadr_core import Now, Opened, PlainSealer, Poll, SchemaError, encode, fingerprint, read
from oadr_core.seal.fingerprint import normalised
from tests.core.kit import NOON

NOW = Now(0.0, NOON)


def test_only_a_sealer_can_open_a_document() -> None:
    document = read(encode(Poll(ven_id="ven")))
    with pytest.raises(TypeError, match="only a sealer can open a document"):
        Opened(document, None, key=object())
    with pytest.raises(TypeError):
        Opened(document, None)


def test_what_a_sealer_opened_cannot_be_given_more() -> None:
    opened = PlainSealer().open(encode(Poll(ven_id="ven")), NOW)
    assert (opened.message, opened.signer) == (Poll(ven_id="ven"), None)
    with pytest.raises(AttributeError):
        opened.trusted = True


def test_the_plain_sealer_takes_what_it_made_and_refuses_what_cannot_be_read() -> None:
    sealer = PlainSealer()
    assert sealer.open(sealer.seal(Poll(ven_id="ven"), NOW), NOW).message == Poll(ven_id="ven")
    with pytest.raises(SchemaError):
        sealer.open(b"<poll/>", NOW)
    with pytest.raises(SchemaError):
        sealer.open(b"", NOW)


# --- fingerprints ----------------------------------------------------------------------------------------------------

DER = b"\x30\x03\x02\x01\x05"
"""Not a certificate, but the beginning of one: only the bytes count here."""

PEM = "-----BEGIN CERTIFICATE-----\nMAMC\nAQU=\n-----END CERTIFICATE-----\n"


def test_a_fingerprint_is_the_end_of_a_hash_in_pairs() -> None:
    digest = hashlib.sha256(DER).digest()[-10:]
    assert fingerprint(DER) == ":".join(f"{byte:02X}" for byte in digest)
    assert len(fingerprint(DER)) == 29


@pytest.mark.parametrize(
    "certificate", [PEM, PEM.encode(), f"Subject: somebody\n{PEM}", PEM + PEM.replace("AQU=", "AQY=")]
)
def test_the_form_of_a_certificate_does_not_matter_and_the_first_counts(certificate: str | bytes) -> None:
    assert fingerprint(certificate) == fingerprint(DER)


@pytest.mark.parametrize("certificate", ["", "no certificate", b"", b"\x00", PEM.replace("MAMC", "M*MC")])
def test_what_holds_no_certificate_has_no_fingerprint(certificate: str | bytes) -> None:
    with pytest.raises(ValueError, match="certificate"):
        fingerprint(certificate)


def test_a_fingerprint_that_a_person_typed_is_spelled_the_same_way() -> None:
    right = fingerprint(DER)
    for typed in (right, right.lower(), right.replace(":", ""), right.replace(":", " ")):
        assert normalised(typed) == right
    for wrong in ("", right[:-1], right + "00", right.replace(right[0], "G")):
        with pytest.raises(ValueError, match="is no fingerprint"):
            normalised(wrong)

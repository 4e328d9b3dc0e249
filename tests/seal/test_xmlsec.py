"""A second implementation of XMLDSig, xmlsec1, verifies our signatures, and we verify its."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from lxml import etree

from oadr_core import Accepted, Canonicalization, Payload, Trust, encode
from oadr_core.messages.namespaces import NAMESPACES
from tests.conftest import IN_CI
from tests.rules.samples import ANSWER, EVENTS, OFFERS
from tests.seal.kit import POLL, opened, signed, why_not
from tests.seal.people import Person, person

OADR: Final = NAMESPACES["oadr"]
DS: Final = NAMESPACES["ds"]

SAMPLES: Final[tuple[Payload, ...]] = (POLL, EVENTS, ANSWER, OFFERS)

_IDS: Final = ("--id-attr:Id", f"{OADR}:oadrSignedObject", "--id-attr:Id", f"{DS}:Object")


@pytest.fixture(scope="module")
def xmlsec1() -> str:
    """The program; skip, or in continuous integration fail, where it is missing."""
    found = shutil.which("xmlsec1")
    if found is None:
        reason = "xmlsec1 is not installed; it is the Debian package of that name"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def verdict(program: str, data: bytes, who: Person, folder: Path) -> bool:
    """Whether xmlsec1 finds a signature good, given the certificate of the signer."""
    (folder / "document.xml").write_bytes(data)
    (folder / "signer.pem").write_text(who.pem)
    command = [
        program,
        "--verify",
        "--pubkey-cert-pem",
        str(folder / "signer.pem"),
        *_IDS,
        str(folder / "document.xml"),
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.rule(514)
@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("prefixes", [True, False], ids=["prefixes", "no prefixes"])
@pytest.mark.parametrize("form", Canonicalization)
def test_it_verifies_ours(xmlsec1: str, tmp_path: Path, form: Canonicalization, prefixes: bool, kind: str) -> None:
    who = person("ven", kind)
    data = signed(who=who, canonicalization=form, prefixes=prefixes)
    assert verdict(xmlsec1, data, who, tmp_path)
    assert not verdict(xmlsec1, data.replace(b">ven<", b">Ven<"), who, tmp_path)
    assert not verdict(xmlsec1, data, person("vtn", kind), tmp_path)


@pytest.mark.parametrize("message", SAMPLES, ids=lambda one: one.message_type())
def test_it_verifies_every_kind_of_message(xmlsec1: str, tmp_path: Path, message: Payload) -> None:
    assert verdict(xmlsec1, signed(message), person("ven"), tmp_path)


def template(data: bytes, who: str, canonicalization: str, method: str, digest: str, *, transforms: bool) -> bytes:
    """A document with a signature that has yet to be computed, as xmlsec1 takes it."""
    transform = f'<s:Transforms><s:Transform Algorithm="{canonicalization}"/></s:Transforms>' if transforms else ""
    references = "".join(
        f'<s:Reference URI="#{name}">{transform}<s:DigestMethod Algorithm="{digest}"/><s:DigestValue/></s:Reference>'
        for name in ("theirs", "when")
    )
    signature = (
        f'<s:Signature xmlns:s="{DS}">\n<s:SignedInfo><s:CanonicalizationMethod Algorithm="{canonicalization}"/>'
        f'<s:SignatureMethod Algorithm="{method}"/>{references}</s:SignedInfo><s:SignatureValue/>'
        "<s:KeyInfo><s:X509Data><s:X509Certificate/></s:X509Data></s:KeyInfo>"
        '<s:Object Id="when"><s:SignatureProperties><s:SignatureProperty Target="#me">'
        '<ReplayProtect xmlns="http://openadr.org/oadr-2.0b/2012/07/xmldsig-properties">'
        f"<timestamp>2026-11-20T12:00:00Z</timestamp><nonce>{who}</nonce></ReplayProtect>"
        "</s:SignatureProperty></s:SignatureProperties></s:Object></s:Signature>\n"
    ).encode()
    named = data.replace(b"<oadr:oadrSignedObject>", b'<oadr:oadrSignedObject oadr:Id="theirs">')
    return named.replace(b"<oadr:oadrSignedObject", signature + b"<oadr:oadrSignedObject", 1)


def unprefixed(data: bytes) -> bytes:
    """The same with a default namespace for the root and what is of it, inherited from there."""
    text = data.replace(b"xmlns:oadr=", b'xmlns:q="%b" xmlns=' % OADR.encode())
    return re.sub(rb"(</?)oadr:", rb"\1", text).replace(b"oadr:Id", b"q:Id")


def signed_by_xmlsec(program: str, data: bytes, who: Person, folder: Path) -> bytes:
    """Have xmlsec1 compute a signature."""
    (folder / "template.xml").write_bytes(data)
    (folder / "key.pem").write_text(who.key_pem())
    (folder / "certificate.pem").write_text(who.pem)
    key = f"{folder / 'key.pem'},{folder / 'certificate.pem'}"
    command = [program, "--sign", "--privkey-pem", key, *_IDS, str(folder / "template.xml")]
    return subprocess.run(command, capture_output=True, check=True).stdout


SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
METHODS: Final = {
    "rsa": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "ec": "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
}


@pytest.mark.rule(514)
@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("shape", ["prefixes", "no prefixes"])
@pytest.mark.parametrize("transforms", [True, False])
@pytest.mark.parametrize("form", Canonicalization)
def test_we_verify_its(
    xmlsec1: str, tmp_path: Path, form: Canonicalization, transforms: bool, shape: str, kind: str
) -> None:
    who = person("their ven", kind)
    data = template(encode(POLL), "ven", form, METHODS[kind], SHA256, transforms=transforms)
    if shape == "no prefixes":
        data = unprefixed(data)
    made = signed_by_xmlsec(xmlsec1, data, who, tmp_path)
    accepted = Accepted(exclusive=form is Canonicalization.EXCLUSIVE)
    found = opened(made, trust=Trust(fingerprints=[who.fingerprint]), accepted=accepted)
    assert (found.message, found.signer) == (POLL, who.fingerprint)
    assert "not the one that was signed" in why_not(made.replace(b">ven</", b">Ven</", 1), accepted=accepted) or (
        why_not(made.replace(b">ven</", b">Ven</"), accepted=accepted)
    )


def test_we_verify_an_inherited_default_namespace_at_any_depth(xmlsec1: str, tmp_path: Path) -> None:
    """lxml alone gets this canonical form wrong, and so do verifiers that trust it."""
    for message in SAMPLES:
        data = unprefixed(
            template(encode(message), "n", Canonicalization.INCLUSIVE, METHODS["ec"], SHA256, transforms=True)
        )
        data = data.replace(b"<s:", b"<").replace(b"</s:", b"</").replace(b"xmlns:s=", b"xmlns=")
        made = signed_by_xmlsec(xmlsec1, data, person("their ven"), tmp_path)
        assert encode(opened(made).message) == encode(message)


@pytest.mark.decision(4)
def test_sha_1_has_a_switch(xmlsec1: str, tmp_path: Path) -> None:
    who = person("their ven", "rsa")
    form = Canonicalization.INCLUSIVE
    for method, digest in ((f"{DS}rsa-sha1", SHA256), (METHODS["rsa"], f"{DS}sha1"), (f"{DS}rsa-sha1", f"{DS}sha1")):
        data = template(encode(POLL), "n", form, method, digest, transforms=True)
        made = signed_by_xmlsec(xmlsec1, data, who, tmp_path)
        assert "which is not accepted here" in why_not(made)
        assert opened(made, accepted=Accepted(sha1=True)).message == POLL


@pytest.mark.decision(17, 40)
def test_the_forms_of_figure_23_have_a_switch(xmlsec1: str, tmp_path: Path) -> None:
    who = person("their ven")
    data = template(encode(POLL), "n", Canonicalization.INCLUSIVE, METHODS["ec"], SHA256, transforms=False)
    data = data.replace(b"oadr:Id=", b"Id=").replace(b' Target="#me"', b"").replace(b"12:00:00Z<", b"12:00:00<")
    data = data.replace(b"<s:X509Data><s:X509Certificate/></s:X509Data>", b"<s:KeyName>ven</s:KeyName>")
    made = signed_by_xmlsec(xmlsec1, data, who, tmp_path)
    switch = Accepted(figure_23=True)
    known = Trust(certificates=person("vtn").pem + who.pem)
    assert why_not(made, trust=known)
    assert opened(made, trust=known, accepted=switch, strict=False).signer == who.fingerprint
    # a key that is only named has to be known: anybody may write a name
    assert why_not(made, trust=Trust(), accepted=switch, strict=False)
    assert why_not(made, trust=Trust(fingerprints=[who.fingerprint]), accepted=switch, strict=False)
    assert why_not(made, trust=Trust(certificates=person("vtn").pem), accepted=switch, strict=False)


def enveloped(data: bytes, method: str) -> bytes:
    """The template of a signature as avob makes it: over the whole document, and last in it."""
    made = template(data, "n", Canonicalization.INCLUSIVE, method, SHA256, transforms=False)
    tree = etree.fromstring(made)
    signature, signed_object = tree
    tree.append(signature)
    del signed_object.attrib[f"{{{OADR}}}Id"]
    text = etree.tostring(tree)
    transforms = f'<s:Transforms><s:Transform Algorithm="{DS}enveloped-signature"/></s:Transforms>'.encode()
    text = text.replace(b'<s:Reference URI="#theirs">', b'<s:Reference URI="">' + transforms)
    key = b"<s:KeyValue/>"
    return text.replace(b"<s:X509Data><s:X509Certificate/></s:X509Data>", key).replace(
        b"\n</oadr:oadrPayload>", b"\n\n</oadr:oadrPayload>"
    )


def test_a_signature_over_the_whole_document_has_a_switch(xmlsec1: str, tmp_path: Path) -> None:
    who = person("their ven", "rsa")
    made = signed_by_xmlsec(xmlsec1, enveloped(encode(POLL), METHODS["rsa"]), who, tmp_path)
    known, switch = Trust(certificates=who.pem), Accepted(enveloped=True)
    assert why_not(made, trust=known)
    assert opened(made, trust=known, accepted=switch).message == POLL
    assert why_not(made, trust=Trust(), accepted=switch)
    assert why_not(made, trust=Trust(certificates=person("vtn", "rsa").pem), accepted=switch)
    assert "not the one" in why_not(made.replace(b">ven<", b">Ven<"), trust=known, accepted=switch)
    assert why_not(made.replace(b"</oadr:oadrPayload>", b"<x/></oadr:oadrPayload>"), trust=known, accepted=switch)

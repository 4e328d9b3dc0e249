"""Attacks on signed documents: whatever is moved, added or changed, only what was signed is heard, or nothing."""

import base64
import contextlib
import copy
import re
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from oadr_core import Accepted, CreatedEvent, EiResponse, Payload, Poll, RemoteProtocolError, Trust, encode
from oadr_core.seal.shape import shape_of
from tests.seal.kit import NAMES, NOW, POLL, VEN, VTN, Tree, opened, sealer, signed, why_not

FORGED: Final = Poll(ven_id="victim")

OADR: Final = f"{{{NAMES['oadr']}}}"
DS: Final = f"{{{NAMES['ds']}}}"

Change = Callable[[Tree], None]


def forged_object() -> etree._Element:
    """What an attacker would have heard."""
    return etree.fromstring(encode(FORGED))[0]


def put_beside(tree: Tree) -> None:
    """The forged message stands in the usual place, the signed one in another."""
    tree.find("oadr:oadrSignedObject").addprevious(forged_object())


def put_behind(tree: Tree) -> None:
    """The forged message stands behind the signed one."""
    tree.root.append(forged_object())


def hide_in_object(tree: Tree) -> None:
    """The signed message moves into an Object of the signature, and a forged one takes its place."""
    hidden = etree.SubElement(tree.find("ds:Signature"), f"{DS}Object")
    hidden.append(tree.find("oadr:oadrSignedObject"))
    tree.root.append(forged_object())


def hide_in_properties(tree: Tree) -> None:
    """The signed message moves to where only extensions are."""
    tree.find(".//ds:KeyInfo").append(tree.find("oadr:oadrSignedObject"))
    tree.root.append(forged_object())


def hide_with_its_id(tree: Tree) -> None:
    """The forged message has the Id of the signed one, which is hidden."""
    hidden = etree.SubElement(tree.find("ds:Signature"), f"{DS}Object")
    hidden.append(tree.find("oadr:oadrSignedObject"))
    forged = forged_object()
    forged.set(f"{OADR}Id", "signedObject")
    tree.root.append(forged)


def wrap_payload(tree: Tree) -> None:
    """The whole signed document stands within another."""
    inner = copy.deepcopy(tree.root)
    for child in list(tree.root):
        tree.root.remove(child)
    tree.root.append(forged_object())
    tree.root[0].append(inner)


def swap_message(tree: Tree) -> None:
    """Another message under the same signature."""
    tree.find("oadr:oadrSignedObject")[:] = list(forged_object())


def add_message(tree: Tree) -> None:
    """A second message beside the signed one."""
    tree.find("oadr:oadrSignedObject").append(forged_object()[0])


def put_time_in_front(tree: Tree) -> None:
    """A fresh time and nonce stand before the signed ones."""
    holder = copy.deepcopy(tree.find(".//ds:Object"))
    holder.set("Id", "other")
    tree.find("ds:Signature/ds:SignedInfo").addprevious(holder)


def put_time_in_message(tree: Tree) -> None:
    """A fresh time and nonce stand in the document before the signature."""
    tree.root.insert(0, copy.deepcopy(tree.find(".//dsp:ReplayProtect")))


def double_time(tree: Tree) -> None:
    """Two times in the signed place."""
    one = tree.find(".//dsp:ReplayProtect")
    one.addprevious(copy.deepcopy(one))


def change_time(tree: Tree) -> None:
    """The time is put forward."""
    tree.find(".//dsp:timestamp").text = "2026-11-20T12:00:30Z"


def change_nonce(tree: Tree) -> None:
    """The nonce is another."""
    tree.find(".//dsp:nonce").text = "new"


def drop_protection(tree: Tree) -> None:
    """No reference to the time and the nonce."""
    info = tree.find(".//ds:SignedInfo")
    info.remove(info[-1])


def refer_twice(tree: Tree) -> None:
    """Both references go to the message."""
    for one in tree.all(".//ds:Reference"):
        one.set("URI", "#signedObject")


def refer_outside(tree: Tree) -> None:
    """A reference goes to a file."""
    tree.find(".//ds:Reference").set("URI", "file:///etc/passwd")


def refer_to_all(tree: Tree) -> None:
    """A reference goes to the whole document."""
    tree.find(".//ds:Reference").set("URI", "")


def refer_by_pointer(tree: Tree) -> None:
    """A reference goes to whatever an expression finds."""
    tree.find(".//ds:Reference").set("URI", "#xpointer(id('signedObject'))")


def third_reference(tree: Tree) -> None:
    """A third reference."""
    one = tree.find(".//ds:Reference")
    one.addnext(copy.deepcopy(one))


def transform(algorithm: str, keep: bool = True) -> Change:
    """Another transform, beside the usual or instead of it."""

    def change(tree: Tree) -> None:
        transforms = tree.find(".//ds:Transforms")
        if not keep:
            del transforms[:]
        etree.SubElement(transforms, f"{DS}Transform").set("Algorithm", algorithm)

    change.__doc__ = f"transform {algorithm} {keep}"
    return change


def algorithm(path: str, value: str) -> Change:
    """Another algorithm."""

    def change(tree: Tree) -> None:
        tree.find(f".//ds:{path}").set("Algorithm", value)

    change.__doc__ = f"{path} {value}"
    return change


def parameter(tree: Tree) -> None:
    """A shorter signature is to be enough."""
    etree.SubElement(tree.find(".//ds:SignatureMethod"), f"{DS}HMACOutputLength").text = "8"


def prefix_list(tree: Tree) -> None:
    """A parameter of a canonicalization."""
    etree.SubElement(tree.find(".//ds:CanonicalizationMethod"), "InclusiveNamespaces").set("PrefixList", "oadr")


def no_certificate(tree: Tree) -> None:
    """The key is only named."""
    info = tree.find(".//ds:KeyInfo")
    info.remove(info[0])
    etree.SubElement(info, f"{DS}KeyName").text = "ven"


def another_certificate(tree: Tree) -> None:
    """The certificate of somebody else."""
    other = Tree(signed(who=VTN))
    tree.find(".//ds:X509Certificate").text = other.find(".//ds:X509Certificate").text


def broken_certificate(tree: Tree) -> None:
    """No certificate at all."""
    tree.find(".//ds:X509Certificate").text = "MAMCAQU="


def many_certificates(tree: Tree) -> None:
    """So many that reading them would take long."""
    one = tree.find(".//ds:X509Certificate")
    for _ in range(100):
        one.addnext(copy.deepcopy(one))


def no_base64(tree: Tree) -> None:
    """A signature that is no base64."""
    tree.find(".//ds:SignatureValue").text = "*"


def short_value(tree: Tree) -> None:
    """A signature of another length."""
    tree.find(".//ds:SignatureValue").text = "AAAA"


def zero_value(tree: Tree) -> None:
    """An ECDSA signature of zeros."""
    tree.find(".//ds:SignatureValue").text = "A" * 86 + "=="


def second_id(tree: Tree) -> None:
    """Another element has the Id that is signed."""
    tree.find(".//ds:KeyInfo").set("Id", "signedObject")


def second_id_of_xml(tree: Tree) -> None:
    """Another element has the Id that is signed, as xml:id."""
    tree.find(".//ds:SignatureValue").set(f"{{{NAMES['xml']}}}id", "prop")


def move_id(tree: Tree) -> None:
    """The Id goes from the message to another element."""
    del tree.find("oadr:oadrSignedObject").attrib[f"{OADR}Id"]
    tree.find(".//ds:KeyInfo").set("Id", "signedObject")


def signature_behind(tree: Tree) -> None:
    """The signature stands behind the message."""
    tree.root.append(tree.find("ds:Signature"))


def two_signatures(tree: Tree) -> None:
    """A second signature."""
    tree.root.insert(0, copy.deepcopy(tree.find("ds:Signature")))


def signature_within(tree: Tree) -> None:
    """The signature goes into the message, so that the document looks unsigned."""
    tree.find("oadr:oadrSignedObject").append(tree.find("ds:Signature"))


def strip(tree: Tree) -> None:
    """No signature any more."""
    tree.root.remove(tree.find("ds:Signature"))


def language(tree: Tree) -> None:
    """An attribute that the canonical form of what is within has to take over."""
    tree.root.set(f"{{{NAMES['xml']}}}lang", "en")


ATTACKS: Final = [
    *(put_beside, put_behind, hide_in_object, hide_in_properties, hide_with_its_id, wrap_payload, swap_message),
    *(add_message, put_time_in_front, put_time_in_message, double_time, change_time, change_nonce, drop_protection),
    *(refer_twice, refer_outside, refer_to_all, refer_by_pointer, third_reference, parameter, prefix_list),
    *(no_certificate, another_certificate, broken_certificate, many_certificates, no_base64, short_value, zero_value),
    *(second_id, second_id_of_xml, move_id, signature_behind, two_signatures, signature_within, strip, language),
    transform("http://www.w3.org/TR/1999/REC-xslt-19991116"),
    transform("http://www.w3.org/TR/1999/REC-xpath-19991116", keep=False),
    transform("http://www.w3.org/2000/09/xmldsig#base64", keep=False),
    transform("http://www.w3.org/2000/09/xmldsig#enveloped-signature"),
    transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
    transform("", keep=False),
    algorithm("SignatureMethod", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
    algorithm("SignatureMethod", "http://www.w3.org/2000/09/xmldsig#dsa-sha1"),
    algorithm("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"),
    algorithm("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"),
    algorithm("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"),
    algorithm("SignatureMethod", ""),
    algorithm("DigestMethod", "http://www.w3.org/2000/09/xmldsig#sha1"),
    algorithm("DigestMethod", "http://www.w3.org/2001/04/xmldsig-more#md5"),
    algorithm("CanonicalizationMethod", "http://www.w3.org/2001/10/xml-exc-c14n#"),
    algorithm("CanonicalizationMethod", "http://www.w3.org/2006/12/xml-c14n11"),
]


@pytest.mark.rule(514)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__doc__)
@pytest.mark.parametrize("strict", [True, False])
def test_a_document_that_was_tampered_with_is_not_heard(attack: Change, strict: bool) -> None:
    tree = Tree(signed())
    attack(tree)
    assert why_not(tree.data, strict=strict)


EVERYTHING: Final = Accepted(sha1=True, exclusive=True, enveloped=True, figure_23=True)


@pytest.mark.parametrize("attack", [one for one in ATTACKS if one is not signature_behind], ids=lambda one: one.__doc__)
def test_nor_is_it_where_every_switch_is_on(attack: Change) -> None:
    tree = Tree(signed())
    attack(tree)
    assert why_not(tree.data, strict=False, accepted=EVERYTHING)


@pytest.mark.parametrize("attack", [put_beside, hide_in_object, hide_with_its_id, strip, signature_within])
def test_where_only_some_sign_what_is_wrapped_is_heard_as_unsigned_at_most(attack: Change) -> None:
    """Who receives it knows which of its peers sign; see the tests of the VTN."""
    tree = Tree(signed())
    attack(tree)
    with contextlib.suppress(RemoteProtocolError):
        assert opened(tree.data, required=False, strict=False).signer is None


DOCUMENT: Final = signed(CreatedEvent(response=EiResponse(), ven_id="ven"))


@given(st.data())
def test_whatever_is_moved_removed_or_doubled_nothing_is_heard_but_what_was_signed(data: st.DataObject) -> None:
    tree = Tree(DOCUMENT)
    for _ in range(data.draw(st.integers(1, 3))):
        elements = list(tree.root.iter())
        source = data.draw(st.sampled_from(elements))
        target = data.draw(st.sampled_from(elements))
        how = data.draw(st.sampled_from(["move", "copy", "remove", "text", "attribute"]))
        if how == "remove" and source is not tree.root:
            source.getparent().remove(source)
        elif how in ("move", "copy"):
            target.insert(data.draw(st.integers(0, 3)), copy.deepcopy(source))
            if how == "move" and source is not tree.root and source.getparent() is not None:
                source.getparent().remove(source)
        elif how == "text":
            source.text = data.draw(st.text("ab0=", max_size=4))
        else:
            source.set(data.draw(st.sampled_from(["Id", "URI", "Algorithm", f"{OADR}Id"])), "prop")
    heard: Payload | None = None
    try:
        heard = sealer(strict=False, accepted=EVERYTHING).open(tree.data, NOW).message
    except RemoteProtocolError:
        return
    assert heard == CreatedEvent(response=EiResponse(), ven_id="ven")


@given(st.integers(0, len(DOCUMENT) - 1), st.integers(1, 255))
def test_a_changed_octet_changes_nothing_that_is_heard(place: int, by: int) -> None:
    changed = bytearray(DOCUMENT)
    changed[place] ^= by
    try:
        found = opened(bytes(changed), strict=False, trust=Trust(fingerprints=[VEN.fingerprint]))
    except RemoteProtocolError:
        return
    assert found.signer == VEN.fingerprint
    assert found.message == CreatedEvent(response=EiResponse(), ven_id="ven")


# --- what changes nothing ---------------------------------------------------------------------------------------------


def test_comments_and_instructions_are_no_part_of_what_is_signed() -> None:
    """A comment splits no text for us that is whole for another, and an instruction tells us nothing."""
    data = signed()
    assert opened(data.replace(b">ven<", b">v<!-- x -->en<")).message == POLL
    assert opened(data.replace(b">ven<", b"><![CDATA[ven]]><")).message == POLL
    assert opened(data.replace(b">ven<", b"><?x y?>ven<")).message == POLL
    assert opened(data.replace(b">ven<", b">&#118;en<")).message == POLL
    assert why_not(data.replace(b">ven<", b"><![CDATA[<b>]]>ven<"))


def test_layout_that_is_not_signed_may_change() -> None:
    data = (
        signed()
        .replace(b"<ds:KeyInfo>", b"\r\n\t<ds:KeyInfo>\n ")
        .replace(b"</oadr:oadrPayload>", b"\n</oadr:oadrPayload>")
    )
    assert opened(data).message == POLL
    value = Tree(data).find(".//ds:SignatureValue").text or ""
    lines = "\r\n".join(value[index : index + 20] for index in range(0, len(value), 20))
    assert opened(data.replace(value.encode(), lines.encode())).message == POLL


def swapped(info: bytes) -> bytes:
    """Swap the references of a SignedInfo."""
    first, second = (found[0] for found in re.finditer(rb"<ds:Reference .*?</ds:Reference>", info))
    return info.replace(first, b"*").replace(second, first).replace(b"*", second)


def test_the_order_of_the_references_does_not_matter() -> None:
    key = VEN.signing()
    document = signed()
    found = re.search(rb"<ds:SignedInfo.*</ds:SignedInfo>", document)
    value = re.search(rb"(?<=<ds:SignatureValue>)[^<]*", document)
    assert found is not None
    assert value is not None
    other = swapped(found[0])
    assert other != found[0]
    changed = document.replace(found[0], other)
    assert why_not(changed)
    assert opened(changed.replace(value[0], base64.b64encode(key.sign(other)))).message == POLL


def test_the_shape_is_found_before_anything_is_computed() -> None:
    shape = shape_of(etree.fromstring(signed()), Accepted())
    assert (shape.covering.uri, shape.protecting.uri) == ("#signedObject", "#prop")
    assert shape.covered.tag == f"{OADR}oadrSignedObject"
    assert len(shape.certificates) == 1

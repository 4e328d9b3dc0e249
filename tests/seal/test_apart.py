"""Taking signed documents apart: to cut out what is signed gives what parsing the whole would give, and no more."""

import base64
import hashlib
import re
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import Accepted, Canonicalization, CreatedEvent, EiResponse, RemoteProtocolError
from oadr_core.seal import apart
from oadr_core.seal.apart import take_apart
from oadr_core.wire.parse import LIMITS
from tests.seal.kit import VEN, Tree, opened, signed
from tests.seal.test_shape import ATTACKS, EVERYTHING, Change

MESSAGE: Final = CreatedEvent(response=EiResponse(), ven_id="ven")
DOCUMENT: Final = signed(MESSAGE)


def is_cut(data: bytes) -> bool:
    """Whether what is signed is cut out of a document."""
    found = take_apart(data, Accepted(exclusive=True), LIMITS)
    assert found is not None
    return found.covered is not None


def verdict(data: bytes, accepted: Accepted) -> str:
    """What is read of a document, or why nothing is."""
    try:
        document = opened(data, strict=False, accepted=accepted).document
    except RemoteProtocolError as error:
        return f"{type(error).__name__}: {error}"
    return repr((document.message, document.valid, document.forgiven, document.signed, document.schema_location))


def same_without_cutting(data: bytes, accepted: Accepted) -> str:
    """The verdict on a document, which is the same where all of it is parsed."""
    found = verdict(data, accepted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apart, "_cut", lambda data, accepted, limits: None)
        assert verdict(data, accepted) == found
    return found


@pytest.mark.parametrize("form", Canonicalization)
@pytest.mark.parametrize("prefixes", [True, False])
def test_what_is_signed_is_cut_out_of_documents_of_ours(form: Canonicalization, prefixes: bool) -> None:
    assert is_cut(signed(MESSAGE, canonicalization=form, prefixes=prefixes))


def test_what_is_left_holds_nothing_of_the_message() -> None:
    found = take_apart(DOCUMENT, Accepted(), LIMITS)
    assert found is not None
    assert found.covered is not None
    assert len(found.root[1]) == 0
    assert found.root[1].attrib == found.covered[0].attrib


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (rb">ven<", b">&#118;en<"),
        (rb">ven<", b"><!-- oadrSignedObject -->ven<"),
        (rb' oadr:Id="', b'  oadr:Id="'),
        (rb'oadr:Id="(\w+)"', rb"oadr:Id='\1'"),
        (rb"<ds:KeyInfo>", b"<ds:KeyInfo><!-- <oadr:oadrSignedObject/> -->"),
    ],
)
def test_a_document_in_another_form_is_parsed_as_a_whole(old: bytes, new: bytes) -> None:
    """The canonical form is the same, so the signature holds."""
    changed, count = re.subn(old, new, DOCUMENT, count=1)
    assert count == 1
    assert not is_cut(changed)
    assert repr(MESSAGE) in same_without_cutting(changed, Accepted())


def test_comments_around_what_is_signed_hide_nothing() -> None:
    """What looks as if it stood there stands in a comment, or what stands there looks like a comment."""
    begin, end = DOCUMENT.find(b"<oadr:oadrSignedObject"), DOCUMENT.find(b"</oadr:oadrPayload>")
    part = DOCUMENT[begin:end]
    forged = re.sub(rb"<ei:venID>.*?<", b"<ei:venID>victim<", part)
    assert forged != part
    for inside in (
        b"<!--%b-->%b" % (part, forged),
        b"<!--%b-->%b" % (forged, part),
        b"<!--%b-->" % part,
        b"<![CDATA[%b]]>%b" % (part, forged),
        b"<?x %b?>%b" % (part, forged),
        b"%b%b" % (part, forged),
        b"%b%b" % (forged, part),
        b"<oadr:x>%b</oadr:x>%b" % (part, forged),
    ):
        found = same_without_cutting(DOCUMENT[:begin] + inside + DOCUMENT[end:], EVERYTHING)
        assert "victim" not in found
        assert found.startswith("SealError") or repr(MESSAGE) in found


def test_an_id_within_the_message_that_is_referred_to_is_found() -> None:
    """What its signer has signed so is refused as well, with the text that others get for it."""
    begin, end = DOCUMENT.find(b"<oadr:oadrCreatedEvent"), DOCUMENT.find(b"</oadr:oadrSignedObject>")
    changed = DOCUMENT[:begin] + b'<oadr:x Id="prop"></oadr:x>' + DOCUMENT[end:]
    assert "several elements have the Id prop" in same_without_cutting(resigned(changed), EVERYTHING)


def resigned(data: bytes) -> bytes:
    """The document with the signature that its signer would make of it as it stands."""
    covered = re.search(rb"<oadr:oadrSignedObject.*</oadr:oadrSignedObject>", data)
    assert covered is not None
    digest = base64.b64encode(hashlib.sha256(covered[0]).digest())
    data = re.sub(rb"(?<=<ds:DigestValue>)[^<]*", lambda _: digest, data, count=1)
    info = re.search(rb"<ds:SignedInfo.*</ds:SignedInfo>", data)
    assert info is not None
    value = base64.b64encode(VEN.signing().sign(info[0]))
    return re.sub(rb"(?<=<ds:SignatureValue>)[^<]*", lambda _: value, data)


@pytest.mark.rule(514)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__doc__)
def test_what_is_wrong_is_told_as_if_the_whole_were_parsed(attack: Change) -> None:
    tree = Tree(DOCUMENT)
    attack(tree)
    same_without_cutting(tree.data, Accepted())


@pytest.mark.rule(514)
@given(st.integers(0, len(DOCUMENT) - 1), st.integers(1, 255))
def test_a_changed_octet_changes_nothing_of_that(place: int, by: int) -> None:
    changed = bytearray(DOCUMENT)
    changed[place] ^= by
    same_without_cutting(bytes(changed), EVERYTHING)


@pytest.mark.rule(514)
@given(st.data())
def test_nor_do_octets_that_are_moved_doubled_or_left_out(data: st.DataObject) -> None:
    """Cut at tags, so that it often stays well-formed."""
    tags = [found.start() for found in re.finditer(rb"<", DOCUMENT)]
    first, second, third = (data.draw(st.sampled_from(tags)) for _ in range(3))
    piece = DOCUMENT[min(first, second) : max(first, second)]
    rest = DOCUMENT.replace(piece, b"", 1) if data.draw(st.booleans()) else DOCUMENT
    same_without_cutting(rest[:third] + piece + rest[third:], EVERYTHING)

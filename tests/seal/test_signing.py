"""What is signed can be opened by those who believe the signer, and looks as section 10.6.3 of the profile asks."""

import base64
import hashlib
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from lxml import etree

from oadr_app.authority import Authority, Kind, Side, pem
from oadr_core import (
    Accepted,
    Canonicalization,
    LocalProtocolError,
    Now,
    Payload,
    PlainSealer,
    Poll,
    ProfileName,
    SchemaError,
    SealError,
    SigningKey,
    SigningSealer,
    Trust,
    encode,
)
from oadr_core.testing.strategies import payloads
from oadr_core.wire.canonical import canonical, canonical_part
from oadr_core.wire.envelope import encode_part
from tests.core.kit import NOON
from tests.seal.kit import NAMES, NOW, POLL, VEN, Tree, opened, sealer, signed, why_not
from tests.seal.people import Person, person

QUALIFIED = f"{{{NAMES['oadr']}}}Id"
FORMS = [(form, prefixes) for form in Canonicalization for prefixes in (True, False)]


@given(payloads())
def test_any_message_comes_back_as_it_was_with_its_signer(message: Payload) -> None:
    one = sealer()
    found = one.open(one.seal(message, NOW), NOW)
    assert (found.message, found.signer, found.signed_at) == (message, VEN.fingerprint, NOON)
    assert found.document.signed
    assert found.document.valid


@pytest.mark.parametrize(("form", "prefixes"), FORMS)
@settings(max_examples=25)
@given(payloads())
def test_it_does_so_in_every_form(form: Canonicalization, prefixes: bool, message: Payload) -> None:
    one = sealer(canonicalization=form, prefixes=prefixes)
    assert one.open(one.seal(message, NOW), NOW).message == message


@given(payloads())
def test_what_is_signed_is_in_its_canonical_form(message: Payload) -> None:
    """Also where that was not computed, as it was written so."""
    part = encode_part(message, "signedObject")
    assert canonical_part(part) == etree.tostring(etree.fromstring(part), method="c14n")


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize(("form", "prefixes"), FORMS)
def test_a_signed_document_pleases_the_official_schema(
    kind: str, form: Canonicalization, prefixes: bool, official_schema: etree.XMLSchema
) -> None:
    data = signed(who=person("ven", kind), canonicalization=form, prefixes=prefixes)
    assert official_schema.validate(etree.fromstring(data)), official_schema.error_log.last_error


@pytest.mark.rule(514)
@pytest.mark.parametrize(("kind", "method"), [("rsa", "rsa-sha256"), ("ec", "ecdsa-sha256")])
def test_a_signature_has_the_parts_that_the_profile_asks_for(kind: str, method: str) -> None:
    who = person("ven", kind)
    tree = Tree(signed(who=who))
    assert [child.tag.rpartition("}")[2] for child in tree.root] == ["Signature", "oadrSignedObject"]
    algorithms = {element.get("Algorithm") for element in tree.root.iter() if element.get("Algorithm")}
    assert algorithms == {
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        f"http://www.w3.org/2001/04/xmldsig-more#{method}",
        "http://www.w3.org/2001/04/xmlenc#sha256",
    }
    assert tree.find(".//ds:X509Certificate").text in who.pem.replace("\n", "")
    assert tree.find(".//dsp:timestamp").text == "2026-11-20T12:00:00Z"
    assert len(tree.find(".//dsp:nonce").text or "") == 32
    for reference in tree.all(".//ds:Reference"):
        ids = {f"#{one.get('Id') or one.get(QUALIFIED)}": one for one in tree.root.iter()}
        covered = ids[reference.get("URI") or ""]
        digest = base64.b64encode(hashlib.sha256(canonical(covered)).digest()).decode()
        assert reference.findtext("ds:DigestValue", namespaces=NAMES) == digest
    target = tree.find(".//ds:SignatureProperty").get("Target")
    assert target == f"#{tree.find('ds:Signature').get('Id')}"


@pytest.mark.rule(514)
def test_each_sending_has_its_own_time_and_nonce() -> None:
    one = sealer()
    found = [Tree(one.seal(POLL, now)) for now in (NOW, NOW, Now(9.0, NOON + timedelta(seconds=9)))]
    assert [tree.find(".//dsp:timestamp").text for tree in found] == [
        *(["2026-11-20T12:00:00Z"] * 2),
        "2026-11-20T12:00:09Z",
    ]
    assert len({tree.find(".//dsp:nonce").text for tree in found}) == 3


def test_chance_comes_from_the_entropy_alone() -> None:
    """RSA signatures hold no chance of their own, so the same entropy makes the same document."""
    key = person("ven", "rsa").signing()
    first, second = (SigningSealer(random.Random(1), key=key).seal(POLL, NOW) for _ in range(2))
    assert first == second


def test_what_cannot_be_sent_is_told_as_without_signatures() -> None:
    with pytest.raises(LocalProtocolError, match="ven_id"):
        sealer().seal(Poll(ven_id="\0"), NOW)


def test_a_list_for_many_is_prepared_once_and_signed_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    from oadr_core import DistributeEvent, EiResponse
    from oadr_core.seal import making

    message = DistributeEvent(response=EiResponse(), request_id="1", vtn_id="Grid")
    one, seen = sealer(), []
    write = making.encode_part
    monkeypatch.setattr(making, "encode_part", lambda *given: (seen.append(given), write(*given))[1])
    documents = {one.seal(message, NOW) for _ in range(5)}
    assert (len(documents), len(seen)) == (5, 1)
    assert all(one.open(data, NOW).message == message for data in documents)


# --- who is believed -------------------------------------------------------------------------------------------------

CA = Person("authority", is_authority=True)
BELOW = Person("authority below", issuer=CA, is_authority=True)
CARD = Person("ven with a card", issuer=CA)
DEEP = Person("ven deep below", issuer=BELOW)
HOST = Person("grid", issuer=CA, hosts=("vtn.example", "*.grid.example"))
OTHER_CA = Person("authority", is_authority=True)


@pytest.mark.rule(514)
def test_only_a_signer_that_is_believed_is_heard() -> None:
    data = signed()
    assert why_not(data, trust=Trust(fingerprints=[VEN.fingerprint])) == ""
    assert why_not(data, trust=Trust(fingerprints=[VEN.fingerprint.lower().replace(":", "")])) == ""
    assert why_not(data, trust=Trust(certificates=person("vtn").pem + VEN.pem)) == ""
    assert "which is not expected" in why_not(data, trust=Trust(fingerprints=[person("vtn").fingerprint]))
    assert "which is not expected" in why_not(data, trust=Trust(fingerprints=[]))
    assert "which is not known" in why_not(data, trust=Trust(certificates=person("vtn").pem))


@pytest.mark.rule(68, 514)
def test_an_authority_vouches_for_those_it_has_issued() -> None:
    trust = Trust(authorities=CA.pem)
    for _ in range(2):  # the second time it is remembered
        assert why_not(signed(who=CARD), trust=trust) == ""
    assert "no authority" in why_not(signed(who=VEN), trust=trust)
    imposter = Person("ven with a card", issuer=Person("authority", "rsa", is_authority=True))
    assert "no authority" in why_not(signed(who=imposter), trust=trust)
    assert "no authority" in why_not(signed(who=Person("ven below a ven", issuer=CARD)), trust=trust)


def test_authorities_between_are_sent_along() -> None:
    one = SigningSealer(random.SystemRandom(), key=DEEP.signing(BELOW))
    assert why_not(one.seal(POLL, NOW), trust=Trust(authorities=CA.pem)) == ""
    assert "no authority" in why_not(signed(who=DEEP), trust=Trust(authorities=CA.pem))


@pytest.mark.rule(68)
@pytest.mark.parametrize("kind", list(Kind))
def test_certificates_shaped_like_the_real_ones_are_believed(kind: Kind) -> None:
    """Those of VENs list no names; what is trusted may be the root, or the authority below it."""
    authority = Authority.made(kind)
    ven, vtn, now = authority.ven(), authority.vtn(["vtn.example", "127.0.0.1"]), Now(0.0, datetime.now(UTC))
    for trusted in (authority.root, authority.issuers[Side.VEN]):
        data = SigningSealer(random.SystemRandom(), key=SigningKey(ven.pem, ven.key_pem())).seal(POLL, now)
        assert why_not(data, now, trust=Trust(authorities=pem(trusted.certificate))) == ""
    data = SigningSealer(random.SystemRandom(), key=SigningKey(vtn.pem, vtn.key_pem())).seal(POLL, now)
    for host in ("vtn.example", "127.0.0.1"):
        assert why_not(data, now, trust=Trust(authorities=pem(authority.root.certificate), host=host)) == ""
    other = Trust(authorities=pem(Authority.made(kind).root.certificate))
    assert "no authority" in why_not(data, now, trust=other)


def test_below_an_authority_the_certificate_has_to_be_for_the_host() -> None:
    for host in ("vtn.example", "VTN.example", "north.grid.example"):
        assert why_not(signed(who=HOST), trust=Trust(authorities=CA.pem, host=host)) == ""
    for host in ("vtn.example.org", "example", "grid.example", "a.b.grid.example"):
        assert f"not for {host}" in why_not(signed(who=HOST), trust=Trust(authorities=CA.pem, host=host))
    assert "not for vtn.example" in why_not(signed(who=CARD), trust=Trust(authorities=CA.pem, host="vtn.example"))
    by_name = Person("vtn.example", issuer=CA)
    assert why_not(signed(who=by_name), trust=Trust(authorities=CA.pem, host="vtn.example")) == ""


@pytest.mark.rule(516)
@pytest.mark.parametrize("known", ["anybody", "fingerprint", "certificate", "authority"])
def test_a_certificate_that_is_not_valid_at_the_time_is_refused(known: str) -> None:
    late = Person("late", issuer=CA, begin=NOON - timedelta(days=500), end=NOON - timedelta(seconds=1))
    early = Person("early", issuer=CA, begin=NOON + timedelta(seconds=1))
    for who, why in ((late, "has expired"), (early, "not valid before")):
        trust = {
            "anybody": Trust(),
            "fingerprint": Trust(fingerprints=[who.fingerprint]),
            "certificate": Trust(certificates=who.pem),
            "authority": Trust(authorities=CA.pem),
        }[known]
        assert why in why_not(signed(who=who), trust=trust)


@pytest.mark.rule(516)
def test_an_authority_that_has_expired_vouches_for_nobody() -> None:
    old = Person("old authority", is_authority=True, end=NOON + timedelta(days=1))
    card = Person("card", issuer=old)
    trust = Trust(authorities=old.pem)
    assert why_not(signed(who=card), trust=trust) == ""
    later = Now(0.0, NOON + timedelta(days=2))
    assert "no authority" in why_not(signed(who=card, now=later), later, trust=trust)


@pytest.mark.parametrize("what", [{"fingerprints": ["AB"]}, {"certificates": "none"}, {"authorities": b""}])
def test_whom_to_believe_has_to_be_said_well(what: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError):
        Trust(**what)  # type: ignore[arg-type]


# --- with and without -------------------------------------------------------------------------------------------------


@pytest.mark.rule(514)
def test_what_is_not_signed_is_ignored_where_signatures_are_in_use() -> None:
    assert "is not signed" in why_not(encode(POLL))
    with pytest.raises(SealError):
        sealer().open(encode(Poll(ven_id="ven"), profile=ProfileName.V20B), NOW)


def test_where_only_some_sign_it_is_opened_without_a_signer() -> None:
    found = opened(encode(POLL), required=False)
    assert (found.message, found.signer, found.signed_at) == (POLL, None, None)
    assert opened(signed(), required=False).signer == VEN.fingerprint
    assert "changed since" in why_not(
        signed().replace(b"ds:SignatureValue>", b"ds:SignatureValue>AAAA", 1), required=False
    )


def test_a_document_of_2_0a_is_no_way_around() -> None:
    from oadr_core import RequestEvent

    data = encode(RequestEvent(request_id="1", ven_id="ven"), profile=ProfileName.V20A)
    assert "is not signed" in why_not(data)


def test_one_may_sign_without_looking_and_look_without_signing() -> None:
    signs = SigningSealer(random.SystemRandom(), key=VEN.signing())
    looks = SigningSealer(random.SystemRandom(), trust=Trust(fingerprints=[VEN.fingerprint]))
    assert (signs.signs, signs.requires, looks.signs, looks.requires) == (True, False, False, True)
    assert signs.open(looks.seal(POLL, NOW), NOW).message == POLL
    assert looks.open(signs.seal(POLL, NOW), NOW).signer == VEN.fingerprint
    assert looks.seal(POLL, NOW) == encode(POLL)
    assert not sealer(required=False).requires
    with pytest.raises(LocalProtocolError, match="needs a key"):
        SigningSealer(random.SystemRandom())


def test_where_only_some_sign_the_others_get_no_signatures() -> None:
    some, all_ = sealer(required=False), sealer()
    assert some.towards(VEN.fingerprint) is some
    assert not some.towards(None).signs
    assert all_.towards(None) is all_
    unseeing = SigningSealer(random.SystemRandom(), key=VEN.signing())
    assert unseeing.towards(None) is unseeing


def test_2_0a_has_no_signatures() -> None:
    one = sealer()
    assert one.speaking(ProfileName.V20B) is one
    assert not one.speaking(ProfileName.V20A).signs
    plain = PlainSealer()
    assert (plain.signs, plain.requires, plain.towards(None)) == (False, False, plain)


def test_a_signed_document_may_be_lenient_within() -> None:
    tree = Tree(signed())
    tree.find(".//oadr:oadrSignedObject").append(etree.Element("more"))
    assert why_not(tree.data, strict=False)
    loose = sealer(strict=False, accepted=Accepted(figure_23=True))
    assert loose.open(signed(), NOW).document.valid
    with pytest.raises(SchemaError):
        sealer().open(b"<x", NOW)

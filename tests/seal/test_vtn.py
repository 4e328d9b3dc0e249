"""A VTN with signatures: what is not signed as it must be is ignored, and a signature tells which VEN is talking."""

import random
from datetime import timedelta
from typing import Any, Final

import pytest

from oadr_core import (
    Call,
    CreatedPartyRegistration,
    Failure,
    Now,
    Output,
    Payload,
    Peer,
    PeerMisbehaved,
    Poll,
    ProfileName,
    QueryRegistration,
    RegisteredReport,
    ReplayGuard,
    Reply,
    RequestEvent,
    Save,
    SigningSealer,
    Transmit,
    Trust,
    Vtn,
    VtnConfig,
    encode,
)
from oadr_core.answers import response_in, response_to
from oadr_core.state.vtn import VenRecord
from tests.core.kit import NOON, drained, one
from tests.core.test_registration import create
from tests.seal.kit import MALLORY, NOW, VEN, VTN, Tree, sealer, signed
from tests.seal.people import Person

LATER: Final = Now(5.0, NOON + timedelta(seconds=5))


def a_vtn(*, required: bool = True, saved: dict[str, bytes] | None = None, asks: Any = (), **settings: Any) -> Vtn:
    """A VTN that signs."""
    mine = SigningSealer(random.SystemRandom(), key=VTN.signing(), trust=Trust(), required=required, **settings)
    vtn = Vtn(VtnConfig(vtn_id="Grid"), sealer=mine, entropy=random.Random(0), saved=saved, asks=asks)
    vtn.start(NOW)
    drained(vtn, NOW)
    return vtn


def said(
    vtn: Vtn,
    message: Payload,
    who: Person | None = VEN,
    *,
    now: Now = NOW,
    identity: str | None = None,
    transport: str = "simpleHttp",
    profile: ProfileName = ProfileName.V20B,
) -> list[Output]:
    """What comes of a request, signed by somebody or by nobody."""
    data = encode(message, profile=profile) if who is None else signed(message, who, now)
    peer = Peer(transport=transport, identity=identity)
    vtn.receive_request(data, peer=peer, service=None, now=now, profile=profile)
    return drained(vtn, now)


def reply(outputs: list[Output]) -> Reply:
    """The answer."""
    return one(Reply, outputs)


def code(outputs: list[Output]) -> int:
    """The code of an answer that is signed by the VTN or not, as it must be."""
    answer = reply(outputs).message
    assert answer is not None
    response = response_in(answer)
    return 200 if response is None else response.response_code  # something to do is no refusal


def registered(vtn: Vtn, who: Person | None = VEN, **details: Any) -> str:
    """Register a VEN; its id."""
    answer = reply(said(vtn, create(**details), who)).message
    assert isinstance(answer, CreatedPartyRegistration)
    assert answer.response.ok
    assert answer.ven_id
    return answer.ven_id


def is_ignored(vtn: Vtn, outputs: list[Output]) -> bool:
    """Whether a request was refused without a word, and nothing came of it (decision D21)."""
    answer = reply(outputs)
    assert not [one for one in outputs if isinstance(one, Save | Call)]
    assert [one for one in outputs if isinstance(one, PeerMisbehaved)]
    return answer.refusal is Failure.FORBIDDEN and answer.message is None and answer.render(NOW) == b""


@pytest.mark.rule(514)
@pytest.mark.decision(21)
def test_what_is_not_signed_well_is_ignored() -> None:
    vtn = a_vtn()
    for message in (create(), QueryRegistration(request_id="1"), Poll(ven_id="ven"), Poll(ven_id="")):
        assert is_ignored(vtn, said(vtn, message, None))
        broken = signed(message).replace(b"<ds:SignatureValue>", b"<ds:SignatureValue>AAAA")
        vtn.receive_request(broken, peer=Peer(), service=None, now=NOW)
        assert is_ignored(vtn, drained(vtn, NOW))
    assert not vtn.vens


@pytest.mark.rule(514)
def test_answers_are_signed() -> None:
    vtn = a_vtn()
    ven_id = registered(vtn)
    answer = reply(said(vtn, Poll(ven_id=ven_id))).render(NOW)
    found = sealer(trust=Trust(fingerprints=[VTN.fingerprint])).open(answer, NOW)
    assert found.signer == VTN.fingerprint


@pytest.mark.rule(514)
def test_a_signature_tells_which_ven_is_talking() -> None:
    vtn = a_vtn()
    ven_id = registered(vtn)
    record = vtn.vens[ven_id]
    assert (record.identity, record.signer) == (VEN.fingerprint, VEN.fingerprint)
    assert code(said(vtn, Poll(ven_id=ven_id))) == 200
    assert code(said(vtn, Poll(ven_id=ven_id), MALLORY)) == 463


@pytest.mark.rule(517)
@pytest.mark.decision(28)
def test_a_ven_cannot_speak_for_another() -> None:
    vtn = a_vtn()
    victim, mallory = registered(vtn), registered(vtn, MALLORY, ven_name="mallory")
    assert code(said(vtn, Poll(ven_id=victim), MALLORY)) == 452
    assert code(said(vtn, create(request_id="9", ven_id=victim), MALLORY)) == 452
    assert code(said(vtn, create(request_id="9", ven_name=vtn.vens[victim].ven_name), MALLORY)) == 200
    assert vtn.vens[victim].signer == VEN.fingerprint
    assert vtn.vens[mallory].signer == MALLORY.fingerprint


def test_the_application_hears_who_has_signed_a_registration() -> None:
    vtn = a_vtn(asks=("on_create_party_registration",))
    call = one(Call, said(vtn, create()))
    assert call.arguments["identity"] == VEN.fingerprint
    vtn.call_returned(call.call, ("v", "r"), now=NOW)
    assert code(drained(vtn, NOW)) == 200
    assert vtn.vens["v"].signer == VEN.fingerprint


def test_what_the_application_knows_of_a_ven_has_to_be_its_signature() -> None:
    vtn = a_vtn(asks=("ven_lookup",))
    for who, known in ((MALLORY, 463), (VEN, 200)):
        call = one(Call, said(vtn, Poll(ven_id="plant"), who))
        looked_up = {"ven_id": "plant", "registration_id": "r", "fingerprint": VEN.fingerprint}
        vtn.call_returned(call.call, looked_up, now=NOW)
        assert code(drained(vtn, NOW)) == known
    assert vtn.vens["plant"].signer == VEN.fingerprint


# --- with TLS and over XMPP ------------------------------------------------------------------------------------------


@pytest.mark.rule(514, 517)
def test_the_signature_has_to_be_that_of_the_connection() -> None:
    vtn = a_vtn()
    assert code(said(vtn, create(), identity=VEN.fingerprint)) == 200
    (ven_id,) = vtn.vens
    assert code(said(vtn, Poll(ven_id=ven_id), identity=VEN.fingerprint)) == 200
    assert is_ignored(vtn, said(vtn, Poll(ven_id=ven_id), identity=MALLORY.fingerprint))
    assert is_ignored(vtn, said(vtn, Poll(ven_id=ven_id), MALLORY, identity=VEN.fingerprint))


def test_over_xmpp_both_have_to_be_those_of_the_registration() -> None:
    config = VtnConfig(vtn_id="Grid", transports=("simpleHttp", "xmpp"))
    mine = SigningSealer(random.SystemRandom(), key=VTN.signing(), trust=Trust())
    vtn = Vtn(config, sealer=mine, entropy=random.Random(0))
    jid = "ven@grid.example"
    over = {"identity": jid, "transport": "xmpp"}
    mine_is = create(transport_name="xmpp", http_pull_model=None, transport_address=f"{jid}/x")
    assert code(said(vtn, mine_is, **over)) == 200
    (ven_id,) = vtn.vens
    assert (vtn.vens[ven_id].identity, vtn.vens[ven_id].signer) == (jid, VEN.fingerprint)
    assert is_ignored(vtn, said(vtn, Poll(ven_id=ven_id), MALLORY, **over))
    assert code(said(vtn, Poll(ven_id=ven_id), identity="mallory@grid.example/x", transport="xmpp")) == 463


# --- where only some sign --------------------------------------------------------------------------------------------


@pytest.mark.rule(514)
def test_where_only_some_sign_each_is_answered_alike() -> None:
    vtn = a_vtn(required=False)
    signing, plain = registered(vtn), registered(vtn, None, ven_name="plain")
    assert b"Signature" in reply(said(vtn, Poll(ven_id=signing))).render(NOW)
    assert b"Signature" not in reply(said(vtn, Poll(ven_id=plain), None)).render(NOW)
    assert vtn.vens[plain].signer is None


@pytest.mark.rule(514)
def test_taking_a_signature_away_gains_nothing() -> None:
    vtn = a_vtn(required=False)
    ven_id = registered(vtn)
    record = vtn.vens[ven_id]
    again = create(request_id="9", ven_id=ven_id, registration_id=record.registration_id)
    for message in (Poll(ven_id=ven_id), create(request_id="9", ven_id=ven_id), again):
        assert is_ignored(vtn, said(vtn, message, None)), message
        assert is_ignored(vtn, said(vtn, message, None, identity=VEN.fingerprint)), message
        tree = Tree(signed(message))
        tree.root.remove(tree.find("ds:Signature"))
        vtn.receive_request(tree.data, peer=Peer(), service=None, now=NOW)
        assert is_ignored(vtn, drained(vtn, NOW)), message
    assert vtn.vens == {ven_id: record}
    in_20a = said(vtn, RequestEvent(request_id="1", ven_id=ven_id), None, profile=ProfileName.V20A)
    assert reply(in_20a).refusal is Failure.FORBIDDEN or code_of_events(in_20a) == 463


def code_of_events(outputs: list[Output]) -> int:
    """The code of an answer to oadrRequestEvent."""
    answer: Any = reply(outputs).message
    return int(answer.response.response_code)


def test_a_ven_may_begin_to_sign_when_it_registers_again() -> None:
    vtn = a_vtn(required=False)
    ven_id = registered(vtn, None)
    again = create(request_id="2", ven_id=ven_id, registration_id=vtn.vens[ven_id].registration_id)
    assert code(said(vtn, again)) == 200
    assert vtn.vens[ven_id].signer == VEN.fingerprint
    assert is_ignored(vtn, said(vtn, Poll(ven_id=ven_id), None))


def test_who_registered_before_signatures_were_in_use_has_to_register_again() -> None:
    """Else anybody with a certificate could take over what was registered without one."""
    before = VenRecord(ven_id="old", registration_id="r", ven_name="old")
    vtn = a_vtn(saved={before.key: before.dump()})
    assert code(said(vtn, Poll(ven_id="old"), MALLORY)) == 463
    assert vtn.vens["old"].signer is None


# --- pushing ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule(514)
@pytest.mark.parametrize("required", [True, False])
def test_an_answer_to_a_push_has_to_be_signed_by_the_same(required: bool) -> None:
    vtn = a_vtn(required=required)
    address = "http://ven.example/OpenADR2/Simple/2.0b"
    outputs = said(vtn, create(transport_address=address, http_pull_model=False))
    (ven_id,) = vtn.vens
    transmit, now = one(Transmit, outputs), NOW
    for who, wrong in ((None, True), (MALLORY, True), (VEN, False)):
        assert b"Signature" in transmit.render(now)
        answer = RegisteredReport(response=response_to(transmit.message), ven_id=ven_id)
        data = encode(answer) if who is None else signed(answer, who, now)
        vtn.receive_response(transmit.exchange, data, now=now)
        outputs = drained(vtn, now)
        assert any(isinstance(one, PeerMisbehaved) for one in outputs) is wrong
        now = Now(now.mono + 5.0, now.utc + timedelta(seconds=5))
        vtn.handle_timeout(now)
        again = [one for one in drained(vtn, now) if isinstance(one, Transmit)]
        assert bool(again) is wrong
        transmit = again[0] if again else transmit


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.rule(514)
def test_what_may_have_been_taken_before_a_restart_is_to_be_tried_again() -> None:
    vtn = a_vtn(replay=ReplayGuard(since=NOON))
    outputs = said(vtn, create())
    assert reply(outputs).refusal is Failure.BUSY
    assert not vtn.vens
    assert code(said(vtn, create(), now=LATER)) == 200


@pytest.mark.rule(514)
def test_a_ven_whose_clock_is_ahead_is_not_heard_twice_across_a_restart() -> None:
    saved: dict[str, bytes] = {}
    vtn = a_vtn(replay=ReplayGuard(since=NOON - timedelta(hours=1)))
    ahead = Now(0.0, NOON + timedelta(seconds=40))

    def hear(vtn: Vtn, data: bytes, now: Now) -> list[Output]:
        vtn.receive_request(data, peer=Peer(), service=None, now=now)
        outputs = drained(vtn, now)
        saved.update({one.key: one.blob for one in outputs if isinstance(one, Save) and one.blob is not None})
        return outputs

    hear(vtn, signed(create(), now=ahead), NOW)
    (ven_id,) = vtn.vens
    poll = signed(Poll(ven_id=ven_id), now=ahead)
    outputs = hear(vtn, poll, NOW)
    assert outputs.index(one(Save, outputs)) < outputs.index(one(Reply, outputs))
    assert not [one for one in hear(vtn, signed(Poll(ven_id=ven_id), now=ahead), NOW) if isinstance(one, Save)]
    after = a_vtn(saved=saved, replay=ReplayGuard(since=NOON))
    assert reply(hear(after, poll, LATER)).refusal is Failure.BUSY
    much_later = Now(80.0, NOON + timedelta(seconds=80))
    assert code(hear(after, signed(Poll(ven_id=ven_id), now=much_later), much_later)) == 200


def test_an_ordinary_message_costs_no_write() -> None:
    vtn = a_vtn()
    ven_id = registered(vtn)
    assert not [one for one in said(vtn, Poll(ven_id=ven_id), now=LATER) if isinstance(one, Save)]


@pytest.mark.rule(516)
def test_a_certificate_that_has_expired_is_of_no_use_any_more() -> None:
    short = Person("short", end=NOON + timedelta(seconds=2))
    vtn = a_vtn()
    ven_id = registered(vtn, short)
    assert code(said(vtn, Poll(ven_id=ven_id), short)) == 200
    assert is_ignored(vtn, said(vtn, Poll(ven_id=ven_id), short, now=LATER))


def test_two_vtns_of_one_process_share_nothing() -> None:
    first, second = a_vtn(), a_vtn()
    data = signed(create())
    for vtn in (first, second):
        vtn.receive_request(data, peer=Peer(), service=None, now=NOW)
        assert code(drained(vtn, NOW)) == 200
    assert is_replay(first, data)


def is_replay(vtn: Vtn, data: bytes) -> bool:
    """Whether a document is refused as one that was seen."""
    vtn.receive_request(data, peer=Peer(), service=None, now=NOW)
    outputs = drained(vtn, NOW)
    return is_ignored(vtn, outputs) and "replay" in one(PeerMisbehaved, outputs).what

"""A VEN with signatures: what the VTN says has to be signed by the VTN, and now (rule 514, decision D21)."""

import random
from datetime import timedelta
from typing import Any

import pytest

from oadr_core import (
    CreatedPartyRegistration,
    CreatePartyRegistration,
    ExchangeDone,
    ExchangeSetBack,
    Failure,
    Now,
    Payload,
    Peer,
    PeerMisbehaved,
    PlainSealer,
    ReplayGuard,
    Reply,
    RequestReregistration,
    Sealer,
    SigningSealer,
    Transmit,
    Trust,
    Ven,
    VenConfig,
    VenState,
    encode,
)
from tests.core.kit import NOON, created, drained, one
from tests.seal.kit import MALLORY, NOW, VEN, VTN, signed

LATER = Now(5.0, NOON + timedelta(seconds=5))


def a_ven(state: VenState | None = None, *, sealer: Sealer | None = None, **settings: Any) -> Ven:
    """A VEN that signs, and knows the VTN by its fingerprint."""
    mine = sealer or SigningSealer(
        random.SystemRandom(), key=VEN.signing(), trust=Trust(fingerprints=[VTN.fingerprint]), **settings
    )
    return Ven(VenConfig(ven_name="ven"), sealer=mine, entropy=random.Random(0), state=state)


def registering(ven: Ven, now: Now = NOW) -> Transmit:
    """The registration that it sends."""
    ven.create_party_registration(now)
    return one(Transmit, drained(ven, now))


@pytest.mark.rule(514)
def test_it_says_truly_whether_it_signs() -> None:
    for ven, signs in ((a_ven(), True), (a_ven(sealer=PlainSealer()), False)):
        message = registering(ven).message
        assert isinstance(message, CreatePartyRegistration)
        assert message.xml_signature is signs


@pytest.mark.rule(514)
@pytest.mark.decision(21)
def test_an_answer_that_is_not_signed_by_the_vtn_is_dropped_and_the_request_has_failed() -> None:
    ven, now = a_ven(), NOW
    transmit, answer = registering(ven), created("v", "r")
    for data in (encode(answer), signed(answer, MALLORY), b"", signed(answer, VTN).replace(b">v<", b">w<")):
        ven.receive_response(transmit.exchange, data, now=now)
        outputs = drained(ven, now)
        assert one(ExchangeSetBack, outputs).why is Failure.BAD_ANSWER
        assert not ven.state.registered
        now = Now(now.mono + 60.0, now.utc)
        transmit = one(Transmit, drained(ven, now))
    ven.receive_response(transmit.exchange, signed(answer, VTN), now=now)
    done = one(ExchangeDone, drained(ven, now))
    assert isinstance(done.answer, CreatedPartyRegistration)
    assert ven.state.registered


def pushed(ven: Ven, message: Payload | bytes, now: Now = NOW) -> Failure | None:
    """How it refuses what is pushed."""
    data = message if isinstance(message, bytes) else encode(message)
    ven.receive_request(data, peer=Peer(), service=None, now=now)
    outputs = drained(ven, now)
    assert outputs == [] or [one for one in outputs if isinstance(one, PeerMisbehaved | Reply)]
    return one(Reply, outputs).refusal


@pytest.mark.rule(514)
@pytest.mark.decision(21)
def test_what_is_pushed_has_to_be_signed_by_the_vtn() -> None:
    ven, message = a_ven(replay=ReplayGuard(since=NOON)), RequestReregistration(ven_id="v")
    for data in (encode(message), signed(message, MALLORY, LATER), signed(message, VEN, LATER)):
        assert pushed(ven, data, LATER) is Failure.FORBIDDEN
    assert pushed(ven, signed(message, VTN, NOW), LATER) is Failure.BUSY  # perhaps from before the restart
    good = signed(message, VTN, LATER)
    assert pushed(ven, good, LATER) is Failure.BUSY  # as it is not registered (rule 405)
    assert pushed(ven, good, LATER) is Failure.FORBIDDEN  # a replay


@pytest.mark.rule(514)
def test_a_vtn_whose_clock_is_ahead_is_not_heard_twice_across_a_restart() -> None:
    ven = a_ven()
    transmit, ahead = registering(ven), Now(0.0, NOON + timedelta(seconds=20))
    answer = signed(created("v", "r"), VTN, ahead)
    ven.receive_response(transmit.exchange, answer, now=NOW)
    drained(ven, NOW)
    state = VenState.load(ven.state.dump())
    assert state.vtn_signer == VTN.fingerprint
    assert state.signed_until is not None
    assert state.signed_until >= ahead.utc
    again = a_ven(state, replay=ReplayGuard(since=NOON))
    transmit = registering(again, LATER)
    again.receive_response(transmit.exchange, answer, now=LATER)
    assert one(ExchangeSetBack, drained(again, LATER)).why is Failure.BAD_ANSWER

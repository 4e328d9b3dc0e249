"""A VEN whose certificate is renewed is locked out at no moment, and nobody else gains anything (section 10.5.1)."""

import random
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    Call,
    CertificateFollowed,
    CreatedPartyRegistration,
    Failure,
    KnownVen,
    LocalProtocolError,
    Output,
    Payload,
    Peer,
    PlainSealer,
    Poll,
    RegistrationDecision,
    Renewal,
    Reply,
    Save,
    Sealer,
    SigningSealer,
    Transmit,
    TransportName,
    Trust,
    VenRecord,
    Vtn,
    VtnConfig,
    encode,
)
from oadr_core.testing import ManualClock
from tests.core.kit import NOON, drained, one
from tests.core.test_authorisation import MESSAGES, code_of, of
from tests.core.test_registration import create
from tests.rules.samples import but
from tests.seal.kit import signed
from tests.seal.people import person

OLD, NEXT, OTHER, STRANGER = "AA", "AB", "BB", "CC"
"""The certificates of the VEN, that of another one, and one that nobody has registered with."""

OVERLAP: Final = timedelta(minutes=2)


class Office:
    """A VTN with a VEN whose certificate is renewed, and another VEN.

    :param asks: the handlers that the application has.
    :param sealer: how it opens and seals.
    :param more: what else is known of the VEN.
    """

    def __init__(self, *asks: str, sealer: Sealer | None = None, overlap: timedelta = OVERLAP, **more: Any) -> None:
        self.clock = ManualClock(NOON)
        self.config = VtnConfig(vtn_id="Grid", certificate_overlap=overlap)
        self.asks = asks
        self.sealer = sealer or PlainSealer()
        told = {"ven_id": "plant", "registration_id": "registration", "ven_name": "plant", "identity": OLD, **more}
        other = VenRecord(ven_id="other", registration_id="registration of other", ven_name="other", identity=OTHER)
        self.saved = {one.key: one.dump() for one in (VenRecord(**told), other)}
        self.restart()

    def restart(self) -> None:
        """Begin anew with nothing but what was saved."""
        self.vtn = Vtn(
            self.config, sealer=self.sealer, entropy=random.Random(0), saved=dict(self.saved), asks=self.asks
        )
        self.vtn.start(self.clock.now)
        self.outputs()

    def outputs(self) -> list[Output]:
        """What the VTN has to do; what it saves is saved."""
        outputs = drained(self.vtn, self.clock.now)
        for each in outputs:
            if isinstance(each, Save) and each.blob is not None:
                self.saved[each.key] = each.blob
            elif isinstance(each, Save):
                self.saved.pop(each.key, None)
        return outputs

    def announce(self, fingerprint: str = NEXT, ven_id: str = "plant") -> None:
        """Say which certificate a VEN will have."""
        self.vtn.announce_certificate(ven_id, fingerprint, self.clock.now)
        self.outputs()

    def says(self, message: Payload, identity: str | None, body: bytes | None = None) -> list[Output]:
        """What comes of a message over a connection of somebody."""
        data = encode(message) if body is None else body
        self.vtn.receive_request(data, peer=Peer(identity=identity), service=None, now=self.clock.now)
        return self.outputs()

    def knows(self, identity: str) -> bool:
        """Whether the VEN is known by a certificate; 463 says that it is not (decision D28)."""
        answer = one(Reply, self.says(Poll(ven_id="plant"), identity)).message
        assert answer is not None
        assert code_of(answer) in (200, 463)
        return code_of(answer) == 200

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.vtn.handle_timeout(self.clock.now)
        self.outputs()

    def holders(self, fingerprint: str) -> tuple[str, ...]:
        """The VENs that may show a certificate."""
        return tuple(one.ven_id for one in self.vtn.vens.values() if one.has_certificate(fingerprint))

    @property
    def plant(self) -> VenRecord:
        """What is known of the VEN."""
        return self.vtn.vens["plant"]


# --- no gap ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule(516, 517)
def test_a_ven_is_known_by_both_certificates_until_it_has_shown_the_next_and_a_while_longer() -> None:
    office = Office()
    before = office.plant
    assert not office.knows(NEXT)
    office.announce()
    for _ in range(3):
        office.wait(3600.0)
        assert office.knows(OLD), "it need not hurry"
    assert office.plant == but(before, renewal=Renewal(fingerprint=NEXT), online=office.plant.online)
    told = one(CertificateFollowed, office.says(Poll(ven_id="plant"), NEXT))
    assert told == CertificateFollowed(ven_id="plant", fingerprint=NEXT, former=OLD)
    assert office.plant.identity == NEXT
    assert office.knows(OLD), "a connection may be open that was made with it"
    office.wait(OVERLAP.total_seconds() - 1)
    assert office.knows(OLD)
    office.wait(1)
    assert not office.knows(OLD)
    assert office.knows(NEXT)
    assert office.plant == but(before, identity=NEXT, online=office.plant.online)


def test_every_message_with_the_next_certificate_is_one_of_the_ven_with_its_name_or_without() -> None:
    for name, made in MESSAGES.items():
        for ven_id in ("plant", None):
            office = Office()
            office.announce()
            outputs = office.says(made(ven_id, of("mine")), NEXT)
            assert one(CertificateFollowed, outputs).ven_id == "plant", name


def test_the_former_certificate_is_refused_at_once_where_no_overlap_is_wanted() -> None:
    office = Office(overlap=timedelta(0))
    office.announce()
    assert office.knows(OLD)
    assert office.knows(NEXT)
    assert not office.knows(OLD)
    assert office.plant.renewal is None


@pytest.mark.parametrize("shown", [False, True])
def test_a_restart_changes_nothing_about_a_renewal(shown: bool) -> None:
    office = Office()
    office.announce()
    if shown:
        assert office.knows(NEXT)
    office.wait(60)
    office.restart()
    assert office.knows(OLD)
    assert office.knows(NEXT)
    office.wait(OVERLAP.total_seconds())
    assert not office.knows(OLD)
    office.restart()
    assert not office.knows(OLD)
    assert office.knows(NEXT)


def test_the_time_of_the_former_certificate_passes_while_the_vtn_is_away() -> None:
    office = Office()
    office.announce()
    assert office.knows(NEXT)
    office.clock.advance(OVERLAP.total_seconds())
    office.restart()
    office.vtn.handle_timeout(office.clock.now)
    assert not office.knows(OLD)


def test_what_an_earlier_version_has_saved_is_loaded_and_what_this_one_saves_is_no_longer_without_a_renewal() -> None:
    blob = b'{"version":1,"ven_id":"plant","registration_id":"r","ven_name":"plant","identity":"AA","signer":"AA"}'
    record = VenRecord.load(blob)
    assert (record.certificate, record.renewal) == ("AA", None)
    assert record.dump() == blob
    renewed = but(record, renewal=Renewal(fingerprint=NEXT, until=NOON))
    assert VenRecord.load(renewed.dump()) == but(renewed, version=1)


# --- taking it back --------------------------------------------------------------------------------------------------


def test_what_was_announced_is_taken_back_by_saying_which_certificate_the_ven_has() -> None:
    office = Office()
    office.announce()
    office.vtn.change_certificate("plant", OLD, office.clock.now)
    assert not office.knows(NEXT)
    assert office.knows(OLD)


def test_another_certificate_takes_the_place_of_the_one_that_was_announced() -> None:
    office = Office()
    office.announce(STRANGER)
    office.announce(NEXT)
    assert not office.knows(STRANGER)
    assert office.knows(NEXT)


def test_a_certificate_that_is_known_to_be_stolen_is_refused_at_once_whatever_was_announced() -> None:
    office = Office()
    office.announce()
    office.vtn.change_certificate("plant", NEXT, office.clock.now)
    assert not office.knows(OLD)
    office = Office()
    office.announce()
    assert office.knows(NEXT)
    office.vtn.change_certificate("plant", NEXT, office.clock.now)
    assert not office.knows(OLD)
    assert office.knows(NEXT)


# --- whose it is -----------------------------------------------------------------------------------------------------


def test_nobody_elses_certificate_is_announced_and_the_announced_one_is_nobody_elses() -> None:
    office = Office()
    now = office.clock.now
    with pytest.raises(LocalProtocolError, match="the VEN 'other' has this certificate already"):
        office.announce(OTHER)
    office.announce()
    for refused in (
        lambda: office.vtn.announce_certificate("other", NEXT, now),
        lambda: office.vtn.announce_certificate("other", OLD, now),
        lambda: office.vtn.change_certificate("other", NEXT, now),
        lambda: office.vtn.add_ven("old", now, identity=NEXT),
    ):
        with pytest.raises(LocalProtocolError, match="the VEN 'plant' has this certificate already"):
            refused()
    assert office.vtn.vens["other"].identity == OTHER
    assert office.knows(NEXT), "the former certificate is nobody else's either, as long as it is accepted"
    with pytest.raises(LocalProtocolError, match="the VEN 'plant' has this certificate already"):
        office.announce(OLD, "other")


def test_a_certificate_that_a_ven_over_xmpp_signs_with_is_nobody_elses() -> None:
    office = Office(transport=TransportName.XMPP, identity="plant@grid.example", signer=OLD, pull=False)
    office.announce()
    for fingerprint in (OLD, NEXT):
        with pytest.raises(LocalProtocolError, match="the VEN 'plant' has this certificate already"):
            office.announce(fingerprint, "other")


def test_a_ven_without_a_certificate_has_none_that_another_one_could_follow() -> None:
    with pytest.raises(LocalProtocolError, match="known without a certificate"):
        Office(identity=None).announce()
    with pytest.raises(LocalProtocolError, match=r"known by its JID plant@grid\.example"):
        Office(transport=TransportName.XMPP, identity="plant@grid.example", pull=False).announce()
    with pytest.raises(LocalProtocolError, match="'plant' has this certificate already"):
        Office().announce(OLD)
    with pytest.raises(LocalProtocolError, match="there is no VEN 'nobody'"):
        Office().announce(ven_id="nobody")


@pytest.mark.rule(517)
@pytest.mark.decision(28)
@pytest.mark.parametrize("name", sorted(set(MESSAGES) - {"oadrQueryRegistration"}))
def test_no_message_announces_a_certificate_and_none_of_another_follows_one(name: str) -> None:
    for identity, code in ((OTHER, 452), (STRANGER, 463), (None, 463)):
        office = Office()
        office.announce()
        before = office.plant
        answer = one(Reply, office.says(MESSAGES[name]("plant", of("mine")), identity)).message
        assert answer is not None
        assert code_of(answer) == code
        assert office.plant == before
    office = Office()
    office.says(MESSAGES[name]("plant", of("mine")), OLD)
    assert office.vtn.vens["plant"].renewal is None


@pytest.mark.rule(517)
@pytest.mark.decision(28)
def test_the_next_certificate_in_the_name_of_another_is_refused_with_452_and_follows_nothing() -> None:
    office = Office()
    office.announce()
    answer = one(Reply, office.says(Poll(ven_id="other"), NEXT)).message
    assert answer is not None
    assert code_of(answer) == 452
    assert office.plant.identity == OLD


_STEPS: Final = st.one_of(
    st.tuples(st.just("announce"), st.sampled_from(["plant", "other"]), st.sampled_from([OLD, NEXT, OTHER, STRANGER])),
    st.tuples(st.just("change"), st.sampled_from(["plant", "other"]), st.sampled_from([OLD, NEXT, OTHER, STRANGER])),
    st.tuples(st.just("show"), st.sampled_from([OLD, NEXT, OTHER, STRANGER]), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 60.0, 120.0]), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


@given(st.lists(_STEPS, max_size=12))
def test_a_certificate_is_that_of_one_ven_at_most_whatever_is_announced_and_shown(steps: list[Any]) -> None:
    office = Office()
    for kind, first, second in steps:
        if kind in ("announce", "change"):
            tell = office.vtn.announce_certificate if kind == "announce" else office.vtn.change_certificate
            with suppress(LocalProtocolError):
                tell(first, second, office.clock.now)
            office.outputs()
        elif kind == "show":
            office.says(Poll(ven_id=""), first)
        elif kind == "wait":
            office.wait(first)
        else:
            office.restart()
            office.vtn.handle_timeout(office.clock.now)
        holders_of = {one: office.holders(one) for one in (OLD, NEXT, OTHER, STRANGER)}
        assert all(len(holders) <= 1 for holders in holders_of.values())
        assert all(one.certificate is not None for one in office.vtn.vens.values())
    for fingerprint in (OLD, NEXT, OTHER, STRANGER):
        expected = {("plant",): 200, ("other",): 452, (): 463}[office.holders(fingerprint)]
        answer = one(Reply, office.says(Poll(ven_id="plant"), fingerprint)).message
        assert answer is not None
        assert code_of(answer) == expected


# --- registering meanwhile -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [True, False], ids=["again", "anew"])
def test_registering_with_the_present_certificate_leaves_the_next_one_announced(again: bool) -> None:
    office = Office()
    office.announce()
    ids = {"ven_id": "plant", "registration_id": "registration"} if again else {}
    office.says(create(request_id="9", **ids), OLD)
    assert office.plant.renewal == Renewal(fingerprint=NEXT)
    assert office.knows(OLD)
    assert office.knows(NEXT)


def test_registering_with_the_former_certificate_does_not_make_it_the_present_one() -> None:
    office = Office()
    office.announce()
    assert office.knows(NEXT)
    office.says(create(request_id="9"), OLD)
    assert office.plant.identity == NEXT
    office.wait(OVERLAP.total_seconds())
    assert not office.knows(OLD)


def test_a_registration_that_the_application_decides_late_brings_no_former_certificate_back() -> None:
    office = Office("on_create_party_registration")
    office.announce()
    call = one(Call, office.says(create(request_id="9"), OLD))
    assert office.knows(NEXT)
    office.vtn.call_returned(call.call, True, now=office.clock.now)
    assert isinstance(one(Reply, office.outputs()).message, CreatedPartyRegistration)
    assert office.vtn.vens["plant"].identity == NEXT


LISTED: Final = ("00:11:22:33:44:55:66:77:88:99", "AB:5E:12:00:C4:98:31:7F:0D:66")


def test_an_application_announces_the_next_certificate_when_it_registers_a_ven() -> None:
    office = Office("on_create_party_registration")
    call = one(Call, office.says(create(request_id="9", ven_name="new"), LISTED[0]))
    office.vtn.call_returned(call.call, RegistrationDecision(ven_id="new", successor=LISTED[1]), now=office.clock.now)
    office.outputs()
    assert office.vtn.vens["new"].renewal == Renewal(fingerprint=LISTED[1])
    assert one(CertificateFollowed, office.says(Poll(ven_id="new"), LISTED[1])).former == LISTED[0]


def test_an_application_cannot_announce_the_certificate_of_another_ven() -> None:
    office = Office("on_create_party_registration", identity=LISTED[1])
    call = one(Call, office.says(create(request_id="9", ven_name="new"), LISTED[0]))
    office.vtn.call_returned(call.call, RegistrationDecision(ven_id="new", successor=LISTED[1]), now=office.clock.now)
    answer = one(Reply, office.outputs()).message
    assert answer is not None
    assert code_of(answer) == 463
    assert set(office.vtn.vens) == {"plant", "other"}


@pytest.mark.parametrize(("shown", "successor"), [(LISTED[0], LISTED[1]), (LISTED[1], None), (STRANGER, "refused")])
def test_a_ven_that_is_looked_up_shows_one_of_its_certificates_and_is_known_by_the_next(
    shown: str, successor: str | None
) -> None:
    office = Office("ven_lookup")
    call = one(Call, office.says(Poll(ven_id="known"), shown))
    known = KnownVen(ven_id="known", registration_id="r", fingerprint=LISTED)
    office.vtn.call_returned(call.call, known, now=office.clock.now)
    office.outputs()
    if successor == "refused":
        assert "known" not in office.vtn.vens
        return
    renewal = office.vtn.vens["known"].renewal
    assert (None if renewal is None else renewal.fingerprint) == successor


# --- push ------------------------------------------------------------------------------------------------------------


def a_push_office() -> tuple[Office, Transmit]:
    """One whose VEN is pushed to, and what is under way to it."""
    office = Office(pull=False, address="https://plant.example/")
    office.vtn.request_reregistration("plant", office.clock.now)
    return office, one(Transmit, office.outputs())


def test_a_push_ven_is_called_by_either_certificate() -> None:
    office, sent = a_push_office()
    assert sent.to.identities == {OLD}
    office.announce()
    office.vtn.exchange_failed(sent.exchange, Failure.UNREACHABLE, now=office.clock.now)
    office.clock.advance(60)
    office.vtn.handle_timeout(office.clock.now)
    assert one(Transmit, office.outputs()).to.identities == {OLD, NEXT}
    assert office.knows(NEXT)


def test_what_is_under_way_to_a_push_ven_goes_on_when_its_next_certificate_is_announced_and_shown() -> None:
    office, sent = a_push_office()
    office.announce()
    assert office.knows(NEXT)
    assert not [each for each in office.outputs() if isinstance(each, Transmit)], "it is not sent twice"
    office.vtn.receive_response(sent.exchange, b"", now=office.clock.now)
    assert not [each for each in office.outputs() if isinstance(each, Transmit)]


def test_what_is_under_way_to_a_certificate_that_is_refused_now_is_sent_anew() -> None:
    office, sent = a_push_office()
    office.vtn.change_certificate("plant", NEXT, office.clock.now)
    again = one(Transmit, office.outputs())
    assert again.message == sent.message
    assert again.to.identities == {NEXT}


# --- signatures ------------------------------------------------------------------------------------------------------

MINE, RENEWED, THIEF = person("ven"), person("ven", "rsa"), person("mallory")


def a_signed_office(**more: Any) -> Office:
    """One that looks at signatures, whose VEN signs."""
    sealer = SigningSealer(random.SystemRandom(), key=person("vtn").signing(), trust=Trust())
    return Office(sealer=sealer, identity=MINE.fingerprint, signer=MINE.fingerprint, **more)


def is_taken(office: Office, who: Any, identity: str | None = None) -> bool:
    """Whether a message is taken that somebody has signed, over a connection of somebody."""
    body = signed(Poll(ven_id="plant"), who, office.clock.now)
    reply = one(Reply, office.says(Poll(ven_id="plant"), identity, body))
    if reply.message is None:
        assert reply.refusal is Failure.FORBIDDEN
        return False
    return code_of(reply.message) == 200


@pytest.mark.rule(514, 516)
def test_a_ven_signs_with_either_certificate_until_it_has_signed_with_the_next() -> None:
    office = a_signed_office()
    assert not is_taken(office, RENEWED)
    office.announce(RENEWED.fingerprint)
    assert not is_taken(office, THIEF)
    assert is_taken(office, MINE)
    assert office.plant.signer == MINE.fingerprint
    assert is_taken(office, RENEWED)
    assert (office.plant.identity, office.plant.signer) == (RENEWED.fingerprint, RENEWED.fingerprint)
    assert is_taken(office, MINE)
    office.wait(OVERLAP.total_seconds())
    assert not is_taken(office, MINE)
    assert is_taken(office, RENEWED)


@pytest.mark.rule(514)
def test_a_ven_may_sign_with_the_next_certificate_over_a_connection_that_it_made_with_the_present_one() -> None:
    office = a_signed_office()
    old, new = MINE.fingerprint, RENEWED.fingerprint
    assert not is_taken(office, RENEWED, old)
    office.announce(new)
    for _ in range(2):
        office.wait(600)
        assert is_taken(office, RENEWED, old)
        assert is_taken(office, MINE, new)
    assert office.plant.identity == old, "it goes on so for as long as the connection lasts"
    assert is_taken(office, RENEWED, new)
    assert office.plant.identity == new
    for who, identity in ((THIEF, old), (THIEF, new), (RENEWED, OTHER), (MINE, THIEF.fingerprint)):
        assert not is_taken(office, who, identity), "nobody else's connection, and nobody else's signature"


@pytest.mark.rule(514)
def test_a_ven_over_xmpp_is_known_by_its_jid_and_signs_with_either_certificate() -> None:
    office = a_signed_office(transport=TransportName.XMPP, pull=False, address="plant@grid.example/ven")
    record = but(office.plant, identity="plant@grid.example")
    office.saved[record.key] = record.dump()
    office.restart()
    office.announce(RENEWED.fingerprint)
    for who, taken in ((MINE, True), (THIEF, False), (RENEWED, True), (MINE, True)):
        body = signed(Poll(ven_id="plant"), who, office.clock.now)
        peer = Peer(transport=TransportName.XMPP, identity="plant@grid.example")
        office.vtn.receive_request(body, peer=peer, service=None, now=office.clock.now)
        assert (one(Reply, office.outputs()).message is not None) == taken
    assert (office.plant.identity, office.plant.signer) == ("plant@grid.example", RENEWED.fingerprint)


@pytest.mark.rule(514)
@pytest.mark.parametrize("who", [MINE, RENEWED])
def test_what_a_ven_whose_clock_is_ahead_has_signed_is_not_heard_twice_over_a_restart(who: Any) -> None:
    office = a_signed_office()
    office.announce(RENEWED.fingerprint)
    assert is_taken(office, RENEWED)
    ahead = msgspec.structs.replace(office.clock.now, utc=office.clock.now.utc + timedelta(seconds=40))
    body = signed(Poll(ven_id="plant"), who, ahead)
    assert one(Reply, office.says(Poll(ven_id="plant"), None, body)).refusal is None
    office.sealer = SigningSealer(random.SystemRandom(), key=person("vtn").signing(), trust=Trust())
    office.restart()
    assert one(Reply, office.says(Poll(ven_id="plant"), None, body)).refusal is Failure.BUSY

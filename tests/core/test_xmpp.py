"""What is different over XMPP: the address of a VEN is its own JID, it is pushed to, and there are no polls."""

import random

import pytest

from oadr_core import (
    AutoVtn,
    Call,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    Handlers,
    Payload,
    Peer,
    PlainSealer,
    Poll,
    QueryRegistration,
    Reply,
    Response,
    Transmit,
    TransportName,
    Ven,
    VenConfig,
    Vtn,
    VtnConfig,
    VtnPolicy,
    encode,
)
from oadr_core.handlers import VTN_HANDLERS
from tests.core.kit import drained, one
from tests.core.test_identity import NOW
from tests.core.test_registration import create

JID = "0013a20040f1@oadr.example"
OVER_XMPP = Peer("xmpp", JID, f"{JID}/client")


def a_vtn(*asks: str) -> Vtn:
    config = VtnConfig(vtn_id="Grid", transports=tuple(TransportName))
    vtn = Vtn(config, sealer=PlainSealer(), entropy=random.Random(0), asks=asks)
    vtn.start(NOW)
    return vtn


def over_xmpp(**more: object) -> CreatePartyRegistration:
    """A registration over XMPP."""
    given = {"transport_name": TransportName.XMPP, "transport_address": f"{JID}/client", "http_pull_model": False}
    return create(**{**given, **more})


def answer_of(vtn: Vtn, message: Payload, peer: Peer = OVER_XMPP) -> tuple[int, Payload]:
    """The answer to a request, and its code."""
    vtn.receive_request(encode(message), peer=peer, service=None, now=NOW)
    answer = one(Reply, drained(vtn, NOW)).message
    assert isinstance(answer, Response | CreatedPartyRegistration)
    return answer.response.response_code, answer


@pytest.mark.rule(402)
@pytest.mark.decision(26)
@pytest.mark.parametrize("pull_model", [False, None])
def test_a_ven_that_registers_over_xmpp_is_pushed_to_at_its_jid(pull_model: bool | None) -> None:
    vtn = a_vtn()
    code, answer = answer_of(vtn, over_xmpp(http_pull_model=pull_model))
    assert code == 200
    assert isinstance(answer, CreatedPartyRegistration)
    record = vtn.vens[answer.ven_id or ""]
    assert (record.identity, record.address, record.pull) == (JID, f"{JID}/client", False)
    names = [one.transport_name for one in answer.profiles[0].transports]
    assert names == [TransportName.SIMPLE_HTTP, TransportName.XMPP]


def test_the_first_push_goes_to_the_jid_and_says_whose_it_has_to_be() -> None:
    vtn = a_vtn()
    vtn.receive_request(encode(over_xmpp()), peer=OVER_XMPP, service=None, now=NOW)
    to = one(Transmit, drained(vtn, NOW)).to
    assert (to.transport, to.base, to.identity) == ("xmpp", f"{JID}/client", JID)


@pytest.mark.rule(515)
@pytest.mark.parametrize("address", ["somebody@oadr.example/client", "oadr.example", "0013a20040f1@other.example/x"])
def test_a_ven_is_not_registered_at_an_address_of_somebody_else(address: str) -> None:
    vtn = a_vtn()
    assert answer_of(vtn, over_xmpp(transport_address=address))[0] == 454
    assert not vtn.vens


@pytest.mark.parametrize("address", [JID, JID.upper() + "/Client", f"{JID}/a/b@c"])
def test_any_resource_and_any_case_of_letters_is_its_own_address(address: str) -> None:
    assert answer_of(a_vtn(), over_xmpp(transport_address=address))[0] == 200


def test_a_ven_that_does_not_say_where_it_is_reached_is_not_registered() -> None:
    assert answer_of(a_vtn(), over_xmpp(transport_address=None))[0] == 454


def test_a_ven_registers_over_the_transport_that_it_is_reached_by() -> None:
    vtn = a_vtn()
    assert answer_of(vtn, over_xmpp(), Peer("simpleHttp", "AA"))[0] == 454
    assert answer_of(vtn, create())[0] == 454
    assert not vtn.vens


@pytest.mark.rule(500, 507)
@pytest.mark.decision(25)
def test_a_poll_over_xmpp_is_answered_with_459() -> None:
    vtn = a_vtn("on_poll")
    _, answer = answer_of(vtn, over_xmpp())
    assert isinstance(answer, CreatedPartyRegistration)
    code, answer = answer_of(vtn, Poll(ven_id=answer.ven_id or ""))
    assert (code, type(answer)) == (459, Response)


@pytest.mark.rule(517)
@pytest.mark.decision(28)
def test_who_is_not_registered_is_told_so_and_nobody_takes_the_place_of_another() -> None:
    vtn = a_vtn("ven_lookup")
    assert answer_of(vtn, Poll(ven_id="mill"))[0] == 463
    _, answer = answer_of(vtn, over_xmpp())
    assert isinstance(answer, CreatedPartyRegistration)
    other = Peer("xmpp", "other@oadr.example", "other@oadr.example/client")
    assert answer_of(vtn, Poll(ven_id=answer.ven_id or ""), other)[0] == 463
    assert answer_of(vtn, Poll(ven_id="somebody"))[0] == 452


@pytest.mark.rule(402)
@pytest.mark.decision(26)
def test_a_ven_over_xmpp_says_so_and_that_it_does_not_poll() -> None:
    config = VenConfig(transport=TransportName.XMPP, pull=False, address=f"{JID}/client")
    ven = Ven(config, sealer=PlainSealer(), entropy=random.Random(0))
    ven.create_party_registration(NOW)
    sent = one(Transmit, drained(ven, NOW)).message
    assert isinstance(sent, CreatePartyRegistration)
    assert (sent.transport_name, sent.transport_address) == (TransportName.XMPP, f"{JID}/client")
    assert sent.http_pull_model is False


def test_the_application_is_told_the_jid_and_no_fingerprint_of_a_ven_that_does_not_sign() -> None:
    own = Handlers(VTN_HANDLERS)
    own.add("on_create_party_registration", lambda registration_info, fingerprint, jid: True)
    config = VtnConfig(vtn_id="Grid", transports=tuple(TransportName))
    vtn = AutoVtn(config, VtnPolicy(), sealer=PlainSealer(), entropy=random.Random(0), handlers=own)
    vtn.start(NOW)
    vtn.receive_request(encode(over_xmpp()), peer=OVER_XMPP, service=None, now=NOW)
    told = one(Call, drained(vtn, NOW)).arguments
    assert (told["jid"], told["fingerprint"]) == (JID, None)
    vtn.receive_request(encode(create()), peer=Peer("simpleHttp", "AA"), service=None, now=NOW)
    told = one(Call, drained(vtn, NOW)).arguments
    assert (told["jid"], told["fingerprint"]) == (None, "AA")


def test_a_query_needs_no_registration() -> None:
    assert answer_of(a_vtn(), QueryRegistration(request_id="1"))[0] == 200

"""Which VEN a request comes from, and that nobody is taken for another (section 9.2.1.1, rules 400 and 517)."""

import random

import pytest

from oadr_core import (
    Call,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    Now,
    PlainSealer,
    Poll,
    Reply,
    Response,
    Vtn,
    VtnConfig,
)
from tests.core.kit import NOON, asked, drained, one
from tests.core.test_registration import create

NOW = Now(0.0, NOON)
ASKS = ("on_create_party_registration",)


def a_vtn(asks: tuple[str, ...] = ()) -> Vtn:
    """A VTN that knows nobody yet."""
    vtn = Vtn(VtnConfig(vtn_id="Grid"), sealer=PlainSealer(), entropy=random.Random(0), asks=asks)
    vtn.start(NOW)
    return vtn


def registered(vtn: Vtn, message: CreatePartyRegistration, identity: str | None) -> str:
    """Register a VEN; returns its id."""
    answer = one(Reply, asked(vtn, message, NOW, identity)).message
    assert isinstance(answer, CreatedPartyRegistration)
    assert answer.response.ok
    assert answer.ven_id is not None
    return answer.ven_id


def code_of(reply: Reply) -> int:
    """The code of an answer."""
    assert isinstance(reply.message, CreatedPartyRegistration | Response)
    return reply.message.response.response_code


@pytest.mark.rule(517)
def test_of_two_that_ask_for_one_id_while_the_application_decides_the_second_is_refused() -> None:
    vtn = a_vtn(ASKS)
    first = one(Call, asked(vtn, create(request_id="1", ven_id="plant"), NOW, "AA"))
    second = one(Call, asked(vtn, create(request_id="2", ven_id="plant"), NOW, "BB"))
    vtn.call_returned(first.call, True, now=NOW)
    assert code_of(one(Reply, drained(vtn, NOW))) == 200
    vtn.call_returned(second.call, True, now=NOW)
    assert code_of(one(Reply, drained(vtn, NOW))) == 463
    assert {ven_id: record.identity for ven_id, record in vtn.vens.items()} == {"plant": "AA"}
    assert code_of(one(Reply, asked(vtn, Poll(ven_id="plant"), NOW, "BB"))) == 463


@pytest.mark.parametrize("identity", ["AA", None])
def test_a_ven_that_asks_twice_while_the_application_decides_is_registered_once(identity: str | None) -> None:
    vtn = a_vtn(ASKS)
    calls = [one(Call, asked(vtn, create(request_id=number), NOW, identity)) for number in ("1", "2")]
    for call in calls:
        vtn.call_returned(call.call, True, now=NOW)
        assert code_of(one(Reply, drained(vtn, NOW))) == 200
    assert len(vtn.vens) == 1


def test_a_ven_that_has_changed_its_name_is_not_known_by_the_old_one() -> None:
    vtn = a_vtn()
    ven_id = registered(vtn, create(ven_name="mill"), None)
    again = create(request_id="2", ven_name="forge", ven_id=ven_id, registration_id=vtn.vens[ven_id].registration_id)
    assert registered(vtn, again, None) == ven_id
    assert registered(vtn, create(request_id="3", ven_name="mill"), None) != ven_id
    assert registered(vtn, create(request_id="4", ven_name="forge"), None) == ven_id
    assert len(vtn.vens) == 2


def test_a_ven_with_a_certificate_cannot_take_the_name_of_one_without() -> None:
    vtn = a_vtn()
    plain = registered(vtn, create(ven_name="mill"), None)
    assert registered(vtn, create(request_id="2", ven_name="mill"), "AA") != plain
    assert registered(vtn, create(request_id="3", ven_name="mill"), None) == plain

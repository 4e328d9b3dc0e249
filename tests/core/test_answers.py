"""The answer that fits a request, also where it is an error (rules 33, 303 and 517, decision D14)."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oadr_core import EiResponse, Payload, Poll, QueryRegistration, Response, ResponseCode, VtnConfig, encode, new_id
from oadr_core.answers import Refuser, response_in, response_to
from oadr_core.entropy import jittered
from oadr_core.machines.operations import SERVICE, VEN_REQUESTS, VTN_OPERATIONS, request_id_of
from oadr_core.messages import PAYLOADS
from oadr_core.testing.strategies import payloads

CONFIG = VtnConfig(vtn_id="Grid")


@pytest.mark.rule(517, 303)
@pytest.mark.parametrize("name", sorted(PAYLOADS))
@settings(max_examples=10)
@given(data=st.data())
def test_a_vtn_refuses_each_request_in_the_payload_that_fits_it(name: str, data: st.DataObject) -> None:
    request = data.draw(payloads(name))
    answer: Any = Refuser("Grid", CONFIG.profiles()).refuse(request, 452, "no", "ven")
    expected = VEN_REQUESTS.get(type(request))
    if expected is None:
        operation = VTN_OPERATIONS.get(type(request))
        expected = Response if operation is None else operation.answer
    assert type(answer) is expected
    assert (answer.response.response_code, answer.response.response_description) == (452, "no")
    assert answer.response.request_id == request_id_of(request)
    encode(answer)


@pytest.mark.parametrize("name", sorted(PAYLOADS))
@settings(max_examples=10)
@given(data=st.data())
def test_a_ven_refuses_each_request_in_a_payload_that_it_can_fill(name: str, data: st.DataObject) -> None:
    answer = Refuser().refuse(data.draw(payloads(name)), 459, "not here", "ven")
    encode(answer)
    assert response_in(answer) is not None


@pytest.mark.rule(303)
def test_an_answer_repeats_the_request_id_and_says_what_its_code_means() -> None:
    assert response_to(QueryRegistration(request_id="7")) == EiResponse(response_description="OK", request_id="7")
    assert response_to(Poll(ven_id="ven"), 452).response_description == "invalid id"
    assert response_to(Poll(ven_id="ven"), 499).response_description is None
    assert response_to(Poll(ven_id="ven"), 452, "wrong").request_id == ""
    for code in ResponseCode:
        assert response_to(Poll(ven_id="ven"), code).response_description, "every code has its words"


def test_a_piggy_backed_request_repeats_what_its_carrier_answered() -> None:
    assert request_id_of(Response(response=EiResponse(request_id="7"))) == "7"
    assert request_id_of(Poll(ven_id="ven")) == ""


@pytest.mark.rule(511)
def test_every_payload_has_its_endpoint_and_every_request_an_answer() -> None:
    assert set(SERVICE) == set(PAYLOADS.values())
    answers = {*VEN_REQUESTS.values(), *(one.answer for one in VTN_OPERATIONS.values())}
    assert all(issubclass(one, Payload) for one in answers)


def test_ids_are_long_and_unlike_each_other() -> None:
    made = {new_id(random.Random(seed)) for seed in range(100)}
    assert len(made) == 100
    assert {len(one) for one in made} == {32}


@given(st.integers(), st.floats(0, 1e6), st.floats(0, 1))
def test_a_jittered_time_stays_within_its_share(seed: int, seconds: float, share: float) -> None:
    low, high = seconds * (1 - share), seconds * (1 + share)
    found = jittered(random.Random(seed), seconds, share)
    assert low <= found <= high or found == pytest.approx(low) or found == pytest.approx(high)

"""Answers that are known by what they say, where the transport does not tell what they answer."""

from itertools import product

import pytest
from hypothesis import given

from oadr_core import (
    CreatedEvent,
    DistributeEvent,
    EiResponse,
    Payload,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
    Role,
    Service,
    expects_answer,
    is_answer,
    may_ask,
    service_of,
)
from oadr_core.testing.strategies import payloads
from tests.core.kit import created


def response(request_id: str) -> Response:
    return Response(response=EiResponse(request_id=request_id), ven_id="ven")


@pytest.mark.rule(207, 303)
def test_an_answer_is_of_the_kind_that_answers_a_request_and_repeats_its_request_id() -> None:
    request = RegisterReport(request_id="7", ven_id="ven")
    answer = RegisteredReport(response=EiResponse(request_id="7"), ven_id="ven")
    assert is_answer(answer, request)
    assert not is_answer(answer, RegisterReport(request_id="8", ven_id="ven"))
    assert not is_answer(answer, RequestEvent(request_id="7", ven_id="ven"))


@pytest.mark.decision(14)
def test_a_plain_response_answers_any_request_that_is_answered() -> None:
    assert is_answer(response("7"), RegisterReport(request_id="7", ven_id="ven"))
    assert not is_answer(response("7"), RegisterReport(request_id="8", ven_id="ven"))


def test_an_answer_that_repeats_no_request_id_answers_whatever_is_asked() -> None:
    assert is_answer(response(""), RegisterReport(request_id="7", ven_id="ven"))
    assert is_answer(response(""), RequestReregistration(ven_id="ven"))


@pytest.mark.decision(2)
def test_a_created_event_has_no_request_id_so_its_answer_repeats_none() -> None:
    request = CreatedEvent(response=EiResponse(request_id=""), ven_id="ven")
    assert is_answer(response(""), request)
    assert not is_answer(response("7"), request)


@pytest.mark.decision(47, 53)
def test_a_pushed_list_and_a_response_that_is_posted_are_answered_by_nothing() -> None:
    pushed = DistributeEvent(response=EiResponse(request_id="7"), request_id="7", vtn_id="VTN")
    for request, answer in product((pushed, response("7")), (response("7"), response(""), pushed)):
        assert not expects_answer(request)
        assert not is_answer(answer, request)


def test_a_list_of_events_answers_the_one_who_has_asked_for_it_and_is_a_request_else() -> None:
    request = RequestEvent(request_id="7", ven_id="ven")
    answer = DistributeEvent(response=EiResponse(request_id="7"), request_id="7", vtn_id="VTN")
    pushed = DistributeEvent(response=EiResponse(request_id="9"), request_id="9", vtn_id="VTN")
    assert is_answer(answer, request)
    assert not is_answer(pushed, request)
    assert may_ask(Role.VTN, pushed)


@given(payloads(), payloads())
def test_whatever_is_said_nobody_answers_what_answers_nothing(message: Payload, other: Payload) -> None:
    assert not is_answer(message, Response(response=EiResponse()))
    if is_answer(message, other):
        assert expects_answer(other)
    assert service_of(message) in Service


@pytest.mark.parametrize("role", list(Role))
def test_a_plain_response_is_a_request_of_nobody(role: Role) -> None:
    assert not may_ask(role, response("7"))


def test_each_side_asks_what_is_its_own_to_ask() -> None:
    query = QueryRegistration(request_id="1")
    assert may_ask(Role.VEN, query)
    assert not may_ask(Role.VTN, query)
    again = RequestReregistration(ven_id="ven")
    assert may_ask(Role.VTN, again)
    assert not may_ask(Role.VEN, again)
    registered = created("ven", "registration")
    assert not may_ask(Role.VTN, registered)
    assert service_of(registered) is Service.EI_REGISTER_PARTY

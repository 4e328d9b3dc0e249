"""What handlers may return, what it means, and what they are told where it means nothing."""

import random
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    CancelReport,
    CreatedPartyRegistration,
    CreateReport,
    DistributeEvent,
    EiResponse,
    EventDecision,
    EventResponse,
    KnownVen,
    LocalProtocolError,
    OptType,
    PollDecision,
    Profile,
    ProfileName,
    RegistrationDecision,
    RequestReregistration,
    Response,
    Transport,
    TransportName,
    to_dict,
)
from oadr_core.decisions import (
    application_events,
    event_decision,
    known_ven,
    nothing,
    poll_decision,
    query_answer,
    registration_decision,
    report_requests,
    verdict,
)
from tests.core.kit import NOON, event, request

IN, OUT = EventDecision(opt_type=OptType.OPT_IN), EventDecision(opt_type=OptType.OPT_OUT)
CHANCE = random.Random(0)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from(["opt_type", "response_code", "ven_id", "registration_id", "x"]), inner)
    ),
    max_leaves=5,
)

# --- on_event --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("optIn", IN),
        ("optOut", OUT),
        ("optin", IN),
        ("OPT_OUT", OUT),
        ("opt_in", IN),
        (OptType.OPT_OUT, OUT),
        (True, IN),
        (False, OUT),
        (OUT, OUT),
        ({"opt_type": "optIn"}, IN),
        ({"opt_type": OptType.OPT_OUT, "response_code": 469}, EventDecision(opt_type=OptType.OPT_OUT, code=469)),
        (
            {"opt_type": "optOut", "response_code": 460, "response_description": "no such signal"},
            EventDecision(opt_type=OptType.OPT_OUT, code=460, description="no such signal"),
        ),
        (("optOut", 469), EventDecision(opt_type=OptType.OPT_OUT, code=469)),
        (["optIn", 200, 7], EventDecision(opt_type=OptType.OPT_IN, description="7")),
        (
            EventResponse(
                response_code=451,
                response_description="not now",
                request_id="list",
                event_id="event",
                modification_number=0,
                opt_type=OptType.OPT_OUT,
            ),
            EventDecision(opt_type=OptType.OPT_OUT, code=451, description="not now"),
        ),
    ],
)
def test_a_decision_about_an_event(value: object, expected: EventDecision) -> None:
    assert event_decision(value) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NoneType 'None', where 'optIn', 'optOut', (opt, code, text) or a dict with 'opt_type' is expected"),
        (("optIn", 460), "the response code 460 is that of an error, which goes with 'optOut' (rule 48)"),
        (EventDecision(opt_type=OptType.OPT_IN, code=500), "the response code 500 is that of an error"),
        (("optOut",), "tuple"),
        (("optOut", "460"), "the response code is '460'"),
        (("maybe", 460), "the opt type is str 'maybe'"),
        (1, "int '1', where"),
        ("maybe", "the opt type is str 'maybe', where 'optIn' or 'optOut' is expected"),
        ("", "the opt type is str ''"),
        ({}, "the opt type is NoneType"),
        ({"opt_type": 1}, "the opt type is int"),
        ({"opt_type": "optIn", "response_code": "200"}, "the response code is '200'; it must be a number of three"),
        ({"opt_type": "optIn", "response_code": True}, "the response code is True"),
        ({"opt_type": "optIn", "response_code": 99}, "the response code is 99"),
        ({"opt_type": "optIn", "response_code": 1000}, "the response code is 1000"),
    ],
)
def test_what_is_no_decision_about_an_event(value: object, text: str) -> None:
    with pytest.raises(LocalProtocolError) as error:
        event_decision(value)
    assert text in str(error.value)


# --- on_create_party_registration ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (("ven", "registration"), RegistrationDecision(ven_id="ven", registration_id="registration")),
        (["ven", "registration"], RegistrationDecision(ven_id="ven", registration_id="registration")),
        ("registration", RegistrationDecision(registration_id="registration")),
        (True, RegistrationDecision()),
        (False, RegistrationDecision(accepted=False)),
        (None, RegistrationDecision(accepted=False)),
        ((None, None), RegistrationDecision(accepted=False)),
        (("ven", None), RegistrationDecision(accepted=False)),
        (RegistrationDecision(code=452), RegistrationDecision(code=452)),
    ],
)
def test_a_decision_about_a_registration(value: object, expected: RegistrationDecision) -> None:
    assert registration_decision(value) == expected


@pytest.mark.parametrize(
    "value", ["", 1, ("ven",), ("ven", 1), (1, "registration"), ("a", "b", "c"), {"ven_id": "ven"}]
)
def test_what_is_no_decision_about_a_registration(value: object) -> None:
    with pytest.raises(LocalProtocolError, match=r"where \(ven_id, registration_id\), a registration id, True"):
        registration_decision(value)


PRESENT, NEXT = "00:11:22:33:44:55:66:77:88:99", "AB:5E:12:00:C4:98:31:7F:0D:66"


def test_the_next_certificate_of_a_ven_is_spelled_as_all_fingerprints_are() -> None:
    decision = RegistrationDecision(successor=NEXT.lower().replace(":", ""))
    assert registration_decision(decision) == RegistrationDecision(successor=NEXT)
    with pytest.raises(LocalProtocolError, match="'AA' is no fingerprint"):
        registration_decision(RegistrationDecision(successor="AA"))


# --- ven_lookup ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (KnownVen(ven_id="a", registration_id="b"), KnownVen(ven_id="a", registration_id="b")),
        ({"ven_id": "a", "registration_id": "b"}, KnownVen(ven_id="a", registration_id="b")),
        (
            {"ven_id": "a", "registration_id": "b", "ven_name": "name", "fingerprint": NEXT, "more": 1},
            KnownVen(ven_id="a", registration_id="b", ven_name="name", fingerprint=NEXT),
        ),
        (
            {"ven_id": "a", "registration_id": "b", "fingerprint": [PRESENT.lower(), NEXT.replace(":", "")]},
            KnownVen(ven_id="a", registration_id="b", fingerprint=(PRESENT.lower(), NEXT.replace(":", ""))),
        ),
        ({"ven_id": "a", "registration_id": "b", "ven_name": None}, KnownVen(ven_id="a", registration_id="b")),
        ({"ven_id": "a", "registration_id": None}, None),
        ({"ven_id": "a"}, None),
    ],
)
def test_a_ven_that_was_looked_up(value: object, expected: KnownVen | None) -> None:
    assert known_ven(value) == expected


def test_a_ven_that_was_looked_up_shows_one_of_its_certificates() -> None:
    known = known_ven({"ven_id": "a", "registration_id": "b", "fingerprint": [PRESENT.lower(), NEXT.replace(":", "")]})
    assert known is not None
    assert known.fingerprints == (PRESENT, NEXT)
    assert [known.is_shown(one) for one in (PRESENT, NEXT, None, "AA")] == [True, True, False, False]
    assert KnownVen(ven_id="a").is_shown(None)


@pytest.mark.parametrize(
    "value",
    [
        *("ven", True, {"registration_id": "b"}, {"ven_id": 1, "registration_id": "b"}),
        {"ven_id": "a", "registration_id": "b", "fingerprint": "AA"},
        KnownVen(ven_id="a", registration_id="b", fingerprint=(NEXT, "AA")),
    ],
)
def test_what_is_no_ven(value: object) -> None:
    with pytest.raises((LocalProtocolError, msgspec.ValidationError)):
        known_ven(value)


# --- on_query_registration -------------------------------------------------------------------------------------------

USUAL = CreatedPartyRegistration(
    response=EiResponse(request_id="1"),
    vtn_id="Grid",
    profiles=(
        Profile(profile_name=ProfileName.V20B, transports=(Transport(transport_name=TransportName.SIMPLE_HTTP),)),
    ),
)


def test_the_answer_to_a_query_can_be_changed_but_for_what_the_protocol_fixes() -> None:
    assert query_answer(None, USUAL) == USUAL
    assert query_answer({"ven_id": "mine"}, USUAL) == msgspec.structs.replace(USUAL, ven_id="mine")
    other = msgspec.structs.replace(USUAL, response=EiResponse(request_id="2"), vtn_id="Other", ven_id="mine")
    for form in (other, to_dict(other)):
        assert query_answer(form, USUAL) == msgspec.structs.replace(USUAL, ven_id="mine")


@pytest.mark.parametrize("value", ["text", 1, Response(response=EiResponse()), {"no_such_key": 1}, {"profiles": 1}])
def test_what_is_no_answer_to_a_query(value: object) -> None:
    with pytest.raises(LocalProtocolError):
        query_answer(value, USUAL)


# --- on_poll and on_request_event ------------------------------------------------------------------------------------

CREATE = CreateReport(request_id="1", report_requests=(request(),), ven_id="ven")
CANCEL = CancelReport(request_id="1", report_request_id=("a",), ven_id="ven")
DICT = {
    "event_descriptor": {"event_id": "event", "market_context": "http://market.example"},
    "active_period": {"dtstart": NOON},
    "event_signals": [
        {
            "signal_name": "SIMPLE",
            "signal_type": "level",
            "intervals": [{"duration": event().active_period.duration, "signal_payload": 1.0}],
        }
    ],
}


def read_poll(value: object) -> PollDecision:
    return poll_decision(CHANCE, NOON)(value)


@pytest.mark.parametrize(
    ("value", "messages", "events"),
    [
        (None, (), 0),
        ([], (), 0),
        (CREATE, (CREATE,), 0),
        (to_dict(CREATE), (CREATE,), 0),
        ([CREATE, to_dict(CANCEL)], (CREATE, CANCEL), 0),
        ((RequestReregistration(ven_id="ven"),), (RequestReregistration(ven_id="ven"),), 0),
        (event(), (), 1),
        (DICT, (), 1),
        ([CREATE, event("a"), DICT], (CREATE,), 2),
        (DistributeEvent(request_id="1", vtn_id="Grid", events=(event("a"), event("b"))), (), 2),
        (Response(response=EiResponse()), (), 0),
        (to_dict(Response(response=EiResponse())), (), 0),
    ],
)
def test_what_there_is_for_a_ven_that_polls(value: object, messages: tuple[object, ...], events: int) -> None:
    decision = read_poll(value)
    assert decision.messages == messages
    assert len(decision.events) == events


@pytest.mark.parametrize(
    "value", [1, "text", ("oadrCreateReport", 1), ("no such message", {}), USUAL, [CREATE, USUAL], {"event_id": "a"}]
)
def test_what_no_ven_can_be_handed(value: object) -> None:
    with pytest.raises((LocalProtocolError, ValueError, TypeError)):
        read_poll(value)


def test_events_that_a_handler_returns_must_be_known_again() -> None:
    (found,) = application_events(DICT, CHANCE, NOON)
    assert found.event_descriptor.event_id == "event"
    assert application_events(None, CHANCE, NOON) == ()
    for missing in ("event_descriptor", "active_period"):
        less = {key: value for key, value in DICT.items() if key != missing}
        with pytest.raises(LocalProtocolError, match="needs an event_id and a dtstart to be known again"):
            application_events([less], CHANCE, NOON)


def test_the_first_interval_may_say_when_an_event_begins() -> None:
    interval = {"dtstart": NOON, "duration": event().active_period.duration, "signal_payload": 1.0}
    signal = {"signal_name": "SIMPLE", "signal_type": "level", "intervals": [interval]}
    (found,) = application_events({"event_descriptor": {"event_id": "event"}, "event_signals": [signal]}, CHANCE, NOON)
    assert found.active_period.dtstart == NOON


def test_an_event_that_breaks_a_rule_is_not_taken() -> None:
    short = msgspec.structs.replace(
        event(),
        active_period=msgspec.structs.replace(event().active_period, duration=event().active_period.duration * 2),
    )
    with pytest.raises(LocalProtocolError):
        application_events([short], CHANCE, NOON)


# --- reports ---------------------------------------------------------------------------------------------------------


def test_the_reports_that_are_wanted() -> None:
    assert report_requests(None) == ()
    assert report_requests([request("a"), request("b")]) == (request("a"), request("b"))


@pytest.mark.parametrize("value", [request(), "text", [1], [request(), None], {}])
def test_what_is_no_list_of_requests(value: object) -> None:
    with pytest.raises(LocalProtocolError, match="where a list of report requests is expected"):
        report_requests(value)


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (None, 200, None),
        (True, 200, None),
        (EiResponse(response_code=469), 469, None),
        (454, 454, None),
        ((500, "full"), 500, "full"),
        ([452, None], 452, None),
        ((200, 5), 200, "5"),
    ],
)
def test_whether_something_was_taken(value: object, code: int, text: str | None) -> None:
    found = verdict(value)
    assert (found.response_code, found.response_description) == (code, text)


@pytest.mark.parametrize("value", [False, "no", 99, 1000, 2.0, (True, "x"), ("x", 1), (1, 2, 3), {}])
def test_what_is_no_verdict(value: object) -> None:
    with pytest.raises(LocalProtocolError, match=r"where nothing, a response code or \(code, text\) is expected"):
        verdict(value)


# --- all of them -----------------------------------------------------------------------------------------------------

READERS: dict[str, Any] = {
    "on_event": event_decision,
    "on_create_party_registration": registration_decision,
    "ven_lookup": known_ven,
    "on_query_registration": lambda value: query_answer(value, USUAL),
    "on_poll": read_poll,
    "on_request_event": lambda value: application_events(value, CHANCE, NOON),
    "on_register_report": report_requests,
    "on_update_report": verdict,
    "nothing": nothing,
}


@pytest.mark.parametrize("name", READERS)
@given(value=anything)
def test_whatever_a_handler_returns_is_read_or_refused(name: str, value: object) -> None:
    """A core takes these errors for an answer that cannot be used; any other would come out of it."""
    with suppress(LocalProtocolError, ValueError, TypeError, msgspec.ValidationError):
        READERS[name](value)

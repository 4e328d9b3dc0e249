"""Traces: lines that are written and read, and exchanges that are sorted by whom they are with."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oadr_core.messages import EiResponse, Payload, QueryRegistration
from oadr_core.rules import RecordedExchange, Role, check_trace
from oadr_core.rules.trace import Dialogue, dialogues
from oadr_core.testing import strategies
from oadr_core.wire.envelope import encode
from tests.dialogue.traces import (
    LOST,
    NOTHING,
    POLL,
    asks,
    event,
    exchange,
    of_ven,
    offered,
    polled,
    pushed,
    registered,
    requested,
    when,
)
from tests.rules.samples import PUSH, REGISTERED, but

# --- lines -----------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
TIMES = st.datetimes(timezones=st.just(UTC))


@st.composite
def recorded(draw: st.DrawFn) -> RecordedExchange:
    """Any exchange, of documents and of texts that are none."""
    documents = st.one_of(strategies.payloads().map(lambda message: encode(message).decode()), TEXTS)
    return RecordedExchange(
        time=draw(TIMES),
        requester=draw(st.sampled_from(Role)),
        transport=draw(st.sampled_from(("simpleHttp", "xmpp"))),
        peer=draw(TEXTS),
        service=draw(st.none() | TEXTS),
        request=draw(documents),
        answer=draw(st.none() | documents),
        failure=draw(st.none() | TEXTS),
    )


@given(recorded())
def test_an_exchange_that_is_written_is_read_as_it_was(one: RecordedExchange) -> None:
    line = one.dump()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert RecordedExchange.load(line) == one


@settings(max_examples=50)
@given(st.lists(recorded(), max_size=5))
def test_any_trace_can_be_judged(trace: list[RecordedExchange]) -> None:
    report = check_trace(trace)
    assert len(report.exchanges) == len(trace)
    for finding in report.findings:
        assert finding.place.startswith("[")


@given(st.binary() | st.builds(lambda value: json.dumps(value).encode(), st.recursive(TEXTS | st.none(), st.lists)))
def test_what_is_no_exchange_is_refused_with_a_reason(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        RecordedExchange.load(line)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"time": "2026-11-20T11:00:00"}, "timezone"),
        ({"time": "yesterday"}, "RFC3339"),
        ({"time": None}, r"\$\.time"),
        ({"requester": "VNT"}, "VNT"),
        ({"transport": 1}, r"\$\.transport"),
        ({"request": None}, r"\$\.request"),
        ({"answer": {}}, r"\$\.answer"),
        ({"failure": []}, r"\$\.failure"),
    ],
    ids=str,
)
def test_a_line_with_a_wrong_value_is_refused_with_its_place(change: dict[str, Any], reason: str) -> None:
    line = json.loads(asks(0, POLL, NOTHING).dump()) | change
    with pytest.raises(ValueError, match=reason):
        RecordedExchange.load(json.dumps(line).encode())


def test_a_line_that_is_nested_deeply_is_refused() -> None:
    line = b'{"more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(ValueError, match="nested too deeply"):
        RecordedExchange.load(line)


def test_a_line_may_hold_what_a_later_version_writes() -> None:
    line = json.loads(asks(0, POLL, NOTHING).dump()) | {"later": {"a": [1]}}
    assert RecordedExchange.load(json.dumps(line).encode()) == asks(0, POLL, NOTHING)


@pytest.mark.parametrize("time", [datetime.min, datetime.max], ids=["the first", "the last"])
def test_a_trace_may_lie_at_the_ends_of_time(time: datetime) -> None:
    trace = [
        msgspec.structs.replace(one, time=time.replace(tzinfo=UTC))
        for one in (registered(0), offered(1), requested(2, event()), polled(3, event()), polled(4))
    ]
    assert {one.rule for one in check_trace(trace).findings} <= {"R50"}


def test_a_document_that_has_no_bytes_is_refused_and_not_raised() -> None:
    (found,) = check_trace([asks(0, "\ud800", LOST)]).findings
    assert found.rule == "schema"


# --- documents within a trace ----------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_document_is_found_at_its_place() -> None:
    trace = [asks(0, POLL, NOTHING), asks(1, but(POLL, schema_version=None), NOTHING), asks(2, POLL, "<no/>")]
    assert [(one.rule, one.place) for one in check_trace(trace).findings] == [
        ("R509", "[1].request.schema_version"),
        ("schema", "[2].answer"),
    ]


def test_a_document_that_the_schema_refuses_is_read_all_the_same() -> None:
    text = encode(POLL).decode().replace("</oadr:oadrPoll>", "<x/></oadr:oadrPoll>")
    report = check_trace([asks(0, text, NOTHING)])
    assert [str(one) for one in report.findings] == [
        "[0].request: oadrPoll: unknown element x; the schema refuses this (schema)"
    ]
    assert report.exchanges[0].request == POLL
    assert not report.exchanges[0].unreadable


def test_an_exchange_says_what_came_back() -> None:
    trace = [
        asks(0, POLL, NOTHING),
        asks(1, POLL, "empty"),
        asks(2, POLL, LOST),
        asks(3, POLL, "<no/>"),
        asks(4, "", LOST),
    ]
    found = check_trace(trace).exchanges
    assert [one.answer for one in found] == [NOTHING, None, None, None, None]
    assert [one.lost for one in found] == [False, False, True, False, True]
    assert [one.unreadable for one in found] == [False, False, False, True, True]


# --- sorting ---------------------------------------------------------------------------------------------------------


def sorted_out(*trace: RecordedExchange) -> list[tuple[list[int], bool]]:
    """The numbers of the exchanges of each dialogue, and whether it is whole."""
    found: list[Dialogue] = list(dialogues(check_trace(trace).exchanges))
    return [([number for number, _ in one.exchanges], one.whole) for one in found]


def test_exchanges_are_sorted_by_ven() -> None:
    assert sorted_out(polled(0), *of_ven("ven-2", [polled(1)]), polled(2)) == [([0, 2], True), ([1], True)]


def test_a_ven_may_be_named_in_the_answer_alone() -> None:
    assert sorted_out(registered(0), polled(1)) == [([0, 1], True)]


def test_a_push_that_names_no_ven_is_with_the_ven_of_its_peer() -> None:
    trace = (polled(0), *of_ven("ven-2", [polled(1)]), pushed(2), *of_ven("ven-2", [pushed(3)]))
    assert sorted_out(*trace) == [([0, 2], True), ([1, 3], True)]


def test_a_push_that_names_no_ven_is_with_the_ven_that_has_registered_the_address() -> None:
    push = asks(0, but(PUSH, transport_address="https://VEN.example/oadr/"), but(REGISTERED, response__request_id="1"))
    trace = (push, pushed(1, peer="https://ven.example/oadr"), *of_ven("ven-2", [polled(2)]))
    assert sorted_out(*trace) == [([0, 1], True), ([2], True)]


def test_a_push_to_somebody_else_is_a_dialogue_of_its_own() -> None:
    trace = (polled(0), pushed(1, peer="https://other.example"), pushed(2, peer="https://other.example/"))
    assert sorted_out(*trace) == [([0], False), ([1, 2], False)]


def test_a_push_that_may_be_with_several_vens_is_left_out() -> None:
    trace = [msgspec.structs.replace(one, peer="") for one in (polled(0), *of_ven("ven-2", [polled(1)]), pushed(2))]
    assert sorted_out(*trace) == [([0], False), ([1], False)]


def test_a_trace_without_peers_is_that_of_its_only_ven() -> None:
    trace = [msgspec.structs.replace(one, peer="") for one in (polled(0), pushed(1), polled(2))]
    assert sorted_out(*trace) == [([0, 1, 2], True)]


def test_a_query_names_no_ven_and_makes_nothing_uncertain() -> None:
    query = exchange(
        Role.VEN,
        0,
        QueryRegistration(request_id="1"),
        but(REGISTERED, response=EiResponse(request_id="1"), registration_id=None, ven_id=None),
        peer="10.0.0.1",
    )
    assert sorted_out(query, polled(1)) == [([0], True), ([1], True)]


def test_a_registration_begins_a_dialogue_and_what_cannot_be_read_may_have_been_one() -> None:
    trace = (polled(0), registered(1), polled(2), asks(3, "<no/>", LOST), polled(4))
    assert sorted_out(*trace) == [([0], True), ([1, 2], True), ([3], True), ([4], True)]


@settings(max_examples=50)
@given(st.lists(strategies.payloads(), max_size=8))
def test_every_exchange_is_in_one_dialogue_at_most(messages: list[Payload]) -> None:
    trace = [asks(minute, message, LOST, time=when(minute)) for minute, message in enumerate(messages)]
    numbers = [number for members, _ in sorted_out(*trace) for number in members]
    assert len(numbers) == len(set(numbers))

"""One event for very many VENs: made once, written once, and answered by each after one poll (rules 41 and 115)."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from oadr_core import (
    AnswerState,
    Audience,
    CreatedEvent,
    DistributeEvent,
    EiResponse,
    EventResponse,
    LocalProtocolError,
    OptType,
    Output,
    Peer,
    PlainSealer,
    Poll,
    Reply,
    Response,
    Save,
    Target,
    VenRecord,
    Vtn,
    VtnConfig,
    check,
    decode,
    encode,
)
from oadr_core.testing import ManualClock
from tests.core.desk import Desk
from tests.core.kit import HOUR, NOON, asked, drained, event, one

MANY = 10_000


class Counting(dict[str, VenRecord]):
    """Records of VENs, and how often anybody looked at them."""

    looks = 0

    def __getitem__(self, key: str) -> VenRecord:
        self.looks += 1
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.looks += 1
        return super().get(key, default)

    def __iter__(self) -> Iterator[str]:
        self.looks += len(self)
        return super().__iter__()

    def values(self) -> Any:
        self.looks += len(self)
        return super().values()

    def items(self) -> Any:
        self.looks += len(self)
        return super().items()


def many(count: int) -> Vtn:
    records = [VenRecord(ven_id=f"ven {number}", registration_id="r") for number in range(count)]
    saved = {record.key: record.dump() for record in records}
    vtn = Vtn(VtnConfig(vtn_id="Grid"), sealer=PlainSealer(), entropy=random.Random(0), saved=saved)
    vtn.start(ManualClock(NOON).now)
    return vtn


def answer_to(handed: DistributeEvent, ven_id: str) -> CreatedEvent:
    responses = tuple(
        EventResponse(
            request_id=handed.request_id,
            event_id=listed.event_descriptor.event_id,
            modification_number=listed.event_descriptor.modification_number,
            opt_type=OptType.OPT_IN,
        )
        for listed in handed.events
    )
    return CreatedEvent(response=EiResponse(request_id=""), event_responses=responses, ven_id=ven_id)


def reply_to(vtn: Vtn, message: Any, now: Any) -> tuple[bytes, list[Output]]:
    vtn.receive_request(encode(message), peer=Peer(), service=None, now=now)
    outputs = drained(vtn, now)
    return one(Reply, outputs).render(now), outputs


def test_ten_thousand_vens_have_an_event_and_have_answered_it_after_one_poll_each() -> None:
    vtn, clock = many(MANY), ManualClock(NOON)
    records = Counting(vtn._records)
    vtn._records = records
    vtn.add_event(event(), Audience(everyone=True), clock.now)
    made = drained(vtn, clock.now)
    assert records.looks == 0, "making an event looks at no VEN"
    assert [type(output) for output in made] == [Save]
    documents: dict[int, bytes] = {}
    for number in range(MANY):
        if number == MANY // 2:
            clock.advance_to(clock.now.mono + 1.0)
        ven_id = f"ven {number}"
        body, _ = reply_to(vtn, Poll(ven_id=ven_id), clock.now)
        if id(body) not in documents:
            documents[id(body)] = body
            handed = decode(body)
            assert isinstance(handed, DistributeEvent)
        taken, outputs = reply_to(vtn, answer_to(handed, ven_id), clock.now)
        assert [output.key for output in outputs if isinstance(output, Save)] == [f"ven/{ven_id}"]
    assert decode(taken) == Response(
        response=EiResponse(response_code=200, response_description="OK", request_id=""), ven_id=ven_id
    )
    assert len(documents) == vtn.lists_made == 2, "one for each second, however many VENs"
    answers = vtn.answers("event", clock.now)
    assert len(answers) == MANY
    assert {(one.state, one.opt_type, one.times) for one in answers} == {(AnswerState.ANSWERED, OptType.OPT_IN, 1)}


def test_changing_and_cancelling_look_at_no_ven_either() -> None:
    vtn, clock = many(100), ManualClock(NOON)
    for audience in (Audience(everyone=True), Audience(group_ids=("east",)), Audience(ven_ids=("ven 1", "ven 2"))):
        event_id = str(audience)
        vtn._records = records = Counting(vtn._records)
        vtn.add_event(event(event_id), audience, clock.now)
        vtn.modify_event(event(event_id, value=2.0), clock.now)
        vtn.modify_event(event(event_id, value=3.0), clock.now, Audience(party_ids=("acme",)))
        vtn.cancel_event(event_id, clock.now)
        drained(vtn, clock.now)
        assert records.looks == 0


# --- what is the same for many ---------------------------------------------------------------------------------------


def handed_to(desk: Desk, ven_id: str) -> DistributeEvent:
    found = one(Reply, asked(desk.vtn, Poll(ven_id=ven_id), desk.now)).message
    assert isinstance(found, DistributeEvent)
    return found


@pytest.mark.rule(41, 115)
def test_the_same_list_in_the_same_second_is_the_same_document() -> None:
    desk = Desk("one", "two", "three", "four")
    desk.vtn.add_event(event(), Audience(everyone=True), desk.now)
    first = handed_to(desk, "one")
    desk.clock.advance_to(desk.now.mono + 0.9)
    assert handed_to(desk, "two") is first
    assert check(first) == []
    desk.clock.advance_to(desk.now.mono + 0.1)
    later = handed_to(desk, "three")
    assert later is not first
    assert later.events[0].event_descriptor.created_date_time == NOON + timedelta(seconds=1)
    desk.vtn.modify_event(event(value=2.0), desk.now)
    changed = handed_to(desk, "four")
    assert changed.events[0].event_descriptor.modification_number == 1


@pytest.mark.rule(63)
def test_a_target_that_names_vens_makes_a_document_for_each() -> None:
    desk = Desk("one", "two")
    desk.vtn.add_event(event(target=Target(ven_id=("one", "two"))), None, desk.now)
    assert [handed_to(desk, ven_id).events[0].target for ven_id in ("one", "two")] == [
        Target(ven_id=("one",)),
        Target(ven_id=("two",)),
    ]


@pytest.mark.rule(40, 27)
def test_lists_that_differ_in_anything_are_different_documents() -> None:
    desk = Desk("one", "two")
    for name in ("a", "b"):
        desk.vtn.add_event(event(name), Audience(everyone=True), desk.now)
    desk.vtn.add_event(event("c"), ["two"], desk.now)
    lists = [[one.event_descriptor.event_id for one in handed_to(desk, ven_id).events] for ven_id in ("one", "two")]
    assert lists == [["a", "b"], ["a", "b", "c"]]


def test_an_event_that_takes_a_forgotten_ones_id_is_not_mistaken_for_it() -> None:
    desk = Desk("one", "two")
    desk.vtn.add_event(event(), Audience(everyone=True), desk.now)
    handed_to(desk, "one")
    desk.vtn._forget_event("event")
    desk.vtn.add_event(event(value=3.0), Audience(everyone=True), desk.now)
    assert handed_to(desk, "two").events[0].event_signals[0].intervals[0].signal_value == 3.0


def test_what_is_kept_of_documents_has_a_bound() -> None:
    desk = Desk("one")
    desk.vtn.add_event(event(begin=HOUR, length=HOUR), Audience(everyone=True), desk.now)
    for _ in range(100):
        desk.list_of("one")
        desk.clock.advance_to(desk.now.mono + 1.0)
    assert desk.vtn.lists_made == 100
    assert len(desk.vtn._documents._kept) <= 32


def test_a_list_is_written_once_and_what_is_kept_of_that_has_a_bound() -> None:
    sealer, now = PlainSealer(), ManualClock(NOON).now
    lists = [DistributeEvent(request_id=str(number), vtn_id="Grid", events=(event(),)) for number in range(50)]
    for message in lists:
        assert sealer.seal(message, now) is sealer.seal(message, now)
        assert sealer.seal(message, now) == encode(message)
    assert len(sealer._written) <= 16
    assert sealer.seal(lists[0], now) == encode(lists[0])
    alike = DistributeEvent(request_id="49", vtn_id="Grid", events=(event(value=2.0),))
    assert sealer.seal(alike, now) == encode(alike)


def test_what_cannot_be_written_is_kept_by_nobody() -> None:
    sealer, now = PlainSealer(), ManualClock(NOON).now
    broken = DistributeEvent(request_id=None, vtn_id="Grid")  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError):
        sealer.seal(broken, now)
    assert len(sealer._written) == 0

"""Whom events are for: audiences and enrolments, by the word of the operator alone (rules 22, 61, 70 and 512)."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oadr_core import (
    Audience,
    Call,
    DistributeEvent,
    Enrolment,
    EventRecord,
    EventsOverlap,
    Failure,
    LocalProtocolError,
    OptType,
    Output,
    PlainSealer,
    RegisterReport,
    RequestEvent,
    ResponseRequired,
    Save,
    Target,
    Transmit,
    VenRecord,
    Vtn,
)
from oadr_core.machines.event import EventAtVtn
from oadr_core.messages.uris import same_uri
from oadr_core.vtn.event_lists import TELLINGS
from tests.core.desk import Desk
from tests.core.kit import HOUR, MINUTE, NOON, asked, event, offer, one

EAST = "http://east.example/program"


# --- who gets an event -----------------------------------------------------------------------------------------------

ENROLMENTS = {
    "one": Enrolment(group_ids=("east",), resource_ids=("boiler",)),
    "two": Enrolment(group_ids=("west",), party_ids=("acme",)),
    "three": Enrolment(market_contexts=("HTTP://East.Example/program",)),
}


@pytest.mark.rule(22, 512)
@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        (Audience(ven_ids=("one", "three")), {"one", "three"}),
        (Audience(group_ids=("east",)), {"one"}),
        (Audience(resource_ids=("boiler",)), {"one"}),
        (Audience(party_ids=("acme",)), {"two"}),
        (Audience(market_contexts=("http://east.example:/program",)), set()),
        (Audience(market_contexts=(EAST,)), {"three"}),
        (Audience(group_ids=("west",), resource_ids=("boiler",)), {"one", "two"}),
        (Audience(everyone=True), {"one", "two", "three", "four"}),
        (Audience(group_ids=("nobody's",)), set()),
        (["two"], {"two"}),
        ("two", {"two"}),
        ({"group_ids": ["east", "west"]}, {"one", "two"}),
    ],
    ids=lambda one: str(sorted(one) if isinstance(one, set) else one),
)
def test_an_event_reaches_those_who_meet_any_criterion(audience: Any, expected: set[str]) -> None:
    desk = Desk("one", "two", "three", "four")
    for ven_id, enrolment in ENROLMENTS.items():
        desk.vtn.enrol(ven_id, enrolment, desk.now)
    desk.vtn.add_event(event(), audience, desk.now)
    desk.outputs()
    for _ in range(2):
        assert {ven_id for ven_id in desk.vtn.vens if desk.list_of(ven_id)} == expected
        assert set(desk.vtn.vens_of("event")) == expected
        assert {ven_id for ven_id in desk.vtn.vens if desk.vtn.is_for(ven_id, "event")} == expected
        desk.restart()


@pytest.mark.rule(22)
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target(ven_id=("two",)), {"two"}),
        (Target(group_id=("east",)), {"one"}),
        (Target(resource_id=("boiler",), party_id=("acme",)), {"one", "two"}),
    ],
)
def test_where_no_audience_is_given_it_is_whom_the_target_names(target: Target, expected: set[str]) -> None:
    desk = Desk("one", "two", "three")
    for ven_id, enrolment in ENROLMENTS.items():
        desk.vtn.enrol(ven_id, enrolment, desk.now)
    desk.vtn.add_event(event(target=target), None, desk.now)
    assert {ven_id for ven_id in desk.vtn.vens if desk.list_of(ven_id)} == expected


@pytest.mark.parametrize("audience", [None, [], Audience(), {}, Audience(everyone=False)], ids=str)
@pytest.mark.parametrize("target", [Target(), Target(pnode=("node",))], ids=["no target", "a pnode"])
def test_an_event_for_nobody_is_refused(audience: Any, target: Target) -> None:
    desk = Desk("one")
    with pytest.raises(LocalProtocolError, match=r"for no VEN.*its audience has to name VENs, groups"):
        desk.vtn.add_event(event(target=target), audience, desk.now)
    assert desk.outputs() == []
    assert desk.vtn.events == {}


@pytest.mark.parametrize(
    ("audience", "text"),
    [
        (Audience(group_ids="east"), r"group_ids is 'east'; it is a list of texts, such as \['east'\]"),  # type: ignore[arg-type]
        (Audience(group_ids=("east", " ")), "group_ids holds ' '"),
        (Audience(ven_ids=(7,)), "ven_ids holds 7"),  # type: ignore[arg-type]
        ({"groups": ["east"]}, r"unknown field `groups`; it has ven_ids, group_ids"),
        ({"group_ids": "east"}, r"Expected `array`, got `str` - at `\$.group_ids`"),
        ([""], "ven_ids holds ''"),
        (7, "the audience is 7; it is an audience, a dict of one, or the ids of VENs"),
    ],
)
def test_what_is_no_audience_is_refused_with_what_would_be_one(audience: Any, text: str) -> None:
    desk = Desk("one")
    with pytest.raises(LocalProtocolError, match=text):
        desk.vtn.add_event(event(), audience, desk.now)


def test_what_is_no_enrolment_is_refused() -> None:
    desk = Desk("one")
    with pytest.raises(LocalProtocolError, match="party_ids is 'acme'"):
        desk.vtn.enrol("one", Enrolment(party_ids="acme"), desk.now)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="needs a venID"):
        desk.vtn.enrol("", Enrolment(), desk.now)
    assert desk.vtn.enrolments == {}


def test_a_ven_does_not_come_to_an_event_by_what_it_says_of_itself() -> None:
    desk = Desk("one", "two")
    desk.vtn.enrol("one", Enrolment(resource_ids=("boiler",)), desk.now)
    desk.vtn.add_event(event(target=Target(resource_id=("boiler",))), None, desk.now)
    record = VenRecord(ven_id="liar", registration_id="r", ven_name="boiler")
    desk.saved[record.key] = record.dump()
    desk.outputs()
    desk.restart()
    desk.ask(RegisterReport(request_id="r", reports=(offer(),), ven_id="liar"))
    assert desk.list_of("liar") == set()
    assert desk.list_of("one") == {"event"}


def test_a_ven_that_registers_gets_what_is_for_everyone_and_what_is_for_it() -> None:
    desk = Desk()
    desk.vtn.add_event(event("all"), Audience(everyone=True), desk.now)
    desk.vtn.add_event(event("its"), ["late"], desk.now)
    desk.vtn.enrol("late", Enrolment(group_ids=("east",)), desk.now)
    desk.vtn.add_event(event("group"), Audience(group_ids=("east",)), desk.now)
    desk.outputs()
    record = VenRecord(ven_id="late", registration_id="r")
    desk.saved[record.key] = record.dump()
    desk.restart()
    handed = desk.given("late")
    assert {one.event_descriptor.event_id for one in handed.events} == {"all", "its", "group"}


def test_a_report_only_ven_has_no_events() -> None:
    desk = Desk()
    record = VenRecord(ven_id="meter", registration_id="r", report_only=True)
    desk.saved[record.key] = record.dump()
    desk.restart()
    desk.vtn.add_event(event(), Audience(everyone=True), desk.now)
    assert desk.polled("meter") is None
    assert desk.list_of("meter") == set()


# --- coming and going ------------------------------------------------------------------------------------------------


@pytest.mark.rule(61)
def test_a_ven_that_comes_to_a_group_gets_its_events_and_one_that_leaves_is_handed_a_list_without_them() -> None:
    desk = Desk("one", "two")
    desk.vtn.add_event(event(), Audience(group_ids=("east",)), desk.now)
    assert desk.polled("one") is None
    desk.vtn.enrol("one", Enrolment(group_ids=("east",)), desk.now)
    handed = desk.given("one")
    assert len(handed.events) == 1
    desk.answer("one", handed)
    assert desk.polled("one") is None
    desk.vtn.enrol("one", Enrolment(group_ids=("west",)), desk.now)
    desk.outputs()
    for _ in range(TELLINGS):
        without = desk.given("one")
        assert without.events == (), "an implied cancel; one list may be lost"
    assert desk.polled("one") is None
    assert desk.standing("one").state is EventAtVtn.LEFT
    assert desk.polled("two") is None, "who never had it sees nothing of it"


@pytest.mark.rule(61, 56)
def test_a_ven_that_comes_back_is_told_again_although_the_event_has_not_changed() -> None:
    desk = Desk("one")
    east = Enrolment(group_ids=("east",))
    desk.vtn.add_event(event(), Audience(group_ids=("east",)), desk.now)
    desk.vtn.enrol("one", east, desk.now)
    handed = desk.given("one")
    desk.answer("one", handed)
    desk.vtn.enrol("one", Enrolment(), desk.now)
    assert desk.polled("one") is not None
    desk.vtn.enrol("one", east, desk.now)
    again = desk.given("one")
    assert len(again.events) == 1
    assert desk.standing("one").opt_type is None, "what it said before it left is void"
    desk.answer("one", again, OptType.OPT_OUT)
    assert (desk.standing("one").state, desk.standing("one").opt_type) == (EventAtVtn.SETTLED, OptType.OPT_OUT)


def test_an_answer_that_crosses_with_the_ven_leaving_is_no_error_and_does_not_count() -> None:
    desk = Desk("one")
    desk.vtn.enrol("one", Enrolment(group_ids=("east",)), desk.now)
    desk.vtn.add_event(event(), Audience(group_ids=("east",)), desk.now)
    handed = desk.given("one")
    desk.vtn.enrol("one", Enrolment(), desk.now)
    assert desk.answer("one", handed).response.ok
    assert desk.standing("one").opt_type is None
    without = desk.given("one")
    assert without.events == ()


def test_who_was_never_told_is_not_told_that_it_is_over() -> None:
    desk = Desk("one")
    desk.vtn.enrol("one", Enrolment(group_ids=("east",)), desk.now)
    desk.vtn.add_event(event(), Audience(group_ids=("east",)), desk.now)
    desk.vtn.enrol("one", Enrolment(), desk.now)
    assert desk.polled("one") is None


def test_nobody_is_told_of_leaving_an_event_that_is_over() -> None:
    desk = Desk("one")
    desk.vtn.enrol("one", Enrolment(group_ids=("east",)), desk.now)
    desk.vtn.add_event(event(begin=MINUTE, length=MINUTE), Audience(group_ids=("east",)), desk.now)
    handed = desk.given("one")
    desk.answer("one", handed)
    desk.wait(MINUTE * 3)
    desk.vtn.enrol("one", Enrolment(), desk.now)
    assert desk.polled("one") is None


@pytest.mark.rule(61)
def test_an_event_may_be_given_another_audience() -> None:
    desk = Desk("one", "two", "three")
    desk.vtn.add_event(event(), ["one", "two"], desk.now)
    for ven_id in ("one", "two"):
        handed = desk.given(ven_id)
        desk.answer(ven_id, handed)
    desk.vtn.modify_event(event(value=2.0), desk.now, Audience(ven_ids=("two", "three")))
    desk.outputs()
    desk.restart()
    left, kept, new = (desk.given(ven_id) for ven_id in ("one", "two", "three"))
    assert left.events == ()
    assert kept.events[0].event_descriptor.modification_number == 1
    assert new.events[0].event_descriptor.modification_number == 1
    with pytest.raises(LocalProtocolError, match="for no VEN"):
        desk.vtn.modify_event(event(value=3.0), desk.now, [])


def test_what_a_ven_belongs_to_outlives_its_registration_and_a_restart() -> None:
    desk = Desk("one")
    desk.vtn.enrol("one", ENROLMENTS["one"], desk.now)
    desk.outputs()
    del desk.saved["ven/one"]
    desk.restart()
    assert desk.vtn.vens == {}
    assert msgspec.structs.replace(desk.vtn.enrolments["one"], version=0) == ENROLMENTS["one"]
    desk.vtn.enrol("one", Enrolment(), desk.now)
    desk.outputs()
    assert desk.saved == {}, "who belongs to nothing takes no room"


# --- push ------------------------------------------------------------------------------------------------------------


def pushed(outputs: list[Output]) -> dict[str, DistributeEvent]:
    found = {}
    for output in outputs:
        if isinstance(output, Transmit) and isinstance(output.message, DistributeEvent):
            found[output.to.base] = output.message
    return found


@pytest.mark.rule(38, 61)
def test_push_vens_are_handed_what_changes_for_them_at_once() -> None:
    desk = Desk("one", "two", "polls", pushed=["one", "two"])
    desk.vtn.enrol("one", Enrolment(group_ids=("east",)), desk.now)
    desk.outputs()
    desk.vtn.add_event(event(), Audience(group_ids=("east",)), desk.now)
    outputs = desk.outputs()
    assert set(pushed(outputs)) == {"https://one.example/"}
    desk.vtn.receive_response(one(Transmit, outputs).exchange, b"", now=desk.now)
    assert pushed(desk.outputs()) == {}
    desk.vtn.enrol("one", Enrolment(), desk.now)
    outputs = desk.outputs()
    assert [message.events for message in pushed(outputs).values()] == [()]
    desk.vtn.receive_response(one(Transmit, outputs).exchange, b"", now=desk.now)
    assert pushed(desk.outputs()) == {}, "a push that was answered has arrived"
    desk.vtn.modify_event(event(value=2.0), desk.now, Audience(everyone=True))
    assert set(pushed(desk.outputs())) == {"https://one.example/", "https://two.example/"}


def test_a_pushed_list_without_an_event_is_pushed_again_where_it_did_not_arrive() -> None:
    desk = Desk("one", pushed=["one"])
    desk.vtn.add_event(event(required=ResponseRequired.NEVER), ["one"], desk.now)
    sent = one(Transmit, desk.outputs())
    desk.vtn.receive_response(sent.exchange, b"", now=desk.now)
    assert pushed(desk.outputs()) == {}, "nothing answers it, but it has arrived"
    desk.vtn.modify_event(event(required=ResponseRequired.NEVER), desk.now, ["another"])
    for _ in range(3):
        sent = one(Transmit, desk.outputs())
        assert isinstance(sent.message, DistributeEvent)
        assert sent.message.events == ()
        desk.vtn.exchange_failed(sent.exchange, Failure.SILENCE, now=desk.now)
        desk.outputs()
        due = desk.vtn.next_timeout()
        assert due is not None
        desk.clock.advance_to(due.at)
        desk.vtn.handle_timeout(desk.now)


# --- one event for many ----------------------------------------------------------------------------------------------


def test_making_an_event_touches_no_ven() -> None:
    desk = Desk(*(f"ven {number}" for number in range(50)))
    before = dict(desk.vtn.vens)
    desk.vtn.add_event(event(), Audience(everyone=True), desk.now)
    desk.vtn.modify_event(event(value=2.0), desk.now)
    desk.vtn.cancel_event("event", desk.now)
    keys = [output.key for output in desk.outputs() if isinstance(output, Save)]
    assert keys == ["event/event"] * 3
    assert all(desk.vtn.vens[ven_id] is record for ven_id, record in before.items())


def test_vens_share_no_state_through_an_event() -> None:
    desk = Desk("one", "two")
    desk.vtn.add_event(event(), Audience(everyone=True), desk.now)
    handed = desk.given("one")
    desk.answer("one", handed, OptType.OPT_OUT)
    assert desk.vtn.vens["two"].standings == ()
    other = desk.given("two")
    desk.answer("two", other)
    assert [desk.standing(ven_id).opt_type for ven_id in ("one", "two")] == [OptType.OPT_OUT, OptType.OPT_IN]


def test_an_event_of_before_there_were_audiences_is_still_for_its_vens() -> None:
    made = EventRecord(event=event(), created_at=NOON, changed_at=NOON)
    former = msgspec.json.decode(made.dump())
    former["ven_ids"] = ["one", "two"]
    loaded = EventRecord.load(msgspec.json.encode(former))
    assert loaded.audience == Audience(ven_ids=("one", "two"))
    assert EventRecord.load(loaded.dump()) == msgspec.structs.replace(loaded, version=1)


# --- events that handlers return -------------------------------------------------------------------------------------


class Returning(Desk):
    """A VTN whose application returns an event for whoever polls."""

    def restart(self) -> None:
        self.vtn = Vtn(
            self.config, sealer=PlainSealer(), entropy=random.Random(0), saved=self.saved, asks=["on_request_event"]
        )
        self.vtn.start(self.now)

    def list_of(self, ven_id: str) -> set[str]:
        call = one(Call, asked(self.vtn, RequestEvent(request_id="r", ven_id=ven_id), self.now))
        self.vtn.call_returned(call.call, [event(length=HOUR)], now=self.now)
        self.last = self.outputs()
        answer = next(output.message for output in self.last if hasattr(output, "inbound"))
        return {one.event_descriptor.event_id for one in answer.events}


def test_an_event_that_handlers_return_for_many_vens_is_saved_once_and_each_ven_by_itself() -> None:
    desk = Returning("one", "two", "three", "four")
    saved = []
    for ven_id in ("one", "two", "three", "one"):
        assert desk.list_of(ven_id) == {"event"}
        saved.append([output.key for output in desk.last if isinstance(output, Save)])
    assert saved == [["event/event", "handed/one"], ["handed/two"], ["handed/three"], []]
    desk.restart()
    assert desk.vtn.vens_of("event") == ["one", "two", "three"]
    assert not desk.vtn.is_for("four", "event"), "nobody returned it for that one"


@pytest.mark.rule(18)
def test_an_event_that_a_handler_returns_is_told_to_overlap_others_of_that_ven_alone() -> None:
    desk = Returning("one", "two")
    desk.vtn.add_event(event("another"), ["two"], desk.now)
    desk.list_of("one")
    assert [output for output in desk.last if isinstance(output, EventsOverlap)] == []
    for expected in ([EventsOverlap(event_id="event", others=("another",))], []):
        desk.list_of("two")
        assert [output for output in desk.last if isinstance(output, EventsOverlap)] == expected


def test_what_handlers_returned_is_forgotten_with_the_event() -> None:
    desk = Returning("one", event_retention=MINUTE)
    desk.list_of("one")
    desk.wait(HOUR * 3)
    assert desk.vtn.events == {}
    assert [key for key in desk.saved if not key.startswith("ven/")] == []


# --- a model ---------------------------------------------------------------------------------------------------------

few = st.lists(st.sampled_from("abc"), max_size=2).map(tuple)
contexts = st.lists(st.sampled_from([EAST, "HTTP://EAST.example/program", "urn:west"]), max_size=1).map(tuple)
enrolments = st.builds(Enrolment, group_ids=few, resource_ids=few, party_ids=few, market_contexts=contexts)
vens = st.sampled_from(["ven a", "ven b", "ven c"])
audiences = st.builds(
    Audience,
    ven_ids=st.lists(vens, max_size=2).map(tuple),
    group_ids=few,
    resource_ids=few,
    party_ids=few,
    market_contexts=contexts,
    everyone=st.sampled_from([False, False, False, True]),
).filter(bool)
steps = st.one_of(
    st.tuples(st.just("enrol"), vens, enrolments),
    st.tuples(st.just("add"), st.sampled_from(["x", "y", "z"]), audiences),
    st.tuples(st.just("change"), st.sampled_from(["x", "y", "z"]), audiences),
)


def meets(ven_id: str, enrolment: Enrolment, audience: Audience) -> bool:
    """The same in the words of rule 22."""
    pairs = [
        (audience.group_ids, enrolment.group_ids),
        (audience.resource_ids, enrolment.resource_ids),
        (audience.party_ids, enrolment.party_ids),
    ]
    return (
        audience.everyone
        or ven_id in audience.ven_ids
        or any(value in theirs for wanted, theirs in pairs for value in wanted)
        or any(same_uri(one, other) for one in audience.market_contexts for other in enrolment.market_contexts)
    )


@settings(max_examples=60)
@given(st.lists(steps, max_size=12))
def test_lists_are_what_a_look_at_every_ven_and_every_event_gives(taken: list[Any]) -> None:
    desk = Desk("ven a", "ven b", "ven c")
    said: dict[str, Enrolment] = {}
    wanted: dict[str, Audience] = {}
    for what, which, given_ in taken:
        if what == "enrol":
            desk.vtn.enrol(which, given_, desk.now)
            said[which] = given_
        elif which not in wanted:
            desk.vtn.add_event(event(which), given_, desk.now)
            wanted[which] = given_
        elif what == "change":
            desk.vtn.modify_event(event(which), desk.now, given_)
            wanted[which] = given_
    desk.outputs()
    for _ in range(2):
        for ven_id in desk.vtn.vens:
            expected = {key for key, one in wanted.items() if meets(ven_id, said.get(ven_id, Enrolment()), one)}
            assert desk.list_of(ven_id) == expected
            assert {key for key in wanted if desk.vtn.is_for(ven_id, key)} == expected
            assert {key for key in wanted if ven_id in desk.vtn.vens_of(key)} == expected
        desk.restart()

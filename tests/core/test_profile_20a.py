"""Profile 2.0a at both ends: VENs of either profile beside each other at one VTN, and a VEN with an old VTN."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oadr_core import (
    AnswerState,
    Audience,
    Call,
    CreatedEvent,
    DistributeEvent,
    EiEvent,
    EiResponse,
    EventBaseline,
    EventSignal,
    EventStatus,
    EventWithheld,
    Failure,
    LocalProtocolError,
    OptReceived,
    OptType,
    OtherProfileFound,
    Payload,
    Peer,
    PeerMisbehaved,
    PlainSealer,
    Poll,
    ProfileName,
    Reply,
    RequestEvent,
    Response,
    ResponseRequired,
    Service,
    SignalType,
    Startup,
    Target,
    Transmit,
    VenOffline,
    VenOnline,
    VenPolicy,
    Vtn,
    decode,
    encode,
    signal_interval,
)
from oadr_core.answers import response_in
from oadr_core.testing import Flight
from oadr_core.wire.dialects import PROFILE_A
from oadr_core.wire.verify import problems
from tests.core.desk import Desk
from tests.core.kit import HOUR, MINUTE, NONE, Grid, asked, create_opt, drained, event, offer, one, request
from tests.core.test_registration import create

A, B = ProfileName.V20A, ProfileName.V20B


def old(grid: Grid, name: str = "old", *, pull: bool = True, **config: Any) -> Grid:
    """Make a VEN of 2.0a known to the VTN, and add it to the grid."""
    grid.vtn.vtn.add_ven(name, grid.now, ven_name=name, address=None if pull else name)
    grid.add_ven(name, profile=A, ven_id=name, pull=pull, **config)
    grid.drain()
    return grid


def make(grid: Grid, made: EiEvent, *ven_ids: str) -> None:
    grid.vtn.vtn.add_event(made, ven_ids or tuple(grid.hosts), grid.now)
    grid.drain()


def ask(grid: Grid, message: Payload, *, profile: ProfileName = A, identity: str | None = None) -> Reply:
    """Put a request to the VTN at the endpoint of a profile, written in that profile."""
    core = grid.vtn
    body = encode(message, profile=profile)
    core.receive_request(body, peer=Peer(identity=identity), service=Service.EI_EVENT, now=grid.now, profile=profile)
    return one(Reply, drained(core, grid.now))


def wish(ven_id: str = "old") -> RequestEvent:
    return RequestEvent(request_id="ask", ven_id=ven_id)


def rich() -> EiEvent:
    """An event with everything in it that 2.0a does not know."""
    made = event(ramp_up=MINUTE, startafter=MINUTE, priority=2)
    price = EventSignal(
        intervals=(signal_interval(0, HOUR, 0.2),),
        signal_name="ELECTRICITY_PRICE",
        signal_type=SignalType.PRICE_MULTIPLIER,
        signal_id="1",
    )
    level = msgspec.structs.replace(made.event_signals[0], target=Target(end_device_asset=("Thermostat",)))
    descriptor = msgspec.structs.replace(
        made.event_descriptor, modification_reason="weather", test_event="yes", vtn_comment="hot"
    )
    baseline = EventBaseline(
        dtstart=made.active_period.dtstart,
        duration=HOUR,
        intervals=(signal_interval(0, HOUR, 5.0),),
        baseline_id="b",
        baseline_name="usual",
    )
    return msgspec.structs.replace(
        made,
        event_descriptor=descriptor,
        event_signals=(price, level),
        event_baseline=baseline,
        target=Target(group_name=("north",), group_id=("g",), meter_asset=("m",), resource_id=("r",), ven_id=("x",)),
    )


# --- what a VEN of 2.0a is given -------------------------------------------------------------------------------------


@pytest.mark.rule(7)
@pytest.mark.rule(113)
@pytest.mark.rule(506)
def test_vens_of_both_profiles_get_the_same_event_each_in_its_own_form() -> None:
    grid = old(Grid())
    grid.add_ven("new")
    grid.run(60)
    grid.log.clear()
    new = grid.ven_id("new")
    grid.vtn.vtn.add_event(rich(), ("old", new), grid.now)
    grid.run(30)

    given = {said.events[0].target.ven_id: said.events[0] for said in grid.messages(DistributeEvent) if said.events}
    in_20a, in_20b = given["old",], given[new,]
    assert [signal.signal_name for signal in in_20b.event_signals] == ["ELECTRICITY_PRICE", "SIMPLE"]
    assert in_20b.event_baseline is not None
    assert in_20b.target.group_name == ("north",)

    (level,) = in_20a.event_signals
    assert (level.signal_name, level.current_value, level.target, level.measurement) == ("SIMPLE", 0.0, None, None)
    assert level.intervals == in_20b.event_signals[1].intervals
    assert in_20a.event_baseline is None
    assert in_20a.target == Target(group_id=("g",), resource_id=("r",), ven_id=("old",))
    assert in_20a.event_descriptor == msgspec.structs.replace(
        in_20b.event_descriptor, modification_reason=None, created_date_time=in_20a.event_descriptor.created_date_time
    )
    assert in_20a.active_period == in_20b.active_period
    assert {said.ven_id: said.opt_type for said in grid.told(OptReceived)} == {"old": "optIn", new: "optIn"}


@pytest.mark.rule(9)
@pytest.mark.rule(14)
@pytest.mark.rule(29)
def test_the_present_level_follows_the_event() -> None:
    grid = old(Grid())
    made = event(begin=MINUTE, length=MINUTE * 2)
    intervals = (signal_interval(0, MINUTE, 3.0), signal_interval(1, MINUTE, 1.0))
    level = msgspec.structs.replace(made.event_signals[0], intervals=intervals)
    make(grid, msgspec.structs.replace(made, event_signals=(level,)))
    found = []
    for seconds in (30, 60, 60):
        grid.run(seconds)
        said = ask(grid, wish()).message
        assert isinstance(said, DistributeEvent)
        found.append((said.events[0].event_descriptor.event_status, said.events[0].event_signals[0].current_value))
    assert found == [(EventStatus.FAR, 0.0), (EventStatus.ACTIVE, 3.0), (EventStatus.ACTIVE, 1.0)]


@pytest.mark.rule(509)
def test_every_document_for_a_ven_of_20a_is_one_of_20a() -> None:
    grid, documents = old(Grid()), []
    grid.wire.on_reply = lambda host, flight, reply, body: documents.append((reply.message, body))
    make(grid, rich(), "old")
    grid.run(60)
    kinds = set()
    for message, body in documents:
        assert message is not None
        assert problems(message, PROFILE_A) == []
        assert decode(body, profile=A) == msgspec.structs.replace(message, schema_version="2.0a")
        assert b"schemaVersion" not in body
        kinds.add(type(message))
    assert kinds == {DistributeEvent, Response}


def without_level() -> EiEvent:
    made = event()
    price = msgspec.structs.replace(
        made.event_signals[0], signal_name="ELECTRICITY_PRICE", signal_type=SignalType.PRICE_MULTIPLIER
    )
    return msgspec.structs.replace(made, event_signals=(price,))


def with_two_levels() -> EiEvent:
    made = event()
    signals = [
        msgspec.structs.replace(made.event_signals[0], signal_id=name, target=Target(end_device_asset=(name,)))
        for name in ("Thermostat", "Pool_Pump")
    ]
    return msgspec.structs.replace(made, event_signals=tuple(signals))


@pytest.mark.rule(7)
@pytest.mark.parametrize(("made", "why"), [(without_level, "no SIMPLE signal"), (with_two_levels, "2 SIMPLE signals")])
def test_an_event_without_words_in_20a_is_withheld_and_the_operator_is_told(
    made: Callable[[], EiEvent], why: str
) -> None:
    grid = old(Grid())
    grid.add_ven("new")
    grid.run(30)
    make(grid, made(), "old", grid.ven_id("new"))
    grid.run(30)
    (told,) = grid.told(EventWithheld)
    assert (told.event_id, told.ven_ids) == ("event", ("old",))
    assert why in told.why
    assert {said.ven_id for said in grid.told(OptReceived)} == {grid.ven_id("new")}
    assert grid.ven("old").ven.state.events == ()
    stands = {one.ven_id: one.state for one in grid.vtn.vtn.answers("event", grid.now)}
    assert stands == {"old": AnswerState.WITHHELD, grid.ven_id("new"): AnswerState.ANSWERED}


@pytest.mark.rule(61)
def test_an_event_that_loses_its_level_is_over_for_a_ven_of_20a() -> None:
    cancelled: list[str] = []
    handlers = {"on_event": lambda event: "optIn", "on_update_event": lambda event: cancelled.append(event)}
    grid = old(Grid(), handlers=handlers)
    make(grid, event())
    grid.run(30)
    assert [known.event_id for known in grid.ven("old").ven.state.events] == ["event"]
    grid.vtn.vtn.modify_event(without_level(), grid.now)
    grid.run(30)
    assert grid.ven("old").ven.state.events == ()
    assert len(cancelled) == 1, "it is an implied cancel"
    assert [told.modification_number for told in grid.told(EventWithheld)] == [1]


def test_a_ven_that_comes_later_is_told_of_as_well() -> None:
    grid = Grid()
    make(grid, without_level(), "old")
    assert grid.told(EventWithheld) == []
    old(grid)
    assert [told.ven_ids for told in grid.told(EventWithheld)] == [("old",)]


class Moving(Desk):
    """A VTN whose application chooses the ids of VENs."""

    def restart(self) -> None:
        asks = ["on_create_party_registration"]
        self.vtn = Vtn(self.config, sealer=PlainSealer(), entropy=random.Random(0), saved=self.saved, asks=asks)
        self.vtn.start(self.now)


def test_a_ven_that_moves_on_to_20b_under_its_id_is_given_what_it_had_no_words_for() -> None:
    desk = Moving("other")
    desk.vtn.add_ven("old", desk.now)
    desk.vtn.add_event(without_level(), Audience(everyone=True), desk.now)
    assert one(EventWithheld, desk.outputs()).ven_ids == ("old",)
    call = one(Call, asked(desk.vtn, create(), desk.now))
    desk.vtn.call_returned(call.call, ("old", "registration"), now=desk.now)
    desk.outputs()
    assert desk.list_of("old") == {"event"}
    desk.vtn.modify_event(msgspec.structs.replace(without_level(), response_required=ResponseRequired.NEVER), desk.now)
    assert [output for output in desk.outputs() if isinstance(output, EventWithheld)] == []


# --- who is served ---------------------------------------------------------------------------------------------------


@pytest.mark.rule(517)
def test_a_ven_that_nobody_knows_is_refused_in_20a() -> None:
    grid = Grid()
    listed = ask(grid, wish("stranger"))
    assert isinstance(listed.message, DistributeEvent)
    assert listed.message.response is not None
    assert (listed.message.response.response_code, listed.message.events) == (463, ())
    assert decode(listed.render(grid.now), profile=A)

    answer = CreatedEvent(response=EiResponse(response_code=452), ven_id="stranger")
    created = ask(grid, answer)
    assert isinstance(created.message, Response)
    assert (created.message.response.response_code, created.message.ven_id) == (463, None)


def test_the_certificate_decides_who_a_ven_is() -> None:
    grid = Grid()
    grid.vtn.vtn.add_ven("old", grid.now, identity="AA")
    grid.vtn.vtn.add_ven("other", grid.now, identity="BB")
    grid.drain()

    def code(ven_id: str, identity: str | None) -> int:
        said = ask(grid, wish(ven_id), identity=identity).message
        assert isinstance(said, DistributeEvent)
        assert said.response is not None
        return said.response.response_code

    assert code("old", "AA") == 200
    assert code("other", "AA") == 452, "the id is not that of the certificate (decision D28)"
    assert code("old", "CC") == 463
    assert code("old", None) == 463


def test_each_profile_has_its_own_endpoint() -> None:
    grid = old(Grid())
    grid.add_ven("new")
    grid.run(30)
    new = grid.ven_id("new")
    for ven_id, profile in ((new, A), ("old", B)):
        said = ask(grid, wish(ven_id), profile=profile).message
        assert isinstance(said, DistributeEvent)
        assert said.response is not None
        assert said.response.response_code == 463
    for written, sent_to in ((A, B), (B, A)):
        core = grid.vtn
        body = encode(wish("old"), profile=written)
        core.receive_request(body, peer=Peer(), service=Service.EI_EVENT, now=grid.now, profile=sent_to)
        reply = one(Reply, drained(core, grid.now))
        assert (reply.message, reply.refusal) == (None, Failure.NOT_ACCEPTABLE)


def test_a_payload_that_only_a_vtn_sends_is_refused() -> None:
    grid = old(Grid())
    said = ask(grid, DistributeEvent(request_id="1", vtn_id="Grid")).message
    assert said is not None
    response = response_in(said)
    assert response is not None
    assert response.response_code == 459


@pytest.mark.parametrize("known", [True, False])
def test_the_application_may_know_a_ven_of_20a_that_the_vtn_does_not(known: bool) -> None:
    grid = Grid(vtn_handlers={"ven_lookup": lambda ven_id: {"ven_id": ven_id, "ven_name": "boiler"} if known else None})
    grid.add_ven("old", profile=A, ven_id="old")
    grid.run(5)
    assert ("old" in grid.vtn.vtn.vens) is known
    if known:
        assert (grid.vtn.vtn.vens["old"].profile, grid.vtn.vtn.vens["old"].registration_id) == (A, "")


def test_a_ven_is_known_after_a_restart_and_can_be_forgotten() -> None:
    grid = old(Grid())
    grid.wire.boot(grid.host, grid.now)
    assert grid.vtn.vtn.vens["old"].profile is A
    grid.vtn.vtn.remove_ven("old", grid.now)
    grid.drain()
    assert dict(grid.vtn.vtn.vens) == {}
    assert not any(key.startswith("ven/") for key in grid.host.saved)
    grid.run(20)
    assert any(told.code == 463 for told in grid.told(PeerMisbehaved, grid.hosts["old"]))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"ven_id": ""}, "needs an id"),
        ({"ven_id": "old"}, "there is a VEN 'old' already"),
        ({"ven_id": "x", "identity": "AA"}, "the VEN 'other' has this certificate"),
        ({"ven_id": "x", "poll_interval": NONE}, "polls at intervals of more"),
    ],
)
def test_a_ven_that_cannot_be_is_not_made_known(said: dict[str, Any], told: str) -> None:
    vtn = old(Grid()).vtn.vtn
    vtn.add_ven("other", vtn_now := Grid().now, identity="AA")
    with pytest.raises(LocalProtocolError, match=told):
        vtn.add_ven(said.pop("ven_id"), vtn_now, **said)
    assert sorted(vtn.vens) == ["old", "other"]


def test_a_ven_of_20a_is_asked_for_nothing_but_events() -> None:
    grid = old(Grid())
    vtn = grid.vtn.vtn
    for ask_for in (
        lambda: vtn.create_report("old", [request()], grid.now),
        lambda: vtn.request_reregistration("old", grid.now),
        lambda: vtn.cancel_party_registration("old", grid.now),
        lambda: vtn.offer_to("old", grid.now),
    ):
        with pytest.raises(LocalProtocolError, match="which takes events alone"):
            ask_for()
    vtn.offer_reports([], grid.now)
    assert vtn.vens["old"].queue == ()
    grid.add_ven("new")
    grid.run(10)
    with pytest.raises(LocalProtocolError, match="has registered itself"):
        vtn.remove_ven(grid.ven_id("new"), grid.now)


def test_a_ven_is_offline_when_it_has_missed_its_polls() -> None:
    grid = Grid()
    grid.vtn.vtn.add_ven("old", grid.now, poll_interval=MINUTE)
    assert not grid.vtn.vtn.vens["old"].online, "it has not shown itself yet"
    host = grid.add_ven("old", profile=A, ven_id="old", policy=VenPolicy(poll_interval=60))
    grid.run(600)
    assert len(grid.told(VenOnline)) == 1
    assert grid.told(VenOffline) == []
    host.core.stop(grid.now)  # type: ignore[attr-defined]
    grid.run(110)
    assert grid.told(VenOffline) == []
    grid.run(90)
    assert [told.ven_id for told in grid.told(VenOffline)] == ["old"]


# --- how a VEN of 2.0a behaves ---------------------------------------------------------------------------------------


def test_a_ven_of_20a_says_nothing_but_that_it_wants_its_events() -> None:
    grid = old(Grid(), policy=VenPolicy(poll_interval=20, poll_jitter=0.1))
    grid.run(600)
    assert {what for _, what in grid.said()} == {"oadrRequestEvent", "(oadrDistributeEvent)"}
    grid.run(600)
    gaps = [after - before for before, after in pairwise(grid.times(RequestEvent))]
    assert 20 <= min(gaps) <= max(gaps) <= 22.001
    assert grid.ven("old").phase is Startup.RUNNING


@pytest.mark.rule(64)
def test_a_ven_of_20a_answers_all_events_before_its_next_poll() -> None:
    grid = old(Grid(), handlers={"on_event": lambda event: "optIn"}, policy=VenPolicy(poll_interval=5))
    for number in range(3):
        make(grid, event(f"event {number}", begin=HOUR * (number + 1)))
    host = grid.hosts["old"]
    grid.clock.advance(6)
    grid.wire.wake(grid.now)
    grid.wire.settle(grid.now)
    assert len(host.calls) == 3
    grid.log.clear()
    for call in list(host.calls):
        grid.clock.advance(10)  # the next poll is due
        grid.wire.wake(grid.now)
        grid.wire.settle(grid.now)
        assert grid.times(RequestEvent) == []
        grid.wire.run(host, call, "optIn", grid.now)
    answered = {one.event_id for said in grid.messages(CreatedEvent) for one in said.event_responses or ()}
    assert answered == {"event 0", "event 1", "event 2"}
    assert {what for who, what in grid.said() if who == "old"} == {"oadrCreatedEvent"}
    grid.settle()
    later = [what for who, what in grid.said() if who == "old"]
    assert later[0] == "oadrRequestEvent", "at once, as it is overdue"


@pytest.mark.rule(64)
def test_a_poll_that_is_due_waits_for_nothing_where_no_answer_is_wanted() -> None:
    grid = old(Grid(), policy=VenPolicy(poll_interval=5))
    make(grid, event(required=ResponseRequired.NEVER))
    host = grid.hosts["old"]
    grid.clock.advance(6)
    grid.wire.wake(grid.now)
    grid.wire.settle(grid.now)
    grid.log.clear()
    grid.clock.advance(6)
    grid.wire.wake(grid.now)
    assert len(host.calls) == 1, "the application has not decided yet"
    assert [what for who, what in grid.said() if who == "old"] == ["oadrRequestEvent"]


def test_a_ven_that_polls_with_answers_outstanding_is_given_its_list_again() -> None:
    grid = old(Grid())
    grid.hosts["old"].core.stop(grid.now)  # type: ignore[attr-defined]
    make(grid, event())
    for _ in range(3):
        said = ask(grid, wish()).message
        assert isinstance(said, DistributeEvent)
        assert [one.event_descriptor.event_id for one in said.events] == ["event"]


@pytest.mark.rule(16)
@pytest.mark.rule(50)
def test_the_answers_of_a_ven_of_20a_count_like_those_of_any_other() -> None:
    opts = iter(["optIn", "optOut"])
    grid = old(Grid(), handlers={"on_event": lambda event: next(opts)})
    make(grid, event())
    grid.run(30)
    grid.vtn.vtn.modify_event(event(value=2.0), grid.now)
    grid.run(30)
    grid.vtn.vtn.cancel_event("event", grid.now)
    grid.run(30)
    told = [(one.modification_number, one.opt_type) for one in grid.told(OptReceived)]
    assert told[:2] == [(0, OptType.OPT_IN), (1, OptType.OPT_OUT)]
    assert told[2][0] == 2
    grid.log.clear()
    grid.run(30)
    assert all(not said.events for said in grid.messages(DistributeEvent)), "the cancellation was acknowledged"


@pytest.mark.rule(69)
@pytest.mark.parametrize("kind", ["level", "delta", "product", "price"])
def test_the_type_of_the_level_is_a_hint(kind: str) -> None:
    answered = answer_of_ven(signal_type=kind)
    assert [(one.response_code, one.opt_type) for one in answered.event_responses or ()] == [(200, "optIn")]


@pytest.mark.rule(7)
@pytest.mark.parametrize("name", ["simple", "SIMPLE"])
def test_the_level_is_known_in_either_case(name: str) -> None:
    answered = answer_of_ven(signal_name=name)
    assert [one.response_code for one in answered.event_responses or ()] == [200]


@pytest.mark.rule(48)
def test_a_signal_that_20a_does_not_know_is_refused() -> None:
    answered = answer_of_ven(signal_name="LOAD", signal_type="delta")
    assert [(one.response_code, one.opt_type) for one in answered.event_responses or ()] == [(460, "optOut")]


def answer_of_ven(**signal: str) -> CreatedEvent:
    """What a VEN of 2.0a answers to an event of another VTN."""
    ven = grid_of_one()
    made = event()
    level = msgspec.structs.replace(made.event_signals[0], current_value=0.0, **signal)
    reply_to(
        ven,
        DistributeEvent(request_id="1", vtn_id="Old", events=(msgspec.structs.replace(made, event_signals=(level,)),)),
    )
    ven.settle()
    (answer,) = ven.messages(CreatedEvent)
    return answer


def grid_of_one(**config: Any) -> Grid:
    """A VEN of 2.0a with a request on its way."""
    grid = Grid()
    grid.add_ven("old", profile=A, ven_id="old", **config)
    return grid


def reply_to(grid: Grid, answer: Payload, profile: ProfileName = A) -> Flight:
    """Answer the request that is on its way, by hand."""
    (flight,) = grid.wire.flights
    flight.answered, flight.answer = True, encode(answer, profile=profile)
    grid.wire.answer(flight, grid.now)
    return flight


@pytest.mark.rule(21)
@pytest.mark.parametrize(("agreed", "code"), [("", 200), ("Old", 200), ("Older", 452)])
def test_the_vtn_may_be_agreed_beforehand(agreed: str, code: int) -> None:
    grid = grid_of_one(vtn_id=agreed)
    made = event()
    level = msgspec.structs.replace(made.event_signals[0], current_value=0.0)
    made = msgspec.structs.replace(made, event_signals=(level,))
    reply_to(grid, DistributeEvent(request_id="1", vtn_id="Old", events=(made,)))
    grid.settle()
    (answer,) = grid.messages(CreatedEvent)
    assert answer.response.response_code == code


def test_what_20a_does_not_have_is_said_to_be_missing() -> None:
    grid = old(Grid())
    grid.run(5)
    ven = grid.ven("old")
    for ask_for in (
        lambda: ven.create_opt(create_opt(), grid.now),
        lambda: ven.cancel_opt("opt", grid.now),
        lambda: ven.offer(offer(), {"load": len}, grid.now),
        lambda: ven.cancel_party_registration(grid.now),
        lambda: ven.ven.query_registration(grid.now),
        lambda: ven.ven.create_party_registration(grid.now),
        lambda: ven.ven.register_report([], grid.now),
        lambda: ven.ven.send(Poll(ven_id="old"), grid.now),
    ):
        with pytest.raises(LocalProtocolError, match=r"OpenADR 2\.0a, which this VEN speaks, has no"):
            ask_for()
    grid.run(60)
    assert {what for who, what in grid.said() if who == "old"} == {"oadrRequestEvent"}


@pytest.mark.parametrize("config", [{}, {"ven_id": "old", "report_only": True}, {"ven_id": "old", "transport": "xmpp"}])
def test_a_ven_of_20a_that_cannot_be_is_not_made(config: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError, match=r"2\.0a"):
        Grid().add_ven("old", profile=A, **config)


@pytest.mark.rule(517)
def test_a_ven_that_is_refused_keeps_its_events_and_goes_on_asking() -> None:
    grid = old(Grid())
    make(grid, event())
    grid.run(30)
    grid.vtn.vtn.remove_ven("old", grid.now)
    grid.run(60)
    assert [known.event_id for known in grid.ven("old").ven.state.events] == ["event"], "a refusal is no empty list"
    grid.vtn.vtn.add_ven("old", grid.now)
    grid.log.clear()
    grid.run(30)
    assert any(said.events for said in grid.messages(DistributeEvent))


def test_events_outlive_a_restart_of_the_ven() -> None:
    asked: list[str] = []
    grid = old(Grid(), handlers={"on_event": lambda event: asked.append(event) or "optIn"})
    make(grid, event(begin=MINUTE))
    grid.run(80)
    host = grid.hosts["old"]
    grid.wire.boot(host, grid.now)
    grid.run(30)
    assert len(asked) == 1
    assert [known.opt_type for known in grid.ven("old").ven.state.events] == ["optIn"]


# --- push ------------------------------------------------------------------------------------------------------------


def test_a_push_ven_of_20a_is_handed_its_events() -> None:
    grid, sent = Grid(), []
    shown = grid.wire.on_transmit

    def see(flight: Flight, transmit: Transmit) -> None:
        sent.append((transmit.to.base, transmit.to.profile, transmit.service))
        assert shown is not None
        shown(flight, transmit)

    grid.wire.on_transmit = see
    old(grid, pull=False)
    grid.run(5)
    sent.clear()
    grid.log.clear()
    make(grid, rich(), "old")
    grid.run(5)
    assert sent[0] == ("old", A, Service.EI_EVENT)
    (given,) = (said for said in grid.messages(DistributeEvent) if said.response is None)
    assert problems(given, PROFILE_A) == []
    assert [said.opt_type for said in grid.told(OptReceived)] == ["optIn"]
    grid.vtn.vtn.modify_event(without_level(), grid.now)
    grid.run(5)
    assert grid.ven("old").ven.state.events == (), "it is pushed a list without the event"


# --- a VTN that turns out to be an old one ---------------------------------------------------------------------------


def first_answer_in_20a(grid: Grid) -> None:
    reply_to(grid, Response(response=EiResponse(response_code=459)))


@pytest.mark.rule(506)
@pytest.mark.parametrize("query_first", [True, False])
def test_a_ven_is_told_that_its_vtn_speaks_20a_alone(query_first: bool) -> None:
    grid = Grid()
    host = grid.add_ven("new", ven_id="new", policy=VenPolicy(query_first=query_first))
    first_answer_in_20a(grid)
    if query_first:
        first_answer_in_20a(grid)
    assert grid.told(OtherProfileFound, host)[-1] == OtherProfileFound(profile="2.0a", falling_back=False)
    assert grid.ven("new").phase is Startup.WAITING
    grid.run(70)
    assert grid.ven("new").phase is Startup.RUNNING, "it tries again, and by now the VTN speaks 2.0b"


@pytest.mark.rule(506)
@pytest.mark.parametrize("query_first", [True, False])
def test_a_ven_falls_back_to_20a_where_it_may(query_first: bool) -> None:
    grid = Grid()
    grid.vtn.vtn.add_ven("new", grid.now)
    make(grid, event(), "new")
    policy = VenPolicy(query_first=query_first)
    host = grid.add_ven("new", ven_id="new", fall_back=True, policy=policy, offers={"load": lambda: 1.0})
    first_answer_in_20a(grid)
    grid.log.clear()
    grid.run(60)
    assert grid.told(OtherProfileFound, host) == [OtherProfileFound(profile="2.0a", falling_back=True)]
    assert (grid.ven("new").phase, grid.ven("new").ven.profile) == (Startup.RUNNING, A)
    assert {what for who, what in grid.said() if who == "new"} == {"oadrRequestEvent", "oadrCreatedEvent"}
    assert [said.opt_type for said in grid.told(OptReceived)] == ["optIn"]


def test_falling_back_needs_an_id() -> None:
    with pytest.raises(LocalProtocolError, match="fall_back needs a ven_id"):
        Grid().add_ven("new", fall_back=True)


def test_a_stray_document_of_20a_later_is_an_answer_that_cannot_be_read() -> None:
    grid = Grid()
    host = grid.add_ven("new", ven_id="new", fall_back=True)
    grid.run(5)
    grid.clock.advance(12)
    grid.wire.wake(grid.now)
    first_answer_in_20a(grid)
    assert grid.told(OtherProfileFound, host) == []
    grid.run(30)
    assert grid.ven("new").ven.profile is B


# --- losses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["request", "answer"])
@pytest.mark.parametrize("kind", ["oadrRequestEvent", "oadrCreatedEvent"])
@pytest.mark.parametrize("told", [True, False])
def test_what_is_lost_on_the_way_is_made_up_for(lost: str, kind: str, told: bool) -> None:
    grid = old(Grid())
    grid.run(15)
    make(grid, event())
    number = 0
    while not (grid.wire.flights and kind.encode() in grid.wire.flights[0].body):
        grid.clock.advance(1)
        grid.wire.wake(grid.now)
        if grid.wire.flights and kind.encode() not in grid.wire.flights[0].body:
            grid.wire.settle(grid.now)
            for call in list(grid.hosts["old"].calls):
                grid.wire.run(grid.hosts["old"], call, "optIn", grid.now)
        number += 1
        assert number < 60
    (flight,) = grid.wire.flights
    if lost == "answer":
        grid.wire.deliver(flight, grid.now)
    grid.wire.lose(flight, grid.now, told=told)
    grid.run(120)
    assert [(said.event_id, said.opt_type) for said in grid.told(OptReceived)] == [("event", "optIn")]
    assert [known.opt_type for known in grid.ven("old").ven.state.events] == ["optIn"]


def test_a_cancellation_that_is_lost_is_told_again() -> None:
    grid = old(Grid())
    make(grid, event())
    grid.run(30)
    grid.run_without(grid.host, 30)
    grid.vtn.vtn.cancel_event("event", grid.now)
    grid.run(120)
    assert grid.ven("old").ven.state.events == ()
    grid.log.clear()
    grid.run(30)
    assert all(not said.events for said in grid.messages(DistributeEvent))


STEPS = ("make", "modify", "spoil", "cancel", "wait", "lose", "lose silently", "arrive", "repeat", "answer", "decide")
RESTARTS = ("restart of the VEN", "restart of the VTN")


@given(steps=st.lists(st.sampled_from((*STEPS, *RESTARTS)), min_size=5, max_size=40))
@settings(max_examples=40)
def test_both_ends_agree_in_the_end_whatever_is_lost_on_the_way(steps: list[str]) -> None:
    grid = old(Grid(), policy=VenPolicy(poll_interval=5))
    for number, step in enumerate(steps):
        take(grid, step, number)
    grid.run(300)
    vtn, ven = grid.vtn.vtn, grid.ven("old").ven
    alive = {
        name: record
        for name, record in vtn.events.items()
        if len(record.event.event_signals) == 1 and record.event.event_descriptor.event_status != "cancelled"
    }
    assert {known.event_id: known.event.event_descriptor.modification_number for known in ven.state.events} == {
        name: record.modification_number for name, record in alive.items()
    }
    answered = {one.event_id: (one.modification_number, one.opt_type) for one in vtn.vens["old"].standings}
    for known in ven.state.events:
        number = known.event.event_descriptor.modification_number
        assert answered[known.event_id] == (number, known.opt_type) == (number, "optIn")


def take(grid: Grid, step: str, number: int) -> None:
    """Have something happen at the wire between a VTN and its VEN of 2.0a."""
    vtn, host = grid.vtn.vtn, grid.hosts["old"]
    live = [one for one in vtn.events.values() if one.event.event_descriptor.event_status != "cancelled"]
    flights = grid.wire.flights
    if step == "make":
        vtn.add_event(event(f"event {number}", begin=HOUR), ("old",), grid.now)
    elif step == "modify" and live:
        vtn.modify_event(event(live[0].event_id, begin=HOUR, value=float(number % 4)), grid.now)
    elif step == "spoil" and live:
        levels = with_two_levels()
        named = msgspec.structs.replace(levels.event_descriptor, event_id=live[0].event_id)
        vtn.modify_event(msgspec.structs.replace(levels, event_descriptor=named), grid.now)
    elif step == "cancel" and live:
        vtn.cancel_event(live[-1].event_id, grid.now)
    elif step == "wait":
        grid.clock.advance(6)
        grid.wire.wake(grid.now)
    elif step in ("lose", "lose silently") and flights:
        grid.wire.lose(flights[0], grid.now, told=step == "lose")
    elif step == "arrive" and flights:
        grid.wire.deliver(flights[0], grid.now)
    elif step == "repeat" and flights:
        grid.wire.deliver(flights[0].copy(), grid.now)
    elif step == "answer" and flights and flights[0].answered:
        grid.wire.answer(flights[0], grid.now)
    elif step == "decide" and host.calls:
        grid.wire.run(host, host.calls[0], "optIn", grid.now)
    elif step in RESTARTS:
        grid.wire.boot(host if step.endswith("VEN") else grid.host, grid.now)
    grid.wire.drain(grid.host, grid.now)

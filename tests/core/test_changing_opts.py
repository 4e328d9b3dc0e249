"""Later changes of an answer to an event: by a further oadrCreatedEvent, or by an oadrCreateOpt, which goes before."""

from datetime import timedelta

import pytest

from oadr_core import (
    Call,
    CreatedEvent,
    DistributeEvent,
    EiEvent,
    EventDecided,
    EventDecision,
    EventProceeds,
    EventStatus,
    Failure,
    LocalProtocolError,
    OptReceived,
    OptType,
    ResponseRequired,
    Target,
    VenState,
    Why,
    availability,
)
from oadr_core.machines.event import EventAtVtn
from oadr_core.testing import Host
from tests.core.kit import HOUR, MINUTE, NOON, Grid, create_opt, event
from tests.core.test_events import add, both, grid_with_ven, stands

IN, OUT = OptType.OPT_IN, OptType.OPT_OUT


def own(grid: Grid, event_id: str = "event") -> OptType | None:
    """What the VEN itself holds to."""
    (found,) = (one.opt_type for one in grid.ven().events(grid.now) if one.event_id == event_id)
    return found


def change(grid: Grid, opt_type: OptType, event_id: str = "event", description: str | None = None) -> None:
    grid.ven().change_opt(event_id, EventDecision(opt_type=opt_type, description=description), grid.now)
    grid.drain()


def told(grid: Grid, host: Host) -> list[tuple[EventStatus, int | None]]:
    """What the application was told to do."""
    return [(one.status, one.interval) for one in grid.told(EventProceeds, host)]


# --- by oadrCreatedEvent ---------------------------------------------------------------------------------------------


@both
@pytest.mark.rule(16, 17, 42)
def test_an_application_may_change_its_mind(pull: bool) -> None:
    grid = grid_with_ven(pull=pull)
    add(grid)
    (listed,) = grid.messages(DistributeEvent)
    for opt_type in (OUT, IN):
        grid.log.clear()
        change(grid, opt_type, description="as the owner wishes")
        (message,) = grid.messages(CreatedEvent)
        assert message.response.request_id == ""
        assert message.event_responses is not None
        (answer,) = message.event_responses
        assert (answer.request_id, answer.response_code) == (listed.request_id, 200), "rule 42"
        assert answer.response_description == "as the owner wishes"
        assert (answer.event_id, answer.modification_number, answer.opt_type) == ("event", 0, opt_type)
        assert stands(grid) == (EventAtVtn.SETTLED, opt_type, 200)
        assert own(grid) is opt_type
    assert [one.opt_type for one in grid.told(OptReceived)] == [IN, OUT, IN]
    assert [one.opt_type for one in grid.told(EventDecided, grid.hosts["ven"])] == [IN, OUT, IN]


def test_the_same_answer_again_is_not_sent() -> None:
    grid = grid_with_ven()
    add(grid)
    grid.log.clear()
    change(grid, IN)
    assert grid.messages(CreatedEvent) == []


def test_one_that_leaves_a_running_event_is_told_to_end_and_to_begin_when_it_comes_back() -> None:
    grid = grid_with_ven()
    host = grid.hosts["ven"]
    add(grid, event(begin=MINUTE * 2))
    grid.run(180)
    change(grid, OUT)
    change(grid, IN)
    assert told(grid, host) == [(EventStatus.ACTIVE, 0), (EventStatus.CANCELLED, None), (EventStatus.ACTIVE, 0)]


def test_an_event_that_was_over_for_the_ven_is_not_told_to_end_once_more_whatever_is_decided_then() -> None:
    grid = grid_with_ven()
    host = grid.hosts["ven"]
    add(grid, event(begin=MINUTE * 2, length=MINUTE, startafter=MINUTE * 30))
    while len(told(grid, host)) < 2:
        grid.run(30)
    change(grid, OUT)
    change(grid, IN)
    assert [status for status, _ in told(grid, host)] == [EventStatus.ACTIVE, EventStatus.COMPLETED]


@pytest.mark.parametrize(
    ("event_id", "opt_type", "why"),
    [
        ("unknown", IN, "there is no event 'unknown'"),
        ("silent", OUT, "must not be answered"),
        ("over", OUT, "is over"),
        ("foreign", IN, "cannot be carried out: the event is meant for others"),
    ],
)
def test_what_cannot_be_changed_is_refused_with_the_reason(event_id: str, opt_type: OptType, why: str) -> None:
    grid = grid_with_ven(group_ids=("ours",))
    add(grid, event("silent", required=ResponseRequired.NEVER, begin=HOUR))
    add(grid, event("over", begin=MINUTE, length=MINUTE))
    add(grid, event("foreign", target=Target(group_id=("theirs",)), begin=HOUR))
    grid.run(300)
    grid.log.clear()
    before = grid.ven().ven.state
    with pytest.raises(LocalProtocolError, match=why):
        grid.ven().change_opt(event_id, EventDecision(opt_type=opt_type), grid.now)
    assert grid.ven().ven.state == before
    grid.drain()
    assert grid.messages(CreatedEvent) == []


def test_there_is_nothing_to_change_without_a_registration() -> None:
    grid = Grid()
    grid.add_ven()
    with pytest.raises(LocalProtocolError, match="not registered"):
        grid.ven().change_opt("event", EventDecision(opt_type=OUT), grid.now)


def test_a_change_while_the_handler_decides_is_its_decision() -> None:
    grid = grid_with_ven({"on_event": lambda event: "optIn"})
    host = grid.hosts["ven"]
    grid.vtn.vtn.add_event(event(), [grid.ven_id()], grid.now)
    until_asked(grid)
    assert own(grid) is None
    grid.ven().change_opt("event", EventDecision(opt_type=OUT), grid.now)
    assert own(grid) is OUT
    grid.run(30)
    assert not host.calls, "what the handler answers later does not count"
    assert own(grid) is OUT
    assert stands(grid) == (EventAtVtn.SETTLED, OUT, 200)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_change_survives_a_vtn_that_is_away_and_a_restart(restarts: bool) -> None:
    grid = grid_with_ven()
    host = grid.hosts["ven"]
    add(grid, event(begin=HOUR * 5))
    grid.run_without(grid.host, 5)
    grid.ven().change_opt("event", EventDecision(opt_type=OUT), grid.now)
    grid.wire.drain(host, grid.now)
    grid.run_without(grid.host, 400)
    assert VenState.load(host.saved["ven"]).events[0].opt_type is OUT
    assert stands(grid) == (EventAtVtn.SETTLED, IN, 200)
    if restarts:
        grid.wire.boot(host, grid.now)
    grid.run(120)
    assert stands(grid) == (EventAtVtn.SETTLED, OUT, 200)


def test_a_change_is_not_given_up_where_the_vtn_fails_again_and_again() -> None:
    grid = grid_with_ven()
    host = grid.hosts["ven"]
    add(grid, event(begin=HOUR * 5))
    grid.ven().change_opt("event", EventDecision(opt_type=OUT), grid.now)
    failures = 0
    while failures < 20:
        grid.wire.drain(host, grid.now)
        for flight in [*grid.wire.flights]:
            grid.wire.lose(flight, grid.now, told=False)
            if b"oadrCreatedEvent" in flight.body:
                failures += 1
                host.core.exchange_failed(flight.exchange, Failure.PEER_ERROR, now=grid.now)
            else:
                host.core.exchange_failed(flight.exchange, Failure.BAD_ANSWER, now=grid.now)
        grid.clock.advance(61)
        host.core.handle_timeout(grid.now)
    grid.run(120)
    assert stands(grid) == (EventAtVtn.SETTLED, OUT, 200)


@pytest.mark.rule(405)
def test_a_change_before_the_events_are_fetched_goes_with_the_answer_to_them() -> None:
    grid = grid_with_ven()
    host = grid.hosts["ven"]
    add(grid, event(begin=HOUR * 5))
    grid.wire.boot(host, grid.now)
    grid.ven().change_opt("event", EventDecision(opt_type=OUT), grid.now)
    grid.log.clear()
    grid.run(30)
    sent = [what for who, what, _, _ in grid.log if who == "ven"]
    assert sent.index("oadrRequestEvent") < sent.index("oadrCreatedEvent")
    assert stands(grid) == (EventAtVtn.SETTLED, OUT, 200)


def until_asked(grid: Grid, calls: int = 1) -> list[Call]:
    """Let time pass until the application of the VEN is asked, and leave that open."""
    host = grid.hosts["ven"]
    while len(host.calls) < calls:
        due = grid.wire.next_timeout()
        assert due is not None
        grid.clock.advance_to(due)
        grid.wire.wake(grid.now)
        grid.wire.settle(grid.now)
    return [*host.calls]


def one_decided_and_one_not(grid: Grid) -> Call:
    """Make two events, and decide on the first; returns the question about the second, which is left open."""
    for event_id in ("event", "slow"):
        grid.vtn.vtn.add_event(event(event_id, begin=HOUR), [grid.ven_id()], grid.now)
    asked = until_asked(grid, 2)
    quick, slow = sorted(asked, key=lambda one: one.arguments["event"].event_descriptor.event_id)  # type: ignore
    grid.wire.run(grid.hosts["ven"], quick, "optIn", grid.now)
    return slow


@pytest.mark.rule(17)
def test_what_was_answered_before_does_not_come_behind_a_change_while_the_answer_to_another_event_is_awaited() -> None:
    grid = grid_with_ven({"on_event": lambda event: "optIn"})
    host, slow = grid.hosts["ven"], one_decided_and_one_not(grid)
    grid.ven().change_opt("event", EventDecision(opt_type=OUT), grid.now)
    grid.wire.drain(host, grid.now)
    grid.wire.settle(grid.now)
    grid.wire.run(host, slow, "optIn", grid.now)
    grid.run(30)
    assert own(grid) is OUT
    assert stands(grid) == (EventAtVtn.SETTLED, OUT, 200)
    assert stands(grid, "slow") == (EventAtVtn.SETTLED, IN, 200)


@pytest.mark.parametrize("answered", [True, False])
def test_after_a_restart_the_application_is_asked_about_a_modification_as_before(answered: bool) -> None:
    """It is a modification to an application that has decided on an earlier one; else the event is new to it."""
    grid = grid_with_ven({"on_event": lambda event: "optIn", "on_update_event": lambda event: "optOut"})
    host = grid.hosts["ven"]
    grid.vtn.vtn.add_event(event(begin=HOUR), [grid.ven_id()], grid.now)
    if answered:
        grid.run(30)
    else:
        until_asked(grid)
    grid.vtn.vtn.modify_event(event(begin=HOUR, value=2.0), grid.now)
    grid.ven().ven.request_event(grid.now)
    host.calls.clear()
    until_asked(grid)
    assert [one.handler for one in host.calls] == ["on_update_event"]
    grid.wire.boot(host, grid.now)
    (again,) = until_asked(grid)
    assert again.handler == ("on_update_event" if answered else "on_event")


# --- by oadrCreateOpt ------------------------------------------------------------------------------------------------


@pytest.mark.rule(206)
def test_an_opt_for_the_whole_event_takes_the_place_of_the_answer_on_both_sides() -> None:
    grid = grid_with_ven()
    host = grid.hosts["ven"]
    add(grid, event(begin=MINUTE * 2))
    grid.run(180)
    grid.ven().create_opt(create_opt(event_id="event", opt_type=OUT), grid.now)
    assert own(grid) is IN, "until the VTN has taken it"
    with pytest.raises(LocalProtocolError, match=r"oadrCreateOpt decides .* \(rule 206\)"):
        grid.ven().change_opt("event", EventDecision(opt_type=IN), grid.now)
    grid.drain()
    assert own(grid) is OUT
    assert stands(grid) == (EventAtVtn.SETTLED, OUT, 200)
    assert told(grid, host) == [(EventStatus.ACTIVE, 0), (EventStatus.CANCELLED, None)]
    with pytest.raises(LocalProtocolError, match=r"oadrCreateOpt decides .* \(rule 206\)"):
        grid.ven().change_opt("event", EventDecision(opt_type=IN), grid.now)
    grid.ven().create_opt(create_opt("again", event_id="event", opt_type=IN), grid.now)
    grid.drain()
    assert own(grid) is IN
    assert stands(grid) == (EventAtVtn.SETTLED, IN, 200)


@pytest.mark.rule(206)
def test_a_modification_does_not_undo_it_whatever_the_handler_answers() -> None:
    grid = grid_with_ven()
    add(grid, event(begin=HOUR))
    grid.ven().create_opt(create_opt(event_id="event", opt_type=OUT), grid.now)
    grid.drain()
    grid.log.clear()
    grid.vtn.vtn.modify_event(event(begin=HOUR, value=2.0), grid.now)
    grid.run(30)
    (answer,) = grid.messages(CreatedEvent)
    assert answer.event_responses is not None
    assert [(one.modification_number, one.opt_type) for one in answer.event_responses] == [(1, OUT)]
    assert own(grid) is OUT
    assert stands(grid) == (EventAtVtn.SETTLED, OUT, 200)
    record = grid.vtn.vtn.vens[grid.ven_id()]
    assert availability(record, NOON, event_id="event").why is Why.EVENT_OPT


@pytest.mark.rule(206)
def test_an_answer_that_waits_for_those_to_other_events_follows_an_opt_that_came_since() -> None:
    grid = grid_with_ven({"on_event": lambda event: "optIn"})
    host, slow = grid.hosts["ven"], one_decided_and_one_not(grid)
    grid.ven().create_opt(create_opt(event_id="event", opt_type=OUT), grid.now)
    grid.wire.drain(host, grid.now)
    grid.wire.settle(grid.now)
    grid.wire.run(host, slow, "optIn", grid.now)
    grid.run(30)
    said = {one.event_id: one.opt_type for sent in grid.messages(CreatedEvent) for one in sent.event_responses or ()}
    assert said == {"event": OUT, "slow": IN}


@pytest.mark.rule(206)
def test_an_answer_that_could_not_be_sent_yet_follows_an_opt_that_came_since() -> None:
    grid = grid_with_ven()
    host = grid.hosts["ven"]
    add(grid, event(begin=HOUR))
    grid.ven().change_opt("event", EventDecision(opt_type=OUT), grid.now)
    grid.wire.drain(host, grid.now)
    (flight,) = grid.wire.flights
    grid.wire.lose(flight, grid.now, told=False)
    host.core.exchange_failed(flight.exchange, Failure.PEER_ERROR, now=grid.now)
    grid.ven().create_opt(create_opt(event_id="event", opt_type=IN), grid.now)
    grid.drain()
    assert own(grid) is IN
    grid.log.clear()
    grid.run(30)
    assert [[one.opt_type for one in sent.event_responses or ()] for sent in grid.messages(CreatedEvent)] == [[IN]]


@pytest.mark.rule(48, 206)
def test_what_cannot_be_carried_out_stays_so_whatever_an_opt_says() -> None:
    def decide(event: EiEvent) -> object:
        return "optIn" if event.event_descriptor.modification_number == 0 else ("optOut", 469, "broken")

    grid = grid_with_ven({"on_event": decide})
    add(grid, event(begin=HOUR))
    grid.ven().create_opt(create_opt(event_id="event", opt_type=IN), grid.now)
    grid.drain()
    grid.vtn.vtn.modify_event(event(begin=HOUR, value=2.0), grid.now)
    grid.run(30)
    (view,) = grid.ven().events(grid.now)
    assert (view.opt_type, view.code, view.description) == (OUT, 469, "broken")
    assert stands(grid) == (EventAtVtn.SETTLED, OUT, 469)
    grid.ven().create_opt(create_opt("again", number=1, event_id="event", opt_type=IN), grid.now)
    grid.drain()
    assert own(grid) is OUT
    assert stands(grid) == (EventAtVtn.SETTLED, OUT, 469), "both sides hold to the same"
    record = grid.vtn.vtn.vens[grid.ven_id()]
    said = availability(record, NOON, event_id="event")
    assert (said.available, said.why) == (False, Why.EVENT_ANSWER)
    change(grid, IN)
    assert own(grid) is IN
    assert stands(grid) == (EventAtVtn.SETTLED, IN, 200), "it was repaired"


@pytest.mark.rule(206)
def test_nobody_opts_into_what_cannot_be_carried_out() -> None:
    grid = grid_with_ven(group_ids=("ours",))
    add(grid, event("foreign", target=Target(group_id=("theirs",)), begin=HOUR))
    with pytest.raises(LocalProtocolError, match="cannot be carried out: the event is meant for others"):
        grid.ven().create_opt(create_opt(event_id="foreign", opt_type=IN), grid.now)
    grid.ven().create_opt(create_opt(event_id="foreign", opt_type=OUT), grid.now)


@pytest.mark.rule(36, 206)
def test_an_opt_out_of_an_event_does_not_make_its_cancellation_one_that_cannot_be_done() -> None:
    said: list[OptType] = []
    grid = Grid(vtn_handlers={"on_created_event": lambda opt_type: said.append(opt_type)})
    grid.add_ven()
    grid.run(30)
    add(grid, event(begin=HOUR))
    grid.ven().create_opt(create_opt(event_id="event", opt_type=OUT), grid.now)
    grid.drain()
    grid.vtn.vtn.cancel_event("event", grid.now)
    grid.run(30)
    assert stands(grid) == (EventAtVtn.GONE, IN, 200)
    assert said == [IN, IN]


@pytest.mark.rule(206)
def test_an_opt_for_a_part_leaves_the_answer_for_the_rest() -> None:
    grid = grid_with_ven()
    add(grid, event(begin=HOUR))
    pump = Target(resource_id=("pump",))
    grid.ven().create_opt(create_opt(event_id="event", opt_type=OUT, target=pump), grid.now)
    grid.drain()
    (view,) = grid.ven().events(grid.now)
    assert view.opt_type is IN
    assert [(one.opt_type, one.target.resource_id) for one in view.opts] == [(OUT, ("pump",))]
    change(grid, OUT)
    assert stands(grid) == (EventAtVtn.SETTLED, OUT, 200)
    change(grid, IN)
    record = grid.vtn.vtn.vens[grid.ven_id()]
    assert availability(record, NOON, "pump", event_id="event").available is False
    assert availability(record, NOON, "fan", event_id="event").available is True


@pytest.mark.rule(17)
def test_the_answers_of_a_ven_are_told_one_after_the_other_and_none_is_left_out() -> None:
    grid = Grid(vtn_handlers={"on_created_event": lambda opt_type: None})
    grid.add_ven()
    grid.run(30)
    add(grid, event(begin=HOUR))
    for opt_type in (OUT, IN, OUT):
        grid.ven().change_opt("event", EventDecision(opt_type=opt_type), grid.now)
        grid.wire.drain(grid.hosts["ven"], grid.now)
        grid.wire.settle(grid.now)
    heard = []
    while grid.host.calls:
        (call,) = grid.host.calls
        heard.append(call.arguments["opt_type"])
        grid.wire.run(grid.host, call, None, grid.now)
    assert heard == [OUT, IN, OUT]


def test_what_becomes_of_an_opt_is_told_to_handlers_too() -> None:
    heard: list[tuple[object, ...]] = []

    def note(name: str) -> object:
        return lambda opt_id, response_code, response_description: heard.append(
            (name, opt_id, response_code, response_description)
        )

    refused = {"late": (451, "too late")}
    grid = Grid(vtn_handlers={"on_create_opt": lambda payload: refused.get(payload.opt_id)})
    names = ("on_created_opt", "on_canceled_opt")
    grid.add_ven(handlers={name: note(name) for name in names})  # type: ignore[misc]
    grid.run(30)
    for opt_id in ("good", "late"):
        grid.ven().create_opt(create_opt(opt_id, length=timedelta(hours=2)), grid.now)
    grid.ven().cancel_opt("good", grid.now)
    grid.ven().cancel_opt("never made", grid.now)
    grid.drain()
    assert heard == [
        ("on_created_opt", "good", 200, None),
        ("on_created_opt", "late", 451, "too late"),
        ("on_canceled_opt", "good", 200, None),
        ("on_canceled_opt", "never made", 452, "the optID never made is not known"),
    ]

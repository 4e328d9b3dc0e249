"""Events from end to end: distributed, decided, answered, changed, cancelled, and what goes wrong on the way."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from oadr_core import (
    Call,
    CreatedEvent,
    DistributeEvent,
    EiEvent,
    EiResponse,
    EventDecided,
    EventResponse,
    EventStatus,
    HandlerFailed,
    LocalProtocolError,
    OptReceived,
    OptType,
    PeerMisbehaved,
    Poll,
    Reply,
    RequestEvent,
    Response,
    ResponseRequired,
    VtnConfig,
)
from oadr_core.machines.event import EventAtVtn
from tests.core.kit import HOUR, MINUTE, Grid, asked, event, one
from tests.core.test_registration import registered

both = pytest.mark.parametrize("pull", [True, False], ids=["pull", "push"])


def grid_with_ven(
    handlers: dict[str, Callable[..., object]] | None = None, *, pull: bool = True, **config: Any
) -> Grid:
    """A VTN and a VEN that have found each other."""
    grid = Grid()
    grid.add_ven(pull=pull, handlers=handlers, **config)
    grid.run(30)
    grid.log.clear()
    grid.hosts["ven"].events.clear()
    return grid


def add(grid: Grid, made: EiEvent | None = None) -> str:
    """Add an event for the VEN, and let it be told."""
    event_id = grid.vtn.vtn.add_event(made or event(), [grid.ven_id()], grid.now)
    grid.drain()
    grid.run(15)
    return event_id


def stands(grid: Grid, event_id: str = "event") -> tuple[EventAtVtn, OptType | None, int]:
    """Where an event stands for the VEN, as the VTN sees it."""
    (found,) = (one for one in grid.vtn.vtn.vens[grid.ven_id()].standings if one.event_id == event_id)
    return found.state, found.opt_type, found.code


# --- the straight path -----------------------------------------------------------------------------------------------


@both
@pytest.mark.rule(12, 37, 40, 42, 62)
@pytest.mark.parametrize(("returned", "opt"), [("optIn", OptType.OPT_IN), (False, OptType.OPT_OUT)])
def test_an_event_is_told_decided_and_answered(pull: bool, returned: object, opt: OptType) -> None:
    grid = grid_with_ven({"on_event": lambda event: returned}, pull=pull)
    add(grid)
    (listed,) = grid.messages(DistributeEvent)
    (answer,) = grid.messages(CreatedEvent)
    assert (listed.response is None) == (not pull), "a pushed list answers nothing (rule 40)"
    assert answer.response.request_id == ""
    expected = EventResponse(request_id=listed.request_id, event_id="event", modification_number=0, opt_type=opt)
    assert answer.event_responses == (expected,)
    assert stands(grid) == (EventAtVtn.SETTLED, opt, 200)
    assert [one.opt_type for one in grid.told(OptReceived)] == [opt]
    assert [one.opt_type for one in grid.told(EventDecided, grid.hosts["ven"])] == [opt]


@pytest.mark.rule(37, 51)
@both
def test_a_pushed_list_is_acknowledged_by_the_transport_alone_and_answered_by_a_request(pull: bool) -> None:
    grid = grid_with_ven(pull=pull)
    add(grid)
    said = [line for line in grid.said() if line not in [("ven", "oadrPoll"), ("vtn", "(oadrResponse)")]]
    if pull:
        assert said == [("vtn", "(oadrDistributeEvent)"), ("ven", "oadrCreatedEvent")]
    else:
        assert said == [("vtn", "oadrDistributeEvent"), ("ven", "(empty)"), ("ven", "oadrCreatedEvent")]


@pytest.mark.rule(12)
def test_one_answer_holds_all_events_of_a_list() -> None:
    grid = grid_with_ven()
    for number in range(3):
        grid.vtn.vtn.add_event(event(f"e{number}"), [grid.ven_id()], grid.now)
    grid.run(15)
    (answer,) = grid.messages(CreatedEvent)
    assert answer.event_responses is not None
    assert [one.event_id for one in answer.event_responses] == ["e0", "e1", "e2"]


@pytest.mark.rule(50)
def test_every_list_is_complete() -> None:
    grid = grid_with_ven()
    add(grid, event("first"))
    add(grid, event("second"))
    lists = grid.messages(DistributeEvent)
    assert [[one.event_descriptor.event_id for one in each.events] for each in lists] == [
        ["first"],
        ["first", "second"],
    ]


@pytest.mark.rule(502)
def test_what_was_answered_is_not_handed_out_again_by_polls() -> None:
    grid = grid_with_ven()
    add(grid)
    grid.run(600)
    assert len(grid.messages(DistributeEvent)) == 1, "also not as it becomes active"


@pytest.mark.rule(12, 206)
def test_an_event_that_must_not_be_answered_is_not() -> None:
    decided = []
    grid = grid_with_ven({"on_event": lambda event: decided.append(event) or "optIn"})
    add(grid, event(required=ResponseRequired.NEVER))
    grid.run(60)
    assert grid.messages(CreatedEvent) == []
    assert len(decided) == 1
    assert len(grid.messages(DistributeEvent)) == 2, "told twice, as nothing confirms it"


# --- changes ---------------------------------------------------------------------------------------------------------


@both
@pytest.mark.rule(5, 57)
def test_a_changed_event_is_decided_anew(pull: bool) -> None:
    asked_about: list[tuple[str, int]] = []

    def on_event(event: EiEvent) -> str:
        asked_about.append(("new", event.event_descriptor.modification_number))
        return "optIn"

    def on_update_event(event: EiEvent) -> str:
        asked_about.append(("update", event.event_descriptor.modification_number))
        return "optOut"

    grid = grid_with_ven({"on_event": on_event, "on_update_event": on_update_event}, pull=pull)
    add(grid)
    assert grid.vtn.vtn.modify_event(event(value=2.0), grid.now) == 1
    grid.drain()
    grid.run(15)
    assert asked_about == [("new", 0), ("update", 1)]
    assert stands(grid) == (EventAtVtn.SETTLED, OptType.OPT_OUT, 200)
    (known,) = grid.ven().ven.state.events
    assert known.event.event_signals[0].intervals[0].signal_value == 2.0


def test_an_application_that_knows_no_changes_is_asked_as_if_the_event_were_new() -> None:
    numbers = []
    grid = grid_with_ven(
        {"on_event": lambda event: numbers.append(event.event_descriptor.modification_number) or "optIn"}
    )
    add(grid)
    grid.vtn.vtn.modify_event(event(value=2.0), grid.now)
    grid.run(15)
    assert numbers == [0, 1]


@both
@pytest.mark.rule(10, 36, 50, 59)
def test_a_cancelled_event_is_told_until_it_is_acknowledged(pull: bool) -> None:
    told = []
    grid = grid_with_ven(
        {"on_event": lambda event: "optIn", "on_update_event": lambda event: told.append(event.event_descriptor)},
        pull=pull,
    )
    add(grid)
    assert grid.vtn.vtn.cancel_event("event", grid.now) == 1
    grid.drain()
    grid.run(15)
    assert [(one.event_status, one.modification_number) for one in told] == [(EventStatus.CANCELLED, 1)]
    assert stands(grid)[0] is EventAtVtn.GONE
    assert grid.ven().ven.state.events == ()
    assert grid.vtn.vtn.cancel_event("event", grid.now) == 1, "once more changes nothing"
    grid.log.clear()
    grid.run(300)
    assert grid.messages(DistributeEvent) == []


@pytest.mark.rule(61)
def test_an_event_that_is_left_out_of_a_list_is_cancelled_by_that() -> None:
    told = []
    grid = grid_with_ven(
        {"on_event": lambda event: "optIn", "on_update_event": lambda event: told.append(event.event_descriptor)}
    )
    add(grid)
    grid.vtn.vtn._forget_event("event")
    grid.ven().ven.request_event(grid.now)
    grid.run(1)
    assert [one.event_status for one in told] == [EventStatus.CANCELLED]


@pytest.mark.rule(27, 61)
def test_a_list_cut_short_cancels_nothing() -> None:
    grid = grid_with_ven()
    add(grid, event("first"))
    add(grid, event("second"))
    grid.log.clear()
    grid.ven().ven.request_event(grid.now, reply_limit=1)
    grid.run(1)
    assert len(grid.messages(DistributeEvent)[0].events) == 1
    assert len(grid.ven().ven.state.events) == 2


@pytest.mark.rule(50, 66)
def test_an_event_leaves_the_lists_when_it_is_over_and_the_store_later() -> None:
    grid = Grid(VtnConfig(vtn_id="Grid", event_retention=HOUR))
    grid.add_ven()
    grid.run(30)
    add(grid, event(begin=MINUTE * 2, length=MINUTE * 5))
    grid.run(600)
    grid.log.clear()
    grid.ven().ven.request_event(grid.now)
    grid.run(1)
    assert grid.messages(DistributeEvent)[0].events == ()
    assert "event" in grid.vtn.vtn.events, "late answers are still taken"
    grid.run(3600)
    assert "event" not in grid.vtn.vtn.events
    assert "event/event" not in grid.host.saved


# --- the application -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("default", [OptType.OPT_IN, OptType.OPT_OUT])
def test_where_no_handler_decides_policy_does(default: OptType) -> None:
    grid = grid_with_ven({}, default_opt=default)
    add(grid)
    assert stands(grid)[1] is default


@pytest.mark.rule(48)
def test_an_event_that_cannot_be_carried_out_is_refused_with_its_code_in_a_message_that_is_well() -> None:
    refusal = {"opt_type": "optOut", "response_code": 460, "response_description": "no such signal"}
    grid = grid_with_ven({"on_event": lambda event: refusal})
    add(grid)
    (answer,) = grid.messages(CreatedEvent)
    assert answer.response.response_code == 200
    assert stands(grid) == (EventAtVtn.SETTLED, OptType.OPT_OUT, 460)


def waiting_call(grid: Grid) -> Call:
    """Have an event told, and leave its handler running."""
    grid.vtn.vtn.add_event(event(), [grid.ven_id()], grid.now)
    host = grid.hosts["ven"]
    while not host.calls:
        due = grid.wire.next_timeout()
        assert due is not None
        grid.clock.advance_to(due)
        grid.wire.wake(grid.now)
        grid.wire.settle(grid.now)
    return host.calls[0]


@pytest.mark.parametrize("how", ["late", "raises", "nonsense"])
def test_a_handler_that_fails_is_told_and_policy_answers_in_its_place(how: str) -> None:
    grid = grid_with_ven(call_timeout=20.0)
    call, host = waiting_call(grid), grid.hosts["ven"]
    assert call.deadline.at == grid.now.mono + 20.0
    host.calls.clear()
    if how == "raises":
        host.core.call_raised(call.call, ZeroDivisionError("no"), now=grid.now)
    elif how == "nonsense":
        host.core.call_returned(call.call, "perhaps", now=grid.now)
    else:
        grid.run(19.9)
        assert grid.messages(CreatedEvent) == []
        grid.run(0.2)
    grid.drain()
    (failed,) = grid.told(HandlerFailed, host)
    assert failed.handler == "on_event"
    assert stands(grid)[1] is OptType.OPT_OUT
    host.core.call_returned(call.call, "optIn", now=grid.now)
    grid.drain()
    grid.run(60)
    assert len(grid.messages(CreatedEvent)) == 1, "what it returns later is for nobody"


def test_polling_goes_on_while_a_handler_runs() -> None:
    grid = grid_with_ven(call_timeout=600.0)
    waiting_call(grid)
    grid.hosts["ven"].calls.clear()
    polls = len(grid.times(Poll))
    grid.run(100)
    assert len(grid.times(Poll)) - polls >= 8


def test_a_decision_about_a_version_that_was_changed_meanwhile_counts_for_nothing() -> None:
    grid = grid_with_ven(call_timeout=600.0)
    old, host = waiting_call(grid), grid.hosts["ven"]
    host.calls.clear()
    grid.vtn.vtn.modify_event(event(value=3.0), grid.now)
    grid.ven().ven.request_event(grid.now)
    grid.wire.drain(host, grid.now)
    grid.wire.settle(grid.now)
    (new,) = host.calls
    host.core.call_returned(old.call, "optIn", now=grid.now)
    grid.wire.drain(host, grid.now)
    grid.wire.settle(grid.now)
    assert grid.messages(CreatedEvent) == []
    grid.wire.run(host, new, "optOut", grid.now)
    grid.settle()
    (answer,) = grid.messages(CreatedEvent)
    assert answer.event_responses is not None
    (response,) = answer.event_responses
    assert (response.modification_number, response.opt_type) == (1, OptType.OPT_OUT)


# --- what a VTN makes of answers -------------------------------------------------------------------------------------


def created(grid: Grid, ven_id: str, *responses: tuple[str, int, OptType]) -> EiResponse:
    """Answer events by hand; returns how the VTN took it."""
    message = CreatedEvent(
        response=EiResponse(),
        event_responses=tuple(
            EventResponse(request_id="1", event_id=event_id, modification_number=number, opt_type=opt)
            for event_id, number, opt in responses
        ),
        ven_id=ven_id,
    )
    outputs = asked(grid.vtn, message, grid.now)
    grid.host.events += [output for output in outputs if isinstance(output, OptReceived)]
    answer = one(Reply, outputs).message
    assert isinstance(answer, Response)
    return answer.response


@pytest.mark.rule(16, 17, 25, 48)
def test_answers_are_checked_one_by_one() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    for name in ("a", "b"):
        grid.vtn.vtn.add_event(event(name), [ven_id], grid.now)
    yes, no = OptType.OPT_IN, OptType.OPT_OUT
    assert created(grid, ven_id, ("a", 0, yes)).response_code == 200
    assert created(grid, ven_id, ("unknown", 0, yes)).response_code == 452
    assert created(grid, ven_id, ("a", 1, yes)).response_code == 450
    assert created(grid, ven_id, ("unknown", 0, yes), ("a", 7, no), ("b", 0, no)).response_code in (450, 452)
    found = {one.event_id: one.opt_type for one in grid.vtn.vtn.vens[ven_id].standings}
    assert found == {"a": yes, "b": no}, "the good ones count all the same"
    assert created(grid, ven_id, ("a", 0, no)).response_code == 200, "a change of mind (rule 17)"
    assert [(one.event_id, one.opt_type) for one in grid.told(OptReceived)] == [("a", yes), ("b", no), ("a", no)]


def test_an_answer_about_another_vens_event_is_about_nothing() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    grid.vtn.vtn.add_event(event(), ["other"], grid.now)
    assert created(grid, ven_id, ("event", 0, OptType.OPT_IN)).response_code == 452
    assert not grid.vtn.vtn.vens[ven_id].standings


@pytest.mark.rule(21, 512)
def test_a_list_that_another_vtn_made_is_refused_as_a_whole() -> None:
    grid = grid_with_ven(pull=False)
    foreign = DistributeEvent(request_id="list", vtn_id="grid", events=(event(),))
    outputs = asked(grid.ven(), foreign, grid.now)
    misbehaved = [one for one in outputs if isinstance(one, PeerMisbehaved)]
    assert [one.code for one in misbehaved] == [452], "the vtnID counts in its very case"
    assert grid.ven().ven.state.events == ()


@pytest.mark.rule(40, 46, 405)
def test_the_answer_to_a_request_for_events_is_a_list_even_where_there_are_none() -> None:
    grid = Grid()
    ven_id, _ = registered(grid)
    answer = one(Reply, asked(grid.vtn, RequestEvent(request_id="7", ven_id=ven_id), grid.now)).message
    assert isinstance(answer, DistributeEvent)
    assert answer.response is not None
    assert (answer.response.request_id, answer.events, bool(answer.request_id)) == ("7", (), True)


# --- mistakes of the operator ----------------------------------------------------------------------------------------


@pytest.mark.rule(33)
@pytest.mark.parametrize(
    ("made", "text"),
    [
        (event(), "there is an event 'event' already"),
        (event("new", number=1), "a new event has modification number 0"),
        (msgspec.structs.replace(event("new"), event_signals=()), "event_signals"),
    ],
)
def test_an_event_that_cannot_be_is_refused_and_changes_nothing(made: EiEvent, text: str) -> None:
    grid = Grid()
    grid.vtn.vtn.add_event(event(), ["ven"], grid.now)
    before = dict(grid.vtn.vtn.events)
    with pytest.raises(LocalProtocolError) as error:
        grid.vtn.vtn.add_event(made, ["ven"], grid.now)
    assert text in str(error.value)
    assert grid.vtn.vtn.events == before


def test_what_is_not_there_or_cancelled_cannot_be_changed() -> None:
    grid = Grid()
    with pytest.raises(LocalProtocolError, match="there is no event 'event'"):
        grid.vtn.vtn.cancel_event("event", grid.now)
    with pytest.raises(LocalProtocolError, match="is for no VEN"):
        grid.vtn.vtn.add_event(event(), [], grid.now)
    grid.vtn.vtn.add_event(event(), ["ven"], grid.now)
    grid.vtn.vtn.cancel_event("event", grid.now)
    with pytest.raises(LocalProtocolError, match="'event' is cancelled"):
        grid.vtn.vtn.modify_event(event(), grid.now)


def test_an_event_waits_for_a_ven_that_is_not_registered_yet() -> None:
    grid = Grid()
    grid.vtn.vtn.add_event(event(), ["mine"], grid.now)
    grid.add_ven(ven_id="mine")
    grid.run(5)
    assert grid.ven_id() == "mine"
    assert stands(grid)[0] is EventAtVtn.SETTLED

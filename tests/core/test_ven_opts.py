"""EiOpt at a VEN: what it checks before it sends, what it keeps until the VTN has answered, and what it tells."""

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import pytest

from oadr_core import (
    CancelOpt,
    CreateOpt,
    Failure,
    LocalProtocolError,
    OptCancelled,
    OptConfirmed,
    OptRefused,
    OptTaken,
    OptType,
    Poll,
    RequestEvent,
    ResponseRequired,
    Target,
    VenState,
    Why,
    availability,
    decode,
    encode,
    make_opt,
)
from oadr_core.state.opts import Schedule
from oadr_core.testing import Host
from tests.core.kit import HOUR, MINUTE, NOON, Grid, create_opt, event

PUMP = Target(resource_id=("pump",))


def ready(**config: object) -> tuple[Grid, Host]:
    """A VTN and a VEN in their steady state."""
    grid = Grid(vtn_handlers=config.pop("vtn_handlers", {}))  # type: ignore[arg-type]
    host = grid.add_ven(**config)  # type: ignore[arg-type]
    grid.run(30)
    return grid, host


def made(grid: Grid, opt: CreateOpt) -> str:
    opt_id = grid.ven().create_opt(opt, grid.now)
    grid.drain()
    return opt_id


def refusal(grid: Grid, opt: CreateOpt) -> str:
    before = grid.ven().ven.state
    with pytest.raises(LocalProtocolError) as caught:
        grid.ven().create_opt(opt, grid.now)
    assert grid.ven().ven.state == before
    return str(caught.value)


def schedules(grid: Grid) -> list[str]:
    """The schedules in force, which both sides must agree on."""
    ours = [one.opt for one in grid.ven().ven.state.opts.schedules]
    theirs = [one.opt for one in grid.vtn.vtn.vens[grid.ven_id()].opts.schedules]
    assert ours == theirs
    return [one.opt_id for one in ours]


# --- saying and taking back ------------------------------------------------------------------------------------------


def test_a_schedule_reaches_the_vtn_and_is_confirmed() -> None:
    grid, host = ready()
    assert made(grid, create_opt()) == "opt"
    (message,) = grid.messages(CreateOpt)
    assert message.target == Target(ven_id=(grid.ven_id(),))  # decision D3
    assert schedules(grid) == ["opt"]
    assert grid.told(OptConfirmed, host) == [OptConfirmed(opt_id="opt", cancelled=False)]
    assert grid.ven().ven.state.unanswered_opts == ()
    assert [told.message for told in grid.told(OptTaken)] == [message]


@pytest.mark.rule(204)
def test_a_cancellation_takes_all_schedules_of_the_id_back() -> None:
    grid, host = ready()
    made(grid, create_opt(target=PUMP))
    made(grid, create_opt(target=Target(resource_id=("fan",))))
    grid.ven().cancel_opt("opt", grid.now)
    grid.drain()
    assert schedules(grid) == []
    assert grid.told(OptConfirmed, host)[-1] == OptConfirmed(opt_id="opt", cancelled=True)
    assert len(grid.told(OptCancelled)) == 1


@pytest.mark.rule(211)
def test_a_superseded_schedule_may_be_cancelled() -> None:
    grid, host = ready()
    made(grid, create_opt("old"))
    made(grid, create_opt("new"))
    grid.ven().cancel_opt("old", grid.now)
    grid.drain()
    assert schedules(grid) == ["new"]
    assert not grid.told(OptRefused, host)


@pytest.mark.rule(206)
def test_an_opt_for_an_event_names_the_modification_that_is_known() -> None:
    grid, _ = ready()
    grid.vtn.vtn.add_event(event(), [grid.ven_id()], grid.now)
    grid.vtn.vtn.modify_event(event(value=2.0), grid.now)
    grid.run(30)
    made(grid, msgspec.structs.replace(create_opt(event_id="event", target=PUMP), modification_number=None))
    (message,) = grid.messages(CreateOpt)
    assert message.modification_number == 1
    said = availability(grid.vtn.vtn.vens[grid.ven_id()], NOON, "pump", event_id="event")
    assert (said.available, said.why) == (False, Why.EVENT_OPT)
    others = availability(grid.vtn.vtn.vens[grid.ven_id()], NOON, "fan", event_id="event")
    assert (others.available, others.why) == (True, Why.EVENT_ANSWER)


# --- checking before sending -----------------------------------------------------------------------------------------


def test_an_opt_that_breaks_a_rule_is_never_sent() -> None:
    grid, host = ready()
    grid.vtn.vtn.add_event(event(target=PUMP), [grid.ven_id()], grid.now)
    grid.vtn.vtn.add_event(event("silent", required=ResponseRequired.NEVER), [grid.ven_id()], grid.now)
    grid.vtn.vtn.add_event(event("off"), [grid.ven_id()], grid.now)
    grid.run(30)
    grid.vtn.vtn.cancel_event("off", grid.now)
    grid.run(30)
    neither = msgspec.structs.replace(create_opt(), vavailability=None)
    assert "(R206)" in refusal(grid, neither)
    assert "(R206)" in refusal(grid, create_opt(event_id="event", market_context="http://program.example"))
    assert "(R209)" in refusal(grid, create_opt(device_class=PUMP))
    assert "(R204)" in refusal(grid, create_opt(""))
    assert "must not be answered (rule 206)" in refusal(grid, create_opt(event_id="silent"))
    assert "there is no event 'unknown'" in refusal(grid, create_opt(event_id="unknown"))
    assert "has modification 0, not 1" in refusal(grid, create_opt(event_id="event", number=1))
    assert "there is no event 'off'" in refusal(grid, create_opt(event_id="off", number=1))
    fan = Target(resource_id=("fan",))
    assert "not about this resource_id (rule 206)" in refusal(grid, create_opt(event_id="event", target=fan))
    assert "names the VEN 'other'" in refusal(grid, create_opt(target=Target(ven_id=("other",))))
    grid.drain()
    assert grid.messages(CreateOpt) == []
    assert not grid.told(OptRefused, host)


@pytest.mark.rule(211)
def test_an_opt_for_an_event_is_never_cancelled() -> None:
    grid, _ = ready()
    grid.vtn.vtn.add_event(event(), [grid.ven_id()], grid.now)
    grid.run(30)
    opt_id = grid.ven().create_opt(create_opt(event_id="event"), grid.now)
    with pytest.raises(LocalProtocolError, match=r"used for an event.*\(rule 211\)"):
        grid.ven().cancel_opt(opt_id, grid.now)  # not answered yet
    grid.drain()
    with pytest.raises(LocalProtocolError, match=r"used for an event.*\(rule 211\)"):
        grid.ven().cancel_opt(opt_id, grid.now)
    grid.drain()
    assert grid.messages(CancelOpt) == []


def test_a_report_only_ven_has_no_opts() -> None:
    grid, _ = ready(report_only=True)
    assert "report-only" in refusal(grid, create_opt())
    with pytest.raises(LocalProtocolError, match="report-only"):
        grid.ven().cancel_opt("opt", grid.now)


def test_a_ven_that_is_not_registered_says_nothing() -> None:
    grid = Grid()
    grid.add_ven()
    assert "not registered" in refusal(grid, create_opt())


# --- until the VTN has answered --------------------------------------------------------------------------------------


def test_a_refusal_is_told_and_the_opt_is_not_sent_again() -> None:
    grid, host = ready(vtn_handlers={"on_create_opt": lambda payload: (451, "not now")})
    made(grid, create_opt())
    assert grid.told(OptRefused, host) == [OptRefused(opt_id="opt", code=451, description="not now", cancelling=False)]
    grid.run(600)
    assert len(grid.messages(CreateOpt)) == 1
    assert schedules(grid) == []


def test_a_cancellation_that_is_refused_leaves_the_schedule() -> None:
    grid, host = ready(vtn_handlers={"on_cancel_opt": lambda payload, ven_id: 451})
    made(grid, create_opt())
    grid.ven().cancel_opt("opt", grid.now)
    grid.drain()
    (told,) = grid.told(OptRefused, host)
    assert (told.code, told.cancelling) == (451, True)
    assert schedules(grid) == ["opt"]


def test_a_vtn_that_fails_is_asked_again() -> None:
    answers = iter([RuntimeError("no room"), None])

    def decide(payload: object) -> object:
        answer = next(answers)
        return 500 if isinstance(answer, Exception) else answer

    grid, host = ready(vtn_handlers={"on_create_opt": decide})
    made(grid, create_opt())
    grid.run(60)
    assert len(grid.messages(CreateOpt)) == 2
    assert schedules(grid) == ["opt"]
    assert not grid.told(OptRefused, host)


def test_an_opt_that_a_vtn_without_the_service_turns_away_is_told() -> None:
    grid, host = ready()
    grid.ven().create_opt(create_opt(), grid.now)
    grid.wire.drain(host, grid.now)
    (flight,) = grid.wire.flights
    host.core.exchange_failed(flight.exchange, Failure.UNSUPPORTED, now=grid.now)
    grid.wire.drain(host, grid.now)
    (told,) = grid.told(OptRefused, host)
    assert (told.opt_id, told.code) == ("opt", 0)
    assert grid.ven().ven.state.unanswered_opts == ()


def test_an_opt_that_is_withdrawn_is_awaited_no_more() -> None:
    grid, _ = ready()
    ticket = grid.ven().ven.create_opt(create_opt(), grid.now)
    grid.ven().ven.withdraw(ticket)
    grid.drain()
    assert grid.messages(CreateOpt) == []
    assert grid.ven().ven.state.unanswered_opts == ()


def test_opts_are_kept_while_the_vtn_is_away_and_over_a_restart_and_arrive_in_order() -> None:
    grid, host = ready()
    grid.run_without(grid.host, 20)
    for number in range(3):
        grid.ven().create_opt(create_opt(f"{number}"), grid.now)
    grid.ven().cancel_opt("2", grid.now)
    grid.wire.drain(host, grid.now)
    grid.run_without(grid.host, 20)
    saved = VenState.load(host.saved["ven"])
    assert [one.opt_id for one in saved.unanswered_opts] == ["0", "1", "2", "2"]
    grid.wire.boot(host, grid.now)
    grid.log.clear()
    grid.run(120)
    assert schedules(grid) == []
    assert [one.opt_id for one in grid.messages(CreateOpt)] == ["0", "1", "2"]
    assert [one.opt_id for one in grid.messages(CancelOpt)] == ["2"]
    assert grid.ven().ven.state.unanswered_opts == ()


@pytest.mark.rule(405)
def test_an_opt_that_is_made_before_the_events_are_here_waits_for_them() -> None:
    grid = Grid()
    host = grid.add_ven()
    while not grid.ven().ven.state.registered:
        flight = grid.wire.flights[0]
        if flight.answered:
            grid.wire.answer(flight, grid.now)
        else:
            grid.wire.deliver(flight, grid.now)
    grid.ven().create_opt(create_opt(), grid.now)
    grid.wire.drain(host, grid.now)
    grid.run(30)
    requests = [type(message) for who, what, message, _ in grid.log if who == "ven" and not what.startswith("(")]
    assert requests.index(RequestEvent) < requests.index(CreateOpt)
    assert Poll in requests
    assert schedules(grid) == ["opt"]


def test_opts_end_with_the_registration() -> None:
    grid, host = ready(vtn_handlers={"on_create_opt": lambda payload: 500 if payload.opt_id == "late" else None})
    made(grid, create_opt())
    made(grid, create_opt("late"))
    grid.vtn.vtn.cancel_party_registration(grid.ven_id(), grid.now)
    grid.run(600)
    assert [told.opt_id for told in grid.told(OptRefused, host)] == ["late"]
    assert grid.ven().ven.state.registered, "it has registered anew"
    assert schedules(grid) == []


def test_what_is_over_is_forgotten() -> None:
    grid, _ = ready()
    made(grid, create_opt("old"))
    grid.run(3 * 3600)
    made(grid, create_opt("new", target=PUMP, begin=5 * HOUR))
    assert schedules(grid) == ["new"]


# --- making ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule(1)
def test_a_schedule_that_is_given_in_local_time_is_the_same_at_both_ends() -> None:
    begin = datetime(2027, 3, 28, 0, 30, tzinfo=ZoneInfo("Europe/Berlin"))  # an hour later the clocks go on by one
    stretch = {"dtstart": begin, "duration": HOUR * 4}
    opt = make_opt(Random(0), NOON, opt_type="optOut", opt_reason="economic", vavailability=[stretch])
    kept = Schedule(opt=msgspec.structs.replace(opt, ven_id="ven"))
    sent = decode(encode(kept.opt))
    assert isinstance(sent, CreateOpt)
    end = datetime(2027, 3, 28, 3, 30, tzinfo=UTC)
    for schedule in (kept, Schedule(opt=sent)):
        assert [schedule.holds(end - MINUTE), schedule.holds(end)] == [True, False]


def test_an_opt_is_made_of_what_a_person_says() -> None:
    grid, _ = ready()
    opt = make_opt(
        grid.ven()._entropy,
        NOON,
        opt_type="optOut",
        opt_reason="x-maintenance",
        targets=[{"resource_id": "pump"}],
        vavailability=[{"dtstart": NOON + timedelta(microseconds=1), "duration": MINUTE}],
        market_context="http://program.example",
        signal_target_mrid="Water_Heater",
    )
    assert opt.opt_type is OptType.OPT_OUT
    assert opt.opt_id
    assert opt.request_id
    assert opt.vavailability is not None
    assert [(one.dtstart, one.duration) for one in opt.vavailability.components] == [(NOON, MINUTE)]
    made(grid, opt)
    assert schedules(grid) == [opt.opt_id]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"opt_type": "maybe"}, "opt_type is 'maybe'; it must be one of optIn, optOut"),
        ({"vavailability": [{"dtstart": NOON.replace(tzinfo=None), "duration": HOUR}]}, "time zone"),
        ({"vavailability": [{"begin": NOON}]}, "begin"),
        ({"targets": {"pump": "1"}}, "pump"),
    ],
)
def test_what_cannot_be_meant_is_refused(said: dict[str, object], expected: str) -> None:
    grid, _ = ready()
    usual: dict[str, object] = {"opt_type": "optOut", "opt_reason": "economic"}
    with pytest.raises(LocalProtocolError, match=expected):
        make_opt(grid.ven()._entropy, NOON, **{**usual, **said})  # type: ignore[arg-type]

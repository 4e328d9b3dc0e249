"""What the application of a VTN has a say in: polls, lists of events, strangers, and what it is told."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from oadr_core import (
    CancelReport,
    DistributeEvent,
    EventStatus,
    HandlerFailed,
    KnownVen,
    OptType,
    Poll,
    QueryRegistration,
    Response,
    VenRegistered,
)
from oadr_core.machines.event import EventAtVtn
from tests.core.kit import HOUR, Grid, event

Handlers = dict[str, Callable[..., object]]


def grid_of(handlers: Handlers) -> Grid:
    """A VTN with an application, and a VEN."""
    grid = Grid(vtn_handlers=handlers)
    grid.add_ven()
    grid.run(40)
    return grid


# --- events that handlers return -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["on_poll", "on_request_event"])
def test_events_that_a_handler_returns_are_the_vens_from_then_on(name: str) -> None:
    grid = grid_of({name: lambda ven_id: [event(length=HOUR * 5)]})
    grid.run(60)
    assert set(grid.vtn.vtn.events) == {"event"}
    (standing,) = grid.vtn.vtn.vens[grid.ven_id()].standings
    assert (standing.state, standing.opt_type) == (EventAtVtn.SETTLED, OptType.OPT_IN)
    assert len(grid.messages(DistributeEvent)) <= 2, "what was answered is not handed out by polls again"


def test_a_handler_may_change_and_cancel_what_it_returned() -> None:
    current = [event(length=HOUR * 5)]
    grid = grid_of({"on_poll": lambda ven_id: list(current)})
    current[0] = event(length=HOUR * 5, value=2.0)
    grid.run(40)
    record = grid.vtn.vtn.events["event"]
    assert (record.modification_number, record.event.event_signals[0].intervals[0].signal_value) == (1, 2.0)
    grid.run(40)
    assert grid.vtn.vtn.events["event"].modification_number == 1, "the same again is no change"
    current[0] = event(length=HOUR * 5, status=EventStatus.CANCELLED)
    grid.run(60)
    assert grid.vtn.vtn.events["event"].modification_number == 2
    assert grid.ven().ven.state.events == ()


def test_one_event_may_be_returned_for_several_vens() -> None:
    grid = Grid(vtn_handlers={"on_poll": lambda ven_id: event(length=HOUR * 5)})
    grid.add_ven("one")
    grid.add_ven("two")
    grid.run(90)
    assert set(grid.vtn.vtn.vens_of("event")) == {grid.ven_id("one"), grid.ven_id("two")}
    assert len(grid.ven("one").ven.state.events) == len(grid.ven("two").ven.state.events) == 1


def test_an_event_that_breaks_a_rule_is_told_and_the_ven_gets_an_answer_all_the_same() -> None:
    wrong = event(length=HOUR * 5)
    wrong = msgspec.structs.replace(
        wrong, active_period=msgspec.structs.replace(wrong.active_period, duration=timedelta(hours=1))
    )
    grid = grid_of({"on_poll": lambda ven_id: [wrong]})
    assert grid.told(HandlerFailed)[0].handler == "on_poll"
    assert not grid.vtn.vtn.events
    assert isinstance(grid.log[-1][2], Response | Poll)


def test_messages_that_a_handler_returns_are_handed_out() -> None:
    left = [CancelReport(request_id="1", report_request_id=("a",), ven_id="")]

    def on_poll(ven_id: str) -> object:
        return msgspec.structs.replace(left.pop(), ven_id=ven_id) if left else None

    grid = grid_of({"on_poll": on_poll})
    assert [one.report_request_id for one in grid.messages(CancelReport)] == [("a",)]
    assert grid.vtn.vtn.vens[grid.ven_id()].queue == ()


# --- strangers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["instance", "dict"])
def test_a_ven_that_only_the_application_knows_is_served(form: str) -> None:
    grid = Grid()
    grid.add_ven()
    grid.run(40)
    state = grid.ven().ven.state
    known = {"ven_id": state.ven_id, "registration_id": state.registration_id, "ven_name": "ven"}
    grid._handlers = {"ven_lookup": lambda ven_id: KnownVen(**known) if form == "instance" else known}
    grid.host.saved.clear()
    grid.wire.boot(grid.host, grid.now)
    grid.log.clear()
    grid.run(40)
    assert set(grid.vtn.vtn.vens) == {state.ven_id}
    assert grid.ven().ven.state.registration_id == state.registration_id
    assert grid.messages(QueryRegistration) == [], "the VEN notices nothing"
    assert grid.told(VenRegistered)[-1].again


@pytest.mark.parametrize(
    "found", [None, {"ven_id": "other", "registration_id": "r"}, {"ven_id": "ven"}, 42, {"fingerprint": "AA"}]
)
def test_a_ven_that_is_not_known_or_is_another_stays_a_stranger(found: object) -> None:
    grid = Grid()
    grid.add_ven()
    grid.run(40)
    old = grid.ven().ven.state.registration_id
    grid._handlers = {"ven_lookup": lambda ven_id: found}
    grid.host.saved.clear()
    grid.wire.boot(grid.host, grid.now)
    grid.run(90)
    assert grid.ven().ven.state.registration_id != old, "it had to register anew"


# --- what it is told -------------------------------------------------------------------------------------------------


def test_the_application_is_told_of_what_happens() -> None:
    told: list[tuple[object, ...]] = []

    def note(name: str) -> Callable[..., object]:
        return lambda **values: told.append((name, *sorted(values)))

    names = ("on_cancel_party_registration", "on_registered_report", "on_created_report", "on_created_event")
    grid = grid_of({name: note(name) for name in names})
    grid.vtn.vtn.add_event(event(), [grid.ven_id()], grid.now)
    grid.run(20)
    grid.ven().cancel_party_registration(grid.now)
    grid.run(5)
    assert told == [
        ("on_registered_report", "payload", "ven_id"),
        ("on_created_event", "event_id", "opt_type", "ven_id"),
        ("on_cancel_party_registration", "payload", "ven_id"),
    ]


def test_a_registration_is_shown_with_the_fingerprint_of_its_certificate() -> None:
    told: list[tuple[object, object]] = []

    def on_create_party_registration(registration_info: dict[str, object], fingerprint: object) -> bool:
        told.append((registration_info["ven_name"], fingerprint))
        return True

    grid = Grid(vtn_handlers={"on_create_party_registration": on_create_party_registration})
    host = grid.add_ven()
    grid.run(5)
    assert told == [("ven", None)]
    assert host.identity is None


@pytest.mark.parametrize("returned", [None, {"requested_oadr_poll_freq": timedelta(seconds=33)}])
def test_the_application_may_add_to_the_answer_to_a_query(returned: object) -> None:
    grid = Grid(vtn_handlers={"on_query_registration": lambda: returned})
    grid.add_ven()
    grid.run(20)
    assert grid.ven().ven.state.registered

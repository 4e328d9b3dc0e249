"""Events that a VEN cannot carry out are answered with their codes, unasked (rules 22, 33, 48, 109 and 112)."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_core import (
    CreatedEvent,
    EiEvent,
    EventDecided,
    OptType,
    ResponseRequired,
    Target,
    VenConfig,
)
from oadr_core.messages.common import EiResponse
from oadr_core.messages.uris import same_uri
from oadr_core.rules import refuse_event
from oadr_core.testing.strategies import parts
from oadr_core.ven.event_checks import is_meant, refusal
from tests.core.kit import HOUR, MINUTE, NONE, NOON, Grid, event
from tests.core.test_events import add, grid_with_ven
from tests.rules.samples import EVENT, PRICE, SIGNAL, but


def with_signal(name: str, kind: str, measurement: str | None = None, devices: tuple[str, ...] = ()) -> EiEvent:
    """An event with one signal."""
    made = event()
    signal = msgspec.structs.replace(
        made.event_signals[0],
        signal_name=name,
        signal_type=kind,
        target=Target(end_device_asset=devices) if devices else None,
    )
    if measurement is not None:
        signal = msgspec.structs.replace(signal, measurement=Unit(name=measurement))
    return msgspec.structs.replace(made, event_signals=(signal,))


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit, of which the checks read the name alone."""

    name: str


def code(made: EiEvent, *, new: bool = True, after: Any = NONE, **config: Any) -> int:
    """What the event is answered with, without asking anybody; 200 where the application decides."""
    found = refusal(made, VenConfig(**config), "ven", NOON + after, new=new)
    if found is None:
        return 200
    assert found.opt_type is OptType.OPT_OUT
    assert found.description
    return found.code


# --- market contexts -------------------------------------------------------------------------------------------------


@pytest.mark.rule(48)
@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (None, 200),
        (("http://market.example",), 200),
        (("http://other.example", "HTTP://Market.EXAMPLE/"), 200),
        (("http://market.example/program",), 462),
        ((), 462),
    ],
)
def test_a_foreign_market_context_is_answered_with_462(ours: tuple[str, ...] | None, expected: int) -> None:
    assert code(event(), market_contexts=ours) == expected


@pytest.mark.rule(512)
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a.example", "HTTP://A.Example/", True),
        ("http://a.example/%7euser", "http://a.example/~user", True),
        ("http://a.example/%c3%a4", "http://a.example/%C3%A4", True),
        ("http://a.example/Path", "http://a.example/path", False),
        ("http://User@a.example/", "http://user@a.example/", False),
        ("urn:a:B", "URN:a:B", True),
        ("urn:a:B", "urn:a:b", False),
        ("no uri", "no uri", True),
        ("http://a.example?x", "http://a.example/?x", True),
    ],
)
def test_uris_are_compared_after_normalisation(one: str, other: str, same: bool) -> None:
    assert same_uri(one, other) is same


@given(st.text())
def test_any_text_is_the_same_uri_as_itself(text: str) -> None:
    assert same_uri(text, text)


# --- targets ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule(22, 48)
@pytest.mark.parametrize(
    ("target", "meant"),
    [
        (Target(), True),
        (Target(ven_id=("ven",)), True),
        (Target(ven_id=("other",)), False),
        (Target(ven_id=("other", "ven")), True),
        (Target(group_id=("north",)), True),
        (Target(group_id=("south",)), False),
        (Target(group_id=("south", "north")), True),
        (Target(group_id=("south",), resource_id=("boiler",)), True),
        (Target(ven_id=("other",), resource_id=("boiler",)), True),
        (Target(resource_id=("chiller",)), False),
        (Target(party_id=("anybody",)), True),
        (Target(ven_id=("other",), pnode=("node",)), True),
    ],
)
def test_a_target_is_matched_by_any_of_its_criteria(target: Target, meant: bool) -> None:
    config = VenConfig(group_ids=("north",), resource_ids=("boiler",))
    assert is_meant(target, config, "ven") is meant
    assert code(event(target=target), group_ids=("north",), resource_ids=("boiler",)) == (200 if meant else 462)


@pytest.mark.rule(22, 48)
@given(parts(Target))
def test_as_it_comes_a_ven_accepts_every_target_but_another_ven(target: Target) -> None:
    only_others = bool(target.ven_id) and "ven" not in target.ven_id
    others = msgspec.structs.replace(target, ven_id=())
    assert is_meant(target, VenConfig(), "ven") is (not only_others or bool(others))


# --- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule(48, 109)
@pytest.mark.parametrize(
    ("name", "kind", "unit", "expected"),
    [
        ("SIMPLE", "level", None, 200),
        ("simple", "level", None, 200),
        ("SIMPLE", "price", None, 460),
        ("ELECTRICITY_PRICE", "price", "currencyPerKWh", 200),
        ("ELECTRICITY_PRICE", "price", None, 200),
        ("ELECTRICITY_PRICE", "price", "powerReal", 460),
        ("ELECTRICITY_PRICE", "setpoint", None, 460),
        ("x-ours", "anything", "whatever", 200),
        ("WEATHER", "level", None, 460),
    ],
)
def test_a_signal_that_nobody_can_know_is_answered_with_460(
    name: str, kind: str, unit: str | None, expected: int
) -> None:
    """Decision D52: a custom one is for the application to judge."""
    assert code(with_signal(name, kind, unit)) == expected


@pytest.mark.rule(48, 109)
def test_only_the_signals_that_are_supported_are_taken_where_they_are_listed() -> None:
    ours = {"signals": (("SIMPLE", "level"), ("x-ours", "price"))}
    assert code(with_signal("simple", "level"), **ours) == 200
    assert code(with_signal("x-ours", "price"), **ours) == 200
    assert code(with_signal("x-ours", "level"), **ours) == 460
    assert code(with_signal("ELECTRICITY_PRICE", "price"), **ours) == 460
    both = with_signal("SIMPLE", "level").event_signals + with_signal("x-other", "level").event_signals
    assert code(msgspec.structs.replace(event(), event_signals=both), **ours) == 460, "one of them is enough"


@pytest.mark.rule(111, 112)
def test_an_event_for_devices_that_are_not_here_is_answered_with_469() -> None:
    pump = with_signal("SIMPLE", "level", devices=("Pool_Pump", "Sauna"))
    assert code(pump) == 200
    assert code(pump, device_classes=("Sauna",)) == 200
    assert code(pump, device_classes=("EVSE",)) == 469
    for_all = with_signal("SIMPLE", "level")
    mixed = msgspec.structs.replace(pump, event_signals=pump.event_signals + for_all.event_signals)
    assert code(mixed, device_classes=("EVSE",)) == 200, "there is a signal for what is here"


@pytest.mark.rule(22, 48, 111)
def test_an_event_for_device_classes_as_a_whole_is_meant_for_those_who_have_one_of_them() -> None:
    saunas = event(target=Target(end_device_asset=("Pool_Pump", "Sauna")))
    assert code(saunas) == 200
    assert code(saunas, device_classes=("Sauna",)) == 200
    assert code(saunas, device_classes=("EVSE",)) == 462
    either = event(target=Target(end_device_asset=("Sauna",), group_id=("north",)))
    assert code(either, device_classes=("EVSE",), group_ids=("north",)) == 200, "several criteria are or-ed"
    both = msgspec.structs.replace(
        with_signal("SIMPLE", "level", devices=("Sauna",)), target=Target(group_id=("south",))
    )
    assert code(both, device_classes=("Sauna",), group_ids=("north",)) == 462, "signals and event are and-ed"


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.rule(33)
def test_a_new_event_that_is_over_is_refused() -> None:
    over = event(begin=NONE, length=HOUR, startafter=MINUTE)
    assert code(over, after=HOUR) == 200, "a random start may still run (rule 66)"
    assert code(over, after=HOUR + MINUTE) == 454
    assert code(over, after=HOUR + MINUTE, new=False) == 200, "a known one may be ended early"
    assert code(event(length=NONE), after=HOUR * 1000) == 200


# --- on the wire -----------------------------------------------------------------------------------------------------


def answers(grid: Grid) -> dict[str, tuple[int, OptType]]:
    """The answers to events, by event."""
    found = {}
    for message in grid.messages(CreatedEvent):
        assert message.response == EiResponse(response_description="OK"), "the message as a whole is good (rule 48)"
        for one in message.event_responses or ():
            found[one.event_id] = (one.response_code, one.opt_type)
    return found


@pytest.mark.rule(19, 48)
def test_a_bad_event_is_refused_and_the_others_are_asked_about() -> None:
    asked: list[str] = []

    def on_event(event: EiEvent) -> str:
        asked.append(event.event_descriptor.event_id)
        return "optIn"

    grid = grid_with_ven({"on_event": on_event}, group_ids=("north",))
    for made in (event("good"), event("foreign", target=Target(group_id=("south",)))):
        grid.vtn.vtn.add_event(made, [grid.ven_id()], grid.now)
    grid.run(30)
    assert asked == ["good"]
    assert answers(grid) == {"good": (200, OptType.OPT_IN), "foreign": (462, OptType.OPT_OUT)}
    told = {one.event_id: one.code for one in grid.told(EventDecided, grid.hosts["ven"])}
    assert told == {"good": 200, "foreign": 462}


@pytest.mark.rule(12, 48)
def test_a_refused_event_is_answered_the_same_when_it_is_listed_again() -> None:
    grid = grid_with_ven(group_ids=("north",))
    add(grid, event(target=Target(group_id=("south",))))
    grid.log.clear()
    add(grid, event("another"))
    assert answers(grid) == {"event": (462, OptType.OPT_OUT), "another": (200, OptType.OPT_IN)}


@pytest.mark.rule(48, 57)
def test_a_modification_is_checked_anew() -> None:
    grid = grid_with_ven(group_ids=("north",))
    add(grid, event())
    assert answers(grid) == {"event": (200, OptType.OPT_IN)}
    grid.vtn.vtn.modify_event(event(target=Target(group_id=("south",))), grid.now)
    grid.run(15)
    assert answers(grid) == {"event": (462, OptType.OPT_OUT)}
    grid.vtn.vtn.modify_event(event(target=Target(group_id=("north",))), grid.now)
    grid.run(15)
    assert answers(grid) == {"event": (200, OptType.OPT_IN)}


@pytest.mark.rule(12, 48)
def test_a_bad_event_that_must_not_be_answered_is_not() -> None:
    grid = grid_with_ven(group_ids=("north",))
    add(grid, event(target=Target(group_id=("south",)), required=ResponseRequired.NEVER))
    assert answers(grid) == {}
    (known,) = grid.ven().ven.state.events
    assert (known.opt_type, known.code) == (OptType.OPT_OUT, 462)


@pytest.mark.rule(59)
def test_a_cancelled_event_is_agreed_to_whomever_it_was_meant_for() -> None:
    grid = grid_with_ven(group_ids=("north",))
    add(grid, event(target=Target(group_id=("south",))))
    grid.vtn.vtn.cancel_event("event", grid.now)
    grid.run(15)
    assert answers(grid) == {"event": (200, OptType.OPT_IN)}


# --- what may stand beside what --------------------------------------------------------------------------------------


@pytest.mark.rule(106)
def test_simple_may_stand_beside_other_signals() -> None:
    both = but(EVENT, target=Target(), event_signals=(SIGNAL, but(PRICE, target=None)))
    refuse_event(both)
    assert code(both) == 200


@pytest.mark.rule(108)
def test_a_baseline_may_be_about_other_resources_than_its_event() -> None:
    target = Target(resource_id=("pump-1",))
    made = but(EVENT, target=target, event_baseline__resource_id=("pump-1", "another building"))
    made = but(made, event_signals=(SIGNAL,))
    refuse_event(made)
    assert code(made) == 200

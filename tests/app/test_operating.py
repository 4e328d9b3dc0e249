"""What an operator does with a running VTN: look at its VENs, make events, watch the answers, cancel."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from oadr_app.control import ControlError
from tests.app.conftest import Field
from tests.app.program import Ended, oadr, until

Command = Callable[..., Ended]


# --- as a user does it -----------------------------------------------------------------------------------------------


def test_from_the_first_look_to_the_last_with_real_commands(field: Field) -> None:
    """In the folder of the VTN no flag is needed."""
    here = field.folder
    seen = oadr("vens", folder=here)
    assert (seen.status, seen.err) == (0, "")
    assert [line.split()[0] for line in seen.out.splitlines()] == [
        "VEN",
        *(one["name"] for one in field.vtn.ask("vens")),
    ]
    made = oadr("event", "create", "--value", "2", "--duration", "15m", "--json", folder=here)
    assert (made.status, made.err) == (0, "")
    answer = json.loads(made.out)
    assert (answer["vens"], answer["modification_number"]) == (2, 0)
    event_id = answer["event_id"]
    until(lambda: field.vtn.opts(event_id) == {"bakery": "optIn", "mill": "optOut"}, "both answer")
    listed = oadr("event", "list", folder=here)
    (line,) = [line for line in listed.out.splitlines() if event_id in line]
    assert line.split()[1] == "active"
    assert line.split()[-5:] == ["SIMPLE", "2", "1", "1", "0"]
    shown = oadr("event", "show", event_id[:20], folder=here)
    assert re.search(r"takes +15m", shown.out)
    assert re.search("active +█", shown.out)
    assert re.search("now +▲", shown.out)
    assert "✓ opts in" in shown.out
    assert "✗ opts out" in shown.out
    ended = oadr("event", "cancel", event_id[:20], folder=here)
    assert ended == (0, f"{event_id} is cancelled\n", "")
    assert event_id not in oadr("event", "list", folder=here).out
    (line,) = [line for line in oadr("event", "list", "--all", folder=here).out.splitlines() if event_id in line]
    assert line.split()[1] == "cancelled"


def test_what_is_printed_for_machines_is_json(field: Field, asked: Command, create: Callable[..., Any]) -> None:
    event_id = create()["state"]["event_id"]
    vens = json.loads(asked("vens", "--json").out)
    assert {(one["name"], one["online"], one["transport"]) for one in vens} == {
        ("bakery", True, "simpleHttp pull"),
        ("mill", True, "simpleHttp pull"),
    }
    assert event_id in [one["event_id"] for one in json.loads(asked("event", "list", "--json").out)]
    assert json.loads(asked("event", "show", event_id, "--json").out)["state"]["event_id"] == event_id
    assert json.loads(asked("event", "cancel", event_id, "--json").out) == {
        "event_id": event_id,
        "modification_number": 1,
    }


# --- the common events -----------------------------------------------------------------------------------------------


def test_without_flags_an_event_is_for_all_now_for_an_hour_at_the_first_level(create: Callable[..., Any]) -> None:
    shown = create()
    period, state = shown["active_period"], shown["state"]
    assert len(state["vens"]) == 2
    begin = datetime.fromisoformat(period["dtstart"])
    assert abs(begin - datetime.now(UTC)) < timedelta(minutes=1)
    assert (period["duration"], state["signals"], state["answer_wanted"]) == ("1h", ["SIMPLE 1"], True)


def test_an_event_may_be_for_some_vens_by_name_or_id(field: Field, create: Callable[..., Any]) -> None:
    assert [one["ven_name"] for one in create("--ven", "mill")["state"]["vens"]] == ["mill"]
    ven_id = field.vtn.vens()["bakery"]["ven_id"]
    shown = create("--ven", ven_id, "--ven", "bakery", "--ven", "mill")
    assert [one["ven_name"] for one in shown["state"]["vens"]] == ["bakery", "mill"]


def test_everything_about_an_event_can_be_said(create: Callable[..., Any]) -> None:
    shown = create(
        *("--start", "2036-11-20T18:00:00Z", "--intervals", "30m=1,1h=2", "--notification", "1d", "--ramp-up", "5m"),
        *("--recovery", "10m", "--startafter", "2m", "--target", "resource_id=boiler", "--target", "group_id=north"),
        *("--market-context", "http://market.example", "--priority", "2", "--test", "--no-answer", "--comment", "hot"),
    )
    period = shown["active_period"]
    assert period["dtstart"] == "2036-11-20T18:00:00Z"
    assert (period["duration"], period["notification"]) == ("1h30m", "1d")
    assert (period["ramp_up"], period["recovery"]) == ("5m", "10m")
    assert period["startafter"] == "2m"
    intervals = shown["event_signals"][0]["intervals"]
    assert [(one["duration"], one["signal_payload"]) for one in intervals] == [("30m", 1.0), ("1h", 2.0)]
    assert shown["targets"] == {"resource_id": ["boiler"], "group_id": ["north"]}
    descriptor = shown["event_descriptor"]
    assert (descriptor["market_context"], descriptor["priority"]) == ("http://market.example", 2)
    assert (descriptor["test_event"], descriptor["vtn_comment"]) == (True, "hot")
    assert shown["response_required"] == "never"
    assert shown["state"]["status"] == "far"


def test_a_price_has_its_currency(create: Callable[..., Any]) -> None:
    flags = ("--signal", "ELECTRICITY_PRICE", "--type", "price", "--value", "0.31")
    shown = create(*flags, "--measurement", "currency_per_kwh", "--unit", "EUR")
    (signal,) = shown["event_signals"]
    assert (signal["signal_name"], signal["signal_type"]) == ("ELECTRICITY_PRICE", "price")
    assert signal["intervals"][0]["signal_payload"] == pytest.approx(0.31)
    assert signal["measurement"]["unit"] == "EUR"


def test_a_dispatch_has_its_unit_and_scale(create: Callable[..., Any]) -> None:
    flags = ("--signal", "LOAD_DISPATCH", "--type", "setpoint", "--value", "25")
    (signal,) = create(*flags, "--measurement", "power_real", "--scale", "k")["event_signals"]
    assert (signal["measurement"]["name"], signal["measurement"]["scale"]) == ("powerReal", "k")


def test_an_event_without_end_lasts_until_it_is_cancelled(asked: Command, create: Callable[..., Any]) -> None:
    shown = create("--duration", "0s")
    state = shown["state"]
    assert state["end"] is None
    assert "until it is cancelled" in asked("event", "show", state["event_id"]).out
    asked("event", "cancel", state["event_id"])


# --- what is wrong is one line ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--start", "soon"), "--start: 'soon' is no time; write now, +15m or 2026-11-20T18:00:00Z"),
        (("--duration", "long"), "--duration: 'long' is no length of time; write 90s, 15m, 1h30m or PT15M"),
        (("--intervals", "1h"), "--intervals: '1h' is no interval; write its length and its value, as 30m=1,30m=2"),
        (("--ramp-up", "x"), "--ramp-up: 'x' is no length of time"),
        (("--startafter", "x"), "--startafter: 'x' is no length of time"),
        (
            ("--target", "boiler"),
            "--target: 'boiler' is no target; write its kind and its value, as resource_id=boiler",
        ),
        (("--target", "house=boiler"), "--target: 'house' is no kind of target; there are aggregated_pnode, "),
        (("--value", "nan"), "--value: it must be a number"),
        (("--value", "7"), "event_signals[0].intervals[0]: the value 7; SIMPLE has the values 0, 1, 2 and 3 (R9)"),
        (("--unit", "EUR"), "--unit: a unit of what? name it with --measurement, such as power_real"),
        (("--measurement", "currency_per_kwh"), "event_signals[0].measurement: the unit of currencyPerKWh"),
        (("--ven", "nobody"), "no VEN is called 'nobody'; there are bakery, mill"),
        (("--signal", "NONSENSE"), "event_signals[0].signal_name is 'NONSENSE'; it must be one of SIMPLE, "),
        (("--priority", "-1"), "event_descriptor.priority: "),
    ],
)
def test_an_event_that_cannot_be_is_refused_in_one_line(
    field: Field, asked: Command, flags: tuple[str, ...], complaint: str
) -> None:
    before = field.vtn.ask("event/list", all=True)
    ended = asked("event", "create", *flags)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"oadr: {complaint}")
    assert ended.err.count("\n") == 1
    assert len(field.vtn.ask("event/list", all=True)) == len(before)


@pytest.mark.rule(70)
def test_an_id_is_given_once(asked: Command, create: Callable[..., Any]) -> None:
    event_id = create()["state"]["event_id"]
    ended = asked("event", "create", "--id", event_id)
    assert ended == (1, "", f"oadr: there is an event '{event_id}' already (rule 70)\n")


@pytest.mark.parametrize("verb", ["show", "cancel"])
def test_an_event_is_named_by_its_id_or_the_beginning_of_it(
    asked: Command, create: Callable[..., Any], verb: str
) -> None:
    one, other = create()["state"]["event_id"], create()["state"]["event_id"]
    assert asked("event", verb, "absent") == (1, "", "oadr: there is no event 'absent'\n")
    ended = asked("event", verb, "event-")
    assert ended.status == 1
    assert "events begin with 'event-', such as event-1" in ended.err
    assert asked("event", verb, "") == (1, "", "oadr: `event_id` must be there, and be a text\n")
    assert asked("event", verb, one).status == 0
    assert asked("event", verb, other[:-1]).status == 0


@pytest.mark.parametrize(
    ("command_name", "content"),
    [
        ("event/create", {}),
        ("event/create", {"event": 5}),
        ("event/create", {"event": {}}),
        ("event/create", {"event": {"event_signals": 5}}),
        ("event/create", {"event": {"event_signals": [{"intervals": 5}]}}),
        ("event/create", {"event": {"event_signals": "abc", "active_period": []}}),
        ("event/show", {}),
        ("event/show", {"event_id": 5}),
        ("event/cancel", {"event_id": ["a"]}),
    ],
)
def test_whatever_is_asked_the_vtn_goes_on(field: Field, command_name: str, content: dict[str, Any]) -> None:
    with pytest.raises(ControlError):
        field.vtn.ask(command_name, **content)
    assert len(field.vtn.ask("vens")) == 2


def test_where_no_vtn_runs_that_is_said(tmp_path: Path, command: Command) -> None:
    for arguments in (("vens",), ("event", "list"), ("event", "create"), ("event", "show", "a")):
        ended = command(*arguments, "--socket", tmp_path / "none.sock")
        assert (ended.status, ended.out) == (1, "")
        assert ended.err.startswith(f"oadr: no VTN is running with the control socket {tmp_path}/none.sock; start one")

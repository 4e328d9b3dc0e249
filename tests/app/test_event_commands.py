"""Events that are changed, made of files, shown and found: what an operator does beyond the first event."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import Field
from tests.app.program import Ended, oadr, until

Command = Callable[..., Ended]
Create = Callable[..., dict[str, Any]]

TOML = """
[event_descriptor]
market_context = "http://market.example/peak"
priority = 1

[active_period]
dtstart = "+1h"
ramp_up = "10m"
recovery = "15m"
startafter = "5m"

[[event_signals]]
signal_name = "SIMPLE"
signal_type = "level"
intervals = [{duration = "30m", signal_payload = 1}, {duration = "30m", signal_payload = 2}]

[[event_signals]]
signal_name = "ELECTRICITY_PRICE"
signal_type = "price"
measurement = {name = "currencyPerKWh", unit = "EUR"}
device_classes = ["Thermostat"]
intervals = [{duration = "1h", signal_payload = 0.31}]

[[event_signals]]
signal_name = "x-tariff"
signal_type = "level"
intervals = [{signal_payload = 7}]

[event_baseline]
dtstart = 2026-11-20T18:00:00Z
duration = "1h"
baseline_id = "b"
baseline_name = "as always"
measurement = "power_real"
intervals = [{signal_payload = 12}]

[targets]
resource_id = ["boiler"]
service_area = [{positions = "52.3 4.8 52.4 4.9"}]

[audience]
vens = ["bakery"]
"""


def event_id_of(shown: dict[str, Any]) -> str:
    """The id of an event that is shown."""
    event_id: str = shown["event_descriptor"]["event_id"]
    return event_id


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_holds_what_flags_cannot_say(field: Field, asked: Command, tmp_path: Path) -> None:
    (tmp_path / "event.toml").write_text(TOML)
    ended = asked("event", "create", "--file", tmp_path / "event.toml", "--id", "of-a-file", "--comment", "flags too")
    assert ended == (0, "of-a-file was made for 1 VEN\n", "")
    shown = field.vtn.ask("event/show", event_id="of-a-file")
    assert [one["signal_name"] for one in shown["event_signals"]] == ["SIMPLE", "ELECTRICITY_PRICE", "x-tariff"]
    assert shown["event_baseline"]["baseline_name"] == "as always"
    assert shown["targets"] == {"resource_id": ["boiler"], "service_area": [{"positions": "52.3 4.8 52.4 4.9"}]}
    assert shown["event_descriptor"]["vtn_comment"] == "flags too"
    assert [one["ven_name"] for one in shown["state"]["vens"]] == ["bakery"]
    until(lambda: field.vtn.opts("of-a-file") == {"bakery": "optIn"}, "the VEN answers, so it has read the event")


def test_a_file_may_come_through_the_standard_input(field: Field) -> None:
    ended = oadr("event", "create", "--file", "-", "--json", folder=field.folder, stdin=TOML.encode())
    assert (ended.status, ended.err) == (0, "")
    assert json.loads(ended.out)["vens"] == 1
    ended = oadr("event", "create", "--file", "-", folder=field.folder, stdin=b"event_signals = []")
    assert ended == (1, "", "oadr: standard input: event_signals: it must not be empty\n")


def test_what_is_wrong_in_a_file_is_said_with_its_name(asked: Command, tmp_path: Path) -> None:
    path = tmp_path / "event.toml"
    path.write_text(TOML.replace("signal_payload = 2", "signal_payload = 9"))
    ended = asked("event", "create", "--file", path)
    complaint = "event_signals[0].intervals[1]: the value 9; SIMPLE has the values 0, 1, 2 and 3 (R9)"
    assert ended == (1, "", f"oadr: {path}: {complaint}\n")
    assert (
        asked("event", "create", "--file", tmp_path / "none").err
        == f"oadr: {tmp_path}/none: No such file or directory\n"
    )


def test_what_would_be_made_can_be_seen_before(field: Field, asked: Command, tmp_path: Path) -> None:
    before = len(field.vtn.ask("event/list", all=True))
    (tmp_path / "event.toml").write_text(TOML)
    ended = asked("event", "create", "--file", tmp_path / "event.toml", "--dry-run")
    assert ended.status == 0
    assert "a new event  far" in ended.out
    assert "recovery" in ended.out
    form = json.loads(asked("event", "create", "--value", "2", "--dry-run", "--json").out)
    assert form["event_signals"][0]["intervals"] == [{"duration": "1h", "signal_payload": 2.0}]
    assert len(field.vtn.ask("event/list", all=True)) == before


# --- changes ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule(5)
def test_a_change_says_what_is_different_and_every_ven_answers_anew(
    field: Field, asked: Command, create: Create
) -> None:
    event_id = event_id_of(create("--start", "+1h"))
    until(lambda: set(field.vtn.opts(event_id).values()) == {"optIn", "optOut"}, "both answer")
    ended = asked("event", "modify", event_id, "--value", "2", "--reason", "it gets hotter")
    assert ended.status == 0
    assert ended.out.splitlines() == [
        f"{event_id} has modification 1 now, for 2 VENs",
        "  event_descriptor.modification_reason: it gets hotter, where there was nothing",
        "  event_signals[0].intervals[0].signal_payload: 1 → 2",
    ]

    def answered() -> bool:
        rows = field.vtn.ask("event/show", event_id=event_id)["state"]["vens"]
        return all(one["opt"] is not None and one["answered_modification"] == 1 for one in rows)

    until(answered, "both answer the change")
    shown = asked("event", "show", event_id).out
    assert "modification 1 (it gets hotter)" in shown
    assert shown.count("✓ opts in") == shown.count("✗ opts out") == 1
    (earlier,) = field.vtn.ask("event/show", event_id=event_id)["state"]["vens"][0]["earlier"]
    assert earlier["modification_number"] == 0


def test_an_event_that_runs_can_be_made_longer(field: Field, asked: Command, create: Create) -> None:
    event_id = event_id_of(create("--duration", "10m"))
    assert field.vtn.ask("event/show", event_id=event_id)["state"]["status"] == "active"
    answer = json.loads(asked("event", "modify", event_id, "--duration", "20m", "--json").out)
    assert answer["modification_number"] == 1
    assert answer["changes"] == [
        "active_period.duration: 10m → 20m",
        "event_signals[0].intervals[0].duration: 10m → 20m",
    ]


def test_a_change_that_changes_nothing_says_so_and_costs_no_modification(
    field: Field, asked: Command, create: Create
) -> None:
    event_id = event_id_of(create("--value", "2"))
    ended = asked("event", "modify", event_id, "--value", "2")
    assert ended == (0, f"{event_id} is so already; it stays at modification 0\n", "")
    assert field.vtn.ask("event/show", event_id=event_id)["state"]["modification_number"] == 0


def test_shown_edited_and_read_again(field: Field, asked: Command, create: Create, tmp_path: Path) -> None:
    event_id = event_id_of(create("--start", "+2h", "--ramp-up", "5m", "--ven", "mill"))
    path = tmp_path / "event.json"
    path.write_text(asked("event", "show", event_id, "--json").out)
    assert "is so already" in asked("event", "modify", event_id, "--file", path).out
    form = json.loads(path.read_text())
    form["active_period"]["ramp_up"] = "7m"
    form["audience"] = {"vens": ["mill", "bakery"]}
    path.write_text(json.dumps(form))
    ended = asked("event", "modify", event_id, "--file", path)
    assert ended.status == 0
    assert "active_period.ramp_up: 5m → 7m" in ended.out
    assert "audience.vens: " in ended.out
    names = [one["ven_name"] for one in field.vtn.ask("event/show", event_id=event_id)["state"]["vens"]]
    assert sorted(names) == ["bakery", "mill"]
    again = asked("event", "modify", event_id, "--file", path)
    assert again.status == 1
    assert f"the event '{event_id}' has modification 1 by now, and this is a change of 0; look at it anew" in again.err


def test_a_file_without_a_start_keeps_it(field: Field, asked: Command, create: Create, tmp_path: Path) -> None:
    before = create("--start", "+2h", "--duration", "30m")
    (tmp_path / "new.toml").write_text(
        '[[event_signals]]\nsignal_name = "SIMPLE"\nsignal_type = "level"\n'
        'intervals = [{duration = "1h", signal_payload = 3}]\n'
    )
    assert asked("event", "modify", event_id_of(before), "--file", tmp_path / "new.toml").status == 0
    after = field.vtn.ask("event/show", event_id=event_id_of(before))
    assert after["active_period"]["dtstart"] == before["active_period"]["dtstart"]
    assert after["active_period"]["duration"] == "1h"


def test_a_change_can_be_seen_before(field: Field, asked: Command, create: Create) -> None:
    event_id = event_id_of(create())
    assert "SIMPLE" in asked("event", "modify", event_id, "--value", "3", "--dry-run").out
    assert field.vtn.ask("event/show", event_id=event_id)["state"]["modification_number"] == 0


def test_changes_that_cannot_be_are_refused_in_one_line(
    field: Field, asked: Command, create: Create, tmp_path: Path
) -> None:
    event_id = event_id_of(create())
    (tmp_path / "other.toml").write_text('event_descriptor.event_id = "other"\n' + TOML.partition("priority = 1")[2])
    for flags, complaint in (
        ((), "what is to change? say it with flags, or with --file"),
        (("--value", "9"), "event_signals[0].intervals[0]: the value 9; SIMPLE has the values 0, 1, 2 and 3 (R9)"),
        (("--ven", "nobody"), "no VEN is called 'nobody'; there are bakery, mill"),
        (
            ("--file", tmp_path / "other.toml"),
            f"{tmp_path}/other.toml: event_descriptor.event_id: this is the event 'other', not ",
        ),
    ):
        ended = asked("event", "modify", event_id, *flags)
        assert (ended.status, ended.out, ended.err.count("\n")) == (1, "", 1)
        assert ended.err.startswith(f"oadr: {complaint}")
    asked("event", "cancel", event_id)
    assert asked("event", "modify", event_id, "--value", "2").err == f"oadr: the event '{event_id}' is cancelled\n"


# --- who gets it -----------------------------------------------------------------------------------------------------


def test_an_event_for_a_group_reaches_those_who_are_enrolled_in_it(
    field: Field, asked: Command, create: Create
) -> None:
    made = create("--group", "east")
    assert made["state"]["vens"] == []
    assert "nobody is meant" in asked("event", "modify", event_id_of(made), "--value", "2").out
    assert asked("vens", "enrol", "mill", "--group", "east").status == 0
    until(lambda: field.vtn.opts(event_id_of(made)) == {"mill": "optOut"}, "the mill answers")
    assert "for             group east" in asked("event", "show", event_id_of(made)).out
    asked("vens", "enrol", "mill", "--group", "none")


# --- finding ---------------------------------------------------------------------------------------------------------


def test_events_are_found_by_status_ven_and_program(asked: Command, create: Create) -> None:
    far = event_id_of(create("--start", "+5h", "--ven", "mill", "--market-context", "http://program.example/a"))
    active = event_id_of(create("--ven", "bakery"))

    def found(*flags: str) -> set[str]:
        listed = json.loads(asked("event", "list", "--json", *flags).out)
        return {one["event_id"] for one in listed} & {far, active}

    assert found() == {far, active}
    assert found("--status", "active") == {active}
    assert found("--status", "far", "--status", "active") == {far, active}
    assert found("--ven", "mill") == {far}
    assert found("--market-context", "http://program.example/a") == {far}
    asked("event", "cancel", far)
    assert found("--status", "cancelled") == {far}
    assert found("--status", "completed") == set()


def test_a_terminal_that_is_narrow_or_without_colours_gets_all_the_same(field: Field, create: Create) -> None:
    event_id = event_id_of(create("--start", "2036-11-20T18:00:00Z", "--ramp-up", "10m", "--recovery", "10m"))
    shown = oadr("event", "show", event_id, folder=field.folder)
    assert (shown.status, shown.err) == (0, "")
    assert "\x1b" not in shown.out
    assert "now, " in shown.out
    begin = datetime(2036, 11, 20, 18, tzinfo=UTC) - datetime.now(UTC)
    assert f"now, {(begin - timedelta(minutes=12)).days}d" in shown.out


def test_a_terminal_without_the_letters_of_a_name_gets_question_marks(field: Field, create: Create) -> None:
    event_id = event_id_of(create("--ven", "mill", "--comment", "Wärme – ✓"))
    shown = oadr("event", "show", event_id, folder=field.folder, ascii_only=True)
    assert (shown.status, shown.err) == (0, "")
    assert "W?rme ? ?" in shown.out


def test_whom_an_event_is_for_is_told_by_name_and_when_it_was_cancelled(asked: Command, create: Create) -> None:
    event_id = event_id_of(create("--ven", "mill", "--open-ended"))
    shown = asked("event", "show", event_id).out
    assert re.search(r"^  for +mill *$", shown, re.MULTILINE)
    assert "until it is cancelled" in shown
    asked("event", "cancel", event_id)
    shown = asked("event", "show", event_id).out
    assert re.search(r"^cancelled +▲ \d\d:\d\d:\d\d", shown, re.MULTILINE)
    assert "until it is cancelled" not in shown


def test_an_event_may_have_very_many_intervals(field: Field, asked: Command, tmp_path: Path) -> None:
    """Three days, minute by minute; what makes a larger list than a VEN takes is refused before it harms anybody."""
    file = tmp_path / "days.json"

    def create(days: int) -> Ended:
        signal = {"signal_name": "SIMPLE", "signal_type": "level"}
        minutes = [{"duration": "1m", "signal_payload": number % 3} for number in range(days * 24 * 60)]
        file.write_text(json.dumps({"event_signals": [{**signal, "intervals": minutes}]}))
        return asked("event", "create", "--file", file, "--ven", "bakery", "--start", "+1h", "--id", "days")

    refused = create(7)
    assert refused.status == 1
    assert "as XML, with 10080 intervals; a list is a document that VENs take whole" in refused.err
    made = create(3)
    assert (made.status, made.err) == (0, "")
    shown = until(
        lambda: (found := field.vtn.ask("event/show", event_id="days"))["state"]["opt_in"] and found, "an answer"
    )
    assert len(shown["event_signals"][0]["intervals"]) == 3 * 24 * 60
    asked("event", "cancel", "days")


def test_events_that_overlap_say_so(asked: Command, create: Create) -> None:
    program = ("--market-context", "http://overlap.example", "--ven", "mill", "--start", "+9h")
    first = event_id_of(create(*program))
    ended = asked("event", "create", *program, "--id", "overlapping")
    assert f"! it overlaps with {first}; which of them counts is up to the VEN (rule 18)" in ended.out
    assert "! it overlaps with overlapping;" in asked("event", "show", first).out

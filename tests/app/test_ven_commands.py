"""VENs: who is there, what they belong to, whether they are available, and what they are asked."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.app.conftest import Field
from tests.app.program import Ended, Programs, oadr, until

Command = Callable[..., Ended]


def test_vens_are_listed_with_or_without_a_word(field: Field, asked: Command) -> None:
    listed = asked("vens", "--json")
    assert (listed.status, listed.err) == (0, "")
    assert {one["name"] for one in json.loads(listed.out)} == {"bakery", "mill"}
    ended = oadr("vens", "list", "--json", folder=field.folder)
    assert {one["name"] for one in json.loads(ended.out)} == {"bakery", "mill"}


def test_a_ven_is_shown_with_all_that_is_known_of_it(field: Field, asked: Command) -> None:
    ended = asked("vens", "show", "bakery")
    assert (ended.status, ended.err) == (0, "")
    for text in (
        "bakery  online",
        "2.0b over simpleHttp pull",
        "offers",
        "telemetry-usage: load-power",
        "is asked for",
    ):
        assert text in ended.out
    shown = json.loads(asked("vens", "show", field.vtn.vens()["bakery"]["ven_id"], "--json").out)
    assert shown["offers"] == [
        {
            "report_specifier_id": "telemetry-usage",
            "report_name": "METADATA_TELEMETRY_USAGE",
            "points": ["load-power"],
        }
    ]


def test_whether_a_ven_is_available_is_told_with_the_reason(field: Field, asked: Command) -> None:
    assert "✓ available" in asked("vens", "available", "mill").out
    made = json.loads(asked("event", "create", "--id", "availability", "--ven", "mill", "--json").out)
    until(lambda: field.vtn.opts(made["event_id"]) == {"mill": "optOut"}, "the mill answers")
    ended = asked("vens", "available", "mill", "--event", "availability", "--resource", "load")
    assert ended.out.startswith("✗ not available at ")
    assert ended.out.endswith(": the answer to the event\n")
    answer = json.loads(asked("vens", "available", "mill", "--at", "2036-11-20T18:00:00Z", "--json").out)
    assert (answer["available"], answer["why"]) == (True, "nothing was said")
    assert answer["at"] == "2036-11-20T18:00:00+00:00"


def test_a_ven_is_enrolled_list_by_list(asked: Command) -> None:
    assert asked("vens", "enrol", "bakery", "--group", "a", "--group", "b", "--resource", "oven").status == 0
    ended = asked("vens", "enrol", "bakery", "--program", "http://p.example")
    assert ended.out.endswith(" belongs to groups a, b; resources oven; programs http://p.example\n")
    ended = asked("vens", "enrol", "bakery", "--group", "none", "--resource", "none", "--program", "none")
    assert ended.out.endswith(" belongs to nothing\n")
    assert asked("vens", "enrol", "coming", "--party", "x", "--new").out == "coming belongs to parties x\n"
    assert asked("vens", "enrol", "coming", "--party", "none").out == "coming belongs to nothing\n"


@pytest.mark.parametrize("verb", ["show", "available", "enrol", "reregister", "remove", "forget"])
def test_whoever_is_not_there_is_said_in_one_line(asked: Command, verb: str) -> None:
    assert asked("vens", verb, "nobody") == (1, "", "oadr: no VEN is called 'nobody'; there are bakery, mill\n")


def test_what_cannot_be_a_time_is_refused(asked: Command) -> None:
    assert asked("vens", "available", "mill", "--at", "soon").err.startswith("oadr: at: 'soon' is no time; write now, ")


def test_a_ven_registers_again_when_it_is_asked_to_and_is_gone_when_it_is_removed(
    programs: Programs, tmp_path: Path
) -> None:
    vtn = programs.vtn(tmp_path)
    ven = programs.ven(vtn, "bakery")
    ended = oadr("vens", "reregister", "bakery", folder=tmp_path)
    assert ended.status == 0
    assert ended.out.endswith(" will be asked to register again\n")
    ven.says("registered again with the VTN")
    ended = oadr("vens", "remove", "bakery", folder=tmp_path)
    assert ended.out.endswith(" will be told that its registration ends\n")
    until(lambda: oadr("vens", folder=tmp_path).out == "no VEN is registered\n", "the VEN has confirmed and is gone")


def test_a_ven_that_is_gone_is_forgotten_and_what_it_has_reported_if_that_is_wanted(
    programs: Programs, tmp_path: Path
) -> None:
    vtn = programs.vtn(tmp_path)
    for name in ("bakery", "mill"):
        ven = programs.ven(vtn, name)
        until(lambda name=name: vtn.vens()[name]["readings"] >= 1, "readings")  # type: ignore[misc]
        ven.close()
    ids = {name: one["ven_id"] for name, one in vtn.vens().items()}
    assert oadr("vens", "enrol", "mill", "--group", "north", folder=tmp_path).status == 0
    assert oadr("vens", "forget", "bakery", folder=tmp_path).out == f"{ids['bakery']} is forgotten\n"
    told = json.loads(oadr("vens", "forget", "mill", "--readings", "--json", folder=tmp_path).out)
    assert (told["ven_id"], told["configured"], told["readings"] >= 1) == (ids["mill"], False, True)
    assert oadr("vens", folder=tmp_path).out == "no VEN is registered\n"
    assert oadr("vens", "forget", ids["mill"], folder=tmp_path).status == 1, "nothing is known of it any more"
    with closing(sqlite3.connect(tmp_path / "vtn.sqlite")) as file:
        stored = file.execute("SELECT DISTINCT ven_id FROM measured").fetchall()
    assert stored == [(ids["bakery"],)], "what was reported is kept where nothing else is said"


def test_a_ven_that_is_only_enrolled_is_forgotten_by_its_id(asked: Command) -> None:
    assert asked("vens", "enrol", "expected", "--group", "north", "--new").status == 0
    assert asked("vens", "forget", "expected").out == "expected is forgotten\n"
    assert asked("vens", "forget", "expected").status == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [("nothing.pem", "is no fingerprint"), ("pyproject.toml", "certificate"), ("00:11", "is no fingerprint")],
)
def test_what_is_no_certificate_is_refused(asked: Command, given: str, why: str) -> None:
    ended = asked("vens", "certificate", "mill", given)
    assert (ended.status, ended.out) == (1, "")
    assert why in ended.err


def test_what_the_configuration_says_of_a_ven_counts_from_its_registration_on(
    programs: Programs, tmp_path: Path
) -> None:
    (tmp_path / "vtn.toml").write_text(
        'poll = "1s"\n[http]\nport = 0\n[[vens]]\nname = "bakery"\ngroup_ids = ["north"]\n'
        '[[vens]]\nname = "mill"\nid = "ven-7"\nresource_ids = ["stones"]\nmarket_contexts = ["http://p.example"]\n'
    )
    vtn = programs.start("vtn", folder=tmp_path)
    url = vtn.says(r"listens at (http://\S+);")[1]
    for name in ("bakery", "mill"):
        programs.start("ven", "--vtn", url, "--name", name, "--state", f"{name}.state", folder=tmp_path)

    def vens() -> dict[str, dict[str, list[str]]]:
        return {one["name"]: one for one in json.loads(oadr("vens", "--json", folder=tmp_path).out)}

    until(lambda: len(vens()) == 2, "both are registered")
    assert vens()["bakery"]["group_ids"] == ["north"]
    assert (vens()["mill"]["ven_id"], vens()["mill"]["resource_ids"]) == ("ven-7", ["stones"])
    ended = oadr("event", "create", "--group", "north", "--program", "HTTP://P.example", "--json", folder=tmp_path)
    assert json.loads(ended.out)["vens"] == 2


def test_a_ven_refuses_and_decides_as_its_configuration_says(programs: Programs, tmp_path: Path) -> None:
    vtn = programs.vtn(tmp_path)
    (tmp_path / "ven.toml").write_text(
        f'name = "bakery"\nvtn = "{vtn.url}"\nmarket_contexts = ["http://ours.example"]\n'
        'signals = [["SIMPLE", "level"]]\n'
        '[[decisions]]\nopt = "optOut"\nsignal = "SIMPLE"\nat_least = 3\n'
    )
    programs.start("ven", folder=tmp_path)
    until(lambda: "bakery" in vtn.vens(), "the VEN is registered")
    ours = ("--market-context", "http://ours.example")
    price = ("--signal", "ELECTRICITY_PRICE", "--type", "price", "--measurement", "currency_per_kwh", "--unit", "EUR")
    events = {
        "taken": ours,
        "high": (*ours, "--value", "3"),
        "foreign": ("--market-context", "http://theirs.example"),
        "price": (*ours, *price),
    }
    for event_id, flags in events.items():
        assert oadr("event", "create", "--id", event_id, *flags, folder=tmp_path).status == 0

    def answer(event_id: str) -> tuple[object, object]:
        (row,) = vtn.ask("event/show", event_id=event_id)["state"]["vens"]
        return row["opt"], row["code"]

    until(lambda: all(answer(event_id)[0] for event_id in events), "all are answered")
    assert [answer(event_id) for event_id in events] == [
        ("optIn", 200),
        ("optOut", 200),
        ("optOut", 462),
        ("optOut", 460),
    ]


def test_anything_that_may_be_asked_of_a_ven_can_be_queued(programs: Programs, tmp_path: Path) -> None:
    vtn = programs.vtn(tmp_path)
    ven = programs.ven(vtn, "bakery")
    ended = oadr("vens", "ask", "bakery", "oadrRequestReregistration", folder=tmp_path)
    assert (ended.status, ended.err) == (0, "")
    ven.says("registered again with the VTN")
    (tmp_path / "cancel.toml").write_text('report_request_id = ["none-such"]\nreport_to_follow = false\n')
    assert oadr("vens", "ask", "bakery", "oadrCancelReport", "--file", "cancel.toml", folder=tmp_path).status == 0
    for operation, complaint in (
        ("oadrPoll", "oadrPoll is not asked of a VEN this way; "),
        ("oadrNothing", "'oadrNothing' is no payload of OpenADR 2.0b"),
        ("oadrCancelReport", "CancelReport.report_request_id"),
    ):
        ended = oadr("vens", "ask", "bakery", operation, folder=tmp_path)
        assert ended.status == 1
        assert complaint in ended.err

"""``oadr report``: an operator sees what is offered, asks for it, ends it, and gets what came out again."""

import csv
import io
import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from oadr_app.archive import Archive
from oadr_app.readings import Series, StoredReading
from oadr_app.sqlite_store import SqliteStore
from tests.app.program import COMMAND, PATIENCE, Ended, Programs, Vtn, oadr, objects, until

Command = Callable[..., Ended]

NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
OVEN: Final = Series(
    "1", "usage", "oven", "bakery", "TELEMETRY_USAGE", "usage", "Direct Read", "oven", "powerReal", "W", "k"
)
LINE: Final = Series(
    "1", "usage", "line", "bakery", "TELEMETRY_USAGE", "usage", "Direct Read", None, "voltage", "V", "none"
)
MILL: Final = Series("2", "status", "mill", "mill", "TELEMETRY_STATUS")
STATUS: Final = '{"online":true,"manual_override":false,"load_control_state":null}'


def at(second: int, value: float | None = 1.0, **details: Any) -> StoredReading:
    """Make a reading."""
    return StoredReading(NOON + timedelta(seconds=second), value, **details)


CONTENT: Final = {
    LINE: [at(0, 230.5)],
    OVEN: [at(0, 1.5), at(10, None, quality="Quality Bad - Non Specific"), at(20, 2.5, confidence=95, accuracy=0.1)],
    MILL: [at(0, None, status=STATUS)],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what a VTN has stored, in which the commands run."""
    store = SqliteStore(tmp_path / "vtn.sqlite")
    anyio.run(store.add_readings, CONTENT)
    store.close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- a VTN that runs -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vtn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vtn]:
    """A VTN with a VEN that reports its load."""
    with Programs() as programs:
        started = programs.vtn(tmp_path_factory.mktemp("vtn"))
        programs.ven(started, "bakery")
        yield started


@pytest.fixture
def asked(vtn: Vtn, command: Command) -> Command:
    """Runs a command that asks the VTN."""
    return lambda *arguments: command(*arguments, "--socket", vtn.folder / "vtn.sock")


def bakery(vtn: Vtn) -> dict[str, Any]:
    """What the VTN tells of the VEN."""
    (told,) = vtn.ask("report/list", ven="bakery")
    return dict(told)


def test_the_list_shows_offers_requests_and_what_is_stored(vtn: Vtn, asked: Command) -> None:
    told = bakery(vtn)
    (point,), (stored,) = told["offers"], told["stored"]
    assert (point["report"], point["r_id"], point["resource"]) == ("telemetry-usage", "load-power", "load")
    assert (point["quantity"], point["unit"], point["scale"]) == ("powerReal", "W", "k")
    assert (point["shortest_sampling"], point["longest_sampling"]) == (1.0, 3600.0)
    assert any(one["points"] == ["load-power"] and one["sampling"] == 1.0 for one in told["requests"])
    assert stored["readings"] >= 1
    assert stored["unit"] == "W"
    ended = asked("report", "list")
    assert ended.status == 0
    line = ended.out.splitlines()[1]
    for text in ("bakery", "telemetry-usage", "load-power", "kW", "1s to 1h", "every 1s"):
        assert text in line
    assert json.loads(asked("report", "list", "--json", "--ven", "bakery").out)[0]["ven_id"] == told["ven_id"]


@pytest.mark.rule(324)
def test_a_report_that_is_asked_for_once_comes_once(vtn: Vtn, asked: Command) -> None:
    made = json.loads(asked("report", "request", "bakery", "--once", "--point", "load", "--json").out)
    assert (made["sampling"], made["reporting"], made["dtstart"]) == (0.0, 0.0, None)

    def running() -> list[str]:
        return [one["report_request_id"] for one in bakery(vtn)["requests"]]

    until(lambda: made["report_request_id"] not in running(), "the report was delivered")


@pytest.mark.rule(325)
def test_a_report_is_asked_for_and_ended(vtn: Vtn, asked: Command) -> None:
    ended = asked("report", "request", "bakery", "--sampling", "2s", "--reporting", "4s", "--duration", "1h")
    assert ended.status == 0
    assert "load-power of telemetry-usage, every 2s, sent every 4s, for 1h: request " in ended.out
    request_id = ended.out.split()[-1]

    def state() -> str:
        return {one["report_request_id"]: one["state"] for one in bakery(vtn)["requests"]}.get(request_id, "ended")

    until(lambda: state() == "running", "the VEN has taken the request")
    assert request_id[:8] in asked("report", "list").out
    ended = asked("report", "cancel", request_id[:12])
    assert (ended.status, ended.out.split()[1:]) == (0, ["is", "asked", "to", "end", request_id])
    until(lambda: state() == "ended", "the request has ended")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["request", "nobody"], "no VEN is called 'nobody'; there are bakery"),
        (["request", "bakery", "--report", "weather"], "the VEN does not offer 'weather'; it offers telemetry-usage"),
        (["request", "bakery", "--point", "roof"], "telemetry-usage has no data point 'roof'; it has load-power"),
        (
            ["request", "bakery", "--sampling", "1500ms"],
            "--sampling: '1500ms' is a part of a second; OpenADR knows whole",
        ),
        (["request", "bakery", "--sampling", "1h", "--reporting", "1m"], "--reporting: it must not be shorter than"),
        (["request", "bakery", "--sampling", "2h"], "that: reports every PT2H are asked for, and PT1H is kept"),
        (["request", "bakery", "--sampling", "soon"], "--sampling: 'soon' is no length of time"),
        (
            ["request", "bakery", "--once", "--sampling", "1s"],
            "--once: a single report has neither a rhythm nor an end",
        ),
        (["request", "bakery", "--to", "now"], "--to: from when on?"),
        (["request", "bakery", "--from", "-2h", "--last", "1h"], "--last: give this or --from, not both"),
        (["request", "bakery", "--from", "-2h", "--to", "-3h"], "--to: it must be later than --from"),
        (["request", "bakery", "--last", "1h"], "telemetry-usage is TELEMETRY_USAGE, which has no recorded values to"),
        (["request", "bakery", "--from", "+2h"], "--from: it must be earlier than --to, and than now"),
        (["cancel", "no-such-request"], "no report is asked for under 'no-such-request'"),
    ],
)
def test_what_cannot_be_meant_is_said(asked: Command, arguments: list[str], text: str) -> None:
    ended = asked("report", *arguments)
    assert ended.status == 1
    assert text in ended.err


def test_the_file_is_read_while_the_vtn_runs(vtn: Vtn) -> None:
    def exported() -> int:
        return oadr("report", "export", folder=vtn.folder).out.count("\n") - 1

    before = exported()
    until(lambda: exported() > before, "further readings are there")
    ended = oadr("report", "show", "bakery", folder=vtn.folder)
    assert ended.status == 0
    assert "bakery telemetry-usage load-power" in ended.out
    assert "⠉" in ended.out or "⠒" in ended.out or "⣀" in ended.out or "kW" in ended.out


# --- plots -----------------------------------------------------------------------------------------------------------


def test_a_plot_says_what_it_shows(folder: Path, command: Command) -> None:
    ended = command("report", "show", "bakery", "oven", "--height", "4")
    assert ended.status == 0
    assert ended.out.startswith("bakery usage oven  powerReal in kW\n")
    assert "3 readings; 1.5 to 2.5 kW, 2 on average; 1 of bad quality" in ended.out
    assert "quality" in ended.out


def test_the_status_of_a_resource_is_said_in_words(folder: Path, command: Command) -> None:
    plot = command("report", "show", "mill").out
    assert "1 reading; online in 100% of them" in plot
    assert "status at last: online" in plot
    assert ("1.0┤" in plot, "0.0┤" in plot) == (True, True)


def test_all_that_fits_is_shown_and_a_time_without_readings_is_named(folder: Path, command: Command) -> None:
    ended = command("report", "show", "bakery", "--from", "2026-11-20T12:00:05Z", "--to", "2026-11-20T12:00:15Z")
    assert "bakery usage line  voltage in V\nnothing from " in ended.out
    assert "the newest reading is of " in ended.out
    assert "1 reading; 1 of bad quality" in ended.out
    assert " on; the newest reading is of " in command("report", "show", "mill", "--from", "2036-11-20T12:00:00Z").out
    told = [json.loads(line) for line in command("report", "show", "--json").out.splitlines()]
    assert [(one["ven"], one["r_id"]) for one in told] == [("bakery", "line"), ("bakery", "oven"), ("mill", "mill")]
    assert sum(bucket["readings"] for bucket in told[1]["stretches"]) == 3


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["show", "nobody"], "nothing is stored of a VEN that is called 'nobody'; there is something of bakery; mill"),
        (
            ["show", "--report", "none"],
            "there is no such series; there is bakery usage line; bakery usage oven; mill status mill",
        ),
        (["show", "bakery", "roof"], "there is no such series; there is bakery usage line; bakery usage oven"),
        (["show", "--state", "nowhere.sqlite"], "nowhere.sqlite: No such file or directory"),
        (["show", "--state", "notes.txt"], "notes.txt: file is not a database"),
        (["show", "--state", "old.sqlite"], "old.sqlite: its tables have version 1; start oadr vtn"),
        (["show", "--state", "empty.sqlite"], "empty.sqlite: no VEN has reported anything yet"),
        (["show", "--from", "now", "--to", "now"], "--to: it must be later than --from"),
        (["export", "--last", "x"], "--last: 'x' is no length of time"),
        (["export", "absent/out.csv"], "oadr: absent/out.csv: No such file or directory"),
        (["export", "out.xml"], "out.xml: neither .csv nor .jsonl; say with --format what is to be written"),
    ],
)
def test_what_cannot_be_shown_is_said(folder: Path, command: Command, arguments: list[str], text: str) -> None:
    (folder / "notes.txt").write_text("something that matters\n" * 100)
    SqliteStore(folder / "empty.sqlite").close()
    with closing(sqlite3.connect(folder / "old.sqlite")) as old:
        old.executescript("CREATE TABLE blobs (x); PRAGMA application_id = 0x6F616472; PRAGMA user_version = 1;")
    ended = command("report", *arguments)
    assert ended.status == 1
    assert text in ended.err


# --- export ----------------------------------------------------------------------------------------------------------


def test_csv_holds_everything(folder: Path, command: Command) -> None:
    ended = command("report", "export", "--ven", "bakery")
    assert (ended.status, ended.err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [(row["time"], row["r_id"], row["value"]) for row in rows] == [
        ("2026-11-20T12:00:00Z", "line", "230.5"),
        ("2026-11-20T12:00:00Z", "oven", "1.5"),
        ("2026-11-20T12:00:10Z", "oven", ""),
        ("2026-11-20T12:00:20Z", "oven", "2.5"),
    ]
    assert rows[2]["quality"] == "Quality Bad - Non Specific"
    told = ("ven", "ven_id", "report", "report_name", "resource", "quantity", "unit", "scale", "confidence", "accuracy")
    assert [rows[3][name] for name in told] == [
        "bakery", "1", "usage", "TELEMETRY_USAGE", "oven", "powerReal", "W", "k", "95", "0.1",
    ]  # fmt: skip


def test_an_export_is_in_utf_8_whatever_a_terminal_would_show(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "vtn.sqlite")) as file, file:
        file.execute("UPDATE series SET ven_name = 'Bäckerei' WHERE ven_name = 'bakery'")
    for form in ("csv", "jsonl"):
        exported = oadr("report", "export", "--format", form, folder=folder, ascii_only=True)
        assert (exported.status, exported.err) == (0, "")
        assert "Bäckerei" in exported.out


def test_json_lines_hold_everything(folder: Path, command: Command) -> None:
    assert command("report", "export", "out.jsonl").status == 0
    lines = objects((folder / "out.jsonl").read_text())
    assert [(one["ven"], one["r_id"], one["value"]) for one in lines] == [
        ("bakery", "line", 230.5),
        ("bakery", "oven", 1.5),
        ("bakery", "oven", None),
        ("bakery", "oven", 2.5),
        ("mill", "mill", None),
    ]
    assert lines[-1]["status"] == {"online": True, "manual_override": False, "load_control_state": None}
    assert lines[3]["confidence"] == 95


def test_a_part_is_exported_by_time_and_data_point(folder: Path, command: Command) -> None:
    ended = command(
        "report", "export", "--point", "oven", "--from", "2026-11-20T12:00:10Z", "--to", "2026-11-20T12:00:20Z"
    )
    assert [row["time"] for row in csv.DictReader(io.StringIO(ended.out))] == ["2026-11-20T12:00:10Z"]


def test_a_file_is_replaced_when_the_new_one_is_whole(folder: Path, command: Command) -> None:
    (folder / "out.csv").write_text("of yesterday")
    ended = command("report", "export", "out.csv", "--ven", "nobody")
    assert ended.status == 1
    assert (folder / "out.csv").read_text() == "of yesterday"
    ended = command("report", "export", "out.csv")
    assert ended.err == "5 readings of 3 series are in out.csv\n"
    assert (folder / "out.csv").read_text().startswith("time,ven,")
    assert sorted(one.suffix for one in folder.iterdir() if one.name.startswith(".")) == []


def test_an_export_says_of_how_many_series_it_has_readings_and_whether_it_has_none(
    folder: Path, command: Command
) -> None:
    ended = command("report", "export", "out.csv", "--from", "2026-11-20T12:00:10Z", "--to", "2026-11-20T12:00:20Z")
    assert ended.err == "1 reading of 1 series is in out.csv\n"
    ended = command("report", "export", "out.txt", "--format", "csv", "--to", "2020-11-20T12:00:00Z")
    assert (ended.status, ended.err) == (0, "out.txt is empty: there are no such readings\n")


def test_whoever_has_read_enough_of_an_export_may_stop(folder: Path) -> None:
    store = SqliteStore(folder / "vtn.sqlite")
    anyio.run(store.add_readings, {OVEN: [at(second) for second in range(30_000)]})
    store.close()
    command = [*COMMAND, "report", "export", "--format", "jsonl"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) != 0


def test_readings_are_read_in_chunks_that_hold_no_transaction_open(folder: Path) -> None:
    store = SqliteStore(folder / "vtn.sqlite")
    rows = [at(second) for second in range(25_000)]
    anyio.run(store.add_readings, {OVEN: rows})
    with Archive(folder / "vtn.sqlite") as archive:
        (one,) = archive.series(point="oven")
        chunks = archive.chunks(one)
        sizes = [len(next(chunks))]
        busy, _, _ = store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not busy, "the reader is in the way of the VTN"
        sizes += [len(chunk) for chunk in chunks]
    store.close()
    assert sizes == [10_000, 10_000, 5_000]

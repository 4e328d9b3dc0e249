"""A VEN reports what stands in a file or what a command prints, and says so where there is nothing to report."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oadr_app.archive import Archive
from oadr_app.config import ConfigError, VenFile, VenReport, read
from oadr_app.sources import CommandOutput, CsvFile, read_output, read_rows
from oadr_core import DataQuality
from tests.app.program import Ended, Programs, oadr, until

Command = Callable[..., Ended]

NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
FAILED: Final = {"value": None, "data_quality": DataQuality.BAD_COMM_FAILURE}


def csv_file(folder: Path, text: str, *, loop: bool = False, spacing: timedelta = SECOND) -> CsvFile:
    """Make a source of a file."""
    path = folder / "values.csv"
    path.write_text(text)
    return CsvFile(path, spacing, loop=loop)


def at(source: CsvFile, *seconds: float) -> list[Any]:
    """What it reads at some seconds after noon."""
    return [source.read(NOON + timedelta(seconds=second)) for second in seconds]


TIMED: Final = "time,value\n2026-11-20T12:00:00Z,1.5\n2026-11-20T12:00:10Z,2.5\n2026-11-20T12:00:20+00:00,3.5\n"


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_value_holds_until_the_next_and_the_last_as_long_as_is_usual(tmp_path: Path) -> None:
    source = csv_file(tmp_path, TIMED)
    assert at(source, -1, 0, 9.9, 10, 19, 20, 29.9, 30, 10**6) == [None, 1.5, 1.5, 2.5, 2.5, 3.5, 3.5, None, None]


def test_a_file_of_a_day_stands_for_every_day(tmp_path: Path) -> None:
    source = csv_file(tmp_path, TIMED, loop=True)
    assert at(source, 0, 10, 20, 30, 45, 3000, -10) == [1.5, 2.5, 3.5, 1.5, 2.5, 1.5, 3.5]


def test_values_without_times_are_taken_one_after_the_other(tmp_path: Path) -> None:
    source = csv_file(tmp_path, "1\n2\n3\n", spacing=timedelta(seconds=10))
    assert at(source, 5, 10, 15, 25, 34, 35) == [1.0, 1.0, 2.0, 3.0, 3.0, None]
    source = csv_file(tmp_path, "kilowatt\n1\n2\n", loop=True)
    assert at(source, 0, 1, 2, 3, 2) == [1.0, 2.0, 1.0, 2.0, 1.0]


def test_what_has_no_value_is_said_with_its_quality(tmp_path: Path) -> None:
    source = csv_file(tmp_path, "value,quality\n1,\n,Quality Bad - Sensor Failure\n3,x-estimated\n\n,\n")
    assert at(source, 0, 1, 2, 3) == [
        1.0,
        {"value": None, "data_quality": "Quality Bad - Sensor Failure"},
        {"value": 3.0, "data_quality": "x-estimated"},
        None,
    ]


@pytest.mark.parametrize(
    "text",
    [
        "quality,Value,Timestamp\nx,1.5,2026-11-20T12:00:00Z\n",
        "\ufefftime,value\r\n2026-11-20T12:00:00Z,1.5\r\n",
        "2026-11-20T12:00:00Z,1.5\n",
        "1795176000,1.5\n",
        "time;value\n2026-11-20T12:00:00Z;1,5\n",
        "1795176000 ; 1,5 ; \n",
    ],
)
def test_files_come_in_several_forms(tmp_path: Path, text: str) -> None:
    path = tmp_path / "values.csv"
    path.write_text(text)
    rows = read_rows(path)
    assert list(rows.times) == [NOON.timestamp()]
    assert list(rows.values) == [1.5]


def test_what_is_appended_to_a_file_is_seen(tmp_path: Path) -> None:
    source = csv_file(tmp_path, TIMED)
    assert at(source, 30) == [None]
    (tmp_path / "values.csv").write_text(TIMED + "2026-11-20T12:00:30Z,4.5\n")
    assert at(source, 30) == [4.5]


def test_a_file_that_is_spoilt_meanwhile_is_told_of_and_what_it_held_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = csv_file(tmp_path, "1\n2\n", loop=True)
    for spoil in (lambda path: path.write_text("1\nx\n3\n"), Path.unlink):
        caplog.clear()
        spoil(tmp_path / "values.csv")
        assert at(source, 0, 1) == [1.0, 2.0]
        assert "the file of values has changed, and cannot be used so: " in caplog.text


def test_a_file_of_the_past_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    csv_file(tmp_path, "time,value\n2020-01-01T00:00:00Z,1\n")
    assert "values.csv are past; loop repeats them" in caplog.text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "there are no values in it"),
        ("time,value\n", "there are no values in it"),
        ("time,power\n1,2\n", "line 1: there is no column `value`, but time, power"),
        ("1\ntwo\n", "line 2: 'two' is no number"),
        ("1\nnan\n", "line 2: 'nan' is no number"),
        ("time,value\nsoon,1\n", "line 2: 'soon' is no time; write 2026-11-20T18:00:00Z, or the seconds since 1970"),
        ("5,1\n5,2\n", "line 2: '5' is not later than the time before it"),
        ("5,1\n6\n", "line 2: there are 1 columns, which are too few"),
        ("9" * 400 + ",1\n", "is no time"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as failed:
        csv_file(tmp_path, text)
    assert "values.csv" in str(failed.value)
    assert complaint in str(failed.value)


def test_a_file_that_is_not_there_or_no_text_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.csv: No such file"):
        CsvFile(tmp_path / "nothing.csv", SECOND, loop=False)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.csv: this is no CSV in UTF-8"):
        CsvFile(tmp_path / "binary.csv", SECOND, loop=False)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20), st.integers(-100, 100), st.booleans())
def test_every_value_of_a_file_is_read_at_its_time(values: list[float], second: int, loop: bool) -> None:
    with TemporaryDirectory() as folder:
        lines = "".join(f"{NOON.timestamp() + number},{value!r}\n" for number, value in enumerate(values))
        source = csv_file(Path(folder), lines, loop=loop)
        assert at(source, *range(len(values))) == values
        inside = 0 <= second < max(len(values), 1)
        expected = values[second % len(values)] if loop or inside else None
        assert at(source, second) == [expected]


# --- commands --------------------------------------------------------------------------------------------------------


def printed(code: str, timeout: float = 30.0) -> Any:
    """What is read of a command that runs some Python."""
    source = CommandOutput(f"{sys.executable} -c '{code}'", timedelta(seconds=timeout))
    return anyio.run(source.read)


def test_a_command_prints_a_number_or_an_object() -> None:
    assert printed("print(2.5)") == 2.5
    assert printed('print("{\\"value\\": 1, \\"confidence\\": 90}")') == {"value": 1, "confidence": 90}


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("pass", "it prints nothing"),
        ("print(None)", "it prints 'None', which is no number"),
        ('import sys; sys.exit("no meter")', "it ends with status 1: no meter"),
    ],
)
def test_a_command_that_fails_gives_no_value_and_the_quality_says_so(
    code: str, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert printed(code) == FAILED
    assert complaint in caplog.text


def test_a_command_that_is_not_there_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    source = CommandOutput("no-such-command --now", SECOND)
    for _ in range(3):
        assert anyio.run(source.read) == FAILED
    assert caplog.text.count("the command no-such-command --now gives no value") == 1


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    script = tmp_path / "slow.sh"
    script.write_text(f"#!/bin/sh\n(sleep 1; echo > {mark}) &\nwait\n")
    script.chmod(0o755)
    assert anyio.run(CommandOutput(str(script), timedelta(seconds=0.3)).read) == FAILED
    assert anyio.run(CommandOutput("sleep 1.2", timedelta(seconds=30)).read) == FAILED, "it prints nothing"
    assert not mark.exists()


@pytest.mark.parametrize("command", ["", "  ", "a 'b"])
def test_what_is_no_command_is_refused(command: str) -> None:
    with pytest.raises(ConfigError, match="command: "):
        CommandOutput(command, SECOND)


@given(st.text(max_size=40))
def test_whatever_a_command_prints_is_a_reading_or_refused_in_words(text: str) -> None:
    complaint, taken = "it prints ", None
    try:
        taken = read_output(text)
    except ValueError as error:
        complaint = str(error)
    assert complaint.startswith("it prints ")
    assert isinstance(taken, float | dict | None)


# --- configuration ---------------------------------------------------------------------------------------------------


def test_a_path_in_a_file_is_relative_to_it(tmp_path: Path) -> None:
    path = tmp_path / "ven.toml"
    path.write_text('[[reports]]\ncsv = "day.csv"\nloop = true\n')
    (report,) = read(VenFile, path, {}).reports
    assert report.csv == tmp_path / "day.csv"


def test_without_anything_to_report_there_is_a_simulated_load() -> None:
    assert [one.resource for one in VenFile().simulated] == ["load"]
    assert VenFile(reports=[VenReport(command="true")]).simulated == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "give either `csv`, a file, or `command`"),
        ('csv = "a"\ncommand = "b"', "give either `csv`, a file, or `command`"),
        ('command = "b"\nloop = true', "`loop` is about a file, and there is no `csv`"),
        ('csv = "a"\nreport_name = "TELEMETRY_STATUS"', "give `command`, which prints the status"),
        ('csv = "a"\nreport_name = "usage"', "or begins with x-, and not usage"),
    ],
)
def test_a_report_has_one_source(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "ven.toml"
    path.write_text(f"[[reports]]\n{text}\n")
    with pytest.raises(ConfigError) as failed:
        read(VenFile, path, {})
    assert complaint in str(failed.value)


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--unit", "W"], "--unit: it is about values from --csv or --command, and neither is given"),
        (["--csv", "a.csv", "--command", "b"], "--command: the values come from this or from --csv, not from both"),
        (["--csv", "a.csv", "--kilowatt", "3"], "--kilowatt: values come from a simulated load, or from"),
        (["--csv", "a.csv"], "a.csv: No such file or directory"),
        (["--command", "true", "--scale", "huge"], "--scale: "),
        (["--command", "true", "--report-name", "usage"], "oadr: `report_name` is TELEMETRY_USAGE, "),
        (["--command", "true", "--measurement", "rain"], "a quantity of your own needs a unit"),
        (["--command", "'"], 'command: "\'" cannot be split into words'),
    ],
)
def test_flags_that_cannot_be_meant_are_refused(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = command("ven", *flags)
    assert ended.status == 1
    assert complaint in ended.err


# --- from the file to the VTN ----------------------------------------------------------------------------------------


def test_a_ven_reports_a_file_and_what_commands_print(programs: Programs, tmp_path: Path) -> None:
    vtn = programs.vtn(tmp_path)
    (tmp_path / "day.csv").write_text("1.5\n2.5\n3.5\n")
    (tmp_path / "tank.toml").write_text(
        f'[[reports]]\nresource = "pump"\nmeasurement = "energy_real"\n'
        f'command = "{sys.executable} -c \'print(17)\'"\nsampling = "2s"\n'
        '[[reports]]\nresource = "valve"\ncommand = "false"\n'
        '[[reports]]\nresource = "tank"\nreport_name = "x-tank"\nmeasurement = "level"\nunit = "mm"\n'
        'command = "echo 30"\n'
        '[[reports]]\nresource = "tank"\nreport_name = "TELEMETRY_STATUS"\n'
        """command = "echo '{\\"online\\": true, \\"manual_override\\": false}'"\n"""
    )
    programs.ven(vtn, "mill", "--csv", "day.csv", "--loop", "--scale", "k", "--resource", "stone")
    programs.ven(vtn, "tank", "--config", "tank.toml")
    for report in ("x-tank", "TELEMETRY_STATUS"):  # a VTN asks for telemetry of usage by itself, and for nothing else
        assert oadr("report", "request", "tank", "--report", report, "--once", folder=tmp_path).status == 0

    def stored(ven: str) -> dict[str, dict[str, Any]]:
        (told,) = vtn.ask("report/list", ven=ven)
        return {one["r_id"]: one for one in told["stored"]}

    until(lambda: len(stored("tank")) == 4, "readings of all commands")
    until(lambda: stored("mill")["stone-power_real"]["readings"] >= 4, "the file begins again")
    described = {
        name: (one["resource"], one["quantity"], one["unit"], one["scale"]) for name, one in stored("tank").items()
    }
    assert described["pump-energy_real"] == ("pump", "energyReal", "Wh", "none")
    assert described["tank-level"] == ("tank", "level", "mm", "none")
    assert stored("mill")["stone-power_real"]["scale"] == "k"
    with Archive(tmp_path / "vtn.sqlite") as archive:
        read_of = {
            one.series.r_id: [row[1:] for chunk in archive.chunks(one) for row in chunk] for one in archive.series()
        }
    assert [value for value, *_ in read_of["stone-power_real"]][:4] == [1.5, 2.5, 3.5, 1.5]
    assert {value for value, *_ in read_of["pump-energy_real"]} == {17.0}
    assert {value for value, *_ in read_of["tank-level"]} == {30.0}
    assert set(read_of["valve-power_real"]) == {(None, "Quality Bad - Comm Failure", None, None, None)}
    assert '"online":true,"manual_override":false' in read_of["tank-status"][0][4]

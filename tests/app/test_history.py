"""A VEN tells what its file has recorded, and a last report where one is wanted, as real programs do it."""

import json
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from oadr_app.archive import Archive
from oadr_app.readings import moment
from oadr_app.sources import CsvFile
from oadr_app.tracing import read_trace
from oadr_core import CanceledReport, UpdateReport, decode
from tests.app.program import Ended, Program, Programs, Vtn, oadr, until

MINUTE: Final = timedelta(minutes=1)
NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)

Rows = dict[datetime, float]


def recorded(folder: Path, *, spacing: timedelta, number: int) -> Rows:
    """Write a file of values up to the present."""
    last = datetime.now(UTC).replace(microsecond=0)
    rows = {last - place * spacing: float(place) for place in reversed(range(number))}
    (folder / "day.csv").write_text(
        "time,value\n" + "".join(f"{time:%FT%TZ},{value}\n" for time, value in rows.items())
    )
    return rows


def stored(vtn: Vtn, report: str = "history-usage") -> Rows:
    """What the VTN has stored of a report."""
    with Archive(vtn.folder / "vtn.sqlite") as archive:
        return {
            moment(time): value
            for series in archive.series(report=report)
            for chunk in archive.chunks(series)
            for time, value, *_ in chunk
        }


def asked(vtn: Vtn, *arguments: object) -> dict[str, Any]:
    """Ask the VEN for a report, and return the request."""
    ended = oadr("report", "request", "mill", "--json", *arguments, folder=vtn.folder)
    assert ended.status == 0, ended.err
    made: dict[str, Any] = json.loads(ended.out)
    return made


def within(rows: Rows, request: dict[str, Any]) -> Rows:
    """The rows that a request is about."""
    begin = datetime.fromisoformat(request["dtstart"])
    end = begin + timedelta(seconds=request["duration"])
    return {time: value for time, value in rows.items() if begin <= time < end}


def waiting(vtn: Vtn) -> Sequence[str]:
    """The requests that have not ended."""
    (told,) = vtn.ask("report/list", ven="mill")
    return [one["report_request_id"] for one in told["requests"]]


def comes(vtn: Vtn, rows: Rows, request: dict[str, Any]) -> None:
    """Wait until all that was asked for is stored, and the request has ended."""
    wanted = within(rows, request)
    assert wanted
    until(lambda: wanted.items() <= stored(vtn).items(), "what was recorded is stored")
    until(lambda: request["report_request_id"] not in waiting(vtn), "the request has ended")


@pytest.mark.rule(317, 324, 325)
def test_what_a_file_has_recorded_is_asked_for_and_stored(programs: Programs, tmp_path: Path) -> None:
    vtn = programs.vtn(tmp_path)
    rows = recorded(tmp_path, spacing=MINUTE, number=180)
    programs.ven(vtn, "mill", "--csv", "day.csv", "--scale", "k", "--resource", "stone", "--kept", "3d")
    assert "3d back" in oadr("report", "list", folder=tmp_path).out

    first = asked(vtn, "--last", "1h")
    assert (first["report"], first["points"], first["reporting"]) == ("history-usage", ["stone-power_real"], 0.0)
    comes(vtn, rows, first)
    assert stored(vtn) == within(rows, first), "and nothing else"

    begin, *_, end = [time for time in rows if time < datetime.fromisoformat(first["dtstart"])]
    second = asked(vtn, "--from", begin.isoformat(), "--to", end.isoformat())
    comes(vtn, rows, second)
    assert end not in stored(vtn), "the end is not part of the stretch"
    third = asked(vtn, "--from", begin.isoformat())
    comes(vtn, rows, third)
    assert stored(vtn) == within(rows, third), "what came before is there once"

    refused = oadr("report", "request", "mill", "--last", "30d", folder=tmp_path)
    assert (refused.status, "and P3D is kept" in refused.err) == (1, True), refused.err
    plot = oadr("report", "show", "mill", "--report", "history-usage", "--last", "2h", folder=tmp_path)
    assert "mill history-usage stone-power_real  powerReal in kW" in plot.out


def test_a_history_that_is_too_long_for_one_message_comes_in_several(programs: Programs, tmp_path: Path) -> None:
    vtn = programs.vtn(tmp_path)
    rows = recorded(tmp_path, spacing=timedelta(seconds=5), number=12_000)
    (tmp_path / "mill.toml").write_text(
        '[[reports]]\nreport_name = "HISTORY_USAGE"\nreport = "past"\ncsv = "day.csv"\npoint = "stone"\n'
    )
    start(programs, vtn, "--config", "mill.toml")
    request = asked(vtn, "--last", "20h")
    assert (request["report"], request["points"]) == ("past", ["stone"])
    until(lambda: stored(vtn, "past") == within(rows, request), "all of it is stored")
    until(lambda: not waiting(vtn), "the request has ended")


def start(programs: Programs, vtn: Vtn, *arguments: object) -> Program:
    """Start a VEN, and wait until it offers something."""
    program = programs.start(
        "ven", "--vtn", vtn.url, "--name", "mill", "--state", "mill.state", *arguments, folder=vtn.folder
    )
    until(lambda: "mill" in vtn.vens() and vtn.ask("report/list", ven="mill")[0]["offers"], "the VEN offers a report")
    return program


@pytest.mark.rule(306)
def test_what_an_operator_has_asked_for_goes_on_after_a_restart_of_the_ven(programs: Programs, tmp_path: Path) -> None:
    vtn = programs.vtn(tmp_path, "--poll", "1s")
    ven = start(programs, vtn)
    before = asked(vtn, "--sampling", "2s", "--reporting", "4s")

    def rhythms() -> dict[str, tuple[object, object]]:
        (told,) = vtn.ask("report/list", ven="mill")
        known = [one for one in told["requests"] if one["state"] == "running"]
        return {one["report_request_id"]: (one["sampling"], one["reporting"]) for one in known}

    until(lambda: before["report_request_id"] in rhythms(), "the VEN has taken the request")
    known = rhythms()
    assert ven.signal(signal.SIGKILL)
    start(programs, vtn)
    until(lambda: len(rhythms().keys() - known) == 2, "both are asked for again")
    assert sorted(map(str, rhythms().values())) == sorted(map(str, known.values()))
    assert (2.0, 4.0) in rhythms().values()


# --- files -----------------------------------------------------------------------------------------------------------


def past(folder: Path, text: str, begin: int, end: int, *, loop: bool = False) -> list[tuple[float, object]]:
    """What a file has recorded between some seconds after noon."""
    path = folder / "values.csv"
    path.write_text(text)
    source = CsvFile(path, timedelta(seconds=1), loop=loop, past=True)
    found = source.recorded(NOON + timedelta(seconds=begin), NOON + timedelta(seconds=end))
    return [((time - NOON).total_seconds(), value) for time, value in found]


TIMED: Final = "time,value\n2026-11-20T12:00:00Z,1.5\n2026-11-20T12:00:10Z,2.5\n2026-11-20T12:00:20Z,3.5\n"


def test_what_was_recorded_is_told_with_its_times(tmp_path: Path) -> None:
    assert past(tmp_path, TIMED, -100, 100) == [(0, 1.5), (10, 2.5), (20, 3.5)]
    assert past(tmp_path, TIMED, 0, 20) == [(0, 1.5), (10, 2.5)]
    assert past(tmp_path, TIMED, 1, 10) == []
    assert past(tmp_path, "1\n2\n", 0, 10) == [], "nobody knows when"


def test_a_file_that_is_repeated_has_recorded_the_same_each_time(tmp_path: Path) -> None:
    assert past(tmp_path, TIMED, 15, 65, loop=True) == [(20, 3.5), (30, 1.5), (40, 2.5), (50, 3.5), (60, 1.5)]
    assert past(tmp_path, TIMED, -20, 1, loop=True) == [(-20, 2.5), (-10, 3.5), (0, 1.5)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('report_name = "HISTORY_USAGE"\ncommand = "true"', "give `csv`, a file with times: HISTORY_USAGE is of"),
        ('report_name = "HISTORY_USAGE"\ncsv = "plain.csv"', "there are no times in it, and HISTORY_USAGE needs them"),
        ('kept = "1d"\ncommand = "true"', "`kept` is about a file, and there is no `csv`"),
    ],
)
def test_history_needs_a_file_with_times(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "plain.csv").write_text("1\n2\n")
    (tmp_path / "ven.toml").write_text(f"[[reports]]\n{text}\n")
    ended: Ended = oadr("ven", folder=tmp_path)
    assert ended.status == 1
    assert complaint in ended.err


# --- one last report -------------------------------------------------------------------------------------------------


@pytest.mark.rule(345)
def test_a_request_that_is_cancelled_with_a_last_report_ends_when_that_is_here(
    programs: Programs, tmp_path: Path
) -> None:
    vtn = programs.vtn(tmp_path, "--trace", "vtn.trace")
    start(programs, vtn)
    request = asked(vtn, "--sampling", "1s", "--reporting", "2s")["report_request_id"]
    trace = tmp_path / "vtn.trace"
    until(lambda: request in "".join(delivered(trace)), "a report is here")
    ended = oadr("report", "cancel", request, "--final", folder=tmp_path)
    assert (ended.status, "; one more report follows" in ended.out) == (0, True)
    until(lambda: any(isinstance(one, CanceledReport) for one in spoken(trace)), "the VEN has confirmed that")
    until(lambda: request not in waiting(vtn), "the request has ended")

    messages = spoken(trace)
    cancelled = next(place for place, one in enumerate(messages) if isinstance(one, CanceledReport))
    answer = messages[cancelled]
    assert isinstance(answer, CanceledReport)
    assert (answer.response.response_code, request in answer.pending_reports) == (200, True), "one is still to come"
    until(lambda: request in delivered(trace, cancelled), "the last report is here")
    others = set(waiting(vtn))
    assert others, "the request that the VTN made by itself goes on"
    before = len(delivered(trace))
    until(lambda: len(delivered(trace)) >= before + 4, "other reports come")
    assert delivered(trace, cancelled).count(request) == 1, "and there was no further one"
    assert not set(waiting(vtn)) ^ others


def spoken(trace: Path) -> list[Any]:
    """What VENs have sent, in its order."""
    whole = trace.read_bytes().rpartition(b"\n")[0]
    return [decode(one.request.encode()) for one in read_trace(whole)]


def delivered(trace: Path, since: int = 0) -> list[str]:
    """The requests that reports answer which came, in their order."""
    sent = [one for one in spoken(trace)[since:] if isinstance(one, UpdateReport)]
    return [report.report_request_id for one in sent for report in one.reports]

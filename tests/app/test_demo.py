"""``oadr demo``: what it says at the end is what the VTN has stored, even where the VTN was killed in mid-demo."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from oadr_app.demo import Demo
from oadr_app.sqlite_store import SqliteStore
from oadr_core import VenRecord
from tests.app.program import (
    COMMAND,
    PATIENCE,
    Ended,
    Program,
    Programs,
    Stored,
    is_answered,
    oadr,
    objects,
    stored,
    until,
)

VENS: Final = ("cold-store", "bakery", "pump-station")
OPTS: Final = {"cold-store": "optIn", "bakery": "optOut", "pump-station": None}

Command = Callable[..., Ended]


def outcome(demo: Program) -> dict[str, Any]:
    """What came of it: the last line for machines."""
    found: dict[str, Any] = json.loads([line for line in demo.lines if line.startswith("{")][-1])
    return found


def pids(demo: Program) -> list[int]:
    """The processes of the VTN, one after the other."""
    return [one["vtn"]["pid"] for one in objects(demo.text) if "vtn" in one]


def agrees(told: dict[str, Any], file: Path) -> None:
    """Assert that what was told of the VENs is what the VTN has stored."""
    store = SqliteStore(file)
    records = [VenRecord.load(blob) for key, blob in store.load().items() if key.startswith("ven/")]
    counts = store.count_readings()
    store.close()
    by_name = {one.ven_name: one for one in records}
    assert [one["name"] for one in told["vens"]] == list(VENS)
    assert sorted(by_name) == sorted(VENS), "nobody has registered twice"
    for one in told["vens"]:
        record = by_name[one["name"]]
        opts = [str(standing.opt_type) for standing in record.standings if standing.opt_type]
        assert one == {
            "name": record.ven_name,
            "registered": True,
            "opt": opts[0] if opts else None,
            "readings": counts[record.ven_id],
        }


def test_a_vtn_that_is_killed_in_mid_demo_loses_nothing(programs: Programs, tmp_path: Path) -> None:
    """Killed when the first readings are stored, when the VENs have answered, and while the event is active."""
    file, before = tmp_path / "vtn.sqlite", list[Stored]()
    demo = programs.start("demo", "--json", "--seconds", "25", "--folder", tmp_path, folder=tmp_path)
    moments: list[tuple[str, Callable[[Stored], object]]] = [
        ("readings of all", lambda now: len({ven_id for ven_id, _, _ in now.readings}) == len(VENS)),
        ("the answers", lambda now: {name for name, _ in now.opts} == {"cold-store", "bakery"}),
        ("new readings", lambda now: len(now.readings) > len(before[-1].readings) + 3),
    ]
    for number, (what, moment) in enumerate(moments, 1):
        demo.says(r'^\{"vtn": ', times=number)

        def it_is_time(moment: Callable[[Stored], object] = moment) -> Stored | None:
            now = stored(file)
            return now if moment(now) else None

        before.append(until(it_is_time, what))
        os.kill(pids(demo)[-1], signal.SIGKILL)
    assert demo.ends() == 0, demo.text
    told, after = outcome(demo), stored(file)
    for one in before:
        one.survives_in(after)
    assert after.events == {"shed-load": 0}
    assert len(pids(demo)) == 1 + len(moments)
    assert list(told) == ["ok", "seconds", "vens"]
    assert (told["ok"], told["seconds"]) == (True, 25.0)
    assert {one["name"]: one["opt"] for one in told["vens"]} == OPTS
    agrees(told, file)
    for ven_id in {ven_id for ven_id, _, _ in after.readings}:
        times = sorted(when for one, _, when in after.readings if one == ven_id)
        seconds = 1 + (times[-1] - times[0]) / 1_000_000
        assert len(times) > 0.85 * seconds, "what was measured while the VTN was down came later"
    assert "Traceback" not in demo.text


def test_the_live_view_shows_who_registered_answered_and_reported_what(tmp_path: Path) -> None:
    """As a person sees it, in a terminal."""
    status, text = at_a_terminal("demo", "--seconds", "8", folder=tmp_path, rows=24, columns=80)
    assert status == 0, text
    *_, last = text.split("╭")
    view, _, end = last.partition("╰")
    assert "OpenADR demo – VTN at http://127.0.0.1:" in view
    for name, behaves, answer in (
        ("cold-store", "takes part", "✓ opts in"),
        ("bakery", "stays out", "✗ opts out"),
        ("pump-station", "does not answer", "(?:… was told|! silent)"),
    ):
        assert re.search(rf"{name} +{behaves} +✓ yes +{answer} +\d+ +\d+\.\d +[▁▂▃▄▅▆▇█]+", view), view
    assert re.search(r"shed-load +completed +.* SIMPLE 2 +1 +1 +1 ", view), view
    assert re.search(r"\d s  cold-store answers the event with optIn", text)
    assert re.search(r"^active +█+", end, re.MULTILINE), end
    assert re.search(r"^SIMPLE level\n  .* 2 for \d+s", end, re.MULTILINE), end
    assert "What the VTN has stored:" in end
    assert re.search(r"cold-store +✓ yes +✓ opts in +\d+", end), end
    assert re.search(r"pump-station +✓ yes +none in time +\d+", end), end
    assert end.rstrip().endswith("✓ as it should be")
    assert "Traceback" not in text
    assert "WARNING" not in text


def at_a_terminal(*arguments: object, folder: Path, rows: int, columns: int) -> tuple[int, str]:
    """Run a command at a terminal; returns its exit status, and what it wrote there, without what moves the cursor."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while piece := os.read(ours, 65536):
                written += piece
        except OSError:  # nobody has the terminal any more
            pass
        os.close(ours)
        status = process.wait(PATIENCE)
    return status, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode()).replace("\r", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_a_demo_that_is_stopped_tells_what_there_is_and_leaves_no_vtn(
    programs: Programs, tmp_path: Path, number: signal.Signals
) -> None:
    demo = programs.start(
        "demo", "--folder", tmp_path, *(["--json"] if number is signal.SIGTERM else []), folder=tmp_path
    )
    for name in VENS:
        demo.says(f"the first readings of {name} are stored")
    assert demo.signal(number) == 128 + number
    assert "Traceback" not in demo.text
    assert not is_answered(tmp_path)
    if number is signal.SIGTERM:
        told = outcome(demo)
        assert not told["ok"]
        agrees(told, tmp_path / "vtn.sqlite")
    else:
        assert demo.lines[-1] == "stopped before its time"


def test_a_demo_that_is_killed_leaves_no_vtn(programs: Programs, tmp_path: Path) -> None:
    demo = programs.start("demo", "--json", "--folder", tmp_path, folder=tmp_path)
    demo.says(r'^\{"vtn": ')
    assert is_answered(tmp_path)
    demo.signal(signal.SIGKILL)
    until(lambda: not (tmp_path / "vtn.sock").exists(), "the VTN ends, and clears up")


def test_a_vtn_that_does_not_start_ends_the_demo(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    ended = oadr("demo", "--folder", folder, folder=tmp_path)
    assert ended.status == 1
    assert ended.err.startswith("oadr: the VTN does not start: the name of the control socket, ")
    assert "Traceback" not in ended.err


def test_a_folder_with_a_state_is_left_alone(tmp_path: Path, command: Command) -> None:
    (tmp_path / "vtn.sqlite").write_text("something")
    ended = command("demo", "--folder", tmp_path)
    assert ended == (
        1,
        "",
        f"oadr: --folder: there is a state in {tmp_path} already, and the demo begins without any\n",
    )
    assert (tmp_path / "vtn.sqlite").read_text() == "something"


def test_where_something_is_missing_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    SqliteStore(tmp_path / "vtn.sqlite").close()
    assert Demo(8, as_json=True)._sum_up(tmp_path) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert told["vens"] == [{"name": name, "registered": False, "opt": None, "readings": 0} for name in VENS]
    assert Demo(8, as_json=False)._sum_up(tmp_path) == 1
    assert "✗ something is missing" in capsys.readouterr().out

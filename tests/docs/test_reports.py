"""What the README shows of reports is what happens."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import anyio
import pytest

from oadr_app.readings import StoredReading
from oadr_app.sources import CsvFile
from oadr_app.sqlite_store import SqliteStore
from tests.app.program import Programs, oadr, until
from tests.conftest import ROOT
from tests.docs.test_docs import README, blocks

_CHANGES: Final = re.compile(r"\d\d:\d\d:\d\d|\b[0-9a-f]{8,32}\b|(?<=\s)\d+(?=\s)")
"""Times of day, ids of requests, and how many readings there are."""

DAY: Final = datetime(2036, 11, 20, tzinfo=UTC)
OFF: Final = range(9, 20)
"""The quarters of an hour of that day in which the VEN was switched off."""


def test_the_readme_shows_what_the_commands_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    live, later = [one for one in blocks(README, "console") if "oadr report" in one]
    (tmp_path / "vtn.toml").write_text('poll = "1s"\n[http]\nport = 0\n[[vens]]\nname = "mill"\nid = "7"\n')
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    ven, *commands = _said(live)
    with Programs() as programs:
        vtn = programs.start("vtn", folder=tmp_path)
        url = vtn.says(r"listens at (http://\S+);")[1]
        programs.start(*ven[0].split(), "--vtn", url, folder=tmp_path)
        until(lambda: '"readings": ' in _printed(tmp_path, "report list --json"), "a reading is stored")
        request_id = ""
        for shown, expected in commands:
            arguments = re.sub(r"(?<=cancel )\w+", request_id, shown)
            told = _printed(tmp_path, arguments)
            request_id = told.split()[-1][:8]
            assert _steady(told) == _steady(expected), arguments
        vtn.signal(2)
    _live_through_a_day(tmp_path)
    for arguments, expected in _said(later):
        told = [line.rstrip() for line in _printed(tmp_path, arguments).splitlines()]
        assert told == expected.splitlines(), arguments
    lines = (tmp_path / "mill-of-the-day.csv").read_text().splitlines()
    assert lines[1].startswith("2036-11-20T00:00:00Z,mill,")
    assert len(lines) == 1 + 96 - len(OFF)


def _said(transcript: str) -> list[tuple[str, str]]:
    """The commands of a transcript, and what each prints."""
    parts = re.split(r"^\$ oadr ", transcript, flags=re.MULTILINE)[1:]
    return [(one.partition("\n")[0].partition("  #")[0].strip(), one.partition("\n")[2]) for one in parts]


def _printed(folder: Path, arguments: str) -> str:
    """What a command prints, on either stream."""
    ended = oadr(*arguments.split(), folder=folder)
    assert ended.status == 0, ended
    return ended.out + ended.err


def _steady(text: str) -> list[str]:
    """What stays the same from run to run."""
    return [" ".join(_CHANGES.sub("…", line).split()) for line in text.splitlines() if line.strip()]


def _live_through_a_day(folder: Path) -> None:
    """Store what the VEN would have reported every quarter of an hour of a day."""
    store = SqliteStore(folder / "vtn.sqlite")
    (series,) = (one.series for one in store.series())
    anyio.run(store.add_readings, {series: list(_day())})
    store.close()


def _day() -> list[StoredReading]:
    source = CsvFile(ROOT / "examples" / "mill.csv", timedelta(seconds=1), loop=True)
    readings = []
    for quarter in range(96):
        time = DAY + quarter * timedelta(minutes=15)
        taken = source.read(time)
        if quarter in OFF:
            continue
        if isinstance(taken, dict):
            readings.append(StoredReading(time, taken["value"], taken["data_quality"]))
        else:
            assert isinstance(taken, float)
            readings.append(StoredReading(time, taken))
    return readings

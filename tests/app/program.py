"""Running ``oadr`` as a user does: as a process of its own, of which nothing is known but what it prints and stores."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TextIO

from oadr_app.control import ControlError, ask
from oadr_app.tracing import read_trace
from oadr_core import (
    EventRecord,
    Standing,
    UpdatedReport,
    UpdateReport,
    VenRecord,
    decode,
    reported_values,
)

PATIENCE: Final = 60.0
"""Seconds that something may take which should happen soon; a busy machine is slow."""

COMMAND: Final = (sys.executable, "-W", "error", "-m", "oadr_app")


class Ended(NamedTuple):
    """A program that has ended.

    :param status: its exit status.
    :param out: what it printed.
    :param err: what it printed of trouble.
    """

    status: int
    out: str
    err: str


def oadr(*arguments: object, folder: Path, stdin: bytes = b"", ascii_only: bool = False) -> Ended:
    """Run a command to its end, if wanted where a terminal knows ASCII alone."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        input=stdin,
        env={**os.environ, "PYTHONIOENCODING": "ascii"} if ascii_only else None,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for something that another process brings about, and return it.

    :param condition: looked at again and again.
    :param what: what is waited for, in words.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE} seconds: {what}")


class Program:
    """A command that runs.

    :ivar lines: what it has printed so far, on either stream.
    """

    def __init__(self, arguments: tuple[object, ...], folder: Path) -> None:
        self.folder: Final = folder
        self.lines: list[str] = []
        self._news: Final = threading.Condition()
        self.process: Final = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        streams = (self.process.stdout, self.process.stderr)
        self._readers: Final = [threading.Thread(target=self._read, args=(stream,)) for stream in streams]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: TextIO) -> None:
        with stream:
            for line in stream:
                with self._news:
                    self.lines.append(line.rstrip("\n"))
                    self._news.notify_all()

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return "\n".join(self.lines)

    def says(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until it prints a line that a pattern is found in, for the given time."""

        def found() -> list[re.Match[str]]:
            return [match for line in self.lines if (match := re.search(pattern, line))]

        with self._news:
            self._news.wait_for(lambda: len(found()) >= times or self.process.poll() is not None, PATIENCE)
        if self.process.poll() is not None:
            self.ends()  # all that it has printed is there then
        matches = found()
        assert len(matches) >= times, f"it never said {pattern!r} {times} times, but:\n{self.text}"
        return matches[times - 1]

    def signal(self, number: signal.Signals) -> int:
        """Send it a signal, and wait for its end; returns the exit status."""
        self.process.send_signal(number)
        return self.ends()

    def ends(self) -> int:
        """Wait until it has ended; returns the exit status."""
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join()
        return status

    def close(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.kill()
        self.ends()


class Vtn(Program):
    """A VTN that runs in a folder; started there again, it is the same VTN."""

    def __init__(self, folder: Path, *arguments: object, port: int = 0, answer_timeout: str = "60s") -> None:
        (folder / "vtn.toml").write_text(
            f'vtn_id = "test-VTN"\npoll = "1s"\nanswer_timeout = "{answer_timeout}"\n'
            f'[http]\nport = {port}\n[reports]\nsampling = "1s"\n'
        )
        super().__init__(("vtn", *arguments), folder)
        self.url: Final = self.says(r"listens at (https?://\S+);")[1]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.split(":")[2].split("/")[0])

    def ask(self, command: str, **content: object) -> Any:
        """Ask it for something, through its control socket."""
        return ask(self.folder / "vtn.sock", command, **content)

    def vens(self) -> dict[str, dict[str, Any]]:
        """Its VENs by their names."""
        return {one["name"]: one for one in self.ask("vens")}

    def opts(self, event_id: str) -> dict[str, str | None]:
        """What its VENs answered to an event, by their names."""
        shown = self.ask("event/show", event_id=event_id)
        return {one.get("ven_name", ""): one.get("opt") for one in shown["state"]["vens"]}


class Programs:
    """Starts programs, and ends those that still run at the end."""

    def __init__(self) -> None:
        self._started: list[Program] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._started:
            program.close()

    def start(self, *arguments: object, folder: Path) -> Program:
        """Start any command."""
        program = Program(arguments, folder)
        self._started.append(program)
        return program

    def vtn(self, folder: Path, *arguments: object, port: int = 0, answer_timeout: str = "60s") -> Vtn:
        """Start a VTN, and wait until it listens."""
        program = Vtn(folder, *arguments, port=port, answer_timeout=answer_timeout)
        self._started.append(program)
        return program

    def ven(self, vtn: Vtn, name: str, *arguments: object) -> Program:
        """Start a VEN, and wait until the VTN has readings of it."""
        program = self.start(
            "ven", "--vtn", vtn.url, "--name", name, "--state", f"{name}.state", *arguments, folder=vtn.folder
        )
        until(lambda: vtn.vens().get(name, {}).get("readings"), f"readings of {name}")
        return program


class Stored(NamedTuple):
    """What a VTN has stored, as another process sees it.

    :param readings: the values by VEN, data point and time.
    :param events: the ids of the events, with their modifications.
    :param opts: what was answered, by the name of the VEN and the event.
    """

    readings: dict[tuple[str, str, int], float]
    events: dict[str, int]
    opts: dict[tuple[str, str], str]

    @property
    def values(self) -> dict[tuple[str, int], float]:
        """The values by data point and time, for data points that no two VENs have."""
        return {(r_id, when): value for (_, r_id, when), value in self.readings.items()}

    def survives_in(self, later: "Stored") -> None:
        """Assert that nothing is gone or changed."""
        assert self.readings.items() <= later.readings.items()
        assert self.events.items() <= later.events.items()
        assert self.opts.items() <= later.opts.items()


def stored(file: Path) -> Stored:
    """Read what a VTN has stored, while it runs or after it was killed, without writing anything."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        readings = {
            (ven_id, r_id, when): value
            for ven_id, r_id, when, value in database.execute(
                "SELECT ven_id, r_id, time, value FROM readings JOIN series USING (series)"
            )
        }
        blobs = dict(database.execute("SELECT key, blob FROM blobs"))
    events = [EventRecord.load(blob) for key, blob in blobs.items() if key.startswith("event/")]
    vens = [VenRecord.load(blob) for key, blob in blobs.items() if key.startswith("ven/")]
    answers: list[tuple[str, Standing]] = [(ven.ven_name, one) for ven in vens for one in ven.standings]
    return Stored(
        readings,
        {one.event_id: one.modification_number for one in events},
        {(name, one.event_id): str(one.opt_type) for name, one in answers if one.opt_type is not None},
    )


def confirmed(trace: Path) -> dict[tuple[str, int], float]:
    """The readings that a VEN was told are stored, by data point and time, as its trace shows."""
    found: dict[tuple[str, int], float] = {}
    for one in read_trace(trace.read_bytes().rpartition(b"\n")[0]):
        request = decode(one.request.encode())
        if isinstance(request, UpdateReport) and one.answer:
            answer = decode(one.answer.encode())
            if isinstance(answer, UpdatedReport) and answer.response.ok:
                values = [value for report in request.reports for value in reported_values(report)]
                found |= {(value.r_id, int(value.time.timestamp() * 10**6)): value.value for value in values}
    return found


def objects(text: str) -> list[dict[str, Any]]:
    """Read lines of JSON."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def is_answered(folder: Path) -> bool:
    """Whether a VTN answers at the usual control socket of a folder."""
    try:
        ask(folder / "vtn.sock", "status")
    except ControlError:
        return False
    return True

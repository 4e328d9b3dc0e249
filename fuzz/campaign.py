"""A campaign: every target under atheris for its share of the time, one after the other, each in its own process."""

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from fuzz import guard

ROOT: Final = Path(__file__).resolve().parent.parent

_ENDLESS: Final = 120
"""Seconds after which an input is taken for one that never ends; one that ends is judged by :mod:`fuzz.guard`.

These are seconds on the wall, of which a process that gives way to others gets little on a busy machine.
"""

_OFTEN: Final = 5.0
"""Seconds between two lines of progress."""

_LINE: Final = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+) .*?rss: (\d+)Mb")
_FIGURE: Final = re.compile(r"(?:stat::)?(number_of_executed_units|peak_rss_mb|slowest): *([\d.]+)")
_WRITTEN: Final = re.compile(r"Test unit written to (\S+)")
_NOISE: Final = re.compile(r"^(INFO:|#\d+|==\d+==|stat::|MS: |0x|artifact_prefix|Base64|Done |slowest:|#####|\"\\)")


class Finding(msgspec.Struct, frozen=True):
    """An input that breaks the contract of its target.

    :param file: where it is kept, from the root of the project.
    :param what: what came of it, as it was told.
    """

    file: str
    what: str


class Result(msgspec.Struct, frozen=True):
    """What came of a target.

    :param target: the target.
    :param inputs: how many inputs were tried.
    :param seconds: how long that took, without the time that it takes to begin.
    :param cpu: seconds on the processor, all in all.
    :param places: places in the code that were reached, as the engine counts them.
    :param memory: the most memory that was held, in megabytes.
    :param slowest: seconds on the processor that the slowest input took.
    :param finding: what was found, if anything.
    :param failed: whether the process ended as it should not have, without a finding.
    """

    target: str
    inputs: int
    seconds: float
    cpu: float
    places: int
    memory: int
    slowest: float
    finding: Finding | None = None
    failed: bool = False

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return self.finding is None and not self.failed


def run(names: Sequence[str], seconds: float, folder: Path, tell: Callable[[str], None]) -> list[Result]:
    """Run a campaign.

    :param names: the targets.
    :param seconds: how long in all, without the seconds that each process takes to begin.
    :param folder: where inputs are kept, from one campaign to the next, and where findings go.
    :param tell: takes lines of progress.
    :returns: what came of each target; of fewer, where the user has interrupted.
    """
    found: list[Result] = []
    for number, name in enumerate(names, 1):
        place = f"[{number}/{len(names)}]"
        try:
            found.append(run_one(name, seconds / len(names), folder, partial(_tell_at, place, tell)))
        except KeyboardInterrupt:
            tell("interrupted; this is what was done")
            break
    return found


def _tell_at(place: str, tell: Callable[[str], None], text: str) -> None:
    tell(f"{place} {text}")


def run_one(name: str, seconds: float, folder: Path, tell: Callable[[str], None]) -> Result:
    """Run one target; see :func:`run`."""
    corpus, findings = folder / "corpus" / name, folder / "findings" / name
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    before = _cpu_of_children()
    command = [
        *(sys.executable, "-m", "fuzz.worker", name),
        f"-max_total_time={max(1, round(seconds))}",
        f"-timeout={_ENDLESS}",
        f"-report_slow_units={_ENDLESS}",
        f"-rss_limit_mb={guard.LARGEST + _held()}",
        f"-artifact_prefix={findings}/",
        "-print_final_stats=1",
        str(corpus),
    ]
    progress = _Progress(name, tell)
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as worker:
        assert worker.stdout is not None
        try:
            for line in worker.stdout:
                progress.take(line.rstrip("\n"))
        except BaseException:
            worker.kill()
            raise
    return progress.result(worker.returncode, _cpu_of_children() - before)


def _held() -> int:
    """The most that this process has held in memory, in megabytes: the engine takes it for memory of its own."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


class _Progress:
    """Reads what an engine says."""

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        self._name = name
        self._tell = tell
        self._began: float | None = None
        self._told = time.monotonic()
        self._inputs = self._places = self._memory = 0
        self._slowest = 0.0
        self._file = ""
        self._rest: list[str] = []
        self._is_over = False
        tell(f"{name}: begins")

    def take(self, line: str) -> None:
        """Take a line."""
        if shown := _LINE.match(line):
            self._inputs, self._places = int(shown[1]), int(shown[2])
            self._memory = max(self._memory, int(shown[3]))
            self._report()
        elif figure := _FIGURE.match(line):
            self._figure(figure[1], float(figure[2]))
        elif written := _WRITTEN.search(line):
            self._file = written[1]
        elif line.startswith("SUMMARY:"):
            self._is_over = True  # what follows shows the input in several ways
        elif not self._is_over and not _NOISE.match(line) and line.strip():
            self._rest = [*self._rest[-60:], line]

    def _figure(self, name: str, value: float) -> None:
        if name == "slowest":
            self._slowest = value
        elif name == "peak_rss_mb":
            self._memory = max(self._memory, int(value))
        else:
            self._inputs = max(self._inputs, int(value))

    def _report(self) -> None:
        now = time.monotonic()
        if self._began is None:
            self._began = self._told = now
        if now - self._told >= _OFTEN:
            self._told = now
            since = now - self._began
            self._tell(
                f"{self._name}: {since:.0f} s, {self._inputs:,} inputs ({self._inputs / since:,.0f}/s), "
                f"{self._places:,} places reached, {self._memory} MB"
            )

    def result(self, status: int, cpu: float) -> Result:
        """What came of it."""
        finding = None
        if self._file:
            what = "\n".join(self._rest).partition("=== Uncaught Python exception: ===")[2].strip()
            file = Path(self._file)
            shown = str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else self._file
            finding = Finding(shown, what or "\n".join(self._rest[-5:]) or _kind(file.name))
        elif status:
            self._tell("\n".join([f"{self._name}: the process ended with status {status}", *self._rest[-20:]]))
        return Result(
            target=self._name,
            inputs=self._inputs,
            seconds=0.0 if self._began is None else time.monotonic() - self._began,
            cpu=cpu,
            places=self._places,
            memory=self._memory,
            slowest=self._slowest,
            finding=finding,
            failed=finding is None and status != 0,
        )


def _kind(name: str) -> str:
    kinds = {"timeout": "an input that never ends", "oom": "more memory than is allowed"}
    return kinds.get(name.partition("-")[0], "the process was ended")


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

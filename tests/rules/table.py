"""Which conformance rules are kept how: rule, check, tests, status; ``make rules`` prints it.

A rule is covered where a check judges messages or traces by it and tests prove that check, or, where no message can
show whether it is kept, where tests of ours do. The tests are those that pytest collects with the marker ``rule``.
"""

import argparse
import contextlib
import io
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
import pytest
from rich.console import Console
from rich.table import Table

from oadr_core.rules import Rule, rules
from oadr_core.rules.catalogue import CATALOGUE, OfficialRule
from tests.rules.prover import prove

TESTS: Final = Path(__file__).resolve().parent.parent


class Status(StrEnum):
    """How a rule is covered."""

    CHECKED = "checked"
    """By a check of messages or traces, which tests prove."""
    TESTED = "tested"
    """By tests of our own cores, as no message shows whether it is kept."""
    GAP = "GAP"
    """Not as it has to be: every rule needs a test, and a check or a reason why there can be none."""


class Row(msgspec.Struct, frozen=True):
    """A line of the table.

    :param official: the rule.
    :param checks: its checks, as ``events.uids (EventSignal)``.
    :param tests: the tests that are about it, without their parameters.
    """

    official: OfficialRule
    checks: tuple[str, ...]
    tests: tuple[str, ...]

    @property
    def status(self) -> Status:
        """How it is covered."""
        if self.tests and (self.checks or self.official.unseen):
            return Status.CHECKED if self.checks else Status.TESTED
        return Status.GAP

    @property
    def reason(self) -> str:
        """Why it has no check."""
        return "" if self.checks else self.official.unseen

    def as_json(self) -> dict[str, object]:
        """For other programs."""
        told = msgspec.to_builtins(self.official)
        return {**told, "checks": self.checks, "tests": self.tests, "status": self.status, "reason": self.reason}


# --- what there is ---------------------------------------------------------------------------------------------------


def named(declared: Rule) -> str:
    """A check as a reader finds it: its module, its name, and what it looks at."""
    module = declared.check.__module__.rpartition(".")[2]
    return f"{module}.{declared.check.__name__} ({declared.about.__name__})"


class _Collector:
    """A plugin of pytest that notes which tests are about which rules."""

    def __init__(self) -> None:
        self.tests: dict[object, list[str]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All tests are known."""
        for item in session.items:
            for mark in item.iter_markers("rule"):
                for number in mark.args:
                    self.tests.setdefault(number, []).append(item.nodeid)


def collect(paths: Iterable[Path] = (TESTS,)) -> Mapping[object, list[str]]:
    """Find the tests that are about rules.

    :param paths: where to look.
    :returns: their ids, by what the marker names; that may be no rule at all.
    """
    collector = _Collector()
    told = io.StringIO()
    arguments = ["--collect-only", "-q", "-m", "", "-p", "no:cacheprovider", *map(str, paths)]
    with contextlib.redirect_stdout(told):
        code = pytest.main(arguments, plugins=[collector])
    if code != pytest.ExitCode.OK:
        raise SystemExit(f"the tests cannot be collected:\n{told.getvalue()}")
    return collector.tests


def table(tests: Mapping[object, Sequence[str]]) -> list[Row]:
    """Make the table of all rules.

    :param tests: see :func:`collect`.
    """
    checks: dict[str, list[str]] = {}
    for one in rules():
        checks.setdefault(one.number, []).append(named(one))
    return [
        Row(
            official=one,
            checks=tuple(checks.get(f"R{number}", ())),
            tests=tuple(dict.fromkeys(test.partition("[")[0] for test in tests.get(number, ()))),
        )
        for number, one in sorted(CATALOGUE.items())
    ]


def problems(rows: Iterable[Row], tests: Mapping[object, Sequence[str]]) -> list[str]:
    """Find what must not be: gaps without a reason, and marks and checks of no rule."""
    found = [f"rule {one.official.number} is not covered: {_lack(one)}" for one in rows if one.status is Status.GAP]
    for number, ids in tests.items():
        if number not in CATALOGUE:
            found.append(f"there is no rule {number!r}, which {ids[0]} is marked with")
    strange = (one for one in rules() if one.number.startswith("R") and int(one.number[1:]) not in CATALOGUE)
    return [*found, *(f"there is no rule {one.number}, which {named(one)} checks" for one in strange)]


def _lack(row: Row) -> str:
    lacks = [] if row.tests else ["no test is about it"]
    if not row.checks and not row.official.unseen:
        lacks.append("there is no check, and no reason why there can be none")
    return " and ".join(lacks)


# --- telling ---------------------------------------------------------------------------------------------------------


def printed(rows: Sequence[Row]) -> Table:
    """Draw the table for people."""
    drawn = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("rule", "binds", "what it asks for", "status", "checks", "tests"):
        drawn.add_column(name, justify="right" if name == "rule" else "left", no_wrap=name in ("rule", "status"))
    colour = {Status.CHECKED: "green", Status.TESTED: "green", Status.GAP: "bold red"}
    for row in rows:
        drawn.add_row(
            str(row.official.number),
            row.official.bound,
            row.official.text,
            f"[{colour.get(row.status, 'yellow')}]{row.status}[/]",
            "\n".join(row.checks) or f"[dim]{row.reason}[/]",
            _places(row.tests) + (f"\n[dim]{row.reason}[/]" if row.checks and row.reason else ""),
        )
    return drawn


def _places(tests: Sequence[str]) -> str:
    """How many tests there are in each file."""
    files = Counter(test.partition("::")[0].removeprefix("tests/") for test in tests)
    return "\n".join(f"{name}: {count}" for name, count in files.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table.

    :returns: 1 where something must not be; else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.rules.table", description=main.__doc__)
    parser.add_argument("--json", action="store_true", help="print it for programs")
    parser.add_argument("--prove", action="store_true", help="switch off each check in turn; a test must notice")
    chosen = parser.parse_args(arguments)
    tests = collect()
    rows = table(tests)
    wrong = problems(rows, tests)
    if chosen.json:
        print(msgspec.json.format(msgspec.json.encode([one.as_json() for one in rows])).decode())
    else:
        console = Console(width=None if sys.stdout.isatty() else 200)
        console.print(printed(rows))
        counts = Counter(one.status for one in rows)
        console.print(f"\n{len(rows)} rules: {', '.join(f'{counts[one]} {one}' for one in Status if counts[one])}")
    if chosen.prove:
        wrong += prove()
    for one in wrong:
        print(one, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Showing figures: a table for people, the same as Markdown, one JSON object for machines."""

import os
import platform
import sys
from collections.abc import Sequence

import msgspec

from bench.figures import Figure, Result, number


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A run.

    :param quick: whether it was a short one.
    :param seconds: how long it took.
    :param python: the version of Python.
    :param system: the operating system and the kind of processor.
    :param cores: how many cores this process may use.
    :param figures: all figures.
    :param missed: the budgets that were missed.
    :param notes: what a reader has to know.
    """

    quick: bool
    seconds: float
    python: str
    system: str
    cores: int
    figures: Sequence[Figure]
    missed: Sequence[str]
    notes: Sequence[str]


def report(results: Sequence[Result], *, quick: bool, seconds: float) -> Report:
    """Put together what the benchmarks found."""
    figures = [one for result in results for one in result.figures]
    return Report(
        quick=quick,
        seconds=round(seconds, 1),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        figures=figures,
        missed=[_subject(one) for one in figures if one.met is False],
        notes=[note for result in results for note in result.notes],
    )


def write_json(told: Report) -> None:
    """Write the report as one JSON object."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(told)).decode() + "\n")


def write_markdown(told: Report) -> None:
    """Write the figures as docs/benchmarks.md has them."""
    print(f"{_where(told)}.\n")
    for row in (_HEADINGS, ("---", "---", "--:", "--:", "--:", "---"), *map(_row, told.figures)):
        print(f"| {' | '.join(row)} |")


def _where(told: Report) -> str:
    return f"{told.system}, Python {told.python}, {told.cores} cores, {told.seconds:.0f} seconds"


def write_table(told: Report) -> None:
    """Write the report for people: with rich, where it is installed."""
    rows = [_row(one) for one in told.figures]
    try:
        _write_rich(rows)
    except ImportError:
        _write_plain(rows)
    print(f"\n{_where(told)}")
    for note in told.notes:
        print(f"* {note}")
    kept = sum(one.met is True for one in told.figures)
    print(f"\n{kept} budgets met, {len(told.missed)} missed")
    for one in told.missed:
        print(f"* missed: {one}")


_HEADINGS = ("what", "against", "figure", "lowest – highest", "budget", "")


def _row(one: Figure) -> tuple[str, ...]:
    spread = f"{number(one.low)} – {number(one.high)}" if one.low != one.high else ""
    verdict = {None: "", True: "met", False: "missed"}[one.met]
    return one.name, one.against, f"{number(one.value)} {one.unit}", spread, str(one.budget or ""), verdict


def _subject(one: Figure) -> str:
    against = f" against {one.against}" if one.against else ""
    return f"{one.name}{against}: {number(one.value)} {one.unit}, budget {one.budget}"


def _write_rich(rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for number_, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="right" if number_ in (2, 3, 4) else "left", no_wrap=True)
    colours = {"met": "green", "missed": "red"}
    for *cells, verdict in rows:
        table.add_row(*cells, f"[{colours[verdict]}]{verdict}[/]" if verdict else "")
    console = Console()
    console = console if console.is_terminal else Console(width=160)
    console.print(table)


def _write_plain(rows: Sequence[Sequence[str]]) -> None:
    lines = [_HEADINGS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())

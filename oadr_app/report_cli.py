"""``oadr report``: what VENs report, asked for, shown and handed on."""

import io
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, TextIO

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from oadr_app import config, report_views
from oadr_app.archive import Archive, Bucket, path_of, stretch
from oadr_app.control import ask
from oadr_app.export import Form, export, form_of, written
from oadr_app.periods import instant, period
from oadr_app.plotting import Plot
from oadr_app.prose import Prose
from oadr_app.readings import StoredSeries
from oadr_app.report_commands import described
from oadr_app.terminal import ERR, OUT, Json, Socket, VtnConfigFile, flag, show, socket_of, vtn_file

reports = typer.Typer(
    cls=Prose, help="List what VENs report, ask for more or less of it, show and export it.", no_args_is_help=True
)

_USUAL: Final = timedelta(days=1)
"""How much of a series is shown where nothing is said."""

_WIDEST: Final = 120
"""Columns that a plot takes at most where it goes into a file or to another program."""

_MOST_PLOTS: Final = 12
"""How many series are shown at a time."""

_WHAT, _WHEN = "What it asks for", "When"

StateFile = Annotated[
    Path | None,
    typer.Option("--state", help="The file of the VTN; the one of the configuration if not given.", dir_okay=False),
]
Ven = Annotated[str | None, typer.Option(help="The VEN, by name or id.")]
ReportOption = Annotated[str | None, typer.Option(help="The report, by its specifier or its name.")]
Point = Annotated[str | None, typer.Option(help="The data point, by its id or its resource.")]
From = Annotated[
    str | None, typer.Option("--from", help="When it begins: 2026-11-20T18:00:00Z, or -2h for two hours ago.")
]
To = Annotated[str | None, typer.Option("--to", help="When it ends, in the same form.")]
Last = Annotated[str | None, typer.Option(help="How long before now it begins, such as 2h, instead of --from.")]


@reports.command("list")
def list_reports(
    ven: Annotated[str | None, typer.Option(help="A VEN, by name or id; all if not given.")] = None,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """List what VENs offer to report, what they are asked for, and what is stored of it."""
    show(ask(socket_of(config_file, socket), "report/list", ven=ven), report_views.listed, as_json)


@reports.command("request")
def request_report(
    ven: Annotated[str, typer.Argument(help="The VEN, by name or id.", show_default=False)],
    report: Annotated[
        str | None,
        typer.Option(
            help="The report, by its specifier or its name; the only one if not given.", rich_help_panel=_WHAT
        ),
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option(
            help="A data point, by its id or its resource; may be repeated. All if not given.", rich_help_panel=_WHAT
        ),
    ] = None,
    sampling: Annotated[
        str | None,
        typer.Option(help="The spacing of the values, such as 10s; 0s when they change.", rich_help_panel=_WHEN),
    ] = None,
    reporting: Annotated[
        str | None,
        typer.Option(help="How often they are sent; with every value if not given.", rich_help_panel=_WHEN),
    ] = None,
    start: Annotated[
        str, typer.Option(help="When it begins: now, +15m, or 2026-11-20T18:00:00Z.", rich_help_panel=_WHEN)
    ] = "now",
    duration: Annotated[
        str | None, typer.Option(help="How long it goes on; for ever if not given.", rich_help_panel=_WHEN)
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One report, now.", rich_help_panel=_WHEN)] = False,
    since: Annotated[
        str | None,
        typer.Option("--from", help="From when on recorded values are wanted, of a history.", rich_help_panel=_WHEN),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Until when; until now if not given.", rich_help_panel=_WHEN)
    ] = None,
    last: Annotated[
        str | None, typer.Option(help="Of how long before now, instead of --from.", rich_help_panel=_WHEN)
    ] = None,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Ask a VEN for a report that it offers.

    oadr report request bakery --sampling 10s --reporting 1m asks for values every ten seconds, sent every minute;
    --once for one report; --last 24h for what a history holds of the last day.
    """
    now = datetime.now(UTC).replace(microsecond=0)  # OpenADR knows whole seconds only (rule 1)
    begin, end = (one and one.replace(microsecond=0) for one in _stretch(since, until, last, now))
    if once and (sampling or reporting or duration or begin or end):
        raise config.ConfigError("--once: a single report has neither a rhythm nor an end")
    past = begin is not None or end is not None
    content: dict[str, Any] = {"ven": ven, "report": report, "points": point, "once": once, "past": past}
    content["sampling"] = _seconds("--sampling", sampling)
    content["reporting"] = _seconds("--reporting", reporting)
    if content["sampling"] and content["reporting"] is not None and content["reporting"] < content["sampling"]:
        raise config.ConfigError("--reporting: it must not be shorter than --sampling, as reports hold values")
    if not past:
        with flag("--start"):
            begins = instant(start, now)
        content["duration"] = _seconds("--duration", duration)
    else:
        if begin is None:
            raise config.ConfigError("--to: from when on? say it with --from or --last")
        if (end or now) <= begin:
            raise config.ConfigError("--from: it must be earlier than --to, and than now")
        begins = begin
        content["duration"] = ((end or now) - begin).total_seconds()
        if duration or start != "now" or sampling or reporting:
            raise config.ConfigError(
                "--from: what was recorded has its own rhythm; it goes without --sampling and such"
            )
    if start != "now" or begin is not None:
        content["dtstart"] = begins.strftime("%Y-%m-%dT%H:%M:%SZ")
    show(ask(socket_of(config_file, socket), "report/request", **content), report_views.requested, as_json)


@reports.command("cancel")
def cancel_report(
    request: Annotated[str, typer.Argument(help="The request, by its id or the beginning of it.", show_default=False)],
    ven: Annotated[str | None, typer.Option(help="The VEN, where several have such a request.")] = None,
    final: Annotated[bool, typer.Option("--final", help="Want one last report.")] = False,
    config_file: VtnConfigFile = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Ask a VEN for no more of a report."""
    answer = ask(socket_of(config_file, socket), "report/cancel", request=request, ven=ven, final=final)
    show(answer, report_views.cancelled, as_json)


@reports.command("show")
def show_report(
    ven: Annotated[str | None, typer.Argument(help="The VEN, by name or id.", show_default=False)] = None,
    point: Annotated[
        str | None, typer.Argument(help="The data point, by its id or its resource.", show_default=False)
    ] = None,
    report: ReportOption = None,
    since: From = None,
    until: To = None,
    last: Last = None,
    height: Annotated[int, typer.Option(help="Lines that the curve takes.", min=2, max=100)] = 12,
    config_file: VtnConfigFile = None,
    state: StateFile = None,
    as_json: Json = False,
) -> None:
    """Plot what was reported: all of it that is not older than the last day, or another stretch of time.

    It reads the file of the VTN, whether that runs or not. Gaps are where readings are missing; × marks values of bad
    quality, ~ those that are uncertain or at a limit.
    """
    begin, end = _stretch(since, until, last, datetime.now(UTC))
    with Archive(_state(config_file, state)) as archive:
        chosen = _chosen(archive, ven, report, point)
        if len(chosen) > _MOST_PLOTS and not as_json:
            raise config.ConfigError(
                f"{len(chosen)} series are too many to show, such as {path_of(chosen[0].series)}; "
                "name a VEN and a data point"
            )
        low, high = stretch(chosen, begin, end, _USUAL)
        if high <= low:
            raise config.ConfigError("--to: it must be later than --from")
        for number, one in enumerate(chosen):
            if as_json:
                print(json.dumps(_told(one, archive.buckets(one, low, high, 2 * _WIDEST))))
                continue
            if number:
                OUT.print()
            width = OUT.width if OUT.is_terminal else min(OUT.width, _WIDEST)
            plot = Plot(low, high, width, height, report_views.style_for(OUT.encoding))
            buckets = archive.buckets(one, low, high, plot.dots)
            OUT.print(
                report_views.plotted(one.series, buckets, plot, low, high, archive.newest(one), width), soft_wrap=True
            )


def _told(one: StoredSeries, buckets: list[Bucket]) -> Any:
    """A series and what it was in short stretches, for machines."""
    return {
        "ven_id": one.series.ven_id,
        "ven": one.series.ven_name,
        **described(one.series),
        "stretches": [msgspec.to_builtins(bucket) for bucket in buckets],
    }


@reports.command("export")
def export_reports(
    output: Annotated[
        Path | None,
        typer.Argument(help="The file to write; the standard output if not given or -.", show_default=False),
    ] = None,
    ven: Ven = None,
    report: ReportOption = None,
    point: Point = None,
    since: From = None,
    until: To = None,
    last: Last = None,
    form: Annotated[
        Form | None,
        typer.Option(
            "--format", help="csv, or jsonl for a JSON object a line; by the ending of the file if not given."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    config_file: VtnConfigFile = None,
    state: StateFile = None,
) -> None:
    """Write what was reported as CSV or JSON lines, series by series, from old to new.

    It reads the file of the VTN, whether that runs or not, and holds no more than a few thousand readings in memory.
    """
    begin, end = _stretch(since, until, last, datetime.now(UTC))
    to_file = output is not None and str(output) != "-"
    form = form or (form_of(str(output)) if to_file else Form.CSV)
    if form is None:
        raise config.ConfigError(f"{output}: neither .csv nor .jsonl; say with --format what is to be written")
    with ExitStack() as stack:
        archive = stack.enter_context(Archive(_state(config_file, state)))
        chosen = _chosen(archive, ven, report, point)
        sink = stack.enter_context(written(output)) if to_file and output is not None else _standard_output()
        bar = stack.enter_context(_progress(quiet or (not to_file and sys.stdout.isatty())))
        whole = begin is None and end is None
        total = sum(one.readings if whole else archive.count(one, begin, end) for one in chosen)
        task = bar.add_task("readings", total=total)
        told = export(archive, chosen, sink, form, begin=begin, end=end, advance=lambda count: bar.advance(task, count))
    if to_file and not quiet:
        words = ("reading", "is") if told.readings == 1 else ("readings", "are")
        text = f"{told.readings:,} {words[0]} of {told.series:,} series {words[1]} in {output}"
        ERR.print(
            text if told.readings else f"{output} is empty: there are no such readings", style="dim", soft_wrap=True
        )


def _standard_output() -> TextIO:
    """The standard output for data, which are in UTF-8 as in a file, whatever a terminal would show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    return sys.stdout


def _progress(hidden: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=ERR,
        transient=True,
        disable=hidden or not ERR.is_terminal,
    )


# --- what is meant ---------------------------------------------------------------------------------------------------


def _state(config_file: Path | None, state: Path | None) -> Path:
    return vtn_file(config_file).state if state is None else state


def _chosen(archive: Archive, ven: str | None, report: str | None, point: str | None) -> list[StoredSeries]:
    """The series that are meant, or what there is instead."""
    found = archive.series(ven, report, point)
    if found:
        return found
    there = archive.series()
    if not there:
        raise config.ConfigError(f"{archive.path}: no VEN has reported anything yet")
    nearer = archive.series(ven)
    if not nearer:
        names = sorted({one.series.ven_name for one in there})
        raise config.ConfigError(
            f"nothing is stored of a VEN that is called {ven!r}; there is something of {_few(names)}"
        )
    some = _few([path_of(one.series) for one in nearer])
    raise config.ConfigError(f"there is no such series; there is {some}")


def _few(names: Sequence[str]) -> str:
    """The first of some names."""
    return "; ".join(names[:5]) + ("; …" if len(names) > 5 else "")


def _stretch(
    since: str | None, until: str | None, last: str | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Read from when to when."""
    if since is not None and last is not None:
        raise config.ConfigError("--last: give this or --from, not both")
    begin = _instant("--from", since, now)
    if last is not None:
        begin = _instant("--last", f"-{last.removeprefix('-')}", now)
    end = _instant("--to", until, now)
    if begin is not None and end is not None and end <= begin:
        raise config.ConfigError("--to: it must be later than --from")
    return begin, end


def _instant(name: str, text: str | None, now: datetime) -> datetime | None:
    """Read a point in time, which may be said as a while ago."""
    if text is None:
        return None
    with flag(name):
        if not text.startswith("-"):
            return instant(text, now)
        length = period(text[1:])
        try:
            return now - length
        except OverflowError:
            raise ValueError(f"{text!r} is too far away") from None


def _seconds(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    with flag(name):
        length = period(text).total_seconds()
        if length % 1:
            raise ValueError(f"{text!r} is a part of a second; OpenADR knows whole ones only")
        return length

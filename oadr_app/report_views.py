"""What the commands about reports print for people."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from oadr_app.archive import Bucket, path_of
from oadr_app.periods import shown
from oadr_app.plotting import BRAILLE, PLAIN, Plot, Style, gaps
from oadr_app.readings import Series, moment
from oadr_app.scales import wall_clock
from oadr_app.texts import clean, local

_ID: Final = 8
"""Characters of the id of a request that are shown; its beginning is enough to name it."""

_FORM: Final = "%Y-%m-%d %H:%M:%S"

_INSTANT: Final = timedelta(microseconds=1)
"""How long a stretch is that begins after the last reading, and that nobody has named an end of."""


def listed(vens: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A table of what VENs offer to report, what they are asked for, and what is stored of it."""
    rows = [(one, *row) for one in vens for row in _points(one)]
    if not rows:
        return Text("no VEN offers a report, and none has reported anything", style="dim")
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("VEN", "report", "data point", "of", "in", "offered", "asked for", "stored", "newest"):
        table.add_column(heading, justify="right" if heading == "stored" else "left")
    before = None
    for ven, point, requests, stored in rows:
        name = Text(clean(ven["name"] or ven["ven_id"]), style="" if ven["registered"] else "dim strike")
        table.add_row(
            Text() if ven is before else name,
            clean(point["report"]),
            clean(point["r_id"]),
            clean(point["resource"] or "–"),
            clean(_unit(point)),
            _offered(point),
            Text("\n").join(requests) if requests else Text("–", style="dim"),
            f"{stored['readings']:,}" if stored else "–",
            local(stored["last"]) if stored else "–",
        )
        before = ven
    return table


def _points(
    ven: Mapping[str, Any],
) -> Iterator[tuple[Mapping[str, Any], list[Text], Mapping[str, Any] | None]]:
    """The data points of a VEN: those that are offered, then those of which something is stored all the same."""
    stored = {(one["report"], one["r_id"]): one for one in ven["stored"]}
    for point in ven["offers"]:
        key = (point["report"], point["r_id"])
        requests = [_request(one) for one in ven["requests"] if one["report"] == key[0] and key[1] in one["points"]]
        yield point, requests, stored.pop(key, None)
    for rest in stored.values():
        yield rest, [], rest


def _offered(point: Mapping[str, Any]) -> str:
    if "shortest_sampling" not in point:
        return "no more"
    if point["shortest_sampling"] is None:
        return f"{_length(point['kept'])} back" if point.get("kept") else "yes"
    low, high = point["shortest_sampling"], point["longest_sampling"]
    text = _length(low) if low == high or not high else f"{_length(low)} to {_length(high)}"
    return f"{text}, on change" if point["on_change"] else text


def _request(one: Mapping[str, Any]) -> Text:
    return Text.assemble(rhythm(one), " ", (clean(one["report_request_id"][:_ID]), "cyan"), _where(one["state"]))


def _where(state: str) -> str:
    return "" if state == "running" else f" ({state})"


def rhythm(one: Mapping[str, Any]) -> str:
    """Say when a report is made: once, or every so often."""
    if not one["reporting"]:
        return "recorded values" if one["dtstart"] is not None and one["duration"] else "once"
    text = f"every {_length(one['sampling'])}" if one["sampling"] else "on change"
    if one["reporting"] != one["sampling"]:
        text += f", sent every {_length(one['reporting'])}"
    return f"{text}, for {_length(one['duration'])}" if one["duration"] else text


def requested(answer: Mapping[str, Any]) -> str:
    """Say what a VEN was asked for."""
    who, points = clean(answer["ven"] or answer["ven_id"]), ", ".join(map(clean, answer["points"]))
    what = f"{points} of {clean(answer['report'])}, {rhythm(answer)}"
    return f"{who} is asked for {what}: request {answer['report_request_id']}"


def cancelled(answer: Mapping[str, Any]) -> str:
    """Say what a VEN is asked for no more."""
    follows = "; one more report follows" if answer["final"] else ""
    return f"{clean(answer['ven'] or answer['ven_id'])} is asked to end {clean(answer['report_request_id'])}{follows}"


def _unit(point: Mapping[str, Any]) -> str:
    return unit_of(point["quantity"], point["unit"], point["scale"])


def unit_of(quantity: str | None, unit: str | None, scale: str | None) -> str:
    """A unit as people write it, with its power of ten."""
    prefix = {None: "", "none": "", "micro": "µ"}.get(scale, scale)
    return f"{prefix}{unit or ''}" or (quantity or "–")


def _length(seconds: float) -> str:
    whole = timedelta(seconds=seconds)
    return f"{seconds:g}s" if whole % timedelta(seconds=1) else shown(whole)


# --- one series ------------------------------------------------------------------------------------------------------


def plotted(
    series: Series,
    buckets: Sequence[Bucket],
    plot: Plot,
    begin: datetime,
    end: datetime,
    newest: tuple[Any, ...] | None,
    width: int,
) -> RenderableType:
    """A series as a plot, with what it is, and with its figures in words.

    :param series: what it is.
    :param buckets: what was reported.
    :param plot: draws it.
    :param begin: when the plot begins.
    :param end: when it ends.
    :param newest: the newest reading; see :meth:`~oadr_app.archive.Archive.newest`.
    :param width: the columns that there are.
    """
    head = Text.assemble(
        (clean(path_of(series)), "bold"),
        f"  {clean(series.resource)}" if series.resource and series.resource not in series.r_id else "",
        f"  {clean(series.quantity)} in {clean(unit_of(None, series.unit, series.scale))}" if series.quantity else "",
    )
    if not buckets:
        until = f" to {wall_clock(end, _FORM)}" if end - begin > _INSTANT else " on"
        text = f"nothing from {wall_clock(begin, _FORM)}{until}"
        if newest is not None:
            text += f"; the newest reading is of {wall_clock(moment(newest[0]), _FORM)}"
        return _fitted([head, Text(text, style="dim")], width)
    is_status = newest is not None and newest[5] is not None
    figures = [Text(one, style="dim") for one in _figures(series, buckets, begin, end, is_status=is_status)]
    lines = [head, *plot.lines(buckets, steps=is_status), *figures]
    if newest is not None and is_status:
        lines.append(Text(f"status at last: {clean(_status(newest[5]))}", style="dim"))
    return _fitted(lines, width)


def _fitted(lines: Sequence[Text], width: int) -> Group:
    for line in lines:
        if cell_len(line.plain) > width:
            line.truncate(width, overflow="ellipsis")
        line.no_wrap = True
    return Group(*lines)


def _figures(
    series: Series, buckets: Sequence[Bucket], begin: datetime, end: datetime, *, is_status: bool
) -> Iterator[str]:
    yield f"from {wall_clock(begin, _FORM)} to {wall_clock(end, _FORM)}"
    number = sum(one.readings for one in buckets)
    parts = [f"{number:,} reading{'' if number == 1 else 's'}"]
    known = [one for one in buckets if one.low is not None and one.high is not None and one.mean is not None]
    if known:
        unit = unit_of(None, series.unit, series.scale)
        unit = "" if unit == "–" else f" {clean(unit)}"
        values = sum(one.values for one in known)
        mean = sum((one.mean or 0.0) / values * one.values for one in known)
        low, high = min(one.low or 0.0 for one in known), max(one.high or 0.0 for one in known)
        range_of_values = f"{low:.6g} to {high:.6g}{unit}, {mean:.6g} on average"
        parts.append(f"online in {mean:.0%} of them" if is_status else range_of_values)
    for what, count in (
        ("of bad quality", sum(one.bad for one in buckets)),
        ("of doubtful quality", sum(one.doubtful for one in buckets)),
    ):
        if count:
            parts.append(f"{count:,} {what}")
    missing = gaps(buckets)
    if missing:
        parts.append(f"{missing:,} gap{'' if missing == 1 else 's'}")
    yield "; ".join(parts)


def _status(text: str) -> str:
    """A status in words, as it is stored in JSON."""
    status = msgspec.json.decode(text)
    parts = ["online" if status.get("online") else "offline"]
    if status.get("manual_override"):
        parts.append("taken out of control by hand")
    for name, one in (status.get("load_control_state") or {}).items():
        if one:
            bounds = [f"{key} {one[key]:g}" for key in ("min", "max", "normal") if one.get(key) is not None]
            parts.append(f"{name} {one['current']:g}" + (f" ({', '.join(bounds)})" if bounds else ""))
    return ", ".join(parts)


def style_for(encoding: str | None) -> Style:
    """What can be drawn with where texts are written in an encoding."""
    try:
        "⣿┤×".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return BRAILLE

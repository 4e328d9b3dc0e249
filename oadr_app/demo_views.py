"""What the demo shows: a live view, the news of the VTN in words, and a summary."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from oadr_app import event_views
from oadr_app.texts import sparkline
from oadr_app.timeline import Timeline
from oadr_core import EiEvent, OptType

_NOTES: Final = 5
"""How many notes the live view shows, the last ones."""

_NEEDED: Final = 73
"""The columns that the live view needs without its bars."""

_BARS: Final = 30
"""How many readings are drawn at most."""


class Behaviour(NamedTuple):
    """How one of the VENs behaves.

    :param name: its name.
    :param says: what it does, in words.
    :param kilowatt: what its load takes.
    :param opt: what it answers; None lets everybody wait.
    """

    name: str
    says: str
    kilowatt: float
    opt: OptType | None


def live(
    behaviours: Sequence[Behaviour],
    status: Mapping[str, Any],
    notes: Sequence[str],
    passed: float,
    seconds: float,
    width: int,
) -> RenderableType:
    """Who registered, opted, reported what.

    :param behaviours: the VENs.
    :param status: what the VTN has told last.
    :param notes: what has happened.
    :param passed: the seconds that have passed.
    :param seconds: the seconds that it takes.
    :param width: the columns of the terminal.
    """
    event = next(iter(status.get("events", ())), None)
    bar = ProgressBar(total=seconds, completed=passed, width=60)
    told = [Text(one, style="dim", overflow="ellipsis", no_wrap=True) for one in notes[-_NOTES:]]
    told += [Text()] * (_NOTES - len(told))  # the view keeps its height
    return Panel(
        Group(
            _vens(behaviours, status, event, min(max(width - _NEEDED, 1), _BARS)),
            Text(),
            event_views.events([event]) if event else Text("no event yet\n", style="dim"),
            Text(),
            *told,
            Text(),
            bar,
        ),
        title=f"OpenADR demo – VTN at {status.get('url') or '…'}",
        padding=(1, 1),
    )


def _vens(
    behaviours: Sequence[Behaviour], status: Mapping[str, Any], event: Mapping[str, Any] | None, bars: int
) -> Table:
    by_name = {one["name"]: one for one in status.get("vens", ())}
    answers = {one.get("ven_name"): one for one in event["vens"]} if event else {}
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for heading in ("VEN", "behaves so", "registered", "answer", "readings", "kW", ""):
        table.add_column(heading, justify="right" if heading in ("readings", "kW") else "left", no_wrap=True)
    for behaviour in behaviours:
        ven = by_name.get(behaviour.name)
        newest = ven["newest"] if ven else []
        table.add_row(
            behaviour.name,
            Text(behaviour.says, style="dim"),
            Text("✓ yes", style="green") if ven else Text("… not yet", style="yellow"),
            event_views.opt(answers[behaviour.name]) if behaviour.name in answers else Text("–", style="dim"),
            str(ven["readings"]) if ven else "–",
            f"{newest[-1]:.1f}" if newest else "–",
            Text(sparkline(newest, bars), style="cyan"),
        )
    return table


def news(status: Mapping[str, Any]) -> Iterator[str]:
    """What the VTN knows, a sentence for each fact; the same fact is the same sentence."""
    for ven in status["vens"]:
        yield f"{ven['name']} is registered"
        if ven["readings"]:
            yield f"the first readings of {ven['name']} are stored"
    for event in status["events"]:
        if event["status"] in ("active", "completed"):
            yield f"the event is {event['status']}"
        for one in event["vens"]:
            if one.get("opt"):
                yield f"{one['ven_name']} answers the event with {one['opt']}"


def timelines(events: Sequence[EiEvent], now: datetime) -> RenderableType:
    """The events over time."""
    return Group(*(part for one in events for part in (Text(), Timeline(one, now))))


def summary(vens: Sequence[Mapping[str, Any]], *, ok: bool, stopped: bool) -> RenderableType:
    """What the VTN has stored.

    :param vens: what it has stored of each VEN.
    :param ok: whether that is as it should be.
    :param stopped: whether the demo was stopped before its time.
    """
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("VEN", "registered", "answer to the event", "readings"):
        table.add_column(heading, justify="right" if heading == "readings" else "left")
    for one in vens:
        answer = event_views.opt({"opt": one["opt"]}) if one["opt"] else Text("none in time", style="yellow")
        registered = Text("✓ yes", style="green") if one["registered"] else Text("✗ no", style="red")
        table.add_row(one["name"], registered, answer, str(one["readings"]))
    if stopped:
        verdict = Text("stopped before its time", style="yellow")
    else:
        verdict = Text("✓ as it should be", style="green") if ok else Text("✗ something is missing", style="red")
    return Group(Text(), Text("What the VTN has stored:", style="bold"), table, verdict)

"""What the commands print for people."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from oadr_app.texts import clean, local

_STATUS_STYLE: Final = {
    "far": "blue",
    "near": "cyan",
    "active": "bold green",
    "completed": "dim",
    "cancelled": "dim strike",
}
_BARS: Final = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 30) -> str:
    """Draw values as a line of bars.

    :param values: what to draw; the last ``width`` of them are shown.
    :param width: how many bars there may be.
    """
    values = values[-width:]
    if not values:
        return ""
    high = max(max(values), 1e-9)
    return "".join(_BARS[min(int(max(one, 0.0) / high * 7.99), 7)] for one in values)


def vens(listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A table of VENs."""
    if not listed:
        return Text("no VEN is registered", style="dim")
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("VEN", "id", "", "transport", "reports", "readings", "queued"):
        right = heading in ("reports", "readings", "queued")
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading == "id")
    for one in listed:
        online = Text("online", style="green") if one["online"] else Text("silent", style="yellow")
        table.add_row(
            clean(one["name"] or "–"),
            Text(clean(one["ven_id"]), style="dim"),
            online,
            one["transport"],
            *(str(one[key]) for key in ("reports", "readings", "queued")),
        )
    return table


def events(listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A table of events."""
    if not listed:
        return Text("there is no event; oadr event create --help tells how to make one", style="dim")
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("event", "status", "begins", "ends", "signals", "in", "out", "silent"):
        right = heading in ("in", "out", "silent")
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading == "event")
    for one in listed:
        silent = one["vens_told"] - one["opt_in"] - one["opt_out"] if one["answer_wanted"] else 0
        table.add_row(
            clean(one["event_id"]),
            Text(one["status"], style=_STATUS_STYLE.get(one["status"], "")),
            local(one["dtstart"]),
            local(one["end"]) if one["end"] else "never",
            clean("; ".join(one["signals"])),
            Text(str(one["opt_in"]), style="green"),
            Text(str(one["opt_out"]), style="red"),
            Text(str(silent), style="yellow" if silent else "dim"),
        )
    return table


def event(shown: Mapping[str, Any]) -> RenderableType:
    """One event: what it asks for, and who answered what."""
    head = Text.assemble(
        (clean(shown["event_id"]), "bold"),
        "  ",
        (shown["status"], _STATUS_STYLE.get(shown["status"], "")),
        f"  modification {shown['modification_number']}",
    )
    lines = [
        f"begins {local(shown['dtstart'])}, takes {shown['duration']}"
        if shown["end"]
        else f"begins {local(shown['dtstart'])}, and does not end",
        *shown["signals"],
    ]
    if shown.get("comment"):
        lines.append(clean(shown["comment"]))
    return Group(head, *(Text("  " + one) for one in lines), Text(), answers(shown["vens"]))


def answers(listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Who was told of an event, and answered what and when."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("VEN", "answer", "when", "modification"):
        table.add_column(heading)
    for one in listed:
        table.add_row(
            clean(one.get("ven_name") or one["ven_id"]),
            opt(one),
            local(one.get("answered_at")),
            "–" if one.get("modification_number") is None or not one.get("opt") else str(one["modification_number"]),
        )
    return table


def opt(answer: Mapping[str, Any]) -> Text:
    """What a VEN answered, or where it stands."""
    if answer.get("opt") == "optIn":
        return Text("✓ opts in", style="green")
    if answer.get("opt") == "optOut":
        code = f" ({answer['code']})" if answer.get("code", 200) >= 300 else ""
        return Text(f"✗ opts out{code}", style="red")
    words = {"told": "… was told", "untold": "– not told yet"}
    return Text(words.get(str(answer.get("state")), "not registered"), style="yellow")

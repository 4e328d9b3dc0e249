"""What ``oadr event`` prints for people."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from oadr_app.event_file import EventForm, event_of, read_form
from oadr_app.periods import Length
from oadr_app.texts import clean, local
from oadr_app.timeline import UNTIL_CANCELLED, WAS_CANCELLED, Timeline
from oadr_core import EventStatus

_STATUS_STYLE: Final = {
    "far": "blue",
    "near": "cyan",
    "active": "bold green",
    "completed": "dim",
    "cancelled": "dim strike",
}

_FEW: Final = 3
"""Events or VENs that are named where there may be many."""

_MOST_ROWS: Final = 50
"""VENs that a table of answers holds at most; ``--json`` holds all."""


def was_made(answer: Mapping[str, Any]) -> RenderableType:
    """An event was made."""
    lines = [Text(f"{clean(answer['event_id'])} was made for {_vens(answer['vens'])}")]
    return Group(*lines, *_warnings(answer))


def was_modified(answer: Mapping[str, Any]) -> RenderableType:
    """An event was changed, or it was not, as nothing is different."""
    name, number = clean(answer["event_id"]), answer["modification_number"]
    if not answer["changes"]:
        return Text(f"{name} is so already; it stays at modification {number}")
    head = Text(f"{name} has modification {number} now, for {_vens(answer['vens'])}")
    return Group(head, *(Text(f"  {clean(one)}") for one in answer["changes"]), *_warnings(answer))


def _vens(number: int) -> str:
    return f"{number} VEN{'' if number == 1 else 's'}"


def _warnings(answer: Mapping[str, Any]) -> list[Text]:
    found = []
    if not answer.get("vens", 1):
        found.append(Text("! nobody is meant: no registered VEN is in its audience", style="yellow"))
    withheld = answer.get("withheld", ())
    if withheld:
        text = f"! it is not given to {_some(withheld)}: OpenADR 2.0a has no words for it"
        found.append(Text(text, style="yellow"))
    overlaps = answer.get("overlaps", ())
    if overlaps:
        text = f"! it overlaps with {_some(overlaps)}; which of them counts is up to the VEN (rule 18)"
        found.append(Text(text, style="yellow"))
    return found


def _some(names: Sequence[str]) -> str:
    return clean(", ".join(names[:_FEW])) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")


def events(listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A table of events."""
    if not listed:
        return Text("there is no such event; oadr event create --help tells how to make one", style="dim")
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("event", "status", "begins", "ends", "signals", "in", "out", "silent"):
        right = heading in ("in", "out", "silent")
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading == "event")
    for one in listed:
        silent = one["silent"]
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


def preview(form: EventForm, now: datetime) -> RenderableType:
    """An event that was not made."""
    made = event_of(form, random.SystemRandom(), now)
    timeline = Timeline(made, now)
    return Group(_about(form, timeline.status.value, 0, {}), Text(), timeline)


def event(shown: Mapping[str, Any], now: datetime) -> RenderableType:
    """One event: what it asks for when, and who answered what."""
    state, form = shown["state"], read_form(shown, now)
    status = EventStatus(state["status"])
    cancelled_at = datetime.fromisoformat(state["changed"]) if status is EventStatus.CANCELLED else None
    timeline = Timeline(event_of(form, random.SystemRandom(), now), now, status, cancelled_at)
    names = {one["ven_id"]: one["ven_name"] for one in state["vens"] if one["ven_name"]}
    head = _about(form, state["status"], state["modification_number"], names)
    return Group(head, *_warnings(state), Text(), timeline, Text(), answers(state["vens"]), _counts(state))


def _about(form: EventForm, status: str, modification: int, names: Mapping[str, str]) -> RenderableType:
    """What an event is; ``names`` has those of the VENs by their ids."""
    descriptor = form.event_descriptor
    head = Text.assemble(
        (clean(descriptor.event_id or "a new event"), "bold"),
        "  ",
        (status, _STATUS_STYLE.get(status, "")),
        f"  modification {modification}",
    )
    if descriptor.modification_reason:
        head.append(f" ({clean(descriptor.modification_reason)})")
    if descriptor.test_event:
        head.append("  a test", style="bold yellow")
    told = {
        "comment": descriptor.vtn_comment,
        "begins": local(str(form.active_period.dtstart)) if form.active_period.dtstart else "now",
        "takes": _length(form.active_period.duration, status),
        "priority": descriptor.priority,
        "market context": descriptor.market_context,
        "answers": "are not wanted" if form.response_required == "never" else None,
        "for": _audience(form, names),
        "targets": _targets(form),
    }
    table = Table.grid(padding=(0, 2))
    for name, text in told.items():
        if text not in (None, ""):
            table.add_row(Text("  " + name, style="dim"), Text(clean(text)))
    return Group(head, table)


def _length(length: Length | None, status: str) -> str | None:
    if length is None:
        return None
    if str(length) not in ("0s", "P0D"):
        return str(length)
    return WAS_CANCELLED if status == EventStatus.CANCELLED else UNTIL_CANCELLED


def _audience(form: EventForm, names: Mapping[str, str]) -> str:
    audience = form.audience
    if audience.everyone or not audience:
        return "everyone"
    kinds = {"group_ids": "group ", "resource_ids": "resource ", "party_ids": "party "}
    parts = [names.get(one, one) for one in audience.vens]
    parts += [f"{word}{one}" for name, word in kinds.items() for one in getattr(audience, name)]
    parts += [f"program {one}" for one in audience.market_contexts]
    return ", ".join(parts[:8]) + (f" and {len(parts) - 8} more" if len(parts) > 8 else "")


def _targets(form: EventForm) -> str:
    kinds = ((name, getattr(form.targets, name)) for name in form.targets.__struct_fields__)
    return ", ".join(f"{name} {one if isinstance(one, str) else '…'}" for name, values in kinds for one in values)


# --- answers ---------------------------------------------------------------------------------------------------------


def answers(listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Who was told of an event, and answered what and when."""
    if not listed:
        return Text("nobody was told", style="dim")
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("VEN", "answer", "when", "modification", ""):
        table.add_column(heading, justify="right" if heading == "modification" else "left")
    for one in listed[:_MOST_ROWS]:
        table.add_row(
            clean(one.get("ven_name") or one["ven_id"]),
            opt(one),
            local(one.get("answered_at")),
            "–" if one.get("answered_modification") is None else str(one["answered_modification"]),
            Text(clean("; ".join(_remarks(one))), style="dim"),
        )
    if len(listed) > _MOST_ROWS:
        table.add_row(Text(f"… {len(listed) - _MOST_ROWS} more", style="dim"))
    return table


def opt(answer: Mapping[str, Any]) -> Text:
    """What a VEN answered, or where it stands."""
    if answer.get("opt") == "optIn":
        return Text("✓ opts in", style="green")
    if answer.get("opt") == "optOut":
        code = f" ({answer['code']})" if (answer.get("code") or 200) >= 300 else ""
        return Text(f"✗ opts out{code}", style="red")
    return Text(_WORDS.get(str(answer.get("state")), "?"), style="yellow")


_WORDS: Final = {
    "absent": "– not registered",
    "report-only": "– takes no events",
    "withheld": "– cannot be told in 2.0a",
    "waiting": "– not told yet",
    "told": "… was told",
    "silent": "! silent",
    "informed": "was told, need not answer",
    "answered": "✓ has answered",
    "missed": "– was not told in time",
    "left": "– is no longer for it",
}
"""Where a VEN stands that has answered nothing that counts."""


def _remarks(answer: Mapping[str, Any]) -> list[str]:
    """What else there is to say of an answer."""
    words = {"late": "late", "changed": "has changed its mind", "ruled_by_opt": "by an opt"}
    found = [word for name, word in words.items() if answer.get(name)]
    if answer.get("opt") and answer.get("state") == "left":
        found.append("the event is no longer for it")
    if answer.get("opt") is None and answer.get("earlier"):
        last = answer["earlier"][-1]
        found.append(f"{last['opt']} to modification {last['modification_number']}, which is no more")
    if answer.get("opt") is None and answer.get("times", 0) > 1:
        found.append(f"told {answer['times']} times")
    if answer.get("description"):
        found.append(str(answer["description"]))
    return found


def _counts(state: Mapping[str, Any]) -> Text:
    """How many answered what."""
    parts = [f"{state['opt_in']} in", f"{state['opt_out']} out"]
    if state["answer_wanted"]:
        parts.append(f"{state['silent']} silent")
    return Text(f"{_vens(state['vens_told'])}: {', '.join(parts)}", style="dim")

"""What ``oadr vens`` prints for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from oadr_app.event_views import opt
from oadr_app.texts import clean, local


def vens(listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A table of VENs."""
    if not listed:
        return Text("no VEN is registered", style="dim")
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("VEN", "id", "", "transport", "reports", "readings", "queued"):
        right = heading in ("reports", "readings", "queued")
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading == "id")
    grouped = any(one.get("group_ids") for one in listed)
    renewed = any(one.get("renewal") for one in listed)
    if grouped:
        table.add_column("groups")
    if renewed:
        table.add_column("certificate")
    for one in listed:
        table.add_row(
            clean(one["name"] or "–"),
            Text(clean(one["ven_id"]), style="dim"),
            _online(one),
            one["transport"],
            *(str(one[key]) for key in ("reports", "readings", "queued")),
            *([clean(", ".join(one["group_ids"]))] if grouped else []),
            *(["is renewed" if one.get("renewal") else ""] if renewed else []),
        )
    return table


def _online(ven: Mapping[str, Any]) -> Text:
    return Text("online", style="green") if ven["online"] else Text("silent", style="yellow")


def ven(shown: Mapping[str, Any]) -> RenderableType:
    """One VEN."""
    head = Text.assemble((clean(shown["name"] or shown["ven_id"]), "bold"), "  ", _online(shown))
    told = {
        "id": shown["ven_id"],
        "registration": shown["registration_id"],
        "speaks": f"{shown['profile']} over {shown['transport']}",
        "address": shown["address"],
        "JID" if shown["transport"].startswith("xmpp") else "certificate": shown["fingerprint"],
        **_renewal(shown),
        **_enrolment(shown),
        "readings": shown["readings"],
    }
    table = Table.grid(padding=(0, 2))
    for name, text in told.items():
        if text is not None:
            table.add_row(Text("  " + name, style="dim"), Text(clean(text)))
    parts = (
        ("offers", [f"{one['report_specifier_id']}: {', '.join(one['points'])}" for one in shown["offers"]]),
        ("is asked for", [f"{one['report_request_id']} ({one['state']})" for one in shown["requests"]]),
        ("waits for it", [f"{one['operation']} ({one['state']})" for one in shown["queue"]]),
        ("has said", [_said(one) for one in shown["opts"]]),
    )
    return Group(
        head, table, *(line for name, lines in parts for line in _list(name, lines)), *_events(shown["events"])
    )


def _renewal(shown: Mapping[str, Any]) -> dict[str, str]:
    """Its other certificate, while its certificate is renewed."""
    renewal = shown["renewal"]
    if renewal is None:
        return {}
    if renewal["until"] is None:
        return {"next certificate": renewal["fingerprint"]}
    return {"former certificate": f"{renewal['fingerprint']}, until {local(renewal['until'])}"}


def certificate(answer: Mapping[str, Any]) -> RenderableType:
    """By which certificate a VEN is known now."""
    text = f"{answer['ven_id']} is known by {answer['fingerprint']} now"
    if answer["renewal"] is not None:
        text = f"{answer['ven_id']} is known by {answer['fingerprint']}, and by {answer['renewal']['fingerprint']} as "
        text += "well until it has shown that"
    return Text(clean(text))


def _enrolment(shown: Mapping[str, Any]) -> dict[str, str | None]:
    names = {"groups": "group_ids", "resources": "resource_ids", "parties": "party_ids", "programs": "market_contexts"}
    return {name: ", ".join(shown[kind]) or None for name, kind in names.items()}


def _list(name: str, lines: Sequence[str]) -> list[Text]:
    if not lines:
        return []
    return [Text(), Text(name, style="bold"), *(Text(f"  {clean(one)}") for one in lines)]


def _events(listed: Sequence[Mapping[str, Any]]) -> list[Text]:
    lines = [
        Text.assemble("  ", opt(one), f"  {clean(one['event_id'])}, modification {one['modification_number']}")
        for one in listed
    ]
    return [Text(), Text("its events", style="bold"), *lines] if lines else []


def _said(one: Mapping[str, Any]) -> str:
    """An opt in a line."""
    about = [f"the event {one['event_id']}"] if one["event_id"] else []
    about += [f"{local(stretch['dtstart'])} for {stretch['duration']}" for stretch in one["stretches"]]
    about += [f"the resource {resource}" for resource in one["resources"]]
    about += [f"the program {one['market_context']}"] if one["market_context"] else []
    return f"{one['opt']} ({one['reason']}): {', '.join(about) or 'always'}"


def available(answer: Mapping[str, Any]) -> RenderableType:
    """Whether something is available, and why."""
    yes = Text("✓ available", style="green") if answer["available"] else Text("✗ not available", style="red")
    lines = [Text.assemble(yes, f" at {local(answer['at'])}: {answer['why']}")]
    if answer["opt"] is not None:
        lines.append(Text(clean(f"  {_said(answer['opt'])}, said {local(answer['opt']['made'])}")))
    return Group(*lines)


def enrolled(answer: Mapping[str, Any]) -> RenderableType:
    """What a VEN belongs to now."""
    parts = [f"{name} {text}" for name, text in _enrolment(answer).items() if text]
    return Text(clean(f"{answer['ven_id']} belongs to {'; '.join(parts) or 'nothing'}"))


def forgotten(answer: Mapping[str, Any]) -> RenderableType:
    """What was forgotten of a VEN."""
    text = f"{answer['ven_id']} is forgotten"
    if answer["readings"]:
        text += f", and {answer['readings']} readings of it"
    if answer["configured"]:
        text += "; [[vens]] of the configuration still names it"
    return Text(clean(text))

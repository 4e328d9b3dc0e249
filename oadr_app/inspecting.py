"""``oadr inspect``: a message as a person wants to read it, with its verdict and every rule it breaks."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from oadr_app.periods import shown
from oadr_app.texts import clean
from oadr_app.tracing import read_trace
from oadr_core import (
    CalendarDuration,
    Finding,
    Payload,
    SchemaError,
    Severity,
    check_document,
    check_trace,
    read,
    to_dict,
)

_FEW: Final = 12
"""How many items of a list are shown at each end of a long one."""


class ShownExchange(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange in short.

    :param time: when the request was sent or came in.
    :param requester: who sent the request.
    :param ven_id: the VEN that it is about, if that is known.
    :param request: the name of the request.
    :param answer: the name of the answer, or why there is none.
    """

    time: datetime
    requester: str
    ven_id: str
    request: str
    answer: str


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about a document.

    :param message_type: the payload; empty where nothing could be made of it.
    :param verdict: ``valid``, ``forgiven`` (the schema refuses it, a lenient receiver does not) or ``refused``.
    :param refusal: why the schema refuses it.
    :param forgiven: what a lenient receiver overlooks, as pairs of place and sentence.
    :param findings: the rules that it breaks.
    :param signed: whether it carries a signature.
    :param profile: the profile that it is of, such as ``2.0b``; empty where nothing could be made of it.
    :param content: the message as a dict.
    """

    message_type: str
    verdict: str
    refusal: str | None
    forgiven: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    signed: bool
    profile: str
    content: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """Whether there is nothing wrong with it."""
        return self.verdict == "valid" and all(one.severity is not Severity.ERROR for one in self.findings)


class TraceInspection(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about a trace.

    :param exchanges: the exchanges, in short.
    :param findings: the rules that they break.
    """

    exchanges: tuple[ShownExchange, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is nothing wrong with it."""
        return all(one.severity is not Severity.ERROR for one in self.findings)


def inspect_trace(data: bytes) -> TraceInspection:
    """Look at a trace.

    :param data: its lines.
    :raises ValueError: a line is no exchange; the text says which.
    """
    recorded = read_trace(data)
    report = check_trace(recorded)
    shown_exchanges = tuple(
        ShownExchange(
            time=raw.time,
            requester=raw.requester,
            ven_id=one.ven_id,
            request=_named(one.request),
            answer=raw.failure or (_named(one.answer) if raw.answer else "empty"),
        )
        for raw, one in zip(recorded, report.exchanges, strict=True)
    )
    return TraceInspection(exchanges=shown_exchanges, findings=report.findings)


def _named(message: Payload | None) -> str:
    return "unreadable" if message is None else message.message_type()


def inspect(data: bytes) -> Inspection:
    """Look at a document.

    :param data: the document.
    """
    refusal = None
    try:
        document = read(data, strict=True, profile=None)
    except SchemaError as error:
        refusal = str(error)
        try:
            document = read(data, strict=False, profile=None)
        except SchemaError as hopeless:
            return Inspection(
                message_type="",
                verdict="refused",
                refusal=str(hopeless),
                forgiven=(),
                findings=(),
                signed=False,
                profile="",
                content={},
            )
    message_type, content = to_dict(document.message)
    return Inspection(
        message_type=message_type,
        verdict="valid" if refusal is None else "forgiven",
        refusal=refusal,
        forgiven=tuple((one.place, one.what) for one in document.forgiven),
        findings=tuple(check_document(document)),
        signed=document.signed,
        profile=document.profile,
        content=content,
    )


def as_json(inspection: Inspection | TraceInspection) -> str:
    """The inspection for machines: one JSON object, in which what would command a terminal is escaped."""
    text = msgspec.json.format(msgspec.json.encode(inspection, enc_hook=_builtin), indent=2).decode()
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)


def _builtin(value: object) -> object:
    raise TypeError(f"no {type(value).__name__} can be shown")


def render(inspection: Inspection | TraceInspection, name: str) -> RenderableType:
    """The inspection for people."""
    if isinstance(inspection, TraceInspection):
        return _render_trace(inspection, name)
    if inspection.verdict == "refused":
        return Group(Text(name, style="bold"), Text(clean(f"✗ no OpenADR message: {inspection.refusal}"), style="red"))
    tree = Tree(Text(inspection.message_type, style="bold cyan"), guide_style="dim")
    _grow(tree, inspection.content)
    return Group(Text(name, style="bold"), tree, *_verdict(inspection))


def _verdict(inspection: Inspection) -> list[RenderableType]:
    lines: list[RenderableType] = [Text()]
    if inspection.verdict == "valid":
        lines.append(Text(f"✓ the schema of {inspection.profile} accepts it", style="green"))
    else:
        lines.append(Text(clean(f"✗ the schema of {inspection.profile} refuses it: {inspection.refusal}"), style="red"))
        for place, what in inspection.forgiven:
            lines.append(
                Text(clean(f"  a lenient receiver overlooks, at {place or 'the root'}: {what}"), style="yellow")
            )
    if inspection.signed:
        lines.append(Text("  it carries a signature, which was not verified", style="dim"))
    if not inspection.findings:
        lines.append(Text("✓ it breaks no rule that a single message can break", style="green"))
        return lines
    return [*lines, _findings(inspection.findings)]


def _findings(findings: Sequence[Finding]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for one in findings:
        colour = "red" if one.severity is Severity.ERROR else "yellow"
        table.add_row(
            Text("✗" if one.severity is Severity.ERROR else "!", style=colour),
            Text(one.rule, style=f"bold {colour}"),
            Text(clean(one.place), style="dim"),
            Text(clean(f"{one.found}; {one.right}")),
        )
    return table


def _render_trace(inspection: TraceInspection, name: str) -> RenderableType:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("", "time", "VEN", "", "request", "answer"):
        table.add_column(heading)
    for number, one in enumerate(inspection.exchanges):
        table.add_row(
            Text(f"[{number}]", style="dim"),
            one.time.strftime("%Y-%m-%d %H:%M:%S"),
            clean(one.ven_id or "–"),
            f"{one.requester} asks",
            Text(one.request, style="cyan"),
            clean(one.answer),
        )
    if not inspection.findings:
        return Group(
            Text(name, style="bold"), table, Text(), Text("✓ it breaks no rule that a trace shows", style="green")
        )
    return Group(Text(name, style="bold"), table, Text(), _findings(inspection.findings))


def _grow(tree: Tree, content: Mapping[str, Any]) -> None:
    for key, value in content.items():
        if key != "targets_by_type":  # the same as targets
            _branch(tree, key, value)


def _branch(tree: Tree, key: str, value: Any) -> None:
    label = Text(key, style="blue")
    if isinstance(value, Mapping):
        _grow(tree.add(label), value)
    elif isinstance(value, list):
        branch = tree.add(Text.assemble(label, Text(f" ({len(value)})", style="dim")))
        for index, item in enumerate(value):
            if _FEW <= index < len(value) - _FEW:
                if index == _FEW:
                    branch.add(Text(f"… {len(value) - 2 * _FEW} more", style="dim"))
            elif isinstance(item, Mapping):
                _leaf_or_tree(branch, index, item)
            else:
                branch.add(_plain(item))
    else:
        tree.add(Text.assemble(label, " ", _plain(value)))


def _leaf_or_tree(branch: Tree, index: int, item: Mapping[str, Any]) -> None:
    """Short dicts go on one line, as an interval or a target is best read."""
    if all(not isinstance(one, Mapping | list) for one in item.values()):
        parts = [Text.assemble((key, "blue"), " ", _plain(one)) for key, one in item.items()]
        branch.add(Text("  ").join(parts))
    else:
        _grow(branch.add(Text(f"[{index}]", style="dim")), item)


def _plain(value: Any) -> Text:
    if isinstance(value, datetime):
        return Text(value.strftime("%Y-%m-%d %H:%M:%S") + ("Z" if value.tzinfo else ""), style="magenta")
    if isinstance(value, timedelta):
        return Text(shown(value), style="magenta")
    if isinstance(value, CalendarDuration):
        return Text(f"{value.months} months and {shown(value.rest)}", style="magenta")
    if isinstance(value, bool):
        return Text("yes" if value else "no", style="green" if value else "yellow")
    if isinstance(value, float | int):
        return Text(f"{value:g}" if isinstance(value, float) else str(value), style="cyan")
    return Text(clean(value))

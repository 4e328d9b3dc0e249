"""Draws ``docs/machines.md`` from the state machines of the core.

Nothing about a machine is written here: its states and inputs bring their meanings, its table the transitions, and the
comments beside the lines of the table say why. ``make docs`` runs this module.
"""

import importlib
import inspect
import io
import pkgutil
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from types import ModuleType
from typing import Any, Final

import oadr_core.machines
from oadr_core.machines.exchange import REMEDY, Failure
from oadr_core.machines.operations import SERVICE, VEN_REQUESTS, VTN_OPERATIONS
from oadr_core.machines.table import Machine
from oadr_core.messages import Payload, Poll, Response

_INTRODUCTION: Final = """\
# State machines

The protocol core is built around these tables. Each says for a state and an input where it leads; what a table does not
list is not allowed. What belongs to a step (what is sent, saved and told) is decided by the core that drives the
machine: [`ven/`](../oadr_core/ven) at a VEN, [`vtn/`](../oadr_core/vtn) at a VTN, and
[`auto/`](../oadr_core/auto) where they run by themselves.

This page is drawn from the tables in [`oadr_core/machines/`](../oadr_core/machines) by `make docs`, and a test fails
when it is out of date. Change the tables, never this page.
"""

_ORDER: Final = ("startup", "registration", "exchange", "delivery", "event", "report")
"""The order of the page: a VEN's way through its day. Machines of other modules come last."""


def all_machines() -> list[tuple[ModuleType, str, Machine[Any, Any]]]:
    """Find every machine of the core: its module, its name there, and itself."""
    names = [one.name for one in pkgutil.iter_modules(oadr_core.machines.__path__)]
    names.sort(key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    found = []
    for name in names:
        module = importlib.import_module(f"oadr_core.machines.{name}")
        found += [(module, key, value) for key, value in vars(module).items() if isinstance(value, Machine)]
    return found


def page() -> str:
    """Draw the whole page."""
    machines = all_machines()
    parts = [_INTRODUCTION, "\n".join(_contents(machines))]
    parts += ["\n".join(_section(*one)) for one in machines]
    parts += ["\n".join(_failures()), "\n".join(_operations())]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _contents(machines: Iterable[tuple[ModuleType, str, Machine[Any, Any]]]) -> Iterator[str]:
    titles = [machine.name for _, _, machine in machines]
    for title in [*titles, _FAILURES, _OPERATIONS]:
        anchor = "".join(one for one in title.lower().replace(" ", "-") if one.isalnum() or one == "-")
        yield f"- [{title}](#{anchor})"


# --- one machine -----------------------------------------------------------------------------------------------------


def _section(module: ModuleType, name: str, machine: Machine[Any, Any]) -> Iterator[str]:
    yield f"## {machine.name}"
    yield ""
    yield _first_paragraph(module)
    yield f"The table is `{name}` in [`{_file(module)}`](../{_file(module)})."
    yield ""
    yield "```mermaid"
    yield from _diagram(machine)
    yield "```"
    yield ""
    yield from _table(["State", "Meaning"], [[f"`{one.name}`", _meaning(one, machine)] for one in machine.states])
    yield ""
    yield from _table(["Input", "What has happened"], [[f"`{one.name}`", one.value] for one in machine.inputs])
    yield ""
    notes = _notes(module, name)
    rows = [
        [f"`{state.name}`", f"`{given.name}`", f"`{after.name}`" if after is not state else "stays", note]
        for (state, given, after), note in zip(machine.transitions(), notes, strict=True)
    ]
    yield from _table(["In state", "Input", "Leads to", "Why"], rows)


def _first_paragraph(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().partition("\n\n")[0]


def _file(module: ModuleType) -> str:
    return module.__name__.replace(".", "/") + ".py"


def _meaning(state: Enum, machine: Machine[Any, Any]) -> str:
    mark = " *(beginning)*" if state is machine.initial else " *(end)*" if state in machine.final else ""
    return f"{state.value}{mark}"


def _diagram(machine: Machine[Any, Any]) -> Iterator[str]:
    """The arrows of a machine, those between the same two states as one."""
    yield "stateDiagram-v2"
    yield f"    [*] --> {machine.initial.name}"
    arrows: dict[tuple[Enum, Enum], list[str]] = {}
    for state, given, after in machine.transitions():
        arrows.setdefault((state, after), []).append(given.name)
    for (state, after), names in arrows.items():
        yield f"    {state.name} --> {after.name}: {', '.join(names)}"
    for state in machine.states:
        if state in machine.final:
            yield f"    {state.name} --> [*]"


def _notes(module: ModuleType, name: str) -> list[str]:
    """The comment of each line of a table: beside it, or in the lines above it."""
    source = inspect.getsource(module)
    lines = iter(source[source.index(f"\n{name}: Final = Machine(") :].splitlines())
    for line in lines:
        if line.strip() == "table={":
            break
    notes: list[str] = []
    above: list[str] = []
    for line in lines:
        if line.strip() == "},":
            break
        comment = _comment(line)
        if line.strip().startswith("#"):
            above.append(comment)
        else:
            notes.append(" ".join([*above, comment]).strip())
            above.clear()
    return notes


def _comment(line: str) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(f"({line.strip()}\n)").readline)
    return next((one.string.lstrip("# ") for one in tokens if one.type == tokenize.COMMENT), "")


# --- tables beside the machines --------------------------------------------------------------------------------------

_FAILURES: Final = "When an exchange fails"
_OPERATIONS: Final = "Who may ask whom for what"


def _failures() -> Iterator[str]:
    yield f"## {_FAILURES}"
    yield ""
    yield "Every transport translates what can go wrong into one of these (section 9.1.5 of the profile)."
    yield ""
    yield from _table(
        ["Failure", "What has happened", "Remedy", "What is done"],
        [[f"`{one.name}`", one.value, f"`{REMEDY[one].name}`", REMEDY[one].value] for one in Failure],
    )


def _operations() -> Iterator[str]:
    yield f"## {_OPERATIONS}"
    yield ""
    yield "A request goes to the endpoint of its service. Its answer is of the same kind where it is an error."
    yield ""
    also: dict[type[Payload], str] = {Poll: "or what the VTN has for the VEN", Response: "or nothing, an empty success"}
    rows = [
        ["VEN", *_named(one), f"`{answer.message_type()}`", also.get(one, "")] for one, answer in VEN_REQUESTS.items()
    ]
    for one, operation in VTN_OPERATIONS.items():
        by = "in the response when it is pushed" if operation.inline else "always by a request of its own"
        urgent = "; goes before all that was queued" if operation.urgent else ""
        rows.append(["VTN", *_named(one), f"`{operation.answer.message_type()}`", by + urgent])
    yield from _table(["From", "Request", "Service", "Answer", "How it comes"], rows)


def _named(payload: Any) -> tuple[str, str]:
    return f"`{payload.message_type()}`", str(SERVICE[payload])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(heads)
    yield _row(["---"] * len(heads))
    for row in rows:
        yield _row(row)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(page(), end="")

"""Draws ``docs/rules.md``, the page of the conformance rules, from the catalogue and the checks of the core.

``make docs`` runs this module. Which tests are about which rule changes too often for a page: ``make rules`` tells it.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from oadr_core.rules import Rule, Severity, rules
from oadr_core.rules.catalogue import CATALOGUE, OfficialRule
from oadr_core.rules.trace import Dialogue, Exchange

_INTRODUCTION: Final = """\
# Conformance rules

What OpenADR 2.0b (revision 1.1) demands of VENs and VTNs, by the numbers of its rules, and which check judges it. A
check looks at a message or a part of one, at an exchange (a request and its answer), or at a dialogue (all that a VTN
and a VEN say to each other under a registration), never into a machine: `oadr inspect` judges recorded traces of any
software by them, and our own cores refuse to send what breaks them. Where no check can tell, the reason stands in its
place, and tests of our own cores hold them to the rule; `make rules` shows which tests are about which rule.

The sentences are ours, and no substitute for the specification. Numbers that are missing are missing there.

This page is drawn from [`oadr_core/rules/`](../oadr_core/rules) by `make docs`, and a test fails when it is out of
date. Change the rules, never this page.
"""

_ON_DECISIONS: Final = (
    "Where the specification is silent, or says different things, this project has decided. Decisions that are checked:"
)

_CHAPTERS: Final = (
    (range(1, 71), "Events, as in 2.0a, with transport and security"),
    (range(100, 117), "Events, added by 2.0b"),
    (range(200, 212), "Opts"),
    (range(300, 347), "Reports"),
    (range(400, 408), "Registration"),
    (range(500, 518), "General"),
)
_ROOT: Final = Path(__file__).resolve().parent.parent


def page() -> str:
    """Draw the whole page."""
    parts = [_INTRODUCTION]
    for numbers, title in _CHAPTERS:
        chapter = [one for number, one in sorted(CATALOGUE.items()) if number in numbers]
        parts.append("\n".join([f"## {title}", "", *_head("rule", "binds", "strength"), *map(_row, chapter)]))
    decisions = [one for one in rules() if one.number.startswith("D")]
    parts.append("\n".join(["## Decisions of this project", "", _ON_DECISIONS, "", *_decisions(decisions)]))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _head(*names: str) -> Iterator[str]:
    columns = [*names, "what it asks for", "judged by"]
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"


def _row(one: OfficialRule) -> str:
    judged = _judged(f"R{one.number}") or (f"– ({one.unseen})" if one.unseen else "–")
    return f"| {one.number} | {one.bound} | {one.strength} | {one.text} | {judged} |"


def _decisions(decisions: list[Rule]) -> Iterator[str]:
    yield from _head("decision")
    for number in dict.fromkeys(one.number for one in decisions):
        titles = " ".join(dict.fromkeys(one.title for one in decisions if one.number == number))
        yield f"| {number} | {titles} | {_judged(number)} |"


def _judged(number: str) -> str:
    """The checks of a rule, each with a link to it and with what it looks at; empty where there is none."""
    checks: dict[str, list[Rule]] = {}
    for one in rules():
        if one.number == number:
            checks.setdefault(_link(one), []).append(one)
    return "<br>".join(f"{link} ({_about(one)})" for link, one in sorted(checks.items()))


def _link(one: Rule) -> str:
    source = inspect.getsourcefile(one.check)
    assert source is not None
    return f"[`{one.check.__name__}`](../{Path(source).resolve().relative_to(_ROOT).as_posix()})"


def _about(checks: list[Rule]) -> str:
    """What a check looks at, and whether what it finds is a warning."""
    names = {Exchange: "an exchange", Dialogue: "a dialogue"}
    told = sorted(names.get(one.about, one.about.__name__) for one in checks)
    return ", ".join([*told, *(["a warning"] if checks[0].severity is Severity.WARNING else [])])


if __name__ == "__main__":
    print(page(), end="")

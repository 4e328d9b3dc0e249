"""``docs/machines.md`` is drawn from the tables, and up to date."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from docs import machines
from docs.machines import all_machines, page
from oadr_core.machines.operations import VEN_REQUESTS, VTN_OPERATIONS

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_page_is_up_to_date() -> None:
    stored = (ROOT / "docs" / "machines.md").read_text(encoding="utf-8")
    assert stored == page(), "docs/machines.md is out of date: run `make docs`"


def test_the_make_target_draws_the_same_page() -> None:
    drawn = subprocess.run([sys.executable, "-m", "docs.machines"], cwd=ROOT, capture_output=True, check=True)
    assert drawn.stdout.decode("utf-8") == page()
    assert "python -m docs.machines > docs/machines.md" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_page_shows_every_transition_in_its_diagram_and_in_its_table() -> None:
    text = page()
    for _, _, machine in all_machines():
        section = text.partition(f"## {machine.name}\n")[2].partition("\n## ")[0]
        for state, given, after in machine.transitions():
            arrows = [line for line in section.splitlines() if line.startswith(f"    {state.name} --> {after.name}: ")]
            assert any(given.name in line.partition(": ")[2].split(", ") for line in arrows)
            target = "stays" if after is state else f"`{after.name}`"
            assert f"| `{state.name}` | `{given.name}` | {target} |" in section
        for one in [*machine.states, *machine.inputs]:
            assert f"| `{one.name}` | {one.value}" in section


def test_the_page_shows_why_where_the_table_says_so() -> None:
    assert "| `UNKNOWN` | `NEW` | `DECIDING` | rule 56 |" in page()
    assert "an answer that comes after its time is an answer all the same" in page()


def test_the_page_shows_every_request() -> None:
    for request in {*VEN_REQUESTS, *VTN_OPERATIONS}:
        assert f"| `{request.message_type()}` |" in page()


def test_a_page_that_lacks_a_machine_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = all_machines()
    fewer: list[Any] = found[:-1]
    monkeypatch.setattr(machines, "all_machines", lambda: fewer)
    assert machines.page() != (ROOT / "docs" / "machines.md").read_text(encoding="utf-8")

"""``make rules`` knows of no gap without a reason and proves every check, and ``docs/rules.md`` is up to date."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from docs import rules as drawn
from oadr_core.rules import Severity, check, rules
from oadr_core.rules.catalogue import CATALOGUE, OfficialRule, official_rule
from tests.rules import table
from tests.rules.prover import switched_off
from tests.rules.samples import EVENTS, but

ROOT = Path(__file__).resolve().parent.parent.parent


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


# --- the whole suite -------------------------------------------------------------------------------------------------


def test_every_rule_is_covered_or_has_a_reason_and_every_check_is_proven() -> None:
    done = run("-m", "tests.rules.table", "--json", "--prove")
    assert (done.returncode, done.stderr) == (0, "")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert [one["number"] for one in rows] == sorted(CATALOGUE)
    for one in rows:
        assert one["checks"] or one["unseen"] or one["reason"], one["number"]
        assert one["status"] in ("checked", "tested") or one["reason"], one["number"]


def test_a_check_that_no_test_would_miss_is_found() -> None:
    done = run(
        "-c", "from tests.rules.prover import *; print(*prove([TESTS / 'dialogue' / 'test_exchanges.py']), sep=chr(10))"
    )
    lines = done.stdout.splitlines()
    assert "no test about R41 fails without oadr_core.rules.events.list_request_id of DistributeEvent" in lines
    assert not [one for one in lines if "R27 " in one]


def test_a_check_that_is_switched_off_says_nothing() -> None:
    (one,) = [one for one in rules() if one.number == "R41"]
    broken = but(EVENTS, request_id="")
    with switched_off(one):
        assert check(broken) == []
    assert [finding.rule for finding in check(broken)] == ["R41"]


# --- the table -------------------------------------------------------------------------------------------------------


def row(number: int, *, checks: int = 0, tests: int = 0, unseen: str = "") -> table.Row:
    one = OfficialRule(number, CATALOGUE[5].bound, CATALOGUE[5].strength, "It is so.", unseen)
    return table.Row(one, tuple(f"check {n}" for n in range(checks)), tuple(f"tests/a.py::{n}" for n in range(tests)))


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (row(5, checks=1, tests=1), "checked"),
        (row(5, tests=1, unseen="inside"), "tested"),
        (row(5, checks=1), "GAP"),
        (row(5, tests=1), "GAP"),
        (row(5, unseen="inside"), "GAP"),
    ],
)
def test_a_rule_needs_tests_and_a_check_or_a_reason(made: table.Row, status: str) -> None:
    assert made.status == status


def test_a_gap_is_told_with_what_is_lacking() -> None:
    assert table.problems([row(5)], {}) == [
        "rule 5 is not covered: no test is about it and there is no check, and no reason why there can be none"
    ]


def test_a_mark_with_a_number_of_no_rule_is_told() -> None:
    assert table.problems([], {5: ["a.py::one"], 55: ["a.py::two", "a.py::three"], "5": ["a.py::four"]}) == [
        "there is no rule 55, which a.py::two is marked with",
        "there is no rule '5', which a.py::four is marked with",
    ]


# --- the catalogue ---------------------------------------------------------------------------------------------------


def test_the_catalogue_has_every_rule_that_is_printed() -> None:
    assert len(CATALOGUE) == 153
    missing = {11, 24, 26, 28, 34, 39, 44, 49, 54, 55, 310, 320, 323, 326, 332, 503, 504, 505, 513}
    printed = {*range(1, 71), *range(100, 117), *range(200, 212), *range(300, 347), *range(400, 408), *range(500, 518)}
    assert set(CATALOGUE) == printed - missing


def test_every_rule_is_said_in_a_sentence_of_its_own() -> None:
    texts = [one.text for one in CATALOGUE.values()]
    assert len(set(texts)) == len(texts)
    assert all(one.endswith(".") and len(one) < 120 and "|" not in one for one in texts)


def test_what_has_a_check_is_seen() -> None:
    assert [one.number for one in rules() if (found := official_rule(one.number)) is not None and found.unseen] == []


@pytest.mark.parametrize(("number", "found"), [("R103", 103), ("R11", None), ("D49", None), ("schema", None)])
def test_a_finding_leads_to_its_rule(number: str, found: int | None) -> None:
    assert official_rule(number) == (None if found is None else CATALOGUE[found])


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_is_up_to_date() -> None:
    stored = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    assert stored == drawn.page(), "docs/rules.md is out of date: run `make docs`"


def test_the_page_shows_every_rule_and_every_check() -> None:
    text = drawn.page()
    for number, one in CATALOGUE.items():
        assert f"| {number} | {one.bound} | {one.strength} | {one.text} |" in text
    for one in rules():
        assert f"[`{one.check.__name__}`](../oadr_core/rules/" in text
        assert (one.severity is Severity.WARNING) <= (", a warning)" in text)

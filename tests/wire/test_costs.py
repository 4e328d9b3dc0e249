"""What hostile documents cost: at most some times as much as an ordinary report that is as large, in bounded memory."""

import json
import subprocess
import sys
from functools import cache
from typing import Final

import pytest

from oadr_core.wire.parse import LIMITS
from tests.conftest import ROOT
from tests.wire.hostile import DOCUMENTS_THAT_COST, SIGNED_THAT_COST, ordinary

NAMES: Final = [*DOCUMENTS_THAT_COST, *(f"signed: {name}" for name in SIGNED_THAT_COST)]

MOST_TIMES: Final = 30
"""As how many ordinary reports a document may take the processor. Those that do are at ten at most; without the bounds
that are tested here they would be at thousands."""

MOST_MEGABYTES: Final = 200


@cache
def _measured() -> dict[str, tuple[str, float, float, int]]:
    """Measure all in a process of its own, whose memory nobody else takes."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.wire.hostile"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=110
    )
    rows = [json.loads(line) for line in child.stdout.splitlines()]
    return {name: (became, took, usual, grown) for name, became, took, usual, grown in rows}


def test_the_ordinary_report_is_nearly_as_large_as_a_document_may_be() -> None:
    assert LIMITS.size / 2 < len(ordinary()) < LIMITS.size


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_document_costs_no_more_than_some_ordinary_ones(name: str) -> None:
    _, took, usual, _ = _measured()[name]
    assert took <= MOST_TIMES * usual


def test_all_hostile_documents_one_after_the_other_take_no_more_memory_than_is_said() -> None:
    assert sum(grown for _, _, _, grown in _measured().values()) <= MOST_MEGABYTES


@pytest.mark.parametrize("name", [one for one in NAMES if one.startswith("signed")])
def test_a_signed_document_whose_canonical_form_is_dear_is_refused_before_it_is_made(name: str) -> None:
    became, *_ = _measured()[name]
    assert became.startswith("refused: the document has too many namespace declarations")

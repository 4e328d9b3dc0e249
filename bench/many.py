"""One event for many VENs: made once, handed to each by its next poll, and answered."""

import json
import subprocess
import sys
from typing import Any, Final

from bench.figures import Result, WrongAnswer, at_most, figure, ratio
from bench.timing import Effort
from bench.worker import ROOT

_VENS: Final = 10_000
"""How many VENs the VTN has, whatever the effort: this is what it has to stand."""


def run(effort: Effort) -> Result:
    """Measure one event for ten thousand VENs."""
    result = Result()
    command = [sys.executable, "-m", "bench.one_for_all", str(_VENS)]
    rounds: list[dict[str, Any]] = []
    for _ in range(min(effort.load_rounds, 3)):
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise WrongAnswer(f"many: {' '.join(command)} has ended with status {done.returncode}")
        rounds.append(json.loads(done.stdout))
    _tell(result, rounds)
    return result


def _tell(result: Result, rounds: list[dict[str, Any]]) -> None:
    def all_of(name: str, factor: float = 1.0) -> list[float]:
        return [one[name] * factor for one in rounds]

    what = f"one event for {_VENS:,} VENs"
    made, for_one = all_of("made", 1e6), all_of("made for one", 1e6)
    result.figures += [
        figure("many", f"{what}, making it", "µs", made),
        ratio("many", f"{what}, making it", made, for_one, against="one for a single VEN", budget=at_most(2)),
        figure("many", f"{what}, each poll and answer", "µs", all_of("exchange", 1e6)),
        ratio(
            "many",
            f"{what}, each poll and answer",
            all_of("exchange"),
            all_of("idle"),
            against="two idle polls",
            budget=at_most(5),
        ),
        figure("many", f"{what}, until all have answered", "s", all_of("all")),
        figure("many", f"{what}, documents made", "documents", all_of("documents")),
        figure("many", f"{what}, memory before", "bytes/VEN", all_of("before")),
        figure("many", f"{what}, memory once answered", "bytes/VEN", all_of("after")),
    ]
    result.notes.append(
        f"many: in CPU time, of {_VENS:,} VENs that came by messages; all of them poll in the same second, so that one "
        "document serves them all, and one more is made in each further second"
    )

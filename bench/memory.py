"""Memory for each registered VEN that is idle, by what a process with many of them occupies more than without."""

import json
import subprocess
import sys
from typing import Any, Final

from bench.figures import Result, WrongAnswer, at_most, figure
from bench.timing import Effort
from bench.worker import ROOT

_FEW: Final = 5
"""VENs with offers take longer to come, and fewer of them tell as much."""


def run(effort: Effort) -> Result:
    """Measure memory."""
    result = Result()
    _measure("come", f"{effort.vens:,} VENs that came by messages", effort.vens, result, budget=True)
    _measure("loaded", f"{effort.vens:,} VENs loaded from what was saved", effort.vens, result)
    few = effort.vens // _FEW
    _measure("come-with-an-offer", f"{few:,} VENs that offer a report of one data point", few, result)
    return result


def _measure(how: str, what: str, count: int, result: Result, *, budget: bool = False) -> None:
    command = [sys.executable, "-m", "bench.vens", str(count), how]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise WrongAnswer(f"memory: {' '.join(command)} has ended with status {done.returncode}")
    told: dict[str, Any] = json.loads(done.stdout)
    limit = at_most(1000) if budget else None
    result.figures.append(figure("memory", what, "bytes/VEN", [told["bytes"]], budget=limit))
    parts = ", ".join(f"{kind} {size:.0f}" for kind, size in told["parts"].items())
    result.notes.append(f"memory: of {what}, each consists of {parts}; the rest is the allocator's")

"""``python -m fuzz.worker TARGET [options of libFuzzer] CORPUS``: one target under atheris, until it is told to stop.

The campaign starts one of these after the other; see :mod:`fuzz.campaign`.
"""

import atexit
import contextlib
import io
import logging
import math
import os
import random
import sys
import time
from pathlib import Path

import atheris

_OURS = ["oadr_core", "oadr_driver", "oadr_http"]


_LATE = 3.0
"""Seconds that the engine may be late to stop by itself."""


def main() -> None:
    """Fuzz a target."""
    name, *options = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=_OURS), contextlib.redirect_stderr(io.StringIO()):
        from fuzz.guard import Guard, memory
        from fuzz.target import find

        target = find(name)
    guard = Guard(target.check)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.5:
            changed = target.mutate(data, chance)
            if 0 < len(changed) <= most:
                return changed
        mutated: bytes = atheris.Mutate(data, most)
        return mutated

    def report() -> None:
        print(f"slowest: {guard.slowest:.4f}\nnumber_of_executed_units: {guard.inputs}", file=sys.stderr)
        print(f"peak_rss_mb: {memory():.0f}", file=sys.stderr, flush=True)

    told = 0.0

    def run(data: bytes) -> None:
        nonlocal told
        guard(data)
        if guard.slowest > 1.2 * told:  # said as it comes, for the engine ends without asking
            told = guard.slowest
            print(f"slowest: {told:.4f}", file=sys.stderr, flush=True)
        if time.monotonic() > until:  # libFuzzer itself does not stop before it has run all that it begins with
            report()
            os._exit(0)

    corpus = Path(options[-1])
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    atexit.register(report)
    until = time.monotonic() + _seconds(options) + _LATE
    argv = [sys.argv[0], f"-max_len={target.longest}", *options]
    atheris.Setup(argv, run, custom_mutator=mutate, enable_python_coverage=True)
    atheris.Fuzz()


def _seconds(options: list[str]) -> float:
    """How long to go on, as libFuzzer is told it; for ever if it is not."""
    told = [float(one.partition("=")[2]) for one in options if one.startswith("-max_total_time=")]
    return told[-1] if told else math.inf


if __name__ == "__main__":
    main()

"""``python -m fuzz.worker TARGET [options of libFuzzer] CORPUS``: one target under atheris, until it is told to stop.

The campaign starts one of these after the other; see :mod:`fuzz.campaign`.
"""

import atexit
import contextlib
import io
import logging
import random
import sys
from pathlib import Path

import atheris

_OURS = ["oadr_core", "oadr_http"]


def main() -> None:
    """Fuzz a target."""
    name, *options = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=_OURS), contextlib.redirect_stderr(io.StringIO()):
        from fuzz.guard import Guard
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

    corpus = Path(options[-1])
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    atexit.register(lambda: print(f"slowest: {guard.slowest:.3f}", file=sys.stderr, flush=True))
    argv = [sys.argv[0], f"-max_len={target.longest}", *options]
    atheris.Setup(argv, guard, custom_mutator=mutate, enable_python_coverage=True)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

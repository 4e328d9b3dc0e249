"""``python -m fuzz``: run the targets for a while, measure their reach, or run one input again."""

import argparse
import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from fuzz import campaign, reach
from fuzz.guard import LARGEST, LONGEST, Guard
from fuzz.target import NAMES, contract, find

_FOLDER: Final = campaign.ROOT / ".fuzz"

_AFTER: Final = f"""\
An input is a finding where it breaks the contract of its target (--list shows them), takes more than {LONGEST:g} s on
the processor, or has the process hold more than {LARGEST} MB. The exit status is 1 where there is one, or where a reach
has fallen below its floor.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for."""
    options = _parser().parse_args(arguments)
    names = tuple(dict.fromkeys(options.only or NAMES))
    if options.list:
        print("\n\n".join(f"{name}\n{len(name) * '-'}\n{contract(name)}" for name in names))
        return 0
    if options.replay:
        return _replay(*options.replay)
    if options.check or options.set_floors:
        return _check(names, set_floors=options.set_floors, as_json=options.json)
    return _campaign(names, options.seconds, as_json=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description=__doc__, epilog=_AFTER, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--seconds",
        metavar="N",
        type=float,
        default=60.0,
        help="fuzz for N seconds, shared among the targets (60)",
    )
    what.add_argument("--check", action="store_true", help="measure the reach, and hold it to its floors")
    what.add_argument("--set-floors", action="store_true", help="measure the reach, and set the floors just below it")
    what.add_argument("--replay", nargs=2, metavar=("TARGET", "FILE"), help="run one input again")
    what.add_argument("--list", action="store_true", help="show the targets and their contracts")
    parser.add_argument(
        "--only", metavar="TARGET", choices=NAMES, action="append", help="this target alone; may be repeated"
    )
    parser.add_argument("--json", action="store_true", help="write what came of it to standard output as JSON")
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- a campaign ------------------------------------------------------------------------------------------------------


def _campaign(names: Sequence[str], seconds: float, *, as_json: bool) -> int:
    if importlib.util.find_spec("atheris") is None:
        _say(
            "atheris, the engine, is not installed: pip install 'oadr[fuzz]' (it needs Linux and CPython 3.11 to 3.14)"
        )
        return 2
    results = campaign.run(names, seconds, _FOLDER, _say)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(results)).decode())
    else:
        rows = [
            (
                one.target,
                f"{one.inputs:,}",
                f"{one.inputs / one.seconds:,.0f}" if one.seconds else "-",
                f"{one.places:,}",
                f"{one.slowest * 1000:,.1f} ms",
                f"{one.memory} MB",
                f"{one.cpu:.0f} s",
                "nothing" if one.passed else "failed to run" if one.finding is None else "a finding",
            )
            for one in results
        ]
        total = sum(one.cpu for one in results)
        _table(("target", "inputs", "per s", "places", "slowest", "memory", "CPU", "found"), rows)
        print(f"\n{sum(one.inputs for one in results):,} inputs in {total / 60:.1f} minutes on the processor")
    for one in results:
        if one.finding is not None:
            _say(f"\n{one.target}: {one.finding.what}\n")
            _say(f"  the input is in    {one.finding.file}")
            _say(f"  run it again with  python -m fuzz --replay {one.target} {one.finding.file}")
            _say("  once it is put right, keep what it showed as a test in tests/fuzz/")
    return 0 if all(one.passed for one in results) else 1


def _replay(name: str, file: str) -> int:
    if name not in NAMES:
        _say(f"there is no target {name!r}; there are {', '.join(NAMES)}")
        return 2
    data = Path(file).read_bytes()
    check = Guard(find(name).check)
    check(data)
    print(f"{name} holds for these {len(data)} bytes; they took {check.slowest * 1000:.1f} ms")
    return 0


# --- the reach -------------------------------------------------------------------------------------------------------


def _check(names: Sequence[str], *, set_floors: bool, as_json: bool) -> int:
    found: list[reach.Reach] = []
    for name in names:
        _say(f"measuring the reach of {name} …")
        found += _measured(name)
    if set_floors:
        reach.write_floors(found)
        found = [msgspec.structs.replace(one, floor=reach.read_floors()[one.target][one.module]) for one in found]
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        rows = [
            (
                one.target,
                one.module,
                f"{one.reached} of {one.lines}",
                f"{one.percent:.1f} %",
                "none" if one.floor is None else f"{one.floor} %",
                "" if one.holds else "BELOW",
            )
            for one in found
        ]
        _table(("target", "module", "lines", "reached", "floor", ""), rows)
    low = [one for one in found if not one.holds]
    if low:
        _say(f"\nthe reach of {len(low)} modules has fallen: what used to be fuzzed is not any more. If that is as it")
        _say("should be, because the code has changed, set the floors anew: python -m fuzz --set-floors")
    return 1 if low else 0


def _measured(name: str) -> list[reach.Reach]:
    """Measure in a process of its own: what is remembered of another target would not be reached again."""
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.reach", name],
        cwd=campaign.ROOT,
        env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": str(campaign.ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=list[reach.Reach])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, tuple("-" * width for width in widths), *rows):
        cells = [text.ljust(width) for text, width in zip(row[:2], widths, strict=False)]
        cells += [text.rjust(width) for text, width in zip(row[2:], widths[2:], strict=True)]
        print("  ".join(cells).rstrip())


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.exit(main())

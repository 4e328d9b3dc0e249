"""How much of the code a fixed series of inputs reaches, and floors under it.

A target whose inputs are all refused at the door finds nothing, and nobody notices. So for each target a fixed series
of inputs is run, its seeds and changes of them, and the lines of its modules that this reaches are counted and held
against ``floors.json``. The series is the same on every machine; no engine takes part.
"""

import importlib
import json
import logging
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, TypeAlias

import msgspec

from fuzz.target import NAMES, Target, find

FLOORS: Final = Path(__file__).with_name("floors.json")

SLACK: Final = 8
"""By how many percentage points a floor lies below what was reached when it was set: a session that takes another turn
reaches other lines, and code may change a little."""

SLACK_IN_LINES: Final = 10
"""By how many lines at least, as a few make up a large share of a small module."""

_Trace: TypeAlias = Callable[[FrameType, str, Any], Any]


class Reach(msgspec.Struct, frozen=True):
    """What was reached of a module.

    :param target: the target.
    :param module: the module.
    :param reached: lines inside functions that were executed.
    :param lines: lines inside functions that there are.
    :param floor: percent that must be reached; None where no floor was set.
    """

    target: str
    module: str
    reached: int
    lines: int
    floor: int | None

    @property
    def percent(self) -> float:
        """The share that was reached."""
        return 100 * self.reached / self.lines if self.lines else 100.0

    @property
    def holds(self) -> bool:
        """Whether it is not below its floor."""
        return self.floor is not None and self.percent >= self.floor


def inputs(target: Target) -> Iterator[bytes]:
    """Make the fixed series of inputs of a target: its seeds, then changes of what came before."""
    chance = random.Random(0)
    pool = list(target.seeds())
    yield from pool
    for number in range(max(0, target.runs - len(pool))):
        changed = target.mutate(chance.choice(pool), chance)[: target.longest]
        if number % 4 == 0:
            pool.append(changed)
        yield changed


def lines_reached(target: Target) -> dict[str, tuple[set[int], set[int]]]:
    """Run the fixed series of a target.

    :returns: by module the lines inside functions that were reached, and all that there are.
    """
    files = {_file_of(name): name for name in target.modules}
    reached: dict[str, set[int]] = {name: set() for name in target.modules}
    left: dict[CodeType, set[int]] = {}

    def enter(frame: FrameType, event: str, argument: object) -> _Trace | None:
        code = frame.f_code
        module = files.get(code.co_filename)
        if module is None:
            return None
        missing = left.setdefault(code, _lines_of(code))
        if not missing:
            return None
        seen = reached[module]

        def note(frame: FrameType, event: str, argument: object) -> _Trace | None:
            line = frame.f_lineno
            seen.add(line)
            missing.discard(line)
            return note

        return note

    series = list(inputs(target))  # the mutators and the seeds are not part of what is measured
    sys.settrace(enter)
    try:
        for data in series:
            target.check(data)
    finally:
        sys.settrace(None)
    found = {}
    for name in target.modules:
        there = _all_lines(Path(_file_of(name)).read_text(encoding="utf-8"), _file_of(name))
        found[name] = reached[name] & there, there
    return found


def _file_of(module: str) -> str:
    path = importlib.import_module(module).__file__
    assert path is not None
    return path


def _lines_of(code: CodeType) -> set[int]:
    return {line for _, _, line in code.co_lines() if line is not None and line != code.co_firstlineno}


def _all_lines(source: str, path: str) -> set[int]:
    """The lines inside functions; those outside run when a module is imported."""
    found: set[int] = set()
    waiting = [compile(source, path, "exec")]
    while waiting:
        code = waiting.pop()
        inner = [one for one in code.co_consts if isinstance(one, CodeType)]
        waiting += inner
        if code.co_flags & 0x02:  # the locals of a function, not of a module or a class
            found |= _lines_of(code)
    return found


def measure(name: str) -> list[Reach]:
    """Measure the reach of a target."""
    floors = read_floors().get(name, {})
    return [
        Reach(name, module, len(reached), len(lines), floors.get(module))
        for module, (reached, lines) in lines_reached(find(name)).items()
    ]


def read_floors() -> Mapping[str, Mapping[str, int]]:
    """Read the floors: percent by target and module."""
    floors: Mapping[str, Mapping[str, int]] = json.loads(FLOORS.read_text(encoding="utf-8"))
    return floors


def _floor_of(one: Reach) -> int:
    slack = max(SLACK, 100 * SLACK_IN_LINES / max(1, one.lines))
    return max(1, int(one.percent - slack))


def write_floors(found: list[Reach]) -> None:
    """Set the floors of what was measured a little below it; those of other targets stay."""
    floors = {name: dict(modules) for name, modules in read_floors().items() if name in NAMES}
    for name in {one.target for one in found}:
        floors[name] = {
            one.module: _floor_of(one) for one in sorted(found, key=lambda one: one.module) if one.target == name
        }
    FLOORS.write_text(json.dumps(floors, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.stdout.buffer.write(msgspec.json.encode(measure(sys.argv[1])))

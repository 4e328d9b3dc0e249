"""The limits that hold for every input of every target: time on the processor, and memory."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

LONGEST: Final = 1.0
"""Seconds on the processor that an input may take. The clock on the wall would find fault with a busy machine."""

LARGEST: Final = 200
"""Megabytes that the process may hold in memory at most, or may come to hold where it held much to begin with."""

_MEMORY: Final = re.compile(r"VmHWM:\s+(\d+) kB")


class TooSlow(Exception):
    """An input took too long."""


class TooLarge(Exception):
    """An input took too much memory."""


class Guard:
    """Runs a check within the limits.

    :param check: what to run.
    :ivar slowest: seconds that the slowest input took.
    :ivar inputs: how many were run.
    """

    def __init__(self, check: Callable[[bytes], None]) -> None:
        self._check = check
        self._limit = max(LARGEST, memory() + LARGEST / 2)
        self.slowest = 0.0
        self.inputs = 0

    def __call__(self, data: bytes) -> None:
        """Run the check with an input.

        :raises TooSlow: it took more than a second.
        :raises TooLarge: the memory of the process has grown beyond 200 MB.
        """
        self.inputs += 1
        began = time.process_time()
        self._check(data)
        taken = time.process_time() - began
        if taken > self.slowest:
            self.slowest = taken
            if taken > LONGEST:
                raise TooSlow(f"{taken:.2f} s for {len(data)} bytes, where {LONGEST:g} s are allowed")
        if (held := memory()) > self._limit:
            raise TooLarge(f"the process holds {held:.0f} MB, where {self._limit:.0f} MB are allowed")


def memory() -> float:
    """The most that the process has held in memory, in megabytes.

    What ``getrusage`` says includes what the process held that has started this one.
    """
    found = _MEMORY.search(Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024

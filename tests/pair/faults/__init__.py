"""Plausible mistakes, each of which the pair test finds: without them nobody would know that it can."""

from collections.abc import Callable

import pytest

Fault = Callable[[pytest.MonkeyPatch], None]
"""Makes a mistake in the cores, by changing what they are made of."""


def into(faults: dict[str, Fault]) -> Callable[[Fault], Fault]:
    """Make a decorator that lists a fault under what it says."""

    def fault(seed: Fault) -> Fault:
        assert seed.__doc__ is not None
        assert seed.__doc__ not in faults
        faults[seed.__doc__] = seed
        return seed

    return fault

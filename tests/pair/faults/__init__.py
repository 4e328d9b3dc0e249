"""Plausible mistakes, each of which the pair test finds: without them nobody would know that it can."""

from collections.abc import Callable

import msgspec
import pytest

from tests.pair.machine import Orderly, Site

Seed = Callable[[pytest.MonkeyPatch], None]
"""Makes a mistake in the cores, by changing what they are made of."""


class Fault(msgspec.Struct, frozen=True):
    """A mistake.

    :param seed: makes it.
    :param site: where it shows soonest.
    """

    seed: Seed
    site: type[Site]


class Faults(dict[str, Fault]):
    """Mistakes, by what they do wrong."""

    def __call__(self, site: type[Site] = Orderly) -> Callable[[Seed], Seed]:
        """Make a decorator that lists a mistake under what it says."""

        def listed(seed: Seed) -> Seed:
            assert seed.__doc__ is not None
            assert seed.__doc__ not in self
            self[seed.__doc__] = Fault(seed, site)
            return seed

        return listed

"""Lines of a log that anybody can cause: each is written now and then, so that nobody can fill the disk with them."""

import time
from collections.abc import Callable, Hashable
from typing import Final

_AGAIN: Final = 60.0
"""Seconds after which the same is worth a line again."""

_MOST: Final = 1000
"""How many different ones are remembered, and written within that time."""


class Damper:
    """Says whether something is worth a line of the log.

    :param clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[Hashable, float] = {}

    def lets(self, what: Hashable) -> bool:
        """Tell whether it is: not if the same was not long ago, nor if there are very many."""
        now = self._clock()
        if self._told.get(what, now) > now:
            return False
        if len(self._told) >= _MOST:
            self._told = {key: until for key, until in self._told.items() if until > now}
            if len(self._told) >= _MOST:
                return False
        self._told[what] = now + _AGAIN
        return True

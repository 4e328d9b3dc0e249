"""Simulated loads, so that a VEN has something to report and to shed."""

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from oadr_app.config import Load


class SimulatedLoad:
    """A load that wanders about its mean, and sheds a share of it while an event asks for that.

    :param load: what it is.
    :param now: reads the wall clock.
    """

    def __init__(self, load: Load, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.load: Final = load
        self._now = now
        self._noise = random.Random()  # noqa: S311 - noise for a simulation
        self._levels: dict[str, float] = {}

    def follow(self, event_id: str, level: float) -> None:
        """Do what an event asks for from now on.

        :param event_id: the event.
        :param level: what it asks for: 0 normal to 3 special (rule 9).
        """
        self._levels[event_id] = level
        if level == 0:
            del self._levels[event_id]

    @property
    def level(self) -> float:
        """What the events ask of it now; of several the one that asks for most counts."""
        return max(self._levels.values(), default=0.0)

    def read(self) -> float:
        """Read its meter, in kilowatt."""
        swing = 1 + 0.05 * math.sin(self._now().timestamp() / 10) + self._noise.gauss(0, 0.01)
        shed = min(self.load.responds * self.level, 1.0)
        return round(self.load.kilowatt * swing * (1 - shed), 3)

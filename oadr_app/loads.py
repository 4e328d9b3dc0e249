"""Simulated loads, so that a VEN has something to report and to shed."""

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from oadr_app.config import Load, Profile

_HOURS: Final = {
    Profile.FLAT: (1.0,) * 24,
    Profile.HOME: (
        *(0.55, 0.50, 0.47, 0.46, 0.48, 0.60, 0.95, 1.25, 1.10, 0.90, 0.85, 0.95),
        *(1.10, 1.00, 0.90, 0.90, 1.05, 1.45, 1.85, 1.90, 1.65, 1.35, 1.00, 0.75),
    ),
    Profile.OFFICE: (
        *(0.40, 0.40, 0.40, 0.40, 0.42, 0.55, 0.90, 1.35, 1.65, 1.75, 1.80, 1.80),
        *(1.65, 1.75, 1.80, 1.75, 1.60, 1.30, 0.90, 0.70, 0.55, 0.50, 0.45, 0.43),
    ),
}
"""What a load takes by the hour of a working day, in any measure."""

_WEEKEND: Final = {Profile.FLAT: 1.0, Profile.HOME: 1.1, Profile.OFFICE: 0.45}
"""What it takes on Saturdays and Sundays, as a share of what it takes on other days."""

_WANDERINGS: Final = ((5.0, 0.35), (60.0, 0.45), (900.0, 0.6))
"""How a load wanders: seconds from one turning point to the next, and the share of its noise that is due to that."""


class SimulatedLoad:
    """A load that follows the time of the day, wanders a little, and sheds a share while an event asks for that.

    What it takes is a function of its seed and the time, as long as no event asks for anything: two loads with one seed
    are alike, and one that is started again goes on as it would have.

    :param load: what it is.
    :param now: reads the wall clock.
    """

    def __init__(self, load: Load, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.load: Final = load
        self._now = now
        seed = random.SystemRandom().getrandbits(32) if load.seed is None else load.seed
        self._seed: Final = f"{seed}/{load.resource}"
        self._levels: dict[str, float] = {}
        self._shed = 0.0  # the share that was shed when the level changed last
        self._since = now()

    def follow(self, event_id: str, level: float) -> None:
        """Do what an event asks for from now on.

        :param event_id: the event.
        :param level: what it asks for: 0 normal to 3 special (rule 9).
        """
        now = self._now()
        self._shed, self._since = self.shed(now), now
        self._levels[event_id] = level
        if level == 0:
            del self._levels[event_id]

    @property
    def level(self) -> float:
        """What the events ask of it now; of several the one that asks for most counts."""
        return max(self._levels.values(), default=0.0)

    def shed(self, time: datetime) -> float:
        """The share that it sheds: it takes its time to get where it is asked to be."""
        wanted = min(self.load.responds * self.level, 1.0)
        passed = max((time - self._since).total_seconds(), 0.0)
        return wanted + (self._shed - wanted) * math.exp(-passed / self.load.settles.total_seconds())

    def read(self, due: datetime) -> float:
        """Read its meter, in kilowatt.

        :param due: the time.
        """
        usual = self.load.kilowatt * hourly(self.load.profile, due) * (1 + self.load.noise * self._noise(due))
        return round(usual * (1 - self.shed(due)), 3)

    def _noise(self, time: datetime) -> float:
        """How far it is from where it usually is: a smooth function of the time, mostly between -1 and 1."""
        seconds = time.timestamp()
        total = 0.0
        for spacing, share in _WANDERINGS:
            place, rest = divmod(seconds, spacing)
            ease = (1 - math.cos(math.pi * rest / spacing)) / 2
            here, there = (self._turning_point(spacing, int(place) + one) for one in (0, 1))
            total += share * (here + (there - here) * ease)
        return total

    def _turning_point(self, spacing: float, number: int) -> float:
        return random.Random(f"{self._seed}/{spacing}/{number}").gauss(0, 1)  # noqa: S311 - noise for a simulation


def hourly(profile: Profile, time: datetime) -> float:
    """What a load takes at a time of the day and the week, as a share of its mean on a working day.

    :param profile: how it goes through the day.
    :param time: the time; the clock on the wall counts.
    """
    local = time.astimezone()
    hours = _HOURS[profile]
    mean = sum(hours) / len(hours)
    part = (local.minute * 60 + local.second) / 3600
    here, there = hours[local.hour], hours[(local.hour + 1) % 24]
    share = (here + (there - here) * part) / mean
    return share * (_WEEKEND[profile] if local.weekday() >= 5 else 1.0)

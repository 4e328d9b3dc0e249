"""Simulated loads, so that a VEN has something to report and to shed."""

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from oadr_app.config import Load
from oadr_core import EiEvent, EventStatus, SignalName, event_status, value_at

_PAST: Final = (EventStatus.COMPLETED, EventStatus.CANCELLED)


class SimulatedLoad:
    """A load that wanders about its mean, and sheds a share of it while an event asks for that.

    :param load: what it is.
    :param now: reads the wall clock.
    """

    def __init__(self, load: Load, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.load: Final = load
        self._now = now
        self._noise = random.Random()  # noqa: S311 - noise for a simulation
        self._events: dict[str, EiEvent] = {}

    def accept(self, event: EiEvent) -> None:
        """Take part in an event."""
        self._events[event.event_descriptor.event_id] = event

    def decline(self, event: EiEvent) -> None:
        """Take no part in an event, or no longer."""
        self._events.pop(event.event_descriptor.event_id, None)

    @property
    def level(self) -> float:
        """What the events that it takes part in ask of it now: 0 normal to 3 special (rule 9)."""
        now = self._now()
        self._events = {key: one for key, one in self._events.items() if event_status(one, now) not in _PAST}
        levels = [0.0]
        for event in self._events.values():
            if event_status(event, now) is EventStatus.ACTIVE:
                simple = [one for one in event.event_signals if one.signal_name == SignalName.SIMPLE]
                levels += [value_at(signal, event.active_period, now) or 0.0 for signal in simple]
        return max(levels)

    def read(self) -> float:
        """Read its meter, in kilowatt."""
        swing = 1 + 0.05 * math.sin(self._now().timestamp() / 10) + self._noise.gauss(0, 0.01)
        shed = min(self.load.responds * self.level, 1.0)
        return round(self.load.kilowatt * swing * (1 - shed), 3)

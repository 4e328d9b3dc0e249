"""Time, as a core knows it: it is told, and it says when it wants to be woken.

There are two clocks. Waiting is measured on a monotonic one, which neither jumps nor agrees with anybody else's. What
was agreed with a peer (when an event begins, when a report is due) is kept in UTC, which survives a restart. Every
input brings both, read at the same moment.
"""

import heapq
from collections.abc import Hashable, Iterator
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

import msgspec


class Now(msgspec.Struct, frozen=True, gc=False):
    """The present.

    :param mono: seconds on a clock that never goes back.
    :param utc: the wall clock, with a time zone.
    """

    mono: float
    utc: datetime


class Deadline(msgspec.Struct, frozen=True, gc=False):
    """When a core wants to be woken.

    :param at: seconds on the monotonic clock.
    :param why: what is due then, for people who wonder.
    """

    at: float
    why: str


LONGEST_SLEEP: Final = 60.0
"""Seconds after which a core that waits for a wall clock time looks at it again, so that a clock that was set, or a
machine that was suspended, is noticed."""

_KeyT = TypeVar("_KeyT", bound=Hashable)


class Timers(Generic[_KeyT]):
    """Named deadlines on both clocks. Setting one again moves it; setting and stopping cost the same for any number.

    Deadlines that were moved or stopped stay in the heap until they come up, and are then passed over.
    """

    def __init__(self) -> None:
        self._mono: dict[_KeyT, float] = {}
        self._utc: dict[_KeyT, datetime] = {}
        self._mono_heap: list[tuple[float, int, _KeyT]] = []
        self._utc_heap: list[tuple[datetime, int, _KeyT]] = []
        self._count = 0

    def after(self, key: _KeyT, at: float) -> None:
        """Set a deadline on the monotonic clock."""
        self.stop(key)
        self._count += 1
        self._mono[key] = at
        heapq.heappush(self._mono_heap, (at, self._count, key))

    def at(self, key: _KeyT, at: datetime) -> None:
        """Set a deadline on the wall clock."""
        self.stop(key)
        self._count += 1
        self._utc[key] = at
        heapq.heappush(self._utc_heap, (at, self._count, key))

    def stop(self, key: _KeyT) -> None:
        """Forget a deadline, if it is set."""
        self._mono.pop(key, None)
        self._utc.pop(key, None)

    def is_set(self, key: _KeyT) -> bool:
        """Tell whether a deadline is set."""
        return key in self._mono or key in self._utc

    def next(self, now: Now) -> Deadline | None:
        """Find the earliest deadline, on the monotonic clock."""
        self._discard()
        found = None
        if self._mono_heap:
            at, _, key = self._mono_heap[0]
            found = Deadline(at, str(key))
        if self._utc_heap:
            when, _, key = self._utc_heap[0]
            wait = min(max((when - now.utc).total_seconds(), 0.0), LONGEST_SLEEP)
            if found is None or now.mono + wait < found.at:
                found = Deadline(now.mono + wait, str(key))
        return found

    def expired(self, now: Now) -> Iterator[_KeyT]:
        """Take the deadlines that have passed, each clock's in order; what is set meanwhile waits for the next time."""
        due: list[_KeyT] = []
        self._discard()
        while self._mono_heap and self._mono_heap[0][0] <= now.mono:
            due.append(heapq.heappop(self._mono_heap)[2])
            del self._mono[due[-1]]
            self._discard()
        while self._utc_heap and self._utc_heap[0][0] <= now.utc:
            due.append(heapq.heappop(self._utc_heap)[2])
            del self._utc[due[-1]]
            self._discard()
        return iter(due)

    def _discard(self) -> None:
        while self._mono_heap and self._mono.get(self._mono_heap[0][2]) != self._mono_heap[0][0]:
            heapq.heappop(self._mono_heap)
        while self._utc_heap and self._utc.get(self._utc_heap[0][2]) != self._utc_heap[0][0]:
            heapq.heappop(self._utc_heap)


def whole_seconds(instant: datetime) -> datetime:
    """Drop the fraction of a second, which OpenADR does not send (rule 1)."""
    return instant.replace(microsecond=0)


def seconds(duration: timedelta) -> float:
    """Measure a duration in seconds."""
    return duration.total_seconds()

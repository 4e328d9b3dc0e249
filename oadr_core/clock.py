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


_TimeT = TypeVar("_TimeT", float, datetime)


class _Heap(Generic[_TimeT, _KeyT]):
    """Deadlines on one clock.

    What was moved or stopped stays in the heap until it comes up, or until there is more of it than of the others.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[_TimeT, int, _KeyT]] = []
        self._set: dict[_KeyT, int] = {}  # the number of the entry that counts
        self._count = 0

    def __contains__(self, key: _KeyT) -> bool:
        return key in self._set

    def set(self, key: _KeyT, at: _TimeT) -> None:
        self._count += 1
        self._set[key] = self._count
        heapq.heappush(self._heap, (at, self._count, key))
        if len(self._heap) > 64 + 2 * len(self._set):
            self._heap = [one for one in self._heap if self._set.get(one[2]) == one[1]]
            heapq.heapify(self._heap)

    def stop(self, key: _KeyT) -> None:
        self._set.pop(key, None)

    def first(self) -> tuple[_TimeT, int, _KeyT] | None:
        """Find the earliest deadline; of equal ones that which was set first."""
        heap = self._heap
        while heap and self._set.get(heap[0][2]) != heap[0][1]:
            heapq.heappop(heap)
        return heap[0] if heap else None

    def take(self, now: _TimeT) -> Iterator[_KeyT]:
        """Take the deadlines that have passed."""
        while (first := self.first()) is not None and first[0] <= now:
            heapq.heappop(self._heap)
            del self._set[first[2]]
            yield first[2]


class Timers(Generic[_KeyT]):
    """Named deadlines on both clocks. Setting one again moves it; setting and stopping cost the same for any number."""

    def __init__(self) -> None:
        self._mono: _Heap[float, _KeyT] = _Heap()
        self._utc: _Heap[datetime, _KeyT] = _Heap()

    def after(self, key: _KeyT, at: float) -> None:
        """Set a deadline on the monotonic clock."""
        self._utc.stop(key)
        self._mono.set(key, at)

    def at(self, key: _KeyT, at: datetime) -> None:
        """Set a deadline on the wall clock."""
        self._mono.stop(key)
        self._utc.set(key, at)

    def stop(self, key: _KeyT) -> None:
        """Forget a deadline, if it is set."""
        self._mono.stop(key)
        self._utc.stop(key)

    def is_set(self, key: _KeyT) -> bool:
        """Tell whether a deadline is set."""
        return key in self._mono or key in self._utc

    def next(self, now: Now) -> Deadline | None:
        """Find the earliest deadline, on the monotonic clock."""
        found = None
        first = self._mono.first()
        if first is not None:
            found = Deadline(first[0], str(first[2]))
        first_utc = self._utc.first()
        if first_utc is not None:
            wait = min(max((first_utc[0] - now.utc).total_seconds(), 0.0), LONGEST_SLEEP)
            if found is None or now.mono + wait < found.at:
                found = Deadline(now.mono + wait, str(first_utc[2]))
        return found

    def expired(self, now: Now) -> Iterator[_KeyT]:
        """Take the deadlines that have passed, each clock's in order; what is set meanwhile waits for the next time."""
        return iter([*self._mono.take(now.mono), *self._utc.take(now.utc)])


def whole_seconds(instant: datetime) -> datetime:
    """Drop the fraction of a second, which OpenADR does not send (rule 1)."""
    return instant.replace(microsecond=0)


def seconds(duration: timedelta) -> float:
    """Measure a duration in seconds."""
    return duration.total_seconds()

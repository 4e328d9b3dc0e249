"""How often something may happen, for each of many peers: token buckets in bounded memory."""

import math
from collections.abc import Hashable
from typing import Final

_MOST: Final = 10_000
"""How many peers are told apart; those beyond share one bucket."""

_REST: Final = object()
"""The key of that bucket."""


class TokenBuckets:
    """A bucket for each peer, which fills steadily and from which each occurrence takes one token.

    :param rate: tokens a second; ``math.inf`` for no bound.
    :param burst: how many a bucket holds, so as many may come at once; one at least.
    :param most: how many peers are told apart. A bucket that is full again is forgotten; where all are in use, further
        peers share one, so that somebody with many addresses fills nothing, and gains nothing.
    """

    def __init__(self, rate: float, burst: float, *, most: int = _MOST) -> None:
        self._rate: Final = rate
        self._burst: Final = max(1.0, burst)
        self._most: Final = most
        self._empty_until: dict[Hashable, float] = {}  # when a bucket will be full again; the others are full

    def take(self, key: Hashable, now: float) -> float:
        """Take a token for a peer.

        :param key: the peer.
        :param now: seconds of a clock that never goes back.
        :returns: 0 where there was one; else the seconds until there is, and none is taken.
        """
        if self._rate == math.inf:
            return 0.0
        if key not in self._empty_until and len(self._empty_until) >= self._most:
            self._forget(now)
            if len(self._empty_until) >= self._most:
                key = _REST
        full_at = max(self._empty_until.get(key, now), now) + 1 / self._rate
        wait = full_at - now - self._burst / self._rate
        if wait > 1e-9:
            return wait
        self._empty_until[key] = full_at
        return 0.0

    def _forget(self, now: float) -> None:
        """Forget the buckets that are full again."""
        self._empty_until = {key: at for key, at in self._empty_until.items() if at > now}

    def __len__(self) -> int:
        """How many peers are remembered at present."""
        return len(self._empty_until)

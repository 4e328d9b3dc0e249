"""How often each peer may ask: a VEN by its certificate, and whoever shows none by his address."""

import time
from collections.abc import Callable
from typing import Final

from oadr_core import Peer, TokenBuckets

_SECONDS_AHEAD: Final = 10
"""How many seconds' worth of requests may come at once, after a while without any."""


def buckets(rate: float) -> TokenBuckets:
    """Make what counts the requests of peers, each of which may come with some at once.

    :param rate: requests a second of each; ``math.inf`` for no bound.
    """
    return TokenBuckets(rate, _SECONDS_AHEAD * rate)


class Throttle:
    """Counts requests.

    :param per_ven: requests a second of a peer with a certificate; ``math.inf`` for no bound.
    :param per_address: requests a second of all without one that come from an address.
    :param clock: seconds that never go back.
    """

    def __init__(self, per_ven: float, per_address: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._of_vens = buckets(per_ven)
        self._of_addresses = buckets(per_address)
        self._clock = clock

    def wait(self, peer: Peer) -> float:
        """Count a request.

        :returns: the seconds after which it may come again; 0 where it may be taken now.
        """
        if peer.identity is not None:
            return self._of_vens.take(peer.identity, self._clock())
        return self._of_addresses.take(peer.host, self._clock())

"""How often each peer may ask: a VEN by its certificate, and whoever shows none by his address."""

import time
from collections.abc import Callable
from typing import Final

from oadr_core import Peer, TokenBuckets

_SECONDS_AHEAD: Final = 10
"""How many seconds' worth of requests may come at once, after a while without any."""


class Throttle:
    """Counts requests.

    :param per_ven: requests a second of a peer with a certificate; ``math.inf`` for no bound.
    :param per_address: requests a second of all without one that come from an address.
    :param clock: seconds that never go back.
    """

    def __init__(self, per_ven: float, per_address: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._of_vens = TokenBuckets(per_ven, _SECONDS_AHEAD * per_ven)
        self._of_addresses = TokenBuckets(per_address, _SECONDS_AHEAD * per_address)
        self._clock = clock

    def wait(self, peer: Peer) -> float:
        """Count a request.

        :returns: the seconds after which it may come again; 0 where it may be taken now.
        """
        if peer.identity is not None:
            return self._of_vens.take(peer.identity, self._clock())
        return self._of_addresses.take(peer.host, self._clock())

"""Whose turn it is to be pushed to: one exchange at a time with each VEN, and not too many with all together."""

from collections.abc import Iterator
from typing import Final

import msgspec

from oadr_core.clock import Now
from oadr_core.entropy import Entropy
from oadr_core.machines.exchange import REMEDY, Failure, Remedy
from oadr_core.messages import Payload
from oadr_core.outputs import Address, ExchangeId
from oadr_core.sender import SenderConfig

_PATIENCE_IN_A_CROWD: Final = 5.0
"""Seconds that a VEN may take at least, however many wait behind it (section 9.1.6)."""


class Push(msgspec.Struct):
    """What goes on with a VEN that is reached by push.

    :param exchange: what is in flight.
    :param message: what it carries, or the last one carried.
    :param to: where that went.
    :param setbacks: failures since the VEN last answered.
    :param unreached: of these the last ones in which there was no sign of the VEN at all.
    :param paused: whether a failure is being waited out.
    :param lagging: whether what is in flight counts among that of VENs that have failed.
    """

    exchange: ExchangeId | None = None
    message: Payload | None = None
    to: Address | None = None
    setbacks: int = 0
    unreached: int = 0
    paused: bool = False
    lagging: bool = False


class Turns:
    """Gives VENs their turns.

    Who waits has a turn after all that have waited longer. Those whose last exchange failed wait in a line of their own
    and get every other turn, and half of the places at most, as each may hold its place until the timeout; any other
    holds it only for a while where somebody waits for it. So the others do not wait long, however many VENs are gone or
    slow, and a VEN that comes back, or takes its time, is served.

    :param config: how patient we are with each VEN.
    :param most: how many exchanges may be in flight at a time.
    :param entropy: for the jitter.
    """

    def __init__(self, config: SenderConfig, most: int, entropy: Entropy) -> None:
        self.config = config
        self._most = most
        self._entropy = entropy
        self._pushes: dict[str, Push] = {}
        self._exchanges: dict[ExchangeId, str] = {}
        self._prompt: dict[str, None] = {}  # who waits, in order
        self._failing: dict[str, None] = {}  # the same, of those whose last exchange failed
        self._lagging = 0  # exchanges in flight of these
        self._begun: dict[ExchangeId, float] = {}  # when the others in flight began, the oldest first
        self._failing_is_next = False

    def of(self, ven_id: str) -> Push:
        """What goes on with a VEN."""
        return self._pushes.setdefault(ven_id, Push())

    def whose(self, exchange: ExchangeId) -> str | None:
        """The VEN that an exchange is with; None where nobody waits for its answer any more."""
        return self._exchanges.get(exchange)

    # --- waiting -----------------------------------------------------------------------------------------------------

    def wait(self, ven_id: str) -> None:
        """Have a VEN wait for its turn, unless it does, or has one, or is to be left alone for a while."""
        push = self.of(ven_id)
        if push.exchange is not None or push.paused or ven_id in self._prompt or ven_id in self._failing:
            return
        (self._failing if push.setbacks else self._prompt)[ven_id] = None

    def taken(self) -> Iterator[str]:
        """Take those whose turn it is, as long as there is a place for them; who needs none leaves it to the next."""
        while (line := self._next_line()) is not None:
            ven_id = next(iter(line))
            del line[ven_id]
            yield ven_id

    def _next_line(self) -> dict[str, None] | None:
        """The line whose first has the next turn; None where nobody waits, or there is no place."""
        if len(self._exchanges) >= self._most:
            return None
        may_fail = bool(self._failing) and self._lagging < max(1, self._most // 2)
        if may_fail and (self._failing_is_next or not self._prompt):
            self._failing_is_next = False
            return self._failing
        self._failing_is_next = True
        return self._prompt or None

    # --- in flight ---------------------------------------------------------------------------------------------------

    def next_given_up(self) -> tuple[float, ExchangeId] | None:
        """When the next exchange is given up in favour of those who wait, and which; None where nobody has to."""
        if not self._begun or len(self._exchanges) < self._most or not (self._prompt or self._failing):
            return None
        exchange, began = next(iter(self._begun.items()))
        return began + _PATIENCE_IN_A_CROWD, exchange

    def fly(self, ven_id: str, exchange: ExchangeId, message: Payload, to: Address, now: Now) -> None:
        """Take note that something is on its way to a VEN."""
        push = self.of(ven_id)
        push.exchange, push.message, push.to, push.lagging = exchange, message, to, push.setbacks > 0
        self._exchanges[exchange] = ven_id
        if push.lagging:
            self._lagging += 1
        else:
            self._begun[exchange] = now.mono

    def land(self, ven_id: str) -> Push:
        """Take note that what is in flight is over: nobody waits for its answer any more."""
        push = self.of(ven_id)
        if push.exchange is not None:
            del self._exchanges[push.exchange]
            self._begun.pop(push.exchange, None)
            self._lagging -= push.lagging
        push.exchange, push.lagging = None, False
        return push

    def answered(self, ven_id: str) -> Push:
        """Take note that a VEN has answered."""
        push = self.land(ven_id)
        push.setbacks = push.unreached = 0
        return push

    def failed(self, ven_id: str, why: Failure) -> tuple[Push, float]:
        """Take note that an exchange failed; the VEN is left alone for a while.

        :returns: what failed, and the seconds until it is tried again.
        """
        push = self.land(ven_id)
        push.setbacks += 1
        push.unreached = push.unreached + 1 if REMEDY[why] is Remedy.RETRY_ALL else 0
        push.paused = True
        return push, self.config.pause(push.setbacks, self._entropy)

    def resume(self, ven_id: str) -> None:
        """Leave a VEN alone no longer, as it is time to try, or it has shown itself."""
        if ven_id in self._pushes:
            self._pushes[ven_id].paused = False

    def reset(self, ven_id: str) -> None:
        """Forget how a VEN fared before, as it has just begun anew."""
        push = self.of(ven_id)
        push.setbacks = push.unreached = 0
        push.paused = False
        if self._failing.pop(ven_id, ven_id) is None:
            self._prompt[ven_id] = None

    def forget(self, ven_id: str) -> Push | None:
        """Forget a VEN, and what is in flight to it."""
        self._prompt.pop(ven_id, None)
        self._failing.pop(ven_id, None)
        if ven_id not in self._pushes:
            return None
        flying = msgspec.structs.replace(self._pushes[ven_id])
        self.land(ven_id)
        del self._pushes[ven_id]
        return flying

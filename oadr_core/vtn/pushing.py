"""Whose turn it is to be pushed to: one exchange at a time with each VEN, and not too many with all together."""

import math
from collections.abc import Container, Iterable, Iterator, Set
from typing import Final, TypeAlias

import msgspec

from oadr_core.clock import Now
from oadr_core.entropy import Entropy
from oadr_core.machines.exchange import REMEDY, Failure, Remedy
from oadr_core.messages import EiEvent, Payload
from oadr_core.outputs import Address, ExchangeId
from oadr_core.sender import SenderConfig

_PATIENCE_IN_A_CROWD: Final = 5.0
"""Seconds that a VEN may take at least, however many wait behind it (section 9.1.6)."""


Carried: TypeAlias = str | frozenset[tuple[str, int]]
"""What a push carries: an operation by its id, or a list of events by what is in it, whenever that was made."""


def contents(events: Iterable[EiEvent]) -> frozenset[tuple[str, int]]:
    """What is in a list of events: their ids and modifications, which do not change by themselves."""
    descriptors = [one.event_descriptor for one in events]
    return frozenset((one.event_id, one.modification_number) for one in descriptors)


class Trouble(msgspec.Struct):
    """How something fares that a VEN does not take.

    :param failures: how often it has failed, which says how long the next pause is.
    :param proved: after how many of these failures the VEN took something else, so that it was there.
    :param doubtful: whether the VEN has taken nothing since it last failed.
    :param until: when it is tried again, before which, and before others, it is not; never where it cannot be carried;
        0 where it has its place in the order once more.
    :param why: why it last failed.
    """

    failures: int = 0
    proved: int = 0
    doubtful: bool = True
    until: float = 0.0
    why: Failure = Failure.SILENCE


class Push(msgspec.Struct):
    """What goes on with a VEN that is reached by push.

    :param exchange: what is in flight.
    :param message: what it carries, or the last one carried.
    :param carries: names that.
    :param to: where that went.
    :param setbacks: failures since the VEN last answered.
    :param unreached: of these the last ones in which there was no sign of the VEN at all.
    :param paused: whether a failure is being waited out.
    :param cut_off: whether that was for want of a connection of our own.
    :param lagging: whether what is in flight counts among that of VENs that have failed.
    :param troubles: what is set aside, as it failed.
    """

    exchange: ExchangeId | None = None
    message: Payload | None = None
    carries: Carried = ""
    to: Address | None = None
    setbacks: int = 0
    unreached: int = 0
    paused: bool = False
    cut_off: bool = False
    lagging: bool = False
    troubles: dict[Carried, Trouble] = {}


class Turns:
    """Gives VENs their turns.

    Who waits has a turn after all that have waited longer. Those whose last exchange failed wait in a line of their own
    and get every other turn, and half of the places at most, as each may hold its place until the timeout; any other
    holds it only for a while where somebody waits for it. So the others do not wait long, however many VENs are gone or
    slow, and a VEN that comes back, or takes its time, is served.

    What fails is set aside for a while, so that it holds up nothing else that there is for the VEN. Where other things
    get through to the VEN time and again, and this does not, it is given up: it is the operation, not the way. As long
    as nothing gets through, nothing is given up. Lists of events never are, as they say how things are (rule 50).

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

    def fly(self, ven_id: str, exchange: ExchangeId, message: Payload, carries: Carried, to: Address, now: Now) -> None:
        """Take note that something is on its way to a VEN."""
        push = self.of(ven_id)
        push.exchange, push.message, push.carries, push.to = exchange, message, carries, to
        push.lagging = push.setbacks > 0 or carries in push.troubles
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

    def answered(self, ven_id: str) -> tuple[Push, dict[str, Failure]]:
        """Take note that a VEN has answered.

        :returns: what it has answered; and what is given up, as that fails however often the VEN takes something else,
            with why it last failed.
        """
        push = self.land(ven_id)
        push.setbacks = push.unreached = 0
        push.troubles.pop(push.carries, None)
        if not isinstance(push.carries, str):
            push.troubles = {key: one for key, one in push.troubles.items() if isinstance(key, str)}
        given_up: dict[str, Failure] = {}
        for carried, trouble in list(push.troubles.items()):
            if trouble.doubtful and not trouble.proved and REMEDY[trouble.why] is not Remedy.GIVE_UP:
                trouble.failures, trouble.until = 0, 0.0  # the VEN was perhaps away, and has what waited in order
            trouble.proved += trouble.doubtful
            trouble.doubtful = False
            if trouble.proved >= self.config.tries and isinstance(carried, str):
                given_up[carried] = trouble.why
                del push.troubles[carried]
        return push, given_up

    def failed(self, ven_id: str, why: Failure, now: Now) -> tuple[Push, float, float]:
        """Take note that an exchange failed; the VEN is left alone for a while, and what failed is set aside.

        :returns: what failed, the seconds until the VEN is tried again, and those until this is; infinite where it is
            not.
        """
        push = self.land(ven_id)
        push.setbacks += 1
        push.paused, push.cut_off = True, why is Failure.CUT_OFF
        if push.cut_off:  # it says nothing of the VEN, nor of what was sent
            wait = self.config.pause(push.setbacks, self._entropy)
            return push, wait, wait
        push.unreached = push.unreached + 1 if REMEDY[why] is Remedy.RETRY_ALL else 0
        is_there = REMEDY[why] is Remedy.RETRY_THIS  # and may well take something else
        wait = self.config.pause(1 if is_there else push.setbacks, self._entropy)
        return push, wait, max(wait, self._set_aside(push, why, wait, now))

    def _set_aside(self, push: Push, why: Failure, pause: float, now: Now) -> float:
        """Try what failed only later again, other things before it; gives the seconds until then."""
        is_list, is_final = not isinstance(push.carries, str), REMEDY[why] is Remedy.GIVE_UP
        if is_final and not is_list:
            push.troubles.pop(push.carries, None)
            return math.inf
        trouble = push.troubles.pop(push.carries, None) or Trouble()
        if is_list:  # what was wrong with an earlier list does not matter any more
            push.troubles = {key: one for key, one in push.troubles.items() if isinstance(key, str)}
        trouble.failures += 1
        trouble.doubtful, trouble.why = True, why
        wait = self.config.pause(trouble.failures, self._entropy)
        if trouble.failures == push.setbacks and REMEDY[why] is Remedy.RETRY_ALL:
            wait = pause  # nothing else was tried meanwhile
        elif is_final:
            wait = math.inf if why is Failure.TOO_LARGE else self.config.longest_wait
        trouble.until = now.mono + wait
        push.troubles[push.carries] = trouble
        return wait

    def asides(self, ven_id: str, queued: Container[str], now: Now) -> Iterator[Set[Carried]]:
        """What a VEN is not handed at present, as it failed: first all of that, then less and less.

        So what did not fail goes before what did, and of that what failed longest ago.

        :param ven_id: the VEN.
        :param queued: the ids of what is queued for it; of other operations nothing need be known any more.
        :param now: the present.
        """
        troubles = self.of(ven_id).troubles
        for carried in [one for one in troubles if isinstance(one, str) and one not in queued]:
            del troubles[carried]
        aside = {carried: one.until for carried, one in troubles.items() if one.until}
        yield aside.keys()
        for due in sorted((one for one in aside if aside[one] <= now.mono), key=aside.__getitem__):
            del aside[due]
            yield aside.keys()

    def next_try(self, ven_id: str, now: Now) -> float:
        """When something that failed may be tried again; infinite where there is no such thing."""
        return min((one.until for one in self.of(ven_id).troubles.values() if one.until > now.mono), default=math.inf)

    def resume(self, ven_id: str) -> None:
        """Leave a VEN alone no longer, as it is time to try, or it has shown itself."""
        if ven_id in self._pushes:
            self._pushes[ven_id].paused = False

    def reconnect(self, ven_id: str) -> bool:
        """Leave a VEN alone no longer, where it was not reached for want of a connection of our own.

        :returns: whether that was so.
        """
        push = self._pushes.get(ven_id)
        if push is None or not (push.paused and push.cut_off):
            return False
        push.paused = False
        return True

    def reset(self, ven_id: str) -> None:
        """Forget how a VEN fared before, as it has just begun anew."""
        push = self.of(ven_id)
        push.setbacks = push.unreached = 0
        push.troubles.clear()
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

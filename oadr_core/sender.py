"""Requests on their way to one peer: in order, one at a time, again after a failure (section 9.1 of the profile)."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from oadr_core.clock import Deadline, Now
from oadr_core.entropy import Entropy, jittered
from oadr_core.machines.exchange import EXCHANGE, REMEDY, ExchangeInput, ExchangeState, Failure, Remedy
from oadr_core.machines.operations import SERVICE
from oadr_core.messages import Payload
from oadr_core.outputs import Address, ExchangeId, TicketId, Transmit
from oadr_core.seal import Sealer

_PayloadT = TypeVar("_PayloadT", bound=Payload)


class SenderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How patient a sender is.

    :param timeout: seconds to wait for an answer; the profile asks for 5 at least.
    :param first_wait: seconds before the first retry; doubled at each further one, varied by 10 % both ways.
    :param longest_wait: seconds between retries at most.
    :param tries: how often a request is sent that makes the peer fail while other requests get through. A peer that
        cannot be reached is tried for ever.
    """

    timeout: float = 30.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    tries: int = 8

    def pause(self, failures: int, entropy: Entropy) -> float:
        """Work out how long to wait after some failures in a row, in seconds (section 9.1.7 of the profile)."""
        doubled = self.first_wait * 2.0 ** min(failures - 1, 30)
        return jittered(entropy, min(doubled, self.longest_wait))


class Request(msgspec.Struct):
    """A request that waits or is under way."""

    ticket: TicketId
    message: Payload
    lane: str
    patient: bool = False
    state: ExchangeState = ExchangeState.QUEUED
    failures: int = 0
    not_before: float = 0.0

    def move(self, given: ExchangeInput) -> None:
        """Follow the table of :data:`~oadr_core.machines.exchange.EXCHANGE`."""
        self.state = EXCHANGE.step(self.state, given)


class Sender:
    """Sends requests to one peer.

    Requests of one lane never overtake each other. A failure that concerns the peer pauses everything; one that
    concerns a single request pauses its lane.

    :param to: the peer.
    :param sealer: seals the messages, at the moment of sending.
    :param entropy: for the jitter.
    :param config: how patient it is.
    :param numbers: makes exchange ids, unlike those of any other sender of the same core.
    """

    def __init__(
        self, to: Address, sealer: Sealer, entropy: Entropy, config: SenderConfig, numbers: Iterator[int]
    ) -> None:
        self.to = to
        self.config = config
        self._sealer = sealer
        self._entropy = entropy
        self._numbers = numbers
        self._queue: list[Request] = []
        self._flying: Request | None = None
        self._exchange: ExchangeId | None = None
        self._until = 0.0  # when the exchange in flight is given up
        self._paused_until = 0.0
        self._is_asked_to_wait = False  # whether that is because the peer is overloaded
        self._setbacks = 0  # failures of the peer since it last answered

    @property
    def idle(self) -> bool:
        """Whether there is nothing to send and nothing under way."""
        return not self._queue and self._flying is None

    @property
    def in_flight(self) -> Payload | None:
        """The request that is with the peer."""
        return None if self._flying is None else self._flying.message

    def waiting(self, cls: type[Payload]) -> bool:
        """Tell whether a request of a class waits or is under way."""
        return any(isinstance(request.message, cls) for request in self._all())

    def messages(self, cls: type[_PayloadT]) -> Iterator[_PayloadT]:
        """The requests of a class that wait or are under way."""
        return (request.message for request in self._all() if isinstance(request.message, cls))

    def holds(self, message: Payload) -> bool:
        """Tell whether a very request waits or is under way."""
        return any(request.message == message for request in self._all())

    def may_have_arrived(self, message: Payload) -> bool:
        """Tell whether a request that is not answered has left, be it in vain."""
        return any(one.message == message and (one is self._flying or one.failures > 0) for one in self._all())

    def holds_ticket(self, ticket: TicketId) -> bool:
        """Tell whether a request waits or is under way."""
        return any(request.ticket == ticket for request in self._all())

    def push(self, message: Payload, ticket: TicketId, *, lane: str, patient: bool = False) -> None:
        """Add a request.

        :param lane: requests of one lane stay in order.
        :param patient: whether it is tried for ever although it makes the peer fail, or although it is not accepted
            where it is signed, as that is done anew each time.
        """
        self._queue.append(Request(ticket, message, lane, patient))

    def withdraw(self, unwanted: Callable[[Payload], bool]) -> list[Request]:
        """Take back requests, also one under way, whose answer will then be ignored."""
        return self._withdraw([request for request in self._all() if unwanted(request.message)])

    def withdraw_ticket(self, ticket: TicketId) -> list[Request]:
        """Take back one request; see :meth:`withdraw`."""
        return self._withdraw([request for request in self._all() if request.ticket == ticket])

    def _withdraw(self, taken: list[Request]) -> list[Request]:
        for request in taken:
            request.move(ExchangeInput.WITHDRAW)
            if request is self._flying:
                self._flying = self._exchange = None
        self._queue = [request for request in self._queue if request not in taken]
        return taken

    def revise(self, change: Callable[[Payload], Payload | None]) -> None:
        """Change what waits to be sent, but for what is under way.

        :param change: makes of each message what is to be sent instead of it; None takes it back.
        """
        for request in list(self._queue):
            changed = change(request.message)
            if changed is None:
                self._withdraw([request])
            else:
                request.message = changed

    def next_transmit(self, now: Now, allowed: Callable[[Payload], bool]) -> Transmit | None:
        """Send the next request, if it is time.

        :param allowed: whether a message may be sent at present.
        """
        if self._flying is not None or now.mono < self._paused_until:
            return None
        blocked: set[str] = set()
        for request in self._queue:
            if request.state is ExchangeState.SET_ASIDE and now.mono >= request.not_before:
                request.move(ExchangeInput.RESUME)
            if request.state is ExchangeState.QUEUED and request.lane not in blocked and allowed(request.message):
                return self._transmit(request, now)
            blocked.add(request.lane)
        return None

    def _transmit(self, request: Request, now: Now) -> Transmit:
        self._queue.remove(request)
        request.move(ExchangeInput.TRANSMIT)
        self._flying = request
        self._exchange = ExchangeId(next(self._numbers))
        self._until = now.mono + self.config.timeout
        service = SERVICE[type(request.message)]
        return Transmit(self._exchange, self.to, service, request.message, self.config.timeout, self._sealer)

    def awaits(self, exchange: ExchangeId) -> bool:
        """Tell whether an answer to an exchange is still wanted. Late and repeated ones are not."""
        return self._exchange == exchange

    def answered(self) -> Request:
        """Take the request under way as answered."""
        request = self._land()
        request.move(ExchangeInput.ANSWER)
        self._setbacks = 0
        return request

    def failed(self, why: Failure, now: Now) -> tuple[Request, float | None]:
        """Take the request under way as failed.

        :returns: the request, and the seconds until it is sent again; None where it is given up.
        """
        request = self._land()
        remedy = REMEDY[why]
        if why is Failure.FORBIDDEN and request.patient and self._sealer.signs:
            remedy = Remedy.RETRY_THIS  # it is signed anew, and may be accepted once a clock is right (rule 514)
        request.failures += 1
        if remedy is Remedy.GIVE_UP or (
            remedy is Remedy.RETRY_THIS and not request.patient and request.failures >= self.config.tries
        ):
            request.move(ExchangeInput.REFUSE)
            return request, None
        request.move(ExchangeInput.FAIL)
        if remedy is Remedy.RETRY_ALL:
            self._setbacks += 1
            self._is_asked_to_wait = why is Failure.BUSY
            wait = self.config.pause(self._setbacks, self._entropy)
            self._paused_until = request.not_before = now.mono + wait
        else:
            wait = self.config.pause(request.failures, self._entropy)
            request.not_before = now.mono + wait
        self._queue.insert(0, request)
        return request, wait

    def postponed(self) -> None:
        """Take the request under way as not done: the peer wants something else first, and gets it again after that."""
        request = self._land()
        request.move(ExchangeInput.FAIL)
        self._setbacks = 0
        self._queue.insert(0, request)

    def _land(self) -> Request:
        assert self._flying is not None
        request, self._flying, self._exchange = self._flying, None, None
        return request

    def silent(self, now: Now) -> bool:
        """Tell whether the request under way has waited too long for its answer."""
        return self._flying is not None and now.mono >= self._until

    def resume(self, now: Now) -> None:
        """Stop waiting, unless the peer has asked for it: there is a way to it again."""
        if self._is_asked_to_wait:
            return
        for request in self._queue:
            if request.not_before == self._paused_until:  # that is what it waits for
                request.not_before = now.mono
        self._paused_until = 0.0

    def next_deadline(self, now: Now) -> Deadline | None:
        """When there is something to do next without anything coming in."""
        if self._flying is not None:
            return Deadline(self._until, "no answer yet")
        waits = [max(request.not_before, self._paused_until) for request in self._queue]
        waits = [at for at in waits if at > now.mono]  # the others wait for something else than time
        return Deadline(min(waits), "retry") if waits else None

    def _all(self) -> list[Request]:
        return self._queue if self._flying is None else [self._flying, *self._queue]

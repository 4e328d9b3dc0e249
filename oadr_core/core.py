"""What every core has in common: its surface, its queue of outputs, and its questions to the application.

An input never raises for what a peer did. After any input, pull ``next_output`` until it gives None, perform the
outputs in that order, and sleep until ``next_timeout`` or until something comes in.
"""

import itertools
from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from oadr_core.clock import Deadline, Now, Timers
from oadr_core.decisions import nothing
from oadr_core.entropy import Entropy
from oadr_core.machines.exchange import Failure
from oadr_core.messages import ProfileName, Service
from oadr_core.outputs import Call, CallId, ExchangeId, HandlerFailed, InboundId, Output, PeerForgiven, TicketId
from oadr_core.seal import Opened, Peer, Sealer


class Core(Protocol):
    """What a driver needs to know of a VEN or a VTN."""

    def receive_request(
        self,
        body: bytes,
        *,
        peer: Peer,
        service: Service | None,
        now: Now,
        profile: ProfileName = ProfileName.V20B,
    ) -> InboundId:
        """Take a request of a peer; a ``Reply`` with the same id will follow.

        :param body: the document.
        :param peer: who sent it, as the transport knows.
        :param service: the endpoint it was sent to, or None where the transport has none.
        :param now: the present.
        :param profile: the profile that the endpoint is for; each has endpoints of its own (rule 511).
        """
        ...

    def receive_response(self, exchange: ExchangeId, body: bytes, *, now: Now) -> None:
        """Take the answer to a ``Transmit``; an empty body is an empty success."""
        ...

    def exchange_failed(self, exchange: ExchangeId, why: Failure, *, now: Now) -> None:
        """Take note that a ``Transmit`` brought no answer."""
        ...

    def call_returned(self, call: CallId, value: object, *, now: Now) -> None:
        """Take what a handler returned."""
        ...

    def call_raised(self, call: CallId, error: BaseException, *, now: Now) -> None:
        """Take note that a handler raised."""
        ...

    def handle_timeout(self, now: Now) -> None:
        """Do what is due; harmless when nothing is."""
        ...

    def next_output(self, now: Now) -> Output | None:
        """Take the next thing to do, or None when there is nothing."""
        ...

    def next_timeout(self) -> Deadline | None:
        """Say when to call ``handle_timeout``, or None for never. May change with every input."""
        ...


_DecisionT = TypeVar("_DecisionT")


class Question(Generic[_DecisionT]):
    """Something that the application decides.

    :param handler: the handler that is asked.
    :param arguments: what it is asked with.
    :param read: makes a decision of what the handler returned; raises LocalProtocolError where it cannot.
    :param otherwise: the decision where there is no handler.
    :param failing: the decision where the handler fails, or takes too long.
    :param then: what to do with the decision.
    """

    __slots__ = ("arguments", "failing", "handler", "otherwise", "read", "then")

    def __init__(
        self,
        handler: str,
        arguments: Mapping[str, object],
        read: Callable[[object], _DecisionT],
        otherwise: _DecisionT,
        failing: _DecisionT,
        then: Callable[[_DecisionT, Now], None],
    ) -> None:
        self.handler: Final = handler
        self.arguments: Final = arguments
        self.read: Final = read
        self.otherwise: Final = otherwise
        self.failing: Final = failing
        self.then: Final = then


def _no_more(_: None, __: Now) -> None:
    """What follows from an answer that does not matter."""


_Told: TypeAlias = tuple[str, Mapping[str, object]]
"""What is told: the handler, and its arguments."""


class CoreBase:
    """The parts that a VEN and a VTN share.

    :param sealer: opens and seals documents.
    :param entropy: the source of ids and jitter.
    :param asks: the handlers that the application has; the others are never called, and policy decides.
    :param call_timeout: seconds that a handler may take before policy decides instead of it.
    """

    def __init__(self, sealer: Sealer, entropy: Entropy, asks: Container[str], call_timeout: float) -> None:
        self._sealer = sealer
        self._entropy = entropy
        self._asks = asks
        self._call_timeout = call_timeout
        self._numbers: Iterator[int] = itertools.count(1)
        self._outputs: deque[Output] = deque()
        self._questions: dict[CallId, Question[Any]] = {}
        self._withdrawn: dict[CallId, float] = {}  # until when the application may be at them
        self._timers: Timers[tuple[str, Any]] = Timers()
        self._turns: dict[str, dict[str | int, _Told]] = {}  # what waits to be told, by turn
        self._now: Now | None = None

    def _emit(self, output: Output) -> None:
        self._outputs.append(output)

    def new_call(self) -> CallId:
        """Make the id of a call; for layers on top, which call handlers of their own."""
        return CallId(next(self._numbers))

    def _ticket(self) -> TicketId:
        return TicketId(next(self._numbers))

    def tell(self, handler: str, arguments: Mapping[str, object], now: Now) -> None:
        """Tell the application something, if it has a handler for it; its answer does not matter.

        Layers on top tell what they have to tell this way too.
        """
        self._ask(Question(handler, arguments, nothing, None, None, _no_more), now)

    def tell_in_turn(
        self, turn: str, handler: str, arguments: Mapping[str, object], now: Now, *, about: str | None = None
    ) -> None:
        """Tell the application something once it is done with what it was told before in the same turn.

        So it hears things in their order, however a driver runs handlers.

        :param turn: what has an order of its own, such as all that is told of one VEN.
        :param handler: the handler.
        :param arguments: what to tell.
        :param now: the present.
        :param about: what it is about. What the application is too slow to hear is not told of something about which
            there is news already; None where everything has to be told.
        """
        if handler not in self._asks:
            return
        told = handler, arguments
        waiting = self._turns.get(turn)
        if waiting is None:
            self._turns[turn] = {}
            self._tell_next(turn, told, now)
        else:
            key = next(self._numbers) if about is None else about
            waiting.pop(key, None)
            waiting[key] = told

    def untold(self, turn: str) -> int:
        """How much waits to be told in a turn, as the application is slow."""
        return len(self._turns.get(turn, ()))

    def _tell_next(self, turn: str, told: _Told, now: Now) -> None:
        def then(_: None, later: Now) -> None:
            waiting = self._turns[turn]
            if waiting:
                self._tell_next(turn, waiting.pop(next(iter(waiting))), later)
            else:
                del self._turns[turn]

        handler, arguments = told
        self._ask(Question(handler, arguments, nothing, None, None, then), now)

    def _tell_forgiven(self, opened: Opened, who: str) -> None:
        """Tell what was overlooked in a document, if anything."""
        document = opened.document
        if document.forgiven:
            forgiven = tuple(f"{one.place}: {one.what}" for one in document.forgiven)
            self._emit(PeerForgiven(who=who, message_type=document.message.message_type(), forgiven=forgiven))

    # --- asking the application --------------------------------------------------------------------------------------

    def _ask(self, question: Question[Any], now: Now) -> CallId | None:
        """Ask the application, or decide at once where it has no handler for the question."""
        if question.handler not in self._asks:
            question.then(question.otherwise, now)
            return None
        call = self.new_call()
        self._questions[call] = question
        until = now.mono + self._call_timeout
        self._timers.after(("call", call), until)
        self._emit(Call(call, question.handler, question.arguments, Deadline(until, question.handler)))
        return call

    def _withdraw_question(self, call: CallId | None, now: Now) -> None:
        """Want no answer any more; the application goes on with it all the same, for as long as it may take."""
        if call is not None and call in self._questions:
            self._forget_question(call)
            self._withdrawn[call] = now.mono + self._call_timeout

    def _open_calls(self, now: Now) -> int:
        """With how many questions the application is busy, those included whose answers are not wanted any more."""
        for call in [one for one, until in self._withdrawn.items() if until <= now.mono]:
            del self._withdrawn[call]
        return len(self._questions) + len(self._withdrawn)

    def _forget_question(self, call: CallId | None) -> None:
        if call is not None and self._questions.pop(call, None) is not None:
            self._timers.stop(("call", call))

    def call_returned(self, call: CallId, value: object, *, now: Now) -> None:
        """Take what a handler returned; ignored where policy has decided meanwhile."""
        self._now = now
        self._withdrawn.pop(call, None)
        question = self._questions.get(call)
        if question is None:
            return
        try:
            decision = question.read(value)
        except Exception as error:  # whatever a value of the application may raise when it is looked at
            self._decide_without(call, f"returned what cannot be used: {error}", now)
            return
        self._forget_question(call)
        question.then(decision, now)

    def call_raised(self, call: CallId, error: BaseException, *, now: Now) -> None:
        """Take note that a handler raised: policy decides, and other calls are not touched."""
        self._now = now
        self._withdrawn.pop(call, None)
        self._decide_without(call, f"raised {type(error).__name__}: {error}", now)

    def _decide_without(self, call: CallId, why: str, now: Now) -> None:
        question = self._questions.get(call)
        if question is not None:
            self._forget_question(call)
            self._emit(HandlerFailed(handler=question.handler, error=why))
            question.then(question.failing, now)

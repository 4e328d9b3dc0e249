"""Driving a core: perform its outputs in order, tell it what happens, wake it when it wants to be woken.

The driver knows nothing of OpenADR. It is written against anyio, so it runs on trio and on asyncio.
"""

import inspect
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeAlias, TypeVar

import anyio
import anyio.abc
import anyio.from_thread
import anyio.to_thread

from oadr_core import (
    Call,
    Core,
    Event,
    Failure,
    InboundId,
    LocalProtocolError,
    Now,
    Output,
    Peer,
    ProfileName,
    Reply,
    Save,
    Service,
    Transmit,
    printable,
)
from oadr_driver.clock import system_now
from oadr_driver.groups import alone
from oadr_driver.logs import logger
from oadr_driver.recorder import Recorder
from oadr_driver.store import Store
from oadr_driver.transport import Carrier, ExchangeFailed

_LOG: Final = logger("oadr.driver")

_STORE_PAUSE: Final = 1.0
"""Seconds between tries to save, where the store fails."""

_LAST_SAVE: Final = 30.0
"""Seconds that the store is given at the end."""

_ValueT = TypeVar("_ValueT")

_Started: TypeAlias = tuple[Callable[..., object], dict[str, object], float]
"""A function of the application that nobody waits for: it, its arguments, and the seconds that it may take."""


class Driver:
    """Drives a core.

    Outputs are performed in order. Those behind a ``Save`` wait until the store has it; what was saved meanwhile goes
    into the next write together.

    :param core: the core.
    :param carrier: carries requests to peers; None where the core sends none.
    :param store: keeps what the core wants saved; None keeps nothing.
    :param observe: is told what the core tells; must not block.
    :param recorder: is told of every exchange.
    :param now: reads the clocks.
    :param threads: how many plain functions may run at a time; coroutine functions are not counted.
    """

    def __init__(
        self,
        core: Core,
        *,
        carrier: Carrier | None = None,
        store: Store | None = None,
        observe: Callable[[Event], None] | None = None,
        recorder: Recorder | None = None,
        now: Callable[[], Now] = system_now,
        threads: int = 40,
    ) -> None:
        self._core: Final = core
        self._carrier = carrier
        self._store = store
        self._observe = observe
        self._recorder = recorder
        self._now = now
        self._threads = threads
        self._limiter: anyio.CapacityLimiter | None = None
        self._group: anyio.abc.TaskGroup | None = None
        self._thread = 0  # the one that the event loop runs in
        self._wake = anyio.Event()
        self._wakes_at = float("inf")
        self._held: deque[Output | anyio.Event] = deque()  # outputs that wait for the store, and who waits for it too
        self._lost = False
        self._replies: dict[InboundId, Reply | None] = {}  # for those who still want one
        self._waiting: dict[InboundId, anyio.Event] = {}
        self._turns: dict[str, deque[_Started]] = {}  # what is to be run, one after the other in each turn

    # --- running -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Drive the core while the body runs. At the end nothing is left running, and what was to be saved is."""
        self._thread = threading.get_ident()
        self._limiter = anyio.CapacityLimiter(self._threads)
        with alone():
            try:
                async with anyio.create_task_group() as group:
                    self._group = group
                    group.start_soon(self._run)
                    try:
                        yield
                    finally:
                        self._group = None
                        group.cancel_scope.cancel()
            finally:
                self._answer_no_more()
                with anyio.CancelScope(shield=True):
                    await self._save_the_rest()

    async def _run(self) -> None:
        """Save what has to be saved, and wake the core when it is time."""
        while True:
            self._wake = anyio.Event()
            self._handle_timeout()
            self.pump()
            if self._held:
                await self._save()
                continue  # looking at the clock before the next save: a busy store must not hold back what is due
            deadline = self._core.next_timeout()
            self._wakes_at = float("inf") if deadline is None else deadline.at
            with anyio.move_on_after(max(0.0, self._wakes_at - self._now().mono)):
                await self._wake.wait()
            self._wakes_at = float("-inf")  # awake: nobody has to ring

    def _handle_timeout(self) -> None:
        deadline, now = self._core.next_timeout(), self._now()
        if deadline is not None and now.mono >= deadline.at:
            self._core.handle_timeout(now)

    def pump(self) -> None:
        """Perform the outputs of the core, up to one that has to be saved first."""
        now = self._now()
        while (output := self._core.next_output(now)) is not None:
            if self._held or (isinstance(output, Save) and self._store is not None):
                self._held.append(output)
            else:
                self._perform(output)
        if self._held:
            self._wake.set()
            return
        deadline = self._core.next_timeout()
        if deadline is not None and deadline.at < self._wakes_at:
            self._wake.set()

    async def saved(self) -> None:
        """Wait until all that the core wants saved so far is durable; for those who confirm it to somebody.

        :raises OSError: it never will be, as the driver has ended.
        """
        if self._held:
            done = anyio.Event()
            self._held.append(done)
            await done.wait()
        if self._lost:
            raise OSError("the last changes of the state could not be saved")

    async def _save(self) -> None:
        """Make durable all that waits to be, then perform what waited for it."""
        assert self._store is not None
        held = len(self._held)
        changes = [(one.key, one.blob) for one in self._held if isinstance(one, Save)]
        while True:
            try:
                await self._store.save(changes)
                break
            except OSError as error:
                _LOG.error("the state cannot be saved, so nothing that depends on it is done: %s", error)
                await anyio.sleep(_STORE_PAUSE)
        for _ in range(held):
            self._perform(self._held.popleft())

    async def _save_the_rest(self) -> None:
        """At the end, make durable what still waits to be."""
        self.pump()
        changes = [(one.key, one.blob) for one in self._held if isinstance(one, Save)]
        if not changes or self._store is None:
            return
        try:
            with anyio.fail_after(_LAST_SAVE):
                await self._store.save(changes)
        except (OSError, TimeoutError) as error:
            _LOG.error("the last changes of the state cannot be saved: %s", error or "the store does not answer")
            self._lost = True
        for one in self._held:
            if isinstance(one, anyio.Event):
                one.set()
        if not self._lost:
            self._held.clear()

    def _answer_no_more(self) -> None:
        """Let go of those who still wait for an answer."""
        for waiting in self._waiting.values():
            waiting.set()

    # --- outputs -----------------------------------------------------------------------------------------------------

    def _perform(self, output: Output | anyio.Event) -> None:
        if isinstance(output, anyio.Event):
            output.set()
        elif isinstance(output, Reply):
            if output.inbound in self._replies:
                self._replies[output.inbound] = output
            waiting = self._waiting.pop(output.inbound, None)
            if waiting is not None:
                waiting.set()
        elif isinstance(output, Event):
            tell(self._observe, output)
        elif self._group is not None:
            if isinstance(output, Transmit):
                self._group.start_soon(self._exchange, output)
            elif isinstance(output, Call):
                self._group.start_soon(self._call, output)

    async def _exchange(self, transmit: Transmit) -> None:
        assert self._carrier is not None
        began, body = self._now(), b""
        answer, why = None, None
        try:
            body = transmit.render(began)
            answer = await self._carrier.exchange(transmit, body)
        except ExchangeFailed as error:
            why = error.why
        except LocalProtocolError:
            _LOG.exception("a message of ours cannot be sent")
            why = Failure.NOT_ACCEPTABLE
        except Exception:  # one exchange that fails in a way nobody has thought of must not end all the others
            _LOG.exception("the exchange with %s failed", printable(transmit.to.base) or "the VTN")
            why = Failure.BROKEN
        if self._recorder is not None:
            self._recorder.sent(transmit, body, answer, why, began.utc)
        if answer is not None:
            self._core.receive_response(transmit.exchange, answer, now=self._now())
        elif why is not None:
            self._core.exchange_failed(transmit.exchange, why, now=self._now())
        self.pump()

    async def _call(self, call: Call) -> None:
        assert call.function is not None
        assert self._limiter is not None
        try:
            # after the deadline the value would not matter: a coroutine is cancelled, a thread is left to itself
            with anyio.fail_after(max(0.0, call.deadline.at - self._now().mono)):
                value = await run_handler(call.function, dict(call.arguments), self._limiter)
        except Exception as error:  # whatever a user's handler may raise
            _LOG.exception("the handler %s failed", call.handler)
            self._core.call_raised(call.call, error, now=self._now())
        else:
            self._core.call_returned(call.call, value, now=self._now())
        self.pump()

    def start(
        self, function: Callable[..., object], arguments: dict[str, object], *, turn: str, patience: float
    ) -> None:
        """Run a function of the application that nobody waits for, after those that were started before in its turn.

        :param function: a function or a coroutine function.
        :param arguments: its keyword arguments.
        :param turn: what has an order of its own, such as all that is told of one VEN.
        :param patience: seconds that it may take; then those behind it are run.
        """
        if self._group is None:
            return
        waiting = self._turns.get(turn)
        if waiting is None:
            self._turns[turn] = waiting = deque()
            self._group.start_soon(self._run_in_turn, turn)
        waiting.append((function, arguments, patience))

    async def _run_in_turn(self, turn: str) -> None:
        assert self._limiter is not None
        waiting = self._turns[turn]
        while waiting:
            function, arguments, patience = waiting.popleft()
            try:
                with anyio.fail_after(patience):
                    await run_handler(function, arguments, self._limiter)
            except Exception:  # whatever a user's function may raise
                _LOG.exception("the callback %r failed", function)
        del self._turns[turn]

    def in_loop(self, work: Callable[[], _ValueT]) -> _ValueT:
        """Do something in the thread of the event loop, for a caller in it or in the thread of a handler.

        :param work: does not wait for anything.
        :raises LocalProtocolError: the caller is in a thread of another kind.
        """
        if threading.get_ident() == self._thread:
            return work()
        try:
            anyio.from_thread.check_cancelled()
        except RuntimeError:
            raise LocalProtocolError(
                "call this from the event loop or from a handler; from a thread of your own by way of "
                "anyio.from_thread or loop.call_soon_threadsafe"
            ) from None
        return anyio.from_thread.run_sync(work)

    # --- requests of peers -------------------------------------------------------------------------------------------

    async def receive(
        self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName = ProfileName.V20B
    ) -> tuple[Failure | None, bytes]:
        """Hand a request of a peer to the core.

        :returns: why the transport should refuse it, or None; and the body of the answer.
        """
        if self._group is None:
            return Failure.BUSY, b""
        began = self._now()
        inbound = self._core.receive_request(body, peer=peer, service=service, now=began, profile=profile)
        self._replies[inbound] = None
        try:
            self.pump()
            reply = self._replies[inbound] or await self._reply_to(inbound)
        finally:
            del self._replies[inbound]
        if reply is None:
            return Failure.BUSY, b""
        answer = reply.render(self._now())
        if self._recorder is not None:
            self._recorder.received(peer, service, body, answer, reply.refusal, began.utc)
        return reply.refusal, answer

    async def _reply_to(self, inbound: InboundId) -> Reply | None:
        """Wait for the reply to a request; None where the driver ends before."""
        self._waiting[inbound] = waiting = anyio.Event()
        try:
            await waiting.wait()
        finally:
            self._waiting.pop(inbound, None)
        return self._replies[inbound]


def tell(observe: Callable[[Event], None] | None, event: Event) -> None:
    """Tell an observer, if there is one; what it raises is logged, and disturbs nothing."""
    if observe is not None:
        try:
            observe(event)
        except Exception:  # whatever a user's function may raise
            _LOG.exception("the observer failed at %s", type(event).__name__)


async def run_handler(
    function: Callable[..., object], arguments: dict[str, object], limiter: anyio.CapacityLimiter
) -> object:
    """Run a handler: a coroutine function in place, a plain function in a thread, so that it stalls nobody."""
    if inspect.iscoroutinefunction(inspect.unwrap(_inner(function))):
        return await function(**arguments)  # type: ignore[misc]

    def call() -> tuple[object]:
        return (function(**arguments),)  # wrapped, as trio takes it for a mistake when a thread returns a coroutine

    (value,) = await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=limiter)
    return await value if inspect.isawaitable(value) else value


def _inner(function: Callable[..., object]) -> Callable[..., object]:
    """Look through ``functools.partial`` and callable objects."""
    while isinstance(function, partial):
        function = function.func
    if inspect.isfunction(function) or inspect.ismethod(function):
        return function
    call: Callable[..., object] = getattr(type(function), "__call__", function)  # noqa: B004 - the method itself
    return call

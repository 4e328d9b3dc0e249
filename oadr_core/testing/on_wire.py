"""A harness without a network, an event loop or a clock: cores on a :class:`~oadr_core.testing.Wire`."""

import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Generic, TypeVar

from oadr_core.auto.ven import AutoVen
from oadr_core.auto.vtn import AutoVtn
from oadr_core.clock import Now
from oadr_core.core import Core
from oadr_core.entropy import Entropy
from oadr_core.machines.exchange import Failure
from oadr_core.messages import Service, TransportName
from oadr_core.outputs import Address, Call, ExchangeId
from oadr_core.testing.clock import ManualClock
from oadr_core.testing.harness import STRANGER, Build, CoreT
from oadr_core.testing.seals import PlainSeals, Seals
from oadr_core.testing.wire import Flight, Host, Wire

_VTN: Final = "vtn"

_ValueT = TypeVar("_ValueT")


class WireHarness:
    """A VTN and VENs on a wire that loses nothing; time passes as fast as it can.

    Handlers that are coroutine functions must not wait for anything.

    :param entropy: the source of ids.
    :param pull: whether VENs poll.
    :param proves: gives what a host proves about itself, such as a fingerprint, by its name, which for the VTN is
        ``vtn``; hosts prove nothing if None.
    :param seals: how documents are sealed; without signatures if None.
    :param patience: how often the clock is put forward, from one thing that is due to the next, until that is too long.
    """

    transport: Final = TransportName.SIMPLE_HTTP
    limit: int | None = None

    def __init__(
        self,
        entropy: Entropy,
        *,
        pull: bool = True,
        proves: Callable[[str], str] | None = None,
        seals: Seals | None = None,
        patience: int = 10_000,
    ) -> None:
        self.entropy: Final = entropy
        self.pull: Final = pull
        self._proves = proves
        self._patience = patience
        self.seals: Final[Seals] = seals or PlainSeals()
        self.clock: Final = ManualClock()
        self.wire: Final = Wire()
        self.wire.default_route = _VTN

    async def vtn(self, build: Build[AutoVtn]) -> "DrivenHost[AutoVtn]":
        """Run a VTN; see :class:`~oadr_core.testing.Harness`."""
        return DrivenHost(self, _VTN, build)

    async def ven(self, name: str, build: Build[AutoVen]) -> "DrivenHost[AutoVen]":
        """Run a VEN; see :class:`~oadr_core.testing.Harness`."""
        if self.pull:
            return DrivenHost(self, name, build)

        def reached(saved: Any, now: Now) -> AutoVen:
            core = build(saved, now)
            core.reached_at(name, now)
            return core

        return DrivenHost(self, name, reached)

    def identity(self, name: str) -> str | None:
        """What a host proves about itself."""
        return None if self._proves is None else self._proves(name)

    async def say(self, service: Service, body: bytes, name: str = STRANGER) -> bytes | Failure:
        """Send the VTN a request; see :class:`~oadr_core.testing.Harness`."""
        return await self._said(Host(name, _nobody, self.identity(name)), Address(self.transport), service, body)

    async def pose(self, address: Address, service: Service, body: bytes) -> bytes | Failure:
        """Send a VEN a request; see :class:`~oadr_core.testing.Harness`."""
        if self.identity(STRANGER) != self.identity(_VTN):
            return Failure.FORBIDDEN  # as each VEN finds out by its transport
        return await self._said(Host(STRANGER, _nobody, self.identity(STRANGER)), address, service, body)

    async def _said(self, source: Host, to: Address, service: Service, body: bytes) -> bytes | Failure:
        flight = Flight(source, ExchangeId(0), to, service, body)
        self.wire.deliver(flight, self.clock.now)
        await self.until(lambda: flight.answered)
        return flight.answer if flight.refusal is None else flight.refusal

    async def until(self, condition: Callable[[], object]) -> None:
        """Let time pass until something holds.

        :raises AssertionError: it never does.
        """
        for _ in range(self._patience):
            self.settle()
            if condition():
                return
            due = self.wire.next_timeout()
            if due is None:
                break
            self.clock.advance_to(due)
            self.wire.wake(self.clock.now)
        raise AssertionError("it did not come to that")

    def settle(self) -> None:
        """Deliver what is on the wire, and run handlers, until nothing of that is left."""
        while True:
            self.wire.settle(self.clock.now)
            waiting = [(host, call) for host in self.wire.hosts.values() for call in host.calls]
            if not waiting:
                return
            for host, call in waiting:
                self._run(host, call)

    def _run(self, host: Host, call: Call) -> None:
        assert call.function is not None
        try:
            value = call.function(**call.arguments)
            if inspect.iscoroutine(value):
                value = run_without_loop(value)
        except Exception as error:  # whatever a handler may raise
            host.calls.remove(call)
            host.core.call_raised(call.call, error, now=self.clock.now)
            self.wire.drain(host, self.clock.now)
        else:
            self.wire.run(host, call, value, self.clock.now)


class DrivenHost(Generic[CoreT]):
    """A core on a host of the wire.

    :param harness: where.
    :param name: the name of the host.
    :param build: makes the core.
    """

    def __init__(self, harness: WireHarness, name: str, build: Build[CoreT]) -> None:
        self._harness: Final = harness
        self._host: Final = Host(name, build, harness.identity(name))
        harness.wire.add(self._host, harness.clock.now)

    @property
    def core(self) -> CoreT:
        """The core."""
        core: Any = self._host.core
        present: CoreT = core
        return present

    async def do(self, work: Callable[[CoreT, Now], _ValueT]) -> _ValueT:
        """Call the core; see :class:`~oadr_core.testing.Driven`."""
        now = self._harness.clock.now
        value = work(self.core, now)
        self._harness.wire.drain(self._host, now)
        return value

    async def restart(self) -> None:
        """Start again; see :class:`~oadr_core.testing.Driven`."""
        self._harness.settle()
        self._harness.wire.boot(self._host, self._harness.clock.now)


def _nobody(saved: Mapping[str, bytes], now: Now) -> Core:
    raise AssertionError("a stranger is not run")


def run_without_loop(coroutine: Coroutine[Any, Any, _ValueT]) -> _ValueT:
    """Run a coroutine that waits for nothing, such as a scenario on a :class:`WireHarness`.

    :raises RuntimeError: it does wait.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: _ValueT = done.value
        return value
    coroutine.close()
    raise RuntimeError("it waits for an event loop, and there is none here")

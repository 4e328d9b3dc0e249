"""The check of drivers, for transports: whoever has one needs no more than it to have it checked.

:func:`oadr_core.testing.driver_check` lists the scenarios, and :class:`TransportHarness` is what they run in.
"""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

import anyio
import anyio.abc

from oadr_core import (
    Address,
    AutoVen,
    AutoVtn,
    ExchangeId,
    Failure,
    Now,
    Peer,
    PlainSealer,
    Poll,
    ProfileName,
    Service,
    Transmit,
    TransportName,
)
from oadr_core.testing import STRANGER, Build, CoreT, PlainSeals, Seals
from oadr_driver.clock import system_now
from oadr_driver.driver import Driver
from oadr_driver.groups import alone
from oadr_driver.store import MemoryStore
from oadr_driver.transport import Carrier, Carriers, ExchangeFailed, Transport, VenTransport

_ValueT = TypeVar("_ValueT")

_TIMEOUT: Final = 20.0
_GLANCE: Final = 0.002
"""Seconds between looks at what is waited for."""


class TransportHarness:
    """A :class:`oadr_core.testing.Harness` on a transport; an asynchronous context manager.

    :param transport: its name.
    :param of_vtn: makes the transport of the VTN, again after a restart; VENs have to find the new one where the one
        before was.
    :param of_ven: makes the transport of a VEN by its name, once the VTN runs. :data:`oadr_core.testing.STRANGER` is
        somebody whom the transport lets in, and who has not registered.
    :param pull: whether VENs poll.
    :param limit: the octets of the largest document that either side takes; None where there is no limit.
    :param of_impostor: makes the transport of somebody who calls VENs as the VTN does, and is not the VTN. It is needed
        where VENs do not poll, and can tell.
    :param seals: how documents are sealed; without signatures if None.
    :param patience: seconds after which something that has not happened never will.
    """

    def __init__(
        self,
        transport: TransportName,
        *,
        of_vtn: Callable[[], Transport],
        of_ven: Callable[[str], VenTransport],
        pull: bool,
        limit: int | None,
        of_impostor: Callable[[], Transport] | None = None,
        seals: Seals | None = None,
        patience: float = 20.0,
    ) -> None:
        self.transport: Final = transport
        self.pull: Final = pull
        self.limit: Final = limit
        self.seals: Final[Seals] = seals or PlainSeals()
        self.entropy: Final = random.SystemRandom()
        self._of_vtn = of_vtn
        self._of_ven = of_ven
        self._of_impostor = of_impostor
        self._carriers: dict[str, Carrier] = {}
        self._patience = patience
        self._lives: list[DrivenCore[AutoVen] | DrivenCore[AutoVtn]] = []
        self._group: anyio.abc.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._group = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """End everything, the VENs first."""
        assert self._group is not None
        with alone():
            if error is None:
                for life in reversed(self._lives):
                    await life.end()
            return await self._group.__aexit__(kind, error, trace)

    async def vtn(self, build: Build[AutoVtn]) -> "DrivenCore[AutoVtn]":
        """Run a VTN; see :class:`oadr_core.testing.Harness`."""
        store = MemoryStore()

        @asynccontextmanager
        async def life() -> AsyncIterator[tuple[AutoVtn, Driver]]:
            transport = self._of_vtn()
            async with transport.opened() as carrier:
                core = build(store.load(), system_now())
                driver = Driver(core, carrier=Carriers({self.transport: carrier}), store=store)
                async with driver.running(), transport.serving(_Serving(core, driver)):
                    yield core, driver

        return await self._begun(DrivenCore(self._running_in(), life))

    async def ven(self, name: str, build: Build[AutoVen]) -> "DrivenCore[AutoVen]":
        """Run a VEN; see :class:`oadr_core.testing.Harness`."""
        store = MemoryStore()

        @asynccontextmanager
        async def life() -> AsyncIterator[tuple[AutoVen, Driver]]:
            transport = self._of_ven(name)
            async with transport.opened() as carrier:
                core = build(store.load(), system_now())
                driver = Driver(core, carrier=carrier, store=store)
                async with driver.running(), transport.serving(_Reached(core, driver)):
                    self._carriers[name] = carrier
                    try:
                        yield core, driver
                    finally:
                        del self._carriers[name]

        return await self._begun(DrivenCore(self._running_in(), life))

    def _running_in(self) -> anyio.abc.TaskGroup:
        assert self._group is not None, "enter the harness first"
        return self._group

    async def _begun(self, life: "DrivenCore[CoreT]") -> "DrivenCore[CoreT]":
        await life.begin()
        self._lives.append(life)
        return life

    async def say(self, service: Service, body: bytes, name: str = STRANGER) -> bytes | Failure:
        """Send the VTN a request; see :class:`oadr_core.testing.Harness`."""
        to = Address(self.transport)
        if name in self._carriers:
            return await _said(self._carriers[name], to, service, body)
        async with self._of_ven(name).opened() as carrier:
            return await _said(carrier, to, service, body)

    async def pose(self, address: Address, service: Service, body: bytes) -> bytes | Failure:
        """Send a VEN a request; see :class:`oadr_core.testing.Harness`."""
        assert self._of_impostor is not None, "of_impostor is needed where VENs can tell who pushes"
        async with self._of_impostor().opened() as carrier:
            return await _said(carrier, address, service, body)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something holds.

        :raises TimeoutError: it takes too long.
        """
        with anyio.fail_after(self._patience):
            while not condition():  # noqa: ASYNC110 - what makes it hold is told to nobody
                await anyio.sleep(_GLANCE)


async def _said(carrier: Carrier, to: Address, service: Service, body: bytes) -> bytes | Failure:
    """Send a document that no core has made; the message beside it, which carriers do not look at, is any."""
    try:
        return await carrier.exchange(
            Transmit(ExchangeId(0), to, service, Poll(ven_id=""), _TIMEOUT, PlainSealer()), body
        )
    except ExchangeFailed as error:
        return error.why


class DrivenCore(Generic[CoreT]):
    """A core that a driver runs in a task of its own; see :class:`oadr_core.testing.Driven`.

    :param group: where it runs.
    :param life: from its start to its end.
    """

    def __init__(
        self, group: anyio.abc.TaskGroup, life: Callable[[], AbstractAsyncContextManager[tuple[CoreT, Driver]]]
    ) -> None:
        self._group: Final = group
        self._life: Callable[[], AbstractAsyncContextManager[tuple[CoreT, Driver]]] = life
        self._present: tuple[CoreT, Driver] | None = None
        self._ends = anyio.Event()
        self._over = anyio.Event()

    @property
    def core(self) -> CoreT:
        """The core."""
        assert self._present is not None
        return self._present[0]

    async def do(self, work: Callable[[CoreT, Now], _ValueT]) -> _ValueT:
        """Call the core; see :class:`oadr_core.testing.Driven`."""
        assert self._present is not None
        core, driver = self._present
        value = work(core, system_now())
        driver.pump()
        return value

    async def restart(self) -> None:
        """Start again; see :class:`oadr_core.testing.Driven`."""
        await self.end()
        await self.begin()

    async def begin(self) -> None:
        """Start; returns once it runs."""
        self._ends, self._over = anyio.Event(), anyio.Event()
        await self._group.start(self._run)

    async def end(self) -> None:
        """End in good order."""
        self._ends.set()
        await self._over.wait()

    async def _run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        try:
            async with self._life() as self._present:
                task_status.started()
                await self._ends.wait()
        finally:
            self._over.set()


class _Receiving(Generic[CoreT]):
    """What takes requests.

    :param core: the core that they are for.
    :param driver: drives it.
    """

    def __init__(self, core: CoreT, driver: Driver) -> None:
        self._core: Final[CoreT] = core
        self._driver: Final = driver

    async def receive(
        self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName = ProfileName.V20B
    ) -> tuple[Failure | None, bytes]:
        """Take a request."""
        return await self._driver.receive(body, peer, service, profile)


class _Serving(_Receiving[AutoVtn]):
    """What takes the requests of VENs."""

    def link_is_back(self, transport: TransportName) -> None:
        """Send what has failed for want of a connection."""
        self._core.link_is_back(transport, system_now())
        self._driver.pump()


class _Reached(_Receiving[AutoVen]):
    """What takes the requests of the VTN, and where the VEN is reached."""

    def reached_at(self, address: str) -> None:
        """Be reached at another address."""
        self._core.reached_at(address, system_now())
        self._driver.pump()

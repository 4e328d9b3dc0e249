"""What a VEN and a VTN for applications have in common: a core that is driven, and what goes on around it."""

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol, TypeVar

import anyio

from oadr_core import Core, Event, Failure, Now, Peer, ProfileName, Role, Sealer, Service, log_line
from oadr_driver.clock import system_now
from oadr_driver.driver import Driver
from oadr_driver.recorder import Recorder, Trace
from oadr_driver.store import Store
from oadr_driver.tls import Tls
from oadr_driver.tls_files import OwnCertificate
from oadr_driver.tls_keeper import keeper_of, keeping
from oadr_driver.transport import Carrier

_T = TypeVar("_T")


class StartedCore(Core, Protocol):
    """A core that does by itself what has to be done."""

    def start(self, now: Now) -> None:
        """Begin."""
        ...


class Driven(ABC):
    """One that is driven.

    :param role: what it is.
    :param sealer: opens and seals documents.
    :param log: takes what it tells that is worth a line.
    :param store: keeps the state; in memory if None.
    :param observe: is told everything that the core tells; must not block.
    :param trace: takes every exchange once it is over.
    :param tls: its certificates, where it has any for TLS.
    """

    def __init__(
        self,
        role: Role,
        sealer: Sealer,
        log: logging.Logger,
        *,
        store: Store | None,
        observe: Callable[[Event], None] | None,
        trace: Trace | None,
        tls: Tls | None,
    ) -> None:
        self._log: Final = log
        self._store = store
        self._observe = observe
        self._recorder = None if trace is None else Recorder(role, trace)
        self._tls = tls
        self._keeper = keeper_of(tls, sealer, self._observed)
        self._driver: Driver | None = None
        self._stop: anyio.Event | None = None

    @property
    def certificates(self) -> tuple[OwnCertificate, ...]:
        """Its certificates for TLS, as they are in use."""
        return () if self._tls is None else self._tls.own

    # --- running -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def running(self) -> AbstractAsyncContextManager[object]:
        """Run while the body runs."""

    @asynccontextmanager
    async def _driving(self, core: StartedCore, carrier: Carrier) -> AsyncIterator[None]:
        """Drive a core while the body runs.

        :param core: the core.
        :param carrier: carries its requests.
        """
        async with keeping(self._keeper):
            driver = Driver(core, carrier=carrier, store=self._store, observe=self._observed, recorder=self._recorder)
            core.start(system_now())
            async with driver.running():
                self._driver = driver
                try:
                    yield
                finally:
                    self._driver = None

    async def run(self) -> None:
        """Run until it is cancelled, or :meth:`stop` is called.

        :raises LocalProtocolError: a VEN does not run by itself, or ran before.
        """
        self._stop = anyio.Event()
        async with self.running():
            await self._stop.wait()

    async def stop(self) -> None:
        """End :meth:`run`."""
        if self._stop is not None:
            self._stop.set()

    async def reload_certificates(self) -> bool:
        """Read the certificates again, as happens by itself soon after their files have changed.

        Connections that are open go on as they were. A VEN that does not run by itself looks at them only here.

        :returns: whether they can be used; if not, the log says why, and those of before stay in use.
        """
        return True if self._keeper is None else await self._keeper.reload()

    async def receive(
        self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName = ProfileName.V20B
    ) -> tuple[Failure | None, bytes]:
        """Take a request of a peer; for the transports, see :class:`~oadr_driver.transport.Receiver`."""
        if self._driver is None:
            return Failure.BUSY, b""
        return await self._driver.receive(body, peer, service, profile)

    # --- within ------------------------------------------------------------------------------------------------------

    def _do(self, work: Callable[[Now], _T]) -> _T:
        """Do something with the core, then what follows from it."""

        def done() -> _T:
            value = work(system_now())
            self._pump()
            return value

        return done() if self._driver is None else self._driver.in_loop(done)

    def _pump(self) -> None:
        if self._driver is not None:
            self._driver.pump()

    def _observed(self, event: Event) -> None:
        written = log_line(event)
        if written is not None:
            self._log.log(*written)
        if self._observe is not None:
            self._observe(event)

"""A VEN over HTTP, for applications: handlers in, dicts out."""

import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import anyio

from oadr_core import (
    VEN_HANDLERS,
    AutoVen,
    Event,
    Handlers,
    LocalProtocolError,
    PlainSealer,
    SenderConfig,
    Startup,
    VenConfig,
    VenPolicy,
)
from oadr_core.build import DataPoint, data_point, make_offer
from oadr_core.entropy import new_id
from oadr_core.journal import line
from oadr_http.client import HttpCarrier
from oadr_http.clock import system_now
from oadr_http.driver import Driver
from oadr_http.store import Store

_LOG: Final = logging.getLogger("oadr.ven")


class OpenADRClient:
    """A VEN.

    Declare handlers with :meth:`add_handler` and reports with :meth:`add_report`, then enter :meth:`running` or await
    :meth:`run`: it registers, polls, answers and reports by itself, and recovers from whatever fails. For a VEN that
    your program steers message by message see :class:`~oadr_http.manual.ManualClient`.

    All methods are to be called from the event loop that runs it. Several clients may run in one process.

    :param ven_name: a name for people.
    :param vtn_url: the base URL of the VTN, such as ``https://vtn.example/OpenADR2/Simple/2.0b``.
    :param ven_id: an id that was agreed beforehand, if one was.
    :param poll_interval: how often to poll; None follows the VTN's wish.
    :param call_timeout: how long a handler may take before the policy decides instead of it.
    :param request_timeout: how long to wait for an answer of the VTN; 5 seconds at least (section 9.1.6).
    :param strict: whether to refuse answers that the schema refuses.
    :param typed: whether handlers get instances of the message classes instead of dicts.
    :param compression: whether the VTN may compress its answers.
    :param policy: how it runs; see :class:`oadr_core.VenPolicy`.
    :param store: keeps the state; in memory if None.
    :param observe: is told everything that the core tells; must not block.
    """

    def __init__(
        self,
        ven_name: str,
        vtn_url: str,
        *,
        ven_id: str | None = None,
        poll_interval: timedelta | None = None,
        call_timeout: timedelta = timedelta(seconds=60),
        request_timeout: timedelta = timedelta(seconds=30),
        strict: bool = False,
        typed: bool = False,
        compression: bool = True,
        policy: VenPolicy | None = None,
        store: Store | None = None,
        observe: Callable[[Event], None] | None = None,
    ) -> None:
        if not vtn_url.startswith(("http://", "https://")):
            raise LocalProtocolError(f"vtn_url is {vtn_url!r}; it must begin with http:// or https://")
        self._entropy = random.SystemRandom()
        self._handlers = Handlers(VEN_HANDLERS, typed=typed)
        self._url, self._compression = vtn_url, compression
        self._store = store
        self._observe = observe
        self._points: dict[str, tuple[str, timedelta | None, list[DataPoint]]] = {}
        config = VenConfig(
            ven_name=ven_name,
            ven_id=ven_id or "",
            call_timeout=call_timeout.total_seconds(),
            sender=SenderConfig(timeout=request_timeout.total_seconds()),
        )
        poll = None if poll_interval is None else poll_interval.total_seconds()
        if policy is None:
            policy = VenPolicy(poll_interval=poll, shortest_poll_interval=min(1.0, poll or 1.0))
        self._core = AutoVen(
            config,
            policy,
            sealer=PlainSealer(strict=strict),
            entropy=self._entropy,
            handlers=self._handlers,
            saved=None if store is None else store.load(),
        )
        self._driver: Driver | None = None
        self._stop: anyio.Event | None = None

    # --- what it knows -----------------------------------------------------------------------------------------------

    @property
    def ven_id(self) -> str:
        """Its id; empty until the VTN has given it one."""
        return self._core.ven.state.ven_id

    @property
    def registration_id(self) -> str:
        """The registration; empty where there is none."""
        return self._core.ven.state.registration_id

    @property
    def registered(self) -> bool:
        """Whether the VTN knows it."""
        return self._core.ven.state.registered

    @property
    def phase(self) -> Startup:
        """How far it has come."""
        return self._core.phase

    # --- handlers and reports ----------------------------------------------------------------------------------------

    def add_handler(self, name: str, handler: Callable[..., object]) -> None:
        """Declare a handler: a plain function, which runs in a thread, or a coroutine function.

        :param name: one of :data:`oadr_core.VEN_HANDLERS`.
        :param handler: takes the arguments that the name lists, or fewer of them.
        :raises LocalProtocolError: there is no handler of the name.
        """
        self._handlers.add(name, handler)

    def add_report(
        self,
        callback: Callable[..., object],
        resource_id: str | None = None,
        measurement: object = "power_real",
        *,
        report_specifier_id: str | None = None,
        r_id: str | None = None,
        report_name: str = "TELEMETRY_USAGE",
        report_duration: timedelta | None = None,
        **details: Any,
    ) -> tuple[str, str]:
        """Offer a data point.

        :param callback: reads it, at each sample: a function or coroutine function that returns a number, None where
            there is no value, or a dict with ``value`` and ``data_quality``.
        :param resource_id: the resource that it is read from.
        :param measurement: what it measures, such as ``power_real``; any other name makes a custom unit.
        :param report_specifier_id: the report that it belongs to; a report of its own if None.
        :param r_id: its id within the report; made up if None.
        :param report_name: the report profile.
        :param report_duration: how much data is kept; an hour, or the longest sampling period, if None.
        :param details: what else :func:`oadr_core.build.data_point` takes, such as ``sampling_rate``, ``unit`` and
            ``scale``.
        :returns: the ids of the report and of the data point.
        :raises LocalProtocolError: the offer breaks a rule; the text says which, and what would be right.
        """
        now = system_now()
        specifier_id = report_specifier_id or new_id(self._entropy)
        r_id = r_id or new_id(self._entropy)
        point = data_point(
            callback, r_id=r_id, resource_id=resource_id, measurement=measurement, report_name=report_name, **details
        )
        known_name, kept, points = self._points.get(specifier_id, (report_name, report_duration, []))
        if known_name != report_name:
            raise LocalProtocolError(f"the report {specifier_id!r} is {known_name}, not {report_name}")
        points = [*points, point]
        offer = make_offer(specifier_id, points, now.utc, report_name=report_name, report_duration=kept)
        self._core.offer(offer, {one.description.r_id: one.callback for one in points}, now)
        self._points[specifier_id] = (report_name, kept, points)
        self._pump()
        return specifier_id, r_id

    async def cancel_party_registration(self) -> None:
        """End the registration; the VEN does nothing more by itself then.

        :raises LocalProtocolError: there is no registration.
        """
        self._core.cancel_party_registration(system_now())
        self._pump()

    # --- running -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator["OpenADRClient"]:
        """Run the VEN while the body runs."""
        async with HttpCarrier(self._url, compression=self._compression) as carrier:
            driver = Driver(self._core, carrier=carrier, store=self._store, observe=self._observed)
            self._core.start(system_now())
            async with driver.running():
                self._driver = driver
                try:
                    yield self
                finally:
                    self._driver = None
                    self._core.stop(system_now())

    async def run(self) -> None:
        """Run the VEN until it is cancelled, or :meth:`stop` is called."""
        self._stop = anyio.Event()
        async with self.running():
            await self._stop.wait()

    async def stop(self) -> None:
        """End :meth:`run`."""
        if self._stop is not None:
            self._stop.set()

    def _pump(self) -> None:
        if self._driver is not None:
            self._driver.pump()

    def _observed(self, event: Event) -> None:
        written = line(event)
        if written is not None:
            _LOG.log(*written)
        if self._observe is not None:
            self._observe(event)



"""The VEN as a program: a client, its storage, and simulated loads."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from oadr_app.config import VenFile
from oadr_app.loads import SimulatedLoad
from oadr_app.stores import FileStore
from oadr_core import EiEvent, Event, EventStatus, SamplingRate, VenPolicy
from oadr_http import OpenADRClient, Store, Trace

_LONGEST: Final = 3600.0
"""Seconds between samples at most."""


class VenProgram:
    """A VEN with its storage and its loads.

    :param file: the configuration.
    :param store: keeps its state; the file of the configuration if None.
    :param observe: is told everything that the VEN tells.
    :param trace: takes every exchange.
    :param decide: says whether it takes part in an event, instead of the configuration.
    :raises OSError: the storage cannot be opened.
    """

    def __init__(
        self,
        file: VenFile,
        *,
        store: Store | None = None,
        observe: Callable[[Event], None] | None = None,
        trace: Trace | None = None,
        decide: Callable[[EiEvent], object] | None = None,
    ) -> None:
        self.file: Final = file
        self.loads: Final = [SimulatedLoad(load) for load in file.loads]
        self._own = None if store is not None else FileStore(file.state)
        poll = None if file.poll is None else file.poll.total_seconds()
        self.client: Final = OpenADRClient(
            file.name,
            file.vtn,
            ven_id=file.ven_id,
            strict=file.strict,
            typed=True,
            policy=VenPolicy(poll_interval=poll, shortest_poll_interval=min(1.0, poll or 1.0)),
            store=store or self._own,
            observe=observe,
            trace=trace,
        )
        self.client.add_handler("on_event", decide or self._decide)
        self.client.add_handler("on_update_event", decide or self._decide)
        rate = SamplingRate(
            min_period=file.sampling, max_period=max(file.sampling, type(file.sampling)(seconds=_LONGEST))
        )
        for load in self.loads:
            self.client.add_report(
                load.read,
                load.load.resource,
                "power_real",
                scale="k",
                report_specifier_id="telemetry-usage",
                r_id=f"{load.load.resource}-power",
                sampling_rate=rate,
            )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["VenProgram"]:
        """Run while the body runs."""
        try:
            async with self.client.running():
                yield self
        finally:
            if self._own is not None:
                self._own.close()

    async def _decide(self, event: EiEvent) -> str:
        """Take part in events, or not, as the configuration says; the loads follow."""
        cancelled = event.event_descriptor.event_status is EventStatus.CANCELLED
        for load in self.loads:
            if cancelled or self.file.opt == "optOut":
                load.decline(event)
            else:
                load.accept(event)
        return self.file.opt

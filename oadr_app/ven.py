"""The VEN as a program: a client, its storage, and what it reports."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import structs

from oadr_app.config import ConfigError, VenFile, VenPush, VenReport, Way
from oadr_app.deciding import opt_for
from oadr_app.file_store import FileStore
from oadr_app.loads import SimulatedLoad
from oadr_app.sources import CsvFile, source_of
from oadr_core import (
    EiEvent,
    Event,
    Limits,
    LocalProtocolError,
    OptType,
    PresentSignal,
    ProfileName,
    ReportName,
    SamplingRate,
    SignalName,
    StateError,
    VenPolicy,
    VenState,
    schedule_of,
)
from oadr_driver import DrivenVen, Store, Trace
from oadr_http import OpenADRClient as HttpClient
from oadr_http.client import without_password

_LONGEST: Final = timedelta(hours=1)
"""The time between samples at most."""

_HISTORY: Final = "history-usage"
"""The specifier of the report of what files say of the past."""

_MONTH: Final = timedelta(days=31)


class VenProgram:
    """A VEN with its storage and its loads.

    :param file: the configuration.
    :param store: keeps its state; the file of the configuration if None.
    :param observe: is told everything that the VEN tells.
    :param trace: takes every exchange.
    :param decide: says whether it takes part in an event, instead of the configuration.
    :param call_timeout: how long ``decide`` may take before the VEN answers without it.
    :param longest_wait: how long it waits at most before it tries again what did not get through.
    :raises OSError: the storage cannot be opened, or is damaged.
    :raises LocalProtocolError: two data points have one name, or one cannot be offered.
    :raises ConfigError: the source of a report cannot be used.
    """

    def __init__(
        self,
        file: VenFile,
        *,
        store: Store | None = None,
        observe: Callable[[Event], None] | None = None,
        trace: Trace | None = None,
        decide: Callable[[EiEvent], object] | None = None,
        call_timeout: timedelta = timedelta(seconds=60),
        longest_wait: timedelta = timedelta(minutes=1),
    ) -> None:
        self.file: Final = file
        self.loads: Final = [SimulatedLoad(load) for load in file.simulated]
        self._own = None if store is not None else FileStore(file.storage)
        try:
            self.client: Final = self._client(
                file,
                typed=True,
                call_timeout=call_timeout,
                longest_wait=longest_wait,
                store=store or self._own,
                observe=observe,
                trace=trace,
            )
            self._take_part_again(store or self._own)
            if file.openadr is ProfileName.V20B:
                self._offer()
            elif file.reports:
                raise ConfigError("a VEN of OpenADR 2.0a reports nothing; take out `reports`")
        except StateError as error:
            self.close()
            raise OSError(f"{file.storage}: {error}") from None
        except (LocalProtocolError, ConfigError):
            self.close()
            raise
        self.client.add_handler("on_event", decide or self._decide)
        self.client.add_handler("on_update_event", decide or self._decide)
        self.client.add_handler("on_event_status", self._follow)

    @staticmethod
    def _client(file: VenFile, **common: Any) -> DrivenVen:
        """Make the VEN, with the way to its VTN that the configuration names."""
        poll = None if file.poll is None else file.poll.total_seconds()
        common |= {
            "ven_id": file.ven_id,
            "strict": file.strict,
            "market_contexts": file.market_contexts,
            "group_ids": file.group_ids,
            "resource_ids": file.resource_ids,
            "party_ids": file.party_ids,
            "device_classes": file.device_classes,
            "signals": file.signals,
            "ven_limits": file.limits.for_ven(),
            "policy": VenPolicy(poll_interval=poll, shortest_poll_interval=min(1.0, poll or 1.0)),
        }
        if file.way is Way.XMPP:
            return _over_xmpp(file, common)
        return HttpClient(
            file.name,
            file.vtn,
            profile=file.openadr,
            fall_back=file.fall_back,
            limits=Limits(size=file.limits.body, tags=file.limits.tags),
            push=(file.push or VenPush()).how() if file.way is Way.PUSH else None,
            **common,
            **_identity(file),
        )

    @property
    def event_loop(self) -> str:
        """What it has to run on: XMPP needs asyncio."""
        return "asyncio" if self.file.way is Way.XMPP else "trio"

    @property
    def vtn(self) -> str:
        """Where its VTN is, for people."""
        if self.file.way is not Way.XMPP or self.file.xmpp is None:
            return without_password(self.file.vtn)
        return self.file.xmpp.vtn or self.file.xmpp.domain

    def _offer(self) -> None:
        """Offer the power of each load, and what else the configuration names."""
        for load in self.loads:
            self.client.add_report(
                load.read,
                load.load.resource,
                "power_real",
                scale="k",
                report_specifier_id="telemetry-usage",
                r_id=f"{load.load.resource}-power",
                sampling_rate=_rate(self.file.sampling),
            )
        recorded: list[tuple[VenReport, CsvFile]] = []
        for one in self.file.reports:
            sampling = one.sampling or self.file.sampling
            source = source_of(one, sampling)
            if isinstance(source, CsvFile) and source.has_times and _tells_history(one):
                recorded.append((one, source))
            if not one.is_history:
                self._offer_point(source.read, one, one.report_name, one.specifier, sampling_rate=_rate(sampling))
        kept = max((_kept(one, source) for one, source in recorded), default=None)
        for one, source in recorded:
            specifier = one.specifier if one.is_history else _HISTORY
            self._offer_point(source.recorded, one, ReportName.HISTORY_USAGE, specifier, report_duration=kept)

    def _offer_point(
        self, read: Callable[..., object], one: VenReport, report_name: str, specifier_id: str, **rest: Any
    ) -> None:
        self.client.add_report(
            read,
            one.resource,
            one.measurement,
            unit=one.unit,
            scale=one.scale,
            report_specifier_id=specifier_id,
            report_name=report_name,
            r_id=one.r_id,
            **rest,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["VenProgram"]:
        """Run while the body runs."""
        try:
            async with self.client.running():
                yield self
        finally:
            self.close()

    def close(self) -> None:
        """Close the storage; for those who did not run it."""
        if self._own is not None:
            self._own.close()

    # --- events ------------------------------------------------------------------------------------------------------

    async def _decide(self, event: EiEvent) -> str:
        """Take part in events, or not, as the configuration says."""
        return opt_for(event, self.file.decisions, self.file.opt)

    async def _follow(self, event_id: str, signals: Sequence[PresentSignal]) -> None:
        """Have the loads do what an event asks for from now on."""
        for load in self.loads:
            load.follow(event_id, _level(signals))

    def _take_part_again(self, store: Store | None) -> None:
        """After a restart, go on with what events ask for: what was told before is not told again."""
        blob = None if store is None else store.load().get("ven")
        if blob is None:
            return
        state, now = VenState.load(blob), datetime.now(UTC)
        schedules = [schedule_of(one) for one in state.ending]
        schedules += [schedule_of(one) for one in state.events if one.opt_type is OptType.OPT_IN]
        for schedule in schedules:
            for load in self.loads:
                load.follow(schedule.event.event_descriptor.event_id, _level(schedule.signals(now)))


def _tells_history(one: VenReport) -> bool:
    """Whether what a file says of the past is offered."""
    return one.is_history or (one.history and one.report_name == ReportName.TELEMETRY_USAGE)


def _kept(one: VenReport, source: CsvFile) -> timedelta:
    """How long a stretch of the past is offered."""
    return one.kept or max(source.reach, _MONTH)


def _rate(shortest: timedelta) -> SamplingRate:
    return SamplingRate(min_period=shortest, max_period=max(shortest, _LONGEST))


def _level(signals: Sequence[PresentSignal]) -> float:
    """What SIMPLE asks for: 0 normal to 3 special (rule 9)."""
    simple = (SignalName.SIMPLE, SignalName.SIMPLE_IN_LOWER_CASE)
    return max((one.value or 0.0 for one in signals if one.signal_name in simple), default=0.0)


def _over_xmpp(file: VenFile, common: dict[str, Any]) -> DrivenVen:
    from oadr_xmpp import (
        OpenADRClient as XmppClient,  # who does without XMPP does not wait for its library to be loaded
    )

    if file.xmpp is None:
        raise ConfigError("transport: there is no [xmpp], which says as whom the VEN logs in")
    if file.openadr is not ProfileName.V20B or file.fall_back:
        raise ConfigError("openadr: OpenADR 2.0a is spoken over HTTP alone")
    arguments = file.xmpp.arguments({} if file.signatures is None else file.signatures.arguments_over_xmpp())
    limits = structs.replace(arguments.pop("limits"), payload=file.limits.body, tags=file.limits.tags)
    return XmppClient(file.name, arguments.pop("jid"), limits=limits, **arguments, **common)


def _identity(file: VenFile) -> dict[str, Any]:
    """The arguments that say who a VEN is, and by what it knows its VTN."""
    signing = {} if file.signatures is None else file.signatures.arguments()
    if file.tls is None:
        return signing
    if not file.vtn.startswith("https:"):
        raise ConfigError(
            f"vtn: {without_password(file.vtn)} begins with http:, and there is [tls]; it must begin with https:"
        )
    return file.tls.arguments(signing)

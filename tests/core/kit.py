"""What the tests of the core share: events and offers, and a VTN with its VENs on a wire that a test controls."""

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from oadr_core import (
    VEN_HANDLERS,
    VTN_HANDLERS,
    ActivePeriod,
    AutoVen,
    AutoVtn,
    Available,
    CreatedPartyRegistration,
    CreateOpt,
    EiEvent,
    EiResponse,
    EventDescriptor,
    EventSignal,
    EventStatus,
    Handlers,
    Now,
    OptType,
    Output,
    Payload,
    Peer,
    PlainSealer,
    Report,
    ReportInterval,
    ReportRequest,
    ReportSpecifier,
    ResponseRequired,
    SignalType,
    SpecifierPayload,
    Target,
    Tolerance,
    Tolerate,
    Vavailability,
    VenConfig,
    VenPolicy,
    VtnConfig,
    VtnPolicy,
    data_point,
    encode,
    make_offer,
    read,
    signal_interval,
)
from oadr_core.core import Core
from oadr_core.testing import Flight, Host, ManualClock, Wire

NOON: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""When every test begins."""

HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
NONE: Final = timedelta(0)

_T = TypeVar("_T")


def event(
    event_id: str = "event",
    *,
    number: int = 0,
    begin: timedelta = MINUTE * 10,
    length: timedelta = HOUR,
    ramp_up: timedelta | None = None,
    startafter: timedelta | None = None,
    priority: int | None = None,
    status: EventStatus = EventStatus.FAR,
    required: ResponseRequired = ResponseRequired.ALWAYS,
    value: float = 1.0,
    target: Target | None = None,
) -> EiEvent:
    """An event that begins some time after noon."""
    return EiEvent(
        event_descriptor=EventDescriptor(
            event_id=event_id,
            modification_number=number,
            market_context="http://market.example",
            created_date_time=NOON,
            event_status=status,
            priority=priority,
        ),
        active_period=ActivePeriod(
            dtstart=NOON + begin,
            duration=length,
            notification=NONE,
            ramp_up=ramp_up,
            tolerance=None if startafter is None else Tolerance(tolerate=Tolerate(startafter=startafter)),
        ),
        event_signals=(
            EventSignal(
                intervals=(signal_interval(0, length, value),),
                signal_name="SIMPLE",
                signal_type=SignalType.LEVEL,
                signal_id="0",
            ),
        ),
        target=target or Target(),
        response_required=required,
    )


def offer(specifier_id: str = "usage", r_ids: tuple[str, ...] = ("load",), **rest: Any) -> Report:
    """An offer of telemetry, sampled every second to every five minutes, of which an hour is kept."""
    rate = {"min_period": timedelta(seconds=1), "max_period": MINUTE * 5}
    points = [data_point(len, r_id=r_id, resource_id="boiler", sampling_rate=rate) for r_id in r_ids]
    return make_offer(specifier_id, points, NOON, **rest)


def request(
    request_id: str = "request",
    *,
    specifier_id: str = "usage",
    r_ids: tuple[str, ...] = ("load",),
    granularity: timedelta = timedelta(seconds=10),
    back: timedelta = timedelta(seconds=30),
    begin: timedelta | None = NONE,
    length: timedelta = NONE,
) -> ReportRequest:
    """A request for a report, from some time after noon on; without an end where its length is zero."""
    interval = None if begin is None else ReportInterval(dtstart=NOON + begin, duration=length)
    return ReportRequest(
        report_request_id=request_id,
        report_specifier=ReportSpecifier(
            report_specifier_id=specifier_id,
            granularity=granularity,
            report_back_duration=back,
            report_interval=interval,
            specifier_payloads=tuple(SpecifierPayload(r_id=r_id) for r_id in r_ids),
        ),
    )


def create_opt(
    opt_id: str = "opt",
    *,
    event_id: str | None = None,
    number: int = 0,
    begin: timedelta = HOUR,
    length: timedelta = HOUR,
    opt_type: OptType = OptType.OPT_OUT,
    **rest: Any,
) -> CreateOpt:
    """An opt out of an event, or by a schedule that begins some time after noon."""
    stretch = Available(dtstart=NOON + begin, duration=length)
    return CreateOpt(
        opt_id=opt_id,
        opt_type=opt_type,
        opt_reason="x-schedule",
        ven_id="ven",
        vavailability=Vavailability(components=(stretch,)) if event_id is None else None,
        created_date_time=NOON,
        request_id=f"request for {opt_id}",
        event_id=event_id,
        modification_number=None if event_id is None else number,
        **rest,
    )


# --- one core by itself ----------------------------------------------------------------------------------------------


def drained(core: Core, now: Now) -> list[Output]:
    """Everything that a core has to do."""
    found = []
    while (output := core.next_output(now)) is not None:
        found.append(output)
    return found


def one(kind: type[_T], outputs: list[Output]) -> _T:
    """The only output of a kind."""
    (found,) = (output for output in outputs if isinstance(output, kind))
    return found


def asked(core: Core, message: Payload, now: Now, identity: str | None = None) -> list[Output]:
    """Everything that comes of a request."""
    core.receive_request(encode(message), peer=Peer(identity=identity), service=None, now=now)
    return drained(core, now)


def created(ven_id: str, registration_id: str) -> CreatedPartyRegistration:
    """The VTN's answer to a registration."""
    return CreatedPartyRegistration(
        response=EiResponse(),
        registration_id=registration_id,
        ven_id=ven_id,
        vtn_id="Grid",
        profiles=VtnConfig(vtn_id="Grid").profiles(),
    )


# --- a VTN and its VENs ----------------------------------------------------------------------------------------------

LogLine = tuple[str, str]
"""Who sent what: a name, and the name of a payload, in brackets where it is an answer."""


class Grid:
    """A VTN and some VENs on a wire, with everything that went over it.

    :param config: what the VTN is.
    :param vtn_handlers: the handlers of the VTN, which are run at once.
    :ivar log: every request and every answer, in order.
    """

    def __init__(
        self,
        config: VtnConfig | None = None,
        vtn_handlers: Mapping[str, Callable[..., object]] | None = None,
        vtn_policy: VtnPolicy | None = None,
    ) -> None:
        self.clock = ManualClock(NOON)
        self.wire = Wire()
        self.wire.default_route = "vtn"
        self.wire.on_transmit = lambda flight, transmit: self.log.append(
            (flight.source.name, transmit.message.message_type(), transmit.message, self.now.mono)
        )
        self.wire.on_reply = lambda host, flight, reply, body: self.log.append(
            (host.name, _shown(reply.message), reply.message, self.now.mono)
        )
        self.log: list[tuple[str, str, Payload | None, float]] = []
        self._config = config or VtnConfig(vtn_id="Grid")
        self._policy = vtn_policy
        self._handlers = vtn_handlers or {}
        self.host = Host("vtn", self._build_vtn)
        self.wire.add(self.host, self.now)
        self.hosts: dict[str, Host] = {}

    @property
    def now(self) -> Now:
        """The present."""
        return self.clock.now

    @property
    def vtn(self) -> AutoVtn:
        """The running VTN."""
        core = self.host.core
        assert isinstance(core, AutoVtn)
        return core

    def ven(self, name: str = "ven") -> AutoVen:
        """A running VEN."""
        core = self.hosts[name].core
        assert isinstance(core, AutoVen)
        return core

    def ven_id(self, name: str = "ven") -> str:
        """The id of a VEN."""
        return self.ven(name).ven.state.ven_id

    def _build_vtn(self, saved: Mapping[str, bytes], now: Now) -> AutoVtn:
        handlers = Handlers(VTN_HANDLERS, typed=True)
        for name, function in self._handlers.items():
            handlers.add(name, function)
        core = AutoVtn(
            self._config,
            self._policy,
            sealer=PlainSealer(),
            entropy=random.Random(self.host.boots if hasattr(self, "host") else 0),
            handlers=handlers,
            saved=saved,
        )
        core.start(now)
        return core

    def add_ven(
        self,
        name: str = "ven",
        *,
        pull: bool = True,
        handlers: Mapping[str, Callable[..., object]] | None = None,
        policy: VenPolicy | None = None,
        offers: Mapping[str, Callable[..., object]] | None = None,
        **config: Any,
    ) -> Host:
        """Add a VEN; its handlers are run at once, and so are the callbacks of what it offers, by their rIDs."""

        config = {"address": None if pull else name, **config}

        def build(saved: Mapping[str, bytes], now: Now) -> AutoVen:
            own = Handlers(VEN_HANDLERS, typed=True)
            for key, function in (handlers if handlers is not None else {"on_event": lambda event: "optIn"}).items():
                own.add(key, function)
            core = AutoVen(
                VenConfig(ven_name=name, pull=pull, **config),
                policy or VenPolicy(),
                sealer=PlainSealer(),
                entropy=random.Random(f"{name} {host.boots}"),
                handlers=own,
                saved=saved,
            )
            if offers:
                core.offer(offer(r_ids=tuple(offers)), offers)
            core.start(now)
            return core

        host = Host(name, build)
        self.hosts[name] = host
        self.wire.add(host, self.now)
        return host

    # --- what happens ------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Deliver everything and run every handler, until nothing moves."""
        self.wire.settle(self.now)
        while self._run_handlers(self.wire.hosts.values()):
            self.wire.settle(self.now)

    def _run_handlers(self, hosts: Iterable[Host]) -> bool:
        """Run the handlers that are called; tells whether there was any."""
        waiting = [(host, call) for host in hosts for call in host.calls]
        for host, call in waiting:
            assert call.function is not None
            self.wire.run(host, call, call.function(**call.arguments), self.now)
        return bool(waiting)

    def run(self, seconds: float) -> None:
        """Let time pass in which everything works."""
        end = self.now.mono + seconds
        self.drain()
        while (due := self.wire.next_timeout()) is not None and due <= end:
            self.clock.advance_to(due)
            self.wire.wake(self.now)
            self.settle()
        self.clock.advance_to(end)

    def run_without(self, host: Host, seconds: float) -> None:
        """Let time pass in which a host is off: whatever is sent to it cannot be delivered; the others go on."""
        end = self.now.mono + seconds
        while True:
            while moving := [flight for flight in self.wire.flights if self.wire.destination(flight) is host]:
                self.wire.lose(moving[0], self.now, told=True)
            others = [one for one in self.wire.hosts.values() if one is not host]
            wanted = [one.core.next_timeout() for one in others]
            due = min((one.at for one in wanted if one is not None), default=None)
            if due is None or due > end:
                break
            self.clock.advance_to(due)
            for other in others:
                other.core.handle_timeout(self.now)
                self.wire.drain(other, self.now)
            while self._run_handlers(others):
                pass
        self.clock.advance_to(end)

    def drain(self) -> None:
        """Have every core do what it was told, and see it through."""
        for host in self.wire.hosts.values():
            self.wire.drain(host, self.now)
        self.settle()

    # --- what has happened -------------------------------------------------------------------------------------------

    def said(self) -> list[LogLine]:
        """Who said what since the last time, in order."""
        lines = [(who, what) for who, what, _, _ in self.log]
        self.log.clear()
        return lines

    def messages(self, kind: type[_T]) -> list[_T]:
        """All messages of a kind since the log was last cleared."""
        return [message for _, _, message, _ in self.log if isinstance(message, kind)]

    def times(self, kind: type[Payload]) -> list[float]:
        """When requests of a kind were sent, in seconds since the beginning."""
        return [at for _, what, message, at in self.log if isinstance(message, kind) and not what.startswith("(")]

    def told(self, kind: type[_T], host: Host | None = None) -> list[_T]:
        """What was told of a kind."""
        return [one for one in (host or self.host).events if isinstance(one, kind)]


def _shown(message: Payload | None) -> str:
    return "(empty)" if message is None else f"({message.message_type()})"


def answer_of(flight: Flight) -> Payload:
    """The answer that is on its way."""
    return read(flight.answer).message

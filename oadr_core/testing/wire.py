"""Cores on a wire that loses, repeats, delays and reorders, without a socket, a thread or a clock of its own.

A :class:`Host` does what every driver does: it drains a core, keeps what it is told to save, and can be cut off in the
middle of that. A :class:`Wire` carries what the hosts send. Nothing here knows what a message means.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from oadr_core.clock import Now
from oadr_core.core import Core
from oadr_core.machines.exchange import Failure
from oadr_core.messages import Service
from oadr_core.outputs import Address, Call, Event, ExchangeId, InboundId, Reply, Save, Transmit
from oadr_core.seal import Peer


class PowerCut(Exception):
    """The power of a host failed while it was draining its core."""


class Flight:
    """A request on the wire, and the answer to it.

    :ivar source: the host that sent it.
    :ivar boot: which of the host's lives sent it; a later one does not know the exchange.
    :ivar exchange: the exchange at the source.
    :ivar to: where it goes.
    :ivar service: the endpoint.
    :ivar body: the document.
    :ivar inbound: the request at the destination, once it has arrived.
    :ivar answered: whether the destination has answered.
    :ivar answer: the answer.
    :ivar refusal: why the destination's transport refused, if it did.
    """

    def __init__(self, source: "Host", exchange: ExchangeId, to: Address, service: Service, body: bytes) -> None:
        self.source: Final = source
        self.boot = source.boots
        self.exchange: Final = exchange
        self.to: Final = to
        self.service: Final = service
        self.body: Final = body
        self.inbound: InboundId | None = None
        self.answered = False
        self.answer = b""
        self.refusal: Failure | None = None

    def copy(self) -> "Flight":
        """The same request once more, from nowhere: its answer will reach nobody."""
        again = Flight(self.source, self.exchange, self.to, self.service, self.body)
        again.boot = -1
        return again

    def __repr__(self) -> str:
        """What is on its way, in short."""
        name = re.search(rb":(oadr(?!Payload|SignedObject)\w+)", self.body)
        stands = "answered" if self.answered else "arrived" if self.inbound is not None else "sent"
        what = name[1].decode() if name else "?"
        return f"<{what} #{self.exchange} of {self.source.name} (life {self.boot}), {stands}>"


class Host:
    """A machine with a core, durable storage, and a power supply.

    :param name: its name, which its peers see as its address.
    :param build: makes the core from what is saved, and starts it.
    :param identity: what its transport proves about it.
    """

    def __init__(
        self, name: str, build: Callable[[Mapping[str, bytes], Now], Core], identity: str | None = None
    ) -> None:
        self.name: Final = name
        self.identity: Final = identity
        self.saved: Final[dict[str, bytes]] = {}
        self.calls: Final[list[Call]] = []
        self.events: Final[list[Event]] = []
        self.boots = 0
        self.fuse: int | None = None
        """After how many further outputs the power fails; None for never."""
        self.clock_error = timedelta(0)
        """By how much its wall clock is ahead of the others."""
        self._build = build
        self._core: Core | None = None

    def __repr__(self) -> str:
        """Its name, and which of its lives it leads."""
        return f"<{self.name}, life {self.boots}>"

    @property
    def core(self) -> Core:
        """The running core."""
        assert self._core is not None
        return self._core

    def reads(self, now: Now) -> Now:
        """What its own clocks show; the monotonic one is never wrong."""
        return Now(now.mono, now.utc + self.clock_error) if self.clock_error else now

    def boot(self, now: Now) -> None:
        """Start, or start again with nothing but what was saved."""
        self.boots += 1
        self.calls.clear()
        self.fuse = None
        self._core = self._build(dict(self.saved), self.reads(now))


class Wire:
    """Carries requests between hosts. What arrives when, and whether, is for the caller to say.

    Wherever it is told the present, each host reads that on its own clocks.
    """

    def __init__(self) -> None:
        self.hosts: Final[dict[str, Host]] = {}
        self.flights: Final[list[Flight]] = []
        self.default_route = ""
        """The host that requests without an address go to: the VTN."""
        self.on_transmit: Callable[[Flight, Transmit], None] | None = None
        """Is told of every request that leaves."""
        self.on_reply: Callable[[Host, Flight | None, Reply, bytes], None] | None = None
        """Is told of every answer that leaves, and of the request it answers, unless nobody waits for it any more."""
        self.on_deliver: Callable[[Flight], None] | None = None
        """Is told of every request that arrives."""
        self.on_over: Callable[[Flight], None] | None = None
        """Is told when a source is about to learn what has become of its request."""
        self._waiting: dict[tuple[str, int, InboundId], Flight] = {}

    def add(self, host: Host, now: Now) -> None:
        """Connect a host, and boot it."""
        self.hosts[host.name] = host
        self.boot(host, now)

    def boot(self, host: Host, now: Now) -> None:
        """Boot a host.

        What it had sent may still arrive. Connections on which it owes an answer break, and their sources learn of it.
        """
        host.boot(now)
        self.drain(host, now)
        for flight in [one for one in self.flights if self.destination(one) is host]:
            if flight.inbound is not None and not flight.answered:
                self.lose(flight, now, told=True)

    def destination(self, flight: Flight) -> Host:
        """The host that a request goes to."""
        return self.hosts[flight.to.base or self.default_route]

    # --- what a driver does ------------------------------------------------------------------------------------------

    def drain(self, host: Host, now: Now) -> None:
        """Perform the outputs of a core, in their order.

        :raises PowerCut: the fuse of the host blew; what was not performed is lost.
        """
        now_there = host.reads(now)
        while (output := host.core.next_output(now_there)) is not None:
            if host.fuse is not None:
                host.fuse -= 1
                if host.fuse < 0:
                    raise PowerCut
            if isinstance(output, Save):
                if output.blob is None:
                    host.saved.pop(output.key, None)
                else:
                    host.saved[output.key] = output.blob
            elif isinstance(output, Transmit):
                flight = Flight(host, output.exchange, output.to, output.service, output.render(now_there))
                self.flights.append(flight)
                if self.on_transmit is not None:
                    self.on_transmit(flight, output)
            elif isinstance(output, Reply):
                self._replied(host, output, now_there)
            elif isinstance(output, Call):
                host.calls.append(output)
            else:
                host.events.append(output)

    def _replied(self, host: Host, reply: Reply, now: Now) -> None:
        body = reply.render(now)
        flight = self._waiting.pop((host.name, host.boots, reply.inbound), None)
        if self.on_reply is not None:
            self.on_reply(host, flight, reply, body)
        if flight is not None:
            flight.answered, flight.answer, flight.refusal = True, body, reply.refusal

    def run(self, host: Host, call: Call, value: object, now: Now) -> None:
        """Have a handler return."""
        host.calls.remove(call)
        host.core.call_returned(call.call, value, now=host.reads(now))
        self.drain(host, now)

    # --- what the network does ---------------------------------------------------------------------------------------

    def deliver(self, flight: Flight, now: Now) -> None:
        """Have a request arrive. It may do so any number of times; the last arrival's answer counts."""
        host = self.destination(flight)
        if self.on_deliver is not None:
            self.on_deliver(flight)
        peer = Peer(flight.to.transport, flight.source.identity, flight.source.name)
        inbound = host.core.receive_request(
            flight.body, peer=peer, service=flight.service, now=host.reads(now), profile=flight.to.profile
        )
        flight.inbound = inbound
        self._waiting[host.name, host.boots, inbound] = flight
        self.drain(host, now)

    def answer(self, flight: Flight, now: Now, *, keep: bool = False) -> None:
        """Have the answer arrive at the source.

        :param keep: whether it stays on the wire, to arrive again.
        """
        if not keep:
            self.flights.remove(flight)
        if flight.boot != flight.source.boots:
            return  # the connection died with the host that had opened it
        self._over(flight)
        now_there = flight.source.reads(now)
        if flight.refusal is not None:
            flight.source.core.exchange_failed(flight.exchange, flight.refusal, now=now_there)
        else:
            flight.source.core.receive_response(flight.exchange, flight.answer, now=now_there)
        self.drain(flight.source, now)

    def lose(self, flight: Flight, now: Now, *, told: bool) -> None:
        """Lose a request or its answer, which nobody will see.

        :param told: whether the source learns of it at once, as with a broken connection, or never.
        """
        self.flights.remove(flight)
        flight.answered, flight.answer = False, b""
        if told and flight.boot == flight.source.boots:
            self._over(flight)
            flight.source.core.exchange_failed(flight.exchange, Failure.BROKEN, now=flight.source.reads(now))
            self.drain(flight.source, now)

    def _over(self, flight: Flight) -> None:
        if self.on_over is not None:
            self.on_over(flight)

    def settle(self, now: Now) -> None:
        """Deliver everything that is on the wire, at once and in order, until only handlers are waited for."""
        while True:
            moving = [one for one in self.flights if one.inbound is None or one.answered]
            if not moving:
                return
            if moving[0].inbound is None:
                self.deliver(moving[0], now)
            if moving[0].answered:
                self.answer(moving[0], now)

    # --- time --------------------------------------------------------------------------------------------------------

    def next_timeout(self) -> float | None:
        """The earliest moment at which a core wants to be woken, on the monotonic clock."""
        wanted = [host.core.next_timeout() for host in self.hosts.values()]
        return min((deadline.at for deadline in wanted if deadline is not None), default=None)

    def wake(self, now: Now) -> None:
        """Have every core do what is due."""
        for host in self.hosts.values():
            host.core.handle_timeout(host.reads(now))
            self.drain(host, now)

"""The world in which a VTN and its VENs live: what everything that happens in it has in common.

Whatever is drawn, it happens through here, so that somebody always looks: the judge at every message, the reader of
lists at every list and its answers, the diary of each application at what it is told.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from hypothesis.stateful import RuleBasedStateMachine

from oadr_core import (
    AutoVen,
    AutoVtn,
    Call,
    CancelReport,
    CreatedEvent,
    CreatePartyRegistration,
    DistributeEvent,
    Now,
    OptReceived,
    Payload,
    Poll,
    RegisteredReport,
    Reply,
    ReportDropped,
    ReportPayload,
    ReportsReceived,
    RequestEvent,
    Transmit,
    UpdatedReport,
    UpdateReport,
    VenRecord,
)
from oadr_core.auto.outbox import UnsentReport
from oadr_core.machines.delivery import Delivery
from oadr_core.state.reports import AcceptedRequest
from oadr_core.testing import Flight, Host, ManualClock, PowerCut, Wire
from tests.pair.actors import Ven, Vtn, asked_about
from tests.pair.diary import LITTLE
from tests.pair.documents import read_once
from tests.pair.judge import Judge
from tests.pair.ledger import Ledger
from tests.pair.lists import ListReader
from tests.pair.meters import Meter


class World(RuleBasedStateMachine):
    """A VTN, its VENs, and a wire between them."""

    vens: tuple[Ven, ...] = ()
    clocks_wander = False
    """Whether somebody sets clocks wrong in this world."""

    def begin(self, vens: list[Ven], seed: int, *, clocks_wander: bool, meter: Meter | None = None) -> None:
        """Power everything up."""
        self.clock = ManualClock()
        self.clocks_wander = clocks_wander
        self.judge = Judge("vtn")
        self.reader = ListReader()
        self.ledger = Ledger()
        self.ledger.strict = not clocks_wander
        self.wire = Wire()
        self.wire.default_route = "vtn"
        self.wire.on_transmit = self._transmitted
        self.wire.on_reply = self._replied
        self.wire.on_over = self._over
        self.wire.on_deliver = self._delivered
        self.vtn = Vtn(seed + 500, meter)  # no VEN makes the same ids
        for name, one in (("vtn", meter), *((ven.host.name, ven.meter) for ven in vens)):
            if one is not None:
                self.ledger.meters[name] = one
        self.vens = tuple(vens)
        self.spent: set[Flight] = set()
        """Answers that have arrived once; they may again."""
        self.wire.add(self.vtn.host, self.now)
        for ven in vens:
            ven.diary.editions, ven.diary.cancelled = self.vtn.editions, self.vtn.cancelled
            ven.diary.troubled = clocks_wander
            self.wire.add(ven.host, self.now)

    @property
    def now(self) -> Now:
        """The present, by clocks that are right."""
        return self.clock.now

    @property
    def hosts(self) -> list[Host]:
        """Everybody who has a core."""
        return [self.vtn.host, *(ven.host for ven in self.vens)]

    @property
    def calls(self) -> list[tuple[Host, Call]]:
        """The handlers that run."""
        return [(host, call) for host in self.hosts for call in host.calls]

    def ven_of(self, host: Host) -> Ven | None:
        """The VEN on a host; None where it is the VTN's."""
        return next((ven for ven in self.vens if ven.host is host), None)

    def clock_of(self, host: Host) -> datetime:
        """What the wall clock of a host shows."""
        return host.reads(self.now).utc

    def set_clock(self, host: Host, error: timedelta) -> None:
        """Set the wall clock of a host.

        :param error: by how much it is ahead from now on.
        """
        if error < host.clock_error:
            for ven in self.vens:
                little = host.clock_error - error <= LITTLE
                ven.set_back = ven.set_back or host is ven.host
                ven.set_back_a_little = ven.set_back_a_little or (little and host is ven.host)
                ven.vtn_set_back = ven.vtn_set_back or host is self.vtn.host
        host.clock_error = error

    # --- whatever happens --------------------------------------------------------------------------------------------

    def guarded(self, action: Callable[[], None]) -> None:
        """Do something during which the power of a host may fail; a host without power starts again."""
        with suppress(PowerCut):
            action()
        while dark := [host for host in self.hosts if host.fuse is not None and host.fuse < 0]:
            with suppress(PowerCut):
                self.boot(dark[0], cut=True)
        self.look()

    def boot(self, host: Host, *, cut: bool = False) -> None:
        """Start a host again, with what it had saved.

        :param cut: whether its power had failed; else it has done what it had to do.
        """
        self.hear(host, cut=cut)
        ven = self.ven_of(host)
        if ven is not None:
            ven.diary.wakes(host.saved if cut else None)
        self.ledger.started(host.name, self.clock_of(host), cut=cut)
        self.wire.boot(host, self.now)

    def run(self, host: Host, call: Call, said: object = "optIn") -> None:
        """Run a handler, and have it return.

        :param said: what it returns where it decides about an event.
        """
        ven = self.ven_of(host)
        if ven is not None and call.handler in ("on_event", "on_update_event"):
            ven.says(asked_about(call), said)
            self.wire.run(host, call, said, self.now)
        else:
            assert call.function is not None
            self.wire.run(host, call, call.function(**call.arguments), self.now)

    def fail(self, host: Host, call: Call) -> None:
        """Run a handler, and have it fail."""
        ven = self.ven_of(host)
        if ven is not None and call.handler in ("on_event", "on_update_event"):
            ven.says(asked_about(call), None)
        host.calls.remove(call)
        host.core.call_raised(call.call, ZeroDivisionError("no luck"), now=host.reads(self.now))
        self.wire.drain(host, self.now)

    def command(self, action: Callable[[AutoVtn, Now], object]) -> None:
        """The operator asks the VTN for something."""

        def give() -> None:
            action(self.vtn.core, self.vtn.host.reads(self.now))
            self.wire.drain(self.vtn.host, self.now)

        self.guarded(give)

    def ask(self, ven: Ven, action: Callable[[AutoVen, Now], object]) -> None:
        """The application of a VEN asks its VEN for something."""

        def say() -> None:
            action(ven.core, ven.host.reads(self.now))
            self.wire.drain(ven.host, self.now)

        self.guarded(say)

    # --- whoever looks -----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look at what the cores have just told, and at what they want of their applications."""
        for host in self.hosts:
            self.hear(host)
        for ven in self.vens:
            self._no_report_vanishes(ven)
            for call in ven.host.calls:
                if call.handler in ("on_event", "on_update_event"):
                    ven.is_asked(call)

    def hear(self, host: Host, *, cut: bool = False) -> None:
        """Look at what a core has told so far; where its power failed it may have been about to tell more."""
        ven = self.ven_of(host)
        if ven is not None:
            ven.diary.hear(host.events, ven.core.ven.state, self.clock_of(host), cut=cut)
            ven.dropped += [event.report_request_id for event in host.events if isinstance(event, ReportDropped)]
        for event in host.events:
            if isinstance(event, OptReceived):
                self._opt_is_kept(event)
            elif isinstance(event, ReportsReceived | ReportDropped):
                self._enter(host, event)
        host.events.clear()

    def _enter(self, host: Host, event: ReportsReceived | ReportDropped) -> None:
        """Enter into the ledger what is told of reports."""
        peer = self.vtn.host.name if host is not self.vtn.host else self._name_of(event.ven_id)
        if isinstance(event, ReportsReceived):
            self.ledger.arrives((peer, host.name), event.message)
        else:
            self.ledger.is_dropped((host.name, peer), event.report_request_id)

    def _name_of(self, ven_id: str) -> str:
        """The host of a VEN."""
        known = self.vtn.records.get(ven_id)
        if known is not None:
            return known.ven_name
        return next(ven.host.name for ven in self.vens if ven.core.ven.state.ven_id == ven_id)

    def _leaves(self, host: Host, peer: Host, message: Payload) -> None:
        """A document leaves."""
        ven = self.ven_of(host)
        served: Iterable[AcceptedRequest] = ()
        if ven is not None:
            served = ven.core.ven.state.report_requests
        elif (record := self._record_of(peer)) is not None:
            served = record.report_requests
        pending = [one.request.report_request_id for one in served]
        self.ledger.leaves((host.name, peer.name), message, pending, self.now)

    def _record_of(self, host: Host) -> VenRecord | None:
        """What the VTN remembers of a VEN."""
        ven = self.ven_of(host)
        return None if ven is None else self.vtn.records.get(ven.core.ven.state.ven_id)

    def _transmitted(self, flight: Flight, transmit: Transmit) -> None:
        """A request leaves."""
        self.judge.transmitted(flight, transmit, self.now)
        message = transmit.message
        self._leaves(flight.source, self.wire.destination(flight), read_once(flight.body).message)
        ven = self.ven_of(flight.source)
        if ven is None:
            if isinstance(message, DistributeEvent):
                self._list_is_made(read_once(flight.body).message, self._at_address(flight.to.base), None)
            return
        self.hear(ven.host, cut=True)  # there may be more to come
        if isinstance(message, CreatePartyRegistration):
            ven.latest_registration = flight.body
        elif isinstance(message, UpdateReport):
            kept = [UnsentReport.load(blob) for key, blob in ven.host.saved.items() if key.startswith("report/")]
            assert message.request_id in {one.request_id for one in kept}, "a report leaves unsaved"
        elif isinstance(message, CreatedEvent):
            cancelled = self.reader.read_answers(ven.host.name, ven.host.boots, message)
            ven.diary.answers(message, cancelled, ven.core.ven.state, self.clock_of(ven.host))

    def _replied(self, host: Host, flight: Flight | None, reply: Reply, body: bytes) -> None:
        """A request is answered."""
        self.judge.replied(host, flight, reply, body)
        if flight is None or reply.refusal is not None:
            return
        if body:
            self._leaves(host, flight.source, read_once(body).message)
        request = read_once(flight.body).message
        if host is not self.vtn.host and isinstance(request, DistributeEvent):
            self.reader.arrived(host.name, request.request_id)
        if host is not self.vtn.host or not body:
            return
        answer = read_once(body).message
        if isinstance(answer, DistributeEvent) and answer.response is not None and answer.response.ok:
            limit = request.reply_limit if isinstance(request, RequestEvent) else None
            self._list_is_made(answer, self.vtn.records[getattr(request, "ven_id", "")], limit)

    def _list_is_made(self, message: Payload, record: VenRecord, limit: int | None) -> None:
        """The VTN makes a list of events."""
        assert isinstance(message, DistributeEvent)
        events = self.vtn.events_of(record.ven_id)
        self.reader.read(message, events, record, limit, self.clock_of(self.vtn.host))

    def _at_address(self, address: str | None) -> VenRecord:
        return next(record for record in self.vtn.records.values() if record.address == address)

    def _delivered(self, flight: Flight) -> None:
        """A request arrives."""
        message = read_once(flight.body).message
        self.ledger.pass_by((flight.source.name, self.wire.destination(flight).name), message)
        if isinstance(message, RegisteredReport):
            destination = self.wire.destination(flight)
            link = (destination.name, flight.source.name)
            self.ledger.metadata_are_taken(link, message, self.clock_of(destination))
        ven = self.ven_of(flight.source)
        if ven is None:
            return
        if isinstance(message, CreatePartyRegistration):
            ven.usurped = ven.usurped or flight.body != ven.latest_registration
        elif isinstance(message, CreatedEvent):
            for one in message.event_responses or ():
                edition = (one.event_id, one.modification_number)
                self.reader.acknowledged.add((message.ven_id, edition))
        elif isinstance(message, UpdatedReport) and message.cancel_report is not None:
            self._vtn_learns_of_cancel(ven, message, message.cancel_report)

    def _vtn_learns_of_cancel(self, ven: Ven, message: UpdatedReport, cancel: CancelReport) -> None:
        """A pull VEN wants no more of a report of its VTN, which waits for that answer."""
        record = self._record_of(ven.host)
        offered = () if record is None else [one.message for one in record.queue if one.state is Delivery.OFFERED]
        waiting = {one.request_id for one in offered if isinstance(one, UpdateReport)}
        if message.response.request_id in waiting:
            self.ledger.is_cancelled_by_the_way((self.vtn.host.name, ven.host.name), cancel, self.now.utc)

    def _over(self, flight: Flight) -> None:
        """An exchange is over for the host that began it."""
        self.judge.over(flight)
        if flight.answered and flight.answer:
            self.ledger.pass_by(
                (self.wire.destination(flight).name, flight.source.name), read_once(flight.answer).message
            )
        ven = self.ven_of(flight.source)
        if ven is not None and flight.answered and flight.answer and ven.core.ven._sender.awaits(flight.exchange):
            message = read_once(flight.answer).message
            if isinstance(message, DistributeEvent):
                self.reader.arrived(flight.source.name, message.request_id)
            elif isinstance(message, RegisteredReport):
                link = (flight.source.name, self.vtn.host.name)
                self.ledger.metadata_are_taken(link, message, self.clock_of(flight.source))
            elif isinstance(message, UpdatedReport) and message.cancel_report is not None:
                self.ledger.is_cancelled_by_the_way(
                    (flight.source.name, self.vtn.host.name), message.cancel_report, self.now.utc
                )

    def _opt_is_kept(self, told: OptReceived) -> None:
        """What a VTN tells of an answer is about the event as it is, and survives whatever comes."""
        booking = self.vtn.book.get(told.event_id)
        assert booking is None or booking.number == told.modification_number, "an opt for a superseded modification"
        blob = self.vtn.host.saved.get(f"ven/{told.ven_id}")
        if blob is not None:  # else the registration has ended
            standings = VenRecord.load(blob).standings
            assert told.event_id in {one.event_id for one in standings if one.opt_type}, "an opt was not saved"

    def _no_report_vanishes(self, ven: Ven) -> None:
        """A report that a VEN keeps no longer is stored at the VTN, or the VEN has told that it is lost."""
        before = ven.unsent
        ven.unsent = {key: blob for key, blob in ven.host.saved.items() if key.startswith("report/")}
        if ven.unsent.keys() >= before.keys():
            return
        stored = {time: value for values in self.vtn.stored.values() for time, value in values.items()}
        for key in before.keys() - ven.unsent.keys():
            report = UnsentReport.load(before[key]).report
            if report.report_request_id in ven.dropped:
                ven.dropped.remove(report.report_request_id)
                continue
            read_then = {one.dtstart for one in report.intervals if one.payloads[0] == _as_read(ven, one.dtstart)}
            assert stored.keys() >= read_then, "a report was forgotten that the VTN never stored"

    # --- when all is well --------------------------------------------------------------------------------------------

    def heal(self, seconds: float) -> None:
        """Let some time pass in which everything works."""
        end = self.now.mono + seconds
        in_vain = 0
        while True:
            self.calm()
            due = self.wire.next_timeout()
            if due is None or due > end:
                break
            in_vain = in_vain + 1 if due <= self.now.mono else 0
            assert in_vain < 100, "a core wants to be woken at once, again and again"
            self.clock.advance_to(due)
            self.guarded(lambda: self.wire.wake(self.now))
        self.clock.advance_to(end)
        self.calm()
        for ven in self.vens:
            due = ven.core.next_timeout()
            rests = (due is None or due.at > self.now.mono) and not ven.core.ven.sending(Poll)
            if ven.pull and ven.runs and rests:
                self.judge.has_asked_for_all(ven.host)

    def calm(self) -> None:
        """Deliver everything and run every handler, until nothing moves."""
        while True:
            self.guarded(lambda: self.wire.settle(self.now))
            calls = self.calls
            if not calls:
                return
            for host, call in calls:
                if call in host.calls:
                    self.guarded(partial(self.run, host, call))


def _as_read(ven: Ven, due: datetime | None) -> ReportPayload | None:
    """What was read at a time; not the placeholder of a reading that came too late."""
    return None if due not in ven.readings else ReportPayload(r_id="load", value=ven.readings[due])

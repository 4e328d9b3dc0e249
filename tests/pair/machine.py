"""Two cores back to back over a wire that loses, repeats, delays and reorders, with restarts and power cuts.

Hypothesis draws what happens. Some things must hold all the time; others once the wire has healed: then everything that
was accepted must have arrived, and both sides must agree.
"""

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oadr_core import (
    VEN_HANDLERS,
    VTN_HANDLERS,
    ActivePeriod,
    AutoVen,
    AutoVtn,
    Call,
    CallId,
    CreatePartyRegistration,
    EiEvent,
    EventDescriptor,
    EventProceeds,
    EventSignal,
    EventStatus,
    Handlers,
    Now,
    OptReceived,
    PlainSealer,
    Registration,
    Report,
    ReportDescription,
    ReportDropped,
    ReportPayload,
    ReportWish,
    ResponseRequired,
    SamplingRate,
    SenderConfig,
    SignalType,
    Startup,
    Target,
    Transmit,
    UpdateReport,
    VenConfig,
    VenPolicy,
    VenRecord,
    VtnConfig,
    make_opt,
    measurement,
    signal_interval,
)
from oadr_core.auto.outbox import UnsentReport
from oadr_core.machines.event import EventAtVtn
from oadr_core.machines.report import ReportAtRequester
from oadr_core.state.opts import Scope
from oadr_core.testing import Flight, Host, ManualClock, PowerCut, Wire
from tests.pair.judge import Judge

SAMPLING = timedelta(seconds=10)
REPORTING = timedelta(seconds=30)
HEALING = timedelta(minutes=12)
"""How long everything works before both sides have to agree; all timeouts and pauses are shorter."""


def offer() -> Report:
    """What the VEN can report: one data point."""
    return Report(
        duration=timedelta(hours=1),
        report_descriptions=(
            ReportDescription(
                r_id="load",
                report_type="usage",
                reading_type="Direct Read",
                measurement=measurement("powerReal", scale="k"),
                report_data_source=Target(resource_id=("boiler",)),
                sampling_rate=SamplingRate(min_period=timedelta(seconds=1), max_period=timedelta(minutes=5)),
            ),
        ),
        report_request_id="0",
        report_specifier_id="usage",
        report_name="METADATA_TELEMETRY_USAGE",
        created_date_time=datetime.fromisoformat("2026-11-20T00:00:00Z"),
    )


class Ven:
    """A VEN and its application: a boiler that counts what it is asked."""

    def __init__(self, name: str, *, pull: bool, seed: int) -> None:
        self.pull = pull
        self.seed = seed
        self.readings: dict[datetime, float] = {}
        self.usurped = False
        """Whether a registration that it had sent earlier arrived after a later one, which it cannot know."""
        self.latest_registration = b""
        self.unsent: dict[str, bytes] = {}
        """The reports that it kept when it was last looked at."""
        self.proceeded: dict[str, EventProceeds] = {}
        """What it was told last of each event."""
        self.host = Host(name, self.build)

    def build(self, saved: Mapping[str, bytes], now: Now) -> AutoVen:
        """Make the core, as a driver does at its start."""
        handlers = Handlers(VEN_HANDLERS, typed=True)
        handlers.add("on_event", lambda event: "optIn")
        core = AutoVen(
            VenConfig(ven_name=self.host.name, pull=self.pull, address=None if self.pull else self.host.name),
            VenPolicy(registration_pause=120.0),
            sealer=PlainSealer(),
            entropy=random.Random(self.seed + 1000 * self.host.boots),
            handlers=handlers,
            saved=saved,
        )
        core.offer(offer(), {"load": self.read})
        core.start(now)
        return core

    def read(self, due: datetime) -> float:
        """Read the meter: the value tells when it was read, so that no other reading is like it."""
        value = self.readings[due] = due.timestamp()
        return value

    @property
    def core(self) -> AutoVen:
        """The running core."""
        core = self.host.core
        assert isinstance(core, AutoVen)
        return core


class Vtn:
    """A VTN and its application: it stores what it is told, durably."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.stored: dict[str, dict[datetime, float]] = {}
        self.host = Host("vtn", self.build)

    def build(self, saved: Mapping[str, bytes], now: Now) -> AutoVtn:
        """Make the core, as a driver does at its start."""
        handlers = Handlers(VTN_HANDLERS, typed=True)
        handlers.add("on_register_report", self.which_reports)
        core = AutoVtn(
            VtnConfig(vtn_id="Grid"),
            sealer=PlainSealer(),
            entropy=random.Random(self.seed + 1000 * self.host.boots),
            handlers=handlers,
            saved=saved,
            push=SenderConfig(),
        )
        core.start(now)
        return core

    def which_reports(self, ven_id: str, r_id: str) -> ReportWish:
        """Want everything."""

        def store(data: list[tuple[datetime, float]]) -> None:
            values = self.stored.setdefault(ven_id, {})
            for time, value in data:
                values[time] = value

        return ReportWish(r_id=r_id, sampling=SAMPLING, reporting=REPORTING, callback=store)

    @property
    def core(self) -> AutoVtn:
        """The running core."""
        core = self.host.core
        assert isinstance(core, AutoVtn)
        return core


class Pair(RuleBasedStateMachine):
    """A VTN and one or two VENs."""

    @initialize(
        modes=st.lists(st.booleans(), min_size=1, max_size=2),
        seed=st.integers(0, 2**16),
        settled=st.sampled_from([False, True, True]),
    )
    def boot(self, modes: list[bool], seed: int, settled: bool) -> None:
        """Power everything up; mostly let it come to its steady state, which few steps would reach on a bad wire."""
        self.clock = ManualClock()
        self.wire = Wire()
        self.wire.default_route = "vtn"
        self.judge = Judge("vtn")
        self.wire.on_transmit = self.transmitted
        self.wire.on_reply = self.judge.replied
        self.wire.on_over = self.judge.over
        self.wire.on_deliver = self.delivered
        self.vtn = Vtn(seed)
        self.vens = [Ven(f"ven{number}", pull=pull, seed=seed + number) for number, pull in enumerate(modes)]
        self.spent: set[Flight] = set()
        self.asked: set[tuple[Host, int, CallId]] = set()
        self.crashes = 0
        self.events = 0
        self.opts = 0
        self.wire.add(self.vtn.host, self.now)
        for ven in self.vens:
            self.wire.add(ven.host, self.now)
        if settled:
            self.heal(30.0)

    @property
    def now(self) -> Now:
        return self.clock.now

    @property
    def hosts(self) -> list[Host]:
        return [self.vtn.host, *(ven.host for ven in self.vens)]

    def transmitted(self, flight: Flight, transmit: Transmit) -> None:
        """A request leaves."""
        self.judge.transmitted(flight, transmit, self.now)
        for ven in self.vens:
            if flight.source is ven.host and isinstance(transmit.message, CreatePartyRegistration):
                ven.latest_registration = flight.body
            if flight.source is ven.host and isinstance(transmit.message, UpdateReport):
                kept = [UnsentReport.load(blob) for key, blob in ven.host.saved.items() if key.startswith("report/")]
                assert transmit.message.request_id in {one.request_id for one in kept}, "a report leaves unsaved"

    def delivered(self, flight: Flight) -> None:
        """A request arrives."""
        for ven in self.vens:
            if flight.source is ven.host and b"oadrCreatePartyRegistration" in flight.body:
                ven.usurped = ven.usurped or flight.body != ven.latest_registration

    def guarded(self, action: Callable[[], None]) -> None:
        """Do something during which the power of a host may fail; a host without power starts again."""
        with suppress(PowerCut):
            action()
        while dark := [host for host in self.hosts if host.fuse is not None and host.fuse < 0]:
            with suppress(PowerCut):
                self.wire.boot(dark[0], self.now)
        self.look()

    # --- the network -------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(flight.inbound is None for flight in self.wire.flights))
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        flight = data.draw(st.sampled_from([one for one in self.wire.flights if one.inbound is None]))
        self.guarded(lambda: self.wire.deliver(flight, self.now))

    @precondition(lambda self: self.wire.flights)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        flight = data.draw(st.sampled_from(self.wire.flights))
        self.guarded(lambda: self.wire.deliver(flight.copy(), self.now))

    @precondition(lambda self: any(flight.answered for flight in self.wire.flights))
    @rule(data=st.data(), keep=st.booleans())
    def answer(self, data: st.DataObject, keep: bool) -> None:
        flight = data.draw(st.sampled_from([one for one in self.wire.flights if one.answered]))
        again = flight in self.spent
        self.spent.add(flight)
        before = self.observable()
        self.guarded(lambda: self.wire.answer(flight, self.now, keep=keep))
        if again:
            assert before == self.observable(removed=not keep), "an answer counted twice"

    def observable(self, *, removed: bool = False) -> tuple[object, ...]:
        flights = len(self.wire.flights) + (1 if removed else 0)
        return flights, [len(host.calls) for host in self.hosts], [dict(host.saved) for host in self.hosts]

    @precondition(lambda self: self.wire.flights)
    @rule(data=st.data(), told=st.booleans())
    def lose(self, data: st.DataObject, told: bool) -> None:
        flight = data.draw(st.sampled_from(self.wire.flights))
        self.guarded(lambda: self.wire.lose(flight, self.now, told=told))

    # --- time --------------------------------------------------------------------------------------------------------

    @rule(extra=st.sampled_from([0.0, 0.0, 0.0, 0.01, 3.0, 100.0]))
    def tick(self, extra: float) -> None:
        """Let time pass until something is due, and a little beyond."""
        due = self.wire.next_timeout()
        if due is not None:
            self.clock.advance_to(due)
        self.clock.advance(extra)
        self.guarded(lambda: self.wire.wake(self.now))

    @rule(seconds=st.sampled_from([1.0, 15.0, 90.0]))
    def quiet(self, seconds: float) -> None:
        """Let some time pass in which everything works."""
        self.heal(seconds)

    @rule(count=st.integers(0, 3), told=st.booleans())
    def one_answer_is_lost(self, count: int, told: bool) -> None:
        """Let everything work until a few answers have arrived, and lose the next one."""
        for _ in range(100):
            answered = [flight for flight in self.wire.flights if flight.answered]
            sent = [flight for flight in self.wire.flights if flight.inbound is None]
            calls = [(host, call) for host in self.hosts for call in host.calls]
            if answered and count == 0:
                self.guarded(partial(self.wire.lose, answered[0], self.now, told=told))
                return
            if answered:
                count -= 1
                self.spent.add(answered[0])
                self.guarded(partial(self.wire.answer, answered[0], self.now))
            elif sent:
                self.guarded(partial(self.wire.deliver, sent[0], self.now))
            elif calls:
                self.guarded(partial(self.run, *calls[0]))
            else:
                self.tick(0.0)

    # --- the applications --------------------------------------------------------------------------------------------

    @precondition(lambda self: any(host.calls for host in self.hosts))
    @rule(data=st.data(), opt=st.sampled_from(["optIn", "optOut"]), raises=st.sampled_from([False, False, False, True]))
    def handler_returns(self, data: st.DataObject, opt: str, raises: bool) -> None:
        host, call = data.draw(st.sampled_from([(host, call) for host in self.hosts for call in host.calls]))
        if raises:
            host.calls.remove(call)
            self.guarded(lambda: self.raised(host, call))
        else:
            self.guarded(lambda: self.run(host, call, opt))

    def raised(self, host: Host, call: Call) -> None:
        host.core.call_raised(call.call, ZeroDivisionError("no luck"), now=self.now)
        self.wire.drain(host, self.now)

    def run(self, host: Host, call: Call, opt: str = "optIn") -> None:
        """Run a handler, and have it return."""
        if call.handler in ("on_event", "on_update_event"):
            self.wire.run(host, call, opt, self.now)
            return
        assert call.function is not None
        self.wire.run(host, call, call.function(**call.arguments), self.now)

    @precondition(lambda self: self.registered() and self.events < 6)
    @rule(data=st.data(), required=st.sampled_from(["always", "always", "never"]))
    def new_event(self, data: st.DataObject, required: str) -> None:
        ven_ids = data.draw(st.lists(st.sampled_from(self.registered()), min_size=1, unique=True))
        self.events += 1
        event = make_event(f"event{self.events}", self.now.utc, required)
        self.guarded(lambda: self.command(lambda core: core.vtn.add_event(event, ven_ids, self.now)))

    @precondition(lambda self: self.live_events())
    @rule(data=st.data(), value=st.sampled_from([0.0, 1.0, 2.0, 3.0]))
    def modify_event(self, data: st.DataObject, value: float) -> None:
        known = self.vtn.core.vtn.events[data.draw(st.sampled_from(self.live_events()))]
        event = with_value(known.event, value)
        self.guarded(lambda: self.command(lambda core: core.vtn.modify_event(event, self.now)))

    @precondition(lambda self: self.live_events())
    @rule(data=st.data())
    def cancel_event(self, data: st.DataObject) -> None:
        event_id = data.draw(st.sampled_from(self.live_events()))
        self.guarded(lambda: self.command(lambda core: core.vtn.cancel_event(event_id, self.now)))

    @precondition(lambda self: self.able_to_opt() and self.opts < 8)
    @rule(
        data=st.data(),
        opt_id=st.sampled_from("abc"),
        opt_type=st.sampled_from(["optIn", "optOut"]),
        resource=st.sampled_from([None, "boiler", "pump"]),
    )
    def ven_makes_a_schedule(self, data: st.DataObject, opt_id: str, opt_type: str, resource: str | None) -> None:
        ven = data.draw(st.sampled_from(self.able_to_opt()))
        stretch = {"dtstart": self.now.utc, "duration": timedelta(days=1)}
        self.opt(
            ven, opt_id=f"schedule {opt_id}", opt_type=opt_type, targets=targets(resource), vavailability=[stretch]
        )

    @precondition(lambda self: self.able_to_opt() and self.opts < 8)
    @rule(
        data=st.data(),
        opt_type=st.sampled_from(["optIn", "optOut"]),
        resource=st.sampled_from([None, "boiler", "pump"]),
    )
    def ven_opts_for_an_event(self, data: st.DataObject, opt_type: str, resource: str | None) -> None:
        ven = data.draw(st.sampled_from(self.able_to_opt()))
        events = [known.event for known in ven.core.ven.state.events]
        answered = [one for one in events if one.response_required is ResponseRequired.ALWAYS]
        if answered:
            event_id = data.draw(st.sampled_from([one.event_descriptor.event_id for one in answered]))
            self.opt(ven, opt_type=opt_type, targets=targets(resource), event_id=event_id)

    @precondition(lambda self: self.able_to_opt())
    @rule(data=st.data(), opt_id=st.sampled_from("abc"))
    def ven_cancels_a_schedule(self, data: st.DataObject, opt_id: str) -> None:
        ven = data.draw(st.sampled_from(self.able_to_opt()))

        def cancel() -> None:
            ven.core.cancel_opt(f"schedule {opt_id}", self.now)
            self.wire.drain(ven.host, self.now)

        self.guarded(cancel)

    def able_to_opt(self) -> list[Ven]:
        """The VENs that may say something about their availability."""
        ready = (Registration.REGISTERED, Registration.REREGISTERING)
        return [ven for ven in self.vens if ven.core.ven.registration in ready and ven.core.phase is not Startup.OFF]

    def opt(self, ven: Ven, **said: Any) -> None:
        """The application of a VEN opts in or out."""
        self.opts += 1
        opt = make_opt(random.Random(f"{ven.seed} {self.opts}"), self.now.utc, opt_reason="economic", **said)

        def create() -> None:
            ven.core.create_opt(opt, self.now)
            self.wire.drain(ven.host, self.now)

        self.guarded(create)

    @precondition(lambda self: self.registered())
    @rule(data=st.data())
    def request_reregistration(self, data: st.DataObject) -> None:
        ven_id = data.draw(st.sampled_from(self.registered()))
        self.guarded(lambda: self.command(lambda core: core.vtn.request_reregistration(ven_id, self.now)))

    @precondition(lambda self: self.registered())
    @rule(data=st.data())
    def vtn_cancels_registration(self, data: st.DataObject) -> None:
        ven_id = data.draw(st.sampled_from(self.registered()))
        self.guarded(lambda: self.command(lambda core: core.vtn.cancel_party_registration(ven_id, self.now)))

    @precondition(lambda self: any(ven.core.ven.registration is Registration.REGISTERED for ven in self.vens))
    @rule(data=st.data())
    def ven_cancels_registration(self, data: st.DataObject) -> None:
        """A VEN ends its registration, and is started anew later."""
        registered = [ven for ven in self.vens if ven.core.ven.registration is Registration.REGISTERED]
        ven = data.draw(st.sampled_from(registered))

        def cancel() -> None:
            ven.core.cancel_party_registration(self.now)
            self.wire.drain(ven.host, self.now)

        self.guarded(cancel)

    def command(self, action: Callable[[AutoVtn], object]) -> None:
        """The operator asks the VTN for something."""
        action(self.vtn.core)
        self.wire.drain(self.vtn.host, self.now)

    # --- crashes -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.crashes < 6)
    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        self.crashes += 1
        host = data.draw(st.sampled_from(self.hosts))
        self.guarded(lambda: self.wire.boot(host, self.now))

    @precondition(lambda self: self.crashes < 6 and self.registered())
    @rule(data=st.data())
    def vtn_loses_a_ven(self, data: st.DataObject) -> None:
        """An operator brings back an old copy of the VTN's state, in which a VEN is missing."""
        self.crashes += 1
        ven_id = data.draw(st.sampled_from(self.registered()))
        del self.vtn.host.saved[f"ven/{ven_id}"]
        self.guarded(lambda: self.wire.boot(self.vtn.host, self.now))

    @precondition(lambda self: self.crashes < 6)
    @rule(data=st.data(), outputs=st.integers(0, 6))
    def power_will_fail(self, data: st.DataObject, outputs: int) -> None:
        self.crashes += 1
        data.draw(st.sampled_from(self.hosts)).fuse = outputs

    # --- what must always hold ---------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look at what the cores have just told, and forget it."""
        for ven in self.vens:
            self.no_report_vanishes(ven)
            self.no_moment_comes_twice(ven)
        for host in self.hosts:
            for event in host.events:
                if isinstance(event, OptReceived):
                    self.opt_is_kept(event)
            host.events.clear()
        for ven in self.vens:
            for call in ven.host.calls:
                if call.handler == "on_event" and (ven.host, ven.host.boots, call.call) not in self.asked:
                    self.asked.add((ven.host, ven.host.boots, call.call))
                    self.not_decided(ven, call)

    def no_moment_comes_twice(self, ven: Ven) -> None:
        """What an application is told of an event is news each time, whatever happens to the VEN."""
        for event in ven.host.events:
            if isinstance(event, EventProceeds):
                assert ven.proceeded.get(event.event_id) != event, "a moment of an event was told twice"
                ven.proceeded[event.event_id] = event

    def opt_is_kept(self, told: OptReceived) -> None:
        """What a VTN tells of an answer is about the event as it is, and survives whatever comes."""
        known = self.vtn.core.vtn.events.get(told.event_id)
        assert known is None or known.modification_number == told.modification_number, (
            "an opt was recorded for a superseded modification"
        )
        blob = self.vtn.host.saved.get(f"ven/{told.ven_id}")
        if blob is not None:  # else the registration has ended
            standings = VenRecord.load(blob).standings
            assert told.event_id in {one.event_id for one in standings if one.opt_type}, "an opt was not saved"

    def no_report_vanishes(self, ven: Ven) -> None:
        """A report that a VEN keeps no longer is stored at the VTN, or the VEN has told that it is lost."""
        before = ven.unsent
        ven.unsent = {key: blob for key, blob in ven.host.saved.items() if key.startswith("report/")}
        if ven.unsent.keys() >= before.keys():
            return
        told = [event.report_request_id for event in ven.host.events if isinstance(event, ReportDropped)]
        stored = {time: value for values in self.vtn.stored.values() for time, value in values.items()}
        for key in before.keys() - ven.unsent.keys():
            report = UnsentReport.load(before[key]).report
            if report.report_request_id in told:
                told.remove(report.report_request_id)
                continue
            read = {one.dtstart for one in report.intervals if one.payloads[0] == self.as_read(ven, one.dtstart)}
            assert stored.keys() >= read, "a report was forgotten that the VTN never stored"

    def as_read(self, ven: Ven, due: datetime | None) -> ReportPayload | None:
        """What was read at a time; not the placeholder of a reading that came too late."""
        return None if due not in ven.readings else ReportPayload(r_id="load", value=ven.readings[due])

    def not_decided(self, ven: Ven, call: Call) -> None:
        event: Any = call.arguments["event"]
        for known in ven.core.ven.state.events:
            same = known.event.event_descriptor.event_id == event.event_descriptor.event_id
            number = known.event.event_descriptor.modification_number
            if same and number == event.event_descriptor.modification_number:
                assert known.opt_type is None, "the application is asked what it has decided already"

    @invariant()
    def nobody_is_stuck(self) -> None:
        if not hasattr(self, "vens"):
            return
        for ven in self.vens:
            if ven.core.phase is Startup.OFF:
                continue  # it has ended its registration
            waits = ven.core.next_timeout() is not None or ven.host.calls or not ven.core.ven.idle
            assert waits or not ven.pull, f"{ven.host.name} will never wake again, in phase {ven.core.phase}"

    def registered(self) -> list[str]:
        return sorted(self.vtn.core.vtn.vens)

    def live_events(self) -> list[str]:
        return [
            event_id
            for event_id, record in self.vtn.core.vtn.events.items()
            if record.event.event_descriptor.event_status is not EventStatus.CANCELLED
        ]

    # --- what must hold once the wire has healed ---------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "vens"):
            return
        for host in self.hosts:
            host.fuse = None
        for ven in self.vens:
            if ven.core.phase is Startup.OFF:
                self.wire.boot(ven.host, self.now)
        self.heal(HEALING.total_seconds())
        for ven in self.vens:
            self.agree(ven)

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

    def calm(self) -> None:
        """Deliver everything and run every handler, until nothing moves."""
        while True:
            self.guarded(lambda: self.wire.settle(self.now))
            calls = [(host, call) for host in self.hosts for call in host.calls]
            if not calls:
                return
            for host, call in calls:
                if call in host.calls:
                    self.guarded(partial(self.run, host, call))

    def agree(self, ven: Ven) -> None:
        core, vtn = ven.core, self.vtn.core.vtn
        assert core.phase is Startup.RUNNING
        assert core.ven.registration is Registration.REGISTERED
        state = core.ven.state
        record = vtn.vens[state.ven_id]
        assert record.registration_id == state.registration_id or ven.usurped
        self.agree_on_events(ven)
        self.agree_on_reports(ven)
        self.agree_on_opts(ven)

    def agree_on_events(self, ven: Ven) -> None:
        state = ven.core.ven.state
        record = self.vtn.core.vtn.vens[state.ven_id]
        standings = {one.event_id: one for one in record.standings}
        known = {one.event.event_descriptor.event_id: one for one in state.events}
        for event_id, event in self.vtn.core.vtn.events.items():
            if not self.vtn.core.vtn.is_for(state.ven_id, event_id):
                assert event_id not in known
                continue
            cancelled = event.event.event_descriptor.event_status is EventStatus.CANCELLED
            required = event.event.response_required.value == "always"
            if cancelled:
                assert event_id not in known, "the VEN goes on with a cancelled event"
                assert not required or standings[event_id].state is EventAtVtn.GONE, "a cancel was not acknowledged"
                continue
            assert known[event_id].event.event_descriptor.modification_number == event.modification_number
            assert known[event_id].event.event_signals[0].intervals == event.event.event_signals[0].intervals
            assert known[event_id].opt_type is not None
            if required:
                assert standings[event_id].state is EventAtVtn.SETTLED
                whole = state.opts.for_event(event_id, Scope())
                said = known[event_id].opt_type if whole is None else whole.opt_type  # rule 206
                assert standings[event_id].opt_type is said

    def agree_on_opts(self, ven: Ven) -> None:
        state = ven.core.ven.state
        record = self.vtn.core.vtn.vens[state.ven_id]
        assert state.unanswered_opts == (), "an opt is kept for ever"
        assert state.opts.schedules == record.opts.schedules, "the schedules differ"
        known = {one.event.event_descriptor.event_id for one in state.events}
        theirs = [one for one in record.opts.event_opts if one.event_id in known]
        assert [one for one in state.opts.event_opts if one.event_id in known] == theirs, "the opts for events differ"

    def agree_on_reports(self, ven: Ven) -> None:
        state = ven.core.ven.state
        record = self.vtn.core.vtn.vens[state.ven_id]
        pending = {one.request.report_request_id for one in state.report_requests}
        asked = {one.request.report_request_id for one in record.requests}
        assert pending == asked, "the pending lists differ"
        assert len(asked) == 1, "the VTN wants one report"
        assert all(one.state is ReportAtRequester.RUNNING for one in record.requests)
        assert ven.core.unsent == 0, "a report is kept for ever"
        stored = self.vtn.stored.get(state.ven_id, {})
        for time, value in stored.items():
            assert ven.readings[time] == value, "a reading was changed on its way"
        recent = [time for time in stored if time > self.now.utc - HEALING / 2]
        expected = int(HEALING / 2 / SAMPLING)
        assert len(recent) >= expected - 4, f"{len(recent)} of the last {expected} readings have come"


def targets(resource: str | None) -> Target:
    """A resource, or all."""
    return Target() if resource is None else Target(resource_id=(resource,))


def make_event(event_id: str, now: datetime, required: str) -> EiEvent:
    """An event that begins soon and outlives the test."""
    length = timedelta(hours=24)
    return EiEvent(
        event_descriptor=EventDescriptor(
            event_id=event_id,
            modification_number=0,
            market_context="http://market.example",
            created_date_time=now.replace(microsecond=0),
            event_status=EventStatus.FAR,
        ),
        active_period=ActivePeriod(
            dtstart=now.replace(microsecond=0) + timedelta(minutes=10), duration=length, notification=timedelta(0)
        ),
        event_signals=(
            EventSignal(
                intervals=(signal_interval(0, length, 1.0),),
                signal_name="SIMPLE",
                signal_type=SignalType.LEVEL,
                signal_id="0",
            ),
        ),
        response_required=ResponseRequired(required),
    )


def with_value(event: EiEvent, value: float) -> EiEvent:
    """The event with another value."""
    (signal,) = event.event_signals
    intervals = tuple(
        signal_interval(number, one.duration or timedelta(0), value) for number, one in enumerate(signal.intervals)
    )
    return msgspec.structs.replace(event, event_signals=(msgspec.structs.replace(signal, intervals=intervals),))

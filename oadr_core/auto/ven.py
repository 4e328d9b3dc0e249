"""A VEN that runs by itself: it registers, polls, answers, samples and reports, and recovers from whatever fails.

It stands on a :class:`~oadr_core.ven.Ven` and has the same surface, so the same driver drives either.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core.answers import response_in
from oadr_core.auto.asker import OFFERS, REPORTS, Asker
from oadr_core.auto.outbox import Outbox
from oadr_core.auto.report_wishes import ReportCallback, ReportRule
from oadr_core.auto.reporter import Reporter
from oadr_core.auto.serving import Key
from oadr_core.auto.timekeeper import Timekeeper
from oadr_core.build import DataPoint
from oadr_core.clock import Deadline, Now, Timers
from oadr_core.codes import ResponseCode
from oadr_core.decisions import EventDecision
from oadr_core.entropy import Entropy
from oadr_core.errors import LocalProtocolError
from oadr_core.handlers import Handler, Handlers
from oadr_core.machines.exchange import Failure
from oadr_core.machines.operations import ANSWERS_TO_VTN
from oadr_core.machines.registration import Registration
from oadr_core.machines.startup import STARTUP, Startup, StartupInput
from oadr_core.messages import (
    CreateOpt,
    CreatePartyRegistration,
    EventStatus,
    OptType,
    Payload,
    Poll,
    ProfileName,
    QueryRegistration,
    RegisterReport,
    Report,
    ReportRequest,
    RequestEvent,
    Response,
    Service,
    UpdateReport,
    is_zero,
    outruns,
)
from oadr_core.offers import METADATA
from oadr_core.outputs import (
    Call,
    CallId,
    Event,
    EventDecided,
    ExchangeAbandoned,
    ExchangeDone,
    ExchangeId,
    InboundId,
    OtherProfileFound,
    Output,
    PollsTooSeldom,
    Registered,
    RegistrationEnded,
    RegistrationRefused,
    ReportEnded,
    ReportRequested,
    ReregistrationRequested,
)
from oadr_core.seal import Peer, Sealer
from oadr_core.state.reports import AcceptedRequest
from oadr_core.state.ven import VenState
from oadr_core.ven import Ven, VenConfig
from oadr_core.ven.event_view import EventView, event_views


class VenPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a VEN runs by itself.

    :param query_first: whether it asks what the VTN supports before it registers.
    :param poll_interval: seconds between polls; None follows the VTN's wish.
    :param default_poll_interval: seconds between polls where the VTN has no wish.
    :param shortest_poll_interval: seconds between polls at least, whatever the VTN wishes.
    :param poll_jitter: by which share a poll may come later, so that not all VENs poll at once.
    :param check_interval: seconds after which a VEN that does not poll asks for its events to be sure, as it would not
        learn otherwise that its VTN has forgotten it, or cannot reach it; None for never.
    :param registration_retry: seconds before a registration that was refused is tried again.
    :param registration_pause: seconds before a VEN whose registration the VTN cancelled registers anew; None for never.
    :param report_rules: which reports of the VTN are asked for where no ``on_register_report`` handler says which.
    """

    query_first: bool = True
    poll_interval: float | None = None
    default_poll_interval: float = 10.0
    shortest_poll_interval: float = 1.0
    poll_jitter: float = 0.1
    check_interval: float | None = 3600.0
    registration_retry: float = 60.0
    registration_pause: float | None = 300.0
    report_rules: tuple[ReportRule, ...] = ()


class _Asks:
    """What the core asks: the application's handlers, and the two about reports of the VTN that are answered here."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    def __contains__(self, name: object) -> bool:
        return name in (OFFERS, REPORTS) or name in self._handlers


class _VenParty:
    """Where a VEN keeps report requests, those of the VTN and its own; there is no other peer."""

    def __init__(
        self,
        ven: Ven,
        handlers: Handlers,
        made: Callable[[Report, Now, bool, datetime | None], None],
        metadata: Callable[[Now], Sequence[Report]],
    ) -> None:
        self._ven = ven
        self._handlers = handlers
        self._made = made
        self._metadata = metadata

    @property
    def call_timeout(self) -> float:
        """Seconds that a callback may take."""
        return self._ven.config.call_timeout

    def new_call(self) -> CallId:
        """Make the id of a call."""
        return self._ven.new_call()

    def record(self, peer: str) -> VenState | None:
        """What is remembered of the VTN."""
        return self._ven.state if self._ven.state.registered else None

    def accepted(self, peer: str) -> tuple[AcceptedRequest, ...]:
        """The requests of the VTN."""
        return self._ven.state.report_requests

    def register(self, peer: str, report_request_id: str, now: Now) -> bool:
        """Answer a request of the VTN for metadata."""
        if self._ven.registration in (Registration.REGISTERED, Registration.REREGISTERING):
            self._ven.register_report(self._metadata(now), now, report_request_id=report_request_id)
        return True

    def made(
        self, key: Key, report: Report | None, now: Now, *, made: bool = True, last: bool, until: datetime | None = None
    ) -> None:
        """Keep a report, and send it."""
        if report is not None:
            self._made(report, now, last, until)
        self._ven.note_made(key[1], now, made=made, last=last, until=until)

    def next_report(self, told: Mapping[str, object]) -> tuple[Handler, Mapping[str, object]] | None:
        """Find the handler that makes whole reports."""
        function = self._handlers.get("next_report")
        return None if function is None else (function, {**told, "ven_id": self._ven.state.ven_id})

    def ask(self, peer: str, requests: Sequence[ReportRequest], now: Now) -> None:
        """Ask for reports."""
        self._ven.create_report(requests, now)

    def call_returned(self, call: CallId, value: object, *, now: Now) -> None:
        """Answer a question of the core."""
        self._ven.call_returned(call, value, now=now)

    def call_raised(self, call: CallId, error: BaseException, *, now: Now) -> None:
        """Tell the core that its question cannot be answered."""
        self._ven.call_raised(call, error, now=now)


_MOST_IN_A_ROW: Final = 50
"""After how many operations in a row a VEN stops asking for more at once: a VTN that never runs out is broken."""


class AutoVen:
    """The VEN that runs by itself.

    :param config: what it is.
    :param policy: how it runs.
    :param sealer: opens and seals documents.
    :param entropy: the source of ids and jitter.
    :param handlers: the application's handlers.
    :param saved: what an earlier run saved, by key.
    :raises StateError: something in ``saved`` is damaged.
    """

    def __init__(
        self,
        config: VenConfig,
        policy: VenPolicy | None = None,
        *,
        sealer: Sealer,
        entropy: Entropy,
        handlers: Handlers,
        saved: Mapping[str, bytes] | None = None,
    ) -> None:
        saved = saved or {}
        state = VenState.load(saved["ven"]) if "ven" in saved else None
        self.ven: Final = Ven(config, sealer=sealer, entropy=entropy, state=state, asks=_Asks(handlers))
        self.policy: Final = policy or VenPolicy()
        self._entropy = entropy
        self._handlers = handlers
        self._phase = Startup.OFF
        self._asked_again_until = 0.0  # on the monotonic clock
        self._in_a_row = 0
        self._poll_is_due = False  # and waits until the events are answered (rule 64)
        self._offers_renewed_until = 0.0  # on the monotonic clock
        self._timers: Timers[tuple[str, object]] = Timers()
        self._outputs: deque[Output] = deque()
        self._outbox = Outbox(self.ven, entropy, config.limits.unsent, self._outputs.append, saved)
        self._timekeeper = Timekeeper(self.ven, self._outputs.append, saved)
        party = _VenParty(self.ven, handlers, self._report_made, lambda now: self._reporter.metadata(now))
        self._reporter = Reporter(party, self._outputs.append, saved)
        rules = self.policy.report_rules
        self._asker = Asker(party, handlers, self._outputs.append, entropy, rules, "on_report")
        self._now: Now | None = None

    @property
    def phase(self) -> Startup:
        """How far it has come."""
        return self._phase

    @property
    def unsent(self) -> int:
        """How many reports were made and not yet confirmed."""
        return len(self._outbox)

    # --- what the application can ask for ----------------------------------------------------------------------------

    def offer(self, report: Report, points: Mapping[str, Handler | DataPoint], now: Now | None = None) -> None:
        """Offer a report.

        :param report: the offer, as oadrRegisterReport will hold it.
        :param points: for each rID the function or coroutine function that reads it, or the data point as
            :func:`oadr_core.build.data_point` describes it; see :func:`oadr_core.auto.readings.readings` for what a
            function may return.
        :param now: the present, where the VEN runs already.
        :raises LocalProtocolError: the offer breaks a rule, a data point has no callback, or the VEN speaks 2.0a.
        """
        if self._is_20a:
            raise LocalProtocolError("OpenADR 2.0a, which this VEN speaks, has no reports (section 7.1)")
        self._reporter.offer(report, points, now)
        if self._phase is Startup.RUNNING and now is not None:
            self.ven.register_report(self._reporter.metadata(now), now)

    def submit(
        self, report_specifier_id: str, r_id: str, value: object, now: Now, time: datetime | None = None
    ) -> None:
        """Hand over a value of a data point whose application owns its timing.

        A report holds the last value of each sampling interval. Values are kept until no report can need them, over a
        restart too.

        :param report_specifier_id: the report.
        :param r_id: the data point.
        :param value: what it shows; see :func:`oadr_core.auto.readings.readings`.
        :param now: the present.
        :param time: when that was; now if None.
        :raises LocalProtocolError: there is no such data point, its values are not submitted, the value is none, or its
            time has no time zone.
        """
        self._reporter.submit(report_specifier_id, r_id, value, now, time)

    def resend_report(
        self,
        report_request_id: str,
        now: Now,
        *,
        values: Mapping[str, object] | None = None,
        dtstart: datetime | None = None,
    ) -> None:
        """Send a report once more, as it was or corrected (rule 346).

        :param report_request_id: the request that it answers.
        :param now: the present.
        :param values: by data point, pairs of the time and the value that replaces the one of that time; or the value
            alone, where the report has one.
        :param dtstart: when the report begins; the last one if None.
        :raises LocalProtocolError: no such report is remembered, or it has no value of such a time.
        """
        self._send_report(
            self._outbox.put(self._reporter.corrected(report_request_id, values, dtstart, now, ""), now), now
        )

    def bind(self, report_request_id: str, r_id: str, callback: ReportCallback) -> None:
        """Have a callback take the values of a data point that the VTN was asked for by hand."""
        self._asker.bind("", report_request_id, r_id, callback)

    def attach(self, report_request_id: str, callback: ReportCallback) -> None:
        """Have a callback take what a request brings that was made before, as before a restart.

        :raises LocalProtocolError: the VTN was not asked for that.
        """
        self._asker.attach("", report_request_id, callback)

    def create_opt(self, opt: CreateOpt, now: Now) -> str:
        """Opt in or out; kept until the VTN has answered, which :class:`~oadr_core.outputs.OptConfirmed` tells.

        :param opt: what is said; see :meth:`oadr_core.ven.Ven.create_opt`.
        :returns: its id.
        :raises LocalProtocolError: the opt breaks a rule, or the VEN is not registered or has no opts.
        """
        made = self.ven.put_opt(opt, now)
        self._deliver_opts(now)
        return made.opt_id

    def cancel_opt(self, opt_id: str, now: Now) -> None:
        """Take all schedules of an id back; kept until the VTN has answered.

        :raises LocalProtocolError: the id was used for an event, or the VEN is not registered or has no opts.
        """
        self.ven.put_cancel_opt(opt_id, now)
        self._deliver_opts(now)

    def change_opt(self, event_id: str, decision: EventDecision, now: Now) -> None:
        """Take part in an event, or no longer, whatever was answered before; kept until the VTN has it.

        :param event_id: an event whose time is not over.
        :param decision: in or out, and if wanted why.
        :raises LocalProtocolError: see :meth:`oadr_core.ven.Ven.change_opt`.
        """
        running = self._phase is Startup.RUNNING  # else it goes with the answer to the list that is fetched (rule 405)
        self.ven.change_opt(event_id, decision, now, send=running)

    def events(self, now: Now) -> tuple[EventView, ...]:
        """The events that the VEN knows, as they stand; active ones first, the most urgent at the top (rule 15)."""
        return event_views(self.ven.state, now.utc)

    def active_events(self, now: Now) -> tuple[EventView, ...]:
        """Those of :meth:`events` that the VEN takes part in and that are active; what to do now is what they ask for.

        Where they ask for different things, the deployment decides (rule 18).
        """
        mine = (one for one in self.events(now) if one.opt_type is OptType.OPT_IN)
        return tuple(one for one in mine if one.status is EventStatus.ACTIVE)

    def _deliver_opts(self, now: Now) -> None:
        if self._phase is Startup.RUNNING:  # else once the events are here (rule 405)
            self.ven.deliver_opts(now)

    def start(self, now: Now) -> None:
        """Begin; with a saved registration, by registering again (rule 405).

        :raises LocalProtocolError: it was started before.
        """
        self._now = now
        if self._phase is not Startup.OFF:
            raise LocalProtocolError("the VEN was started before")
        if not self._is_20a:
            self._move(StartupInput.START)
        self._timekeeper.start(now)
        self._outbox.recover(now)
        for accepted in self.ven.state.report_requests:
            if not _is_for_metadata_once(accepted):  # that is answered with the offers that are told anyway
                self._reporter.begin("", accepted.request.report_request_id, now, resumed=True)
        self._reporter.resumed([("", one.request.report_request_id) for one in self.ven.state.report_requests])
        self._reporter.start(now)
        if self._is_20a:
            self._begin_in_20a(now)
        elif self.policy.query_first:
            self.ven.query_registration(now)
        else:
            self._move(StartupInput.QUERIED)
            self._register(now)

    def stop(self, now: Now) -> None:
        """Do nothing more by itself; what is under way is still answered."""
        self._rest(now)
        self._timekeeper.stop()

    def _rest(self, now: Now) -> None:
        """Send nothing more by itself. Events that run go on, or end as they should."""
        self._now = now
        if STARTUP.allows(self._phase, StartupInput.STOP):
            self._move(StartupInput.STOP)
        self._timers = Timers()
        self._reporter.stop()

    def create_party_registration(self, now: Now, *, anew: bool = False) -> None:
        """Register again although nothing asks for it, and then offer and fetch everything again.

        :param anew: register without ids, which makes the VTN forget what it knew, and ends all events (rule 406).
        :raises LocalProtocolError: it is not registered, or registers already.
        """
        if not STARTUP.allows(self._phase, StartupInput.ASKED_AGAIN):
            raise LocalProtocolError(f"the VEN {self._phase.value}; it can register again once it is registered")
        self.ven.create_party_registration(now, anew=anew)
        self._timers.stop(("poll", None))
        self._move(StartupInput.ASKED_AGAIN)

    def reached_at(self, address: str, now: Now) -> None:
        """Be reached by push at an address from now on; where the VTN knows another, register again.

        :param address: a base URL or a full JID.
        :param now: the present.
        :raises LocalProtocolError: the VEN polls.
        """
        self._now = now
        self.ven.reached_at(address, now)
        if self.ven.is_elsewhere and STARTUP.allows(self._phase, StartupInput.ASKED_AGAIN):
            self._register_elsewhere(now)

    def _register_elsewhere(self, now: Now) -> None:
        """Tell the VTN where we are reached now."""
        self._move(StartupInput.ASKED_AGAIN)
        self._register(now)

    def cancel_party_registration(self, now: Now) -> None:
        """End the registration, and stop (rule 407).

        :raises LocalProtocolError: there is no registration.
        """
        self.ven.cancel_party_registration(now)
        self._rest(now)

    # --- inputs ------------------------------------------------------------------------------------------------------

    def receive_request(
        self,
        body: bytes,
        *,
        peer: Peer,
        service: Service | None,
        now: Now,
        profile: ProfileName = ProfileName.V20B,
    ) -> InboundId:
        """Take a request that the VTN pushed; see :class:`~oadr_core.core.Core`."""
        self._now = now
        return self.ven.receive_request(body, peer=peer, service=service, now=now, profile=profile)

    def receive_response(self, exchange: ExchangeId, body: bytes, *, now: Now) -> None:
        """Take an answer of the VTN; see :class:`~oadr_core.core.Core`."""
        self._now = now
        self.ven.receive_response(exchange, body, now=now)

    def exchange_failed(self, exchange: ExchangeId, why: Failure, *, now: Now) -> None:
        """Take note that a request brought no answer; see :class:`~oadr_core.core.Core`."""
        self._now = now
        self.ven.exchange_failed(exchange, why, now=now)

    def call_returned(self, call: CallId, value: object, *, now: Now) -> None:
        """Take what a handler or a callback returned; see :class:`~oadr_core.core.Core`."""
        self._now = now
        if self._reporter.owns(call):
            self._reporter.returned(call, value, now)
        elif self._asker.owns(call):
            self._asker.returned(call, value, now)
        else:
            self.ven.call_returned(call, value, now=now)

    def call_raised(self, call: CallId, error: BaseException, *, now: Now) -> None:
        """Take note that a handler or a callback raised; see :class:`~oadr_core.core.Core`."""
        self._now = now
        if self._reporter.owns(call):
            self._reporter.raised(call, error, now)
        elif self._asker.owns(call):
            self._asker.raised(call, error, now)
        else:
            self.ven.call_raised(call, error, now=now)

    def handle_timeout(self, now: Now) -> None:
        """Do what is due; see :class:`~oadr_core.core.Core`."""
        self._now = now
        self.ven.handle_timeout(now)
        for kind, _ in self._timers.expired(now):
            if kind == "poll":
                self._poll(now)
            elif kind == "check":
                self._check(now)
            elif kind == "register":
                self._move(StartupInput.RETRY)
                self._register(now)
        self._reporter.handle_timeout(now)
        self._timekeeper.handle_timeout(now)

    def next_output(self, now: Now) -> Output | None:
        """Take the next thing to do; see :class:`~oadr_core.core.Core`."""
        self._now = now
        if self._outputs:
            return self._outputs.popleft()
        output = self.ven.next_output(now)
        if output is None:
            self._timekeeper.follow(now)
            output = self._outputs.popleft() if self._outputs else self.ven.next_output(now)
        if isinstance(output, Call):
            return self.next_output(now) if self._asker.take(output, now) else self._prepared(output)
        if isinstance(output, Event):
            self._react(output, now)
        return output

    def next_timeout(self) -> Deadline | None:
        """Say when to call ``handle_timeout``; see :class:`~oadr_core.core.Core`."""
        if self._now is None:
            return None
        found = (
            self.ven.next_timeout(),
            self._timers.next(self._now),
            self._reporter.next_timeout(self._now),
            self._timekeeper.next_timeout(self._now),
        )
        return min((deadline for deadline in found if deadline is not None), key=lambda one: one.at, default=None)

    def _prepared(self, call: Call) -> Call:
        """Turn a question of the core into a call of the application's handler."""
        told = dict(call.arguments)
        if "message" in told:
            told = {"payload": told["message"]}
        chosen = self._handlers.arguments(call.handler, told)
        return msgspec.structs.replace(call, arguments=chosen, function=self._handlers.get(call.handler))

    @property
    def _is_20a(self) -> bool:
        return self.ven.profile is ProfileName.V20A

    # --- the way to the steady state ---------------------------------------------------------------------------------

    def _move(self, given: StartupInput) -> None:
        self._phase = STARTUP.step(self._phase, given)
        self.ven.starting = self._phase not in (Startup.OFF, Startup.RUNNING)

    def _react(self, event: Event, now: Now) -> None:
        """Go on from what the core has told."""
        if self._phase is Startup.OFF:
            return
        if isinstance(event, OtherProfileFound) and event.falling_back:
            self._begin_in_20a(now)
        elif isinstance(event, ExchangeDone | ExchangeAbandoned):
            answer = event.answer if isinstance(event, ExchangeDone) else None
            self._exchanged(event.request, answer, now, given_up=isinstance(event, ExchangeAbandoned))
        elif isinstance(event, Registered):
            self._move(StartupInput.REGISTERED)
            if self.ven.is_elsewhere:  # it has moved meanwhile
                self._register_elsewhere(now)
            else:
                self._tell_offers(now)
        elif isinstance(event, RegistrationRefused):
            self._refused(event, now)
        elif isinstance(event, RegistrationEnded):
            self._ended(event, now)
        elif isinstance(event, ReregistrationRequested):
            if STARTUP.allows(self._phase, StartupInput.ASKED_AGAIN):
                self._move(StartupInput.ASKED_AGAIN)
                self._register_again(now)
        elif isinstance(event, ReportRequested):
            self._reporter.begin(event.ven_id, event.report_request_id, now)
        elif isinstance(event, ReportEnded):
            self._reporter.end(event.ven_id, event.report_request_id)
        elif isinstance(event, EventDecided) and event.opt_type is OptType.OPT_IN:
            self._look_at_length(event.event_id)
        if self._poll_is_due:
            self._poll(now)

    def _tell_offers(self, now: Now) -> None:
        """Tell all that can be reported; that answers who asked for it before a restart, and was not answered."""
        asked = [one.request.report_request_id for one in self.ven.state.report_requests if _is_for_metadata_once(one)]
        for request_id in asked:
            self.ven.note_made(request_id, now, last=True)
        self.ven.register_report(self._reporter.metadata(now), now, report_request_id=next(iter(asked), None))
        for request_id in asked[1:]:
            self.ven.register_report(self._reporter.metadata(now), now, report_request_id=request_id)

    def _look_at_length(self, event_id: str) -> None:
        """Tell if an event that we take part in is too short for how often we poll."""
        interval = timedelta(seconds=self._poll_interval())
        periods = [one.event.active_period for one in self.ven.state.events if one.event_id == event_id]
        if self.ven.config.pull and any(outruns(one, interval) for one in periods):
            self._outputs.append(PollsTooSeldom(event_id=event_id, interval=interval))

    def _begin_in_20a(self, now: Now) -> None:
        """Fetch the events, as there is nothing to register for."""
        self._move(StartupInput.PRESET)
        self.ven.request_event(now)

    def _register(self, now: Now) -> None:
        if self.ven.registration in (Registration.UNREGISTERED, Registration.REGISTERED):
            self._timers.stop(("poll", None))
            self.ven.create_party_registration(now)

    def _register_again(self, now: Now) -> None:
        """Do what the VTN asks for, but only now and then: one that has lost its register answers so to everything."""
        pause = self._asked_again_until - now.mono
        self._asked_again_until = now.mono + max(pause, 0.0) + self.policy.registration_retry
        if pause > 0:
            self._wait(StartupInput.REFUSED, pause, now)
        else:
            self._register(now)

    def _refused(self, event: RegistrationRefused, now: Now) -> None:
        if event.again:  # the ids are void: register as new
            self._move(StartupInput.LOST)
            self._register(now)
        else:
            self._wait(StartupInput.REFUSED, self.policy.registration_retry, now)

    def _ended(self, event: RegistrationEnded, now: Now) -> None:
        self._asker.forget("")
        if not event.by_peer:
            self._move(StartupInput.STOP)
        elif event.cancelled:
            self._wait(StartupInput.ENDED, self.policy.registration_pause, now)
        elif STARTUP.allows(self._phase, StartupInput.LOST):
            self._move(StartupInput.LOST)
            self._register(now)

    def _wait(self, given: StartupInput, pause: float | None, now: Now) -> None:
        self._move(given)
        self._timers.stop(("poll", None))
        if pause is not None:
            wait = pause * self._entropy.uniform(1 - self.policy.poll_jitter, 1 + self.policy.poll_jitter)
            self._timers.after(("register", None), now.mono + wait)

    def _exchanged(self, request: Payload, answer: Payload | None, now: Now, *, given_up: bool) -> None:
        """A request is done with: answered, refused or given up."""
        if isinstance(request, QueryRegistration) and self._phase is Startup.QUERYING:
            self._move(StartupInput.QUERIED)
            self._register(now)
        elif isinstance(request, CreatePartyRegistration) and given_up and self._phase is Startup.REGISTERING:
            self._wait(StartupInput.REFUSED, self.policy.registration_retry, now)
        elif isinstance(request, UpdateReport):
            self._outbox.confirmed(request, answer, given_up=given_up)
        if self.ven.registration is not Registration.REGISTERED:
            return  # the core will say what has happened
        if isinstance(request, RegisterReport) and self._phase is Startup.OFFERING:
            self._move(StartupInput.OFFERED)
            self._synchronise(now)
        elif isinstance(request, RequestEvent) and self._phase is Startup.SYNCHRONISING:
            self._run(now)
        elif self._phase is Startup.RUNNING and self._is_20a:
            if isinstance(request, RequestEvent):  # the list was complete, so there is no more to fetch at once
                self._plan_poll(now)
        elif self._phase is Startup.RUNNING and isinstance(request, UpdateReport):
            self._renew_offers(answer, now)
        elif self._phase is Startup.RUNNING and isinstance(request, Poll):
            operational = answer is not None and not isinstance(answer, Response)
            self._in_a_row = self._in_a_row + 1 if operational else 0
            self._plan_poll(now, at_once=operational and self._in_a_row < _MOST_IN_A_ROW)
        elif self._phase is Startup.RUNNING and self._in_a_row == 0 and type(request) in ANSWERS_TO_VTN:
            self._plan_poll(now, at_once=True)  # the VTN may have waited for this answer (decision D19)

    def _renew_offers(self, answer: Payload | None, now: Now) -> None:
        """A VTN that does not know a report that it had asked for has lost more than that: offer everything again.

        That makes it ask for what it wants (rule 306). A VTN that never knows is asked only now and then.
        """
        response = None if answer is None else response_in(answer)
        if (
            response is None
            or response.response_code != ResponseCode.INVALID_ID
            or now.mono < self._offers_renewed_until
        ):
            return
        self._offers_renewed_until = now.mono + self.policy.registration_retry
        self.ven.register_report(self._reporter.metadata(now), now)

    def _synchronise(self, now: Now) -> None:
        if self.ven.config.report_only:
            self._run(now)
        else:
            self.ven.request_event(now)

    def _run(self, now: Now) -> None:
        self._move(StartupInput.SYNCHRONISED)
        self._in_a_row = 0
        if self._is_20a:
            self._plan_poll(now)
            return
        self._outbox.deliver_all(now)
        self.ven.deliver_opts(now)
        self.ven.deliver_report_requests(now)
        self._plan_poll(now, at_once=True)
        self._plan_check(now)

    # --- polling -----------------------------------------------------------------------------------------------------

    def _plan_poll(self, now: Now, *, at_once: bool = False) -> None:
        """Poll again: at once while there may be more, else after the interval (rule 500)."""
        if not self.ven.config.pull or self.ven.polling:
            return
        wait = 0.0
        if not at_once:
            wait = self._poll_interval() * (1 + self._entropy.uniform(0, self.policy.poll_jitter))
        self._timers.after(("poll", None), now.mono + wait)

    def _plan_check(self, now: Now) -> None:
        """Be sure of the VTN now and then, where nothing else would show what has become of it."""
        interval = self.policy.check_interval
        if interval is not None and not self.ven.config.pull and not self.ven.config.report_only:
            jitter = self._entropy.uniform(1 - self.policy.poll_jitter, 1 + self.policy.poll_jitter)
            self._timers.after(("check", None), now.mono + interval * jitter)

    def _check(self, now: Now) -> None:
        if self._phase is Startup.RUNNING and self.ven.registration is Registration.REGISTERED:
            if not self.ven.sending(RequestEvent):
                self.ven.request_event(now)
            self._plan_check(now)

    def _poll_interval(self) -> float:
        wish = self.policy.poll_interval or self.ven.state.poll_freq or self.policy.default_poll_interval
        return max(wish, self.policy.shortest_poll_interval)

    def _poll(self, now: Now) -> None:
        self._poll_is_due = False
        if self._phase is not Startup.RUNNING or self.ven.polling:
            return
        if self._is_20a and self.ven.answering:
            self._poll_is_due = True
        elif self.ven.registration is Registration.REGISTERED:
            self.ven.poll(now)
        else:
            self._plan_poll(now)

    # --- reports -----------------------------------------------------------------------------------------------------

    def _report_made(self, report: Report, now: Now, last: bool, until: datetime | None) -> None:
        """Keep a report that is complete, then send it."""
        self._send_report(self._outbox.put(report, now, last=last, until=until), now)

    def _send_report(self, key: str, now: Now) -> None:
        if self._phase is Startup.RUNNING:
            self._outbox.deliver(key, now)


def _is_for_metadata_once(accepted: AcceptedRequest) -> bool:
    """Whether a request is one for the offers, once (rules 324 and 327)."""
    specifier = accepted.request.report_specifier
    return specifier.report_specifier_id == METADATA and is_zero(specifier.report_back_duration)

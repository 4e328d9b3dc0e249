"""A VEN that runs by itself: it registers, polls, answers, samples and reports, and recovers from whatever fails.

It stands on a :class:`~oadr_core.ven.Ven` and has the same surface, so the same driver drives either.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from oadr_core.answers import response_in
from oadr_core.blobs import VERSION, check_part, load
from oadr_core.clock import Deadline, Now, Timers, whole_seconds
from oadr_core.entropy import Entropy
from oadr_core.errors import LocalProtocolError
from oadr_core.handlers import Handler, Handlers, arguments
from oadr_core.machines.exchange import Failure
from oadr_core.machines.operations import ANSWERS_TO_VTN
from oadr_core.machines.registration import Registration
from oadr_core.machines.startup import STARTUP, Startup, StartupInput
from oadr_core.messages import (
    CreatePartyRegistration,
    Interval,
    Payload,
    Poll,
    QueryRegistration,
    RegisterReport,
    Report,
    RequestEvent,
    Response,
    Service,
    UpdateReport,
)
from oadr_core.offers import METADATA, data_name
from oadr_core.outputs import (
    Call,
    CallId,
    Event,
    ExchangeAbandoned,
    ExchangeDone,
    ExchangeId,
    HandlerFailed,
    InboundId,
    Output,
    Registered,
    RegistrationEnded,
    RegistrationRefused,
    ReportDropped,
    ReportEnded,
    ReportRequested,
    ReregistrationRequested,
    Save,
)
from oadr_core.rules import refuse
from oadr_core.sampling import Reading, Schedule, interval, reading, schedule
from oadr_core.seal import Peer, Sealer
from oadr_core.ven import Ven, VenConfig
from oadr_core.ven_state import VenState


class VenPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a VEN runs by itself.

    :param query_first: whether it asks what the VTN supports before it registers.
    :param poll_interval: seconds between polls; None follows the VTN's wish.
    :param default_poll_interval: seconds between polls where the VTN has no wish.
    :param shortest_poll_interval: seconds between polls at least, whatever the VTN wishes.
    :param poll_jitter: by which share a poll may come later, so that not all VENs poll at once.
    :param registration_retry: seconds before a registration that was refused is tried again.
    :param registration_pause: seconds before a VEN whose registration the VTN cancelled registers anew; None for never.
    :param most_unsent: how many reports are kept while the VTN cannot be reached; the oldest are dropped beyond.
    """

    query_first: bool = True
    poll_interval: float | None = None
    default_poll_interval: float = 10.0
    shortest_poll_interval: float = 1.0
    poll_jitter: float = 0.1
    registration_retry: float = 60.0
    registration_pause: float | None = 300.0
    most_unsent: int = 10_000


class UnsentReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report that was made and not yet confirmed, as a versioned blob.

    :param version: the version of the blob.
    :param request_id: the requestID that it is sent with, each time the same.
    :param report: the report.
    """

    version: int = 0
    request_id: str
    report: Report

    def dump(self) -> bytes:
        """Write the blob."""
        return msgspec.json.encode(msgspec.structs.replace(self, version=VERSION))

    @classmethod
    def load(cls, blob: bytes) -> "UnsentReport":
        """Read a blob.

        :raises StateError: the blob is damaged, or was written by a later version.
        """
        unsent = load(cls, blob, "UnsentReport")
        check_part(unsent.report, "UnsentReport")
        return unsent


class Offer(msgspec.Struct, frozen=True):
    """A report that can be asked for, and where its values come from.

    :param report: the offer as it is registered.
    :param callbacks: the callback of each data point.
    """

    report: Report
    callbacks: Mapping[str, Handler]


class _Sampling:
    """A report request that is being served."""

    def __init__(self, due: Schedule) -> None:
        self.schedule: Final = due
        self.next = due.first
        self.open: dict[int, dict[str, Reading | None]] = {}  # readings that callbacks are still taking
        self.done: dict[int, Interval] = {}

    def complete_reports(self) -> list[list[Interval]]:
        """Take the reports of which every reading is there."""
        complete = []
        for number in sorted({self.schedule.report_of(one) for one in self.done}):
            members = sorted(one for one in self.done if self.schedule.report_of(one) == number)
            waits = any(self.schedule.report_of(one) == number for one in self.open)
            more = self.schedule.report_of(self.next) == number and not self.schedule.completes(members[-1])
            if not waits and not more:
                complete.append([self.done.pop(one) for one in members])
        return complete


class _Sample(msgspec.Struct, frozen=True):
    """A reading that a callback is taking."""

    report_request_id: str
    number: int
    r_id: str


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
        self.ven: Final = Ven(config, sealer=sealer, entropy=entropy, state=state, asks=handlers)
        self.policy: Final = policy or VenPolicy()
        self._entropy = entropy
        self._handlers = handlers
        self._phase = Startup.OFF
        self._offers: dict[str, Offer] = {}
        self._sampling: dict[str, _Sampling] = {}
        self._samples: dict[CallId, _Sample] = {}
        self._unsent: dict[str, UnsentReport] = {
            key: UnsentReport.load(blob) for key, blob in sorted(saved.items()) if key.startswith("report/")
        }
        self._sent: dict[str, str] = {}  # the keys of reports that were handed to the VEN, by their requestID
        self._reports_made = max((int(key.partition("/")[2]) for key in self._unsent), default=0)
        self._in_a_row = 0
        self._timers: Timers[tuple[str, object]] = Timers()
        self._outputs: deque[Output] = deque()
        self._now: Now | None = None

    @property
    def phase(self) -> Startup:
        """How far it has come."""
        return self._phase

    @property
    def unsent(self) -> int:
        """How many reports were made and not yet confirmed."""
        return len(self._unsent)

    # --- what the application can ask for ----------------------------------------------------------------------------

    def offer(self, report: Report, callbacks: Mapping[str, Handler], now: Now | None = None) -> None:
        """Offer a report.

        :param report: the offer, as oadrRegisterReport will hold it.
        :param callbacks: for each rID the function or coroutine function that reads it; see
            :func:`oadr_core.sampling.reading` for what it may return.
        :param now: the present, where the VEN runs already.
        :raises LocalProtocolError: the offer breaks a rule, or a data point has no callback.
        """
        refuse(RegisterReport(request_id="0", reports=(report,)))
        missing = {one.r_id for one in report.report_descriptions} - set(callbacks)
        if missing:
            raise LocalProtocolError(f"the data points {', '.join(sorted(missing))} have no callback")
        self._offers[report.report_specifier_id] = Offer(report, callbacks)
        if self._phase is Startup.RUNNING and now is not None:
            self.ven.register_report(self._metadata(now), now)

    def start(self, now: Now) -> None:
        """Begin; with a saved registration, by registering again (rule 405).

        :raises LocalProtocolError: it was started before.
        """
        self._now = now
        if self._phase is not Startup.OFF:
            raise LocalProtocolError("the VEN was started before")
        self._move(StartupInput.START)
        for accepted in self.ven.state.report_requests:
            self._begin_sampling(accepted.request.report_request_id, now, resumed=True)
        if self.policy.query_first:
            self.ven.query_registration(now)
        else:
            self._move(StartupInput.QUERIED)
            self._register(now)

    def stop(self, now: Now) -> None:
        """Do nothing more by itself; what is under way is still answered."""
        self._now = now
        if STARTUP.allows(self._phase, StartupInput.STOP):
            self._move(StartupInput.STOP)
        self._timers = Timers()

    def cancel_party_registration(self, now: Now) -> None:
        """End the registration, and stop (rule 407).

        :raises LocalProtocolError: there is no registration.
        """
        self.ven.cancel_party_registration(now)
        self.stop(now)

    # --- inputs ------------------------------------------------------------------------------------------------------

    def receive_request(self, body: bytes, *, peer: Peer, service: Service | None, now: Now) -> InboundId:
        """Take a request that the VTN pushed; see :class:`~oadr_core.core.Core`."""
        self._now = now
        return self.ven.receive_request(body, peer=peer, service=service, now=now)

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
        if call not in self._samples:
            self.ven.call_returned(call, value, now=now)
            return
        try:
            taken = reading(value)
        except LocalProtocolError as error:
            self._sampled(call, None, f"returned what cannot be used: {error}", now)
        else:
            self._sampled(call, taken, None, now)

    def call_raised(self, call: CallId, error: BaseException, *, now: Now) -> None:
        """Take note that a handler or a callback raised; see :class:`~oadr_core.core.Core`."""
        self._now = now
        if call in self._samples:
            self._sampled(call, None, f"raised {type(error).__name__}: {error}", now)
        else:
            self.ven.call_raised(call, error, now=now)

    def handle_timeout(self, now: Now) -> None:
        """Do what is due; see :class:`~oadr_core.core.Core`."""
        self._now = now
        self.ven.handle_timeout(now)
        for kind, key in self._timers.expired(now):
            if kind == "poll":
                self._poll(now)
            elif kind == "register":
                self._move(StartupInput.RETRY)
                self._register(now)
            elif kind == "sample":
                self._sample(str(key), now)
            elif kind == "call" and key in self._samples:
                self._sampled(CallId(key), None, "took too long", now)

    def next_output(self, now: Now) -> Output | None:
        """Take the next thing to do; see :class:`~oadr_core.core.Core`."""
        self._now = now
        if self._outputs:
            return self._outputs.popleft()
        output = self.ven.next_output(now)
        if isinstance(output, Call):
            return self._prepared(output)
        if isinstance(output, Event):
            self._react(output, now)
        return output

    def next_timeout(self) -> Deadline | None:
        """Say when to call ``handle_timeout``; see :class:`~oadr_core.core.Core`."""
        if self._now is None:
            return None
        found = (self.ven.next_timeout(), self._timers.next(self._now))
        return min((deadline for deadline in found if deadline is not None), key=lambda one: one.at, default=None)

    def _prepared(self, call: Call) -> Call:
        """Turn a question of the core into a call of the application's handler."""
        told = dict(call.arguments)
        if "message" in told:
            told = {"payload": told["message"]}
        chosen = self._handlers.arguments(call.handler, told)
        return msgspec.structs.replace(call, arguments=chosen, function=self._handlers.get(call.handler))

    # --- the way to the steady state ---------------------------------------------------------------------------------

    def _move(self, given: StartupInput) -> None:
        self._phase = STARTUP.step(self._phase, given)

    def _react(self, event: Event, now: Now) -> None:
        """Go on from what the core has told."""
        if self._phase is Startup.OFF:
            return
        if isinstance(event, ExchangeDone | ExchangeAbandoned):
            answer = event.answer if isinstance(event, ExchangeDone) else None
            self._exchanged(event.request, answer, now, given_up=isinstance(event, ExchangeAbandoned))
        elif isinstance(event, Registered):
            self._move(StartupInput.REGISTERED)
            self.ven.register_report(self._metadata(now), now)
        elif isinstance(event, RegistrationRefused):
            self._refused(event, now)
        elif isinstance(event, RegistrationEnded):
            self._ended(event, now)
        elif isinstance(event, ReregistrationRequested):
            if STARTUP.allows(self._phase, StartupInput.ASKED_AGAIN):
                self._move(StartupInput.ASKED_AGAIN)
                self._register(now)
        elif isinstance(event, ReportRequested):
            self._begin_sampling(event.report_request_id, now)
        elif isinstance(event, ReportEnded):
            self._sampling.pop(event.report_request_id, None)
            self._timers.stop(("sample", event.report_request_id))

    def _register(self, now: Now) -> None:
        if self.ven.registration in (Registration.UNREGISTERED, Registration.REGISTERED):
            self._timers.stop(("poll", None))
            self.ven.create_party_registration(now)

    def _refused(self, event: RegistrationRefused, now: Now) -> None:
        if event.again:  # the ids are void: register as new
            self._move(StartupInput.LOST)
            self._register(now)
        else:
            self._wait(StartupInput.REFUSED, self.policy.registration_retry, now)

    def _ended(self, event: RegistrationEnded, now: Now) -> None:
        self._sent.clear()
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
            self._confirmed(request, answer, given_up=given_up)
        if self.ven.registration is not Registration.REGISTERED:
            return  # the core will say what has happened
        if isinstance(request, RegisterReport) and self._phase is Startup.OFFERING:
            self._move(StartupInput.OFFERED)
            self._synchronise(now)
        elif isinstance(request, RequestEvent) and self._phase is Startup.SYNCHRONISING:
            self._run(now)
        elif self._phase is Startup.RUNNING and isinstance(request, Poll):
            operational = answer is not None and not isinstance(answer, Response)
            self._in_a_row = self._in_a_row + 1 if operational else 0
            self._plan_poll(now, at_once=operational and self._in_a_row < _MOST_IN_A_ROW)
        elif self._phase is Startup.RUNNING and self._in_a_row == 0 and type(request) in ANSWERS_TO_VTN:
            self._plan_poll(now, at_once=True)  # the VTN may have waited for this answer (decision D19)

    def _synchronise(self, now: Now) -> None:
        if self.ven.config.report_only:
            self._run(now)
        else:
            self.ven.request_event(now)

    def _run(self, now: Now) -> None:
        self._move(StartupInput.SYNCHRONISED)
        self._in_a_row = 0
        for key in list(self._unsent):
            self._deliver(key, now)
        self._plan_poll(now, at_once=True)

    # --- polling -----------------------------------------------------------------------------------------------------

    def _plan_poll(self, now: Now, *, at_once: bool = False) -> None:
        """Poll again: at once while there may be more, else after the interval (rule 500)."""
        if not self.ven.config.pull or self.ven.sending(Poll):
            return
        wait = 0.0
        if not at_once:
            wait = self._poll_interval() * (1 + self._entropy.uniform(0, self.policy.poll_jitter))
        self._timers.after(("poll", None), now.mono + wait)

    def _poll_interval(self) -> float:
        wish = self.policy.poll_interval or self.ven.state.poll_freq or self.policy.default_poll_interval
        return max(wish, self.policy.shortest_poll_interval)

    def _poll(self, now: Now) -> None:
        if self._phase is not Startup.RUNNING or self.ven.sending(Poll):
            return
        if self.ven.registration is Registration.REGISTERED:
            self.ven.poll(now)
        else:
            self._plan_poll(now)

    # --- reporting ---------------------------------------------------------------------------------------------------

    def _metadata(self, now: Now) -> Sequence[Report]:
        made = whole_seconds(now.utc)
        return [msgspec.structs.replace(one.report, created_date_time=made) for one in self._offers.values()]

    def _begin_sampling(self, request_id: str, now: Now, *, resumed: bool = False) -> None:
        accepted = next(
            one for one in self.ven.state.report_requests if one.request.report_request_id == request_id
        )
        if accepted.request.report_specifier.report_specifier_id == METADATA:
            self.ven.note_delivery(request_id, now, last=True)
            self.ven.register_report(self._metadata(now), now, report_request_id=request_id)
            return
        sampling = _Sampling(schedule(accepted, now.utc if resumed else None))
        self._sampling[request_id] = sampling
        self._plan_sample(sampling, now)

    def _plan_sample(self, sampling: _Sampling, now: Now) -> None:
        due = sampling.schedule
        if not due.is_over(sampling.next):
            self._timers.at(("sample", due.report_request_id), due.due(sampling.next))
        elif not sampling.open and not sampling.done:  # its time passed while nobody could read
            self.ven.note_delivery(due.report_request_id, now, last=True)

    def _sample(self, request_id: str, now: Now) -> None:
        """Take the reading that is due: call every callback, and plan the next."""
        sampling = self._sampling.get(request_id)
        offer = None if sampling is None else self._offers.get(sampling.schedule.report_specifier_id)
        if sampling is None or offer is None:
            return
        number, due = sampling.next, sampling.schedule
        sampling.open[number] = dict.fromkeys(due.r_ids)
        sampling.next = due.after(number, now.utc)
        self._plan_sample(sampling, now)
        for r_id in due.r_ids:
            self._read(_Sample(request_id, number, r_id), offer.callbacks[r_id], due.due(number), now)

    def _read(self, sample: _Sample, callback: Handler, due: datetime, now: Now) -> None:
        call = self.ven.new_call()
        self._samples[call] = sample
        until = now.mono + self.ven.config.call_timeout
        self._timers.after(("call", call), until)
        told = arguments(callback, {"r_id": sample.r_id, "due": due})
        self._outputs.append(Call(call, "report", told, Deadline(until, "report"), callback))

    def _sampled(self, call: CallId, taken: Reading | None, wrong: str | None, now: Now) -> None:
        """A callback is done with."""
        sample = self._samples.pop(call)
        self._timers.stop(("call", call))
        if wrong is not None:
            self._outputs.append(HandlerFailed(handler=f"report {sample.r_id}", error=wrong))
        sampling = self._sampling.get(sample.report_request_id)
        if sampling is None or sample.number not in sampling.open:
            return
        readings = sampling.open[sample.number]
        readings[sample.r_id] = taken or Reading(value=None)
        complete = {r_id: one for r_id, one in readings.items() if one is not None}
        if len(complete) == len(readings):
            del sampling.open[sample.number]
            sampling.done[sample.number] = interval(sampling.schedule.due(sample.number), complete)
            for intervals in sampling.complete_reports():
                self._make_report(sampling, intervals, now)

    def _make_report(self, sampling: _Sampling, intervals: Sequence[Interval], now: Now) -> None:
        """Keep a report that is complete, then send it."""
        due = sampling.schedule
        offer = self._offers[due.report_specifier_id]
        report = Report(
            dtstart=intervals[0].dtstart,
            intervals=tuple(intervals),
            report_request_id=due.report_request_id,
            report_specifier_id=due.report_specifier_id,
            report_name=data_name(offer.report.report_name),
            created_date_time=whole_seconds(now.utc),
        )
        self._reports_made += 1
        key = f"report/{self._reports_made:012d}"
        unsent = UnsentReport(request_id=f"{self._entropy.getrandbits(128):032x}", report=report)
        self._unsent[key] = unsent
        self._outputs.append(Save(key, unsent.dump()))
        while len(self._unsent) > self.policy.most_unsent:
            self._drop(next(iter(self._unsent)), "more reports wait than may be kept")
        last = due.once or (not sampling.open and not sampling.done and due.is_over(sampling.next))
        self.ven.note_delivery(due.report_request_id, now, last=last)
        if self._phase is Startup.RUNNING:
            self._deliver(key, now)

    def _deliver(self, key: str, now: Now) -> None:
        unsent = self._unsent.get(key)
        registered = self.ven.registration in (Registration.REGISTERED, Registration.REREGISTERING)
        if unsent is not None and registered and unsent.request_id not in self._sent:
            self._sent[unsent.request_id] = key
            self.ven.update_report([unsent.report], now, request_id=unsent.request_id)

    def _confirmed(self, request: UpdateReport, answer: Payload | None, *, given_up: bool) -> None:
        """The VTN has a report, or will never take it."""
        key = self._sent.pop(request.request_id, None)
        if key is None or key not in self._unsent:
            return
        response = None if answer is None else response_in(answer)
        if given_up:
            self._drop(key, "the VTN does not take it")
        elif response is not None and not response.ok:
            self._drop(key, f"the VTN answered {response.response_code} {response.response_description or ''}".strip())
        else:
            del self._unsent[key]
            self._outputs.append(Save(key, None))

    def _drop(self, key: str, why: str) -> None:
        report_request_id = self._unsent.pop(key).report.report_request_id
        self._outputs.append(Save(key, None))
        self._outputs.append(ReportDropped(report_request_id=report_request_id, why=why))

"""What a VTN does about one input of one VEN: a pure function over the VEN's record.

``step`` looks at nothing but its arguments and changes nothing but its result, so a VTN may take it in memory, or inside
a database transaction on any of many machines. Questions to the application are part of the result; what it decides
comes back as an input of its own.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, TypeAlias

import msgspec

from oadr_core.answers import Refuser, response_in, response_to
from oadr_core.clock import Now
from oadr_core.codes import ResponseCode
from oadr_core.decisions import RegistrationDecision, registration_decision, report_requests, verdict
from oadr_core.entropy import Entropy, new_id
from oadr_core.machines.delivery import DELIVERY, Delivery, DeliveryInput
from oadr_core.machines.event import EVENT_AT_VTN, EventAtVtn, EventAtVtnInput
from oadr_core.machines.operations import VTN_OPERATIONS
from oadr_core.machines.report import REPORT_AT_REQUESTER, ReportAtRequester, ReportAtRequesterInput
from oadr_core.messages import (
    CanceledPartyRegistration,
    CanceledReport,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedPartyRegistration,
    CreatedReport,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    EiResponse,
    EventResponse,
    EventStatus,
    OptType,
    Payload,
    Poll,
    Profile,
    ProfileName,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportRequest,
    RequestEvent,
    Response,
    Transport,
    TransportName,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.offers import METADATA
from oadr_core.outputs import (
    Event,
    EventOffered,
    OptReceived,
    PeerMisbehaved,
    ReportsReceived,
    VenDeregistered,
    VenRegistered,
)
from oadr_core.vtn_events import by_event, has_to_be_told, is_awaited, is_listed, ordered, rendered
from oadr_core.vtn_record import (
    EventRecord,
    QueuedMessage,
    QueuedOperation,
    RequestedReport,
    Standing,
    VenRecord,
    digest,
    pack_offers,
)


class VtnConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a VTN is.

    :param vtn_id: its id, which every list of events carries.
    :param poll_freq: how often pull VENs are asked to poll.
    :param answer_timeout: how long the answer of a VEN to something that was handed out is awaited before it is handed
        out again (section 8.6 of the profile).
    :param transports: the transports that it serves.
    :param reports: what the VTN itself offers to report.
    :param call_timeout: seconds that a handler may take before policy decides instead of it.
    """

    vtn_id: str
    poll_freq: timedelta = timedelta(seconds=10)
    answer_timeout: timedelta = timedelta(seconds=60)
    transports: tuple[TransportName, ...] = (TransportName.SIMPLE_HTTP,)
    reports: tuple[Report, ...] = ()
    call_timeout: float = 60.0

    def profiles(self) -> tuple[Profile, ...]:
        """What the VTN supports, as its answers list it."""
        transports = tuple(Transport(transport_name=name) for name in self.transports)
        return (Profile(profile_name=ProfileName.V20B, transports=transports),)


# --- inputs and results ----------------------------------------------------------------------------------------------


class Asked(msgspec.Struct, frozen=True):
    """The VEN sends a request.

    :param message: the request.
    :param identity: what its transport proved about the sender.
    """

    message: Payload
    identity: str | None = None


class Decided(msgspec.Struct, frozen=True):
    """The application has decided about a request of the VEN."""

    message: Payload
    identity: str | None
    decision: Any


class Answered(msgspec.Struct, frozen=True):
    """A push VEN has answered an operation in the response to it; None for an empty response."""

    message: Payload | None


class Queue(msgspec.Struct, frozen=True):
    """The application wants the VEN to be asked something."""

    message: QueuedMessage


class Hand(msgspec.Struct, frozen=True):
    """The VEN can be handed something: a push VEN with nothing in flight."""


class PushFailed(msgspec.Struct, frozen=True):
    """What was handed to a push VEN did not reach it."""


class PushRefused(msgspec.Struct, frozen=True):
    """A push VEN finds what was handed to it unacceptable; it must not be sent again as it is."""


Input: TypeAlias = Asked | Decided | Answered | Queue | Hand | PushFailed | PushRefused


class Notice(msgspec.Struct, frozen=True):
    """Something that a handler is told of; its answer does not matter."""

    handler: str
    arguments: Mapping[str, object]


class Ask(msgspec.Struct, frozen=True):
    """Something that the application has to decide before the request is answered."""

    handler: str
    arguments: Mapping[str, object]
    read: Callable[[object], Any]
    otherwise: Any
    failing: Any


class Step(msgspec.Struct, frozen=True):
    """What comes of an input.

    :param record: the VEN's record afterwards; None where it is not, or no longer, registered.
    :param answer: the answer to the request, or what to hand to the VEN; None for an empty success, or for nothing.
    :param ask: what the application has to decide first; there is no answer yet then.
    :param events: news.
    :param notices: news for handlers.
    :param durable: whether the record has to be saved before the answer leaves.
    """

    record: VenRecord | None
    answer: Payload | None = None
    ask: Ask | None = None
    events: tuple[Event, ...] = ()
    notices: tuple[Notice, ...] = ()
    durable: bool = False


class Shared(msgspec.Struct, frozen=True):
    """What a step may look at beside the record.

    :param config: what the VTN is.
    :param entropy: the source of ids.
    :param events_of: finds the events of a VEN.
    """

    config: VtnConfig
    entropy: Entropy
    events_of: Callable[[str], Iterable[EventRecord]]


def step(record: VenRecord | None, given: Input, shared: Shared, now: Now) -> Step:
    """Take one input of one VEN.

    :param record: what is known of the VEN, or None.
    :param given: what has happened.
    :param shared: what may be looked at.
    :param now: the present.
    """
    turn = _Turn(record, shared, now)
    _TAKE_INPUT[type(given)](turn, given)
    return turn.result()


class _Turn:
    """A step while it is being taken."""

    def __init__(self, record: VenRecord | None, shared: Shared, now: Now) -> None:
        self.before = record
        self.record = record
        self.shared = shared
        self.config = shared.config
        self.now = now.utc
        self.answer: Payload | None = None
        self.question: Ask | None = None
        self.events: list[Event] = []
        self.notices: list[Notice] = []
        self._durable = False
        self._refuser = Refuser(shared.config.vtn_id, shared.config.profiles())

    def result(self) -> Step:
        """What has come of it."""
        return Step(
            self.record, self.answer, self.question, tuple(self.events), tuple(self.notices), self._durable
        )

    # --- helpers -----------------------------------------------------------------------------------------------------

    def ven(self) -> VenRecord:
        """The record, where there must be one."""
        assert self.record is not None
        return self.record

    def change(self, *, durable: bool = True, **changes: Any) -> None:
        """Change the record; ``durable`` says whether the change must survive a restart."""
        self.record = msgspec.structs.replace(self.ven(), **changes)
        self._durable |= durable

    def refuse(self, message: Payload, code: int, text: str) -> None:
        """Answer a request with an error."""
        ven_id = None if self.record is None else self.record.ven_id
        self.answer = self._refuser.refuse(message, code, text, ven_id)
        self.events.append(PeerMisbehaved(who=ven_id or "a VEN", what=f"{message.message_type()}: {text}", code=code))

    def acknowledge(self, message: Payload, code: int = ResponseCode.OK, text: str | None = None) -> None:
        """Answer with oadrResponse."""
        self.answer = Response(response=response_to(message, code, text), ven_id=self.ven().ven_id)

    def new_id(self) -> str:
        """Make an id."""
        return new_id(self.shared.entropy)

    # --- inputs ------------------------------------------------------------------------------------------------------

    def asked(self, given: Asked) -> None:
        """The VEN sends a request."""
        take = _TAKE_REQUEST.get(type(given.message))
        if take is None:
            text = f"a VTN does not take {given.message.message_type()}"
            self.refuse(given.message, ResponseCode.COMPLIANCE_ERROR, text)
        elif self.record is None and type(given.message) not in (QueryRegistration, CreatePartyRegistration):
            self.refuse(given.message, ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, "the VEN is not registered")
        else:
            take(self, given.message, given.identity)

    def decided(self, given: Decided) -> None:
        """The application has decided."""
        if self.record is None and not isinstance(given.message, CreatePartyRegistration):
            self.refuse(given.message, ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, "the registration has ended")
            return
        _TAKE_DECISION[type(given.message)](self, given.message, given.decision, given.identity)

    def answered(self, given: Answered) -> None:
        """A push VEN has answered in the response."""
        if self.record is not None and given.message is not None and type(given.message) in _TAKE_ANSWER:
            self.settle(given.message)
            self.answer = None

    def queue(self, given: Queue) -> None:
        """The application wants something of the VEN."""
        message = given.message
        self.change(queue=(*self.ven().queue, QueuedOperation(id=self.new_id(), message=message)))
        if isinstance(message, CreateReport):
            asked = tuple(RequestedReport(request=request) for request in message.report_requests)
            self.change(requests=(*self.ven().requests, *asked))
        elif isinstance(message, CancelReport):
            ending = set(message.report_request_id)
            self.move_requests(ending, ReportAtRequesterInput.CANCEL)

    def hand(self, given: Hand) -> None:
        """A push VEN is free."""
        if self.record is not None:
            self.offer(None)

    def push_failed(self, given: PushFailed) -> None:
        """What was offered did not get through: it waits to be offered again."""
        if self.record is None:
            return
        queue = tuple(
            msgspec.structs.replace(one, state=DELIVERY.step(one.state, DeliveryInput.EXPIRE), until=None)
            if one.state is Delivery.OFFERED
            else one
            for one in self.record.queue
        )
        standings = tuple(
            msgspec.structs.replace(one, state=EVENT_AT_VTN.step(one.state, EventAtVtnInput.EXPIRE), until=None)
            if one.state is EventAtVtn.TOLD
            else one
            for one in self.record.standings
        )
        self.change(durable=False, queue=queue, standings=standings)

    def push_refused(self, given: PushRefused) -> None:
        """What was offered is withdrawn; events are offered anew, with new times, when their answer is overdue."""
        if self.record is not None:
            left = [one for one in self.record.queue if one.state is not Delivery.OFFERED]
            self.change(queue=tuple(left))

    # --- registration ------------------------------------------------------------------------------------------------

    def query(self, message: Payload, identity: str | None) -> None:
        """Say what the VTN supports (rule 404)."""
        self.answer = self.created(message)

    def created(self, message: Payload) -> CreatedPartyRegistration:
        """Build the answer to a query; :meth:`confirm` adds the ids."""
        return CreatedPartyRegistration(
            response=response_to(message),
            vtn_id=self.config.vtn_id,
            profiles=self.config.profiles(),
            requested_oadr_poll_freq=self.config.poll_freq,
        )

    def register(self, message: Payload, identity: str | None) -> None:
        """A VEN wants to be registered, or registered again (rules 400, 402 and 406)."""
        assert isinstance(message, CreatePartyRegistration)
        known = self.record
        wrong = _wrong_registration(message, self.config)
        if wrong is not None:
            self.refuse(message, ResponseCode.INVALID_DATA, wrong)
        elif message.registration_id and known is None:
            self.refuse(message, ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, "the VEN is not registered")
        elif message.registration_id and known is not None and not _same_ids(message, known):
            self.refuse(message, ResponseCode.INVALID_ID, "the ids are not those of the registration")
        elif known is not None and known.registered_with == digest(message):
            self.confirm(message)  # the answer was lost, and the request came again
        else:
            arguments = {"message": message, "identity": identity}
            self.question = Ask("on_create_party_registration", arguments, registration_decision, RegistrationDecision(), _FAILED)

    def take_registration(self, message: Payload, decision: Any, identity: str | None) -> None:
        """The application has decided about a registration."""
        assert isinstance(message, CreatePartyRegistration)
        assert isinstance(decision, RegistrationDecision)
        if not decision.accepted:
            self.refuse(message, decision.code, decision.description or "the VTN does not register this VEN")
            return
        again = bool(message.registration_id) and self.record is not None and _same_ids(message, self.record)
        if again:
            self.change(**_what_a_ven_says(message, identity))
        else:
            known = self.record.ven_id if self.record is not None else None
            self.record = VenRecord(
                ven_id=decision.ven_id or known or message.ven_id or self.new_id(),
                registration_id=decision.registration_id or self.new_id(),
                **_what_a_ven_says(message, identity),
            )
            # the VTN's own metadata come before its other operations (rules 301 and 309)
            own = RegisterReport(request_id=self.new_id(), reports=self.config.reports, ven_id=self.record.ven_id)
            self.change(queue=(QueuedOperation(id=self.new_id(), message=own),))
        self.events.append(
            VenRegistered(ven_id=self.ven().ven_id, ven_name=self.ven().ven_name, again=again)
        )
        self.confirm(message)

    def confirm(self, message: Payload) -> None:
        """Answer a registration with its ids (rule 403)."""
        self.answer = msgspec.structs.replace(
            self.created(message), ven_id=self.ven().ven_id, registration_id=self.ven().registration_id
        )

    def deregister(self, message: Payload, identity: str | None) -> None:
        """The VEN ends its registration: everything about it is forgotten (rule 407)."""
        assert isinstance(message, CancelPartyRegistration)
        if message.registration_id != self.ven().registration_id:
            self.refuse(message, ResponseCode.INVALID_ID, "the registrationID is not that of the registration")
            return
        self.answer = CanceledPartyRegistration(
            response=response_to(message), registration_id=message.registration_id, ven_id=self.ven().ven_id
        )
        self.forget(by_peer=True)
        self.notices.append(Notice("on_cancel_party_registration", {"message": message}))

    def forget(self, *, by_peer: bool) -> None:
        """The registration ends."""
        self.events.append(VenDeregistered(ven_id=self.ven().ven_id, by_peer=by_peer))
        self.record = None
        self._durable = True

    # --- what there is for the VEN -----------------------------------------------------------------------------------

    def poll(self, message: Payload, identity: str | None) -> None:
        """Hand out one thing, or say that there is none (rule 500)."""
        self.offer(message)
        if self.answer is None:
            self.acknowledge(message)

    def offer(self, poll: Payload | None) -> None:
        """Choose what to hand out: control of the registration, own metadata, events, then the rest in order."""
        record = self.ven()
        waiting = [one for one in record.queue if not self.is_offered(one)]
        urgent = [one for one in waiting if VTN_OPERATIONS[type(one.message)].urgent]
        if urgent:
            self.hand_out(urgent[0])
            return
        told = by_event(record.standings)
        events = self.listed()
        if len(waiting) < len(record.queue) or any(is_awaited(one, told.get(one.event_id), self.now) for one in events):
            return  # an answer is outstanding (decision D19)
        metadata = [one for one in waiting if isinstance(one.message, RegisterReport)]
        if metadata:
            self.hand_out(metadata[0])
        elif any(has_to_be_told(one, told.get(one.event_id), self.now) for one in events):
            self.distribute(poll, None)
        elif waiting:
            self.hand_out(waiting[0])

    def is_offered(self, operation: QueuedOperation) -> bool:
        """Whether an operation was handed out, and its answer is still awaited."""
        return operation.state is Delivery.OFFERED and operation.until is not None and self.now < operation.until

    def hand_out(self, operation: QueuedOperation) -> None:
        """Hand an operation out; it stays queued until it is answered."""
        self.answer = operation.message
        offered = msgspec.structs.replace(
            operation, state=Delivery.OFFERED, until=self.now + self.config.answer_timeout
        )
        queue = tuple(offered if one is operation else one for one in self.ven().queue)
        self.change(durable=False, queue=queue)

    def request_event(self, message: Payload, identity: str | None) -> None:
        """The VEN asks for all its events."""
        assert isinstance(message, RequestEvent)
        self.distribute(message, message.reply_limit)

    def listed(self) -> list[EventRecord]:
        """The events that belong into the VEN's list now."""
        told = by_event(self.ven().standings)
        events = self.shared.events_of(self.ven().ven_id)
        return [one for one in events if is_listed(one, told.get(one.event_id), self.now)]

    def distribute(self, request: Payload | None, limit: int | None) -> None:
        """Hand out the list of events (rules 15, 27, 40 and 50)."""
        ven_id = self.ven().ven_id
        listed = ordered(self.listed(), self.now)[:limit]
        self.answer = DistributeEvent(
            response=None if request is None else response_to(request),
            request_id=self.new_id(),
            vtn_id=self.config.vtn_id,
            events=tuple(rendered(one, ven_id, self.now) for one in listed),
        )
        if listed:
            self.events.append(EventOffered(ven_id=ven_id, event_ids=tuple(one.event_id for one in listed)))
        standings = dict(by_event(self.ven().standings))
        for one in listed:
            standings[one.event_id] = self.told(one, standings.get(one.event_id))
        exist = {one.event_id for one in self.shared.events_of(ven_id)}
        self.change(durable=False, standings=tuple(one for key, one in standings.items() if key in exist))

    def told(self, record: EventRecord, standing: Standing | None) -> Standing:
        """Note that an event was handed out."""
        if standing is None or standing.modification_number != record.modification_number:
            standing = Standing(
                event_id=record.event_id,
                modification_number=record.modification_number,
                state=EventAtVtn.UNTOLD,
            )
        return msgspec.structs.replace(
            standing,
            state=EVENT_AT_VTN.step(standing.state, EventAtVtnInput.OFFER),
            until=self.now + self.config.answer_timeout,
            times=standing.times + 1,
        )

    def take_created_event(self, message: Payload, identity: str | None) -> None:
        """The VEN answers events (rules 16, 17, 25, 36 and 48)."""
        assert isinstance(message, CreatedEvent)
        if not message.response.ok:
            text = f"{message.response.response_code} {message.response.response_description or ''}".strip()
            self.events.append(PeerMisbehaved(who=self.ven().ven_id, what=f"refused its events: {text}"))
        code = int(ResponseCode.OK)
        known = {one.event_id: one for one in self.shared.events_of(self.ven().ven_id)}
        for response in message.event_responses or ():
            record = known.get(response.event_id)
            if record is None:
                code = code if code != ResponseCode.OK else ResponseCode.INVALID_ID
            elif record.modification_number != response.modification_number:
                code = ResponseCode.OUT_OF_SEQUENCE
            else:
                self.take_event_response(record, response)
        unknown = "an event or its modification is not known"
        self.acknowledge(message, code, None if code == ResponseCode.OK else unknown)

    def take_event_response(self, record: EventRecord, response: EventResponse) -> None:
        """The VEN answers one event."""
        standings = dict(by_event(self.ven().standings))
        before = standings.get(record.event_id)
        state = EventAtVtn.UNTOLD
        if before is not None and before.modification_number == record.modification_number:
            state = before.state
        if state is EventAtVtn.GONE:
            return
        is_cancelled = record.event.event_descriptor.event_status is EventStatus.CANCELLED
        given = EventAtVtnInput.ACKNOWLEDGE if is_cancelled else EventAtVtnInput.ANSWER
        after = Standing(
            event_id=record.event_id,
            modification_number=record.modification_number,
            state=EVENT_AT_VTN.step(state, given),
            opt_type=response.opt_type,
            code=response.response_code,
            description=response.response_description,
            answered_at=self.now,
        )
        if before is not None and msgspec.structs.replace(before, answered_at=self.now) == after:
            return  # the same answer again
        standings[record.event_id] = after
        self.change(standings=tuple(standings.values()))
        self.events.append(
            OptReceived(
                ven_id=self.ven().ven_id,
                event_id=record.event_id,
                modification_number=record.modification_number,
                opt_type=response.opt_type,
                code=response.response_code,
            )
        )
        opt: dict[str, object] = {"event_id": record.event_id, "opt_type": OptType(response.opt_type)}
        self.notices.append(Notice("on_created_event", {"ven_id": self.ven().ven_id, **opt}))

    # --- reports -----------------------------------------------------------------------------------------------------

    def register_report(self, message: Payload, identity: str | None) -> None:
        """The VEN says all that it can report (rule 306)."""
        assert isinstance(message, RegisterReport)
        if self.ven().offered_with == digest(message):
            self.registered(message)  # the answer was lost, and the request came again
            return
        arguments = {"ven_id": self.ven().ven_id, "message": message}
        self.question = Ask("on_register_report", arguments, report_requests, (), None)

    def take_offers(self, message: Payload, decision: Any, identity: str | None) -> None:
        """The application says which of the reports it wants."""
        assert isinstance(message, RegisterReport)
        if decision is None:
            self.refuse(message, ResponseCode.RESPONDER_ERROR, "the VTN failed to take the offers")
            return
        wanted: tuple[ReportRequest, ...] = decision
        if message.report_request_id:
            self.move_requests({message.report_request_id}, ReportAtRequesterInput.END)
        for_metadata = {
            one.request.report_request_id
            for one in self.ven().requests
            if one.request.report_specifier.report_specifier_id == METADATA
        }
        replaced = {one.request.report_request_id for one in self.ven().requests} - for_metadata
        self.move_requests(replaced, ReportAtRequesterInput.REPLACE)
        self.change(
            offers=pack_offers(message.reports),
            offered_with=digest(message),
            requests=(*self.ven().requests, *(RequestedReport(request=request) for request in wanted)),
            queue=tuple(one for one in self.ven().queue if not _about(one.message, replaced)),
        )
        self.registered(message)

    def registered(self, message: Payload) -> None:
        """Answer metadata, with the requests that came of them (rule 344)."""
        wanted = tuple(
            one.request
            for one in self.ven().requests
            if one.request.report_specifier.report_specifier_id != METADATA and not self.is_queued(one.request)
        )
        self.answer = RegisteredReport(
            response=response_to(message), report_requests=wanted, ven_id=self.ven().ven_id
        )

    def is_queued(self, request: ReportRequest) -> bool:
        """Whether a request goes its own way, as oadrCreateReport."""
        return any(
            isinstance(one.message, CreateReport) and request in one.message.report_requests for one in self.ven().queue
        )

    def update_report(self, message: Payload, identity: str | None) -> None:
        """The VEN delivers reports (rules 304 and 346)."""
        assert isinstance(message, UpdateReport)
        if digest(message) in self.ven().recent:
            self.updated(message, ())  # taken already; the answer was lost
            return
        known = {one.request.report_request_id for one in (*self.ven().requests, *self.ven().former)}
        taken = tuple(one for one in message.reports if one.report_request_id in known)
        unknown = tuple(one.report_request_id for one in message.reports if one.report_request_id not in known)
        if not taken:
            self.updated(message, unknown)
            return
        arguments = {"ven_id": self.ven().ven_id, "message": msgspec.structs.replace(message, reports=taken)}
        self.question = Ask("on_update_report", arguments, verdict, EiResponse(), _NOT_TAKEN)

    def take_reports(self, message: Payload, decision: Any, identity: str | None) -> None:
        """The application has taken the reports, or will not."""
        assert isinstance(message, UpdateReport)
        assert isinstance(decision, EiResponse)
        if not decision.ok:
            self.refuse(message, decision.response_code, decision.response_description or "the report was not taken")
            return
        known = {one.request.report_request_id: one.request for one in (*self.ven().requests, *self.ven().former)}
        delivered = {one.report_request_id for one in message.reports}
        once = {key for key in delivered & set(known) if _is_one_shot(known[key])}
        self.move_requests(delivered - once, ReportAtRequesterInput.CONFIRM)
        self.move_requests(once, ReportAtRequesterInput.END)
        self.change(recent=(*self.ven().recent[-(_RECENT - 1) :], digest(message)))
        self.events.append(ReportsReceived(ven_id=self.ven().ven_id, message=message))
        self.updated(message, tuple(delivered - set(known)))

    def updated(self, message: Payload, unknown: tuple[str, ...]) -> None:
        """Answer reports."""
        code = ResponseCode.INVALID_ID if unknown else ResponseCode.OK
        text = f"unknown reportRequestID {', '.join(unknown)}" if unknown else None
        self.answer = UpdatedReport(response=response_to(message, code, text), ven_id=self.ven().ven_id)

    def move_requests(self, request_ids: set[str], given: ReportAtRequesterInput) -> None:
        """Move report requests; data that were under way when one ended are still taken."""
        requests: list[RequestedReport] = []
        former = list(self.ven().former)
        for one in self.ven().requests:
            state = one.state
            if one.request.report_request_id in request_ids:
                state = REPORT_AT_REQUESTER.step(one.state, given)
            moved = one if state is one.state else msgspec.structs.replace(one, state=state)
            (former if state is ReportAtRequester.ENDED else requests).append(moved)
        if tuple(requests) != self.ven().requests:
            self.change(requests=tuple(requests), former=tuple(former[-_FORMER:]))

    def refuse_requests(self, message: Payload, identity: str | None) -> None:
        """The VEN asks for reports that the VTN does not offer, or cancels some that were never asked for."""
        assert isinstance(message, CreateReport | CancelReport)
        asked = message.report_requests if isinstance(message, CreateReport) else ()
        if asked and all(one.report_specifier.report_specifier_id == METADATA for one in asked):
            self.answer = CreatedReport(
                response=response_to(message),
                pending_reports=tuple(one.report_request_id for one in asked),
                ven_id=self.ven().ven_id,
            )
            for one in asked:  # periodic requests count as made once, as there is nothing to report (rule 510)
                own = RegisterReport(
                    request_id=self.new_id(),
                    reports=self.config.reports,
                    ven_id=self.ven().ven_id,
                    report_request_id=one.report_request_id,
                )
                self.change(queue=(*self.ven().queue, QueuedOperation(id=self.new_id(), message=own)))
            return
        self.refuse(message, ResponseCode.INVALID_ID, "this VTN does not offer such a report")

    # --- answers of the VEN ------------------------------------------------------------------------------------------

    def take_answer(self, message: Payload, identity: str | None) -> None:
        """A pull VEN answers an operation by a request of its own (rule 500)."""
        self.settle(message)
        if isinstance(message, Response):
            self.answer = None  # an empty 200 (decision D53)
        elif self.record is None:
            self.answer = Response(response=response_to(message))
        elif self.answer is None:
            self.acknowledge(message)

    def settle(self, message: Payload) -> None:
        """Take the answer to what was handed out."""
        operation = self.find(message)
        if operation is not None:
            DELIVERY.step(operation.state, DeliveryInput.ANSWER)
            self.change(queue=tuple(one for one in self.ven().queue if one is not operation))
        response = response_in(message)
        if response is not None and not response.ok:
            text = f"{response.response_code} {response.response_description or ''}".strip()
            what = f"refused with {message.message_type()}: {text}"
            self.events.append(PeerMisbehaved(who=self.ven().ven_id, what=what, code=response.response_code))
        _TAKE_ANSWER[type(message)](self, message, None if operation is None else operation.message)

    def find(self, message: Payload) -> QueuedOperation | None:
        """Find what an answer is about: what is offered first, else what waits."""
        fitting = [one for one in self.ven().queue if VTN_OPERATIONS[type(one.message)].answer is type(message)]
        return next((one for one in fitting if one.state is Delivery.OFFERED), next(iter(fitting), None))

    def take_created_report(self, message: Payload, operation: Payload | None) -> None:
        """The VEN says which reports are pending (rule 329)."""
        assert isinstance(message, CreatedReport)
        asked = {
            one.request.report_request_id for one in self.ven().requests if one.state is ReportAtRequester.ASKED
        }
        if isinstance(operation, CreateReport):
            asked &= {one.report_request_id for one in operation.report_requests}
        pending = set(message.pending_reports)
        refused = set() if message.response.ok else asked - pending
        self.move_requests(asked - refused, ReportAtRequesterInput.CONFIRM)
        self.move_requests(refused, ReportAtRequesterInput.REFUSE)
        self.notices.append(Notice("on_created_report", {"ven_id": self.ven().ven_id, "message": message}))

    def take_canceled_report(self, message: Payload, operation: Payload | None) -> None:
        """The VEN confirms a cancel; with a report to follow the request lives on until that is here (rule 345)."""
        if isinstance(operation, CancelReport) and not operation.report_to_follow:
            known = {one.request.report_request_id for one in self.ven().requests}
            ended = known & set(operation.report_request_id)
            self.move_requests(ended, ReportAtRequesterInput.CONFIRM_CANCEL)

    def take_registered_report(self, message: Payload, operation: Payload | None) -> None:
        """The VEN has taken the VTN's metadata, and may want reports at once (rule 344)."""
        assert isinstance(message, RegisteredReport)
        if message.report_requests:
            code, text = ResponseCode.INVALID_ID, "this VTN does not offer such a report"
            self.answer = CreatedReport(response=response_to(message, code, text), ven_id=self.ven().ven_id)
        self.notices.append(Notice("on_registered_report", {"ven_id": self.ven().ven_id, "message": message}))

    def take_canceled_registration(self, message: Payload, operation: Payload | None) -> None:
        """The VEN confirms that it is no longer registered."""
        assert isinstance(message, CanceledPartyRegistration)
        if isinstance(operation, CancelPartyRegistration) and message.response.ok:
            self.forget(by_peer=False)

    def nothing_more(self, message: Payload, operation: Payload | None) -> None:
        """The answer says all."""


_FAILED: Final = RegistrationDecision(
    accepted=False, code=ResponseCode.RESPONDER_ERROR, description="the VTN failed to decide"
)
_NOT_TAKEN: Final = EiResponse(
    response_code=ResponseCode.RESPONDER_ERROR, response_description="the VTN failed to take the report"
)

_FORMER: Final = 16
"""How many ended report requests a record remembers, to take data that were under way."""

_RECENT: Final = 8
"""How many delivered reports a record remembers, to know one that comes again."""


def _wrong_registration(message: CreatePartyRegistration, config: VtnConfig) -> str | None:
    if message.profile_name is not ProfileName.V20B:
        return f"the profile {message.profile_name} is not served"
    if message.transport_name not in config.transports:
        return f"the transport {message.transport_name} is not served"
    pull = message.http_pull_model
    if message.transport_name is TransportName.SIMPLE_HTTP and pull is False and not _address(message):
        return "a push VEN has to say where it is reached"
    return None


def _address(message: CreatePartyRegistration) -> str | None:
    """Where a VEN is reached. Some pull VENs write the text ``None``."""
    address = message.transport_address
    return None if not address or address == "None" else address


def _what_a_ven_says(message: CreatePartyRegistration, identity: str | None) -> dict[str, Any]:
    pull = message.transport_name is TransportName.SIMPLE_HTTP and message.http_pull_model is not False
    return {
        "ven_name": message.ven_name or "",
        "identity": identity,
        "profile": message.profile_name,
        "transport": message.transport_name,
        "pull": pull,
        "address": None if pull else _address(message),
        "report_only": message.report_only,
        "xml_signature": message.xml_signature,
        "registered_with": digest(message),
        "online": True,
    }


def _same_ids(message: CreatePartyRegistration, record: VenRecord) -> bool:
    return message.registration_id == record.registration_id and message.ven_id in (None, "", record.ven_id)


def _is_one_shot(request: ReportRequest) -> bool:
    return request.report_specifier.report_back_duration == timedelta(0)


def _about(message: Payload, request_ids: set[str]) -> bool:
    """Whether a queued message is about report requests that are no more."""
    if isinstance(message, CreateReport):
        return all(one.report_request_id in request_ids for one in message.report_requests)
    return isinstance(message, CancelReport) and set(message.report_request_id) <= request_ids


_TAKE_INPUT: Final[Mapping[type, Callable[[_Turn, Any], None]]] = {
    Asked: _Turn.asked,
    Decided: _Turn.decided,
    Answered: _Turn.answered,
    Queue: _Turn.queue,
    Hand: _Turn.hand,
    PushFailed: _Turn.push_failed,
    PushRefused: _Turn.push_refused,
}

_TAKE_REQUEST: Final[Mapping[type[Payload], Callable[[_Turn, Payload, str | None], None]]] = {
    QueryRegistration: _Turn.query,
    CreatePartyRegistration: _Turn.register,
    CancelPartyRegistration: _Turn.deregister,
    Poll: _Turn.poll,
    RequestEvent: _Turn.request_event,
    CreatedEvent: _Turn.take_created_event,
    RegisterReport: _Turn.register_report,
    UpdateReport: _Turn.update_report,
    CreateReport: _Turn.refuse_requests,
    CancelReport: _Turn.refuse_requests,
    CreatedReport: _Turn.take_answer,
    CanceledReport: _Turn.take_answer,
    RegisteredReport: _Turn.take_answer,
    UpdatedReport: _Turn.take_answer,
    CanceledPartyRegistration: _Turn.take_answer,
    Response: _Turn.take_answer,
}
"""What to do with each request of a VEN."""

_TAKE_DECISION: Final[Mapping[type[Payload], Callable[[_Turn, Payload, Any, str | None], None]]] = {
    CreatePartyRegistration: _Turn.take_registration,
    RegisterReport: _Turn.take_offers,
    UpdateReport: _Turn.take_reports,
}
"""What to do with each decision of the application."""

_TAKE_ANSWER: Final[Mapping[type[Payload], Callable[[_Turn, Payload, Payload | None], None]]] = {
    CreatedReport: _Turn.take_created_report,
    CanceledReport: _Turn.take_canceled_report,
    RegisteredReport: _Turn.take_registered_report,
    CanceledPartyRegistration: _Turn.take_canceled_registration,
    UpdatedReport: _Turn.nothing_more,
    Response: _Turn.nothing_more,
}
"""What to do with each answer of a VEN to what it was asked."""

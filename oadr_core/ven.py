"""A VEN as a sans-IO core: bytes, times and decisions in; bytes to send, questions and news out.

A :class:`Ven` does what it is told and what the protocol forces it to: it keeps the registration, sends requests until
they are answered, compares event lists, checks report requests, and answers what the VTN asks. It begins nothing by
itself; :class:`~oadr_core.auto_ven.AutoVen` does.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from oadr_core.answers import Refuser, response_in, response_to
from oadr_core.clock import Deadline, Now, whole_seconds
from oadr_core.codes import ResponseCode
from oadr_core.core import CoreBase, Question
from oadr_core.decisions import EventDecision, event_decision
from oadr_core.entropy import Entropy, new_id
from oadr_core.errors import LocalProtocolError, RemoteProtocolError, SchemaError, SealError
from oadr_core.machines.exchange import Failure
from oadr_core.machines.operations import SERVICE, VEN_REQUESTS, VTN_OPERATIONS
from oadr_core.machines.registration import REGISTRATION, Registration, RegistrationInput
from oadr_core.machines.report import REPORT_AT_SOURCE, ReportAtSource, ReportAtSourceInput
from oadr_core.machines.table import NotAllowed
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
    EiEvent,
    EiResponse,
    OptType,
    Payload,
    Poll,
    ProfileName,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportRequest,
    RequestEvent,
    RequestReregistration,
    Response,
    Service,
    TransportName,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.offers import METADATA, check_request
from oadr_core.outputs import (
    Address,
    CallId,
    EventDecided,
    EventsReceived,
    ExchangeAbandoned,
    ExchangeDone,
    ExchangeId,
    ExchangeSetBack,
    InboundId,
    Output,
    PeerForgiven,
    PeerMisbehaved,
    Queried,
    Registered,
    RegistrationEnded,
    RegistrationRefused,
    Reply,
    ReportEnded,
    ReportRequested,
    ReregistrationRequested,
    Save,
    TicketId,
)
from oadr_core.rules import refuse
from oadr_core.seal import Opened, Peer, Sealer
from oadr_core.sender import Sender, SenderConfig
from oadr_core.ven_events import EventList, cancelled, decided, is_over, take_list
from oadr_core.ven_state import AcceptedRequest, VenState


class VenConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a VEN is.

    :param ven_name: a name for people.
    :param ven_id: an id that was agreed beforehand, if one was.
    :param transport: how it talks to its VTN.
    :param pull: whether it polls; over HTTP alone.
    :param address: where a push VEN is reached: a base URL or a full JID.
    :param report_only: whether it has no events and no opts (section 7.2.2 of the profile).
    :param xml_signature: whether it supports XML signatures.
    :param call_timeout: seconds that a handler may take before policy decides instead of it.
    :param default_opt: whether it takes part in an event that no handler decides.
    :param manual: whether the application itself answers what the VTN asks, by :meth:`Ven.send`; the answers to polls
        come to it as :class:`~oadr_core.outputs.ExchangeDone` alone then.
    :param sender: how patient it is with its VTN.
    """

    ven_name: str = ""
    ven_id: str = ""
    transport: TransportName = TransportName.SIMPLE_HTTP
    pull: bool = True
    address: str | None = None
    report_only: bool = False
    xml_signature: bool = False
    call_timeout: float = 60.0
    default_opt: OptType = OptType.OPT_OUT
    manual: bool = False
    sender: SenderConfig = SenderConfig()


_NO_IDS: Final = EiResponse(
    response_code=ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, response_description="the answer holds no ids"
)
"""A refusal to register in all but its code: peers say 200 and leave the ids empty, or out."""


_BEFORE_REGISTRATION: Final = (
    QueryRegistration,
    CreatePartyRegistration,
    CancelPartyRegistration,
    CanceledPartyRegistration,  # the confirmation of a cancel
    Response,  # the answer that promises a re-registration
)
"""What a VEN may send while it is not registered."""


def _stands_alone(request: Payload) -> bool:
    """Whether a request makes sense whatever becomes of the registration; one to renew it does not."""
    if isinstance(request, CreatePartyRegistration):
        return request.registration_id is None
    return isinstance(request, QueryRegistration)


class Ven(CoreBase):
    """The VEN core.

    :param config: what it is.
    :param sealer: opens and seals documents.
    :param entropy: the source of ids and jitter.
    :param state: what an earlier run saved under ``ven``, loaded; None begins afresh.
    :param asks: the handlers that the application has, of ``on_event``, ``on_update_event``,
        ``on_cancel_party_registration``.
    """

    def __init__(
        self,
        config: VenConfig,
        *,
        sealer: Sealer,
        entropy: Entropy,
        state: VenState | None = None,
        asks: Container[str] = (),
    ) -> None:
        super().__init__(sealer, entropy, asks, config.call_timeout)
        self.config: Final = config
        self._state = state or VenState(ven_id=config.ven_id)
        self._registration = Registration.REGISTERED if self._state.registered else Registration.UNREGISTERED
        self._confirmed = False  # whether the VTN has registered us, or again, since we were started
        self._asked_again = False  # whether the VTN has asked us to register again, and we have not yet
        self._sender = Sender(Address(config.transport), sealer, entropy, config.sender, self._numbers)
        self._refuser = Refuser()
        self._offers: tuple[Report, ...] = ()
        self._list: EventList | None = None
        self._last_cancel: tuple[CancelReport, list[str]] | None = None  # with what was unknown; it may come again
        self._deciding: dict[str, tuple[int, CallId | None]] = {}  # the modification that is being decided, by event

    # --- questions to the core ---------------------------------------------------------------------------------------

    @property
    def state(self) -> VenState:
        """What the VEN remembers; the same that was last saved."""
        return self._state

    @property
    def registration(self) -> Registration:
        """Where it stands with its VTN."""
        return self._registration

    @property
    def offers(self) -> tuple[Report, ...]:
        """The reports that it last registered."""
        return self._offers

    def sending(self, cls: type[Payload]) -> bool:
        """Tell whether a request of a class waits or is under way."""
        return self._sender.waiting(cls)

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be sent and no application is asked."""
        return self._sender.idle and not self._questions

    # --- what the application can ask for ----------------------------------------------------------------------------

    def query_registration(self, now: Now) -> TicketId:
        """Ask the VTN what it supports (section 8.4.1 of the profile)."""
        return self._send(QueryRegistration(request_id=self._new_id()), now)

    def create_party_registration(self, now: Now, *, anew: bool = False) -> TicketId:
        """Register; with the present ids where there is a registration (rule 402).

        :param anew: register without ids all the same, which makes the VTN forget what it knew (rule 406).
        :raises LocalProtocolError: a registration is being made or cancelled already.
        """
        again = self._registration is Registration.REGISTERED and not anew
        given = RegistrationInput.SEND_CREATE_AGAIN if again else RegistrationInput.SEND_CREATE
        self._move(given)
        config = self.config
        message = CreatePartyRegistration(
            request_id=self._new_id(),
            registration_id=self._state.registration_id if again else None,
            ven_id=(self._state.ven_id if again else config.ven_id) or None,
            profile_name=ProfileName.V20B,
            transport_name=config.transport,
            transport_address=None if config.pull else config.address,
            report_only=config.report_only,
            xml_signature=config.xml_signature,
            ven_name=config.ven_name or None,
            http_pull_model=config.pull,
        )
        self._sender.withdraw(lambda waiting: isinstance(waiting, Poll))
        return self._send(message, now)

    def cancel_party_registration(self, now: Now) -> TicketId:
        """End the registration (rule 407).

        :raises LocalProtocolError: there is no registration.
        """
        self._move(RegistrationInput.SEND_CANCEL)
        return self._send(
            CancelPartyRegistration(
                request_id=self._new_id(),
                registration_id=self._state.registration_id,
                ven_id=self._state.ven_id,
            ),
            now,
        )

    def request_event(self, now: Now, *, reply_limit: int | None = None) -> TicketId:
        """Ask for all events; once after a new registration, else only to be sure (rules 405 and 500).

        :param reply_limit: how many events the answer may hold. Such an answer cancels nothing (decision D30).
        :raises LocalProtocolError: the VEN is not registered, or has no events.
        """
        self._require_registration()
        if self.config.report_only:
            raise LocalProtocolError("a report-only VEN has no EiEvent service")
        message = RequestEvent(request_id=self._new_id(), ven_id=self._state.ven_id, reply_limit=reply_limit)
        return self._send(message, now)

    def poll(self, now: Now) -> TicketId:
        """Ask whether the VTN has anything (rule 500).

        :raises LocalProtocolError: the VEN is not registered, or does not pull.
        """
        self._require_registration()
        if not self.config.pull:
            raise LocalProtocolError("a push VEN does not poll (rules 500 and 507)")
        return self._send(Poll(ven_id=self._state.ven_id), now)

    def register_report(self, reports: Sequence[Report], now: Now, *, report_request_id: str | None = None) -> TicketId:
        """Say all that can be reported; report requests made before end with that (rule 306).

        :param reports: the offers, with ``METADATA_`` names; empty where there is nothing to report.
        :param report_request_id: the request for metadata that this answers, if it answers one (rule 311).
        :raises LocalProtocolError: the VEN is not registered.
        """
        self._require_registration()
        self._offers = tuple(reports)
        message = RegisterReport(
            request_id=self._new_id(),
            reports=self._offers,
            ven_id=self._state.ven_id,
            report_request_id=report_request_id,
        )
        return self._send(message, now)

    def update_report(self, reports: Sequence[Report], now: Now, *, request_id: str | None = None) -> TicketId:
        """Deliver reports; kept and sent again until the VTN has them.

        :param reports: the data, each with the request that it answers.
        :param request_id: the requestID to use; the same as before where the same report is sent again.
        :raises LocalProtocolError: the VEN is not registered.
        """
        self._require_registration()
        request_id = request_id or self._new_id()
        message = UpdateReport(request_id=request_id, reports=tuple(reports), ven_id=self._state.ven_id)
        return self._send(message, now, lane="reports", patient=True)

    def send(self, message: Payload, now: Now) -> TicketId:
        """Send any request that a VEN may make, as it stands.

        :param message: one of :data:`~oadr_core.machines.operations.VEN_REQUESTS`.
        :raises LocalProtocolError: a VEN sends no such message, registers by other methods, or is not registered.
        """
        if type(message) not in VEN_REQUESTS or isinstance(message, CreatePartyRegistration | CancelPartyRegistration):
            raise LocalProtocolError(f"{message.message_type()} is not sent this way")
        refuse(message)
        if not isinstance(message, QueryRegistration):
            self._require_registration()
        return self._send(message, now)

    def withdraw(self, ticket: TicketId) -> None:
        """Take a request back; if it is under way, its answer is ignored."""
        for request in self._sender.withdraw_ticket(ticket):
            if isinstance(request.message, CreatePartyRegistration | CancelPartyRegistration):
                self._move(RegistrationInput.GIVEN_UP)

    def note_delivery(self, report_request_id: str, now: Now, *, last: bool = False) -> None:
        """Take note that a report was made for a request, so that one with ``reportToFollow`` ends (rule 345).

        :param last: whether no further report will be made, as its time is over or it was asked for once.
        """
        given = ReportAtSourceInput.END if last else ReportAtSourceInput.DELIVER
        self._move_request(report_request_id, given, now)

    # --- inputs ------------------------------------------------------------------------------------------------------

    def receive_request(self, body: bytes, *, peer: Peer, service: Service | None, now: Now) -> InboundId:
        """Take a request that the VTN pushed; see :class:`~oadr_core.core.Core`."""
        self._now = now
        inbound = InboundId(next(self._numbers))
        try:
            opened = self._sealer.open(body, now)
        except SealError as error:
            return self._refuse(inbound, Failure.FORBIDDEN, str(error))
        except SchemaError as error:
            return self._refuse(inbound, Failure.NOT_ACCEPTABLE, str(error))
        self._tell_forgiven(opened)
        message = opened.message
        if type(message) not in VTN_OPERATIONS or service not in (None, SERVICE[type(message)]):
            self._misbehaved(f"sent {message.message_type()} to {service}", ResponseCode.COMPLIANCE_ERROR)
            text = f"{message.message_type()} is not expected here"
            self._reply(inbound, self._refuser.refuse(message, ResponseCode.COMPLIANCE_ERROR, text, self._state.ven_id))
        elif not self._confirmed or self._registration not in (Registration.REGISTERED, Registration.REREGISTERING):
            # rule 405: nothing is accepted before the registration, after a start either. The VTN will try again.
            self._emit(Reply(inbound, None, Failure.BUSY, self._sealer))
        else:
            self._operation(message, inbound, now)
        return inbound

    def receive_response(self, exchange: ExchangeId, body: bytes, *, now: Now) -> None:
        """Take an answer of the VTN; see :class:`~oadr_core.core.Core`."""
        self._now = now
        if not self._sender.awaits(exchange):
            return
        try:
            opened = self._sealer.open(body, now) if body else None
        except (SchemaError, SealError) as error:
            self._misbehaved(f"answered with what cannot be read: {error}")
            self._failed(Failure.BAD_ANSWER, now)
            return
        if opened is not None:
            self._tell_forgiven(opened)
        sent = self._sender.in_flight
        assert sent is not None
        answer = None if opened is None else opened.message
        if not self._fits(sent, answer):
            self._misbehaved(f"answered {sent.message_type()} with {answer.message_type() if answer else 'nothing'}")
            self._failed(Failure.BAD_ANSWER, now)
            return
        response = response_in(answer) if answer is not None else None
        if response is not None and response.response_code >= ResponseCode.RESPONDER_ERROR:
            self._misbehaved(
                f"failed at {sent.message_type()}: {response.response_description}", response.response_code
            )
            self._failed(Failure.PEER_ERROR, now)
            return
        if isinstance(answer, RequestReregistration) and self._is_done_later(sent):
            self._sender.postponed()
            self._operation(answer, None, now)
            return
        request = self._sender.answered()
        self._emit(ExchangeDone(ticket=request.ticket, request=sent, answer=answer))
        self._answered(sent, answer, now)

    def exchange_failed(self, exchange: ExchangeId, why: Failure, *, now: Now) -> None:
        """Take note that a request brought no answer; see :class:`~oadr_core.core.Core`."""
        self._now = now
        if self._sender.awaits(exchange):
            self._failed(why, now)

    def handle_timeout(self, now: Now) -> None:
        """Do what is due; see :class:`~oadr_core.core.Core`."""
        self._now = now
        if self._sender.silent(now):
            self._failed(Failure.SILENCE, now)
        for kind, key in self._timers.expired(now):
            if kind == "call":
                self._decide_without(key, "took too long", now)

    def next_output(self, now: Now) -> Output | None:
        """Take the next thing to do; see :class:`~oadr_core.core.Core`."""
        self._now = now
        if self._outputs:
            return self._outputs.popleft()
        return self._sender.next_transmit(now, self._may_send)

    def next_timeout(self) -> Deadline | None:
        """Say when to call ``handle_timeout``; see :class:`~oadr_core.core.Core`."""
        if self._now is None:
            return None
        found = (self._sender.next_deadline(self._now), self._timers.next(self._now))
        return min((deadline for deadline in found if deadline is not None), key=lambda one: one.at, default=None)

    # --- sending -----------------------------------------------------------------------------------------------------

    def _send(self, message: Payload, now: Now, *, lane: str = "", patient: bool = False) -> TicketId:
        self._now = now
        ticket = self._ticket()
        self._sender.push(message, ticket, lane=lane or message.message_type(), patient=patient)
        return ticket

    def _may_send(self, message: Payload) -> bool:
        """Registration goes before everything else (rule 405), also one that the VTN has asked for."""
        if self._registration is Registration.REGISTERED and not self._asked_again:
            return True
        return isinstance(message, _BEFORE_REGISTRATION)

    def _failed(self, why: Failure, now: Now) -> None:
        request, wait = self._sender.failed(why, now)
        if wait is not None:
            service = SERVICE[type(request.message)]
            self._emit(ExchangeSetBack(ticket=request.ticket, service=service, why=why, wait=wait))
            return
        self._emit(ExchangeAbandoned(ticket=request.ticket, request=request.message, why=why))
        if isinstance(request.message, CreatePartyRegistration | CancelPartyRegistration):
            self._move(RegistrationInput.GIVEN_UP)

    def _fits(self, sent: Payload, answer: Payload | None) -> bool:
        """Tell whether a payload can answer another; a plain oadrResponse always can (decision D14)."""
        if answer is None:
            return not isinstance(sent, QueryRegistration | CreatePartyRegistration | RequestEvent)
        if isinstance(answer, Response):
            return True
        if isinstance(answer, RequestReregistration):
            return not isinstance(sent, QueryRegistration | CreatePartyRegistration | Response)
        if isinstance(sent, Poll):
            return type(answer) in VTN_OPERATIONS
        return type(answer) is VEN_REQUESTS[type(sent)]

    def _is_done_later(self, sent: Payload) -> bool:
        """Tell whether a request that is answered with oadrRequestReregistration is sent again after it (decision D27).

        A poll was done with that, and to cancel there is nothing where the VTN does not know us.
        """
        return not self.config.manual and not isinstance(sent, Poll | CancelPartyRegistration)

    # --- answers of the VTN ------------------------------------------------------------------------------------------

    def _answered(self, sent: Payload, answer: Payload | None, now: Now) -> None:
        response = response_in(answer) if answer is not None else None
        if response is not None and not response.ok:
            self._refused(sent, response, now)
        elif self.config.manual and isinstance(sent, Poll | RequestEvent | RegisterReport | UpdateReport):
            return  # the application does the rest
        elif isinstance(sent, CancelPartyRegistration) and isinstance(answer, RequestReregistration):
            self._cancelled(now)
        elif answer is None or isinstance(answer, Response):
            self._take_bare_success(sent, now)
        elif isinstance(sent, Poll) and type(answer) in VTN_OPERATIONS:
            self._operation(answer, None, now)
        elif (take := _TAKE_ANSWER.get(type(answer))) is not None:
            take(self, sent, answer, now)

    def _take_bare_success(self, sent: Payload, now: Now) -> None:
        """A request was done, and there is no more to learn from the answer.

        For some this is all that there is to say; others should be answered with a payload of their own, but peers
        send an oadrResponse (decision D14), such as where there is no event to hand out: no list, so nothing that would
        be cancelled by being left out of it.
        """
        if isinstance(sent, CreatePartyRegistration):
            self._refused(sent, _NO_IDS, now)
        elif isinstance(sent, CancelPartyRegistration):
            self._cancelled(now)
        elif isinstance(sent, RegisterReport):
            self._offers_taken(sent, now)

    def _refused(self, sent: Payload, response: EiResponse, now: Now) -> None:
        code, text = response.response_code, response.response_description or ""
        self._misbehaved(f"refused {sent.message_type()}: {text}", code)
        if isinstance(sent, CreatePartyRegistration):
            self._move(RegistrationInput.REFUSED)
            self._forget_registration(now)
            again = sent.registration_id is not None
            self._emit(RegistrationRefused(code=code, description=text, again=again))
        elif isinstance(sent, CancelPartyRegistration):
            known = code != ResponseCode.NOT_REGISTERED_OR_AUTHORIZED
            self._move(RegistrationInput.REFUSED if known else RegistrationInput.UNKNOWN_TO_VTN)
            if not known:
                self._end_registration(now, by_peer=False)
        elif isinstance(sent, UpdateReport) and code == ResponseCode.INVALID_ID:
            for report in sent.reports:  # the VTN wants no such report, or no longer
                self._move_request(report.report_request_id, ReportAtSourceInput.END, now)
        elif code == ResponseCode.NOT_REGISTERED_OR_AUTHORIZED or (
            code == ResponseCode.INVALID_ID and isinstance(sent, Poll)
        ):
            self._unknown_to_vtn(now)

    def _unknown_to_vtn(self, now: Now) -> None:
        """The VTN does not know us, whatever we thought (decision D27)."""
        if REGISTRATION.allows(self._registration, RegistrationInput.UNKNOWN_TO_VTN):
            was = self._registration
            self._move(RegistrationInput.UNKNOWN_TO_VTN)
            if was not in (Registration.UNREGISTERED, Registration.REGISTERING):
                self._end_registration(now, by_peer=True, cancelled=False)

    def _take_registration(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(answer, CreatedPartyRegistration)
        if isinstance(sent, QueryRegistration):
            profiles = tuple(
                (str(profile.profile_name), str(transport.transport_name))
                for profile in answer.profiles
                for transport in profile.transports
            )
            self._emit(Queried(vtn_id=answer.vtn_id, profiles=profiles))
            return
        again = self._registration is Registration.REREGISTERING
        registration_id = answer.registration_id or (self._state.registration_id if again else "")
        ven_id = answer.ven_id or (self._state.ven_id if again else "")
        if not registration_id or not ven_id:  # a refusal in all but its code
            self._refused(sent, _NO_IDS, now)
            return
        self._move(RegistrationInput.ACCEPTED)
        self._confirmed = True
        self._asked_again = False
        if not again:
            self._end_all_requests()
        poll_freq = answer.requested_oadr_poll_freq
        self._change(
            now,
            registered=True,
            ven_id=ven_id,
            registration_id=registration_id,
            vtn_id=answer.vtn_id or self._state.vtn_id,
            poll_freq=poll_freq.total_seconds() if isinstance(poll_freq, timedelta) else self._state.poll_freq,
            **({} if again else {"events": (), "report_requests": ()}),
        )
        self._emit(Registered(ven_id=ven_id, registration_id=registration_id, vtn_id=self._state.vtn_id, again=again))

    def _take_cancel(self, sent: Payload, answer: Payload, now: Now) -> None:
        self._cancelled(now)

    def _cancelled(self, now: Now) -> None:
        self._move(RegistrationInput.CANCELED)
        self._end_registration(now, by_peer=False)

    def _take_events(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(answer, DistributeEvent)
        complete = not (isinstance(sent, RequestEvent) and sent.reply_limit is not None)
        self._distribute(answer, now, complete=complete)

    def _take_registered_report(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(answer, RegisteredReport)
        assert isinstance(sent, RegisterReport)
        self._offers_taken(sent, now)
        if answer.report_requests:
            self._send(self._create_report(answer, answer.report_requests, now), now)

    def _offers_taken(self, sent: RegisterReport, now: Now) -> None:
        if sent.report_request_id is None:
            self._end_requests(now)  # rule 306

    def _take_updated_report(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(answer, UpdatedReport)
        if answer.cancel_report is not None:  # rules 328 and 335: done, and not confirmed
            self._cancel_report(answer.cancel_report, now)

    # --- operations of the VTN ---------------------------------------------------------------------------------------

    def _operation(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        """Do what the VTN asks: pushed with ``inbound``, or as the answer to a poll without."""
        named = getattr(message, "ven_id", None)
        if named and named != self._state.ven_id:
            self._misbehaved(f"sent us {message.message_type()} for {named}", ResponseCode.INVALID_ID)
            text = f"{named} is not this VEN"
            answer = self._refuser.refuse(message, ResponseCode.INVALID_ID, text, self._state.ven_id)
            self._answer(message, answer, inbound, now)
            return
        _TAKE_OPERATION[type(message)](self, message, inbound, now)

    def _answer(self, operation: Payload, answer: Payload, inbound: InboundId | None, now: Now) -> None:
        """Answer an operation: inline in push where the table says so, else by a request of its own (rules 51, 500)."""
        if inbound is not None and VTN_OPERATIONS[type(operation)].inline:
            self._reply(inbound, answer)
            return
        if inbound is not None:
            self._reply(inbound, None)
        self._send(answer, now)

    def _reply(self, inbound: InboundId, message: Payload | None) -> None:
        self._emit(Reply(inbound, message, None, self._sealer))

    def _refuse(self, inbound: InboundId, why: Failure, what: str) -> InboundId:
        self._misbehaved(what)
        self._emit(Reply(inbound, None, why, self._sealer))
        return inbound

    def _on_distribute(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, DistributeEvent)
        if inbound is not None:
            self._reply(inbound, None)
        self._distribute(message, now, complete=True)

    def _on_create_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, CreateReport)
        self._answer(message, self._create_report(message, message.report_requests, now), inbound, now)

    def _on_cancel_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, CancelReport)
        if self._last_cancel is None or self._last_cancel[0] != message:
            self._last_cancel = (message, self._cancel_report(message, now))
        _, unknown = self._last_cancel
        code = ResponseCode.INVALID_ID if unknown else ResponseCode.OK  # rule 336, decision D38
        text = f"unknown reportRequestID {', '.join(unknown)}" if unknown else None
        answer = CanceledReport(
            response=response_to(message, code, text), pending_reports=self._pending(), ven_id=self._state.ven_id
        )
        self._answer(message, answer, inbound, now)

    def _on_register_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        answer = RegisteredReport(response=response_to(message), ven_id=self._state.ven_id)
        self._answer(message, answer, inbound, now)

    def _on_update_report(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, UpdateReport)
        code, text = ResponseCode.OK, None
        if message.reports:
            code, text = ResponseCode.INVALID_ID, "no report was asked for"
        answer = UpdatedReport(response=response_to(message, code, text), ven_id=self._state.ven_id)
        self._answer(message, answer, inbound, now)

    def _on_cancel_registration(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, CancelPartyRegistration)
        if message.registration_id != self._state.registration_id:
            text = f"{message.registration_id} is not the registration"
            answer = self._refuser.refuse(message, ResponseCode.INVALID_ID, text, self._state.ven_id)
            self._answer(message, answer, inbound, now)
            return
        confirmed = CanceledPartyRegistration(
            response=response_to(message),
            registration_id=message.registration_id,
            ven_id=self._state.ven_id,
        )
        self._sender.withdraw(lambda waiting: True)
        self._move(RegistrationInput.CANCELED_BY_VTN)
        self._end_registration(now, by_peer=True)
        self._answer(message, confirmed, inbound, now)
        self._tell("on_cancel_party_registration", {"message": message}, now)

    def _on_request_reregistration(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, RequestReregistration)
        self._answer(message, Response(response=response_to(message), ven_id=self._state.ven_id), inbound, now)
        if self._registration is Registration.REGISTERED:
            self._asked_again = not self.config.manual
            self._emit(ReregistrationRequested())

    # --- events ------------------------------------------------------------------------------------------------------

    def _distribute(self, message: DistributeEvent, now: Now, *, complete: bool) -> None:
        """Compare a list of events with what is known, ask the application, and answer."""
        if message.response is not None and not message.response.ok:
            return  # a refusal, and no list
        if self._state.vtn_id and message.vtn_id != self._state.vtn_id:
            self._refuse_list(message, now)
            return
        taken = self._list = take_list(self._state.events, message, now.utc, complete=complete)
        for event_id, (number, call) in list(self._deciding.items()):
            known = taken.known.get(event_id)
            if known is None or known.event.event_descriptor.modification_number != number:
                self._forget_question(call)
                del self._deciding[event_id]
        self._change(now, events=tuple(taken.known.values()))
        self._emit(EventsReceived(event_ids=tuple(one.event_descriptor.event_id for one in message.events)))
        for event in taken.tell:
            self._tell("on_update_event", {"event": event}, now)
        for event, update in taken.ask.values():
            self._ask_about(event, "on_update_event" if update else "on_event", now)
        self._answer_list(now)

    def _refuse_list(self, message: DistributeEvent, now: Now) -> None:
        """A list that another VTN made is refused as a whole (rules 21 and 512)."""
        self._misbehaved(f"sent events of the VTN {message.vtn_id!r}", ResponseCode.INVALID_ID)
        response = EiResponse(
            response_code=ResponseCode.INVALID_ID,
            response_description=f"vtnID {message.vtn_id} is not our VTN",
            request_id=message.request_id,
        )
        self._send(CreatedEvent(response=response, ven_id=self._state.ven_id), now)

    def _ask_about(self, event: EiEvent, handler: str, now: Now) -> None:
        """Have the application decide on an event, unless it is at it already."""
        event_id = event.event_descriptor.event_id
        if event_id in self._deciding:
            return
        number = event.event_descriptor.modification_number
        self._deciding[event_id] = (number, None)
        if handler not in self._asks:
            handler = "on_event"  # an application that knows no changes is asked as if the event were new
        default = EventDecision(opt_type=self.config.default_opt)
        question = Question(
            handler,
            {"event": event},
            event_decision,
            default,
            default,
            lambda decision, then: self._decided(event_id, decision, then),
        )
        call = self._ask(question, now)
        if call is not None:
            self._deciding[event_id] = (number, call)

    def _decided(self, event_id: str, decision: EventDecision, now: Now) -> None:
        """The application has decided: remember it, then answer."""
        del self._deciding[event_id]
        known = {one.event.event_descriptor.event_id: one for one in self._state.events}
        known[event_id] = decided(known[event_id], decision)
        self._change(now, events=tuple(known.values()))
        event = known[event_id].event
        number = event.event_descriptor.modification_number
        self._emit(EventDecided(event_id=event_id, modification_number=number, opt_type=decision.opt_type))
        if self._list is not None:
            self._list.respond(event, decision)
            self._answer_list(now)

    def _answer_list(self, now: Now) -> None:
        """Send oadrCreatedEvent once every event that needs an answer has one (rule 12)."""
        if self._list is None or self._list.undecided:
            return
        responses = tuple(self._list.responses.values())
        self._list = None
        if responses:
            # the requestID of the response block stays empty where there are event responses (rule 42)
            self._send(
                CreatedEvent(
                    response=EiResponse(response_description="OK"),
                    event_responses=responses,
                    ven_id=self._state.ven_id,
                ),
                now,
            )

    # --- reports -----------------------------------------------------------------------------------------------------

    def _create_report(self, carrier: Payload, requests: Sequence[ReportRequest], now: Now) -> CreatedReport:
        """Take report requests, those within the offers, and say what is pending (rules 329, 340 and 344)."""
        code, text = int(ResponseCode.OK), None
        accepted = {one.request.report_request_id: one for one in self._state.report_requests}
        for request in requests:
            try:
                check_request(request, self._offers)
                self._accept(request, accepted, now)
            except RemoteProtocolError as error:
                code, text = int(error.code), str(error)
                self._misbehaved(f"asked for a report: {error}", error.code)
        self._change(now, report_requests=tuple(accepted.values()))
        return CreatedReport(
            response=response_to(carrier, code, text), pending_reports=self._pending(), ven_id=self._state.ven_id
        )

    def _accept(self, request: ReportRequest, accepted: dict[str, AcceptedRequest], now: Now) -> None:
        request_id = request.report_request_id
        known = accepted.get(request_id)
        if known is not None:  # decision D37
            if known.request != request:
                raise RemoteProtocolError(f"reportRequestID {request_id} is in use", ResponseCode.INVALID_ID)
            REPORT_AT_SOURCE.step(known.state, ReportAtSourceInput.REPEAT)
            return
        state = REPORT_AT_SOURCE.step(ReportAtSource.REFUSED, ReportAtSourceInput.ACCEPT)
        accepted[request_id] = AcceptedRequest(request=request, accepted_at=whole_seconds(now.utc), state=state)
        self._emit(ReportRequested(report_request_id=request_id))

    def _cancel_report(self, message: CancelReport, now: Now) -> list[str]:
        """Cancel the requests that are known (decision D38); returns the others."""
        last = message.report_to_follow
        given = ReportAtSourceInput.CANCEL_AFTER_NEXT if last else ReportAtSourceInput.CANCEL
        return [one for one in message.report_request_id if not self._move_request(one, given, now)]

    def _end_requests(self, now: Now) -> None:
        """New metadata end what was asked for before, save periodic metadata (rule 306)."""
        for one in self._state.report_requests:
            if one.request.report_specifier.report_specifier_id != METADATA:
                self._move_request(one.request.report_request_id, ReportAtSourceInput.REPLACE, now)

    def _end_all_requests(self) -> None:
        """A registration ends, and with it everything that was asked for in it."""
        for one in self._state.report_requests:
            self._emit(ReportEnded(report_request_id=one.request.report_request_id))

    def _move_request(self, request_id: str, given: ReportAtSourceInput, now: Now) -> bool:
        """Move a report request; returns whether it is known."""
        requests = {one.request.report_request_id: one for one in self._state.report_requests}
        known = requests.get(request_id)
        if known is None:
            return False
        after = REPORT_AT_SOURCE.step(known.state, given)
        if after is ReportAtSource.ENDED:
            del requests[request_id]
            self._emit(ReportEnded(report_request_id=request_id))
        else:
            requests[request_id] = msgspec.structs.replace(known, state=after)
        if after is not known.state:
            self._change(now, report_requests=tuple(requests.values()))
        return True

    def _pending(self) -> tuple[str, ...]:
        return tuple(one.request.report_request_id for one in self._state.report_requests)

    # --- state -------------------------------------------------------------------------------------------------------

    def _move(self, given: RegistrationInput) -> None:
        try:
            self._registration = REGISTRATION.step(self._registration, given)
        except NotAllowed as error:
            raise LocalProtocolError(str(error)) from None

    def _require_registration(self) -> None:
        if self._registration not in (Registration.REGISTERED, Registration.REREGISTERING):
            raise LocalProtocolError(f"the VEN is not registered: {self._registration.value}")

    def _change(self, now: Now, **changes: Any) -> None:
        """Change what is remembered, and have it saved before anything that follows from it."""
        state = msgspec.structs.replace(self._state, **changes)
        if state != self._state:
            self._state = state
            self._emit(Save("ven", state.dump()))

    def _end_registration(self, now: Now, *, by_peer: bool, cancelled: bool = True) -> None:
        """Forget everything about the VTN (rule 407); running events end with it (decision D36)."""
        self._forget_registration(now)
        self._emit(RegistrationEnded(by_peer=by_peer, cancelled=cancelled))

    def _forget_registration(self, now: Now) -> None:
        self._sender.withdraw(lambda waiting: not _stands_alone(waiting))
        for number_and_call in self._deciding.values():
            self._forget_question(number_and_call[1])
        self._deciding.clear()
        self._list = None
        events = [one.event for one in self._state.events if not is_over(one.event, now.utc)]
        self._end_all_requests()
        self._state = VenState(ven_id=self.config.ven_id)
        self._emit(Save("ven", self._state.dump()))
        for event in events:
            self._tell("on_update_event", {"event": cancelled(event)}, now)

    def _new_id(self) -> str:
        return new_id(self._entropy)

    def _misbehaved(self, what: str, code: int = 0) -> None:
        self._emit(PeerMisbehaved(who=self._state.vtn_id or "the VTN", what=what, code=int(code)))

    def _tell_forgiven(self, opened: Opened) -> None:
        document = opened.document
        if document.forgiven:
            self._emit(
                PeerForgiven(
                    who=self._state.vtn_id or "the VTN",
                    message_type=document.message.message_type(),
                    forgiven=tuple(f"{one.place}: {one.what}" for one in document.forgiven),
                )
            )


_TAKE_ANSWER: Final[Mapping[type[Payload], Callable[[Ven, Payload, Payload, Now], None]]] = {
    CreatedPartyRegistration: Ven._take_registration,
    CanceledPartyRegistration: Ven._take_cancel,
    DistributeEvent: Ven._take_events,
    RegisteredReport: Ven._take_registered_report,
    UpdatedReport: Ven._take_updated_report,
}
"""What to do with the answer to a request of ours; the others need nothing more."""

_TAKE_OPERATION: Final[Mapping[type[Payload], Callable[[Ven, Payload, InboundId | None, Now], None]]] = {
    DistributeEvent: Ven._on_distribute,
    CreateReport: Ven._on_create_report,
    CancelReport: Ven._on_cancel_report,
    RegisterReport: Ven._on_register_report,
    UpdateReport: Ven._on_update_report,
    CancelPartyRegistration: Ven._on_cancel_registration,
    RequestReregistration: Ven._on_request_reregistration,
}
"""What to do with what the VTN asks; one line for each of :data:`~oadr_core.machines.operations.VTN_OPERATIONS`."""

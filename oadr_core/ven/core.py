"""A VEN as a sans-IO core: bytes, times and decisions in; bytes to send, questions and news out.

A :class:`Ven` does what it is told and what the protocol forces it to: it keeps the registration, sends requests until
they are answered, compares event lists, checks report requests, and answers what the VTN asks. It begins nothing by
itself; :class:`~oadr_core.auto.ven.AutoVen` does.
"""

from collections.abc import Callable, Mapping
from typing import Final

from oadr_core.answers import response_in
from oadr_core.clock import Deadline, Now
from oadr_core.codes import ResponseCode
from oadr_core.errors import LocalProtocolError, OtherProfile, SchemaError, SealError, SealTooOld
from oadr_core.machines.exchange import Failure
from oadr_core.machines.operations import SERVICE, VEN_REQUESTS, VTN_OPERATIONS
from oadr_core.machines.registration import Registration, RegistrationInput
from oadr_core.messages import (
    CanceledOpt,
    CanceledPartyRegistration,
    CanceledReport,
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedEvent,
    CreatedOpt,
    CreatedPartyRegistration,
    CreatedReport,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    EiResponse,
    Payload,
    Poll,
    ProfileName,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    RequestEvent,
    RequestReregistration,
    Response,
    Service,
    UpdatedReport,
    UpdateReport,
)
from oadr_core.outputs import (
    ExchangeAbandoned,
    ExchangeDone,
    ExchangeId,
    ExchangeSetBack,
    InboundId,
    OtherProfileFound,
    Output,
    Reply,
    TicketId,
)
from oadr_core.rules import refuse
from oadr_core.seal import Opened, Peer, signed_ahead
from oadr_core.ven.registration import NO_IDS, RegistrationService

_BEFORE_REGISTRATION: Final = (
    QueryRegistration,
    CreatePartyRegistration,
    CancelPartyRegistration,
    CanceledPartyRegistration,  # the confirmation of a cancel
    Response,  # the answer that promises a re-registration
)
"""What a VEN may send while it is not registered."""

_ASKING: Final = (CreateReport, DistributeEvent, RegisterReport, UpdateReport)
"""What the application may have to decide on."""


class Ven(RegistrationService):
    """The VEN core.

    :param config: what it is.
    :param sealer: opens and seals documents.
    :param entropy: the source of ids and jitter.
    :param state: what an earlier run saved under ``ven``, loaded; None begins afresh.
    :param asks: the handlers that the application has, of :data:`~oadr_core.handlers.VEN_HANDLERS`, with
        ``on_update_report`` for the reports that the VTN delivers.
    """

    # --- questions to the core ---------------------------------------------------------------------------------------

    def sending(self, cls: type[Payload]) -> bool:
        """Tell whether a request of a class waits or is under way."""
        return self._sender.waiting(cls)

    def still_sends(self, ticket: TicketId) -> bool:
        """Tell whether a request waits or is under way; one that is void, as its registration ended, does not."""
        return self._sender.holds_ticket(ticket)

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be sent and no application is asked."""
        return self._sender.idle and not self._questions

    # --- what the application can ask for ----------------------------------------------------------------------------

    @property
    def polling(self) -> bool:
        """Whether a poll waits or is under way."""
        return self._sender.waiting(RequestEvent if self._profile is ProfileName.V20A else Poll)

    def poll(self, now: Now) -> TicketId:
        """Ask whether the VTN has anything (rule 500); in 2.0a, where there is no oadrPoll, for the list of events.

        :raises LocalProtocolError: the VEN is not registered, or does not pull.
        """
        self._require_registration()
        if not self.config.pull:
            raise LocalProtocolError("a push VEN does not poll (rules 500 and 507)")
        if self._profile is ProfileName.V20A:
            return self.request_event(now)
        return self._send(Poll(ven_id=self._state.ven_id), now)

    def send(self, message: Payload, now: Now) -> TicketId:
        """Send any request that a VEN may make, as it stands.

        :param message: one of :data:`~oadr_core.machines.operations.VEN_REQUESTS`.
        :raises LocalProtocolError: a VEN sends no such message, registers by other methods, or is not registered.
        """
        if type(message) not in VEN_REQUESTS or isinstance(message, CreatePartyRegistration | CancelPartyRegistration):
            raise LocalProtocolError(f"{message.message_type()} is not sent this way")
        if not isinstance(message, RequestEvent | CreatedEvent):
            self._require_20b(message.message_type())
        refuse(message)
        if not isinstance(message, QueryRegistration):
            self._require_registration()
        return self._send(message, now)

    def withdraw(self, ticket: TicketId) -> None:
        """Take a request back; if it is under way, its answer is ignored."""
        for request in self._sender.withdraw_ticket(ticket):
            if isinstance(request.message, CreatePartyRegistration | CancelPartyRegistration):
                self._move(RegistrationInput.GIVEN_UP)
            elif isinstance(request.message, CreateOpt | CancelOpt) and self._now is not None:
                self._forget_opt(request.message, self._now)

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
        inbound = InboundId(next(self._numbers))
        if self.config.vtn_identity not in (None, peer.identity):
            return self._refuse(inbound, Failure.FORBIDDEN, "somebody else than the VTN has pushed something to us")
        try:
            opened = self._sealer.open(body, now)
        except SealTooOld as error:
            return self._refuse(inbound, Failure.BUSY, str(error))
        except SealError as error:
            return self._refuse(inbound, Failure.FORBIDDEN, str(error))
        except SchemaError as error:
            return self._refuse(inbound, Failure.NOT_ACCEPTABLE, str(error))
        self._note_signed(opened, now)
        self._tell_forgiven(opened, self._vtn_name)
        message = opened.message
        if type(message) not in VTN_OPERATIONS or service not in (None, SERVICE[type(message)]):
            self._misbehaved(f"sent {message.message_type()} to {service}", ResponseCode.COMPLIANCE_ERROR)
            text = f"{message.message_type()} is not expected here"
            self._reply(inbound, self._refuser.refuse(message, ResponseCode.COMPLIANCE_ERROR, text, self._state.ven_id))
        elif (confirmed := self._cancelled_again(message)) is not None:
            self._reply(inbound, confirmed)
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
        except OtherProfile as error:
            self._found_other_profile(error, now)
            return
        except (SchemaError, SealError) as error:
            self._misbehaved(f"answered with what cannot be read: {error}")
            self._failed(Failure.BAD_ANSWER, now)
            return
        sent = self._sender.in_flight
        assert sent is not None
        if opened is not None:
            self._note_signed(opened, now)
            self._tell_forgiven(opened, self._vtn_name)
        elif self._sealer.requires and not isinstance(sent, Response):
            # only an oadrResponse is answered with nothing (decision D53); elsewhere anybody could have sent that
            self._misbehaved(f"answered {sent.message_type()} with nothing, which is not signed (rule 514)")
            self._failed(Failure.BAD_ANSWER, now)
            return
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
            self._bring_up_to_date()
            self._operation(answer, None, now)
            return
        request = self._sender.answered()
        self._emit(ExchangeDone(ticket=request.ticket, request=sent, answer=answer))
        self._answered(sent, answer, now)

    def _note_signed(self, opened: Opened, now: Now) -> None:
        """Have it survive a restart up to which time the VTN was heard, if its clock is ahead (rule 514)."""
        signer = opened.signer
        if signer is None:
            return
        known = self._state.signed_until if self._state.vtn_signer == signer else None
        until = signed_ahead(opened, signer, known, now)
        if until is not None:
            self._change(now, vtn_signer=signer, signed_until=until)

    def _found_other_profile(self, error: OtherProfile, now: Now) -> None:
        """The VTN has answered in another profile; while we register that means that it speaks nothing else."""
        self._misbehaved(f"answered with what cannot be read: {error}")
        if not isinstance(self._sender.in_flight, QueryRegistration | CreatePartyRegistration):
            self._failed(Failure.BAD_ANSWER, now)
            return
        request = self._sender.answered()
        if isinstance(request.message, CreatePartyRegistration):
            self._move(RegistrationInput.GIVEN_UP)
        falling_back = self.config.fall_back and self._registration is Registration.UNREGISTERED
        self._emit(OtherProfileFound(profile=error.profile, falling_back=falling_back))
        self._emit(ExchangeAbandoned(ticket=request.ticket, request=request.message, why=Failure.BAD_ANSWER))
        if falling_back:
            self.fall_back(now)

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
            elif kind == "answer":
                self._answer_list(now, without_the_rest=True)

    def next_output(self, now: Now) -> Output | None:
        """Take the next thing to do; see :class:`~oadr_core.core.Core`."""
        self._now = now
        return self._next_output(now)

    def next_timeout(self) -> Deadline | None:
        """Say when to call ``handle_timeout``; see :class:`~oadr_core.core.Core`."""
        if self._now is None:
            return None
        found = (self._sender.next_deadline(self._now), self._timers.next(self._now))
        return min((deadline for deadline in found if deadline is not None), key=lambda one: one.at, default=None)

    # --- exchanges ---------------------------------------------------------------------------------------------------

    def _may_send(self, message: Payload) -> bool:
        """Registration goes before everything else (rule 405), also one that the VTN has asked for.

        That of a push VEN waits until its transport has told where it is reached. What is asked of the VTN waits until
        the metadata and the list of events have been exchanged, where that happens by itself.
        """
        if isinstance(message, CreatePartyRegistration) and not self.config.pull and self._address is None:
            return False
        if self.starting and isinstance(message, CreateReport | CancelReport):
            return False
        if self._registration is Registration.REGISTERED and not self._asked_again:
            return True
        return isinstance(message, _BEFORE_REGISTRATION)

    def _failed(self, why: Failure, now: Now) -> None:
        request, wait = self._sender.failed(why, now)
        if wait is not None:
            service = SERVICE[type(request.message)]
            self._emit(ExchangeSetBack(ticket=request.ticket, service=service, why=why, wait=wait))
            self._bring_up_to_date()
            return
        self._emit(ExchangeAbandoned(ticket=request.ticket, request=request.message, why=why))
        if isinstance(request.message, CreatePartyRegistration | CancelPartyRegistration):
            self._move(RegistrationInput.GIVEN_UP)
        elif isinstance(request.message, CreateOpt | CancelOpt):
            self._opt_refused(request.message, 0, why.value, now)
        elif isinstance(request.message, CreateReport | CancelReport):
            self._reports_refused(request.message, None, now)

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
        if isinstance(sent, RegisteredReport) and isinstance(answer, CreatedReport):
            return True  # it brought requests by the way (rule 344)
        return type(answer) is VEN_REQUESTS[type(sent)]

    def _is_done_later(self, sent: Payload) -> bool:
        """Tell whether a request that is answered with oadrRequestReregistration is sent again after it (decision D27).

        A poll was done with that, and to cancel there is nothing where the VTN does not know us.
        """
        return not self.config.manual and not isinstance(sent, Poll | CancelPartyRegistration)

    # --- what comes back ---------------------------------------------------------------------------------------------

    def _answered(self, sent: Payload, answer: Payload | None, now: Now) -> None:
        self.expire_report_requests(now)
        response = response_in(answer) if answer is not None else None
        if isinstance(sent, UpdateReport):
            self._reports_delivered(sent, now)
        if response is not None and not response.ok:
            self._refused(sent, answer, response, now)
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
            self._refused(sent, None, NO_IDS, now)
        elif isinstance(sent, CancelPartyRegistration):
            self._cancelled(now)
        elif isinstance(sent, RegisterReport):
            self._offers_taken(sent, now)
        elif isinstance(sent, CreateReport | CancelReport):
            self._requests_taken(sent, now)
        elif isinstance(sent, CreateOpt | CancelOpt):
            self._opt_confirmed(sent, now)

    def _take_opt_answer(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(sent, CreateOpt | CancelOpt)
        self._opt_confirmed(sent, now)

    def _refused(self, sent: Payload, answer: Payload | None, response: EiResponse, now: Now) -> None:
        code, text = response.response_code, response.response_description or ""
        self._misbehaved(f"refused {sent.message_type()}: {text}", code)
        if isinstance(sent, CreatePartyRegistration):
            self._registration_refused(sent, response, now)
        elif isinstance(sent, CancelPartyRegistration):
            self._cancel_refused(response, now)
        elif (isinstance(sent, UpdateReport) and code == ResponseCode.INVALID_ID) or (
            isinstance(sent, CreateReport | CancelReport) and code != ResponseCode.NOT_REGISTERED_OR_AUTHORIZED
        ):
            self._reports_refused(sent, answer, now)
        elif isinstance(sent, CreateOpt | CancelOpt) and code != ResponseCode.NOT_REGISTERED_OR_AUTHORIZED:
            self._opt_refused(sent, code, text, now)
        elif code == ResponseCode.NOT_REGISTERED_OR_AUTHORIZED or (
            code == ResponseCode.INVALID_ID and isinstance(sent, Poll)
        ):
            self._unknown_to_vtn(now)

    # --- what the VTN asks -------------------------------------------------------------------------------------------

    def _operation(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        """Do what the VTN asks: pushed with ``inbound``, or as the answer to a poll without."""
        self.expire_report_requests(now)
        named = getattr(message, "ven_id", None)
        if named and named != self._state.ven_id:
            self._misbehaved(f"sent us {message.message_type()} for {named}", ResponseCode.INVALID_ID)
            text = f"{named} is not this VEN"
            answer = self._refuser.refuse(message, ResponseCode.INVALID_ID, text, self._state.ven_id)
            self._answer(message, answer, inbound, now)
            return
        if isinstance(message, _ASKING) and self._put_off(message, now):
            if inbound is not None:
                self._emit(Reply(inbound, None, Failure.BUSY, self._sealer))
            return  # without an answer to what it polled the VTN hands it out again
        _TAKE_OPERATION[type(message)](self, message, inbound, now)

    def _refuse(self, inbound: InboundId, why: Failure, what: str) -> InboundId:
        self._misbehaved(what)
        self._emit(Reply(inbound, None, why, self._sealer))
        return inbound


_TAKE_ANSWER: Final[Mapping[type[Payload], Callable[[Ven, Payload, Payload, Now], None]]] = {
    CreatedPartyRegistration: Ven._take_registration,
    CanceledPartyRegistration: Ven._take_cancel,
    DistributeEvent: Ven._take_events,
    RegisteredReport: Ven._take_registered_report,
    CreatedReport: Ven._take_created_report,
    CanceledReport: Ven._take_canceled_report,
    UpdatedReport: Ven._take_updated_report,
    CreatedOpt: Ven._take_opt_answer,
    CanceledOpt: Ven._take_opt_answer,
}
"""What to do with the answer to a request of ours; the others need nothing more."""

_TAKE_OPERATION: Final[Mapping[type[Payload], Callable[[Ven, Payload, InboundId | None, Now], None]]] = {
    DistributeEvent: Ven._on_distribute,
    CreateReport: Ven._on_create_report,
    CreatedReport: Ven._on_created_report,
    CancelReport: Ven._on_cancel_report,
    RegisterReport: Ven._on_register_report,
    UpdateReport: Ven._on_update_report,
    CancelPartyRegistration: Ven._on_cancel_registration,
    RequestReregistration: Ven._on_request_reregistration,
}
"""What to do with what the VTN asks; one line for each of :data:`~oadr_core.machines.operations.VTN_OPERATIONS`."""

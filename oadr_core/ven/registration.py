"""EiRegisterParty at a VEN: query, registration, its renewal and its end."""

from datetime import timedelta
from typing import Final

import msgspec

from oadr_core.answers import response_to
from oadr_core.clock import Now
from oadr_core.codes import ResponseCode
from oadr_core.errors import LocalProtocolError
from oadr_core.machines.registration import REGISTRATION, Registration, RegistrationInput
from oadr_core.messages import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    EiResponse,
    Payload,
    Poll,
    ProfileName,
    QueryRegistration,
    RequestReregistration,
    Response,
)
from oadr_core.outputs import (
    InboundId,
    Queried,
    Registered,
    RegistrationEnded,
    RegistrationRefused,
    ReregistrationRequested,
    TicketId,
)
from oadr_core.state.ven import VenState
from oadr_core.ven.event_list import cancelled, is_over
from oadr_core.ven.events import EventService
from oadr_core.ven.opts import OptService
from oadr_core.ven.reports import ReportService

NO_IDS: Final = EiResponse(
    response_code=ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, response_description="the answer holds no ids"
)
"""A refusal to register in all but its code: peers say 200 and leave the ids empty, or out."""


_REGISTRATION: Final = "registration; ids are agreed beforehand"


class RegistrationService(EventService, ReportService, OptService):
    """EiRegisterParty at a VEN (section 8.4 of the profile). It ends what the other services have begun."""

    _asked_again = False
    """Whether the VTN has asked us to register again, and we have not yet."""
    _cancelled_by_vtn: CanceledPartyRegistration | None = None
    """How the VTN's cancellation of the last registration was answered; it may come again."""

    # --- what the application can ask for ----------------------------------------------------------------------------

    def query_registration(self, now: Now) -> TicketId:
        """Ask the VTN what it supports (section 8.4.1 of the profile).

        :raises LocalProtocolError: the VEN speaks 2.0a.
        """
        self._require_20b(_REGISTRATION)
        return self._send(QueryRegistration(request_id=self._new_id()), now)

    def create_party_registration(self, now: Now, *, anew: bool = False) -> TicketId:
        """Register; with the present ids where there is a registration (rule 402).

        :param anew: register without ids all the same, which makes the VTN forget what it knew (rule 406).
        :raises LocalProtocolError: a registration is being made or cancelled already, or the VEN speaks 2.0a.
        """
        self._require_20b(_REGISTRATION)
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
            transport_address=None if config.pull else self._address,
            report_only=config.report_only,
            xml_signature=self._sealer.signs,
            ven_name=config.ven_name or None,
            http_pull_model=config.pull,
        )
        self._sender.withdraw(lambda waiting: isinstance(waiting, Poll))
        return self._send(message, now)

    def reached_at(self, address: str, now: Now) -> None:
        """Be reached by push at an address from now on; a registration that is not sent yet tells it.

        Whoever tells this has a connection, so what has failed for want of one is sent again at once.

        :param address: a base URL or a full JID.
        :param now: the present.
        :raises LocalProtocolError: the VEN polls.
        """
        self._now = now
        if self.config.pull:
            raise LocalProtocolError("a VEN that polls is reached nowhere")
        self._address = address
        self._sender.revise(self._with_address)
        self._sender.resume(now)

    @property
    def address(self) -> str | None:
        """Where it is reached by push; None where it polls, or its transport has not told yet."""
        return self._address

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is reached elsewhere than the VTN was told, so that it has to register again."""
        if self.config.pull or self._registration is not Registration.REGISTERED:
            return False
        return self._address != self._address_told

    def _with_address(self, waiting: Payload) -> Payload:
        if not isinstance(waiting, CreatePartyRegistration):
            return waiting
        return msgspec.structs.replace(waiting, transport_address=self._address)

    def cancel_party_registration(self, now: Now) -> TicketId:
        """End the registration (rule 407).

        :raises LocalProtocolError: there is no registration, or the VEN speaks 2.0a.
        """
        self._require_20b(_REGISTRATION)
        self._move(RegistrationInput.SEND_CANCEL)
        return self._send(
            CancelPartyRegistration(
                request_id=self._new_id(),
                registration_id=self._state.registration_id,
                ven_id=self._state.ven_id,
            ),
            now,
        )

    def fall_back(self, now: Now) -> None:
        """Go on as a VEN of 2.0a (rule 506); what was under way is given up.

        :raises LocalProtocolError: there is no id that was agreed beforehand.
        """
        self._now = now
        self._sender.withdraw(lambda waiting: True)
        self._speak(ProfileName.V20A)

    # --- answers of the VTN ------------------------------------------------------------------------------------------

    def _take_registration(self, sent: Payload, answer: Payload, now: Now) -> None:
        assert isinstance(answer, CreatedPartyRegistration)
        if isinstance(sent, QueryRegistration):
            self._emit(Queried(vtn_id=answer.vtn_id, profiles=_pairs(answer)))
            return
        assert isinstance(sent, CreatePartyRegistration)
        again = self._registration is Registration.REREGISTERING
        registration_id = answer.registration_id or (self._state.registration_id if again else "")
        ven_id = answer.ven_id or (self._state.ven_id if again else "")
        if not registration_id or not ven_id:  # a refusal in all but its code
            self._registration_refused(sent, NO_IDS, now)
            return
        self._move(RegistrationInput.ACCEPTED)
        self._confirmed = True
        self._address_told = sent.transport_address
        self._asked_again = False
        if not again and self._state.registered:
            self._forget_registration(now)  # as the VTN does, where it is asked to begin all over (rule 406)
        poll_freq = answer.requested_oadr_poll_freq
        self._change(
            now,
            registered=True,
            ven_id=ven_id,
            registration_id=registration_id,
            vtn_id=answer.vtn_id or self._state.vtn_id,
            poll_freq=poll_freq.total_seconds() if isinstance(poll_freq, timedelta) else self._state.poll_freq,
        )
        self._emit(Registered(ven_id=ven_id, registration_id=registration_id, vtn_id=self._state.vtn_id, again=again))

    def _registration_refused(self, sent: CreatePartyRegistration, response: EiResponse, now: Now) -> None:
        self._move(RegistrationInput.REFUSED)
        self._forget_registration(now)
        code, text = response.response_code, response.response_description or ""
        self._emit(RegistrationRefused(code=code, description=text, again=sent.registration_id is not None))

    def _cancel_refused(self, response: EiResponse, now: Now) -> None:
        if response.response_code == ResponseCode.NOT_REGISTERED_OR_AUTHORIZED:
            self._move(RegistrationInput.UNKNOWN_TO_VTN)
            self._end_registration(now, by_peer=False)
        else:
            self._move(RegistrationInput.REFUSED)

    def _take_cancel(self, sent: Payload, answer: Payload, now: Now) -> None:
        self._cancelled(now)

    def _cancelled(self, now: Now) -> None:
        self._move(RegistrationInput.CANCELED)
        self._end_registration(now, by_peer=False)

    def _unknown_to_vtn(self, now: Now) -> None:
        """The VTN does not know us, whatever we thought (decision D27)."""
        if self._profile is ProfileName.V20A:
            return  # the ids were agreed beforehand, so it is for those who did that to agree again
        if REGISTRATION.allows(self._registration, RegistrationInput.UNKNOWN_TO_VTN):
            was = self._registration
            self._move(RegistrationInput.UNKNOWN_TO_VTN)
            if was not in (Registration.UNREGISTERED, Registration.REGISTERING):
                self._end_registration(now, by_peer=True, cancelled=False)

    # --- operations of the VTN ---------------------------------------------------------------------------------------

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
        self._cancelled_by_vtn = confirmed
        self._answer(message, confirmed, inbound, now)
        self.tell("on_cancel_party_registration", {"message": message}, now)

    def _cancelled_again(self, message: Payload) -> CanceledPartyRegistration | None:
        """Confirm once more that the VTN has ended the last registration, where our answer was lost."""
        confirmed = self._cancelled_by_vtn
        if confirmed is None or not isinstance(message, CancelPartyRegistration):
            return None
        if self._registration is Registration.REGISTERED or message.registration_id != confirmed.registration_id:
            return None
        return msgspec.structs.replace(confirmed, response=response_to(message))

    def _on_request_reregistration(self, message: Payload, inbound: InboundId | None, now: Now) -> None:
        assert isinstance(message, RequestReregistration)
        self._answer(message, Response(response=response_to(message), ven_id=self._state.ven_id), inbound, now)
        if self._registration is Registration.REGISTERED:
            self._asked_again = not self.config.manual
            self._emit(ReregistrationRequested())

    # --- the end -----------------------------------------------------------------------------------------------------

    def _end_registration(self, now: Now, *, by_peer: bool, cancelled: bool = True) -> None:
        """Forget everything about the VTN (rule 407); running events end with it (decision D36)."""
        self._forget_registration(now)
        self._emit(RegistrationEnded(by_peer=by_peer, cancelled=cancelled))

    def _forget_registration(self, now: Now) -> None:
        self._sender.withdraw(lambda waiting: not _stands_alone(waiting))
        self._stop_deciding()
        events = [one.event for one in self._state.events if not is_over(one.event, now.utc)]
        self._end_all_requests()
        for opt in self._state.unanswered_opts:
            code = int(ResponseCode.NOT_REGISTERED_OR_AUTHORIZED)
            self._tell_refused(opt, code, "the registration has ended", now)
        self._replace_state(VenState(ven_id=self.config.ven_id, ending=self._ending(events, (), now)))
        for event in events:
            self.tell("on_update_event", {"event": cancelled(event)}, now)


def _pairs(answer: CreatedPartyRegistration) -> tuple[tuple[str, str], ...]:
    """What a VTN supports, as pairs of profile and transport."""
    return tuple(
        (str(profile.profile_name), str(transport.transport_name))
        for profile in answer.profiles
        for transport in profile.transports
    )


def _stands_alone(request: Payload) -> bool:
    """Whether a request makes sense whatever becomes of the registration; one to renew it does not."""
    if isinstance(request, CreatePartyRegistration):
        return request.registration_id is None
    return isinstance(request, QueryRegistration)

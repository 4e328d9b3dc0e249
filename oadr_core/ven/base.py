"""What the services of a VEN share."""

from collections.abc import Container
from typing import Any, Final

import msgspec

from oadr_core.answers import Refuser
from oadr_core.clock import Now
from oadr_core.core import CoreBase
from oadr_core.entropy import Entropy, new_id
from oadr_core.errors import LocalProtocolError
from oadr_core.machines.operations import VTN_OPERATIONS
from oadr_core.machines.registration import REGISTRATION, Registration, RegistrationInput
from oadr_core.machines.table import NotAllowed
from oadr_core.messages import CreateOpt, Payload, ProfileName, RegisterReport, TransportName
from oadr_core.outputs import Address, EventDecided, InboundId, Output, PeerMisbehaved, Reply, Save, TicketId
from oadr_core.seal import Sealer
from oadr_core.sender import Sender
from oadr_core.state.ven import KnownEvent, VenState
from oadr_core.ven.config import VenConfig

_SAVE_STATE: Final = Save("ven", None)
"""Stands among the outputs for a ``Save`` of the state, which is written when it is taken."""


class VenBase(CoreBase):
    """What the services of a VEN share: what it remembers, where it stands with its VTN, and sending to it.

    :param config: what the VEN is.
    :param sealer: opens and seals documents.
    :param entropy: the source of ids and jitter.
    :param state: what an earlier run saved under ``ven``, loaded; None begins afresh.
    :param asks: the handlers that the application has.
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
        self._refuser = Refuser()
        if self._state.signed_until is not None:
            sealer.recall(self._state.vtn_signer, self._state.signed_until)
        self.starting = False  # said by what does by itself what has to come first after a registration (rule 405)
        self._address = config.address
        self._address_told: str | None = None  # by the registration that stands
        self._save_waits = False
        self._unsaved = False  # something is remembered whose save may wait until the next message leaves
        self._confirmed = False  # whether the VTN has registered us, or again, since we were started
        if config.fall_back and not config.ven_id:
            raise LocalProtocolError("fall_back needs a ven_id, as a VEN of OpenADR 2.0a cannot register")
        self._speak(config.profile)

    def _speak(self, profile: ProfileName) -> None:
        """Speak a profile from now on; nothing is under way."""
        if profile is ProfileName.V20A:
            self._forgo_registration()
        self._profile = profile
        self._sealer = self._sealer.speaking(profile)
        to = Address(self.config.transport, profile=profile)
        self._sender = Sender(to, self._sealer, self._entropy, self.config.sender, self._numbers)

    def _forgo_registration(self) -> None:
        """Stand with the VTN as a VEN of 2.0a does, from the beginning: by ids that were agreed beforehand.

        :raises LocalProtocolError: there are none.
        """
        config = self.config
        if not config.ven_id:
            raise LocalProtocolError("a VEN of OpenADR 2.0a does not register; its ven_id has to be agreed beforehand")
        if config.report_only or config.transport is not TransportName.SIMPLE_HTTP:
            raise LocalProtocolError("OpenADR 2.0a has events alone, and HTTP alone")
        known = self._state
        self._state = VenState(ven_id=config.ven_id, vtn_id=config.vtn_id, events=known.events, ending=known.ending)
        self._registration = Registration.REGISTERED
        self._confirmed = True

    @property
    def profile(self) -> ProfileName:
        """The profile that it speaks."""
        return self._profile

    @property
    def state(self) -> VenState:
        """What the VEN remembers; the same that was last saved."""
        return self._state

    @property
    def registration(self) -> Registration:
        """Where it stands with its VTN."""
        return self._registration

    # --- sending -----------------------------------------------------------------------------------------------------

    def _send(self, message: Payload, now: Now, *, lane: str = "", patient: bool = False) -> TicketId:
        self._now = now
        ticket = self._ticket()
        self._sender.push(message, ticket, lane=lane or message.message_type(), patient=patient)
        return ticket

    def _answer(self, operation: Payload, answer: Payload, inbound: InboundId | None, now: Now) -> None:
        """Answer an operation: inline in push where the table says so, else by a request of its own (rules 51, 500)."""
        if inbound is not None and VTN_OPERATIONS[type(operation)].inline:
            self._reply(inbound, answer)
            return
        if inbound is not None:
            self._reply(inbound, None)
        self._send(answer, now)
        self._bound_answers(answer)

    def _bound_answers(self, answer: Payload) -> None:
        """Keep no more answers of a kind than may wait; a VTN that fails at each of them could pile them up."""
        waiting = [one for one in self._sender.messages(type(answer)) if _is_answer(one)]
        surplus = waiting[: -self.config.limits.answers]
        if surplus:
            self._sender.withdraw(lambda message: any(message is one for one in surplus))
            self._misbehaved(f"takes no answers: the oldest {answer.message_type()} that waits is dropped")

    def _reply(self, inbound: InboundId, message: Payload | None) -> None:
        self._emit(Reply(inbound, message, None, self._sealer))

    def _put_off(self, message: Payload, now: Now) -> bool:
        """Whether the application has so much to decide and to hear that it is asked nothing more; tells it."""
        waiting = self._open_calls(now)
        if waiting < self.config.limits.undecided:
            return False
        self._misbehaved(f"sent {message.message_type()} while {waiting} questions wait for the application")
        return True

    # --- what it remembers -------------------------------------------------------------------------------------------

    def _may_send(self, message: Payload) -> bool:
        """Tell whether a message may be sent at present."""
        return True

    def _follow_opt(self, opt: CreateOpt, now: Now) -> None:
        """Take note that the VTN has taken an opt for all that it is about."""

    def _change(self, now: Now, **changes: Any) -> None:
        """Change what is remembered, and have it saved before anything that follows from it."""
        state = msgspec.structs.replace(self._state, **changes)
        if state != self._state:
            self._replace_state(state)

    def _note(self, **changes: Any) -> None:
        """Change what is remembered; saved at the latest before the next message leaves, with what is noted till then.

        For what nothing follows from but a message: without it a crash only has the application asked once more.
        """
        self._state = msgspec.structs.replace(self._state, **changes)
        self._unsaved = True

    def _save_notes(self) -> None:
        """Save what was noted."""
        if self._unsaved:
            self._replace_state(self._state)

    def _replace_state(self, state: VenState) -> None:
        """Remember something else. All that one input changes is saved together, before anything follows from it."""
        self._state = state
        if not self._save_waits:
            self._save_waits = True
            self._emit(_SAVE_STATE)

    def _next_output(self, now: Now) -> Output | None:
        """Take the next output, if there is any; a request last, and after what was noted until then is saved."""
        if not self._outputs:
            transmit = self._sender.next_transmit(now, self._may_send)
            if transmit is None or not self._unsaved:
                return transmit
            self._save_notes()
            self._emit(transmit)
        output = self._outputs.popleft()
        if output is _SAVE_STATE:
            self._save_waits = self._unsaved = False
            return Save("ven", self._state.dump())
        return output

    def _require_20b(self, what: str) -> None:
        if self._profile is ProfileName.V20A:
            raise LocalProtocolError(f"OpenADR 2.0a, which this VEN speaks, has no {what} (section 7.1)")

    @property
    def _is_registered(self) -> bool:
        """Whether a registration stands, which may be about to be renewed."""
        return self._registration in (Registration.REGISTERED, Registration.REREGISTERING)

    def _require_registration(self) -> None:
        if not self._is_registered:
            raise LocalProtocolError(f"the VEN is not registered: {self._registration.value}")

    def _move(self, given: RegistrationInput) -> None:
        try:
            self._registration = REGISTRATION.step(self._registration, given)
        except NotAllowed as error:
            raise LocalProtocolError(str(error)) from None

    def _new_id(self) -> str:
        return new_id(self._entropy)

    @property
    def _vtn_name(self) -> str:
        """The VTN, for people."""
        return self._state.vtn_id or "the VTN"

    def _tell_decided(self, known: KnownEvent) -> None:
        """Tell what was decided."""
        assert known.opt_type is not None
        self._emit(
            EventDecided(
                event_id=known.event_id,
                modification_number=known.event.event_descriptor.modification_number,
                opt_type=known.opt_type,
                code=known.code,
                description=known.description,
            )
        )

    def _misbehaved(self, what: str, code: int = 0) -> None:
        self._emit(PeerMisbehaved(who=self._vtn_name, what=what, code=int(code)))


def _is_answer(message: Payload) -> bool:
    """Whether a message answers what the VTN has asked; offers do where they name a request for metadata."""
    return not isinstance(message, RegisterReport) or message.report_request_id is not None

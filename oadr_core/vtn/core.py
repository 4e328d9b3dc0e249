"""A VTN as a sans-IO core: bytes, times and decisions in; bytes to send, questions and news out.

A :class:`Vtn` finds out which VEN is talking, has :func:`~oadr_core.vtn.step` decide what follows, and carries it
out: it keeps the records, saves them before their consequences leave, answers, asks the application, and pushes to the
VENs that do not poll. There is one record for each VEN, and nothing else: no task, no thread, no generator.
"""

from collections.abc import Container, Mapping
from typing import Final

from oadr_core.clock import Deadline, Now
from oadr_core.codes import ResponseCode
from oadr_core.entropy import Entropy
from oadr_core.errors import LocalProtocolError, SchemaError, SealError
from oadr_core.machines.exchange import Failure
from oadr_core.machines.operations import SERVICE, VEN_REQUESTS
from oadr_core.messages import (
    CreatePartyRegistration,
    Payload,
    Poll,
    ProfileName,
    QueryRegistration,
    RequestEvent,
    Service,
    TransportName,
)
from oadr_core.outputs import InboundId, Output
from oadr_core.rules import refuse
from oadr_core.seal import Peer, Sealer
from oadr_core.sender import SenderConfig
from oadr_core.state.vtn import QUEUED_MESSAGES
from oadr_core.vtn.base import who
from oadr_core.vtn.identities import FULL, Unidentified, why_refused
from oadr_core.vtn.registration_service import RegistrationService
from oadr_core.vtn.report_service import ReportService
from oadr_core.vtn.turn import AddressCheck, Asked, Offer, VtnConfig, any_address

_TELLING_NOTHING: Final = (Poll, QueryRegistration, RequestEvent)
"""Requests of which the application is told nothing; what it decides on is bounded by itself."""


class Vtn(RegistrationService, ReportService):
    """The VTN core.

    :param config: what it is.
    :param sealer: opens and seals documents.
    :param entropy: the source of ids and jitter.
    :param saved: what an earlier run saved, by key; other keys than its own are passed over.
    :param asks: the handlers that the application has.
    :param push: how patient it is with push VENs.
    :param missed_polls: after how many polls that did not come a VEN counts as offline, or a push VEN after how many
        pushes in a row that did not reach it.
    :param refuse_address: says why an address that a VEN registers with is not pushed to.
    :raises StateError: something in ``saved`` is damaged.
    """

    def __init__(
        self,
        config: VtnConfig,
        *,
        sealer: Sealer,
        entropy: Entropy,
        saved: Mapping[str, bytes] | None = None,
        asks: Container[str] = (),
        push: SenderConfig | None = None,
        missed_polls: int = 3,
        refuse_address: AddressCheck = any_address,
    ) -> None:
        super().__init__(
            config,
            sealer=sealer,
            entropy=entropy,
            saved=saved,
            asks=asks,
            push=push,
            missed_polls=missed_polls,
            refuse_address=refuse_address,
        )

    def start(self, now: Now) -> None:
        """Begin, or go on after a restart: every deadline is put back on this run's clock."""
        self._now = now
        for record in list(self._records.values()):
            if record.online:  # one that was silent before is so until it shows itself
                self._heard_of(record, now)
            if self.offers and record.profile is ProfileName.V20B:  # those of the run before are void (rule 309)
                self._take(record, Offer(), None, now)
            self._push(record.ven_id, now)
        for record_of_event in list(self._book.values()):
            self._watch(record_of_event, now)

    # --- what the application can ask for ----------------------------------------------------------------------------

    def queue(self, ven_id: str, message: Payload, now: Now) -> None:
        """Ask something of a VEN, once it polls or by push.

        :param ven_id: the VEN.
        :param message: an operation; one of oadrCreateReport, oadrCancelReport, oadrRegisterReport, oadrUpdateReport,
            oadrCancelPartyRegistration, oadrRequestReregistration.
        :raises LocalProtocolError: there is no such VEN; the message is no operation, is for another VEN, or breaks a
            rule; or ``limits.queued`` operations wait for the VEN.
        """
        record = self._known_ven(ven_id)
        if not isinstance(message, QUEUED_MESSAGES):
            possible = ", ".join(one.message_type() for one in QUEUED_MESSAGES)
            raise LocalProtocolError(f"{message.message_type()} is not asked of a VEN this way; {possible} are")
        if message.ven_id not in (None, "", ven_id):
            raise LocalProtocolError(f"the message is for the VEN {message.ven_id!r}, not for {ven_id!r}")
        refuse(message)
        self._queue(record, message, now)

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
        """Take a request of a VEN; see :class:`~oadr_core.core.Core`."""
        self._now = now
        inbound = InboundId(next(self._numbers))
        if profile is ProfileName.V20A:
            self._in_20a.add(inbound)
        try:
            opened = self._sealers[profile].open(body, now)
            identity = self._proved(opened, peer)
        except SealError as error:
            return self._refuse(inbound, why_refused(error), peer, str(error))
        except SchemaError as error:
            return self._refuse(inbound, Failure.NOT_ACCEPTABLE, peer, str(error))
        self._answering[inbound] = self._sealers[profile].towards(opened.signer)
        self._tell_forgiven(opened, who(peer))
        message = opened.message
        if service is not None and type(message) in VEN_REQUESTS and SERVICE[type(message)] is not service:
            text = f"{message.message_type()} belongs to {SERVICE[type(message)]}, not to {service}"
            self._answer_error(inbound, message, ResponseCode.COMPLIANCE_ERROR, text, peer)
            return inbound
        try:
            record = self._identify(message, identity, opened.signer, profile)
        except SealError as error:
            return self._refuse(inbound, why_refused(error), peer, str(error))
        except Unidentified as error:
            self._answer_error(inbound, message, error.code, str(error), peer)
            return inbound
        if record is not None:
            self._note_signed(record, opened, now)
            self._note_certificate(self._records[record.ven_id], identity, opened.signer, now)
            self._heard_of(self._records[record.ven_id], now)
            record = self._records[record.ven_id]
            if self.untold(record.ven_id) >= self.config.limits.untold and not isinstance(message, _TELLING_NOTHING):
                return self._refuse(inbound, Failure.BUSY, peer, "says more than the application has heard of")
        elif isinstance(message, CreatePartyRegistration) and not self._has_room(message, peer, identity, now):
            self._answer_error(inbound, message, ResponseCode.DEPLOYMENT_ERROR, FULL, peer)
            return inbound
        way = TransportName(peer.transport)
        self._take(record, Asked(message, identity, profile, signer=opened.signer, transport=way), inbound, now)
        return inbound

    def handle_timeout(self, now: Now) -> None:
        """Do what is due; see :class:`~oadr_core.core.Core`."""
        self._now = now
        self._bring_back(now)
        for kind, key in self._timers.expired(now):
            if kind == "call":
                self._decide_without(key, "took too long", now)
            elif kind == "flight":
                self.exchange_failed(key, Failure.SILENCE, now=now)
            elif kind == "crowd":
                self._give_up_for_others(now)
            elif kind == "push":
                self._pushing.resume(key)
                self._push(key, now)
            elif kind == "seen":
                self._look_for(key, now)
            elif kind == "former":
                self._refuse_former(key, now)
            elif kind == "event":
                self._finish(key, now)
            elif kind == "forget":
                self._forget_event(key)

    def next_output(self, now: Now) -> Output | None:
        """Take the next thing to do; see :class:`~oadr_core.core.Core`."""
        self._now = now
        if not self._outputs:
            for ven_id in self._pushing.taken():
                self._hand_to(ven_id, now)
                if self._outputs:
                    break
            self._watch_crowd()
        return self._outputs.popleft() if self._outputs else None

    def next_timeout(self) -> Deadline | None:
        """Say when to call ``handle_timeout``; see :class:`~oadr_core.core.Core`."""
        return None if self._now is None else self._timers.next(self._now)

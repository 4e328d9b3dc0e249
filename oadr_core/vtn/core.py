"""A VTN as a sans-IO core: bytes, times and decisions in; bytes to send, questions and news out.

A :class:`Vtn` finds out which VEN is talking, has :func:`~oadr_core.vtn.step` decide what follows, and carries it
out: it keeps the records, saves them before their consequences leave, answers, asks the application, and pushes to the
VENs that do not poll. There is one record for each VEN, and nothing else: no task, no thread, no generator.
"""

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from oadr_core.answers import Refuser
from oadr_core.buckets import TokenBuckets
from oadr_core.clock import Deadline, Now, whole_seconds
from oadr_core.codes import ResponseCode
from oadr_core.core import CoreBase, Question
from oadr_core.decisions import PollDecision, RegistrationDecision
from oadr_core.entropy import Entropy, new_id
from oadr_core.errors import LocalProtocolError, SchemaError, SealError, SealTooOld
from oadr_core.machines.exchange import REMEDY, Failure, Remedy
from oadr_core.machines.operations import SERVICE, VEN_REQUESTS, VTN_OPERATIONS
from oadr_core.messages import (
    CancelPartyRegistration,
    CancelReport,
    CreatePartyRegistration,
    CreateReport,
    DistributeEvent,
    EiEvent,
    EventStatus,
    Payload,
    Poll,
    ProfileName,
    QueryRegistration,
    RegisteredReport,
    Report,
    ReportRequest,
    RequestEvent,
    RequestReregistration,
    Service,
    TransportName,
    UpdateReport,
    latest_end,
    outruns,
)
from oadr_core.outputs import (
    Address,
    CertificateFollowed,
    EventsOverlap,
    EventWithheld,
    ExchangeAbandoned,
    ExchangeId,
    ExchangeSetBack,
    HandlerFailed,
    InboundId,
    Output,
    PeerMisbehaved,
    PollsTooSeldom,
    Reply,
    ReportEnded,
    Save,
    TicketId,
    Transmit,
    VenDeregistered,
    VenOffline,
    VenOnline,
    VenRegistered,
)
from oadr_core.reports import Requester
from oadr_core.rules import refuse
from oadr_core.seal import Opened, Peer, Sealer, signed_ahead
from oadr_core.sender import SenderConfig
from oadr_core.state.audience import Audience, Enrolment, HandedEvents
from oadr_core.state.reports import digest
from oadr_core.state.vtn import QUEUED_MESSAGES, EventRecord, QueuedMessage, VenRecord
from oadr_core.vtn import certificates
from oadr_core.vtn.audiences import AudienceLike, audience_for, checked
from oadr_core.vtn.crowding import Crowding
from oadr_core.vtn.event_answers import EventAnswer, event_answers
from oadr_core.vtn.event_book import EventBook
from oadr_core.vtn.event_documents import EventDocuments
from oadr_core.vtn.event_lists import as_made, remembered_until
from oadr_core.vtn.event_making import made, refuse_over, refuse_rewriting
from oadr_core.vtn.overlaps import overlapping
from oadr_core.vtn.profile_20a import simplified, why_unfit
from oadr_core.vtn.pushing import Carried, Turns, contents
from oadr_core.vtn.step import step
from oadr_core.vtn.turn import (
    AddressCheck,
    Answered,
    Asked,
    Decided,
    Hand,
    Input,
    Made,
    Offer,
    PushFailed,
    PushRefused,
    Queue,
    Shared,
    Step,
    VtnConfig,
    any_address,
)
from oadr_core.wire.verify import verify

_ENROLMENT: Final = "enrolment/"
"""Before the id of a VEN, the key of what it belongs to."""

_HANDED: Final = "handed/"
"""Before the id of a VEN, the key of the events that handlers have returned for it."""

_HOUR: Final = 3600.0

_STRANGERS: Final = 32
"""As how many VENs those count together that are not registered and show no certificate."""

_TELLING_NOTHING: Final = (Poll, QueryRegistration, RequestEvent)
"""Requests of which the application is told nothing; what it decides on is bounded by itself."""

_FULL: Final = "the VTN registers no further VEN at present"

_Key = tuple[str, str]
"""Tells one question to the application from another: who asks, and a digest of the request."""


class Vtn(CoreBase):
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
        super().__init__(sealer, entropy, asks, config.call_timeout)
        self.config: Final = config
        self._pushing = Turns(push or SenderConfig(), config.most_pushes, entropy)
        self._sealers = {profile: sealer.speaking(profile) for profile in ProfileName}
        self._missed_polls = missed_polls
        self._book: Final = EventBook()
        self._documents: Final = EventDocuments(config.vtn_id, entropy)
        self._shared = Shared(config, entropy, self._book, self._documents, asks, config.reports, refuse_address)
        self._refuser = Refuser(config.vtn_id, config.profiles())
        self._records: dict[str, VenRecord] = {}
        self._crowding: Final = Crowding(self._book, self._records, config.largest)
        self._by_identity: dict[str, str] = {}
        self._by_name: dict[str, str] = {}
        self._seen: dict[str, float] = {}
        self._push_vens: dict[str, None] = {}
        self._asking: dict[_Key, list[InboundId]] = {}
        self._undecided: dict[str, int] = {}  # how many of these there are, by who asks
        self._newcomers = TokenBuckets(config.limits.new_vens / _HOUR, config.limits.new_vens)
        self._in_20a: set[InboundId] = set()  # requests that are answered in 2.0a
        self._answering: dict[InboundId, Sealer] = {}  # what seals the answer to a request
        self._of_20a: dict[str, None] = {}  # VENs
        self._finished_at: datetime | None = None  # when an event was last taken from the lists
        self._load(saved or {})

    def _load(self, saved: Mapping[str, bytes]) -> None:
        for key, blob in saved.items():
            if key.startswith("ven/"):
                record = VenRecord.load(blob)
                self._keep(record)
                self._recall(record)
            elif key.startswith("event/"):
                self._book.put(EventRecord.load(blob))
            elif key.startswith(_ENROLMENT):
                self._book.enrol(key.removeprefix(_ENROLMENT), Enrolment.load(blob))
            elif key.startswith(_HANDED):
                self._book.hand(key.removeprefix(_HANDED), HandedEvents.load(blob))

    def _recall(self, record: VenRecord) -> None:
        """Have the sealer know up to which time a VEN may have signed what an earlier run has taken (rule 514)."""
        if record.signer is None or record.signed_until is None:
            return
        self._sealer.recall(record.signer, record.signed_until)
        if record.renewal is not None:
            self._sealer.recall(record.renewal.fingerprint, record.signed_until)

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

    # --- questions to the core ---------------------------------------------------------------------------------------

    @property
    def vens(self) -> Mapping[str, VenRecord]:
        """The registered VENs by their ids."""
        return self._records

    @property
    def events(self) -> Mapping[str, EventRecord]:
        """All events that are remembered, those that are over included, by their ids."""
        return self._book

    @property
    def lists_made(self) -> int:
        """How many lists of events were made in this run; one that is the same for many VENs is made once."""
        return self._documents.made

    @property
    def enrolments(self) -> Mapping[str, Enrolment]:
        """What VENs belong to, by their ids; those that belong to nothing are missing."""
        return self._book.enrolments

    def is_for(self, ven_id: str, event_id: str) -> bool:
        """Whether an event is for a VEN."""
        return self._book.is_for(ven_id, event_id)

    def vens_of(self, event_id: str) -> list[str]:
        """The VENs that an event is for, also those that are named or enrolled and not registered.

        :raises LocalProtocolError: there is no such event.
        """
        return self._book.vens_of(self._known_event(event_id), self._records)

    def overlaps(self, event_id: str) -> tuple[str, ...]:
        """The events of the same program that overlap an event for any VEN; what VENs do then is not defined (rule 18).

        :returns: their ids, in the order of their starts; none where the event is cancelled.
        :raises LocalProtocolError: there is no such event.
        """
        record = self._known_event(event_id)
        return overlapping(record, self._book.rivals(record))

    def answers(self, event_id: str, now: Now) -> list[EventAnswer]:
        """Who was told of an event, who answered what and when, and who is silent.

        :returns: one for each VEN that the event is for, then for those that were told and that it is for no more.
        :raises LocalProtocolError: there is no such event.
        """
        patience = self.config.answer_timeout
        return event_answers(self._known_event(event_id), self.vens_of(event_id), self._records, now.utc, patience)

    # --- what the application can ask for ----------------------------------------------------------------------------

    def enrol(self, ven_id: str, enrolment: Enrolment, now: Now) -> None:
        """Say what a VEN belongs to, instead of what was said before; that outlives its registrations.

        It gets the events that are alive for what it comes to, and has those no more whose audience it leaves (rule
        61). Which of its events overlap those that it gets is told (rule 18).

        :param ven_id: the VEN; it need not be registered.
        :param enrolment: its groups, resources, parties and programs; an empty one for none.
        :raises LocalProtocolError: the enrolment does not hold lists of texts, or the VEN would get more events than
            fit into a list; the text says where, or how many.
        """
        self._now = now
        enrolment = checked(enrolment)
        if not ven_id:
            raise LocalProtocolError("the VEN to enrol needs a venID")
        before = {one.event_id for one in self._book.of(ven_id)}
        known = self._book.enrolments.get(ven_id, Enrolment())
        self._book.enrol(ven_id, enrolment)
        try:
            self._crowding.refuse_list(ven_id, self._book.of(ven_id))
        except LocalProtocolError:
            self._book.enrol(ven_id, known)
            raise
        self._emit(Save(f"{_ENROLMENT}{ven_id}", enrolment.dump() if enrolment else None))
        self._tell_of_new_events(ven_id, before)
        self._wake([ven_id])

    def add_event(self, event: EiEvent, audience: AudienceLike | None, now: Now) -> str:
        """Make an event for some VENs.

        However many they are, it is kept and saved once; each VEN gets it when it polls, and push VENs at once.

        :param event: the event, with modification number 0; status, times and current values are filled in whenever
            it is handed out.
        :param audience: whom it is for: an :class:`~oadr_core.state.audience.Audience`, or the ids of VENs; those that
            are not registered yet get it when they are. None for whom the target of the event names.
        :returns: the id of the event.
        :raises LocalProtocolError: the event breaks a rule, its id is taken, it is for nobody, or one of its VENs has
            more events then than fit into a list.
        """
        return self._make(event, audience_for(event, audience), now).event_id

    def _make(self, event: EiEvent, audience: Audience, now: Now) -> EventRecord:
        event, at = made(event, now.utc), whole_seconds(now.utc)
        record = EventRecord(event=event, audience=audience, created_at=at, changed_at=at)
        if record.event_id in self._book:
            raise LocalProtocolError(f"there is an event {record.event_id!r} already (rule 70)")
        if record.modification_number != 0:
            raise LocalProtocolError("a new event has modification number 0 (rule 4)")
        if event.event_descriptor.event_status is EventStatus.CANCELLED:
            raise LocalProtocolError("a new event is not cancelled (rule 10)")
        refuse_over(event, now.utc)
        self._change_event(record, now)
        return record

    def modify_event(self, event: EiEvent, now: Now, audience: AudienceLike | None = None) -> int:
        """Replace an event by another form of it.

        :param event: the event with its id; its modification number does not matter.
        :param audience: whom it is for from now on; None leaves that as it is. A VEN that it is no longer for is
            handed a list without it (rule 61).
        :returns: its modification number: a new one, or the present one where the event is what it was (rule 5). Then
            nobody is told but those that it is now for, or is for no more.
        :raises LocalProtocolError: there is no such event, it or its new form is cancelled, the new form breaks a
            rule, it changes what lies in the past (rule 20), or one of its VENs has more events then than fit into a
            list.
        """
        known = self._known_event(event.event_descriptor.event_id)
        if known.event.event_descriptor.event_status is EventStatus.CANCELLED:
            raise LocalProtocolError(f"the event {known.event_id!r} is cancelled")
        if event.event_descriptor.event_status is EventStatus.CANCELLED:
            raise LocalProtocolError(f"a modification does not cancel the event {known.event_id!r}; cancel_event does")
        event = made(event, now.utc)
        changed = known
        if audience is not None:
            changed = msgspec.structs.replace(known, audience=audience_for(event, audience))
        if as_made(event) != as_made(known.event):
            refuse_rewriting(known.event, event, now.utc)
            changed = _modified(changed, event, now)
        if changed != known:
            self._change_event(changed, now)
        return changed.modification_number

    def cancel_event(self, event_id: str, now: Now) -> int:
        """Cancel an event; its VENs are told until they acknowledge it (rules 10, 50 and 52).

        :returns: the new modification number, or the present one where it is cancelled already.
        :raises LocalProtocolError: there is no such event, or it is over.
        """
        known = self._known_event(event_id)
        descriptor = known.event.event_descriptor
        if descriptor.event_status is EventStatus.CANCELLED:
            return descriptor.modification_number
        end = latest_end(known.event.active_period)
        if end is not None and end <= now.utc:
            raise LocalProtocolError(f"the event {event_id!r} is over since {end} (rule 20)")
        cancelled = msgspec.structs.replace(descriptor, event_status=EventStatus.CANCELLED)
        changed = _modified(known, msgspec.structs.replace(known.event, event_descriptor=cancelled), now)
        self._change_event(changed, now)
        return changed.modification_number

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

    def _queue(self, record: VenRecord, message: QueuedMessage, now: Now) -> None:
        self._known_20b_ven(record.ven_id, message.message_type())
        if len(record.queue) >= self.config.limits.queued and not VTN_OPERATIONS[type(message)].urgent:
            raise LocalProtocolError(f"{len(record.queue)} operations wait for the VEN {record.ven_id!r} already")
        verify(message)  # what could not be sent could not be loaded after a restart either
        self._take(record, Queue(message), None, now)

    def add_ven(
        self,
        ven_id: str,
        now: Now,
        *,
        ven_name: str = "",
        identity: str | None = None,
        poll_interval: timedelta | None = None,
        address: str | None = None,
    ) -> None:
        """Make a 2.0a VEN known, whose ids were agreed beforehand as it cannot register (section 7.1 of the profile).

        VENs of 2.0b register themselves.

        :param ven_id: its id.
        :param ven_name: a name for people.
        :param identity: the fingerprint of its certificate, which it has to show then.
        :param poll_interval: how often it polls, to tell when it is silent; as often as 2.0b VENs are asked to if None.
        :param address: the base URL where it is reached by push; it polls if None.
        :raises LocalProtocolError: there is a VEN of the id, or of the certificate, already; or nothing is pushed to
            the address.
        """
        if not ven_id:
            raise LocalProtocolError("a VEN needs an id")
        if ven_id in self._records:
            raise LocalProtocolError(f"there is a VEN {ven_id!r} already")
        if identity is not None:
            self._refuse_taken(identity, ven_id)
        if poll_interval is not None and poll_interval <= timedelta(0):
            raise LocalProtocolError(f"a VEN polls at intervals of more than {poll_interval}")
        wrong = None if address is None else self._shared.refuse_address(TransportName.SIMPLE_HTTP, address)
        if wrong is not None:
            raise LocalProtocolError(wrong)
        record = VenRecord(
            ven_id=ven_id,
            registration_id="",
            ven_name=ven_name,
            identity=identity,
            profile=ProfileName.V20A,
            pull=address is None,
            address=address,
            online=False,  # until it shows itself
            poll_interval=None if poll_interval is None else poll_interval.total_seconds(),
        )
        self._now = now
        self._keep(record)
        self._emit(Save(record.key, record.dump()))
        self._emit(VenRegistered(ven_id=ven_id, ven_name=ven_name, again=False))
        self._tell_withheld_of(self._book.of(ven_id), ven_id)
        self._push(ven_id, now)

    def remove_ven(self, ven_id: str, now: Now) -> None:
        """Forget a 2.0a VEN, which cannot end its registration itself as it has none; what it belongs to is kept.

        :raises LocalProtocolError: there is no such VEN, or it is one of 2.0b; see :meth:`cancel_party_registration`.
        """
        record = self._known_ven(ven_id)
        if record.profile is not ProfileName.V20A:
            raise LocalProtocolError(f"{ven_id!r} has registered itself; cancel its registration instead")
        self._now = now
        self._end(record)

    def forget_ven(self, ven_id: str, now: Now) -> None:
        """Forget a VEN that is gone, and all that is kept of it, without asking it.

        Its registration goes, its answers, opts and reports, what waits for it, and what it belongs to. Events that
        name it stay as they are. Should it be there after all, it is a stranger (463), and may register.

        :param ven_id: the VEN; it need not be registered, where it is enrolled.
        :raises LocalProtocolError: nothing is known of such a VEN.
        """
        if ven_id not in self._records and ven_id not in self._book.enrolments:
            self._known_ven(ven_id)
        self._now = now
        if ven_id in self._records:
            self._end(self._records[ven_id])
        if self._book.handed(ven_id).event_ids:
            self._hand(ven_id, ())
        if ven_id in self._book.enrolments:
            self._book.enrol(ven_id, Enrolment())
            self._emit(Save(f"{_ENROLMENT}{ven_id}", None))

    def _end(self, record: VenRecord) -> None:
        """Forget the registration of a VEN, with what it has asked for."""
        self._drop(record)
        for one in record.report_requests:
            self._emit(ReportEnded(report_request_id=one.request.report_request_id, ven_id=record.ven_id))
        self._emit(VenDeregistered(ven_id=record.ven_id, by_peer=False))

    def change_certificate(self, ven_id: str, fingerprint: str, now: Now) -> None:
        """Say that a VEN has another certificate: from now on it is known by that alone, and goes on as before.

        Said of the certificate that it has, it takes back the one that was announced, or refuses its former one.

        :param ven_id: the VEN.
        :param fingerprint: that of the new certificate.
        :raises LocalProtocolError: there is no such VEN, another one has the certificate, or certificates do not tell
            who it is, as over XMPP without signatures.
        """
        record = certificates.changed(self._known_ven(ven_id), fingerprint)
        self._refuse_taken(fingerprint, ven_id)
        self._change_certificates(record, now)

    def announce_certificate(self, ven_id: str, fingerprint: str, now: Now) -> None:
        """Say which certificate a VEN will have next: it is known by that one as well, and goes on with either.

        Once it has shown the next one it is known by that, and for :attr:`VtnConfig.certificate_overlap` more by the
        former one. As long as it has not, nothing else changes.

        :param ven_id: the VEN.
        :param fingerprint: that of its next certificate, instead of one that was announced before.
        :raises LocalProtocolError: there is no such VEN, it or another one has the certificate, or it has none yet.
        """
        record = certificates.announced(self._known_ven(ven_id), fingerprint)
        self._refuse_taken(fingerprint, ven_id)
        self._change_certificates(record, now)

    def _refuse_taken(self, fingerprint: str, ven_id: str) -> None:
        """See that no other VEN has a certificate, or is going to have it.

        :raises LocalProtocolError: one has.
        """
        other = self._holder_of(fingerprint)
        if other not in (None, ven_id):
            raise LocalProtocolError(f"the VEN {other!r} has this certificate already")

    def _holder_of(self, fingerprint: str) -> str | None:
        """The VEN that has a certificate, or is going to have it; those over XMPP are not known by it, but have it."""
        if fingerprint in self._by_identity:
            return self._by_identity[fingerprint]
        return next((one.ven_id for one in self._records.values() if one.has_certificate(fingerprint)), None)

    def _change_certificates(self, record: VenRecord, now: Now) -> None:
        """Have a VEN known by other certificates."""
        self._now = now
        self._keep(record)
        self._emit(Save(record.key, record.dump()))
        self._push(record.ven_id, now)

    def request_reregistration(self, ven_id: str, now: Now) -> None:
        """Ask a VEN to register again (section 8.4.1 of the profile)."""
        self._queue(self._known_ven(ven_id), RequestReregistration(ven_id=ven_id), now)

    def cancel_party_registration(self, ven_id: str, now: Now) -> None:
        """End the registration of a VEN, once it has confirmed (rule 407)."""
        record = self._known_ven(ven_id)
        message = CancelPartyRegistration(
            request_id=new_id(self._entropy), registration_id=record.registration_id, ven_id=ven_id
        )
        self._queue(record, message, now)

    def create_report(self, ven_id: str, requests: Sequence[ReportRequest], now: Now) -> None:
        """Ask a VEN for reports.

        :param ven_id: the VEN.
        :param requests: what is asked for; whatever reading types they have are left out (rule 338).
        :param now: the present.
        :raises LocalProtocolError: there is no such VEN, a request breaks a rule, or its id is in use.
        """
        record = self._known_ven(ven_id)
        ready = Requester(record).ready(requests)
        message = CreateReport(request_id=new_id(self._entropy), report_requests=ready, ven_id=ven_id)
        self._queue(record, message, now)

    def cancel_report(
        self, ven_id: str, report_request_ids: Sequence[str], now: Now, *, report_to_follow: bool = False
    ) -> None:
        """Ask a VEN for no more of some reports (rule 336)."""
        message = CancelReport(
            request_id=new_id(self._entropy),
            report_request_id=tuple(report_request_ids),
            report_to_follow=report_to_follow,
            ven_id=ven_id,
        )
        self._queue(self._known_ven(ven_id), message, now)

    # --- what the application can ask for: its own reports -----------------------------------------------------------

    @property
    def offers(self) -> tuple[Report, ...]:
        """What the VTN offers to report."""
        return self._shared.offers

    def offer_reports(self, reports: Sequence[Report], now: Now | None = None) -> None:
        """Change what the VTN offers to report; with that, what VENs have asked for ends (rule 306).

        :param reports: all that it offers, with ``METADATA_`` names.
        :param now: the present, where the VENs are to be told now; None before the start, which tells them.
        """
        self._shared = msgspec.structs.replace(self._shared, offers=tuple(reports))
        if now is not None:
            self._now = now
            for record in [one for one in self._records.values() if one.profile is ProfileName.V20B]:
                self._take(record, Offer(), None, now)

    def offer_to(self, ven_id: str, now: Now, *, report_request_id: str | None = None) -> None:
        """Tell one VEN what the VTN offers to report.

        :param ven_id: the VEN.
        :param now: the present.
        :param report_request_id: the request for metadata that this answers, if it answers one (rule 311).
        :raises LocalProtocolError: there is no such VEN, or it is one of 2.0a.
        """
        self._take(self._known_20b_ven(ven_id, "reports"), Offer(report_request_id), None, now)

    def report_made(
        self,
        ven_id: str,
        report_request_id: str,
        report: Report | None,
        now: Now,
        *,
        made: bool = True,
        last: bool = False,
        until: datetime | None = None,
    ) -> None:
        """Deliver a report that a VEN has asked for; it is kept until the VEN has it.

        :param ven_id: the VEN; nothing happens where it is registered no more.
        :param report_request_id: the request.
        :param report: the report; None where there is none, or where it was metadata.
        :param now: the present.
        :param made: whether there is one; else only its time is over.
        :param last: whether no further one will be made.
        :param until: up to when the reports of the request are made now, where a restart must not make them again.
        """
        record = self._records.get(ven_id)
        if record is not None:
            self._take(record, Made(report_request_id, report, made, last, until), None, now)

    def update_report(self, ven_id: str, reports: Sequence[Report], now: Now) -> None:
        """Deliver reports once more, as they were or corrected (rule 346); kept until the VEN has them.

        :param ven_id: the VEN.
        :param reports: the data, each with the request that it answers.
        :param now: the present.
        :raises LocalProtocolError: there is no such VEN, or it is one of 2.0a.
        """
        message = UpdateReport(request_id=new_id(self._entropy), reports=tuple(reports), ven_id=ven_id)
        self._queue(self._known_ven(ven_id), message, now)

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
            return self._refuse(inbound, _why_refused(error), peer, str(error))
        except SchemaError as error:
            return self._refuse(inbound, Failure.NOT_ACCEPTABLE, peer, str(error))
        self._answering[inbound] = self._sealers[profile].towards(opened.signer)
        self._tell_forgiven(opened, _who(peer))
        message = opened.message
        if service is not None and type(message) in VEN_REQUESTS and SERVICE[type(message)] is not service:
            text = f"{message.message_type()} belongs to {SERVICE[type(message)]}, not to {service}"
            self._answer_error(inbound, message, ResponseCode.COMPLIANCE_ERROR, text, peer)
            return inbound
        try:
            record = self._identify(message, identity, opened.signer, profile)
        except SealError as error:
            return self._refuse(inbound, _why_refused(error), peer, str(error))
        except _Unidentified as error:
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
            self._answer_error(inbound, message, ResponseCode.DEPLOYMENT_ERROR, _FULL, peer)
            return inbound
        way = TransportName(peer.transport)
        self._take(record, Asked(message, identity, profile, signer=opened.signer, transport=way), inbound, now)
        return inbound

    def receive_response(self, exchange: ExchangeId, body: bytes, *, now: Now) -> None:
        """Take the answer of a push VEN; see :class:`~oadr_core.core.Core`."""
        self._now = now
        ven_id = self._pushing.whose(exchange)
        if ven_id is None:
            return
        try:
            opened = self._sealers[self._records[ven_id].profile].open(body, now) if body else None
        except (SchemaError, SealError) as error:
            self._emit(PeerMisbehaved(who=ven_id, what=f"answered with what cannot be read: {error}"))
            self.exchange_failed(exchange, Failure.BAD_ANSWER, now=now)
            return
        named = None if opened is None else getattr(opened.message, "ven_id", None)
        if opened is not None:
            record = self._records[ven_id]
            if record.signer is not None and not record.signs_with(opened.signer):
                self._emit(PeerMisbehaved(who=ven_id, what="answered without the signature that it registered with"))
                self.exchange_failed(exchange, Failure.BAD_ANSWER, now=now)
                return
            self._note_signed(record, opened, now)
        if named and named != ven_id:
            self._emit(PeerMisbehaved(who=ven_id, what=f"answered as {named}"))
            self.exchange_failed(exchange, Failure.BAD_ANSWER, now=now)
            return
        self._timers.stop(("flight", exchange))
        push, given_up = self._pushing.answered(ven_id)
        self._reached(self._records[ven_id], now)
        answered = Answered(None if opened is None else opened.message, push.message)
        self._take(self._records[ven_id], answered, None, now)
        for operation, why in given_up.items():
            self._give_up(ven_id, operation, why, now)

    def exchange_failed(self, exchange: ExchangeId, why: Failure, *, now: Now) -> None:
        """Take note that a push failed; see :class:`~oadr_core.core.Core`."""
        self._now = now
        ven_id = self._pushing.whose(exchange)
        if ven_id is None:
            return
        self._timers.stop(("flight", exchange))
        push, pause, wait = self._pushing.failed(ven_id, why, now)
        self._timers.after(("push", ven_id), now.mono + pause)
        if push.unreached == self._missed_polls and why is not Failure.CUT_OFF:
            self._lost_sight(self._records[ven_id], now)
        if REMEDY[why] is Remedy.GIVE_UP and isinstance(push.carries, str):
            self._give_up(ven_id, push.carries, why, now)
            return
        self._take(self._records[ven_id], PushFailed(push.message), None, now)
        if push.message is not None and REMEDY[why] is Remedy.GIVE_UP:
            self._emit(ExchangeAbandoned(ticket=TicketId(0), request=push.message, why=why, ven_id=ven_id))
        elif push.message is not None:
            service = SERVICE[type(push.message)]
            self._emit(ExchangeSetBack(ticket=TicketId(0), service=service, why=why, wait=wait, ven_id=ven_id))

    def _give_up(self, ven_id: str, operation: str, why: Failure, now: Now) -> None:
        """Ask no more of a push VEN what it does not take, and say so."""
        record = self._records.get(ven_id)
        if record is not None:
            self._take(record, PushRefused(operation, why), None, now)

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

    # --- who is talking ----------------------------------------------------------------------------------------------

    def _proved(self, opened: Opened, peer: Peer) -> str | None:
        """What is known of a sender: its connection proves it, or its signature.

        Where both name a certificate it has to be the same one, or the other one of a renewal: a VEN has one
        fingerprint (section 10.5.1), and who holds the connection of one VEN must not say what another has signed.

        :raises SealError: they do not agree.
        """
        shown, signer = peer.identity, opened.signer
        if signer is None or shown is None or signer == shown or peer.transport != TransportName.SIMPLE_HTTP:
            return shown or signer
        ven_id = self._by_identity.get(shown)
        if ven_id is None or ven_id != self._by_identity.get(signer):
            raise SealError(f"it was signed with {signer}, and came over a connection of {shown}")
        return shown

    def _identify(
        self, message: Payload, identity: str | None, signer: str | None, profile: ProfileName
    ) -> VenRecord | None:
        """Find the VEN that a request comes from (section 9.2.1.1, rules 400, 500 and 517, decision D28).

        A VEN that has registered with a signature signs everything from then on, or its messages are ignored: so nobody
        gains anything by taking a signature away, also where other VENs do not sign (rule 514).

        :raises _Unidentified: the sender is not who it says, or says nothing, or does not speak as it should.
        :raises SealError: it does not sign as the VEN that it says it is.
        """
        record = self._sender_of(message, identity, signer)
        if record is not None and not record.signs_with(signer) and record.profile is ProfileName.V20B:
            if record.signer is not None:
                raise SealError(f"it was not signed with the certificate that {record.ven_id} registered with")
            if self._sealer.requires and not isinstance(message, QueryRegistration | CreatePartyRegistration):
                text = f"{record.ven_id} has registered without a signature, and has to register with one"
                raise _Unidentified(ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, text)
        if record is not None and record.profile is not profile:
            text = f"{record.ven_id} is a VEN of OpenADR {record.profile}, and this is for {profile}"
            raise _Unidentified(ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, text)
        return record

    def _sender_of(self, message: Payload, identity: str | None, signer: str | None) -> VenRecord | None:
        named = getattr(message, "ven_id", None) or None
        if identity is not None:
            ven_id = self._by_identity.get(identity)
            if ven_id is not None and named is not None and named != ven_id:
                raise _Unidentified(ResponseCode.INVALID_ID, f"{named} is not the VEN of this certificate")
            if ven_id is None and named in self._records:
                return self._with_unknown_certificate(message, self._records[named], signer)
            return self._records.get(ven_id or named or "")
        if isinstance(message, QueryRegistration):
            return None
        if named is None and isinstance(message, CreatePartyRegistration):
            named = self._by_name.get(message.ven_name or "")
        elif named is None:
            raise _Unidentified(ResponseCode.COMPLIANCE_ERROR, "the venID is missing (rule 508)")
        record = self._records.get(named or "")
        if record is not None and record.signer is not None:
            raise SealError(f"it is not signed, and {record.ven_id} registered with a signature")
        if record is not None and record.identity is not None:
            text = f"{named} registered with a certificate, and this connection has none"
            raise _Unidentified(ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, text)
        return record

    def _with_unknown_certificate(self, message: Payload, record: VenRecord, signer: str | None) -> VenRecord | None:
        """Say whom a request may be of that names a VEN, and shows a certificate that is not registered (decision D28).

        One that has registered without a certificate may come to have one; it has to register with it first. One whose
        certificate was renewed registers anew, and is a stranger until the application has checked the new one: see
        :meth:`_why_not`. Where it has signed before, it has to sign that as well.

        :raises _Unidentified: it is taken for nobody.
        """
        code = ResponseCode.NOT_REGISTERED_OR_AUTHORIZED
        if record.identity is not None:
            is_new = isinstance(message, CreatePartyRegistration) and not message.registration_id
            if not is_new or (record.signer is not None and signer is None):
                raise _Unidentified(code, f"{record.ven_id} has another certificate")
            return None
        if not isinstance(message, CreatePartyRegistration | QueryRegistration):
            raise _Unidentified(code, f"{record.ven_id} is not known by this certificate")
        return record

    def _has_room(self, message: CreatePartyRegistration, peer: Peer, identity: str | None, now: Now) -> bool:
        """Whether one VEN more may be registered; of those without a certificate not too many from one address."""
        if message.ven_id in self._records:  # it has come to another certificate, and is there already
            return True
        if len(self._records) >= self.config.limits.vens:
            return False
        return identity is not None or self._newcomers.take(peer.host, now.mono) == 0

    def _why_not(self, current: VenRecord | None, result: Step, decided: Decided) -> tuple[ResponseCode, str] | None:
        """Find what forbids to register a VEN as the application wants it; None where nothing does.

        The name that a VEN gives itself proves nothing, so an id that goes by the name has to fit the certificate too.
        """
        made = result.record
        if made is not None and made.renewal is not None:
            holder = self._holder_of(made.renewal.fingerprint)
            if holder not in (None, made.ven_id, None if current is None else current.ven_id):
                return ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, f"its next certificate is that of {holder}"
        if made is None or (current is not None and current.ven_id == made.ven_id):
            return None
        other, decision = self._records.get(made.ven_id), decided.decision
        if other is None:
            full = current is None and len(self._records) >= self.config.limits.vens
            return (ResponseCode.DEPLOYMENT_ERROR, _FULL) if full else None
        checked = isinstance(decision, RegistrationDecision) and decision.certificate_checked
        if checked or other.identity is None or other.identity == decided.identity:
            return None
        return ResponseCode.NOT_REGISTERED_OR_AUTHORIZED, f"{made.ven_id} is registered with another certificate"

    def _note_signed(self, record: VenRecord, opened: Opened, now: Now) -> None:
        """Have it survive a restart up to which time a VEN was heard whose clock is ahead (rule 514).

        What others have signed is before the next start, and so is refused after it anyway.
        """
        signer = opened.signer if record.signs_with(opened.signer) else record.signer
        until = signed_ahead(opened, signer, record.signed_until, now)
        if until is not None:
            record = msgspec.structs.replace(record, signed_until=until)
            self._keep(record)
            self._emit(Save(record.key, record.dump()))

    def _note_certificate(self, record: VenRecord, identity: str | None, signer: str | None, now: Now) -> None:
        """Have a VEN known by the certificate that was announced, once it has shown it."""
        until = now.utc + self.config.certificate_overlap
        followed = certificates.followed(record, identity, signer, until)
        if followed is None or record.certificate is None or followed.certificate is None:
            return
        self._change_certificates(certificates.without_former(followed, now.utc) or followed, now)
        shown, former = followed.certificate, record.certificate
        self._emit(CertificateFollowed(ven_id=record.ven_id, fingerprint=shown, former=former))

    def _refuse_former(self, ven_id: str, now: Now) -> None:
        """The time is over in which a VEN is known by its former certificate as well."""
        record = self._records.get(ven_id)
        left = None if record is None else certificates.without_former(record, now.utc)
        if left is not None:
            self._change_certificates(left, now)

    def _heard_of(self, record: VenRecord, now: Now) -> None:
        """A VEN has shown itself."""
        if not record.pull:
            return
        self._seen[record.ven_id] = now.mono
        if not record.online:
            self._tell_online(record, now)
        key = ("seen", record.ven_id)
        if not self._timers.is_set(key):
            self._timers.after(key, now.mono + self._offline_after(record))

    def _offline_after(self, record: VenRecord) -> float:
        """After how many seconds of silence a VEN counts as offline."""
        return self._missed_polls * (record.poll_interval or self.config.poll_freq.total_seconds())

    def _look_for(self, ven_id: str, now: Now) -> None:
        """A VEN may have been silent for too long."""
        record = self._records.get(ven_id)
        if record is None or not record.pull:
            return
        until = self._seen.get(ven_id, now.mono) + self._offline_after(record)
        if now.mono < until:
            self._timers.after(("seen", ven_id), until)
            return
        self._tell_offline(record, now)

    def _tell_online(self, record: VenRecord, now: Now) -> None:
        self._keep(msgspec.structs.replace(record, online=True))
        self._emit(VenOnline(ven_id=record.ven_id))
        self.tell_in_turn(record.ven_id, "on_ven_online", {"ven_id": record.ven_id}, now)

    def _tell_offline(self, record: VenRecord, now: Now) -> None:
        self._keep(msgspec.structs.replace(record, online=False))
        self._emit(VenOffline(ven_id=record.ven_id))
        self.tell_in_turn(record.ven_id, "on_ven_offline", {"ven_id": record.ven_id}, now)

    # --- taking a step -----------------------------------------------------------------------------------------------

    def _take(self, record: VenRecord | None, given: Input, inbound: InboundId | None, now: Now) -> None:
        """Take one input, and do what comes of it."""
        if self._asking and isinstance(given, Asked):  # seldom, and the digest of a long report is dear
            given = msgspec.structs.replace(given, key=digest(given.message))
            if inbound is not None and self._is_asking(record, given, inbound):
                return
        self._bring_back(now)
        result = step(record, given, self._shared, now)
        self._apply(record, result, now)
        if result.ask is not None and isinstance(given, Asked):
            self._put_question(result, given, record, [] if inbound is None else [inbound], now)
        elif result.ask is not None and isinstance(given, Answered) and result.record is not None:
            self._ask_about_answer(result, given, result.record, now)
        elif inbound is not None:
            self._reply(inbound, result.answer)
        elif isinstance(given, Hand) and result.answer is not None and result.record is not None:
            self._transmit(result.record, result.answer, now)
        after = result.record
        if after is not None and not isinstance(given, Hand | PushFailed):
            self._push(after.ven_id, now)

    def _apply(self, before: VenRecord | None, result: Step, now: Now) -> None:
        """Keep the record, and have it saved before anything that follows from it."""
        after = result.record
        if before is not None and (after is None or after.ven_id != before.ven_id):
            self._drop(before)
            for one in before.report_requests:
                self._emit(ReportEnded(report_request_id=one.request.report_request_id, ven_id=before.ven_id))
        if after is not None and after is not before:
            self._keep(after)
        if after is not None and result.durable:
            self._emit(Save(after.key, after.dump()))
        for event in result.events:
            if isinstance(event, VenRegistered) and event.ven_id in self._push_vens:
                self._pushing.reset(event.ven_id)
            self._emit(event)
        for notice in result.notices:
            self.tell_in_turn(notice.ven_id, notice.handler, notice.arguments, now)
        if before is None and after is not None:
            self._heard_of(after, now)
            if after.profile is ProfileName.V20A:
                self._tell_withheld_of(self._book.of(after.ven_id), after.ven_id)

    def _is_asking(self, record: VenRecord | None, given: Asked, inbound: InboundId) -> bool:
        """Whether the application is being asked about the same request; its answer will serve this one too."""
        waiting = self._asking.get(_question_key(record, given))
        if waiting is None:
            return False
        waiting.append(inbound)
        return True

    def _ask_about_answer(self, result: Step, given: Answered, record: VenRecord, now: Now) -> None:
        """A push VEN wants reports by the way (rule 344); the connection says who it is, whatever the answer names."""
        assert isinstance(given.message, RegisteredReport)
        message = msgspec.structs.replace(given.message, ven_id=record.ven_id)
        asked = Asked(message, record.identity, record.profile, signer=record.signer)
        self._put_question(result, asked, record, [], now, pushed=True)

    def _put_question(
        self,
        result: Step,
        given: Asked,
        record: VenRecord | None,
        waiting: list[InboundId],
        now: Now,
        *,
        pushed: bool = False,
    ) -> None:
        assert result.ask is not None
        ask, asked = result.ask, msgspec.structs.replace(given, key=result.key or digest(given.message))
        key = _question_key(record, asked)
        already = self._asking.get(key)
        if already is not None:  # the same came another way meanwhile; the answer to that will serve this one too
            already += waiting
            return
        most = self.config.limits.undecided if key[0] else _STRANGERS * self.config.limits.undecided
        if self._undecided.get(key[0], 0) >= most and not pushed:
            for one in waiting:
                self._reply(one, None, Failure.BUSY)
            return
        self._undecided[key[0]] = self._undecided.get(key[0], 0) + 1
        self._asking[key] = waiting

        def then(decision: Any, later: Now) -> None:
            decided = Decided(
                given.message,
                given.identity,
                ask.handler,
                decision,
                given.profile,
                key[1],
                ask.found,
                pushed,
                given.signer,
            )
            self._conclude(key, decided, later)

        self._ask(Question(ask.handler, ask.arguments, ask.read, ask.otherwise, ask.failing, then), now)

    def _conclude(self, key: _Key, decided: Decided, now: Now) -> None:
        """Answer a request, now that the application has decided; it may have to decide something else first.

        Who sent it is found out anew: meanwhile it may have registered, or somebody else under the same id.
        """
        waiting = self._asking.pop(key)
        self._undecided[key[0]] -= 1
        if not self._undecided[key[0]]:
            del self._undecided[key[0]]
        try:
            current = self._identify(decided.message, decided.identity, decided.signer, decided.profile)
        except SealError as error:
            for one in waiting:
                self._refuse(one, _why_refused(error), Peer(identity=decided.identity), str(error))
            return
        except _Unidentified as error:
            for one in waiting:
                self._answer_error(one, decided.message, error.code, str(error), Peer(identity=decided.identity))
            return
        if current is not None:
            self._adopt(current.ven_id, decided, now)
            current = self._records[current.ven_id]  # a push VEN may have been handed what was adopted
        result = step(current, decided, self._shared, now)
        forbidden = self._why_not(current, result, decided)
        if forbidden is not None:
            for one in waiting:
                self._answer_error(one, decided.message, *forbidden, Peer(identity=decided.identity))
            return
        self._apply(current, result, now)
        if result.ask is not None:
            asked = Asked(decided.message, decided.identity, decided.profile, decided.key, decided.signer)
            self._put_question(result, asked, result.record, waiting, now)
            return
        for one in waiting:
            self._reply(one, result.answer)
        if result.record is not None:
            self._push(result.record.ven_id, now)

    def _adopt(self, ven_id: str, decided: Decided, now: Now) -> None:
        """Take the events that a handler has returned for a VEN: new ones, and changes of those that are there."""
        decision = decided.decision
        events = decision.events if isinstance(decision, PollDecision) else decision
        for event in events if decided.handler in ("on_poll", "on_request_event") else ():
            try:
                self._adopt_event(event, ven_id, now)
            except LocalProtocolError as error:
                self._emit(HandlerFailed(handler=decided.handler, error=str(error)))

    def _adopt_event(self, event: EiEvent, ven_id: str, now: Now) -> None:
        event_id, cancelled = event.event_descriptor.event_id, EventStatus.CANCELLED
        known = self._book.get(event_id)
        if known is None:
            end = latest_end(event.active_period)
            if event.event_descriptor.event_status is cancelled or (end is not None and end <= now.utc):
                return  # there is nothing to tell
            descriptor = msgspec.structs.replace(event.event_descriptor, modification_number=0)
            self._refuse_one_more(ven_id, event, now)
            known = self._make(msgspec.structs.replace(event, event_descriptor=descriptor), Audience(), now)
        if not self._book.is_for(ven_id, event_id):
            before = {one.event_id for one in self._book.of(ven_id)}
            self._refuse_one_more(ven_id, known.event, now)
            self._hand(ven_id, (*self._book.handed(ven_id).event_ids, event_id))
            self._tell_of_new_events(ven_id, before)
        if known.event.event_descriptor.event_status is cancelled:
            return
        if event.event_descriptor.event_status is cancelled:
            self.cancel_event(known.event_id, now)
        else:
            self.modify_event(event, now)

    def _refuse_one_more(self, ven_id: str, event: EiEvent, now: Now) -> None:
        """Refuse an event that a handler has returned for a VEN, where it is one too many."""
        record = EventRecord(event=event, audience=Audience(), created_at=now.utc, changed_at=now.utc)
        self._crowding.refuse_list(ven_id, [*self._book.of(ven_id), record])

    # --- records -----------------------------------------------------------------------------------------------------

    def _keep(self, record: VenRecord) -> None:
        before = self._records.get(record.ven_id)
        self._records[record.ven_id] = record
        if record.profile is ProfileName.V20A:
            self._of_20a[record.ven_id] = None
        else:
            self._of_20a.pop(record.ven_id, None)  # the application may give a VEN of 2.0b the id of one of 2.0a
        if not record.pull:
            self._push_vens[record.ven_id] = None
        elif before is not None and not before.pull:
            self._push_vens.pop(record.ven_id, None)
        if before is not None and _known_alike(before, record):
            return
        if before is not None:
            self._forget_signs(before)
        for index, sign in self._signs_of(record):
            index[sign] = record.ven_id
        if record.renewal is not None and record.renewal.until is not None:
            self._timers.at(("former", record.ven_id), record.renewal.until)

    def _signs_of(self, record: VenRecord) -> Iterator[tuple[dict[str, str], str]]:
        """What a VEN is known by before it names itself: its certificates, or its name where it has none."""
        if record.identity is not None:
            yield self._by_identity, record.identity
            if record.renewal is not None and record.transport is TransportName.SIMPLE_HTTP:
                yield self._by_identity, record.renewal.fingerprint
        elif record.ven_name and record.profile is not ProfileName.V20A:  # one of 2.0a always names itself
            yield self._by_name, record.ven_name

    def _forget_signs(self, record: VenRecord) -> None:
        for index, sign in self._signs_of(record):
            if index.get(sign) == record.ven_id:
                del index[sign]
        self._timers.stop(("former", record.ven_id))

    def _drop(self, record: VenRecord) -> None:
        self._records.pop(record.ven_id, None)
        self._of_20a.pop(record.ven_id, None)
        self._push_vens.pop(record.ven_id, None)
        self._forget_signs(record)
        self._seen.pop(record.ven_id, None)
        push = self._pushing.forget(record.ven_id)
        if push is not None and push.exchange is not None:  # its answer would be about what is no more
            self._timers.stop(("flight", push.exchange))
        self._timers.stop(("seen", record.ven_id))
        self._timers.stop(("push", record.ven_id))
        self._emit(Save(record.key, None))

    def _known_ven(self, ven_id: str) -> VenRecord:
        record = self._records.get(ven_id)
        if record is None:
            raise LocalProtocolError(f"there is no VEN {ven_id!r}; {len(self._records)} are registered")
        return record

    def _known_20b_ven(self, ven_id: str, what: str) -> VenRecord:
        record = self._known_ven(ven_id)
        if record.profile is ProfileName.V20A:
            raise LocalProtocolError(f"{ven_id} is a VEN of OpenADR 2.0a, which takes events alone, no {what}")
        return record

    # --- events ------------------------------------------------------------------------------------------------------

    def _known_event(self, event_id: str) -> EventRecord:
        record = self._book.get(event_id)
        if record is None:
            raise LocalProtocolError(f"there is no event {event_id!r}")
        return record

    def _change_event(self, record: EventRecord, now: Now) -> None:
        rivals = self._book.rivals(record)
        is_cancelled = record.event.event_descriptor.event_status is EventStatus.CANCELLED
        if not is_cancelled:
            self._crowding.refuse_event(record, rivals)
        self._now = now
        known = self._book.get(record.event_id)
        self._book.put(record)
        self._emit(Save(record.key, record.dump()))
        self._watch(record, now)
        if self._of_20a:
            self._tell_withheld(record, self._book.vens_of(record, self._of_20a))
        self._wake_audience(record)
        if known is not None and known.audience != record.audience:
            self._wake_audience(known)
        others = overlapping(record, rivals)
        if others:
            self._emit(EventsOverlap(event_id=record.event_id, others=others))
        polled = len(self._records) > len(self._push_vens)
        if polled and not is_cancelled and outruns(record.event.active_period, self.config.poll_freq):
            self._emit(PollsTooSeldom(event_id=record.event_id, interval=self.config.poll_freq))

    def _tell_withheld(self, record: EventRecord, ven_ids: Iterable[str]) -> None:
        """Tell that some VENs of 2.0a are not given an event that is for them, where they have no words for it."""
        why = why_unfit(record.event, ProfileName.V20A)
        withheld = tuple(one for one in ven_ids if one in self._of_20a)
        if why is None or not withheld or record.event.event_descriptor.event_status is EventStatus.CANCELLED:
            return
        number = record.modification_number
        self._emit(EventWithheld(event_id=record.event_id, modification_number=number, ven_ids=withheld, why=why))

    def _tell_withheld_of(self, records: Iterable[EventRecord], ven_id: str) -> None:
        for record in records if ven_id in self._of_20a else ():
            self._tell_withheld(record, [ven_id])

    def _tell_of_new_events(self, ven_id: str, before: Container[str]) -> None:
        """Tell which events a VEN has come to that it cannot be given, or that overlap others of its events.

        :param ven_id: the VEN.
        :param before: the events that were for it before.
        """
        events = self._book.of(ven_id)
        come = [one for one in events if one.event_id not in before]
        self._tell_withheld_of(come, ven_id)
        told: set[str] = set()  # of two that overlap one another once
        for record in come:
            others = overlapping(record, [one for one in events if one.event_id not in told])
            told.add(record.event_id)
            if others:
                self._emit(EventsOverlap(event_id=record.event_id, others=others))

    def _hand(self, ven_id: str, event_ids: Iterable[str]) -> None:
        """Keep which events handlers have returned for a VEN."""
        handed = HandedEvents(event_ids=tuple(event_ids))
        self._book.hand(ven_id, handed)
        self._emit(Save(f"{_HANDED}{ven_id}", handed.dump() if handed.event_ids else None))

    def _watch(self, record: EventRecord, now: Now) -> None:
        """Take an event from the lists when its time is over, and forget it later."""
        self._plan("event", record, latest_end(record.event.active_period), now)
        self._plan("forget", record, remembered_until(record, self.config.event_retention), now)

    def _plan(self, kind: str, record: EventRecord, at: datetime | None, now: Now) -> None:
        """Wait for a moment of an event, instead of what was planned before; None where it does not come."""
        if at is None:
            self._timers.stop((kind, record.event_id))
        else:
            self._timers.at((kind, record.event_id), max(at, now.utc))

    def _finish(self, event_id: str, now: Now) -> None:
        """Take an event from the lists."""
        self._book.finish(event_id)
        self._finished_at = now.utc

    def _bring_back(self, now: Now) -> None:
        """Bring events back into the lists whose time is not over any more, as the clock was set back."""
        if self._finished_at is None or now.utc >= self._finished_at:
            return
        self._finished_at = now.utc
        for record in self._book.ended:
            until = latest_end(record.event.active_period)
            if until is None or now.utc < until:
                self._book.put(record)
                self._watch(record, now)
                self._wake_audience(record)

    def _forget_event(self, event_id: str) -> None:
        """An event has been over for long."""
        for ven_id in self._book.handed_to(event_id):
            self._hand(ven_id, (one for one in self._book.handed(ven_id).event_ids if one != event_id))
        record = self._book.forget(event_id)
        if record is not None:
            self._emit(Save(record.key, None))

    # --- push --------------------------------------------------------------------------------------------------------

    def _wake_audience(self, record: EventRecord) -> None:
        """Look after the push VENs that an event is for; all others ask by themselves."""
        if self._push_vens:
            self._wake(self._book.vens_of(record, self._push_vens))

    def _wake(self, ven_ids: Iterable[str]) -> None:
        """Have push VENs handed what there is for them, each when its turn comes, once other outputs are taken."""
        for ven_id in ven_ids:
            if ven_id in self._push_vens:
                self._pushing.wait(ven_id)

    def _push(self, ven_id: str, now: Now) -> None:
        """See to it that a push VEN is handed what there is for it; at its present address alone."""
        record = self._records.get(ven_id)
        if record is None or record.pull or record.address is None:
            return
        push = self._pushing.of(ven_id)
        if push.to is not None and push.exchange is not None and not self._is_still_at(record, push.to):
            self._timers.stop(("flight", push.exchange))
            self._pushing.land(ven_id)
            self._take(record, PushFailed(push.message), None, now)
        self._pushing.wait(ven_id)

    def _hand_to(self, ven_id: str, now: Now) -> None:
        """It is the turn of a push VEN: hand it the next thing; else come back when something is due."""
        record = self._records.get(ven_id)
        if record is None or record.pull or record.address is None:
            return
        for aside in self._pushing.asides(ven_id, {one.id for one in record.queue}, now):
            self._take(self._records[ven_id], Hand(aside), None, now)
            if self._pushing.of(ven_id).exchange is not None:
                return
        record = self._records[ven_id]
        awaited = [one.until for one in record.queue] + [one.until for one in record.standings]
        later = [now.mono + (until - now.utc).total_seconds() for until in awaited if until and until > now.utc]
        first = min([*later, self._pushing.next_try(ven_id, now)])
        if first < math.inf:
            self._timers.after(("push", ven_id), first)

    def _watch_crowd(self) -> None:
        """Wait until an exchange has taken so long that its place goes to a VEN that waits for one."""
        given_up = self._pushing.next_given_up()
        if given_up is not None and not self._timers.is_set(("crowd", None)):
            self._timers.after(("crowd", None), given_up[0])

    def _give_up_for_others(self, now: Now) -> None:
        """Where VENs wait for a place, those that take long give up theirs; they get it for longer the next time."""
        while (given_up := self._pushing.next_given_up()) is not None and given_up[0] <= now.mono:
            self.exchange_failed(given_up[1], Failure.SILENCE, now=now)

    def _address_of(self, record: VenRecord) -> Address:
        """Where a push VEN is reached, and what shows that it is the one."""
        signed, also = record.signer is not None, None
        if record.renewal is not None and record.transport is TransportName.SIMPLE_HTTP:
            also = record.renewal.fingerprint
        return Address(record.transport, record.address or "", record.profile, record.identity, signed, also)

    def _is_still_at(self, record: VenRecord, to: Address) -> bool:
        """Whether a VEN is reached where something was sent to, and by nothing that does not show it any more."""
        there = self._address_of(record)
        alike = msgspec.structs.replace(to, identity=there.identity, also=there.also) == there
        return alike and (to == there or (bool(to.identities) and to.identities <= there.identities))

    def _transmit(self, record: VenRecord, message: Payload, now: Now) -> None:
        exchange, to = ExchangeId(next(self._numbers)), self._address_of(record)
        if isinstance(message, DistributeEvent):
            carries: Carried = contents(message.events)
        else:
            carries = next(one.id for one in record.queue if one.message is message)
        self._pushing.fly(record.ven_id, exchange, message, carries, to, now)
        timeout = self._pushing.config.timeout
        self._timers.after(("flight", exchange), now.mono + timeout)
        service = SERVICE[type(message)]
        sealer, said = self._sealers[record.profile].towards(record.signer), message
        if record.profile is ProfileName.V20A:
            said = simplified(message)
        self._emit(Transmit(exchange, to, service, said, timeout, sealer))

    def _reached(self, record: VenRecord, now: Now) -> None:
        """A VEN has answered a push."""
        if record.pull:
            self._heard_of(record, now)
        elif not record.online:
            self._tell_online(record, now)

    def _lost_sight(self, record: VenRecord, now: Now) -> None:
        """A push VEN cannot be reached, however often that is tried."""
        if record.online:
            self._tell_offline(record, now)

    # --- refusing ----------------------------------------------------------------------------------------------------

    def _refuse(self, inbound: InboundId, why: Failure, peer: Peer, what: str) -> InboundId:
        self._emit(PeerMisbehaved(who=_who(peer), what=what))
        self._reply(inbound, None, why)
        return inbound

    def _answer_error(self, inbound: InboundId, message: Payload, code: int, text: str, peer: Peer) -> None:
        self._emit(PeerMisbehaved(who=_who(peer), what=f"{message.message_type()}: {text}", code=int(code)))
        self._reply(inbound, self._refuser.refuse(message, code, text, getattr(message, "ven_id", None)))

    def _reply(self, inbound: InboundId, answer: Payload | None, refusal: Failure | None = None) -> None:
        """Answer a request in the profile that it came in."""
        profile = ProfileName.V20B
        if inbound in self._in_20a:
            self._in_20a.remove(inbound)
            profile = ProfileName.V20A
            answer = None if answer is None else simplified(answer)
        self._emit(Reply(inbound, answer, refusal, self._answering.pop(inbound, self._sealers[profile])))


def _modified(known: EventRecord, event: EiEvent, now: Now) -> EventRecord:
    """An event in another form, with the next modification number (rule 5)."""
    descriptor = msgspec.structs.replace(
        event.event_descriptor,
        modification_number=known.modification_number + 1,
        modification_date_time=whole_seconds(now.utc),
    )
    event = msgspec.structs.replace(event, event_descriptor=descriptor)
    return msgspec.structs.replace(known, event=event, changed_at=whole_seconds(now.utc))


def _known_alike(before: VenRecord, after: VenRecord) -> bool:
    """Whether a VEN is known by the same as before."""
    return (before.identity, before.ven_name, before.renewal) == (after.identity, after.ven_name, after.renewal)


class _Unidentified(Exception):
    """A request that no VEN can be told by."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def _why_refused(error: SealError) -> Failure:
    """How a transport refuses what is not signed well: 403, or "try again" where it only has to be signed anew."""
    return Failure.BUSY if isinstance(error, SealTooOld) else Failure.FORBIDDEN


def _who(peer: Peer) -> str:
    return peer.identity or peer.address or "a VEN"


def _question_key(record: VenRecord | None, given: Asked) -> _Key:
    who = given.identity or "" if record is None else record.ven_id
    return who, given.key or digest(given.message)

"""What the layers of a VTN share: its records, and answering."""

from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Mapping
from typing import Final, TypedDict, Unpack

import msgspec

from oadr_core.answers import Refuser
from oadr_core.clock import Now
from oadr_core.core import CoreBase
from oadr_core.entropy import Entropy
from oadr_core.errors import LocalProtocolError
from oadr_core.machines.exchange import Failure
from oadr_core.messages import Payload, ProfileName, TransportName
from oadr_core.outputs import InboundId, PeerMisbehaved, Reply, Save
from oadr_core.seal import Opened, Peer, Sealer, signed_ahead
from oadr_core.sender import SenderConfig
from oadr_core.state.audience import Enrolment, HandedEvents
from oadr_core.state.vtn import EventRecord, VenRecord
from oadr_core.vtn.event_book import EventBook
from oadr_core.vtn.event_documents import EventDocuments
from oadr_core.vtn.profile_20a import simplified
from oadr_core.vtn.turn import AddressCheck, Input, Shared, VtnConfig

ENROLMENT: Final = "enrolment/"
"""Before the id of a VEN, the key of what it belongs to."""

HANDED: Final = "handed/"
"""Before the id of a VEN, the key of the events that handlers have returned for it."""


class Parts(TypedDict):
    """What a VTN is made with beside its configuration; :class:`~oadr_core.vtn.core.Vtn` says what each is."""

    sealer: Sealer
    entropy: Entropy
    saved: Mapping[str, bytes] | None
    asks: Container[str]
    push: SenderConfig | None
    missed_polls: int
    refuse_address: AddressCheck


class VtnBase(CoreBase, ABC):
    """What the layers of a VTN share: its records, by what VENs are known, and answering and refusing what they ask.

    :param config: what the VTN is.
    :param parts: what it is made with beside that.
    """

    def __init__(self, config: VtnConfig, **parts: Unpack[Parts]) -> None:
        sealer, entropy, asks = parts["sealer"], parts["entropy"], parts["asks"]
        super().__init__(sealer, entropy, asks, config.call_timeout)
        self.config: Final = config
        self._sealers = {profile: sealer.speaking(profile) for profile in ProfileName}
        self._book: Final = EventBook()
        self._documents: Final = EventDocuments(config.vtn_id, entropy)
        self._shared = Shared(
            config, entropy, self._book, self._documents, asks, config.reports, parts["refuse_address"]
        )
        self._refuser = Refuser(config.vtn_id, config.profiles())
        self._records: dict[str, VenRecord] = {}
        self._by_identity: dict[str, str] = {}
        self._by_name: dict[str, str] = {}
        self._push_vens: dict[str, None] = {}
        self._of_20a: dict[str, None] = {}  # VENs
        self._in_20a: set[InboundId] = set()  # requests that are answered in 2.0a
        self._answering: dict[InboundId, Sealer] = {}  # what seals the answer to a request
        self._load(parts["saved"] or {})

    def _load(self, saved: Mapping[str, bytes]) -> None:
        for key, blob in saved.items():
            if key.startswith("ven/"):
                record = VenRecord.load(blob)
                self._keep(record)
                self._recall(record)
            elif key.startswith("event/"):
                self._book.put(EventRecord.load(blob))
            elif key.startswith(ENROLMENT):
                self._book.enrol(key.removeprefix(ENROLMENT), Enrolment.load(blob))
            elif key.startswith(HANDED):
                self._book.hand(key.removeprefix(HANDED), HandedEvents.load(blob))

    def _recall(self, record: VenRecord) -> None:
        """Have the sealer know up to which time a VEN may have signed what an earlier run has taken (rule 514)."""
        if record.signer is None or record.signed_until is None:
            return
        self._sealer.recall(record.signer, record.signed_until)
        if record.renewal is not None:
            self._sealer.recall(record.renewal.fingerprint, record.signed_until)

    @property
    def vens(self) -> Mapping[str, VenRecord]:
        """The registered VENs by their ids."""
        return self._records

    # --- taking a step -----------------------------------------------------------------------------------------------

    @abstractmethod
    def _take(self, record: VenRecord | None, given: Input, inbound: InboundId | None, now: Now) -> None:
        """Take one input, and do what comes of it; see :class:`~oadr_core.vtn.consequences.Consequences`.

        It is named here because it goes both ways: what is due at a push VEN is an input too, and what comes of an
        input may be due at a push VEN.
        """

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

    def _keep_and_save(self, record: VenRecord) -> None:
        """Keep a record, over a restart too."""
        self._keep(record)
        self._emit(Save(record.key, record.dump()))

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
        """Forget a VEN; the layers that keep something more about it forget that too."""
        self._records.pop(record.ven_id, None)
        self._of_20a.pop(record.ven_id, None)
        self._push_vens.pop(record.ven_id, None)
        self._forget_signs(record)
        self._emit(Save(record.key, None))

    def _note_signed(self, record: VenRecord, opened: Opened, now: Now) -> None:
        """Have it survive a restart up to which time a VEN was heard whose clock is ahead (rule 514).

        What others have signed is before the next start, and so is refused after it anyway.
        """
        signer = opened.signer if record.signs_with(opened.signer) else record.signer
        until = signed_ahead(opened, signer, record.signed_until, now)
        if until is not None:
            record = msgspec.structs.replace(record, signed_until=until)
            self._keep_and_save(record)

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

    # --- answering and refusing --------------------------------------------------------------------------------------

    def _refuse(self, inbound: InboundId, why: Failure, peer: Peer, what: str) -> InboundId:
        self._emit(PeerMisbehaved(who=who(peer), what=what))
        self._reply(inbound, None, why)
        return inbound

    def _answer_error(self, inbound: InboundId, message: Payload, code: int, text: str, peer: Peer) -> None:
        self._emit(PeerMisbehaved(who=who(peer), what=f"{message.message_type()}: {text}", code=int(code)))
        self._reply(inbound, self._refuser.refuse(message, code, text, getattr(message, "ven_id", None)))

    def _reply(self, inbound: InboundId, answer: Payload | None, refusal: Failure | None = None) -> None:
        """Answer a request in the profile that it came in."""
        profile = ProfileName.V20B
        if inbound in self._in_20a:
            self._in_20a.remove(inbound)
            profile = ProfileName.V20A
            answer = None if answer is None else simplified(answer)
        self._emit(Reply(inbound, answer, refusal, self._answering.pop(inbound, self._sealers[profile])))


def _known_alike(before: VenRecord, after: VenRecord) -> bool:
    """Whether a VEN is known by the same as before."""
    return (before.identity, before.ven_name, before.renewal) == (after.identity, after.ven_name, after.renewal)


def who(peer: Peer) -> str:
    """Name a peer for people, as well as its transport knows it."""
    return peer.identity or peer.address or "a VEN"

"""What a VTN must remember: a record for each VEN and one for each event, as versioned blobs.

A record holds plain values and refers to nothing but ids, so that a hundred thousand of them fit in one process, and a
step can as well be taken inside a database transaction on one of many machines.
"""

from collections.abc import Iterator
from typing import Final, Self, TypeAlias, get_args

import msgspec

from oadr_core.errors import StateError
from oadr_core.machines.delivery import Delivery
from oadr_core.machines.event import EventAtVtn
from oadr_core.messages import (
    CancelPartyRegistration,
    CancelReport,
    CreatedReport,
    CreateReport,
    EiEvent,
    OptType,
    ProfileName,
    RegisterReport,
    RequestReregistration,
    TransportName,
    UpdateReport,
)
from oadr_core.state.audience import Audience
from oadr_core.state.blobs import Blob, Instant
from oadr_core.state.opts import OptBook
from oadr_core.state.reports import ReportsBlob

QueuedMessage: TypeAlias = (
    CreateReport
    | CreatedReport
    | CancelReport
    | RegisterReport
    | UpdateReport
    | CancelPartyRegistration
    | RequestReregistration
)
"""What can be queued for a VEN. Events are not queued: every list of them is made when it is handed out (rule 50)."""

QUEUED_MESSAGES: Final[tuple[type[QueuedMessage], ...]] = get_args(QueuedMessage)
"""The classes of what can be queued."""


class QueuedOperation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a VEN has to be asked.

    :param id: names it within the VEN.
    :param message: what is asked.
    :param state: where it stands.
    :param until: when its answer is given up, while it is offered. Handing out alone saves nothing: after a
        restart it is offered again.
    :param times: how often it was handed out; by push, where that failed, it counts no more.
    """

    id: str
    message: QueuedMessage
    state: Delivery = Delivery.QUEUED
    until: Instant | None = None
    times: int = 0


class EarlierAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a VEN said about an event before it said something else, or before the event was changed.

    :param modification_number: the modification that it is about.
    :param opt_type: whether the VEN took part.
    :param code: the code of the answer.
    :param answered_at: when it came.
    """

    modification_number: int
    opt_type: OptType
    code: int = 200
    answered_at: Instant | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where an event stands for a VEN.

    :param event_id: the event.
    :param modification_number: the modification that this is about; an older one means that the VEN has to be told.
    :param state: where it stands.
    :param opt_type: what the VEN answered to this modification, if it did.
    :param code: the code of its answer.
    :param description: the text of its answer.
    :param answered_at: when it answered.
    :param until: when its answer is given up, while it is awaited.
    :param times: how often it was told of this modification; of one that it has left, how often it was handed a list
        without it.
    :param told_at: when it was first told of this modification.
    :param late: whether its first answer to this modification was late.
    :param changed: how often it has changed its answer to this modification.
    :param earlier: its last answers before that, to this modification and to earlier ones, the oldest first.
    :param left_out: whether a list without the event was handed out, as its time seemed to be over.
    """

    event_id: str
    modification_number: int
    state: EventAtVtn
    opt_type: OptType | None = None
    code: int = 200
    description: str | None = None
    answered_at: Instant | None = None
    until: Instant | None = None
    times: int = 0
    told_at: Instant | None = None
    late: bool = False
    changed: int = 0
    earlier: tuple[EarlierAnswer, ...] = ()
    left_out: bool = False


class Renewal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The other certificate of a VEN while its certificate is renewed: it is known by either then.

    :param fingerprint: that of its next certificate; or of its former one, once it has shown the next.
    :param until: up to when the former one is accepted; None as long as it is the next one that has not been shown.
    """

    fingerprint: str
    until: Instant | None = None


class VenRecord(ReportsBlob, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """All that a VTN must remember of a VEN.

    :param ven_id: the VEN.
    :param registration_id: its registration.
    :param ven_name: its name for people.
    :param identity: what its transport proved about it: the fingerprint of its certificate or its JID.
    :param profile: the profile that it chose.
    :param transport: the transport that it chose.
    :param pull: whether it polls.
    :param address: where it is reached by push.
    :param report_only: whether it has no events and no opts.
    :param xml_signature: whether it supports XML signatures.
    :param registered_with: digest of the request that made this registration; the same request again changes nothing.
    :param online: whether it was heard of lately.
    :param standings: where its events stand; an event that is missing here has not been answered.
    :param queue: what it has to be asked.
    :param opts: what it has said about its availability, and about single events, by oadrCreateOpt.
    :param poll_interval: seconds between its polls, where it was agreed beforehand; else they are those that the VTN
        asks for.
    :param signer: the fingerprint of the certificate that it signs with; None where it does not sign.
    :param signed_until: up to which time, by its own clock, signatures of it may have been taken; only kept where that
        clock is ahead of ours.
    :param renewal: its other certificate, while its certificate is renewed.
    """

    ven_id: str
    registration_id: str
    ven_name: str = ""
    identity: str | None = None
    profile: ProfileName = ProfileName.V20B
    transport: TransportName = TransportName.SIMPLE_HTTP
    pull: bool = True
    address: str | None = None
    report_only: bool = False
    xml_signature: bool = False
    registered_with: str = ""
    online: bool = True
    standings: tuple[Standing, ...] = ()
    queue: tuple[QueuedOperation, ...] = ()
    opts: OptBook = OptBook()
    poll_interval: float | None = None
    signer: str | None = None
    signed_until: Instant | None = None
    renewal: Renewal | None = None

    @property
    def key(self) -> str:
        """The key under which the blob is saved."""
        return f"ven/{self.ven_id}"

    @property
    def certificate(self) -> str | None:
        """The fingerprint of the certificate that it has: for TLS and signatures over HTTP, for signatures over XMPP.

        None where no certificate tells who it is.
        """
        return self.identity if self.transport is TransportName.SIMPLE_HTTP else self.signer

    def has_certificate(self, fingerprint: str | None) -> bool:
        """Whether a certificate is one that it may show: the one that it has, or the other one of a renewal."""
        if self.renewal is not None and fingerprint == self.renewal.fingerprint:
            return True
        return fingerprint is not None and fingerprint == self.certificate

    def signs_with(self, fingerprint: str | None) -> bool:
        """Whether its messages are signed like this; None for a message without a signature."""
        return fingerprint == self.signer or (self.signer is not None and self.has_certificate(fingerprint))

    def parts(self) -> Iterator[msgspec.Struct]:
        """See :meth:`~oadr_core.state.blobs.Blob.parts`."""
        yield from super().parts()
        yield from (operation.message for operation in self.queue)

    def received(self) -> Iterator[msgspec.Struct]:
        """See :meth:`~oadr_core.state.blobs.Blob.received`."""
        yield from super().received()
        yield from self.opts.messages()


class _FormerEventRecord(msgspec.Struct):
    """What blobs held before there were audiences."""

    ven_ids: tuple[str, ...] = ()


class EventRecord(Blob, frozen=True, kw_only=True, omit_defaults=True):
    """An event, and whom it is for.

    :param event: the event as the operator made it; what changes with time is filled in when it is handed out.
    :param audience: whom it is for; of nobody where the application's handlers return it for the VENs that they want.
    :param created_at: when it was made.
    :param changed_at: when it was last changed.
    """

    event: EiEvent
    audience: Audience = Audience()
    created_at: Instant
    changed_at: Instant

    @classmethod
    def load(cls, blob: bytes) -> Self:
        """Read a blob; see :meth:`Blob.load`."""
        record = super().load(blob)
        if record.audience:
            return record
        try:
            former = msgspec.json.decode(blob, type=_FormerEventRecord)
        except msgspec.MsgspecError as error:
            raise StateError(f"{cls.__name__}: the blob is damaged: {error}") from None
        return msgspec.structs.replace(record, audience=Audience(ven_ids=former.ven_ids))

    @property
    def event_id(self) -> str:
        """The event."""
        return self.event.event_descriptor.event_id

    @property
    def ven_ids(self) -> tuple[str, ...]:
        """The VENs that its audience names; it may be for others too, see :meth:`oadr_core.vtn.Vtn.vens_of`."""
        return self.audience.ven_ids

    @property
    def modification_number(self) -> int:
        """Its present modification."""
        return self.event.event_descriptor.modification_number

    @property
    def key(self) -> str:
        """The key under which the blob is saved."""
        return f"event/{self.event_id}"

    def parts(self) -> Iterator[msgspec.Struct]:
        """The messages, and parts of messages, that it holds."""
        yield self.event

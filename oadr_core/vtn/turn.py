"""What goes into a step, what comes out of it, and what is common to all steps while they are taken."""

from collections.abc import Callable, Container, Mapping, Set
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec

from oadr_core.answers import Refuser, response_to
from oadr_core.clock import Now
from oadr_core.codes import ResponseCode
from oadr_core.entropy import Entropy, new_id
from oadr_core.machines.delivery import DELIVERY, DeliveryInput
from oadr_core.machines.exchange import Failure
from oadr_core.messages import Payload, Profile, ProfileName, Report, Response, Transport, TransportName
from oadr_core.outputs import Event, PeerMisbehaved
from oadr_core.state.reports import digest
from oadr_core.state.vtn import QueuedMessage, QueuedOperation, VenRecord
from oadr_core.vtn.event_book import EventBook
from oadr_core.vtn.event_documents import EventDocuments
from oadr_core.vtn.limits import VtnLimits
from oadr_core.vtn.pushing import Carried


class VtnConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a VTN is.

    :param vtn_id: its id, which every list of events carries.
    :param poll_freq: how often pull VENs are asked to poll.
    :param answer_timeout: how long the answer of a VEN to something that was handed out is awaited before it is handed
        out again (section 8.6 of the profile).
    :param tries: how often something is handed out to a VEN that polls, and does not answer it, before it is given up.
    :param transports: the transports that it serves.
    :param largest: bytes of the largest document that a transport carries, where it carries less than VENs take. An
        event that is one too many for that in the list of a VEN is refused.
    :param own_addresses: whether a VEN that comes over XMPP is reached at what it is known by, and nowhere else (rule
        515). Where its transport knows that in another way, and sends nothing to addresses of others, it need not be.
    :param reports: what the VTN itself offers to report, at the beginning.
    :param event_retention: how long an event, and who answered what, is remembered after its end.
    :param call_timeout: seconds that a handler may take before policy decides instead of it.
    :param most_pushes: how many requests may be under way to push VENs at a time, one to each; the others have to wait
        for their turn.
    :param limits: how much its VENs can make it keep.
    :param certificate_overlap: how long a VEN that has shown its next certificate is known by its former one as well,
        for the connections that it has made with that.
    """

    vtn_id: str
    poll_freq: timedelta = timedelta(seconds=10)
    answer_timeout: timedelta = timedelta(seconds=60)
    tries: int = 8
    transports: tuple[TransportName, ...] = (TransportName.SIMPLE_HTTP,)
    largest: Mapping[TransportName, int] = {}
    own_addresses: bool = True
    reports: tuple[Report, ...] = ()
    event_retention: timedelta = timedelta(days=30)
    call_timeout: float = 60.0
    most_pushes: int = 256
    limits: VtnLimits = VtnLimits()
    certificate_overlap: timedelta = timedelta(minutes=2)

    def profiles(self) -> tuple[Profile, ...]:
        """What the VTN supports, as its answers list it."""
        transports = tuple(Transport(transport_name=name) for name in self.transports)
        return (Profile(profile_name=ProfileName.V20B, transports=transports),)


AddressCheck: TypeAlias = Callable[[str, str], str | None]
"""Takes a transport and an address that a VEN wants to be reached at by push, and says why it is not pushed to; None if
it is."""


def any_address(transport: str, address: str) -> None:
    """Have nothing against an address: where no transport has told, or has anything to tell."""


class Shared(msgspec.Struct, frozen=True):
    """What a step may look at beside the record.

    :param config: what the VTN is.
    :param entropy: the source of ids.
    :param events: all events, also those that are over, and which of them are for which VEN.
    :param documents: makes lists of events.
    :param asks: the handlers that the application has.
    :param offers: what the VTN itself offers to report.
    :param refuse_address: says why an address is not pushed to.
    """

    config: VtnConfig
    entropy: Entropy
    events: EventBook
    documents: EventDocuments
    asks: Container[str] = ()
    offers: tuple[Report, ...] = ()
    refuse_address: AddressCheck = any_address


# --- inputs ----------------------------------------------------------------------------------------------------------


class Asked(msgspec.Struct, frozen=True):
    """The VEN sends a request.

    :param message: the request.
    :param identity: what its transport or its signature proved about the sender.
    :param profile: the profile that it was sent in.
    :param key: its digest, where that was worked out already.
    :param signer: the fingerprint of the certificate that it was signed with, where it was.
    :param transport: the transport that it came over.
    """

    message: Payload
    identity: str | None = None
    profile: ProfileName = ProfileName.V20B
    key: str | None = None
    signer: str | None = None
    transport: TransportName = TransportName.SIMPLE_HTTP


class Decided(msgspec.Struct, frozen=True):
    """The application has decided about a request of the VEN.

    :param message: the request.
    :param identity: what its transport or its signature proved about the sender.
    :param handler: the handler that was asked.
    :param decision: what came of it.
    :param profile: the profile that the request was sent in.
    :param key: the digest of the request.
    :param found: what was found of the request when it came; it counts as far as the record is still the same.
    :param pushed: whether it came in the answer to a push, so that what is said to it needs a push of its own.
    :param signer: the fingerprint of the certificate that the request was signed with, where it was.
    """

    message: Payload
    identity: str | None
    handler: str
    decision: Any
    profile: ProfileName
    key: str
    found: object
    pushed: bool = False
    signer: str | None = None


class Answered(msgspec.Struct, frozen=True):
    """A push VEN has answered in the response to what was pushed.

    :param message: the answer; None for an empty response.
    :param operation: what was pushed.
    """

    message: Payload | None
    operation: Payload | None


class Queue(msgspec.Struct, frozen=True):
    """The application wants the VEN to be asked something."""

    message: QueuedMessage


class Offer(msgspec.Struct, frozen=True):
    """The VEN is to be told what we can report.

    :param report_request_id: the request for metadata that this answers, if it answers one (rule 311).
    """

    report_request_id: str | None = None


class Made(msgspec.Struct, frozen=True):
    """A report for the VEN was made, or will not be made any more.

    :param report_request_id: the request.
    :param report: the report; None where there is none, or where it was metadata.
    :param made: whether there is one; else only its time is over.
    :param last: whether no further one will be made.
    :param until: up to when the reports of the request are made now, where a restart must not make them again.
    """

    report_request_id: str
    report: Report | None
    made: bool = True
    last: bool = False
    until: datetime | None = None


class Hand(msgspec.Struct, frozen=True):
    """The VEN can be handed something: a push VEN with nothing in flight.

    :param aside: what it is not handed at present, as it failed; see :data:`~oadr_core.vtn.pushing.Carried`.
    """

    aside: Set[Carried] = frozenset()


class PushFailed(msgspec.Struct, frozen=True):
    """What was handed to a push VEN did not reach it, as far as is known."""

    message: Payload | None


class PushRefused(msgspec.Struct, frozen=True):
    """A push VEN finds an operation unacceptable, or never takes it; it must not be sent again as it is.

    :param operation: its id.
    :param why: what went wrong, the last time.
    """

    operation: str
    why: Failure


Input: TypeAlias = Asked | Decided | Answered | Queue | Offer | Made | Hand | PushFailed | PushRefused


# --- results ---------------------------------------------------------------------------------------------------------


class Notice(msgspec.Struct, frozen=True):
    """Something about a VEN that a handler is told of; its answer does not matter."""

    ven_id: str
    handler: str
    arguments: Mapping[str, object]


class Ask(msgspec.Struct, frozen=True):
    """Something that the application has to decide before the request is answered.

    :param handler: the handler that is asked.
    :param arguments: what it is asked with.
    :param read: makes a decision of what the handler returned; raises LocalProtocolError where it cannot.
    :param otherwise: the decision where there is no handler.
    :param failing: the decision where the handler fails, or takes too long.
    :param found: what the step found of the request, to be spared finding it again when the decision is there.
    """

    handler: str
    arguments: Mapping[str, object]
    read: Callable[[object], Any]
    otherwise: Any
    failing: Any
    found: object = None


class Step(msgspec.Struct, frozen=True):
    """What comes of an input.

    :param record: the VEN's record afterwards; None where it is not, or no longer, registered.
    :param answer: the answer to the request, or what to hand to the VEN; None for an empty success, or for nothing.
    :param ask: what the application has to decide first; there is no answer yet then.
    :param events: news.
    :param notices: news for handlers.
    :param durable: whether the record has to be saved before the answer leaves.
    :param key: the digest of the request, where it was worked out.
    """

    record: VenRecord | None
    answer: Payload | None = None
    ask: Ask | None = None
    events: tuple[Event, ...] = ()
    notices: tuple[Notice, ...] = ()
    durable: bool = False
    key: str | None = None


class Turn:
    """A step while it is being taken.

    :param record: what is known of the VEN, or None.
    :param shared: what may be looked at.
    :param now: the present.
    :ivar identity: what its transport or its signature proved about the sender of a request.
    :ivar signer: the fingerprint of the certificate that a request was signed with.
    :ivar transport: the transport that a request came over.
    :ivar profile: the profile of a request.
    :ivar found: what was found of a request when it came, now that the application has decided about it.
    :ivar key: the digest of a request, where it was worked out; see :meth:`digest`.
    :ivar answer: the answer so far.
    :ivar question: what the application has to decide first.
    """

    def __init__(self, record: VenRecord | None, shared: Shared, now: Now) -> None:
        self.record = record
        self.shared: Final = shared
        self.config: Final = shared.config
        self.now: Final = now.utc
        self.identity: str | None = None
        self.signer: str | None = None
        self.transport = TransportName.SIMPLE_HTTP
        self.profile = ProfileName.V20B
        self.key: str | None = None
        self.found: object = None
        self.answer: Payload | None = None
        self.question: Ask | None = None
        self.events: list[Event] = []
        self.notices: list[Notice] = []
        self._durable = False

    def result(self) -> Step:
        """What has come of it."""
        events, notices = tuple(self.events), tuple(self.notices)
        return Step(self.record, self.answer, self.question, events, notices, self._durable, self.key)

    # --- the record --------------------------------------------------------------------------------------------------

    def ven(self) -> VenRecord:
        """The record, where there must be one."""
        assert self.record is not None
        return self.record

    def keep(self, record: VenRecord | None) -> None:
        """Put another record, or none, in the place of the present one."""
        self.record = record
        self._durable = True

    def change(self, *, durable: bool = True, **changes: Any) -> None:
        """Change the record; ``durable`` says whether the change must survive a restart."""
        self.record = msgspec.structs.replace(self.ven(), **changes)
        self._durable |= durable

    def withdraw(self, unwanted: Callable[[QueuedOperation], bool]) -> None:
        """Take operations back that are no longer wanted."""
        for one in self.ven().queue:
            if unwanted(one):
                DELIVERY.step(one.state, DeliveryInput.WITHDRAW)
        self.change(queue=tuple(one for one in self.ven().queue if not unwanted(one)))

    def tell(self, handler: str, arguments: Mapping[str, object]) -> None:
        """Tell a handler something about the VEN."""
        ven_id = self.ven().ven_id
        self.notices.append(Notice(ven_id, handler, {"ven_id": ven_id, **arguments}))

    # --- answers -----------------------------------------------------------------------------------------------------

    def refuse(self, message: Payload, code: int, text: str) -> None:
        """Answer a request with an error."""
        ven_id = None if self.record is None else self.record.ven_id
        self.answer = Refuser(self.config.vtn_id, self.config.profiles()).refuse(message, code, text, ven_id)
        self.events.append(PeerMisbehaved(who=ven_id or "a VEN", what=f"{message.message_type()}: {text}", code=code))

    def acknowledge(self, message: Payload, code: int = ResponseCode.OK, text: str | None = None) -> None:
        """Answer with oadrResponse."""
        self.answer = Response(response=response_to(message, code, text), ven_id=self.ven().ven_id)

    def digest(self, message: Payload) -> str:
        """Tell the request from others by its content; that of a long report is worked out once, as it is dear."""
        if self.key is None:
            self.key = digest(message)
        return self.key

    def new_id(self) -> str:
        """Make an id."""
        return new_id(self.shared.entropy)

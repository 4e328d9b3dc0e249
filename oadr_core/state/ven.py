"""What a VEN must remember over a restart, as a versioned blob."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from oadr_core.messages import CancelOpt, CreateOpt, EiEvent, OptType
from oadr_core.state.blobs import Instant
from oadr_core.state.opts import OptBook
from oadr_core.state.reports import ReportsBlob


class KnownEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event that the VTN has told us of.

    :param event: the event as last listed.
    :param request_id: the requestID of the list that brought this modification, which every answer repeats (rule 42).
    :param opt_type: what the application decided; None while it has not.
    :param code: the code of our answer.
    :param description: the text of our answer.
    :param offset: by how much it begins later for us, drawn once from the window that it leaves (rule 30).
    :param earlier_opt: what was decided on the modification before, until this one is decided.
    """

    event: EiEvent
    request_id: str
    opt_type: OptType | None = None
    code: int = 200
    description: str | None = None
    offset: timedelta = timedelta(0)
    earlier_opt: OptType | None = None

    @property
    def event_id(self) -> str:
        """The event's id."""
        return self.event.event_descriptor.event_id


class EndingEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event that is cancelled, and has not ended for us yet: those that run do not all end at once (rule 65).

    :param event: the event as last listed before it was cancelled.
    :param offset: by how much it began later for us.
    :param ends_at: when it ends.
    """

    event: EiEvent
    offset: timedelta = timedelta(0)
    ends_at: Instant

    @property
    def event_id(self) -> str:
        """The event's id."""
        return self.event.event_descriptor.event_id


class VenState(ReportsBlob, frozen=True, kw_only=True, omit_defaults=True):
    """All that a VEN must remember.

    :param registered: whether the VTN knows us, as far as we know.
    :param ven_id: our id; kept after a registration ends, as it may have been agreed beforehand.
    :param registration_id: the registration.
    :param vtn_id: the VTN.
    :param poll_freq: seconds between polls, as the VTN asked for them.
    :param events: the events that the VTN has told us of.
    :param opts: what we have said about our availability and the VTN has taken.
    :param unanswered_opts: what it has not answered yet, in the order in which it was said.
    :param ending: the events that are cancelled and have not ended yet.
    :param listed_at: when the last list of events that was taken was made, as it says.
    :param vtn_signer: the fingerprint of the certificate that the VTN has signed with.
    :param signed_until: up to which time, by the clock of the VTN, signatures of it may have been taken; only kept
        where that clock is ahead of ours.
    """

    registered: bool = False
    ven_id: str = ""
    registration_id: str = ""
    vtn_id: str = ""
    poll_freq: float | None = None
    events: tuple[KnownEvent, ...] = ()
    opts: OptBook = OptBook()
    unanswered_opts: tuple[CreateOpt | CancelOpt, ...] = ()
    ending: tuple[EndingEvent, ...] = ()
    listed_at: Instant | None = None
    vtn_signer: str = ""
    signed_until: Instant | None = None

    def parts(self) -> Iterator[msgspec.Struct]:
        """See :meth:`~oadr_core.state.blobs.Blob.parts`."""
        yield from super().parts()
        yield from self.opts.messages()
        yield from self.unanswered_opts

    def received(self) -> Iterator[msgspec.Struct]:
        """See :meth:`~oadr_core.state.blobs.Blob.received`."""
        yield from super().received()
        yield from (known.event for known in self.events)
        yield from (one.event for one in self.ending)

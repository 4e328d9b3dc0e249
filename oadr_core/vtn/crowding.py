"""Events that are too large or too many for a VEN: it takes all of them in one document (rule 50), which has limits.

A list that it cannot take would be asked for again and again, and none of its events would be carried out; so the one
too many is refused where it is made, or where a VEN comes to it.
"""

from collections.abc import Iterable, Sequence

import msgspec

from oadr_core.errors import LocalProtocolError
from oadr_core.messages import DistributeEvent, EiEvent
from oadr_core.state.vtn import EventRecord
from oadr_core.vtn.event_book import EventBook
from oadr_core.wire.envelope import encode
from oadr_core.wire.parse import LIMITS, Limits

_LIMITS = Limits(size=LIMITS.size // 16 * 15, tags=LIMITS.tags // 16 * 15)
"""What the events may take up; the rest is for the envelope, a signature, and what is filled in at each sending."""


class _Extent(msgspec.Struct, frozen=True):
    """How much of a document an event takes up."""

    event: EiEvent
    size: int
    tags: int


class Crowding:
    """Sees that the lists of all VENs stay such as they can take.

    Most of the time one sum tells that for all VENs that an event is for; single ones are looked at where all the
    events that are for any of them would be too many for one.

    :param book: the events, and whom they are for.
    """

    def __init__(self, book: EventBook) -> None:
        self._book = book
        self._extents: dict[str, _Extent] = {}

    def refuse_event(self, record: EventRecord, rivals: Sequence[EventRecord], registered: Iterable[str]) -> None:
        """Refuse an event, or another form of it, that is too large, or one too many for any of its VENs.

        It may have half of a document, so that there is room for others beside it.

        :param record: the event as it is to be.
        :param rivals: the events that are for any of its VENs as well.
        :param registered: who everyone is.
        :raises LocalProtocolError: it is.
        """
        extent = self._extent(record)
        if extent.size > LIMITS.size // 2 or extent.tags > LIMITS.tags // 2:
            intervals = sum(len(one.intervals) for one in record.event.event_signals)
            raise LocalProtocolError(
                f"the event has {extent.size} bytes and {extent.tags} tags as XML, with {intervals} intervals; a list "
                f"is a document that VENs take whole, and one event may have {LIMITS.size // 2} bytes and "
                f"{LIMITS.tags // 2} tags of it"
            )
        if not rivals or self._fit([record, *rivals]):
            return
        for ven_id in self._book.vens_of(record, {*registered, *self._book.enrolments}):
            others = [one for one in self._book.of(ven_id) if one.event_id != record.event_id]
            self.refuse_list(ven_id, [record, *others])

    def refuse_list(self, ven_id: str, records: Iterable[EventRecord]) -> None:
        """Refuse what would be the events of a VEN.

        :raises LocalProtocolError: they are too many.
        """
        records = list(records)
        if not self._fit(records):
            size, tags = self._sum(records)
            raise LocalProtocolError(
                f"the VEN {ven_id!r} would have {len(records)} events with {size} bytes and {tags} tags as XML; it "
                f"takes all of them in one document, which may have {_LIMITS.size} bytes and {_LIMITS.tags} tags of "
                "events: cancel some, or have them name fewer intervals"
            )

    def _fit(self, records: Iterable[EventRecord]) -> bool:
        size, tags = self._sum(records)
        return size <= _LIMITS.size and tags <= _LIMITS.tags

    def _sum(self, records: Iterable[EventRecord]) -> tuple[int, int]:
        extents = [self._extent(record) for record in records]
        return sum(one.size for one in extents), sum(one.tags for one in extents)

    def _extent(self, record: EventRecord) -> _Extent:
        known = self._extents.get(record.event_id)
        if known is None or known.event is not record.event:
            written = encode(DistributeEvent(request_id="", vtn_id="", events=(record.event,)))
            known = _Extent(record.event, len(written), written.count(b"<"))
            self._extents[record.event_id] = known
            if len(self._extents) > 2 * len(self._book) + 1:
                self._extents = {key: one for key, one in self._extents.items() if key in self._book}
        return known

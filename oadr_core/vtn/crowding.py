"""Events that are too large or too many for a VEN: it takes all of them in one document (rule 50), which has limits.

A list that it cannot take would be asked for again and again, and none of its events would be carried out; so the one
too many is refused where it is made, or where a VEN comes to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from oadr_core.errors import LocalProtocolError
from oadr_core.messages import DistributeEvent, EiEvent, TransportName
from oadr_core.state.vtn import EventRecord, VenRecord
from oadr_core.vtn.event_book import EventBook
from oadr_core.wire.envelope import encode
from oadr_core.wire.parse import LIMITS, Limits


def _room(limits: Limits) -> Limits:
    """What events may take up of a document; the rest is for the envelope, a signature, and what is filled in later."""
    return Limits(size=limits.size // 16 * 15, tags=limits.tags // 16 * 15)


_LIMITS: Final = _room(LIMITS)


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
    :param registered: the VENs, and the ways that they have chosen.
    :param largest: bytes of the largest document that each way carries, where that is less than what VENs take.
    """

    def __init__(
        self, book: EventBook, registered: Mapping[str, VenRecord], largest: Mapping[TransportName, int]
    ) -> None:
        self._book = book
        self._registered = registered
        self._narrow = {
            name: _room(Limits(size=min(size, LIMITS.size), tags=LIMITS.tags)) for name, size in largest.items()
        }
        self._narrowest = min(self._narrow.values(), key=lambda one: one.size, default=_LIMITS)
        self._extents: dict[str, _Extent] = {}

    def refuse_event(self, record: EventRecord, rivals: Sequence[EventRecord]) -> None:
        """Refuse an event, or another form of it, that is too large, or one too many for any of its VENs.

        It may have half of a document, so that there is room for others beside it.

        :param record: the event as it is to be.
        :param rivals: the events that are for any of its VENs as well.
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
        if self._fit([record, *rivals], self._narrowest):
            return
        is_large = not self._fit([record, *rivals], _LIMITS)
        for ven_id in self._book.vens_of(record, {*self._registered, *self._book.enrolments}):
            if not is_large and self._limits(ven_id) is _LIMITS:
                continue
            others = [one for one in self._book.of(ven_id) if one.event_id != record.event_id]
            self.refuse_list(ven_id, [record, *others])

    def refuse_list(self, ven_id: str, records: Iterable[EventRecord]) -> None:
        """Refuse what would be the events of a VEN.

        :raises LocalProtocolError: they are too many.
        """
        records, limits = list(records), self._limits(ven_id)
        if not self._fit(records, limits):
            size, tags = self._sum(records)
            way = "" if limits is _LIMITS else f" over {self._registered[ven_id].transport}"
            raise LocalProtocolError(
                f"the VEN {ven_id!r} would have {len(records)} events with {size} bytes and {tags} tags as XML; it "
                f"takes all of them in one document, which may have {limits.size} bytes and {limits.tags} tags of "
                f"events{way}: cancel some, or have them name fewer intervals"
            )

    def _limits(self, ven_id: str) -> Limits:
        """What the events of a VEN may take up; of one that is not registered nobody knows which way it chooses."""
        record = self._registered.get(ven_id)
        return _LIMITS if record is None else self._narrow.get(record.transport, _LIMITS)

    def _fit(self, records: Iterable[EventRecord], limits: Limits) -> bool:
        size, tags = self._sum(records)
        return size <= limits.size and tags <= limits.tags

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

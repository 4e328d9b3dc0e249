"""Lists of events as documents: one that is the same for many VENs is made once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from oadr_core.clock import whole_seconds
from oadr_core.entropy import Entropy, new_id
from oadr_core.messages import DistributeEvent, EiResponse
from oadr_core.state.vtn import EventRecord
from oadr_core.vtn.event_lists import rendered

_MOST: Final = 32
"""How many documents are kept."""


class _Contents(msgspec.Struct, frozen=True):
    """What a list says; two that are equal are the same document.

    :param at: the second in which it is made, which its times, states and values belong to (rule 115, decision D35).
    :param events: the events and their modifications, in order.
    :param ven_id: the VEN, where a target names VENs (rule 63); else empty.
    :param response: how the request fared that it answers; None in push.
    """

    at: datetime
    events: tuple[tuple[str, int], ...]
    ven_id: str
    response: EiResponse | None


class EventDocuments:
    """Makes lists of events, and keeps the last ones.

    All VENs that are handed the same events in the same second get the same message, with one requestID: that has to
    have a value and need not be unique (rule 41).

    :param vtn_id: the sender.
    :param entropy: the source of requestIDs.
    :ivar made: how many were made so far.
    """

    def __init__(self, vtn_id: str, entropy: Entropy) -> None:
        self._vtn_id = vtn_id
        self._entropy = entropy
        self._kept: dict[_Contents, tuple[Sequence[EventRecord], DistributeEvent]] = {}
        self.made = 0

    def listing(
        self, events: Sequence[EventRecord], ven_id: str, response: EiResponse | None, now: datetime
    ) -> DistributeEvent:
        """Make the list of some events, or find the one that was made for another VEN.

        :param events: the events, in order.
        :param ven_id: the VEN that it is handed to.
        :param response: how the request fared that it answers; None in push (rule 40).
        :param now: the present.
        """
        contents = _Contents(
            at=whole_seconds(now),
            events=tuple((one.event_id, one.modification_number) for one in events),
            ven_id=ven_id if any(one.event.target.ven_id for one in events) else "",
            response=response,
        )
        records, document = self._kept.pop(contents, (None, None))
        if document is None or not _are(events, records):
            document = self._make(events, ven_id, response, contents.at)
        self._kept[contents] = events, document
        if len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]
        return document

    def _make(
        self, events: Sequence[EventRecord], ven_id: str, response: EiResponse | None, at: datetime
    ) -> DistributeEvent:
        self.made += 1
        return DistributeEvent(
            response=response,
            request_id=new_id(self._entropy),
            vtn_id=self._vtn_id,
            events=tuple(rendered(one, ven_id, at) for one in events),
        )


def _are(events: Sequence[EventRecord], others: Sequence[EventRecord] | None) -> bool:
    """Whether two lists are of the very same records; an id may be given again once an event is forgotten."""
    return others is not None and all(one is other for one, other in zip(events, others, strict=True))

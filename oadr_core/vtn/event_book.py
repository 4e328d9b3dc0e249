"""All events of a VTN, and which of them are for which VEN.

Nothing is written down for each VEN when an event is made: an event is filed once under each mark of its audience, and
a VEN looks under its own marks when it polls.
"""

from collections.abc import Iterable, Iterator, KeysView, Mapping
from itertools import chain
from typing import Final

from oadr_core.state.audience import (
    EVERYONE,
    Enrolment,
    HandedEvents,
    Mark,
    event_mark,
    ven_mark,
)
from oadr_core.state.vtn import EventRecord


class _Files:
    """Ids filed under marks, in the order in which they came."""

    def __init__(self) -> None:
        self._files: dict[str, dict[str, tuple[str, ...]]] = {}

    def at(self, mark: Mark) -> tuple[str, ...]:
        kind, value = mark
        filed = self._files.get(kind)
        return filed.get(value, ()) if filed else ()

    def marks_shared_by(self, vens: KeysView[str], members: Mapping[Mark, Mapping[str, None]]) -> Iterator[Mark]:
        """Marks under which something is filed, and that any of some VENs has.

        :param vens: the VENs.
        :param members: who has which mark, but for the marks of single VENs.
        """
        for kind, filed in self._files.items():
            if kind == "ven_ids":
                yield from (ven_mark(ven_id) for ven_id in filed.keys() & vens)
            else:
                yield from ((kind, value) for value in filed if not vens.isdisjoint(members.get((kind, value), {})))

    def put(self, marks: Iterable[Mark], one: str) -> None:
        for kind, value in marks:
            filed = self._files.setdefault(kind, {})
            filed[value] = (*filed.get(value, ()), one)

    def remove(self, marks: Iterable[Mark], one: str) -> None:
        for kind, value in marks:
            filed = self._files.get(kind, {})
            left = tuple(other for other in filed.get(value, ()) if other != one)
            if left:
                filed[value] = left
            else:
                filed.pop(value, None)


class EventBook(Mapping[str, EventRecord]):
    """The events by their ids, and what VENs belong to.

    An event is *alive* until its time is over, and still known afterwards, as answers may be late.
    """

    def __init__(self) -> None:
        self._records: dict[str, EventRecord] = {}
        self._alive: Final = _Files()
        self._over: Final = _Files()
        self._ended: set[str] = set()
        self._enrolments: dict[str, Enrolment] = {}
        self._handed: dict[str, HandedEvents] = {}
        self._members: dict[Mark, dict[str, None]] = {}

    def __getitem__(self, event_id: str) -> EventRecord:
        """Find an event."""
        return self._records[event_id]

    def __iter__(self) -> Iterator[str]:
        """The ids of all events."""
        return iter(self._records)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._records)

    @property
    def enrolments(self) -> Mapping[str, Enrolment]:
        """What VENs belong to, by their ids; those that belong to nothing are missing."""
        return self._enrolments

    # --- events ------------------------------------------------------------------------------------------------------

    def put(self, record: EventRecord) -> None:
        """Enter an event that is alive, or alive again, in the place of what was known of it."""
        known = self._records.get(record.event_id)
        self._records[record.event_id] = record
        if known is not None and record.event_id in self._ended:
            self._over.remove(_marks(known), record.event_id)
            self._ended.discard(record.event_id)
            known = None
        if known is None:
            self._alive.put(_marks(record), record.event_id)
        elif record.audience != known.audience:
            before, after = dict.fromkeys(_marks(known)), dict.fromkeys(_marks(record))
            self._alive.remove((mark for mark in before if mark not in after), record.event_id)
            self._alive.put((mark for mark in after if mark not in before), record.event_id)

    def finish(self, event_id: str) -> None:
        """The time of an event is over."""
        record = self._records.get(event_id)
        if record is not None and event_id not in self._ended:
            self._alive.remove(_marks(record), event_id)
            self._over.put(_marks(record), event_id)
            self._ended.add(event_id)

    def forget(self, event_id: str) -> EventRecord | None:
        """Forget an event; returns what was known of it."""
        self.finish(event_id)
        self._ended.discard(event_id)
        record = self._records.pop(event_id, None)
        if record is not None:
            self._over.remove(_marks(record), event_id)
        return record

    @property
    def ended(self) -> list[EventRecord]:
        """The events whose time is over."""
        return [self._records[event_id] for event_id in self._ended]

    def is_alive(self, event_id: str) -> bool:
        """Whether an event is known, and its time not over."""
        return event_id in self._records and event_id not in self._ended

    # --- VENs --------------------------------------------------------------------------------------------------------

    def enrol(self, ven_id: str, enrolment: Enrolment) -> None:
        """Say what a VEN belongs to, instead of what was said before."""
        self._move(ven_id, self._enrolments.pop(ven_id, Enrolment()), enrolment)
        if enrolment:
            self._enrolments[ven_id] = enrolment

    def handed(self, ven_id: str) -> HandedEvents:
        """The events that handlers have returned for a VEN."""
        return self._handed.get(ven_id, HandedEvents())

    def hand(self, ven_id: str, handed: HandedEvents) -> None:
        """Say which events handlers have returned for a VEN, instead of what was said before."""
        self._move(ven_id, self._handed.pop(ven_id, HandedEvents()), handed)
        if handed.event_ids:
            self._handed[ven_id] = handed

    def handed_to(self, event_id: str) -> list[str]:
        """The VENs for which handlers have returned an event."""
        return list(self._members.get(event_mark(event_id), ()))

    def _move(self, ven_id: str, before: Enrolment | HandedEvents, after: Enrolment | HandedEvents) -> None:
        for mark in before.marks():
            members = self._members.get(mark, {})
            members.pop(ven_id, None)
            if not members:
                self._members.pop(mark, None)
        for mark in after.marks():
            self._members.setdefault(mark, {})[ven_id] = None

    def _marks_of(self, ven_id: str) -> Iterator[Mark]:
        """All marks of a VEN."""
        yield EVERYONE
        yield ven_mark(ven_id)
        if (enrolment := self._enrolments.get(ven_id)) is not None:
            yield from enrolment.marks()
        if (handed := self._handed.get(ven_id)) is not None:
            yield from handed.marks()

    # --- who gets what -----------------------------------------------------------------------------------------------

    def of(self, ven_id: str) -> list[EventRecord]:
        """The events that are alive and for a VEN."""
        found = dict.fromkeys(chain.from_iterable(map(self._alive.at, self._marks_of(ven_id))))
        return [self._records[event_id] for event_id in found]

    def is_for(self, ven_id: str, event_id: str) -> bool:
        """Whether an event, alive or over, is for a VEN."""
        marks = self._marks_of(ven_id)
        return any(event_id in self._alive.at(mark) or event_id in self._over.at(mark) for mark in marks)

    def rivals(self, record: EventRecord) -> list[EventRecord]:
        """The events that are alive and for a VEN that an event is for too, or for one that may come to both.

        That takes no look at single VENs but those that an audience names: the VENs behind two marks are compared as
        sets, and only where both have events.
        """
        if record.audience.everyone:
            found = dict.fromkeys(one for one in self._records if self.is_alive(one))
        else:
            found = dict.fromkeys(self._alive.at(EVERYONE))
            marks = list(_marks(record))
            for ven_id in self.handed_to(record.event_id):
                marks += self._marks_of(ven_id)
            for mark in marks:
                found.update(dict.fromkeys(self._rivals_by(mark)))
        found.pop(record.event_id, None)
        return [self._records[event_id] for event_id in found if self.is_alive(event_id)]

    def _rivals_by(self, mark: Mark) -> Iterator[str]:
        """The events for VENs that have a mark."""
        kind, value = mark
        if kind == "ven_ids":
            for own in self._marks_of(value):
                yield from self._alive.at(own)
            return
        yield from self._alive.at(mark)
        members = self._members.get(mark, {}).keys()
        for other in self._alive.marks_shared_by(members, self._members):
            yield from self._alive.at(other)

    def vens_of(self, record: EventRecord, registered: Iterable[str]) -> list[str]:
        """The VENs that an event is for, also those that are not registered but named or enrolled.

        :param record: the event.
        :param registered: who everyone is.
        """
        found = dict.fromkeys(record.audience.ven_ids)
        for mark in _marks(record):
            found.update(self._members.get(mark, {}))
        if record.audience.everyone:
            found.update(dict.fromkeys(registered))
        return list(found)


def _marks(record: EventRecord) -> Iterator[Mark]:
    """The marks by which VENs find an event."""
    yield from dict.fromkeys(record.audience.marks())
    yield event_mark(record.event_id)

"""A reader of the lists of events that a VTN hands out, and of the answers to them."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Final

from oadr_core import CreatedEvent, DistributeEvent, EiEvent, EventResponse, EventStatus, ResponseRequired, VenRecord
from oadr_core.machines.event import EventAtVtn
from tests.pair.actors import Booking
from tests.pair.diary import Edition

_LAST: Final = 2**32
"""The place of an event without a priority (rule 3)."""


class ListReader:
    """Reads every list that the VTN makes, with its operator's book beside it."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, EiEvent]] = {}
        """What each list held, by its requestID."""
        self.acknowledged: set[tuple[str, Edition]] = set()
        """What a VEN has answered, as far as the answer has arrived."""
        self._current: dict[str, set[Edition]] = {}
        self._told: set[tuple[str, Edition]] = set()
        self._order: dict[str, dict[str, tuple[int, int, datetime]]] = {}
        self._arrivals: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._changes: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._answers: defaultdict[tuple[str, str, str], list[object]] = defaultdict(list)
        self._messages: defaultdict[tuple[str, int], list[frozenset[EventResponse]]] = defaultdict(list)

    def read(
        self,
        message: DistributeEvent,
        events: Mapping[str, Booking],
        record: VenRecord,
        limit: int | None,
        now: datetime,
    ) -> None:
        """Read a list.

        :param message: the list.
        :param events: what the operator's book holds for the VEN.
        :param record: what the VTN remembers of the VEN.
        :param limit: how many events the VEN wanted at most.
        :param now: what the wall clock of the VTN shows.
        """
        listed = {one.event_descriptor.event_id: one for one in message.events}
        assert len(listed) == len(message.events), "an event is listed twice"
        self.made[message.request_id] = listed
        self._current[message.request_id] = {(event_id, one.number) for event_id, one in events.items()}
        wanted = {
            event_id: one
            for event_id, one in events.items()
            if self._has_to_be_listed(one, record, now)
            and (event_id in listed or not self._may_be_dropped(one, record))
        }
        self._told |= {(record.ven_id, _edition(events[event_id])) for event_id in listed.keys() & events.keys()}
        if limit is None:
            assert listed.keys() == wanted.keys(), "a list is complete (rules 50 and 66)"
        else:
            assert listed.keys() <= wanted.keys()
            assert len(listed) == min(limit, len(wanted)), "a list has as many events as the VEN wants (rule 27)"
        for event_id, event in listed.items():
            _read_event(event, events[event_id], now)
        self._read_order([wanted[event_id] for event_id in listed], list(wanted.values()), record, now)

    def _has_to_be_listed(self, booking: Booking, record: VenRecord, now: datetime) -> bool:
        """Whether a list has to hold an event: until it is over for all, or its cancellation is acknowledged."""
        if booking.is_over(now):
            return False
        edition = _edition(booking)
        standings = {(one.event_id, one.modification_number): one.state for one in record.standings}
        gone = standings.get(edition) is EventAtVtn.GONE
        if gone:
            assert booking.cancelled
            assert (record.ven_id, edition) in self.acknowledged, "a cancellation is listed until it is acknowledged"
        return not gone

    def _may_be_dropped(self, booking: Booking, record: VenRecord) -> bool:
        """Whether a list may lack an event: its cancellation was told, and nobody will acknowledge it (rule 50)."""
        silent = booking.cancelled and booking.program.required is ResponseRequired.NEVER
        return silent and (record.ven_id, _edition(booking)) in self._told

    def _read_order(self, listed: list[Booking], wanted: list[Booking], record: VenRecord, now: datetime) -> None:
        """The order of rule 15; a cancelled event stays where it would be otherwise."""
        places = [_place(one, now) for one in listed]
        assert places == sorted(places), "a list is in order (rule 15)"
        if len(listed) < len(wanted):
            left_out = {one.program.event_id for one in wanted} - {one.program.event_id for one in listed}
            first = [_place(one, now) for one in wanted if one.program.event_id in left_out]
            assert not places or max(places) <= min(first), "a short list has the first events (rules 15 and 27)"
        place = {one.program.event_id: where for one, where in zip(listed, places, strict=True)}
        former = self._order.get(record.ven_id, {})
        before = {event_id: where for event_id, where in former.items() if event_id in place}
        for one, other in pairwise(before):
            ties = before[one] == before[other] and place[one] == place[other]
            assert not ties or list(place).index(one) < list(place).index(other), "ties keep their order (rule 15)"
        self._order[record.ven_id] = place

    # --- answers -----------------------------------------------------------------------------------------------------

    def arrived(self, ven: str, request_id: str) -> None:
        """A list has arrived at a VEN."""
        self._arrivals[ven, request_id] += 1

    def changes_its_mind(self, ven: str, event_id: str) -> None:
        """An application has something else to say about an event."""
        self._changes[ven, event_id] += 1

    def has_arrived(self, ven: str, edition: Edition) -> bool:
        """Whether a VEN has received any list since an event was ordered so; else it cannot know."""
        lists = [request_id for (name, request_id), count in self._arrivals.items() if name == ven and count]
        return any(edition in self._current.get(request_id, ()) for request_id in lists)

    def read_answers(self, ven: str, life: int, message: CreatedEvent) -> set[Edition]:
        """Read the answers of a VEN: to events that were listed so, that must be answered, and once to each list.

        :param ven: the VEN.
        :param life: how often it was started.
        :param message: its answers; the same again is a retry, without those that are out of date by now.
        :returns: the cancellations among what it answers.
        """
        cancelled: set[Edition] = set()
        responses = frozenset(message.event_responses or ())
        again = any(responses <= before for before in self._messages[ven, life])
        self._messages[ven, life].append(responses)
        for response in message.event_responses or ():
            event = self.made.get(response.request_id, {}).get(response.event_id)
            assert event is not None, "an answer repeats the requestID of the list (rule 42)"
            assert event.response_required is ResponseRequired.ALWAYS, "an event is answered that must not be (rule 62)"
            number = event.event_descriptor.modification_number
            assert response.modification_number == number, "an answer is about the modification that was listed"
            if event.event_descriptor.event_status is EventStatus.CANCELLED:
                cancelled.add((response.event_id, number))
            if not again:
                given = self._answers[ven, response.request_id, response.event_id]
                said = (response.opt_type, response.response_code, response.response_description)
                most = self._arrivals[ven, response.request_id] + self._changes[ven, response.event_id]
                assert len(given) < most or said != given[-1], "an event is answered twice"
                given.append(said)
        return cancelled


def _edition(booking: Booking) -> Edition:
    return booking.program.event_id, booking.number


def _place(booking: Booking, now: datetime) -> tuple[int, int, datetime]:
    """Active events by priority and start, then pending ones by start, then completed ones (decision D34)."""
    program = booking.program
    stands = program.status(now)
    if stands is EventStatus.ACTIVE:
        return 0, program.priority or _LAST, program.dtstart
    return 1 if stands is not EventStatus.COMPLETED else 2, 0, program.dtstart


def _read_event(event: EiEvent, booking: Booking, now: datetime) -> None:
    """An event is listed as the operator wants it, with what changes by itself as it is now."""
    descriptor = event.event_descriptor
    program = booking.program
    stands = EventStatus.CANCELLED if booking.cancelled else program.status(now)
    assert descriptor.modification_number == booking.number
    assert descriptor.event_status is stands, f"{program.event_id} is {stands} (rules 13 and 115)"
    assert descriptor.created_date_time == now.replace(microsecond=0), "the list is made now (rule 115)"
    ordered = program.event(now)
    assert event.active_period == ordered.active_period
    assert event.response_required is ordered.response_required
    assert [one.intervals for one in event.event_signals] == [one.intervals for one in ordered.event_signals]
    value = None if booking.cancelled else program.value(now)
    for signal in event.event_signals:
        idle = 0.0 if signal.signal_name == "SIMPLE" else None  # rules 14 and 110
        assert signal.current_value == (idle if value is None else value), "rules 14, 29 and 110"

"""What a VTN and a VEN must agree on once everything has worked for a while."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from oadr_core import Registration, Startup
from oadr_core.machines.event import EventAtVtn
from oadr_core.machines.report import ReportAtRequester, ReportAtSource
from oadr_core.messages import ResponseRequired, add_duration, is_zero
from oadr_core.state.opts import OptBook, Schedule
from oadr_core.state.reports import AcceptedRequest, RequestedReport
from tests.pair.actors import SAMPLING, Booking, Ven, Vtn
from tests.pair.diary import edition_of
from tests.pair.ledger import Ledger, Link
from tests.pair.lists import ListReader

HEALING: Final = timedelta(minutes=12)
"""How long everything works before both sides have to agree; all timeouts and pauses are shorter."""


def agree(vtn: Vtn, ven: Ven, reader: ListReader, ledger: Ledger, now: datetime) -> None:
    """Whatever has happened, both sides know the same."""
    core = ven.core
    assert core.phase is Startup.RUNNING
    assert core.ven.registration is Registration.REGISTERED
    state = core.ven.state
    assert state.ven_id in vtn.records, f"the VTN does not know {ven.host.name}"
    record = vtn.records[state.ven_id]
    assert record.registration_id == state.registration_id or ven.usurped
    events = vtn.events_of(state.ven_id)
    assert {one.event_id for one in state.events} <= events.keys(), "the VEN knows an event of nobody"
    for event_id, booking in events.items():
        answered = booking.program.required is ResponseRequired.ALWAYS
        # what must not be answered is told a few times and then believed to have arrived
        if not booking.is_over(now) and (answered or reader.has_arrived(ven.host.name, (event_id, booking.number))):
            _agree_on_event(vtn, ven, booking, now)
    if not ven.set_back_a_little:
        ven.diary.is_up_to_date(state, now)
    _agree_on_opts(vtn, ven, now)
    _agree_on_load(vtn, ven, now)
    assert ven.core.unsent == 0, "a report is kept for ever"
    _agree_on_reports((ven.host.name, "vtn"), record.requests, state.report_requests, ledger, now)
    _agree_on_reports(("vtn", ven.host.name), state.requests, record.report_requests, ledger, now)


def _agree_on_event(vtn: Vtn, ven: Ven, booking: Booking, now: datetime) -> None:
    """An event that goes on is known as it was ordered last, decided and answered; one that was cancelled is not."""
    state = ven.core.ven.state
    event_id = booking.program.event_id
    known = next((one for one in state.events if one.event_id == event_id), None)
    standing = next((one for one in vtn.records[state.ven_id].standings if one.event_id == event_id), None)
    required = booking.program.required is ResponseRequired.ALWAYS
    if booking.cancelled:
        assert known is None, f"{ven.host.name} goes on with the cancelled {event_id}"
        if required:
            assert standing is not None
            assert standing.state is EventAtVtn.GONE, f"the cancellation of {event_id} is not acknowledged"
        return
    assert known is not None, f"{ven.host.name} does not know {event_id}"
    assert edition_of(known) == (event_id, booking.number), f"{ven.host.name} knows {event_id} as it was"
    ordered = booking.program.event(now)
    assert known.event.active_period == ordered.active_period
    assert [one.intervals for one in known.event.event_signals] == [one.intervals for one in ordered.event_signals]
    assert known.opt_type is not None, f"{event_id} is not decided"
    said = (known.opt_type, known.code)
    assert ven.diary.allows(edition_of(known), said, state), "the decision is not that of the application"
    if required:
        assert standing is not None
        assert standing.modification_number == booking.number
        assert standing.state is EventAtVtn.SETTLED, f"the VTN waits for the answer to {event_id}"
        taken = known.opt_type  # an opt for the whole event has taken its place on both sides (rule 206)
        assert standing.opt_type is taken, f"the VTN takes {standing.opt_type} for {taken} to {event_id}"


def _agree_on_opts(vtn: Vtn, ven: Ven, now: datetime) -> None:
    """Both books of opts say the same about what goes on."""
    state = ven.core.ven.state
    theirs = vtn.records[state.ven_id].opts
    assert state.unanswered_opts == (), "an opt is kept for ever"
    assert _schedules(state.opts, now) == _schedules(theirs, now), "the schedules differ"
    known = {one.event_id for one in state.events}
    for_events = [one for one in theirs.event_opts if one.event_id in known]
    assert [one for one in state.opts.event_opts if one.event_id in known] == for_events, "the opts for events differ"


def _schedules(book: OptBook, now: datetime) -> list[Schedule]:
    return [one for one in book.schedules if not one.is_over(now)]


def _agree_on_load(vtn: Vtn, ven: Ven, now: datetime) -> None:
    """What the VTN wants by itself is delivered: everything that was read of late has arrived, unchanged."""
    state = ven.core.ven.state
    wanted = [one.request.report_specifier.report_specifier_id for one in vtn.records[state.ven_id].requests]
    assert wanted.count("usage") == 1, "the VTN wants the load once"
    stored = vtn.stored.get(state.ven_id, {})
    for time, value in stored.items():
        assert ven.readings[time] == value, "a reading was changed on its way"
    recent = [time for time in stored if time > now - HEALING / 2]
    expected = 0 if ven.set_back or ven.vtn_set_back else int(HEALING / 2 / SAMPLING)
    assert len(recent) >= expected - 4, f"{len(recent)} of the last {expected} readings have come"


def _agree_on_reports(
    link: Link,
    requested: Iterable[RequestedReport],
    accepted: Iterable[AcceptedRequest],
    ledger: Ledger,
    now: datetime,
) -> None:
    """Both sides know of the same requests, and all that was reported has arrived."""
    asked = {one.request_id: one for one in requested if not _has_ended_unseen(one, ledger, now)}
    pending = {one.request.report_request_id: one for one in accepted}
    assert asked.keys() == pending.keys(), f"the pending lists of {' to '.join(link)} differ"
    for request_id, one in asked.items():
        assert one.state is ReportAtRequester.RUNNING, f"{request_id}: {one.state.value}"
        assert pending[request_id].state is ReportAtSource.RUNNING, f"{request_id}: {pending[request_id].state.value}"
    ledger.all_has_arrived(link)
    ledger.orders_stand(link, set(asked), set(pending), now)


def _has_ended_unseen(one: RequestedReport, ledger: Ledger, now: datetime) -> bool:
    """Whether who asked cannot know that a request has ended.

    A cancel in the answer to a report is confirmed by nobody (rule 335); nor is it told that a bounded request has
    ended where its last report could not be made, as the source was off.
    """
    order, interval = ledger.orders.get(one.request_id), one.request.report_specifier.report_interval
    if order is not None and order.enough and one.state is ReportAtRequester.ENDING:
        return True
    bounded = interval is not None and not is_zero(interval.duration)
    if order is None or interval is None or not bounded:
        return False
    end = add_duration(interval.dtstart, interval.duration)
    return end < now and (not ledger.strict or ledger.is_missed(order.link[0], end))

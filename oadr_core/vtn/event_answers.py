"""Who was told of an event, who answered what and when, and who is silent, as an operator wants to see it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from oadr_core.machines.event import EventAtVtn
from oadr_core.messages import OptType, ResponseRequired
from oadr_core.state.opts import Scope
from oadr_core.state.vtn import EarlierAnswer, EventRecord, Standing, VenRecord
from oadr_core.vtn.event_lists import by_event, is_listed, is_pending
from oadr_core.vtn.profile_20a import why_unfit
from oadr_core.vtn.standings import earlier_answers, is_about


class AnswerState(StrEnum):
    """Where the present modification of an event stands for a VEN."""

    ABSENT = "absent"
    """The VEN is not registered; it will be told once it is."""
    REPORT_ONLY = "report-only"
    """The VEN takes no events."""
    WITHHELD = "withheld"
    """The VEN is one of 2.0a, which has no words for this event."""
    WAITING = "waiting"
    """The VEN will be told when it polls next, or when it can be reached."""
    TOLD = "told"
    """The VEN was told, and its answer is awaited."""
    SILENT = "silent"
    """The VEN was told, and has not answered in time; as long as the event is alive it is told again."""
    INFORMED = "informed"
    """The VEN was told, and must not answer."""
    ANSWERED = "answered"
    """The VEN has answered; a cancelled event: has acknowledged that."""
    MISSED = "missed"
    """The time of the event was over before the VEN was told."""
    LEFT = "left"
    """The event is no longer for the VEN, which was told of it."""


class EventAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a VEN was told of an event, and what it said.

    :param ven_id: the VEN.
    :param ven_name: its name for people; empty where it is not registered.
    :param state: where the present modification stands.
    :param modification_number: the modification that it was last told of; None where it was told of none.
    :param told_at: when it was first told of that. Handing out alone saves nothing: after a restart of the VTN it is
        known again once the VEN is told again, or where it had answered.
    :param times: how often it was told of that.
    :param opt_type: what it answered to the present modification; None where it has not. An answer to an earlier one is
        among ``earlier``, and does not count.
    :param code: the code of that answer.
    :param description: its text.
    :param answered_at: when that answer came.
    :param answered_number: the modification that the VEN has last answered, be it the present one or an earlier one.
    :param late: whether the first answer to the present modification was late: it came more than the
        ``answer_timeout`` of the VTN after the VEN was first told, or after the start of an event that it was told of
        before its start.
    :param changed: how often it has changed its answer to the present modification (rule 17).
    :param earlier: its last answers before that, up to four, the oldest first.
    :param ruled_by_opt_id: the oadrCreateOpt that decides instead of oadrCreatedEvent, if one does (rule 206).
    """

    ven_id: str
    ven_name: str = ""
    state: AnswerState
    modification_number: int | None = None
    told_at: datetime | None = None
    times: int = 0
    opt_type: OptType | None = None
    code: int | None = None
    description: str | None = None
    answered_at: datetime | None = None
    answered_number: int | None = None
    late: bool = False
    changed: int = 0
    earlier: tuple[EarlierAnswer, ...] = ()
    ruled_by_opt_id: str | None = None


def event_answers(
    record: EventRecord, audience: Iterable[str], vens: Mapping[str, VenRecord], now: datetime, patience: timedelta
) -> list[EventAnswer]:
    """Tell for each VEN what it was told of an event, and what it said.

    :param record: the event.
    :param audience: the VENs that it is for.
    :param vens: the registered VENs by their ids.
    :param now: the present.
    :param patience: how long answers are awaited.
    :returns: the VENs of the audience, then those that have left it.
    """
    meant = dict.fromkeys(audience)
    found = []
    for ven_id in meant:
        ven = vens.get(ven_id)
        standing = None if ven is None else by_event(ven.standings).get(record.event_id)
        found.append(_answer(ven_id, ven, standing, _state(record, ven, standing, now, patience), record))
    for ven_id, ven in vens.items():
        standing = None if ven_id in meant else by_event(ven.standings).get(record.event_id)
        if standing is not None:
            found.append(_answer(ven_id, ven, standing, AnswerState.LEFT, record))
    return found


def _state(
    record: EventRecord, ven: VenRecord | None, standing: Standing | None, now: datetime, patience: timedelta
) -> AnswerState:
    if ven is None:
        return AnswerState.ABSENT
    if ven.report_only:
        return AnswerState.REPORT_ONLY
    if why_unfit(record.event, ven.profile) is not None:
        return AnswerState.WITHHELD
    if standing is None or standing.state is EventAtVtn.LEFT or not is_about(standing, record):
        return AnswerState.WAITING if is_listed(record, None, now) else AnswerState.MISSED
    if standing.opt_type is not None:
        return AnswerState.ANSWERED
    if record.event.response_required is ResponseRequired.NEVER:
        return AnswerState.INFORMED
    return AnswerState.TOLD if is_pending(standing.until, now, patience) else AnswerState.SILENT


def _answer(
    ven_id: str, ven: VenRecord | None, standing: Standing | None, state: AnswerState, record: EventRecord
) -> EventAnswer:
    if ven is None or standing is None:
        return EventAnswer(ven_id=ven_id, ven_name="" if ven is None else ven.ven_name, state=state)
    counts = state is AnswerState.ANSWERED or (state is AnswerState.LEFT and standing.opt_type is not None)
    ruling = ven.opts.for_event(record.event_id, Scope())
    told = EventAnswer(
        ven_id=ven_id,
        ven_name=ven.ven_name,
        state=state,
        modification_number=standing.modification_number,
        told_at=standing.told_at,
        times=standing.times,
        earlier=standing.earlier,
        answered_number=standing.earlier[-1].modification_number if standing.earlier else None,
        ruled_by_opt_id=None if ruling is None else ruling.opt_id,
    )
    if not counts:
        return told if standing.opt_type is None else _outdated(told, standing)
    return msgspec.structs.replace(
        told,
        opt_type=standing.opt_type,
        code=standing.code,
        description=standing.description,
        answered_at=standing.answered_at,
        answered_number=standing.modification_number,
        late=standing.late,
        changed=standing.changed,
    )


def _outdated(told: EventAnswer, standing: Standing) -> EventAnswer:
    """An answer to a modification that the VEN knows, and that is no more."""
    return msgspec.structs.replace(
        told, earlier=earlier_answers(standing), answered_number=standing.modification_number
    )

"""Where an event stands for a VEN: what is noted when the VEN is told of it, and when it answers.

What a VEN said is kept beside what it says now, as far as the last few times go: an operator wants to see who changed
its mind, and who answered a modification that is no more (rules 16, 17 and 48).
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from oadr_core.machines.event import EVENT_AT_VTN, EventAtVtn, EventAtVtnInput
from oadr_core.messages import OptType
from oadr_core.state.vtn import EarlierAnswer, EventRecord, Standing
from oadr_core.texts import shortened

_MOST_EARLIER: Final = 4
"""How many earlier answers to an event are kept for each VEN."""


class Said(msgspec.Struct, frozen=True):
    """An answer to an event.

    :param opt_type: whether the VEN takes part.
    :param code: the code of the answer.
    :param description: its text.
    """

    opt_type: OptType
    code: int = 200
    description: str | None = None


def is_about(standing: Standing, record: EventRecord) -> bool:
    """Whether a standing is that of the present modification."""
    return standing.modification_number == record.modification_number


def present_standing(record: EventRecord, standing: Standing | None) -> Standing:
    """Where the present modification of an event stands: what the VEN was told of an older one is void."""
    if standing is not None and is_about(standing, record) and standing.state is not EventAtVtn.LEFT:
        return standing
    state = EVENT_AT_VTN.initial
    earlier: tuple[EarlierAnswer, ...] = ()
    if standing is not None and standing.state is not EventAtVtn.GONE:
        change = EventAtVtnInput.RETURN if standing.state is EventAtVtn.LEFT else EventAtVtnInput.CHANGE
        state, earlier = EVENT_AT_VTN.step(standing.state, change), earlier_answers(standing)
    return Standing(
        event_id=record.event_id, modification_number=record.modification_number, state=state, earlier=earlier
    )


def told(record: EventRecord, standing: Standing | None, now: datetime, patience: timedelta) -> Standing:
    """Note that an event was handed out.

    :param record: the event.
    :param standing: where it stood.
    :param now: the present.
    :param patience: how long the answer is awaited.
    """
    standing = present_standing(record, standing)
    if standing.left_out:  # its time was not over after all, and the VEN takes it for cancelled (rule 61)
        state = EVENT_AT_VTN.step(standing.state, EventAtVtnInput.CHANGE)
        standing = msgspec.structs.replace(standing, state=state, times=0, left_out=False)
    return msgspec.structs.replace(
        standing,
        state=EVENT_AT_VTN.step(standing.state, EventAtVtnInput.OFFER),
        until=now + patience,
        told_at=standing.told_at or now,
        times=standing.times + 1,
    )


def answered(
    record: EventRecord, standing: Standing | None, said: Said, state: EventAtVtn, now: datetime, patience: timedelta
) -> Standing:
    """Note what a VEN says about the present modification of an event.

    :param record: the event.
    :param standing: where it stood.
    :param said: what the VEN says.
    :param state: where it stands then.
    :param now: the present.
    :param patience: how long the answer was awaited.
    :returns: the same as before where the VEN says the same again.
    """
    before = present_standing(record, standing)
    said = msgspec.structs.replace(said, description=None if said.description is None else shortened(said.description))
    again = before.opt_type is not None
    if again and (before.opt_type, before.code, before.description) == (said.opt_type, said.code, said.description):
        return before if before.state is state else msgspec.structs.replace(before, state=state, until=None)
    return msgspec.structs.replace(
        before,
        state=state,
        opt_type=said.opt_type,
        code=said.code,
        description=said.description,
        answered_at=now,
        until=None if state is not EventAtVtn.TOLD else before.until,
        late=before.late if again else _is_late(record, before.told_at, now, patience),
        changed=before.changed + again,
        earlier=earlier_answers(before),
    )


def answered_before(record: EventRecord, standing: Standing | None, number: int, said: Said, now: datetime) -> Standing:
    """Note what a VEN says about a modification that is no more: it does not count, but it can be seen."""
    standing = present_standing(record, None) if standing is None else standing
    one = EarlierAnswer(modification_number=number, opt_type=said.opt_type, code=said.code, answered_at=now)
    if any(_same(one, known) for known in standing.earlier[-1:]):
        return standing
    return msgspec.structs.replace(standing, earlier=(*standing.earlier, one)[-_MOST_EARLIER:])


def _same(one: EarlierAnswer, other: EarlierAnswer) -> bool:
    return msgspec.structs.replace(one, answered_at=other.answered_at) == other


def earlier_answers(standing: Standing) -> tuple[EarlierAnswer, ...]:
    """What a VEN has said, once the last of it counts no more."""
    if standing.opt_type is None:
        return standing.earlier
    last = EarlierAnswer(
        modification_number=standing.modification_number,
        opt_type=standing.opt_type,
        code=standing.code,
        answered_at=standing.answered_at,
    )
    return (*standing.earlier, last)[-_MOST_EARLIER:]


def _is_late(record: EventRecord, told_at: datetime | None, now: datetime, patience: timedelta) -> bool:
    """Whether a first answer is late: it came when the VEN should have answered for long, or the event had begun.

    Of an event that had begun when the VEN was told, only the first can be said; and neither where it is not known when
    the VEN was told, as handing out saves nothing and the VTN was started anew since.
    """
    if told_at is None:
        return False
    begin = record.event.active_period.dtstart
    return now > told_at + patience or told_at < begin <= now

"""Beginning and ending at random, so that not all VENs switch at once (rules 30 and 65)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from oadr_core.entropy import Entropy
from oadr_core.messages import ActivePeriod, EventStatus, OptType, as_timedelta
from oadr_core.messages.durations import Duration
from oadr_core.state.ven import EndingEvent, KnownEvent
from oadr_core.ven.event_schedule import schedule_of


def randomised(
    after: Iterable[KnownEvent], before: Iterable[KnownEvent | EndingEvent], entropy: Entropy
) -> tuple[KnownEvent, ...]:
    """Give each event its random offset: the one that it had, unless its window has changed (rule 30).

    :param after: the events that are known after a list.
    :param before: those that were known before it, and those that still go on: one that comes back with a new
        registration before it has ended (decision D36) goes on as it did.
    :param entropy: the source of chance.
    """
    earlier = {one.event_id: one for one in before}
    found = []
    for known in after:
        was = earlier.get(known.event_id)
        if was is None or _startafter(was.event.active_period) != _startafter(known.event.active_period):
            known = msgspec.structs.replace(known, offset=_random_part(known.event.active_period, entropy))
        elif known.offset != was.offset:
            known = msgspec.structs.replace(known, offset=was.offset)
        found.append(known)
    return tuple(found)


def ending(known: KnownEvent, now: datetime, entropy: Entropy) -> EndingEvent | None:
    """Say when an event that is cancelled now ends for us.

    One that runs ends at a random moment of its window from now on, but no later than it would have ended anyway
    (rule 65); one of which only the ramp-up has begun ends at once.

    :param known: the event as it was known.
    :param now: when we learn that it is cancelled.
    :param entropy: the source of chance.
    :returns: None where nothing of it has begun, or it is over, or we take no part in it: it is simply dropped
        (decision D31).
    """
    if (known.opt_type or known.earlier_opt) is not OptType.OPT_IN:
        return None
    schedule = schedule_of(known)
    stands = schedule.status(now)
    if stands not in (EventStatus.NEAR, EventStatus.ACTIVE):
        return None
    ends_at = now
    if stands is EventStatus.ACTIVE:
        period = known.event.active_period
        ends_at = _later(now, _random_part(period, entropy), schedule.end)
    return EndingEvent(event=known.event, offset=known.offset, ends_at=ends_at)


def _later(now: datetime, wait: timedelta, at_most: datetime | None) -> datetime:
    """A later moment; the last one that can be told where it lies beyond the year 9999."""
    try:
        later = now + wait
    except OverflowError:
        later = datetime.max.replace(tzinfo=now.tzinfo)
    return later if at_most is None else min(later, at_most)


def _startafter(period: ActivePeriod) -> Duration | None:
    return None if period.tolerance is None else period.tolerance.tolerate.startafter


def _random_part(period: ActivePeriod, entropy: Entropy) -> timedelta:
    """A random part of the window for the start; all are as likely."""
    startafter = _startafter(period)
    window = timedelta(0) if startafter is None else as_timedelta(startafter, period.dtstart)
    return window * entropy.uniform(0, 1) if window > timedelta(0) else timedelta(0)

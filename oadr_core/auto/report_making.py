"""Making reports of what was read: intervals in order, placeholders where there is no value, long ones in parts."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from oadr_core.auto.offered import Offered
from oadr_core.auto.readings import Reading, in_parts, interval_of, newest, ordered
from oadr_core.auto.serving import Complete, Offer, Serving, Told
from oadr_core.clock import Now, whole_seconds
from oadr_core.messages import GreenButtonPayload, Interval, Report, ReportName, ReportPayload
from oadr_core.rules.offered import data_name

_MOST_TOGETHER: Final = 2_000
"""How many intervals a report has; what is longer is told in parts, as no peer takes documents of any length."""

_NO_FEED: Final = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:uuid:00000000-0000-0000-0000-000000000000</id>'
    "<title>no data</title><updated>1970-01-01T00:00:00Z</updated></feed>"
)
"""What is sent where there is no Green Button data."""


def reports_of(serving: Serving, complete: Complete, offered: Offered, now: Now) -> list[Report]:
    """Make the report of which every reading is there: one, or its parts in order.

    :param serving: the request that it answers.
    :param complete: what was read.
    :param offered: knows what stands where there is no value.
    :param now: the present.
    """
    plan = serving.schedule
    intervals = ordered(
        interval for r_id, told in complete.values.items() for interval in _intervals(serving, r_id, told, offered)
    )
    parts = list(in_parts(intervals, _MOST_TOGETHER))
    if len(parts) > 1:
        parts = [_filled(part, serving.offer, plan.r_ids, offered) for part in parts]
    return [
        Report(
            dtstart=part[0].dtstart,
            intervals=part,
            report_request_id=plan.report_request_id,
            report_specifier_id=plan.report_specifier_id,
            report_name=data_name(serving.offer.report.report_name),
            created_date_time=whole_seconds(now.utc),
        )
        for part in parts
    ]


def _intervals(serving: Serving, r_id: str, told: Sequence[Told], offered: Offered) -> Iterable[Interval]:
    """The intervals that tell of one data point."""
    plan, offer = serving.schedule, serving.offer
    if plan.on_change:
        told = serving.changes.of(r_id, told)
    elif plan.once and serving.history is None:
        told = [(told[-1][0], newest([one for _, one in told]))]
    timed = plan.lag > timedelta(0) or any(offer.points[one].accumulates for one in plan.r_ids)
    length = plan.lag or plan.spacing or None
    begin = None if serving.history is None else whole_seconds(serving.history[0])
    name = data_name(offer.report.report_name)
    placeholder = offered.placeholder(offer, r_id)
    for due, one in told:
        if one.value is None and name == ReportName.HISTORY_GREENBUTTON:
            one = msgspec.structs.replace(one, value=GreenButtonPayload(feed=_NO_FEED))
        yield interval_of(r_id, one, begin or due, length if timed else None, placeholder)


def _filled(part: tuple[Interval, ...], offer: Offer, r_ids: Sequence[str], offered: Offered) -> tuple[Interval, ...]:
    """Have each part of a report tell of all data points (rule 300), also those without a value in its time."""
    told = {one.r_id for each in part for one in each.payloads if isinstance(one, ReportPayload)}
    first, nothing = part[0], Reading(value=None)
    missing = [r_id for r_id in r_ids if r_id not in told and told]  # Green Button data name none
    return ordered(
        (
            *(
                interval_of(one, nothing, first.dtstart, first.duration, offered.placeholder(offer, one))
                for one in missing
            ),
            *part,
        )
    )

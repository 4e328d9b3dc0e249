"""Reports that were made of late: they can be sent again, as they were or corrected (rule 346)."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from oadr_core.auto.readings import Reading, interval_of, readings
from oadr_core.auto.serving import Key
from oadr_core.clock import Now, whole_seconds
from oadr_core.errors import LocalProtocolError
from oadr_core.messages import Interval, Report, ReportPayload, ResourceStatus

_REMEMBERED: Final = 100
"""How many reports are remembered after they were made, to be corrected and sent again."""


class MadeReports:
    """Remembers the last reports of a run, whoever has got them."""

    def __init__(self) -> None:
        self._made: deque[tuple[Key, Report]] = deque(maxlen=_REMEMBERED)

    def put(self, request: Key, report: Report) -> None:
        """Remember a report."""
        self._made.append((request, report))

    def corrected(
        self, request: Key, values: Mapping[str, object] | None, dtstart: datetime | None, now: Now
    ) -> Report:
        """Make a report once more, as it was or with other values.

        :param request: the request that it answers.
        :param values: by data point, pairs of the time and the value that replaces the one of that time; or the
            value alone, where the report has one.
        :param dtstart: when the report begins; the last one if None.
        :param now: the present.
        :raises LocalProtocolError: no such report is remembered, or it has no value of such a time.
        """
        known = [report for key, report in self._made if key == request and dtstart in (None, report.dtstart)]
        if not known:
            raise LocalProtocolError(
                f"no report of {request[1]!r}{'' if dtstart is None else f' that begins at {dtstart}'} is "
                f"remembered; the last {_REMEMBERED} are"
            )
        report, intervals = known[-1], list(known[-1].intervals)
        for r_id, given in (values or {}).items():
            for one in readings(given):
                _correct(intervals, r_id, one)
        return msgspec.structs.replace(report, intervals=tuple(intervals), created_date_time=whole_seconds(now.utc))


def _correct(intervals: list[Interval], r_id: str, one: Reading) -> None:
    """Replace a value of a data point; there are as many intervals afterwards as before.

    :raises LocalProtocolError: the report has no value of that time, or several where no time is given.
    """
    mine = {}  # where the value of a time is
    for number, interval in enumerate(intervals):
        (payload,) = interval.payloads
        if isinstance(payload, ReportPayload) and payload.r_id == r_id:
            mine[interval.dtstart] = number, payload
    if one.time is None and len(mine) > 1:
        raise LocalProtocolError(
            f"the report has {len(mine)} values of {r_id}; give pairs of the time and the value that replaces it"
        )
    time = next(iter(mine), None) if one.time is None else one.time
    if time not in mine:
        raise LocalProtocolError(f"the report has no value of {r_id} at {one.time}; only what it has can be corrected")
    number, payload = mine[time]
    placeholder = payload.value if isinstance(payload.value, ResourceStatus) else 0.0
    length = intervals[number].duration
    intervals[number] = interval_of(r_id, msgspec.structs.replace(one, time=time), time, length, placeholder)

"""Reports that were made of late: kept over restarts, to be sent again as they were or corrected (rule 346)."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from oadr_core.auto.readings import Reading, interval_of, readings
from oadr_core.auto.serving import Key
from oadr_core.clock import Now, whole_seconds
from oadr_core.errors import LocalProtocolError
from oadr_core.messages import Interval, Report, ReportPayload, ResourceStatus
from oadr_core.outputs import Output, Save
from oadr_core.state.blobs import Blob, numbered

_PREFIX: Final = "made/"

_REMEMBERED: Final = 100
"""How many reports are remembered after they were made, to be corrected and sent again."""

_MOST_BYTES: Final = 2**22
"""How much they may take up, packed; the last one is remembered however long it is."""


class MadeReport(Blob, frozen=True, kw_only=True):
    """A report that was made, as a versioned blob.

    :param peer: who has asked for it; empty at a VEN.
    :param report: the report.
    """

    peer: str
    report: Report

    def parts(self) -> Iterator[msgspec.Struct]:
        """The messages, and parts of messages, that it holds."""
        yield self.report

    @property
    def request(self) -> Key:
        """The request that it answers."""
        return self.peer, self.report.report_request_id


class MadeReports:
    """Remembers the last reports, whoever has got them.

    :param emit: takes what has to be saved.
    :param saved: what an earlier run saved, by key; other keys than its own are passed over.
    :raises StateError: something in ``saved`` is damaged.
    """

    def __init__(self, emit: Callable[[Output], None], saved: Mapping[str, bytes]) -> None:
        self._emit = emit
        self._made: dict[str, MadeReport] = dict(MadeReport.load_all(saved, _PREFIX))
        self._sizes = {key: len(saved[key]) for key in self._made}
        self._bytes = sum(self._sizes.values())
        self._count = max((numbered(key, _PREFIX) for key in self._made), default=0)

    def put(self, request: Key, report: Report) -> None:
        """Remember a report; the oldest are forgotten beyond the bounds."""
        self._count += 1
        key, made = f"{_PREFIX}{self._count:012d}", MadeReport(peer=request[0], report=report)
        blob = made.dump()
        self._made[key], self._sizes[key] = made, len(blob)
        self._bytes += len(blob)
        self._emit(Save(key, blob))
        while len(self._made) > 1 and (len(self._made) > _REMEMBERED or self._bytes > _MOST_BYTES):
            oldest = next(iter(self._made))
            del self._made[oldest]
            self._bytes -= self._sizes.pop(oldest)
            self._emit(Save(oldest, None))

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
        mine = [one.report for one in self._made.values() if one.request == request]
        known = [one for one in mine if dtstart in (None, one.dtstart)]
        if not known:
            raise LocalProtocolError(
                f"no report of {request[1]!r}{'' if dtstart is None else f' that begins at {dtstart}'} is "
                f"remembered; the last {_REMEMBERED} are, up to {_MOST_BYTES // 2**20} MiB of them"
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

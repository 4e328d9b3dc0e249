"""What applications can report, what they ask of each other, and what their meters have shown."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from oadr_core import (
    Collection,
    DataPoint,
    Report,
    ReportInterval,
    ReportRequest,
    ReportSpecifier,
    SamplingRate,
    SpecifierPayload,
    data_point,
    make_offer,
)
from oadr_core.handlers import Handler

NOTHING: Final = timedelta(0)
STEP: Final = timedelta(seconds=20)
PERIOD: Final = timedelta(seconds=60)

_RATE: Final = SamplingRate(min_period=timedelta(seconds=10), max_period=timedelta(minutes=5), on_change=True)
_MADE: Final = datetime(2026, 11, 20, tzinfo=UTC)
_SPECIFIERS: Final = {"flow": "meter", "door": "meter", "count": "log", "past": "history"}


class Meter:
    """Everything that an application can report, as it was shown: no two readings are alike, save of a door."""

    def __init__(self) -> None:
        self.shown: dict[tuple[str, datetime], set[float]] = {}
        """What a data point has shown at a time; more than one value where several requests had it read."""
        self._times = 0.0

    def offers(self) -> list[tuple[Report, Mapping[str, Handler | DataPoint]]]:
        """What can be asked for, and how it is read."""
        meter = [
            data_point(self.read, r_id="flow", sampling_rate=_RATE),
            data_point(self.look, r_id="door", sampling_rate=_RATE),
        ]
        log = [data_point(self.read_all, r_id="count", sampling_rate=_RATE, data_collection_mode=Collection.FULL)]
        past = [data_point(self.recall, r_id="past", report_name="HISTORY_USAGE")]
        return [
            _offered("meter", meter, "TELEMETRY_USAGE"),
            _offered("log", log, "TELEMETRY_USAGE"),
            _offered("history", past, "HISTORY_USAGE"),
        ]

    def read(self, r_id: str, due: datetime) -> float:
        """Read what is never the same twice."""
        self._times += 1
        return self._show(r_id, due, self._times)

    def look(self, r_id: str, due: datetime) -> float:
        """Look at a door, which is open for half a minute, and shut for half a minute."""
        return self._show(r_id, due, float(int(due.timestamp()) // 30 % 2))

    def read_all(
        self, r_id: str, date_from: datetime, date_to: datetime, sampling_interval: timedelta
    ) -> list[tuple[datetime, float]]:
        """Read what was recorded since the report before."""
        count = (date_to - date_from) // sampling_interval
        times = [date_from + number * sampling_interval for number in range(count)]
        return [(time, self.read(r_id, time)) for time in times]

    def recall(self, r_id: str, date_from: datetime, date_to: datetime) -> list[tuple[datetime, float]]:
        """Read what was recorded of each minute of the past."""
        return [(time, self.read(r_id, time)) for time in minutes(date_from, date_to)]

    def _show(self, r_id: str, time: datetime, value: float) -> float:
        self.shown.setdefault((r_id, time), set()).add(value)
        return value


def _offered(
    specifier_id: str, points: Sequence[DataPoint], name: str
) -> tuple[Report, Mapping[str, Handler | DataPoint]]:
    offer = make_offer(specifier_id, points, _MADE, report_name=name, report_duration=timedelta(hours=3))
    return offer, {one.description.r_id: one for one in points}


def minutes(begin: datetime, end: datetime) -> list[datetime]:
    """The full minutes of a stretch of time."""
    first = begin.replace(second=0, microsecond=0)
    times = [first + number * PERIOD for number in range((end - first) // PERIOD + 1)]
    return [time for time in times if begin <= time < end]


# --- what is asked for -----------------------------------------------------------------------------------------------

KINDS: Final[tuple[str, ...]] = (
    "once",
    "periodic",
    "together",
    "delayed",
    "bounded",
    "on change",
    "log",
    "history",
    "metadata",
    "unknown",
    "too often",
)

ENDLESS: Final[tuple[str, ...]] = ("periodic", "together", "log")
"""The kinds of requests that have readings again and again, without end."""

REFUSED: Final = {"unknown": 452, "too often": 454}
"""The kinds of requests that are refused, and how (rules 304 and 340)."""


def request(kind: str, request_id: str, now: datetime) -> ReportRequest:
    """Make a request of a kind."""
    now = now.replace(microsecond=0)
    long_ago = now - 5 * PERIOD
    match kind:
        case "once":
            return _request(request_id, ("flow", "door"), NOTHING, NOTHING)
        case "periodic":
            return _request(request_id, ("flow",), STEP, STEP, now)
        case "together":
            return _request(request_id, ("flow", "door"), STEP, PERIOD, now)
        case "delayed":
            return _request(request_id, ("flow",), STEP, PERIOD, now + timedelta(seconds=100))
        case "bounded":
            return _request(request_id, ("flow",), STEP, PERIOD, now, timedelta(seconds=150))
        case "on change":
            return _request(request_id, ("door",), NOTHING, PERIOD, now)
        case "log":
            return _request(request_id, ("count",), STEP, PERIOD, now)
        case "history":
            return _request(request_id, ("past",), NOTHING, NOTHING, long_ago, 3 * PERIOD)
        case "metadata":
            return _request(request_id, (), NOTHING, NOTHING)
        case "unknown":
            return _request(request_id, ("phase",), STEP, PERIOD, now)
        case _:
            return _request(request_id, ("flow",), timedelta(seconds=1), PERIOD, now)


def _request(
    request_id: str,
    r_ids: tuple[str, ...],
    step: timedelta,
    period: timedelta,
    begin: datetime | None = None,
    length: timedelta = NOTHING,
) -> ReportRequest:
    specifier_id = _SPECIFIERS.get(r_ids[0], "meter") if r_ids else "METADATA"
    return ReportRequest(
        report_request_id=request_id,
        report_specifier=ReportSpecifier(
            report_specifier_id=specifier_id,
            granularity=step,
            report_back_duration=period,
            report_interval=None if begin is None else ReportInterval(dtstart=begin, duration=length),
            specifier_payloads=tuple(SpecifierPayload(r_id=r_id) for r_id in r_ids or ("0",)),
        ),
    )

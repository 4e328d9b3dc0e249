"""Reports, of VENs to their VTN and of the VTN to its VENs."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from oadr_core.auto.ven import AutoVen
from oadr_core.auto.vtn import AutoVtn
from oadr_core.build import DataPoint, data_point, make_offer
from oadr_core.clock import Now, whole_seconds
from oadr_core.decisions import EndReports
from oadr_core.handlers import Handler
from oadr_core.messages import (
    Interval,
    Report,
    ReportInterval,
    ReportName,
    ReportPayload,
    ReportRequest,
    ReportSpecifier,
    SpecifierPayload,
    UpdateReport,
)
from oadr_core.offers import METADATA
from oadr_core.testing.check.stage import HOUR, SECOND, Stage
from oadr_core.testing.harness import Harness

METER: Final = "meter"
"""The report that is offered."""
LOAD: Final = "load"
"""Its data point."""

_AT_ONCE: Final = timedelta(0)
_MANY: Final = 1800
"""The intervals of a report that has many; of more, whoever makes it makes several."""
_USUAL_LIMIT: Final = 250_000
"""The octets of a document where nothing limits it."""
_NEARLY: Final = 0.95
"""How much of the limit such a report fills."""


class Reporting:
    """A VTN and VENs; the first VEN reports to the VTN, or the VTN to it.

    :param harness: what runs them.
    :param of_ven: whether it is the VEN that reports.
    :param vens: the VENs.
    """

    def __init__(self, harness: Harness, *vens: str, of_ven: bool = True) -> None:
        self.told: Final[list[str]] = []
        """The offers that the other one has heard of."""
        self.taken: Final[list[Mapping[str, Any]]] = []
        """The reports that it has got."""
        self.verdict: object = None
        """What it answers to those."""
        takes = "on_update_report" if of_ven else "on_report"
        self._handlers: Final[dict[str, Handler]] = {"on_register_report": self._hears_of, takes: self._takes}
        self._of_ven: Final = of_ven
        self._vens: Final = vens or ("mill",)
        self.stage: Final = Stage(harness, vtn=self._handlers if of_ven else None)

    def _hears_of(self, report: Mapping[str, Any]) -> list[object]:
        self.told.append(report["report_specifier_id"])
        return []

    def _takes(self, report: Mapping[str, Any]) -> object:
        self.taken.append(report)
        return self.verdict

    async def opens(self, point: DataPoint, **more: Any) -> None:
        """Run all, and have a report offered; see :meth:`offers`."""
        await self.runs()
        await self.offers(point, **more)

    async def runs(self) -> None:
        """Run all."""
        await self.stage.opens(*self._vens, cls=AutoVen, **({} if self._of_ven else self._handlers))

    async def offers(self, point: DataPoint, **more: Any) -> None:
        """Have a report offered and heard of.

        :param point: what can be read.
        :param more: what else :func:`~oadr_core.build.make_offer` takes.
        """

        def offer(core: AutoVen | AutoVtn, now: Now) -> None:
            core.offer(make_offer(METER, [point], now.utc, **more), {point.description.r_id: point}, now)

        await (self._ven.do(offer) if self._of_ven else self.stage.vtn.do(offer))
        await self.stage.harness.until(lambda: METER in self.told)

    async def asks(self, request_id: str, **asked: Any) -> None:
        """Ask for the report; see :func:`_request`."""

        def ask_ven(core: AutoVtn, now: Now) -> None:
            core.vtn.create_report(self.stage.ven_id(self._vens[0]), [_request(request_id, now, **asked)], now)

        def ask_vtn(core: AutoVen, now: Now) -> None:
            core.ven.create_report([_request(request_id, now, **asked)], now)

        await (self.stage.vtn.do(ask_ven) if self._of_ven else self._ven.do(ask_vtn))

    async def cancels(self, request_id: str) -> None:
        """Ask for no more of it."""

        def cancel_at_ven(core: AutoVtn, now: Now) -> None:
            core.vtn.cancel_report(self.stage.ven_id(self._vens[0]), [request_id], now)

        def cancel_at_vtn(core: AutoVen, now: Now) -> None:
            core.ven.cancel_report([request_id], now)

        await (self.stage.vtn.do(cancel_at_ven) if self._of_ven else self._ven.do(cancel_at_vtn))

    async def gets(self, number: int) -> list[Mapping[str, Any]]:
        """Wait until so many reports have come."""
        await self.stage.harness.until(lambda: len(self.taken) >= number)
        return self.taken

    async def is_over(self) -> None:
        """Wait until neither side knows of a report that is still to come."""
        await self.stage.harness.until(lambda: not self.served and not self.awaited)

    @property
    def served(self) -> list[str]:
        """The requests that the one who reports has, and has not yet done with."""
        kept = self._ven.core.ven.state if self._of_ven else self.stage.record(self._vens[0])
        return [one.request.report_request_id for one in kept.report_requests]

    @property
    def awaited(self) -> list[str]:
        """The requests that the other one still awaits something for."""
        kept = self.stage.record(self._vens[0]) if self._of_ven else self._ven.core.ven.state
        return [one.request_id for one in kept.requests]

    @property
    def _ven(self) -> Any:
        return self.stage.vens[self._vens[0]]


def a_reading(value: float = 21.5) -> DataPoint:
    """A data point that always shows the same."""
    return data_point(lambda: value, r_id=LOAD, sampling_rate=SECOND)


def _request(
    request_id: str,
    now: Now,
    *,
    specifier_id: str = METER,
    r_id: str = LOAD,
    every: timedelta = _AT_ONCE,
    begin: timedelta | None = None,
    length: timedelta = _AT_ONCE,
) -> ReportRequest:
    """Ask for a report.

    :param every: how often it is made; once if that is no time.
    :param begin: when it begins, from now; at once if None.
    :param length: how long it goes on, or what stretch it is about; no time for without an end.
    """
    specifier = ReportSpecifier(
        report_specifier_id=specifier_id,
        granularity=_AT_ONCE if specifier_id == METADATA else every,
        report_back_duration=every,
        report_interval=None if begin is None else _stretch(now, begin, length),
        specifier_payloads=(SpecifierPayload(r_id=r_id),),
    )
    return ReportRequest(report_request_id=request_id, report_specifier=specifier)


def _stretch(now: Now, begin: timedelta, length: timedelta) -> ReportInterval:
    return ReportInterval(dtstart=whole_seconds(now.utc) + begin, duration=length)


def _shown(report: Mapping[str, Any]) -> list[tuple[datetime, float]]:
    """The values of a report, and when each was."""
    return [(one["dtstart"], one["report_payload"]["value"]) for one in report["intervals"]]


# --- once ------------------------------------------------------------------------------------------------------------


async def a_report_is_asked_for_and_delivered(harness: Harness) -> None:
    """The VTN learns of the offer, asks for it once, and gets what the data point shows."""
    await _once(Reporting(harness))


async def a_vtn_is_asked_for_a_report_and_delivers_it(harness: Harness) -> None:
    """The same the other way round: a VTN reports to those of its VENs that ask."""
    await _once(Reporting(harness, of_ven=False))


async def _once(reporting: Reporting) -> None:
    await reporting.opens(a_reading())
    await reporting.asks("once")
    (report, *_) = await reporting.gets(1)
    assert report["report_request_id"] == "once"
    assert [value for _, value in _shown(report)] == [21.5]
    await reporting.is_over()
    assert len(reporting.taken) == 1


# --- again and again -------------------------------------------------------------------------------------------------


async def reports_come_until_they_are_cancelled(harness: Harness) -> None:
    """A report that is asked for each second comes each second, and no more once it is cancelled."""
    await _until_cancelled(Reporting(harness))


async def reports_of_a_vtn_come_until_they_are_cancelled(harness: Harness) -> None:
    """The same the other way round."""
    await _until_cancelled(Reporting(harness, of_ven=False))


async def _until_cancelled(reporting: Reporting) -> None:
    await reporting.opens(a_reading())
    await reporting.asks("often", every=SECOND, begin=_AT_ONCE)
    await reporting.gets(2)
    await reporting.cancels("often")
    await reporting.is_over()
    came = [when for one in reporting.taken for when, _ in _shown(one)]
    assert came == [came[0] + number * SECOND for number in range(len(came))], "each once, and in order"


async def a_cancel_rides_in_an_answer(harness: Harness) -> None:
    """Who has got a report says in the answer that it wants no more (rules 328 and 335)."""
    await _cancelled_in_an_answer(Reporting(harness))


async def a_cancel_of_reports_of_a_vtn_rides_in_an_answer(harness: Harness) -> None:
    """The same the other way round."""
    await _cancelled_in_an_answer(Reporting(harness, of_ven=False))


async def _cancelled_in_an_answer(reporting: Reporting) -> None:
    reporting.verdict = EndReports()
    await reporting.opens(a_reading())
    await reporting.asks("often", every=SECOND, begin=_AT_ONCE)
    await reporting.gets(1)
    await reporting.stage.harness.until(lambda: not reporting.served)
    assert len(reporting.taken) <= 2, "one may have been on its way"


# --- metadata, and history -------------------------------------------------------------------------------------------


async def metadata_are_asked_for(harness: Harness) -> None:
    """The VTN knows what a VEN offers, and wants to hear it again (rule 311)."""
    await _metadata(Reporting(harness))


async def metadata_of_a_vtn_are_asked_for(harness: Harness) -> None:
    """The same the other way round."""
    await _metadata(Reporting(harness, of_ven=False))


async def _metadata(reporting: Reporting) -> None:
    await reporting.opens(a_reading())
    before = len(reporting.told)
    await reporting.asks("what", specifier_id=METADATA, r_id="0")
    await reporting.stage.harness.until(lambda: len(reporting.told) > before)
    await reporting.is_over()
    assert set(reporting.told) == {METER}


async def history_is_asked_for(harness: Harness) -> None:
    """Of what was stored there comes what belongs to a stretch of time, the oldest first (rule 314)."""
    await _history(Reporting(harness))


async def history_of_a_vtn_is_asked_for(harness: Harness) -> None:
    """The same the other way round."""
    await _history(Reporting(harness, of_ven=False))


async def _history(reporting: Reporting) -> None:
    ago = {minutes: float(minutes) for minutes in (10, 130, 70, 90)}

    def stored(date_from: datetime, date_to: datetime) -> list[tuple[datetime, float]]:
        present = date_to + HOUR  # an hour that ended an hour ago is asked for
        values = [(present - timedelta(minutes=one), value) for one, value in ago.items()]
        return [(when, value) for when, value in values if date_from <= when < date_to]

    await reporting.opens(_stored(stored), report_name=ReportName.HISTORY_USAGE, report_duration=24 * HOUR)
    await reporting.asks("past", begin=-2 * HOUR, length=HOUR)
    (report, *_) = await reporting.gets(1)
    assert [value for _, value in _shown(report)] == [90.0, 70.0]
    await reporting.is_over()


async def a_report_is_nearly_too_large(harness: Harness) -> None:
    """A report of many intervals that just fits comes whole, and once."""
    await _large(Reporting(harness))


async def a_report_of_a_vtn_is_nearly_too_large(harness: Harness) -> None:
    """The same the other way round."""
    await _large(Reporting(harness, of_ven=False))


async def _large(reporting: Reporting) -> None:
    await reporting.runs()
    limit = reporting.stage.harness.limit or _USUAL_LIMIT
    number, r_id = await _filling(reporting.stage, int(limit * _NEARLY))

    def stored(date_from: datetime) -> list[tuple[datetime, float]]:
        return [(date_from + second * SECOND, float(second)) for second in range(number)]

    await reporting.offers(_stored(stored, r_id), report_name=ReportName.HISTORY_USAGE, report_duration=24 * HOUR)
    await reporting.asks("much", r_id=r_id, begin=-2 * HOUR, length=HOUR)
    (report, *_) = await reporting.gets(1)
    assert [value for _, value in _shown(report)] == [float(second) for second in range(number)]
    await reporting.is_over()
    assert len(reporting.taken) == 1


def _stored(callback: Handler, r_id: str = LOAD) -> DataPoint:
    return data_point(callback, r_id=r_id, report_name=ReportName.HISTORY_USAGE)


async def _filling(stage: Stage, octets: int) -> tuple[int, str]:
    """How many intervals fill a document, and of which data point: one whose id is as long as it takes."""
    whole = len(await stage.seals(_report(1)))
    each = len(await stage.seals(_report(2))) - whole
    number = min(_MANY, (octets - whole) // each)
    return number, LOAD + "-" * ((octets - whole) // number - each)


def _report(intervals: int) -> UpdateReport:
    """A report of so many intervals."""
    begin = datetime(2030, 1, 1, tzinfo=UTC)
    values = tuple(
        Interval(dtstart=begin + one * SECOND, payloads=(ReportPayload(r_id=LOAD, value=1000.0),))
        for one in range(intervals)
    )
    report = Report(
        intervals=values,
        report_request_id="much",
        report_specifier_id=METER,
        report_name=ReportName.HISTORY_USAGE,
        created_date_time=begin,
    )
    return UpdateReport(request_id="1", reports=(report,))

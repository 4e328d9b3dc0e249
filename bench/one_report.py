"""What a report of 1,440 readings costs a VTN: reading it, taking it, storing it, each against a floor."""

import random
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from time import process_time
from typing import Any, Final

import anyio
import msgspec
from lxml import etree

import oadr_core as oadr
from bench.codec import hardened_parser
from bench.documents import VTN_ID, update_report
from bench.enrol import enrol
from bench.figures import Result, WrongAnswer, at_most, figure, ratio
from bench.poll import CONFIG, NOW, answer_of, exchange_with
from bench.timing import Effort, Sample, by_turns, here
from oadr_app.filing import Filing
from oadr_app.sqlite_store import SqliteStore

_READINGS: Final = 1440
_PARSE: Final = "hardened lxml parse"
_BARE: Final = "a bare INSERT of the same rows"
_POINT: Final = oadr.data_point(lambda: 0.0, r_id="meter_1", resource_id="meter", scale="k")


def run(effort: Effort) -> Result:
    """Measure a report of a day, minute by minute."""
    result = Result()
    with tempfile.TemporaryDirectory(prefix="oadr-bench-") as folder:
        store = SqliteStore(Path(folder) / "vtn.sqlite")
        floor = _floor(Path(folder) / "floor.sqlite")
        try:
            _measure(store, floor, effort, result)
        finally:
            store.close()
            floor.close()
    return result


def _measure(store: SqliteStore, floor: sqlite3.Connection, effort: Effort, result: Result) -> None:
    core, ven_id, message = _asked_for_it()
    months = _Months(message)
    parser = hardened_parser()
    data = oadr.encode(message)
    rows = [(1, number, 3500.5) for number in range(_READINGS)]
    samples: dict[str, Sample] = {
        _PARSE: here(lambda: etree.fromstring(data, parser)),
        "read": here(lambda: oadr.decode(data)),
        "taken": months.sample(lambda document: _take(core, document)),
        _BARE: here(lambda: _insert(floor, rows)),
        "stored": _storing(store, Filing({ven_id: core.vens[ven_id]}), months),
    }
    series = by_turns(samples, effort)
    for sample, what, against, budget in (
        ("read", "read and validated", _PARSE, at_most(4)),
        ("taken", "read, and taken by the core", _PARSE, None),
        ("stored", "filed and stored", _BARE, None),
    ):
        name, rounds = f"a report of {_READINGS:,} readings is {what}", series[sample]
        result.figures.append(figure("report", name, "µs", [one * 1e6 for one in rounds]))
        result.figures.append(ratio("report", name, rounds, series[against], against=against, budget=budget))


def _asked_for_it() -> tuple[oadr.Vtn, str, oadr.UpdateReport]:
    """A core that has asked a VEN for the report, and the report."""
    core = oadr.Vtn(CONFIG, sealer=oadr.PlainSealer(), entropy=random.Random(1))
    ven_id = enrol(exchange_with(core), "bench", offers=[oadr.make_offer("meter", [_POINT], NOW.utc)])
    minute = timedelta(minutes=1)
    specifier = oadr.ReportSpecifier(
        report_specifier_id="meter",
        granularity=minute,
        report_back_duration=minute,
        report_interval=oadr.ReportInterval(dtstart=NOW.utc, duration=timedelta(0)),
        specifier_payloads=(oadr.SpecifierPayload(r_id="meter_1"),),
    )
    request = oadr.ReportRequest(report_request_id="report_request_3", report_specifier=specifier)
    core.create_report(ven_id, [request], NOW)
    return core, ven_id, msgspec.structs.replace(update_report(readings=_READINGS), ven_id=ven_id)


class _Months:
    """The same report month after month, as the very same again is not taken twice.

    :param message: the first; it is about two days of one month.
    """

    def __init__(self, message: oadr.UpdateReport) -> None:
        begin = message.reports[0].dtstart
        assert begin is not None
        self._pieces = oadr.encode(message).split(begin.strftime("%Y-%m").encode())
        self._number = 12 * begin.year + begin.month - 1

    def next(self) -> bytes:
        """The report of the next month."""
        self._number += 1
        return f"{self._number // 12}-{self._number % 12 + 1:02}".encode().join(self._pieces)

    def sample(self, work: Callable[[bytes], object]) -> Sample:
        """Measure some work that takes a report of another month each time."""

        def sample(times: int) -> float:
            documents = [self.next() for _ in range(times)]
            began = process_time()
            for document in documents:
                work(document)
            return process_time() - began

        return sample


def _take(core: oadr.Vtn, document: bytes) -> None:
    answer = oadr.decode(answer_of(core, document, oadr.Service.EI_REPORT))
    if not isinstance(answer, oadr.UpdatedReport) or not answer.response.ok:
        raise WrongAnswer(f"report: {VTN_ID} answers {answer}")


def _storing(store: SqliteStore, filing: Filing, months: _Months) -> Sample:
    """Measure filing and storing, each report in a transaction of its own."""

    async def sample_all(reports: Sequence[oadr.UpdateReport]) -> float:
        began = process_time()
        for message in reports:
            await store.add_readings(filing.readings(message.reports[0], message.ven_id or ""))
        return process_time() - began

    def sample(times: int) -> float:
        reports: list[Any] = [oadr.decode(months.next()) for _ in range(times)]
        return anyio.run(sample_all, reports, backend="trio")

    return sample


def _floor(path: Path) -> sqlite3.Connection:
    """A database that does the same for one table, and nothing else."""
    floor = sqlite3.connect(path, isolation_level=None)
    floor.execute("PRAGMA journal_mode = WAL")
    floor.execute("PRAGMA synchronous = FULL")
    floor.execute("CREATE TABLE r (s INTEGER, t INTEGER, v REAL, PRIMARY KEY (s, t)) WITHOUT ROWID")
    return floor


def _insert(floor: sqlite3.Connection, rows: Sequence[tuple[int, int, float]]) -> None:
    ((last,),) = floor.execute("SELECT COALESCE(MAX(t), 0) + 1 FROM r")
    later = [(series, last + time, value) for series, time, value in rows]
    floor.execute("BEGIN IMMEDIATE")
    floor.executemany("INSERT INTO r VALUES (?, ?, ?)", later)
    floor.execute("COMMIT")

"""What VENs reported, as it is stored: nothing twice, nothing mixed up, nothing kept longer than it should be."""

import csv
import io
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oadr_app import sqlite_store
from oadr_app.archive import Archive
from oadr_app.export import Form, export
from oadr_app.filing import Filing
from oadr_app.readings import Retention, Series, StoredReading
from oadr_app.retention import trim
from oadr_app.sqlite_store import SqliteStore
from oadr_core import (
    DataQuality,
    Interval,
    LoadControl,
    LoadControlState,
    Report,
    ReportPayload,
    ResourceStatus,
    VenRecord,
    data_point,
    make_offer,
)
from oadr_core.state.reports import pack_offers

TIME = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
POWER = Series(
    "ven", "usage", "power", "bakery", "TELEMETRY_USAGE", "usage", "Direct Read", "oven", "powerReal", "W", "k"
)
IN_WATT = Series(
    "ven", "usage", "power", "bakery", "TELEMETRY_USAGE", "usage", "Direct Read", "oven", "powerReal", "W", "none"
)
BARE = Series("ven", "usage", "power")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store in a file of its own."""
    made = SqliteStore(tmp_path / "vtn.sqlite")
    yield made
    made.close()


def at(second: int, value: float | None = 1.0, **details: Any) -> StoredReading:
    """Make a reading."""
    return StoredReading(TIME + timedelta(seconds=second), value, **details)


def add(store: SqliteStore, series: Series, *readings: StoredReading) -> None:
    """Store readings."""
    anyio.run(store.add_readings, {series: readings})


def content(store: SqliteStore) -> dict[Series, list[StoredReading]]:
    """All that is stored."""
    vens = dict.fromkeys(one.series.ven_id for one in store.series())
    return {series: rows for ven_id in vens for series, rows in store.newest(ven_id, 10**6).items()}


def is_consistent(store: SqliteStore) -> bool:
    """Whether what each series says of its readings is true."""
    with closing(sqlite3.connect(f"file:{store.path}?mode=ro", uri=True)) as other:
        told = other.execute(
            "SELECT series, readings, first, last FROM series WHERE readings > 0 ORDER BY 1"
        ).fetchall()
        true = other.execute("SELECT series, COUNT(*), MIN(time), MAX(time) FROM readings GROUP BY 1 ORDER BY 1")
        return told == true.fetchall()


# --- what comes back -------------------------------------------------------------------------------------------------


def test_readings_come_back_as_they_were(store: SqliteStore) -> None:
    rows = [
        StoredReading(datetime(1969, 1, 1, tzinfo=UTC), 5.0),
        at(0, 1.25, confidence=95, accuracy=0.5),
        at(1, None, quality="Quality Bad - Non Specific"),
        at(2, -1e300, quality="x-guessed"),
        StoredReading(TIME + timedelta(microseconds=2_500_001), 4.0),
        at(3, None, status='{"online":true,"manual_override":false}'),
    ]
    add(store, POWER, *reversed(rows))
    assert content(store) == {POWER: rows}
    assert store.newest("ven", 2) == {POWER: rows[-2:]}
    assert store.newest("other", 2) == {}
    (only,) = store.series()
    assert (only.series, only.readings, only.first, only.last) == (POWER, 6, rows[0].time, rows[-1].time)


@pytest.mark.rule(346)
def test_a_reading_that_comes_again_replaces_the_one_that_was_there(store: SqliteStore) -> None:
    add(store, POWER, at(0, 1.0), at(1, 1.0))
    add(store, POWER, at(0, 2.0, quality="x-corrected"), at(2, 3.0), at(2, 4.0))
    assert content(store) == {POWER: [at(0, 2.0, quality="x-corrected"), at(1, 1.0), at(2, 4.0)]}
    assert store.count_readings() == {"ven": 3}
    assert is_consistent(store)


def test_series_of_several_vens_reports_and_data_points_are_kept_apart(store: SqliteStore) -> None:
    apart = [
        BARE,
        Series("ven", "usage", "voltage"),
        Series("ven", "status", "power"),
        Series("other", "usage", "power"),
    ]
    for number, series in enumerate(apart):
        add(store, series, at(0, float(number)))
    assert {series: rows[0].value for series, rows in content(store).items()} == dict(zip(apart, range(4), strict=True))
    assert store.count_readings() == {"ven": 3, "other": 1}


def test_a_data_point_in_another_unit_is_another_series_and_a_time_has_one_value(store: SqliteStore) -> None:
    add(store, POWER, at(0, 1.0), at(1, 2.0))
    add(store, IN_WATT, at(1, 2100.0), at(2, 3000.0))
    assert content(store) == {POWER: [at(0, 1.0)], IN_WATT: [at(1, 2100.0), at(2, 3000.0)]}
    add(store, POWER, at(2, 3.0))
    assert content(store) == {POWER: [at(0, 1.0), at(2, 3.0)], IN_WATT: [at(1, 2100.0)]}
    assert is_consistent(store)


def test_a_series_is_described_as_soon_as_it_is_known_what_it_measures(store: SqliteStore) -> None:
    add(store, BARE, at(0))
    add(store, POWER, at(1))
    add(store, BARE, at(2))
    assert list(content(store).values()) == [[at(0), at(1), at(2)]]
    assert store.series()[0].series.description == POWER.description


def test_a_ven_that_is_renamed_keeps_its_series(store: SqliteStore) -> None:
    add(store, POWER, at(0))
    renamed = Series(*("ven", "usage", "power", "mill"), *POWER.description)  # type: ignore[arg-type]
    add(store, renamed, at(1))
    assert content(store) == {renamed: [at(0), at(1)]}


def test_what_is_taken_back_is_not_remembered(store: SqliteStore) -> None:
    wrong: Any = [at(0, 1.0, quality="x-new"), at(1, 2.0, confidence=object())]
    with pytest.raises(OSError, match="not supported"):
        add(store, POWER, *wrong)
    assert content(store) == {}
    add(store, POWER, at(0, 1.0, quality="x-new"))
    assert content(store) == {POWER: [at(0, 1.0, quality="x-new")]}


KEYS = st.sampled_from([POWER, IN_WATT, Series("ven", "usage", "voltage"), Series("other", "usage", "power")])
ROWS = st.lists(
    st.builds(
        at,
        st.integers(0, 8),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        quality=st.none() | st.sampled_from([str(DataQuality.BAD), "x-any"]),
        confidence=st.none() | st.integers(0, 100),
    ),
    max_size=6,
)
STEPS = st.lists(st.tuples(KEYS, ROWS) | st.builds(Retention, st.none(), st.integers(1, 5)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_the_store_holds_what_a_dict_by_data_point_and_time_would_hold(steps: list[Any]) -> None:
    model: dict[tuple[str, str, str, datetime], tuple[Series, StoredReading]] = {}
    with TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "vtn.sqlite")
        for step in steps:
            if isinstance(step, Retention):
                while anyio.run(store.trim, step, TIME, 2):
                    pass
                for series in {one for one, _ in model.values()}:
                    keys = sorted(key for key, (one, _) in model.items() if one == series)
                    for key in keys[: -(step.count or 1)]:
                        del model[key]
            else:
                series, rows = step
                add(store, series, *rows)
                model |= {(series.ven_id, series.specifier_id, series.r_id, one.time): (series, one) for one in rows}
            assert is_consistent(store)
        expected: dict[Series, list[StoredReading]] = {}
        for series, one in model.values():
            expected.setdefault(series, []).append(one)
        found = content(store)
        store.close()
    assert found == {series: sorted(rows, key=lambda one: one.time) for series, rows in expected.items()}


# --- retention -------------------------------------------------------------------------------------------------------


def test_what_is_too_old_goes_a_bounded_slice_at_a_time(store: SqliteStore) -> None:
    add(store, POWER, *(at(second) for second in range(10)))
    add(store, Series("other", "usage", "power"), *(at(second) for second in range(4)))
    keep, now = Retention(age=timedelta(seconds=5)), TIME + timedelta(seconds=11)
    deleted = []
    while not deleted or deleted[-1]:
        deleted.append(anyio.run(store.trim, keep, now, 4))
        assert is_consistent(store)
    assert deleted == [4, 4, 2, 0]
    assert content(store) == {POWER: [at(second) for second in range(6, 10)]}
    assert [one.series for one in store.series()] == [POWER], "a series without readings is gone"


def test_of_too_many_the_newest_stay(store: SqliteStore) -> None:
    add(store, POWER, *(at(second) for second in range(10)))
    assert anyio.run(trim, store, Retention(count=3)) == 7
    assert content(store) == {POWER: [at(7), at(8), at(9)]}
    add(store, POWER, at(10))
    assert content(store) == {POWER: [at(7), at(8), at(9), at(10)]}
    assert is_consistent(store)


def test_a_series_that_was_deleted_begins_anew(store: SqliteStore) -> None:
    add(store, POWER, at(0))
    assert anyio.run(trim, store, Retention(age=timedelta(seconds=1))) == 1
    add(store, POWER, at(1))
    assert content(store) == {POWER: [at(1)]}


@pytest.mark.parametrize("keep", [Retention(), Retention(age=timedelta.max), Retention(count=5)])
def test_what_may_stay_stays(store: SqliteStore, keep: Retention) -> None:
    add(store, POWER, *(at(second) for second in range(5)))
    assert anyio.run(trim, store, keep) == 0
    assert store.count_readings() == {"ven": 5}


# --- forgetting ------------------------------------------------------------------------------------------------------


def test_all_that_a_ven_has_reported_can_be_deleted_a_bounded_slice_at_a_time(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_store, "_AT_ONCE", 4)
    other = Series("other", "usage", "power")
    add(store, POWER, *(at(second) for second in range(8)))
    add(store, other, at(0))
    assert anyio.run(store.forget, "ven") == 8
    assert content(store) == {other: [at(0)]}
    assert [one.series for one in store.series()] == [other]
    assert is_consistent(store)
    add(store, POWER, at(1))
    assert content(store) == {POWER: [at(1)], other: [at(0)]}
    assert anyio.run(store.forget, "nobody") == 0


# --- files of earlier versions ---------------------------------------------------------------------------------------

FIRST_VERSION = """
CREATE TABLE blobs (key TEXT PRIMARY KEY, blob BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE readings (
    ven_id TEXT NOT NULL, specifier_id TEXT NOT NULL, r_id TEXT NOT NULL, time INTEGER NOT NULL, value REAL,
    quality TEXT, PRIMARY KEY (ven_id, specifier_id, r_id, time)
) WITHOUT ROWID;
PRAGMA application_id = 0x6F616472;
PRAGMA user_version = 1;
INSERT INTO blobs VALUES ('vtn', x'01');
INSERT INTO readings VALUES ('ven', 'usage', 'power', 0, 1.5, NULL);
INSERT INTO readings VALUES ('ven', 'usage', 'power', 1000000, NULL, 'Quality Bad - Non Specific');
INSERT INTO readings VALUES ('ven', 'usage', 'voltage', 0, 230.0, 'x-any');
INSERT INTO readings VALUES ('other', 'usage', 'power', 0, 2.0, 'x-any');
"""


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "vtn.sqlite"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(FIRST_VERSION)
    for _ in range(2):
        store = SqliteStore(path)
        zero = datetime(1970, 1, 1, tzinfo=UTC)
        assert store.load() == {"vtn": b"\x01"}
        assert content(store) == {
            Series("other", "usage", "power"): [StoredReading(zero, 2.0, "x-any")],
            Series("ven", "usage", "power"): [
                StoredReading(zero, 1.5),
                StoredReading(zero + timedelta(seconds=1), None, "Quality Bad - Non Specific"),
            ],
            Series("ven", "usage", "voltage"): [StoredReading(zero, 230.0, "x-any")],
        }
        assert is_consistent(store)
        store.close()


def test_a_file_that_cannot_be_brought_up_to_date_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "vtn.sqlite"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(FIRST_VERSION + "CREATE TABLE former (in_the_way TEXT)")
    with pytest.raises(OSError, match="former"):
        SqliteStore(path)
    with closing(sqlite3.connect(path)) as old:
        assert old.execute("SELECT COUNT(*) FROM readings").fetchone() == (4,)
        assert old.execute("PRAGMA user_version").fetchone() == (1,)


def test_the_file_can_be_asked_in_sql(store: SqliteStore) -> None:
    add(store, POWER, at(0, 1.5, quality="x-any"))
    with closing(sqlite3.connect(f"file:{store.path}?mode=ro", uri=True)) as other:
        (row,) = other.execute("SELECT time, ven_name, resource, quantity, unit, scale, value, quality FROM measured")
    assert row == ("2026-11-20T12:00:00.000Z", "bakery", "oven", "powerReal", "W", "k", 1.5, "x-any")


@pytest.mark.parametrize(
    "text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "a\r=1,x", "a\n=1", 'a";=1', "plain"]
)
def test_a_spreadsheet_takes_no_text_of_a_ven_for_a_formula(store: SqliteStore, text: str) -> None:
    series = Series("ven " + text, text, text, text, text, "usage", None, text, text, text, "none")
    add(store, series, at(0, -1.5, quality=text))
    sink, lines = io.StringIO(newline=""), io.StringIO(newline="")
    with Archive(store.path) as archive:
        export(archive, archive.series(), sink, Form.CSV, advance=int)
        export(archive, archive.series(), lines, Form.JSON_LINES, advance=int)
    (row,) = csv.DictReader(io.StringIO(sink.getvalue(), newline=""))
    inert = ("" if text.startswith(("a", "plain")) else "'") + text.replace("\r", "\n")
    names = ("ven", "report", "report_name", "r_id", "resource", "quantity", "unit", "quality")
    assert [row[name] for name in names] == [inert] * len(names)
    assert row["value"] == "-1.5", "a number is one"
    told = msgspec.json.decode(lines.getvalue())
    assert [told[name] for name in names] == [text] * len(names), "nothing but a spreadsheet needs that"


# --- filing ----------------------------------------------------------------------------------------------------------


def record(*offers: Report) -> VenRecord:
    """A VEN that offers reports."""
    return VenRecord(ven_id="ven", registration_id="1", ven_name="bakery", offers=pack_offers(offers))


def report(*payloads: ReportPayload, name: str = "TELEMETRY_USAGE") -> Report:
    """A report of values at noon."""
    return Report(
        dtstart=TIME,
        intervals=(Interval(dtstart=TIME, payloads=payloads),),
        report_request_id="r",
        report_specifier_id="usage",
        report_name=name,
        created_date_time=TIME,
    )


def test_a_value_is_filed_with_what_its_offer_says() -> None:
    point = data_point(lambda: 0, r_id="power", resource_id="oven", scale="k")
    filing = Filing({"ven": record(make_offer("usage", [point], TIME))})
    told = ReportPayload(r_id="power", value=1.5, confidence=95, accuracy=0.1, data_quality=DataQuality.GOOD)
    stored = StoredReading(TIME, 1.5, DataQuality.GOOD, 95, 0.1)
    assert filing.readings(report(told), "ven") == {POWER: [stored]}


def test_a_value_whose_offer_is_gone_is_filed_under_its_ids() -> None:
    for vens in ({}, {"ven": record()}):
        name = "bakery" if vens else ""
        (series,) = Filing(vens).readings(report(ReportPayload(r_id="power", value=1.0)), "ven")
        assert series == Series("ven", "usage", "power", name, "TELEMETRY_USAGE")


def test_an_offer_that_has_changed_counts_from_then_on() -> None:
    vens = {"ven": record(make_offer("usage", [data_point(lambda: 0, r_id="power", scale="k")], TIME))}
    filing, told = Filing(vens), report(ReportPayload(r_id="power", value=1.0))
    assert [one.scale for one in filing.readings(told, "ven")] == ["k"]
    vens["ven"] = record(make_offer("usage", [data_point(lambda: 0, r_id="power", scale="M")], TIME))
    assert [one.scale for one in filing.readings(told, "ven")] == ["M"]


@pytest.mark.rule(318)
def test_a_placeholder_is_no_value() -> None:
    (rows,) = (
        Filing({}).readings(report(ReportPayload(r_id="p", value=0.0, data_quality=DataQuality.BAD)), "v").values()
    )
    assert rows == [StoredReading(TIME, None, DataQuality.BAD)]


@pytest.mark.rule(331)
def test_the_status_of_a_resource_is_filed_whole() -> None:
    control = LoadControl(capacity=LoadControlState(current=3.0, max=5.0))
    status = ResourceStatus(online=True, manual_override=False, load_control_state=control)
    (rows,) = Filing({}).readings(report(ReportPayload(r_id="p", value=status)), "v").values()
    assert rows[0].value is None
    assert rows[0].status is not None
    assert '"online":true,"manual_override":false,"load_control_state":{"capacity":{"max":5.0' in rows[0].status


# --- power cuts ------------------------------------------------------------------------------------------------------

STORES_FOR_EVER: Final = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
import anyio
from oadr_app.readings import Retention, Series, StoredReading
from oadr_app.sqlite_store import SqliteStore

store, begin = SqliteStore(Path(sys.argv[1])), datetime(2026, 11, 20, tzinfo=UTC)

async def report(ven: int) -> None:
    series = Series(str(ven), "usage", "power", unit="W")
    for number in range(10**9):
        rows = [StoredReading(begin + timedelta(seconds=10 * number + one), ven + one / 8) for one in range(10)]
        await store.add_readings({series: rows})
        print(ven, number, flush=True)

async def trim() -> None:
    while True:
        await store.trim(Retention(count=10**6), begin, 100)
        await anyio.sleep(0)

async def main() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(trim)
        for ven in range(4):
            group.start_soon(report, ven)

anyio.run(main)
"""


def test_what_is_confirmed_outlives_any_end(tmp_path: Path) -> None:
    """Killed while four VENs are stored side by side; started again, and killed again."""
    path, confirmed = tmp_path / "vtn.sqlite", dict[int, int]()
    for reports in (20, 60):
        command = [sys.executable, "-c", STORES_FOR_EVER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _, line in zip(range(reports), process.stdout, strict=False):
                ven, number = map(int, line.split())
                confirmed[ven] = max(confirmed.get(ven, 0), number)
            process.kill()
        store = SqliteStore(path)
        assert is_consistent(store)
        stored = {int(series.ven_id): rows for series, rows in content(store).items()}
        store.close()
        assert set(confirmed) == set(range(4))
        for ven, number in confirmed.items():
            values = [one.value for one in stored[ven][: 10 * (number + 1)]]
            assert values == [ven + one / 8 for one in range(10)] * (number + 1)
            assert len(stored[ven]) % 10 == 0, "a report is stored as a whole or not at all"

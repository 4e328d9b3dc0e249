"""Green Button data are stored whole, and go when they have been there for too long or are too many."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from oadr_app.feeds import StoredFeed
from oadr_app.filing import Filing
from oadr_app.readings import Retention, Series, StoredReading
from oadr_app.retention import trim
from oadr_app.sqlite_store import SqliteStore
from oadr_core import GreenButtonPayload, Interval, Report

TIME: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW: Final = TIME + timedelta(days=400)
DAY: Final = timedelta(days=1)
FEED: Final = '<feed xmlns="http://www.w3.org/2005/Atom"><id>a</id></feed>'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty file."""
    opened = SqliteStore(tmp_path / "vtn.sqlite")
    yield opened
    opened.close()


def feed(day: int, *, came: datetime = NOW, **details: Any) -> StoredFeed:
    """Make Green Button data that begin on some day."""
    about = {"ven_id": "ven", "specifier_id": "green", "place": 0, "feed": FEED, **details}
    return StoredFeed(time=TIME + day * DAY, came=came, **about)


def add(store: SqliteStore, *feeds: StoredFeed) -> None:
    anyio.run(store.add_readings, {}, feeds)


def days(store: SqliteStore, ven_id: str = "ven") -> list[int]:
    """The days that there are data of."""
    return [(one.time - TIME).days for one in store.feeds(ven_id)]


def test_green_button_data_are_kept_whole(store: SqliteStore) -> None:
    one, other = (GreenButtonPayload(feed=FEED.replace("a<", f"{name}<")) for name in "ab")
    message = Report(
        intervals=(Interval(dtstart=TIME, payloads=(one, other)), Interval(payloads=(one,))),
        report_request_id="r",
        report_specifier_id="green",
        created_date_time=TIME + DAY,
    )
    feeds = Filing({}).feeds(message, "ven", NOW)
    for _ in range(2):  # the same again is stored once
        add(store, *feeds)
    assert store.feeds("ven") == feeds
    assert [(found.time, found.place, found.feed) for found in feeds] == [
        (TIME, 0, one.feed),
        (TIME, 1, other.feed),
        (TIME + DAY, 0, one.feed),
    ]
    assert {found.came for found in feeds} == {NOW}
    assert store.feeds("other") == []


def test_data_of_long_ago_stay_as_long_as_others_from_when_they_came(store: SqliteStore) -> None:
    add(store, feed(0, came=NOW - 3 * DAY), feed(1, came=NOW), feed(2, came=NOW - 2 * DAY))
    assert anyio.run(store.trim, Retention(age=2 * DAY), NOW, 100) == 1
    assert days(store) == [1, 2]
    assert anyio.run(store.trim, Retention(age=2 * DAY), NOW, 100) == 0


def test_data_that_come_again_count_as_new(store: SqliteStore) -> None:
    add(store, feed(0, came=NOW - 3 * DAY))
    add(store, feed(0, came=NOW))
    assert anyio.run(store.trim, Retention(age=DAY), NOW, 100) == 0
    assert days(store) == [0]


def test_of_too_many_data_of_a_report_the_newest_stay(store: SqliteStore) -> None:
    add(store, *(feed(day) for day in range(50)))
    add(store, *(feed(day, specifier_id="other") for day in range(3)), feed(0, ven_id="another"))
    assert anyio.run(trim, store, Retention(count=3)) == 47
    assert days(store) == [47, 48, 49, 0, 1, 2]
    assert days(store, "another") == [0]


def test_a_slice_deletes_few_as_each_may_be_long(store: SqliteStore) -> None:
    add(store, *(feed(day) for day in range(20)))
    deleted = [anyio.run(store.trim, Retention(count=1), NOW, 10**6) for _ in range(3)]
    assert deleted == [16, 3, 0]


def test_readings_and_green_button_data_go_alike(store: SqliteStore) -> None:
    rows = [StoredReading(TIME + day * DAY, 1.0) for day in range(5)]
    anyio.run(store.add_readings, {Series("ven", "usage", "power"): rows}, [feed(day) for day in range(5)])
    assert anyio.run(trim, store, Retention(count=2)) == 6
    assert store.count_readings() == {"ven": 2}
    assert days(store) == [3, 4]


@pytest.mark.parametrize("keep", [Retention(), Retention(age=timedelta.max), Retention(count=5)])
def test_what_may_stay_stays(store: SqliteStore, keep: Retention) -> None:
    add(store, *(feed(day) for day in range(5)))
    assert anyio.run(trim, store, keep) == 0
    assert days(store) == [0, 1, 2, 3, 4]


THIRD_VERSION: Final = """
DROP TABLE feeds;
CREATE TABLE feeds (
    ven_id TEXT NOT NULL, specifier_id TEXT NOT NULL, time INTEGER NOT NULL, place INTEGER NOT NULL, feed TEXT NOT NULL,
    PRIMARY KEY (ven_id, specifier_id, time, place)
) WITHOUT ROWID;
INSERT INTO feeds VALUES ('ven', 'green', 1795176000000000, 0, '<feed/>');
PRAGMA user_version = 3;
"""


def test_in_a_file_of_the_third_version_data_count_as_come_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "vtn.sqlite"
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.executescript(THIRD_VERSION)
    before = datetime.now(UTC).replace(microsecond=0)
    for _ in range(2):  # what was brought up to date once stays so
        store = SqliteStore(path)
        (found,) = store.feeds("ven")
        store.close()
        assert (found.time, found.feed) == (datetime.fromtimestamp(1795176000, UTC), "<feed/>")
        assert before <= found.came <= datetime.now(UTC)

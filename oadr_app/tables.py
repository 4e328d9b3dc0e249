"""The tables of a VTN's file, and how files of earlier versions become such."""

import sqlite3
from typing import Final

_APPLICATION: Final = 0x6F616472
"""Says in the file's header that it is one of ours."""

VERSION: Final = 4
"""The version of the tables."""

_BLOBS: Final = "CREATE TABLE blobs (key TEXT PRIMARY KEY, blob BLOB NOT NULL) WITHOUT ROWID"

_READINGS: Final = (
    # What is the same for all readings of a data point, told once. A data point that changes its unit begins a new
    # series. How many readings there are, and from when to when, is kept up to date, as counting millions takes long.
    """
    CREATE TABLE series (
        series INTEGER PRIMARY KEY,
        ven_id TEXT NOT NULL,
        specifier_id TEXT NOT NULL,
        r_id TEXT NOT NULL,
        ven_name TEXT NOT NULL DEFAULT '',
        report_name TEXT,
        report_type TEXT,
        reading_type TEXT,
        resource TEXT,
        quantity TEXT,
        unit TEXT,
        scale TEXT,
        pulse_factor REAL,
        readings INTEGER NOT NULL DEFAULT 0,
        first INTEGER, -- microseconds since 1970 began, as all times
        last INTEGER
    )
    """,
    "CREATE INDEX series_of_a_data_point ON series (ven_id, specifier_id, r_id)",
    "CREATE TABLE qualities (quality INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    # About 25 bytes a reading, in the order in which they are drawn and exported.
    """
    CREATE TABLE readings (
        series INTEGER NOT NULL,
        time INTEGER NOT NULL,
        value REAL, -- none where the quality is bad, or where it is a status
        quality INTEGER,
        confidence INTEGER,
        accuracy REAL,
        status TEXT, -- in JSON: online, manual_override, load_control_state
        PRIMARY KEY (series, time)
    ) WITHOUT ROWID
    """,
    """
    CREATE VIEW measured AS
    SELECT
        strftime('%Y-%m-%dT%H:%M:%fZ', readings.time / 1e6, 'unixepoch') AS time,
        ven_id, ven_name, specifier_id, r_id, report_name, resource, quantity, unit, scale,
        value, text AS quality, confidence, accuracy, status
    FROM readings JOIN series USING (series) LEFT JOIN qualities USING (quality)
    """,
)

_FEEDS: Final = """
    CREATE TABLE feeds (
        ven_id TEXT NOT NULL,
        specifier_id TEXT NOT NULL,
        time INTEGER NOT NULL,
        place INTEGER NOT NULL, -- several may hold at one time
        came INTEGER NOT NULL, -- when it was reported
        feed TEXT NOT NULL, -- Green Button data: an Atom feed
        PRIMARY KEY (ven_id, specifier_id, time, place)
    ) WITHOUT ROWID
"""

_FROM_1_TO_2: Final = (
    "ALTER TABLE readings RENAME TO former",
    *_READINGS,
    """
    INSERT INTO series (ven_id, specifier_id, r_id, readings, first, last)
    SELECT ven_id, specifier_id, r_id, COUNT(*), MIN(time), MAX(time) FROM former GROUP BY ven_id, specifier_id, r_id
    """,
    "INSERT INTO qualities (text) SELECT DISTINCT quality FROM former WHERE quality IS NOT NULL",
    """
    INSERT INTO readings (series, time, value, quality)
    SELECT series.series, time, value, qualities.quality
    FROM former JOIN series USING (ven_id, specifier_id, r_id) LEFT JOIN qualities ON text = former.quality
    ORDER BY 1, 2
    """,
    "DROP TABLE former",
)

_FEEDS_BY_AGE: Final = "CREATE INDEX feeds_by_age ON feeds (came)"

_FROM_3_TO_4: Final = (
    "ALTER TABLE feeds RENAME TO former",
    _FEEDS,
    """
    INSERT INTO feeds (ven_id, specifier_id, time, place, came, feed)
    SELECT ven_id, specifier_id, time, place, strftime('%s', 'now') * 1000000, feed FROM former
    """,
    "DROP TABLE former",
    _FEEDS_BY_AGE,
)

_CHANGES: Final = {1: _FROM_1_TO_2, 2: (_FEEDS,), 3: _FROM_3_TO_4}
"""What makes the tables of a version those of the next."""


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an earlier version up to date: wholly, or not at all.

    :raises sqlite3.DatabaseError: they are not ours, or of a later version.
    """
    version = version_of(connection)
    if version is None:
        _change(
            connection, (_BLOBS, *_READINGS, _FEEDS, _FEEDS_BY_AGE, f"PRAGMA application_id = {_APPLICATION}"), VERSION
        )
        return
    for present in range(version, VERSION):
        _change(connection, _CHANGES[present], present + 1)


def version_of(connection: sqlite3.Connection) -> int | None:
    """Tell the version of the tables; None where there is none yet.

    :raises sqlite3.DatabaseError: they are not ours, or of a later version.
    """
    ((tables,),) = connection.execute("SELECT COUNT(*) FROM sqlite_schema")
    ((application,),) = connection.execute("PRAGMA application_id")
    ((version,),) = connection.execute("PRAGMA user_version")
    if not tables and not application:
        return None
    if application != _APPLICATION:
        raise sqlite3.DatabaseError("this is a database, but not the state of a VTN")
    if version > VERSION:
        raise sqlite3.DatabaseError(f"its tables have version {version}; this program knows {VERSION}")
    return int(version)


def _change(connection: sqlite3.Connection, statements: tuple[str, ...], version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise

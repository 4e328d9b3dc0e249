"""Green Button data that VENs have reported, as they are stored: each feed whole, as XML."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from oadr_app.readings import Retention, moment, ticks

_MOST_AT_ONCE: Final = 16
"""How many feeds are deleted in one transaction: each may have a megabyte."""


class StoredFeed(msgspec.Struct, frozen=True):
    """Green Button data that a VEN has reported.

    :param ven_id: the VEN.
    :param specifier_id: the report that it belongs to.
    :param time: when its interval began.
    :param place: which it is of those of that time, from 0.
    :param came: when it was reported.
    :param feed: the Atom feed, as XML.
    """

    ven_id: str
    specifier_id: str
    time: datetime
    place: int
    came: datetime
    feed: str


def add_feeds(feeds: Iterable[StoredFeed], connection: sqlite3.Connection) -> None:
    """Add Green Button data; what is there already for the same time is replaced (rule 346)."""
    connection.executemany(
        "INSERT OR REPLACE INTO feeds VALUES (?, ?, ?, ?, ?, ?)",
        [(one.ven_id, one.specifier_id, ticks(one.time), one.place, ticks(one.came), one.feed) for one in feeds],
    )


def list_feeds(connection: sqlite3.Connection, ven_id: str) -> list[StoredFeed]:
    """Read the Green Button data of a VEN, by report and time.

    :param connection: an open file.
    :param ven_id: the VEN.
    """
    rows = connection.execute(
        "SELECT ven_id, specifier_id, time, place, came, feed FROM feeds WHERE ven_id = ? ORDER BY 2, 3, 4", (ven_id,)
    )
    return [
        StoredFeed(owner, specifier_id, moment(time), place, moment(came), feed)
        for owner, specifier_id, time, place, came, feed in rows
    ]


def trim_feeds(keep: Retention, now: datetime, connection: sqlite3.Connection) -> int:
    """Delete some of the Green Button data that are not to be kept.

    One feed may tell of years. So its age counts from when it came, where that of a reading counts from its time.

    :param keep: which are to be kept: how old they may become, and how many of each report of a VEN.
    :param now: the present.
    :param connection: the file.
    :returns: how many were deleted; none where all are to be kept.
    """
    gone = connection.execute(
        "DELETE FROM feeds WHERE (ven_id, specifier_id, time, place) IN "
        "(SELECT ven_id, specifier_id, time, place FROM feeds WHERE came < ? LIMIT ?)",
        (keep.before(now), _MOST_AT_ONCE),
    ).rowcount
    if gone or keep.count is None:
        return gone
    crowded = connection.execute(
        "SELECT ven_id, specifier_id, COUNT(*) FROM feeds GROUP BY 1, 2 HAVING COUNT(*) > ? LIMIT 1", (keep.count,)
    ).fetchone()
    if crowded is None:
        return 0
    ven_id, specifier_id, feeds = crowded
    return connection.execute(
        "DELETE FROM feeds WHERE (ven_id, specifier_id, time, place) IN (SELECT ven_id, specifier_id, time, place "
        "FROM feeds WHERE ven_id = ? AND specifier_id = ? ORDER BY time, place LIMIT ?)",
        (ven_id, specifier_id, min(feeds - keep.count, _MOST_AT_ONCE)),
    ).rowcount

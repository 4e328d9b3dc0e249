"""Storage of a VTN: its state and what its VENs have measured, in one SQLite file."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from oadr_app.feeds import StoredFeed, add_feeds, list_feeds, trim_feeds
from oadr_app.locks import Lock
from oadr_app.readings import (
    READING,
    ReadingsWriter,
    Retention,
    Series,
    StoredReading,
    StoredSeries,
    list_series,
    reading_of,
)
from oadr_app.tables import prepare

_Work = Callable[[sqlite3.Connection], object]

_AT_ONCE: Final = 5_000
"""How many readings are deleted in one transaction."""


class _Write:
    """Some work that waits for its transaction.

    :ivar turn: set when the work is done, or when it is upon its task to write what waits.
    :ivar error: why it could not be done.
    """

    __slots__ = ("done", "error", "turn", "work")

    def __init__(self, work: _Work) -> None:
        self.work: Final = work
        self.turn: Final = anyio.Event()
        self.done = False
        self.error: Exception | None = None


class SqliteStore:
    """State and readings in one SQLite file, with write-ahead log.

    Writes that come while one is under way go into the next transaction together, so that a hundred VENs cost one
    synchronisation of the disk, not a hundred. Reading goes by a connection of its own: it sees what is durable and
    nothing else, and waits for no write.

    :param path: the file; made if it is not there. It belongs to one process at a time; others may read it.
    :raises OSError: the file cannot be opened, is no such file, or is in use.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._pending: list[_Write] = []
        self._writing = False
        self._readings: Final = ReadingsWriter()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock: Final = Lock(path)
        opened: list[sqlite3.Connection] = []
        try:
            path.touch(mode=0o600)  # SQLite gives the files beside it the same mode
            self._writer: Final = _connect(path, opened)
            prepare(self._writer)
            self._reader: Final = _connect(path, opened)
            self._reader.execute("PRAGMA query_only = ON")
        except (sqlite3.Error, OSError) as error:
            for connection in opened:
                connection.close()
            self._lock.release()
            raise error if isinstance(error, OSError) else OSError(f"{path}: {error}") from None

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()
        self._lock.release()

    # --- state -------------------------------------------------------------------------------------------------------

    def load(self) -> Mapping[str, bytes]:
        """Read all blobs."""
        return dict(self._reader.execute("SELECT key, blob FROM blobs"))

    async def save(self, changes: Sequence[tuple[str, bytes | None]]) -> None:
        """Make changes durable; see :class:`oadr_http.Store`."""
        await self._write(partial(_save, changes))

    # --- readings ----------------------------------------------------------------------------------------------------

    async def add_readings(
        self, readings: Mapping[Series, Sequence[StoredReading]], feeds: Sequence[StoredFeed] = ()
    ) -> None:
        """Store what a report holds, wholly or not at all; what is there for the same time is replaced (rule 346).

        :param readings: the readings by series.
        :param feeds: Green Button data.
        :raises OSError: it is not stored.
        """

        def add(connection: sqlite3.Connection) -> None:
            self._readings.add(readings, connection)
            add_feeds(feeds, connection)

        await self._write(add)

    def feeds(self, ven_id: str) -> list[StoredFeed]:
        """Read the Green Button data of a VEN, by report and time."""
        return list_feeds(self._reader, ven_id)

    async def trim(self, keep: Retention, now: datetime, most: int) -> int:
        """Delete some of the readings, or of the Green Button data, that are not to be kept, in a short transaction.

        :param keep: which are to be kept.
        :param now: the present.
        :param most: how many readings to delete at most.
        :returns: how many readings and feeds were deleted; none where all are to be kept.
        :raises OSError: none was deleted.
        """
        deleted: list[int] = []

        def trim(connection: sqlite3.Connection) -> None:
            deleted.append(self._readings.trim(keep, now, most, connection) or trim_feeds(keep, now, connection))

        await self._write(trim)
        return deleted[-1]

    async def forget(self, ven_id: str) -> int:
        """Delete all that a VEN has reported, in short transactions, so that others need not wait.

        :param ven_id: the VEN.
        :returns: how many readings were deleted.
        :raises OSError: not all of it was deleted.
        """
        counts: list[int] = []

        def some(connection: sqlite3.Connection) -> None:
            counts.append(self._readings.forget_ven(ven_id, _AT_ONCE, connection))

        def feeds(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM feeds WHERE ven_id = ?", (ven_id,))

        await self._write(feeds)
        while not counts or counts[-1] == _AT_ONCE:
            await self._write(some)
        return sum(counts)

    def series(self, ven_id: str | None = None) -> list[StoredSeries]:
        """List the series that have readings, in the order of VEN, report and data point.

        :param ven_id: the VEN; all if None.
        """
        return list_series(self._reader, ven_id)

    def newest(self, ven_id: str, most: int) -> dict[Series, list[StoredReading]]:
        """Read the newest readings of each series of a VEN, from old to new.

        :param ven_id: the VEN.
        :param most: how many of each series to read at most.
        """
        found = {}
        for one in self.series(ven_id):
            rows = self._reader.execute(
                f"SELECT {READING} FROM readings LEFT JOIN qualities USING (quality) WHERE series = ? "
                "ORDER BY time DESC LIMIT ?",
                (one.number, most),
            ).fetchall()
            found[one.series] = [reading_of(row) for row in reversed(rows)]
        return found

    def count_readings(self) -> dict[str, int]:
        """Count the readings of each VEN that has any."""
        return dict(
            self._reader.execute("SELECT ven_id, SUM(readings) FROM series GROUP BY ven_id HAVING SUM(readings) > 0")
        )

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _write(self, work: _Work) -> None:
        """Have some work done in a transaction, together with what else waits.

        Whoever comes first writes, and leaves what has come meanwhile to the first of those. Nobody can be cancelled
        in between: whether something is stored must not stay unknown, and others rely on the one who writes.
        """
        mine = _Write(work)
        self._pending.append(mine)
        with anyio.CancelScope(shield=True):
            if self._writing:
                await mine.turn.wait()
            if not mine.done:
                await self._write_all_that_waits()
        if mine.error is not None:
            raise OSError(f"{self.path}: {mine.error}") from mine.error

    async def _write_all_that_waits(self) -> None:
        self._writing = True
        batch, self._pending = self._pending, []
        errors = await anyio.to_thread.run_sync(self._transaction, [one.work for one in batch])
        for one, error in zip(batch, errors, strict=True):
            one.done, one.error = True, error
            one.turn.set()
        if self._pending:
            self._pending[0].turn.set()
        else:
            self._writing = False

    def _transaction(self, batch: Sequence[_Work]) -> Sequence[Exception | None]:
        """Do all the work in one transaction; returns what went wrong with each."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            errors = [self._attempt(work) for work in batch]
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:  # the disk is full, say: nothing of it is done
            if self._writer.in_transaction:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
            self._readings.forget()
            return [error] * len(batch)
        return errors

    def _attempt(self, work: _Work) -> Exception | None:
        """Do one piece of work, wholly or not at all; what is wrong with it is no fault of the others."""
        self._writer.execute("SAVEPOINT one")
        try:
            work(self._writer)
        except Exception as error:
            self._readings.forget()
            if not self._writer.in_transaction:  # it was so bad that SQLite has taken back everything
                raise
            self._writer.execute("ROLLBACK TO one")
            return error
        finally:
            if self._writer.in_transaction:
                self._writer.execute("RELEASE one")
        return None


def _connect(path: Path, opened: list[sqlite3.Connection]) -> sqlite3.Connection:
    """Open a connection, which the event loop and the thread that writes may use in turns."""
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
    opened.append(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _save(changes: Sequence[tuple[str, bytes | None]], connection: sqlite3.Connection) -> None:
    for key, blob in changes:
        if blob is None:
            connection.execute("DELETE FROM blobs WHERE key = ?", (key,))
        else:
            connection.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?)", (key, blob))

"""Storage of a VTN: its state and what its VENs have measured, in one SQLite file."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import msgspec

from oadr_app.locks import Lock

_APPLICATION: Final = 0x6F616472
"""Says in the file's header that it is one of ours."""

_VERSION: Final = 1
"""The version of the tables."""

_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE blobs (key TEXT PRIMARY KEY, blob BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE readings (
    ven_id TEXT NOT NULL,
    specifier_id TEXT NOT NULL,
    r_id TEXT NOT NULL,
    time INTEGER NOT NULL, -- microseconds since 1970 began
    value REAL,
    quality TEXT,
    PRIMARY KEY (ven_id, specifier_id, r_id, time)
) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)


class StoredReading(msgspec.Struct, frozen=True):
    """A value that a VEN has reported.

    :param ven_id: the VEN.
    :param specifier_id: the report that it belongs to.
    :param r_id: the data point.
    :param time: when it held, or its interval began.
    :param value: the value; None where the VEN had none.
    :param quality: what the VEN says of its quality, if anything.
    """

    ven_id: str
    specifier_id: str
    r_id: str
    time: datetime
    value: float | None
    quality: str | None = None


_Work = Callable[[sqlite3.Connection], object]


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
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock: Final = Lock(path)
        opened: list[sqlite3.Connection] = []
        try:
            path.touch(mode=0o600)  # SQLite gives the files beside it the same mode
            self._writer: Final = _connect(path, opened)
            _prepare(self._writer)
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

    async def add_readings(self, readings: Sequence[StoredReading]) -> None:
        """Store readings; one that is there already is replaced (rule 346).

        :raises OSError: they are not stored.
        """
        await self._write(partial(_add_readings, readings))

    def readings(self, ven_id: str, *, newest: int | None = None) -> list[StoredReading]:
        """Read the readings of a VEN, from old to new.

        :param ven_id: the VEN.
        :param newest: how many to read, the newest ones; all if None.
        """
        rows = self._reader.execute(
            "SELECT ven_id, specifier_id, r_id, time, value, quality FROM readings WHERE ven_id = ? "
            "ORDER BY time DESC, specifier_id DESC, r_id DESC LIMIT ?",
            (ven_id, -1 if newest is None else newest),
        ).fetchall()
        return [
            StoredReading(ven_id, specifier_id, r_id, _EPOCH + time * _TICK, value, quality)
            for ven_id, specifier_id, r_id, time, value, quality in reversed(rows)
        ]

    def count_readings(self) -> dict[str, int]:
        """Count the readings of each VEN that has any."""
        return dict(self._reader.execute("SELECT ven_id, COUNT(*) FROM readings GROUP BY ven_id"))

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
            return [error] * len(batch)
        return errors

    def _attempt(self, work: _Work) -> Exception | None:
        """Do one piece of work, wholly or not at all; what is wrong with it is no fault of the others."""
        self._writer.execute("SAVEPOINT one")
        try:
            work(self._writer)
        except Exception as error:
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


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, or see that they are ours."""
    ((tables,),) = connection.execute("SELECT COUNT(*) FROM sqlite_schema")
    ((application,),) = connection.execute("PRAGMA application_id")
    ((version,),) = connection.execute("PRAGMA user_version")
    if not tables and not application:
        connection.executescript(_SCHEMA)
    elif application != _APPLICATION:
        raise sqlite3.DatabaseError("this is a database, but not the state of a VTN")
    elif version > _VERSION:
        raise sqlite3.DatabaseError(f"its tables have version {version}; this program knows {_VERSION}")


def _save(changes: Sequence[tuple[str, bytes | None]], connection: sqlite3.Connection) -> None:
    for key, blob in changes:
        if blob is None:
            connection.execute("DELETE FROM blobs WHERE key = ?", (key,))
        else:
            connection.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?)", (key, blob))


def _add_readings(readings: Sequence[StoredReading], connection: sqlite3.Connection) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?, ?, ?)",
        [
            (one.ven_id, one.specifier_id, one.r_id, (one.time - _EPOCH) // _TICK, one.value, one.quality)
            for one in readings
        ],
    )

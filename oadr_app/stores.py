"""Durable storage: SQLite for a VTN, a journal in a file for a VEN."""

import base64
import json
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import anyio
import anyio.to_thread
import msgspec

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS blobs (key TEXT PRIMARY KEY, blob BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS readings (
    ven_id TEXT NOT NULL,
    specifier_id TEXT NOT NULL,
    r_id TEXT NOT NULL,
    time INTEGER NOT NULL,
    value REAL,
    quality TEXT,
    PRIMARY KEY (ven_id, specifier_id, r_id, time)
) WITHOUT ROWID;
"""


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


_Work = Callable[[sqlite3.Connection], None]


class SqliteStore:
    """State and readings in one SQLite file, with write-ahead log.

    Writes that come while one is under way go into the next transaction together, so that a hundred VENs cost one
    synchronisation of the disk, not a hundred.

    :param path: the file; made if it is not there.
    :raises OSError: the file cannot be opened, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._pending: list[tuple[_Work, anyio.Event, list[Exception]]] = []
        self._writing = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # the files beside it get the same mode
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise OSError(f"{path}: {error}") from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # --- state -------------------------------------------------------------------------------------------------------

    def load(self) -> Mapping[str, bytes]:
        """Read all blobs."""
        return dict(self._connection.execute("SELECT key, blob FROM blobs"))

    async def save(self, changes: Sequence[tuple[str, bytes | None]]) -> None:
        """Make changes durable; see :class:`oadr_http.Store`."""
        await self._write(partial(_save, changes))

    # --- readings ----------------------------------------------------------------------------------------------------

    async def add_readings(self, readings: Sequence[StoredReading]) -> None:
        """Store readings; one that is there already is replaced (rule 346)."""
        await self._write(partial(_add_readings, readings))

    def readings(self, ven_id: str, *, newest: int | None = None) -> list[StoredReading]:
        """Read the readings of a VEN, from old to new.

        :param ven_id: the VEN.
        :param newest: how many to read, the newest ones; all if None.
        """
        rows = self._connection.execute(
            "SELECT ven_id, specifier_id, r_id, time, value, quality FROM readings WHERE ven_id = ? "
            "ORDER BY time DESC, specifier_id, r_id LIMIT ?",
            (ven_id, -1 if newest is None else newest),
        ).fetchall()
        return [
            StoredReading(ven_id, specifier_id, r_id, datetime.fromtimestamp(time, UTC), value, quality)
            for ven_id, specifier_id, r_id, time, value, quality in reversed(rows)
        ]

    def count_readings(self) -> dict[str, int]:
        """Count the readings of each VEN."""
        return dict(self._connection.execute("SELECT ven_id, COUNT(*) FROM readings GROUP BY ven_id"))

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _write(self, work: _Work) -> None:
        """Have some work done in a transaction, together with what else waits."""
        done, failed = anyio.Event(), list[Exception]()
        self._pending.append((work, done, failed))
        if not self._writing:
            self._writing = True
            with anyio.CancelScope(shield=True):  # others rely on it
                await self._write_all()
        else:
            await done.wait()
        if failed:
            raise OSError(f"{self.path}: {failed[0]}") from failed[0]

    async def _write_all(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending, []
                try:
                    await anyio.to_thread.run_sync(self._transaction, [work for work, _, _ in batch])
                except sqlite3.Error as error:
                    for _, _, failed in batch:
                        failed.append(error)
                for _, done, _ in batch:
                    done.set()
        finally:
            self._writing = False

    def _transaction(self, batch: Sequence[_Work]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for work in batch:
                work(self._connection)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


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
            (one.ven_id, one.specifier_id, one.r_id, int(one.time.timestamp()), one.value, one.quality)
            for one in readings
        ],
    )


class FileStore:
    """State in one file: a journal with a line for each save, which is written anew when most of it is history.

    A line that a power cut tore was never confirmed and is left out when the journal is read.

    :param path: the file; made if it is not there.
    :raises OSError: the file cannot be opened, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._blobs: dict[str, bytes] = {}
        self._changes = 0
        if path.exists():
            self._read()
        self._rewrite()

    def load(self) -> Mapping[str, bytes]:
        """Read all blobs."""
        return dict(self._blobs)

    async def save(self, changes: Sequence[tuple[str, bytes | None]]) -> None:
        """Make changes durable; see :class:`oadr_http.Store`."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._append, changes)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self) -> None:
        lines = self.path.read_bytes().split(b"\n")
        for number, line in enumerate(lines[:-1], 1):  # behind the last line break there is nothing, or a torn line
            try:
                self._apply(_changes_in(line))
            except (ValueError, TypeError):
                raise OSError(f"{self.path}, line {number}: this is no state file of a VEN") from None

    def _apply(self, changes: Sequence[tuple[str, bytes | None]]) -> None:
        for key, blob in changes:
            self._changes += 1
            if blob is None:
                self._blobs.pop(key, None)
            else:
                self._blobs[key] = blob

    def _append(self, changes: Sequence[tuple[str, bytes | None]]) -> None:
        end = self._file.tell()
        try:
            self._file.write(_line(changes))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:
            self._undo(end)
            raise
        self._apply(changes)
        if self._changes > 64 + 4 * len(self._blobs):
            self._file.close()
            self._rewrite()

    def _undo(self, end: int) -> None:
        """Take back half a line, which would spoil the next."""
        with suppress(OSError):
            self._file.close()
        self._open(end)

    def _rewrite(self) -> None:
        """Write the journal anew, and put it in the place of the old one in one step."""
        fresh = self.path.with_name(self.path.name + ".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            if self._blobs:
                file.write(_line(list(self._blobs.items())))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        _sync_folder(self.path.parent)
        self._changes = len(self._blobs)
        self._open(self.path.stat().st_size)

    def _open(self, end: int) -> None:
        """Open the journal for writing at its end."""
        self._file: BinaryIO = self.path.open("r+b")
        self._file.truncate(end)
        self._file.seek(end)


def _line(changes: Sequence[tuple[str, bytes | None]]) -> bytes:
    return (
        json.dumps([[key, None if blob is None else base64.b85encode(blob).decode()] for key, blob in changes]).encode()
        + b"\n"
    )


def _changes_in(line: bytes) -> list[tuple[str, bytes | None]]:
    return [(str(key), None if text is None else base64.b85decode(text)) for key, text in json.loads(line)]


def _sync_folder(folder: Path) -> None:
    """Make a rename durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Storage of a VTN: durable when it says so, shared transactions, and failures that reach whom they concern."""

import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from oadr_app.readings import Series, StoredReading
from oadr_app.sqlite_store import SqliteStore
from tests.app.program import PATIENCE

pytestmark = pytest.mark.anyio

TIME = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store in a file of its own."""
    made = SqliteStore(tmp_path / "vtn.sqlite")
    yield made
    made.close()


def reading(second: int) -> Mapping[Series, list[StoredReading]]:
    """Make a reading."""
    return {Series("ven", "usage", "power"): [StoredReading(TIME + timedelta(seconds=second), 1.0)]}


def ask(path: Path, question: str) -> list[Any]:
    """Look into the file as another process would: what is not committed is not there."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as other:
        return other.execute(question).fetchall()


class Slow:
    """Makes the first transactions of a store wait until they are let go, so that others come meanwhile.

    :ivar sizes: how many writes each transaction held.
    :ivar gates: let one transaction go each.
    """

    def __init__(self, store: SqliteStore, waiting: int = 1) -> None:
        self.sizes: list[int] = []
        self.gates = [anyio.Event() for _ in range(waiting)]
        self._store = store
        self._transaction: Callable[..., Any] = store._transaction
        store._transaction = self._counted  # type: ignore[method-assign]

    def _counted(self, batch: Any) -> Any:
        self.sizes.append(len(batch))
        if len(self.sizes) <= len(self.gates):
            anyio.from_thread.run(self.gates[len(self.sizes) - 1].wait)
        return self._transaction(batch)

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[anyio.abc.TaskGroup]:
        """Have a write under way while the body runs, and end when all is written."""
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                group.start_soon(self._store.save, [("first", b"1")])
                await anyio.wait_all_tasks_blocked()
                yield group
                with anyio.CancelScope(shield=True):
                    await anyio.wait_all_tasks_blocked()
                self.gates[0].set()


# --- durability ------------------------------------------------------------------------------------------------------


def test_every_commit_is_synchronised_and_goes_through_a_write_ahead_log(store: SqliteStore) -> None:
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


async def test_what_is_saved_is_there_for_others_at_once(store: SqliteStore) -> None:
    await store.save([("ven/1", b"a"), ("event/1", b"\x00\xff")])
    assert sorted(ask(store.path, "SELECT key, blob FROM blobs")) == [("event/1", b"\x00\xff"), ("ven/1", b"a")]


async def test_what_is_saved_comes_back_after_it_is_opened_again(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "vtn.sqlite")
    await store.save([("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b"4"), ("b", None)])
    await store.save([("c", None), ("c", None)])
    assert store.load() == {"a": b"3"}
    store.close()
    store = SqliteStore(tmp_path / "vtn.sqlite")
    assert store.load() == {"a": b"3"}
    store.close()


async def test_what_is_not_yet_durable_is_not_seen(store: SqliteStore) -> None:
    store._writer.execute("BEGIN IMMEDIATE")
    store._writer.execute("INSERT INTO blobs VALUES ('a', x'00')")
    assert store.load() == {}
    store._writer.execute("ROLLBACK")


def test_all_its_files_are_for_their_owner_alone(store: SqliteStore) -> None:
    found = sorted(store.path.parent.iterdir())
    assert len(found) == 4  # with the log, its index and the lock
    assert {stat.S_IMODE(one.stat().st_mode) for one in found} == {0o600}


# --- shared transactions ---------------------------------------------------------------------------------------------


async def test_what_comes_while_a_write_is_under_way_is_written_together(store: SqliteStore) -> None:
    slow = Slow(store)
    async with slow.busy() as group:
        for number in range(100):
            group.start_soon(store.save, [(f"ven/{number}", b"x")])
            group.start_soon(store.add_readings, reading(number))
    assert slow.sizes == [1, 200]
    assert len(store.load()) == 101
    assert store.count_readings() == {"ven": 100}


async def test_whoever_writes_first_is_not_kept_by_those_who_come_later(store: SqliteStore) -> None:
    slow, written = Slow(store, waiting=2), anyio.Event()

    async def save_first() -> None:
        await store.save([("first", b"1")])
        written.set()

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(save_first)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(store.save, [("second", b"1")])
            await anyio.wait_all_tasks_blocked()
            slow.gates[0].set()
            await written.wait()
            assert set(store.load()) == {"first"}, "the second is still under way"
            slow.gates[1].set()
    assert set(store.load()) == {"first", "second"}


async def test_what_is_cancelled_is_written_all_the_same_and_keeps_nobody_waiting(store: SqliteStore) -> None:
    async with Slow(store).busy() as group:
        group.start_soon(store.save, [("second", b"1")])
        group.start_soon(store.save, [("third", b"1")])
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert set(store.load()) == {"first", "second", "third"}
    await store.save([("later", b"1")])
    assert "later" in store.load()


# --- failures --------------------------------------------------------------------------------------------------------


async def fails(store: SqliteStore, work: Callable[[], Any], failures: list[str]) -> None:
    """Note how a write fails."""
    try:
        await work()
    except OSError as error:
        failures.append(str(error))


async def test_what_is_wrong_with_one_write_is_no_fault_of_the_others(store: SqliteStore) -> None:
    failures: list[str] = []
    unfit: Any = [("unfit", object())]
    async with Slow(store).busy() as group:
        group.start_soon(store.save, [("before", b"1")])
        group.start_soon(fails, store, lambda: store.save([("half", b"1"), *unfit]), failures)
        group.start_soon(fails, store, lambda: store.save([("\ud800", b"1")]), failures)
        group.start_soon(store.save, [("after", b"1")])
    assert set(store.load()) == {"first", "before", "after"}, "a save is made as a whole or not at all"
    assert len(failures) == 2
    assert all(one.startswith(f"{store.path}: ") for one in failures)


async def test_a_transaction_that_fails_reaches_all_whose_it_is_and_nobody_else(store: SqliteStore) -> None:
    failures: list[str] = []
    async with Slow(store).busy() as group:
        for number in range(3):
            group.start_soon(fails, store, lambda name=str(number): store.save([(name, bytes(10**6))]), failures)
        ((pages,),) = store._writer.execute("PRAGMA page_count")
        store._writer.execute(f"PRAGMA max_page_count = {pages + 300}")  # room for one of the three
    assert failures == [f"{store.path}: database or disk is full"] * 3
    assert store.load() == {"first": b"1"}
    store._writer.execute("PRAGMA max_page_count = 100000")
    await store.save([("later", b"1")])
    assert set(store.load()) == {"first", "later"}


async def test_a_writer_that_goes_first_in_another_process_is_waited_for(store: SqliteStore) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other, anyio.fail_after(PATIENCE):
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as group:
            group.start_soon(store.save, [("a", b"1")])
            await anyio.wait_all_tasks_blocked()
            assert store.load() == {}
            other.execute("COMMIT")
    assert store.load() == {"a": b"1"}


# --- whose file it is ------------------------------------------------------------------------------------------------


def test_a_file_belongs_to_one_process_that_writes(store: SqliteStore) -> None:
    with pytest.raises(OSError, match=r"vtn\.sqlite is in use by the process \d+"):
        SqliteStore(store.path)
    assert ask(store.path, "SELECT COUNT(*) FROM blobs") == [(0,)], "others may read it"


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("something that matters\n" * 100)
    with pytest.raises(OSError, match=r"notes\.txt: file is not a database"):
        SqliteStore(path)
    assert path.read_text() == "something that matters\n" * 100


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE customers (name TEXT)")
    with pytest.raises(OSError, match=r"other\.sqlite: this is a database, but not the state of a VTN"):
        SqliteStore(path)
    assert ask(path, "SELECT name FROM sqlite_schema") == [("customers",)]


def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "vtn.sqlite"
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 7")
    with pytest.raises(OSError, match=r"its tables have version 7; this program knows 4"):
        SqliteStore(path)


def test_a_file_that_was_refused_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "vtn.sqlite"
    path.write_text("no database" * 100)
    with pytest.raises(OSError, match="not a database"):
        SqliteStore(path)
    path.unlink()
    SqliteStore(path).close()

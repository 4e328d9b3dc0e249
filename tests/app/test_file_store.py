"""Storage of a VEN: whatever the power does, what was confirmed is there, and nothing that was half written."""

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oadr_app import file_store
from oadr_app.file_store import FileStore

pytestmark = pytest.mark.anyio

Changes = Sequence[tuple[str, bytes | None]]
SAVES = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.binary(max_size=8)), max_size=4), min_size=1, max_size=8
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the state is."""
    return tmp_path / "ven.state"


def loaded(path: Path) -> Mapping[str, bytes]:
    """What is there when it is opened again."""
    store = FileStore(path)
    found = store.load()
    store.close()
    return found


def after(saves: Sequence[Changes]) -> dict[str, bytes]:
    """What some saves leave."""
    found: dict[str, bytes] = {}
    for changes in saves:
        for key, blob in changes:
            if blob is None:
                found.pop(key, None)
            else:
                found[key] = blob
    return found


def size(path: Path) -> int:
    """How long a file is."""
    return path.stat().st_size


async def save_all(path: Path, saves: Sequence[Changes]) -> list[int]:
    """Save one after the other; returns how long the file was after each, and at the beginning."""
    store = FileStore(path)
    lengths = [size(path)]
    for changes in saves:
        await store.save(changes)
        lengths.append(size(path))
    store.close()
    return lengths


async def test_what_is_saved_comes_back_after_it_is_opened_again(path: Path) -> None:
    await save_all(path, [[("a", b"1"), ("b", b"\x00\xff")], [("a", None)], [("c", b"")]])
    assert loaded(path) == {"b": b"\x00\xff", "c": b""}


@settings(max_examples=50)
@given(SAVES, st.data())
def test_a_journal_that_is_cut_anywhere_holds_what_was_confirmed_before_the_cut(
    saves: list[Changes], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "ven.state")
        lengths = anyio.run(save_all, path, saves)
        cut = data.draw(st.integers(0, lengths[-1]))
        os.truncate(path, cut)
        confirmed = sum(length <= cut for length in lengths[1:])
        assert loaded(path) == after(saves[:confirmed])
        assert loaded(path) == after(saves[:confirmed]), "what was left of a torn line spoils nothing later"


@settings(max_examples=30)
@given(SAVES, SAVES, st.data())
def test_a_journal_that_was_cut_is_written_on(first: list[Changes], second: list[Changes], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "ven.state")
        lengths = anyio.run(save_all, path, first)
        cut = data.draw(st.integers(0, lengths[-1]))
        os.truncate(path, cut)
        anyio.run(save_all, path, second)
        assert loaded(path) == after([*first[: sum(length <= cut for length in lengths[1:])], *second])


@pytest.mark.parametrize(
    "content",
    [b"something that matters\n", b"oadr state 2\n", b"\x00\n", b'[["a", "b"]]\n', b"SQLite format 3\x00", b"x"],
)
def test_a_file_of_something_else_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"ven\.state: this is no state file of a VEN"):
        FileStore(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "line", [b"garbage", b"{}x", b"7", b'["a"]', b'[["a", 5]]', b'[["a", "\\u00e9"]]', b"[" * 9999]
)
def test_a_damaged_line_is_named_and_the_file_left_alone(path: Path, line: bytes) -> None:
    content = b"oadr state 1\n[]\n" + line + b"\n[]\n"
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"ven\.state, line 3: the state is damaged"):
        FileStore(path)
    assert path.read_bytes() == content


async def test_a_long_history_is_forgotten(path: Path) -> None:
    store = FileStore(path)
    for number in range(300):
        await store.save([("a", b"%d" % number), ("b", b"same")])
        assert size(path) < 5_000
    store.close()
    assert loaded(path) == {"a": b"299", "b": b"same"}


async def test_the_old_journal_stays_until_the_new_one_is_complete(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut between any two steps of the rewriting leaves one that is right."""
    store = FileStore(path)
    await store.save([("a", b"1")])
    replace = Path.replace

    def watched(fresh: Path, target: Path) -> Path:
        for one, copy in ((target, "before"), (fresh, "after")):
            target.with_name(copy).write_bytes(one.read_bytes())
        return replace(fresh, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", watched)
        store._rewrite()
    store.close()
    assert loaded(path.parent / "before") == loaded(path.parent / "after") == {"a": b"1"}


def test_it_is_for_its_owner_alone_even_where_it_was_not(path: Path) -> None:
    FileStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    FileStore(path).close()
    assert {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()} == {0o600}


def test_a_link_stays_a_link(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    path.symlink_to("elsewhere/state")
    anyio.run(save_all, path, [[("a", b"1")]])
    assert path.is_symlink()
    assert loaded(path.parent / "elsewhere" / "state") == {"a": b"1"}


def test_it_belongs_to_one_process(path: Path) -> None:
    store = FileStore(path)
    with pytest.raises(OSError, match=r"ven\.state is in use by the process \d+"):
        FileStore(path)
    store.close()
    FileStore(path).close()


# --- a disk that fails -----------------------------------------------------------------------------------------------


class FullDisk:
    """A disk that takes a number of bytes more, and then no other; nor any write that is too large for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 10**9
        self.largest = 10**9
        self._pwrite = os.pwrite
        monkeypatch.setattr(file_store.os, "pwrite", self._write)

    def _write(self, descriptor: int, data: bytes, offset: int) -> int:
        if not self.room or len(data) > self.largest:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._pwrite(descriptor, data[: self.room], offset)
        self.room -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    """The disk."""
    return FullDisk(monkeypatch)


@pytest.mark.parametrize("room", [0, 1, 10, 40])
async def test_a_full_disk_refuses_a_save_and_spoils_nothing(path: Path, disk: FullDisk, room: int) -> None:
    store = FileStore(path)
    await store.save([("a", b"1")])
    disk.room = room
    for _ in range(3):
        with pytest.raises(OSError, match=r"No space left on device: '.*ven\.state'"):
            await store.save([("a", b"2" * 100)])
        assert store.load() == {"a": b"1"}
    disk.room = 10**9
    await store.save([("b", b"3")])
    store.close()
    assert loaded(path) == {"a": b"1", "b": b"3"}


async def test_a_disk_too_full_for_a_new_journal_keeps_the_old_one(path: Path, disk: FullDisk) -> None:
    store = FileStore(path)
    await store.save([("big", bytes(10_000))])
    disk.largest = 9_000  # the journal grows, but there is no room for a second
    for number in range(100):
        await store.save([("a", b"%d" % number)])
    store.close()
    disk.largest = 10**9
    assert loaded(path) == {"big": bytes(10_000), "a": b"99"}
    assert not path.with_name("ven.state.new").exists()


async def test_what_the_disk_may_not_have_is_not_confirmed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(path)
    await store.save([("a", b"1")])

    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(file_store.os, "fsync", broken)
        with pytest.raises(OSError, match="Input/output error"):
            await store.save([("a", b"2")])
    store.close()
    assert loaded(path) == {"a": b"1"}

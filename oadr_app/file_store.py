"""Storage of a VEN: a journal in a file."""

import base64
import json
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from oadr_app.locks import Lock

_HEAD: Final = b"oadr state 1\n"
"""The first line: says that the file is one of ours, and how to read it."""

_Changes = Sequence[tuple[str, bytes | None]]


class FileStore:
    """State in one file: a line for each save, written anew when most of it is history.

    A line that a power cut tore was never confirmed, and is left out when the journal is read.

    :param path: the file; made if it is not there. It belongs to one process at a time.
    :raises OSError: the file cannot be opened, is no such file, or is in use.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._blobs: dict[str, bytes] = {}
        self._changes = 0
        self._descriptor = -1
        self._end = 0
        self._renamed = False
        self._one_at_a_time: Final = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock: Final = Lock(path)
        try:
            if path.exists():
                self._read()
            self._rewrite()
            self._confirm_name()
        except OSError:
            self.close()
            raise

    def load(self) -> Mapping[str, bytes]:
        """Read all blobs."""
        return dict(self._blobs)

    async def save(self, changes: _Changes) -> None:
        """Make changes durable; see :class:`oadr_http.Store`."""
        with anyio.CancelScope(shield=True):  # whether something is stored must not stay unknown
            await anyio.to_thread.run_sync(self._append, changes)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._lock.release()

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        data = self.path.read_bytes()
        if not data.startswith(_HEAD[: len(data)]):
            raise OSError(f"{self.path}: this is no state file of a VEN")
        lines = data.split(b"\n")[1:-1]  # behind the last line break there is nothing, or a torn line
        for number, line in enumerate(lines, 2):
            try:
                self._apply(_changes_in(line))
            except (ValueError, TypeError, RecursionError):
                raise OSError(f"{self.path}, line {number}: the state is damaged") from None

    def _apply(self, changes: _Changes) -> None:
        for key, blob in changes:
            self._changes += 1
            if blob is None:
                self._blobs.pop(key, None)
            else:
                self._blobs[key] = blob

    # --- writing -----------------------------------------------------------------------------------------------------

    def _append(self, changes: _Changes) -> None:
        with self._one_at_a_time:
            line = _line(changes)
            try:
                os.ftruncate(self._descriptor, self._end)  # half a line that could not be taken back before
                _write_at(self._descriptor, self._end, line)
                os.fsync(self._descriptor)
                self._confirm_name()
            except OSError as error:
                with suppress(OSError):
                    os.ftruncate(self._descriptor, self._end)
                raise OSError(error.errno, error.strerror, str(self.path)) from None
            self._end += len(line)
            self._apply(changes)
            if self._changes > 64 + 4 * len(self._blobs):
                with suppress(OSError):  # the old journal is as right as a new one, only longer
                    self._rewrite()

    def _rewrite(self) -> None:
        """Write the journal anew, and put it in the place of the old one in one step."""
        target = self.path.resolve()  # the name may be a link, and stays one
        fresh = target.with_name(target.name + ".new")
        content = _HEAD + (_line(list(self._blobs.items())) if self._blobs else b"")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            _write_at(descriptor, 0, content)
            os.fsync(descriptor)
            fresh.replace(target)
        except OSError:
            os.close(descriptor)
            with suppress(OSError):  # the room that it takes is needed more elsewhere
                fresh.unlink(missing_ok=True)
            raise
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._end, self._changes, self._renamed = descriptor, len(content), len(self._blobs), True

    def _confirm_name(self) -> None:
        """Make the renaming durable: until then a power cut may bring back the old journal."""
        if self._renamed:
            _sync_folder(self.path.resolve().parent)
            self._renamed = False


def _line(changes: _Changes) -> bytes:
    shown = [[key, None if blob is None else base64.b85encode(blob).decode()] for key, blob in changes]
    return json.dumps(shown).encode() + b"\n"


def _changes_in(line: bytes) -> list[tuple[str, bytes | None]]:
    return [(str(key), None if text is None else base64.b85decode(text)) for key, text in json.loads(line)]


def _write_at(descriptor: int, offset: int, data: bytes) -> None:
    """Write all of it: a disk that is almost full takes a part, and only then refuses."""
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], offset + written)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""One process for a state file: two that wrote to one would each undo what the other has saved."""

import fcntl
import os
from pathlib import Path
from typing import Final


class Lock:
    """Keeps other processes from a file while it is held; the kernel gives it back when the process ends, however.

    :param path: the file. The lock is a file beside it, which stays there: the file itself may be replaced by another.
    :raises OSError: another process has it; the text says which.
    """

    def __init__(self, path: Path) -> None:
        beside = path.with_name(path.name + ".lock")
        self._descriptor: Final = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise OSError(f"{path} is in use by the process {holder}; give this one a state file of its own") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others have the file."""
        os.close(self._descriptor)

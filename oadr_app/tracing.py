"""Writing a trace of exchanges to a file, and telling one from a message."""

import os
from pathlib import Path
from typing import Final

from oadr_core import RecordedExchange
from oadr_driver.logs import logger

_LOG: Final = logger("oadr.trace")


class TraceFile:
    """A trace in a file, a line of JSON for each exchange; what is there already stays.

    :param path: the file; made if it is not there, for its owner alone.
    :raises OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __call__(self, exchange: RecordedExchange) -> None:
        """Write an exchange. What it is a trace of goes on where that fails, and the trace ends."""
        if self._descriptor < 0:
            return
        try:
            line = exchange.dump()
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError as error:
            _LOG.error("the trace %s ends here: %s", self._path, error.strerror)
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def is_trace(data: bytes) -> bool:
    """Whether a file holds a trace, and not a message."""
    return data.lstrip()[:1] == b"{"


def read_trace(data: bytes) -> list[RecordedExchange]:
    """Read a trace.

    :raises ValueError: a line is no exchange; the text says which.
    """
    found = []
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            try:
                found.append(RecordedExchange.load(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    return found

"""Logs in which a traceback cannot forge a line: what a peer has said may be in the text of an exception."""

import logging
import traceback
from typing import Final

from oadr_core import printable

_MARGIN: Final = "  | "
"""Stands before each line of a traceback, so that none of them looks like a line of the log."""

_LONGEST: Final = 1000
"""Lines of a traceback: an exception may hold as many as a peer likes. The last ones say what has happened."""


def logger(name: str) -> logging.Logger:
    """Find a logger whose tracebacks are fit for a log; see :func:`traced`.

    :param name: its name, such as ``oadr.http``.
    """
    found = logging.getLogger(name)
    if not any(isinstance(one, _FitTracebacks) for one in found.filters):
        found.addFilter(_FitTracebacks())
    return found


class _FitTracebacks(logging.Filter):
    """Writes the traceback of a record before a formatter does; the exception itself stays with the record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        if record.exc_info and record.exc_info[1] is not None and not record.exc_text:
            record.exc_text = traced(record.exc_info[1])
        return True


def traced(error: BaseException) -> str:
    """Write a traceback, with a margin before each line and nothing in it that commands a terminal."""
    lines = "".join(traceback.format_exception(error)).rstrip("\n").split("\n")
    left_out = len(lines) - _LONGEST
    if left_out > 0:
        lines = [*lines[: _LONGEST // 2], f"… {left_out} lines", *lines[-_LONGEST // 2 :]]
    return "\n".join(_MARGIN + printable(line) for line in lines)

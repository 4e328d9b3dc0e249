"""How a peer's process talks with the test: commands come in, and what happens goes out, both as lines of JSON.

Whatever the peer logs at WARNING and above goes out as well, and so do exceptions that nobody awaits. This runs in the
peer's environment and imports nothing of ours.
"""

import asyncio
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Command = Callable[..., Awaitable[None] | None]


class Talk:
    """Says what happens on standard output, and does what standard input asks for.

    What the peer itself prints (banners) goes nowhere.
    """

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._lock = threading.Lock()
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for as long as the process lives
        logging.getLogger().addHandler(_Log(self))
        logging.captureWarnings(True)

    def say(self, told: str, **details: object) -> None:
        """Tell the test that something has happened."""
        line = json.dumps({"told": told, **details}, default=_plain)
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()

    def log(self, level: str, text: str, logger: str) -> None:
        """Tell the test what is in the log."""
        self.say("log", level=level, text=text, logger=logger)

    async def obey(self, commands: Mapping[str, Command]) -> None:
        """Do what the test asks for, one after the other, until it closes standard input.

        Each command is confirmed with ``done``, or with ``failed`` if it raised.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unawaited)
        lines: asyncio.Queue[str] = asyncio.Queue()
        threading.Thread(target=_read, args=(loop, lines), daemon=True).start()
        while line := await lines.get():
            given: dict[str, Any] = json.loads(line)
            number, name = given.pop("number"), given.pop("do")
            try:
                result = commands[name](**given)
                if asyncio.iscoroutine(result):
                    result = await result
            except Exception as error:
                self.say("failed", number=number, error=f"{type(error).__name__}: {error}", at=traceback.format_exc())
            else:
                self.say("done", number=number)

    def _unawaited(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        where = "" if error is None else "".join(traceback.format_exception(error))
        self.log("ERROR", f"{context['message']}: {error!r}\n{where}", "asyncio")


class _Log(logging.Handler):
    """Takes what the peer logs at WARNING and above."""

    def __init__(self, talk: Talk) -> None:
        super().__init__(logging.WARNING)
        self._talk = talk

    def emit(self, record: logging.LogRecord) -> None:
        where = "" if record.exc_info is None else "\n" + "".join(traceback.format_exception(*record.exc_info))
        self._talk.log(record.levelname, record.getMessage() + where, record.name)


def _read(loop: asyncio.AbstractEventLoop, lines: "asyncio.Queue[str]") -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    loop.call_soon_threadsafe(lines.put_nowait, "")


def _plain(value: object) -> object:
    """Times as ISO text in UTC, durations as seconds, everything else as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)

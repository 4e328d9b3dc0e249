"""A program that runs no longer than we do, however we end."""

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

# The program has a shell beside it that reads from a pipe of ours which signals to send to it. The system closes the
# pipe when we end, by SIGKILL as well, and with the pipe ends the program.
_SCRIPT: Final = """
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ while read -r signal; do kill -s "$signal" "$program"; done; kill -s KILL "$program"; } <&3 >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$program"
status=$?
kill -s KILL "$watcher"
exit "$status"
"""

_AT_ONCE: Final = 10.0
"""Seconds in which a process is gone that was killed."""


class Tied:
    """A program that runs until it is stopped, or we end.

    :param command: the program and its arguments.
    :param environment: variables that it has beside ours.
    :ivar output: the lines that it has written.
    :ivar session: the session (of POSIX) that its processes are in, and no others.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.output: Final[list[str]] = []
        self._process: Final = subprocess.Popen(  # noqa: S603 - the script is ours, and runs what the caller says
            ["/bin/sh", "-c", _SCRIPT, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        self.session: Final = self._process.pid
        self._silent = False
        self._heard: Final = threading.Condition()
        self._reader: Final = threading.Thread(target=self._read, name=f"output of {command[0]}", daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def says(self, texts: Iterable[str], *, patience: float, unless: str | None = None) -> bool:
        """Wait until it has said something; returns whether it has.

        :param texts: each of them stands in a line of its own.
        :param patience: for how many seconds it is awaited.
        :param unless: what is said where there is nothing to wait for any more.
        """
        wanted = list(texts)

        def found(text: str) -> bool:
            return any(text in line for line in self.output)

        with self._heard:
            self._heard.wait_for(
                lambda: self._silent or all(map(found, wanted)) or (unless is not None and found(unless)), patience
            )
            return all(map(found, wanted))

    def stop(self, patience: float) -> None:
        """Have it end; kill it where it does not.

        :param patience: seconds in which it has to end.
        """
        self._ends(self._ask_to_end, patience)
        self.kill()

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self._process.stdin is not None
        self._ends(self._process.stdin.close, _AT_ONCE)
        self._reader.join(_AT_ONCE)

    def _ask_to_end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("TERM\n")
        self._process.stdin.flush()

    def _ends(self, how: Callable[[], None], patience: float) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):  # it has ended by itself, or is stopped already
            how()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with self._heard:
                    self.output.append(line.rstrip())
                    self._heard.notify_all()
        with self._heard:
            self._silent = True
            self._heard.notify_all()

"""A process of its own that is asked things: one JSON object a line each way."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from bench.figures import WrongAnswer

ROOT: Final = Path(__file__).resolve().parent.parent
PEERS: Final = Path(__file__).resolve().parent / "peers"
_PEER: Final = Path(os.environ.get("OADR_PEER", ROOT / ".venv-openleadr"))


def peer_python() -> Path | None:
    """The interpreter of the environment in which OpenLEADR is installed, if there is one."""
    python = _PEER / "bin" / "python"
    return python if python.exists() else None


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """Have processes that are started meanwhile run on one core, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[number % len(before)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Worker:
    """A process that answers questions until it is closed.

    :param command: what it runs; it says a line when it is ready.
    """

    def __init__(self, command: Sequence[str]) -> None:
        hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        self._command = " ".join(command)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if key not in hidden},
            text=True,
        )
        self.greeting: Final = self._line()

    def ask(self, what: str, **details: object) -> Any:
        """Ask something, and wait for the answer.

        :raises WrongAnswer: it has ended, or says that it cannot.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **details}) + "\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WrongAnswer(f"{self._command} has ended with status {self._process.wait()}")
        return json.loads(line)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Have it end; it does when its input ends."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def ours(module: str, *arguments: str) -> Worker:
    """Start a module of this package in a process of its own."""
    return Worker([sys.executable, "-m", module, *arguments])

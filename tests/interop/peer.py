"""A real peer in a process of its own: starting it, telling it what to do, and waiting for what it tells."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from oadr_driver.groups import alone
from tests.interop.watch import PATIENCE, Watch

Told = dict[str, Any]
"""Something that a peer tells: what it is under ``told``, and the particulars."""

SCRIPTS: Final = Path(__file__).resolve().parent / "peers"

_LONGEST_LINE: Final = 10_000_000
_HIDDEN: Final = ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "VIRTUAL_ENV")
"""What in our environment concerns our interpreter, and not that of the peer."""


class Peer(Watch):
    """A peer's process.

    :param process: the process.
    :param script: what it runs, one of :data:`SCRIPTS`.
    """

    def __init__(self, process: anyio.abc.Process, script: str) -> None:
        super().__init__()
        self._process = process
        self._script = script
        self._lines: list[Told] = []
        self._number = 0
        self._ended = False

    async def read_output(self) -> None:
        """Take what it tells, until it ends."""
        assert self._process.stdout is not None
        async for line in _lines(self._process.stdout):
            self._take(json.loads(line))
        self._ended = True
        self._ring()

    async def read_errors(self) -> None:
        """Take what it writes to standard error, which has gone past its log, and is worse."""
        assert self._process.stderr is not None
        async for line in _lines(self._process.stderr):
            self._take({"told": "log", "level": "ERROR", "logger": "stderr", "text": line.decode()})

    def _take(self, told: Told) -> None:
        self._lines.append(told)
        self._ring()

    # --- what it has told --------------------------------------------------------------------------------------------

    def told(self, kind: str, **like: object) -> list[Told]:
        """What it has told so far, of a kind and with some particulars."""
        return [one for one in self._lines if one["told"] == kind and like.items() <= one.items()]

    async def tells(self, kind: str, *, times: int = 1, within: float = PATIENCE, **like: object) -> Told:
        """Wait until it has told something, now or before.

        :param kind: what is waited for.
        :param times: how often it must have been told.
        :param within: seconds it may take.
        :param like: particulars that it must have.
        :returns: the last one that was waited for.
        """
        try:
            await self.until(lambda: len(self.told(kind, **like)) >= times, f"{kind} {like} × {times}", within)
        except AssertionError as error:
            raise AssertionError(f"{error}; the peer {self._script} has told:\n{self.story()}") from None
        return self.told(kind, **like)[times - 1]

    def log(self) -> list[str]:
        """What it has logged at WARNING and above, but not that its scheduler was late: a busy machine makes it so."""
        told = [
            one for one in self.told("log") if one["level"] != "WARNING" or not one["logger"].startswith("apscheduler.")
        ]
        return [f"{one['level']} {one['logger']}: {one['text']}" for one in told]

    def story(self) -> str:
        """All that it has told, in short, for people."""
        return "\n".join(str({key: value for key, value in one.items() if key != "xml"})[:300] for one in self._lines)

    # --- what it is told ---------------------------------------------------------------------------------------------

    async def do(self, command: str, **details: object) -> None:
        """Have it do something, and wait until it is done.

        :raises AssertionError: it failed, or did not do it in time.
        """
        assert self._process.stdin is not None
        self._number += 1
        number = self._number
        await self._process.stdin.send(json.dumps({"do": command, "number": number, **details}).encode() + b"\n")
        await self.until(
            lambda: self.told("done", number=number) or self.told("failed", number=number) or self._ended,
            f"{command}; the peer {self._script} has told:\n{self.story()}",
        )
        assert self.told("done", number=number), f"{command} failed:\n{self.story()}"

    # --- its end -----------------------------------------------------------------------------------------------------

    async def end(self) -> None:
        """Have it end by itself, and wait until it has; one that does not is ended with :meth:`kill`."""
        assert self._process.stdin is not None
        await self._process.stdin.aclose()
        with anyio.move_on_after(PATIENCE):
            await self._process.wait()
            return
        await self.kill()

    async def kill(self) -> None:
        """End it at once, as a power cut would."""
        with suppress(ProcessLookupError):
            self._process.kill()
        with anyio.CancelScope(shield=True):
            await self._process.wait()


@asynccontextmanager
async def running_peer(python: Path, script: str) -> AsyncIterator[Peer]:
    """Run a peer while the body runs.

    :param python: the interpreter of the peer's environment.
    :param script: what it runs, one of :data:`SCRIPTS`.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _HIDDEN}
    process = await anyio.open_process([str(python), str(SCRIPTS / script)], env=environment)
    peer = Peer(process, script)
    with alone():
        async with process, anyio.create_task_group() as group:
            group.start_soon(peer.read_output)
            group.start_soon(peer.read_errors)
            try:
                yield peer
                await peer.end()
            finally:
                await peer.kill()


async def _lines(stream: anyio.abc.ByteReceiveStream) -> AsyncIterator[bytes]:
    buffered = BufferedByteReceiveStream(stream)
    with suppress(anyio.IncompleteRead, anyio.ClosedResourceError):
        while True:
            yield await buffered.receive_until(b"\n", _LONGEST_LINE)

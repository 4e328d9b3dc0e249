"""A real peer in a process of its own: starting it, telling it what to do, and waiting for what it tells."""

import json
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio

Told = dict[str, Any]
"""Something that a peer tells: what it is under ``told``, and the particulars."""

SCRIPTS: Final = Path(__file__).resolve().parent / "peers"

PATIENCE: Final = 20.0
"""Seconds that something may take which should happen at once or with the next poll; a busy machine is slow."""


async def eventually(condition: Callable[[], object], what: str, within: float = PATIENCE) -> None:
    """Wait until a condition holds.

    :param condition: looked at again and again.
    :param what: what is waited for, in words.
    :param within: seconds it may take.
    :raises AssertionError: it did not hold in time.
    """
    with anyio.move_on_after(within):
        while not condition():  # noqa: ASYNC110 - another process tells
            await anyio.sleep(0.02)
        return
    raise AssertionError(f"not within {within} seconds: {what}")


class Peer:
    """A peer's process.

    :param python: the interpreter of the peer's environment.
    :param script: what it runs, one of :data:`SCRIPTS`.
    """

    def __init__(self, python: Path, script: str) -> None:
        hidden = ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "VIRTUAL_ENV")
        self._script = script
        self._told: list[Told] = []
        self._number = 0
        self._process = subprocess.Popen(
            [str(python), str(SCRIPTS / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={key: value for key, value in os.environ.items() if key not in hidden},
        )
        self._readers = [threading.Thread(target=one, daemon=True) for one in (self._read_lines, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._told.append(json.loads(line))

    def _read_errors(self) -> None:
        """What the peer writes to standard error has not gone through its log, and is worse."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._told.append({"told": "log", "level": "ERROR", "logger": "stderr", "text": line.decode()})

    # --- what it has told --------------------------------------------------------------------------------------------

    def told(self, kind: str, **like: object) -> list[Told]:
        """What it has told so far, of a kind and with some particulars."""
        return [one for one in list(self._told) if one["told"] == kind and like.items() <= one.items()]

    async def tells(self, kind: str, *, times: int = 1, within: float = PATIENCE, **like: object) -> Told:
        """Wait until it has told something, now or before.

        :param kind: what is waited for.
        :param times: how often it must have been told.
        :param within: seconds it may take.
        :param like: particulars that it must have.
        :returns: the last one that was waited for.
        """
        try:
            await eventually(lambda: len(self.told(kind, **like)) >= times, f"{kind} {like} × {times}", within)
        except AssertionError as error:
            raise AssertionError(f"{error}; the peer {self._script} has told:\n{self.story()}") from None
        return self.told(kind, **like)[times - 1]

    def log(self, *allowed: str) -> list[str]:
        """What it has logged at WARNING and above.

        :param allowed: texts; lines that contain one are left out.
        """
        lines = [f"{one['level']} {one['logger']}: {one['text']}" for one in self.told("log")]
        return [line for line in lines if not any(one in line for one in allowed)]

    def story(self) -> str:
        """All that it has told, in short, for people."""
        return "\n".join(str({key: value for key, value in one.items() if key != "xml"})[:300] for one in self._told)

    # --- what it is told ---------------------------------------------------------------------------------------------

    async def do(self, command: str, **details: object) -> None:
        """Have it do something, and wait until it is done.

        :raises AssertionError: it failed, or did not do it in time.
        """
        assert self._process.stdin is not None
        self._number += 1
        number = self._number
        self._process.stdin.write(json.dumps({"do": command, "number": number, **details}).encode() + b"\n")
        self._process.stdin.flush()
        await eventually(
            lambda: self.told("done", number=number) or self.told("failed", number=number) or self._has_ended,
            f"{command}; the peer {self._script} has told:\n{self.story()}",
        )
        assert self.told("done", number=number), f"{command} failed:\n{self.story()}"

    @property
    def _has_ended(self) -> bool:
        return self._process.poll() is not None

    # --- its end -----------------------------------------------------------------------------------------------------

    async def end(self) -> None:
        """Have it end by itself; kill it if it does not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with anyio.CancelScope(shield=True):
            try:
                await eventually(lambda: self._has_ended, "its end", 5.0)
            except AssertionError:
                self._process.kill()
        self.kill()

    def kill(self) -> None:
        """End it at once, as a power cut would, and free what it held."""
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()


@asynccontextmanager
async def running_peer(python: Path, script: str) -> AsyncIterator[Peer]:
    """Start a peer, and end it."""
    peer = Peer(python, script)
    try:
        yield peer
    except BaseException:
        peer.kill()
        raise
    await peer.end()


def texts(told: Sequence[Told], key: str) -> list[str]:
    """One particular of several things told."""
    return [str(one[key]) for one in told]

"""A VTN as a process of its own, which the demo starts, watches, and starts again if it dies."""

import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread

from oadr_app.control import ControlError, ask

_PAUSE: Final = 0.2
"""Seconds between questions to the VTN."""


class ChildFailed(Exception):
    """The VTN does not start; the text says what it said."""


class VtnChild:
    """A VTN in a process of its own, with its state in a folder.

    It ends with us, however we end, as its standard input closes then. Ctrl-C at the terminal reaches us alone.

    :param folder: the folder.
    :param note: takes what there is to tell, a line at a time; called from any thread.
    :param more: what its configuration holds beside the usual, as tables of TOML.
    :ivar status: what it has told last; empty until it has told anything.
    """

    def __init__(self, folder: Path, note: Callable[[str], None], more: str = "") -> None:
        self.status: dict[str, Any] = {}
        self._folder: Final = folder
        self._note = note
        self._more = more
        self._said: deque[str] = deque(maxlen=5)
        self._answered = False
        self._reader = threading.Thread()
        self._process = self._start()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Where it listens; empty until that is known."""
        return str(self.status.get("url", ""))

    def _start(self) -> subprocess.Popen[str]:
        config = self._folder / "vtn.toml"
        config.write_text(
            'vtn_id = "Demo-VTN"\nstate = "vtn.sqlite"\npoll = "1s"\nanswer_timeout = "5s"\n'
            f'[http]\nport = {self._port()}\n[reports]\nsampling = "1s"\n{self._more}'
        )
        self._answered = False
        process = subprocess.Popen(  # noqa: S603 - it is ourselves
            [sys.executable, "-m", "oadr_app", "vtn", "--config", str(config), "--quiet", "--until-input-ends"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()
        return process

    def _port(self) -> int:
        """The same port as before, so that the VENs find a VTN that was started again."""
        return int(self.url.split(":")[2].split("/")[0]) if self.url else 0

    def _read(self, process: subprocess.Popen[str]) -> None:
        """Pass on what it says of trouble."""
        assert process.stderr is not None
        for line in process.stderr:
            _, _, text = line.rstrip().partition(" WARNING ")
            self._said.append(line.rstrip().removeprefix("oadr: "))
            if text:
                self._note(f"the VTN says: {text.strip()}")

    # --- watching ----------------------------------------------------------------------------------------------------

    async def watch(self, started: Callable[[], None], changed: Callable[[], None]) -> None:
        """Keep the status fresh, and start it again if it dies.

        :param started: is called each time that it has begun to answer.
        :param changed: is called each time that it has answered.
        :raises ChildFailed: it ends by itself before it answers.
        """
        while True:
            status = self._process.poll()
            if status is not None:
                self._begin_again(status)
            with suppress(ControlError):
                self.status = await self.ask("status")
                if not self._answered:
                    self._answered = True
                    started()
                changed()
            await anyio.sleep(_PAUSE)

    def _begin_again(self, status: int) -> None:
        self._reader.join(1)
        if status >= 0 and not self._answered:
            raise ChildFailed(f"the VTN does not start: {'; '.join(self._said) or f'exit status {status}'}")
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
        self._note(f"the VTN ended {how}; it is started again from its state")
        self._close()
        self._process = self._start()

    async def ask(self, command: str, **content: object) -> Any:
        """Ask it for something.

        :raises ControlError: it does not answer, or refuses.
        """
        return await anyio.to_thread.run_sync(lambda: ask(self._folder / "vtn.sock", command, **content))

    def stop(self) -> None:
        """Stop it, and wait until it has stopped."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join(1)
        for stream in (self._process.stdin, self._process.stderr):
            if stream is not None:
                stream.close()

"""``oadr demo``: a VTN and three VENs that behave differently, an event, and what came of it.

The VTN is a process of its own; all that is shown and summed up comes from what it has stored.
"""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from oadr_app import views
from oadr_app.config import Load, VenFile
from oadr_app.control import ControlError, ask
from oadr_app.periods import Period
from oadr_app.stores import SqliteStore
from oadr_app.ven import VenProgram
from oadr_core import EiEvent, VenRecord
from oadr_http import MemoryStore

_SHORTEST: Final = 8
"""Seconds that the demo needs at least."""


class _Behaviour:
    """How one of the VENs behaves.

    :ivar name: its name.
    :ivar says: what it does, in words.
    :ivar kilowatt: what its load takes.
    :ivar opt: what it answers; None lets everybody wait.
    """

    def __init__(self, name: str, says: str, kilowatt: float, opt: str | None) -> None:
        self.name: Final = name
        self.says: Final = says
        self.kilowatt: Final = kilowatt
        self.opt: Final = opt


_BEHAVIOURS: Final = (
    _Behaviour("cold-store", "takes part", 40.0, "optIn"),
    _Behaviour("bakery", "stays out", 25.0, "optOut"),
    _Behaviour("pump-station", "does not answer", 60.0, None),
)


class Demo:
    """The demo.

    :param seconds: how long it runs.
    :param as_json: print for machines: first where the VTN is, last what came of it.
    :param folder: where the VTN keeps its state; a temporary folder if None.
    """

    def __init__(self, seconds: float, *, as_json: bool, folder: Path | None = None) -> None:
        self.seconds: Final = max(seconds, _SHORTEST)
        self._json = as_json
        self._kept = folder
        self._console = Console(stderr=as_json)
        self._vtn: subprocess.Popen[bytes] | None = None
        self._restarts = 0
        self._status: Mapping[str, Any] = {"url": "", "vens": [], "events": []}
        self._notes: list[str] = []

    def run(self) -> int:
        """Run it; returns the exit status."""
        with tempfile.TemporaryDirectory(prefix="oadr-demo-") as temporary:
            folder = self._kept or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            try:
                anyio.run(self._play, folder, backend="trio")
            finally:
                self._stop_vtn()
            return self._sum_up(folder)

    # --- the VTN -----------------------------------------------------------------------------------------------------

    def _start_vtn(self, folder: Path) -> None:
        config = folder / "vtn.toml"
        port = self._port()
        config.write_text(
            'vtn_id = "Demo-VTN"\nstate = "vtn.sqlite"\npoll = "1s"\nanswer_timeout = "5s"\n'
            f'[http]\nport = {port}\n[reports]\nsampling = "1s"\n'
        )
        command = [sys.executable, "-m", "oadr_app", "vtn", "--config", str(config), "--quiet"]
        self._vtn = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)  # noqa: S603

    def _port(self) -> int:
        """The same port as before, so that the VENs find a VTN that was started again."""
        url = str(self._status["url"])
        return int(url.split(":")[2].split("/")[0]) if url else 0

    def _stop_vtn(self) -> None:
        if self._vtn is not None:
            self._vtn.send_signal(signal.SIGTERM)
            try:
                self._vtn.wait(10)
            except subprocess.TimeoutExpired:
                self._vtn.kill()

    async def _watch_vtn(self, folder: Path) -> None:
        """Keep the status fresh, and start the VTN again if it dies."""
        socket = folder / "vtn.sock"
        while True:
            if self._vtn is not None and self._vtn.poll() is not None:
                self._restarts += 1
                self._note(f"the VTN died (exit status {self._vtn.returncode}); it is started again from its state")
                self._start_vtn(folder)
            with suppress(ControlError):
                self._status = await anyio.to_thread.run_sync(lambda: ask(socket, "status"))
            await anyio.sleep(0.2)

    # --- the play ----------------------------------------------------------------------------------------------------

    async def _play(self, folder: Path) -> None:
        began = anyio.current_time()
        self._start_vtn(folder)
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch_vtn, folder)
            await _until(lambda: self._status["url"])
            self._tell_where()
            for behaviour in _BEHAVIOURS:
                group.start_soon(self._ven, behaviour)
            group.start_soon(self._operator, folder, began)
            await self._show(began)
            group.cancel_scope.cancel()

    def _tell_where(self) -> None:
        if self._json:
            assert self._vtn is not None
            print(json.dumps({"vtn": {"pid": self._vtn.pid, "url": self._status["url"]}}), flush=True)

    async def _ven(self, behaviour: _Behaviour) -> None:
        file = VenFile(
            name=behaviour.name,
            vtn=str(self._status["url"]),
            opt=behaviour.opt or "optOut",
            poll=Period(seconds=1),
            sampling=Period(seconds=1),
            loads=[Load(resource=behaviour.name, kilowatt=behaviour.kilowatt, responds=0.25)],
        )

        decide = _wait_for_ever if behaviour.opt is None else None
        async with VenProgram(file, store=MemoryStore(), decide=decide).running():
            await anyio.sleep_forever()

    async def _operator(self, folder: Path, began: float) -> None:
        """Send an event once everybody is there: it begins soon, and ends before the demo does."""
        await _until(lambda: sum(one["reports"] > 0 for one in self._status["vens"]) == len(_BEHAVIOURS))
        left = self.seconds - (anyio.current_time() - began)
        start, length = max(left * 0.25, 1.0), max(left * 0.4, 2.0)
        event = {
            "event_descriptor": {"event_id": "shed-load", "vtn_comment": "a hot afternoon"},
            "event_signals": [
                {
                    "signal_name": "SIMPLE",
                    "signal_type": "level",
                    "intervals": [{"duration": f"PT{int(length)}S", "signal_payload": 2}],
                }
            ],
            "active_period": {"dtstart": _after(start), "notification": f"PT{int(start)}S"},
        }
        while True:
            try:
                await anyio.to_thread.run_sync(lambda: ask(folder / "vtn.sock", "event/create", event=event))
            except ControlError as error:
                if "already" in str(error):  # it was made, and the answer was lost with the VTN
                    break
                await anyio.sleep(0.2)
            else:
                break
        self._note(f"the operator asks everybody to shed load in {start:.0f} s, for {int(length)} s")

    def _note(self, text: str) -> None:
        self._notes.append(text)
        if self._json or not self._console.is_terminal:
            self._console.print(text, highlight=False)

    # --- what is shown -----------------------------------------------------------------------------------------------

    async def _show(self, began: float) -> None:
        if self._json or not self._console.is_terminal:
            await anyio.sleep_until(began + self.seconds)
            return
        with Live(console=self._console, refresh_per_second=5, screen=False) as live:
            while (passed := anyio.current_time() - began) < self.seconds:
                live.update(self._view(passed))
                await anyio.sleep(0.2)
            live.update(self._view(self.seconds))

    def _view(self, passed: float) -> RenderableType:
        event = next(iter(self._status["events"]), None)
        by_name = {one["name"]: one for one in self._status["vens"]}
        answers = {one.get("ven_name"): one for one in event["vens"]} if event else {}
        table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
        for heading in ("VEN", "registered", "answer", "readings", "kW", ""):
            table.add_column(heading, justify="right" if heading in ("readings", "kW") else "left", no_wrap=True)
        for behaviour in _BEHAVIOURS:
            ven = by_name.get(behaviour.name)
            newest = ven["newest"] if ven else []
            table.add_row(
                Text.assemble(behaviour.name, "\n", (behaviour.says, "dim")),
                Text("✓ yes", style="green") if ven else Text("… not yet", style="yellow"),
                views.opt(answers[behaviour.name]) if behaviour.name in answers else Text("–", style="dim"),
                str(ven["readings"]) if ven else "–",
                f"{newest[-1]:.1f}" if newest else "–",
                Text(views.sparkline(newest, 16), style="cyan"),
            )
        status = views.events([event]) if event else Text("no event yet", style="dim")
        notes = [Text(f"• {one}", style="dim") for one in self._notes[-3:]]
        bar = ProgressBar(total=self.seconds, completed=passed, width=60)
        title = f"OpenADR demo – VTN at {self._status['url'] or '…'}"
        return Panel(Group(table, Text(), status, Text(), *notes, bar), title=title, padding=(1, 2))

    # --- what came of it ---------------------------------------------------------------------------------------------

    def _sum_up(self, folder: Path) -> int:
        """Read the VTN's storage, now that it has stopped, and say what it holds."""
        store = SqliteStore(folder / "vtn.sqlite")
        try:
            records = [VenRecord.load(blob) for key, blob in store.load().items() if key.startswith("ven/")]
            counts = store.count_readings()
        finally:
            store.close()
        vens = [_result(behaviour, records, counts) for behaviour in _BEHAVIOURS]
        expected = [behaviour.opt for behaviour in _BEHAVIOURS]
        ok = all(one["registered"] and one["readings"] > 0 for one in vens) and [one["opt"] for one in vens] == expected
        if self._json:
            print(json.dumps({"ok": ok, "seconds": self.seconds, "vens": vens, "restarts": self._restarts}), flush=True)
        else:
            self._print_summary(vens, ok=ok)
        return 0 if ok else 1

    def _print_summary(self, vens: list[dict[str, Any]], *, ok: bool) -> None:
        self._console.print()
        self._console.print("What the VTN has stored:", style="bold")
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for heading in ("VEN", "registered", "answer to the event", "readings"):
            table.add_column(heading, justify="right" if heading == "readings" else "left")
        for one in vens:
            answer = views.opt({"opt": one["opt"]}) if one["opt"] else Text("none in time", style="yellow")
            registered = Text("✓ yes", style="green") if one["registered"] else Text("✗ no", style="red")
            table.add_row(one["name"], registered, answer, str(one["readings"]))
        self._console.print(table)
        verdict = "✓ as it should be" if ok else "✗ something is missing"
        self._console.print(verdict, style="green" if ok else "red")


async def _until(condition: Callable[[], object]) -> None:
    """Wait for something that the VTN says when it is asked, as it is now and then."""
    while not condition():  # noqa: ASYNC110 - nobody else can set an event for it
        await anyio.sleep(0.05)


async def _wait_for_ever(event: EiEvent) -> None:  # noqa: ARG001 - the name says what a handler wants
    """Leave the VTN without an answer."""
    await anyio.sleep_forever()


def _result(behaviour: _Behaviour, records: list[VenRecord], counts: Mapping[str, int]) -> dict[str, Any]:
    """What the VTN has stored of one VEN."""
    record = next((one for one in records if one.ven_name == behaviour.name), None)
    if record is None:
        return {"name": behaviour.name, "registered": False, "opt": None, "readings": 0}
    opts = [str(one.opt_type) for one in record.standings if one.opt_type is not None]
    return {
        "name": behaviour.name,
        "registered": True,
        "opt": opts[-1] if opts else None,
        "readings": counts.get(record.ven_id, 0),
    }


def _after(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

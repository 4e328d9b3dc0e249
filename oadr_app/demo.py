"""``oadr demo``: a VTN and three VENs that behave differently, an event, and what came of it.

The VENs poll over HTTP, or use the way that was asked for, or each has another. The VTN is a process of its own; all
that is shown and summed up comes from what it has stored.
"""

import json
import logging
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import anyio
from rich.console import RenderableType
from rich.live import Live

from oadr_app import demo_views
from oadr_app.checked import ConfigError
from oadr_app.child import VtnChild
from oadr_app.config import Load, Profile, VenFile, VenPush, Way
from oadr_app.control import ControlError
from oadr_app.demo_views import Behaviour
from oadr_app.local_prosody import COMPONENT, DOMAIN, LocalProsody
from oadr_app.periods import Period
from oadr_app.sqlite_store import SqliteStore
from oadr_app.terminal import console
from oadr_app.ven import VenProgram
from oadr_app.xmpp_config import VenXmpp
from oadr_core import EiEvent, Event, EventRecord, OptType, VenRecord, log_line
from oadr_driver.groups import alone
from oadr_http import PREFIX, MemoryStore

_SHORTEST: Final = 8.0
"""Seconds that the demo needs at least."""

_LONGEST_WAIT: Final = timedelta(seconds=1)
"""How long a VEN waits before it tries again: a VTN that was killed is back soon, and the event is short."""

_EVENT: Final = "shed-load"

_BEHAVIOURS: Final = (
    Behaviour("cold-store", "takes part", 40.0, OptType.OPT_IN),
    Behaviour("bakery", "stays out", 25.0, OptType.OPT_OUT),
    Behaviour("pump-station", "does not answer", 60.0, None),
)


_ALL_PULL: Final = (Way.PULL,) * len(_BEHAVIOURS)


class Demo:
    """The demo.

    :param seconds: how long it runs.
    :param ways: how the VENs and the VTN reach each other, a way for each VEN.
    :param as_json: print for machines: where the VTN is each time that it starts, and last what came of it.
    :param folder: where the VTN keeps its state; a temporary folder if None.
    """

    def __init__(
        self, seconds: float, ways: Sequence[Way] = _ALL_PULL, *, as_json: bool, folder: Path | None = None
    ) -> None:
        self.seconds: Final = max(seconds, _SHORTEST)
        self._ways = dict(zip((one.name for one in _BEHAVIOURS), ways, strict=True))
        self._prosody: LocalProsody | None = None
        self._json = as_json
        self._kept = folder
        self._console = console(stderr=as_json)
        self._live = not as_json and self._console.is_terminal
        self._began = datetime.now(UTC)
        self._notes: list[str] = []
        self._told: set[str] = set()
        self._stopped_by = 0

    def run(self) -> int:
        """Run it.

        :returns: the exit status: 0 if the VTN has stored what it should have.
        :raises ConfigError: there is a state in the folder already.
        :raises ChildFailed: the VTN does not start.
        :raises NoProsody: XMPP is wanted, and there is no server for it.
        """
        with (
            self._taking_the_log(),
            ExitStack() as stack,
            tempfile.TemporaryDirectory(prefix="oadr-demo-") as temporary,
        ):
            folder = self._kept or Path(temporary)
            if (folder / "vtn.sqlite").exists():
                raise ConfigError(f"--folder: there is a state in {folder} already, and the demo begins without any")
            folder.mkdir(parents=True, exist_ok=True)
            over_xmpp = tuple(name for name, way in self._ways.items() if way is Way.XMPP)
            if over_xmpp:
                self._prosody = stack.enter_context(LocalProsody(Path(temporary) / "prosody", over_xmpp))
            vtn = VtnChild(folder, self._note, self._tables())
            try:
                anyio.run(self._play, vtn, backend="asyncio" if over_xmpp else "trio")
            finally:
                vtn.stop()
            return self._sum_up(folder)

    def _tables(self) -> str:
        """What the configuration of the VTN holds for the sake of the ways to its VENs."""
        server = self._prosody
        if server is None:
            return ""
        secret, port = server.secret_file, server.component_port
        return f'[xmpp]\ncomponent = "{COMPONENT}"\nsecret_file = "{secret}"\nport = {port}\n'

    # --- the play ----------------------------------------------------------------------------------------------------

    async def _play(self, vtn: VtnChild) -> None:
        began = anyio.current_time()
        with alone(), anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with anyio.create_task_group() as group:
                group.start_soon(self._stop_when_told, signals, group.cancel_scope)
                group.start_soon(vtn.watch, lambda: self._tell_where(vtn), lambda: self._tell_news(vtn.status))
                group.start_soon(self._act, vtn, began)
                await self._show(vtn, began)
                group.cancel_scope.cancel()

    async def _stop_when_told(self, signals: AsyncIterator[signal.Signals], scope: anyio.CancelScope) -> None:
        async for one in signals:
            self._stopped_by = one
            scope.cancel()

    async def _act(self, vtn: VtnChild, began: float) -> None:
        """Let the VENs and the operator play their parts, once the VTN is there."""
        await _until(lambda: vtn.url)
        async with anyio.create_task_group() as group:
            for behaviour in _BEHAVIOURS:
                group.start_soon(self._ven, behaviour, vtn.url)
            await self._operate(vtn, began)

    async def _ven(self, behaviour: Behaviour, url: str) -> None:
        file = VenFile(
            name=behaviour.name,
            vtn=url,
            opt=behaviour.opt or OptType.OPT_OUT,
            poll=Period(seconds=1),
            sampling=Period(seconds=1),
            loads=[_load(behaviour)],
            transport=self._ways[behaviour.name],
            push=VenPush(port=0, prefix=f"/{behaviour.name}{PREFIX}"),  # each its own on one host (rule 511)
            xmpp=self._login(behaviour.name),
        )

        def observe(event: Event) -> None:
            written = log_line(event)
            if written is not None and written[0] >= logging.WARNING:
                self._note(f"{behaviour.name} says: {written[1]}")

        program = VenProgram(
            file,
            store=MemoryStore(),
            observe=observe,
            decide=_wait_for_ever if behaviour.opt is None else None,
            call_timeout=timedelta(seconds=2 * self.seconds),  # longer than anybody will wait
            longest_wait=_LONGEST_WAIT,
        )
        async with program.running():
            await anyio.sleep_forever()

    def _login(self, name: str) -> VenXmpp | None:
        """As whom a VEN logs in, where it does."""
        server = self._prosody
        if server is None or name not in server.password_files:
            return None
        return VenXmpp(
            jid=f"{name}@{DOMAIN}",
            vtn=COMPONENT,
            password_file=server.password_files[name],
            host=server.host,
            port=server.port,
            authorities=server.authorities,
        )

    async def _operate(self, vtn: VtnChild, began: float) -> None:
        """Send an event once everybody is there: it begins soon, and ends before the demo does."""
        await _until(lambda: sum(one["reports"] > 0 for one in vtn.status["vens"]) == len(_BEHAVIOURS))
        left = self.seconds - (anyio.current_time() - began)
        start, length = max(left * 0.25, 1.0), max(left * 0.4, 2.0)
        signals = {
            "signal_name": "SIMPLE",
            "signal_type": "level",
            "intervals": [{"duration": int(length), "signal_payload": 2}],
        }
        event = {
            "event_descriptor": {"event_id": _EVENT, "vtn_comment": "a hot afternoon"},
            "event_signals": [signals],
            "active_period": {"dtstart": _after(start), "notification": int(start)},
        }
        while not any(one["event_id"] == _EVENT for one in vtn.status["events"]):
            try:
                await vtn.ask("event/create", event=event)
            except ControlError:
                await anyio.sleep(0.2)  # the VTN has died; when it is back, its status tells whether it made the event
            else:
                break
        self._note(f"the operator asks everybody to shed load in {start:.0f} s, for {int(length)} s")

    # --- what is told and shown --------------------------------------------------------------------------------------

    @contextmanager
    def _taking_the_log(self) -> Iterator[None]:
        """Have warnings among the notes while it runs; the VENs tell theirs under their names, see :meth:`_ven`."""
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self._note(record.getMessage())  # type: ignore[method-assign]
        handler.addFilter(lambda record: record.name != "oadr.ven")
        logger = logging.getLogger("oadr")
        propagated, logger.propagate = logger.propagate, False
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.propagate = propagated

    def _note(self, text: str) -> None:
        seconds = (datetime.now(UTC) - self._began).total_seconds()
        self._notes.append(f"{seconds:5.1f} s  {text}")
        if not self._live:
            self._console.print(self._notes[-1], soft_wrap=True)

    def _tell_where(self, vtn: VtnChild) -> None:
        if self._json:
            print(json.dumps({"vtn": {"pid": vtn.pid, "url": vtn.url}}), flush=True)

    def _tell_news(self, status: Mapping[str, Any]) -> None:
        """Note what the VTN knows and did not know before."""
        for text in demo_views.news(status):
            if text not in self._told:
                self._told.add(text)
                self._note(text)

    async def _show(self, vtn: VtnChild, began: float) -> None:
        if not self._live:
            await anyio.sleep_until(began + self.seconds)
            return
        with Live(console=self._console, refresh_per_second=5) as live:
            while (passed := anyio.current_time() - began) < self.seconds:
                live.update(self._view(vtn, passed))
                await anyio.sleep(0.2)
            live.update(self._view(vtn, self.seconds))

    def _view(self, vtn: VtnChild, passed: float) -> RenderableType:
        width = self._console.width
        return demo_views.live(_BEHAVIOURS, vtn.status, self._notes, passed, self.seconds, width)

    # --- what came of it ---------------------------------------------------------------------------------------------

    def _sum_up(self, folder: Path) -> int:
        """Read the VTN's storage, now that it has stopped, and say what it holds."""
        store = SqliteStore(folder / "vtn.sqlite")
        try:
            blobs = store.load()
            records = [VenRecord.load(blob) for key, blob in blobs.items() if key.startswith("ven/")]
            events = [EventRecord.load(blob) for key, blob in blobs.items() if key.startswith("event/")]
            counts = store.count_readings()
        finally:
            store.close()
        vens = [_result(behaviour, records, counts) for behaviour in _BEHAVIOURS]
        ok = not self._stopped_by and all(
            found["registered"] and found["readings"] > 0 and found["opt"] == behaviour.opt
            for found, behaviour in zip(vens, _BEHAVIOURS, strict=True)
        )
        if self._json:
            print(json.dumps({"ok": ok, "seconds": self.seconds, "vens": vens}), flush=True)
        else:
            self._console.print(demo_views.timelines([one.event for one in events], datetime.now(UTC)))
            self._console.print(demo_views.summary(vens, ok=ok, stopped=bool(self._stopped_by)))
        if self._stopped_by:
            return 128 + self._stopped_by
        return 0 if ok else 1


def _load(behaviour: Behaviour) -> Load:
    """What a VEN takes: the same at any time of the day, and it sheds at once, as the demo is short."""
    return Load(
        resource=behaviour.name,
        kilowatt=behaviour.kilowatt,
        responds=0.25,
        profile=Profile.FLAT,
        settles=Period(milliseconds=500),
    )


async def _until(condition: Callable[[], object]) -> None:
    """Wait for something that the VTN says when it is asked, as it is now and then."""
    while not condition():  # noqa: ASYNC110 - nobody else can set an event for it
        await anyio.sleep(0.05)


async def _wait_for_ever(event: EiEvent) -> None:  # noqa: ARG001 - the name says what a handler wants
    """Leave the VTN without an answer."""
    await anyio.sleep_forever()


def _result(behaviour: Behaviour, records: list[VenRecord], counts: Mapping[str, int]) -> dict[str, Any]:
    """What the VTN has stored of one VEN."""
    record = next((one for one in records if one.ven_name == behaviour.name), None)
    if record is None:
        return {"name": behaviour.name, "registered": False, "opt": None, "readings": 0}
    opts = [one.opt_type for one in record.standings if one.event_id == _EVENT and one.opt_type is not None]
    return {
        "name": behaviour.name,
        "registered": True,
        "opt": str(opts[0]) if opts else None,
        "readings": counts.get(record.ven_id, 0),
    }


def _after(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

"""What an operator can ask of a running VTN."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread

from oadr_app.asking import ven_id_of
from oadr_app.config import KnownVen
from oadr_app.control import Command
from oadr_app.event_commands import EventCommands
from oadr_app.report_commands import ReportCommands
from oadr_app.sqlite_store import SqliteStore
from oadr_app.ven_commands import VenCommands
from oadr_core import LocalProtocolError, VenRecord
from oadr_http import OpenADRServer

_LONGEST: Final = 5.0
"""Seconds that a change may take to be saved before the operator is told that it is not."""

_SHORT: Final = 1.0
"""Seconds that a view waits for what it shows to be saved."""

_NEWEST: Final = 40
"""How many values of each VEN the live view of the demo gets."""


class Operator:
    """Does what an operator asks for, and confirms it when it is durable.

    :param server: the VTN.
    :param store: what it has stored.
    :param configured: what the configuration says of a VEN, if it says something.
    :param sampling: the spacing of readings, where an operator asks for some and names none.
    """

    def __init__(
        self,
        server: OpenADRServer,
        store: SqliteStore,
        *,
        configured: Callable[[VenRecord], KnownVen | None],
        sampling: timedelta = timedelta(seconds=10),
    ) -> None:
        self._server: Final = server
        self._store: Final = store
        self._events: Final = EventCommands(server)
        self._vens: Final = VenCommands(server, store, configured)
        self._reports: Final = ReportCommands(server, store, partial(ven_id_of, server), sampling)

    def commands(self) -> Mapping[str, Command]:
        """The commands by name. Each takes a JSON object and returns what JSON can hold."""
        groups = (self._events, self._vens, self._reports)
        changes = {name: command for one in groups for name, command in one.changes().items()}
        views = {name: command for one in groups for name, command in one.views().items()}
        return {
            **{name: self._durable(command) for name, command in changes.items()},
            **{name: self._settled(command) for name, command in {**views, "status": self._status}.items()},
        }

    def _durable(self, command: Command) -> Command:
        """Confirm a change when it cannot be lost any more."""

        async def change(asked: Mapping[str, Any]) -> object:
            answer = await command(asked)
            with anyio.move_on_after(_LONGEST) as waiting:
                await self._server.saved()
            if waiting.cancelled_caught:
                raise LocalProtocolError("it was done, but it cannot be saved at present; the VTN keeps trying")
            return answer

        return change

    def _settled(self, command: Command) -> Command:
        """Show what cannot be lost any more, except where the disk fails and an operator wants to see all the more."""

        async def show(asked: Mapping[str, Any]) -> object:
            answer = await command(asked)
            with anyio.move_on_after(_SHORT):
                await self._server.saved()
            return answer

        return show

    # --- the demo ----------------------------------------------------------------------------------------------------

    async def _status(self, asked: Mapping[str, Any]) -> object:
        """Everything that the live view of the demo shows."""
        records = sorted(self._server.vens.items())
        counts, newest = await anyio.to_thread.run_sync(self._newest, [ven_id for ven_id, _ in records])
        now = datetime.now(UTC)
        vens = [
            {**self._vens.summary(record, counts.get(ven_id, 0)), "newest": newest[ven_id]}
            for ven_id, record in records
        ]
        events = [
            {**self._events.summary(one, now), "vens": self._events.answers(one.event_id)}
            for one in self._server.events.values()
        ]
        return {"url": self._server.url, "vens": vens, "events": events}

    def _newest(self, ven_ids: list[str]) -> tuple[dict[str, int], dict[str, list[float]]]:
        """How many readings each VEN has delivered, and the last ones."""
        return self._store.count_readings(), {ven_id: self._newest_values(ven_id) for ven_id in ven_ids}

    def _newest_values(self, ven_id: str) -> list[float]:
        rows = [one for series in self._store.newest(ven_id, _NEWEST).values() for one in series]
        rows.sort(key=lambda one: one.time)
        return [one.value for one in rows[-_NEWEST:] if one.value is not None]

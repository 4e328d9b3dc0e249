"""What an operator can ask of a running VTN."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio
import anyio.to_thread

from oadr_app.control import Command
from oadr_app.periods import shown
from oadr_app.report_commands import ReportCommands
from oadr_app.sqlite_store import SqliteStore
from oadr_core import (
    EventAtVtn,
    EventRecord,
    EventStatus,
    LocalProtocolError,
    OptType,
    ResponseRequired,
    VenRecord,
    add_duration,
    as_timedelta,
    event_status,
    is_zero,
    part_to_dict,
)
from oadr_http import OpenADRServer

_LONGEST: Final = 5.0
"""Seconds that a change may take to be saved before the operator is told that it is not."""

_SHORT: Final = 1.0
"""Seconds that a view waits for what it shows to be saved."""

_NEWEST: Final = 40
"""How many values of each VEN the live view of the demo gets."""

_PAST: Final = (EventStatus.COMPLETED, EventStatus.CANCELLED)


class Operator:
    """Does what an operator asks for, and confirms it when it is durable.

    :param server: the VTN.
    :param store: what it has stored.
    :param sampling: the spacing of readings, where an operator asks for some and names none.
    """

    def __init__(
        self, server: OpenADRServer, store: SqliteStore, *, sampling: timedelta = timedelta(seconds=10)
    ) -> None:
        self._server: Final = server
        self._store: Final = store
        self._reports: Final = ReportCommands(server, store, self._ven_id, sampling)

    def commands(self) -> Mapping[str, Command]:
        """The commands by name. Each takes a JSON object and returns what JSON can hold."""
        changes = {"event/create": self._create_event, "event/cancel": self._cancel_event, **self._reports.changes()}
        views = {
            "event/list": self._list_events,
            "event/show": self._show_event,
            "vens": self._list_vens,
            "status": self._status,
            **self._reports.views(),
        }
        return {
            **{name: self._durable(command) for name, command in changes.items()},
            **{name: self._settled(command) for name, command in views.items()},
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

    # --- events ------------------------------------------------------------------------------------------------------

    async def _create_event(self, asked: Mapping[str, Any]) -> object:
        event = asked.get("event")
        if not isinstance(event, dict):
            raise LocalProtocolError("`event` must be there, and be a JSON object")
        ven_ids = self._ven_ids(asked.get("vens"))
        return {"event_id": self._server.add_raw_event(ven_ids, event), "vens": ven_ids}

    def _ven_ids(self, asked: object) -> list[str]:
        """Find VENs by id or by name; all if none is named."""
        if not asked:
            if not self._server.vens:
                raise LocalProtocolError("no VEN is registered")
            return sorted(self._server.vens)
        found = [self._ven_id(str(one)) for one in (asked if isinstance(asked, list) else [asked])]
        return list(dict.fromkeys(found))

    def _ven_id(self, asked: str) -> str:
        if asked in self._server.vens:
            return asked
        names = [(record.ven_name, ven_id) for ven_id, record in sorted(self._server.vens.items())]
        found = [ven_id for name, ven_id in names if name == asked]
        if len(found) == 1:
            return found[0]
        if found:
            raise LocalProtocolError(f"several VENs are called {asked!r}; name one by its id: {', '.join(found)}")
        there = ", ".join(sorted(name or ven_id for name, ven_id in names)) or "none"
        raise LocalProtocolError(f"no VEN is called {asked!r}; there are {there}")

    async def _list_events(self, asked: Mapping[str, Any]) -> object:
        now = datetime.now(UTC)
        records = sorted(self._server.events.values(), key=lambda one: one.event.active_period.dtstart)
        listed = records if asked.get("all") else [one for one in records if event_status(one.event, now) not in _PAST]
        return [self._summary(one, now) for one in listed]

    async def _show_event(self, asked: Mapping[str, Any]) -> object:
        record = self._event(asked)
        event = _plain(part_to_dict(record.event))
        return {**self._summary(record, datetime.now(UTC)), "event": event, "vens": self._answers(record)}

    async def _cancel_event(self, asked: Mapping[str, Any]) -> object:
        event_id = self._event(asked).event_id
        return {"event_id": event_id, "modification_number": self._server.cancel_event(event_id=event_id)}

    def _event(self, asked: Mapping[str, Any]) -> EventRecord:
        """Find an event by its id, or by the beginning of it."""
        wanted, known = asked.get("event_id"), self._server.events
        if not isinstance(wanted, str) or not wanted:
            raise LocalProtocolError("`event_id` must be there, and be a text")
        found = [known[wanted]] if wanted in known else [one for key, one in known.items() if key.startswith(wanted)]
        if not found:
            raise LocalProtocolError(f"there is no event {wanted!r}")
        if len(found) > 1:
            some = ", ".join(sorted(one.event_id for one in found)[:3])
            raise LocalProtocolError(f"{len(found)} events begin with {wanted!r}, such as {some}")
        return found[0]

    # --- VENs --------------------------------------------------------------------------------------------------------

    async def _list_vens(self, asked: Mapping[str, Any]) -> object:
        counts = await anyio.to_thread.run_sync(self._store.count_readings)
        return [_ven(record, counts.get(ven_id, 0)) for ven_id, record in sorted(self._server.vens.items())]

    async def _status(self, asked: Mapping[str, Any]) -> object:
        """Everything that the live view of the demo shows."""
        records = sorted(self._server.vens.items())
        counts, newest = await anyio.to_thread.run_sync(self._newest, [ven_id for ven_id, _ in records])
        now = datetime.now(UTC)
        vens = [{**_ven(record, counts.get(ven_id, 0)), "newest": newest[ven_id]} for ven_id, record in records]
        events = [{**self._summary(one, now), "vens": self._answers(one)} for one in self._server.events.values()]
        return {"url": self._server.url, "vens": vens, "events": events}

    def _newest(self, ven_ids: list[str]) -> tuple[dict[str, int], dict[str, list[float]]]:
        """How many readings each VEN has delivered, and the last ones."""
        return self._store.count_readings(), {ven_id: self._newest_values(ven_id) for ven_id in ven_ids}

    def _newest_values(self, ven_id: str) -> list[float]:
        rows = [one for series in self._store.newest(ven_id, _NEWEST).values() for one in series]
        rows.sort(key=lambda one: one.time)
        return [one.value for one in rows[-_NEWEST:] if one.value is not None]

    # --- where events stand ------------------------------------------------------------------------------------------

    def _summary(self, record: EventRecord, now: datetime) -> dict[str, Any]:
        event, period = record.event, record.event.active_period
        answers = [one.get("opt") for one in self._answers(record)]
        return {
            "event_id": record.event_id,
            "modification_number": record.modification_number,
            "status": event_status(event, now).value,
            "dtstart": period.dtstart.isoformat(),
            "end": None if is_zero(period.duration) else add_duration(period.dtstart, period.duration).isoformat(),
            "duration": shown(as_timedelta(period.duration, period.dtstart)),
            "signals": [
                f"{signal.signal_name} {', '.join(f'{one.signal_value:g}' for one in signal.intervals)}"
                for signal in event.event_signals
            ],
            "answer_wanted": event.response_required == ResponseRequired.ALWAYS,
            "vens_told": len(answers),
            "opt_in": answers.count(OptType.OPT_IN),
            "opt_out": answers.count(OptType.OPT_OUT),
            "created": record.created_at.isoformat(),
            "comment": event.event_descriptor.vtn_comment,
        }

    def _answers(self, record: EventRecord) -> list[dict[str, Any]]:
        """Who was told, who answered what and when, and who is silent."""
        return [
            {"ven_id": ven_id, **self._standing(record, ven_id)} for ven_id in self._server.vens_of(record.event_id)
        ]

    def _standing(self, record: EventRecord, ven_id: str) -> dict[str, Any]:
        ven = self._server.vens.get(ven_id)
        if ven is None:
            return {}
        standing = next((one for one in ven.standings if one.event_id == record.event_id), None)
        told: dict[str, Any] = {"ven_name": ven.ven_name, "state": EventAtVtn.UNTOLD.name.lower(), "opt": None}
        if standing is not None:
            current = standing.modification_number == record.modification_number
            told["state"] = (standing.state if current else EventAtVtn.UNTOLD).name.lower()
            told["opt"] = None if standing.opt_type is None else str(standing.opt_type)
            told["code"] = standing.code
            told["answered_at"] = None if standing.answered_at is None else standing.answered_at.isoformat()
            told["modification_number"] = standing.modification_number
        return told


def _ven(record: VenRecord, readings: int) -> dict[str, Any]:
    return {
        "ven_id": record.ven_id,
        "name": record.ven_name,
        "online": record.online,
        "transport": f"{record.transport} {'pull' if record.pull else 'push'}",
        "reports": len(record.requests),
        "readings": readings,
        "queued": len(record.queue),
    }


def _plain(value: Any) -> Any:
    """What JSON can hold; lengths of time as people write them."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return shown(value) if isinstance(value, timedelta) else value

"""The VTN as a program: a server, its storage, and the commands it takes through the control socket."""

import ipaddress
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from oadr_app.config import ConfigError, VtnFile
from oadr_app.control import Command, listening
from oadr_app.periods import shown
from oadr_app.stores import SqliteStore, StoredReading
from oadr_core import (
    EventAtVtn,
    EventRecord,
    LocalProtocolError,
    RegistrationDecision,
    Report,
    ReportPayload,
    VenRecord,
    add_duration,
    as_timedelta,
    event_status,
    is_zero,
    part_to_dict,
)
from oadr_http import OpenADRServer, Trace


class VtnProgram:
    """A VTN with its storage.

    :param file: the configuration.
    :param trace: takes every exchange.
    :raises ConfigError: it would listen where others can reach it, and that was not allowed.
    :raises OSError: the storage cannot be opened.
    """

    def __init__(self, file: VtnFile, *, trace: Trace | None = None) -> None:
        if not file.http.allow_insecure and not _is_loopback(file.http.host):
            raise ConfigError(
                f"http.host is {file.http.host}, which others can reach, and there is no TLS to tell who they are; "
                "http.allow_insecure = true says that this is meant"
            )
        self.file = file
        self.store = SqliteStore(file.state)
        self.server = OpenADRServer(
            file.vtn_id,
            http_host=file.http.host,
            http_port=file.http.port,
            http_path_prefix=file.http.prefix,
            requested_poll_freq=file.poll,
            answer_timeout=file.answer_timeout,
            missed_polls=file.missed_polls,
            request_reports=file.reports.request,
            shortest_sampling=file.reports.sampling,
            reporting=file.reports.reporting,
            strict=file.strict,
            typed=True,
            store=self.store,
            trace=trace,
        )
        self.server.add_handler("on_update_report", self._store_report)
        if file.vens:
            self.server.add_handler("on_create_party_registration", self._admit)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["VtnProgram"]:
        """Serve VENs and commands while the body runs."""
        try:
            async with self.server.running(), listening(self.file.socket, self._commands()):
                yield self
        finally:
            self.store.close()

    async def _store_report(self, report: Report, ven_id: str) -> None:
        """Store what a VEN reports; it is confirmed when the disk has it."""
        await self.store.add_readings(list(_readings(report, ven_id)))

    async def _admit(self, registration_info: Mapping[str, Any]) -> RegistrationDecision:
        """Register the VENs of the configuration, and no others."""
        name = registration_info.get("ven_name")
        for known in self.file.vens:
            if known.name == name:
                return RegistrationDecision(ven_id=known.id)
        return RegistrationDecision(accepted=False, description=f"the VEN {name!r} is not expected")

    # --- commands ----------------------------------------------------------------------------------------------------

    def _commands(self) -> Mapping[str, Command]:
        return {
            "event/create": self._create_event,
            "event/list": self._list_events,
            "event/show": self._show_event,
            "event/cancel": self._cancel_event,
            "vens": self._list_vens,
            "status": self._status,
        }

    async def _create_event(self, asked: Mapping[str, Any]) -> object:
        ven_ids = self._ven_ids(asked.get("vens"))
        return {"event_id": self.server.add_raw_event(ven_ids, _event_of(asked["event"])), "vens": ven_ids}

    def _ven_ids(self, asked: object) -> list[str]:
        """Find VENs by id or by name; all if none is named."""
        if not asked:
            if not self.server.vens:
                raise LocalProtocolError("no VEN is registered")
            return sorted(self.server.vens)
        names = {record.ven_name: ven_id for ven_id, record in self.server.vens.items()}
        found: list[str] = []
        for one in map(str, asked if isinstance(asked, list) else [asked]):
            ven_id = one if one in self.server.vens else names.get(one)
            if ven_id is None:
                raise LocalProtocolError(f"no VEN is called {one!r}; there are {', '.join(sorted(names)) or 'none'}")
            found.append(ven_id)
        return found

    async def _list_events(self, asked: Mapping[str, Any]) -> object:
        now = datetime.now(UTC)
        records = sorted(self.server.events.values(), key=lambda one: one.event.active_period.dtstart)
        listed = [self._summary(one, now) for one in records]
        return [one for one in listed if asked.get("all") or one["status"] not in ("completed", "cancelled")]

    async def _show_event(self, asked: Mapping[str, Any]) -> object:
        record = self._event(str(asked["event_id"]))
        now = datetime.now(UTC)
        return {
            **self._summary(record, now),
            "event": _plain(part_to_dict(record.event)),
            "vens": self._answers(record),
        }

    async def _cancel_event(self, asked: Mapping[str, Any]) -> object:
        event_id = self._event(str(asked["event_id"])).event_id
        return {"event_id": event_id, "modification_number": self.server.cancel_event(event_id=event_id)}

    def _event(self, asked: str) -> EventRecord:
        """Find an event by its id, or by the beginning of it."""
        exact = self.server.events.get(asked)
        found = (
            [exact] if exact else [one for key, one in self.server.events.items() if asked and key.startswith(asked)]
        )
        if len(found) != 1:
            begin = ", ".join(sorted(one.event_id for one in found[:3]))
            wrong = f"several events begin with {asked!r}: {begin}" if found else f"there is no event {asked!r}"
            raise LocalProtocolError(wrong)
        return found[0]

    async def _list_vens(self, asked: Mapping[str, Any]) -> object:
        counts = self.store.count_readings()
        return [_ven(record, counts.get(ven_id, 0)) for ven_id, record in sorted(self.server.vens.items())]

    async def _status(self, asked: Mapping[str, Any]) -> object:
        """Everything that the live view of the demo shows."""
        now = datetime.now(UTC)
        vens = []
        counts = self.store.count_readings()
        for ven_id, record in sorted(self.server.vens.items()):
            newest = self.store.readings(ven_id, newest=40)
            told = _ven(record, counts.get(ven_id, 0))
            vens.append({**told, "newest": [one.value for one in newest if one.value is not None]})
        events = [{**self._summary(one, now), "vens": self._answers(one)} for one in self.server.events.values()]
        return {"url": self.server.url, "vens": vens, "events": events}

    def _summary(self, record: EventRecord, now: datetime) -> dict[str, Any]:
        event, period = record.event, record.event.active_period
        standings = [self._standing(record, ven_id) for ven_id in record.ven_ids]
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
            "vens_told": len(record.ven_ids),
            "opt_in": sum(one is not None and one["opt"] == "optIn" for one in standings),
            "opt_out": sum(one is not None and one["opt"] == "optOut" for one in standings),
            "created": record.created_at.isoformat(),
            "comment": event.event_descriptor.vtn_comment,
        }

    def _answers(self, record: EventRecord) -> list[dict[str, Any]]:
        """Who was told, who answered what and when, and who is silent."""
        return [{"ven_id": ven_id, **(self._standing(record, ven_id) or {})} for ven_id in record.ven_ids]

    def _standing(self, record: EventRecord, ven_id: str) -> dict[str, Any] | None:
        ven = self.server.vens.get(ven_id)
        if ven is None:
            return None
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


def _readings(report: Report, ven_id: str) -> Iterable[StoredReading]:
    """The values of a report, a row each."""
    begin = report.dtstart
    for interval in report.intervals:
        begin = interval.dtstart or begin
        for payload in interval.payloads:
            if isinstance(payload, ReportPayload) and begin is not None and isinstance(payload.value, float):
                bad = (payload.data_quality or "").startswith(("Quality Bad", "No Quality"))
                value = None if bad else payload.value
                yield StoredReading(
                    ven_id, report.report_specifier_id, payload.r_id, begin, value, payload.data_quality
                )
        if begin is not None and interval.dtstart is None and interval.duration is not None:
            begin = add_duration(begin, interval.duration)


def _event_of(asked: object) -> dict[str, object]:
    if not isinstance(asked, dict):
        raise LocalProtocolError("the event must be a JSON object")
    return asked


def _plain(value: Any) -> Any:
    """What JSON can hold; lengths of time as people write them."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return shown(value) if isinstance(value, timedelta) else value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

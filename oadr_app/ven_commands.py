"""What an operator can ask of a running VTN about its VENs, and have it ask of them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import SystemRandom
from typing import Any, Final

import anyio.to_thread

from oadr_app.asking import event_of, maybe_text, text_of, texts_of, time_of, ven_id_of
from oadr_app.config import KnownVen
from oadr_app.control import Command
from oadr_app.periods import written
from oadr_app.sqlite_store import SqliteStore
from oadr_core import (
    CancelPartyRegistration,
    CancelReport,
    CreateOpt,
    CreateReport,
    LocalProtocolError,
    QueuedOperation,
    RegisterReport,
    Renewal,
    Report,
    UpdateReport,
    VenRecord,
    new_id,
)
from oadr_http import OpenADRServer

_KINDS: Final = ("group_ids", "resource_ids", "party_ids", "market_contexts")
"""What VENs can be enrolled in."""


_WITH_REQUEST_ID: Final = tuple(
    one.message_type() for one in (RegisterReport, CreateReport, UpdateReport, CancelReport, CancelPartyRegistration)
)
"""What has a requestID, which is made up if it is not given."""


class VenCommands:
    """Lists and shows VENs, enrols them, and has the VTN ask something of them.

    :param server: the VTN.
    :param store: what it has stored.
    :param configured: what the configuration says of a VEN, if it says something.
    """

    def __init__(
        self, server: OpenADRServer, store: SqliteStore, configured: Callable[[VenRecord], KnownVen | None]
    ) -> None:
        self._server: Final = server
        self._store: Final = store
        self._configured: Final = configured

    def changes(self) -> Mapping[str, Command]:
        """The commands that change something, by name."""
        return {
            "vens/enrol": self._enrol,
            "vens/ask": self._ask,
            "vens/reregister": self._reregister,
            "vens/remove": self._remove,
            "vens/forget": self._forget,
            "vens/certificate": self._certificate,
        }

    def views(self) -> Mapping[str, Command]:
        """The commands that show something, by name."""
        return {"vens": self._list, "vens/show": self._show, "vens/available": self._available}

    # --- views -------------------------------------------------------------------------------------------------------

    async def _list(self, asked: Mapping[str, Any]) -> object:
        counts = await anyio.to_thread.run_sync(self._store.count_readings)
        return [self.summary(record, counts.get(ven_id, 0)) for ven_id, record in sorted(self._server.vens.items())]

    def summary(self, record: VenRecord, readings: int) -> dict[str, Any]:
        """A VEN in short."""
        return {
            "ven_id": record.ven_id,
            "name": record.ven_name,
            "online": record.online,
            "transport": f"{record.transport} {'pull' if record.pull else 'push'}",
            "reports": len(record.requests),
            "readings": readings,
            "queued": len(record.queue),
            "renewal": None if record.renewal is None else _renewal(record.renewal),
            **self._enrolment(record.ven_id),
        }

    def _enrolment(self, ven_id: str) -> dict[str, list[str]]:
        enrolment = self._server.enrolments.get(ven_id)
        return {kind: [] if enrolment is None else list(getattr(enrolment, kind)) for kind in _KINDS}

    async def _show(self, asked: Mapping[str, Any]) -> object:
        record = self._ven(asked)
        counts = await anyio.to_thread.run_sync(self._store.count_readings)
        return {
            **self.summary(record, counts.get(record.ven_id, 0)),
            "registration_id": record.registration_id,
            "profile": str(record.profile),
            "address": record.address,
            "fingerprint": record.identity,
            "offers": [_offer(one) for one in record.offered()],
            "requests": [
                {
                    "report_request_id": one.request.report_request_id,
                    "report_specifier_id": one.request.report_specifier.report_specifier_id,
                    "state": one.state.name.lower(),
                }
                for one in record.requests
            ],
            "queue": [_waiting(one) for one in record.queue],
            "opts": [_opt(one) for one in record.opts.messages()],
            "events": [
                {
                    "event_id": one.event_id,
                    "state": one.state.name.lower(),
                    "opt": None if one.opt_type is None else str(one.opt_type),
                    "modification_number": one.modification_number,
                }
                for one in record.standings
            ],
        }

    async def _available(self, asked: Mapping[str, Any]) -> object:
        ven_id = self._ven_id(asked)
        at = time_of(asked, "at") or datetime.now(UTC)
        event_id = None if asked.get("event_id") is None else event_of(self._server, asked).event_id
        said = self._server.availability(
            ven_id,
            at,
            maybe_text(asked, "resource_id"),
            event_id=event_id,
            market_context=maybe_text(asked, "market_context"),
            device_class=maybe_text(asked, "device_class"),
        )
        return {
            "ven_id": ven_id,
            "at": at.isoformat(),
            "available": said.available,
            "why": str(said.why),
            "opt": None if said.opt is None else _opt(said.opt),
        }

    # --- changes -----------------------------------------------------------------------------------------------------

    async def _enrol(self, asked: Mapping[str, Any]) -> object:
        """Put a VEN into groups and so on; a list that is not given stays as it is. It need not be registered."""
        named = text_of(asked, "ven")
        ven_id = named if named in self._server.enrolments else self._server_ven_or_new(asked, named)
        now = self._enrolment(ven_id)
        given = {kind: texts_of(asked, kind) if asked.get(kind) is not None else now[kind] for kind in _KINDS}
        self._server.enrol(ven_id, **given)
        return {"ven_id": ven_id, **self._enrolment(ven_id)}

    def _server_ven_or_new(self, asked: Mapping[str, Any], named: str) -> str:
        return named if asked.get("new") else ven_id_of(self._server, named)

    async def _ask(self, asked: Mapping[str, Any]) -> object:
        ven_id, operation, content = self._ven_id(asked), text_of(asked, "operation"), asked.get("content") or {}
        if not isinstance(content, dict):
            raise LocalProtocolError("`content` must be a JSON object")
        if operation in _WITH_REQUEST_ID:
            content = {"request_id": new_id(SystemRandom()), **content}
        self._server.queue(ven_id, operation, content)
        return {"ven_id": ven_id, "operation": operation}

    async def _reregister(self, asked: Mapping[str, Any]) -> object:
        ven_id = self._ven_id(asked)
        self._server.request_reregistration(ven_id)
        return {"ven_id": ven_id}

    async def _remove(self, asked: Mapping[str, Any]) -> object:
        ven_id = self._ven_id(asked)
        self._server.cancel_party_registration(ven_id)
        return {"ven_id": ven_id}

    async def _forget(self, asked: Mapping[str, Any]) -> object:
        """Forget a VEN that is gone; one that is not registered is named by its id."""
        named = text_of(asked, "ven")
        ven_id = named if named in self._server.enrolments else ven_id_of(self._server, named)
        record = self._server.vens.get(ven_id)
        self._server.forget_ven(ven_id)
        readings = await self._store.forget(ven_id) if asked.get("readings") else 0
        is_configured = record is not None and self._configured(record) is not None
        return {"ven_id": ven_id, "readings": readings, "configured": is_configured}

    async def _certificate(self, asked: Mapping[str, Any]) -> object:
        """Take another certificate for that of a VEN, or for its next one."""
        ven_id, given = self._ven_id(asked), text_of(asked, "fingerprint")
        known = self._configured(self._server.vens[ven_id])
        if known is not None and known.fingerprint is not None:
            raise LocalProtocolError(
                f"the configuration says which fingerprint {known.name!r} has; change it in [[vens]] there, and start "
                "the VTN again; a list there may name its next one as well"
            )
        before = self._server.vens[ven_id].certificate
        if asked.get("also"):
            self._server.announce_certificate(ven_id, given)
        else:
            self._server.change_certificate(ven_id, given)
        record = self._server.vens[ven_id]
        renewal = None if record.renewal is None else _renewal(record.renewal)
        return {"ven_id": ven_id, "before": before, "fingerprint": record.certificate, "renewal": renewal}

    # --- finding -----------------------------------------------------------------------------------------------------

    def _ven_id(self, asked: Mapping[str, Any]) -> str:
        return ven_id_of(self._server, text_of(asked, "ven"))

    def _ven(self, asked: Mapping[str, Any]) -> VenRecord:
        return self._server.vens[self._ven_id(asked)]


def _renewal(renewal: Renewal) -> dict[str, str | None]:
    """The other certificate of a VEN: its next one, or its former one up to a time."""
    until = None if renewal.until is None else renewal.until.isoformat()
    return {"fingerprint": renewal.fingerprint, "until": until}


def _offer(report: Report) -> dict[str, Any]:
    """What a VEN offers to report."""
    return {
        "report_specifier_id": report.report_specifier_id,
        "report_name": str(report.report_name),
        "points": [one.r_id for one in report.report_descriptions or ()],
    }


def _waiting(operation: QueuedOperation) -> dict[str, str]:
    """What waits for a VEN."""
    return {"operation": operation.message.message_type(), "state": operation.state.name.lower()}


def _opt(opt: CreateOpt) -> dict[str, Any]:
    """What a VEN has said about its availability."""
    stretches = () if opt.vavailability is None else opt.vavailability.components
    return {
        "opt_id": opt.opt_id,
        "opt": str(opt.opt_type),
        "reason": str(opt.opt_reason),
        "event_id": opt.event_id,
        "market_context": opt.market_context,
        "resources": list(opt.target.resource_id),
        "made": opt.created_date_time.isoformat(),
        "stretches": [{"dtstart": one.dtstart.isoformat(), "duration": written(one.duration)} for one in stretches],
    }

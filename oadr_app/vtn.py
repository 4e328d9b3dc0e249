"""The VTN as a program: a server, its storage, and the commands it takes through the control socket."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import SystemRandom
from typing import Any, Final

import anyio

from oadr_app.checked import ConfigError
from oadr_app.commands import Operator
from oadr_app.config import KnownVen, VtnFile, VtnSignatures
from oadr_app.control import ControlSocket
from oadr_app.filing import Filing
from oadr_app.readings import Retention
from oadr_app.retention import trim_for_ever
from oadr_app.sqlite_store import SqliteStore
from oadr_core import (
    Enrolment,
    LocalProtocolError,
    ProfileName,
    RegistrationDecision,
    Report,
    ResponseCode,
    StateError,
    TransportName,
    VenRecord,
    certificate_after,
    new_id,
    printable,
)
from oadr_driver.groups import alone
from oadr_driver.logs import logger
from oadr_http import OpenADRServer, Trace
from oadr_http.exposure import is_loopback

_LOG: Final = logger("oadr.vtn")


class VtnProgram:
    """A VTN with its storage.

    :param file: the configuration.
    :param trace: takes every exchange.
    :raises ConfigError: it would listen where others can reach it, and that was not allowed.
    :raises OSError: the storage cannot be opened, or is damaged.
    """

    def __init__(self, file: VtnFile, *, trace: Trace | None = None) -> None:
        identified = file.tls is not None or (file.signatures is not None and file.signatures.required)
        if not file.http.allow_insecure and not identified and not is_loopback(file.http.host):
            raise ConfigError(
                f"http.host is {file.http.host}, which others can reach, and there are neither [tls] nor [signatures] "
                "to tell who they are; allow_insecure = true in [http], or --allow-insecure, says that this is meant"
            )
        self.file: Final = file
        try:
            self.xmpp: Final = None if file.xmpp is None else file.xmpp.to_vens()
        except LocalProtocolError as error:
            raise ConfigError(f"xmpp: {error}") from None
        self.store: Final = SqliteStore(file.state)
        try:
            self.server: Final = self._server(trace)
        except StateError as error:
            self.store.close()
            raise OSError(f"{file.state}: {error}") from None
        except LocalProtocolError as error:
            self.store.close()
            raise ConfigError(str(error)) from None
        try:
            self._make_known()
            self._pin_certificates()
        except LocalProtocolError as error:
            self.store.close()
            raise ConfigError(f"vens: {error}") from None
        self._filing: Final = Filing(self.server.vens)
        self.server.add_handler("on_update_report", self._store_report)
        if file.vens:
            self.server.add_handler("on_create_party_registration", self._admit)
        for known in file.vens:
            ven_id = self._id_of(known)
            if ven_id is not None:
                self._enrol(ven_id, known)

    def _make_known(self) -> None:
        """Make the VENs of 2.0a known that are not yet.

        :raises LocalProtocolError: one cannot be.
        """
        for one in self.file.vens:
            if one.openadr is ProfileName.V20B:
                continue
            if one.id is None:
                raise LocalProtocolError(f"{one.name!r} needs an `id`, as a VEN of OpenADR 2.0a cannot register")
            known = self.server.vens.get(one.id)
            if known is None or known.profile is ProfileName.V20B:
                fingerprint = one.fingerprints[0] if one.fingerprints else None
                self.server.add_ven(one.id, ven_name=one.name, fingerprint=fingerprint, poll_interval=one.poll)

    def _pin_certificates(self) -> None:
        """Have VENs that are registered known by the certificates of the configuration, and by no others.

        :raises LocalProtocolError: another VEN has one of them.
        """
        for record in list(self.server.vens.values()):
            known = self._configured(record)
            if known is not None and known.fingerprints and record.transport is TransportName.SIMPLE_HTTP:
                self._pin(record, known.fingerprints)

    def _pin(self, record: VenRecord, listed: Sequence[str]) -> None:
        """Have a VEN known by the certificate that it has, if it is listed, and by the next in the list."""
        present = record.identity if record.identity in listed else None
        if present is None or (record.renewal is not None and record.renewal.fingerprint not in listed):
            self.server.change_certificate(record.ven_id, present or listed[0])
        successor = certificate_after(listed, present or listed[0])
        if successor is not None and not self.server.vens[record.ven_id].has_certificate(successor):
            self.server.announce_certificate(record.ven_id, successor)

    def _configured(self, record: VenRecord) -> KnownVen | None:
        """What the configuration says of a VEN that is registered, if it says something."""
        for known in self.file.vens:
            if record.ven_id == known.id or (known.id is None and record.ven_name == known.name):
                return known
        return None

    def _server(self, trace: Trace | None) -> OpenADRServer:
        file = self.file
        return OpenADRServer(
            file.vtn_id,
            http_host=file.http.host,
            http_port=file.http.port,
            http_path_prefix=file.http.prefix,
            trusted_proxies=file.http.trusted_proxies,
            proxy_header=file.http.proxy_header,
            proxy_address_header=file.http.proxy_address_header,
            allow_insecure=file.http.allow_insecure,
            push_to=file.http.push_to,
            most_pushes=file.http.pushes,
            requested_poll_freq=file.poll,
            answer_timeout=file.answer_timeout,
            missed_polls=file.missed_polls,
            certificate_overlap=file.certificate_overlap,
            request_reports=file.reports.request,
            shortest_sampling=file.reports.sampling,
            reporting=file.reports.reporting,
            renew_reports=True,
            strict=file.strict,
            typed=True,
            store=self.store,
            limits=file.limits.for_server(),
            trace=trace,
            transports={} if self.xmpp is None else {TransportName.XMPP: self.xmpp},
            **({} if file.signatures is None else self._signing(file.signatures)),
            **({} if file.tls is None else file.tls.arguments()),
        )

    def _signing(self, signatures: VtnSignatures) -> dict[str, Any]:
        """How it signs: where it serves over XMPP as well, in the one form that is left alone there."""
        return signatures.arguments() if self.xmpp is None else signatures.arguments_over_xmpp()

    @property
    def event_loop(self) -> str:
        """What it has to run on: XMPP needs asyncio."""
        return "trio" if self.xmpp is None else "asyncio"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["VtnProgram"]:
        """Serve VENs and commands while the body runs.

        :raises ControlError: another VTN has the control socket.
        :raises OSError: the port is in use, or the control socket cannot be made.
        """
        operator = Operator(self.server, self.store, configured=self._configured, sampling=self.file.reports.sampling)
        try:
            async with (
                ControlSocket.claimed(self.file.socket) as control,
                self._serving(),
                control.serving(operator.commands()),
                self._tidying(),
            ):
                yield self
        finally:
            self.store.close()

    @asynccontextmanager
    async def _tidying(self) -> AsyncIterator[None]:
        """Delete readings and Green Button data that are not to be kept while the body runs."""
        readings = self.file.readings
        with alone():
            async with anyio.create_task_group() as group:
                group.start_soon(trim_for_ever, self.store, Retention(readings.keep, readings.most))
                yield
                group.cancel_scope.cancel()

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        served = False
        try:
            async with self.server.running():
                served = True
                yield
        except OSError as error:
            if served:
                raise
            http = self.file.http
            raise OSError(f"the VTN cannot listen at {http.host}:{http.port}: {error.strerror or error}") from None

    async def _store_report(self, report: Report, ven_id: str) -> tuple[int, str] | None:
        """Store what a VEN reports; it is confirmed when the disk has it, and asked for again when it has not."""
        try:
            feeds = self._filing.feeds(report, ven_id, datetime.now(UTC))
            await self.store.add_readings(self._filing.readings(report, ven_id), feeds)
        except OSError as error:
            who = printable(ven_id)
            _LOG.error("readings of the VEN %s cannot be stored, so they are not confirmed: %s", who, error)
            return ResponseCode.RESPONDER_ERROR, "the VTN cannot store the report at present"
        return None

    async def _admit(
        self, registration_info: Mapping[str, Any], fingerprint: str | None, jid: str | None
    ) -> RegistrationDecision:
        """Register the VENs of the configuration, and no others, each with its own certificate or JID."""
        name = registration_info.get("ven_name")
        for known in self.file.vens:
            if known.name == name and known.openadr is ProfileName.V20B:
                ven_id = self._id_of(known)
                if not self._is_its(known, ven_id, fingerprint, jid):
                    text = f"the VEN {name!r} has another certificate, or another JID"
                    return RegistrationDecision(accepted=False, description=text)
                if ven_id is None and known.is_enrolled:
                    ven_id = new_id(SystemRandom())
                    self._enrol(ven_id, known)
                successor = certificate_after(known.fingerprints, fingerprint)
                return RegistrationDecision(ven_id=ven_id, certificate_checked=known.is_pinned, successor=successor)
        return RegistrationDecision(accepted=False, description=f"the VEN {name!r} is not expected")

    def _is_its(self, known: KnownVen, ven_id: str | None, fingerprint: str | None, jid: str | None) -> bool:
        """Whether what shows who a VEN is fits: to the configuration, or to what it has registered with before."""
        record = None if ven_id is None else self.server.vens.get(ven_id)
        had = record is not None and record.has_certificate(fingerprint)
        if known.is_pinned:
            former = record is not None and not had and known.is_before(fingerprint, record.identity)
            return known.is_shown(fingerprint, jid) and not former
        return record is None or record.identity in (None, jid or fingerprint) or (had and jid is None)

    def _id_of(self, known: KnownVen) -> str | None:
        """The id of a VEN of the configuration: that which it names, or that which was made up before."""
        if known.id is not None:
            return known.id
        return next((ven_id for ven_id, one in self.server.vens.items() if one.ven_name == known.name), None)

    def _enrol(self, ven_id: str, known: KnownVen) -> None:
        """Put a VEN into the groups of the configuration and so on, if it names any."""
        wanted = Enrolment(
            group_ids=tuple(known.group_ids),
            resource_ids=tuple(known.resource_ids),
            party_ids=tuple(known.party_ids),
            market_contexts=tuple(known.market_contexts),
        )
        if known.is_enrolled and self.server.enrolments.get(ven_id) != wanted:
            self.server.enrol(
                ven_id,
                group_ids=known.group_ids,
                resource_ids=known.resource_ids,
                party_ids=known.party_ids,
                market_contexts=known.market_contexts,
            )

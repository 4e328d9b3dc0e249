"""The VTN as a program: a server, its storage, and the commands it takes through the control socket."""

import ipaddress
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio

from oadr_app.checked import ConfigError
from oadr_app.commands import Operator
from oadr_app.config import VtnFile
from oadr_app.control import ControlSocket
from oadr_app.filing import Filing
from oadr_app.readings import Retention
from oadr_app.retention import trim_for_ever
from oadr_app.sqlite_store import SqliteStore
from oadr_core import RegistrationDecision, Report, ResponseCode, StateError
from oadr_http import OpenADRServer, Trace
from oadr_http.groups import alone

_LOG: Final = logging.getLogger("oadr.vtn")


class VtnProgram:
    """A VTN with its storage.

    :param file: the configuration.
    :param trace: takes every exchange.
    :raises ConfigError: it would listen where others can reach it, and that was not allowed.
    :raises OSError: the storage cannot be opened, or is damaged.
    """

    def __init__(self, file: VtnFile, *, trace: Trace | None = None) -> None:
        if not file.http.allow_insecure and not _is_loopback(file.http.host):
            raise ConfigError(
                f"http.host is {file.http.host}, which others can reach, and there is no TLS to tell who they are; "
                "allow_insecure = true in [http], or --allow-insecure, says that this is meant"
            )
        self.file: Final = file
        self.store: Final = SqliteStore(file.state)
        try:
            self.server: Final = self._server(trace)
        except StateError as error:
            self.store.close()
            raise OSError(f"{file.state}: {error}") from None
        self._filing: Final = Filing(self.server.vens)
        self.server.add_handler("on_update_report", self._store_report)
        if file.vens:
            self.server.add_handler("on_create_party_registration", self._admit)

    def _server(self, trace: Trace | None) -> OpenADRServer:
        file = self.file
        return OpenADRServer(
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

    @asynccontextmanager
    async def running(self) -> AsyncIterator["VtnProgram"]:
        """Serve VENs and commands while the body runs.

        :raises ControlError: another VTN has the control socket.
        :raises OSError: the port is in use, or the control socket cannot be made.
        """
        operator = Operator(self.server, self.store, sampling=self.file.reports.sampling)
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
        """Delete readings that are not to be kept while the body runs."""
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
            await self.store.add_readings(self._filing.readings(report, ven_id))
        except OSError as error:
            _LOG.error("readings of the VEN %s cannot be stored, so they are not confirmed: %s", ven_id, error)
            return ResponseCode.RESPONDER_ERROR, "the VTN cannot store the report at present"
        return None

    async def _admit(self, registration_info: Mapping[str, Any]) -> RegistrationDecision:
        """Register the VENs of the configuration, and no others."""
        name = registration_info.get("ven_name")
        for known in self.file.vens:
            if known.name == name:
                return RegistrationDecision(ven_id=known.id)
        return RegistrationDecision(accepted=False, description=f"the VEN {name!r} is not expected")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""Certificates over time: those that were replaced are read again, and those that expire soon are told of."""

import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import anyio
import anyio.to_thread

from oadr_core import Event, LocalProtocolError
from oadr_driver.groups import alone
from oadr_driver.logs import logger
from oadr_driver.tls import Tls
from oadr_driver.tls_files import OwnCertificate

_LOG: Final = logger("oadr.tls")

_A_DAY: Final = 24 * 3600.0
"""Seconds between warnings."""


class CertificateExpires(Event, frozen=True, kw_only=True):
    """A certificate of ours expires soon, or has; told once a day (section 10.4, rule 516).

    :param file: where it is.
    :param subject: whose it is.
    :param fingerprint: by which peers know it.
    :param expires: when.
    """

    file: str
    subject: str
    fingerprint: str
    expires: datetime


class CertificatesReloaded(Event, frozen=True, kw_only=True):
    """Certificates were read again.

    :param fingerprints: those of our own.
    :param error: why those of before stay in use; None where the new ones are.
    """

    fingerprints: tuple[str, ...]
    error: str | None = None


class TlsKeeper:
    """Keeps the certificates of one side up to date while it runs.

    :param tls: what it has.
    :param observe: is told of it.
    """

    def __init__(self, tls: Tls, observe: Callable[[Event], None]) -> None:
        self._tls = tls
        self._observe = observe
        self._warns_at = -math.inf
        self._reading = anyio.Lock()

    async def watch(self) -> None:
        """Look at the certificates for ever."""
        while True:
            self.warn()
            await anyio.sleep(self._tls.policy.look_every.total_seconds())
            if await anyio.to_thread.run_sync(self._tls.changed):
                await self.reload()

    async def reload(self) -> bool:
        """Read the certificates again; connections that are open go on as they were.

        :returns: whether they can be used; if not, the log says why, and those of before stay in use.
        """
        async with self._reading:
            try:
                await anyio.to_thread.run_sync(self._tls.reload)
            except LocalProtocolError as error:
                _LOG.error("the certificates of before stay in use: %s", error)
                self._tell_reloaded(str(error))
                return False
        _LOG.info("the certificates were read again: %s", ", ".join(one.fingerprint for one in self._tls.own))
        self._tell_reloaded(None)
        self._warns_at = -math.inf
        self.warn()
        return True

    def _tell_reloaded(self, error: str | None) -> None:
        fingerprints = tuple(one.fingerprint for one in self._tls.own)
        self._observe(CertificatesReloaded(fingerprints=fingerprints, error=error))

    def warn(self) -> None:
        """Tell of certificates that expire soon, once a day."""
        if time.monotonic() < self._warns_at:
            return
        self._warns_at = time.monotonic() + _A_DAY
        for one in self._tls.expires():
            _LOG.warning("%s", _warning(one))
            self._observe(
                CertificateExpires(
                    file=str(one.file), subject=one.subject, fingerprint=one.fingerprint, expires=one.not_after
                )
            )


def _warning(one: OwnCertificate) -> str:
    when = f"{one.not_after.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return f"{one.file}: the certificate expires at {when}; nothing is said with it any more then (rule 516)"


@asynccontextmanager
async def keeping(keeper: TlsKeeper | None) -> AsyncIterator[None]:
    """Keep certificates up to date while the body runs, where there are any."""
    if keeper is None:
        yield
        return
    with alone():
        async with anyio.create_task_group() as group:
            group.start_soon(keeper.watch)
            try:
                yield
            finally:
                group.cancel_scope.cancel()

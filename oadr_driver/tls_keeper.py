"""Certificates over time: those that were replaced are read again, and those that expire soon are told of."""

import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import anyio
import anyio.to_thread

from oadr_core import Event, LocalProtocolError
from oadr_driver.groups import alone
from oadr_driver.logs import logger
from oadr_driver.signatures import FiledSealer
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


class Renewable(Protocol):
    """What has certificates in files, for TLS or for signatures."""

    @property
    def own(self) -> tuple[OwnCertificate, ...]:
        """Our certificates, as they are in use."""
        ...

    @property
    def look_every(self) -> timedelta:
        """How often they are looked at."""
        ...

    def expires(self) -> tuple[OwnCertificate, ...]:
        """Those of our certificates that expire soon, or have."""
        ...

    def changed(self) -> bool:
        """Tell whether a file has changed since it was last read, or tried to be."""
        ...

    def reload(self) -> None:
        """Read the files again.

        :raises LocalProtocolError: they cannot be used; what was read before stays in use.
        """
        ...


class CertificateKeeper:
    """Keeps the certificates of one side up to date while it runs.

    :param kept: what has certificates: for TLS, for signatures, or the same for both.
    :param observe: is told of it.
    """

    def __init__(self, kept: Sequence[Renewable], observe: Callable[[Event], None]) -> None:
        self._kept = tuple(kept)
        self._observe = observe
        self._warns_at = -math.inf
        self._reading = anyio.Lock()

    async def watch(self) -> None:
        """Look at the certificates for ever."""
        while True:
            self.warn()
            await anyio.sleep(min(one.look_every for one in self._kept).total_seconds())
            changed = [one for one in self._kept if await anyio.to_thread.run_sync(one.changed)]
            if changed:
                await self._reload(changed)

    async def reload(self) -> bool:
        """Read the certificates again; connections that are open go on as they were.

        :returns: whether they can be used; if not, the log says why, and those of before stay in use.
        """
        return await self._reload(self._kept)

    async def _reload(self, kept: Iterable[Renewable]) -> bool:
        async with self._reading:
            try:
                for one in kept:
                    await anyio.to_thread.run_sync(one.reload)
            except LocalProtocolError as error:
                _LOG.error("the certificates of before stay in use: %s", error)
                self._tell_reloaded(str(error))
                return False
        _LOG.info("the certificates were read again: %s", ", ".join(self._fingerprints()))
        self._tell_reloaded(None)
        self._warns_at = -math.inf
        self.warn()
        return True

    def _fingerprints(self) -> tuple[str, ...]:
        """Those of our certificates; the same may be for TLS and for signatures."""
        return tuple(dict.fromkeys(one.fingerprint for kept in self._kept for one in kept.own))

    def _tell_reloaded(self, error: str | None) -> None:
        fingerprints = self._fingerprints()
        self._observe(CertificatesReloaded(fingerprints=fingerprints, error=error))

    def warn(self) -> None:
        """Tell of certificates that expire soon, once a day."""
        if time.monotonic() < self._warns_at:
            return
        self._warns_at = time.monotonic() + _A_DAY
        soon = {one.fingerprint: one for kept in self._kept for one in kept.expires()}
        for one in soon.values():
            _LOG.warning("%s", _warning(one))
            self._observe(
                CertificateExpires(
                    file=str(one.file), subject=one.subject, fingerprint=one.fingerprint, expires=one.not_after
                )
            )


def _warning(one: OwnCertificate) -> str:
    when = f"{one.not_after.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return f"{one.file}: the certificate expires at {when}; nothing is said with it any more then (rule 516)"


def keeper_of(tls: Renewable | None, sealer: object, observe: Callable[[Event], None]) -> CertificateKeeper | None:
    """Make what keeps the certificates of one side up to date; None where it has none in files.

    :param tls: those for TLS.
    :param sealer: what signs, perhaps with a key from files.
    :param observe: is told of it.
    """
    kept = [one for one in (tls, sealer if isinstance(sealer, FiledSealer) else None) if one is not None]
    return CertificateKeeper(kept, observe) if kept else None


@asynccontextmanager
async def keeping(keeper: CertificateKeeper | None) -> AsyncIterator[None]:
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

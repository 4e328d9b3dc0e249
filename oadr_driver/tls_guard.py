"""What is looked at on every TLS connection before anything is said on it, or believed.

OpenSSL looks at a certificate once, when a connection begins, and not at all when a session is resumed. A connection
may last longer than a certificate, and may be used again for a peer that must have another one.
"""

import ssl
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, ClassVar

from oadr_core import fingerprint
from oadr_driver.tls_errors import NotTrusted

_expected: ContextVar[Collection[str]] = ContextVar("_expected", default=())


@contextmanager
def expecting(fingerprints: Collection[str]) -> Iterator[None]:
    """Talk to nobody else while the body runs, on connections that are new or were open before.

    :param fingerprints: those of the certificates of which the peer must have one; any will do if there are none.
    """
    token = _expected.set(fingerprints)
    try:
        yield
    finally:
        _expected.reset(token)


class Guarded(ssl.SSLObject):
    """A TLS connection whose peer is looked at before each word (rule 516).

    :cvar own_until: when our own certificate expires, in seconds since 1970; infinite where we have none.
    """

    own_until: ClassVar[float] = float("inf")
    _until: float = float("inf")
    _fingerprint: str | None = None

    def do_handshake(self) -> None:
        """Agree on TLS, and look at the peer."""
        super().do_handshake()
        certificate = self.getpeercert(True)
        if certificate is not None:
            self._fingerprint = fingerprint(certificate)
            told: Any = (self.getpeercert() or {}).get("notAfter")
            self._until = ssl.cert_time_to_seconds(told) if told else self._until
        self._look()

    def read(self, *arguments: Any) -> Any:
        """Take bytes, if the peer may still be listened to."""
        self._look()
        return super().read(*arguments)

    def write(self, data: Any) -> int:
        """Send bytes, if they are for this peer."""
        self._look()
        return super().write(data)

    @property
    def fingerprint(self) -> str | None:
        """That of the peer's certificate; None where it has shown none."""
        return self._fingerprint

    @staticmethod
    def _now() -> float:
        """The time, in seconds since 1970."""
        return time.time()

    def _look(self) -> None:
        now = self._now()
        if now >= self._until:
            raise NotTrusted("its certificate has expired")
        if now >= self.own_until:
            raise NotTrusted("our own certificate has expired")
        expected = _expected.get()
        if expected and self._fingerprint not in expected:
            raise NotTrusted(f"its certificate has the fingerprint {self._fingerprint}, which is not the one expected")


def guard(context: ssl.SSLContext, own_until: datetime | None, clock: Callable[[], float] = time.time) -> None:
    """Have all connections of a context guarded.

    :param context: the context.
    :param own_until: when our own certificate expires; None where we have none.
    :param clock: tells the time, in seconds since 1970.
    """
    until = float("inf") if own_until is None else own_until.timestamp()
    kind = type("Guarded", (Guarded,), {"own_until": until, "_now": staticmethod(clock)})
    context.sslobject_class = kind

"""The sealer that does not sign: "standard" security, where TLS alone tells who is talking (section 10)."""

from datetime import datetime
from typing import Final

from oadr_core.clock import Now
from oadr_core.messages import DistributeEvent, Payload, ProfileName
from oadr_core.seal.once import MadeOnce
from oadr_core.seal.opened import Opened, Sealer, opened
from oadr_core.wire.envelope import encode, read
from oadr_core.wire.parse import LIMITS, Limits


class PlainSealer:
    """Writes documents without a signature and takes them with or without one, unseen.

    :param strict: whether to refuse documents that the schema refuses.
    :param limits: how large a document may be.
    :param profile: the profile that it reads and writes.
    """

    def __init__(
        self, *, strict: bool = True, limits: Limits = LIMITS, profile: ProfileName = ProfileName.V20B
    ) -> None:
        self._strict = strict
        self._limits = limits
        self._profile = profile
        self._written: Final[MadeOnce[bytes]] = MadeOnce()

    @property
    def signs(self) -> bool:
        """It does not sign."""
        return False

    @property
    def requires(self) -> bool:
        """It takes what is not signed."""
        return False

    def seal(self, message: Payload, now: Now) -> bytes:
        """Write a message; see :class:`~oadr_core.seal.opened.Sealer`."""
        return self._written.of(message, self._write) if isinstance(message, DistributeEvent) else self._write(message)

    def _write(self, message: Payload) -> bytes:
        return encode(message, profile=self._profile)

    def open(self, data: bytes, now: Now) -> Opened:
        """Read a document; see :class:`~oadr_core.seal.opened.Sealer`."""
        return opened(read(data, strict=self._strict, limits=self._limits, profile=self._profile))

    def speaking(self, profile: ProfileName) -> "Sealer":
        """Give a sealer for a profile; see :class:`~oadr_core.seal.opened.Sealer`."""
        if profile is self._profile:
            return self  # the same, or one of a subclass
        return PlainSealer(strict=self._strict, limits=self._limits, profile=profile)

    def towards(self, signer: str | None) -> Sealer:
        """Give itself: it signs for nobody."""
        return self

    def recall(self, signer: str, until: datetime) -> None:
        """Do nothing: it knows no signers."""

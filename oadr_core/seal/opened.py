"""Documents that were opened, and who sent them.

A machine takes nothing but :class:`Opened`, and only this package makes one, so that no byte from outside can reach a
machine without having passed the checks of a sealer.
"""

from datetime import datetime
from typing import Final, Protocol

import msgspec

from oadr_core.clock import Now
from oadr_core.messages import Payload, ProfileName
from oadr_core.wire.envelope import Document

_KEY: Final = object()


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end of a connection, as the transport knows it.

    :param transport: ``simpleHttp`` or ``xmpp``.
    :param identity: what the transport has verified: the fingerprint of a TLS certificate, or a bare JID. None where
        nothing was verified.
    :param address: where the connection comes from, for people; proves nothing.
    """

    transport: str = "simpleHttp"
    identity: str | None = None
    address: str = ""

    @property
    def host(self) -> str:
        """The address without the port, which is what several connections of one machine have in common."""
        return self.address.rpartition(":")[0]


class Opened:
    """A document that a sealer has accepted.

    :ivar document: what was read.
    :ivar signer: the fingerprint of the certificate that signed it; None where it is not signed, or signatures are not
        looked at.
    :ivar signed_at: when it was signed, by the clock of the signer.
    """

    __slots__ = ("document", "signed_at", "signer")

    def __init__(
        self, document: Document, signer: str | None, signed_at: datetime | None = None, *, key: object
    ) -> None:
        """Not for you: only a sealer holds the key."""
        if key is not _KEY:
            raise TypeError("only a sealer can open a document")
        self.document: Final = document
        self.signer: Final = signer
        self.signed_at: Final = signed_at

    @property
    def message(self) -> Payload:
        """The payload."""
        return self.document.message


class Sealer(Protocol):
    """Turns messages into bytes that a peer can trust, and back."""

    @property
    def signs(self) -> bool:
        """Whether what it seals is signed."""
        ...

    @property
    def requires(self) -> bool:
        """Whether it opens nothing that is not signed."""
        ...

    def seal(self, message: Payload, now: Now) -> bytes:
        """Write a message, to be sent at once.

        :raises LocalProtocolError: a field holds what cannot be sent.
        """
        ...

    def open(self, data: bytes, now: Now) -> Opened:
        """Read a document and check its seal.

        :raises SchemaError: it cannot be read, or is not valid.
        :raises SealError: its seal is missing or broken.
        """
        ...

    def speaking(self, profile: ProfileName) -> "Sealer":
        """Give a sealer that reads and writes a profile, with the same settings otherwise; 2.0a has no signatures."""
        ...

    def towards(self, signer: str | None) -> "Sealer":
        """Give the sealer for what is said to a peer: where only some sign, those that do not get no signatures.

        :param signer: the fingerprint of the certificate that the peer signs with; None where it does not sign.
        """
        ...

    def recall(self, signer: str, until: datetime) -> None:
        """Take note that an earlier run has opened what a signer had signed up to a time.

        :param signer: the fingerprint of its certificate.
        :param until: the time, by the clock of the signer.
        """
        ...


def opened(document: Document, signer: str | None = None, signed_at: datetime | None = None) -> Opened:
    """Make an :class:`Opened`; for sealers of this package alone."""
    return Opened(document, signer, signed_at, key=_KEY)

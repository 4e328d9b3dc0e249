"""Documents that were opened, and who sent them.

A machine takes nothing but :class:`Opened`, and only this package makes one, so that no byte from outside can reach a
machine without having passed the checks of a sealer.
"""

from typing import Final, Protocol

import msgspec

from oadr_core.clock import Now
from oadr_core.messages import Payload, ProfileName
from oadr_core.wire.envelope import Document

_KEY: Final = object()


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end of a connection, as the transport knows it.

    :param transport: ``simpleHttp`` or ``xmpp``.
    :param identity: what the transport has verified: the fingerprint of a TLS certificate, or a full JID. None where
        nothing was verified.
    :param address: where the connection comes from, for people; proves nothing.
    """

    transport: str = "simpleHttp"
    identity: str | None = None
    address: str = ""


class Opened:
    """A document that a sealer has accepted.

    :ivar document: what was read.
    :ivar signer: the fingerprint of the certificate that signed it, or None where signatures are not in use.
    """

    __slots__ = ("document", "signer")

    def __init__(self, document: Document, signer: str | None, *, key: object) -> None:
        """Not for you: only a sealer holds the key."""
        if key is not _KEY:
            raise TypeError("only a sealer can open a document")
        self.document: Final = document
        self.signer: Final = signer

    @property
    def message(self) -> Payload:
        """The payload."""
        return self.document.message


class Sealer(Protocol):
    """Turns messages into bytes that a peer can trust, and back."""

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


def opened(document: Document, signer: str | None) -> Opened:
    """Make an :class:`Opened`; for sealers of this package alone."""
    return Opened(document, signer, key=_KEY)

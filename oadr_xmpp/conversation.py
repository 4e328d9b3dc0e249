"""What exchanges over a stream have in common, however their messages stand in it."""

from typing import Any, Final, Protocol

from oadr_core import Failure, Role, printable
from oadr_driver.damping import Damper
from oadr_driver.logs import logger
from oadr_driver.transport import ExchangeFailed
from oadr_xmpp.dialects import XmppDialect
from oadr_xmpp.exchanges import Exchanges, Serve
from oadr_xmpp.limits import XmppLimits
from oadr_xmpp.stream import RawStream

_LOG: Final = logger("oadr.xmpp")


class Side(Protocol):
    """What those who exchange messages have to be told by the side that they are on."""

    @property
    def asking(self) -> Role:
        """Who sends us requests."""
        ...

    def whose(self, sender: Any) -> str:
        """By what the answers of a sender are known, wherever he sends them from."""
        ...

    def reply_to(self, sender: Any, answer: bytes | None) -> Any:
        """Where somebody is answered who has not sent an IQ, a JID.

        :param sender: who it is.
        :param answer: what he is answered; None where it is an error.
        """
        ...

    def reply_by(self, stream: RawStream) -> RawStream | None:
        """Over which stream he is answered who has sent no IQ over another one; None while there is no connection."""
        ...


class Conversation:
    """Sends messages to others, and answers theirs, no larger ones than the server takes.

    :param stream: the stream.
    :param limits: what it puts up with.
    :param exchanges: what is under way over the stream.
    :param side: which side it is on.
    """

    def __init__(self, stream: RawStream, limits: XmppLimits, exchanges: Exchanges, side: Side) -> None:
        self._stream = stream
        self._limits = limits
        self._exchanges = exchanges
        self._side = side
        self._damper = Damper()

    def _refuse_long(self, size: int, to: Any) -> None:
        """Refuse to send a request that would make the server close the stream.

        :param size: its bytes, as they stand in the stanza.
        :param to: whom to.
        :raises ExchangeFailed: it is too long.
        """
        if size > self._limits.stanza:
            _LOG.error(
                "a message of %d bytes to %s is not sent: stanzas of more than %d bytes make the server close the "
                "stream; where it takes more, say so in XmppLimits(stanza=)",
                *(size, printable(str(to)), self._limits.stanza),
            )
            raise ExchangeFailed(Failure.TOO_LARGE)

    def _is_long(self, size: int, to: Any) -> bool:
        """Whether an answer would make the server close the stream, which the log tells then.

        :param size: its bytes, as they stand in the stanza.
        :param to: whom to.
        """
        if size <= self._limits.stanza:
            return False
        if self._damper.lets(("long", to.bare)):
            _LOG.error("an answer of %d bytes to %s is too large to be sent", size, printable(str(to)))
        return True

    @staticmethod
    async def _answered(
        serve: Serve, document: bytes, sender: Any, dialect: XmppDialect
    ) -> tuple[Failure | None, bytes]:
        """Have a request served, or say that it failed: one that does must not end the others.

        :param serve: what serves it.
        :param document: the request.
        :param sender: whose it is.
        :param dialect: how it came.
        """
        try:
            return await serve(document, sender, dialect)
        except Exception:
            _LOG.exception("the request of %s cannot be answered", printable(str(sender)))
            return Failure.PEER_ERROR, b""

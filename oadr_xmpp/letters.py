"""Exchanges over a stream by the text of messages, as avob has them: whatever is said is a message of its own."""

import asyncio
from functools import partial
from typing import Any, Final, NamedTuple

from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher.base import MatcherBase
from slixmpp.xmlstream.tostring import escape

from oadr_core import Failure, may_ask, printable
from oadr_driver.logs import logger
from oadr_xmpp.apart import AnswersApart, understood
from oadr_xmpp.conversation import Conversation, Side
from oadr_xmpp.dialects import WRAPPING, XmppDialect, unwrapped, wrapped
from oadr_xmpp.exchanges import Exchanges, Pending, Serve
from oadr_xmpp.limits import XmppLimits
from oadr_xmpp.outcomes import error, failure
from oadr_xmpp.stream import RawStream, error_in

_LOG: Final = logger("oadr.xmpp")

_WRAPPING: Final = WRAPPING[XmppDialect.AVOB]


class _Sent(NamedTuple):
    """A request of ours.

    :param to: whom it went to.
    :param whose: by what the one who has to answer is known.
    :param pending: what waits for the answer.
    """

    to: Any
    whose: str
    pending: Pending


class Letters(Conversation):
    """Sends requests and awaits their answers, and answers those of others, all by messages.

    :param apart: knows which messages answer which.
    """

    def __init__(
        self, stream: RawStream, limits: XmppLimits, exchanges: Exchanges, side: Side, apart: AnswersApart
    ) -> None:
        super().__init__(stream, limits, exchanges, side)
        self._apart = apart
        self._sent: dict[str, _Sent] = {}
        stream.register_handler(Callback("oadr letters", _Letters(None), self._take))
        stream.register_handler(Callback("oadr letters that came back", _Returned(self._sent), self._take_back))

    # --- our requests ------------------------------------------------------------------------------------------------

    async def request(self, to: Any, whose: str, document: bytes, patience: float) -> bytes:
        """Send a request and bring back the answer.

        What has none is taken for delivered unless the server returns it.

        :param to: whom to, a JID.
        :param whose: by what the one who has to answer is known.
        :param document: the payload.
        :param patience: seconds that the answer is awaited.
        :raises ExchangeFailed: there is none.
        """
        text = unwrapped(document, _WRAPPING)
        self._refuse_long(_size(text), to)
        number = self._stream.new_id()
        with self._exchanges.pending() as pending, self._apart.awaited(whose, document, pending) as is_answered:
            self._sent[number] = _Sent(to, whose, pending)
            try:
                self._write(self._stream, number, to, text, self._stream.boundjid)
                if is_answered:
                    return await pending.wait(patience)
                return await self._delivered(pending, patience)
            finally:
                del self._sent[number]

    async def _delivered(self, pending: Pending, patience: float) -> bytes:
        """Wait until the server has dealt with all that was sent, and so has returned what it cannot deliver."""
        pong = asyncio.ensure_future(self._reach_server(pending, patience))
        try:
            return await pending.wait(patience)
        finally:
            pong.cancel()

    async def _reach_server(self, pending: Pending, patience: float) -> None:
        try:
            await self._stream.ping_server(patience)
        except IqTimeout:
            pending.settle(Failure.SILENCE)
        except IqError:
            pending.settle(b"")  # an answer all the same
        else:
            pending.settle(b"")

    def _take_back(self, stanza: Any) -> None:
        sent, sender = self._sent[stanza["id"]], stanza["from"]
        if sender.bare == sent.to.bare or self._side.whose(sender) == sent.whose:
            sent.pending.settle(failure(*error_in(stanza)))

    @staticmethod
    def _write(stream: RawStream, number: str, to: Any, text: bytes, sender: Any) -> None:
        own = sender if stream.is_component else None  # a client has but one address
        message = stream.make_message(mto=to, mbody=text.decode(), mtype="normal", mfrom=own)
        message["id"] = number
        message.send()

    # --- what others say ---------------------------------------------------------------------------------------------

    def _take(self, stanza: Any) -> None:
        sender = stanza["from"]
        if self._exchanges.too_often(sender.bare):
            self._refuse(stanza, Failure.BUSY)
            return
        document = wrapped(stanza["body"].encode())
        message = understood(document, self._limits.documents)
        if message is not None:
            if self._apart.settle(self._side.whose(sender), message, document):
                return
            if not may_ask(self._side.asking, message):
                self._pass_over(sender, message.message_type())
                return
        if self._side.reply_by(self._stream) is None:
            return  # it comes again; answers that wait for a connection would be too late, and too many
        if self._exchanges.too_many(sender.bare):
            self._refuse(stanza, Failure.BUSY)
        else:
            self._exchanges.start(sender.bare, partial(self._served, stanza, document))

    def _pass_over(self, sender: Any, kind: str) -> None:
        """Do nothing with what answers nothing, such as an answer that has come too late: it is asked for again."""
        if self._damper.lets(("nothing", sender.bare)):
            _LOG.warning("%s has sent %s, which answers nothing that was asked", printable(str(sender)), kind)

    async def _served(self, stanza: Any, document: bytes, serve: Serve) -> None:
        sender = stanza["from"]
        refusal, answer = await self._answered(serve, document, sender, XmppDialect.AVOB)
        text = unwrapped(answer, _WRAPPING) if answer else b""
        if refusal is None and self._is_long(_size(text), sender):
            refusal = Failure.PEER_ERROR
        if refusal is not None:
            self._refuse(stanza, refusal)
        elif text and (stream := self._side.reply_by(self._stream)) is not None:
            self._write(stream, stream.new_id(), self._side.reply_to(sender, answer), text, stanza["to"])

    def _refuse(self, stanza: Any, why: Failure) -> None:
        """Return a message as an error, which nobody answers."""
        stream, to = self._side.reply_by(self._stream), self._side.reply_to(stanza["from"], None)
        if stream is None:
            return
        own = stanza["to"] if stream.is_component else None
        returned = stream.make_message(mto=to, mtype="error", mfrom=own)
        returned["id"] = stanza["id"]
        returned["error"]["condition"], returned["error"]["type"] = error(why)
        returned.send()


def _size(text: bytes) -> int:
    """How many bytes a text has as it stands in a stanza."""
    return len(escape(text.decode()).encode())


class _Letters(MatcherBase):
    """Matches messages with a text to one reader."""

    def match(self, stanza: Any) -> bool:
        """Whether a stanza is one."""
        said = stanza.name == "message" and stanza["type"] not in ("error", "groupchat")
        return said and bool(stanza["body"].strip())


class _Returned(MatcherBase):
    """Matches messages of ours that came back.

    :param sent: those that are under way, by their ids.
    """

    def match(self, stanza: Any) -> bool:
        """Whether a stanza is one."""
        return stanza.name == "message" and stanza["type"] == "error" and stanza["id"] in self._criteria

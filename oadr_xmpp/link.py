"""Exchanges over a stream: an IQ for each request, and an IQ for each answer (section 9.3.4 of the profile)."""

from contextlib import ExitStack
from functools import partial
from typing import Any, Final, NamedTuple

from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher.base import MatcherBase

from oadr_core import Failure, Payload, printable
from oadr_driver.logs import logger
from oadr_xmpp.apart import AnswersApart, understood
from oadr_xmpp.conversation import Conversation, Side
from oadr_xmpp.dialects import WRAPPING, Wrapping, XmppDialect, unwrapped, wrapped, wrapping_of
from oadr_xmpp.exchanges import Exchanges, Pending, Serve
from oadr_xmpp.limits import XmppLimits
from oadr_xmpp.outcomes import error, failure
from oadr_xmpp.stream import RawStream, error_content, error_in

_LOG: Final = logger("oadr.xmpp")


class _Asked(NamedTuple):
    """A request of ours.

    :param to: whom it went to.
    :param pending: what waits for its answer.
    :param apart: whether the answer comes in an IQ of its own, if the one that belongs to it is empty.
    """

    to: Any
    pending: Pending
    apart: bool


class Link(Conversation):
    """Sends requests and awaits their answers, and answers those of others, by IQs.

    :param apart: knows of answers that come in IQs of their own; None where nobody is spoken to who sends such.
    """

    def __init__(
        self,
        stream: RawStream,
        limits: XmppLimits,
        exchanges: Exchanges,
        side: Side,
        apart: AnswersApart | None = None,
    ) -> None:
        super().__init__(stream, limits, exchanges, side)
        self._apart = apart
        self._asked: dict[str, _Asked] = {}
        token = f"{{{stream.token}}}payload"
        stream.register_handler(Callback("oadr answers", _Answers(self._asked), self._take_answer))
        stream.register_handler(Callback("oadr requests", _Requests(token), self._take_request))

    # --- our requests ------------------------------------------------------------------------------------------------

    async def request(
        self, to: Any, whose: str, document: bytes, patience: float, dialect: XmppDialect = XmppDialect.PROFILE
    ) -> bytes:
        """Send a request and bring back the answer.

        :param to: whom to, a JID.
        :param whose: by what the one who has to answer is known, where the answer may come from elsewhere.
        :param document: the payload, with or without an XML declaration.
        :param patience: seconds that the answer is awaited.
        :param dialect: how it stands in the IQ, and where the answer comes.
        :raises ExchangeFailed: there is none.
        """
        content = unwrapped(document, WRAPPING[dialect])
        self._refuse_long(len(content), to)
        number = self._stream.new_id()
        with ExitStack() as under_way:
            pending = under_way.enter_context(self._exchanges.pending())
            apart = self._apart is not None and dialect is XmppDialect.ENERNOC
            if self._apart is not None and apart:
                apart = under_way.enter_context(self._apart.awaited(whose, document, pending))
            self._asked[number] = _Asked(to, pending, apart)
            under_way.callback(self._asked.pop, number)
            self._stream.send_raw_iq("set", number, str(to), content, str(self._stream.boundjid))
            return await pending.wait(patience)

    def _take_answer(self, stanza: Any) -> None:
        asked = self._asked[stanza["id"]]
        if stanza["from"] != asked.to:
            sender = printable(str(stanza["from"]))
            _LOG.warning("%s has answered for %s, and is not listened to", sender, printable(str(asked.to)))
            return
        if stanza["type"] == "error":
            asked.pending.settle(failure(*error_in(stanza)))
            return
        payloads = self._stream.payloads_of(stanza)
        if not payloads and not len(stanza.xml):
            if not asked.apart:
                asked.pending.settle(b"")
        elif len(payloads) == 1 and payloads[0] is not None:
            asked.pending.settle(payloads[0] if self._apart is None else wrapped(payloads[0]))
        else:
            asked.pending.settle(Failure.BAD_ANSWER)

    # --- requests of others ------------------------------------------------------------------------------------------

    def _take_request(self, stanza: Any) -> None:
        """Take a request as the server stamped it; an IQ is answered, and a message is not (decision D24)."""
        payloads = self._stream.payloads_of(stanza)
        peer = stanza["from"].bare
        if self._exchanges.too_often(peer):
            self._answer(stanza, Failure.BUSY, b"")
            return
        if len(payloads) != 1 or payloads[0] is None or len(stanza.xml) != 1:
            self._answer(stanza, Failure.NOT_ACCEPTABLE, b"")
            return
        document, dialect = payloads[0], XmppDialect.PROFILE
        if self._apart is not None and wrapping_of(document) is not Wrapping.WHOLE:
            document, dialect = wrapped(document), XmppDialect.ENERNOC
        if self._is_answer(stanza, document):
            self._answer(stanza, None, b"")
        elif self._exchanges.too_many(peer):
            self._answer(stanza, Failure.BUSY, b"")
        else:
            self._exchanges.start(peer, partial(self._served, stanza, document, dialect))

    def _is_answer(self, stanza: Any, document: bytes) -> bool:
        """Bring an answer that has come in an IQ of its own to whoever waits for it; whether it is one."""
        message: Payload | None = None if self._apart is None else understood(document, self._limits.documents)
        if self._apart is None or message is None:
            return False
        return self._apart.settle(self._side.whose(stanza["from"]), message, document)

    async def _served(self, stanza: Any, document: bytes, dialect: XmppDialect, serve: Serve) -> None:
        self._answer(stanza, *await self._answered(serve, document, stanza["from"], dialect), dialect)

    def _answer(
        self, stanza: Any, refusal: Failure | None, answer: bytes, dialect: XmppDialect = XmppDialect.PROFILE
    ) -> None:
        if stanza.name != "iq":
            return
        content = unwrapped(answer, WRAPPING[dialect]) if answer else b""
        if self._is_long(len(content), stanza["from"]):
            refusal = Failure.PEER_ERROR
        if refusal is not None:
            content = error_content(*error(refusal))
        kind = "result" if refusal is None else "error"
        self._stream.send_raw_iq(kind, stanza["id"], str(stanza["from"]), content, str(stanza["to"]))


class _Answers(MatcherBase):
    """Matches the answers to requests that are under way.

    :param asked: these requests, by their ids.
    """

    def match(self, stanza: Any) -> bool:
        """Whether a stanza is such an answer."""
        return stanza.name == "iq" and stanza["id"] in self._criteria and stanza["type"] in ("result", "error")


class _Requests(MatcherBase):
    """Matches requests of others.

    :param token: the name of what stands for a payload.
    """

    def match(self, stanza: Any) -> bool:
        """Whether a stanza is one."""
        carries = any(one.tag == self._criteria for one in stanza.xml)
        kinds = ("set",) if stanza.name == "iq" else ("normal", "chat", "headline")
        return carries and stanza.name in ("iq", "message") and stanza["type"] in kinds

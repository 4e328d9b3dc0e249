"""Exchanges over a stream: an IQ for each request, and an IQ for each answer (section 9.3.4 of the profile)."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher.base import MatcherBase

from oadr_core import Failure, printable
from oadr_driver.damping import Damper
from oadr_driver.logs import logger
from oadr_driver.throttle import buckets
from oadr_driver.transport import ExchangeFailed
from oadr_xmpp.limits import XmppLimits
from oadr_xmpp.outcomes import error, failure
from oadr_xmpp.stream import RawStream, error_content, error_in

_LOG: Final = logger("oadr.xmpp")

_DECLARATION: Final = re.compile(rb"\s*<\?xml[^>]*\?>\s*")

Serve = Callable[[bytes, Any], Awaitable[tuple[Failure | None, bytes]]]
"""Takes a payload and the JID that the server says it comes from; says how it is refused, or what answers it."""


class Link:
    """Sends requests and awaits their answers, and answers those of others.

    :param stream: the stream.
    :param limits: what it puts up with.
    :param clock: seconds that never go back.
    """

    def __init__(self, stream: RawStream, limits: XmppLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._limits = limits
        self._clock = clock
        self._awaited: dict[str, tuple[Any, asyncio.Future[bytes]]] = {}
        self._unread: dict[str, asyncio.Future[None]] = {}  # those whose answers are there, until they are read
        self._serve: Serve | None = None
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._of_peers: Counter[str] = Counter()
        self._buckets = buckets(limits.requests_per_peer)
        self._damper = Damper()
        token = f"{{{stream.token}}}payload"
        stream.register_handler(Callback("oadr answers", _Answers(self._awaited), self._take_answer))
        stream.register_handler(Callback("oadr requests", _Requests(token), self._take_request))

    # --- our requests ------------------------------------------------------------------------------------------------

    async def request(self, to: Any, document: bytes, patience: float) -> bytes:
        """Send a request and bring back the answer.

        :param to: whom to, a JID.
        :param document: the payload, with or without an XML declaration.
        :param patience: seconds that the answer is awaited.
        :raises ExchangeFailed: there is none.
        """
        content = _without_declaration(document)
        if len(content) > self._limits.stanza:
            _LOG.error(
                "a message of %d bytes to %s is not sent: stanzas of more than %d bytes make the server close the "
                "stream; where it takes more, say so in XmppLimits(stanza=)",
                *(len(content), printable(str(to)), self._limits.stanza),
            )
            raise ExchangeFailed(Failure.TOO_LARGE)
        number = self._stream.new_id()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._awaited[number] = (to, answer)
        try:
            self._stream.send_raw_iq("set", number, str(to), content, str(self._stream.boundjid))
            return await asyncio.wait_for(answer, patience)
        except TimeoutError:
            raise ExchangeFailed(Failure.SILENCE) from None
        finally:
            del self._awaited[number]
            if number in self._unread:
                self._unread.pop(number).set_result(None)

    def _take_answer(self, stanza: Any) -> None:
        to, answer = self._awaited[stanza["id"]]
        if answer.done():
            return
        if stanza["from"] != to:
            sender = printable(str(stanza["from"]))
            _LOG.warning("%s has answered for %s, and is not listened to", sender, printable(str(to)))
            return
        self._unread[stanza["id"]] = asyncio.get_running_loop().create_future()
        if stanza["type"] == "error":
            answer.set_exception(ExchangeFailed(failure(*error_in(stanza))))
            return
        payloads = self._stream.payloads_of(stanza)
        if not payloads and not len(stanza.xml):
            answer.set_result(b"")
        elif len(payloads) == 1 and payloads[0] is not None:
            answer.set_result(payloads[0])
        else:
            answer.set_exception(ExchangeFailed(Failure.BAD_ANSWER))

    def fail_all(self, why: Failure) -> None:
        """Give up all requests that are under way."""
        for _, answer in self._awaited.values():
            if not answer.done():
                answer.set_exception(ExchangeFailed(why))

    # --- requests of others ------------------------------------------------------------------------------------------

    def serve(self, serve: Serve | None) -> None:
        """Say what takes requests from now on; None has them sent back, to come again later."""
        self._serve = serve

    @property
    def idle(self) -> bool:
        """Whether nothing is being answered."""
        return not self._tasks

    async def finished(self) -> None:
        """Wait until nothing is being answered."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        """Leave nothing running."""
        self.fail_all(Failure.BROKEN)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take_request(self, stanza: Any) -> None:
        """Take a request as the server stamped it; an IQ is answered, and a message is not (decision D24)."""
        payloads = self._stream.payloads_of(stanza)
        serve, refusal = self._serve, self._too_many(stanza["from"].bare)
        if refusal is None and (len(payloads) != 1 or payloads[0] is None or len(stanza.xml) != 1):
            refusal = Failure.NOT_ACCEPTABLE
        if serve is None or refusal is not None:
            self._answer(stanza, refusal or Failure.BUSY, b"")
            return
        assert payloads[0] is not None
        task = asyncio.get_running_loop().create_task(self._served(serve, stanza, payloads[0]))
        self._tasks[task] = stanza["from"].bare
        self._of_peers[stanza["from"].bare] += 1
        task.add_done_callback(self._done)

    def _too_many(self, peer: str) -> Failure | None:
        if self._buckets.take(peer, self._clock()):
            return Failure.BUSY
        full = len(self._tasks) >= self._limits.in_flight
        return Failure.BUSY if full or self._of_peers[peer] >= self._limits.in_flight_per_peer else None

    def _done(self, task: asyncio.Task[None]) -> None:
        peer = self._tasks.pop(task)
        self._of_peers[peer] -= 1
        if not self._of_peers[peer]:
            del self._of_peers[peer]

    async def _served(self, serve: Serve, stanza: Any, payload: bytes) -> None:
        if self._unread:  # these answers came before this request, and so they are read before it
            await asyncio.wait(list(self._unread.values()))
        try:
            refusal, answer = await serve(payload, stanza["from"])
        except Exception:  # one request that fails must not end the others
            _LOG.exception("the request of %s cannot be answered", printable(str(stanza["from"])))
            refusal, answer = Failure.PEER_ERROR, b""
        self._answer(stanza, refusal, answer)

    def _answer(self, stanza: Any, refusal: Failure | None, answer: bytes) -> None:
        if stanza.name != "iq":
            return
        content = _without_declaration(answer)
        if len(content) > self._limits.stanza:
            if self._damper.lets(("long", stanza["from"].bare)):
                to = printable(str(stanza["from"]))
                _LOG.error("an answer of %d bytes to %s is too large to be sent", len(content), to)
            refusal = Failure.PEER_ERROR
        if refusal is not None:
            content = error_content(*error(refusal))
        kind = "result" if refusal is None else "error"
        self._stream.send_raw_iq(kind, stanza["id"], str(stanza["from"]), content, str(stanza["to"]))


class _Answers(MatcherBase):
    """Matches the answers to requests that are under way.

    :param awaited: these requests, by their ids.
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


def _without_declaration(document: bytes) -> bytes:
    """A document as it stands in a stanza."""
    found = _DECLARATION.match(document)
    return document[found.end() :] if found else document

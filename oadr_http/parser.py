"""Reading requests from a connection, by llhttp (httptools): what is complete, what is refused, what is no request.

Where two readers could understand a head differently, it is refused, so that no proxy in between is deceived.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Final

import httptools

from oadr_driver.logs import logger
from oadr_http.endpoints import Answer
from oadr_http.heads import RepeatedHeader, add_header, framing_fault, length_fault

_LOG: Final = logger("oadr.http")

Headers = dict[bytes, bytes]
"""Headers by their names in lower case."""

Refuse = Callable[[str, str, Mapping[bytes, bytes]], Answer | None]


class _Refused(Exception):
    """A request that cannot be read on; the connection ends with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status.phrase)
        self.answer: Final = answer


@dataclass
class Request:
    """A request as it arrives.

    :ivar version: the version of HTTP.
    :ivar keep_alive: whether the connection may stay open after it.
    :ivar refused: the answer, where the head was enough to refuse it.
    """

    method: str = ""
    target: bytes = b""
    version: str = ""
    body: bytes = b""
    keep_alive: bool = True
    refused: Answer | None = None


class Stage(Enum):
    """What a connection is at; a parser tells the three that follow the first."""

    HANDSHAKE = "TLS is agreed on"
    IDLE = "waits for a request"
    HEAD = "a head arrives"
    BODY = "a body arrives"
    ANSWER = "the answer is made"
    WRITE = "the answer leaves"


class Parser:
    """Collects what llhttp finds; one for each connection.

    :param refuse: refuses a request by its method, its target and its headers, or lets it in.
    :param longest_head: bytes of request line and headers that are taken.
    :param longest_body: bytes of a body that are taken.
    :param most_headers: how many headers are taken.
    :ivar complete: the requests that have arrived, each with its headers.
    :ivar wrong: the answer to what came after them, where that is no request, or cannot be taken.
    :ivar expects: whether the peer waits for "100 Continue" before it sends the body.
    """

    def __init__(self, refuse: Refuse, *, longest_head: int, longest_body: int, most_headers: int = 100) -> None:
        self._refuse = refuse
        self._longest_head = longest_head
        self._longest_body = longest_body
        self._most_headers = most_headers
        self._header_count = 0
        self._header_size = 0
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request()
        self._headers: Headers = {}
        self._body: list[bytes] = []
        self._head_size = 0
        self.stage = Stage.IDLE
        self.complete: deque[tuple[Request, Headers]] = deque()
        self.wrong: Answer | None = None
        self.expects = False

    @property
    def awaited(self) -> int:
        """The bytes of the body that is arriving; 0 where none is, or none that is kept."""
        if self.stage is not Stage.BODY or self._request.refused is not None:
            return 0
        return int(self._headers.get(b"content-length", b"0"))

    def feed(self, data: bytes) -> None:
        """Take bytes from the connection."""
        rest: bytes | None = data
        while rest is not None:  # once, and once more for each upgrade that is offered
            rest = self._feed(rest)

    def _feed(self, data: bytes) -> bytes | None:
        """Take some bytes; returns what has to be read after that, if anything."""
        before = len(self.complete)
        upgraded_at: int | None = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            upgraded_at = upgrade.args[0]
        except httptools.HttpParserCallbackError as error:
            self._give_up(_answer_to(error))
        except httptools.HttpParserError:
            self._give_up(Answer(HTTPStatus.BAD_REQUEST))
        if upgraded_at is not None:
            return self._pass_over_upgrade(data[upgraded_at:])
        if self.stage is Stage.HEAD:
            self._head_size += len(data) if len(self.complete) == before else 0
            if self._head_size > self._longest_head:
                self._give_up(Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        return None

    def _pass_over_upgrade(self, rest: bytes) -> bytes | None:
        """An upgrade was offered, as some clients do with every request, and is not taken.

        llhttp stops behind the head then, so the same head is read again without the offer.
        """
        request, headers = self.complete.pop()
        if request.method == "CONNECT":
            self._give_up(Answer(HTTPStatus.NOT_IMPLEMENTED))
            return None
        kept = b"".join(b"%b: %b\r\n" % one for one in headers.items() if one[0] not in (b"connection", b"upgrade"))
        self._parser = httptools.HttpRequestParser(self)
        return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (request.method.encode(), request.target, kept, rest)

    def _give_up(self, answer: Answer) -> None:
        """Read no more. What follows a request that ends the connection does not matter."""
        if not self.complete or self.complete[-1][0].keep_alive:
            self.wrong = answer

    # --- callbacks of httptools --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.stage = Stage.HEAD
        self._request = Request()
        self._headers = {}
        self._header_count = 0
        self._header_size = 0
        self._body = []
        self._head_size = 0

    def on_url(self, url: bytes) -> None:
        """Take the request target, or a piece of it."""
        self._request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; repeated ones count as well."""
        self._header_count += 1
        self._header_size += len(name) + len(value)
        if self._header_count > self._most_headers:
            raise _Refused(Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        try:
            add_header(self._headers, name, value)
        except RepeatedHeader:
            raise _Refused(Answer(HTTPStatus.BAD_REQUEST)) from None

    def on_headers_complete(self) -> None:
        """Judge a request by its head."""
        request, headers = self._request, self._headers
        self.stage = Stage.BODY
        request.method = self._parser.get_method().decode("latin-1")
        request.version = self._parser.get_http_version()
        request.keep_alive = self._parser.should_keep_alive()
        fault = self._head_fault()
        if fault is not None:
            raise _Refused(Answer(fault))
        request.refused = self._refuse(request.method, request.target.decode("latin-1"), headers)
        fault = length_fault(headers, self._longest_body)
        if fault is HTTPStatus.REQUEST_ENTITY_TOO_LARGE or (fault is not None and request.refused is None):
            raise _Refused(Answer(fault))
        self.expects = request.version == "1.1" and headers.get(b"expect", b"").lower() == b"100-continue"
        if self.expects and request.refused is not None:
            raise _Refused(request.refused)  # at once: the body, which is not wanted, would never come

    def _head_fault(self) -> HTTPStatus | None:
        if self._request.version not in ("1.0", "1.1"):
            return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
        if len(self._request.target) + self._header_size > self._longest_head:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return framing_fault(self._request.version, self._headers)

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.expects = False
        if self._request.refused is None:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """A request is complete."""
        self._request.body = b"".join(self._body)
        self.complete.append((self._request, self._headers))
        self._body = []
        self.stage = Stage.IDLE
        self.expects = False


def _answer_to(error: httptools.HttpParserCallbackError) -> Answer:
    """The answer where a callback has raised: what it says, or that it is no fault of the peer."""
    raised = error.__context__
    if isinstance(raised, _Refused):
        return raised.answer
    _LOG.error("the head of a request cannot be judged", exc_info=error)
    return Answer(HTTPStatus.INTERNAL_SERVER_ERROR)

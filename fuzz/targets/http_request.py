"""Bytes of a connection to requests.

Whatever the bytes and however they are cut, the parser raises nothing, and finds no fault that is ours; a body is never
longer than is taken, and what is kept of a head neither. Unless a head is too long, what is found does not depend on
how the bytes are cut. Once something is wrong, or a connection has to end, nothing that follows counts. Every complete
request has a length that was announced and is that of its body.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fuzz.draws import Draws
from fuzz.target import Target
from oadr_core import Peer, ProfileName, Service
from oadr_core.machines.exchange import Failure
from oadr_http.endpoints import Answer, Endpoints
from oadr_http.parser import Parser

_HEAD: Final = 2048
_BODY: Final = 512


class _Nobody:
    """A receiver that gets nothing."""

    async def receive(
        self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName = ProfileName.V20B
    ) -> tuple[Failure | None, bytes]:
        """Take no request: what is read here is handed to nobody."""
        raise AssertionError("the parser alone is looked at")


_ENDPOINTS: Final = Endpoints(_Nobody(), prefix_20a="/OpenADR2/Simple")


_PEER: Final = Peer(address="192.0.2.1")


def _refuse(method: str, target: str, headers: Mapping[bytes, bytes]) -> Answer | None:
    return _ENDPOINTS.refuse(method, target, headers, _PEER)


def check(data: bytes) -> None:
    """Read an input cut in pieces, and as a whole."""
    draws = Draws(data)
    step = draws.choose((1, 2, 7, 40, 400, 4000))
    content = draws.take(draws.left)
    pieces = _fed([content[at : at + step] for at in range(0, len(content), step)])
    bytewise = _fed([content[at : at + 1] for at in range(len(content))])
    if not _is_too_long(pieces) and not _is_too_long(bytewise):
        assert _summary(pieces) == _summary(bytewise), "what is found depends on how the bytes are cut"


def _fed(pieces: list[bytes]) -> Parser:
    parser = Parser(_refuse, longest_head=_HEAD, longest_body=_BODY)
    for piece in pieces:
        if parser.wrong is not None or any(not request.keep_alive for request, _ in parser.complete):
            break  # the server reads no more either
        parser.feed(piece)
        assert parser.wrong is not None or 0 <= parser.awaited <= _BODY, "a body is awaited that is not taken"
    for request, headers in parser.complete:
        assert len(request.target) + sum(len(name) + len(value) for name, value in headers.items()) <= _HEAD
        length = headers.get(b"content-length", b"0")
        assert b"transfer-encoding" not in headers
        assert request.refused is not None or int(length) == len(request.body) <= _BODY
    assert parser.wrong is None or parser.wrong.status is not HTTPStatus.INTERNAL_SERVER_ERROR, "our own fault"
    return parser


def _is_too_long(parser: Parser) -> bool:
    """Whether a head was too long; when that is noticed depends on how it was cut."""
    return parser.wrong is not None and parser.wrong.status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def _summary(parser: Parser) -> list[object]:
    found: list[object] = []
    for request, headers in parser.complete:
        refused = None if request.refused is None else request.refused.status
        found.append((request.method, request.target, request.body, request.keep_alive, refused, headers))
        if not request.keep_alive:
            return found
    return [*found, None if parser.wrong is None else parser.wrong.status]


def _seeds() -> list[bytes]:
    post = b"POST /OpenADR2/Simple/2.0b/OadrPoll HTTP/1.1\r\nHost: a\r\nContent-Type: application/xml\r\n"
    requests = [
        post + b"Content-Length: 4\r\n\r\n<a/>" * 1,
        (post + b"Content-Length: 4\r\n\r\n<a/>") * 3,
        post + b"Content-Length: 4\r\nConnection: close\r\n\r\n<a/>" + post,
        post + b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n<a/>",
        post + b"Content-Length: 4\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n<a/>",
        post + b"Transfer-Encoding: chunked\r\n\r\n4\r\n<a/>\r\n0\r\n\r\n",
        post + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n<a/>",
        post + b"Content-Length: 99999999999999999999999\r\n\r\n",
        post + b"Content-Length: 600\r\n\r\n",
        post + b"Content-Length: 4\r\nAccept-Encoding: gzip\r\nAccept: application/xml\r\n\r\n<a/>",
        b"GET / HTTP/1.0\r\n\r\n",
        b"POST /OpenADR2/Simple/EiEvent HTTP/1.0\r\nContent-Type: application/xml\r\nContent-Length: 0\r\n\r\n",
        (post + b"Content-Length: 4\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n<a/>") * 20,
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        post + b"X: " + b"x" * 3000 + b"\r\n\r\n",
        b"POST /OpenADR2/Simple/2.0b/%4fadrPoll?x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    ]
    return [bytes([step]) + request for request in requests for step in (3, 5)]


TARGET: Final = Target(
    check=check, seeds=_seeds, modules=("oadr_http.parser", "oadr_http.heads", "oadr_http.endpoints"), longest=4096
)

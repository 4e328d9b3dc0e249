"""The endpoints as an ASGI application, for those who run a server of their own.

Who a VEN is shows from its certificate: a server that supports the TLS extension of ASGI hands it on, and a proxy in
front may tell it by a header. Where nothing does, only this machine is served, unless it was said that this is meant.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, suppress
from http import HTTPStatus
from typing import Any, Final

from oadr_core import Peer, fingerprint
from oadr_driver.damping import Damper
from oadr_driver.logs import logger
from oadr_http.endpoints import Answer, Endpoints
from oadr_http.exposure import is_loopback
from oadr_http.heads import RepeatedHeader, framing_fault, headers_of, length_fault

_LOG: Final = logger("oadr.http")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _Gone(Exception):
    """The peer went away before its request was complete."""


class AsgiApp:
    """Serves endpoints.

    The path before the name of a service may be the whole one, or what follows the path that the application is
    mounted at (``root_path``).

    :param endpoints: takes the requests.
    :param running: what has to be entered before the first request and left after the last; done by the application
        itself where the server supports the lifespan protocol.
    :param longest_body: bytes of a body that are taken.
    :param exposed: whether clients on other machines are served; they are refused if not, see
        :func:`~oadr_http.exposure.refuse_exposure`.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        running: Callable[[], AbstractAsyncContextManager[object]],
        *,
        longest_body: int = 2 * 1024 * 1024,
        exposed: bool = True,
    ) -> None:
        self._endpoints: Final = endpoints
        self._running = running
        self._longest_body = longest_body
        self._exposed = exposed
        self._damper = Damper()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI calls it."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:  # ASGI wants an application to raise for a protocol that it does not have, and its server to hang up
            raise NotImplementedError(f"OpenADR does not speak {scope['type']}")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Run what has to run; a failure to begin is told, so that the server does not go on without it."""
        await receive()
        started = False
        try:
            async with self._running():
                await send({"type": "lifespan.startup.complete"})
                started = True
                await receive()
        except Exception as error:
            if started:
                raise
            _LOG.exception("the application cannot start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except _Gone:
            return
        await send({"type": "http.response.start", "status": int(answer.status), "headers": list(answer.headers)})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        try:
            headers = headers_of(scope["headers"])
        except RepeatedHeader:
            return Answer(HTTPStatus.BAD_REQUEST)
        fault = framing_fault(str(scope.get("http_version", "1.1")), headers)
        if fault is not None:
            return Answer(fault)
        path, peer = self._path(scope), peer_of(scope)
        if not self._exposed and self._is_elsewhere(scope):
            return Answer(HTTPStatus.FORBIDDEN)
        refused = self._endpoints.refuse(scope["method"], path, headers, peer)
        if refused is not None:
            return refused
        fault = length_fault(headers, self._longest_body)
        body = await self._body(receive) if fault is None else None
        if body is None:
            return Answer(fault or HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return await self._endpoints.answer(path, headers, body, peer)

    def _is_elsewhere(self, scope: Scope) -> bool:
        """Whether a client is on another machine; one that has no address is here."""
        host = str((scope.get("client") or ("",))[0])
        if not host or is_loopback(host):
            return False
        if self._damper.lets(host):
            _LOG.error("%s was refused, as nothing tells who it is: anybody could pose as any VEN", host)
        return True

    async def _body(self, receive: Receive) -> bytes | None:
        """Read the body; None where it is too long."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            body += message.get("body", b"")
            if len(body) > self._longest_body:
                return None
            if not message.get("more_body"):
                return bytes(body)

    def _path(self, scope: Scope) -> str:
        """The path, whether or not the server counts the one that the application is mounted at as part of it."""
        root, path = str(scope.get("root_path", "")).rstrip("/"), str(scope["path"])
        within = path.removeprefix(root) if path.startswith(root + "/") else path
        return within if self._endpoints.serves(within) else root + within


def peer_of(scope: Scope) -> Peer:
    """Who is at the other end: whoever has shown a certificate that the server, by the TLS extension, finds valid."""
    host, port = scope.get("client") or ("", 0)
    tls = (scope.get("extensions") or {}).get("tls") or {}
    chain = tls.get("client_cert_chain") or ()
    identity = None
    if chain and not tls.get("client_cert_error"):
        with suppress(ValueError):
            identity = fingerprint(chain[0])
    return Peer("simpleHttp", identity, f"{host}:{port}")

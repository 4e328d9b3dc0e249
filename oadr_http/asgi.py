"""The endpoints as an ASGI application, for those who run a server of their own.

A server that speaks ASGI does not hand on the client's certificate, so the VENs are not told apart by it.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any, Final

from oadr_core import Peer
from oadr_http.endpoints import Answer, Endpoints

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiApp:
    """Serves endpoints.

    :param endpoints: takes the requests.
    :param running: what has to be entered before the first request and left after the last; done by the application
        itself where the server supports the lifespan protocol.
    :param longest_body: bytes of a body that are taken.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        running: Callable[[], AbstractAsyncContextManager[object]],
        *,
        longest_body: int = 2 * 1024 * 1024,
    ) -> None:
        self._endpoints: Final = endpoints
        self._running = running
        self._longest_body = longest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI calls it."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = {bytes(name).lower(): bytes(value) for name, value in scope["headers"]}
        path = _path(scope)
        answer = self._endpoints.refuse(scope["method"], path, headers)
        if answer is None:
            body = await self._body(receive)
            if body is None:
                answer = Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            else:
                client = scope.get("client") or ("", 0)
                peer = Peer("simpleHttp", None, f"{client[0]}:{client[1]}")
                answer = await self._endpoints.answer(path, headers, body, peer)
        await send({"type": "http.response.start", "status": int(answer.status), "headers": list(answer.headers)})
        await send({"type": "http.response.body", "body": answer.body})

    async def _body(self, receive: Receive) -> bytes | None:
        """Read the body; None where it is too long."""
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._longest_body:
                return None
            if not message.get("more_body"):
                return bytes(body)


def _path(scope: Scope) -> str:
    """The whole path, whether or not the server counts the one that the application is mounted at as part of it."""
    root, path = str(scope.get("root_path", "")).rstrip("/"), str(scope["path"])
    return path if path.startswith(root + "/") else root + path

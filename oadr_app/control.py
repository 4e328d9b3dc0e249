"""The control endpoint of a running VTN: how the command line asks it for something.

JSON over HTTP on a Unix socket, which only its owner can open; a token in a file beside it has to be shown as well, so
that whoever can reach the socket still needs to be able to read the file.
"""

import hmac
import json
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import anyio
import httpx

from oadr_core import LocalProtocolError, Peer
from oadr_http import Answer, Server, ServerLimits

Command = Callable[[Mapping[str, Any]], Awaitable[object]]
"""Does what is asked for and returns what JSON can hold; raises LocalProtocolError where the request is wrong."""

_PATH: Final = "/v1/"


class ControlError(Exception):
    """The VTN cannot be asked, or refuses; the text says why."""


def token_file(socket: Path) -> Path:
    """The file that holds the token of a control socket."""
    return socket.with_suffix(".token")


class _Commands:
    """Takes requests to the control socket."""

    def __init__(self, commands: Mapping[str, Command], token: str) -> None:
        self._commands = commands
        self._token = token

    def refuse(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> Answer | None:
        """Refuse a request by its head, or say that its body may come."""
        shown = headers.get(b"authorization", b"").decode("latin-1")
        if not hmac.compare_digest(shown, f"Bearer {self._token}"):
            return _json(HTTPStatus.FORBIDDEN, {"error": "the token is wrong"})
        if method != "POST" or path.removeprefix(_PATH) not in self._commands:
            return _json(HTTPStatus.NOT_FOUND, {"error": f"there is no {method} {path}"})
        return None

    async def answer(self, path: str, headers: Mapping[bytes, bytes], body: bytes, peer: Peer) -> Answer:
        """Do what is asked for."""
        try:
            asked = json.loads(body)
            if not isinstance(asked, dict):
                raise LocalProtocolError("the body must be a JSON object")
            return _json(HTTPStatus.OK, await self._commands[path.removeprefix(_PATH)](asked))
        except (LocalProtocolError, ValueError, KeyError, TypeError) as error:
            text = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
            return _json(HTTPStatus.BAD_REQUEST, {"error": text})


def _json(status: HTTPStatus, content: object) -> Answer:
    return Answer(status, json.dumps(content, default=str).encode(), [(b"content-type", b"application/json")])


@asynccontextmanager
async def listening(socket: Path, commands: Mapping[str, Command]) -> AsyncIterator[None]:
    """Listen for commands while the body runs.

    :param socket: where to listen; a socket that a dead process left behind is replaced.
    :param commands: what can be asked for, by name.
    :raises OSError: somebody else listens there, or the socket cannot be made.
    """
    with suppress(OSError):
        async with await anyio.connect_unix(socket):
            raise ControlError(f"another VTN listens at {socket}")
    token = secrets.token_urlsafe(32)
    _clear(socket)
    _write_token(socket, token)
    listener = await anyio.create_unix_listener(socket, mode=0o600)
    try:
        async with Server(_Commands(commands, token), ServerLimits(connections=64, grace=1.0)).serving(listener):
            yield
    finally:
        _clear(socket)


def _clear(socket: Path) -> None:
    """Remove a control socket and its token."""
    socket.unlink(missing_ok=True)
    token_file(socket).unlink(missing_ok=True)


def _write_token(socket: Path, token: str) -> None:
    """Write the token where none but the owner can read it."""
    descriptor = os.open(token_file(socket), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)


def ask(socket: Path, command: str, **content: object) -> Any:
    """Ask a running VTN for something.

    :param socket: its control socket.
    :param command: what is asked for.
    :param content: the details.
    :returns: what it answers.
    :raises ControlError: it cannot be asked, or refuses.
    """
    try:
        token = token_file(socket).read_text()
    except OSError:
        raise ControlError(f"no VTN is running with the control socket {socket}{_others(socket)}") from None
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), timeout=30) as client:
            response = client.post(
                f"http://vtn{_PATH}{command}", json=content, headers={"Authorization": f"Bearer {token}"}
            )
    except httpx.TransportError as error:
        raise ControlError(f"the VTN at {socket} does not answer: {error}") from None
    answer = response.json()
    if response.status_code != HTTPStatus.OK:
        raise ControlError(str(answer.get("error", response.text)))
    return answer


def _others(socket: Path) -> str:
    """Point at the control sockets that there are instead."""
    try:
        found = sorted(str(one) for one in socket.parent.glob("*.sock") if one.is_socket())
    except OSError:
        found = []
    if found:
        return f"; there is {', '.join(found)}, try --socket {found[0]}"
    return "; start one with oadr vtn, or say which with --config or --socket"

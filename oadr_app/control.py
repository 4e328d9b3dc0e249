"""The control endpoint of a running VTN: how the command line asks it for something.

JSON over HTTP on a Unix socket, which only its owner can open; a token in a file beside it has to be shown as well, so
that whoever can reach the socket still needs to be able to read the file.
"""

import hmac
import json
import os
import secrets
import socket as unix
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.abc

from oadr_core import LocalProtocolError, Peer
from oadr_driver.logs import logger
from oadr_http import Answer, Server, ServerLimits

Command = Callable[[Mapping[str, Any]], Awaitable[object]]
"""Does what is asked for and returns what JSON can hold; raises LocalProtocolError where the request is wrong."""

_LOG: Final = logger("oadr.control")

_PATH: Final = "/v1/"

_LONGEST_NAME: Final = 103
"""Bytes that the name of a Unix socket may have; some systems allow four more."""

_PATIENCE: Final = 30.0
"""Seconds that the VTN may take to answer a command."""

_LIMITS: Final = ServerLimits(connections=64, body=8 * 1024 * 1024, grace=1.0)


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

    def refuse(self, method: str, path: str, headers: Mapping[bytes, bytes], peer: Peer) -> Answer | None:
        """Refuse a request by its head, or say that its body may come."""
        if not hmac.compare_digest(headers.get(b"authorization", b""), b"Bearer " + self._token.encode()):
            return _json(HTTPStatus.FORBIDDEN, {"error": "the token is wrong"})
        if method != "POST" or path.removeprefix(_PATH) not in self._commands:
            return _json(HTTPStatus.NOT_FOUND, {"error": f"there is no {method} {path}"})
        return None

    async def answer(self, path: str, headers: Mapping[bytes, bytes], body: bytes, peer: Peer) -> Answer:
        """Do what is asked for."""
        try:
            return _json(HTTPStatus.OK, await self._commands[path.removeprefix(_PATH)](_asked(body)))
        except LocalProtocolError as error:
            return _json(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        except Exception as error:  # the VTN goes on, whatever somebody asked of it
            _LOG.exception("the command %s failed", path)
            return _json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": f"the VTN failed: {error!r}"})


def _asked(body: bytes) -> Mapping[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise LocalProtocolError(f"the body is no JSON: {error}") from None
    if not isinstance(asked, dict):
        raise LocalProtocolError("the body must be a JSON object")
    return asked


def _json(status: HTTPStatus, content: object) -> Answer:
    return Answer(status, json.dumps(content, default=str).encode(), [(b"content-type", b"application/json")])


class ControlSocket:
    """The socket, which exists from when it is claimed, so that a second VTN finds it before it does anything.

    :param path: where it is.
    """

    def __init__(self, path: Path, listener: anyio.abc.SocketListener, token: str) -> None:
        self.path: Final = path
        self._listener = listener
        self._token = token

    @classmethod
    @asynccontextmanager
    async def claimed(cls, path: Path) -> AsyncIterator["ControlSocket"]:
        """Have the socket while the body runs; one that a dead process left behind is replaced.

        :param path: where it is to be.
        :raises ControlError: another VTN has it, or its name is too long.
        :raises OSError: it cannot be made.
        """
        length = len(os.fsencode(path))
        if length > _LONGEST_NAME:
            raise ControlError(
                f"the name of the control socket, {path}, has {length} bytes, and {_LONGEST_NAME} are possible; "
                "name another with `control` in the configuration or with --socket"
            )
        with suppress(OSError):
            async with await anyio.connect_unix(path):
                raise ControlError(f"another VTN has the control socket {path}; is it running already?")
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        token = secrets.token_urlsafe(32)
        _write_token(path, token)
        listener = await anyio.create_unix_listener(path, mode=0o600)
        try:
            yield cls(path, listener, token)
        finally:
            with anyio.CancelScope(shield=True):
                await listener.aclose()
            _clear(path)

    @asynccontextmanager
    async def serving(self, commands: Mapping[str, Command]) -> AsyncIterator[None]:
        """Take commands while the body runs; those that came before have waited.

        :param commands: what can be asked for, by name.
        """
        async with Server(_Commands(commands, self._token), _LIMITS).serving(self._listener):
            yield


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
        status, answer = _post(socket, f"{_PATH}{command}", json.dumps(content).encode(), token)
    except PermissionError:
        raise ControlError(f"the control socket {socket} belongs to another user") from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise ControlError(f"no VTN is running with the control socket {socket}{_others(socket)}") from None
    except (OSError, HTTPException) as error:
        raise ControlError(f"the VTN at {socket} does not answer: {error or type(error).__name__}") from None
    try:
        found = json.loads(answer)
    except ValueError:  # it was refused before any command saw it
        found = {"error": f"the VTN refuses: {HTTPStatus(status).phrase}"}
    if status != HTTPStatus.OK:
        raise ControlError(str(found["error"]))
    return found


class _Connection(HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("vtn", timeout=_PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = unix.socket(unix.AF_UNIX)
        self.sock.settimeout(_PATIENCE)
        self.sock.connect(str(self._path))


def _post(socket: Path, path: str, body: bytes, token: str) -> tuple[int, bytes]:
    """Send a request; returns the status and the content of the answer."""
    connection = _Connection(socket)
    try:
        with suppress(BrokenPipeError):  # it was refused before all of it was sent; the answer says why
            connection.request("POST", path, body, {"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _others(socket: Path) -> str:
    """Point at the control sockets that there are instead."""
    try:
        found = sorted(str(one) for one in socket.parent.glob("*.sock") if one != socket and one.is_socket())
    except OSError:
        found = []
    if found:
        return f"; there is {', '.join(found)}, try --socket {found[0]}"
    return "; start one with oadr vtn, or say which with --config or --socket"

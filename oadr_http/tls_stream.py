"""The server's end of a TLS connection, on any event loop.

A peer whose handshake fails is told so by an alert, which is what it can explain the failure from.
"""

import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

import anyio
import anyio.abc

from oadr_driver.tls_guard import Guarded

_ResultT = TypeVar("_ResultT")

_CHUNK: Final = 64 * 1024

_FAREWELL: Final = 0.5
"""Seconds for the last record of a connection to leave."""


class TlsStream(anyio.abc.ByteStream):
    """Speaks TLS on a connection that a client has begun.

    :param stream: the connection.
    :param context: how TLS is spoken; see :class:`~oadr_driver.tls.Tls`.
    """

    def __init__(self, stream: anyio.abc.ByteStream, context: ssl.SSLContext) -> None:
        self._stream = stream
        self._came = ssl.MemoryBIO()
        self._goes = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._came, self._goes, server_side=True)
        self._begun = False

    async def handshake(self) -> None:
        """Agree on TLS with the client.

        :raises ssl.SSLError: there is no agreement; :func:`~oadr_driver.tls_errors.reason` says why.
        :raises anyio.EndOfStream: the client has gone.
        """
        await self._do(self._tls.do_handshake)
        self._begun = True

    @property
    def fingerprint(self) -> str | None:
        """That of the client's certificate."""
        return self._tls.fingerprint if isinstance(self._tls, Guarded) else None

    @property
    def certificate(self) -> bytes | None:
        """The client's certificate in DER."""
        return self._tls.getpeercert(True)

    async def receive(self, max_bytes: int = _CHUNK) -> bytes:
        """Receive some bytes; see :class:`anyio.abc.ByteReceiveStream`."""
        try:
            data: bytes = await self._do(lambda: self._tls.read(max_bytes))
        except ssl.SSLZeroReturnError:
            raise anyio.EndOfStream from None
        except ssl.SSLError as error:
            raise anyio.BrokenResourceError from error
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        """Send bytes; see :class:`anyio.abc.ByteSendStream`."""
        try:
            await self._do(lambda: self._tls.write(item) if item else 0)
        except ssl.SSLError as error:
            raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        await self._flush()
        if isinstance(self._stream, anyio.abc.SocketStream):
            await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close the connection, saying so if that takes no time."""
        try:
            if self._begun:
                with suppress(ssl.SSLError):
                    self._tls.unwrap()
                with anyio.move_on_after(_FAREWELL), suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    await self._flush()
        finally:
            await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """What is known of the connection below."""
        return self._stream.extra_attributes

    async def _do(self, step: Callable[[], _ResultT]) -> _ResultT:
        """Take a step that may need bytes from the client first."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLError:
                with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                    await self._flush()  # the alert
                raise
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if self._goes.pending:
            await self._stream.send(self._goes.read())

    async def _fill(self) -> None:
        if self._came.eof:
            raise anyio.EndOfStream
        self._came.write(await self._stream.receive(_CHUNK))

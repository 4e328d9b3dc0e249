"""A cable between a client and a server that can be cut, and plugged in again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_LOOPBACK = "127.0.0.1"


class Cable:
    """Carries connections to a port.

    :param port: the port of the server.
    :ivar port: where clients connect.
    :ivar carried: how many connections there have been.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._plugged = asyncio.Event()
        self._plugged.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self.port = 0
        self.carried = 0

    @asynccontextmanager
    async def laid(self) -> AsyncIterator["Cable"]:
        """Lie there while the body runs."""
        server = await asyncio.start_server(self._connected, _LOOPBACK, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    def cut(self) -> None:
        """Break all connections; those that are made until it is plugged in again wait."""
        self._plugged.clear()
        for one in self._ends:
            one.transport.abort()
        self._ends.clear()

    def freeze(self) -> None:
        """Carry nothing more on the connections that there are, and break none."""
        for one in self._pumps:
            one.cancel()

    def plug_in(self) -> None:
        """Carry again."""
        self._plugged.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._ends.add(writer)
        try:
            await self._plugged.wait()
            there, back = await asyncio.open_connection(_LOOPBACK, self._to)
            self._ends.add(back)
            self.carried += 1
            pumps = {asyncio.ensure_future(_pump(reader, back)), asyncio.ensure_future(_pump(there, writer))}
            self._pumps |= pumps
            await asyncio.wait(pumps)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    sink.close()

"""A server that answers whatever comes with the same bytes, unread: ``python -m bench.bare``.

It is the floor under the servers of :mod:`bench.over_http`: what the machine, the sockets and the load cost alone.
"""

import asyncio
import json
import sys
import time

import oadr_core as oadr
from bench.documents import VEN_ID

_BODY = oadr.encode(oadr.Response(response=oadr.EiResponse(), ven_id=VEN_ID))
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


class _Connection(asyncio.Protocol):
    """Takes every piece of data for a request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - asyncio calls it so
        """Answer."""
        self._transport.write(_ANSWER)


async def main() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0)
    print(json.dumps(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(time.process_time()), flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())

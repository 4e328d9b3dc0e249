"""A server that answers whatever comes with the same bytes, unread: ``python -m bench.bare``.

It is the floor under the servers of :mod:`bench.over_http`: what the machine, the sockets and the load cost alone. With
a folder of certificates and a version after that it speaks TLS, and is the floor of :mod:`bench.over_tls`.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import oadr_core as oadr
from bench.contexts import context_of
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
    context = context_of(Path(sys.argv[1]), sys.argv[2], serving=True) if len(sys.argv) > 2 else None
    server = await loop.create_server(_Connection, "127.0.0.1", 0, ssl=context)
    scheme = "http" if context is None else "https"
    print(json.dumps(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"), flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(time.process_time()), flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())

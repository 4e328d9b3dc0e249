"""Our VTN on a port of its own, to be put under load: ``python -m bench.serve trio`` or ``asyncio``.

A certificate and its key after that have it sign.

It says where it listens, and at each line of standard input how much CPU it has used since it began.
"""

import json
import math
import sys
import time
from pathlib import Path

import anyio
import anyio.to_thread

from bench.documents import VTN_ID
from oadr_http import OpenADRServer, ServerLimits


async def main() -> None:
    """Serve until standard input ends."""
    cert, key = (Path(one) for one in sys.argv[2:4]) if len(sys.argv) > 2 else (None, None)
    limits = ServerLimits(requests_per_address=math.inf)  # all the load comes from one address
    async with OpenADRServer(VTN_ID, http_port=0, cert=cert, key=key, limits=limits).running() as server:
        print(json.dumps(server.url), flush=True)
        while await anyio.to_thread.run_sync(sys.stdin.readline):
            print(json.dumps(time.process_time()), flush=True)


if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[1])

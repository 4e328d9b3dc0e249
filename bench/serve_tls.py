"""Our VTN over TLS on a port of its own, to be put under load: ``python -m bench.serve_tls FOLDER 1.2`` or ``1.3``.

The folder holds certificates, see :mod:`bench.contexts`. It says where it listens, and at each line of
standard input how much CPU it has used since it began.
"""

import json
import math
import sys
import time
from pathlib import Path
from typing import cast

import anyio
import anyio.to_thread

from bench.documents import VTN_ID
from oadr_driver.tls import TlsVersion
from oadr_http import OpenADRServer, ServerLimits, TlsPolicy


async def main(folder: Path, version: TlsVersion) -> None:
    """Serve until standard input ends."""
    server = OpenADRServer(
        VTN_ID,
        http_port=0,
        http_cert=folder / "vtn.crt",
        http_key=folder / "vtn.key",
        http_ca_file=folder / "ven-ca.crt",
        tls_policy=TlsPolicy(minimum_version=version, maximum_version=version),
        limits=ServerLimits(requests_per_address=math.inf, requests_per_ven=math.inf),  # all comes from one VEN
    )
    async with server.running():
        print(json.dumps(server.url), flush=True)
        while await anyio.to_thread.run_sync(sys.stdin.readline):
            print(json.dumps(time.process_time()), flush=True)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), cast(TlsVersion, sys.argv[2]), backend="asyncio")

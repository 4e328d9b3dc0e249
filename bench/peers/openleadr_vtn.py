"""OpenLEADR's server, as it comes, to be put under load; run by the interpreter of its own environment.

It says where it listens, and at each line of standard input how much CPU it has used since it began. Its application
does the least that works: it knows VENs by looking into a dict.
"""

import asyncio
import json
import sys
import time
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from openleadr import OpenADRServer

vens: dict[str, dict[str, Any]] = {}


def say(what: object) -> None:
    """Tell the benchmark something."""
    print(json.dumps(what), flush=True)


def ven_lookup(ven_id: str) -> dict[str, Any] | None:
    """Know a VEN by its id."""
    return vens.get(ven_id)


async def on_create_party_registration(info: dict[str, Any]) -> tuple[str, str]:
    """Let any VEN in."""
    ven_id, registration_id = info["ven_id"], f"registration_{info['ven_name']}"
    vens[ven_id] = {
        "ven_id": ven_id,
        "ven_name": info["ven_name"],
        "registration_id": registration_id,
        "fingerprint": None,
    }
    return ven_id, registration_id


async def on_register_report(**_offer: object) -> None:
    """Want no reports."""
    return


async def main() -> None:
    """Serve until standard input ends."""
    cert, key = sys.argv[2:4] or (None, None)  # it signs with them; without TLS it looks at no signature
    with redirect_stdout(StringIO()):  # it prints a banner
        server = OpenADRServer(vtn_id=sys.argv[1], http_port=0, ven_lookup=ven_lookup, cert=cert, key=key)
        server.add_handler("on_create_party_registration", on_create_party_registration)
        server.add_handler("on_register_report", on_register_report)
        await server.run()
    port = server.app_runner.addresses[0][1]
    say(f"http://127.0.0.1:{port}{server.http_path_prefix}")
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        say(time.process_time())
    await server.stop()


asyncio.run(main())

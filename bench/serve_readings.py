"""The VTN as a program, with its storage, to be reported to: ``python -m bench.serve_readings FOLDER``.

It says where it listens, and at each line of standard input how much CPU it has used, how much memory it occupies, how
many readings it has stored and how large its file is.
"""

import json
import sys
import time
from pathlib import Path

import anyio
import anyio.to_thread

from bench.resident import resident
from oadr_app.config import Http, Reports, VtnFile
from oadr_app.periods import Period
from oadr_app.vtn import VtnProgram


async def main() -> None:
    """Serve until standard input ends."""
    state = Path(sys.argv[1]) / "vtn.sqlite"
    file = VtnFile(state=state, http=Http(port=0), reports=Reports(sampling=Period(minutes=1)))
    async with VtnProgram(file).running() as program:
        print(json.dumps(program.server.url), flush=True)
        while await anyio.to_thread.run_sync(sys.stdin.readline):
            told = {
                "cpu": time.process_time(),
                "resident": resident(),
                "readings": sum(program.store.count_readings().values()),
                "file": state.stat().st_size,
            }
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    anyio.run(main, backend="trio")

"""A minute with OpenLEADR on either side, both at the same time."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import anyio
import pytest

from oadr_core import Registered, Role
from tests.interop.judge import findings
from tests.interop.ours import Ours, OurVen, OurVtn
from tests.interop.peer import running_peer
from tests.interop.theirs import BOILER, is_served, listening

READINGS: Final = 60
"""One each second."""

LONG: Final = 120.0


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop; a minute is long."""
    return "asyncio"


async def their_client_runs_against_our_vtn(python: Path) -> None:
    vtn = OurVtn()
    async with running_peer(python, "ven.py") as theirs, vtn.server.running():
        await theirs.do("run", url=vtn.server.url, ven_name="Their VEN", reports=[BOILER])
        await vtn.is_served("first")
        await vtn.ours.until(lambda: len(vtn.readings) >= READINGS, "a minute of readings", LONG)
        await vtn.is_served("last")
        await theirs.do("stop")

    was_read = [(datetime.fromisoformat(one["time"]), one["value"]) for one in theirs.told("read")]
    assert vtn.readings == was_read[: len(vtn.readings)]
    assert vtn.readings[-1][0] - vtn.readings[0][0] >= timedelta(seconds=READINGS - 2)
    assert vtn.ours.troubles() == []
    assert findings(vtn.ours.exchanges, Role.VTN) == []
    (warning,) = theirs.log()
    assert "The VTN offered reports" in warning


async def our_ven_runs_against_their_server(python: Path) -> None:
    async with running_peer(python, "vtn.py") as theirs:
        ven = OurVen(await listening(theirs, sampling=1))
        async with ven.client.running():
            registered = await ven.ours.tells(Registered)
            await is_served(theirs, registered.ven_id, "first")
            await theirs.tells("data", times=READINGS, within=LONG)
            await is_served(theirs, registered.ven_id, "last")

    arrived = [value for one in theirs.told("data") for value in one["values"]]
    assert arrived == ven.readings[: len(arrived)]
    assert len(theirs.told("registered")) == 1
    assert ven.ours.troubles() == []
    assert findings(ven.ours.exchanges, Role.VEN) == []
    assert all("The current_value for a SIMPLE event" in line for line in theirs.log())


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_minute_in_both_directions_leaves_no_error_in_any_log(openleadr_python: Path) -> None:
    ours = Ours()
    with ours.logging():
        async with anyio.create_task_group() as group:
            group.start_soon(their_client_runs_against_our_vtn, openleadr_python)
            group.start_soon(our_ven_runs_against_their_server, openleadr_python)
    assert ours.log == []

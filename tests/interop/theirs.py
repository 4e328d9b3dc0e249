"""What the tests ask of OpenLEADR's side more than once."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tests.interop.peer import Peer

BOILER: Final[Mapping[str, object]] = {
    "r_id": "power",
    "resource_id": "boiler",
    "measurement": "power_real",
    "first": 1.0,
    "sampling_rate": 1,
}
"""What their client can read, each second."""


async def listening(theirs: Peer, **options: object) -> str:
    """Have their server listen; returns where."""
    await theirs.do("run", vtn_id="VTN-Theirs", **options)
    return str(theirs.told("listening")[0]["url"])


async def is_served(theirs: Peer, ven_id: str, event_id: str = "event") -> None:
    """Wait until their server has got readings, and the VEN's answer to a new event."""
    interval = {"dtstart": datetime.now(UTC).isoformat(), "duration": 3600, "signal_payload": 1}
    signal: dict[str, Any] = {"signal_name": "SIMPLE", "signal_type": "level", "intervals": [interval]}
    await theirs.do("add_event", ven_id=ven_id, event_id=event_id, **signal)
    await theirs.tells("opt", event_id=event_id, opt_type="optIn")
    await theirs.tells("data", resource_id="boiler", times=2)

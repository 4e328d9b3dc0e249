"""A VTN: it stores what VENs measure, and asks each new one to shed load. Usage: vtn.py [PORT]."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from oadr_http import OpenADRServer

vtn = OpenADRServer("my-VTN", http_port=int(sys.argv[1]) if len(sys.argv) > 1 else 8080)


async def on_register_report(ven_id, resource_id, unit, scale):
    def store(data):
        for time, value in data:
            print(f"{time:%H:%M:%S} {ven_id} {resource_id}: {value:.1f} {scale}{unit}", flush=True)

    start = datetime.now(UTC) + timedelta(seconds=10)
    interval = {"dtstart": start, "duration": timedelta(minutes=5), "signal_payload": 1}
    vtn.add_event(ven_id, "SIMPLE", "level", [interval])
    return store, timedelta(seconds=1)  # call this, with a reading for every second


async def on_created_event(ven_id, event_id, opt_type):
    print(f"{ven_id} answers {event_id} with {opt_type}", flush=True)


vtn.add_handler("on_register_report", on_register_report)
vtn.add_handler("on_created_event", on_created_event)

if __name__ == "__main__":
    asyncio.run(vtn.run())

"""A VEN: it reports a meter and takes part in events. Usage: ven.py [VTN_URL]."""

import asyncio
import random
import sys
from datetime import timedelta

from oadr_http import OpenADRClient

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080/OpenADR2/Simple/2.0b"


async def on_event(event):
    signal = event["event_signals"][0]
    values = [interval["signal_payload"] for interval in signal["intervals"]]
    print(f"{event['event_descriptor']['event_id']}: {signal['signal_name']} {values}", flush=True)
    return "optIn"


def read_meter():  # a plain function runs in a thread, so it may take its time
    return random.uniform(3.0, 5.0)


ven = OpenADRClient("boiler-room", URL)
ven.add_handler("on_event", on_event)
ven.add_report(read_meter, "boiler", "power_real", scale="k", sampling_rate=timedelta(seconds=1))

if __name__ == "__main__":
    asyncio.run(ven.run())

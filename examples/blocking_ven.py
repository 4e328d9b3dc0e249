"""A VEN in a blocking loop on a bare socket: no event loop, no thread. Usage: blocking_ven.py VTN_URL SECONDS."""

import random
import socket
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import oadr_core as oadr


def now() -> oadr.Now:
    return oadr.Now(time.monotonic(), datetime.now(UTC))


def post(url: str, body: bytes) -> bytes:
    to = urlsplit(url)
    head = f"POST {to.path} HTTP/1.1\r\nHost: {to.netloc}\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    with socket.create_connection((to.hostname, to.port or 80), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        status, _, answer = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    if not status.startswith(b"HTTP/1.1 200"):
        raise OSError(status.partition(b"\r\n")[0].decode("latin-1"))
    return answer


def drive(core: oadr.Core, url: str, until: float) -> None:
    while time.monotonic() < until:
        while (output := core.next_output(now())) is not None:
            if isinstance(output, oadr.Transmit):
                try:
                    answer = post(f"{url}/{output.service}", output.render(now()))
                except OSError:
                    core.exchange_failed(output.exchange, oadr.Failure.UNREACHABLE, now=now())
                else:
                    core.receive_response(output.exchange, answer, now=now())
            elif isinstance(output, oadr.Call) and output.function is not None:
                core.call_returned(output.call, output.function(**output.arguments), now=now())
            elif isinstance(output, oadr.Save):
                ...  # a real program writes output.blob to its disk here, before it goes on
            else:
                print(output, flush=True)
        deadline = core.next_timeout()
        time.sleep(max(0.0, min(until, deadline.at if deadline else until) - time.monotonic()))
        core.handle_timeout(now())


if __name__ == "__main__":
    handlers = oadr.Handlers(oadr.VEN_HANDLERS)
    handlers.add("on_event", lambda: "optIn")
    me = oadr.VenConfig(ven_name="blocking")
    ven = oadr.AutoVen(me, sealer=oadr.PlainSealer(), entropy=random.SystemRandom(), handlers=handlers)
    meter = oadr.data_point(lambda: 3.5, r_id="power", resource_id="boiler", sampling_rate=timedelta(seconds=1))
    ven.offer(oadr.make_offer("meter", [meter], datetime.now(UTC)), {"power": meter.callback})
    ven.start(now())
    drive(ven, sys.argv[1], time.monotonic() + float(sys.argv[2]))

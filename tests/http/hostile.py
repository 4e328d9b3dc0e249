"""What attackers on a connection cost a server, and a compressed answer a client.

``python -m tests.http.hostile`` prints, for each, milliseconds on the processor and megabytes of memory at its worst.
The server runs in a process of its own, so that what is measured is what it takes, and not what attacking it takes.
"""

import gzip
import multiprocessing
import os
import select
import socket
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

import anyio

from oadr_http import Endpoints, Server, ServerLimits
from oadr_http.compression import BadCoding, decompressed
from tests.http.desk import Desk, request

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PATIENT: Final = ServerLimits(head_timeout=600, body_timeout=600, idle_timeout=600)


class Cost(NamedTuple):
    """What something costs.

    :param seconds: on the processor, in all.
    :param megabytes: by which the process has come to grow.
    :param outcome: what became of it.
    """

    seconds: float
    megabytes: float
    outcome: str


class Victim:
    """A server in another process.

    :param process: its process.
    :param port: where it listens.
    """

    def __init__(self, process: int, port: int) -> None:
        self._place = Path(f"/proc/{process}")
        self.port = port

    def seconds(self) -> float:
        """How long it was on the processor so far."""
        fields = (self._place / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def megabytes(self, what: str) -> float:
        """How much memory it holds (``VmRSS``), or has held at its worst (``VmHWM``)."""
        (line,) = (one for one in (self._place / "status").read_text().splitlines() if one.startswith(what))
        return int(line.split()[1]) / 1024

    def line(self) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def settle(self) -> None:
        """Wait until it has nothing more to do."""
        before = -1.0
        while self.seconds() - before > 0.02:
            before = self.seconds()
            time.sleep(0.1)

    def cost(self, attack: Callable[["Victim"], str]) -> Cost:
        """Measure what an attack costs it."""
        self.settle()
        seconds, megabytes = self.seconds(), self.megabytes("VmRSS")
        outcome = attack(self)
        self.settle()
        return Cost(self.seconds() - seconds, self.megabytes("VmHWM") - megabytes, outcome)


def _serve(pipe: Connection) -> None:
    async def serve() -> None:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", backlog=1000)
        async with Server(Endpoints(Desk()), _PATIENT).serving(listener):
            pipe.send(listener.extra(anyio.abc.SocketAttribute.local_port))
            await anyio.sleep_forever()

    anyio.run(serve)


@contextmanager
def a_victim() -> Iterator[Victim]:
    """Run a server."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        port = here.recv()
        assert process.pid is not None
        victim = Victim(process.pid, port)
        for _ in range(20):  # what is loaded with the first request is not what an attack costs
            with victim.line() as line:
                line.sendall(request(b"<m/>"))
                line.recv(1000)
        yield victim
    finally:
        process.kill()
        process.join()


# --- attacks ---------------------------------------------------------------------------------------------------------


def slow_heads(count: int) -> Callable[[Victim], str]:
    """Connections that begin a head and say no more."""

    def attack(victim: Victim) -> str:
        with ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(victim.line()).sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nX-Note: " + b"y" * 1000)
            victim.settle()
        return f"{count} connections are held"

    return attack


def slow_bodies(count: int) -> Callable[[Victim], str]:
    """Connections that send all but the last octet of the largest body."""

    def attack(victim: Victim) -> str:
        with ExitStack() as stack:
            lines = []
            head, _, body = request(b"x" * _PATIENT.body).partition(b"\r\n\r\n")
            for _ in range(count):
                line = stack.enter_context(victim.line())
                line.sendall(head + b"\r\n\r\n")
                lines.append(line)
            victim.settle()
            for line in lines:
                with suppress(OSError):  # it was refused, and closed
                    line.sendall(body[:-1])
            victim.settle()
            refused = len(select.select(lines, [], [], 0)[0])
        return f"{count - refused} are held, {refused} refused"

    return attack


def pipelined(count: int) -> Callable[[Victim], str]:
    """One connection with many requests ahead, whose answers are not read until the end."""

    def attack(victim: Victim) -> str:
        with victim.line() as line:
            line.settimeout(2.0)
            sent, whole = 0, request(b"<m/>") * 100
            try:
                while sent < count:
                    line.sendall(whole)
                    sent += 100
            except TimeoutError:
                return f"no more than {sent // 1000},000 are taken, the system's buffers included"
            return f"all {sent} are taken"

    return attack


def refused(count: int, head: bytes) -> Callable[[Victim], str]:
    """Connections that are refused by their head, one after the other."""

    def attack(victim: Victim) -> str:
        answers = set()
        for _ in range(count):
            with victim.line() as line:
                line.sendall(head)
                answers.add(line.recv(1000)[9:12].decode())
        return f"{count} answered {', '.join(sorted(answers))}"

    return attack


ATTACKS: Final[dict[str, Callable[[int], Callable[[Victim], str]]]] = {
    "heads that are not completed": slow_heads,
    "bodies that are not completed": slow_bodies,
    "requests sent ahead": pipelined,
    "heads that are no HTTP": lambda count: refused(count, b"\x16\x03\x01 nonsense\r\n\r\n"),
    "heads for another path": lambda count: refused(count, request(b"<m/>", path="/other")),
    "heads that are too long": lambda count: refused(count, request(b"<m/>", "X-Note: " + "x" * 20_000)),
    "heads with a length that is none": lambda count: refused(
        count, b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"
    ),
}
"""What is done to a server, for how many times it is done."""


def bomb(coding: str, megabytes: int) -> bytes:
    """An answer that is small, and becomes large."""
    return (gzip.compress if coding == "gzip" else zlib.compress)(bytes(megabytes * 2**20))


def exploding(coding: str, megabytes: int, longest: int = 2 * 2**20) -> Cost:
    """Measure what a compressed answer costs a client."""
    content = bomb(coding, megabytes)
    tracemalloc.start()
    began = time.process_time()
    try:
        decompressed(content, coding, longest)
        outcome = "read"
    except BadCoding:
        outcome = "refused"
    seconds, (_, most) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Cost(seconds, most / 2**20, f"{len(content) / 1000:.0f} kB of {megabytes} MB {outcome}")


COUNTS: Final = {
    "heads that are not completed": 900,
    "bodies that are not completed": 200,
    "requests sent ahead": 1_000_000,
}
"""How often an attack is made; the others a thousand times."""


def main() -> None:
    """Print what everything costs."""
    for name, attack in ATTACKS.items():
        with a_victim() as victim:
            cost = victim.cost(attack(COUNTS.get(name, 1000)))
        sys.stdout.write(f"{name:36} {cost.seconds * 1000:8.0f} ms {cost.megabytes:8.1f} MB  {cost.outcome}\n")
    for coding in ("gzip", "deflate"):
        cost = exploding(coding, 1000)
        sys.stdout.write(f"{coding:36} {cost.seconds * 1000:8.0f} ms {cost.megabytes:8.1f} MB  {cost.outcome}\n")


if __name__ == "__main__":
    main()

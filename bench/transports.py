"""Exchanges over each transport, and the memory of a session, against the same bytes carried by the bare libraries."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from bench import at_the_server
from bench.exchanges import AT_A_TIME
from bench.figures import Result, figure, ratio
from bench.timing import Effort
from bench.worker import Worker, ours
from tests.xmpp.servers import COMPONENT, KINDS, SECRET, Login, XmppServer

_SESSIONS: Final = 20
_WARM_UP: Final = 0.5


def run(effort: Effort) -> Result:
    """Measure the transports."""
    result = Result(notes=[f"transports: {AT_A_TIME} exchanges at a time, both ends in one process on asyncio"])
    with ExitStack() as stack:
        http = stack.enter_context(ours("bench.exchanges", "bare-http"))
        pairs = {f"HTTP {how}": (stack.enter_context(ours("bench.exchanges", how)), http) for how in ("pull", "push")}
        against = dict.fromkeys(pairs, "bare httpx, by CPU")
        for kind in KINDS:
            if not KINDS[kind].is_installed():
                result.notes.append(f"transports: {kind} is not installed, so XMPP is not measured on it")
                continue
            worker, floor = (
                stack.enter_context(ours("bench.exchanges", how, json.dumps(stack.enter_context(_server(kind)))))
                for how in ("xmpp", "bare-xmpp")  # each with a server of its own, as there is one component
            )
            pairs[f"XMPP on {kind}"] = worker, floor
            against[f"XMPP on {kind}"] = "bare slixmpp, by CPU"
        for name, (worker, floor) in pairs.items():
            _measure(name, worker, floor, against[name], effort, result)
    for kind in KINDS:
        if KINDS[kind].is_installed():
            at_the_server.measure(kind, effort, result)
    return result


def _measure(name: str, worker: Worker, floor: Worker, against: str, effort: Effort, result: Result) -> None:
    """Put load on a transport and on its floor by turns; then have more VENs come."""
    for one in (worker, floor):
        one.ask("load", seconds=_WARM_UP)
    ours_: list[dict[str, float]] = []
    floors: list[dict[str, float]] = []
    for _ in range(effort.load_rounds):
        ours_.append(worker.ask("load", seconds=effort.load / 2))
        floors.append(floor.ask("load", seconds=effort.load / 2))
    what = f"exchanges, {name}"
    cpu = [one["cpu"] for one in ours_]
    result.figures += [
        figure("transports", what, "exchanges/s", [one["rate"] for one in ours_]),
        figure("transports", what, "µs", [one * 1e6 for one in cpu], against="CPU of both ends"),
        ratio("transports", what, cpu, [one["cpu"] for one in floors], against=against),
        figure(
            "transports",
            f"memory of a session, {name}",
            "kB",
            [worker.ask("sessions", count=_SESSIONS) / 1000],
            against="both ends",
        ),
    ]


@contextmanager
def _server(kind: str) -> Iterator[dict[str, Any]]:
    """Run a server that one user can log in to, from as many places as are needed."""
    with tempfile.TemporaryDirectory() as folder:
        server: XmppServer = KINDS[kind](Path(folder), Login.PASSWORD)
        server.start()
        try:
            account = server.account("bench")
            yield {
                "host": server.host,
                "port": server.port,
                "component": COMPONENT,
                "component_port": server.component_port,
                "secret": SECRET,
                "ca_file": str(server.ca_file),
                "jid": account.address,
                "password": account.password,
            }
        finally:
            server.stop()

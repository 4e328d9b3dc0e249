"""Idle polls over HTTP, unsigned: our VTN on trio and on asyncio, and OpenLEADR's, under the same load by turns.

The servers have a core of the machine for themselves, and the load generator another; a server that waits for its turn
does nothing. The floor is a server that answers without reading, as fast as the load generator can ask.
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

import httpx

import oadr_core as oadr
from bench.documents import VEN_ID, VTN_ID
from bench.enrol import Exchange, enrol
from bench.figures import Figure, Result, at_least, figure, ratio
from bench.load import CONNECTIONS, generator, load
from bench.timing import Effort
from bench.worker import PEERS, Worker, on_core, ours, peer_python

_PEER: Final = "OpenLEADR's VTN"
_FLOOR: Final = "answers unread"
_SERVER_CORE: Final = 0
_LOAD_CORE: Final = 1
_WARM_UP: Final = 1.0


def run(effort: Effort) -> Result:
    """Measure polls over HTTP."""
    result = Result(notes=[f"http: {CONNECTIONS} connections kept alive; the load comes from {generator()}"])
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        result.notes.append("http: servers and load share their cores here, so the figures mean little")
    document = oadr.encode(oadr.Poll(ven_id=VEN_ID))
    with ExitStack() as stack:
        servers = _servers(stack, result)
        client = stack.enter_context(httpx.Client(trust_env=False))
        for name, server in servers.items():
            if name != _FLOOR:
                enrol(exchange_with(client, server.greeting), "bench", VEN_ID)
            _turn(server, document, _WARM_UP)
        rates: dict[str, list[float]] = {name: [] for name in servers}
        costs: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(effort.load_rounds):
            for name, server in servers.items():
                rate, cost = _turn(server, document, effort.load)
                rates[name].append(rate)
                costs[name].append(cost)
    for name in servers:
        result.figures += _figures(name, rates, costs)
    return result


def _servers(stack: ExitStack, result: Result) -> Mapping[str, Worker]:
    """Start the servers."""
    servers: dict[str, Worker] = {}
    python = peer_python()
    with on_core(_SERVER_CORE):
        servers[_FLOOR] = stack.enter_context(ours("bench.bare"))
        for backend in ("trio", "asyncio"):
            servers[f"our VTN on {backend}"] = stack.enter_context(ours("bench.serve", backend))
        if python is None:
            result.notes.append("http: OpenLEADR is not installed, so nothing is held against it; `make bench` does")
        else:
            servers[_PEER] = stack.enter_context(Worker([str(python), str(PEERS / "openleadr_vtn.py"), VTN_ID]))
    return servers


def exchange_with(client: httpx.Client, url: str) -> Exchange:
    """Exchange messages with a VTN at a base URL, without signatures."""

    def exchange(message: oadr.Payload, service: oadr.Service) -> oadr.Payload:
        headers = {"Content-Type": "application/xml"}
        answer = client.post(f"{url}/{service}", content=oadr.encode(message), headers=headers).raise_for_status()
        return oadr.decode(answer.content) if answer.content else oadr.Response(response=oadr.EiResponse())

    return exchange


def _turn(server: Worker, document: bytes, seconds: float) -> tuple[float, float]:
    """Put load on a server.

    :returns: answers in a second, and seconds of the server's CPU for each.
    """
    before = server.ask("cpu")
    loaded = load(f"{server.greeting}/{oadr.Service.OADR_POLL}", document, seconds, _LOAD_CORE)
    return loaded.rate, (server.ask("cpu") - before) / loaded.right


def _figures(name: str, rates: Mapping[str, list[float]], costs: Mapping[str, list[float]]) -> list[Figure]:
    what = f"idle polls, {name}"
    found = [
        figure("http", what, "polls/s", rates[name]),
        figure("http", what, "µs", [one * 1e6 for one in costs[name]], against="CPU of the server a poll"),
    ]
    if name != _FLOOR:
        found.append(ratio("http", what, costs[name], costs[_FLOOR], against=f"{_FLOOR}, by CPU"))
    if name not in (_FLOOR, _PEER) and _PEER in rates:
        found += [
            ratio("http", what, rates[name], rates[_PEER], against=f"{_PEER}, by the clock", budget=at_least(2)),
            ratio("http", what, costs[_PEER], costs[name], against=f"{_PEER}, by CPU"),
        ]
    return found

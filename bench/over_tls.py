"""TLS with certificates on both sides: connections made in a second, and polls on connections that are kept.

Both suites of the profile and TLS 1.3; our VTN on asyncio, and a server there that speaks the same TLS and answers
without reading. No session is resumed, so each connection has a whole handshake, and then a poll: with TLS 1.3 a client
learns by its answer only that its certificate is taken. Where connections are kept their handshakes do not count in
the CPU of a poll. The load comes from our own generator, which works about as
hard as the server at each handshake, so the CPU of the server says more than the rate.
"""

import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
import msgspec

import oadr_core as oadr
from bench.contexts import context_of
from bench.documents import VEN_ID
from bench.enrol import enrol
from bench.figures import Result, figure, ratio
from bench.load import CONNECTIONS, OverTls, load
from bench.over_http import exchange_with
from bench.timing import Effort
from bench.worker import Worker, on_core, ours
from oadr_app.authority import Authority, Kind, Side, pem
from oadr_http import PROFILE_CIPHERS

_SUITES: Final[Mapping[str, tuple[Kind, str]]] = {
    "TLS 1.2, RSA": (Kind.RSA, "1.2"),
    "TLS 1.2, ECDHE-ECDSA": (Kind.EC, "1.2"),
    "TLS 1.3, ECDSA": (Kind.EC, "1.3"),
}
"""The two suites of the profile (rule 67), as the kinds of the certificates decide, and what comes after them."""

_PLAIN: Final = "without TLS"
_SERVER_CORE: Final = 0
_LOAD_CORE: Final = 1


class _Turn(msgspec.Struct, frozen=True):
    """What is measured by turns with the others.

    :param server: the server.
    :param over: how the load comes.
    :param share: how much of the usual time it takes.
    :param handshakes: the turn before that says what a connection costs with its handshake, where that is not to count.
    """

    server: Worker
    over: OverTls | None
    share: float = 1.0
    handshakes: str = ""


def run(effort: Effort) -> Result:
    """Measure connections and polls over TLS."""
    result = Result(notes=[f"tls: {CONNECTIONS} connections at a time; the load comes from our own generator"])
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        result.notes.append("tls: servers and load share their cores here, so the figures mean little")
    document = oadr.encode(oadr.Poll(ven_id=VEN_ID))
    with ExitStack() as stack:
        turns = _turns(stack)
        rates: dict[str, list[float]] = {name: [] for name in turns}
        costs: dict[str, list[float]] = {name: [] for name in turns}
        for _ in range(effort.load_rounds):
            for name, turn in turns.items():
                before = turn.server.ask("cpu")
                url = f"{turn.server.greeting}/{oadr.Service.OADR_POLL}"
                loaded = load(url, document, turn.share * effort.load, _LOAD_CORE, turn.over or "plain")
                used, polls = turn.server.ask("cpu") - before, loaded.right
                if turn.handshakes:  # what is left for the polls behind the first of each connection
                    used, polls = used - CONNECTIONS * costs[turn.handshakes][-1], polls - CONNECTIONS
                rates[name].append(loaded.rate)
                costs[name].append(used / polls)
    for suite in _SUITES:
        _tell(result, f"connections with one poll, {suite}", rates, costs, f"bare, {suite}", "a bare server, by CPU")
        _tell(result, f"idle polls, {suite}", rates, costs, _PLAIN, "the same without TLS, by CPU")
    return result


def _turns(stack: ExitStack) -> Mapping[str, _Turn]:
    """Start the servers, and have a VEN come to each of ours."""
    turns: dict[str, _Turn] = {}
    with on_core(_SERVER_CORE):
        plain = stack.enter_context(ours("bench.serve", "asyncio"))
    with httpx.Client(trust_env=False, timeout=30) as client:
        enrol(exchange_with(client, plain.greeting), "bench", VEN_ID)
    turns[_PLAIN] = _Turn(plain, None)
    for suite, (kind, version) in _SUITES.items():
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _write_files(folder, kind)
        with on_core(_SERVER_CORE):
            server = stack.enter_context(ours("bench.serve_tls", str(folder), version))
            bare = stack.enter_context(ours("bench.bare", str(folder), version))
        context = context_of(folder, version, serving=False)
        with httpx.Client(trust_env=False, timeout=30, verify=context) as client:
            enrol(exchange_with(client, server.greeting), "bench", VEN_ID)
        each = f"connections with one poll, {suite}"
        turns[each] = _Turn(server, OverTls(folder, version, each=True), share=0.3)
        turns[f"bare, {suite}"] = _Turn(bare, OverTls(folder, version, each=True), share=0.3)
        turns[f"idle polls, {suite}"] = _Turn(server, OverTls(folder, version), handshakes=each)
    return turns


def _write_files(folder: Path, kind: Kind) -> None:
    """Write a certificate for each side, with its key, and the CA that the other side trusts."""
    authority = Authority.made(kind)
    for name, who in (("vtn", authority.vtn(["127.0.0.1"])), ("ven", authority.ven("bench"))):
        (folder / f"{name}.crt").write_bytes(who.pem)
        key = folder / f"{name}.key"
        key.touch(0o600)
        key.write_bytes(who.key_pem())
        (folder / f"{name}-ca.crt").write_bytes(pem(authority.issuers[Side(name)].certificate))
    (folder / "ciphers").write_text(":".join(PROFILE_CIPHERS))


def _tell(
    result: Result,
    what: str,
    rates: Mapping[str, list[float]],
    costs: Mapping[str, list[float]],
    floor: str,
    against: str,
) -> None:
    result.figures += [
        figure("tls", what, "/s", rates[what]),
        figure("tls", what, "µs", [one * 1e6 for one in costs[what]], against="CPU of the server for each"),
        ratio("tls", what, costs[what], costs[floor], against=against),
    ]

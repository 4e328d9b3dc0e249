"""What a session takes of the memory of an XMPP server: what its processes grow by while VENs log in, and stay."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final

from bench.figures import Result, figure
from bench.resident import resident_of
from bench.timing import Effort
from oadr_xmpp import XmppClient, XmppLimits
from oadr_xmpp.exchanges import Exchanges
from oadr_xmpp.session import Session
from tests.xmpp.servers import KINDS, Login, XmppServer

_AT_A_TIME: Final = 20
"""How many log in between two looks at the memory; before the first look as many have."""


def measure(kind: str, effort: Effort, result: Result) -> None:
    """Measure a server of its own, which nobody has put load on."""
    with tempfile.TemporaryDirectory() as folder:
        server = KINDS[kind](Path(folder), Login.PASSWORD)
        server.start()
        try:
            grown = asyncio.run(_grown(server, effort.load_rounds))
        finally:
            server.stop()
    if not grown:
        result.notes.append(f"transports: the system does not tell how much memory {kind} occupies")
        return
    what = f"memory of a session, XMPP on {kind}"
    result.figures.append(figure("transports", what, "kB", [one / 1000 for one in grown], against="the server alone"))


async def _grown(server: XmppServer, rounds: int) -> list[float]:
    """Log in again and again; gives by how many bytes a session the server has grown each time."""
    sizes: list[int] = []
    async with AsyncExitStack() as stack:
        for _ in range(rounds + 1):
            for _ in range(_AT_A_TIME):
                session = _session(server)
                await stack.enter_async_context(session.open())
                await session.reached()
            size = resident_of(server.session)
            if size is not None:
                sizes.append(size)
    return [(after - before) / _AT_A_TIME for before, after in pairwise(sizes)]


def _session(server: XmppServer) -> Session:
    """The session of a VEN that is somebody of its own."""
    account, limits = server.account(), XmppLimits()
    login = XmppClient(
        account.address, password=account.password, ca_file=server.ca_file, host=server.host, port=server.port
    )
    stream, exchanges = login.stream(limits), Exchanges(limits)
    return Session(stream, login.address, limits=limits, present=True, entropy=Random(0), exchanges=exchanges)

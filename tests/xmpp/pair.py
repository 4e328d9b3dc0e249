"""A VTN and VENs of ours on a server, and what they are watched with."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import anyio

from oadr_core import Startup
from oadr_xmpp import OpenADRClient, OpenADRServer, XmppClient, XmppComponent
from tests.http.watch import Watch
from tests.xmpp.servers import COMPONENT, SECRET, VTN, Account, XmppServer


class Running(NamedTuple):
    """One of ours, and what it tells.

    :param one: the VTN or the VEN.
    :param watch: what it tells.
    """

    one: Any
    watch: Watch


ABSENCE: Final = [{"dtstart": datetime(2030, 1, 1, tzinfo=UTC), "duration": timedelta(hours=1)}]
"""When somebody is not available."""


def on(server: XmppServer) -> dict[str, Any]:
    """How a client gets to a server."""
    return {"host": server.host, "port": server.port, "ca_file": server.ca_file}


def credentials(account: Account, *, signing: bool = False) -> dict[str, Any]:
    """How a VEN logs in, and whether it signs."""
    files: dict[str, Any] = {"cert": account.certificate, "key": account.key}
    if account.password is None or signing:
        return {**files, "password": account.password, "disable_signature": not signing}
    return {"password": account.password}


def as_component(server: XmppServer) -> XmppComponent:
    """A VTN as a component."""
    return XmppComponent(COMPONENT, SECRET, host=server.host, port=server.component_port)


def as_client(server: XmppServer, resource: str = "vtn") -> XmppClient:
    """A VTN as a client."""
    account = server.account(VTN)
    files = {} if account.password else {"cert": account.certificate, "key": account.key}
    return XmppClient(f"{account.address}/{resource}", password=account.password, **files, **on(server))


def signed(server: XmppServer) -> dict[str, Path]:
    """What a VTN signs with."""
    account = server.account(VTN)
    return {"cert": account.certificate, "key": account.key}


@asynccontextmanager
async def vtn(
    server: XmppServer,
    login: XmppClient | XmppComponent | None = None,
    prepare: Callable[[OpenADRServer], None] = lambda made: None,
    **more: Any,
) -> AsyncIterator[Running]:
    """Run a VTN, as a component if nothing else is said."""
    watch = Watch()
    made = OpenADRServer("VTN", login or as_component(server), observe=watch, **more)
    prepare(made)
    async with made.running():
        while made.jid is None:  # noqa: ASYNC110
            await anyio.sleep(0.01)
        yield Running(made, watch)


@asynccontextmanager
async def ven(
    server: XmppServer,
    account: Account | None = None,
    *,
    at: str = COMPONENT,
    signing: bool = False,
    handlers: dict[str, Any] | None = None,
    jid: str | None = None,
    prepare: Callable[[OpenADRClient], None] = lambda made: None,
    **more: Any,
) -> AsyncIterator[Running]:
    """Run a VEN, which opts in to every event if nothing else is said."""
    account, watch = account or server.account(), Watch()
    made = OpenADRClient(
        account.name,
        jid or account.address,
        vtn_address=at,
        observe=watch,
        **{**on(server), **credentials(account, signing=signing), **more},
    )
    prepare(made)
    for name, handler in (handlers or {"on_event": lambda event: "optIn"}).items():
        made.add_handler(name, handler)
    async with made.running():
        yield Running(made, watch)


def soon(minutes: int = 5) -> list[dict[str, object]]:
    """The intervals of an event that begins in a while."""
    start = datetime.now(UTC) + timedelta(minutes=minutes)
    return [{"dtstart": start, "duration": timedelta(minutes=1), "signal_payload": 1.0}]


def add_event(vtn: Running, ven: Running, **more: Any) -> str:
    """Make an event for a VEN."""
    event_id: str = vtn.one.add_event(ven.one.ven_id, "SIMPLE", "level", soon(), **more)
    return event_id


def is_up(ven: Running) -> bool:
    """Whether a VEN has registered, and told all that it has to."""
    return ven.one.phase is Startup.RUNNING


async def until_up(ven: Running) -> None:
    """Wait until a VEN has registered, and told all that it has to."""
    while not is_up(ven):  # noqa: ASYNC110
        await anyio.sleep(0.01)

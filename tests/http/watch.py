"""Watching a VEN or a VTN from outside, and running several of them."""

import threading
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import anyio
import anyio.from_thread

from oadr_core import Event
from oadr_driver import DrivenVen, DrivenVtn
from oadr_http import OpenADRClient, OpenADRServer

POLL: Final = timedelta(milliseconds=50)
"""How often VENs poll here, so that nobody waits."""

_EventT = TypeVar("_EventT", bound=Event)


class Watch:
    """Takes everything that a core tells.

    :ivar events: what it has told.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._more = anyio.Event()

    def __call__(self, event: Event) -> None:
        """Take an event."""
        self.events.append(event)
        self._more.set()
        self._more = anyio.Event()

    async def sees(self, kind: type[_EventT], count: int = 1, **fields: object) -> _EventT:
        """Wait for an event of a kind, the first or a later one."""
        while True:
            found = [one for one in self.events if isinstance(one, kind)]
            found = [one for one in found if all(getattr(one, key) == value for key, value in fields.items())]
            if len(found) >= count:
                return found[count - 1]
            await self._more.wait()


class Told:
    """Makes handlers that write down what they are told.

    :ivar calls: name and arguments of each call.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._thread = threading.get_ident()
        self._more = anyio.Event()

    def note(self, name: str, arguments: dict[str, Any]) -> None:
        """Write down a call, in whatever thread the handler runs."""
        if threading.get_ident() != self._thread:
            anyio.from_thread.run_sync(self.note, name, arguments)
            return
        self.calls.append((name, arguments))
        self._more.set()
        self._more = anyio.Event()

    def of(self, name: str) -> list[dict[str, Any]]:
        """What the calls of a name were told."""
        return [arguments for called, arguments in self.calls if called == name]

    async def hears(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many calls of a name."""
        while len(self.of(name)) < count:
            await self._more.wait()
        return self.of(name)


def vtn(vtn_id: str = "VTN", **more: Any) -> OpenADRServer:
    """Make a VTN on a free port."""
    return OpenADRServer(vtn_id, **{"http_port": 0, **more})


def ven(url: str, ven_name: str = "VEN", **more: Any) -> OpenADRClient:
    """Make a VEN that polls often."""
    return OpenADRClient(ven_name, url, **{"poll_interval": POLL, **more})


def intervals(*levels: float, begin: timedelta = timedelta(0)) -> list[dict[str, object]]:
    """Intervals of five minutes."""
    first, *rest = ({"duration": timedelta(minutes=5), "signal_payload": level} for level in levels)
    return [{"dtstart": datetime.now(UTC) + begin, **first}, *rest]


class Running(AsyncExitStack):
    """VTNs and VENs that run until the test is over."""

    async def start(self, *ones: DrivenVtn | DrivenVen) -> None:
        """Start some."""
        for one in ones:
            await self.enter_async_context(one.running())

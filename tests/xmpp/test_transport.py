"""Whom a VEN asks and listens to, and for how long; without a server."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import pytest
from slixmpp import JID

from oadr_core import Address, ExchangeId, Failure, PlainSealer, Poll, Service, Transmit
from oadr_driver.transport import ExchangeFailed
from oadr_xmpp import XmppClient, XmppDialect, transport
from oadr_xmpp.transport import XmppToVtn

pytestmark = pytest.mark.anyio

GRID = JID("grid@a.example/vtn")


class Line:
    """What a VEN is connected by: it notes whom is asked, and answers as it is told to.

    :param answer: makes the answer.
    """

    def __init__(self, answer: Callable[[], Awaitable[bytes]]) -> None:
        self.session = self
        self.stream = None
        self.asked: list[Any] = []
        self._answer = answer

    async def reached(self, patience: float) -> None:
        """Be connected."""

    async def request(self, _: object, to: Any, *__: object) -> bytes:
        """Answer."""
        self.asked.append(to)
        return await self._answer()

    def on_start(self, _: Any) -> None:
        """Begin no session."""

    def on_online(self, _: Any) -> None:
        """Never be online."""


class Ven:
    """Takes all that it is told."""

    async def receive(self, *_: Any) -> tuple[Failure | None, bytes]:
        """Take a request."""
        return None, b"taken"

    def reached_at(self, address: str) -> None:
        """Be told where it is reached."""


def to_vtn(monkeypatch: pytest.MonkeyPatch, line: Line, *found: Mapping[Service, Any]) -> XmppToVtn:
    """The way to a VTN whose services are found at one place after the other, at the last one from then on."""
    places = list(found)

    async def find(*_: object) -> Mapping[Service, Any]:
        return places.pop(0) if len(places) > 1 else places[0]

    monkeypatch.setattr(transport, "find_services", find)
    made = XmppToVtn(XmppClient("ven@a.example", password="secret"))
    monkeypatch.setattr(made, "_connections", [line])
    return made


def request(timeout: float = 30.0) -> Transmit:
    return Transmit(ExchangeId(1), Address("xmpp", ""), Service.EI_EVENT, Poll(ven_id="ven"), timeout, PlainSealer())


async def unreachable() -> bytes:
    raise ExchangeFailed(Failure.UNREACHABLE)


async def answered() -> bytes:
    return b"answer"


async def test_as_long_as_it_is_not_known_who_the_vtn_is_nobody_is_refused_for_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = Line(answered)
    way = to_vtn(monkeypatch, line, {Service.EI_EVENT: GRID})
    served: list[Any] = []
    monkeypatch.setattr(way.exchanges, "serve", served.append)
    async with way.serving(Ven()):
        take = served[0]
        assert await take(b"", GRID, XmppDialect.PROFILE) == (Failure.BUSY, b""), "the VTN sends it again"
        await way.exchange(request(), b"")
        assert await take(b"", GRID, XmppDialect.PROFILE) == (None, b"taken")
        assert await take(b"", JID("ven2@a.example/x"), XmppDialect.PROFILE) == (Failure.FORBIDDEN, b"")


async def test_a_vtn_that_is_not_where_it_was_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    line, elsewhere = Line(unreachable), JID("vtn.a.example")
    way = to_vtn(monkeypatch, line, {Service.EI_EVENT: GRID}, {}, {Service.EI_EVENT: elsewhere})
    for _ in range(3):
        with pytest.raises(ExchangeFailed):
            await way.exchange(request(), b"")
    assert line.asked == [GRID, GRID, elsewhere]


async def test_nothing_is_sent_any_more_when_whoever_waits_for_its_answer_has_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = Line(answered)
    way = to_vtn(monkeypatch, line, {})
    monkeypatch.setattr(transport, "find_services", lambda *_: anyio.sleep_forever())
    with pytest.raises(ExchangeFailed) as failed:
        await way.exchange(request(timeout=0.01), b"")
    assert failed.value.why is Failure.SILENCE
    assert line.asked == []

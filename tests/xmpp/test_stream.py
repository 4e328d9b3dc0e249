"""What a stream does with what it reads, wherever that was broken, and what it keeps of it; without a server."""

import asyncio
from random import Random
from typing import Any

import pytest
from slixmpp import JID
from slixmpp.exceptions import IqTimeout

from oadr_core import Failure
from oadr_xmpp import XmppComponent, XmppLimits
from oadr_xmpp.dialects import XmppDialect
from oadr_xmpp.exchanges import Exchanges
from oadr_xmpp.framing import OADR
from oadr_xmpp.link import Link
from oadr_xmpp.session import Session
from oadr_xmpp.stream import RawStream
from oadr_xmpp.transport import XmppToVens

pytestmark = pytest.mark.anyio

HEAD = b"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>"
PAYLOAD = f'<oadrPayload xmlns="{OADR}"><a/></oadrPayload>'.encode()
REQUEST = b"<iq type='set' id='1' from='ven@a.example/client' to='vtn.a.example'>" + PAYLOAD + b"</iq>"


def reading(limits: XmppLimits | None = None) -> tuple[RawStream, list[tuple[bytes, Any]]]:
    """A stream that has begun, and the requests that it takes."""
    stream, _, taken = linked(limits)
    return stream, taken


def linked(limits: XmppLimits | None = None) -> tuple[RawStream, Link, list[tuple[bytes, Any]]]:
    """A stream that has begun, what exchanges messages over it, and the requests that it takes."""
    limits, taken = limits or XmppLimits(), []
    stream = XmppComponent("vtn.a.example", "secret").stream(limits)

    async def take(body: bytes, sender: Any, _: XmppDialect) -> tuple[Failure | None, bytes]:
        taken.append((body, sender))
        return None, b""

    exchanges = Exchanges(limits)
    link = Link(stream, limits, exchanges, XmppToVens(XmppComponent("vtn.a.example", "secret")))
    exchanges.serve(take)
    stream.init_parser()
    stream.data_received(HEAD)
    return stream, link, taken


@pytest.mark.parametrize("at", [1, len(REQUEST) - 20, len(REQUEST) - 5, len(REQUEST) - 1])
async def test_a_request_is_taken_wherever_the_stream_was_broken(at: int) -> None:
    stream, taken = reading()
    stream.data_received(REQUEST[:at])
    stream.data_received(REQUEST[at:])
    await asyncio.sleep(0)
    assert taken == [(PAYLOAD, JID("ven@a.example/client"))]


async def test_a_stanza_that_is_too_large_ends_nothing_for_those_who_speak_after_it() -> None:
    stream, taken = reading(XmppLimits(rest=1000))
    large = b"<message from='other@a.example/x' to='vtn.a.example'><body>" + b"x" * 5000 + b"</body></message>"
    for one in (large[:2000], large[2000:], REQUEST):
        stream.data_received(one)
    await asyncio.sleep(0)
    assert [body for body, _ in taken] == [PAYLOAD]


async def test_nobody_is_remembered_for_what_he_sends_unasked() -> None:
    stream, _ = reading()
    known = len(stream.roster.keys())
    for number in range(20):
        addresses = f"from='ven{number}@a.example/x' to='{number}@vtn.a.example'"
        stream.data_received(f"<presence {addresses}/><presence type='subscribe' {addresses}/>".encode())
        query = f"<query xmlns='http://jabber.org/protocol/disco#info' node='{number}'/>"
        stream.data_received(f"<iq type='result' id='x' {addresses}>{query}</iq>".encode())
    await asyncio.sleep(0)
    assert len(stream.roster.keys()) == known
    assert not any(node for _, node, _ in stream.plugin["xep_0030"].static.nodes)


@pytest.mark.parametrize("made_again", [True, False])
async def test_a_ping_without_answer_ends_the_connection_that_it_went_over_and_no_other(
    monkeypatch: pytest.MonkeyPatch, made_again: bool
) -> None:
    stream, _ = reading()
    limits = XmppLimits(ping=0.0)
    session = Session(stream, None, limits=limits, present=False, entropy=Random(0), exchanges=Exchanges(limits))
    pinged, aborted = asyncio.Event(), asyncio.Event()

    async def silent(*_: object, **__: object) -> None:
        if pinged.is_set():
            await asyncio.Event().wait()
        pinged.set()
        if made_again:
            stream.transport = asyncio.Transport()
        raise IqTimeout(stream.Iq())

    monkeypatch.setattr(session, "_online", True)
    monkeypatch.setattr(stream.plugin["xep_0199"], "send_ping", silent)
    monkeypatch.setattr(stream, "abort", aborted.set)
    pings = asyncio.create_task(session._ping())
    await pinged.wait()
    await asyncio.sleep(0)
    pings.cancel()
    assert aborted.is_set() is not made_again


@pytest.mark.rule(515)
@pytest.mark.parametrize("kind", ["result", "error"])
async def test_an_answer_counts_only_from_whom_was_asked(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    stream, link, _ = linked()
    sent: list[str] = []
    monkeypatch.setattr(stream, "send_raw_iq", lambda _, number, *rest: sent.append(number))
    asked = asyncio.ensure_future(link.request(JID("ven@a.example/x"), "ven@a.example", PAYLOAD, 30.0))
    await asyncio.sleep(0)
    forged = PAYLOAD.replace(b"<a/>", b"<forged/>") if kind == "result" else b"<error type='cancel'><gone/></error>"
    for sender in ("other@a.example/x", "ven@a.example", "ven@a.example/y", "vtn.a.example"):
        addresses = f"id='{sent[0]}' from='{sender}' to='vtn.a.example'"
        stream.data_received(f"<iq type='{kind}' {addresses}>".encode() + forged + b"</iq>")
    await asyncio.sleep(0)
    assert not asked.done()
    addresses = f"id='{sent[0]}' from='ven@a.example/x' to='vtn.a.example'"
    stream.data_received(f"<iq type='result' {addresses}>".encode() + PAYLOAD + b"</iq>")
    assert await asked == PAYLOAD

"""Exchanges on a transport, both ends in a process of its own: ``python -m bench.exchanges HOW …``.

What is exchanged is the same everywhere: a VEN asks for its events and is handed a list of one, or the VTN pushes that
list and gets an empty answer. HOW is ``pull``, ``push`` or ``xmpp``; or a floor, which carries the same bytes with
nothing of OpenADR behind it, ``bare-http`` or ``bare-xmpp``. For XMPP a JSON object follows that says where the server
is, and who can log in.
"""

import asyncio
import json
import math
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from xml.etree import ElementTree

import httpx
from slixmpp import ClientXMPP, ComponentXMPP
from slixmpp.xmlstream.handler import CoroutineCallback
from slixmpp.xmlstream.matcher import MatchXPath

import oadr_core as oadr
from bench.documents import VEN_ID, distribute_event
from bench.figures import WrongAnswer
from bench.resident import resident
from oadr_driver import Carrier, DrivenVen, DrivenVtn
from oadr_http import HttpCarrier, OpenADRClient, OpenADRServer, Push, ServerLimits
from oadr_xmpp import OpenADRClient as XmppVen
from oadr_xmpp import OpenADRServer as XmppVtn
from oadr_xmpp import XmppClient, XmppComponent, XmppLimits, XmppToVtn

AT_A_TIME: Final = 16
"""How many exchanges are under way at a time."""

_NAMESPACE: Final = "http://openadr.org/oadr-2.0b/2012/07"
_FREE_HTTP: Final = ServerLimits(requests_per_ven=math.inf, requests_per_address=math.inf, connections_per_address=1000)
_FREE_XMPP: Final = XmppLimits(requests_per_peer=math.inf)
_ASKED: Final = oadr.encode(oadr.RequestEvent(request_id="request", ven_id=VEN_ID))
_LIST: Final = oadr.encode(distribute_event(intervals=2))

Exchange = Callable[[], Awaitable[bytes]]
"""Does one exchange, and returns the answer."""


# --- floors ----------------------------------------------------------------------------------------------------------


class _Bare(asyncio.Protocol):
    """Answers every request with the same list."""

    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: %d\r\n\r\n%b" % (len(_LIST), _LIST)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer, at the end of a request."""
        if data.endswith((b"</oadr:oadrPayload>", b"</oadrPayload>")):
            self._transport.write(self.answer)


@asynccontextmanager
async def _bare_http() -> AsyncIterator[Exchange]:
    server = await asyncio.get_running_loop().create_server(_Bare, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, httpx.AsyncClient(trust_env=False) as client:

        async def exchange() -> bytes:
            return (await client.post(url, content=_ASKED)).content

        yield exchange


@asynccontextmanager
async def _bare_xmpp(at: dict[str, Any]) -> AsyncIterator[Exchange]:
    """A client and a component of slixmpp; payloads go through its own reading and writing of XML."""
    answer, asked = ElementTree.fromstring(_LIST), ElementTree.fromstring(_ASKED)
    vtn: Any = ComponentXMPP(  # type: ignore[no-untyped-call]
        at["component"], at["secret"], at["host"], at["component_port"]
    )
    ven: Any = ClientXMPP(at["jid"], at["password"])
    ven.ssl_context.load_verify_locations(at["ca_file"])
    ven.ssl_context.verify_flags |= 0x80000  # the CA that is trusted has another above it
    ven.enable_direct_tls = False

    async def take(iq: Any) -> None:
        reply = iq.reply()
        reply.append(answer)
        reply.send()

    vtn.register_handler(
        CoroutineCallback("list", MatchXPath(f"{{{vtn.default_ns}}}iq/{{{_NAMESPACE}}}oadrPayload"), take)
    )
    for one, port in ((vtn, at["component_port"]), (ven, at["port"])):
        begun = asyncio.get_running_loop().create_future()
        one.add_event_handler("session_start", lambda _, begun=begun: begun.done() or begun.set_result(None))
        one.connect(at["host"], port)
        await asyncio.wait_for(begun, 30)

    async def exchange() -> bytes:
        iq = ven.make_iq_set(ito=at["component"])
        iq.append(asked)
        found = await iq.send(timeout=30)
        return ElementTree.tostring(next(iter(found.xml)))

    try:
        yield exchange
    finally:
        ven.abort()
        vtn.abort()


# --- ours ------------------------------------------------------------------------------------------------------------


class _Ends:
    """The VTN, and what VENs need to come to it.

    :param how: the transport.
    :param at: where the XMPP server is, for XMPP.
    """

    def __init__(self, how: str, at: dict[str, Any]) -> None:
        self._how, self._at = how, at
        self.vtn: DrivenVtn = self._new_vtn()

    def _new_vtn(self) -> DrivenVtn:
        if self._how == "xmpp":
            login = XmppComponent(
                self._at["component"], self._at["secret"], host=self._at["host"], port=self._at["component_port"]
            )
            return XmppVtn("VTN", login, limits=_FREE_XMPP)
        minute = timedelta(minutes=1)
        return OpenADRServer("VTN", http_port=0, limits=_FREE_HTTP, push_to=["loopback"], requested_poll_freq=minute)

    def ven(self, number: int) -> DrivenVen:
        """Make a VEN."""
        if self._how == "xmpp":
            jid = f"{self._at['jid']}/{number}"
            return XmppVen(f"ven {number}", jid, **self._login(), vtn_address=self._at["component"])
        assert isinstance(self.vtn, OpenADRServer)
        push = Push(port=0, limits=_FREE_HTTP) if self._how == "push" else None
        return OpenADRClient(f"ven {number}", self.vtn.url, push=push, poll_interval=timedelta(minutes=1))

    def _login(self) -> dict[str, Any]:
        return {key: self._at[key] for key in ("host", "port", "password", "ca_file")}

    def carrier(self) -> Any:
        """What carries the requests of the exchanges; to be entered."""
        if self._how == "xmpp":
            login = XmppClient(f"{self._at['jid']}/load", **self._login())
            return XmppToVtn(login, vtn=self._at["component"], limits=_FREE_XMPP).opened()
        assert isinstance(self.vtn, OpenADRServer)
        return HttpCarrier(self.vtn.url)


@asynccontextmanager
async def _ours(how: str, at: dict[str, Any]) -> AsyncIterator[tuple[Exchange, _Ends]]:
    async with AsyncExitStack() as stack:
        ends = _Ends(how, at)
        await stack.enter_async_context(ends.vtn.running())
        ven = await stack.enter_async_context(ends.ven(0).running())
        await _until(lambda: ven.phase is oadr.Startup.RUNNING)
        start = datetime.now(UTC) + timedelta(hours=1)
        quarter = timedelta(minutes=15)
        first, second = ({"duration": quarter, "signal_payload": level} for level in (1.0, 2.0))
        ends.vtn.add_event(ven.ven_id, "SIMPLE", "level", [{"dtstart": start, **first}, second])
        carrier: Carrier = await stack.enter_async_context(ends.carrier())
        to = oadr.Address("xmpp" if how == "xmpp" else "simpleHttp", "")
        asked = oadr.encode(oadr.RequestEvent(request_id="request", ven_id=ven.ven_id))
        if how == "push":
            asked = await carrier.exchange(_transmit(to), asked)
            to = oadr.Address("simpleHttp", ends.vtn.vens[ven.ven_id].address or "")
        yield (lambda: carrier.exchange(_transmit(to), asked)), ends


def _transmit(to: oadr.Address) -> oadr.Transmit:
    message = oadr.RequestEvent(request_id="request", ven_id=VEN_ID)
    return oadr.Transmit(oadr.ExchangeId(0), to, oadr.Service.EI_EVENT, message, 30.0, oadr.PlainSealer())


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)


# --- measuring -------------------------------------------------------------------------------------------------------


async def _load(exchange: Exchange, seconds: float, empty: bool) -> dict[str, float]:
    """Exchange for a while; tells how many a second, and seconds of CPU for each."""
    count, began, spent = 0, time.perf_counter(), time.process_time()
    until = began + seconds

    async def repeat() -> None:
        nonlocal count
        while time.perf_counter() < until:
            answer = await exchange()
            if bool(answer) is empty:
                raise WrongAnswer(f"an exchange has brought {answer[:200]!r}")
            count += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_A_TIME):
            group.create_task(repeat())
    took = time.perf_counter() - began
    return {"rate": count / took, "cpu": (time.process_time() - spent) / count}


async def main(how: str, at: dict[str, Any]) -> None:
    """Do what standard input asks for, until it ends."""
    async with AsyncExitStack() as stack:
        ends: _Ends | None = None
        if how == "bare-http":
            exchange = await stack.enter_async_context(_bare_http())
        elif how == "bare-xmpp":
            exchange = await stack.enter_async_context(_bare_xmpp(at))
        else:
            exchange, ends = await stack.enter_async_context(_ours(how, at))
        print(json.dumps(how), flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            asked = json.loads(line)
            if asked["do"] == "load":
                told: Any = await _load(exchange, asked["seconds"], how == "push")
            else:
                assert ends is not None
                before = resident()
                vens = [ends.ven(number + 1) for number in range(asked["count"])]
                for one in vens:
                    await stack.enter_async_context(one.running())
                await _until(lambda vens=vens: all(one.phase is oadr.Startup.RUNNING for one in vens))  # type: ignore[misc]
                told = (resident() - before) / len(vens)
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}))

"""Clients and components of slixmpp as it comes: foreign peers, which know nothing of OpenADR."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from slixmpp import ClientXMPP, ComponentXMPP, Iq
from slixmpp.exceptions import IqError
from slixmpp.xmlstream.handler import CoroutineCallback
from slixmpp.xmlstream.matcher import MatchXPath

from tests.xmpp.servers import COMPONENT, SECRET, Account, XmppServer

NAMESPACE: Final = "urn:example:echo"
_ENDED: Final = ("failed_auth", "failed_all_auth", "ssl_invalid_chain", "connection_failed", "disconnected")


class Refused(Exception):
    """The server did not let somebody in."""


def context_for(server: XmppServer, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """How somebody speaks TLS to a server."""
    context = ssl.create_default_context(cafile=server.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


@asynccontextmanager
async def client(
    server: XmppServer,
    account: Account,
    resource: str = "client",
    *,
    files: tuple[Path, Path] | None = None,
    presence: bool = True,
    ciphers: str | None = None,
    address: str | None = None,
) -> AsyncIterator[ClientXMPP]:
    """Somebody who has logged in.

    :param server: where.
    :param account: as whom.
    :param resource: the resource that is asked for.
    :param files: another certificate and its key.
    :param presence: whether presence is sent.
    :param ciphers: the one suite of TLS 1.2 that is spoken; any if None.
    :param address: a domain, to log in there as nobody (SASL ANONYMOUS); as the account if None.
    :raises Refused: the server does not let them in.
    """
    certificate, key = files or (account.certificate, account.key)
    context = context_for(server) if account.password else context_for(server, certificate, key)
    if ciphers is not None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
    made = ClientXMPP(f"{address or account.address}/{resource}", account.password or "", ssl_context=context)
    made.enable_direct_tls = False
    made.enable_plaintext = False
    async with _connected(made, server.host, server.port):
        if presence:
            made.send_presence()
        yield made


@asynccontextmanager
async def component(server: XmppServer) -> AsyncIterator[ComponentXMPP]:
    """A component that is connected."""
    made = ComponentXMPP(COMPONENT, SECRET, server.host, server.component_port)
    async with _connected(made, server.host, server.component_port):
        yield made


@asynccontextmanager
async def _connected(stream: Any, host: str, port: int) -> AsyncIterator[None]:
    settled: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def settle(what: str) -> Callable[[object], None]:
        return lambda _: None if settled.done() else settled.set_result(what)

    for what in ("session_start", *_ENDED):
        stream.add_event_handler(what, settle(what))
    stream.register_plugin("xep_0030")
    stream.register_plugin("xep_0199")
    stream.connect(host, port)
    try:
        if (happened := await settled) != "session_start":
            raise Refused(happened)
        yield
    finally:
        stream.abort()
        await asyncio.sleep(0)


def answers(stream: Any, how: Callable[[Iq], Awaitable[None]] | None = None) -> None:
    """Let somebody answer IQs that carry something to be echoed."""

    async def echo(iq: Iq) -> None:
        answer = iq.reply()
        answer.append(next(iter(iq.xml)))
        answer.send()

    matcher = MatchXPath(f"{{{stream.default_ns}}}iq/{{{NAMESPACE}}}echo")
    stream.register_handler(CoroutineCallback("echo", matcher, how or echo))


async def asks(stream: Any, whom: str, text: str = "hello") -> str:
    """Ask somebody to echo something; returns what comes back, or the condition of the error."""
    iq = stream.make_iq_set(ito=whom)
    if stream.is_component:
        iq["from"] = stream.boundjid
    child = ElementTree.Element(f"{{{NAMESPACE}}}echo")
    child.text = text
    iq.append(child)
    try:
        answer = await iq.send(timeout=30)
    except IqError as error:
        return str(error.condition)
    return str(next(iter(answer.xml)).text)

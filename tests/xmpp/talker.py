"""Somebody who speaks the dialect of avob by slixmpp as it comes: all that is said is the text of a message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from xml.etree import ElementTree

from slixmpp import ClientXMPP, Message

from oadr_core import Payload, decode, encode
from tests.xmpp.foreign import client
from tests.xmpp.servers import Account, XmppServer


class Heard(NamedTuple):
    """What was said to somebody.

    :param text: the text of the message.
    :param message: what it says.
    :param sender: who has said it, as the server tells.
    """

    text: str
    message: Payload
    sender: Any


class Talker:
    """A client that sends and gets texts.

    :param stream: the client.
    :ivar heard: what was said to it, in the order in which it came.
    :ivar returned: the conditions of errors with which messages of its own came back.
    """

    def __init__(self, stream: ClientXMPP) -> None:
        self.stream = stream
        self.heard: asyncio.Queue[Heard] = asyncio.Queue()
        self.returned: asyncio.Queue[str] = asyncio.Queue()
        stream.add_event_handler("message", self._hear)
        stream.add_event_handler("message_error", self._take_back)

    def say(self, to: str, content: Payload | str) -> None:
        """Say something: a message without its envelope, as avob does where nothing is signed."""
        text = content if isinstance(content, str) else bare(content)
        self.stream.send_message(mto=to, mbody=text, mtype="normal")

    async def hears(self, kind: type[Payload]) -> Heard:
        """Wait for something of a kind."""
        while not isinstance((one := await self.heard.get()).message, kind):
            pass
        return one

    async def asks(self, to: str, content: Payload, kind: type[Payload]) -> Heard:
        """Say something, and wait for the answer."""
        self.say(to, content)
        return await self.hears(kind)

    def _hear(self, stanza: Message) -> None:
        text = stanza["body"]
        self.heard.put_nowait(Heard(text, decode(text.encode(), strict=False), stanza["from"]))

    def _take_back(self, stanza: Message) -> None:
        self.returned.put_nowait(str(stanza["error"]["condition"]))


def bare(message: Payload) -> str:
    """A message without its envelope."""
    return ElementTree.tostring(ElementTree.fromstring(encode(message))[0][0], encoding="unicode")


@asynccontextmanager
async def talker(
    server: XmppServer, account: Account, resource: str = "client", *, address: str | None = None
) -> AsyncIterator[Talker]:
    """Have one logged in; see :func:`~tests.xmpp.foreign.client`."""
    async with client(server, account, resource, address=address) as stream:
        yield Talker(stream)

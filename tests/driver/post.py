"""A transport in memory, as an adapter of somebody else might bring it: whoever has an address is written to there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from oadr_core import Failure, Peer, PlainSealer, SenderConfig, Transmit, TransportName, VenConfig
from oadr_driver import DrivenVen, ExchangeFailed, Receiver
from oadr_driver.transport import Carrier, LooseCarrier


class Post:
    """Delivers letters."""

    def __init__(self) -> None:
        self.boxes: dict[str, Receiver] = {}

    def at(self, address: str, to: str = "") -> "Box":
        """A place from which letters are sent, and where they are received.

        :param address: its own address.
        :param to: where those are sent to that say nothing else.
        """
        return Box(self, address, to)


class Box:
    """One such place."""

    def __init__(self, post: Post, address: str, to: str) -> None:
        self._post = post
        self._address = address
        self._to = to

    async def exchange(self, transmit: Transmit, body: bytes) -> bytes:
        """Deliver a letter, and bring the answer."""
        receiver = self._post.boxes.get(transmit.to.base or self._to)
        if receiver is None:
            raise ExchangeFailed(Failure.UNREACHABLE)
        peer = Peer(transport=TransportName.XMPP, identity=self._address.partition("/")[0], address=self._address)
        refusal, answer = await receiver.receive(body, peer, None)
        if refusal is not None:
            raise ExchangeFailed(refusal)
        return answer

    async def close(self) -> None:
        """There is nothing to close."""

    def by_hand(self) -> LooseCarrier:
        """Letters one at a time."""
        return self

    @property
    def largest(self) -> None:
        """Whatever there is."""
        return None

    @property
    def own_addresses(self) -> bool:
        """An address is an identity."""
        return True

    def refuse_address(self, address: str) -> str | None:
        """There is nothing against any address."""
        return None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Carrier]:
        """Be able to send."""
        yield self

    @asynccontextmanager
    async def serving(self, receiver: Receiver) -> AsyncIterator[None]:
        """Receive."""
        self._post.boxes[self._address] = receiver
        try:
            yield
        finally:
            del self._post.boxes[self._address]


def ven(post: Post, address: str) -> DrivenVen:
    """A VEN that is written to."""
    config = VenConfig(
        ven_name=address,
        transport=TransportName.XMPP,
        pull=False,
        address=address,
        sender=SenderConfig(longest_wait=0.05, first_wait=0.01),
    )
    sealer = PlainSealer()
    return DrivenVen(config, transport=post.at(address, "vtn"), sealer=sealer, entropy=Random(1))

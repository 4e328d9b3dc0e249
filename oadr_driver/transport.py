"""What carries messages between us and our peers, as whoever drives a core sees it."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from oadr_core import Failure, Peer, ProfileName, Service, Transmit, TransportName


class ExchangeFailed(Exception):
    """A request brought no answer.

    :param why: the reason.
    """

    def __init__(self, why: Failure) -> None:
        super().__init__(why.value)
        self.why: Final = why


class Carrier(Protocol):
    """Carries requests to peers."""

    async def exchange(self, transmit: Transmit, body: bytes) -> bytes:
        """Send a request and bring back the answer.

        :raises ExchangeFailed: there is none.
        """
        ...


class LooseCarrier(Carrier, Protocol):
    """Carries requests whenever there are any, without being opened first."""

    async def close(self) -> None:
        """Close what it has opened."""
        ...


class Receiver(Protocol):
    """What takes the requests of peers: a driver."""

    async def receive(
        self, body: bytes, peer: Peer, service: Service | None, profile: ProfileName = ProfileName.V20B
    ) -> tuple[Failure | None, bytes]:
        """Hand a request to the core.

        :param body: the document.
        :param peer: who has sent it, as far as the transport knows.
        :param service: the endpoint that it came to; None where the transport has none.
        :param profile: the profile that is spoken there.
        :returns: why the transport should refuse it, or None; and the body of the answer.
        """
        ...


class VtnReceiver(Receiver, Protocol):
    """What takes the requests of VENs."""

    def link_is_back(self, transport: TransportName) -> None:
        """Say that there is a connection again, over which everything goes: what has failed for want of it is sent.

        :param transport: the transport that has it.
        """
        ...


class Transport(Protocol):
    """A way to peers. An adapter is one, or has one for each side."""

    def opened(self) -> AbstractAsyncContextManager[Carrier]:
        """Take what is needed, such as a port, and carry requests while the body runs. Peers are not served yet."""
        ...

    def serving(self, receiver: VtnReceiver) -> AbstractAsyncContextManager[None]:
        """Serve peers while the body runs; at its end nobody new is served, and what is under way is finished.

        :param receiver: takes their requests. Who has a single connection, which may be lost, tells it when that is
            back.
        """
        ...


class VtnTransport(Transport, Protocol):
    """The way of a VTN to its VENs."""

    @property
    def own_addresses(self) -> bool:
        """Whether what a VEN is known by is also where it is reached, if it is an address (rule 515).

        Where it is not, the transport itself has to see that nothing is sent to the address of another VEN.
        """
        ...

    @property
    def largest(self) -> int | None:
        """Bytes of the largest document that it carries; None where it carries whatever VENs take."""
        ...

    def refuse_address(self, address: str) -> str | None:
        """Say why nothing is pushed to an address that a VEN registers with.

        :param address: a base URL or a full JID, as the VEN has written it.
        :returns: why, in words for the VEN and for the operator; None where it may be pushed to, as far as can be told
            without looking for it.
        """
        ...


class VenReceiver(Receiver, Protocol):
    """What takes the requests of the VTN."""

    def reached_at(self, address: str) -> None:
        """Say where the VTN reaches the VEN from now on; one that does not poll registers with that.

        :param address: a base URL or a full JID.
        """
        ...


class VenTransport(Protocol):
    """The way of a VEN to its VTN. Of one that does not poll it is the way back as well."""

    def opened(self) -> AbstractAsyncContextManager[Carrier]:
        """Carry requests while the body runs; see :class:`Transport`."""
        ...

    def serving(self, receiver: VenReceiver) -> AbstractAsyncContextManager[None]:
        """Take what the VTN pushes while the body runs, and tell where the VEN is reached whenever that changes.

        :param receiver: takes the requests, and where the VEN is reached. One that is not told does not register, if it
            does not poll.
        """
        ...

    def by_hand(self) -> LooseCarrier:
        """A carrier for single requests.

        :raises LocalProtocolError: there can be none.
        """
        ...


class Carriers:
    """Carries each request by the transport that its address names.

    :param carriers: those that there are, by the names of their transports, such as ``simpleHttp``.
    """

    def __init__(self, carriers: Mapping[str, Carrier]) -> None:
        self._carriers: Final = dict(carriers)

    async def exchange(self, transmit: Transmit, body: bytes) -> bytes:
        """Send a request; see :class:`Carrier`.

        :raises ExchangeFailed: there is no answer, or no such transport: its VEN cannot be reached until there is.
        """
        carrier = self._carriers.get(transmit.to.transport)
        if carrier is None:
            raise ExchangeFailed(Failure.UNREACHABLE)
        return await carrier.exchange(transmit, body)

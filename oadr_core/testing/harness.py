"""What a check of drivers needs from whoever has one: cores that are run, can be called, and start again."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol, TypeAlias, TypeVar

from oadr_core.auto.ven import AutoVen
from oadr_core.auto.vtn import AutoVtn
from oadr_core.clock import Now
from oadr_core.entropy import Entropy
from oadr_core.machines.exchange import Failure
from oadr_core.messages import Service, TransportName
from oadr_core.outputs import Address
from oadr_core.testing.seals import Seals

CoreT = TypeVar("CoreT", AutoVen, AutoVtn)
_DrivenT_co = TypeVar("_DrivenT_co", AutoVen, AutoVtn, covariant=True)
_ValueT = TypeVar("_ValueT")

STRANGER: Final = "stranger"
"""The name of somebody whom the transport lets in as it does a VEN, and who has not registered."""

Build: TypeAlias = Callable[[Mapping[str, bytes], Now], CoreT]
"""Makes a core from what was saved, and starts it."""


class Driven(Protocol[_DrivenT_co]):
    """A core that a driver runs."""

    @property
    def core(self) -> _DrivenT_co:
        """The core; another one after a restart."""
        ...

    def do(self, work: Callable[[_DrivenT_co, Now], _ValueT]) -> Awaitable[_ValueT]:
        """Call the core as an application does, and perform what comes out.

        :param work: what is called; takes the core, and the present.
        """
        ...

    def restart(self) -> Awaitable[None]:
        """End the driver in good order, and run a new core from what was saved, where peers found the one before."""
        ...


class Harness(Protocol):
    """A driver on a transport, as :data:`~oadr_core.testing.DRIVER_CHECK` needs it: one VTN, and VENs.

    All of it belongs to one scenario, and is over with it. What is awaited may wait for whatever the harness likes: an
    event loop, a thread, or nothing at all.
    """

    @property
    def transport(self) -> TransportName:
        """The transport that VENs register with."""
        ...

    @property
    def pull(self) -> bool:
        """Whether VENs poll. Of one that does not the driver has to say where it is reached, by ``reached_at``."""
        ...

    @property
    def limit(self) -> int | None:
        """The octets of the largest document that either side takes; None where the transport has no limit."""
        ...

    @property
    def seals(self) -> Seals:
        """How documents are sealed."""
        ...

    @property
    def entropy(self) -> Entropy:
        """Where ids and jitter come from."""
        ...

    def vtn(self, build: Build[AutoVtn]) -> Awaitable[Driven[AutoVtn]]:
        """Run a VTN; returns once VENs can reach it."""
        ...

    def ven(self, name: str, build: Build[AutoVen]) -> Awaitable[Driven[AutoVen]]:
        """Run a VEN of the VTN.

        :param name: what is of one VEN alone, such as its credentials, goes by this name.
        :param build: makes the core.
        """
        ...

    def say(self, service: Service, body: bytes, name: str = STRANGER) -> Awaitable[bytes | Failure]:
        """Send the VTN a request that no core has made.

        :param service: what it asks for.
        :param body: the document.
        :param name: who sends it, as far as the transport can tell: a VEN that runs, by its connection and with its
            credentials; or a stranger.
        :returns: the answer, or why there is none.
        """
        ...

    def pose(self, address: Address, service: Service, body: bytes) -> Awaitable[bytes | Failure]:
        """Send a VEN that does not poll a request, as somebody who is not its VTN.

        It is needed for VENs that can tell who the VTN is, by what the transport proves or by signatures.

        :param address: where the VEN is reached, as the VTN knows it.
        :param service: what is asked for.
        :param body: the document.
        :returns: the answer, or why there is none.
        """
        ...

    def until(self, condition: Callable[[], object]) -> Awaitable[None]:
        """Wait until something holds.

        :raises Exception: it takes too long.
        """
        ...

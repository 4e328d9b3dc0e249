"""HTTP as a way to the VTN, and to VENs."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Final

import anyio
import anyio.abc

from oadr_core import LocalProtocolError
from oadr_driver.throttle import Throttle
from oadr_driver.tls import Tls
from oadr_driver.transport import Carrier, Receiver, VenReceiver
from oadr_http.client import HttpCarrier
from oadr_http.endpoints import VEN_SERVICES, Endpoints, usual_prefix_20a
from oadr_http.push import PUSH_LIMITS, Push
from oadr_http.server import Server, ServerLimits
from oadr_http.targets import PushTargets
from oadr_http.trusted_proxy import TrustedProxies


class HttpToVtn:
    """The way of a VEN to its VTN, which it polls.

    :param url: the base URL of the VTN.
    :param compression: whether the VTN may compress its answers.
    :param longest: bytes of an answer that are taken.
    :param tls: how TLS is spoken; None where it is not.
    """

    def __init__(self, url: str, *, compression: bool, longest: int, tls: Tls | None) -> None:
        self._url: Final = url
        self._compression = compression
        self._longest = longest
        self._tls = tls

    def by_hand(self) -> HttpCarrier:
        """A carrier for single requests."""
        return self._carrier()

    def _carrier(self) -> HttpCarrier:
        return HttpCarrier(self._url, compression=self._compression, longest=self._longest, tls=self._tls)

    def opened(self) -> AbstractAsyncContextManager[Carrier]:
        """Be able to send; see :class:`~oadr_driver.transport.Transport`."""
        return self._carrier()

    @asynccontextmanager
    async def serving(self, receiver: VenReceiver) -> AsyncIterator[None]:  # noqa: ARG002
        """Serve nobody: the VTN has no way to a VEN that polls."""
        yield


class HttpBothWays(HttpToVtn):
    """The way of a VEN to its VTN, and of the VTN to it, which pushes.

    :param url: the base URL of the VTN.
    :param push: how the VEN is reached.
    :param compression: whether the VTN may compress its answers.
    :param longest: bytes of an answer, or of a request, that are taken.
    :param tls: how TLS is spoken; None where it is not.
    :param knows: tells the certificate of the VTN.
    """

    def __init__(
        self,
        url: str,
        push: Push,
        *,
        compression: bool,
        longest: int,
        tls: Tls | None,
        knows: Callable[[bytes], bool] | None,
    ) -> None:
        super().__init__(url, compression=compression, longest=longest, tls=tls)
        self._push = push
        self._limits = replace(push.limits or PUSH_LIMITS, body=longest)
        self._knows = knows
        self._listener: anyio.abc.Listener[anyio.abc.SocketStream] | None = None

    def by_hand(self) -> HttpCarrier:
        """There is none.

        :raises LocalProtocolError: always: a VEN has to be there all the time, as it is pushed to.
        """
        raise LocalProtocolError("a VEN that is pushed to runs by itself: leave auto_polling on, or push out")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Carrier]:
        """Take the port, and be able to send; see :class:`~oadr_driver.transport.VenTransport`."""
        listener = await anyio.create_tcp_listener(local_host=self._push.host, local_port=self._push.port)
        async with listener, self._carrier() as carrier:
            self._listener = listener
            try:
                yield carrier
            finally:
                self._listener = None

    @asynccontextmanager
    async def serving(self, receiver: VenReceiver) -> AsyncIterator[None]:
        """Take what the VTN pushes, and tell where; see :class:`~oadr_driver.transport.VenTransport`."""
        assert self._listener is not None
        endpoints = Endpoints(
            receiver,
            prefix=self._push.path,
            services=VEN_SERVICES,
            prefix_20a=usual_prefix_20a(self._push.path),
            identified=self._tls is not None,
            compresses=False,
            throttle=Throttle(self._limits.requests_per_ven, self._limits.requests_per_address),
        )
        tls = self._tls
        server = Server(endpoints, self._limits, tls=None if tls is None else lambda: tls.server, knows=self._knows)
        port = self._listener.extra(anyio.abc.SocketAttribute.local_port)
        async with server.serving(self._listener):
            receiver.reached_at(self._push.address(port, secure=tls is not None))
            yield


class HttpToVens:
    """The way of a VTN to its VENs: it listens to all, and has requests of its own for those that do not poll.

    :param host: the address to listen on.
    :param port: the port to listen on; 0 takes a free one.
    :param prefix: the path before the name of a service.
    :param prefix_20a: the path before EiEvent for VENs of 2.0a; the usual one, if there is one, if None.
    :param proxies: proxies in front; None where there are none.
    :param identified: whether all requests are refused whose sender has shown no certificate.
    :param limits: what it puts up with.
    :param tls: how TLS is spoken; None where it is not.
    :param targets: where it pushes to.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        prefix: str,
        prefix_20a: str | None,
        proxies: TrustedProxies | None,
        identified: bool,
        limits: ServerLimits,
        tls: Tls | None,
        targets: PushTargets,
    ) -> None:
        self._host, self._port = host, port
        self._prefix = f"/{prefix.strip('/')}"
        self._prefix_20a = usual_prefix_20a(self._prefix) if prefix_20a is None else prefix_20a
        self._proxies = proxies
        self.identified: Final = identified
        self._limits = limits
        self._tls = tls
        self._targets = targets
        self._secure = tls is not None and tls.serving
        self._bound: int | None = None
        self._listener: anyio.abc.Listener[anyio.abc.SocketStream] | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the one that was asked for, until it listens."""
        return self._port if self._bound is None else self._bound

    @property
    def url(self) -> str:
        """The base URL that VENs need."""
        return f"{self._origin}{self._prefix}"

    @property
    def url_20a(self) -> str | None:
        """The base URL that VENs of 2.0a need; None where they are not served."""
        return None if self._prefix_20a is None else f"{self._origin}/{self._prefix_20a.strip('/')}"

    @property
    def longest_body(self) -> int:
        """Bytes of a request that are taken."""
        return self._limits.body

    @property
    def _origin(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._secure else 'http'}://{host}:{self.port}"

    def endpoints(self, receiver: Receiver) -> Endpoints:
        """The endpoints, for a server.

        :raises LocalProtocolError: both profiles have the same path.
        """
        return Endpoints(
            receiver,
            prefix=self._prefix,
            prefix_20a=self._prefix_20a,
            proxies=self._proxies,
            identified=self.identified,
            throttle=Throttle(self._limits.requests_per_ven, self._limits.requests_per_address),
        )

    def carrying(self) -> AbstractAsyncContextManager[Carrier]:
        """Be able to send, without listening."""
        longest = self._limits.body
        # nothing lets a VEN compress
        return HttpCarrier(compression=False, longest=longest, tls=self._tls, targets=self._targets)

    @property
    def largest(self) -> None:
        """None: it carries whatever VENs take, as far as anybody knows."""
        return None

    @property
    def own_addresses(self) -> bool:
        """Whether an address is an identity; it never is, here."""
        return True

    def refuse_address(self, address: str) -> str | None:
        """Say why nothing is pushed to an address; see :class:`~oadr_driver.transport.VtnTransport`."""
        return self._targets.refuse(address)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Carrier]:
        """Take the port, and be able to send; see :class:`~oadr_driver.transport.Transport`."""
        listener = await anyio.create_tcp_listener(local_host=self._host, local_port=self._port)
        self._bound = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with listener, self.carrying() as carrier:
            self._listener = listener
            try:
                yield carrier
            finally:
                self._listener = None

    @asynccontextmanager
    async def serving(self, receiver: Receiver) -> AsyncIterator[None]:
        """Take requests; see :class:`~oadr_driver.transport.Transport`."""
        assert self._listener is not None
        server = Server(self.endpoints(receiver), self._limits, tls=self._server_tls if self._secure else None)
        async with server.serving(self._listener):
            yield

    def _server_tls(self) -> ssl.SSLContext:
        assert self._tls is not None
        return self._tls.server

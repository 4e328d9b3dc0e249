"""Carrying requests to a VTN, or to push VENs, with httpx (sections 9.1.3 to 9.1.9 of the profile)."""

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Final, Self

import anyio
import httpcore
import httpx

from oadr_core import Failure, LocalProtocolError, ProfileName, Transmit, printable
from oadr_driver.clock import system_now
from oadr_driver.damping import Damper
from oadr_driver.logs import logger
from oadr_driver.tls import Tls
from oadr_driver.tls_errors import reason
from oadr_driver.tls_guard import expecting
from oadr_driver.transport import ExchangeFailed
from oadr_http.compression import BadCoding, decompressed
from oadr_http.network import Network
from oadr_http.outcomes import failure
from oadr_http.targets import CheckedNetwork, PushTargets

_LOG: Final = logger("oadr.http")

LONGEST_ANSWER: Final = 2 * 1024 * 1024
"""Bytes of an answer that are taken where nothing else is said, before and after decompression."""

_PROFILE: Final = "OpenADR2/Simple/2.0b"
_PROFILE_20A: Final = "OpenADR2/Simple"

_HIGHEST_PORT: Final = 65535

_NAME_AND_PASSWORD: Final = re.compile(r"//[^/]*@")

_CLOCKS: Final = 60
"""Seconds that the clocks of two who sign may be apart, as long as nothing else is configured."""

_KEEP: Final = 60.0
"""Seconds that a connection is kept open for the next request; servers tend to close after 75."""


_POOLS: Final = 64
_KEPT: Final = 2
"""How many pools there are, and how many connections each keeps for the next request."""


class HttpCarrier:
    """Posts documents and brings back the answers.

    :param url: the base URL of the VTN, such as ``https://vtn.example/OpenADR2/Simple/2.0b``; the name of the service
        is appended. Requests that name a base of their own (those to push VENs) do not need it.
    :param timeout: seconds to wait for an answer at most, however long the core would.
    :param compression: whether the peer may compress its answers.
    :param longest: bytes of an answer that are taken, before and after decompression.
    :param tls: how TLS is spoken with peers whose URL begins with ``https``; without certificates of our own, and with
        the CAs of the system, if None.
    :param targets: where it may connect to; anywhere if None.
    :raises LocalProtocolError: ``url`` is no URL of a server.
    """

    def __init__(
        self,
        url: str = "",
        *,
        timeout: float | None = None,
        compression: bool = True,
        longest: int = LONGEST_ANSWER,
        tls: Tls | None = None,
        targets: PushTargets | None = None,
    ) -> None:
        self._url = base_url(url) if url else ""
        self._tls = tls or Tls()
        self._damper = Damper()
        self._timeout = timeout
        self._longest = longest
        self._headers = {
            "Content-Type": "application/xml",
            "Accept": "application/xml",
            "Accept-Encoding": "gzip, deflate" if compression else "identity",
            "User-Agent": "oadr",
        }
        self._network = Network() if targets is None else CheckedNetwork(targets)
        self._pool = _Pool(self._tls.client, self._network)

    async def __aenter__(self) -> Self:
        """Be open; connections are made when they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self.close()

    async def close(self) -> None:
        """Close all connections; for those who did not enter it."""
        await self._pool.close()

    async def exchange(self, transmit: Transmit, body: bytes) -> bytes:
        """Post a request; see :class:`~oadr_driver.driver.Carrier`."""
        timeout = min(transmit.timeout, self._timeout or transmit.timeout)
        url, identities = "", transmit.to.identities
        try:
            url = self._address(transmit)
            with anyio.fail_after(timeout), expecting(identities or self._tls.fingerprints):
                if identities and not transmit.to.signed:
                    self._refuse_plain(url)
                return await self._post(url, body)
        except (TimeoutError, httpcore.TimeoutException):
            raise ExchangeFailed(Failure.SILENCE) from None
        except httpcore.ConnectError as error:
            self._tell_no_tls(url, error)
            raise ExchangeFailed(Failure.UNREACHABLE) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
            self._tell_no_tls(url, error)
            raise ExchangeFailed(Failure.BROKEN) from None
        except BadCoding:
            raise ExchangeFailed(Failure.BAD_ANSWER) from None
        except ValueError:  # no URL at all, or a host name that is too long for the resolver
            raise ExchangeFailed(Failure.UNREACHABLE) from None

    def _refuse_plain(self, url: str) -> None:
        """Say nothing in clear to a peer that has a certificate: nobody could tell who listens.

        :raises ExchangeFailed: that would be.
        """
        if not url.startswith("https:"):
            if self._damper.lets(url):
                _LOG.warning("%s is no TLS, and the VEN there has registered with a certificate", without_password(url))
            raise ExchangeFailed(Failure.UNREACHABLE)  # until it registers with another address

    def _tell_no_tls(self, url: str, error: Exception) -> None:
        """Tell the operator why there is no TLS, where that is why an exchange fails."""
        why = reason(error)
        if why is not None and self._damper.lets((url, why)):
            _LOG.warning("no TLS with %s: %s", httpx.URL(url).host, why)

    def _tell_of_clocks(self, url: str, date: str) -> None:
        """Tell the operator if the clock of a peer that does not accept us is another than ours (rule 514).

        :param url: where the peer is.
        :param date: what it says that the time is, which proves nothing; empty where it does not.
        """
        try:
            theirs = parsedate_to_datetime(date)
        except ValueError:
            return
        if theirs.tzinfo is None:
            return
        apart = round((system_now().utc - theirs).total_seconds())
        if abs(apart) > _CLOCKS and self._damper.lets((url, "clock")):
            _LOG.warning(
                "%s does not accept us, and its clock is %d s %s ours: what is signed is refused beyond a minute; set "
                "the clock that is wrong",
                *(httpx.URL(url).host, abs(apart), "behind" if apart > 0 else "ahead of"),
            )

    async def _post(self, url: str, body: bytes) -> bytes:
        if self._pool.context is not self._tls.client:  # the certificates were read again
            before, self._pool = self._pool, _Pool(self._tls.client, self._network)
            await before.close()
        async with self._pool.lent() as client:
            return await self._post_with(client, url, body)

    async def _post_with(self, client: httpx.AsyncClient, url: str, body: bytes) -> bytes:
        request = client.build_request("POST", url, headers={**self._headers, "Content-Length": str(len(body))})
        request.stream = _Body(body)
        response = await client.send(request, stream=True)
        try:
            why = failure(response.status_code)
            if why is not None:
                if why is Failure.FORBIDDEN:
                    self._tell_of_clocks(url, response.headers.get("date", ""))
                raise ExchangeFailed(why)
            answer = await _read(response, self._longest)
        finally:
            await response.aclose()
        return decompressed(answer, response.headers.get("content-encoding", ""), self._longest)

    def _address(self, transmit: Transmit) -> str:
        """The endpoint (rule 511). A push VEN may have registered its root, or the whole path.

        That of 2.0a is the one of 2.0b without its last part, so a base URL of 2.0b serves for both.

        :raises LocalProtocolError: what the VEN has registered is no URL, or it has registered none.
        """
        in_20a = transmit.to.profile is ProfileName.V20A
        if not transmit.to.base and self._url:
            base = self._url
        else:
            base = base_url(transmit.to.base)
            usual = _PROFILE_20A if in_20a else _PROFILE
            if not base.endswith((usual, _PROFILE)):
                base = f"{base}/{usual}"
        if in_20a:
            base = base.removesuffix("/2.0b")
        return f"{base}/{transmit.service}"


class _Pool:
    """A pool of connections, which is closed when nobody uses it any more.

    :param context: how TLS is spoken.
    :param network: makes the connections.
    """

    def __init__(self, context: ssl.SSLContext, network: httpcore.AsyncNetworkBackend) -> None:
        self.context: Final = context
        self._client = httpx.AsyncClient(
            transport=_Connections(context, network),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # none are taken, so none are sent
            timeout=None,  # noqa: S113 - every exchange has a deadline of its own, in exchange()
            follow_redirects=False,
            trust_env=False,
        )
        self._users = 0
        self._closing = False

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[httpx.AsyncClient]:
        """Use it while the body runs."""
        self._users += 1
        try:
            yield self._client
        finally:
            self._users -= 1
            if self._closing and not self._users:
                await self._close()

    async def close(self) -> None:
        """Close it, or have it closed by its last user."""
        self._closing = True
        if not self._users:
            await self._close()

    async def _close(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._client.aclose()


class _Connections(httpx.AsyncBaseTransport):
    """Has pools of httpcore do what a client of httpx wants; that of httpx itself takes no network of ours.

    A pool looks at all of its connections, and for each of them at all of them, whenever it is used; so there are
    several, each for some of the peers.

    :param context: how TLS is spoken.
    :param network: makes the connections.
    """

    def __init__(self, context: ssl.SSLContext, network: httpcore.AsyncNetworkBackend) -> None:
        # A pool with a limit can be blocked for good by requests that are cancelled while they wait for a connection;
        # the core has one request in flight for each peer, and not too many for all, which is limit enough.
        self._pools = [
            httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=None,
                max_keepalive_connections=_KEPT,
                keepalive_expiry=_KEEP,
                network_backend=network,
            )
            for _ in range(_POOLS)
        ]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and bring the head of the response."""
        url = request.url
        assert isinstance(request.stream, httpx.AsyncByteStream)
        pool = self._pools[hash((url.raw_host, url.port)) % len(self._pools)]
        response = await pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Answer(response), extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools:
            await pool.aclose()


class _Answer(httpx.AsyncByteStream):
    """The body of a response, as it comes."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Read it, once."""
        return self._response.aiter_stream()

    async def aclose(self) -> None:
        """Let the connection be used again, or close it where the body was not read."""
        await self._response.aclose()


class _Body(httpx.AsyncByteStream):
    """The body of a request. httpx would make a generator of the bytes, which it leaves behind when sending fails."""

    def __init__(self, content: bytes) -> None:
        self._content = [content]

    def __aiter__(self) -> Self:
        """Begin, once."""
        return self

    async def __anext__(self) -> bytes:
        """Take the body, which is one piece."""
        if not self._content:
            raise StopAsyncIteration
        return self._content.pop()


async def _read(response: httpx.Response, longest: int) -> bytes:
    """Read the body of a response, as it came."""
    answer = bytearray()
    try:
        async for piece in response.aiter_raw():
            answer += piece
            if len(answer) > longest:
                await response.aclose()  # fails the iteration, which would not be cleaned up if it were left
    except (httpcore.NetworkError, httpcore.ProtocolError):
        if len(answer) <= longest:
            raise
    if len(answer) > longest:
        raise ExchangeFailed(Failure.BAD_ANSWER)
    return bytes(answer)


def without_password(url: str) -> str:
    """A URL as others may see it, in a log or an error: a name and a password in it are left out."""
    return _NAME_AND_PASSWORD.sub("//…@", printable(url))


def base_url(url: str) -> str:
    """Check the base URL of a server.

    :returns: the URL, without a slash at its end.
    :raises LocalProtocolError: it is no URL of a server.
    """
    wrong = LocalProtocolError(f"the URL is {without_password(url)!r}; it must be like https://vtn.example/{_PROFILE}")
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise wrong from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise wrong
    if (parsed.port or 0) > _HIGHEST_PORT:
        raise wrong
    return url.rstrip("/")

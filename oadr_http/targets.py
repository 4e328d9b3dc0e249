"""Where a VTN pushes to, and where not: a VEN says itself where it is reached, and must not send us where it likes.

Else whoever may register could have the VTN call services that only it can reach: of its own machine, of its network,
of its cloud. A host name is looked up once for each connection, and the very address that was found is checked and
connected to, so a name that changes meanwhile gains nothing.
"""

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final, TypeAlias

import anyio
import anyio.to_thread
import httpcore
import httpx

from oadr_core import LocalProtocolError, printable
from oadr_driver.damping import Damper
from oadr_driver.logs import logger
from oadr_http.network import Network

_LOG: Final = logger("oadr.http")

_Address: TypeAlias = IPv4Address | IPv6Address
_Network: TypeAlias = IPv4Network | IPv6Network

PUBLIC: Final = "public"
LOOPBACK: Final = "loopback"
PRIVATE: Final = "private"

_NAMED: Final[dict[str, tuple[_Network, ...]]] = {
    LOOPBACK: (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")),
    PRIVATE: (
        IPv4Network("10.0.0.0/8"),
        IPv4Network("172.16.0.0/12"),
        IPv4Network("192.168.0.0/16"),
        IPv6Network("fc00::/7"),
    ),
}

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_COMPATIBLE: Final = IPv6Network("::/96")  # an old form of IPv4 addresses, but for :: and ::1
_NAT64: Final = IPv6Network("64:ff9b::/96")

_CONNECTING: Final = 5.0
"""Seconds that connecting to one address may take: longer, and nobody is there (section 9.1.6 asks for 5 at least)."""

_LOOKUPS: Final = 256
"""How many names are looked up at a time; whoever owns one can have that take as long as the resolver waits."""

_LONGEST_NAME: Final = 253
_LONGEST_LABEL: Final = 63


class PushTargets:
    """Where a VTN pushes to.

    :param allowed: networks and addresses, such as ``192.168.1.0/24``; and the words ``public`` for all that anybody
        can reach, ``loopback`` for this machine, and ``private`` for the private networks of RFC 1918 and RFC 4193.
    :param secure: whether it has to be by https.
    :raises LocalProtocolError: one of these is neither; the text says what would be right.
    """

    def __init__(self, allowed: Sequence[str], *, secure: bool = False) -> None:
        if isinstance(allowed, str):
            raise LocalProtocolError(f"push_to is the text {allowed!r}; it must be a list, such as [{allowed!r}]")
        self._public = PUBLIC in allowed
        self._networks = tuple(_networks(one for one in allowed if one != PUBLIC))
        self._secure = secure
        self._damper = Damper()

    def allow(self, address: str) -> bool:
        """Tell whether an IP address is pushed to.

        What an IPv6 address wraps counts as well: an IPv4 address, of which there are several forms.
        """
        found = _read(address)
        return found is not None and all(self._allow(one) for one in _forms(found))

    def _allow(self, address: _Address) -> bool:
        if any(address in network for network in self._networks):
            return True
        if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
            return False
        return self._public and address.is_global and not address.is_multicast

    def refuse(self, url: str) -> str | None:
        """Say why nothing is pushed to a base URL; None where it may be, as far as can be told without looking it up.

        :param url: as a VEN has written it.
        """
        shown = printable(url)
        try:
            parsed = httpx.URL(url)
            port = parsed.port
        except (httpx.InvalidURL, ValueError):
            return f"{shown} is no URL"
        host = parsed.host
        if parsed.scheme not in ("http", "https") or not host or not _is_host(host):
            return f"{shown} is no base URL of a server; it must be like https://ven.example:8443/"
        if parsed.userinfo:
            return "the address holds a name or a password, and must not"
        if parsed.query or parsed.fragment:
            return f"{shown} has a query or a fragment; a base URL has none"
        if port is not None and not 0 < port < 65536:
            return f"{shown} has no possible port"
        if self._secure and parsed.scheme != "https":
            return f"{shown} must begin with https, as this VTN speaks TLS"
        if _read(host) is not None and not self.allow(host):
            return self._forbidden(host)
        return None

    def _forbidden(self, what: str) -> str:
        return f"this VTN pushes nothing to {printable(what)}, unless its operator allows it by push_to; poll instead"

    async def found(self, host: str, port: int, lookups: anyio.CapacityLimiter) -> list[str]:
        """Look a host up, and give those of its addresses that are pushed to.

        :param host: a name or an address.
        :param port: the port there.
        :param lookups: how many names are looked up at a time.
        :raises httpcore.ConnectError: there are none.
        """
        addresses = [host] if _read(host) is not None else await _looked_up(host, port, lookups)
        allowed = [one for one in addresses if self.allow(one)]
        if not allowed:
            what = host if host in addresses else f"{host}, which is at {', '.join(addresses)}"
            if self._damper.lets(host):
                _LOG.warning("%s", self._forbidden(what))
            raise httpcore.ConnectError("it must not be pushed to")
        return allowed


async def _looked_up(host: str, port: int, lookups: anyio.CapacityLimiter) -> list[str]:
    """All addresses of a name.

    :raises httpcore.ConnectError: there are none.
    """
    try:
        entries = await anyio.to_thread.run_sync(_ask, host, port, abandon_on_cancel=True, limiter=lookups)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def _ask(host: str, port: int) -> list[Any]:
    """Ask for the addresses of a name, and wait for the answer."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class CheckedNetwork(Network):
    """Makes connections to where a VTN pushes to, and to nowhere else.

    :param targets: where that is.
    """

    def __init__(self, targets: PushTargets) -> None:
        super().__init__()
        self._targets = targets
        self._lookups = anyio.CapacityLimiter(_LOOKUPS)  # threads of their own, or none were left to save anything in

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - it is httpcore that asks for it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the addresses of a host, each of which has been checked."""
        error: Exception = httpcore.ConnectError("there is nobody")
        for address in await self._targets.found(host, port, self._lookups):
            patience = min(_CONNECTING, timeout or _CONNECTING)
            try:
                return await super().connect_tcp(address, port, patience, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failure:
                error = failure
        raise httpcore.ConnectError(str(error)) from error


def _networks(given: Iterable[str]) -> Iterable[_Network]:
    for one in given:
        if one in _NAMED:
            yield from _NAMED[one]
            continue
        try:
            yield ipaddress.ip_network(one)
        except ValueError as error:
            raise LocalProtocolError(
                f"push_to has {one!r}, which is no network: {error}; right would be one like 192.168.1.0/24, an "
                f"address, or one of {PUBLIC}, {LOOPBACK} and {PRIVATE}"
            ) from None


def _read(host: str) -> _Address | None:
    """Read an IP address; None where it is none, but perhaps a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _forms(address: _Address) -> Iterable[_Address]:
    """An address, and the IPv4 address that it stands for, where it is such a form.

    One that is nothing else but a form of IPv4, such as ``::ffff:10.0.0.1``, is that address.
    """
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return (IPv4Address(address.packed[-4:]),)
    if address.sixtofour is not None:
        return (address, address.sixtofour)
    return (address,)


def _is_host(host: str) -> bool:
    """Whether a host is an address or may be a name: of other ways to write an IPv4 address, none is a name."""
    if _read(host) is not None:
        return True
    labels = host.rstrip(".").split(".")
    last = labels[-1]
    return (
        len(host) <= _LONGEST_NAME
        and all(0 < len(one) <= _LONGEST_LABEL for one in labels)
        and not (last.isdigit() or last.lower().startswith("0x"))
    )

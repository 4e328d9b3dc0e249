"""Where the server of a domain is (RFC 6120, 3.2; RFC 2782; XEP-0368)."""

import asyncio
import ipaddress
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from aiodns import DNSResolver
from aiodns.error import ARES_ENODATA, ARES_ENOTFOUND, DNSError
from pycares import AresError, SRVRecordData

from oadr_driver.logs import logger

_LOG: Final = logger("oadr.xmpp")

USUAL_PORT: Final = 5222
"""Where the server of a domain is if the DNS does not say it."""

_STARTTLS: Final = "_xmpp-client._tcp"
"""The service where TLS begins when the server offers it."""

_DIRECT_TLS: Final = "_xmpps-client._tcp"
"""The service where TLS begins at once (XEP-0368)."""

_PATIENCE: Final = 2.0
"""Seconds that a name server is given, at first."""

_TRIES: Final = 2
"""How often each name server is asked."""

_NO_SUCH: Final = frozenset({ARES_ENODATA, ARES_ENOTFOUND})
"""How the DNS says that there are no records."""


class Place(NamedTuple):
    """Where a server may be.

    :param host: its name or its address; the certificate is for the domain nevertheless (RFC 6120, 13.7.2.1).
    :param port: its port.
    :param direct_tls: whether TLS begins at once, and not when the server offers it.
    """

    host: str
    port: int
    direct_tls: bool = False

    def __str__(self) -> str:
        """Give it as it stands in lines of a log."""
        return f"{self.host}:{self.port}"


class Record(NamedTuple):
    """An SRV record.

    :param priority: the lowest comes first, 0 to 65535.
    :param weight: its share of those who come, among records of one priority, 0 to 65535.
    :param place: where it points to; nowhere if that has no host.
    """

    priority: int
    weight: int
    place: Place


def resolver() -> DNSResolver:
    """Make what asks the name servers of the system; it is made anew for each look-up, as they may have changed."""
    return DNSResolver(timeout=_PATIENCE, tries=_TRIES)


async def places(domain: str, entropy: Random) -> list[Place]:
    """Look up where the server of a domain is.

    Without records it is at the usual port of the domain itself. With records it is nowhere else: a domain that has
    none but ``.`` says that it has no server.

    :param domain: the domain of a JID; or an address, which is not looked up.
    :param entropy: chooses between places of one priority.
    :returns: where to try, one after the other; empty if there is no server.
    """
    fallback = Place(domain.strip("[]"), USUAL_PORT)
    if _is_address(fallback.host):
        return [fallback]
    async with resolver() as dns:
        starttls, direct = await asyncio.gather(
            _records(dns, f"{_STARTTLS}.{domain}", direct_tls=False),
            _records(dns, f"{_DIRECT_TLS}.{domain}", direct_tls=True),
        )
    found = [one for one in (*starttls, *direct) if one.place.host]
    return in_order(found, entropy) if found or starttls else [fallback]


def in_order(records: Iterable[Record], entropy: Random) -> list[Place]:
    """Put records in the order in which they are to be tried (RFC 2782).

    :param records: those of all services together, as XEP-0368 has it.
    :param entropy: chooses between those of one priority, by their weights.
    """
    ordered: list[Place] = []
    left = sorted(records, key=lambda one: (one.priority, one.weight))
    while left:
        first = [one for one in left if one.priority == left[0].priority]
        sums = list(accumulate(one.weight for one in first))
        ordered.append(left.pop(bisect_left(sums, entropy.randint(0, sums[-1]))).place)
    return ordered


async def _records(dns: DNSResolver, name: str, *, direct_tls: bool) -> list[Record]:
    """Look up the SRV records of a service; a look-up that fails is as if there were none, as the domain may do."""
    try:
        in_ascii = name.encode("idna").decode()
    except UnicodeError:
        return []  # it cannot stand in the DNS
    try:
        answer = (await dns.query_dns(in_ascii, "SRV")).answer
    except (DNSError, AresError) as error:
        if error.args[0] not in _NO_SUCH:
            _LOG.warning("the SRV records of %s cannot be looked up: %s", name, error.args[-1])
        return []
    return [
        Record(data.priority, data.weight, Place(data.target.rstrip("."), data.port, direct_tls))
        for data in (one.data for one in answer)
        if isinstance(data, SRVRecordData)
    ]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

"""A name server on loopback that knows SRV records and nothing else."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
from aiodns import DNSResolver

from oadr_xmpp import places

STARTTLS: Final = "_xmpp-client._tcp."
DIRECT_TLS: Final = "_xmpps-client._tcp."

_LOOPBACK: Final = "127.0.0.1"
_SRV: Final = 33
_ANSWER: Final = 0x8180
"""The flags of an answer to somebody who wants recursion, and who gets it."""
NO_SUCH_NAME: Final = 3
REFUSED: Final = 5


class NameServer(asyncio.DatagramProtocol):
    """Answers by UDP (RFC 1035).

    :param records: by name, what stands in each record: priority, weight, port and target.
    :param unknown: the status of an answer about any other name.
    :ivar asked: the names that it was asked for.
    """

    def __init__(self, records: dict[str, list[tuple[int, int, int, str]]], unknown: int = NO_SUCH_NAME) -> None:
        self._records = records
        self._unknown = unknown
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        name = ".".join(labels).lower()
        assert struct.unpack_from(">H", data, at + 1) == (_SRV,), "the rest is for the resolver of the system"
        self.asked.append(name)
        found = self._records.get(name, [])
        head = data[:2] + struct.pack(">HHHHH", _ANSWER | (0 if found else self._unknown), 1, len(found), 0, 0)
        self._transport.sendto(head + data[12 : at + 5] + b"".join(map(_record, found)), sender)


def _record(record: tuple[int, int, int, str]) -> bytes:
    """A record about the name that was asked for, as it is sent; the target is not compressed (RFC 2782)."""
    *numbers, target = record
    labels = (one.encode() for one in target.rstrip(".").split(".") if one)
    content = struct.pack(">HHH", *numbers) + b"".join(bytes([len(one)]) + one for one in labels) + b"\0"
    return struct.pack(">HHHIH", 0xC00C, _SRV, 1, 60, len(content)) + content


@asynccontextmanager
async def asked(
    monkeypatch: pytest.MonkeyPatch,
    records: dict[str, list[tuple[int, int, int, str]]],
    unknown: int = NO_SUCH_NAME,
) -> AsyncIterator[NameServer]:
    """Have a name server asked, instead of those of the system, while the body runs."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(records, unknown), local_addr=(_LOOPBACK, 0)
    )
    port = transport.get_extra_info("sockname")[1]
    monkeypatch.setattr(places, "resolver", lambda: DNSResolver([f"{_LOOPBACK}:{port}"], timeout=5.0, tries=2))
    try:
        yield server
    finally:
        transport.close()

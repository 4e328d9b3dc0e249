"""Client certificates that a proxy hands on in a header, where it ends TLS in front of a VTN.

Whoever can reach the VTN can write such a header, so it is believed from the listed addresses alone.
"""

import base64
import binascii
import ipaddress
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from oadr_core import LocalProtocolError, Peer, fingerprint
from oadr_driver.clock import system_now

HEADER: Final = "Client-Cert"
"""The header that RFC 9440 names."""

_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_END: Final = b"-----END CERTIFICATE-----"


class TrustedProxies:
    """Finds out who a VEN is by what a proxy tells.

    The certificate may be written as RFC 9440 says, as bare base64 of its DER form, or in PEM, with escapes like
    ``%0A`` or blanks instead of line ends. The proxy has to check it, to take the header out of what clients send, and
    to send none where there is no valid certificate.

    :param addresses: the proxies, as addresses or networks, such as ``10.1.0.0/16``.
    :param header: the header.
    :param address_header: a header such as ``X-Forwarded-For``, in which the proxies add the address of who has asked
        them behind whatever it held; so that those who show no certificate are told apart. None where they do not.
    :raises LocalProtocolError: there is no address, or one is none.
    """

    def __init__(self, addresses: Sequence[str], header: str = HEADER, address_header: str | None = None) -> None:
        if isinstance(addresses, str) or not addresses:
            raise LocalProtocolError("trusted proxies must be a list of addresses or networks, with one at least")
        try:
            self._networks = tuple(ipaddress.ip_network(one, strict=False) for one in addresses)
        except ValueError as error:
            raise LocalProtocolError(f"a trusted proxy must be an address or a network: {error}") from None
        self._header: Final = _name_of_header(header)
        self._address_header: Final = None if address_header is None else _name_of_header(address_header)
        self._is_listed: Final = lru_cache(maxsize=1024)(self._look_up)
        self._shown: Final = lru_cache(maxsize=1024)(_read)  # each request asks twice, and VENs come again

    def told_by(self, peer: Peer, headers: Mapping[bytes, bytes]) -> Peer:
        """Find out who has sent a request.

        :param peer: who is at the other end of the connection.
        :param headers: the headers of the request by their names in lower case.
        :returns: the VEN that a listed proxy tells of, which has no identity where the proxy shows no valid
            certificate; else the peer itself, whatever the header says.
        """
        if not self._is_listed(peer.host):
            return peer
        shown = self._shown(headers.get(self._header, b""))
        valid = shown is not None and shown.not_before <= system_now().utc < shown.not_after  # rule 516
        address = peer.address
        if self._address_header is not None:
            address = self._address(headers.get(self._address_header, b"")) or address
        return Peer(peer.transport, shown.fingerprint if shown is not None and valid else None, address)

    def _address(self, told: bytes) -> str | None:
        """Find who has asked the proxy: the last address that is none of a proxy, as others could stand before it."""
        for one in reversed(told.decode("latin-1").split(",")):
            host = one.strip()
            if not self._is_listed(host):
                found = address_of(host)
                return None if found is None else f"{found}:0"
        return None

    def _look_up(self, host: str) -> bool:
        address = address_of(host)
        return address is not None and any(address in one for one in self._networks)


def _name_of_header(name: str) -> bytes:
    """The name of a header as requests are searched for it.

    :raises LocalProtocolError: it is none.
    """
    if not name or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        raise LocalProtocolError(f"{name!r} is no name of a header")
    return name.lower().encode()


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address; None where it is none. One of IPv4 may come in the form of IPv6."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _certificate(told: bytes) -> bytes | None:
    """The DER form of the one certificate that a header holds."""
    text = unquote_to_bytes(told.strip()) if b"%" in told else told.strip()
    if text.startswith(_BEGIN) and text.endswith(_END):
        text = text[len(_BEGIN) : -len(_END)]
    elif text.startswith(b":") and text.endswith(b":") and len(text) > 1:
        text = text[1:-1]
    try:
        return base64.b64decode(b"".join(text.split()), validate=True) or None
    except binascii.Error:
        return None


class _Shown(msgspec.Struct, frozen=True):
    """What matters of a certificate in a header."""

    fingerprint: str
    not_before: datetime
    not_after: datetime


def _read(told: bytes) -> _Shown | None:
    """Read a header; None where it holds no certificate, or anything else beside it."""
    der = _certificate(told)
    if der is None:
        return None
    try:
        certificate = x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion):
        return None
    if certificate.public_bytes(Encoding.DER) != der:
        return None
    return _Shown(fingerprint(der), certificate.not_valid_before_utc, certificate.not_valid_after_utc)

"""Whether others can reach a VTN that cannot tell who they are."""

from typing import Final

from oadr_core import LocalProtocolError
from oadr_http.trusted_proxy import address_of

LOOPBACK_NAMES: Final = ("localhost", "localhost.localdomain")
"""Names of this machine that only it can reach itself by."""


def is_loopback(host: str) -> bool:
    """Whether an address is one that only this machine can reach.

    :param host: an address, or the name of a host.
    """
    address = address_of(host)
    return host.lower() in LOOPBACK_NAMES if address is None else address.is_loopback


def refuse_exposure(host: str) -> None:
    """See that a VTN without proof of who its VENs are listens where nobody else can reach it.

    :param host: the address to listen on.
    :raises LocalProtocolError: others can reach it.
    """
    if not is_loopback(host):
        raise LocalProtocolError(
            f"http_host is {host!r}, which others can reach, and there is no TLS to tell who they are: anybody could "
            "pose as any VEN; give http_cert, http_key and http_ca_file, or allow_insecure=True if this is meant"
        )

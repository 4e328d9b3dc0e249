"""How a VEN is reached over HTTP by a VTN that pushes (section 9.1.2 of the profile)."""

from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from oadr_core import LocalProtocolError, certificate_is_for, fingerprint, normalised_fingerprints
from oadr_http.client import base_url
from oadr_http.endpoints import PREFIX, normalised
from oadr_http.exposure import is_loopback
from oadr_http.server import ServerLimits

PUSH_LIMITS: Final = ServerLimits(
    connections=100,
    connections_per_address=50,
    handshakes=20,
    requests_per_address=50.0,
    bodies=16 * 1024 * 1024,
)
"""What a VEN puts up with, which has one peer."""

_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - these are looked for, not listened on


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """How a VEN is reached by a VTN that pushes: it listens, and tells the VTN where.

    :param host: the address to listen on. Where there is neither TLS nor a signature to tell who pushes, anything but
        loopback needs ``allow_insecure``.
    :param port: the port to listen on; 0 takes a free one.
    :param url: the base URL that the VTN is told, such as ``https://ven.example:8443/``, where that is another than
        what follows from the others: behind a router, a proxy, or where ``host`` is no address that others can call.
        The VTN appends ``OpenADR2/Simple/2.0b`` and the service, unless it ends with the former already, as some want.
    :param prefix: the path before the name of a service; as follows from ``url`` if None. On one host with a VTN it has
        to be another than that of the VTN (rule 511).
    :param answers_lists: whether a list of events is answered with an oadrResponse at once, for VTNs that cannot read
        the empty answer that the profile has there (decision D47).
    :param allow_insecure: listen where others can reach it without proof of who they are: anybody can pose as the VTN.
    :param limits: what it puts up with; :data:`PUSH_LIMITS` if None. The size of documents follows that of answers.
    :raises LocalProtocolError: a setting is none, or does not say where the VEN is reached; the text says what would be
        right.
    """

    host: str = "127.0.0.1"
    port: int = 8081
    url: str | None = None
    prefix: str | None = None
    answers_lists: bool = False
    allow_insecure: bool = False
    limits: ServerLimits | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        :raises LocalProtocolError: a setting is none.
        """
        if self.url is not None:
            base_url(self.url)
        elif self.host in _EVERYWHERE:
            raise LocalProtocolError(
                f"the VEN listens at {self.host!r}, which is no address that a VTN can call; say by url= where it is "
                "reached, such as https://ven.example:8443/"
            )
        elif self.prefix is not None and not self.path.endswith(PREFIX):
            raise LocalProtocolError(
                f"the prefix is {self.prefix!r}, and VTNs append {PREFIX} to where a VEN is reached; say by url= "
                "where that is, or have the prefix end so"
            )

    @property
    def path(self) -> str:
        """The path before the name of a service."""
        if self.prefix is not None:
            return normalised(f"/{self.prefix.strip('/')}").rstrip("/")
        if self.url is None:
            return PREFIX
        path = normalised(urlsplit(self.url).path or "/").rstrip("/")
        return path if path.endswith(PREFIX) else f"{path}{PREFIX}"

    def address(self, port: int, *, secure: bool) -> str:
        """The base URL that the VTN is told.

        :param port: the port that it listens on.
        :param secure: whether it speaks TLS.
        """
        if self.url is not None:
            return self.url
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if secure else 'http'}://{host}:{port}{self.path.removesuffix(PREFIX)}/"

    def refuse_exposure(self, *, identified: bool) -> None:
        """See that nobody else can reach a VEN that cannot tell who its VTN is.

        :param identified: whether it can.
        :raises LocalProtocolError: somebody could.
        """
        if not identified and not self.allow_insecure and not is_loopback(self.host):
            raise LocalProtocolError(
                f"the VEN listens at {self.host!r}, which others can reach, and there is neither TLS nor a signature "
                "to tell who pushes: anybody could pose as the VTN. Call the VTN by https, or say what its signatures "
                "are known by; or allow_insecure=True if this is meant"
            )


def vtn_by_certificate(
    url: str, fingerprints: str | Sequence[str] | None, *, check_hostname: bool
) -> Callable[[bytes], bool]:
    """Make what tells the certificate of the VTN from those of others that the same CA has issued, such as other VENs.

    :param url: the base URL of the VTN.
    :param fingerprints: those of its certificates, where they are known.
    :param check_hostname: whether its certificate must be for the host of ``url``, where they are not.
    :returns: takes a certificate in DER.
    :raises LocalProtocolError: nothing says by what it is known.
    """
    if fingerprints:
        known = frozenset(normalised_fingerprints(fingerprints))
        return lambda certificate: fingerprint(certificate) in known
    host = urlsplit(url).hostname or ""
    if not check_hostname:
        raise LocalProtocolError(
            "nothing says by what the VTN is known when it pushes, as other VENs may have certificates of the same CA: "
            "give vtn_fingerprint, or leave check_hostname on"
        )
    return lambda certificate: certificate_is_for(certificate, host)

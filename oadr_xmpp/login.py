"""How one gets onto an XMPP server: as a client, or as a component beside it."""

from pathlib import Path
from typing import Final

from slixmpp import JID, InvalidJID

from oadr_core import LocalProtocolError
from oadr_driver.logs import logger
from oadr_driver.tls import PROFILE_CIPHERS, Tls, TlsPolicy
from oadr_xmpp.limits import XmppLimits
from oadr_xmpp.stream import ClientStream, ComponentStream, RawStream

_LOG: Final = logger("oadr.xmpp")

_COMPONENT_PORT: Final = 5347
"""Where servers usually let components connect."""

_POLICY: Final = TlsPolicy(
    maximum_version="1.3",
    ciphers=("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", *PROFILE_CIPHERS),
)
"""How TLS is spoken with an XMPP server: with the suites of the profile (rule 67), and others beside them, as servers
mostly have those of the profile only where they are told to."""


class XmppClient:
    """A client of a server: a VEN, or a VTN that is one.

    :param jid: its JID, such as ``0013a20040f1@oadr.example/client``. Its user name is the CN of the certificate (rule
        515); where it names no resource, ``resource`` is asked for.
    :param anonymous: whether the server gives it a user name (SASL ANONYMOUS), as avob has it; ``jid`` is its domain
        then, and the server knows who it is by the certificate that it shows for TLS.
    :param password: its password, which is shown by SCRAM; None where it logs in with its certificate.
    :param cert: the certificate that it logs in with, in PEM (SASL EXTERNAL).
    :param key: the key; None where it is in the file of the certificate.
    :param passphrase: what the key is encrypted with, if it is.
    :param ca_file: the CAs of the certificate of the server; those of the system if None.
    :param check_hostname: whether that certificate must be for the domain of the JID.
    :param tls_policy: how TLS is spoken; 1.2 or 1.3, with the suites of the profile and the usual ones, if None.
    :param host: the address of the server; it is looked up in the DNS by the domain if None, port and all.
    :param port: its port, where an address is given; TLS begins there when the server offers it (STARTTLS).
    :param resource: the resource that is asked for where the JID names none.
    :raises LocalProtocolError: the JID is none, there is neither a password nor a certificate, or a file cannot be
        used.
    """

    component: Final = False

    def __init__(
        self,
        jid: str,
        *,
        anonymous: bool = False,
        password: str | None = None,
        cert: str | Path | None = None,
        key: str | Path | None = None,
        passphrase: str | None = None,
        ca_file: str | Path | None = None,
        check_hostname: bool = True,
        tls_policy: TlsPolicy | None = None,
        host: str | None = None,
        port: int = 5222,
        resource: str = "client",
    ) -> None:
        parsed = checked_jid(jid, "0013a20040f1@oadr.example/client")
        if anonymous and (parsed.user or password is not None):
            raise LocalProtocolError(
                f"who logs in as nobody has neither a user name nor a password: give the domain alone, {parsed.domain}"
            )
        if not anonymous and not parsed.user:
            raise LocalProtocolError(f"{jid!r} is the address of a server; a client has a user name: name@{jid}")
        if password is None and cert is None:
            raise LocalProtocolError("nothing says how to log in: give cert and key, or password")
        if not parsed.resource:
            parsed.resource = resource
        self.anonymous: Final = anonymous
        self._jid: Final = parsed
        self._password = password
        self.domain: Final = str(parsed.domain)
        self.tls: Final = Tls(
            cert=cert,
            key=key,
            passphrase=passphrase,
            ca_file=ca_file,
            check_hostname=check_hostname,
            policy=tls_policy or _POLICY,
        )
        self.address: Final = None if host is None else (host, port)

    def stream(self, limits: XmppLimits, resource: str | None = None) -> RawStream:
        """Make a stream; to be called where an event loop runs.

        :param limits: what it puts up with.
        :param resource: the resource that is asked for; that of the login if None.
        """
        jid = JID(self._jid)
        if resource is not None:
            jid.resource = resource
        return ClientStream(str(jid), self._password, self.tls.client, limits)

    def renew(self, stream: RawStream) -> None:
        """Have the next connection of a stream made with the certificates of now, read again if they have changed."""
        if self.tls.changed():
            try:
                self.tls.reload()
            except LocalProtocolError as error:
                _LOG.error("the certificates cannot be read again, and those of before stay in use: %s", error)
        stream.ssl_context = self.tls.client


class XmppComponent:
    """A component beside a server (XEP-0114): a VTN with a domain of its own, to whom any number of VENs can talk.

    The connection is not encrypted, so the server belongs on this machine.

    :param domain: its domain, such as ``vtn.oadr.example``.
    :param secret: what the server knows it by.
    :param host: the address of the server.
    :param port: the port for components.
    :raises LocalProtocolError: the domain is none, or the secret is empty.
    """

    component: Final = True
    anonymous: Final = False

    def __init__(self, domain: str, secret: str, *, host: str = "127.0.0.1", port: int = _COMPONENT_PORT) -> None:
        parsed = checked_jid(domain, "vtn.oadr.example")
        if parsed.user or parsed.resource:
            raise LocalProtocolError(f"{domain!r} is no domain; a component has one of its own: {parsed.domain}")
        if not secret:
            raise LocalProtocolError("a component needs the secret that its server knows it by")
        self.domain: Final = str(parsed.domain)
        self._secret = secret
        self.tls: Final = None
        self.address: Final = (host, port)

    def stream(self, limits: XmppLimits, _: str | None = None) -> RawStream:
        """Make the stream, which has no resource; to be called where an event loop runs."""
        return ComponentStream(self.domain, self._secret, limits)

    def renew(self, stream: RawStream) -> None:
        """Do nothing: there are no certificates."""


def checked_jid(text: str, example: str) -> JID:
    """Read a JID that a user has given.

    :raises LocalProtocolError: it is none.
    """
    try:
        parsed = JID(text)
    except InvalidJID:
        parsed = None
    if parsed is None or not parsed.domain:
        raise LocalProtocolError(f"{text!r} is no address of XMPP; one is like {example}")
    return parsed

"""``[xmpp]`` in the files of ``oadr vtn`` and ``oadr ven``: as whom, and where, they log in at an XMPP server."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from oadr_app.checked import ConfigError
from oadr_app.tls_config import Fingerprint, passphrase_in

if TYPE_CHECKING:  # whoever does without XMPP does not wait for its library to be loaded
    from oadr_xmpp import XmppClient, XmppComponent, XmppLimits, XmppToVens

_Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
_Count = Annotated[int, msgspec.Meta(ge=1)]
_Name = Annotated[str, msgspec.Meta(min_length=1)]


class Dialect(StrEnum):
    """How messages stand in stanzas otherwise than the profile has it; see :class:`oadr_xmpp.XmppDialect`."""

    AVOB = "avob"
    ENERNOC = "enernoc"


_CLIENT_PORT: Final = 5222
_COMPONENT_PORT: Final = 5347

_OF_CLIENTS: Final = {
    **dict.fromkeys(("certificate", "key", "passphrase_file", "password_file", "authorities")),
    "check_hostname": True,
    "anonymous": False,
}
"""Settings that say nothing of a component, as they are where nobody has set them."""


class XmppFile(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What both sides can say in ``[xmpp]``.

    :param host: the host of the server; by the DNS records of the domain if None.
    :param port: the port there.
    :param certificate: the certificate that it logs in with, in PEM.
    :param key: its key; None where it is in the same file.
    :param passphrase_file: a file with the passphrase of the key, in its first line.
    :param password_file: a file with a password, in its first line, where it logs in with that.
    :param authorities: the CAs of the certificate of the server; those of the system if None.
    :param check_hostname: whether that certificate must be for the domain.
    :param anonymous: whether the server gives it a user name, as avob's does; ``jid`` is a domain then.
    :param stanza: bytes of a stanza that is sent; the server must take more. Such as most servers take if None.
    """

    host: _Name | None = None
    port: _Port | None = None
    certificate: Path | None = None
    key: Path | None = None
    passphrase_file: Path | None = None
    password_file: Path | None = None
    authorities: Path | None = None
    check_hostname: bool = True
    anonymous: bool = False
    stanza: _Count | None = None

    @property
    def limits(self) -> "XmppLimits":
        """What it puts up with."""
        from oadr_xmpp import XmppLimits

        return XmppLimits() if self.stanza is None else XmppLimits(stanza=self.stanza)

    def refuse_lone_port(self) -> None:
        """See that a port of a server is that of a known host.

        :raises ValueError: it is not, so that it would be passed over.
        """
        if self.port is not None and self.host is None:
            raise ValueError("`port` needs `host`; without both, DNS tells where the server is")

    def login(self) -> dict[str, Any]:
        """Say how it logs in as a client, in the arguments that say it everywhere.

        :raises ConfigError: a file with a secret cannot be read, or nothing says how it logs in.
        """
        if self.certificate is None and self.password_file is None:
            raise ConfigError("xmpp: nothing says how to log in; give `certificate` and `key`, or `password_file`")
        return {
            "password": passphrase_in(self.password_file, "xmpp.password_file"),
            "cert": self.certificate,
            "key": self.key,
            "passphrase": passphrase_in(self.passphrase_file, "xmpp.passphrase_file"),
            "ca_file": self.authorities,
            "check_hostname": self.check_hostname,
            "anonymous": self.anonymous,
            "host": self.host,
            "port": self.port or _CLIENT_PORT,
        }


class VtnXmpp(XmppFile, forbid_unknown_fields=True, kw_only=True):
    """``[xmpp]`` of a VTN.

    :param component: its domain, where it is a component of the server.
    :param secret_file: a file with what the server knows the component by, in its first line.
    :param jid: its JID with a resource, where it is a client.
    :param dialects: what VENs may speak beside what the profile has: ``avob``, ``enernoc``.
    """

    component: _Name | None = None
    secret_file: Path | None = None
    jid: _Name | None = None
    dialects: tuple[Dialect, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is neither, or both."""
        if (self.component is None) is (self.jid is None):
            raise ValueError("give either `component`, a domain of its own, or `jid`, as whom the VTN logs in")
        if (self.component is None) is not (self.secret_file is None):
            raise ValueError("`component` and `secret_file` belong together")
        if self.component is not None:
            for one, unsaid in _OF_CLIENTS.items():
                if getattr(self, one) == unsaid:
                    continue
                raise ValueError(f"`{one}` is for a client; a component logs in with `secret_file`, and without TLS")
        else:
            self.refuse_lone_port()

    def to_vens(self) -> "XmppToVens":
        """Make the way to its VENs.

        :raises ConfigError: a file with a secret cannot be read, or nothing says how it logs in.
        :raises LocalProtocolError: an address is none, or a file of certificates cannot be used.
        """
        from oadr_xmpp import XmppDialect, XmppToVens

        dialects = [XmppDialect(one) for one in self.dialects]
        return XmppToVens(self._account(), dialects=dialects, limits=self.limits)

    def _account(self) -> "XmppClient | XmppComponent":
        """Make what it gets onto the server by."""
        from oadr_xmpp import XmppClient, XmppComponent

        if self.component is None:
            assert self.jid is not None
            return XmppClient(self.jid, **self.login())
        secret = passphrase_in(self.secret_file, "xmpp.secret_file") or ""
        host = self.host or "127.0.0.1"
        return XmppComponent(self.component, secret, host=host, port=self.port or _COMPONENT_PORT)


class VenXmpp(XmppFile, forbid_unknown_fields=True, kw_only=True):
    """``[xmpp]`` of a VEN.

    :param jid: its JID; its name is that in its certificate (rule 515).
    :param vtn: where its VTN is found: the domain that lists its services, or its JID. If None, the domain of ``jid``,
        or what avob has in its place.
    :param dialect: how its VTN is spoken to: as the profile has it, ``enernoc`` or ``avob``.
    :param vtn_fingerprint: by what the server of avob's knows the VTN, beside what ``[signatures]`` has of it.
    """

    jid: _Name
    vtn: _Name | None = None
    dialect: Dialect | None = None
    vtn_fingerprint: Fingerprint | None = None

    def __post_init__(self) -> None:
        """Refuse what would be passed over."""
        self.refuse_lone_port()

    @property
    def domain(self) -> str:
        """The domain that it logs in to; there may be an ``@`` in the resource of a JID."""
        return self.jid.partition("/")[0].rpartition("@")[2]

    def arguments(self, signing: dict[str, Any]) -> dict[str, Any]:
        """Say it in the arguments of an OpenADRClient, which has one certificate for logging in and for signing.

        :param signing: the arguments that say how it signs; empty where it does not.
        :raises ConfigError: the two contradict each other, or a file with a secret cannot be read.
        """
        own = self.login()
        for name, setting in (("cert", "certificate"), ("key", "key"), ("ca_file", "authorities")):
            given = signing.get(name)
            if own[name] is None:
                own[name] = given
            elif given not in (None, own[name]):
                raise ConfigError(f"xmpp.{setting} and signatures.{setting} differ; a VEN has one for both")
        if not signing:
            own |= {"disable_signature": True}
        own["passphrase"] = own["passphrase"] or signing.get("passphrase")
        if self.vtn_fingerprint is not None:
            own["vtn_fingerprint"] = [self.vtn_fingerprint, *(signing.get("vtn_fingerprint") or [])]
        if self.dialect is not None:
            own["dialect"] = self.dialect
        return {**signing, **own, "jid": self.jid, "vtn_address": self.vtn, "limits": self.limits}
